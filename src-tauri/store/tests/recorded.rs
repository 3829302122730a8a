//! What was recorded is found again as it can be played.

use std::{cell::Cell, sync::Arc, time::Duration};

use super::{Folder, begun, ended, finish, tried};
use crate::domain::{
    AccountId, Ask, Attempt, DecisionId, Ending, Exchange, ExchangeId, ExchangeStart, KeptDecision, KeyId,
    Micros, Recorded, Role, Usage, VerdictKind,
};

/// One that was moved twice, with all that a row can hold.
fn moved(id: i64) -> Exchange {
    let try_at =
        |account, verdict, ms| Attempt { verdict, began: Duration::from_millis(ms), ..tried(account) };
    let ask = Ask {
        session: Some("s".into()),
        agent: Some("a".into()),
        role: Some(Role::Subagent),
        agent_type: Some("reviewer".into()),
        project: Some("shop".into()),
        ..begun(id).ask
    };
    let start = ExchangeStart { ask, key: Some(KeyId(4)), ..begun(id) };
    Exchange {
        start: Arc::new(start),
        usage: Usage {
            input: Some(1),
            output: Some(2),
            cache_read: Some(3),
            cache_write: Some(4),
            cache_write_1h: Some(1),
            is_off_list: false,
        },
        cost: Some(Micros(77)),
        attempts: vec![
            try_at(7, VerdictKind::QuotaSpent, 40),
            try_at(8, VerdictKind::QuotaSpent, 50),
            try_at(9, VerdictKind::Throttled, 60),
            try_at(3, VerdictKind::Fine, 70),
        ],
        decision: Some(Arc::new(KeptDecision { id: DecisionId(1), record: "{}".into(), prevented: None })),
        ..ended(id, Ending::Complete, 3)
    }
}

#[test]
fn a_request_is_found_with_all_that_a_play_needs() {
    let folder = Folder::new();
    let store = folder.open();
    finish(&store, moved(5));
    finish(&store, ended(6, Ending::ClientLeft, 1));
    store.flush().unwrap();
    let found = store.recorded(ExchangeId(0), 10, || true).unwrap().unwrap();
    let [first, second] = &found.rows[..] else { panic!("{found:?}") };
    let whole = moved(5);
    assert_eq!(
        *first,
        Recorded {
            at: whole.start.started_at,
            model: whole.start.ask.model.clone(),
            session: Some("s".into()),
            agent: Some("a".into()),
            role: Some(Role::Subagent),
            agent_type: Some("reviewer".into()),
            project: Some("shop".into()),
            key: Some(KeyId(4)),
            bytes: 50_000,
            ending: Ending::Complete,
            status: Some(200),
            account: Some(AccountId(3)),
            usage: whole.usage,
            cost: Some(Micros(77)),
            duration: Some(Duration::from_millis(1500)),
            waited: Some(Duration::from_millis(40)),
            limited: vec![AccountId(7), AccountId(8)],
            decided: true,
        }
    );
    assert_eq!((second.ending, second.decided, &second.limited), (Ending::ClientLeft, false, &Vec::new()));
    assert_eq!(second.waited, Some(Duration::from_micros(150)), "of one that stands in its own row");
    let (one, other) = (first.model.as_ref().unwrap(), second.model.as_ref().unwrap());
    assert!(Arc::ptr_eq(one, other), "a text is in memory once");
}

#[test]
fn only_messages_that_have_ended_are_found_and_of_too_many_the_newest() {
    let folder = Folder::new();
    let store = folder.open();
    for id in 1..=6 {
        finish(&store, ended(id, Ending::Complete, id));
    }
    let count = ExchangeStart { path: "/v1/messages/count_tokens".into(), ..begun(7) };
    finish(&store, Exchange { start: Arc::new(count), ..ended(7, Ending::Complete, 7) });
    store.begin(begun(8));
    store.flush().unwrap();
    let found = |since, most| {
        let found = store.recorded(ExchangeId(since), most, || true).unwrap().unwrap();
        (found.rows.iter().map(|row| row.account.unwrap().0).collect::<Vec<_>>(), found.is_cut)
    };
    assert_eq!(found(0, 10), (vec![1, 2, 3, 4, 5, 6], false));
    assert_eq!(found(4, 10), (vec![4, 5, 6], false));
    assert_eq!(found(0, 6), (vec![1, 2, 3, 4, 5, 6], false), "the bound itself cuts nothing");
    assert_eq!(found(0, 2), (vec![5, 6], true));
    assert_eq!(found(9, 10), (vec![], false));
}

#[test]
fn reading_ends_when_nobody_waits_for_it() {
    let folder = Folder::new();
    let store = folder.open();
    for id in 1..=2000 {
        finish(&store, ended(id, Ending::Complete, 1));
    }
    store.flush().unwrap();
    let looks = Cell::new(0);
    let once = || {
        looks.set(looks.get() + 1);
        looks.get() < 2
    };
    assert_eq!(store.recorded(ExchangeId(0), 10_000, once).unwrap(), None);
    assert_eq!(looks.get(), 2);
}
