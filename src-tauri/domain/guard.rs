//! Guards: what a person keeps back of an account. None is set unless somebody sets it. A guard never makes an
//! account good for more than its standing does.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Budget, Cost, Period, Spent, WindowName};

/// What is kept back of one account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Guards {
    /// Shares of its windows that stay unused.
    pub reserves: Vec<Reserve>,
    /// How much it may spend.
    pub caps: Caps,
    /// Hours in which it is spared.
    pub peaks: Vec<Peak>,
}

/// As many reserves, and as many peaks, as one account may have.
pub const MOST_GUARDS: usize = 32;

impl Guards {
    /// Whether nothing is kept back.
    pub fn is_empty(&self) -> bool {
        self.reserves.is_empty() && self.caps == Caps::default() && self.peaks.is_empty()
    }

    /// Where this window stops being used. What is said of it by name counts in place of what is said of all;
    /// of two that say different things of the same, the lower one counts.
    pub fn stop_at(&self, window: &WindowName) -> Option<Percent> {
        let lowest = |of: fn(&Reserve, &WindowName) -> bool| {
            self.reserves.iter().filter(|one| of(one, window)).map(|one| one.stop_at).min()
        };
        let by_name = lowest(|one, window| one.window.as_ref() == Some(window));
        by_name.or_else(|| lowest(|one, _| one.window.is_none()))
    }
}

/// A window is not used beyond this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reserve {
    /// Which, by the upstream's own name; `None`: each that has no reserve of its own.
    #[schema(value_type = Option<String>)]
    pub window: Option<WindowName>,
    /// Where it stops.
    pub stop_at: Percent,
}

/// A share, 0 to 100 in whole percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "u8", into = "u8")]
#[schema(value_type = u8, maximum = 100)]
pub struct Percent(u8);

/// The number is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a share is 0 to 100 percent")]
pub struct BadPercent;

impl Percent {
    /// Takes a share as typed.
    ///
    /// # Errors
    /// `BadPercent` beyond a hundred.
    pub fn new(percent: u8) -> Result<Self, BadPercent> {
        if percent <= 100 { Ok(Self(percent)) } else { Err(BadPercent) }
    }

    /// As a share of one.
    pub fn share(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl TryFrom<u8> for Percent {
    type Error = BadPercent;

    fn try_from(percent: u8) -> Result<Self, BadPercent> {
        Self::new(percent)
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// How much an account may spend in a day (UTC), a week (from Monday) and a month. `None` is no limit, and
/// what runs when one is reached goes on to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caps {
    pub day: Budget,
    pub week: Budget,
    pub month: Budget,
}

/// What an account has spent in the periods that were running when it was summed up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outlay {
    /// When that was. A sum counts for as long as its period has this moment in it.
    pub at: Timestamp,
    pub day: Spent,
    pub week: Spent,
    pub month: Spent,
}

impl Outlay {
    /// Adds what was spent now. Periods that have ended since it was summed up begin anew.
    pub fn add(&mut self, tokens: u64, cost: impl Into<Cost>, now: Timestamp) {
        let (before, cost) = (self.at, cost.into());
        let add = |sum: &mut Spent, period: Period| {
            if !period.holds(before) {
                *sum = Spent::default();
            }
            sum.add(tokens, cost);
        };
        add(&mut self.day, Period::day(now));
        add(&mut self.week, Period::week(now));
        add(&mut self.month, Period::month(now));
        self.at = now;
    }
}

/// A cap with what counts towards it.
#[derive(Debug, Clone, Copy)]
pub struct Cap {
    /// `daily`, `weekly` or `monthly`.
    pub name: &'static str,
    /// How much it allows.
    pub budget: Budget,
    /// What was spent when that was summed up.
    summed: Spent,
    /// When that was.
    at: Timestamp,
    period: fn(Timestamp) -> Period,
}

impl Cap {
    /// What counts towards it now: nothing, where its period has begun since, or the clock went back to before it.
    pub fn spent(&self, now: Timestamp) -> Spent {
        if self.period(now).holds(self.at) { self.summed } else { Spent::default() }
    }

    /// The period that it is for now.
    pub fn period(&self, now: Timestamp) -> Period {
        (self.period)(now)
    }

    /// Whether it is reached now. One of nothing is, before anything is spent.
    pub fn is_reached(&self, now: Timestamp) -> bool {
        let reaches = |spent: Spent| {
            self.budget.tokens.is_some_and(|limit| spent.tokens >= limit)
                || self.budget.money.is_some_and(|limit| spent.counted() >= limit)
        };
        // The calendar is asked only where it matters.
        reaches(self.summed) && reaches(self.spent(now))
    }
}

impl Caps {
    /// Each with what counts towards it.
    pub fn with(self, outlay: &Outlay) -> [Cap; 3] {
        let cap = |name, budget, summed, period| Cap { name, budget, summed, at: outlay.at, period };
        [
            cap("daily", self.day, outlay.day, Period::day),
            cap("weekly", self.week, outlay.week, Period::week),
            cap("monthly", self.month, outlay.month, Period::month),
        ]
    }
}

/// Hours of the week in which an account is spared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Peak {
    /// The days on which it begins.
    pub days: Days,
    /// Its first minute.
    pub from: MinuteOfDay,
    /// The minute after its last. Not after `from`: it ends on the next day, and with both the same it lasts a
    /// whole day.
    pub to: MinuteOfDay,
    /// Whose clock: a time zone's name, as `Europe/Berlin`. `None`: this machine's.
    pub zone: Option<ZoneName>,
    /// What is done. Where two rules meet, the stricter one counts.
    pub then: Spare,
}

/// How an account is spared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spare {
    /// It comes after all the others of its pool.
    Last,
    /// It takes none.
    Unused,
}

/// Days of the week.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(from = "Vec<Day>", into = "Vec<Day>")]
#[schema(value_type = Vec<Day>)]
pub struct Days(u8);

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Day {
    /// All of them, as the week goes.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];
}

impl Days {
    /// Whether it is one of them. `since_monday`: 0 is Monday, 6 is Sunday.
    pub fn has(self, since_monday: u8) -> bool {
        since_monday < 7 && self.0 & (1 << since_monday) != 0
    }
}

impl FromIterator<Day> for Days {
    fn from_iter<I: IntoIterator<Item = Day>>(days: I) -> Self {
        Self(days.into_iter().fold(0, |set, day| set | 1 << day as u8))
    }
}

impl From<Vec<Day>> for Days {
    fn from(days: Vec<Day>) -> Self {
        days.into_iter().collect()
    }
}

impl From<Days> for Vec<Day> {
    fn from(days: Days) -> Self {
        Day::ALL.into_iter().filter(|day| days.has(*day as u8)).collect()
    }
}

/// A time of day to the minute, written as `09:30`. `24:00` is `00:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Arc<str>", into = "String")]
#[schema(value_type = String, example = "09:30")]
pub struct MinuteOfDay(u16);

/// The text is no time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time of day looks like 09:30")]
pub struct BadTime;

impl MinuteOfDay {
    /// Takes a time as typed.
    ///
    /// # Errors
    /// `BadTime` if it is not two numbers that could be one.
    pub fn new(text: &str) -> Result<Self, BadTime> {
        let number = |text: &str| {
            let is_one = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            is_one.then(|| text.parse::<u16>().ok()).flatten()
        };
        let (hour, minute) = text.trim().split_once(':').ok_or(BadTime)?;
        let (hour, minute) = (number(hour).ok_or(BadTime)?, number(minute).ok_or(BadTime)?);
        let is_time = (hour < 24 && minute < 60) || (hour == 24 && minute == 0);
        if is_time { Ok(Self(hour % 24 * 60 + minute)) } else { Err(BadTime) }
    }

    /// Takes a time at which something begins: `24:00` ends its day, and as `00:00` it would begin that same one.
    ///
    /// # Errors
    /// A sentence that says what to write.
    pub fn beginning(text: &str) -> Result<Self, String> {
        if text.trim().starts_with("24") {
            return Err("24:00 ends a day and begins none: name the next day and 00:00".into());
        }
        Self::new(text).map_err(|error| error.to_string())
    }

    /// Minutes since midnight, below 1,440.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl TryFrom<Arc<str>> for MinuteOfDay {
    type Error = BadTime;

    fn try_from(text: Arc<str>) -> Result<Self, BadTime> {
        Self::new(&text)
    }
}

impl From<MinuteOfDay> for String {
    fn from(time: MinuteOfDay) -> Self {
        time.to_string()
    }
}

impl fmt::Display for MinuteOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// The name of a time zone. Whether there is such a zone is looked up at the edge, where files may be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Arc<str>", into = "Arc<str>")]
#[schema(value_type = String, example = "Europe/Berlin")]
pub struct ZoneName(Arc<str>);

/// The text can't be a time zone's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time zone is named as in `Europe/Berlin`")]
pub struct BadZone;

impl ZoneName {
    /// Takes a name as typed.
    ///
    /// # Errors
    /// `BadZone` if it is empty, long, or has characters that no zone's name has.
    pub fn new(text: &str) -> Result<Self, BadZone> {
        let text = text.trim();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.into()))
        } else {
            Err(BadZone)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<Arc<str>> for ZoneName {
    type Error = BadZone;

    fn try_from(text: Arc<str>) -> Result<Self, BadZone> {
        Self::new(&text)
    }
}

impl From<ZoneName> for Arc<str> {
    fn from(zone: ZoneName) -> Self {
        zone.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reserve(window: Option<&str>, percent: u8) -> Reserve {
        Reserve {
            window: window.map(|name| WindowName(name.into())),
            stop_at: Percent::new(percent).unwrap(),
        }
    }

    #[test]
    fn a_reserve_by_name_outranks_the_one_for_all_and_of_two_the_lower_counts() {
        let guards = Guards {
            reserves: vec![reserve(None, 90), reserve(Some("5h"), 95), reserve(Some("5h"), 80)],
            ..Guards::default()
        };
        let stop = |name: &str| guards.stop_at(&WindowName(name.into())).map(u8::from);
        assert_eq!((stop("5h"), stop("7d")), (Some(80), Some(90)));
        assert!(!guards.is_empty() && Guards::default().is_empty());
        assert_eq!(Guards::default().stop_at(&WindowName("5h".into())), None);
    }

    #[test]
    fn a_time_of_day_is_read_as_people_write_it_and_nothing_else_is() {
        for (text, shown) in [("09:30", "09:30"), ("9:30", "09:30"), (" 23:59 ", "23:59"), ("24:00", "00:00")]
        {
            assert_eq!(MinuteOfDay::new(text).unwrap().to_string(), shown);
        }
        for text in ["", "9", "24:01", "12:60", "-1:00", "+1:00", "1:2:3", "12:345", "a:b", "１:００"] {
            assert_eq!(MinuteOfDay::new(text), Err(BadTime), "{text:?}");
        }
    }

    #[test]
    fn a_peak_reads_as_words_on_the_wire_and_absurd_ones_are_refused() {
        let text = r#"{"days":["monday","sunday"],"from":"22:00","to":"06:00","zone":"Europe/Berlin","then":"last"}"#;
        let peak: Peak = serde_json::from_str(text).unwrap();
        assert!(peak.days.has(0) && peak.days.has(6) && !peak.days.has(1) && !peak.days.has(200));
        assert_eq!(serde_json::to_string(&peak).unwrap(), text);
        for (good, bad) in [("22:00", "25:00"), ("Europe/Berlin", "../etc"), ("monday", "someday")] {
            assert!(serde_json::from_str::<Peak>(&text.replace(good, bad)).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Percent>("101").is_err());
    }
}
