//! The sealed file's claims: nothing is lost, nothing is told, and what can't be read is left as it is.

use std::{fs, sync::Arc, thread};

use proptest::prelude::*;
use tempfile::TempDir;

use super::{Passphrase, SealedFile, SecretName, Secured, Sensitive, Vault, VaultError, key_file};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn name(text: &str) -> SecretName {
    SecretName::new(text).unwrap()
}

fn sealed_with_one(folder: &TempDir) -> Vec<u8> {
    let vault = SealedFile::open(folder.path(), None, None).unwrap();
    vault.put(&name("account/1"), &Sensitive::new("sk-ant-secret".into())).unwrap();
    fs::read(folder.path().join("vault.sealed")).unwrap()
}

fn refusal(folder: &TempDir) -> String {
    SealedFile::open(folder.path(), None, None).unwrap_err().to_string()
}

#[test]
fn secrets_survive_a_restart() {
    let folder = folder();
    sealed_with_one(&folder);
    let again = SealedFile::open(folder.path(), None, None).unwrap();
    assert_eq!(again.get(&name("account/1")).unwrap().unwrap().expose(), "sk-ant-secret");
    again.remove(&name("account/1")).unwrap();
    assert_eq!(again.names().unwrap().unwrap(), []);
}

#[test]
fn nothing_in_the_folder_shows_the_secret() {
    let folder = folder();
    sealed_with_one(&folder);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("sk-ant"), "every file is sealed or a key");
    }
}

#[cfg(unix)]
#[test]
fn key_and_file_are_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    sealed_with_one(&folder);
    for file in ["vault.key", "vault.sealed", "vault.lock"] {
        let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    fs::set_permissions(folder.path().join("vault.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let said = refusal(&folder);
    assert!(said.contains("chmod 600"), "{said}");
}

#[test]
fn two_handles_on_one_folder_lose_nothing_of_each_other() {
    let folder = folder();
    let handles = [(); 2].map(|()| Arc::new(SealedFile::open(folder.path(), None, None).unwrap()));
    let writers: Vec<_> = handles
        .iter()
        .enumerate()
        .map(|(who, vault)| {
            let vault = Arc::clone(vault);
            thread::spawn(move || {
                for count in 0..20 {
                    let name = name(&format!("account/{who}-{count}"));
                    vault.put(&name, &Sensitive::new("x".into())).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(handles[0].names().unwrap().unwrap().len(), 40);
}

#[test]
fn another_key_is_refused_and_the_file_stays_as_it_was() {
    let folder = folder();
    let before = sealed_with_one(&folder);
    fs::remove_file(folder.path().join("vault.key")).unwrap();
    assert!(refusal(&folder).contains("is missing"), "no new key is made over a sealed file");
    key_file::make(&folder.path().join("vault.key")).unwrap();
    assert!(refusal(&folder).contains("another key"));
    assert_eq!(fs::read(folder.path().join("vault.sealed")).unwrap(), before);
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let folder = folder();
    let mut sealed = sealed_with_one(&folder);
    sealed[0] = 3;
    fs::write(folder.path().join("vault.sealed"), sealed).unwrap();
    assert!(refusal(&folder).contains("newer Headgate"));
    fs::remove_file(folder.path().join("vault.key")).unwrap();
    assert!(refusal(&folder).contains("newer Headgate"), "which need not have had a key file");
}

#[test]
fn a_damaged_key_file_is_refused_and_kept() {
    let folder = folder();
    sealed_with_one(&folder);
    fs::write(folder.path().join("vault.key"), "half a k").unwrap();
    assert!(refusal(&folder).contains("64 hexadecimal digits"));
    assert_eq!(fs::read(folder.path().join("vault.key")).unwrap(), b"half a k");
}

#[test]
fn a_named_key_file_must_be_there_and_is_the_only_key() {
    let (folder, elsewhere) = (folder(), folder());
    let named = elsewhere.path().join("key");
    let missing = SealedFile::open(folder.path(), Some(&named), None).unwrap_err().to_string();
    assert!(missing.contains("openssl rand -hex 32"), "{missing}");
    key_file::make(&named).unwrap();
    let vault = SealedFile::open(folder.path(), Some(&named), None).unwrap();
    vault.put(&name("account/1"), &Sensitive::new("x".into())).unwrap();
    assert!(!folder.path().join("vault.key").exists());
}

fn phrase(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

fn open_with(folder: &TempDir, text: &str) -> Result<SealedFile, VaultError> {
    SealedFile::open(folder.path(), None, Some(&phrase(text)))
}

#[test]
fn a_new_file_is_sealed_with_the_passphrase_that_is_given_and_opens_with_no_other() {
    let folder = folder();
    let vault = open_with(&folder, "correct horse").unwrap();
    assert_eq!(vault.secured(), Secured::Passphrase);
    assert!(!folder.path().join("vault.key").exists(), "no key lies about");
    vault.put(&name("account/1"), &Sensitive::new("sk-1".into())).unwrap();
    let before = fs::read(folder.path().join("vault.sealed")).unwrap();

    let wrong = open_with(&folder, "correct house").unwrap_err();
    assert!(matches!(wrong, VaultError::WrongPassphrase(_)), "{wrong}");
    let none = SealedFile::open(folder.path(), None, None).unwrap_err();
    assert!(matches!(&none, VaultError::NeedsPassphrase(_)), "{none}");
    assert!(none.to_string().contains("HEADGATE_PASSPHRASE_FILE"), "{none}");
    assert_eq!(fs::read(folder.path().join("vault.sealed")).unwrap(), before, "nothing has changed");
    assert!(!folder.path().join("vault.key").exists(), "and no key was made beside it");
    let again = open_with(&folder, "correct horse").unwrap();
    assert_eq!(again.get(&name("account/1")).unwrap().unwrap().expose(), "sk-1");
}

#[test]
fn a_key_file_gives_way_to_a_passphrase_and_comes_back() {
    let folder = folder();
    sealed_with_one(&folder);
    let vault = SealedFile::open(folder.path(), None, Some(&phrase("not needed"))).unwrap();
    assert_eq!(vault.secured(), Secured::KeyFile, "one that is given changes no file by itself");

    vault.reseal(None, Some(&phrase("first phrase"))).unwrap();
    assert_eq!(
        vault.get(&name("account/1")).unwrap().unwrap().expose(),
        "sk-ant-secret",
        "the handle goes on"
    );
    assert!(!folder.path().join("vault.key").exists(), "old copies don't open any more");
    let sealed = fs::read(folder.path().join("vault.sealed")).unwrap();
    for wrong in [None, Some(phrase("second phrase"))] {
        let refusal = vault.reseal(wrong.as_ref(), None).unwrap_err();
        assert!(
            matches!(refusal, VaultError::NeedsPassphrase(_) | VaultError::WrongPassphrase(_)),
            "{refusal}"
        );
    }
    assert_eq!(fs::read(folder.path().join("vault.sealed")).unwrap(), sealed, "a wrong one changes nothing");

    vault.reseal(Some(&phrase("first phrase")), Some(&phrase("second phrase"))).unwrap();
    assert!(open_with(&folder, "first phrase").is_err());
    assert!(open_with(&folder, "second phrase").is_ok());
    vault.reseal(Some(&phrase("second phrase")), None).unwrap();
    let again = SealedFile::open(folder.path(), None, None).unwrap();
    assert_eq!(again.get(&name("account/1")).unwrap().unwrap().expose(), "sk-ant-secret");
}

#[test]
fn a_file_that_another_process_sealed_anew_is_not_written_over() {
    let folder = folder();
    sealed_with_one(&folder);
    let (one, other) = (
        SealedFile::open(folder.path(), None, None).unwrap(),
        SealedFile::open(folder.path(), None, None).unwrap(),
    );
    one.reseal(None, Some(&phrase("first phrase"))).unwrap();
    let refusal = other.put(&name("account/2"), &Sensitive::new("x".into())).unwrap_err().to_string();
    assert!(refusal.contains("sealed anew"), "{refusal}");
    assert_eq!(one.names().unwrap().unwrap(), [name("account/1")]);
}

#[test]
fn an_empty_file_is_left_without_a_trace_and_a_full_one_is_not_touched() {
    let folder = folder();
    sealed_with_one(&folder);
    let vault = SealedFile::open(folder.path(), None, None).unwrap();
    vault.vacate().unwrap();
    assert!(vault.get(&name("account/1")).unwrap().is_some());
    vault.remove(&name("account/1")).unwrap();
    vault.vacate().unwrap();
    for file in ["vault.sealed", "vault.key"] {
        assert!(!folder.path().join(file).exists(), "{file}");
    }
    assert!(open_with(&folder, "correct horse").is_ok(), "whoever comes back may choose anew");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn one_changed_byte_anywhere_is_noticed(at in 0usize..1000, flip in 1u8..=255) {
        let folder = folder();
        let mut sealed = sealed_with_one(&folder);
        let at = at % sealed.len();
        sealed[at] ^= flip;
        fs::write(folder.path().join("vault.sealed"), &sealed).unwrap();
        prop_assert!(SealedFile::open(folder.path(), None, None).is_err());
        prop_assert_eq!(fs::read(folder.path().join("vault.sealed")).unwrap(), sealed);
    }

    #[test]
    fn any_secret_comes_back_as_it_was(secret in any::<String>()) {
        let folder = folder();
        let vault = SealedFile::open(folder.path(), None, None).unwrap();
        vault.put(&name("account/1"), &Sensitive::new(secret.clone())).unwrap();
        let read = vault.get(&name("account/1")).unwrap().unwrap();
        prop_assert_eq!(read.expose(), &secret);
    }
}

#[test]
fn a_file_that_was_sealed_anew_was_told_as_one_that_was_not_where_its_old_key_could_not_be_removed() {
    let folder = folder();
    sealed_with_one(&folder);
    let vault = SealedFile::open(folder.path(), None, None).unwrap();
    let key = folder.path().join("vault.key");
    fs::remove_file(&key).unwrap();
    // Nobody removes a folder as a file.
    fs::create_dir(&key).unwrap();
    let left = vault.reseal(None, Some(&phrase("first phrase"))).unwrap().expect("something is left to do");
    assert!(left.contains("vault.key") && left.contains("remove it by hand"), "{left}");
    assert_eq!(vault.secured(), Secured::Passphrase);
    let again = open_with(&folder, "first phrase").unwrap();
    assert_eq!(again.get(&name("account/1")).unwrap().unwrap().expose(), "sk-ant-secret");
    assert!(again.reseal(Some(&phrase("first phrase")), Some(&phrase("second phrase"))).unwrap().is_some());
    fs::remove_dir(&key).unwrap();
    assert_eq!(again.reseal(Some(&phrase("second phrase")), Some(&phrase("third phrase"))).unwrap(), None);
}
