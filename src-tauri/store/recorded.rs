//! Requests of a time as they can be played again. One question, bounded, on a connection of its own: it may take
//! a second, and nobody is to wait for it.

use std::{collections::HashSet, sync::Arc};

use rusqlite::{Row, types::ValueRef};

use super::{
    Store, StoreError,
    columns::{Count, Ms, Us},
    exchanges,
};
use crate::domain::{AccountId, ExchangeId, KeyId, Micros, Recorded, Role};

/// The newest requests of a time, the oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordedRows {
    pub rows: Vec<Recorded>,
    /// There were more, older ones, which are left out.
    pub is_cut: bool,
}

// Whoever was answered at once has no rows among the attempts, and is not looked for there.
pub(super) const ROWS: &str = "SELECT started_at, model, session, agent, role, agent_type, project, key_id,
        request_bytes, ending, status, account_id, input, output, cache_read, cache_write, cache_write_1h,
        cost_micros, duration_us, decision_id IS NOT NULL AS decided,
        coalesce(began_us, (SELECT began_us FROM attempts WHERE exchange_id = id ORDER BY n LIMIT 1)) AS waited_us,
        CASE WHEN began_us IS NULL THEN (SELECT group_concat(attempts.account_id) FROM attempts
            WHERE exchange_id = id AND verdict = 'quota_spent') END AS limited
    FROM exchanges NOT INDEXED
    WHERE id >= ?1 AND ending IS NOT NULL AND path = '/v1/messages' ORDER BY id DESC LIMIT ?2";

/// Texts that stand in many rows are in memory once.
#[derive(Default)]
struct Texts(HashSet<Arc<str>>);

impl Texts {
    fn get(&mut self, row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Arc<str>>> {
        let value = row.get_ref(column)?;
        if value == ValueRef::Null {
            return Ok(None);
        }
        let text = value.as_str()?;
        if let Some(known) = self.0.get(text) {
            return Ok(Some(Arc::clone(known)));
        }
        let text: Arc<str> = text.into();
        self.0.insert(Arc::clone(&text));
        Ok(Some(text))
    }
}

impl Store {
    /// Requests for messages from `since` on that have ended, the newest `most` of them. `goes_on` is asked now and
    /// then; once it says no, there are none.
    pub fn recorded(
        &self,
        since: ExchangeId,
        most: usize,
        goes_on: impl Fn() -> bool,
    ) -> Result<Option<RecordedRows>, StoreError> {
        let conn = self.0.readers.connect()?;
        let mut question = conn.prepare(ROWS)?;
        let limit = Count(most as u64 + 1);
        let mut found = question.query(rusqlite::params![since.0, limit])?;
        let (mut texts, mut read) = (Texts::default(), RecordedRows::default());
        while let Some(row) = found.next()? {
            if read.rows.len() == most {
                read.is_cut = true;
                break;
            }
            if read.rows.len() % 1024 == 0 && !goes_on() {
                return Ok(None);
            }
            read.rows.push(recorded(row, &mut texts)?);
        }
        read.rows.reverse();
        Ok(Some(read))
    }
}

fn recorded(row: &Row<'_>, texts: &mut Texts) -> rusqlite::Result<Recorded> {
    let limited = row.get_ref("limited")?.as_str_or_null()?.unwrap_or_default();
    Ok(Recorded {
        at: row.get::<_, Ms>("started_at")?.0,
        model: texts.get(row, "model")?,
        session: texts.get(row, "session")?,
        agent: texts.get(row, "agent")?,
        role: row.get_ref("role")?.as_str_or_null()?.and_then(Role::of),
        agent_type: texts.get(row, "agent_type")?,
        project: texts.get(row, "project")?,
        key: row.get::<_, Option<i64>>("key_id")?.map(KeyId),
        bytes: row.get::<_, Count>("request_bytes")?.0,
        ending: exchanges::ending(row.get_ref("ending")?.as_str()?)?,
        status: row.get("status")?,
        account: row.get::<_, Option<i64>>("account_id")?.map(AccountId),
        usage: exchanges::usage(row)?,
        cost: row.get::<_, Option<Count>>("cost_micros")?.map(|count| Micros(count.0)),
        duration: row.get::<_, Option<Us>>("duration_us")?.map(|us| us.0),
        waited: row.get::<_, Option<Us>>("waited_us")?.map(|us| us.0),
        limited: limited.split(',').filter_map(|id| id.parse().ok()).map(AccountId).collect(),
        decided: row.get("decided")?,
    })
}
