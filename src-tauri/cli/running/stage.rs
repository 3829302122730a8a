//! The demo's folder, which is gone when the demo ends. One that was killed could not take its folder away: the next
//! one does. What a running demo has is never touched: the core's lock in it tells.

use std::{fs, io, path::Path};

use tempfile::TempDir;

use crate::app::{DATABASE, FolderLock};

const PREFIX: &str = "headgate-demo-";

/// A new folder, after those of demos that are gone have been swept.
pub fn set() -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
    if let Some(others) = folder.path().parent() {
        sweep(others, folder.path());
    }
    Ok(folder)
}

/// Takes a folder away; that another demo has done so in the same moment is as good.
pub fn strike(folder: TempDir) -> io::Result<()> {
    match folder.close() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Nothing in here fails the demo: what can't be swept now is swept another time.
fn sweep(among: &Path, ours: &Path) {
    let Ok(entries) = fs::read_dir(among) else { return };
    for entry in entries.flatten() {
        let folder = entry.path();
        let is_a_demos = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !is_a_demos || folder == ours || !is_of_same_owner(&folder, ours) {
            continue;
        }
        // There is a database only where a core has had the lock before; without one, the demo may just be starting.
        if !folder.join(DATABASE).exists() {
            continue;
        }
        let Ok(lock) = FolderLock::take(&folder) else { continue };
        if let Err(error) = fs::remove_dir_all(&folder) {
            tracing::warn!(%error, folder = %folder.display(), "the folder of a demo that was killed stays");
        }
        drop(lock);
    }
}

/// Whether both are folders, no links, and one user's: others' are theirs to sweep.
fn is_of_same_owner(one: &Path, other: &Path) -> bool {
    let (Ok(one), Ok(other)) = (fs::symlink_metadata(one), fs::symlink_metadata(other)) else { return false };
    #[cfg(unix)]
    let is_same = {
        use std::os::unix::fs::MetadataExt as _;
        one.uid() == other.uid()
    };
    #[cfg(not(unix))]
    let is_same = true;
    is_same && one.is_dir() && other.is_dir()
}
