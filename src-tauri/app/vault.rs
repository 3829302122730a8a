//! Which home the secrets of a folder have: the one that was chosen, else the one that the folder has, else the keychain
//! or the sealed file. Remembers what came of it, and never overrules a choice.

use std::sync::Arc;

use super::AppError;
use crate::{
    accounts::homes::{
        Open,
        course::{HOME, MOVE},
    },
    secrets::{self, Passphrase, Place, Vault, VaultError, VaultKind},
    settings::{Settings, VaultChoice},
    store::Store,
};

/// The home, and how others are opened.
pub struct Found {
    pub vault: Arc<dyn Vault>,
    pub open: Open,
    /// What was given at the start.
    pub passphrase: Option<Passphrase>,
    /// What the settings say.
    pub chosen: Option<VaultKind>,
}

impl Found {
    /// A home that somebody else keeps, beside which there is none.
    pub fn given(vault: Arc<dyn Vault>) -> Self {
        let none = |_: VaultKind, _: Option<&Passphrase>| {
            Err(VaultError::Broken("there is no other place for keys than the one that was given".into()))
        };
        Self { vault, open: Box::new(none), passphrase: None, chosen: None }
    }
}

/// The home that a person chooses by this word.
pub fn kind_of(choice: VaultChoice) -> VaultKind {
    match choice {
        VaultChoice::Keychain => VaultKind::Keychain,
        VaultChoice::File => VaultKind::File,
    }
}

/// Finds the home and opens it.
///
/// # Errors
/// If the store or the home can't be read.
pub fn find(settings: &Settings, store: &Store, passphrase: Option<Passphrase>) -> Result<Found, AppError> {
    let chosen = settings.vault.map(kind_of);
    let last: Option<VaultKind> = store.meta(HOME)?.and_then(|kind| kind.parse().ok());
    if let (Some(chosen), Some(last)) = (chosen, last)
        && chosen != last
        && store.meta(MOVE)?.is_some()
    {
        return Err(moved_away(last, chosen).into());
    }
    let realm = match store.meta("realm")? {
        Some(realm) => realm,
        None => new_realm(store)?,
    };
    let folder = settings.data_dir.clone();
    let place = Place { folder: &folder, realm: &realm, passphrase: passphrase.as_ref() };
    let vault = match (chosen.or(last), last) {
        (Some(kind), Some(last)) if kind == last => secrets::open_known(kind, place)?,
        (choice, _) => secrets::open(choice, place)?,
    };
    // While a move is not over, only the move says where everything is.
    if last != Some(vault.kind()) && store.meta(MOVE)?.is_none() {
        store.set_meta(HOME, vault.kind().as_str())?;
    }
    let open = move |kind: VaultKind, given: Option<&Passphrase>| {
        let place = Place { folder: &folder, realm: &realm, passphrase: given };
        secrets::open_known(kind, place)
    };
    Ok(Found { vault, open: Box::new(open), passphrase, chosen })
}

/// What was renewed in the home that is left would end with it, for nobody could say later which one is newer.
fn moved_away(last: VaultKind, chosen: VaultKind) -> VaultError {
    VaultError::Broken(format!(
        "a move between homes for keys is not over: the keys are in {}, and HEADGATE_VAULT or `vault` in settings.toml \
         chooses {}; take that choice out and start again",
        last.title(),
        chosen.title()
    ))
}

/// Keeps folders that share a keychain apart, even if one of them moves.
fn new_realm(store: &Store) -> Result<String, AppError> {
    let realm = format!("{:016x}", getrandom::u64()?);
    store.set_meta("realm", &realm)?;
    Ok(realm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{settings::Choices, store::Options};

    #[test]
    fn what_was_renewed_in_a_home_that_was_being_left_ended_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db"), Options::default()).unwrap();
        let choices = Choices { data_dir: Some(folder.path().to_owned()), ..Choices::default() };
        let settings = Settings { vault: Some(VaultChoice::File), ..Settings::load(choices).unwrap() };
        for note in ["emptying file", "filling file"] {
            store.change_meta(&[(HOME, Some("keychain")), (MOVE, Some(note))]).unwrap();
            let said = find(&settings, &store, None).err().expect("nothing is renewed there").to_string();
            assert!(said.contains("in the keychain") && said.contains("chooses the sealed file"), "{said}");
            assert!(!folder.path().join("vault.key").exists(), "nothing was made there");
        }
        store.change_meta(&[(HOME, Some("file")), (MOVE, Some("emptying keychain"))]).unwrap();
        assert_eq!(find(&settings, &store, None).unwrap().vault.kind(), VaultKind::File);
    }
}
