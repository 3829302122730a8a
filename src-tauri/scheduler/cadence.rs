//! When a job is due next. Pure: the time, the zone and the dice are arguments. A missed time is made up for once,
//! however many were missed; a clock that is set back postpones a run by a period at most, and repeats none.

use std::{fmt, time::Duration};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::domain::{Day, Days, MinuteOfDay, first_after};

/// How long a job rests before it is done again for the same reason: whoever tells when it is due still says so.
pub const REST: SignedDuration = SignedDuration::from_mins(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A rhythm. The jitter, which is for others who do the same at the same time, is added and stays below what is
/// between two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// So long after the last run began.
    Every { every: Duration, jitter: Duration },
    /// On these days at this time by the wall's clock.
    At { days: Days, time: MinuteOfDay, jitter: Duration },
}

impl Rhythm {
    /// When the next run is due, reckoned from `since`: when the last one began, or when the job was known first.
    /// The dice are thrown once for each run.
    pub fn next(&self, since: Timestamp, zone: &TimeZone, dice: u64) -> Timestamp {
        match *self {
            Self::Every { every, jitter } => later(later(since, every), share(jitter, dice)),
            Self::At { days, time, jitter } => {
                later(first_after(since, days, time, zone), share(jitter, dice))
            }
        }
    }

    /// From when it is to be reckoned where the clock says `now`: a run that lies further ahead than a period was made
    /// by a clock that was wrong.
    pub fn reckoned_from(&self, since: Timestamp, now: Timestamp) -> Timestamp {
        let period = match *self {
            Self::Every { every, .. } => SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX),
            Self::At { .. } => DAY,
        };
        if since.duration_since(now) > period { now } else { since }
    }
}

/// When a job is due that somebody tells of. What he still tells after a run that came later is not done at once
/// again.
pub fn when_told(
    due: Option<Timestamp>,
    last: Option<(Timestamp, Timestamp)>,
    now: Timestamp,
) -> Option<Timestamp> {
    let due = due?;
    match last {
        // An end that lies ahead was told by another clock.
        Some((began, ended)) if due <= began && ended <= now => {
            Some(ended.checked_add(REST).unwrap_or(Timestamp::MAX))
        }
        _ => Some(due),
    }
}

/// A share of the jitter, whole milliseconds.
fn share(jitter: Duration, dice: u64) -> Duration {
    let most = u64::try_from(jitter.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(dice.checked_rem(most).unwrap_or(0))
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

impl fmt::Display for Rhythm {
    /// "every 7 days", "every day at 04:00", "Monday to Friday at 07:00".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every { every, .. } => write!(f, "every {}", words(*every)),
            Self::At { days, time, .. } => {
                let days: Vec<Day> = (*days).into();
                match &days[..] {
                    all if all.len() == 7 => write!(f, "every day")?,
                    week if *week == Day::ALL[..5] => write!(f, "Monday to Friday")?,
                    some => {
                        let names: Vec<String> = some.iter().map(|day| format!("{day:?}")).collect();
                        write!(f, "{}", names.join(", "))?;
                    }
                }
                write!(f, " at {time}")
            }
        }
    }
}

/// "day", "7 days", "6 hours", "90 minutes".
fn words(every: Duration) -> String {
    let minutes = every.as_secs().div_ceil(60);
    let units = [("day", 24 * 60), ("hour", 60)];
    let whole = units.into_iter().find(|(_, length)| minutes.is_multiple_of(*length));
    let (unit, length) = whole.unwrap_or(("minute", 1));
    match minutes / length {
        1 => unit.into(),
        count => format!("{count} {unit}s"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn daily(time: &str) -> Rhythm {
        let days = Day::ALL.into_iter().collect();
        Rhythm::At { days, time: MinuteOfDay::new(time).unwrap(), jitter: Duration::ZERO }
    }

    fn weekdays(time: &str) -> Rhythm {
        let days = Day::ALL[..5].iter().copied().collect();
        Rhythm::At { days, time: MinuteOfDay::new(time).unwrap(), jitter: Duration::ZERO }
    }

    #[test]
    fn wall_times_are_the_zones_own_through_both_changes_of_the_clock() {
        let berlin = zone("Europe/Berlin");
        for (rhythm, since, next, why) in [
            (daily("04:00"), "2026-11-25T02:59:59Z", "2026-11-25T03:00:00Z", "a second before"),
            (daily("04:00"), "2026-11-25T03:00:00Z", "2026-11-26T03:00:00Z", "not the same one again"),
            (daily("04:00"), "2026-11-20T12:00:00Z", "2026-11-21T03:00:00Z", "the first of those missed"),
            (daily("02:30"), "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z", "02:30 is skipped, so 03:30"),
            (daily("02:30"), "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z", "and once that day"),
            (daily("02:30"), "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z", "02:30 comes twice: the first"),
            (daily("02:30"), "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "and not the second"),
            (weekdays("07:00"), "2026-11-27T06:00:00Z", "2026-11-30T06:00:00Z", "Friday, then Monday"),
        ] {
            assert_eq!(rhythm.next(at(since), &berlin, 7), at(next), "{why}");
        }
        // Samoa had no 30 December 2011.
        let apia = zone("Pacific/Apia");
        let next = daily("08:00").next(at("2011-12-29T18:00:00Z"), &apia, 0);
        assert!(next > at("2011-12-29T18:00:00Z") && next <= at("2011-12-31T18:00:00Z"), "{next}");
        let never = Rhythm::At {
            days: Days::default(),
            time: MinuteOfDay::new("7:00").unwrap(),
            jitter: Duration::ZERO,
        };
        assert_eq!(never.next(at("2026-11-27T06:00:00Z"), &berlin, 0), Timestamp::MAX);
    }

    #[test]
    fn a_clock_that_was_a_year_ahead_does_not_postpone_the_next_run_by_a_year() {
        let (now, hour) = (at("2026-11-25T12:00:00Z"), Duration::from_hours(1));
        let every = Rhythm::Every { every: hour, jitter: Duration::ZERO };
        for (rhythm, since, from) in [
            (every, "2027-11-25T12:00:00Z", now),
            (every, "2026-11-25T12:59:00Z", at("2026-11-25T12:59:00Z")),
            (every, "2020-01-01T00:00:00Z", at("2020-01-01T00:00:00Z")),
            (daily("04:00"), "2026-11-26T11:00:00Z", at("2026-11-26T11:00:00Z")),
            (daily("04:00"), "2026-11-27T11:00:00Z", now),
        ] {
            assert_eq!(rhythm.reckoned_from(at(since), now), from, "{rhythm} since {since}");
        }
    }

    #[test]
    fn what_is_still_told_after_its_run_is_not_done_at_once_again() {
        let [early, began, ended, now] =
            ["10:00", "10:05", "10:06", "10:07"].map(|time| at(&format!("2026-11-25T{time}:00Z")));
        assert_eq!(when_told(None, Some((began, ended)), now), None);
        assert_eq!(when_told(Some(early), None, now), Some(early));
        assert_eq!(when_told(Some(early), Some((began, ended)), now), Some(now), "a minute's rest is over");
        assert_eq!(when_told(Some(began), Some((began, ended)), ended), Some(ended + REST));
        assert_eq!(when_told(Some(ended), Some((began, ended)), ended), Some(ended), "that is news");
        assert_eq!(
            when_told(Some(early), Some((began, ended)), early),
            Some(early),
            "the clock was set back"
        );
    }

    #[test]
    fn a_rhythm_is_told_in_words() {
        let every = |every| Rhythm::Every { every, jitter: Duration::ZERO }.to_string();
        assert_eq!(every(Duration::from_hours(24)), "every day");
        assert_eq!(every(Duration::from_hours(24 * 7)), "every 7 days");
        assert_eq!(every(Duration::from_mins(90)), "every 90 minutes");
        assert_eq!(daily("4:00").to_string(), "every day at 04:00");
        assert_eq!(weekdays("7:00").to_string(), "Monday to Friday at 07:00");
        let some = Rhythm::At {
            days: [Day::Monday, Day::Sunday].into_iter().collect(),
            time: MinuteOfDay::new("7:00").unwrap(),
            jitter: Duration::ZERO,
        };
        assert_eq!(some.to_string(), "Monday, Sunday at 07:00");
    }

    fn rhythms() -> impl Strategy<Value = Rhythm> {
        let every = (60u64..1_000_000, 0u64..60).prop_map(|(every, jitter)| Rhythm::Every {
            every: Duration::from_secs(every),
            jitter: Duration::from_secs(jitter),
        });
        let wall = (1u8..128, 0u16..1440, 0u64..3600).prop_map(|(days, minute, jitter)| Rhythm::At {
            days: Day::ALL.into_iter().filter(|day| days & 1 << *day as u8 != 0).collect(),
            time: MinuteOfDay::new(&format!("{}:{:02}", minute / 60, minute % 60)).unwrap(),
            jitter: Duration::from_secs(jitter),
        });
        prop_oneof![every, wall]
    }

    fn zones() -> impl Strategy<Value = TimeZone> {
        const NAMES: [&str; 6] = [
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "Asia/Kathmandu",
        ];
        proptest::sample::select(&NAMES).prop_map(zone)
    }

    proptest! {
        #[test]
        fn the_next_run_lies_behind_the_last_and_its_jitter_within_its_bounds(
            rhythm in rhythms(), zone in zones(), since in 1_300_000_000i64..1_900_000_000, dice: u64,
        ) {
            let since = Timestamp::from_second(since).unwrap();
            let next = rhythm.next(since, &zone, dice);
            prop_assert!(next > since);
            let plain = match rhythm {
                Rhythm::Every { every, .. } => Rhythm::Every { every, jitter: Duration::ZERO },
                Rhythm::At { days, time, .. } => Rhythm::At { days, time, jitter: Duration::ZERO },
            };
            let (Rhythm::Every { jitter, .. } | Rhythm::At { jitter, .. }) = rhythm;
            let before = plain.next(since, &zone, dice);
            prop_assert!(before <= next && (next < later(before, jitter) || next == before));
        }

        #[test]
        fn a_wall_time_comes_once_a_day_whatever_delays_the_runs(
            zone in zones(), minute in 0u16..1440, start in 1_300_000_000i64..1_900_000_000,
            delays in proptest::collection::vec(0i64..3600, 20), dice: u64,
        ) {
            let time = MinuteOfDay::new(&format!("{}:{:02}", minute / 60, minute % 60)).unwrap();
            let days = Day::ALL.into_iter().collect();
            let rhythm = Rhythm::At { days, time, jitter: Duration::from_mins(30) };
            let mut since = Timestamp::from_second(start).unwrap();
            let mut dates = std::collections::BTreeSet::new();
            for delay in delays {
                let moment = Rhythm::At { days, time, jitter: Duration::ZERO }.next(since, &zone, 0);
                prop_assert!(dates.insert(moment.to_zoned_datetime(zone.clone()).date()), "twice on one day");
                since = rhythm.next(since, &zone, dice) + SignedDuration::from_secs(delay);
            }
        }

        #[test]
        fn however_the_clock_is_set_the_next_run_is_at_most_two_periods_ahead(
            every in 60u64..1_000_000, since in 0i64..4_000_000_000, now in 0i64..4_000_000_000, dice: u64,
        ) {
            let rhythm = Rhythm::Every { every: Duration::from_secs(every), jitter: Duration::from_mins(1) };
            let (since, now) = (Timestamp::from_second(since).unwrap(), Timestamp::from_second(now).unwrap());
            let next = rhythm.next(rhythm.reckoned_from(since, now), &TimeZone::UTC, dice);
            prop_assert!(next.duration_since(now) <= SignedDuration::from_secs(2 * i64::try_from(every).unwrap() + 60));
        }
    }
}
