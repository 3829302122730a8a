//! The only place that asks the system for the time. Everything else is told.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

/// Wall time and steady time. Clones share one clock; a test's clock stands still until it is moved.
#[derive(Debug, Clone)]
pub struct Clock {
    ahead: Option<Arc<Lever>>,
}

/// Moved by tests alone.
#[derive(Debug, Default)]
struct Lever {
    /// Milliseconds that wall time is ahead of the system.
    ahead: AtomicI64,
    moved: Notify,
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
        let ahead = self.ahead.as_ref().map_or(0, |lever| lever.ahead.load(Ordering::Relaxed));
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
        self.pull(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// Moves wall time back on a movable clock, as a person who sets it does.
    pub fn set_back(&self, by: Duration) {
        self.pull(-i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    fn pull(&self, ms: i64) {
        if let Some(lever) = &self.ahead {
            lever.ahead.fetch_add(ms, Ordering::Relaxed);
            lever.moved.notify_waiters();
        }
    }

    /// Completes when a movable clock is moved after this call. The system's tells nobody when it is set.
    pub fn moved(&self) -> impl Future<Output = ()> {
        let moved = self.ahead.as_ref().map(|lever| lever.moved.notified());
        async move {
            match moved {
                Some(moved) => moved.await,
                None => std::future::pending().await,
            }
        }
    }
}
