//! A window as the policies read it: the same figures as `Window` says them, in numbers that are compared as they
//! are, and small enough that those of an account lie side by side.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::{Endpoint, Family, Window};

/// One window that limits messages. Times are nanoseconds since 1970, and end where those of an i64 end, in 2262.
#[derive(Debug, Clone, Copy)]
pub(in crate::routing) struct Dial {
    /// The family that it limits; `None` is every one.
    family: Option<Family>,
    /// Full again at its reset, which is known, and less used all the time until then.
    refills: bool,
    /// Seconds that it lasts; 0 where that is not known.
    pub length: f64,
    /// The share that was told.
    pub told: Option<f64>,
    /// What that leaves.
    spare: f64,
    /// What was told counts from here,
    from: i64,
    /// and no longer here.
    until: i64,
    /// When it was told.
    learned: i64,
    reset: Option<i64>,
}

/// Those of one account: of weeks, then of hours, then of what is a pace and no allotment.
#[derive(Debug, Clone)]
pub(in crate::routing) struct Dials {
    all: Arc<[Dial]>,
    /// Where the hours begin,
    hours: usize,
    /// and where they end.
    paces: usize,
}

/// Windows shorter than this are a pace and no allotment.
const HOUR: f64 = 3_600.0;
/// Of a day or longer is what is planned by the week.
const DAY: f64 = 24.0 * HOUR;

/// What nobody knows is neither all nor nothing.
const HALF: f64 = 0.5;

fn spare(used: f64) -> f64 {
    (1.0 - used).clamp(0.0, 1.0)
}

/// A moment, as dials know it.
pub(in crate::routing) fn nanos(moment: Timestamp) -> i64 {
    let nanos = moment.as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

impl Dials {
    /// Of the windows that limit messages.
    pub fn of(windows: &[Window]) -> Self {
        let limits_messages = |window: &&Window| window.limits == Some(Endpoint::Messages);
        let mut all: Vec<Dial> = windows.iter().filter(limits_messages).map(Dial::of).collect();
        all.sort_by(|one, other| other.length.total_cmp(&one.length));
        let hours = all.partition_point(|dial| dial.length >= DAY);
        let paces = all.partition_point(|dial| dial.length >= HOUR);
        Self { all: all.into(), hours, paces }
    }

    pub fn all(&self) -> &[Dial] {
        &self.all
    }

    /// Of a day or longer.
    pub fn weeks(&self) -> &[Dial] {
        &self.all[..self.hours]
    }

    /// Of an hour or longer, up to a day.
    pub fn hours(&self) -> &[Dial] {
        &self.all[self.hours..self.paces]
    }
}

impl Dial {
    fn of(window: &Window) -> Self {
        let (from, until) = window.counts();
        let refills = |reset: Timestamp| window.refills && reset > window.learned_at;
        Self {
            family: window.family,
            refills: window.resets_at.is_some_and(refills),
            spare: window.utilization.map_or(HALF, spare),
            length: window.length.map_or(0.0, |length| length.as_secs() as f64),
            told: window.utilization,
            from: nanos(from),
            until: nanos(until),
            learned: nanos(window.learned_at),
            reset: window.resets_at.map(nanos),
        }
    }

    /// Whether it limits requests to this family.
    #[inline]
    pub fn applies_to(&self, family: Option<Family>) -> bool {
        self.family.is_none() || self.family == family
    }

    /// What is used of it now, as [`Window::utilization_at`] has it.
    #[inline]
    pub fn used(&self, now: i64) -> Option<f64> {
        if now < self.from || now >= self.until {
            return None;
        }
        let told = self.told?;
        let Some(full_at) = self.reset.filter(|_| self.refills) else { return Some(told) };
        let (whole, left) = (full_at.saturating_sub(self.learned), full_at.saturating_sub(now));
        Some(told * (left as f64 / whole as f64).clamp(0.0, 1.0))
    }

    /// The share of it that is left; what nobody knows counts as half of it.
    #[inline]
    pub fn share(&self, now: i64) -> f64 {
        match () {
            () if now < self.from || now >= self.until => HALF,
            () if self.refills => self.used(now).map_or(HALF, spare),
            () => self.spare,
        }
    }

    /// Seconds until its reset, where that is ahead.
    #[inline]
    pub fn left(&self, now: i64) -> Option<f64> {
        self.reset.filter(|reset| *reset > now).map(|reset| reset.saturating_sub(now) as f64 * 1e-9)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{WindowName, WindowSource};

    proptest! {
        #[test]
        fn a_dial_says_what_its_window_says(
            name in prop_oneof![Just("5h"), Just("7d"), Just("requests")],
            told in proptest::option::of(0.0_f64..2.0),
            reset in proptest::option::of(-200_000_i64..200_000),
            learned in -200_000_i64..200,
            refills: bool,
            nanos_on in prop_oneof![Just(-1_i64), Just(0), Just(1)],
        ) {
            let now = Timestamp::from_second(1_800_000_000).unwrap();
            let at = |seconds: i64| now + SignedDuration::from_secs(seconds) + SignedDuration::from_nanos(nanos_on);
            let window = Window {
                utilization: told,
                resets_at: reset.map(at),
                refills,
                ..Window::new(WindowName(name.into()), WindowSource::Header, at(learned))
            };
            let dial = Dial::of(&window);
            for moment in [now, at(0), at(60), at(3_600), at(-60), at(reset.unwrap_or(0)), now + SignedDuration::from_hours(5)] {
                let (window, dial) = (window.utilization_at(moment), dial.used(nanos(moment)));
                let is_same = match (window, dial) {
                    (Some(window), Some(dial)) => (window - dial).abs() < 1e-9,
                    (window, dial) => window == dial,
                };
                prop_assert!(is_same, "{window:?} {dial:?} at {moment}");
            }
        }
    }
}
