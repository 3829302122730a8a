//! Where secrets live: the keychain, a sealed file where there is none, memory for the demo. Refuses
//! plain text on disk, never falls back from a choice that was made, and puts no secret into an error.

mod carry;
mod dump;
mod items;
mod key_file;
mod keychain;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod keyring_tests;
mod memory;
mod name;
mod native;
mod passphrase;
mod probe;
mod seal;
mod sealed;
#[cfg(test)]
mod sealed_tests;
mod sensitive;

use std::{fmt, path::Path, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use carry::{copy, empty, take_back};
pub use dump::leave_none as leave_no_dump;
pub use keychain::Keychain;
pub use memory::Memory;
pub use name::{BadSecretName, SecretName};
pub use passphrase::{BadPassphrase, FILE_VARIABLE, Passphrase, VARIABLE};
pub use probe::prove;
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

    /// Whether something is kept under this name, be it what is left of a secret whose removal broke off.
    fn holds(&self, name: &SecretName) -> Result<bool, VaultError> {
        Ok(self.get(name)?.is_some())
    }

    /// Every name held, to find what no account owns any more. `None` where the platform cannot tell.
    fn names(&self) -> Result<Option<Vec<SecretName>>, VaultError>;

    /// What keeps others from reading it.
    fn secured(&self) -> Secured {
        Secured::System
    }

    /// Seals it with this passphrase, or with a key file, in place of what it is sealed with; `current` is the
    /// passphrase that it has. What could not be tidied up behind it comes back as a sentence: it is done all the same.
    ///
    /// # Errors
    /// `NeedsPassphrase` and `WrongPassphrase` about the current one; nothing has changed then. `Broken` where there is
    /// nothing to be sealed.
    fn reseal(
        &self,
        _current: Option<&Passphrase>,
        _next: Option<&Passphrase>,
    ) -> Result<Option<String>, VaultError> {
        Err(VaultError::Broken(self.kind().has_no_passphrase()))
    }

    /// Takes away what a home leaves behind that nobody lives in any more; one that holds something stays.
    fn vacate(&self) -> Result<(), VaultError> {
        Ok(())
    }
}

/// What keeps others from reading a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Secured {
    /// The operating system; of what is in memory, that it ends with the process.
    System,
    /// A key in a file that its owner alone may read.
    KeyFile,
    /// A passphrase.
    Passphrase,
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
    /// What it is called in a sentence.
    pub fn title(self) -> &'static str {
        match self {
            Self::Keychain => "the keychain",
            Self::File => "the sealed file",
            Self::Memory => "memory",
        }
    }

    /// Why it can't be sealed anew, with a next step; of every kind but the sealed file.
    pub fn has_no_passphrase(self) -> String {
        format!(
            "keys are kept in {}, which has no passphrase of ours; `headgate vault move file` brings them into a \
             sealed file",
            self.title()
        )
    }

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
         or, while no key is kept there yet, set HEADGATE_VAULT=file to keep them in a sealed file"
    )]
    Absent,
    /// There is a keychain and it waits for its owner.
    #[error(
        "the keychain is locked; unlock it and try again, \
         or, while no key is kept there yet, set HEADGATE_VAULT=file to keep them in a sealed file"
    )]
    Locked,
    /// The sealed file, which is named, was sealed with a passphrase, and none was given.
    #[error(
        "{0} is sealed with a passphrase; run the command in a terminal to be asked for it, or give it by \
         HEADGATE_PASSPHRASE_FILE, or by HEADGATE_PASSPHRASE"
    )]
    NeedsPassphrase(String),
    /// That is not its passphrase.
    #[error(
        "{0} does not open with this passphrase: it is another one, or the file is damaged. Nothing has changed; try \
         again, or restore the file from a backup"
    )]
    WrongPassphrase(String),
    /// Anything else, told in a whole sentence.
    #[error("{0}")]
    Broken(String),
}

/// Where the vaults of one data folder are, and what opens them.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub folder: &'a Path,
    /// Keeps data folders that share a keychain apart.
    pub realm: &'a str,
    pub passphrase: Option<&'a Passphrase>,
}

/// Opens the vault of one data folder for the first time, and proves that the keychain works. A choice is obeyed and
/// never replaced by another; without one it is the keychain, or the sealed file where there is no keychain service at
/// all.
///
/// # Errors
/// `Absent` only for a chosen keychain; `Locked` if the keychain needs its owner; the passphrase's own; `Broken` for
/// the rest.
pub fn open(choice: Option<VaultKind>, place: Place) -> Result<Arc<dyn Vault>, VaultError> {
    open_by(choice, place, || Ok(Arc::new(Keychain::open(place.realm)?)))
}

/// The same, where this opens the keychain.
fn open_by(
    choice: Option<VaultKind>,
    place: Place,
    keychain: impl FnOnce() -> Result<Arc<dyn Vault>, VaultError>,
) -> Result<Arc<dyn Vault>, VaultError> {
    match choice {
        Some(VaultKind::Keychain) => keychain(),
        Some(kind) => open_known(kind, place),
        None => match keychain() {
            Err(VaultError::Absent) => open_known(VaultKind::File, place),
            opened => opened,
        },
    }
}

/// Opens the vault that a data folder has used before. A keychain is not asked anything yet: its first call tells
/// whether it is there, and [`prove`] whether it works.
///
/// # Errors
/// As [`open`]'s, of the sealed file.
pub fn open_known(kind: VaultKind, place: Place) -> Result<Arc<dyn Vault>, VaultError> {
    Ok(match kind {
        VaultKind::Keychain => Arc::new(Keychain::known(place.realm)?),
        VaultKind::File => Arc::new(SealedFile::open(place.folder, None, place.passphrase)?),
        VaultKind::Memory => Arc::new(Memory::default()),
    })
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
        let file = || "/data/vault.sealed".to_owned();
        for (error, next) in [
            (VaultError::Absent, "set HEADGATE_VAULT=file"),
            (VaultError::Locked, "unlock it and try again"),
            (VaultError::NeedsPassphrase(file()), "give it by HEADGATE_PASSPHRASE_FILE"),
            (VaultError::WrongPassphrase(file()), "try again, or restore the file"),
        ] {
            let (said, names_the_file) =
                (error.to_string(), error.to_string().contains("/data/vault.sealed"));
            assert!(said.contains(next) && !said.ends_with('.'), "{said}");
            let is_of_a_file =
                matches!(error, VaultError::NeedsPassphrase(_) | VaultError::WrongPassphrase(_));
            assert_eq!(names_the_file, is_of_a_file, "{said}");
        }
    }

    #[test]
    fn a_choice_is_obeyed_and_only_where_there_is_none_and_no_keychain_a_file_is_used() {
        use VaultKind::{File, Keychain};
        let opened = |choice, chain: Option<VaultError>| {
            let folder = tempfile::tempdir().unwrap();
            let place = Place { folder: folder.path(), realm: "realm", passphrase: None };
            let was_asked = std::cell::Cell::new(false);
            let keychain = || {
                was_asked.set(true);
                // What stands in for a keychain that works says that it is memory.
                chain.map_or_else(|| Ok(Arc::new(Memory::default()) as Arc<dyn Vault>), Err)
            };
            let kind = open_by(choice, place, keychain).map(|vault| vault.kind());
            assert_eq!(folder.path().join("vault.key").exists(), kind == Ok(File), "no key lies about");
            (kind, was_asked.get())
        };
        let (absent, locked) = (VaultError::Absent, VaultError::Locked);
        assert_eq!(opened(Some(File), None), (Ok(File), false), "whether or not there is a keychain");
        assert_eq!(opened(Some(Keychain), None), (Ok(VaultKind::Memory), true));
        assert_eq!(opened(Some(Keychain), Some(absent.clone())), (Err(absent.clone()), true));
        assert_eq!(opened(None, None), (Ok(VaultKind::Memory), true));
        assert_eq!(opened(None, Some(absent)), (Ok(File), true));
        assert_eq!(opened(None, Some(locked.clone())), (Err(locked), true), "it is there");
    }
}
