//! The table `attempts`: every try of every exchange, in order. They come and go with their exchange. Where
//! the first one was answered well there is no row: it stands in the exchange's own.

use rusqlite::{CachedStatement, Connection, Row, params};

use super::columns::{Count, Us, unknown_word};
use crate::domain::{AccountId, Attempt, Exchange, VerdictKind};

// A retried batch or a second `finish` may meet its own rows.
pub(super) const ADD: &str = "INSERT OR REPLACE INTO attempts
    (exchange_id, n, account_id, status, verdict, error, began_us, took_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

pub(super) const OF: &str =
    "SELECT * FROM attempts WHERE exchange_id IN (SELECT value FROM json_each(?1)) ORDER BY exchange_id, n";

/// The verdict of an attempt that stands in its exchange's row.
const FINE: VerdictKind = VerdictKind::Fine;

/// The only attempt, if nothing has to be said of it but its times: all else is the exchange's own.
pub(super) fn sole(exchange: &Exchange) -> Option<&Attempt> {
    let [sole] = &exchange.attempts[..] else { return None };
    let is_plain = sole.verdict == FINE
        && sole.error.is_none()
        && sole.status == exchange.status
        && Some(sole.account) == exchange.account;
    is_plain.then_some(sole)
}

/// Reads it back, if it stands in this row.
pub(super) fn sole_of(row: &Row<'_>) -> rusqlite::Result<Option<Attempt>> {
    let (Some(began), Some(took), Some(account)) =
        (row.get::<_, Option<Us>>("began_us")?, row.get::<_, Option<Us>>("took_us")?, row.get("account_id")?)
    else {
        return Ok(None);
    };
    Ok(Some(Attempt {
        account: AccountId(account),
        status: row.get("status")?,
        verdict: FINE,
        error: None,
        began: began.0,
        took: took.0,
    }))
}

pub(super) fn write(conn: &Connection, exchanges: &[&Exchange]) -> rusqlite::Result<()> {
    let mut add = conn.prepare_cached(ADD)?;
    for exchange in exchanges.iter().filter(|exchange| sole(exchange).is_none()) {
        write_of(&mut add, exchange)?;
    }
    Ok(())
}

fn write_of(add: &mut CachedStatement<'_>, exchange: &Exchange) -> rusqlite::Result<()> {
    for (n, attempt) in exchange.attempts.iter().enumerate() {
        add.execute(params![
            exchange.start.id.0,
            Count(n as u64),
            attempt.account.0,
            attempt.status,
            attempt.verdict.word(),
            attempt.error,
            Us(attempt.began),
            Us(attempt.took),
        ])?;
    }
    Ok(())
}

/// Gives those of these exchanges theirs that have none yet: one question for the whole page.
pub(super) fn fill(conn: &Connection, exchanges: &mut [Exchange]) -> rusqlite::Result<()> {
    let without = exchanges.iter().filter(|exchange| exchange.attempts.is_empty());
    let ids: Vec<String> = without.map(|exchange| exchange.start.id.0.to_string()).collect();
    if ids.is_empty() {
        return Ok(());
    }
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
    let verdict = row.get_ref("verdict")?.as_str()?;
    Ok(Attempt {
        account: AccountId(row.get("account_id")?),
        status: row.get("status")?,
        verdict: VerdictKind::of(verdict).ok_or_else(|| unknown_word(verdict))?,
        error: row.get("error")?,
        began: row.get::<_, Us>("began_us")?.0,
        took: row.get::<_, Us>("took_us")?.0,
    })
}
