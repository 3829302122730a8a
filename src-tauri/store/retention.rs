//! What is old goes, a little at a time, so that the writer is never held for long: requests with their attempts,
//! decisions that no request can name any more, and the pages that this leaves empty. Sums are in tables of their
//! own and stay.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, params};

use super::{
    Store, StoreError,
    columns::{Count, Ms},
};
use crate::domain::{DecisionId, ExchangeId};

// Attempts go with their exchange, which is a cascade.
pub(super) const FORGET: &str = "DELETE FROM exchanges WHERE id IN
    (SELECT id FROM exchanges WHERE id < ?1 AND ending IS NOT NULL ORDER BY id LIMIT ?2)";

pub(super) const OLDEST: &str = "SELECT started_at FROM exchanges WHERE id = (SELECT min(id) FROM exchanges)";

pub(super) const STALE: &str = "SELECT id FROM decisions WHERE id > ?1 AND last_at < ?2 ORDER BY id LIMIT ?3";

/// When a decision was made last is known to the hour, and clocks are set: what is this much older than the oldest
/// request is nobody's.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);

impl Store {
    /// Deletes at most so many requests that have ended, of those before this id, the oldest first. Says how many.
    pub fn forget_requests(&self, before: ExchangeId, most: u32) -> Result<u64, StoreError> {
        self.write(move |tx| Ok(tx.prepare_cached(FORGET)?.execute(params![before.0, most])? as u64))
    }

    /// Decisions that no request from `since` on was decided by are looked for behind this one, at most so many at a
    /// time, in the order of their ids. None: there are no more.
    pub fn stale_decisions(
        &self,
        after: DecisionId,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<DecisionId>, StoreError> {
        self.read(|conn| {
            let mut stale = conn.prepare_cached(STALE)?;
            let ids = stale.query_map(params![after.0, Ms(since), most], |row| row.get(0).map(DecisionId))?;
            ids.map(|id| Ok(id?)).collect()
        })
    }

    /// Before when a decision must have been made last for no request to name it: well before the oldest one that
    /// is kept. `None` while there is none.
    pub fn decisions_are_named_since(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|conn| {
            let oldest = conn.prepare_cached(OLDEST)?.query_row([], |row| row.get::<_, Ms>(0)).optional()?;
            Ok(oldest.and_then(|oldest| oldest.0.checked_sub(MARGIN).ok()))
        })
    }

    /// Deletes these decisions, but those that were made again meanwhile. Says how many.
    pub fn forget_decisions(&self, ids: &[DecisionId], since: Timestamp) -> Result<u64, StoreError> {
        let ids = ids.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(",");
        self.write(move |tx| {
            let mut forget = tx.prepare_cached(
                "DELETE FROM decisions WHERE id IN (SELECT value FROM json_each(?1)) AND last_at < ?2",
            )?;
            Ok(forget.execute(params![format!("[{ids}]"), Ms(since)])? as u64)
        })
    }

    /// Gives at most so many empty pages back to the disk, and says how many were given and how many are left.
    pub fn give_back(&self, most: u32) -> Result<(u64, u64), StoreError> {
        self.write(move |tx| {
            let empty = || {
                tx.query_row("PRAGMA freelist_count", [], |row| row.get::<_, Count>(0)).map(|pages| pages.0)
            };
            let before = empty()?;
            let mut give = tx.prepare(&format!("PRAGMA incremental_vacuum({most})"))?;
            // Each step of the statement gives back one page.
            let mut steps = give.query([])?;
            while steps.next()?.is_some() {}
            let left = empty()?;
            Ok((before.saturating_sub(left), left))
        })
    }
}
