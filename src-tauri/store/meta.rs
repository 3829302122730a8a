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

    /// Keeps or forgets several at once, all of them or none; returns once they are on the disk itself, and no loss of
    /// power takes them back.
    pub fn change_meta(&self, changes: &[(&'static str, Option<&str>)]) -> Result<(), StoreError> {
        let changes: Vec<_> = changes.iter().map(|(key, value)| (*key, value.map(str::to_owned))).collect();
        self.write_through(move |tx| {
            for (key, value) in &changes {
                match value {
                    Some(value) => {
                        tx.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", [*key, value])?
                    }
                    None => tx.execute("DELETE FROM meta WHERE key = ?1", [key])?,
                };
            }
            Ok(())
        })
    }
}
