//! The table `meta`: a few facts about the data folder itself, such as which vault it uses.

use rusqlite::OptionalExtension;

use super::{Store, StoreError};

impl Store {
    /// What was kept under `key`.
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.read(|conn| {
            Ok(conn
                .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
                .query_row([key], |row| row.get(0))
                .optional()?)
        })
    }

    /// Keeps `value` under `key`, in place of what was there; returns once it is committed.
    pub fn set_meta(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let pair = [key.to_owned(), value.to_owned()];
        self.write(move |tx| {
            tx.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", pair)?;
            Ok(())
        })
    }
}
