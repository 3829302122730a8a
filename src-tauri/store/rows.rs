//! How exchanges become rows: when they begin, and when they end, which completes the row that is there. Ended ones go
//! several with one statement, since what a statement costs by itself is a good part of what its rows cost.

use std::{
    iter::repeat_n,
    sync::{Arc, LazyLock},
};

use rusqlite::{Connection, Statement, ToSql};

use super::{
    attempts,
    columns::{Count, Ms, Us},
};
use crate::domain::{Ending, Exchange, ExchangeStart, Role};

/// Rows of one statement; what is left over is written one by one.
const AT_ONCE: usize = 8;

/// What is known when it begins, and does not change.
const BEGINNING: [&str; 14] = [
    "id",
    "started_at",
    "method",
    "path",
    "model",
    "session",
    "agent",
    "client",
    "stream",
    "request_bytes",
    "key_id",
    "role",
    "agent_type",
    "project",
];

/// What is known when it ends.
const END: [&str; 18] = [
    "ending",
    "status",
    "error",
    "account_id",
    "served_model",
    "input",
    "output",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "cost_micros",
    "first_byte_us",
    "duration_us",
    "attempts",
    "began_us",
    "took_us",
    "changes",
    "decision_id",
];

const COLUMNS: usize = BEGINNING.len() + END.len();

static BEGIN: LazyLock<String> = LazyLock::new(|| {
    let (columns, row) = (BEGINNING.join(", "), row(BEGINNING.len()));
    format!("INSERT INTO exchanges ({columns}) VALUES {row} ON CONFLICT (id) DO NOTHING")
});

/// A statement for one row, and one for [`AT_ONCE`].
type Statements = [String; 2];
/// Of rows that may be there.
static FINISH: LazyLock<Statements> = LazyLock::new(|| {
    let end = END.map(|column| format!("{column} = excluded.{column}")).join(", ");
    insertion("INSERT").map(|insertion| format!("{insertion} ON CONFLICT (id) DO UPDATE SET {end}"))
});
/// Of rows that are not there. `OR FAIL` leaves what the statement did before it failed, which goes with the whole batch
/// then; SQLite keeps a journal of each statement otherwise.
static ADD: LazyLock<Statements> = LazyLock::new(|| insertion("INSERT OR FAIL"));

fn insertion(insert: &str) -> Statements {
    let (columns, row) = ([BEGINNING.join(", "), END.join(", ")].join(", "), row(COLUMNS));
    [1, AT_ONCE].map(|rows| {
        let rows: Vec<&str> = repeat_n(row.as_str(), rows).collect();
        format!("{insert} INTO exchanges ({columns}) VALUES {}", rows.join(","))
    })
}

fn row(columns: usize) -> String {
    format!("({})", vec!["?"; columns].join(","))
}

pub(super) fn write_begun(conn: &Connection, begun: &[Arc<ExchangeStart>]) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(&BEGIN)?;
    for start in begun {
        bind_beginning(&mut statement, 1, start)?;
        statement.raw_execute()?;
    }
    Ok(())
}

/// Of exchanges whose beginning may be there, or all of them.
pub(super) fn write_finished(conn: &Connection, finished: &[&Exchange]) -> rusqlite::Result<()> {
    write(conn, finished, &FINISH)
}

/// Of exchanges that nothing was written of.
pub(super) fn write_new(conn: &Connection, finished: &[&Exchange]) -> rusqlite::Result<()> {
    write(conn, finished, &ADD)
}

fn write(conn: &Connection, finished: &[&Exchange], [one, many]: &Statements) -> rusqlite::Result<()> {
    let (whole, rest) = finished.as_chunks::<AT_ONCE>();
    if !whole.is_empty() {
        let mut statement = conn.prepare_cached(many)?;
        for exchanges in whole {
            insert(&mut statement, exchanges)?;
        }
    }
    if !rest.is_empty() {
        let mut statement = conn.prepare_cached(one)?;
        for exchange in rest {
            insert(&mut statement, &[exchange])?;
        }
    }
    Ok(())
}

fn insert(statement: &mut Statement<'_>, exchanges: &[&Exchange]) -> rusqlite::Result<()> {
    for (nth, exchange) in exchanges.iter().enumerate() {
        bind(statement, nth * COLUMNS + 1, exchange)?;
    }
    statement.raw_execute().map(drop)
}

/// The values of one row, from this parameter on.
fn bind(statement: &mut Statement<'_>, first: usize, exchange: &Exchange) -> rusqlite::Result<()> {
    bind_beginning(statement, first, &exchange.start)?;
    let usage = &exchange.usage;
    let sole = attempts::sole(exchange);
    let values: [&dyn ToSql; END.len()] = [
        &exchange.ending.map(Ending::word),
        &exchange.status,
        &exchange.error,
        &exchange.account.map(|id| id.0),
        &exchange.served_model,
        &usage.input.map(Count),
        &usage.output.map(Count),
        &usage.cache_read.map(Count),
        &usage.cache_write.map(Count),
        &usage.cache_write_1h.map(Count),
        &exchange.cost.map(|micros| Count(micros.0)),
        &exchange.first_byte.map(Us),
        &exchange.duration.map(Us),
        &Count(exchange.attempts.len() as u64),
        &sole.map(|attempt| Us(attempt.began)),
        &sole.map(|attempt| Us(attempt.took)),
        &changes(&exchange.changes),
        &exchange.decision.as_ref().map(|decision| decision.id.0),
    ];
    bind_all(statement, first + BEGINNING.len(), &values)
}

fn bind_beginning(
    statement: &mut Statement<'_>,
    first: usize,
    start: &ExchangeStart,
) -> rusqlite::Result<()> {
    let ExchangeStart { id, started_at, method, path, ask, key } = start;
    let values: [&dyn ToSql; BEGINNING.len()] = [
        &id.0,
        &Ms(*started_at),
        method,
        path,
        &ask.model,
        &ask.session,
        &ask.agent,
        &ask.client,
        &ask.stream,
        &Count(ask.bytes),
        &key.map(|key| key.0),
        &ask.role.map(Role::word),
        &ask.agent_type,
        &ask.project,
    ];
    bind_all(statement, first, &values)
}

fn bind_all(statement: &mut Statement<'_>, first: usize, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
    for (nth, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(first + nth, value)?;
    }
    Ok(())
}

fn changes(changes: &[Arc<str>]) -> Option<String> {
    (!changes.is_empty()).then(|| serde_json::to_string(changes).expect("texts are JSON"))
}
