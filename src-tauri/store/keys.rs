//! The table `keys`: who may ask, known by a digest and never by the secret. A revoked key keeps its row,
//! so that history keeps its name, and gives its name free. What a key has used is summed in `spent`.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Row, ToSql, params, types::FromSqlError};

use super::{
    Store, StoreError,
    columns::{Count, Ms, fold, name_taken, unknown_word},
};
use crate::domain::{
    AccountId, Budget, ClientKey, Grant, KeyId, KeyName, Micros, ModelRule, PoolId, Scope, Scopes,
};

/// SHA-256 of a secret.
pub type Digest = [u8; 32];

/// A key before it has an id.
#[derive(Debug, Clone, PartialEq)]
pub struct NewKeyRow {
    /// Free among keys that are not revoked, without regard to case.
    pub name: KeyName,
    /// The secret's first characters.
    pub prefix: Arc<str>,
    /// What the secret is known by.
    pub digest: Digest,
    /// What it allows.
    pub grant: Grant,
    /// Now.
    pub created_at: Timestamp,
}

const INSERT: &str = "INSERT INTO keys (name, folded, prefix, digest, scopes, enabled, expires_at, accounts,
        models, per_minute, day_tokens, day_micros, month_tokens, month_micros, created_at, pools)
    VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

const SAVE: &str = "UPDATE keys SET name = ?2, folded = ?3, scopes = ?4, enabled = ?5, expires_at = ?6,
        accounts = ?7, models = ?8, per_minute = ?9, day_tokens = ?10, day_micros = ?11, month_tokens = ?12,
        month_micros = ?13, pools = ?14
    WHERE id = ?1 AND revoked_at IS NULL";

const ROTATE: &str = "UPDATE keys SET prefix = ?2, digest = ?3, rotated_at = ?4
    WHERE id = ?1 AND revoked_at IS NULL";

const REVOKE: &str = "UPDATE keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";

impl Store {
    /// Every key there ever was with its digest, revoked ones too, in the order in which they were made.
    pub fn keys(&self) -> Result<Vec<(ClientKey, Digest)>, StoreError> {
        self.read(|conn| {
            let mut all = conn.prepare_cached("SELECT * FROM keys ORDER BY id")?;
            all.query_map([], |row| Ok((key(row)?, row.get("digest")?)))?.map(|row| Ok(row?)).collect()
        })
    }

    /// Adds a key; returns once it is committed.
    ///
    /// # Errors
    /// `NameTaken` if a key that is not revoked has this name, in whatever case.
    pub fn add_key(&self, new: &NewKeyRow) -> Result<ClientKey, StoreError> {
        let new = new.clone();
        self.write(move |tx| {
            let values = Values::of(&new.grant);
            let [scopes, expires, accounts, models, rest @ ..] = values.columns();
            let [minute, day_tokens, day_micros, month_tokens, month_micros] = rest;
            tx.execute(
                INSERT,
                params![
                    new.name.as_str(),
                    fold(new.name.as_str()),
                    new.prefix,
                    new.digest,
                    scopes,
                    expires,
                    accounts,
                    models,
                    minute,
                    day_tokens,
                    day_micros,
                    month_tokens,
                    month_micros,
                    Ms(new.created_at),
                    values.pools,
                ],
            )
            .map_err(name_taken)?;
            let id = tx.last_insert_rowid();
            Ok(tx.query_row("SELECT * FROM keys WHERE id = ?1", [id], key)?)
        })
    }

    /// Writes name, switch and grant of a key; returns once it is committed.
    ///
    /// # Errors
    /// `NameTaken` as for adding; `NoSuchKey` if it has been revoked meanwhile.
    pub fn save_key(&self, key: &ClientKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.write(move |tx| {
            let values = Values::of(&key.grant);
            let [scopes, expires, accounts, models, rest @ ..] = values.columns();
            let [minute, day_tokens, day_micros, month_tokens, month_micros] = rest;
            let changed = tx.execute(
                SAVE,
                params![
                    key.id.0,
                    key.name.as_str(),
                    fold(key.name.as_str()),
                    scopes,
                    key.enabled,
                    expires,
                    accounts,
                    models,
                    minute,
                    day_tokens,
                    day_micros,
                    month_tokens,
                    month_micros,
                    values.pools,
                ],
            );
            one(changed.map_err(name_taken)?)
        })
    }

    /// Gives a key another secret; returns once it is committed.
    ///
    /// # Errors
    /// `NoSuchKey` if it was never there or is revoked.
    pub fn rotate_key(
        &self,
        id: KeyId,
        prefix: Arc<str>,
        digest: Digest,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |tx| one(tx.execute(ROTATE, params![id.0, prefix, digest, Ms(now)])?))
    }

    /// Voids a key for ever and frees its name; returns once it is committed.
    ///
    /// # Errors
    /// `NoSuchKey` if it was never there or is revoked.
    pub fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |tx| one(tx.execute(REVOKE, params![id.0, Ms(now)])?))
    }
}

/// A grant as columns.
struct Values {
    scopes: String,
    expires_at: Option<Ms>,
    accounts: Option<String>,
    pools: Option<String>,
    models: Option<String>,
    per_minute: Option<u32>,
    counts: [Option<Count>; 4],
}

impl Values {
    fn of(grant: &Grant) -> Self {
        let json = |list: serde_json::Result<String>| list.expect("ids and texts are JSON");
        let count = |limit: Option<u64>| limit.map(Count);
        let money = |limit: Option<Micros>| limit.map(|micros| Count(micros.0));
        Self {
            scopes: grant.scopes.iter().map(Scope::word).collect::<Vec<_>>().join(" "),
            expires_at: grant.expires_at.map(Ms),
            accounts: grant.accounts.as_ref().map(|ids| json(serde_json::to_string(ids))),
            pools: grant.pools.as_ref().map(|ids| json(serde_json::to_string(ids))),
            models: grant.models.as_ref().map(|rules| json(serde_json::to_string(rules))),
            per_minute: grant.per_minute,
            counts: [
                count(grant.daily.tokens),
                money(grant.daily.money),
                count(grant.monthly.tokens),
                money(grant.monthly.money),
            ],
        }
    }

    fn columns(&self) -> [&dyn ToSql; 9] {
        let [day_tokens, day_micros, month_tokens, month_micros] = &self.counts;
        [
            &self.scopes,
            &self.expires_at,
            &self.accounts,
            &self.models,
            &self.per_minute,
            day_tokens,
            day_micros,
            month_tokens,
            month_micros,
        ]
    }
}

fn key(row: &Row<'_>) -> rusqlite::Result<ClientKey> {
    let time = |column| row.get::<_, Option<Ms>>(column).map(|ms| ms.map(|ms| ms.0));
    let name = KeyName::kept(row.get_ref("name")?.as_str()?).map_err(FromSqlError::other)?;
    Ok(ClientKey {
        id: KeyId(row.get("id")?),
        name,
        prefix: row.get("prefix")?,
        grant: grant(row)?,
        enabled: row.get("enabled")?,
        created_at: row.get::<_, Ms>("created_at")?.0,
        rotated_at: time("rotated_at")?,
        revoked_at: time("revoked_at")?,
    })
}

fn grant(row: &Row<'_>) -> rusqlite::Result<Grant> {
    let count = |column| row.get::<_, Option<Count>>(column).map(|count| count.map(|count| count.0));
    Ok(Grant {
        scopes: scopes(row.get_ref("scopes")?.as_str()?)?,
        expires_at: row.get::<_, Option<Ms>>("expires_at")?.map(|ms| ms.0),
        accounts: list(row, "accounts")?.map(|ids: Vec<AccountId>| ids.into()),
        pools: list(row, "pools")?.map(|ids: Vec<PoolId>| ids.into()),
        models: models(row)?,
        per_minute: row.get("per_minute")?,
        daily: Budget { tokens: count("day_tokens")?, money: count("day_micros")?.map(Micros) },
        monthly: Budget { tokens: count("month_tokens")?, money: count("month_micros")?.map(Micros) },
    })
}

fn scopes(words: &str) -> Result<Scopes, FromSqlError> {
    words.split_whitespace().map(|word| Scope::of(word).ok_or_else(|| unknown_word(word))).collect()
}

fn models(row: &Row<'_>) -> rusqlite::Result<Option<Arc<[ModelRule]>>> {
    let Some(texts) = list::<String>(row, "models")? else { return Ok(None) };
    let rules: Result<Vec<_>, _> = texts.iter().map(|text| ModelRule::new(text)).collect();
    Ok(Some(rules.map_err(FromSqlError::other)?.into()))
}

fn list<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Vec<T>>> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    text.map(|text| serde_json::from_str(text).map_err(|err| FromSqlError::other(err).into())).transpose()
}

fn one(changed: usize) -> Result<(), StoreError> {
    if changed == 0 { Err(StoreError::NoSuchKey) } else { Ok(()) }
}
