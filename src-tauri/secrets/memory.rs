//! Secrets that end with the process: for the demo and for tests.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{SecretName, Sensitive, Vault, VaultError, VaultKind};

/// A vault in memory.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<SecretName, Sensitive<String>>>);

impl Memory {
    fn held(&self) -> MutexGuard<'_, BTreeMap<SecretName, Sensitive<String>>> {
        // A map is whole after any panic of a holder: each change is one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault for Memory {
    fn kind(&self) -> VaultKind {
        VaultKind::Memory
    }

    fn get(&self, name: &SecretName) -> Result<Option<Sensitive<String>>, VaultError> {
        Ok(self.held().get(name).cloned())
    }

    fn put(&self, name: &SecretName, secret: &Sensitive<String>) -> Result<(), VaultError> {
        self.held().insert(name.clone(), secret.clone());
        Ok(())
    }

    fn remove(&self, name: &SecretName) -> Result<(), VaultError> {
        self.held().remove(name);
        Ok(())
    }

    fn names(&self) -> Result<Option<Vec<SecretName>>, VaultError> {
        Ok(Some(self.held().keys().cloned().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_there_until_it_is_removed() {
        let vault = Memory::default();
        let name = SecretName::new("account/1").unwrap();
        vault.put(&name, &Sensitive::new("one".into())).unwrap();
        assert_eq!(vault.get(&name).unwrap().unwrap().expose(), "one");
        assert_eq!(vault.names().unwrap().unwrap(), std::slice::from_ref(&name));
        vault.remove(&name).unwrap();
        vault.remove(&name).unwrap();
        assert!(vault.get(&name).unwrap().is_none());
    }
}
