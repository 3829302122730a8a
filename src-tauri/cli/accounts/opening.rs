//! How what Headgate does with an account by itself is written on the command line, and shown by it.

use jiff::{Timestamp, tz::TimeZone};

use crate::cli::{accounts::guards, table};
use crate::{
    api::views::{AccountView, OpenWindow},
    domain::{MOST_REPEATS, MinuteOfDay, OpenWhen, counted},
};

/// `off`, `at-reset`, `weekdays 07:00`, `Mon,Wed 06:30`.
pub fn when(text: &str) -> Result<OpenWindow, String> {
    let usage = || "write off, at-reset, or days and a time as in \"weekdays 07:00\"".to_owned();
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        ["off"] => Ok(OpenWindow::Off),
        ["at-reset"] => Ok(OpenWindow::AtReset),
        [days, time] => {
            let days = guards::days(days).ok_or_else(usage)?;
            let time = MinuteOfDay::beginning(time)?;
            Ok(OpenWindow::At { days, time })
        }
        _ => Err(usage()),
    }
}

/// `off`, or how often in a row.
pub fn times(text: &str) -> Result<u8, String> {
    if text == "off" {
        return Ok(0);
    }
    let usage = || format!("write off, or a number from 1 to {MOST_REPEATS}");
    text.parse().ok().filter(|times| (1..=MOST_REPEATS).contains(times)).ok_or_else(usage)
}

/// What Headgate does with an account by itself, and what it heard.
pub fn shown(account: &AccountView, now: Timestamp, zone: &TimeZone) -> Vec<String> {
    let at = |at| table::time(at, now, zone);
    let mut told = Vec::new();
    if let Some(when) = &account.open_window {
        let when = match when {
            OpenWhen::AtReset => "at each reset".into(),
            OpenWhen::At { days, time } => format!("{} {time}", guards::days_words(*days)),
        };
        let opening = account.opening.as_ref();
        let next = opening.and_then(|opening| opening.next_at);
        let next = next.map_or_else(String::new, |next| format!(", next {}", table::ahead(next, now, zone)));
        let kept = opening.and_then(|opening| opening.kept_back.as_ref());
        let kept = kept.map_or_else(String::new, |kept| format!(", kept back: {kept}"));
        told.push(format!("windows opened {when}{next}{kept}"));
    }
    if let Some(times) = account.keep_warm {
        let times = if times == 1 { "once".into() } else { counted(times, "time") };
        told.push(format!("prompts kept warm {times}"));
    }
    if let Some((usage, failure)) =
        account.usage.as_ref().and_then(|usage| Some((usage, usage.failure.as_ref()?)))
    {
        told.push(format!("its usage was not told {}: {failure}", at(usage.asked_at)));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Day;

    #[test]
    fn an_opening_is_read_as_it_is_written() {
        assert_eq!(when("off"), Ok(OpenWindow::Off));
        assert_eq!(when(" at-reset "), Ok(OpenWindow::AtReset));
        assert_eq!(when("Monday 07:00"), when("mon 07:00"));
        for meant_otherwise in ["Sun 24:00", "Monkey 07:00", "friendly 07:00", "Mon-Frisbee 07:00"] {
            assert!(when(meant_otherwise).is_err(), "{meant_otherwise}");
        }
        let at = |days: &[Day], time: &str| {
            Ok(OpenWindow::At { days: days.iter().copied().collect(), time: MinuteOfDay::new(time).unwrap() })
        };
        assert_eq!(when("weekdays 07:00"), at(&Day::ALL[..5], "07:00"));
        assert_eq!(when("weekends 9:30"), at(&Day::ALL[5..], "09:30"));
        assert_eq!(when("Mon,Wed 06:30"), at(&[Day::Monday, Day::Wednesday], "06:30"));
        for wrong in ["", "on", "07:00", "weekdays", "weekdays 25:00", "someday 07:00", "weekdays 07:00 now"]
        {
            assert!(when(wrong).is_err(), "{wrong}");
        }
    }
}
