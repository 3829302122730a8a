//! The table `renewals`: why sign-ins could not be renewed, so that a restart neither forgets a pause nor asks in vain.

use std::sync::Arc;

use rusqlite::{Row, params};

use super::{
    Store, StoreError,
    columns::{Ms, unknown_word},
};
use crate::domain::{AccountId, Mending, RenewalTrouble};

const SAVE: &str = "INSERT OR REPLACE INTO renewals
        (account_id, tokens_at, failures, why, failed_at, again_at, needs)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 FROM accounts WHERE id = ?1 AND removed_at IS NULL";

impl Store {
    /// What keeps sign-ins from being renewed.
    pub fn renewals(&self) -> Result<Vec<(AccountId, RenewalTrouble)>, StoreError> {
        self.read(|conn| {
            let mut all = conn.prepare_cached("SELECT * FROM renewals")?;
            all.query_map([], trouble)?.map(|row| Ok(row?)).collect()
        })
    }

    /// Keeps what keeps an account's sign-in from being renewed, or that nothing does; returns once it is committed.
    /// Of an account that was removed nothing is kept.
    pub fn save_renewal(&self, id: AccountId, trouble: Option<&RenewalTrouble>) -> Result<(), StoreError> {
        let trouble = trouble.cloned();
        self.write(move |tx| {
            match trouble {
                Some(trouble) => tx.execute(
                    SAVE,
                    params![
                        id.0,
                        Ms(trouble.tokens_at),
                        trouble.failures,
                        trouble.why,
                        Ms(trouble.at),
                        Ms(trouble.again_at),
                        trouble.needs.map(word),
                    ],
                )?,
                None => tx.execute("DELETE FROM renewals WHERE account_id = ?1", [id.0])?,
            };
            Ok(())
        })
    }
}

fn trouble(row: &Row<'_>) -> rusqlite::Result<(AccountId, RenewalTrouble)> {
    let needs: Option<Arc<str>> = row.get("needs")?;
    let needs = match needs.as_deref() {
        None => None,
        Some("sign_in") => Some(Mending::SignIn),
        Some("client") => Some(Mending::Client),
        Some(other) => return Err(unknown_word(other).into()),
    };
    let at = |column| row.get::<_, Ms>(column).map(|ms| ms.0);
    let trouble = RenewalTrouble {
        tokens_at: at("tokens_at")?,
        failures: row.get("failures")?,
        why: row.get("why")?,
        at: at("failed_at")?,
        again_at: at("again_at")?,
        needs,
    };
    Ok((AccountId(row.get("account_id")?), trouble))
}

fn word(needs: Mending) -> &'static str {
    match needs {
        Mending::SignIn => "sign_in",
        Mending::Client => "client",
    }
}
