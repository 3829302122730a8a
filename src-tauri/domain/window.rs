//! One usage limit as an upstream states it, and what it means at a moment. Names are kept as given, known or
//! not; what lies beyond belief is unknown here, whoever said it.

use std::{fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Endpoint, Family, Need, SKEW, is_ahead};

/// A limit and how much of it is used. Whatever was not said is `None`: neither zero nor full.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// The upstream's own name for it: `5h`, `7d`, `7d_opus`, `requests`.
    pub name: WindowName,
    /// The family it is limited to; `None` means every model.
    pub family: Option<Family>,
    /// How long it is, where its name says so; asked for each window of each account, so it stands here.
    pub length: Option<SignedDuration>,
    /// The requests that it limits. `None`: none by itself; whoever is beyond it is served otherwise.
    pub limits: Option<Endpoint>,
    /// Used share, 0 to 1, sometimes above.
    pub utilization: Option<f64>,
    /// When it starts anew; of one that refills, when it is full again.
    pub resets_at: Option<Timestamp>,
    /// It has no end, but fills up again all the time: a bucket.
    pub refills: bool,
    /// The upstream refuses until the reset.
    pub spent: bool,
    /// When it is worth another try, where it is spent and nobody said until when.
    pub again: Option<Again>,
    /// Where we have this from.
    pub source: WindowSource,
    /// When we learned it.
    pub learned_at: Timestamp,
}

/// A pause of our own choice, because the upstream named none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// Over at this moment.
    pub at: Timestamp,
    /// How many such pauses in a row, without a success between.
    pub streak: u32,
}

/// Two resets of one window that are closer than this are the same one: upstreams state the same reset a second
/// or two apart.
pub const SAME_RESET: SignedDuration = SignedDuration::from_mins(1);
/// A window may end this much later than its length allows: clocks differ.
const SLACK: SignedDuration = SignedDuration::from_hours(1);
/// The longest window whose name does not tell its length.
const LONGEST: SignedDuration = SignedDuration::from_hours(31 * 24);
/// As long counts a reading that has no end of its own.
const STANDS: SignedDuration = SignedDuration::from_hours(1);

impl Window {
    /// One of which nothing is known but its name, and what that says. It limits messages.
    pub fn new(name: WindowName, source: WindowSource, learned_at: Timestamp) -> Self {
        Self {
            family: name.family(),
            length: name.length(),
            name,
            limits: Some(Endpoint::Messages),
            utilization: None,
            resets_at: None,
            refills: false,
            spent: false,
            again: None,
            source,
            learned_at,
        }
    }

    /// Used share at `now`. Of one that refills it is an estimate: what was told, less what has come back
    /// since. One that is past its reset, was told too long ago, or in a future that never came says nothing.
    pub fn utilization_at(&self, now: Timestamp) -> Option<f64> {
        let (from, until) = self.counts();
        if now < from || now >= until {
            return None;
        }
        let told = self.utilization?;
        let Some(full_at) = self.resets_at.filter(|_| self.refills) else { return Some(told) };
        let (whole, left) = (full_at.duration_since(self.learned_at), full_at.duration_since(now));
        // A bucket that says no time says no speed.
        if whole <= SignedDuration::ZERO {
            return Some(told);
        }
        Some(told * (left.as_secs_f64() / whole.as_secs_f64()).clamp(0.0, 1.0))
    }

    /// From when on, and until when, what was told of it says anything: not when it was learned by another clock,
    /// past its reset, or long after it was told.
    pub fn counts(&self) -> (Timestamp, Timestamp) {
        let from = self.learned_at.checked_sub(SKEW).unwrap_or(Timestamp::MIN);
        let (since, length) = match self.resets_at {
            Some(reset) if !self.refills => return (from, reset),
            Some(full_at) => (full_at.max(self.learned_at), STANDS),
            None => (self.learned_at, self.length.unwrap_or(STANDS)),
        };
        // Its last moment counts still.
        let last = since.checked_add(length).and_then(|last| last.checked_add(SignedDuration::from_nanos(1)));
        (from, last.unwrap_or(Timestamp::MAX))
    }

    /// Where what is said of it at `now` comes from.
    pub fn source_at(&self, now: Timestamp) -> WindowSource {
        let told = self.utilization;
        let is_estimated = self.refills && told.is_some() && self.utilization_at(now) != told;
        if is_estimated { WindowSource::Estimate } else { self.source }
    }

    /// Whether the reset has passed. A bucket has none: full again is not over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        !self.refills && self.resets_at.is_some_and(|reset| reset <= now)
    }

    /// Until when it keeps requests out; `None` where it does not. Never longer than was said, or than
    /// [`Again`] says where nothing was.
    pub fn closed_until(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.spent || self.is_of_a_wrong_clock(now) {
            return None;
        }
        let told = self.resets_at.filter(|reset| *reset > now);
        told.or_else(|| self.again.map(|again| again.at).filter(|at| *at > now))
    }

    /// Whether it limits requests that need this.
    pub fn applies_to(&self, need: impl Into<Need>) -> bool {
        let need = need.into();
        self.limits == Some(need.endpoint) && (self.family.is_none() || self.family == need.family)
    }

    /// Whether it was learned before the clock was set back.
    fn is_of_a_wrong_clock(&self, now: Timestamp) -> bool {
        is_ahead(self.learned_at, now)
    }
}

/// The name an upstream gives to a limit, at most 64 bytes of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WindowName(pub Arc<str>);

impl WindowName {
    /// As an upstream wrote it. The family is the word of it that names one: `7d_opus` is of `opus`.
    pub fn family(&self) -> Option<Family> {
        Family::of(&self.0)
    }

    /// How long such a window is, where its name begins with that: `5h`, `7d_opus`, `15m`.
    pub fn length(&self) -> Option<SignedDuration> {
        let name = self.0.as_bytes();
        let (mut number, mut at) = (0_i64, 0);
        while let Some(digit) = name.get(at).filter(|byte| byte.is_ascii_digit()) {
            (number, at) = (number * 10 + i64::from(digit - b'0'), at + 1);
            if number > 100_000 {
                return None;
            }
        }
        let seconds = match name.get(at).filter(|_| number > 0)? {
            b'm' => 60,
            b'h' => 3600,
            b'd' => 24 * 3600,
            _ => return None,
        };
        let is_whole = !name.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
        is_whole.then(|| SignedDuration::from_secs(number * seconds))
    }

    /// Whether a window of this name can end then. What can't is a mistake, another unit or a wrong clock.
    pub fn may_end(&self, then: Timestamp, now: Timestamp) -> bool {
        then.duration_since(now) <= self.length().map_or(LONGEST, |length| length + SLACK)
    }
}

impl fmt::Display for WindowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a window was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowSource {
    /// From the headers of a reply.
    Header,
    /// From a refusal that named it.
    Refusal,
    /// From the headers of a reply, less what has come back since.
    Estimate,
    /// From an endpoint of the provider that tells what an account has used.
    UsageEndpoint,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn window(name: &str, utilization: f64, resets_at: Option<i64>) -> Window {
        let known = Window::new(WindowName(name.into()), WindowSource::Header, at(0));
        Window { utilization: Some(utilization), resets_at: resets_at.map(at), ..known }
    }

    fn bucket(utilization: f64, full_in: i64) -> Window {
        Window { refills: true, ..window("requests", utilization, Some(full_in)) }
    }

    #[test]
    fn a_bucket_comes_back_evenly_and_is_never_less_than_empty() {
        let bucket = bucket(0.8, 60);
        let used = |second| bucket.utilization_at(at(second)).map(|used| (used * 100.0).round() / 100.0);
        assert_eq!([0, 15, 30, 59, 60, 3000].map(used), [0.8, 0.6, 0.4, 0.01, 0.0, 0.0].map(Some));
        assert_eq!(used(3661), None, "an hour later nobody knows");
        assert_eq!(bucket.source_at(at(0)), WindowSource::Header);
        assert_eq!(bucket.source_at(at(15)), WindowSource::Estimate);
    }

    #[test]
    fn a_window_past_its_reset_says_nothing() {
        let window = window("5h", 0.8, Some(60));
        assert_eq!(window.utilization_at(at(59)), Some(0.8));
        assert_eq!(window.utilization_at(at(60)), None);
    }

    #[test]
    fn a_window_without_a_reset_counts_for_as_long_as_it_can_last() {
        let used = |name, second| window(name, 0.8, None).utilization_at(at(second));
        assert_eq!(used("5h", 5 * 3600), Some(0.8));
        assert_eq!(used("5h", 5 * 3600 + 1), None);
        assert_eq!(used("moon", 3601), None);
    }

    #[test]
    fn what_a_clock_that_was_a_day_ahead_has_learned_counts_no_more() {
        let mut window = window("5h", 1.0, Some(3600));
        window.spent = true;
        assert_eq!(window.closed_until(at(0)), Some(at(3600)));
        let yesterday = at(-24 * 3600);
        assert_eq!((window.utilization_at(yesterday), window.closed_until(yesterday)), (None, None));
        let tomorrow = at(24 * 3600);
        assert_eq!((window.utilization_at(tomorrow), window.closed_until(tomorrow)), (None, None));
        assert_eq!(bucket(0.8, 60).utilization_at(yesterday), None);
    }

    #[test]
    fn a_name_tells_a_length_only_where_it_begins_with_one() {
        let hours = |name: &str| WindowName(name.into()).length().map(|length| length.as_hours());
        assert_eq!(["5h", "7d", "7d_opus", "90m"].map(hours), [Some(5), Some(168), Some(168), Some(1)]);
        for other in
            ["requests", "", "5", "5hours", "h", "0h", "99999999999999999999h", "5µ", "٥h", "tokens-5h"]
        {
            assert_eq!(hours(other), None, "{other}");
        }
    }

    #[test]
    fn a_family_and_an_endpoint_are_limited_by_their_own_windows_alone() {
        let opus = window("7d_opus", 1.0, Some(60));
        assert!(opus.applies_to(Some(Family::Opus)));
        assert!(!opus.applies_to(Some(Family::Sonnet)) && !opus.applies_to(None));
        let all = window("5h", 1.0, Some(60));
        let counting = Need { family: Some(Family::Opus), endpoint: Endpoint::Counts };
        assert!(all.applies_to(None) && all.applies_to(Some(Family::Opus)) && !all.applies_to(counting));
        let counts = Window { limits: Some(Endpoint::Counts), ..all.clone() };
        assert!(counts.applies_to(counting) && !counts.applies_to(Some(Family::Opus)));
        let shown = Window { limits: None, ..all };
        assert!(!shown.applies_to(counting) && !shown.applies_to(None));
    }

    proptest! {
        #[test]
        fn whatever_was_told_a_share_is_between_nothing_and_what_was_told_and_no_gate_stays_closed(
            name in prop_oneof![Just("5h"), Just("7d_opus"), Just("requests"), Just("moon")],
            told in proptest::option::of(0.0f64..10.0), reset in proptest::option::of(-10_000_000i64..10_000_000),
            again in proptest::option::of(-100_000i64..100_000), refills: bool, spent: bool,
            now in -10_000_000i64..10_000_000,
        ) {
            let mut window = Window { utilization: told, refills, spent, ..window(name, 0.0, reset) };
            window.again = again.map(|second| Again { at: at(second), streak: 1 });
            let used = window.utilization_at(at(now));
            prop_assert!(used.is_none_or(|used| used >= 0.0 && used <= told.unwrap()));
            prop_assert!(refills || used.is_none() || used == told, "only a bucket is estimated");
            let last = reset.max(again).unwrap_or(0);
            prop_assert!(window.closed_until(at(now)).is_none_or(|until| until > at(now) && until <= at(last)));
            prop_assert_eq!(window.closed_until(at(now.max(last))), None, "nobody is kept out for ever");
        }
    }
}
