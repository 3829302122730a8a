//! What a person may do with keys. Each act is kept before it takes effect, and takes effect at once: the
//! next look-up sees it.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Holder, Register,
    mint::{digest_of, mint, prefix_of},
    register::lock,
};
use crate::{
    domain::{BadName, Budget, ClientKey, Grant, KeyId, KeyName},
    events::Event,
    secrets::Sensitive,
    store::{Digest, NewKeyRow, StoreError},
};

/// As many keys can be live at once.
const MOST_KEYS: usize = 1000;
/// The highest limit per minute; more than that is none.
const MOST_PER_MINUTE: u32 = 1_000_000;
/// As many accounts, pools or models as a key can name.
const MOST_NAMED: usize = 256;

/// A key with its secret, which exists nowhere else from here on.
#[derive(Debug)]
pub struct Minted {
    /// The key.
    pub holder: Arc<Holder>,
    /// To be shown once.
    pub secret: Sensitive<String>,
}

/// Why an act was not done; each is a sentence with a next step.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    #[error("there is no such key; `headgate keys` lists them")]
    NotFound,
    #[error("another key is already called \"{0}\"; names are unique without regard to case")]
    NameTaken(String),
    #[error(transparent)]
    BadName(#[from] BadName),
    #[error("a key opens at least one of: proxy, read, manage")]
    NoScope,
    #[error("a limit per minute is a whole number from 1 to 1000000; leave it out for none")]
    BadRate,
    #[error("a budget is more than nothing; leave it out for none, or disable the key")]
    BadBudget,
    #[error(
        "a key names at least one account, pool or model and at most 256; leave the list out to allow all"
    )]
    BadList,
    #[error("an expiry lies ahead; to take a key out of use, disable or revoke it")]
    Past,
    #[error("there are 1000 keys already; revoke one that nobody uses")]
    TooMany,
    #[error("this system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for EditError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchKey => Self::NotFound,
            other => Self::Store(other),
        }
    }
}

impl Register {
    /// Makes a key; it is good at once.
    ///
    /// # Errors
    /// Whatever is wrong with the input or the store; nothing is kept then.
    pub fn add(&self, name: &str, grant: Grant) -> Result<Minted, EditError> {
        let inner = self.inner();
        let name = KeyName::new(name)?;
        check(&grant)?;
        let now = inner.clock.now();
        check_expiry(grant.expires_at, now)?;
        let (secret, digest) = new_secret()?;
        let _acting = lock(&inner.acting);
        if self.live().len() >= MOST_KEYS {
            return Err(EditError::TooMany);
        }
        let prefix = prefix_of(&secret);
        let row = NewKeyRow { name, prefix, digest, grant, created_at: now };
        let key = inner.store.add_key(&row).map_err(|error| named(error, &row.name))?;
        let holder = inner.publish(key, digest);
        inner.events.tell(|| Event::Keys);
        Ok(Minted { holder, secret })
    }

    /// Changes name and switch where there is something to change, and the grant by `edit`.
    ///
    /// # Errors
    /// As [`Register::add`].
    pub fn change(
        &self,
        id: KeyId,
        name: Option<&str>,
        enabled: Option<bool>,
        edit: impl FnOnce(&mut Grant),
    ) -> Result<Arc<Holder>, EditError> {
        let name = name.map(KeyName::new).transpose()?;
        let now = self.inner().clock.now();
        self.act(id, |store, key| {
            let expired = key.grant.expires_at;
            key.name = name.unwrap_or_else(|| key.name.clone());
            key.enabled = enabled.unwrap_or(key.enabled);
            edit(&mut key.grant);
            check(&key.grant)?;
            // What else a key says can be changed when it has expired, too.
            if key.grant.expires_at != expired {
                check_expiry(key.grant.expires_at, now)?;
            }
            store.save_key(key).map_err(|error| named(error, &key.name))?;
            Ok(None)
        })
    }

    /// Gives a key another secret; the one before is void at once.
    ///
    /// # Errors
    /// If there is no such key, no randomness, or the store refuses.
    pub fn rotate(&self, id: KeyId) -> Result<Minted, EditError> {
        let (secret, digest) = new_secret()?;
        let (now, prefix) = (self.inner().clock.now(), prefix_of(&secret));
        let holder = self.act(id, |store, key| {
            store.rotate_key(id, Arc::clone(&prefix), digest, now)?;
            key.prefix = prefix;
            key.rotated_at = Some(now);
            Ok(Some(digest))
        })?;
        Ok(Minted { holder, secret })
    }

    /// Voids a key for ever, and gives it back as it is then. Its history stays.
    ///
    /// # Errors
    /// If there is no such key, or the store refuses.
    pub fn revoke(&self, id: KeyId) -> Result<Arc<Holder>, EditError> {
        let now = self.inner().clock.now();
        self.act(id, |store, key| {
            store.revoke_key(id, now)?;
            key.revoked_at = Some(now);
            Ok(None)
        })
    }

    /// Does something to a key on disk and then in force; `change` may give it another digest.
    fn act(
        &self,
        id: KeyId,
        change: impl FnOnce(&crate::store::Store, &mut ClientKey) -> Result<Option<Digest>, EditError>,
    ) -> Result<Arc<Holder>, EditError> {
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        let before = self.get(id).ok_or(EditError::NotFound)?;
        let mut key = before.key.clone();
        let digest = change(&inner.store, &mut key)?;
        let holder = inner.publish(key, digest.unwrap_or(before.digest));
        inner.events.tell(|| Event::Keys);
        Ok(holder)
    }
}

fn new_secret() -> Result<(Sensitive<String>, Digest), EditError> {
    let secret = mint()?;
    let digest = digest_of(secret.expose().as_bytes()).expect("what was minted has the shape of a key");
    Ok((secret, digest))
}

fn named(error: StoreError, name: &KeyName) -> EditError {
    match error {
        StoreError::NameTaken => EditError::NameTaken(name.to_string()),
        other => other.into(),
    }
}

fn check_expiry(end: Option<Timestamp>, now: Timestamp) -> Result<(), EditError> {
    if end.is_some_and(|end| end <= now) { Err(EditError::Past) } else { Ok(()) }
}

fn check(grant: &Grant) -> Result<(), EditError> {
    let is_nothing = |all: Budget| all.tokens == Some(0) || all.money.is_some_and(|money| money.0 == 0);
    let (accounts, pools, models) = (&grant.accounts, &grant.pools, &grant.models);
    let sizes = [
        accounts.as_ref().map(|all| all.len()),
        pools.as_ref().map(|all| all.len()),
        models.as_ref().map(|all| all.len()),
    ];
    if grant.scopes.is_empty() {
        return Err(EditError::NoScope);
    }
    if grant.per_minute.is_some_and(|limit| !(1..=MOST_PER_MINUTE).contains(&limit)) {
        return Err(EditError::BadRate);
    }
    if is_nothing(grant.daily) || is_nothing(grant.monthly) {
        return Err(EditError::BadBudget);
    }
    if sizes.into_iter().flatten().any(|size| !(1..=MOST_NAMED).contains(&size)) {
        return Err(EditError::BadList);
    }
    Ok(())
}
