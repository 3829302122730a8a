//! Waits for a moment of wall time, which steady timers miss when the machine sleeps or its clock is set. On Linux
//! the kernel keeps the alarm and rings it early in either case; elsewhere it rings every few minutes. So an alarm
//! may ring too early, and whoever waits looks at the clock again.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::Clock;

/// Where the system can't be asked to tell, a clock that was set is noticed after so long.
const SLICE: Duration = Duration::from_mins(5);

/// See the file.
#[derive(Debug)]
pub struct Alarm {
    clock: Clock,
    moved: Option<watch::Receiver<()>>,
}

impl Alarm {
    pub(super) fn new(clock: Clock, moved: Option<watch::Receiver<()>>) -> Self {
        Self { clock, moved }
    }

    /// Completes at the moment, or before it if the clock was set or the machine has slept; never for `None`, but
    /// on a movable clock that is moved.
    pub async fn at(self, at: Option<Timestamp>) {
        let Self { clock, moved } = self;
        let Some(mut moved) = moved else {
            return match at {
                Some(at) => ring(&clock, at).await,
                None => std::future::pending().await,
            };
        };
        let rings = async {
            match at {
                Some(at) => tokio::time::sleep(left(&clock, at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = rings => {}
            // The clock, which holds the other end, is held here.
            _ = moved.changed() => {}
        }
    }
}

async fn ring(clock: &Clock, at: Timestamp) {
    #[cfg(target_os = "linux")]
    if let Ok(kernels) = kernel::alarm(at) {
        // It can't be unreadable for any reason but that it has not rung.
        let _ = kernels.readable().await;
        return;
    }
    tokio::time::sleep(left(clock, at).min(SLICE)).await;
}

fn left(clock: &Clock, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(clock.now())).unwrap_or_default()
}

#[cfg(target_os = "linux")]
mod kernel {
    //! `timerfd_create(2)`: absolute by the wall's clock, and cancelled, which is a ring, when that is set. The
    //! kernel counts coming back from sleep as setting it.

    use std::{io, os::fd::OwnedFd};

    use jiff::Timestamp;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    #[expect(
        deprecated,
        reason = "its heir is unsafe for types that lend their descriptor; an OwnedFd keeps it till the end"
    )]
    pub fn alarm(at: Timestamp) -> io::Result<AsyncFd<OwnedFd>> {
        let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        // Nothing at all would switch it off; a moment that has passed rings at once.
        let value = Timespec { tv_sec: at.as_second().max(1), tv_nsec: at.subsec_nanosecond().max(0).into() };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        timerfd_settime(&timer, flags, &Itimerspec { it_interval: never, it_value: value })?;
        AsyncFd::new(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alarm_of_the_system_rings_at_its_moment_and_at_once_for_one_that_has_passed() {
        let clock = Clock::system();
        let at = clock.now() + jiff::SignedDuration::from_millis(30);
        clock.alarm().at(Some(at)).await;
        assert!(clock.now() >= at, "a clock that nobody sets is not looked at early");
        clock.alarm().at(Some(at)).await;
        clock.alarm().at(Some(Timestamp::MIN)).await;
    }

    #[tokio::test]
    async fn a_clock_that_is_moved_rings_every_alarm_that_was_taken_before() {
        let clock = Clock::movable();
        let (far, never) = (clock.alarm(), clock.alarm());
        let before = clock.now();
        clock.set_back(Duration::from_hours(24));
        far.at(Some(before + jiff::SignedDuration::from_hours(1))).await;
        never.at(None).await;
        assert!(clock.now() < before);
    }
}
