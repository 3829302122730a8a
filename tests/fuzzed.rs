//! What the fuzz targets claim, claimed again for every seed and for every find that was kept, without a
//! fuzzer: CI guards them all.

use std::{fs, path::Path};

#[path = "../fuzz/claims.rs"]
mod claims;

fn all_of(target: &str, claim: fn(&[u8])) {
    let mut seen = 0;
    for folder in ["seeds", "corpus"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder).join(target);
        // A target that has found nothing yet has no finds.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let file = entry.unwrap().path();
            let bytes = fs::read(&file).unwrap();
            let holds = std::panic::catch_unwind(|| claim(&bytes)).is_ok();
            assert!(holds, "{} breaks the claim of {target}", file.display());
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} files were found");
}

#[test]
fn a_stream_is_heard_the_same_however_it_is_torn() {
    all_of("sse", claims::sse);
}

#[test]
fn a_splice_leaves_all_other_bytes() {
    all_of("splice", claims::splice);
}

#[test]
fn a_head_is_read_as_a_parser_reads_it() {
    all_of("head", claims::head);
}

#[test]
fn an_answer_is_read_the_same_however_it_is_torn() {
    all_of("answer", claims::answer);
}

#[test]
fn any_reply_has_a_verdict_within_bounds() {
    all_of("verdicts", claims::verdicts);
}
