//! What each verdict does to an account, and what time does to that.

use proptest::prelude::*;

use super::{
    super::{
        pick::tests::{account, in_minutes, now, window},
        standing, standing_for,
    },
    *,
};
use crate::domain::{Family, Pause, PausedBy, StandingState};

fn learn(work: &mut Contender, verdict: &Verdict, windows: &[Window], now: Timestamp) -> Learned {
    learn_for(work, Need::default(), verdict, windows, now)
}

/// As the roster does it: what is no news changes nothing.
fn learn_for(
    work: &mut Contender,
    need: Need,
    verdict: &Verdict,
    windows: &[Window],
    now: Timestamp,
) -> Learned {
    let windows: Vec<Window> =
        windows.iter().map(|window| Window { learned_at: now, ..window.clone() }).collect();
    let lesson = Lesson { verdict: Some(verdict), windows: &windows, need };
    if !is_news(work, &lesson, now) {
        return Learned::default();
    }
    settle(work, &lesson, now)
}

fn spent(name: &str, until: Option<Timestamp>) -> Verdict {
    Verdict::QuotaSpent { window: WindowName(name.into()), until, again: Duration::from_mins(5) }
}

fn throttled(minutes: u64) -> Verdict {
    Verdict::Throttled { retry_after: Some(Duration::from_mins(minutes)) }
}

const DISABLED: Verdict = Verdict::OrganisationDisabled { again: Duration::from_hours(1) };

fn rest(work: &Contender, now: Timestamp) -> Option<i64> {
    let standing = standing_for(work, None, now);
    standing.until.map(|until| until.duration_since(now).as_mins())
}

#[test]
fn a_throttled_account_rests_as_long_as_it_asked() {
    let mut work = account(1);
    assert!(learn(&mut work, &throttled(2), &[], now()).health);
    assert_eq!(standing(&work, now()).until, Some(in_minutes(2)));
    assert_eq!(standing(&work, in_minutes(2)).state, StandingState::Ready);
}

/// A window as a usage endpoint might state it, however it got there.
fn reading(name: &str, used: f64, spent: bool, resets_in: Option<i64>) -> Window {
    Window {
        utilization: Some(used),
        spent,
        resets_at: resets_in.map(in_minutes),
        ..Window::new(WindowName(name.into()), WindowSource::UsageEndpoint, now())
    }
}

#[test]
fn a_reading_teaches_a_window_and_one_that_repeats_what_is_known_is_no_news() {
    let mut work = account(1);
    assert!(take_readings(&mut work, &[reading("credits", 0.5, false, None)], now()).windows);
    assert_eq!(take_readings(&mut work, &[reading("credits", 0.5, false, None)], now()), Learned::default());
    assert!(take_readings(&mut work, &[reading("credits", 0.6, false, None)], now()).windows);
    assert_eq!(work.windows.len(), 1);
}

proptest! {
    #[test]
    fn whatever_a_usage_endpoint_says_an_account_stands_as_it_did(
        readings in prop::collection::vec((0usize..4, 0.0f64..3.0, any::<bool>(), prop::option::of(-100i64..100)), 0..6),
        is_spent: bool, is_paused: bool, is_benched: bool, is_refused: bool, crowd in 0usize..70, later in -200i64..200,
    ) {
        let names = ["credits", "5h", "7d_opus", "new"];
        let mut work = account(1);
        if is_spent {
            learn(&mut work, &spent("credits", Some(in_minutes(30))), &[], now());
            learn(&mut work, &spent("5h", None), &[], now());
        }
        for n in 0..crowd {
            let _ = take_readings(&mut work, &[reading(&format!("other-{n}"), 0.1, false, None)], in_minutes(1));
        }
        if is_benched {
            learn(&mut work, &throttled(20), &[], now());
        }
        work.account.refused = is_refused.then(|| "refused".into());
        work.account.pause = is_paused.then(|| Pause { reason: "on holiday".into(), by: PausedBy::User, at: now() });
        let (account, at) = (work.account.clone(), in_minutes(later));
        let needs = [None, Some(Family::Opus), Some(Family::Haiku)];
        let stands = |work: &Contender| (standing(work, at), needs.map(|need| standing_for(work, need, at)));
        let before = stands(&work);
        for (name, used, spent, reset) in readings {
            let told = reading(names[name], used, spent, reset);
            take_readings(&mut work, &[Window { learned_at: at, ..told }], at);
            prop_assert_eq!(stands(&work), before.clone());
        }
        prop_assert_eq!(&work.account, &account);
        prop_assert!(work.windows.len() <= 64);
    }
}

#[test]
fn a_429_without_a_time_benches_nobody() {
    let mut work = account(1);
    let learned = learn(&mut work, &Verdict::Throttled { retry_after: None }, &[], now());
    assert_eq!(learned, Learned::default());
    assert_eq!(standing(&work, now()).state, StandingState::Ready);
}

#[test]
fn an_answer_that_was_on_its_way_does_not_shorten_a_bench() {
    let mut work = account(1);
    learn(&mut work, &throttled(1), &[], now());
    learn(&mut work, &Verdict::Fine, &[], now());
    assert_eq!(standing(&work, now()).state, StandingState::Cooling);
    learn(&mut work, &Verdict::Fine, &[], in_minutes(1));
    assert_eq!(work.account.bench, None, "a success after it ends the streak");
}

#[test]
fn a_spent_window_opens_again_when_a_reply_says_so() {
    let mut work = account(1);
    learn(&mut work, &spent("5h", Some(in_minutes(30))), &[], now());
    assert_eq!(standing(&work, now()).state, StandingState::Cooling);
    learn(&mut work, &Verdict::Fine, &[window("5h", 0.0, false, 300)], in_minutes(1));
    assert_eq!(standing(&work, in_minutes(1)).state, StandingState::Ready);
}

#[test]
fn a_spent_quota_without_a_reset_is_tried_again_after_pauses_that_grow_and_end() {
    let mut work = account(1);
    let mut at = now();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        learn(&mut work, &spent("credit", None), &[], at);
        let pause = rest(&work, at).unwrap();
        let again = standing(&work, at).until.unwrap();
        // A refusal that was on its way is the same piece of news.
        assert!(!learn(&mut work, &spent("credit", None), &[], at).windows);
        assert_eq!(standing(&work, at).until, Some(again));
        assert_eq!(standing(&work, again).state, StandingState::Ready, "nobody is benched for ever");
        pauses.push(pause);
        at = again;
    }
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert!((4..=5).contains(&pauses[0]) && (72..=88).contains(&pauses[7]), "{pauses:?}");
    assert!(learn(&mut work, &Verdict::Fine, &[], at).windows, "a success opens it");
    learn(&mut work, &spent("credit", None), &[], at);
    assert!(rest(&work, at).unwrap() <= 5, "and ends the streak");
}

#[test]
fn full_with_an_unknown_reset_keeps_out_for_a_while_alone() {
    let told = [Window { resets_at: None, ..window("5h", 1.0, true, 0) }];
    let mut work = account(1);
    learn(&mut work, &Verdict::Fine, &told, now());
    assert!((4..=5).contains(&rest(&work, now()).unwrap()));
    learn(&mut work, &Verdict::Fine, &told, in_minutes(1));
    assert!(rest(&work, in_minutes(1)).unwrap() <= 4, "told again it does not begin anew");
    assert_eq!(rest(&work, in_minutes(6)), None);
    let past = [Window { resets_at: Some(in_minutes(-1)), ..told[0].clone() }];
    learn(&mut work, &Verdict::Fine, &past, in_minutes(6));
    assert!(
        (4..=5).contains(&rest(&work, in_minutes(6)).unwrap()),
        "a reset in the past is none, and it served"
    );
}

#[test]
fn a_window_of_one_family_keeps_out_that_family_alone_and_a_success_of_another_does_not_open_it() {
    let mut work = account(1);
    let (opus, sonnet) = (Some(Family::Opus).into(), Some(Family::Sonnet).into());
    learn_for(&mut work, opus, &spent("7d_opus", None), &[], now());
    let state = |work: &Contender, need: Need, now| standing_for(work, need, now).state;
    assert_eq!(state(&work, opus, now()), StandingState::Cooling);
    assert_eq!(state(&work, sonnet, now()), StandingState::Ready);
    learn_for(&mut work, sonnet, &Verdict::Fine, &[], in_minutes(6));
    assert!(health::is_on_probation(&work, opus, in_minutes(6)));
    assert!(!health::is_on_probation(&work, sonnet, in_minutes(6)));
    learn_for(&mut work, opus, &Verdict::Fine, &[], in_minutes(6));
    assert!(!health::is_on_probation(&work, opus, in_minutes(6)));
}

#[test]
fn a_window_of_one_endpoint_never_keeps_out_another() {
    let counts = Need { family: None, endpoint: Endpoint::Counts };
    let of_counts =
        Window { limits: Some(Endpoint::Counts), ..window("count_tokens-requests", 1.0, true, 60) };
    let work = account(1).with(of_counts);
    assert_eq!(standing_for(&work, None, now()).state, StandingState::Ready);
    assert_eq!(standing_for(&work, counts, now()).state, StandingState::Cooling);
    let work = account(1).with(window("5h", 1.0, true, 60));
    assert_eq!(standing_for(&work, None, now()).state, StandingState::Cooling);
    assert_eq!(
        standing_for(&work, counts, now()).state,
        StandingState::Ready,
        "counts are not spent with it"
    );
}

#[test]
fn windows_told_again_unchanged_are_not_written_again() {
    let mut work = account(1);
    let told = [window("5h", 0.5, false, 60)];
    assert!(learn(&mut work, &Verdict::Fine, &told, now()).windows);
    assert_eq!(learn(&mut work, &Verdict::Fine, &told, now()), Learned::default());
    let later = learn(&mut work, &Verdict::Fine, &told, in_minutes(2));
    assert_eq!(later, Learned { age: true, ..Learned::default() }, "but how old they are is known");
    assert_eq!(work.windows[0].learned_at, in_minutes(2));
}

#[test]
fn a_reset_that_trembles_is_no_new_window() {
    let mut work = account(1);
    let told = |seconds: i64| {
        let reset = in_minutes(60) + SignedDuration::from_secs(seconds);
        [Window { resets_at: Some(reset), ..window("5h", 0.5, false, 0) }]
    };
    learn(&mut work, &Verdict::Fine, &told(0), now());
    for seconds in [1, -2, 59, -59, 0] {
        assert_eq!(learn(&mut work, &Verdict::Fine, &told(seconds), now()), Learned::default(), "{seconds}");
        let used = [Window { utilization: Some(0.6), ..told(seconds)[0].clone() }];
        learn(&mut work, &Verdict::Fine, &used, now());
        assert_eq!(work.windows[0].resets_at, Some(in_minutes(60)), "what was told first stays");
        learn(&mut work, &Verdict::Fine, &told(0), now());
    }
    assert!(learn(&mut work, &Verdict::Fine, &told(60), now()).windows);
    assert_eq!(work.windows[0].resets_at, Some(in_minutes(61)), "a minute later it is another one");
}

#[test]
fn a_reset_that_is_left_out_once_is_still_known() {
    let mut work = account(1);
    learn(&mut work, &Verdict::Fine, &[window("5h", 0.5, false, 60)], now());
    let told = [Window { resets_at: None, ..window("5h", 1.0, true, 0) }];
    learn(&mut work, &spent("5h", None), &told, now());
    assert_eq!(standing(&work, now()).until, Some(in_minutes(60)));
}

#[test]
fn a_buckets_every_reading_is_news() {
    let bucket = |seconds: i64| {
        let full_at = Some(now() + SignedDuration::from_secs(seconds));
        [Window { refills: true, resets_at: full_at, ..window("requests", 0.5, false, 0) }]
    };
    let mut work = account(1);
    learn(&mut work, &Verdict::Fine, &bucket(30), now());
    assert!(learn(&mut work, &Verdict::Fine, &bucket(45), now()).windows);
    assert_eq!(work.windows[0].resets_at, bucket(45)[0].resets_at);
}

#[test]
fn pauses_of_our_own_choice_grow_with_the_streak_and_one_storm_of_refusals_is_one() {
    let mut work = account(1);
    for _ in 0..10 {
        learn(&mut work, &DISABLED, &[], now());
    }
    assert!((54..=66).contains(&rest(&work, now()).unwrap()), "ten that were under way are one refusal");
    let again = work.account.bench.as_ref().unwrap().until;
    learn(&mut work, &DISABLED, &[], again);
    assert!((108..=132).contains(&rest(&work, again).unwrap()));
    assert_eq!(work.account.bench.as_ref().unwrap().streak, 2);
    let again = work.account.bench.as_ref().unwrap().until;
    learn(&mut work, &Verdict::Fine, &[], again);
    learn(&mut work, &DISABLED, &[], again);
    assert_eq!(work.account.bench.as_ref().unwrap().streak, 1, "a success ends it");
}

#[test]
fn a_rest_for_another_reason_neither_grows_nor_shortens_one() {
    let mut work = account(1);
    learn(&mut work, &throttled(600), &[], now());
    learn(&mut work, &DISABLED, &[], now());
    assert_eq!(rest(&work, now()), Some(600), "retry-after is believed");
    let bench = work.account.bench.as_ref().unwrap();
    assert_eq!((&*bench.reason, bench.streak), ("its organisation is disabled", 1));
}

#[test]
fn a_refused_credential_is_tried_again_after_a_while_and_people_see_it_refused_until_it_works() {
    let mut work = account(1);
    learn(&mut work, &Verdict::CredentialRefused, &[], now());
    let seen = |work: &Contender, minutes| {
        let now = in_minutes(minutes);
        (standing_for(work, None, now).state, standing(work, now).state)
    };
    let refused = StandingState::NeedsSignIn;
    assert_eq!(seen(&work, 0), (refused, refused));
    assert_eq!(standing(&work, now()).until, None, "a person may wait for ever");
    assert_eq!(seen(&work, 17), (StandingState::Ready, refused));
    assert!(health::is_on_probation(&work, Need::default(), in_minutes(17)));
    learn(&mut work, &Verdict::CredentialRefused, &[], in_minutes(17));
    assert_eq!(seen(&work, 17 + 26), (refused, refused), "longer this time");
    assert_eq!(seen(&work, 17 + 34), (StandingState::Ready, refused));
    learn(&mut work, &Verdict::Fine, &[], in_minutes(17 + 34));
    assert_eq!(seen(&work, 17 + 34), (StandingState::Ready, StandingState::Ready));
}

#[test]
fn a_key_that_is_not_there_is_not_tried() {
    let mut work = account(1);
    work.account.refused = Some("its key is not in the vault".into());
    assert_eq!(standing_for(&work, None, in_minutes(10_000)).state, StandingState::NeedsSignIn);
}

#[test]
fn the_weather_and_a_requests_own_fault_leave_no_mark() {
    for verdict in [
        Verdict::Weather,
        Verdict::RequestFault,
        Verdict::OwnLimit,
        Verdict::Forbidden,
        Verdict::ModelMissing,
        Verdict::ContextTooLong,
    ] {
        let mut work = account(1);
        assert_eq!(learn(&mut work, &verdict, &[], now()), Learned::default(), "{verdict:?}");
        assert_eq!(work.account, account(1).account);
    }
}

#[test]
fn without_a_verdict_only_the_windows_are_learned() {
    let mut work = account(1);
    work.account.refused = Some("the upstream no longer accepts its key".into());
    let windows = [window("5h", 0.4, false, 60)];
    let lesson = Lesson { verdict: None, windows: &windows, need: Need::default() };
    assert!(is_news(&work, &lesson, now()));
    let learned = settle(&mut work, &lesson, now());
    assert_eq!(learned, Learned { windows: true, ..Learned::default() });
    assert_eq!(work.windows, windows);
    assert!(work.account.refused.is_some(), "a success would have taken the refusal back");
}

#[test]
fn a_bench_that_a_clock_imposed_which_ran_a_day_ahead_is_over() {
    let mut work = account(1);
    let tomorrow = in_minutes(24 * 60);
    learn(&mut work, &throttled(30), &[], tomorrow);
    learn(&mut work, &spent("credit", None), &[], tomorrow);
    learn(&mut work, &Verdict::Fine, &[window("7d", 1.0, true, 3000)], tomorrow);
    assert_eq!(standing(&work, tomorrow).state, StandingState::Cooling);
    assert_eq!(standing(&work, now()), crate::domain::Standing::READY, "the clock is right again");
    assert!(health::is_on_probation(&work, Need::default(), now()), "but one goes ahead");
    let told = [window("7d", 0.5, false, 3000)];
    assert!(learn(&mut work, &Verdict::Fine, &told, now()).windows);
    assert_eq!(work.windows.iter().find(|window| &*window.name.0 == "7d").unwrap().learned_at, now());
}

#[test]
fn a_full_list_of_windows_lets_the_oldest_go() {
    let mut work = account(1);
    for n in 0..200 {
        learn(&mut work, &Verdict::Fine, &[window(&format!("w{n}"), 0.1, false, 60)], in_minutes(n));
    }
    assert_eq!(work.windows.len(), MAX_WINDOWS);
    learn(&mut work, &spent("5h", Some(in_minutes(500))), &[], in_minutes(200));
    assert_eq!(standing(&work, in_minutes(200)).state, StandingState::Cooling, "what matters is kept");
}

#[test]
fn who_resumes_an_account_has_it_tried_at_once_until_its_upstream_says_again_that_a_window_is_spent() {
    let mut work = account(1);
    learn(&mut work, &spent("credit", None), &[], now());
    assert!(reopen(&mut work) && !reopen(&mut work));
    assert_eq!(standing(&work, now()).state, StandingState::Ready);
    learn(&mut work, &spent("5h", Some(in_minutes(30))), &[], now());
    assert!(reopen(&mut work));
    assert_eq!(standing(&work, now()).state, StandingState::Ready);
    assert!(learn(&mut work, &spent("5h", Some(in_minutes(30))), &[], now()).windows, "it is news again");
    assert_eq!(standing(&work, now()).state, StandingState::Cooling);
}

#[test]
fn the_first_success_after_a_long_rest_is_a_comeback_and_the_next_one_is_not() {
    let mut work = account(1);
    learn(&mut work, &throttled(10), &[], now());
    assert!(!learn(&mut work, &Verdict::Fine, &[], in_minutes(1)).comeback);
    assert!(learn(&mut work, &Verdict::Fine, &[], in_minutes(10)).comeback);
    assert!(!learn(&mut work, &Verdict::Fine, &[], in_minutes(10)).comeback);
    learn(&mut work, &throttled(1), &[], now());
    assert!(!learn(&mut work, &Verdict::Fine, &[], in_minutes(2)).comeback, "that was a moment");
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    let pause = (0u64..3_000_000).prop_map(Duration::from_secs);
    prop_oneof![
        Just(Verdict::Fine),
        proptest::option::of(pause.clone()).prop_map(|retry_after| Verdict::Throttled { retry_after }),
        (proptest::sample::select(vec!["5h", "7d_opus", "credit"]), proptest::option::of(-5000i64..5000))
            .prop_map(|(name, minutes)| spent(name, minutes.map(in_minutes))),
        Just(Verdict::CredentialRefused),
        Just(DISABLED),
        Just(Verdict::Weather),
        (0i64..5).prop_map(|minutes| Verdict::ExtraUsageSpent {
            window: WindowName("extra-usage_opus".into()),
            until: in_minutes(minutes)
        }),
    ]
}

fn any_window() -> impl Strategy<Value = Window> {
    let name = proptest::sample::select(vec!["5h", "7d", "7d_opus", "requests", "moon"]);
    (
        name,
        proptest::option::of(0.0f64..1.3),
        proptest::option::of(-6000i64..6000),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(name, utilization, reset, spent, refills)| Window {
            utilization,
            resets_at: reset.map(in_minutes),
            refills,
            ..window(name, 0.0, spent, 0)
        })
}

proptest! {
    /// Whatever is said, and wherever the clock jumps.
    #[test]
    fn nobody_is_benched_for_ever_and_a_pause_is_nobodys_but_its_owners(
        steps in proptest::collection::vec((any_verdict(), proptest::collection::vec(any_window(), 0..4), -3000i64..3000), 1..30),
        is_paused: bool,
    ) {
        let mut work = account(1);
        let pause = Pause { reason: "on holiday".into(), by: PausedBy::User, at: now() };
        work.account.pause = is_paused.then(|| pause.clone());
        for (verdict, windows, minutes) in &steps {
            learn(&mut work, verdict, windows, in_minutes(*minutes));
            prop_assert_eq!(&work.account.pause, &is_paused.then(|| pause.clone()), "only a person touches it");
            prop_assert!(work.windows.len() <= MAX_WINDOWS);
        }
        work.account.pause = None;
        let last = in_minutes(60_000);
        prop_assert_eq!(standing_for(&work, Some(Family::Opus), last).state, StandingState::Ready);
        prop_assert_eq!(standing_for(&work, None, last).state, StandingState::Ready);
        learn_for(&mut work, Some(Family::Opus).into(), &Verdict::Fine, &[], last);
        prop_assert!(!health::is_on_probation(&work, Some(Family::Opus).into(), last), "a success ends probation");
    }

    #[test]
    fn settling_the_same_twice_at_once_changes_nothing_more(
        verdict in any_verdict(), windows in proptest::collection::vec(any_window(), 0..4),
    ) {
        let windows: Vec<Window> = windows.into_iter().enumerate()
            .map(|(n, window)| Window { name: WindowName(format!("w{n}").into()), ..window }).collect();
        let mut work = account(1);
        learn(&mut work, &verdict, &windows, now());
        let once = (work.account.clone(), work.windows.clone());
        let learned = learn(&mut work, &verdict, &windows, now());
        prop_assert_eq!((work.account.clone(), work.windows.clone()), once);
        prop_assert!(!learned.health && !learned.windows, "{:?}", learned);
    }
}
