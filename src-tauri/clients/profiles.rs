//! The book of profiles: which there are, where their folders lie, and what their own traffic told of their limits.
//! Each act is kept before it takes effect. Bounded by [`MOST`]; a sign-in itself never comes here.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use super::folder::{self, BadFolder};
use crate::{
    clock::Clock,
    domain::{BadProfileName, Bench, Profile, ProfileId, ProfileName, Window},
    events::{Event, Events},
    store::{NewProfileRow, Store, StoreError},
};

/// As many profiles as there may be.
const MOST: usize = 100;

/// See the file. Clones are the same book.
#[derive(Clone)]
pub struct Profiles(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    events: Events,
    /// Where the folders are made.
    home: PathBuf,
    /// Held by a person's act for as long as disk and store take; who serves requests never waits for it.
    acting: Mutex<()>,
    /// In the order of their ids. Held for a few lines, and never while a disk is waited for.
    known: Mutex<Vec<Known>>,
}

/// A profile with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub profile: Profile,
    /// Of the sign-in that it used last.
    pub windows: Vec<Window>,
    /// A rest that its upstream gave that sign-in; in memory alone.
    pub bench: Option<Bench>,
    /// When its traffic last told of them.
    pub seen_at: Option<Timestamp>,
}

/// A profile that was forgotten.
#[derive(Debug, Clone, PartialEq)]
pub struct Removed {
    pub profile: Profile,
    /// Its folder went with it.
    pub folder_too: bool,
}

/// Why an act was not done; each is a sentence with a next step.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error("there is no such profile; `headgate profiles` lists them")]
    NotFound,
    #[error("another profile is called \"{0}\" or has this folder; `headgate profiles` lists them")]
    Taken(String),
    #[error("there are {MOST} profiles already; remove one that is not needed")]
    TooMany,
    #[error(transparent)]
    BadName(#[from] BadProfileName),
    #[error(transparent)]
    Folder(#[from] BadFolder),
    #[error(transparent)]
    Store(StoreError),
}

impl Profiles {
    /// The profiles that are kept, with folders of their own beneath `home`. Blocks on the disk.
    ///
    /// # Errors
    /// If the store can't be read.
    pub fn load(store: Store, clock: Clock, events: Events, home: PathBuf) -> Result<Self, StoreError> {
        let rows = store.profiles()?.into_iter();
        let known = rows.map(|row| Known {
            profile: row.profile,
            windows: row.windows,
            bench: None,
            seen_at: row.seen_at,
        });
        let known = Mutex::new(known.collect());
        Ok(Self(Arc::new(Inner { store, clock, events, home, acting: Mutex::default(), known })))
    }

    /// All of them, in the order in which they were made.
    pub fn all(&self) -> Vec<Known> {
        self.known().clone()
    }

    /// The one with this id.
    pub fn get(&self, id: ProfileId) -> Option<Known> {
        self.known().iter().find(|known| known.profile.id == id).cloned()
    }

    /// Makes a profile with a folder of its own, or, where one is given, adopts that as it is. `id` is the one that it
    /// had, if it is put back. Blocks on the disk.
    ///
    /// # Errors
    /// Whatever is wrong with the name, the folder or the store; nothing is kept then.
    pub fn add(
        &self,
        name: &str,
        adopted: Option<&Path>,
        id: Option<ProfileId>,
    ) -> Result<Profile, ProfileError> {
        let name = ProfileName::new(name)?;
        let _acting = self.acting();
        if self.known().len() >= MOST {
            return Err(ProfileError::TooMany);
        }
        let folder = match adopted {
            Some(folder) => folder::adopt(folder, &self.home())?,
            None => self.home().join(name.as_str()),
        };
        let is_taken = |one: &Known| {
            one.profile.name.as_str().eq_ignore_ascii_case(name.as_str()) || one.profile.folder == folder
        };
        if self.known().iter().any(is_taken) {
            return Err(ProfileError::Taken(name.to_string()));
        }
        if adopted.is_none() {
            folder::make(&folder)?;
        }
        // One that comes back to its own folder is ours again.
        let is_ours = adopted.is_none() || (id.is_some() && folder.parent() == Some(&self.home()));
        let created_at = self.0.clock.now();
        let row = NewProfileRow { id, name: name.clone(), folder, is_ours, created_at };
        let profile = self.0.store.add_profile(row).map_err(|error| named(&name, error))?;
        let fresh = Known { profile: profile.clone(), windows: Vec::new(), bench: None, seen_at: None };
        {
            let mut known = self.known();
            known.push(fresh);
            known.sort_by_key(|one| one.profile.id);
        }
        self.tell();
        Ok(profile)
    }

    /// Gives it another name. Its folder stays where it is: Claude Code knows its sign-in by it.
    ///
    /// # Errors
    /// If there is no such profile, the name can't be one or is taken, or the store refuses.
    pub fn rename(&self, id: ProfileId, name: &str) -> Result<Profile, ProfileError> {
        let name = ProfileName::new(name)?;
        let _acting = self.acting();
        let mut profile = self.get(id).ok_or(ProfileError::NotFound)?.profile;
        self.0.store.rename_profile(id, name.clone()).map_err(|error| named(&name, error))?;
        profile.name = name;
        if let Some(one) = self.known().iter_mut().find(|one| one.profile.id == id) {
            one.profile.name.clone_from(&profile.name);
        }
        self.tell();
        Ok(profile)
    }

    /// Forgets it, and where it is wanted removes the folder that was made for it, sign-in and all.
    ///
    /// # Errors
    /// If there is no such profile, if its folder is to go and is not ours, or if disk or store refuse. It is known
    /// still then, or a sign-in would lie in a folder that nobody names any more.
    pub fn remove(&self, id: ProfileId, folder_too: bool) -> Result<Removed, ProfileError> {
        let _acting = self.acting();
        let profile = self.get(id).ok_or(ProfileError::NotFound)?.profile;
        if folder_too && !profile.is_ours {
            return Err(BadFolder::NotOurs(profile.folder).into());
        }
        if folder_too {
            folder::remove(&profile.folder)?;
        }
        self.0.store.remove_profile(id).map_err(ProfileError::Store)?;
        self.known().retain(|one| one.profile.id != id);
        self.tell();
        Ok(Removed { profile, folder_too })
    }

    /// What a request of this profile told of the limits of the sign-in that it came with. Waits for no disk. Nobody's
    /// profile learns nothing.
    pub fn learn(&self, id: ProfileId, windows: Vec<Window>, bench: Option<Bench>) {
        let now = self.0.clock.now();
        let mut known = self.known();
        let Some(one) = known.iter_mut().find(|one| one.profile.id == id) else { return };
        let is_news = one.windows != windows || one.seen_at.is_none();
        (one.bench, one.seen_at) = (bench, Some(now));
        if is_news {
            self.0.store.save_profile_windows(id, &windows, now);
            one.windows = windows;
            drop(known);
            self.tell();
        }
    }

    /// Where folders are made, by the path under which an adopted one would be known too.
    fn home(&self) -> PathBuf {
        let home = &self.0.home;
        let data = || Some(home.parent()?.canonicalize().ok()?.join(home.file_name()?));
        home.canonicalize().ok().or_else(data).unwrap_or_else(|| home.clone())
    }

    fn tell(&self) {
        self.0.events.tell(|| Event::Profiles);
    }

    fn acting(&self) -> MutexGuard<'_, ()> {
        self.0.acting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Vec<Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn named(name: &ProfileName, error: StoreError) -> ProfileError {
    match error {
        StoreError::NameTaken => ProfileError::Taken(name.to_string()),
        StoreError::NotThere(_) => ProfileError::NotFound,
        other => ProfileError::Store(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Options;

    #[test]
    fn a_profile_whose_folder_could_not_be_removed_was_forgotten_with_the_sign_in_in_it() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&home.path().join("db"), Options::default()).unwrap();
        let load = || {
            let (clock, events) = (Clock::system(), Events::default());
            Profiles::load(store.clone(), clock, events, home.path().join("profiles")).unwrap()
        };
        let profiles = load();
        let made = profiles.add("work", None, None).unwrap();
        // What is no folder can't be removed as one.
        std::fs::remove_dir(&made.folder).unwrap();
        std::fs::write(&made.folder, "").unwrap();
        assert!(matches!(profiles.remove(made.id, true), Err(ProfileError::Folder(BadFolder::Io(..)))));
        assert!(profiles.get(made.id).is_some() && load().get(made.id).is_some(), "it is known still");
        std::fs::remove_file(&made.folder).unwrap();
        assert!(profiles.remove(made.id, true).unwrap().folder_too, "and can be removed again");
        assert_eq!((profiles.all(), load().all()), (Vec::new(), Vec::new()));
    }
}
