//! The table `bindings`: what is bound to which pool, each thing once. One to a pool that is gone is kept as it
//! is, so that it binds again once that is put back.

use jiff::Timestamp;
use rusqlite::{Row, params, types::FromSqlError};

use super::{
    Store, StoreError,
    columns::{Ms, name_taken, one, unknown_word, was_given},
};
use crate::domain::{Binding, BindingId, KeyId, PoolId, Role, Subject};

/// A binding before it has an id, or one that is put back under the id that it had.
#[derive(Debug, Clone, PartialEq)]
pub struct NewBindingRow {
    /// Of one that was removed.
    pub id: Option<BindingId>,
    /// Bound to nothing yet.
    pub subject: Subject,
    /// To which pool.
    pub pool: PoolId,
    /// Whether it may not leave it.
    pub strict: bool,
    /// Now, or when it was made.
    pub created_at: Timestamp,
}

const INSERT: &str = "INSERT INTO bindings (id, kind, subject, pool_id, strict, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

impl Store {
    /// Every binding, in the order in which they were made.
    pub fn bindings(&self) -> Result<Vec<Binding>, StoreError> {
        self.read(|conn| {
            let mut all = conn.prepare_cached("SELECT * FROM bindings ORDER BY id")?;
            all.query_map([], binding)?.map(|row| Ok(row?)).collect()
        })
    }

    /// Adds a binding; returns once it is committed.
    ///
    /// # Errors
    /// `NameTaken` if the same is bound already; `NotThere` if the id that it had was never one.
    pub fn add_binding(&self, new: &NewBindingRow) -> Result<Binding, StoreError> {
        let new = new.clone();
        self.write(move |tx| {
            let id = new.id.map(|id| id.0);
            was_given(tx, "bindings", id)?;
            let (kind, subject) = columns(&new.subject);
            let values = params![id, kind, subject, new.pool.0, new.strict, Ms(new.created_at)];
            tx.execute(INSERT, values).map_err(name_taken)?;
            let id = tx.last_insert_rowid();
            Ok(tx.query_row("SELECT * FROM bindings WHERE id = ?1", [id], binding)?)
        })
    }

    /// Writes pool and strictness; returns once they are committed.
    ///
    /// # Errors
    /// `NotThere` if it was removed meanwhile.
    pub fn save_binding(&self, binding: &Binding) -> Result<(), StoreError> {
        let (id, pool, strict) = (binding.id, binding.pool, binding.strict);
        self.write(move |tx| {
            let sql = "UPDATE bindings SET pool_id = ?2, strict = ?3 WHERE id = ?1";
            one(tx.execute(sql, params![id.0, pool.0, strict])?, "binding")
        })
    }

    /// Removes a binding; returns once that is committed.
    ///
    /// # Errors
    /// `NotThere` if there is no such binding.
    pub fn remove_binding(&self, id: BindingId) -> Result<(), StoreError> {
        self.write(move |tx| one(tx.execute("DELETE FROM bindings WHERE id = ?1", [id.0])?, "binding"))
    }
}

fn binding(row: &Row<'_>) -> rusqlite::Result<Binding> {
    Ok(Binding {
        id: BindingId(row.get("id")?),
        subject: subject(row.get_ref("kind")?.as_str()?, row.get_ref("subject")?.as_str()?)?,
        pool: PoolId(row.get("pool_id")?),
        strict: row.get("strict")?,
        created_at: row.get::<_, Ms>("created_at")?.0,
    })
}

fn columns(subject: &Subject) -> (&'static str, String) {
    match subject {
        Subject::Key(id) => ("key", id.0.to_string()),
        Subject::Directory(path) => ("directory", path.clone()),
        Subject::Project(name) => ("project", name.clone()),
        Subject::AgentType(kind) => ("agent_type", kind.clone()),
        Subject::Role(role) => ("role", role.word().into()),
    }
}

fn subject(kind: &str, text: &str) -> Result<Subject, FromSqlError> {
    Ok(match kind {
        "key" => Subject::Key(KeyId(text.parse().map_err(FromSqlError::other)?)),
        "directory" => Subject::Directory(text.into()),
        "project" => Subject::Project(text.into()),
        "agent_type" => Subject::AgentType(text.into()),
        "role" => Subject::Role(Role::of(text).ok_or_else(|| unknown_word(text))?),
        other => return Err(unknown_word(other)),
    })
}
