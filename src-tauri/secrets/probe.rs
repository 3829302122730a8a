//! The self-test of a vault: an item of its own is put, read back and taken away. Looks at nobody's secret.

use super::{SecretName, Sensitive, Vault, VaultError, VaultKind, native};

/// Proves that what is put into a vault can be read back and removed. The first failure ends it, so that a person is
/// asked once at most.
///
/// # Errors
/// Whatever the vault says; `Broken` if it gives back something else than was put.
pub fn prove(vault: &dyn Vault) -> Result<(), VaultError> {
    let (name, value) = (SecretName::probe(), random()?);
    vault.put(&name, &Sensitive::new(value.clone()))?;
    let read = vault.get(&name)?;
    vault.remove(&name)?;
    let is_kept = read.is_some_and(|read| *read.expose() == value);
    if is_kept && vault.get(&name)?.is_none() { Ok(()) } else { Err(does_not_keep(vault.kind())) }
}

fn does_not_keep(kind: VaultKind) -> VaultError {
    match kind {
        VaultKind::Keychain => native::broken("a probe did not come back as it was put"),
        kind => VaultError::Broken(format!(
            "{} did not give a probe back as it was put; look whether another program changes the data folder",
            kind.title()
        )),
    }
}

fn random() -> Result<String, VaultError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        VaultError::Broken(format!("the system gave no random numbers ({error}); try again"))
    })?;
    Ok(u128::from_le_bytes(bytes).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Memory;

    /// Keeps nothing, or takes nothing away.
    #[derive(Debug)]
    struct Forgetful(Memory, bool);

    impl Vault for Forgetful {
        fn kind(&self) -> VaultKind {
            VaultKind::Keychain
        }
        fn get(&self, name: &SecretName) -> Result<Option<Sensitive<String>>, VaultError> {
            self.0.get(name)
        }
        fn put(&self, name: &SecretName, secret: &Sensitive<String>) -> Result<(), VaultError> {
            if self.1 { Ok(()) } else { self.0.put(name, secret) }
        }
        fn remove(&self, _: &SecretName) -> Result<(), VaultError> {
            Ok(())
        }
        fn names(&self) -> Result<Option<Vec<SecretName>>, VaultError> {
            self.0.names()
        }
    }

    #[test]
    fn a_vault_that_loses_or_keeps_what_it_should_not_is_noticed() {
        let vault = Memory::default();
        prove(&vault).unwrap();
        assert_eq!(vault.names().unwrap().unwrap(), [], "a test leaves nothing behind");
        for loses in [true, false] {
            let said = prove(&Forgetful(Memory::default(), loses)).unwrap_err().to_string();
            assert!(said.contains("did not come back"), "{said}");
        }
    }
}
