//! The table `attempts`: every try of every exchange, in order. They come and go with their exchange.

use rusqlite::{CachedStatement, Connection, Row, params};

use super::columns::{Count, Us};
use crate::domain::{AccountId, Attempt, Exchange};

// A retried batch or a second `finish` may meet its own rows.
pub(super) const ADD: &str = "INSERT OR REPLACE INTO attempts
    (exchange_id, n, account_id, status, verdict, error, began_us, took_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

pub(super) const OF: &str =
    "SELECT * FROM attempts WHERE exchange_id IN (SELECT value FROM json_each(?1)) ORDER BY exchange_id, n";

pub(super) fn adding(conn: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    conn.prepare_cached(ADD)
}

pub(super) fn write(add: &mut CachedStatement<'_>, exchange: &Exchange) -> rusqlite::Result<()> {
    for (n, attempt) in exchange.attempts.iter().enumerate() {
        add.execute(params![
            exchange.start.id.0,
            Count(n as u64),
            attempt.account.0,
            attempt.status,
            attempt.verdict,
            attempt.error,
            Us(attempt.began),
            Us(attempt.took),
        ])?;
    }
    Ok(())
}

/// Gives these exchanges, all without attempts so far, theirs: one question for the whole page.
pub(super) fn fill(conn: &Connection, exchanges: &mut [Exchange]) -> rusqlite::Result<()> {
    if exchanges.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = exchanges.iter().map(|exchange| exchange.start.id.0.to_string()).collect();
    let mut of = conn.prepare_cached(OF)?;
    let mut rows = of.query([format!("[{}]", ids.join(","))])?;
    while let Some(row) = rows.next()? {
        let owner: i64 = row.get("exchange_id")?;
        // The page is sorted newest first.
        if let Ok(at) = exchanges.binary_search_by(|exchange| owner.cmp(&exchange.start.id.0)) {
            exchanges[at].attempts.push(attempt(row)?);
        }
    }
    Ok(())
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        account: AccountId(row.get("account_id")?),
        status: row.get("status")?,
        verdict: row.get("verdict")?,
        error: row.get("error")?,
        began: row.get::<_, Us>("began_us")?.0,
        took: row.get::<_, Us>("took_us")?.0,
    })
}
