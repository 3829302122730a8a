//! The table `models`: what each account's own upstream said of its models. Only the latest word is kept,
//! and only so many models of each, since the list is the upstream's to write.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::{
    Store, StoreError,
    columns::{Count, Ms},
};
use crate::domain::{AccountId, Model};

/// Beyond this the end of an upstream's list is cut off.
pub const MOST_MODELS: usize = 500;

const ADD: &str = "INSERT INTO models (account_id, n, id, title, context, told_at)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6 FROM accounts WHERE id = ?1 AND removed_at IS NULL";

impl Store {
    /// Every account's models in the order of its upstream's list, with the time when they were told.
    pub fn models(&self) -> Result<Vec<(AccountId, Model, Timestamp)>, StoreError> {
        self.read(|conn| {
            let mut all = conn.prepare_cached(
                "SELECT account_id, id, title, context, told_at FROM models ORDER BY account_id, n",
            )?;
            all.query_map([], model)?.map(|row| Ok(row?)).collect()
        })
    }

    /// Keeps an account's models in place of what was known; returns once they are committed.
    pub fn save_models(
        &self,
        account: AccountId,
        models: Arc<[Model]>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.execute("DELETE FROM models WHERE account_id = ?1", [account.0])?;
            let mut add = tx.prepare_cached(ADD)?;
            for (n, model) in models.iter().take(MOST_MODELS).enumerate() {
                add.execute(params![
                    account.0,
                    Count(n as u64),
                    model.id,
                    model.title,
                    model.context,
                    Ms(at)
                ])?;
            }
            Ok(())
        })
    }
}

fn model(row: &Row<'_>) -> rusqlite::Result<(AccountId, Model, Timestamp)> {
    let model = Model { id: row.get("id")?, title: row.get("title")?, context: row.get("context")? };
    Ok((AccountId(row.get("account_id")?), model, row.get::<_, Ms>("told_at")?.0))
}
