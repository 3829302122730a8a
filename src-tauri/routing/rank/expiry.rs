//! What is lost if it is not spent in time: the plan that `soonest_reset` goes by. A week is to be finished a
//! little before its end, at an even pace until then, so that no account is burnt early and idles for days; and
//! within it hours that would end unspent are spent before those that have just begun.

use super::dial::Dial;
use crate::domain::Family;
use crate::routing::contenders::Glance;

/// How far the windows of one account are behind their plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::routing) struct Expiry {
    /// The share of a week that will be lost at an even pace from now on.
    pub behind: f64,
    /// It has an allotment that is paid for, used or not. An account that states windows, but none of that kind, is
    /// paid by use, and nothing of it expires.
    pub has_allotment: bool,
}

/// The scarcest windows of an account.
#[derive(Clone, Copy)]
struct Scarcest<'a> {
    /// Of those that last a day or longer.
    week: Option<(Need, &'a Dial)>,
    /// Of the shorter ones.
    hours: Option<(Need, &'a Dial)>,
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

impl Expiry {
    /// As it is now, with nothing going on there.
    pub fn of(glance: &Glance, family: Option<Family>, now: i64) -> Self {
        let scarcest = Scarcest::of(glance, family, 0.0, f64::NEG_INFINITY, now);
        let scarcest = scarcest.unwrap_or(Scarcest { week: None, hours: None });
        let behind =
            scarcest.week.map_or(0.0, |(_, dial)| (dial.share(now) - dial.time(now) / dial.length).max(0.0));
        let has_allotment = scarcest.week.is_some() || scarcest.hours.is_some();
        Self { behind, has_allotment }
    }

    /// How many times faster than planned it has to be spent, weeks and hours together: 1 is just as planned, and so
    /// is what nobody knows. `crowd` is what is going on there already, as a share of its
    /// hours, so that it does not become more than they hold. `None` if that is found to be less than `least` before
    /// everything was looked at.
    #[inline]
    pub fn urgency_of(
        glance: &Glance,
        family: Option<Family>,
        crowd: f64,
        least: f64,
        now: i64,
    ) -> Option<f64> {
        Scarcest::of(glance, family, crowd, least, now).map(|scarcest| scarcest.urgency(glance, crowd))
    }
}

impl<'a> Scarcest<'a> {
    #[inline]
    fn of(glance: &'a Glance, family: Option<Family>, crowd: f64, least: f64, now: i64) -> Option<Self> {
        let mut hours: Option<(Need, &Dial)> = None;
        for dial in glance.dials.hours() {
            if dial.applies_to(family) {
                hours = Self::scarcer(hours, Need::of(dial, crowd, now), dial);
            }
        }
        let mut week: Option<(Need, &Dial)> = None;
        for dial in glance.dials.weeks() {
            if !dial.applies_to(family) {
                continue;
            }
            week = Self::scarcer(week, Need::of(dial, 0.0, now), dial);
            // Once both are known, more windows only make it less urgent.
            if let (Some((week, _)), Some((hours, _))) = (week, hours)
                && week.times(hours).is_surely_below(least)
            {
                return None;
            }
        }
        Some(Self { week, hours })
    }

    /// What can be spent is what the scarcest one leaves.
    #[inline]
    fn scarcer(known: Option<(Need, &'a Dial)>, need: Need, dial: &'a Dial) -> Option<(Need, &'a Dial)> {
        known.filter(|(known, _)| !need.is_less(*known)).or(Some((need, dial)))
    }

    #[inline]
    fn urgency(self, glance: &Glance, crowd: f64) -> f64 {
        if glance.states_windows && self.week.is_none() && self.hours.is_none() {
            return 0.0;
        }
        let week = self.week.map_or(Need { left: 1.0, time: 1.0 }, |(need, _)| need);
        let unknown = Need { left: (1.0 - crowd).max(0.0), time: 1.0 };
        let hours = self.hours.map_or(unknown, |(need, _)| need);
        // However many are bound there, what is paid for goes before what is paid by use.
        week.times(hours).quotient().max(LEAST_URGENT)
    }
}

/// As [`f64::max`] has it where only the first may be no number: one instruction and not five.
#[inline]
fn at_least(it: f64, least: f64) -> f64 {
    if it > least { it } else { least }
}

/// As [`f64::min`] has it, likewise.
#[inline]
fn at_most(it: f64, most: f64) -> f64 {
    if it < most { it } else { most }
}

impl Dial {
    /// Seconds until its reset.
    #[inline]
    fn time(&self, now: i64) -> f64 {
        at_most(self.left(now).unwrap_or(0.5 * self.length), self.length)
    }
}

impl Need {
    #[inline]
    fn of(dial: &Dial, crowd: f64, now: i64) -> Self {
        let length = dial.length;
        Self {
            left: at_least(dial.share(now) - crowd, 0.0) * (1.0 - EARLY) * length,
            time: at_least(dial.time(now) - EARLY * length, LEAST * length),
        }
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
    use super::super::dial::nanos;
    use super::*;
    use crate::routing::Contender;
    use crate::routing::pick::tests::{account, now, window};

    fn now_of(contender: &Contender) -> Expiry {
        Expiry::of(&Glance::of(contender), None, nanos(now()))
    }

    fn crowded(contender: &Contender, crowd: f64) -> f64 {
        let glance = Glance::of(contender);
        Expiry::urgency_of(&glance, None, crowd, f64::NEG_INFINITY, nanos(now())).unwrap()
    }

    fn urgency(contender: &Contender) -> f64 {
        crowded(contender, 0.0)
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
        assert!(now_of(&behind).behind > 0.6);
        assert!(now_of(&ahead).behind <= 0.0);
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
        assert!(!now_of(&by_use).has_allotment);
    }

    #[test]
    fn many_idle_conversations_send_nobody_to_what_is_paid_by_use() {
        let plan = account(1).with(window("5h", 0.7, false, 60)).with(window("7d", 0.5, false, 3 * DAY));
        let by_use = account(2).with(window("tokens", 0.0, false, 1));
        assert!(crowded(&plan, 0.49) > crowded(&by_use, 0.0), "30 % of its hours are left");
    }

    #[test]
    fn a_week_that_ends_at_once_or_lies_about_its_end_is_no_panic() {
        for (used, reset) in [(0.0, 0), (f64::NAN, 1), (-5.0, 1), (1e300, 1), (0.5, 1_000_000_000)] {
            let urgency = urgency(&account(1).with(window("7d", used, false, reset)));
            assert!(urgency.is_finite() && urgency >= 0.0, "{used} {reset}: {urgency}");
        }
    }
}
