//! When a sign-in is renewed ahead of its end, and how long a failure is left alone. Pure; chance is an argument.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::is_ahead;

/// A token is renewed when about a tenth of its life is left: at least and at most so much, and up to twice that
/// by chance, so that accounts that were signed in together are not renewed together.
const LEAST_AHEAD: SignedDuration = SignedDuration::from_secs(30);
const MOST_AHEAD: SignedDuration = SignedDuration::from_mins(10);
/// A token that is younger is not exchanged, however soon it ends: a server that gives none that lasts is not asked
/// all the time.
pub(super) const YOUNG: SignedDuration = SignedDuration::from_secs(10);
/// The first pause after a failure. Each in a row is twice as long as the one before.
const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_mins(30);

/// What renewing depends on, of the tokens that an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When they were given.
    pub from: Timestamp,
    /// When the access token ends, if anybody said.
    pub to: Option<Timestamp>,
    /// Whether there is something to renew them with.
    pub is_renewable: bool,
}

impl Life {
    /// When they are to be exchanged; `None` where nobody said when they end. `part` of 1,000 is chance.
    pub fn renewed_at(&self, part: u32, now: Timestamp) -> Option<Timestamp> {
        let to = self.to?;
        if is_ahead(self.from, now) {
            // How much of it is left nobody knows.
            return Some(now);
        }
        let ahead = (to.duration_since(self.from) / 10).clamp(LEAST_AHEAD, MOST_AHEAD);
        let ahead = ahead + ahead * i32::try_from(part.min(1000)).unwrap_or_default() / 1000;
        let earliest = self.from.checked_add(YOUNG).unwrap_or(Timestamp::MAX);
        Some(to.checked_sub(ahead).unwrap_or(Timestamp::MIN).max(earliest))
    }

    /// Whether they have just been given and have not ended: another exchange would bring nothing better.
    pub fn is_young(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.from);
        age >= SignedDuration::ZERO && age < YOUNG && self.to.is_none_or(|to| to > now)
    }
}

/// How long it is left alone after so many failures in a row, a tenth longer or shorter by chance.
pub fn pause(failures: u32, part: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(12);
    let whole = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    whole * 9 / 10 + whole / 5 * part.min(1000) / 1000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn living(seconds: i64) -> Life {
        Life { from: at(1000), to: Some(at(1000 + seconds)), is_renewable: true }
    }

    #[test]
    fn a_token_of_an_hour_is_renewed_six_to_twelve_minutes_before_its_end() {
        let left = |part| {
            let due = living(3600).renewed_at(part, at(1000)).unwrap();
            at(1000 + 3600).duration_since(due).as_secs()
        };
        assert_eq!((left(0), left(500), left(1000)), (360, 540, 720));
    }

    #[test]
    fn a_token_that_does_not_last_is_not_exchanged_all_the_time() {
        for seconds in [0, 1, 20, 60] {
            let due = living(seconds).renewed_at(1000, at(1000)).unwrap();
            assert_eq!(due, at(1010), "{seconds} s");
        }
    }

    #[test]
    fn after_the_clock_was_set_back_it_is_renewed_at_once() {
        assert_eq!(living(3600).renewed_at(0, at(900)).unwrap(), at(900));
        assert!(
            living(3600).renewed_at(0, at(950)).unwrap() > at(4000),
            "a minute is corrected all the time"
        );
    }

    #[test]
    fn where_nobody_says_when_it_ends_it_is_not_renewed_ahead() {
        let endless = Life { to: None, ..living(0) };
        assert_eq!(endless.renewed_at(0, at(9_000_000)), None);
    }

    #[test]
    fn a_token_is_young_until_it_is_ten_seconds_old_or_over() {
        assert!(living(3600).is_young(at(1009)) && !living(3600).is_young(at(1010)));
        assert!(!living(5).is_young(at(1005)), "it is over");
        assert!(!living(3600).is_young(at(999)), "of one from the future nobody knows");
    }

    proptest! {
        #[test]
        fn pauses_grow_and_are_bounded(failures in 1u32.., part in 0u32..=1000) {
            let chosen = pause(failures, part);
            prop_assert!(chosen >= FIRST * 9 / 10 && chosen <= LONGEST * 11 / 10, "{:?}", chosen);
            prop_assert!(pause(failures.saturating_add(1), part) >= chosen);
        }

        #[test]
        fn no_times_break_it(from in any::<i32>(), to in proptest::option::of(any::<i32>()), now in any::<i32>(), part in any::<u32>()) {
            let life = Life { from: at(from.into()), to: to.map(|to| at(to.into())), is_renewable: true };
            let _ = (life.renewed_at(part, at(now.into())), life.is_young(at(now.into())));
        }
    }
}
