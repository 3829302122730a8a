//! A decision is written once, and what it prevented is counted for each request.

use std::sync::Arc;

use rusqlite::Connection;

use super::{Folder, at, begun, ended, finish};
use crate::{
    domain::{AccountId, DecisionId, Ending, Exchange, ExchangeId, ExchangeStart, KeptDecision, Prevented},
    store::PreventedRow,
};

const DAY: i64 = 86_400;
const PATH: Prevented = Prevented { from: AccountId(1), to: AccountId(2) };

fn decided(id: i64, second: i64, text: &str, prevented: Option<Prevented>) -> Exchange {
    let decision =
        KeptDecision { id: DecisionId(text.len().try_into().unwrap()), record: text.into(), prevented };
    let start = ExchangeStart { started_at: at(second), ..begun(id) };
    Exchange { start: start.into(), decision: Some(Arc::new(decision)), ..ended(id, Ending::Complete, 1) }
}

#[test]
fn equal_decisions_are_one_row_and_each_request_finds_its_own() {
    let folder = Folder::new();
    let store = folder.open();
    for id in 0..50 {
        finish(&store, decided(id, 10, if id == 7 { "other" } else { "one" }, None));
        if id % 20 == 0 {
            store.flush().unwrap();
        }
    }
    finish(&store, ended(90, Ending::Complete, 1));
    store.flush().unwrap();
    let conn = Connection::open(folder.file()).unwrap();
    let rows: i64 = conn.query_row("SELECT count(*) FROM decisions", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 2);
    assert_eq!(store.decision_of(ExchangeId(6)).unwrap().as_deref(), Some("one"));
    assert_eq!(store.decision_of(ExchangeId(7)).unwrap().as_deref(), Some("other"));
    assert_eq!(store.decision_of(ExchangeId(90)).unwrap(), None);
    assert_eq!(store.decision_of(ExchangeId(91)).unwrap(), None);
}

#[test]
fn a_decision_knows_to_the_hour_when_it_was_made_last() {
    let folder = Folder::new();
    let store = folder.open();
    let conn = Connection::open(folder.file()).unwrap();
    let last = |second| {
        finish(&store, decided(second, second, "one", None));
        store.flush().unwrap();
        conn.query_row("SELECT last_at / 1000 FROM decisions", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!([1_000, 2_000, 4_600, 900].map(last), [1_000, 1_000, 4_600, 4_600]);
}

#[test]
fn what_was_prevented_is_counted_by_day_and_path() {
    let folder = Folder::new();
    let store = folder.open();
    let back = Prevented { from: AccountId(3), ..PATH };
    for (id, (second, path)) in [(10, PATH), (20, PATH), (DAY + 5, PATH), (30, back)].into_iter().enumerate()
    {
        finish(&store, decided(id.try_into().unwrap(), second, &format!("{path:?}"), Some(path)));
        store.flush().unwrap();
    }
    let row = |day, path, requests| PreventedRow { day: at(day), path, requests };
    let all = [row(DAY, PATH, 1), row(0, PATH, 2), row(0, back, 1)];
    assert_eq!(store.prevented(at(0)).unwrap(), all);
    assert_eq!(store.prevented(at(DAY + 100)).unwrap(), all[..1]);
    finish(&store, decided(9, 500 * DAY, "late", Some(PATH)));
    store.flush().unwrap();
    assert_eq!(
        store.prevented(at(0)).unwrap(),
        [row(500 * DAY, PATH, 1)],
        "nobody asks for more than a year"
    );
}
