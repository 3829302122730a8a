//! Days, weeks and months in UTC, the spans that budgets and caps are for.

use jiff::{Span, Timestamp, ZonedDateTime, tz::TimeZone};

/// From one moment to the next, the first included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its first moment.
    pub since: Timestamp,
    /// The first one after it.
    pub until: Timestamp,
}

impl Period {
    /// The day that a moment is in.
    pub fn day(now: Timestamp) -> Self {
        Self::of(now, ZonedDateTime::start_of_day, Span::new().days(1))
    }

    /// The week that a moment is in, from Monday.
    pub fn week(now: Timestamp) -> Self {
        let monday = |now: &ZonedDateTime| {
            let days = Span::new().days(now.weekday().to_monday_zero_offset());
            now.checked_sub(days)?.start_of_day()
        };
        Self::of(now, monday, Span::new().weeks(1))
    }

    /// The month that a moment is in.
    pub fn month(now: Timestamp) -> Self {
        Self::of(now, |now| now.first_of_month()?.start_of_day(), Span::new().months(1))
    }

    /// At the very ends of time a period is only as long as time is.
    fn of(
        now: Timestamp,
        start: impl Fn(&ZonedDateTime) -> Result<ZonedDateTime, jiff::Error>,
        length: Span,
    ) -> Self {
        let now = now.to_zoned_datetime(TimeZone::UTC);
        let since = start(&now).ok();
        let until = since.as_ref().and_then(|since| since.checked_add(length).ok());
        Self {
            since: since.map_or(Timestamp::MIN, |since| since.timestamp()),
            until: until.map_or(Timestamp::MAX, |until| until.timestamp()),
        }
    }

    /// Whether a moment is in it.
    pub fn holds(&self, moment: Timestamp) -> bool {
        (self.since..self.until).contains(&moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_goes_from_midnight_to_midnight_and_a_month_from_first_to_first() {
        let day = Period::day(at("2028-02-29T23:59:59.999Z"));
        assert_eq!((day.since, day.until), (at("2028-02-29T00:00:00Z"), at("2028-03-01T00:00:00Z")));
        let month = Period::month(at("2026-12-31T12:00:00Z"));
        assert_eq!((month.since, month.until), (at("2026-12-01T00:00:00Z"), at("2027-01-01T00:00:00Z")));
        assert!(month.holds(month.since) && !month.holds(month.until));
    }

    #[test]
    fn a_week_goes_from_monday_to_monday() {
        for moment in ["2026-11-23T00:00:00Z", "2026-11-25T12:00:00Z", "2026-11-29T23:59:59Z"] {
            let week = Period::week(at(moment));
            assert_eq!((week.since, week.until), (at("2026-11-23T00:00:00Z"), at("2026-11-30T00:00:00Z")));
        }
    }

    #[test]
    fn the_ends_of_time_are_no_panic() {
        for moment in [Timestamp::MIN, Timestamp::MAX] {
            let _ = (Period::day(moment), Period::week(moment), Period::month(moment));
        }
    }
}
