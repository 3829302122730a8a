//! What binds conversations to accounts, how long, and what is kept of it.

use super::*;
use crate::domain::Ask;
use crate::routing::{
    Contender, Decision, pick,
    pick::tests::{account, in_minutes, now},
};
use jiff::SignedDuration;

const OPUS: Option<Family> = Some(Family::Opus);

fn conversation(number: usize) -> Conversation {
    Conversation { session: format!("session {number}").into(), agent: None }
}

fn ask(number: usize) -> Ask {
    let session = Some(conversation(number).session);
    Ask { model: Some("claude-opus-5-5".into()), session, ..Ask::default() }
}

/// One request of a conversation, from the decision to the end of its answer.
fn turn(
    affinities: &Affinities,
    snapshot: &Snapshot,
    number: usize,
    tokens: u64,
    at: Timestamp,
) -> AccountId {
    let (ask, conversation) = (ask(number), conversation(number));
    let bound = affinities.of(&conversation, at);
    let Decision::Take(pick) = pick(&ask, snapshot, bound.as_ref(), &[], at) else { panic!("somebody can") };
    let id = pick.contender.account.id;
    affinities.served(&conversation, &pick, ask.family(), at);
    affinities.cached(&conversation, id, ask.family(), tokens, Some(Duration::from_mins(5)), at);
    id
}

fn snapshot(accounts: i64) -> Snapshot {
    Snapshot::of((1..=accounts).map(account))
}

#[test]
fn what_is_kept_for_an_hour_is_known_as_that_also_where_a_turn_only_reads_it() {
    let (affinities, snapshot) = (Affinities::default(), snapshot(1));
    let id = turn(&affinities, &snapshot, 1, 90_000, now());
    let cached = |lives, at| {
        affinities.cached(&conversation(1), id, OPUS, 90_000, lives, at);
        let bound = affinities.of(&conversation(1), at).unwrap();
        (bound.for_an_hour, bound.warm_until)
    };
    let at = in_minutes(1);
    assert_eq!(cached(None, at), (false, in_minutes(6)));
    assert_eq!(cached(Some(AFFINITY_LIVES), at), (true, in_minutes(61)));
    assert_eq!(cached(None, in_minutes(30)), (true, in_minutes(90)), "reading it renews it");
    assert_eq!(cached(Some(CACHE_LIVES), in_minutes(31)), (false, in_minutes(36)));
    assert!(Bound::lives_long(now(), in_minutes(60)) && !Bound::lives_long(now(), in_minutes(5)));
}

#[test]
fn a_conversation_goes_on_where_it_began_and_others_begin_elsewhere() {
    let (affinities, snapshot) = (Affinities::default(), snapshot(3));
    let began: Vec<_> = (0..6).map(|n| turn(&affinities, &snapshot, n, 20_000, now())).collect();
    for id in 1..=3 {
        assert_eq!(began.iter().filter(|account| account.0 == id).count(), 2, "{began:?}");
    }
    let went_on: Vec<_> = (0..6).map(|n| turn(&affinities, &snapshot, n, 25_000, in_minutes(1))).collect();
    assert_eq!(went_on, began);
    let bound = affinities.of(&conversation(0), in_minutes(1)).unwrap();
    assert_eq!((bound.prefix, bound.warm_until), (Some(25_000), in_minutes(6)));
}

#[test]
fn a_subagent_is_a_conversation_of_its_own() {
    let subagent = Ask { agent: Some("helper".into()), ..ask(1) };
    assert_ne!(ask(1).conversation(), subagent.conversation());
}

#[test]
fn nothing_is_bound_for_longer_than_an_hour_after_its_last_use() {
    let (affinities, snapshot) = (Affinities::default(), snapshot(1));
    turn(&affinities, &snapshot, 1, 1, now());
    assert!(affinities.of(&conversation(1), in_minutes(60)).is_some());
    assert!(affinities.of(&conversation(1), in_minutes(61)).is_none());
    assert!(
        affinities.of(&conversation(1), now() - SignedDuration::from_hours(24)).is_none(),
        "a clock that goes back a day finds nothing of tomorrow"
    );
    turn(&affinities, &snapshot, 2, 1, in_minutes(70));
    turn(&affinities, &snapshot, 3, 1, in_minutes(140));
    assert_eq!(affinities.len(), 1, "what is over makes room for what comes");
}

#[test]
fn there_are_never_more_than_the_most_and_the_oldest_makes_room() {
    let (affinities, snapshot) = (Affinities::new(100, AFFINITY_LIVES), snapshot(2));
    for number in 0..1_000 {
        turn(&affinities, &snapshot, number, 1, now());
        turn(&affinities, &snapshot, 0, 1, now());
    }
    assert_eq!(affinities.len(), 100);
    assert!(affinities.of(&conversation(0), now()).is_some(), "it is used all the time");
    assert!(affinities.of(&conversation(900), now()).is_none());
    let seats: u32 = snapshot.contenders.iter().map(|one| one.load.bound()).sum();
    assert_eq!(seats, 100, "who is forgotten leaves his seat");
}

#[test]
fn a_refuge_is_remembered_and_forgotten_when_the_conversation_is_home() {
    let affinities = Affinities::default();
    let resting = |minutes| {
        let mut first = account(1);
        let until = in_minutes(minutes);
        first.account.bench =
            Some(crate::domain::Bench { since: now(), until, reason: "asked".into(), streak: 1 });
        Snapshot::of([first, account(2), account(3)])
    };
    assert_eq!(turn(&affinities, &snapshot(1), 1, 90_000, now()), AccountId(1));
    assert_eq!(turn(&affinities, &resting(3), 1, 95_000, in_minutes(1)), AccountId(2));
    let bound = affinities.of(&conversation(1), in_minutes(1)).unwrap();
    assert_eq!(
        (bound.account, bound.refuge.map(|refuge| refuge.account)),
        (AccountId(1), Some(AccountId(2)))
    );
    assert_eq!(turn(&affinities, &resting(3), 1, 96_000, in_minutes(2)), AccountId(2));
    assert_eq!(turn(&affinities, &resting(3), 1, 97_000, in_minutes(4)), AccountId(1), "it is back");
    assert_eq!(affinities.of(&conversation(1), in_minutes(4)).unwrap().refuge, None);
}

#[test]
fn of_two_requests_that_begin_a_conversation_the_first_to_be_answered_binds_it() {
    let (affinities, snapshot) = (Affinities::default(), snapshot(2));
    let decide = || match pick(&ask(1), &snapshot, None, &[], now()) {
        Decision::Take(pick) => pick,
        Decision::Wait(wait) => panic!("{wait:?}"),
    };
    let first = decide();
    let _lease = first.contender.load.lease();
    let second = decide();
    assert_ne!(first.contender.account.id, second.contender.account.id);
    affinities.served(&conversation(1), &second, OPUS, now());
    affinities.served(&conversation(1), &first, OPUS, now());
    assert_eq!(affinities.of(&conversation(1), now()).unwrap().account, second.contender.account.id);
}

#[test]
fn what_is_asked_beside_with_another_model_leaves_the_conversations_cache_alone() {
    let (affinities, snapshot) = (Affinities::default(), snapshot(1));
    let id = turn(&affinities, &snapshot, 1, 90_000, now());
    let beside = |tokens| {
        affinities.cached(
            &conversation(1),
            id,
            Some(Family::Haiku),
            tokens,
            Some(AFFINITY_LIVES),
            in_minutes(1),
        );
        affinities.of(&conversation(1), in_minutes(1)).unwrap()
    };
    assert_eq!((beside(500).prefix, beside(500).family), (Some(90_000), OPUS));
    let longer = beside(100_000);
    assert_eq!(
        (longer.prefix, longer.family),
        (Some(100_000), Some(Family::Haiku)),
        "the user changed the model"
    );
}

#[test]
fn an_account_that_is_removed_is_bound_to_nothing() {
    let (affinities, snapshot) = (Affinities::default(), snapshot(2));
    let ids: Vec<_> = (0..2).map(|n| turn(&affinities, &snapshot, n, 1, now())).collect();
    affinities.forget(ids[0]);
    assert!(affinities.of(&conversation(0), now()).is_none());
    assert!(affinities.of(&conversation(1), now()).is_some());
}

#[test]
fn what_is_kept_survives_a_restart_as_far_as_it_still_counts() {
    let (affinities, before) = (Affinities::default(), snapshot(3));
    for number in 0..5 {
        turn(&affinities, &before, number, 1_000, in_minutes(i64::try_from(number).unwrap() * 20));
    }
    let rows = affinities.rows(in_minutes(80));
    assert_eq!(rows.len(), 4, "the first is older than an hour");
    let restored = Affinities::default();
    let without_the_third: Vec<Contender> = (1..=2).map(account).collect();
    let after = Snapshot::of(without_the_third);
    restored.restore(rows.clone(), &after, in_minutes(80));
    let kept: Vec<_> = rows.into_iter().filter(|(_, bound)| bound.account.0 <= 2).collect();
    assert_eq!(restored.rows(in_minutes(80)), kept);
    let seats: u32 = after.contenders.iter().map(|one| one.load.bound()).sum();
    assert_eq!(seats as usize, kept.len());
}

#[test]
fn a_binding_is_handed_out_to_be_kept_when_it_has_changed_and_not_with_each_request() {
    let affinities = Affinities::default();
    let snapshot = Snapshot::of([account(1)]);
    let ask = Ask { session: Some("a".into()), ..Ask::default() };
    let conversation = ask.conversation().unwrap();
    let Decision::Take(pick) = crate::routing::pick(&ask, &snapshot, None, &[], now()) else {
        panic!("it could")
    };
    let at = |seconds| now() + SignedDuration::from_secs(seconds);
    let served = |seconds| affinities.served(&conversation, &pick, None, at(seconds)).is_some();
    let cached = |tokens, seconds| {
        affinities.cached(&conversation, AccountId(1), None, tokens, Some(CACHE_LIVES), at(seconds)).is_some()
    };
    assert!(served(0), "it is new");
    assert!(cached(50_000, 1), "now it is known how long it is");
    assert!(!served(10) && !cached(50_400, 12), "nothing worth a row has changed");
    assert!(served(40), "a restart would think it older than it is");
    assert!(cached(90_000, 41), "it has grown");
}
