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
    /// What the settings say.
    pub chosen: Option<VaultKind>,
}

impl Found {
    /// A home that somebody else keeps, beside which there is none.
    pub fn given(vault: Arc<dyn Vault>) -> Self {
        let none = |_: VaultKind, _: Option<&Passphrase>| {
            Err(VaultError::Broken("there is no other place for keys than the one that was given".into()))
        };
        Self { vault, open: Box::new(none), chosen: None }
    }
}

/// Finds the home and opens it.
///
/// # Errors
/// If the store or the home can't be read.
pub fn find(settings: &Settings, store: &Store, passphrase: Option<Passphrase>) -> Result<Found, AppError> {
    let chosen = settings.vault.map(|choice| match choice {
        VaultChoice::Keychain => VaultKind::Keychain,
        VaultChoice::File => VaultKind::File,
    });
    let last = store.meta(HOME)?.and_then(|kind| kind.parse().ok());
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
        let place = Place { folder: &folder, realm: &realm, passphrase: given.or(passphrase.as_ref()) };
        secrets::open_known(kind, place)
    };
    Ok(Found { vault, open: Box::new(open), chosen })
}

/// Keeps folders that share a keychain apart, even if one of them moves.
fn new_realm(store: &Store) -> Result<String, AppError> {
    let realm = format!("{:016x}", getrandom::u64()?);
    store.set_meta("realm", &realm)?;
    Ok(realm)
}
