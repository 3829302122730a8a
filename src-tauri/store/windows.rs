//! The table `windows`: what each account's upstream last said of its limits. Only the latest word is
//! kept, and only of so many windows per account, since their names are the upstream's to choose.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{Connection, Row, params, types::FromSqlError};

use super::{
    Store, StoreError,
    columns::{Count, Ms, unknown_word},
};
use crate::domain::{AccountId, Again, Endpoint, Window, WindowName, WindowSource};

/// Beyond this the windows learned longest ago go.
pub(super) const PER_ACCOUNT: usize = 64;

/// Windows on their way to disk, the latest word of each.
pub(super) type WaitingWindows = HashMap<AccountId, Vec<Window>>;

const UPSERT: &str =
    "INSERT INTO windows (account_id, name, limits, utilization, resets_at, refills, spent, again_at, again_streak,
        source, learned_at)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 FROM accounts WHERE id = ?1 AND removed_at IS NULL
    ON CONFLICT (account_id, name) DO UPDATE SET limits = excluded.limits, utilization = excluded.utilization,
        resets_at = excluded.resets_at, refills = excluded.refills, spent = excluded.spent,
        again_at = excluded.again_at, again_streak = excluded.again_streak, source = excluded.source,
        learned_at = excluded.learned_at";

const TRIM: &str = "DELETE FROM windows WHERE account_id = ?1 AND name IN
    (SELECT name FROM windows WHERE account_id = ?1 ORDER BY learned_at DESC, name LIMIT -1 OFFSET ?2)";

impl Store {
    /// Every window of every live account.
    pub fn windows(&self) -> Result<Vec<(AccountId, Window)>, StoreError> {
        self.read(|conn| {
            let mut all = conn.prepare_cached("SELECT * FROM windows")?;
            all.query_map([], window)?.map(|row| Ok(row?)).collect()
        })
    }

    /// Keeps these windows of an account soon, in place of what is known under their names; does not
    /// wait. Windows of an account that has been removed go with it.
    pub fn save_windows(&self, account: AccountId, windows: Vec<Window>) {
        self.queue(|batch| merge(batch.windows.entry(account).or_default(), windows));
    }
}

/// Lays the later word over the earlier one, within the bound.
pub(super) fn merge(known: &mut Vec<Window>, later: Vec<Window>) {
    for window in later {
        match known.iter_mut().find(|old| old.name == window.name) {
            Some(old) => *old = window,
            None => known.push(window),
        }
    }
    known.drain(..known.len().saturating_sub(PER_ACCOUNT));
}

pub(super) fn write(conn: &Connection, waiting: &WaitingWindows) -> rusqlite::Result<()> {
    let mut upsert = conn.prepare_cached(UPSERT)?;
    let mut trim = conn.prepare_cached(TRIM)?;
    for (account, windows) in waiting {
        for window in windows {
            upsert.execute(params![
                account.0,
                window.name.0,
                limits_word(window.limits),
                window.utilization,
                window.resets_at.map(Ms),
                window.refills,
                window.spent,
                window.again.map(|again| Ms(again.at)),
                window.again.map(|again| again.streak),
                source_word(window.source),
                Ms(window.learned_at),
            ])?;
        }
        trim.execute(params![account.0, Count(PER_ACCOUNT as u64)])?;
    }
    Ok(())
}

fn window(row: &Row<'_>) -> rusqlite::Result<(AccountId, Window)> {
    let name = WindowName(row.get::<_, Arc<str>>("name")?);
    let source = source(row.get_ref("source")?.as_str()?)?;
    let window = Window {
        limits: limits(row.get_ref("limits")?.as_str()?)?,
        utilization: row.get("utilization")?,
        resets_at: row.get::<_, Option<Ms>>("resets_at")?.map(|ms| ms.0),
        refills: row.get("refills")?,
        spent: row.get("spent")?,
        again: again(row)?,
        ..Window::new(name, source, row.get::<_, Ms>("learned_at")?.0)
    };
    Ok((AccountId(row.get("account_id")?), window))
}

fn again(row: &Row<'_>) -> rusqlite::Result<Option<Again>> {
    let Some(Ms(at)) = row.get("again_at")? else { return Ok(None) };
    Ok(Some(Again { at, streak: row.get("again_streak")? }))
}

fn limits_word(limits: Option<Endpoint>) -> &'static str {
    match limits {
        Some(Endpoint::Messages) => "messages",
        Some(Endpoint::Counts) => "counts",
        None => "none",
    }
}

fn limits(word: &str) -> Result<Option<Endpoint>, FromSqlError> {
    match word {
        "messages" => Ok(Some(Endpoint::Messages)),
        "counts" => Ok(Some(Endpoint::Counts)),
        "none" => Ok(None),
        other => Err(unknown_word(other)),
    }
}

/// An estimate is made where it is asked for, out of what the headers said.
fn source_word(source: WindowSource) -> &'static str {
    match source {
        WindowSource::Header | WindowSource::Estimate => "header",
        WindowSource::Refusal => "refusal",
        WindowSource::UsageEndpoint => "usage_endpoint",
    }
}

fn source(word: &str) -> Result<WindowSource, FromSqlError> {
    match word {
        "header" => Ok(WindowSource::Header),
        "refusal" => Ok(WindowSource::Refusal),
        "usage_endpoint" => Ok(WindowSource::UsageEndpoint),
        other => Err(unknown_word(other)),
    }
}
