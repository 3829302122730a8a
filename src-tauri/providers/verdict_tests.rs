//! The corpus: every file below tests/corpus/verdicts is a reply as it comes over the wire, and the lines
//! before it say what it was asked for and what it means.

use std::{collections::BTreeMap, path::Path};

use super::*;
use crate::{domain::Need, providers::Catalog};

/// The moment of every reply in the corpus.
fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// `# verdict: 5h until 2026-11-23T15:00:00Z`, as the first line of a file has it.
fn told(verdict: &Verdict) -> String {
    let word = verdict.kind().word();
    match verdict {
        Verdict::Throttled { retry_after: Some(pause) } => format!("{word} {pause:?}"),
        Verdict::QuotaSpent { window, until: None, again } => format!("{word} {window} again in {again:?}"),
        Verdict::QuotaSpent { window, until: Some(until), .. }
        | Verdict::ExtraUsageSpent { window, until } => {
            format!("{word} {window} until {until}")
        }
        Verdict::OrganisationDisabled { again } => format!("{word} again in {again:?}"),
        _ => word.to_owned(),
    }
}

fn read(provider: &str, reply: &str, family: Option<Family>) -> Verdict {
    let (head, body) = reply.split_once("\n\n").unwrap_or((reply, ""));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: HeaderMap = lines
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())
        })
        .collect();
    let catalog = Catalog::built_in();
    let provider = catalog.get(provider).unwrap();
    let windows = catalog.windows(&provider, &headers, family.into(), now());
    let reply = Reply { status, headers: &headers, body: body.trim().as_bytes(), windows: &windows, family };
    catalog.verdict(&provider, &reply, now())
}

#[test]
fn every_reply_of_the_corpus_means_what_its_first_line_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/verdicts");
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
        let (first, reply) = text.split_once('\n').unwrap();
        let (expected, asked) =
            first.strip_prefix("# ").unwrap().split_once(", asked for ").unwrap_or((&first[2..], ""));
        // What one dialect alone knows is at home where several are read.
        let is_zais = path.file_name().unwrap().to_str().unwrap().starts_with("zai-");
        let providers =
            if is_zais { &["anthropic-compatible"][..] } else { &["anthropic", "anthropic-compatible"] };
        let mut word = "";
        for provider in providers {
            let verdict = read(provider, reply, Family::of(asked));
            assert_eq!(told(&verdict), expected, "{} at {provider}", path.display());
            word = verdict.kind().word();
        }
        *seen.entry(word).or_default() += 1;
    }
    for kind in VerdictKind::ALL.into_iter().filter(|kind| *kind != VerdictKind::Abandoned) {
        assert!(seen.get(kind.word()).is_some_and(|files| *files >= 2), "{kind:?} has too few: {seen:?}");
    }
}

#[test]
fn a_date_in_words_is_found_with_its_offset_or_without() {
    let china = Offset::from_seconds(8 * 3600).unwrap();
    let read = |text: &str| date_in(&text.to_lowercase(), china).map(|date| date.to_string());
    let midnight = Some("2026-10-03T00:23:14Z".to_owned());
    assert_eq!(read("Your limit will reset at 2026-10-03 08:23:14"), midnight);
    assert_eq!(read("[1310][Your limit will reset at 2026-10-03 08:23:14][20260728]"), midnight);
    assert_eq!(read("您的限额将在 2026-10-03 08:23:14 重置。"), midnight);
    assert_eq!(read("Resets at 2026-10-03T00:23:14Z."), midnight);
    assert_eq!(read("Resets at 2026-10-03T02:23:14+02:00"), midnight);
    for none in ["", "soon", "at 2026-13-03 08:23:14", "2026-10-03", "at 2026-10-03 99:99:99"] {
        assert_eq!(read(none), None, "{none}");
    }
}

#[test]
fn a_pause_is_read_in_each_spelling_and_nonsense_is_none() {
    let read = |name: &'static str, value: &str| {
        retry_after(
            &HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())]),
            now(),
        )
    };
    let minute = Some(Duration::from_mins(1));
    let then = now().as_second() + 60;
    assert_eq!(read("retry-after", "12"), Some(Duration::from_secs(12)));
    assert_eq!(read("retry-after", "0.5"), Some(Duration::from_millis(500)));
    assert_eq!(read("retry-after", "Mon, 23 Nov 2026 12:01:00 GMT"), minute);
    assert_eq!(read("retry-after", &then.to_string()), minute, "seconds since 1970");
    assert_eq!(read("retry-after", &format!("{then}000")), minute, "milliseconds since 1970");
    assert_eq!(read("retry-after-ms", "250"), Some(Duration::from_millis(250)));
    for nonsense in [
        "0",
        "-5",
        "NaN",
        "inf",
        "1e300",
        "99999999999",
        "99999999999999",
        "1000000000",
        "soon",
        "",
        "Mon, 23 Nov 2020 12:01:00 GMT",
    ] {
        assert_eq!(read("retry-after", nonsense), None, "{nonsense}");
    }
}

proptest::proptest! {
    #[test]
    fn no_reply_whatever_it_says_makes_a_verdict_panic(
        status in 100u16..600, name in "[a-z0-9_]{0,9}", value in "[ -~]{0,20}", body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60),
    ) {
        let names = [
            "retry-after".to_owned(), "retry-after-ms".to_owned(), "anthropic-ratelimit-unified-reset".to_owned(),
            "anthropic-ratelimit-unified-status".to_owned(), format!("anthropic-ratelimit-unified-{name}-reset"),
        ];
        let headers: HeaderMap = names.iter().map(|name| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())).collect();
        let catalog = Catalog::built_in();
        let provider = catalog.get("anthropic-compatible").unwrap();
        let windows = catalog.windows(&provider, &headers, Need::default(), now());
        let reply = Reply { status: StatusCode::from_u16(status).unwrap(), headers: &headers, body: &body, windows: &windows, family: None };
        let _ = catalog.verdict(&provider, &reply, now());
    }
}
