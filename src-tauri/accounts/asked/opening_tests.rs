//! When windows are due to be opened: tables, and what holds whatever the clock does.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::{
    domain::{Account, AccountName, Day, Days, MinuteOfDay, Opening, Timed, WindowName, WindowSource},
    providers::Catalog,
    routing::Load,
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn account(when: OpenWhen, since: &str) -> Contender {
    let provider = Catalog::built_in().get("anthropic").unwrap();
    let name = AccountName::new("work").unwrap();
    let account = Account {
        timed: Timed { open_window: Some(Opening { when, since: at(since) }), ..Timed::default() },
        ..Account::new(AccountId(1), name, provider.id.clone(), at(since))
    };
    Contender::new(account, provider, Load::default())
}

fn window(name: &str, reset: Option<Timestamp>) -> Window {
    let window = Window::new(WindowName(name.into()), WindowSource::Header, at("2026-11-20T00:00:00Z"));
    Window { resets_at: reset, ..window }
}

fn at_reset(name: &str, reset: Option<&str>) -> Contender {
    let mut account = account(OpenWhen::AtReset, "2026-11-20T00:00:00Z");
    account.windows.push(window(name, reset.map(at)));
    account
}

fn weekdays(time: &str) -> OpenWhen {
    OpenWhen::At { days: Day::ALL[..5].iter().copied().collect(), time: MinuteOfDay::new(time).unwrap() }
}

/// To the minute, for the dice add some seconds.
fn minute(due: Option<Timestamp>) -> Option<String> {
    let due = due?;
    let past = due.as_second().rem_euclid(60);
    let minute = Timestamp::from_second(due.as_second() - past).unwrap();
    Some(minute.to_string())
}

#[test]
fn a_window_is_opened_shortly_after_its_reset_and_once() {
    let (account, now) = (at_reset("5h", Some("2026-11-23T10:00:00Z")), at("2026-11-23T09:00:00Z"));
    let due = |done: Option<&str>, now| super::due(&account, done.map(at), now, &berlin());
    let first = due(None, now).unwrap();
    let after = first.duration_since(at("2026-11-23T10:00:00Z"));
    assert!((15..75).contains(&after.as_secs()), "{after:?}");
    assert_eq!(due(None, at("2026-11-23T18:00:00Z")), Some(first), "what was missed is made up for");
    assert_eq!(due(Some("2026-11-23T10:00:20Z"), at("2026-11-23T10:01:00Z")), None, "it was opened");
    assert_eq!(due(Some("2026-11-23T05:00:20Z"), now), Some(first), "an earlier one was");
    assert_eq!(
        due(Some("2026-11-24T10:00:00Z"), now),
        Some(first),
        "a clock that was a day ahead says nothing"
    );
}

#[test]
fn only_windows_of_some_hours_are_opened_and_none_that_nobody_knows() {
    let is_due = |account: &Contender| due(account, None, at("2026-11-23T12:00:00Z"), &berlin()).is_some();
    assert!(is_due(&at_reset("5h", Some("2026-11-23T10:00:00Z"))));
    for (name, reset) in [
        ("5h", None),
        ("7d", Some("2026-11-23T10:00:00Z")),
        ("5h_opus", Some("2026-11-23T10:00:00Z")),
        ("requests", Some("2026-11-23T10:00:00Z")),
        ("1m", Some("2026-11-23T10:00:00Z")),
    ] {
        assert!(!is_due(&at_reset(name, reset)), "{name}");
    }
    let mut bucket = at_reset("5h", Some("2026-11-23T10:00:00Z"));
    bucket.windows[0].refills = true;
    assert!(!is_due(&bucket));
    let mut nobody = at_reset("5h", Some("2026-11-23T10:00:00Z"));
    nobody.account.timed = Timed::default();
    assert!(!is_due(&nobody), "nobody has asked for it");
}

#[test]
fn a_time_of_day_goes_by_the_clock_on_the_wall() {
    for (since, now, done, due_at) in [
        // Monday the 23rd; winter is an hour ahead of UTC.
        ("2026-11-20T12:00:00Z", "2026-11-23T05:00:00Z", None, "2026-11-23T06:00:00Z"),
        ("2026-11-20T12:00:00Z", "2026-11-21T12:00:00Z", None, "2026-11-23T06:00:00Z"),
        // Late by an hour is made up for, by more than two is let go.
        ("2026-11-20T12:00:00Z", "2026-11-23T07:00:00Z", None, "2026-11-23T06:00:00Z"),
        ("2026-11-20T12:00:00Z", "2026-11-23T08:30:00Z", None, "2026-11-24T06:00:00Z"),
        (
            "2026-11-20T12:00:00Z",
            "2026-11-23T06:02:00Z",
            Some("2026-11-23T06:01:30Z"),
            "2026-11-24T06:00:00Z",
        ),
        // What was asked for after the time of today begins tomorrow.
        ("2026-11-23T06:30:00Z", "2026-11-23T06:31:00Z", None, "2026-11-24T06:00:00Z"),
        // Over the days on which the clocks change: Friday in winter, Monday in summer, and back.
        ("2026-03-01T00:00:00Z", "2026-03-27T05:00:00Z", None, "2026-03-27T06:00:00Z"),
        ("2026-03-01T00:00:00Z", "2026-03-28T05:00:00Z", None, "2026-03-30T05:00:00Z"),
        ("2026-10-01T00:00:00Z", "2026-10-24T05:00:00Z", None, "2026-10-26T06:00:00Z"),
    ] {
        let account = account(weekdays("07:00"), since);
        let due = due(&account, done.map(at), at(now), &berlin());
        let moment = due.map(|due| due - SignedDuration::from_secs(15));
        let told = moment.map(|moment| moment.duration_since(at(due_at)).as_secs());
        assert!(told.is_some_and(|off| (0..60).contains(&off)), "{now}: {:?}, not {due_at}", minute(due));
    }
}

#[test]
fn a_time_that_is_skipped_in_spring_is_an_hour_later_and_one_that_comes_twice_counts_once() {
    let nightly =
        || OpenWhen::At { days: Day::ALL.into_iter().collect(), time: MinuteOfDay::new("02:30").unwrap() };
    let account = account(nightly(), "2026-01-01T00:00:00Z");
    let due = |done: Option<&str>, now| super::due(&account, done.map(at), at(now), &berlin()).unwrap();
    let off = |due: Timestamp, moment| due.duration_since(at(moment)).as_secs();
    assert!((15..75).contains(&off(due(None, "2026-03-29T00:00:00Z"), "2026-03-29T01:30:00Z")));
    assert!((15..75).contains(&off(due(None, "2026-10-25T00:00:00Z"), "2026-10-25T00:30:00Z")));
    let second = due(Some("2026-10-25T00:31:00Z"), "2026-10-25T01:00:00Z");
    assert!(
        (15..75).contains(&off(second, "2026-10-26T01:30:00Z")),
        "not at the second half past two: {second}"
    );
}

#[test]
fn without_days_it_is_never_due() {
    let never = OpenWhen::At { days: Days::default(), time: MinuteOfDay::new("07:00").unwrap() };
    assert_eq!(
        due(&account(never, "2026-11-20T00:00:00Z"), None, at("2026-11-23T05:00:00Z"), &berlin()),
        None
    );
}

proptest! {
    #[test]
    fn whatever_the_clock_did_one_reset_is_opened_for_once_and_one_time_of_day_too(
        reset in 0i64..400_000, steps in prop::collection::vec(-90_000i64..90_000, 1..40), is_at_reset: bool,
    ) {
        let base = at("2026-10-23T00:00:00Z");
        let moment = |second: i64| base + SignedDuration::from_secs(second);
        let when = if is_at_reset { OpenWhen::AtReset } else { weekdays("07:00") };
        let mut account = account(when, "2026-10-01T00:00:00Z");
        account.windows.push(window("5h", Some(moment(reset))));
        let (mut done, mut opened): (Option<Timestamp>, Vec<i64>) = (None, Vec::new());
        let (mut now, mut latest) = (0, 0);
        for step in steps {
            // Forward it goes as it likes, and back by less than a minute: further back is another story, told below.
            now = (now + step).max(latest - 59);
            latest = latest.max(now);
            let Some(due) = due(&account, done, moment(now), &berlin()) else { continue };
            if due <= moment(now) {
                opened.push(now);
                done = Some(moment(now));
            }
        }
        if is_at_reset {
            prop_assert!(opened.len() <= 1, "{opened:?}");
        }
        for pair in opened.windows(2) {
            prop_assert!(pair[1] - pair[0] > 60 * 60 * 12, "once a day: {opened:?}");
        }
    }

    #[test]
    fn a_clock_that_goes_back_opens_at_most_once_more_for_each_time_that_it_did(
        back in prop::collection::vec(1i64..200_000, 1..8),
    ) {
        let mut account = account(OpenWhen::AtReset, "2026-10-01T00:00:00Z");
        let reset = at("2026-10-23T00:00:00Z");
        account.windows.push(window("5h", Some(reset)));
        let (mut done, mut count) = (None, 0);
        for seconds in &back {
            for now in [reset + SignedDuration::from_hours(60), reset + SignedDuration::from_hours(60) - SignedDuration::from_secs(*seconds)] {
                if due(&account, done, now, &berlin()).is_some_and(|due| due <= now) {
                    (done, count) = (Some(now), count + 1);
                }
            }
        }
        prop_assert!(count <= 1 + back.len());
    }
}
