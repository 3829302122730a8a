//! The table `decisions`: why requests went where they went, each decision once however many were decided so. And
//! the table `prevented`: how often a request was kept from a path to money, by day and path.

use std::{collections::HashMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    Store, StoreError,
    columns::{Count, Ms},
};
use crate::domain::{AccountId, DecisionId, Exchange, ExchangeId, KeptDecision, Period, Prevented};

/// What was kept from costing money along one path on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreventedRow {
    /// The day's first moment, in UTC.
    pub day: Timestamp,
    pub path: Prevented,
    /// Requests.
    pub requests: u64,
}

/// When a decision was made last is known to the hour, so that a busy one is not written with each commit.
const HOUR: i64 = 3_600_000;
/// Days that were longer ago are forgotten.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

const ADD: &str = "INSERT INTO decisions (id, record, last_at) VALUES (?1, ?2, ?3)
    ON CONFLICT (id) DO UPDATE SET last_at = excluded.last_at WHERE excluded.last_at >= last_at + ?4";

pub(super) const OF: &str =
    "SELECT record FROM decisions WHERE id = (SELECT decision_id FROM exchanges WHERE id = ?1)";

const COUNT: &str = "INSERT INTO prevented (day, from_id, to_id, requests) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (day, from_id, to_id) DO UPDATE SET requests = requests + excluded.requests";

impl Store {
    /// The record of the decision that a request was served or refused by, as JSON.
    pub fn decision_of(&self, exchange: ExchangeId) -> Result<Option<Arc<str>>, StoreError> {
        self.read(|conn| Ok(conn.prepare_cached(OF)?.query_row([exchange.0], |row| row.get(0)).optional()?))
    }

    /// What was kept from costing money since the day that a moment is in, the latest day first.
    pub fn prevented(&self, since: Timestamp) -> Result<Vec<PreventedRow>, StoreError> {
        self.read(|conn| {
            let mut all = conn.prepare_cached(
                "SELECT * FROM prevented WHERE day >= ?1 ORDER BY day DESC, from_id, to_id",
            )?;
            all.query_map([Ms(Period::day(since).since)], prevented)?.map(|row| Ok(row?)).collect()
        })
    }
}

/// Writes the decisions of exchanges that are being written, and counts what they prevented.
pub(super) fn write<'a>(
    conn: &Connection,
    finished: impl Iterator<Item = &'a Exchange>,
) -> rusqlite::Result<()> {
    let mut kept: HashMap<DecisionId, (&KeptDecision, Timestamp)> = HashMap::new();
    let mut counts: HashMap<(Timestamp, Prevented), u64> = HashMap::new();
    for exchange in finished {
        let Some(decision) = exchange.decision.as_deref() else { continue };
        let at = exchange.start.started_at;
        let (_, last) = kept.entry(decision.id).or_insert((decision, at));
        *last = (*last).max(at);
        if let Some(path) = decision.prevented {
            *counts.entry((Period::day(at).since, path)).or_default() += 1;
        }
    }
    if kept.is_empty() {
        return Ok(());
    }
    let mut add = conn.prepare_cached(ADD)?;
    for (decision, last) in kept.into_values() {
        add.execute(params![decision.id.0, decision.record, Ms(last), HOUR])?;
    }
    let latest = counts.keys().map(|(day, _)| *day).max();
    let mut count = conn.prepare_cached(COUNT)?;
    for ((day, path), requests) in counts {
        count.execute(params![Ms(day), path.from.0, path.to.0, Count(requests)])?;
    }
    if let Some(old) = latest.and_then(|day| day.checked_sub(KEPT).ok()) {
        conn.prepare_cached("DELETE FROM prevented WHERE day < ?1")?.execute([Ms(old)])?;
    }
    Ok(())
}

fn prevented(row: &Row<'_>) -> rusqlite::Result<PreventedRow> {
    Ok(PreventedRow {
        day: row.get::<_, Ms>("day")?.0,
        path: Prevented { from: AccountId(row.get("from_id")?), to: AccountId(row.get("to_id")?) },
        requests: row.get::<_, Count>("requests")?.0,
    })
}
