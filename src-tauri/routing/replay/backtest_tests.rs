//! What was recorded comes out again, and what is other makes the difference that it would make.

use std::time::Duration;

use super::*;
use crate::{
    domain::{Budget, Caps, Ending, Guards, Recorded, Usage, WindowName},
    routing::{
        pick::tests::{account, in_minutes, login_account},
        replay::{Score, measure},
    },
};

/// An answer of one account: it read so many tokens from the cache and wrote so many.
fn served(minute: i64, by: i64, session: &str, read: u64, written: u64) -> Recorded {
    Recorded {
        at: in_minutes(minute),
        model: Some("claude-opus-5".into()),
        session: (!session.is_empty()).then(|| session.into()),
        agent: None,
        role: None,
        agent_type: None,
        project: None,
        key: None,
        bytes: 4_000,
        ending: Ending::Complete,
        status: Some(200),
        account: Some(AccountId(by)),
        usage: Usage {
            input: Some(100),
            output: Some(200),
            cache_read: Some(read),
            cache_write: Some(written),
            ..Usage::default()
        },
        cost: None,
        duration: Some(Duration::from_secs(10)),
        waited: Some(Duration::from_millis(1)),
        limited: Vec::new(),
        decided: true,
    }
}

fn refused(minute: i64, decided: bool) -> Recorded {
    Recorded {
        ending: Ending::Refused,
        status: Some(429),
        account: None,
        usage: Usage::default(),
        waited: None,
        decided,
        ..served(minute, 1, "", 0, 0)
    }
}

fn player(id: i64) -> Player {
    let contender = account(id).with_priority(i32::try_from(id).unwrap());
    Player { contender, limits: Vec::new(), is_paid_by_use: true }
}

fn limited(id: i64, capacity: f64) -> Player {
    let limit = Limit {
        name: WindowName("5h".into()),
        length: Duration::from_hours(5),
        capacity,
        anchor: None,
        open: None,
    };
    Player { limits: vec![limit], is_paid_by_use: false, ..player(id) }
}

/// Everything from minute 0 on is played.
fn backtest(rows: Vec<Recorded>, players: Vec<Player>) -> Backtest {
    Backtest {
        past: Past::new(rows, in_minutes(0)),
        players,
        plan: Plan::default(),
        patience: Duration::ZERO,
        ration: Ration::default(),
        terms: HashMap::new(),
        prices: Arc::new(|model| (model == "claude-opus-5").then_some(5_000)),
        cache_prices: Box::new(|_| None),
    }
    .with_open_windows()
}

fn play(backtest: &Backtest, alternative: &Alternative) -> Score {
    backtest.play(alternative, || true).unwrap()
}

fn served_by(score: &Score) -> Vec<(i64, u64)> {
    score.accounts.iter().map(|one| (one.account.0, one.served)).collect()
}

#[test]
fn a_conversation_weighs_in_a_play_what_it_weighed_in_fact() {
    // It begins with what others have in the cache too, grows, and goes cold over lunch.
    let rows = vec![
        served(0, 1, "a", 18_000, 2_000),
        served(1, 1, "a", 20_000, 3_000),
        served(2, 1, "a", 23_000, 1_000),
        served(60, 1, "a", 18_000, 7_000),
        served(61, 1, "", 500, 100),
    ];
    let backtest = backtest(rows, vec![player(1), player(2)]);
    let (fact, played) = (backtest.past.score(|_| Some(true)), play(&backtest, &Alternative::default()));
    assert_eq!(served_by(&fact), [(1, 5)]);
    assert_eq!(served_by(&played), [(1, 5), (2, 0)]);
    assert!((fact.accounts[0].weight - played.accounts[0].weight).abs() < 1e-6, "{fact:?}\n{played:?}");
    assert_eq!((fact.cold_tokens, played.cold_tokens), (6_000, 6_000), "24,000 were there, 18,000 were read");
    assert_eq!((fact.switches, played.switches), (0, 0));
    // 500 plain, 79,500 read, 13,100 written and 1,000 of output, at list price. Each is rounded to the micro-dollar.
    let cost = (500.0 + 79_500.0 * 0.1 + 13_100.0 * 1.25 + 1_000.0 * 5.0) * 5e-6;
    assert!((played.cost - cost).abs() < 1e-5, "{} and {cost}", played.cost);
    assert_eq!(fact.unpriced, 5, "no cost was written down");
}

#[test]
fn a_conversation_that_had_begun_before_is_neither_new_nor_cold() {
    let rows = vec![served(-3, 2, "a", 0, 100_000), served(0, 2, "a", 100_000, 1_000)];
    let backtest = backtest(rows, vec![player(1), player(2)]);
    let played = play(&backtest, &Alternative::default());
    assert_eq!(served_by(&played), [(1, 0), (2, 1)], "it stays where it is cached, whoever comes first");
    assert!((played.accounts[1].weight - (100.0 + 10_000.0 + 1_250.0 + 1_000.0)).abs() < 1e-6, "{played:?}");
    assert_eq!((played.switches, played.cold_tokens), (0, 0));
}

#[test]
fn a_limit_is_hit_where_it_was_hit_in_fact() {
    let mut rows: Vec<_> = (0..4).map(|minute| served(minute, 1, "", 0, 1_000)).collect();
    rows.push(Recorded { limited: vec![AccountId(1)], ..served(4, 2, "", 0, 1_000) });
    rows.push(served(5, 2, "", 0, 1_000));
    let past = Past::new(rows.clone(), in_minutes(0));
    let window = crate::routing::pick::tests::window("5h", 1.0, true, 300);
    let window = crate::domain::Window { learned_at: in_minutes(4), ..window };
    let holds = measure(&window, past.uses(AccountId(1)), in_minutes(-1)).unwrap();
    let backtest = backtest(rows, vec![limited(1, holds), player(2)]);
    let (fact, played) = (backtest.past.score(|_| Some(false)), play(&backtest, &Alternative::default()));
    assert_eq!(served_by(&played), [(1, 4), (2, 2)]);
    assert_eq!((served_by(&fact), fact.limits_hit), (served_by(&played), played.limits_hit));
}

#[test]
fn what_was_used_of_a_window_before_is_used_when_the_play_begins() {
    let each = 100.0 + 1_250.0 + 1_000.0;
    let rows: Vec<_> =
        [-90, -80, -70, 0, 1, 2].into_iter().map(|minute| served(minute, 1, "", 0, 1_000)).collect();
    let backtest = backtest(rows, vec![limited(1, 5.0 * each), player(2)]);
    let played = play(&backtest, &Alternative::default());
    assert_eq!(served_by(&played), [(1, 2), (2, 1)]);
    assert!((played.accounts[0].limits[0].used - 5.0 * each).abs() < 1e-6, "{played:?}");
}

#[test]
fn what_is_paid_by_use_comes_last_in_a_play_as_it_does_in_fact() {
    let rows: Vec<_> = (0..4).map(|minute| served(10 * minute, 1, "", 0, 1_000)).collect();
    let window = crate::routing::pick::tests::window;
    // One states a bucket, and the other a week of which nobody knows what it holds.
    let mut by_use = player(1);
    let bucket = Window { refills: true, ..window("requests", 1.0, true, 1) };
    by_use.contender = by_use.contender.with(bucket);
    let mut plan = player(2);
    plan.contender = plan.contender.with(window("7d", 1.0, true, 600));
    let backtest = backtest(rows, vec![by_use, plan]);
    let soonest = Alternative { policies: vec![(None, Policy::SoonestReset)], ..Alternative::default() };
    assert_eq!(served_by(&play(&backtest, &soonest)), [(1, 0), (2, 4)]);
    let as_it_is = served_by(&play(&backtest, &Alternative::default()));
    assert_eq!(as_it_is, [(1, 4), (2, 0)], "what is spent now was not then");
}

#[test]
fn another_plan_makes_the_difference_that_it_would_make() {
    let rows: Vec<_> = (0..6).map(|minute| served(10 * minute, 1, "", 0, 1_000)).collect();
    let each = 100.0 + 1_250.0 + 1_000.0;
    let backtest = backtest(rows, vec![limited(1, 4.0 * each), limited(2, 4.0 * each)]);
    let wanted = |alternative: Alternative| {
        let score = play(&backtest, &alternative);
        (served_by(&score), score.refused, score.limits_hit)
    };
    let as_it_is = Alternative::default();
    let (one, two) = (AccountId(1), AccountId(2));
    assert_eq!(wanted(as_it_is.clone()), (vec![(1, 4), (2, 2)], 0, 1));
    let other_order = Alternative { priorities: vec![(two, 0)], ..as_it_is.clone() };
    assert_eq!(wanted(other_order), (vec![(1, 2), (2, 4)], 0, 1));
    let alone = Alternative { without: vec![two], ..as_it_is.clone() };
    assert_eq!(wanted(alone), (vec![(1, 4)], 2, 1));
    let turns = Alternative { policies: vec![(None, Policy::RoundRobin)], ..as_it_is.clone() };
    assert_eq!(wanted(turns), (vec![(1, 3), (2, 3)], 0, 0));
    let of_another_pool =
        Alternative { policies: vec![(Some(PoolId(9)), Policy::RoundRobin)], ..as_it_is.clone() };
    assert_eq!(wanted(of_another_pool), wanted(as_it_is.clone()));
    let nobody = Alternative { without: vec![one, two], ..as_it_is };
    assert_eq!(wanted(nobody), (Vec::new(), 6, 0));
}

#[test]
fn a_request_that_was_refused_is_played_as_if_it_were_like_the_others() {
    let at_fault = Recorded { ending: Ending::UpstreamError, status: Some(400), ..served(3, 1, "", 0, 0) };
    let rows = vec![served(0, 1, "", 0, 700), refused(1, true), refused(2, false), at_fault];
    let backtest = backtest(rows, vec![player(1)]);
    assert_eq!((backtest.past.playable().count(), backtest.past.guessed()), (2, 1));
    let fact = backtest.past.score(|_| Some(true));
    assert_eq!((fact.asks, fact.served, fact.refused), (2, 1, 1));
    let played = play(&backtest, &Alternative::default());
    assert_eq!((played.served, played.refused), (2, 0));
    // As many tokens for its bytes, none of them cached.
    assert!(
        (played.accounts[0].weight - (100.0 + 875.0 + 1_000.0 + 800.0 + 1_000.0)).abs() < 1e-6,
        "{played:?}"
    );
    let nothing_told = Past::new(vec![refused(0, true)], in_minutes(0));
    assert_eq!(nothing_told.playable().count(), 0, "no size is made up");
}

#[test]
fn a_cap_holds_in_virtual_time_and_ends_with_its_day() {
    // Noon to midnight is 720 minutes. Each is 1,300 tokens.
    let rows: Vec<_> = [0, 10, 20, 730].into_iter().map(|minute| served(minute, 1, "", 0, 1_000)).collect();
    let mut one = player(1);
    let day = Budget { tokens: Some(2_000), money: None };
    let caps = Caps { day, ..Caps::default() };
    one.contender.account.guards = Some(Arc::new(Guards { caps, ..Guards::default() }));
    let backtest = backtest(rows, vec![one, player(2)]);
    assert_eq!(served_by(&play(&backtest, &Alternative::default())), [(1, 3), (2, 1)]);
}

#[test]
fn a_request_that_came_with_a_sign_in_does_not_go_on_to_what_costs_money() {
    let mine = Player { contender: login_account(1), ..limited(1, 3_000.0) };
    let rows = vec![
        served(0, 1, "a", 0, 1_000),
        served(1, 1, "a", 1_000, 0),
        served(2, 1, "a", 1_000, 0),
        Recorded { session: Some("a".into()), ..refused(3, true) },
        served(4, 2, "b", 0, 1_000),
        // Nobody has said that this one came with a sign-in.
        Recorded { session: None, ..refused(5, true) },
    ];
    let backtest = backtest(rows, vec![mine, player(2)]);
    let played = play(&backtest, &Alternative::default());
    assert_eq!((served_by(&played), played.refused), (vec![(1, 2), (2, 2)], 2));
}

#[test]
fn who_leaves_waits_for_no_play_and_nothing_that_serves_is_touched() {
    let rows: Vec<_> = (0..200).map(|minute| served(minute, 1, "a", 0, 1_000)).collect();
    let backtest = backtest(rows, vec![player(1)]);
    let looks = std::cell::Cell::new(0);
    let twice = || {
        looks.set(looks.get() + 1);
        looks.get() < 2
    };
    assert_eq!(backtest.play(&Alternative::default(), twice), None);
    assert_eq!(looks.get(), 2, "it looks now and then, and stops at once");
    play(&backtest, &Alternative::default());
    let load = &backtest.players[0].contender.load;
    assert_eq!((load.count(), load.bound(), load.turn()), (0, 0, 0));
}

#[test]
fn absurd_records_are_no_panic() {
    let mut much = served(0, 1, "a", u64::MAX, u64::MAX);
    much.usage.cache_write_1h = Some(u64::MAX);
    much.usage.input = Some(u64::MAX);
    much.duration = Some(Duration::MAX);
    let none =
        Recorded { bytes: 0, usage: Usage { input: Some(0), ..Usage::default() }, ..served(1, 1, "a", 0, 0) };
    let late = Recorded { at: Timestamp::MAX, ..served(0, 1, "a", 1, 1) };
    let early = Recorded { at: Timestamp::MIN, ..served(0, 1, "a", 1, 1) };
    let backtest = backtest(vec![late, much, none, early], vec![limited(1, 1.0), player(2)]);
    let (fact, played) = (backtest.past.score(|_| None), play(&backtest, &Alternative::default()));
    assert_eq!((fact.asks, played.asks), (3, 3), "what came before the period is not played");
    assert_eq!(played.served + played.refused, 3);
}
