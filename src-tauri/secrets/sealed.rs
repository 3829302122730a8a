//! Secrets in one sealed file, for machines without a keychain: XChaCha20-Poly1305 under a key that lies
//! in a file of its own. Protects a copied or backed-up data folder only if the key is kept elsewhere;
//! refuses anything damaged or readable by others, and overwrites nothing it could not read.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::Read,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use super::{
    SecretName, Sensitive, Vault, VaultError, VaultKind,
    key_file::{self, Key},
};

const VERSION: u8 = 1;
const NONCE_LENGTH: usize = 24;

/// Far more than thousands of accounts need; a larger file is not ours.
const MOST_BYTES: u64 = 16 << 20;

/// How often and how long to try for the lock, which others hold for milliseconds.
const LOCK_TRIES: u32 = 200;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

type Secrets = BTreeMap<SecretName, Sensitive<String>>;

/// The sealed file of one data folder. Any number of handles and processes may share it.
#[derive(Debug)]
pub struct SealedFile {
    file: PathBuf,
    lock: PathBuf,
    key_file: PathBuf,
    key: Key,
}

impl SealedFile {
    /// Opens `vault.sealed` in this folder with the key in `vault.key`, which is made on first use, or with
    /// the named key file, which must be there.
    ///
    /// # Errors
    /// `Broken` if the key is missing, damaged or readable by others, or if it does not open the file.
    pub fn open(folder: &Path, key_file: Option<&Path>) -> Result<Self, VaultError> {
        fs::create_dir_all(folder).map_err(|error| key_file::unreadable(folder, &error))?;
        let file = folder.join("vault.sealed");
        let lock = folder.join("vault.lock");
        let key = {
            let _held = hold(&lock)?;
            find_key(&file, &folder.join("vault.key"), key_file)?
        };
        let key_file = key_file.map_or_else(|| folder.join("vault.key"), Path::to_path_buf);
        let vault = Self { file, lock, key_file, key };
        vault.read()?;
        Ok(vault)
    }

    fn change(&self, act: impl FnOnce(&mut Secrets)) -> Result<(), VaultError> {
        let _held = hold(&self.lock)?;
        let mut secrets = self.read()?;
        act(&mut secrets);
        self.write(&secrets)
    }

    fn read(&self) -> Result<Secrets, VaultError> {
        let Some(file) = key_file::open_private(&self.file)? else { return Ok(Secrets::new()) };
        let mut sealed = Vec::new();
        file.take(MOST_BYTES + 1)
            .read_to_end(&mut sealed)
            .map_err(|error| key_file::unreadable(&self.file, &error))?;
        match sealed.first() {
            Some(&VERSION) if sealed.len() as u64 <= MOST_BYTES => {}
            Some(version) if *version > VERSION => return Err(self.is_newer()),
            _ => return Err(self.does_not_open()),
        }
        let (nonce, sealed) =
            sealed[1..].split_first_chunk::<NONCE_LENGTH>().ok_or_else(|| self.does_not_open())?;
        let plain = self
            .cipher()
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &[VERSION] })
            .map_err(|_| self.does_not_open())?;
        parse(&Zeroizing::new(plain)).ok_or_else(|| self.does_not_open())
    }

    fn write(&self, secrets: &Secrets) -> Result<(), VaultError> {
        let plain = to_json(secrets);
        let mut nonce = [0; NONCE_LENGTH];
        getrandom::fill(&mut nonce).map_err(|error| self.was_not_sealed(&error.to_string()))?;
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: &plain, aad: &[VERSION] })
            .map_err(|_| self.was_not_sealed("it is too large"))?;
        key_file::replace_private(&self.file, &[&[VERSION][..], &nonce, &sealed].concat())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.key.expose().into())
    }

    fn is_newer(&self) -> VaultError {
        let file = self.file.display();
        VaultError::Broken(format!("{file} was written by a newer Headgate; update this one and try again"))
    }

    fn does_not_open(&self) -> VaultError {
        VaultError::Broken(format!(
            "{} does not open with the key in {}: it is damaged or was sealed with another key. Restore both \
             from one backup, or move {0} away and add the accounts' keys again",
            self.file.display(),
            self.key_file.display()
        ))
    }

    fn was_not_sealed(&self, why: &str) -> VaultError {
        let file = self.file.display();
        VaultError::Broken(format!("{file} could not be sealed anew ({why}); what was in it is still there"))
    }
}

impl Vault for SealedFile {
    fn kind(&self) -> VaultKind {
        VaultKind::File
    }

    fn get(&self, name: &SecretName) -> Result<Option<Sensitive<String>>, VaultError> {
        // No lock: the file is replaced whole, so a reader sees the old one or the new one.
        Ok(self.read()?.remove(name))
    }

    fn put(&self, name: &SecretName, secret: &Sensitive<String>) -> Result<(), VaultError> {
        self.change(|secrets| {
            secrets.insert(name.clone(), secret.clone());
        })
    }

    fn remove(&self, name: &SecretName) -> Result<(), VaultError> {
        self.change(|secrets| {
            secrets.remove(name);
        })
    }

    fn names(&self) -> Result<Option<Vec<SecretName>>, VaultError> {
        Ok(Some(self.read()?.into_keys().collect()))
    }
}

fn find_key(sealed: &Path, own: &Path, named: Option<&Path>) -> Result<Key, VaultError> {
    if let Some(key) = key_file::read(named.unwrap_or(own))? {
        return Ok(key);
    }
    match named {
        Some(named) => Err(VaultError::Broken(format!(
            "the key file {} is missing; put it back, or make one with `openssl rand -hex 32`",
            named.display()
        ))),
        // A new key would not open what is there; better to say so than to hide it.
        None if sealed.exists() => Err(VaultError::Broken(format!(
            "{} is there and its key {} is missing; restore the key from a backup, \
             or move the file away and add the accounts' keys again",
            sealed.display(),
            own.display()
        ))),
        None => key_file::make(own),
    }
}

/// Keeps every other handle and process from changing the vault until the file is dropped.
fn hold(path: &Path) -> Result<File, VaultError> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| key_file::unreadable(path, &error))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(key_file::unreadable(path, &error)),
        }
    }
    let path = path.display();
    Err(VaultError::Broken(format!("another process holds {path}; end it or try again in a moment")))
}

fn parse(plain: &[u8]) -> Option<Secrets> {
    let secrets: BTreeMap<String, String> = serde_json::from_slice(plain).ok()?;
    secrets.into_iter().map(|(name, secret)| Some((SecretName::new(&name).ok()?, secret.into()))).collect()
}

fn to_json(secrets: &Secrets) -> Zeroizing<Vec<u8>> {
    let plain: BTreeMap<&str, &str> =
        secrets.iter().map(|(name, secret)| (name.as_str(), secret.expose().as_str())).collect();
    // Large enough for the worst escaping: a buffer that grows would leave copies behind.
    let room = plain.iter().map(|(name, secret)| 6 * (name.len() + secret.len()) + 6).sum::<usize>() + 2;
    let mut json = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *json, &plain).expect("text into memory cannot fail");
    json
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    fn folder() -> TempDir {
        tempfile::tempdir().unwrap()
    }

    fn name(text: &str) -> SecretName {
        SecretName::new(text).unwrap()
    }

    fn sealed_with_one(folder: &TempDir) -> Vec<u8> {
        let vault = SealedFile::open(folder.path(), None).unwrap();
        vault.put(&name("account/1"), &Sensitive::new("sk-ant-secret".into())).unwrap();
        fs::read(folder.path().join("vault.sealed")).unwrap()
    }

    fn refusal(folder: &TempDir) -> String {
        SealedFile::open(folder.path(), None).unwrap_err().to_string()
    }

    #[test]
    fn secrets_survive_a_restart() {
        let folder = folder();
        sealed_with_one(&folder);
        let again = SealedFile::open(folder.path(), None).unwrap();
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
        let handles = [(); 2].map(|()| Arc::new(SealedFile::open(folder.path(), None).unwrap()));
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
        sealed[0] = VERSION + 1;
        fs::write(folder.path().join("vault.sealed"), sealed).unwrap();
        assert!(refusal(&folder).contains("newer Headgate"));
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
        let missing = SealedFile::open(folder.path(), Some(&named)).unwrap_err().to_string();
        assert!(missing.contains("openssl rand -hex 32"), "{missing}");
        key_file::make(&named).unwrap();
        let vault = SealedFile::open(folder.path(), Some(&named)).unwrap();
        vault.put(&name("account/1"), &Sensitive::new("x".into())).unwrap();
        assert!(!folder.path().join("vault.key").exists());
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
            prop_assert!(SealedFile::open(folder.path(), None).is_err());
            prop_assert_eq!(fs::read(folder.path().join("vault.sealed")).unwrap(), sealed);
        }

        #[test]
        fn any_secret_comes_back_as_it_was(secret in any::<String>()) {
            let folder = folder();
            let vault = SealedFile::open(folder.path(), None).unwrap();
            vault.put(&name("account/1"), &Sensitive::new(secret.clone())).unwrap();
            let read = vault.get(&name("account/1")).unwrap().unwrap();
            prop_assert_eq!(read.expose(), &secret);
        }
    }
}
