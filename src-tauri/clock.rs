//! The only place that asks the system for the time. Everything else is told.

mod alarm;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

pub use alarm::Alarm;

/// Wall time and steady time. Clones share one clock; a test's clock can be moved.
#[derive(Debug, Clone)]
pub struct Clock {
    lever: Option<Arc<Lever>>,
}

/// How tests move wall time.
#[derive(Debug, Default)]
struct Lever {
    /// Milliseconds that wall time is ahead of the system.
    ahead: AtomicI64,
    moved: watch::Sender<()>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self { lever: None }
    }

    /// The system's clock with a lever: see [`Clock::advance`].
    pub fn movable() -> Self {
        Self { lever: Some(Arc::default()) }
    }

    /// Wall time, for records, resets and anything a person reads.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Timestamp {
        let ahead = self.lever.as_ref().map_or(0, |lever| lever.ahead.load(Ordering::Relaxed));
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

    /// An alarm for a moment of wall time. Taken before the moment is reckoned from [`Clock::now`], it also notices
    /// what is set meanwhile.
    pub fn alarm(&self) -> Alarm {
        Alarm::new(self.clone(), self.lever.as_ref().map(|lever| lever.moved.subscribe()))
    }

    /// Moves wall time forward on a movable clock; the system's stays where it is.
    pub fn advance(&self, by: Duration) {
        self.shift(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// Moves wall time back on a movable clock, as a person or a time server does.
    pub fn set_back(&self, by: Duration) {
        self.shift(-i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    fn shift(&self, milliseconds: i64) {
        if let Some(lever) = &self.lever {
            lever.ahead.fetch_add(milliseconds, Ordering::Relaxed);
            lever.moved.send_replace(());
        }
    }
}
