//! Requests per minute: a count for each of the last sixty seconds, so that the limit holds in every minute
//! and not only on average, and the wait is known in whole seconds. 248 bytes a key, whatever the limit.

use std::time::Duration;

use jiff::Timestamp;

const SLOTS: usize = 60;
const SECONDS: i64 = 60;

/// The last minute of one key.
#[derive(Debug)]
pub struct LastMinute {
    counts: [u32; SLOTS],
    /// The newest second that is counted, since 1970.
    newest: i64,
}

impl Default for LastMinute {
    fn default() -> Self {
        Self { counts: [0; SLOTS], newest: 0 }
    }
}

impl LastMinute {
    /// Counts one more if the limit allows it; otherwise says how long to wait.
    pub fn take(&mut self, limit: u32, now: Timestamp) -> Result<(), Duration> {
        self.turn_to(now.as_second());
        let total: u32 = self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count));
        if total < limit {
            let slot = slot(self.newest);
            self.counts[slot] += 1;
            return Ok(());
        }
        Err(self.wait(total, limit))
    }

    /// Forgets the seconds that are past. A clock that was set back begins anew, or a key would be shut out
    /// until the old time comes again.
    fn turn_to(&mut self, second: i64) {
        let passed = second.saturating_sub(self.newest);
        if passed >= SECONDS || passed <= -SECONDS {
            self.counts = [0; SLOTS];
        } else {
            (self.newest + 1..=second).for_each(|past| self.counts[slot(past)] = 0);
        }
        if passed > 0 || passed <= -SECONDS {
            self.newest = second;
        }
    }

    /// Until enough of the oldest are no longer counted.
    fn wait(&self, total: u32, limit: u32) -> Duration {
        let mut left = total;
        for age in (0..SECONDS).rev() {
            left -= self.counts[slot(self.newest - age)];
            if left < limit {
                return Duration::from_secs((SECONDS - age).unsigned_abs());
            }
        }
        Duration::from_secs(SECONDS.unsigned_abs())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a remainder of sixty")]
fn slot(second: i64) -> usize {
    second.rem_euclid(SECONDS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_limit_is_reached_exactly_and_the_wait_is_until_the_oldest_is_out() {
        let mut minute = LastMinute::default();
        assert!(minute.take(3, at(100)).is_ok());
        assert!(minute.take(3, at(110)).is_ok() && minute.take(3, at(110)).is_ok());
        assert_eq!(minute.take(3, at(130)), Err(Duration::from_secs(30)));
        assert!(minute.take(3, at(160)).is_ok());
        assert_eq!(minute.take(3, at(160)), Err(Duration::from_secs(10)));
        assert_eq!(minute.take(1, at(160)), Err(Duration::from_mins(1)), "a lower limit waits for more");
    }

    #[test]
    fn a_clock_that_is_set_back_shuts_nobody_out() {
        let mut minute = LastMinute::default();
        assert!(minute.take(1, at(1_000_000)).is_ok());
        assert!(minute.take(1, at(999_990)).is_err(), "a moment back is still the same minute");
        assert!(minute.take(1, at(900_000)).is_ok());
    }

    #[test]
    fn a_limit_of_nothing_is_no_panic() {
        assert_eq!(LastMinute::default().take(0, at(5)), Err(Duration::from_mins(1)));
    }

    proptest! {
        #[test]
        fn no_sixty_seconds_hold_more_than_the_limit_and_no_wait_is_in_vain(
            limit in 1u32..8, steps in proptest::collection::vec(0i64..20, 1..120),
        ) {
            let mut minute = LastMinute::default();
            let (mut now, mut taken): (i64, Vec<i64>) = (1_000_000, Vec::new());
            for step in steps {
                now += step;
                match minute.take(limit, at(now)) {
                    Ok(()) => taken.push(now),
                    Err(wait) => {
                        let then = now + i64::try_from(wait.as_secs()).unwrap();
                        let counted = |moment: i64| taken.iter().filter(|at| **at > moment - 60).count();
                        prop_assert!(counted(then) < limit as usize, "after the wait there is room");
                        prop_assert!(counted(then - 1) >= limit as usize, "and not before");
                    }
                }
            }
            for end in &taken {
                let within = taken.iter().filter(|at| (end - 59..=*end).contains(at)).count();
                prop_assert!(within <= limit as usize);
            }
        }
    }
}
