//! One core per data folder: a lock that says whether there is one, and a file, readable by its owner
//! alone, that says how to reach it; or, of a command that waits for a person, what it waits for.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::secrets::Sensitive;

/// How often, and how far apart, a folder that is in use is tried: five seconds in all.
const TURNS: u32 = 250;
const TURN: Duration = Duration::from_millis(20);

const LOCK: &str = "core.lock";
const FILE: &str = "core.json";
const BUSY: &str = "core.busy";

/// How to reach the core that has a folder.
#[derive(Debug, Clone)]
pub struct CoreFile {
    /// Where it listens.
    pub address: SocketAddr,
    /// Opens its API.
    pub token: Sensitive<String>,
    /// It takes no more calls: what runs may end, and then it does.
    pub is_stopping: bool,
}

#[derive(Serialize, Deserialize)]
struct Written {
    pid: u32,
    address: SocketAddr,
    token: String,
    #[serde(default)]
    stopping: bool,
}

/// What a command that has a folder waits for. It can't be reached, and whoever wants the folder need not wait with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busy {
    /// Its process.
    pub pid: u32,
    /// As in "accounts sign-in is waiting for somebody to sign in".
    pub doing: String,
}

impl Busy {
    /// Reads it; `None` if there is none or it is not whole.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(folder.join(BUSY)).ok()?).ok()
    }
}

impl CoreFile {
    /// Reads it; `None` if there is none or it is not whole.
    pub fn read(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join(FILE)).ok()?;
        let written: Written = serde_json::from_str(&text).ok()?;
        let (token, is_stopping) = (Sensitive::new(written.token), written.stopping);
        Some(Self { address: written.address, token, is_stopping })
    }

    /// That of a core which has the folder at this moment; `None` where nobody has it. Blocks for a moment.
    pub fn of_running(folder: &Path) -> Option<Self> {
        match FolderLock::take_in_turn(folder) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Self::read(folder),
            Ok(_) | Err(_) => None,
        }
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
        // Whoever wrote it has ended without a chance to take it away.
        remove(&folder.join(FILE))?;
        remove(&folder.join(BUSY))?;
        Ok(Self { folder: folder.to_owned(), _lock: lock })
    }

    /// Takes the folder, waiting for whoever has it for a moment: a command, or a core that has not said yet
    /// where it listens. Blocks.
    ///
    /// # Errors
    /// As [`FolderLock::take`]; `WouldBlock` once a core can be reached or a command says that it waits, or after the
    /// wait.
    pub fn take_in_turn(folder: &Path) -> io::Result<Self> {
        for _ in 0..TURNS {
            match Self::take(folder) {
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock
                        && CoreFile::read(folder).is_none()
                        && Busy::read(folder).is_none() =>
                {
                    thread::sleep(TURN);
                }
                taken => return taken,
            }
        }
        Self::take(folder)
    }

    /// Says where the core listens and what opens it.
    ///
    /// # Errors
    /// If the file can't be written; the old one is gone then.
    pub fn announce(&self, address: SocketAddr, token: &Sensitive<String>) -> io::Result<()> {
        self.write(&Written {
            pid: std::process::id(),
            address,
            token: token.expose().clone(),
            stopping: false,
        })
    }

    /// Says that the core takes no more calls.
    ///
    /// # Errors
    /// As [`FolderLock::announce`].
    pub fn announce_end(&self) -> io::Result<()> {
        let Some(CoreFile { address, token, .. }) = CoreFile::read(&self.folder) else { return Ok(()) };
        self.write(&Written {
            pid: std::process::id(),
            address,
            token: token.expose().clone(),
            stopping: true,
        })
    }

    /// Says what this process waits for, to whoever wants the folder meanwhile.
    ///
    /// # Errors
    /// As [`FolderLock::announce`].
    pub fn say_busy(&self, doing: &str) -> io::Result<()> {
        self.put(BUSY, &serde_json::to_vec(&Busy { pid: std::process::id(), doing: doing.to_owned() })?)
    }

    /// The wait is over; others wait their turn again.
    pub fn say_free(&self) {
        // What can't be removed is out of date for as long as this process has the folder.
        let _ = remove(&self.folder.join(BUSY));
    }

    fn write(&self, written: &Written) -> io::Result<()> {
        self.put(FILE, &serde_json::to_vec(written)?)
    }

    /// A new file, never the old one with whatever permissions it may have got.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.folder.join(name);
        remove(&path)?;
        private(OpenOptions::new().create_new(true).write(true)).open(path)?.write_all(bytes)
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // What can't be removed names a core that nobody answers for; a reader finds that out.
        let _ = remove(&self.folder.join(FILE));
        let _ = remove(&self.folder.join(BUSY));
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
        assert_eq!(CoreFile::of_running(folder.path()).unwrap().address.port(), 8417);
        lock.announce_end().unwrap();
        assert!(
            CoreFile::read(folder.path()).unwrap().is_stopping,
            "whoever asks is told that it is stopping"
        );
        drop(lock);
        assert!(CoreFile::read(folder.path()).is_none(), "a core that has ended can't be reached");
        assert!(CoreFile::of_running(folder.path()).is_none());
        assert!(FolderLock::take(folder.path()).is_ok());
    }

    #[test]
    fn a_command_that_waits_says_so_and_takes_its_word_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::take(folder.path()).unwrap();
        lock.say_busy("is waiting").unwrap();
        let said = Busy { pid: std::process::id(), doing: "is waiting".into() };
        assert_eq!(Busy::read(folder.path()), Some(said), "whoever comes meanwhile");
        assert_eq!(FolderLock::take_in_turn(folder.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        lock.say_free();
        assert_eq!(Busy::read(folder.path()), None);
        lock.say_busy("is waiting").unwrap();
        drop(lock);
        assert_eq!(Busy::read(folder.path()), None);
        fs::write(folder.path().join(BUSY), r#"{"pid":1,"doing":"was killed"}"#).unwrap();
        let lock = FolderLock::take(folder.path()).unwrap();
        assert_eq!(Busy::read(folder.path()), None, "of a process that was killed nobody is told");
        drop(lock);
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
