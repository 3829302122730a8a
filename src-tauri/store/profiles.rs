//! The table `profiles`: folders of Claude Code's, and what was last learned of the limits of the sign-in in each.

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;
use rusqlite::{Row, params, types::FromSqlError};
use serde::{Deserialize, Serialize};

use super::{
    Store, StoreError,
    columns::{Ms, fold, name_taken, one, was_given},
    writer,
};
use crate::domain::{Endpoint, Profile, ProfileId, ProfileName, Window, WindowName, WindowSource};

/// A profile before it has an id, or one that is put back under the id that it had.
#[derive(Debug, Clone, PartialEq)]
pub struct NewProfileRow {
    /// Of one that was forgotten.
    pub id: Option<ProfileId>,
    /// Free, without regard to case.
    pub name: ProfileName,
    /// No other profile's.
    pub folder: PathBuf,
    /// It was made here.
    pub is_ours: bool,
    /// Now.
    pub created_at: Timestamp,
}

/// A profile with what was learned of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileRow {
    pub profile: Profile,
    /// As its upstream last told them.
    pub windows: Vec<Window>,
    /// When it was last told.
    pub seen_at: Option<Timestamp>,
}

/// A window as JSON. What begins a pause of our own choice is not kept: after a restart it is simply tried.
#[derive(Serialize, Deserialize)]
struct Kept {
    name: Arc<str>,
    /// It limits messages; false: nothing by itself, or counts, which nobody chooses a profile by.
    limits: bool,
    utilization: Option<f64>,
    resets_at: Option<i64>,
    refills: bool,
    spent: bool,
    learned_at: i64,
}

const INSERT: &str =
    "INSERT INTO profiles (id, name, folded, folder, is_ours, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

impl Store {
    /// Every profile, in the order in which they were made.
    pub fn profiles(&self) -> Result<Vec<ProfileRow>, StoreError> {
        self.read(|conn| {
            let mut all = conn.prepare_cached("SELECT * FROM profiles ORDER BY id")?;
            all.query_map([], row)?.map(|row| Ok(row?)).collect()
        })
    }

    /// Adds a profile; returns once it is committed.
    ///
    /// # Errors
    /// `NameTaken` if another one is called so or has this folder; `NotThere` if the id that it had was never one.
    pub fn add_profile(&self, new: NewProfileRow) -> Result<Profile, StoreError> {
        self.write(move |tx| {
            let id = new.id.map(|id| id.0);
            was_given(tx, "profiles", id)?;
            let (name, folder) = (new.name.as_str(), new.folder.to_string_lossy());
            let values = params![id, name, fold(name), folder, new.is_ours, Ms(new.created_at)];
            tx.execute(INSERT, values).map_err(name_taken)?;
            let id = tx.last_insert_rowid();
            Ok(tx.query_row("SELECT * FROM profiles WHERE id = ?1", [id], row)?.profile)
        })
    }

    /// Gives it another name; returns once that is committed.
    ///
    /// # Errors
    /// `NameTaken` as for adding; `NotThere` if it was forgotten meanwhile.
    pub fn rename_profile(&self, id: ProfileId, name: ProfileName) -> Result<(), StoreError> {
        self.write(move |tx| {
            let name = name.as_str();
            let renaming = "UPDATE profiles SET name = ?2, folded = ?3 WHERE id = ?1";
            one(tx.execute(renaming, params![id.0, name, fold(name)]).map_err(name_taken)?, "profile")
        })
    }

    /// Forgets a profile; returns once that is committed. Its folder stays.
    ///
    /// # Errors
    /// `NotThere` if there is no such profile.
    pub fn remove_profile(&self, id: ProfileId) -> Result<(), StoreError> {
        self.write(move |tx| one(tx.execute("DELETE FROM profiles WHERE id = ?1", [id.0])?, "profile"))
    }

    /// Keeps what was learned of a profile's limits soon; does not wait. Of one that was forgotten nothing is kept.
    pub fn save_profile_windows(&self, id: ProfileId, windows: &[Window], seen_at: Timestamp) {
        let kept: Vec<Kept> = windows.iter().map(Kept::of).collect();
        let text = serde_json::to_string(&kept).expect("numbers and texts are JSON");
        let keeping = writer::job(
            move |tx| {
                let sql = "UPDATE profiles SET windows = ?2, seen_at = ?3 WHERE id = ?1";
                tx.prepare_cached(sql)?.execute(params![id.0, text, Ms(seen_at)])?;
                Ok(())
            },
            |kept| {
                if let Err(error) = kept {
                    tracing::warn!(%error, "what a profile's limits are could not be kept");
                }
            },
        );
        // A store that is closing takes nothing more, and loses no more than this.
        let _ = self.0.queue.ask(keeping);
    }
}

impl Kept {
    fn of(window: &Window) -> Self {
        Self {
            name: Arc::clone(&window.name.0),
            limits: window.limits == Some(Endpoint::Messages),
            // JSON has no other numbers.
            utilization: window.utilization.filter(|share| share.is_finite()),
            resets_at: window.resets_at.map(Timestamp::as_millisecond),
            refills: window.refills,
            spent: window.spent,
            learned_at: window.learned_at.as_millisecond(),
        }
    }

    fn window(self) -> Option<Window> {
        let learned_at = Timestamp::from_millisecond(self.learned_at).ok()?;
        Some(Window {
            limits: self.limits.then_some(Endpoint::Messages),
            utilization: self.utilization,
            resets_at: self.resets_at.and_then(|ms| Timestamp::from_millisecond(ms).ok()),
            refills: self.refills,
            spent: self.spent,
            ..Window::new(WindowName(self.name), WindowSource::Header, learned_at)
        })
    }
}

fn row(row: &Row<'_>) -> rusqlite::Result<ProfileRow> {
    let text: Option<String> = row.get("windows")?;
    let kept: Vec<Kept> = match text {
        Some(text) => serde_json::from_str(&text).map_err(FromSqlError::other)?,
        None => Vec::new(),
    };
    Ok(ProfileRow {
        profile: Profile {
            id: ProfileId(row.get("id")?),
            name: ProfileName::kept(row.get_ref("name")?.as_str()?).map_err(FromSqlError::other)?,
            folder: PathBuf::from(row.get::<_, String>("folder")?),
            is_ours: row.get("is_ours")?,
            created_at: row.get::<_, Ms>("created_at")?.0,
        },
        windows: kept.into_iter().filter_map(Kept::window).collect(),
        seen_at: row.get::<_, Option<Ms>>("seen_at")?.map(|ms| ms.0),
    })
}
