//! The folders of profiles: made for this user alone, adopted as they are, removed only if they are ours. What lies
//! in them is Claude Code's: nothing in here opens a file.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Why a folder can't be a profile's; each is a sentence with a next step.
#[derive(Debug, thiserror::Error)]
pub enum BadFolder {
    #[error("{} is there already; adopt it with `headgate profiles adopt {} \"{}\"`, or choose another name", .0.display(), last(.0), .0.display())]
    Exists(PathBuf),
    #[error("{} is not a folder that is there; give the whole path of one", .0.display())]
    NotThere(PathBuf),
    #[error("{} is no profile's folder: Headgate's own data lie there; give the one that Claude Code keeps its sign-in in, ~/.claude say", .0.display())]
    Data(PathBuf),
    #[error("{} can't be used: {}", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
    #[error("{} can't be written down: its name is not Unicode", .0.display())]
    NotText(PathBuf),
    #[error("{} was not made by Headgate; forget the profile without its folder, and remove that yourself", .0.display())]
    NotOurs(PathBuf),
}

/// A profile's folder is called as the profile is.
fn last(folder: &Path) -> std::borrow::Cow<'_, str> {
    folder.file_name().unwrap_or_default().to_string_lossy()
}

/// Makes a folder that is not there yet, or takes an empty one, for this user alone.
pub(super) fn make(folder: &Path) -> Result<(), BadFolder> {
    let failed = |error| BadFolder::Io(folder.to_owned(), error);
    if let Some(parent) = folder.parent() {
        for_us_alone().recursive(true).create(parent).map_err(failed)?;
    }
    match for_us_alone().create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mut inside = fs::read_dir(folder).map_err(failed)?;
            if inside.next().is_some() { Err(BadFolder::Exists(folder.to_owned())) } else { Ok(()) }
        }
        made => made.map_err(failed),
    }
}

/// The whole path of a folder that is there, and neither is nor holds what Headgate keeps itself. `home` is where profiles
/// get their folders: what lies in there may be adopted, and nothing beside it.
pub(super) fn adopt(folder: &Path, home: &Path) -> Result<PathBuf, BadFolder> {
    let whole = folder.canonicalize().ok().filter(|path| folder.is_absolute() && path.is_dir());
    let whole = whole.ok_or_else(|| BadFolder::NotThere(folder.to_owned()))?;
    if whole.to_str().is_none() {
        return Err(BadFolder::NotText(whole));
    }
    let is_beside = home.parent().is_some_and(|data| whole.starts_with(data)) && !whole.starts_with(home);
    if is_beside || home.starts_with(&whole) {
        return Err(BadFolder::Data(whole));
    }
    Ok(whole)
}

/// Removes a folder with all that is in it; it is no error if it is gone.
pub(super) fn remove(folder: &Path) -> Result<(), BadFolder> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BadFolder::Io(folder.to_owned(), error)),
        _ => Ok(()),
    }
}

fn for_us_alone() -> fs::DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "elsewhere a user's folder is the user's"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_once_and_one_that_holds_something_is_not_taken() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("profiles/work");
        make(&folder).unwrap();
        make(&folder).unwrap();
        fs::write(folder.join("settings.json"), "{}").unwrap();
        assert!(matches!(make(&folder), Err(BadFolder::Exists(_))));
        let adopt = |folder: &Path| adopt(folder, &home.path().canonicalize().unwrap().join("profiles"));
        assert_eq!(adopt(&folder).unwrap(), folder.canonicalize().unwrap());
        remove(&folder).unwrap();
        remove(&folder).unwrap();
        assert!(matches!(adopt(&folder), Err(BadFolder::NotThere(_))));
        assert!(matches!(adopt(Path::new(".")), Err(BadFolder::NotThere(_))), "a path from the root on");
    }

    #[test]
    fn the_whole_disk_and_headgates_own_folder_were_adopted() {
        let data = tempfile::tempdir().unwrap();
        let whole = data.path().canonicalize().unwrap();
        let home = whole.join("profiles");
        let logs = whole.join("logs");
        for folder in [&home, &logs] {
            fs::create_dir(folder).unwrap();
        }
        let disk = whole.ancestors().last().unwrap();
        for folder in [disk, whole.parent().unwrap(), &whole, &home, &logs] {
            let refused = adopt(folder, &home);
            assert!(matches!(refused, Err(BadFolder::Data(_))), "{}: {refused:?}", folder.display());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_made_is_this_users_alone() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("profiles/work");
        make(&folder).unwrap();
        for folder in [&folder, folder.parent().unwrap()] {
            assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}
