//! How an account, or the upstream behind it, comes back: how long a pause of our own choice is, who goes alone
//! to see whether it works again, and how many may follow. Pure: chance is taken from ids, time is an argument.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::{AccountId, Need, Window};
use crate::routing::Contender;

/// No pause of our own choice is longer: nobody is benched for ever.
pub(in crate::routing) const LONGEST: SignedDuration = SignedDuration::from_hours(6);
/// After this many doublings a pause grows no more.
const DOUBLINGS: u32 = 4;
/// A rest that was at least this long ends with one request that goes alone.
const LONG: SignedDuration = SignedDuration::from_mins(5);
/// Between a 529 and the second try at the same account.
const SECOND_TRY: Duration = Duration::from_millis(300);
/// While a storm is over for less than this, requests come back step by step.
pub(in crate::routing) const RAMP: SignedDuration = SignedDuration::from_secs(5);
/// In this time the number of those that may be under way doubles.
const STEP: SignedDuration = SignedDuration::from_millis(500);

/// What makes an account the second choice for a moment. It never keeps a request out: where nobody else could
/// serve it, it goes all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// It has just come back, and one request is on its way to see whether it works.
    Probation,
    /// Its upstream is in trouble until then, as far as anybody knows.
    Weather(Timestamp),
    /// Its upstream has just come back from a storm, and as many as may are on their way to it.
    Crowd,
}

/// Why requests that need this should rather go elsewhere now; `None` if there is no reason.
pub fn hindrance(contender: &Contender, need: Need, now: Timestamp) -> Option<Hindrance> {
    if let Some(hindrance) = contender.weather.hindrance(need, now) {
        return Some(hindrance);
    }
    let is_tried = contender.load.count() > 0 && is_on_probation(contender, need, now);
    is_tried.then_some(Hindrance::Probation)
}

/// Whether it has come back from a long rest, or from a window of what is needed, and nothing has succeeded
/// since: the first request goes alone.
pub fn is_on_probation(contender: &Contender, need: Need, now: Timestamp) -> bool {
    let is_back = |since: Timestamp, until: Timestamp| until.duration_since(since) >= LONG;
    let account = &contender.account;
    let bench = account.bench.as_ref().filter(|bench| !bench.holds(now));
    bench.is_some_and(|bench| is_back(bench.since, bench.until))
        || contender.windows.iter().any(|window| has_reopened(window, need, now))
}

/// Whether the window kept out what is needed, its time is up, and no success has shown that it is open.
pub(in crate::routing) fn has_reopened(window: &Window, need: Need, now: Timestamp) -> bool {
    window.spent && window.applies_to(need) && window.closed_until(now).is_none()
}

/// How long a pause of our own choice is: twice as long each time in a row, within bounds, and a tenth longer or
/// shorter by account, so that not all come back at once.
pub fn pause(first: Duration, streak: u32, account: AccountId) -> Duration {
    let doublings = streak.saturating_sub(1).min(DOUBLINGS);
    let whole = first.saturating_mul(1 << doublings).min(LONGEST.unsigned_abs() * 9 / 10);
    let part = part_of_1000(account, doublings);
    whole * 9 / 10 + whole / 5 * part / 1000
}

/// How long a request that came at this moment waits after a 529 before it asks the same account once more.
pub fn second_try(account: AccountId, now: Timestamp) -> Duration {
    let salt = now.subsec_nanosecond().unsigned_abs();
    SECOND_TRY + SECOND_TRY * part_of_1000(account, salt) / 500
}

/// How many requests may be under way to an upstream that has come back from a storm this long ago; `None`: as
/// many as come.
pub fn may_be_under_way(since: SignedDuration) -> Option<u32> {
    if since < SignedDuration::ZERO || since >= RAMP {
        return None;
    }
    let steps = since.as_millis() / STEP.as_millis();
    Some(1 << u32::try_from(steps).unwrap_or_default().min(16))
}

/// The same number for the same input, and numbers that are far apart for inputs that are close (SplitMix64).
pub fn part_of_1000(account: AccountId, salt: u32) -> u32 {
    let mut bits = account.0.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(salt);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    u32::try_from((bits ^ (bits >> 31)) % 1000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::{Bench, Family},
        routing::pick::tests::{account, in_minutes, now, window},
    };

    fn benched(minutes: i64) -> Contender {
        let mut work = account(1);
        let (since, until, reason) = (now(), in_minutes(minutes), "throttled".into());
        work.account.bench = Some(Bench { since, until, reason, streak: 1 });
        work
    }

    #[test]
    fn the_first_after_a_long_rest_goes_alone() {
        let on_probation =
            |work: &Contender, minutes| is_on_probation(work, Need::default(), in_minutes(minutes));
        assert!(!on_probation(&benched(5), 4) && on_probation(&benched(5), 5));
        assert!(!on_probation(&benched(4), 5), "after a short one they all go");
        let work = benched(5);
        let first = work.load.lease();
        let seen = |minutes| hindrance(&work, Need::default(), in_minutes(minutes));
        assert_eq!(seen(5), Some(Hindrance::Probation));
        drop(first);
        assert_eq!(seen(5), None, "the next one may go");
    }

    #[test]
    fn a_spent_window_that_has_just_reopened_is_tried_by_one() {
        let work = account(1).with(window("7d_opus", 1.0, true, 1));
        let opus = Some(Family::Opus).into();
        assert!(!is_on_probation(&work, opus, now()), "it is not open yet");
        assert!(is_on_probation(&work, opus, in_minutes(1)));
        assert!(!is_on_probation(&work, Some(Family::Haiku).into(), in_minutes(1)));
    }

    #[test]
    fn an_upstream_that_comes_back_gets_twice_as_many_each_half_second() {
        let most = |ms| may_be_under_way(SignedDuration::from_millis(ms));
        assert_eq!([0, 499, 500, 1000, 2500, 4999].map(most), [1, 1, 2, 4, 32, 512].map(Some));
        assert_eq!((most(5000), most(-1), most(i64::MAX)), (None, None, None), "then as many as come");
    }

    proptest! {
        #[test]
        fn a_pause_of_our_own_is_the_same_each_time_grows_and_is_bounded(
            first in 1u64..100_000, streak in 0u32.., id in 0i64..1000,
        ) {
            let (first, id) = (Duration::from_secs(first), AccountId(id));
            let chosen = pause(first, streak, id);
            prop_assert_eq!(chosen, pause(first, streak, id));
            prop_assert!(chosen >= first.min(Duration::from_hours(5)) * 9 / 10, "{:?}", chosen);
            prop_assert!(SignedDuration::try_from(chosen).unwrap() <= LONGEST);
            let (one, two) = (pause(first, 1, id), pause(first, 2, id));
            prop_assert!(two > one || first > Duration::from_hours(2));
            prop_assert!((SECOND_TRY..=SECOND_TRY * 3).contains(&second_try(id, now())));
        }
    }

    #[test]
    fn two_accounts_do_not_come_back_at_the_same_moment() {
        let pauses: std::collections::BTreeSet<_> =
            (1..=20).map(|id| pause(Duration::from_mins(5), 1, AccountId(id))).collect();
        assert!(pauses.len() >= 18, "{pauses:?}");
    }
}
