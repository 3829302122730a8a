//! A vault that may be locked, and takes note of tokens that were used before it had them.

use std::{
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    accounts::Roster,
    domain::AccountId,
    secrets::{Memory, SecretName, Sensitive, Vault, VaultError, VaultKind},
};

/// A vault that may be locked, and takes note of tokens that were used before it had them.
#[derive(Default)]
pub struct Safe {
    memory: Memory,
    pub is_locked: AtomicBool,
    /// Nothing can be read either.
    pub is_shut: AtomicBool,
    pub roster: Mutex<Option<(Roster, AccountId)>>,
    pub faults: Mutex<Vec<String>>,
}

impl fmt::Debug for Safe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Safe")
    }
}

impl Vault for Safe {
    fn kind(&self) -> VaultKind {
        VaultKind::Memory
    }

    fn get(&self, name: &SecretName) -> Result<Option<Sensitive<String>>, VaultError> {
        if self.is_shut.load(Ordering::Relaxed) {
            return Err(VaultError::Locked);
        }
        self.memory.get(name)
    }

    fn put(&self, name: &SecretName, secret: &Sensitive<String>) -> Result<(), VaultError> {
        if self.is_locked.load(Ordering::Relaxed) {
            return Err(VaultError::Locked);
        }
        if let Some((roster, id)) = &*self.roster.lock().unwrap() {
            let used = roster.bearer(*id).unwrap();
            if secret.expose().contains(&format!("\"{}\"", used.expose())) {
                self.faults.lock().unwrap().push(format!("{} was used before it was kept", used.expose()));
            }
        }
        self.memory.put(name, secret)
    }

    fn remove(&self, name: &SecretName) -> Result<(), VaultError> {
        self.memory.remove(name)
    }

    fn names(&self) -> Result<Option<Vec<SecretName>>, VaultError> {
        self.memory.names()
    }
}
