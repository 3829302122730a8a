//! What a move has left in a sealed file is to be had by whoever knows what it is sealed with, and by nobody else.

use std::{path::Path, sync::Arc};

use tempfile::TempDir;

use super::{
    HomeError, Homes, Left,
    course::{HOME, MOVE},
};
use crate::{
    accounts::{NewAccount, PlainHttp, Roster},
    clock::Clock,
    domain::AccountId,
    events::Events,
    providers::Catalog,
    routing::Ration,
    secrets::{
        Memory, Passphrase, Place, SealedFile, SecretName, Secured, Sensitive, Vault, VaultError, VaultKind,
        open_known,
    },
    store::{Options, Store},
};

/// In place of a keychain.
#[derive(Debug, Default)]
struct Chain(Memory);

impl Vault for Chain {
    fn kind(&self) -> VaultKind {
        VaultKind::Keychain
    }
    fn get(&self, name: &SecretName) -> Result<Option<Sensitive<String>>, VaultError> {
        self.0.get(name)
    }
    fn put(&self, name: &SecretName, secret: &Sensitive<String>) -> Result<(), VaultError> {
        self.0.put(name, secret)
    }
    fn remove(&self, name: &SecretName) -> Result<(), VaultError> {
        self.0.remove(name)
    }
    fn names(&self) -> Result<Option<Vec<SecretName>>, VaultError> {
        self.0.names()
    }
}

/// A folder with one account, whose key is in the keychain.
struct House {
    folder: TempDir,
    store: Store,
    chain: Arc<Chain>,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db"), Options::default()).unwrap();
        store.set_meta(HOME, "keychain").unwrap();
        let house = Self { folder, store, chain: Arc::default() };
        let new = NewAccount {
            name: "a".into(),
            provider: "anthropic".into(),
            base_url: None,
            plain_http: PlainHttp::default(),
            priority: 0,
            key: Some(Sensitive::new("key-a".into())),
        };
        house.start_in(Arc::clone(&house.chain) as _, None).0.add(new).unwrap();
        house
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn start(&self) -> Homes {
        self.start_in(Arc::clone(&self.chain) as _, None).1
    }

    fn start_in(&self, home: Arc<dyn Vault>, passphrase: Option<Passphrase>) -> (Roster, Homes) {
        let (clock, events) = (Clock::system(), Events::default());
        let roster =
            Roster::load(self.store.clone(), home, Catalog::built_in(), clock, events, Ration::default())
                .unwrap();
        let (folder, chain) = (self.path().to_owned(), Arc::clone(&self.chain));
        let open = move |kind, passphrase: Option<&Passphrase>| match kind {
            VaultKind::Keychain => Ok(Arc::clone(&chain) as Arc<dyn Vault>),
            kind => open_known(kind, Place { folder: &folder, realm: "realm", passphrase }),
        };
        let homes = Homes::load(roster.clone(), Box::new(open), None, passphrase).unwrap();
        (roster, homes)
    }

    /// Something that a move has left in the sealed file.
    fn leave(&self, note: &str, passphrase: Option<&Passphrase>) {
        let file = SealedFile::open(self.path(), None, passphrase).unwrap();
        file.put(&SecretName::of_account(AccountId(1)), &Sensitive::new("key-a".into())).unwrap();
        self.store.change_meta(&[(MOVE, Some(note))]).unwrap();
    }

    fn is_there(&self, file: &str) -> bool {
        self.path().join(file).exists()
    }
}

fn phrase(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

#[test]
fn what_was_left_under_a_passphrase_could_never_be_cleaned_up() {
    for (note, left) in
        [("filling file", Left::Copies(VaultKind::File)), ("emptying file", Left::Old(VaultKind::File))]
    {
        let house = House::new();
        house.leave(note, Some(&phrase("the right words")));
        let homes = house.start();
        assert_eq!(homes.stand().left, Some(left));
        let refused = |given: Option<&Passphrase>| homes.clean(&[], given).unwrap_err();
        let none = refused(None);
        assert!(matches!(&none, HomeError::Left { source: VaultError::NeedsPassphrase(_), .. }), "{none}");
        let said = refused(Some(&phrase("other words"))).to_string();
        assert!(said.contains("does not open with this passphrase"), "{said}");
        assert!(said.contains("remove the file by hand") && said.contains("in the keychain"), "{said}");
        assert!(house.is_there("vault.sealed"), "nothing has changed");

        let stand = homes.clean(&[], Some(&phrase("the right words"))).unwrap();
        assert_eq!((stand.left, house.is_there("vault.sealed")), (None, false), "{note}");
        assert_eq!(house.chain.names().unwrap().unwrap().len(), 1);
    }
}

#[test]
fn what_was_left_by_a_passphrase_nobody_knows_is_over_once_its_file_is_removed_by_hand() {
    let house = House::new();
    house.leave("filling file", Some(&phrase("forgotten words")));
    std::fs::remove_file(house.path().join("vault.sealed")).unwrap();
    let stand = house.start().clean(&[], None).unwrap();
    assert_eq!(
        (stand.left, house.is_there("vault.sealed"), house.is_there("vault.key")),
        (None, false, false)
    );
}

#[test]
fn after_the_file_was_sealed_anew_the_passphrase_of_the_start_was_kept_and_tried() {
    let house = House::new();
    let (first, second) = (phrase("the first words"), phrase("the second words"));
    let homes = house.start();
    homes.carry(VaultKind::File, Some(&first), false).unwrap();
    assert!(homes.open(VaultKind::File, None).is_ok(), "what was typed for the move opens what it sealed");
    let file = Arc::new(SealedFile::open(house.path(), None, Some(&first)).unwrap());
    let (_, homes) = house.start_in(file, Some(first.clone()));
    assert!(homes.open(VaultKind::File, None).is_ok());
    homes.reseal(Some(&first), Some(&second)).unwrap();
    assert!(homes.open(VaultKind::File, None).is_ok(), "the new one opens it");
    assert!(homes.open(VaultKind::File, Some(&first)).is_err());
    homes.reseal(Some(&second), None).unwrap();
    assert!(homes.passphrase().is_none(), "and with a key file there is none to be kept");
}

#[test]
fn a_move_into_a_file_that_was_left_with_a_key_was_not_sealed_with_the_passphrase_that_was_asked_for() {
    let house = House::new();
    house.leave("filling file", None);
    assert!(house.is_there("vault.key"));
    let homes = house.start();
    assert_eq!(homes.carry(VaultKind::File, Some(&phrase("the right words")), false).unwrap(), 1);
    assert_eq!((homes.stand().secured, house.is_there("vault.key")), (Secured::Passphrase, false));
    let file = SealedFile::open(house.path(), None, Some(&phrase("the right words"))).unwrap();
    assert_eq!(file.names().unwrap().unwrap().len(), 1);
}

#[test]
fn a_file_with_a_passphrase_is_one_whatever_key_lies_beside_it() {
    let house = House::new();
    house.leave("filling file", Some(&phrase("the right words")));
    let other = tempfile::tempdir().unwrap();
    drop(SealedFile::open(other.path(), None, None).unwrap());
    std::fs::copy(other.path().join("vault.key"), house.path().join("vault.key")).unwrap();
    let homes = house.start();
    let said = homes.carry(VaultKind::File, None, false).unwrap_err().to_string();
    assert!(said.contains("is sealed with a passphrase"), "{said}");
    assert_eq!(homes.stand().left, Some(Left::Copies(VaultKind::File)), "nothing has moved");
    assert_eq!(homes.carry(VaultKind::File, Some(&phrase("the right words")), false).unwrap(), 1);
    assert_eq!(homes.stand().secured, Secured::Passphrase);
}
