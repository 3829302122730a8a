//! The only place that asks the system for the time. Everything else is told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};

/// Wall time and steady time. Clones share one clock; a test's clock stands still until it is moved.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Milliseconds that wall time is ahead of the system, moved by tests alone.
    ahead: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self { ahead: None }
    }

    /// The system's clock with a lever: see [`Clock::advance`].
    pub fn movable() -> Self {
        Self { ahead: Some(Arc::default()) }
    }

    /// Wall time, for records, resets and anything a person reads.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Timestamp {
        let ahead = self.ahead.as_ref().map_or(0, |ahead| ahead.load(Ordering::Relaxed));
        Timestamp::now() + SignedDuration::from_millis(ahead)
    }

    /// The zone in which this machine's user reads the time.
    pub fn zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::system()
    }

    /// Steady time, for durations.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn instant(&self) -> Instant {
        Instant::now()
    }

    /// Moves wall time forward on a movable clock; the system's stays where it is.
    pub fn advance(&self, by: Duration) {
        if let Some(ahead) = &self.ahead {
            ahead.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
        }
    }
}
