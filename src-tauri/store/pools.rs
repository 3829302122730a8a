//! The table `pools`: named sets of accounts. Which accounts are in one stands in `accounts`; when a pool is
//! removed they go back to `main`, in the same transaction.

use jiff::Timestamp;
use rusqlite::{Row, params, types::FromSqlError};

use super::{
    Store, StoreError,
    columns::{Ms, fold, name_taken, one, unknown_word, was_given},
};
use crate::domain::{AccountId, Policy, Pool, PoolId, PoolName};

/// A pool before it has an id, or one that is put back under the id that it had.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPoolRow {
    /// Of one that was removed.
    pub id: Option<PoolId>,
    /// Free, without regard to case.
    pub name: PoolName,
    /// By what one of its accounts is chosen.
    pub policy: Policy,
    /// Who is in it from now on.
    pub accounts: Vec<AccountId>,
    /// Now, or when it was made.
    pub created_at: Timestamp,
}

const INSERT: &str = "INSERT INTO pools (id, name, folded, policy, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";

impl Store {
    /// Every pool, in the order in which they were made.
    pub fn pools(&self) -> Result<Vec<Pool>, StoreError> {
        self.read(|conn| {
            let mut all = conn.prepare_cached("SELECT * FROM pools ORDER BY id")?;
            all.query_map([], pool)?.map(|row| Ok(row?)).collect()
        })
    }

    /// Adds a pool with its accounts; returns once it is committed.
    ///
    /// # Errors
    /// `NameTaken` if another one is called so, in whatever case; `NotThere` if the id that it had was never one.
    pub fn add_pool(&self, new: &NewPoolRow) -> Result<Pool, StoreError> {
        let new = new.clone();
        self.write(move |tx| {
            let id = new.id.map(|id| id.0);
            was_given(tx, "pools", id)?;
            let name = new.name.as_str();
            let values = params![id, name, fold(name), new.policy.word(), Ms(new.created_at)];
            tx.execute(INSERT, values).map_err(name_taken)?;
            let id = PoolId(tx.last_insert_rowid());
            let mut fill = tx.prepare_cached("UPDATE accounts SET pool_id = ?2 WHERE id = ?1")?;
            for account in &new.accounts {
                fill.execute([account.0, id.0])?;
            }
            Ok(tx.query_row("SELECT * FROM pools WHERE id = ?1", [id.0], pool)?)
        })
    }

    /// Writes name and policy; returns once they are committed.
    ///
    /// # Errors
    /// `NameTaken` as for adding; `NotThere` if it was removed meanwhile.
    pub fn save_pool(&self, pool: &Pool) -> Result<(), StoreError> {
        let (id, name, policy) = (pool.id, pool.name.clone(), pool.policy);
        self.write(move |tx| {
            let name = name.as_str();
            let changed = tx.execute(
                "UPDATE pools SET name = ?2, folded = ?3, policy = ?4 WHERE id = ?1",
                params![id.0, name, fold(name), policy.word()],
            );
            one(changed.map_err(name_taken)?, "pool")
        })
    }

    /// Removes a pool, and puts its accounts into `main`; returns once that is committed.
    ///
    /// # Errors
    /// `NotThere` if there is no such pool.
    pub fn remove_pool(&self, id: PoolId) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.execute("UPDATE accounts SET pool_id = ?2 WHERE pool_id = ?1", [id.0, PoolId::MAIN.0])?;
            one(tx.execute("DELETE FROM pools WHERE id = ?1", [id.0])?, "pool")
        })
    }
}

fn pool(row: &Row<'_>) -> rusqlite::Result<Pool> {
    let policy = row.get_ref("policy")?.as_str()?;
    Ok(Pool {
        id: PoolId(row.get("id")?),
        name: PoolName::kept(row.get_ref("name")?.as_str()?).map_err(FromSqlError::other)?,
        policy: Policy::of(policy).ok_or_else(|| unknown_word(policy))?,
        created_at: row.get::<_, Ms>("created_at")?.0,
    })
}
