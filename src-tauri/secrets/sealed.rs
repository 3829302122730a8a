//! Secrets in one sealed file, for machines without a keychain: under a key that lies in a file of its own, or under a
//! passphrase. A copied or backed-up data folder is safe only if the key is kept elsewhere, or with a passphrase.
//! Refuses anything damaged or readable by others, and overwrites nothing it could not read.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock, RwLockReadGuard},
    thread,
    time::Duration,
};

use zeroize::Zeroizing;

use super::{
    Passphrase, SecretName, Secured, Sensitive, Vault, VaultError, VaultKind,
    key_file::{self, Key},
    seal::{Seal, SealedBy, Stretch},
};

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
    /// Somebody else's: it is never taken away.
    is_key_named: bool,
    /// Held for reading as long as the file is read, so that nobody meets a file that was sealed anew with the seal of
    /// before.
    seal: RwLock<Seal>,
}

impl SealedFile {
    /// Opens `vault.sealed` in this folder: with the passphrase if it was sealed with one, else with the key in
    /// `vault.key`, or with the named key file, which must be there. Where there is nothing yet, a passphrase that is
    /// given seals it, and else a key is made.
    ///
    /// # Errors
    /// `NeedsPassphrase` and `WrongPassphrase`; `Broken` if the key is missing, damaged or readable by others, or if it
    /// does not open the file.
    pub fn open(
        folder: &Path,
        key_file: Option<&Path>,
        passphrase: Option<&Passphrase>,
    ) -> Result<Self, VaultError> {
        fs::create_dir_all(folder).map_err(|error| key_file::unreadable(folder, &error))?;
        let (file, lock) = (folder.join("vault.sealed"), folder.join("vault.lock"));
        let own = folder.join("vault.key");
        let held = hold(&lock)?;
        let sealed = read(&file)?;
        let seal = match (sealed.as_deref().map(SealedBy::of), passphrase) {
            (Some(SealedBy::Passphrase(stretch)), Some(passphrase)) => stretched(passphrase, stretch, &file)?,
            (Some(SealedBy::Passphrase(_)), None) => {
                return Err(VaultError::NeedsPassphrase(file.display().to_string()));
            }
            // Before a key is looked for, which may be another one there.
            (Some(SealedBy::Newer), _) => return Err(is_newer(&file)),
            (None, Some(passphrase)) if key_file.is_none() => stretched(passphrase, salted(&file)?, &file)?,
            _ => Seal::of_key(find_key(&file, &own, key_file)?),
        };
        let is_new = sealed.is_none() && seal.stretch().is_some();
        let is_key_named = key_file.is_some();
        let key_file = key_file.map_or(own, Path::to_path_buf);
        let vault = Self { file, lock, key_file, is_key_named, seal: RwLock::new(seal) };
        if is_new {
            // Else the next start, without the passphrase, would make a key file.
            vault.write(&vault.seal(), &Secrets::new())?;
        }
        vault.read()?;
        drop(held);
        Ok(vault)
    }

    fn change(&self, act: impl FnOnce(&mut Secrets)) -> Result<(), VaultError> {
        let _held = hold(&self.lock)?;
        let seal = self.seal();
        let mut secrets = self.read_with(&seal)?;
        act(&mut secrets);
        self.write(&seal, &secrets)
    }

    fn read(&self) -> Result<Secrets, VaultError> {
        self.read_with(&self.seal())
    }

    fn read_with(&self, seal: &Seal) -> Result<Secrets, VaultError> {
        let Some(sealed) = read(&self.file)? else { return Ok(Secrets::new()) };
        match SealedBy::of(&sealed) {
            SealedBy::Newer => return Err(is_newer(&self.file)),
            SealedBy::Nobody => return Err(self.does_not_open(seal)),
            SealedBy::Key | SealedBy::Passphrase(_) if !seal.fits(&sealed) => {
                return Err(self.was_sealed_elsewhere());
            }
            SealedBy::Key | SealedBy::Passphrase(_) => {}
        }
        let plain = seal.open(&sealed).ok_or_else(|| self.does_not_open(seal))?;
        parse(&plain).ok_or_else(|| self.does_not_open(seal))
    }

    fn write(&self, seal: &Seal, secrets: &Secrets) -> Result<(), VaultError> {
        let sealed = seal.close(&to_json(secrets)).map_err(|why| self.was_not_sealed(&why))?;
        key_file::replace_private(&self.file, &sealed)
    }

    fn seal(&self) -> RwLockReadGuard<'_, Seal> {
        self.seal.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn does_not_open(&self, seal: &Seal) -> VaultError {
        if seal.stretch().is_some() {
            return VaultError::WrongPassphrase(self.file.display().to_string());
        }
        VaultError::Broken(format!(
            "{} does not open with the key in {}: it is damaged or was sealed with another key. Restore both \
             from one backup, or move {0} away and add the accounts' keys again",
            self.file.display(),
            self.key_file.display()
        ))
    }

    fn was_sealed_elsewhere(&self) -> VaultError {
        let file = self.file.display();
        VaultError::Broken(format!(
            "{file} has been sealed anew by another process; stop Headgate and start it again"
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

    fn secured(&self) -> Secured {
        if self.seal().stretch().is_some() { Secured::Passphrase } else { Secured::KeyFile }
    }

    fn reseal(
        &self,
        current: Option<&Passphrase>,
        next: Option<&Passphrase>,
    ) -> Result<Option<String>, VaultError> {
        let _held = hold(&self.lock)?;
        let mut seal = self.seal.write().unwrap_or_else(PoisonError::into_inner);
        let secrets = self.read_with(&seal)?;
        if let Some(stretch) = seal.stretch() {
            let file = || self.file.display().to_string();
            let current = current.ok_or_else(|| VaultError::NeedsPassphrase(file()))?;
            if !stretched(current, stretch, &self.file)?.is_same(&seal) {
                return Err(VaultError::WrongPassphrase(file()));
            }
        }
        let new = match next {
            Some(next) => stretched(next, salted(&self.file)?, &self.file)?,
            None => Seal::of_key(match key_file::read(&self.key_file)? {
                Some(key) => key,
                None if self.is_key_named => return Err(missing_key(&self.key_file)),
                None => key_file::make(&self.key_file)?,
            }),
        };
        self.write(&new, &secrets)?;
        let has_passphrase = new.stretch().is_some();
        *seal = new;
        // Old copies of the file would open with it.
        let removed = if has_passphrase && !self.is_key_named { remove(&self.key_file) } else { Ok(()) };
        Ok(removed.err().map(|error| error.to_string()))
    }

    fn vacate(&self) -> Result<(), VaultError> {
        let _held = hold(&self.lock)?;
        if !self.read()?.is_empty() {
            return Ok(());
        }
        // In this order: a sealed file without its key would be one that nothing opens.
        remove(&self.file)?;
        if self.is_key_named { Ok(()) } else { remove(&self.key_file) }
    }
}

fn is_newer(file: &Path) -> VaultError {
    let file = file.display();
    VaultError::Broken(format!("{file} was written by a newer Headgate; update this one and try again"))
}

fn stretched(passphrase: &Passphrase, stretch: Stretch, file: &Path) -> Result<Seal, VaultError> {
    Seal::of_passphrase(passphrase, stretch).map_err(|error| {
        let file = file.display();
        VaultError::Broken(format!(
            "no key could be made of the passphrase for {file} ({error}); free some memory and try again"
        ))
    })
}

fn salted(file: &Path) -> Result<Stretch, VaultError> {
    Stretch::new().map_err(|error| {
        let file = file.display();
        VaultError::Broken(format!("the system gave no random numbers for {file} ({error}); try again"))
    })
}

fn find_key(sealed: &Path, own: &Path, named: Option<&Path>) -> Result<Key, VaultError> {
    if let Some(key) = key_file::read(named.unwrap_or(own))? {
        return Ok(key);
    }
    match named {
        Some(named) => Err(missing_key(named)),
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

fn missing_key(named: &Path) -> VaultError {
    VaultError::Broken(format!(
        "the key file {} is missing; put it back, or make one with `openssl rand -hex 32`",
        named.display()
    ))
}

/// All of the sealed file, `None` if it is not there. One that is too long is no more than its first byte, and that one
/// is nobody's.
fn read(path: &Path) -> Result<Option<Vec<u8>>, VaultError> {
    let Some(file) = key_file::open_private(path)? else { return Ok(None) };
    let mut sealed = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut sealed).map_err(|error| key_file::unreadable(path, &error))?;
    Ok(Some(if sealed.len() as u64 > MOST_BYTES { vec![0] } else { sealed }))
}

fn remove(path: &Path) -> Result<(), VaultError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(VaultError::Broken(format!(
            "{} could not be removed ({error}); nothing needs it any more, so remove it by hand",
            path.display()
        ))),
        _ => Ok(()),
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
