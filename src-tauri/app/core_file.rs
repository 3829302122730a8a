//! One core per data folder: a lock that says whether there is one, and a file, readable by its owner
//! alone, that says how to reach it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::secrets::Sensitive;

const LOCK: &str = "core.lock";
const FILE: &str = "core.json";

/// How to reach the core that has a folder.
#[derive(Debug, Clone)]
pub struct CoreFile {
    /// Where it listens.
    pub address: SocketAddr,
    /// Opens its API.
    pub token: Sensitive<String>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    pid: u32,
    address: SocketAddr,
    token: String,
}

impl CoreFile {
    /// Reads it; `None` if there is none or it is not whole.
    pub fn read(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join(FILE)).ok()?;
        let written: Written = serde_json::from_str(&text).ok()?;
        Some(Self { address: written.address, token: Sensitive::new(written.token) })
    }
}

/// The folder is ours until this is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct FolderLock {
    folder: PathBuf,
    _lock: File,
}

impl FolderLock {
    /// Makes the folder, for its owner alone, and takes it.
    ///
    /// # Errors
    /// `WouldBlock` if another process has it, else whatever the file system says.
    pub fn take(folder: &Path) -> io::Result<Self> {
        make_private_folder(folder)?;
        let lock =
            private(OpenOptions::new().create(true).truncate(false).write(true)).open(folder.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(Self { folder: folder.to_owned(), _lock: lock })
    }

    /// Says where the core listens and what opens it.
    ///
    /// # Errors
    /// If the file can't be written; the old one is gone then.
    pub fn announce(&self, address: SocketAddr, token: &Sensitive<String>) -> io::Result<()> {
        let written = Written { pid: std::process::id(), address, token: token.expose().clone() };
        // A new file, never the old one with whatever permissions it may have got.
        let path = self.folder.join(FILE);
        remove(&path)?;
        let mut file = private(OpenOptions::new().create_new(true).write(true)).open(path)?;
        file.write_all(&serde_json::to_vec(&written)?)
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // What can't be removed names a core that nobody answers for; a reader finds that out.
        let _ = remove(&self.folder.join(FILE));
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    // The folder lies in the user's own profile, which others can't read.
    options
}

fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_core_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::take(folder.path()).unwrap();
        assert_eq!(FolderLock::take(folder.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        lock.announce("127.0.0.1:8417".parse().unwrap(), &Sensitive::new("token".to_owned())).unwrap();
        assert_eq!(CoreFile::read(folder.path()).unwrap().address.port(), 8417);
        drop(lock);
        assert!(CoreFile::read(folder.path()).is_none(), "a core that has ended can't be reached");
        assert!(FolderLock::take(folder.path()).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_can_read_the_token() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "old").unwrap();
        fs::set_permissions(folder.path().join(FILE), fs::Permissions::from_mode(0o644)).unwrap();
        let lock = FolderLock::take(folder.path()).unwrap();
        lock.announce("127.0.0.1:1".parse().unwrap(), &Sensitive::new("token".to_owned())).unwrap();
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
