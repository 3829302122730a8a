//! What Headgate may do with an account by itself, because a person has asked for it. Nothing, unless somebody has.

use jiff::{Span, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Days, MinuteOfDay};

/// What is done for one account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timed {
    /// Its usage windows are opened; `None`: they are not.
    #[serde(default)]
    pub open_window: Option<Opening>,
    /// How often in a row a prompt is kept in its upstream's cache; `None`: it is left to go cold.
    #[serde(default)]
    pub keep_warm: Option<u8>,
}

/// More often in a row than this, a prompt is not kept warm: by then it costs more than it saves.
pub const MOST_REPEATS: u8 = 12;

/// A person's wish that windows are opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    pub when: OpenWhen,
    /// Since when that is asked for.
    pub since: Timestamp,
}

/// When an account's window is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "when", rename_all = "snake_case")]
pub enum OpenWhen {
    /// Each time that it starts anew.
    AtReset,
    /// On these days at this time by the clock of the machine.
    At { days: Days, time: MinuteOfDay },
}

impl Timed {
    /// The wish to open windows, if there is one.
    pub fn opens(&self) -> Option<&Opening> {
        self.open_window.as_ref()
    }
}

/// The first such moment behind `since`. A time that is skipped in spring is an hour later, of one that comes twice
/// in autumn the first one counts. No days: never, which is the end of time.
pub fn first_after(since: Timestamp, days: Days, time: MinuteOfDay, zone: &TimeZone) -> Timestamp {
    let today = since.to_zoned_datetime(zone.clone()).date();
    let [hour, minute] =
        [time.minutes() / 60, time.minutes() % 60].map(|part| i8::try_from(part).unwrap_or_default());
    // A zone that skips a whole day makes even a daily one take two.
    (0..=8)
        .filter_map(|ahead| today.checked_add(Span::new().days(ahead)).ok())
        .filter(|date| days.has(date.weekday().to_monday_zero_offset().unsigned_abs()))
        .filter_map(|date| {
            Some(date.at(hour, minute, 0, 0).to_zoned_datetime(zone.clone()).ok()?.timestamp())
        })
        .find(|at| *at > since)
        .unwrap_or(Timestamp::MAX)
}
