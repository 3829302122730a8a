//! Where secrets live: the keychain, a sealed file where there is none, memory for the demo. Refuses
//! plain text on disk, never falls back from a choice that was made, and puts no secret into an error.

mod items;
mod key_file;
mod keychain;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod keyring_tests;
mod memory;
mod name;
mod native;
mod sealed;
mod sensitive;

use std::{fmt, path::Path, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use keychain::Keychain;
pub use memory::Memory;
pub use name::{BadSecretName, SecretName};
pub use sealed::SealedFile;
pub use sensitive::Sensitive;

/// A home for secrets. Every call may block for as long as a person needs to answer a prompt, so async
/// callers go through `spawn_blocking`.
pub trait Vault: Send + Sync + fmt::Debug {
    /// Which kind of home this is, for `doctor` and for the folder to remember.
    fn kind(&self) -> VaultKind;

    /// The secret of this name, `None` if there is none.
    fn get(&self, name: &SecretName) -> Result<Option<Sensitive<String>>, VaultError>;

    /// Keeps a secret under this name, instead of the one that was there.
    fn put(&self, name: &SecretName, secret: &Sensitive<String>) -> Result<(), VaultError>;

    /// Forgets the secret of this name; it is no error if there was none.
    fn remove(&self, name: &SecretName) -> Result<(), VaultError>;

    /// Every name held, to find what no account owns any more. `None` where the platform cannot tell.
    fn names(&self) -> Result<Option<Vec<SecretName>>, VaultError>;
}

/// The kinds of vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum VaultKind {
    /// The keychain of the operating system.
    Keychain,
    /// The sealed file in the data folder.
    File,
    /// Nothing that outlives the process.
    Memory,
}

impl VaultKind {
    /// The word for it in settings and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keychain => "keychain",
            Self::File => "file",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for VaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word names no kind of vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a vault is one of keychain, file and memory")]
pub struct BadVaultKind;

impl FromStr for VaultKind {
    type Err = BadVaultKind;

    fn from_str(text: &str) -> Result<Self, BadVaultKind> {
        [Self::Keychain, Self::File, Self::Memory]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(BadVaultKind)
    }
}

/// Why a vault did not do as it was asked. Holds no secret and reads as a sentence with a next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// This machine has no keychain service at all.
    #[error(
        "this session has no keychain service; start one (gnome-keyring or KWallet, for example), \
         or set HEADGATE_VAULT=file to keep secrets in a sealed file"
    )]
    Absent,
    /// There is a keychain and it waits for its owner.
    #[error(
        "the keychain is locked; unlock it and try again, \
         or set HEADGATE_VAULT=file to keep secrets in a sealed file"
    )]
    Locked,
    /// Anything else, told in a whole sentence.
    #[error("{0}")]
    Broken(String),
}

/// Opens the vault of one data folder. A choice is obeyed and never replaced by another; without one it
/// is the keychain, or the sealed file where there is no keychain service at all. `realm` keeps data
/// folders that share a keychain apart.
///
/// # Errors
/// `Absent` only for a chosen keychain; `Locked` if the keychain needs its owner; `Broken` for the rest.
pub fn open(choice: Option<VaultKind>, folder: &Path, realm: &str) -> Result<Arc<dyn Vault>, VaultError> {
    open_with_key_file(choice, folder, realm, None)
}

/// Like [`open`], with the sealed file's key taken from a file that somebody else keeps.
///
/// # Errors
/// As [`open`]; `Broken` also if the named key file is missing.
pub fn open_with_key_file(
    choice: Option<VaultKind>,
    folder: &Path,
    realm: &str,
    key_file: Option<&Path>,
) -> Result<Arc<dyn Vault>, VaultError> {
    let sealed = || SealedFile::open(folder, key_file).map(|file| Arc::new(file) as Arc<dyn Vault>);
    match choice {
        Some(VaultKind::File) => sealed(),
        Some(VaultKind::Memory) => Ok(Arc::new(Memory::default())),
        Some(VaultKind::Keychain) => Ok(Arc::new(Keychain::open(realm)?)),
        None => match Keychain::open(realm) {
            Err(VaultError::Absent) => sealed(),
            opened => Ok(Arc::new(opened?)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_as_it_is_read() {
        for kind in [VaultKind::Keychain, VaultKind::File, VaultKind::Memory] {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("plain".parse::<VaultKind>(), Err(BadVaultKind), "there is no plain-text vault");
    }

    #[test]
    fn every_error_reads_as_a_sentence_with_a_next_step() {
        for error in [VaultError::Absent, VaultError::Locked] {
            let said = error.to_string();
            assert!(said.contains("HEADGATE_VAULT=file"), "says what to do instead: {said}");
        }
    }

    #[test]
    fn a_chosen_file_is_used_whether_or_not_there_is_a_keychain() {
        let folder = tempfile::tempdir().unwrap();
        let vault = open(Some(VaultKind::File), folder.path(), "realm").unwrap();
        assert_eq!(vault.kind(), VaultKind::File);
        assert!(folder.path().join("vault.key").exists());
    }
}
