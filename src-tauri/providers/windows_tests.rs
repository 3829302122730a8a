//! What replies of every dialect say of their limits, and what nonsense says: nothing.

use proptest::prelude::*;

use super::*;
use crate::{
    domain::Family,
    providers::{
        Catalog,
        windows_table::{Told, dialects, patterns},
    },
};

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with what may be unknown")]
fn at(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        (name.parse::<http::HeaderName>().unwrap(), http::HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(header).collect()
}

fn read_by(provider: &str, need: Need, pairs: &[(&str, &str)]) -> Vec<Window> {
    let catalog = Catalog::built_in();
    catalog.windows(&catalog.get(provider).unwrap(), &headers(pairs), need, now())
}

fn read(pairs: &[(&str, &str)]) -> Vec<Window> {
    read_by("anthropic-compatible", Need::default(), pairs)
}

fn opus() -> Need {
    Some(Family::Opus).into()
}

fn names(windows: &[Window]) -> Vec<&str> {
    windows.iter().map(|window| &*window.name.0).collect()
}

/// Percent, so that a failure can be read.
fn used(window: &Window) -> Option<f64> {
    window.utilization.map(|share| (share * 1e4).round() / 1e2)
}

#[test]
fn a_subscriptions_windows_are_read_known_or_not() {
    let windows = read(&[
        ("anthropic-ratelimit-unified-status", "allowed"),
        ("anthropic-ratelimit-unified-reset", "1795449600"),
        ("anthropic-ratelimit-unified-representative-claim", "five_hour"),
        ("anthropic-ratelimit-unified-fallback-percentage", "0.5"),
        ("anthropic-ratelimit-unified-overage-status", "rejected"),
        ("anthropic-ratelimit-unified-overage-reset", "1795449600"),
        ("anthropic-ratelimit-unified-5h-utilization", "0.42"),
        ("anthropic-ratelimit-unified-5h-reset", "1795449600"),
        ("anthropic-ratelimit-unified-5h-status", "allowed"),
        ("anthropic-ratelimit-unified-5h-surpassed-threshold", "0.4"),
        ("anthropic-ratelimit-unified-7d_opus-utilization", "1.01"),
        ("anthropic-ratelimit-unified-7d_opus-status", "rejected"),
        ("anthropic-ratelimit-unified-moon-utilization", "0.1"),
    ]);
    assert_eq!(names(&windows), ["5h", "7d_opus", "moon"]);
    assert_eq!((used(&windows[0]), windows[0].resets_at), (Some(42.0), at("2026-11-23T16:00:00Z")));
    assert!(windows[1].spent && !windows[0].spent);
    assert_eq!((windows[0].family, windows[1].family), (None, Some(Family::Opus)));
}

#[test]
fn a_full_window_whose_end_nobody_tells_is_spent_unless_the_upstream_says_that_it_serves() {
    let spent = |field: &[(&str, &str)]| {
        let mut pairs = vec![("anthropic-ratelimit-unified-5h-utilization", "1.0")];
        pairs.extend_from_slice(field);
        read(&pairs)[0].spent
    };
    assert!(spent(&[]));
    assert!(spent(&[("anthropic-ratelimit-unified-5h-status", "who_knows")]));
    assert!(spent(&[("anthropic-ratelimit-unified-5h-reset", "never")]), "a reset that is none is none");
    for word in ["allowed", "allowed_warning"] {
        assert!(!spent(&[("anthropic-ratelimit-unified-5h-status", word)]), "{word}");
    }
    assert!(!spent(&[("anthropic-ratelimit-unified-5h-reset", "1795449600")]), "its end is known");
    assert!(!read(&[("anthropic-ratelimit-unified-5h-utilization", "0.99")])[0].spent);
    let pace = read(&[("x-ratelimit-limit", "10"), ("x-ratelimit-remaining", "0")]);
    assert_eq!((used(&pace[0]), pace[0].spent), (Some(100.0), false), "so many a moment are soon back");
}

#[test]
fn a_week_of_one_model_is_that_models_and_an_unknown_window_is_taken_for_the_family_that_asked() {
    let told = [
        ("anthropic-ratelimit-unified-7d-status", "allowed"),
        ("anthropic-ratelimit-unified-7d_oi-status", "rejected"),
        ("anthropic-ratelimit-unified-7d_sonnet-status", "rejected"),
        ("anthropic-ratelimit-unified-moon-status", "rejected"),
    ];
    let windows = read_by("anthropic", opus(), &told);
    assert_eq!(names(&windows), ["7d", "7d_fable", "7d_sonnet", "moon_opus"]);
    let limited = |family| windows.iter().any(|window| window.spent && window.applies_to(Some(family)));
    assert!(limited(Family::Fable) && limited(Family::Sonnet) && limited(Family::Opus));
    assert!(!limited(Family::Haiku), "what one family was told is not another's");
}

#[test]
fn an_api_keys_buckets_become_shares_of_the_models_class() {
    let told = [
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "40"),
        ("anthropic-ratelimit-requests-reset", "2026-11-23T12:00:07Z"),
        ("anthropic-ratelimit-input-tokens-limit", "30000"),
        ("anthropic-ratelimit-input-tokens-remaining", "0"),
    ];
    let windows = read_by("anthropic", opus(), &told);
    assert_eq!(names(&windows), ["input-tokens_opus", "requests_opus"]);
    assert_eq!(used(&windows[1]), Some(20.0));
    assert_eq!(windows[1].resets_at, at("2026-11-23T12:00:07Z"));
    assert!(windows.iter().all(|window| window.refills && window.family == Some(Family::Opus)));
    assert!(!windows[0].spent, "what fills up again all the time is never shut");
}

#[test]
fn a_counts_buckets_are_counts_own() {
    let told = [
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-unified-5h-utilization", "0.5"),
    ];
    let counting = Need { endpoint: Endpoint::Counts, ..opus() };
    let windows = read_by("anthropic", counting, &told);
    assert_eq!(names(&windows), ["5h", "count_tokens-requests"]);
    assert!(windows[0].applies_to(opus()) && !windows[0].applies_to(counting));
    assert!(windows[1].applies_to(counting) && !windows[1].applies_to(opus()));
}

#[test]
fn priority_and_fast_tokens_are_shown_and_keep_nobody_out() {
    let windows = read(&[
        ("anthropic-priority-input-tokens-limit", "10000"),
        ("anthropic-priority-input-tokens-remaining", "0"),
        ("anthropic-priority-input-tokens-reset", "2026-11-23T12:00:59Z"),
        ("anthropic-fast-output-tokens-limit", "0"),
        ("anthropic-fast-output-tokens-remaining", "0"),
    ]);
    assert_eq!(names(&windows), ["fast-output-tokens", "priority-input-tokens"]);
    assert_eq!(used(&windows[0]), None, "of nothing nothing is no share");
    assert_eq!(used(&windows[1]), Some(100.0));
    assert!(windows.iter().all(|window| window.limits.is_none() && !window.applies_to(None)));
}

#[test]
fn openais_headers_are_read_with_their_spans() {
    let windows = read(&[
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "59"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-limit-tokens", "150000"),
        ("x-ratelimit-remaining-tokens", "75000"),
        ("x-ratelimit-reset-tokens", "6m0s"),
        ("x-ratelimit-limit-project-tokens", "100"),
        ("x-ratelimit-remaining-project-tokens", "10"),
        ("x-ratelimit-reset-project-tokens", "1h2m3.5s"),
    ]);
    assert_eq!(names(&windows), ["project-tokens", "requests", "tokens"]);
    assert_eq!((used(&windows[2]), windows[2].resets_at), (Some(50.0), at("2026-11-23T12:06:00Z")));
    assert_eq!(windows[1].resets_at, at("2026-11-23T12:00:01Z"));
    assert_eq!(windows[0].resets_at, at("2026-11-23T13:02:03.5Z"));
}

#[test]
fn codex_windows_are_named_by_their_minutes() {
    let windows = read(&[
        ("x-codex-primary-used-percent", "100"),
        ("x-codex-primary-window-minutes", "300"),
        ("x-codex-primary-reset-after-seconds", "600"),
        ("x-codex-primary-reset-at", "1795446600"),
        ("x-codex-secondary-used-percent", "12.5"),
        ("x-codex-secondary-window-minutes", "10080"),
        ("x-codex-secondary-reset-at", "1795878000"),
        ("x-codex-bengalfox-primary-used-percent", "99"),
        ("x-codex-credits-balance", "17.50"),
    ]);
    assert_eq!(names(&windows), ["5h", "7d"]);
    assert_eq!((used(&windows[0]), windows[0].spent), (Some(100.0), true));
    assert_eq!(windows[0].resets_at, at("2026-11-23T12:10:00Z"), "what is told from now on counts");
    assert_eq!((used(&windows[1]), windows[1].spent), (Some(12.5), false));
    assert_eq!(windows[1].resets_at, at("2026-11-28T15:00:00Z"));
    let empty = [("x-codex-secondary-used-percent", "0"), ("x-codex-secondary-window-minutes", "0")];
    assert_eq!(read(&empty), [], "an empty place is no window");
    assert_eq!(names(&read(&[("x-codex-primary-used-percent", "3")])), ["primary"], "its own name");
}

#[test]
fn what_gateways_say_of_a_rate_is_read_in_each_spelling_of_its_reset() {
    let reset = |value: &str| {
        let windows = read(&[
            ("x-ratelimit-limit", "10"),
            ("x-ratelimit-remaining", "4"),
            ("x-ratelimit-reset", value),
        ]);
        assert_eq!((names(&windows), used(&windows[0])), (vec!["rate"], Some(60.0)));
        windows[0].resets_at
    };
    let minute = at("2026-11-23T12:01:00Z");
    let then = minute.unwrap().as_second();
    for value in [
        "60".to_owned(),
        "1m".to_owned(),
        "60000ms".to_owned(),
        then.to_string(),
        format!("{then}000"),
        "2026-11-23T12:01:00Z".to_owned(),
        "2026-11-23T13:01:00+01:00".to_owned(),
    ] {
        assert_eq!(reset(&value), minute, "{value}");
    }
    let draft = read(&[("ratelimit-limit", "10"), ("ratelimit-remaining", "10"), ("ratelimit-reset", "60")]);
    assert_eq!((names(&draft), used(&draft[0]), draft[0].resets_at), (vec!["rate"], Some(0.0), minute));
}

#[test]
fn said_in_two_dialects_the_first_one_counts() {
    let windows = read(&[
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "30"),
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "40"),
    ]);
    assert_eq!((names(&windows), used(&windows[0])), (vec!["requests"], Some(20.0)));
}

#[test]
fn a_provider_reads_no_dialect_but_its_own() {
    let told = [("x-ratelimit-limit-requests", "60"), ("x-ratelimit-remaining-requests", "30")];
    assert_eq!(read_by("anthropic", Need::default(), &told), []);
}

#[test]
fn a_catalog_may_describe_headers_of_its_own() {
    #[derive(serde::Deserialize)]
    struct Entry {
        windows: Vec<Told>,
    }
    let entry: Entry = toml::from_str(
        r#"windows = ["codex", {
            header = "x-vendor-{field}", as = "month", fields = { used = "used", quota = "limit", left-ms = "milliseconds", state = "status" },
            spent = ["exhausted"],
        }]"#,
    )
    .unwrap();
    let reader = WindowReader::new(patterns(entry.windows, &dialects().unwrap()).unwrap());
    let told = [
        ("x-vendor-used", "25"),
        ("x-vendor-quota", "100"),
        ("x-vendor-left-ms", "60000"),
        ("x-vendor-state", "exhausted"),
        ("x-codex-primary-used-percent", "1"),
    ];
    let windows = reader.read(&headers(&told), Need::default(), now());
    assert_eq!(names(&windows), ["month", "primary"]);
    assert_eq!((used(&windows[0]), windows[0].spent), (Some(25.0), true));
    assert_eq!(windows[0].resets_at, at("2026-11-23T12:01:00Z"));
}

#[test]
fn a_mistake_in_a_description_is_said() {
    for (text, why) in [
        (r#"windows = ["nobodys"]"#, "windows.toml has no nobodys"),
        (r#"windows = [{ header = "x-{window}", fields = { a = "share" } }]"#, "does not end"),
        (r#"windows = [{ header = "{window}-{field}", fields = { a = "share" } }]"#, "no header's name"),
        (r#"windows = [{ header = "X-A-{field}", as = "a", fields = { a = "share" } }]"#, "lower case"),
        (r#"windows = [{ header = "x-a-{field}", fields = { a = "share" } }]"#, "is called"),
        (
            r#"windows = [{ header = "x-{window}-{field}", as = "a", fields = { a = "share" } }]"#,
            "no {window}",
        ),
        (r#"windows = [{ header = "x-{window}-{field}", fields = {} }]"#, "no fields"),
    ] {
        #[derive(serde::Deserialize)]
        struct Entry {
            windows: Vec<Told>,
        }
        let entry: Entry = toml::from_str(text).unwrap();
        let error = patterns(entry.windows, &dialects().unwrap()).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    for dialect in dialects().unwrap().into_keys() {
        patterns(vec![Told::Dialect(dialect)], &dialects().unwrap()).unwrap();
    }
}

#[test]
fn absurd_values_are_unknown() {
    for value in ["NaN", "-1", "inf", "9999", "", "many"] {
        let windows = read(&[("anthropic-ratelimit-unified-5h-utilization", value)]);
        assert_eq!(windows[0].utilization, None, "{value}");
    }
    for reset in ["99999999999999", "1e300", "soon", "-99999999999999999999", "NaN", "1803225600"] {
        let windows = read(&[("anthropic-ratelimit-unified-5h-reset", reset)]);
        assert_eq!(windows[0].resets_at, None, "{reset}");
    }
    for reset in ["-1s", "1y", "s", "1s2", "NaNs", "9e9d", "١s"] {
        let value = http::HeaderValue::from_bytes(reset.as_bytes()).unwrap();
        let told = HeaderMap::from_iter([("x-ratelimit-reset-tokens".parse().unwrap(), value)]);
        let catalog = Catalog::built_in();
        let provider = catalog.get("anthropic-compatible").unwrap();
        let windows = catalog.windows(&provider, &told, Need::default(), now());
        assert!(windows.iter().all(|window| window.resets_at.is_none()), "{reset}");
    }
}

#[test]
fn milliseconds_are_known_by_their_size() {
    let windows = read(&[("anthropic-ratelimit-unified-5h-reset", "1795449600000")]);
    assert_eq!(windows[0].resets_at, at("2026-11-23T16:00:00Z"));
}

#[test]
fn a_reset_that_its_window_is_too_short_for_is_unknown_as_our_clock_may_be_wrong() {
    let reset = |header: &str, hours: i64| {
        let then = (now() + SignedDuration::from_hours(hours)).as_second().to_string();
        read(&[(&format!("anthropic-ratelimit-unified-{header}-reset"), &then)])[0].resets_at.is_some()
    };
    assert!(reset("5h", 5) && reset("5h", 6) && !reset("5h", 7) && !reset("5h", 29));
    assert!(reset("7d", 168) && !reset("7d_opus", 170));
    assert!(reset("moon", 24 * 31) && !reset("moon", 24 * 32));
}

#[test]
fn a_reply_that_states_no_limits_costs_nothing() {
    let told =
        [("content-type", "application/json"), ("request-id", "req_1"), ("x-other", "1"), ("age", "3")];
    assert_eq!(read(&told).capacity(), 0);
}

proptest! {
    #[test]
    fn whatever_headers_say_what_is_read_is_within_reason(
        pairs in proptest::collection::vec((0usize..9, "[a-z0-9_-]{0,12}", 0usize..9, "[ -~]{0,24}|[0-9]{1,16}(\\.[0-9]+)?(ms|s|m|h)?"), 0..12),
        family in proptest::option::of(proptest::sample::select(Family::ALL.to_vec())), counts: bool,
    ) {
        let prefixes = [
            "anthropic-ratelimit-unified-", "anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-",
            "x-ratelimit-", "x-codex-", "x-codex-primary", "ratelimit-", "x-ratelimit-limit-",
        ];
        let fields = ["-utilization", "-reset", "-status", "-limit", "-remaining", "-used-percent", "-window-minutes", "-reset-at", ""];
        let mut told = HeaderMap::new();
        for (prefix, middle, field, value) in &pairs {
            let name = format!("{}{middle}{}", prefixes[*prefix], fields[*field]);
            if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), http::HeaderValue::from_str(value)) {
                told.append(name, value);
            }
        }
        let endpoint = if counts { Endpoint::Counts } else { Endpoint::Messages };
        let catalog = Catalog::built_in();
        for provider in catalog.iter() {
            let windows = catalog.windows(provider, &told, Need { family, endpoint }, now());
            prop_assert!(windows.len() <= MAX_WINDOWS);
            prop_assert!(windows.windows(2).all(|pair| pair[0].name < pair[1].name), "each name once");
            for window in &windows {
                prop_assert!(!window.name.0.is_empty() && window.name.0.len() <= 64);
                prop_assert!(window.utilization.is_none_or(|share| (0.0..=10.0).contains(&share)), "{window:?}");
                prop_assert!(window.resets_at.is_none_or(|reset| window.name.may_end(reset, now())), "{window:?}");
            }
        }
    }
}
