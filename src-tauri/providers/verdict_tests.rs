//! The corpus: every file below tests/corpus/verdicts is a reply as it comes over the wire, and the lines
//! before it say what it was asked for and what it means.

use std::{collections::BTreeMap, path::Path};

use super::*;
use crate::providers::read_windows;

/// The moment of every reply in the corpus.
fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// `# verdict: 5h until 2026-11-23T15:00:00Z`, as the first line of a file has it.
fn told(verdict: &Verdict) -> String {
    let word = verdict.kind().word();
    match verdict {
        Verdict::Throttled { retry_after: Some(pause) } => format!("{word} {pause:?}"),
        Verdict::QuotaSpent { window, until } => format!("{word} {window} until {}", until.unwrap()),
        Verdict::ExtraUsageSpent { window, until } => format!("{word} {window} until {until}"),
        Verdict::OrganisationDisabled { until } => format!("{word} until {until}"),
        _ => word.to_owned(),
    }
}

fn read(reply: &str, family: Option<Family>) -> Verdict {
    let (head, body) = reply.split_once("\n\n").unwrap_or((reply, ""));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: HeaderMap = lines
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())
        })
        .collect();
    let windows = read_windows(&headers, now());
    let reply = Reply { status, headers: &headers, body: body.trim().as_bytes(), windows: &windows, family };
    Dialects::built_in().unwrap().verdict("anthropic", &reply, now())
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
        let verdict = read(reply, Family::of(asked));
        assert_eq!(told(&verdict), expected, "{}", path.display());
        *seen.entry(verdict.kind().word()).or_default() += 1;
    }
    for kind in VerdictKind::ALL.into_iter().filter(|kind| *kind != VerdictKind::Abandoned) {
        assert!(seen.get(kind.word()).is_some_and(|files| *files >= 2), "{kind:?} has too few: {seen:?}");
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
        let windows = read_windows(&headers, now());
        let reply = Reply { status: StatusCode::from_u16(status).unwrap(), headers: &headers, body: &body, windows: &windows, family: None };
        let _ = Dialects::built_in().unwrap().verdict("anthropic", &reply, now());
    }
}
