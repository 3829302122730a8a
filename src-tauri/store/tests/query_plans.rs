//! How the database means to answer, asked of itself.

use rusqlite::{Connection, ToSql};

use super::{Folder, ended, finish};
use crate::{
    domain::{AccountId, Ending, ExchangeId},
    store::{RequestFilter, attempts, decisions, exchanges, recorded, retention, spent},
};

fn plan(conn: &Connection, sql: &str) -> String {
    let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let nulls = vec![rusqlite::types::Null; explain.parameter_count()];
    let nulls: Vec<&dyn ToSql> = nulls.iter().map(|null| null as &dyn ToSql).collect();
    let steps = explain.query_map(&*nulls, |row| row.get::<_, String>("detail")).unwrap();
    steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
}

/// Every shape that a filter can give to the question.
fn filters() -> Vec<RequestFilter> {
    let mut shapes = Vec::new();
    for account in [None, Some(AccountId(1))] {
        for ending in [None, Some(Ending::Complete), Some(Ending::Refused)] {
            for running in [false, true] {
                for before in [None, Some(ExchangeId(1))] {
                    shapes.push(RequestFilter { limit: 50, before, account, ending, running });
                }
            }
        }
    }
    shapes
}

#[test]
fn s15_every_hot_query_uses_its_index() {
    let folder = Folder::new();
    let store = folder.open();
    for id in 0..2000 {
        finish(&store, ended(id, Ending::Complete, id % 3));
    }
    store.flush().unwrap();
    let conn = Connection::open(folder.file()).unwrap();
    // With statistics and without, the plans have to hold.
    for statistics in ["SELECT 1", "ANALYZE"] {
        conn.prepare(statistics).unwrap().query([]).unwrap().next().unwrap();
        let mut hot: Vec<String> = filters().iter().map(exchanges::requests_sql).collect();
        hot.extend(
            [
                exchanges::ONE,
                exchanges::LAST,
                exchanges::TOTALS,
                exchanges::INTERRUPT,
                attempts::OF,
                decisions::OF,
                spent::BY_KEY,
                spent::BY_ACCOUNT,
                spent::PART,
                recorded::ROWS,
                retention::FORGET,
                retention::STALE,
                retention::OLDEST,
            ]
            .map(Into::into),
        );
        for sql in hot {
            let plan = plan(&conn, &sql);
            // The running ones are all there is in their index, and json_each is the page's own ids.
            let rest = plan.replace("SCAN json_each", "").replace("USING INDEX exchanges_running", "SEARCH");
            let is_direct =
                rest.contains("SEARCH") && !rest.replace("SCAN exchanges SEARCH", "").contains("SCAN");
            assert!(is_direct && !plan.contains("TEMP B-TREE"), "{sql}\nwould be answered by: {plan}");
        }
    }
}

#[test]
fn s15_each_filter_takes_the_index_made_for_it() {
    let folder = Folder::new();
    let _store = folder.open();
    let conn = Connection::open(folder.file()).unwrap();
    let plan_of = |filter: RequestFilter| plan(&conn, &exchanges::requests_sql(&filter));
    let any = RequestFilter::default();

    for sum in [spent::BY_ACCOUNT, spent::BY_KEY] {
        let sum = plan(&conn, sum);
        assert!(sum.contains("PRIMARY KEY (hour>? AND hour<?)"), "{sum}");
    }
    assert!(plan_of(any).contains("USING INTEGER PRIMARY KEY"));
    assert!(plan_of(RequestFilter { running: true, ..any }).contains("exchanges_running"));
    assert!(plan_of(RequestFilter { account: Some(AccountId(1)), ..any }).contains("exchanges_account"));
    assert!(plan_of(RequestFilter { ending: Some(Ending::Refused), ..any }).contains("exchanges_troubled"));
}
