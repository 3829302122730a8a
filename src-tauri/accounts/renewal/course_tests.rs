//! The course of renewals, rule by rule.

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Given at 1,000, over at 4,600, and renewed from 4,240 on.
const LIFE: fn() -> Life = || Life { from: at(1000), to: Some(at(4600)), is_renewable: true };
const DUE: i64 = 4240;

fn after(ended: &Ended, now: i64) -> Course {
    let mut course = Course::default();
    course.begins();
    course.ends(ended, LIFE().from, 0, at(now));
    course.lands();
    course
}

fn wants(course: &Course, want: Want, now: i64) -> Answer {
    course.wants(want, LIFE(), 0, at(now))
}

fn weather() -> Ended {
    Ended::Weather("it was out of reach".into())
}

#[test]
fn it_is_renewed_when_its_time_has_come_and_not_before() {
    let course = Course::default();
    assert_eq!(wants(&course, Want::Time, DUE - 1), Answer::NotYet);
    assert_eq!(wants(&course, Want::Time, DUE), Answer::Begin(Act::Ask));
    assert_eq!(wants(&course, Want::Time, 9_000_000), Answer::Begin(Act::Ask), "however late");
}

#[test]
fn whoever_comes_while_one_is_under_way_joins_it() {
    let mut course = Course::default();
    course.begins();
    for want in [Want::Time, Want::Refusal, Want::Person] {
        assert_eq!(wants(&course, want, DUE), Answer::Join);
    }
    assert_eq!(course.due(LIFE(), 0, at(DUE)), None, "and time waits for its end");
}

#[test]
fn weather_rests_it_and_never_needs_a_person() {
    let course = after(&weather(), DUE);
    for want in [Want::Time, Want::Refusal] {
        assert!(matches!(wants(&course, want, DUE + 1), Answer::Rests(..)), "{want:?}");
    }
    assert_eq!(wants(&course, Want::Person, DUE + 1), Answer::Begin(Act::Ask), "a person need not wait");
    let again = course.due(LIFE(), 0, at(DUE)).unwrap();
    assert_eq!(again, at(DUE + 9), "ten seconds, a tenth less by chance");
    assert_eq!(course.wants(Want::Time, LIFE(), 0, again), Answer::Begin(Act::Ask));
}

#[test]
fn a_pause_from_before_the_clock_was_set_back_is_over() {
    let course = after(&weather(), DUE);
    assert_eq!(wants(&course, Want::Refusal, DUE - 3600), Answer::Begin(Act::Ask));
}

#[test]
fn a_sign_in_or_a_client_that_was_refused_is_shown_again_by_a_person_alone() {
    for mending in [Mending::SignIn, Mending::Client] {
        let course = after(&Ended::Needs(mending, "it was refused".into()), DUE);
        for want in [Want::Time, Want::Refusal] {
            assert_eq!(
                wants(&course, want, 9_000_000),
                Answer::Needs("it was refused".into()),
                "{mending:?}"
            );
        }
        assert_eq!(course.due(LIFE(), 0, at(9_000_000)), None);
        assert_eq!(wants(&course, Want::Person, DUE), Answer::Begin(Act::Ask), "{mending:?}");
    }
}

#[test]
fn an_account_that_is_resumed_has_its_sign_in_asked_for_once_more() {
    for ended in [Ended::Needs(Mending::SignIn, "it was refused".into()), weather()] {
        let mut course = after(&ended, DUE);
        course.is_resumed();
        assert_eq!(course.due(LIFE(), 0, at(DUE + 1)), Some(at(DUE)), "at once, for its time has come");
        assert_eq!(wants(&course, Want::Refusal, DUE + 1), Answer::Begin(Act::Ask));
        course.begins();
        course.ends(&Ended::Needs(Mending::SignIn, "refused again".into()), LIFE().from, 0, at(DUE + 1));
        course.lands();
        assert_eq!(
            wants(&course, Want::Refusal, DUE + 2),
            Answer::Needs("refused again".into()),
            "and no more"
        );
    }
    let mut early = after(&Ended::Needs(Mending::SignIn, "it was refused".into()), 2000);
    early.is_resumed();
    assert_eq!(early.due(LIFE(), 0, at(2000)), Some(at(DUE)), "its token is good until then");
}

#[test]
fn what_the_vault_did_not_take_is_kept_before_anybody_is_asked_again() {
    let mut course = Course::default();
    course.begins();
    course.brings();
    course.ends(&Ended::Unkept("the keychain is locked".into()), LIFE().from, 0, at(DUE));
    course.lands();
    assert!(matches!(wants(&course, Want::Refusal, DUE), Answer::Rests(..)));
    assert_eq!(wants(&course, Want::Person, DUE), Answer::Begin(Act::Keep));
    assert_eq!(wants(&course, Want::Time, DUE + 9), Answer::Begin(Act::Keep));
    course.ends(&Ended::Renewed, LIFE().from, 0, at(DUE + 9));
    assert_eq!(course, Course::default());
}

#[test]
fn one_that_broke_off_after_the_tokens_came_has_not_lost_them() {
    let mut course = Course::default();
    course.begins();
    course.brings();
    course.ends(&weather(), LIFE().from, 0, at(DUE));
    course.lands();
    assert_eq!(wants(&course, Want::Person, DUE), Answer::Begin(Act::Keep));
}

#[test]
fn a_token_that_was_refused_at_once_is_not_exchanged_for_the_next() {
    assert_eq!(wants(&Course::default(), Want::Refusal, 1005), Answer::Young);
    assert_eq!(wants(&Course::default(), Want::Person, 1005), Answer::Begin(Act::Ask));
    assert_eq!(wants(&Course::default(), Want::Refusal, 1010), Answer::Begin(Act::Ask));
}

#[test]
fn tokens_that_nothing_can_renew_end_once() {
    let life = Life { is_renewable: false, ..LIFE() };
    let course = Course::default();
    assert_eq!(course.due(life, 0, at(2000)), Some(at(4600)));
    assert_eq!(course.wants(Want::Time, life, 0, at(4599)), Answer::Nothing);
    assert_eq!(course.wants(Want::Refusal, life, 0, at(4600)), Answer::Nothing);
    assert_eq!(course.wants(Want::Time, life, 0, at(4600)), Answer::Begin(Act::End));
    let ended = after(&Ended::Needs(Mending::SignIn, "it has ended".into()), 4600);
    assert_eq!(ended.due(life, 0, at(5000)), None, "and nothing wakes up for it again");
}

#[test]
fn what_is_known_from_before_a_restart_is_of_those_tokens_alone() {
    let trouble = after(&weather(), DUE).trouble;
    assert!(Course::of(LIFE(), trouble.clone()).trouble.is_some());
    let others = Life { from: at(1001), ..LIFE() };
    assert_eq!(Course::of(others, trouble), Course::default());
}

#[test]
fn the_code_alone_tells_what_a_failure_amounts_to() {
    let refused =
        |code: &str| Ended::by(&Failure::Refused { host: "id.example.com".into(), code: code.into() });
    for code in ["invalid_grant", "refresh_token_reused"] {
        assert!(matches!(refused(code), Ended::Needs(Mending::SignIn, _)), "{code}");
    }
    for code in ["invalid_client", "unauthorized_client"] {
        assert!(matches!(refused(code), Ended::Needs(Mending::Client, _)), "{code}");
    }
    for code in
        ["temporarily_unavailable", "server_error", "slow_down", "an unknown error", "invalid_request"]
    {
        assert!(matches!(refused(code), Ended::Weather(_)), "{code}");
    }
    assert!(matches!(Ended::by(&Failure::Odd { host: "invalid_grant".into() }), Ended::Weather(_)));
}
