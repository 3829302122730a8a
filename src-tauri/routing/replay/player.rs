//! An account as it is played: limits that fill up and start anew in virtual time, as an upstream would have them.

use std::time::Duration;

use jiff::Timestamp;

use super::super::Contender;
use crate::domain::{Family, Verdict, Window, WindowName, WindowSource};

/// An account with the limits that its upstream holds it to.
#[derive(Debug, Clone)]
pub struct Player {
    /// As selection is to know it at the beginning.
    pub contender: Contender,
    /// What it is held to. Without any it serves whatever comes.
    pub limits: Vec<Limit>,
    /// What it serves costs money.
    pub is_paid_by_use: bool,
}

/// One limit. Amounts are tokens of plain input: see [`super::Weights`].
#[derive(Debug, Clone)]
pub struct Limit {
    /// As the upstream calls it: `5h`, `7d`, `7d_opus`. Its family is in the name.
    pub name: WindowName,
    /// How long each window lasts.
    pub length: Duration,
    /// As much may be used in one.
    pub capacity: f64,
    /// One of the moments at which it starts anew, whatever happens; `None`: it begins with the first use after
    /// its last end.
    pub anchor: Option<Timestamp>,
    /// The window that is open at the beginning: when it ends, and what is used of it.
    pub open: Option<(Timestamp, f64)>,
}

/// What became of a limit's windows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Ended {
    pub windows: u32,
    pub used: f64,
    pub unused: f64,
}

/// A limit while it is played.
#[derive(Debug)]
pub(super) struct Gauge {
    limit: Limit,
    family: Option<Family>,
    used: f64,
    resets_at: Option<Timestamp>,
    pub ended: Ended,
}

impl Gauge {
    pub fn new(limit: Limit) -> Self {
        let (resets_at, used) = limit.open.map_or((None, 0.0), |(end, used)| (Some(end), used));
        Self { family: limit.name.family(), limit, used, resets_at, ended: Ended::default() }
    }

    pub fn name(&self) -> &WindowName {
        &self.limit.name
    }

    fn applies_to(&self, family: Option<Family>) -> bool {
        self.family.is_none() || self.family == family
    }

    /// Ends the window whose time is over.
    pub fn turn(&mut self, now: Timestamp) {
        let Some(end) = self.resets_at.filter(|end| *end <= now) else { return };
        self.close();
        // What starts anew by the calendar has had whole windows in which nothing happened.
        if self.limit.anchor.is_some() {
            let seconds = now.duration_since(end).as_secs_f64();
            for _ in 0..whole(seconds / self.limit.length.as_secs_f64()).min(MOST_IDLE) {
                self.close();
            }
        }
        self.resets_at = None;
    }

    /// Ends the window that is open when the play is over, as far as it has come. What could still have been used
    /// of it is not lost.
    pub fn stop(&mut self, now: Timestamp) {
        self.turn(now);
        self.ended.used += self.used;
        self.used = 0.0;
    }

    fn close(&mut self) {
        self.ended.windows += 1;
        self.ended.used += self.used;
        self.ended.unused += (self.limit.capacity - self.used).max(0.0);
        self.used = 0.0;
    }

    /// Whether it refuses requests of this family.
    pub fn is_spent(&self, family: Option<Family>) -> bool {
        // Sums of floating point: what was measured to fill it would be a little less.
        self.applies_to(family) && self.used >= self.limit.capacity * (1.0 - 1e-9)
    }

    /// The refusal.
    pub fn verdict(&self) -> Verdict {
        let (window, until) = (self.limit.name.clone(), self.resets_at);
        Verdict::QuotaSpent { window, until, again: AGAIN }
    }

    /// Uses so much of it. What began before the limit is reached goes on to its end.
    pub fn take(&mut self, amount: f64, family: Option<Family>, now: Timestamp) {
        if !self.applies_to(family) {
            return;
        }
        if self.resets_at.is_none() {
            let length = self.limit.length;
            let since = self.limit.anchor.map_or(Duration::ZERO, |anchor| phase(anchor, length, now));
            self.resets_at = now.checked_add(length.saturating_sub(since)).ok();
        }
        self.used += amount;
    }

    /// What a reply would say of it; nothing while no window is open.
    pub fn window(&self, now: Timestamp) -> Option<Window> {
        self.resets_at?;
        // That it is spent upstreams say when they refuse, and not before.
        Some(Window {
            utilization: Some(self.used / self.limit.capacity.max(f64::MIN_POSITIVE)),
            resets_at: self.resets_at,
            ..Window::new(self.limit.name.clone(), WindowSource::Header, now)
        })
    }
}

/// When a refusal without a reset is worth another try. A limit that refuses has one.
const AGAIN: Duration = Duration::from_mins(5);
/// More windows without any use are not counted one by one.
const MOST_IDLE: u64 = 10_000;

/// What selection is to know of a limit when a play begins: how much is used, or only that there is such a limit.
pub(super) fn shown(limit: &Limit, now: Timestamp) -> Window {
    let unopened = || Window::new(limit.name.clone(), WindowSource::Header, now);
    Gauge::new(limit.clone()).window(now).unwrap_or_else(unopened)
}

/// How long ago the last of the moments was that lie a length apart.
pub(super) fn phase(anchor: Timestamp, length: Duration, now: Timestamp) -> Duration {
    let length = i128::try_from(length.as_nanos()).unwrap_or(i128::MAX).max(1);
    let phase = (now.as_nanosecond() - anchor.as_nanosecond()).rem_euclid(length);
    Duration::from_nanos(u64::try_from(phase).unwrap_or(u64::MAX))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast keeps to what fits")]
pub(super) fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn at(hours: i64) -> Timestamp {
        "2026-11-23T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
    }

    fn gauge(anchor: Option<i64>) -> Gauge {
        Gauge::new(Limit {
            name: WindowName("5h".into()),
            length: Duration::from_hours(5),
            capacity: 100.0,
            anchor: anchor.map(at),
            open: None,
        })
    }

    #[test]
    fn a_window_begins_with_its_first_use_and_what_is_left_of_it_is_lost_at_its_end() {
        let mut gauge = gauge(None);
        assert_eq!(gauge.window(at(0)), None);
        gauge.take(60.0, None, at(7));
        assert_eq!(gauge.window(at(7)).unwrap().resets_at, Some(at(12)));
        gauge.turn(at(11));
        assert_eq!(gauge.ended, Ended::default());
        gauge.turn(at(30));
        assert_eq!(gauge.ended, Ended { windows: 1, used: 60.0, unused: 40.0 });
    }

    #[test]
    fn a_window_by_the_calendar_ends_at_its_hour_and_is_lost_whole_where_nothing_happens() {
        let mut gauge = gauge(Some(1));
        gauge.take(100.0, None, at(8));
        assert_eq!(gauge.window(at(8)).unwrap().resets_at, Some(at(11)));
        assert!(gauge.is_spent(None));
        gauge.turn(at(22));
        assert_eq!(gauge.ended, Ended { windows: 3, used: 100.0, unused: 200.0 });
        assert!(!gauge.is_spent(None));
    }
}
