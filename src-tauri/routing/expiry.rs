//! What is lost if it is not spent in time: the plan that `soonest_reset` goes by. A week is to be finished a
//! little before its end, at an even pace until then, so that no account is burnt early and idles for days; and
//! of those that are equally far with their week, the hours that end soonest are spent first.

use jiff::Timestamp;

use super::Contender;
use crate::domain::{Family, Window};

/// How far the windows of one account are behind their plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Expiry {
    /// Of the windows that last a day or longer.
    week: Due,
    /// Of the shorter ones.
    hours: Due,
}

/// One kind of window.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Due {
    /// Nothing of it expires.
    Never,
    /// Nobody has told us of any.
    Unknown,
    /// What is left, and the share of its length until the reset.
    Left { share: f64, time: f64 },
}

/// The plan is to be done with a window when this share of its length is left: of a week a night and a morning.
const EARLY: f64 = 0.1;
/// A plan never has less time than this.
const LEAST: f64 = 0.01;
/// Windows shorter than this are a pace and no allotment.
const HOUR: f64 = 3_600.0;
const DAY: f64 = 24.0 * HOUR;
/// Weeks count as equally far behind within a step; so many steps double the need.
const STEPS: f64 = 4.0;

impl Expiry {
    pub fn of(contender: &Contender, family: Option<Family>, now: Timestamp) -> Self {
        let (mut week, mut hours) = (None, None);
        for window in contender.windows.iter().filter(|window| window.applies_to(family)) {
            let length = window.name.length().map(|length| length.as_secs_f64());
            let Some(length) = length.filter(|length| *length >= HOUR) else { continue };
            let due = Due::of(window, length, now);
            let kind = if length >= DAY { &mut week } else { &mut hours };
            // What can be spent is what the scarcest one leaves.
            *kind = Some(
                kind.map_or(due, |known: Due| if due.need(0.0) < known.need(0.0) { due } else { known }),
            );
        }
        let missing = match (week, hours) {
            // It states windows, but none that is an allotment: it is paid by use.
            (None, None) if !contender.windows.is_empty() => Due::Never,
            _ => Due::Unknown,
        };
        Self { week: week.unwrap_or(missing), hours: hours.unwrap_or(missing) }
    }

    /// Two numbers to sort by, what is most urgent first. `crowd` is what is going on there already, as a share
    /// of the shorter window.
    pub fn order(self, crowd: f64) -> [f64; 2] {
        [-(self.week.need(0.0).log2() * STEPS).floor(), -self.hours.need(crowd)]
    }

    /// The share of a week that will be lost at an even pace from now on.
    pub fn behind(self) -> f64 {
        match self.week {
            Due::Left { share, time } => (share - time).max(0.0),
            Due::Never | Due::Unknown => 0.0,
        }
    }

    /// Whether it has an allotment that is paid for, used or not.
    pub fn has_allotment(self) -> bool {
        matches!(self.week, Due::Left { .. }) || matches!(self.hours, Due::Left { .. })
    }
}

impl Due {
    fn of(window: &Window, length: f64, now: Timestamp) -> Self {
        let share = window.utilization_at(now).map_or(0.5, |used| (1.0 - used).clamp(0.0, 1.0));
        let reset = window.resets_at.filter(|reset| *reset > now);
        let left = |reset: Timestamp| (reset.as_second() - now.as_second()) as f64 / length;
        Self::Left { share, time: reset.map_or(0.5, left).clamp(0.0, 1.0) }
    }

    /// How many times faster than evenly it has to be spent: 1 is just as planned.
    fn need(self, crowd: f64) -> f64 {
        match self {
            Self::Never => 0.0,
            Self::Unknown => 1.0,
            Self::Left { share, time } => {
                (share - crowd).max(0.0) * (1.0 - EARLY) / (time - EARLY).max(LEAST)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pick::tests::{account, now, window};
    use super::*;

    fn order(contender: &Contender) -> [f64; 2] {
        Expiry::of(contender, None, now()).order(0.0)
    }

    fn goes_before(first: &Contender, second: &Contender) -> bool {
        let ([a, b], [c, d]) = (order(first), order(second));
        a.total_cmp(&c).then(b.total_cmp(&d)).is_lt()
    }

    const DAY: i64 = 24 * 60;

    #[test]
    fn the_week_that_is_furthest_behind_goes_first() {
        let behind = account(1).with(window("7d", 0.2, false, DAY));
        let even = account(2).with(window("7d", 0.5, false, 7 * DAY / 2));
        let ahead = account(3).with(window("7d", 0.6, false, 6 * DAY));
        assert!(goes_before(&behind, &even) && goes_before(&even, &ahead));
        assert!(Expiry::of(&behind, None, now()).behind() > 0.6);
        assert!(Expiry::of(&ahead, None, now()).behind() <= 0.0);
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
        assert!(!Expiry::of(&by_use, None, now()).has_allotment());
    }

    #[test]
    fn a_week_that_ends_at_once_or_lies_about_its_end_is_no_panic() {
        for (used, reset) in [(0.0, 0), (f64::NAN, 1), (-5.0, 1), (1e300, 1), (0.5, 1_000_000_000)] {
            let [week, hours] = order(&account(1).with(window("7d", used, false, reset)));
            assert!(!week.is_nan() && !hours.is_nan(), "{used} {reset}");
        }
    }
}
