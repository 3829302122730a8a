//! Connections that can't be accepted, mostly for want of file descriptors. It is tried again many times a
//! second by every worker, and told twice: when it begins and when it is over. Asks for the time.

use std::{
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// One that is over for a shorter time is still the same: as one connection ends, one is let in.
const CALM: Duration = Duration::from_secs(1);

/// Whether there is one now. All workers share it.
#[derive(Debug, Default)]
pub struct Shortage {
    is_on: AtomicBool,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    count: u64,
    last: Option<Instant>,
}

impl Shortage {
    /// A connection could not be accepted. Returns whether that begins a shortage.
    pub fn met(&self, now: Instant) -> bool {
        let mut failures = self.failures();
        failures.count += 1;
        failures.last = Some(now);
        !self.is_on.swap(true, Ordering::Relaxed)
    }

    /// One was accepted. Returns how many tries had failed, if the shortage is over with it.
    pub fn passed(&self, now: impl FnOnce() -> Instant) -> Option<u64> {
        if !self.is_on.load(Ordering::Relaxed) {
            return None;
        }
        let (mut failures, now) = (self.failures(), now());
        let is_calm = failures.last.is_none_or(|last| now.saturating_duration_since(last) >= CALM);
        let is_over = is_calm && self.is_on.swap(false, Ordering::Relaxed);
        is_over.then(|| std::mem::take(&mut *failures).count)
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is the matter of a single connection, whose client has left before we came to it.
pub fn is_of_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_shortage_is_told_when_it_begins_and_when_it_is_over_and_not_between() {
        let (shortage, start) = (Shortage::default(), Clock::system().instant());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(shortage.passed(|| at(0)), None);
        assert!(shortage.met(at(10)));
        for moment in 1..50 {
            assert!(!shortage.met(at(moment * 50)), "every further try is no news");
            assert_eq!(
                shortage.passed(|| at(moment * 50 + 10)),
                None,
                "one that comes through does not end it"
            );
        }
        assert_eq!(shortage.passed(|| at(3_449)), None);
        assert_eq!(shortage.passed(|| at(3_450)), Some(50));
        assert_eq!(shortage.passed(|| at(9_000)), None);
        assert!(shortage.met(at(10_000)), "the next one is another");
    }
}
