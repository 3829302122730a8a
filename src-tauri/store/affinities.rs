//! The table `affinities`: where conversations are bound to, so that a restart leaves them where their prompts
//! are cached. Bounded: of those that were kept, only so many of the latest.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::{
    Store, StoreError,
    columns::{Count, Ms},
};
use crate::domain::{AccountId, Conversation, Family};

/// One conversation's binding as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AffinityRow {
    pub conversation: Conversation,
    pub account: AccountId,
    pub since: Timestamp,
    pub last_used: Timestamp,
    /// Tokens in the cache; `None` until an answer has told.
    pub prefix: Option<u64>,
    pub family: Option<Family>,
    pub warm_until: Timestamp,
    /// Where it went while its account could not take it, and until when it is cached there.
    pub refuge: Option<(AccountId, Timestamp)>,
}

/// Bindings on their way to disk, the latest word of each.
pub(super) type WaitingAffinities = HashMap<Conversation, AffinityRow>;

/// Rows beyond these go, those that were kept longest ago first.
const MOST: i64 = 10_000;

// A row that is replaced gets a new number: the numbers tell which were kept last.
const KEEP: &str = "INSERT OR REPLACE INTO affinities
    (session, agent, account_id, since, last_used, prefix, family, warm_until, refuge_id, refuge_until)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

const TRIM: &str = "DELETE FROM affinities WHERE n <= (SELECT max(n) FROM affinities) - ?1";

impl Store {
    /// Keeps a binding soon, in place of what is known of its conversation; does not wait.
    pub fn save_affinity(&self, row: AffinityRow) {
        self.queue(|batch| {
            batch.affinities.insert(row.conversation.clone(), row);
        });
    }

    /// The bindings that were used since then, the one that was used longest ago first. Older ones are let go.
    pub fn affinities(&self, since: Timestamp) -> Result<Vec<AffinityRow>, StoreError> {
        self.write(move |tx| {
            tx.execute("DELETE FROM affinities WHERE last_used < ?1", [Ms(since)])?;
            let mut all = tx.prepare_cached("SELECT * FROM affinities ORDER BY last_used, n")?;
            all.query_map([], affinity)?.map(|row| Ok(row?)).collect()
        })
    }
}

pub(super) fn write(conn: &Connection, waiting: &WaitingAffinities) -> rusqlite::Result<()> {
    if waiting.is_empty() {
        return Ok(());
    }
    let mut keep = conn.prepare_cached(KEEP)?;
    for row in waiting.values() {
        keep.execute(params![
            row.conversation.session,
            row.conversation.agent.as_deref().unwrap_or_default(),
            row.account.0,
            Ms(row.since),
            Ms(row.last_used),
            row.prefix.map(Count),
            row.family.map(Family::word),
            Ms(row.warm_until),
            row.refuge.map(|(account, _)| account.0),
            row.refuge.map(|(_, until)| Ms(until)),
        ])?;
    }
    conn.prepare_cached(TRIM)?.execute([MOST]).map(drop)
}

/// An account is gone, and whatever was bound to it.
pub(super) fn forget(conn: &Connection, account: AccountId) -> rusqlite::Result<()> {
    conn.execute("DELETE FROM affinities WHERE account_id = ?1", [account.0]).map(drop)
}

fn affinity(row: &Row<'_>) -> rusqlite::Result<AffinityRow> {
    let agent: Arc<str> = row.get("agent")?;
    let refuge = row.get::<_, Option<i64>>("refuge_id")?.map(AccountId);
    Ok(AffinityRow {
        conversation: Conversation {
            session: row.get("session")?,
            agent: (!agent.is_empty()).then_some(agent),
        },
        account: AccountId(row.get("account_id")?),
        since: row.get::<_, Ms>("since")?.0,
        last_used: row.get::<_, Ms>("last_used")?.0,
        prefix: row.get::<_, Option<Count>>("prefix")?.map(|count| count.0),
        family: row.get_ref("family")?.as_str_or_null()?.and_then(Family::of),
        warm_until: row.get::<_, Ms>("warm_until")?.0,
        refuge: refuge.zip(row.get::<_, Option<Ms>>("refuge_until")?.map(|until| until.0)),
    })
}
