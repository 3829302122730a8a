//! Reads the usage windows that a reply states in its headers. Names that we don't know are kept; values
//! that make no sense are unknown. Source: Anthropic's API reference, "Rate limits", response headers.

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use crate::domain::{Window, WindowName, WindowSource};

const UNIFIED: &str = "anthropic-ratelimit-unified-";
const BUCKET: &str = "anthropic-ratelimit-";
/// A reset further away than this is a mistake or another unit.
const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(24 * 366);
/// No reply states more windows than this; the rest is dropped.
const MAX_WINDOWS: usize = 32;
const MAX_NAME: usize = 64;

/// Every window that the headers name, in the order of their names.
pub fn read_windows(headers: &HeaderMap, now: Timestamp) -> Vec<Window> {
    let mut drafts = Drafts::default();
    for (name, value) in headers {
        let Ok(value) = value.to_str() else { continue };
        if let Some(rest) = name.as_str().strip_prefix(UNIFIED) {
            read_unified(&mut drafts, rest, value);
        } else if let Some(rest) = name.as_str().strip_prefix(BUCKET) {
            read_bucket(&mut drafts, rest, value);
        }
    }
    drafts.0.sort_unstable_by_key(|(name, _)| *name);
    drafts.0.into_iter().filter_map(|(name, draft)| draft.window(name, now)).take(MAX_WINDOWS).collect()
}

/// A handful, which a list finds sooner than a tree does.
#[derive(Default)]
struct Drafts<'a>(Vec<(&'a str, Draft)>);

impl<'a> Drafts<'a> {
    fn of(&mut self, name: &'a str) -> &mut Draft {
        let at = self.0.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            self.0.push((name, Draft::default()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }
}

#[derive(Default)]
struct Draft {
    utilization: Option<f64>,
    limit: Option<f64>,
    remaining: Option<f64>,
    resets_at: Option<Timestamp>,
    spent: bool,
    known: bool,
}

fn read_unified<'a>(drafts: &mut Drafts<'a>, rest: &'a str, value: &str) {
    let Some((name, what)) = rest.rsplit_once('-') else { return };
    // What is not included in a plan, or serves in place of something, is no limit of the account.
    if !matches!(what, "utilization" | "reset" | "status") || matches!(name, "overage" | "fallback") {
        return;
    }
    let draft = drafts.of(name);
    match what {
        "utilization" => draft.utilization = number(value),
        "reset" => {
            draft.resets_at = value.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        }
        _ => draft.spent = value == "rejected",
    }
    draft.known = true;
}

fn read_bucket<'a>(drafts: &mut Drafts<'a>, rest: &'a str, value: &str) {
    let Some((name, what)) = rest.rsplit_once('-') else { return };
    if !matches!(name, "requests" | "tokens" | "input-tokens" | "output-tokens") {
        return;
    }
    let draft = drafts.of(name);
    match what {
        "limit" => draft.limit = number(value),
        "remaining" => draft.remaining = number(value),
        "reset" => draft.resets_at = value.parse().ok(),
        _ => return,
    }
    draft.known = true;
}

/// A share or a count: finite and not negative, or unknown.
fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite() && (0.0..1e15).contains(number))
}

impl Draft {
    fn window(self, name: &str, now: Timestamp) -> Option<Window> {
        if !self.known || name.is_empty() || name.len() > MAX_NAME {
            return None;
        }
        let by_count = match (self.limit, self.remaining) {
            (Some(limit), Some(remaining)) if limit > 0.0 => Some((1.0 - remaining / limit).max(0.0)),
            _ => None,
        };
        let name = WindowName(name.into());
        Some(Window {
            family: name.family(),
            // A share above ten is a percentage or a mistake; either way we don't know what it means.
            utilization: self.utilization.filter(|share| *share <= 10.0).or(by_count),
            resets_at: self.resets_at.filter(|reset| reset.duration_since(now) <= MAX_AHEAD),
            spent: self.spent,
            source: WindowSource::Header,
            learned_at: now,
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Family;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn read(pairs: &[(&'static str, &str)]) -> Vec<Window> {
        let headers =
            pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        read_windows(&headers.collect(), now())
    }

    #[test]
    fn a_subscriptions_windows_are_read_known_or_not() {
        let windows = read(&[
            ("anthropic-ratelimit-unified-status", "allowed"),
            ("anthropic-ratelimit-unified-reset", "1795449600"),
            ("anthropic-ratelimit-unified-5h-utilization", "0.42"),
            ("anthropic-ratelimit-unified-5h-reset", "1795449600"),
            ("anthropic-ratelimit-unified-5h-status", "allowed"),
            ("anthropic-ratelimit-unified-7d_opus-utilization", "1.01"),
            ("anthropic-ratelimit-unified-7d_opus-status", "rejected"),
            ("anthropic-ratelimit-unified-moon-utilization", "0.1"),
        ]);
        let names: Vec<&str> = windows.iter().map(|window| &*window.name.0).collect();
        assert_eq!(names, ["5h", "7d_opus", "moon"]);
        assert_eq!(windows[0].utilization, Some(0.42));
        assert!(windows[1].spent);
        assert_eq!(windows[1].family, Some(Family::Opus));
    }

    #[test]
    fn an_api_keys_buckets_become_shares() {
        let windows = read(&[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "40"),
            ("anthropic-ratelimit-requests-reset", "2026-11-23T12:00:07Z"),
        ]);
        assert_eq!(windows.len(), 1);
        assert!((windows[0].utilization.unwrap() - 0.2).abs() < 1e-9);
        assert_eq!(windows[0].resets_at, Some("2026-11-23T12:00:07Z".parse().unwrap()));
    }

    #[test]
    fn absurd_values_are_unknown() {
        for value in ["NaN", "-1", "inf", "9999", "", "many"] {
            let windows = read(&[("anthropic-ratelimit-unified-5h-utilization", value)]);
            assert_eq!(windows[0].utilization, None, "{value}");
        }
        for reset in ["99999999999999", "1795449600000", "soon", "-99999999999999999999"] {
            let windows = read(&[("anthropic-ratelimit-unified-5h-reset", reset)]);
            assert_eq!(windows[0].resets_at, None, "{reset}");
        }
    }
}
