//! The key of the sealed file: 64 hexadecimal digits in a file that its owner alone may read. Refuses a
//! file that others may read, and never replaces a key.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use zeroize::{Zeroize, Zeroizing};

use super::{Sensitive, VaultError};

/// The key itself.
pub type Key = Sensitive<[u8; 32]>;

/// More than a key and its blanks ever need.
const MOST_BYTES: u64 = 4096;

/// Reads the key; `None` if there is no such file.
pub fn read(path: &Path) -> Result<Option<Key>, VaultError> {
    let Some(file) = open_private(path)? else { return Ok(None) };
    let mut text = Zeroizing::new(Vec::with_capacity(128));
    file.take(MOST_BYTES).read_to_end(&mut text).map_err(|error| unreadable(path, &error))?;
    parse(text.trim_ascii()).map(Some).ok_or_else(|| {
        VaultError::Broken(format!(
            "the key file {} does not hold 64 hexadecimal digits; restore it from a backup \
             (`openssl rand -hex 32` makes a new key, with which nothing sealed before can be opened)",
            path.display()
        ))
    })
}

/// Makes a key where there is none. The caller holds the vault's lock.
pub fn make(path: &Path) -> Result<Key, VaultError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| {
        VaultError::Broken(format!("the system gave no random numbers ({error}); try again"))
    })?;
    let made = Key::new(key);
    key.zeroize();
    let mut text = Zeroizing::new(Vec::with_capacity(65));
    for byte in made.expose() {
        text.extend([byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
    }
    text.push(b'\n');
    replace_private(path, &text)?;
    Ok(made)
}

/// Opens a file, `None` if it is not there. Refuses one that others than its owner may read.
pub fn open_private(path: &Path) -> Result<Option<File>, VaultError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(path, &error)),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let mode = file.metadata().map_err(|error| unreadable(path, &error))?.mode();
        if mode & 0o077 != 0 {
            return Err(VaultError::Broken(format!(
                "others than its owner may read {} (its mode is {:03o}); close it with `chmod 600 {0}` \
                 and consider the keys in it known",
                path.display(),
                mode & 0o777
            )));
        }
    }
    Ok(Some(file))
}

/// Puts these bytes in place of the file: whole or not at all, readable by the owner alone. The caller
/// holds the vault's lock, so one fixed name beside it is enough and a crash leaves at most one behind.
pub fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let beside = path.with_extension("new");
    write_and_rename(path, &beside, bytes).map_err(|error| {
        VaultError::Broken(format!(
            "{} could not be written ({error}); what was in it is still there. \
             See that the folder is yours and the disk is not full",
            path.display()
        ))
    })
}

fn write_and_rename(path: &Path, beside: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    // Without this the rename itself may be lost with the power.
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// A file that is there and cannot be read, in words.
pub fn unreadable(path: &Path, error: &io::Error) -> VaultError {
    VaultError::Broken(format!("{} could not be read ({error}); see that it belongs to you", path.display()))
}

fn parse(text: &[u8]) -> Option<Key> {
    let mut key = Zeroizing::new([0u8; 32]);
    if text.len() != 2 * key.len() {
        return None;
    }
    for (byte, digits) in key.iter_mut().zip(text.chunks(2)) {
        for digit in digits {
            let value = char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok())?;
            *byte = *byte << 4 | value;
        }
    }
    Some(Key::new(*key))
}
