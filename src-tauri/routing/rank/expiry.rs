//! What is lost if it is not spent in time: the plan that `soonest_reset` goes by. A week is to be finished a
//! little before its end, at an even pace until then, so that no account is burnt early and idles for days; and
//! within it hours that would end unspent are spent before those that have just begun.

use jiff::Timestamp;

use super::dial::{Dial, nanos};
use crate::domain::Family;
use crate::routing::{Contender, contenders::Glance};

/// How far the windows of one account are behind their plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::routing) struct Expiry {
    /// Of the windows that last a day or longer, the scarcest.
    week: Option<Due>,
    /// Of the shorter ones.
    hours: Option<Due>,
    /// What is going on there already, as a share of its hours.
    crowd: f64,
    /// Some window is known, of whatever kind.
    is_known: bool,
}

/// What is left of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Due {
    /// As a share of it.
    share: f64,
    /// Seconds until the reset.
    time: f64,
    /// Seconds that it lasts in all.
    length: f64,
    /// How many times faster than evenly it has to be spent: 1 is just as planned.
    need: Need,
}

/// A quotient that is not worked out: two hundred accounts are compared for each request, and a division takes as
/// long as all the rest of a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Need {
    left: f64,
    /// Above zero.
    time: f64,
}

/// The plan is to be done with a window when this share of its length is left: of a week a night.
const EARLY: f64 = 0.05;
/// A plan never has less time than this.
const LEAST: f64 = 0.01;
/// Nothing of it has to be spent in time; less urgent is only that of which nothing expires.
pub(in crate::routing) const LEAST_URGENT: f64 = f64::MIN_POSITIVE;
/// What is told apart without dividing has to be less by more than rounding makes of it.
const SURELY: f64 = 1.0 - 1e-9;
/// Windows shorter than this are a pace and no allotment.
const HOUR: f64 = 3_600.0;
const DAY: f64 = 24.0 * HOUR;

impl Expiry {
    /// `crowd` is what is going on there already, as a share of its hours, so that it does not become more than
    /// they hold.
    pub fn of(contender: &Contender, family: Option<Family>, crowd: f64, now: Timestamp) -> Self {
        let seen = Self { week: None, hours: None, crowd, is_known: !contender.windows.is_empty() };
        seen.see(Dial::all(&contender.windows), family, f64::NEG_INFINITY, nanos(now)).unwrap_or(seen)
    }

    /// How urgent it is to spend what it has left; `None` if that is found to be less than `least` before
    /// everything was looked at.
    #[inline]
    pub fn urgency_of(
        glance: &Glance,
        family: Option<Family>,
        crowd: f64,
        least: f64,
        now: i64,
    ) -> Option<f64> {
        let seen = Self { week: None, hours: None, crowd, is_known: glance.states_windows };
        seen.see(glance.dials.iter().copied(), family, least, now).map(Self::urgency)
    }

    #[inline]
    fn see(
        mut self,
        dials: impl Iterator<Item = Dial>,
        family: Option<Family>,
        least: f64,
        now: i64,
    ) -> Option<Self> {
        for dial in dials.filter(|dial| dial.applies_to(family)) {
            let (kind, crowd) = match dial.length {
                DAY.. => (&mut self.week, 0.0),
                HOUR.. => (&mut self.hours, self.crowd),
                _ => continue,
            };
            let due = Due::of(&dial, crowd, now);
            // What can be spent is what the scarcest one leaves.
            if kind.is_none_or(|known: Due| due.need.is_less(known.need)) {
                *kind = Some(due);
            }
            // Once both are known, more windows only make it less urgent.
            if let (Some(week), Some(hours)) = (self.week, self.hours)
                && week.need.times(hours.need).is_surely_below(least)
            {
                return None;
            }
        }
        Some(self)
    }

    /// How many times faster than planned it has to be spent, weeks and hours together: 1 is just as planned, and
    /// so is what nobody knows.
    #[inline]
    fn urgency(self) -> f64 {
        if self.is_known && !self.has_allotment() {
            return 0.0;
        }
        let week = self.week.map_or(Need::of(1.0), |due| due.need);
        let hours = self.hours.map_or(Need::of((1.0 - self.crowd).max(0.0)), |due| due.need);
        // However many are bound there, what is paid for goes before what is paid by use.
        week.times(hours).quotient().max(LEAST_URGENT)
    }

    /// The share of a week that will be lost at an even pace from now on.
    pub fn behind(self) -> f64 {
        self.week.map_or(0.0, |due| (due.share - due.time / due.length).max(0.0))
    }

    /// Whether it has an allotment that is paid for, used or not. An account that states windows, but none of
    /// that kind, is paid by use, and nothing of it expires.
    pub fn has_allotment(self) -> bool {
        self.week.is_some() || self.hours.is_some()
    }
}

impl Due {
    #[inline]
    fn of(dial: &Dial, crowd: f64, now: i64) -> Self {
        let length = dial.length;
        let share = dial.used(now).map_or(0.5, |used| (1.0 - used).clamp(0.0, 1.0));
        let time = dial.left(now).unwrap_or(0.5 * length).min(length);
        let need = Need {
            left: (share - crowd).max(0.0) * (1.0 - EARLY) * length,
            time: (time - EARLY * length).max(LEAST * length),
        };
        Self { share, time, length, need }
    }
}

impl Need {
    fn of(quotient: f64) -> Self {
        Self { left: quotient, time: 1.0 }
    }

    fn times(self, other: Self) -> Self {
        Self { left: self.left * other.left, time: self.time * other.time }
    }

    fn is_less(self, other: Self) -> bool {
        self.left * other.time < other.left * self.time
    }

    fn is_surely_below(self, least: f64) -> bool {
        self.left < least * SURELY * self.time
    }

    fn quotient(self) -> f64 {
        self.left / self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::pick::tests::{account, now, window};

    fn urgency(contender: &Contender) -> f64 {
        Expiry::of(contender, None, 0.0, now()).urgency()
    }

    fn goes_before(first: &Contender, second: &Contender) -> bool {
        urgency(first) > urgency(second)
    }

    const DAY: i64 = 24 * 60;

    #[test]
    fn the_week_that_is_furthest_behind_goes_first() {
        let behind = account(1).with(window("7d", 0.2, false, DAY));
        let even = account(2).with(window("7d", 0.5, false, 7 * DAY / 2));
        let ahead = account(3).with(window("7d", 0.6, false, 6 * DAY));
        assert!(goes_before(&behind, &even) && goes_before(&even, &ahead));
        assert!(Expiry::of(&behind, None, 0.0, now()).behind() > 0.6);
        assert!(Expiry::of(&ahead, None, 0.0, now()).behind() <= 0.0);
    }

    #[test]
    fn of_equal_weeks_the_hours_that_end_sooner_go_first() {
        let week = |id| account(id).with(window("7d", 0.3, false, 5 * DAY));
        let soon = week(1).with(window("5h", 0.3, false, 30));
        let late = week(2).with(window("5h", 0.3, false, 240));
        assert!(goes_before(&soon, &late));
    }

    #[test]
    fn what_never_expires_comes_last_and_what_is_not_known_in_between() {
        let behind = account(1).with(window("7d", 0.1, false, DAY));
        let ahead = account(2).with(window("7d", 0.9, false, 6 * DAY));
        let by_use = account(3).with(window("tokens", 0.1, false, 1));
        let unknown = account(4);
        assert!(
            goes_before(&behind, &unknown) && goes_before(&unknown, &ahead) && goes_before(&ahead, &by_use)
        );
        assert!(!Expiry::of(&by_use, None, 0.0, now()).has_allotment());
    }

    #[test]
    fn many_idle_conversations_send_nobody_to_what_is_paid_by_use() {
        let plan = account(1).with(window("5h", 0.7, false, 60)).with(window("7d", 0.5, false, 3 * DAY));
        let by_use = account(2).with(window("tokens", 0.0, false, 1));
        let urgency = |contender, crowd| Expiry::of(contender, None, crowd, now()).urgency();
        assert!(urgency(&plan, 0.49) > urgency(&by_use, 0.0), "30 % of its hours are left");
    }

    #[test]
    fn a_week_that_ends_at_once_or_lies_about_its_end_is_no_panic() {
        for (used, reset) in [(0.0, 0), (f64::NAN, 1), (-5.0, 1), (1e300, 1), (0.5, 1_000_000_000)] {
            let urgency = urgency(&account(1).with(window("7d", used, false, reset)));
            assert!(urgency.is_finite() && urgency >= 0.0, "{used} {reset}: {urgency}");
        }
    }
}
