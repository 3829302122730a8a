//! Whether an account is kept back by what a person has decided about it: a share that stays unused, a cap, an
//! hour of the day. What is not known keeps nobody back.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use crate::domain::{Family, Guards, Peak, Spare, Window};
use crate::routing::{Contender, plan::Zones};

/// What keeps an account back, and until when.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::routing) struct Kept {
    pub by: KeptBy,
    /// `None`: nobody knows.
    pub until: Option<Timestamp>,
}

/// Which guard it is.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::routing) enum KeptBy {
    /// A window has come to where it is to stop: its name, and where that is.
    Reserve(crate::domain::WindowName, crate::domain::Percent),
    /// A cap is reached: of a day, a week or a month.
    Cap(&'static str),
    /// An hour in which it is not used.
    Peak,
}

impl KeptBy {
    /// As the end of a sentence about the account.
    pub(in crate::routing) fn reason(&self) -> String {
        match self {
            Self::Reserve(window, stop_at) => format!("its {window} window is to stop at {stop_at}"),
            Self::Cap(period) => format!("its {period} cap is reached"),
            Self::Peak => "it is not used at this hour".into(),
        }
    }
}

/// Whether a guard keeps it back from requests of this family; of several the one that does so longest.
pub(in crate::routing) fn kept_back(
    contender: &Contender,
    family: Option<Family>,
    zones: &Zones,
    now: Timestamp,
) -> Option<Kept> {
    let guards = contender.account.guards.as_deref()?;
    let windows = contender.windows.iter().filter(|window| window.applies_to(family));
    let reserves = windows.filter_map(|window| reserve(guards, window, now));
    let caps = caps(guards, contender, now);
    let peaks = guards.peaks.iter().any(|peak| peak.then == Spare::Unused && end(peak, zones, now).is_some());
    let peak = peaks.then(|| Kept { by: KeptBy::Peak, until: end_of_all(&guards.peaks, zones, now) });
    reserves.chain(caps).chain(peak).max_by_key(|kept| kept.until.unwrap_or(Timestamp::MAX))
}

/// Whether it is an hour in which others go first.
pub(in crate::routing) fn is_spared(contender: &Contender, zones: &Zones, now: Timestamp) -> bool {
    let is_now = |peak: &Peak| peak.then == Spare::Last && end(peak, zones, now).is_some();
    contender.account.guards.as_ref().is_some_and(|guards| guards.peaks.iter().any(is_now))
}

/// The used share of whatever is scarcest, of what a person lets it use; `None` if nothing is known.
pub(in crate::routing) fn used(
    guards: &Guards,
    contender: &Contender,
    family: Option<Family>,
    now: Timestamp,
) -> Option<f64> {
    let windows = contender.windows.iter().filter(|window| window.applies_to(family)).filter_map(|window| {
        let stop = guards.stop_at(&window.name).map_or(1.0, crate::domain::Percent::share);
        Some(share(window.utilization_at(now)?, stop))
    });
    let caps = guards.caps.with(&contender.outlay).into_iter().filter_map(|cap| {
        let spent = cap.spent(now);
        let tokens = cap.budget.tokens.map(|limit| share(spent.tokens as f64, limit as f64));
        let money = cap.budget.money.map(|limit| share(spent.counted().dollars(), limit.dollars()));
        [tokens, money].into_iter().flatten().max_by(f64::total_cmp)
    });
    windows.chain(caps).max_by(f64::total_cmp)
}

/// Of nothing at all, everything is used.
fn share(used: f64, of: f64) -> f64 {
    if of > 0.0 { used / of } else { 1.0 }
}

fn reserve(guards: &Guards, window: &Window, now: Timestamp) -> Option<Kept> {
    let stop_at = guards.stop_at(&window.name)?;
    let is_reached = window.utilization_at(now)? >= stop_at.share();
    let by = KeptBy::Reserve(window.name.clone(), stop_at);
    is_reached.then_some(Kept { by, until: window.resets_at })
}

fn caps(guards: &Guards, contender: &Contender, now: Timestamp) -> impl Iterator<Item = Kept> {
    let reached = guards.caps.with(&contender.outlay).into_iter().filter(move |cap| cap.is_reached(now));
    reached.map(move |cap| Kept { by: KeptBy::Cap(cap.name), until: Some(cap.period(now).until) })
}

/// When the hours end that it is now; `None` if it is none of them.
fn end(peak: &Peak, zones: &Zones, now: Timestamp) -> Option<Timestamp> {
    let zone = zones.get(peak.zone.as_ref());
    let here = zone.to_datetime(now);
    let minute = u16::from(here.hour().unsigned_abs()) * 60 + u16::from(here.minute().unsigned_abs());
    let (from, to) = (peak.from.minutes(), peak.to.minutes());
    let ends_today = to > from;
    let today = here.weekday().to_monday_zero_offset().unsigned_abs();
    let yesterday = (today + 6) % 7;
    if peak.days.has(today) && minute >= from && (!ends_today || minute < to) {
        let day = if ends_today { Some(here.date()) } else { here.date().tomorrow().ok() };
        return Some(moment(zone, day.map(|day| day.at(clock(to / 60), clock(to % 60), 0, 0))));
    }
    let is_still = !ends_today && minute < to && peak.days.has(yesterday);
    is_still.then(|| moment(zone, Some(here.date().at(clock(to / 60), clock(to % 60), 0, 0))))
}

fn clock(number: u16) -> i8 {
    i8::try_from(number).unwrap_or(0)
}

/// At the very end of time there is no tomorrow.
fn moment(zone: &TimeZone, at: Option<DateTime>) -> Timestamp {
    at.and_then(|at| zone.to_timestamp(at).ok()).unwrap_or(Timestamp::MAX)
}

/// When it is no such hour any more, one span after the other; `None` if that does not come within two weeks.
fn end_of_all(peaks: &[Peak], zones: &Zones, now: Timestamp) -> Option<Timestamp> {
    let mut until = now;
    // Two weeks of spans that follow on each other. Where the clocks go back, one may end before it began.
    for _ in 0..2 * 7 * peaks.len() {
        let spans = peaks.iter().filter(|peak| peak.then == Spare::Unused);
        let Some(end) = spans.filter_map(|peak| end(peak, zones, until)).max() else { return Some(until) };
        until = if end > until { end } else { until.checked_add(SignedDuration::from_mins(1)).ok()? };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Budget, Caps, Day, Micros, MinuteOfDay, Outlay, Percent, Reserve, Spent, WindowName, ZoneName,
    };
    use crate::routing::pick::tests::{account, in_minutes, now, window};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn guarded(guards: Guards) -> Contender {
        let mut contender = account(1);
        contender.account.guards = Some(Arc::new(guards));
        contender
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Central European time, with its summer.
    fn zones() -> Zones {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        Zones { local: TimeZone::UTC, named: vec![(ZoneName::new("Europe/Berlin").unwrap(), berlin)] }
    }

    fn peak(days: &[Day], from: &str, to: &str, zone: Option<&str>) -> Peak {
        Peak {
            days: days.iter().copied().collect(),
            from: MinuteOfDay::new(from).unwrap(),
            to: MinuteOfDay::new(to).unwrap(),
            zone: zone.map(|zone| ZoneName::new(zone).unwrap()),
            then: Spare::Unused,
        }
    }

    fn with_peaks(peaks: Vec<Peak>) -> Contender {
        guarded(Guards { peaks, ..Guards::default() })
    }

    /// Until when it is kept back at a moment; the end of time where nobody knows.
    fn kept_until(contender: &Contender, moment: &str) -> Option<Timestamp> {
        let kept = kept_back(contender, None, &zones(), at(moment))?;
        Some(kept.until.unwrap_or(Timestamp::MAX))
    }

    #[test]
    fn a_reserve_stops_a_window_at_its_share_until_the_reset() {
        let reserves =
            vec![Reserve { window: Some(WindowName("5h".into())), stop_at: Percent::new(80).unwrap() }];
        let guards = Guards { reserves, ..Guards::default() };
        let kept_at = |used| {
            let contender = guarded(guards.clone())
                .with(window("5h", used, false, 60))
                .with(window("7d", 0.99, false, 600));
            kept_back(&contender, None, &zones(), now())
        };
        assert_eq!(kept_at(0.79), None);
        assert_eq!(kept_at(0.8).unwrap().until, Some(in_minutes(60)));
        let unknown =
            guarded(guards.clone()).with(Window { utilization: None, ..window("5h", 0.0, false, 60) });
        assert_eq!(kept_back(&unknown, None, &zones(), now()), None, "what is not known keeps nobody back");
        let past = guarded(guards).with(window("5h", 0.9, false, 0));
        assert_eq!(kept_back(&past, None, &zones(), now()), None, "nor does what is over");
    }

    #[test]
    fn a_reserve_of_a_family_holds_that_family_alone() {
        let reserves = vec![Reserve { window: None, stop_at: Percent::new(50).unwrap() }];
        let contender =
            guarded(Guards { reserves, ..Guards::default() }).with(window("7d_opus", 0.6, false, 60));
        assert!(kept_back(&contender, Some(Family::Opus), &zones(), now()).is_some());
        assert!(kept_back(&contender, Some(Family::Sonnet), &zones(), now()).is_none());
    }

    #[test]
    fn a_cap_holds_until_its_period_is_over() {
        let caps = Caps {
            day: Budget { tokens: Some(100), money: None },
            month: Budget { tokens: None, money: Some(Micros(5)) },
            ..Caps::default()
        };
        let mut contender = guarded(Guards { caps, ..Guards::default() });
        let noon = at("2026-11-23T12:00:00Z");
        contender.outlay =
            Outlay { at: noon, day: Spent { tokens: 99, ..Spent::default() }, ..Outlay::default() };
        assert_eq!(kept_until(&contender, "2026-11-23T12:00:00Z"), None);
        assert!(
            (used(contender.account.guards.as_ref().unwrap(), &contender, None, noon).unwrap() - 0.99).abs()
                < 1e-9
        );
        contender.outlay.day.tokens = 100;
        assert_eq!(kept_until(&contender, "2026-11-23T12:00:00Z"), Some(at("2026-11-24T00:00:00Z")));
        assert_eq!(
            kept_until(&contender, "2026-11-24T00:00:00Z"),
            None,
            "what was spent yesterday is not today's"
        );
        assert_eq!(
            kept_until(&contender, "2026-11-22T12:00:00Z"),
            None,
            "nor is it, where the clock went back a day"
        );
        contender.outlay.month.money = Micros(5);
        assert_eq!(kept_until(&contender, "2026-11-24T00:00:00Z"), Some(at("2026-12-01T00:00:00Z")));
    }

    #[test]
    fn a_cap_of_nothing_holds_before_anything_is_spent() {
        let caps = Caps { week: Budget { tokens: Some(0), money: None }, ..Caps::default() };
        let contender = guarded(Guards { caps, ..Guards::default() });
        assert_eq!(kept_until(&contender, "2026-11-25T12:00:00Z"), Some(at("2026-11-30T00:00:00Z")));
    }

    #[test]
    fn a_peak_goes_by_the_clock_of_its_zone() {
        let workday = [Day::Monday, Day::Tuesday, Day::Wednesday, Day::Thursday, Day::Friday];
        let contender = with_peaks(vec![peak(&workday, "09:00", "17:30", Some("Europe/Berlin"))]);
        for (moment, until) in [
            ("2026-11-23T07:59:59Z", None),
            ("2026-11-23T08:00:00Z", Some("2026-11-23T16:30:00Z")),
            ("2026-11-23T16:29:59Z", Some("2026-11-23T16:30:00Z")),
            ("2026-11-23T16:30:00Z", None),
            ("2026-11-22T12:00:00Z", None),
            ("2026-07-20T07:00:00Z", Some("2026-07-20T15:30:00Z")),
        ] {
            assert_eq!(kept_until(&contender, moment), until.map(at), "{moment}");
        }
    }

    #[test]
    fn a_peak_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let contender = with_peaks(vec![peak(&[Day::Sunday], "22:00", "06:00", None)]);
        let end = Some(at("2026-11-23T06:00:00Z"));
        assert_eq!(kept_until(&contender, "2026-11-22T22:00:00Z"), end);
        assert_eq!(kept_until(&contender, "2026-11-23T05:59:00Z"), end, "it is Monday by now");
        assert_eq!(kept_until(&contender, "2026-11-23T22:00:00Z"), None);
    }

    #[test]
    fn peaks_that_follow_on_each_other_end_with_the_last_and_those_without_end_never() {
        let weekend = peak(&[Day::Saturday, Day::Sunday], "00:00", "00:00", None);
        assert_eq!(
            kept_until(&with_peaks(vec![weekend]), "2026-11-21T12:00:00Z"),
            Some(at("2026-11-23T00:00:00Z"))
        );
        let always = peak(&Day::ALL, "00:00", "00:00", None);
        assert_eq!(kept_until(&with_peaks(vec![always]), "2026-11-21T12:00:00Z"), Some(Timestamp::MAX));
    }

    #[test]
    fn where_two_peaks_contradict_the_stricter_one_counts() {
        let unused = peak(&[Day::Monday], "08:00", "12:00", None);
        let last = Peak { then: Spare::Last, ..peak(&[Day::Monday], "08:00", "20:00", None) };
        let contender = with_peaks(vec![last, unused]);
        assert_eq!(kept_until(&contender, "2026-11-23T09:00:00Z"), Some(at("2026-11-23T12:00:00Z")));
        assert_eq!(kept_until(&contender, "2026-11-23T13:00:00Z"), None);
        assert!(is_spared(&contender, &zones(), at("2026-11-23T13:00:00Z")));
    }

    #[test]
    fn a_zone_that_nobody_knows_goes_by_utc() {
        let contender = with_peaks(vec![peak(&[Day::Monday], "09:00", "10:00", Some("Nowhere/Land"))]);
        let zones = Zones { local: TimeZone::fixed(jiff::tz::offset(5)), named: Vec::new() };
        assert!(kept_back(&contender, None, &zones, at("2026-11-23T09:30:00Z")).is_some());
        assert!(kept_back(&contender, None, &zones, at("2026-11-23T04:30:00Z")).is_none());
    }

    proptest! {
        #[test]
        fn whatever_the_hour_a_peak_ends_later_than_now(seconds in -1i64 << 33..1i64 << 33, from in 0u16..1440, to in 0u16..1440, days in 0u8..128) {
            let now = Timestamp::from_second(seconds).unwrap();
            let time = |minute: u16| MinuteOfDay::new(&format!("{}:{}", minute / 60, minute % 60)).unwrap();
            let days = Day::ALL.into_iter().filter(|day| days & (1 << *day as u8) != 0).collect();
            let zone = Some(ZoneName::new("Europe/Berlin").unwrap());
            let peak = Peak { days, from: time(from), to: time(to), zone, then: Spare::Unused };
            if let Some(end) = end(&peak, &zones(), now) {
                // Where the clocks go back an hour is twice there, and its second coming has no end of its own.
                prop_assert!(end > now - SignedDuration::from_hours(1));
                prop_assert!(end <= now + SignedDuration::from_hours(25));
            }
            let _ = end_of_all(&[peak], &zones(), now);
        }
    }
}
