//! The shapes of profiles of Claude Code.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{make, views::WindowView};
use crate::{
    clients::{self, Advice, Known},
    domain::{Profile, Window},
};

/// A folder in which Claude Code keeps a sign-in and settings of its own (`CLAUDE_CONFIG_DIR`).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProfileView {
    pub id: i64,
    pub name: String,
    /// Its whole path.
    pub folder: String,
    /// Headgate made it; one that was adopted is never removed.
    pub is_ours: bool,
    /// It is there.
    pub has_folder: bool,
    /// What its own traffic through Headgate last told of the limits of its sign-in, fullest first; empty while
    /// nothing has.
    pub windows: Vec<WindowView>,
    /// When that was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_at: Option<Timestamp>,
    /// What starts Claude Code in it.
    pub command: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A profile to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProfile {
    /// 1 to 40 letters, digits, `-`, `_` or `.`.
    pub name: String,
    /// A folder that is there, by its whole path, to be used as it is. Left out, one is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The id that it had, to put a forgotten one back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
}

/// What to change.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileChange {
    pub name: String,
}

/// What goes with a profile that is forgotten.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Removing {
    /// Its folder too, with Claude Code's sign-in, settings and history in it. Only one that Headgate made.
    #[serde(default)]
    pub with_folder: bool,
}

/// A profile that was forgotten.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RemovedProfile {
    pub profile: ProfileView,
    /// Its folder is gone too.
    pub with_folder: bool,
}

/// The profile to start now.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BestProfile {
    pub profile: ProfileView,
    /// Why this one, as a sentence.
    pub why: String,
    /// Its sign-in can be asked now; otherwise every one is spent, and this one is back first.
    pub is_ready: bool,
}

impl ProfileView {
    /// One as it stands at `now`.
    pub fn of(known: &Known, now: Timestamp) -> Self {
        let mut windows: Vec<_> = known.windows.iter().filter(|window| window.limits.is_some()).collect();
        windows.sort_by(|a, b| share(b, now).total_cmp(&share(a, now)));
        let windows = windows.into_iter().map(|window| make::window(window, now)).collect();
        Self { windows, seen_at: known.seen_at, ..Self::was(&known.profile) }
    }

    /// One of which nothing is known any more.
    pub fn was(profile: &Profile) -> Self {
        Self {
            id: profile.id.0,
            name: profile.name.to_string(),
            folder: profile.folder.display().to_string(),
            is_ours: profile.is_ours,
            has_folder: profile.folder.is_dir(),
            windows: Vec::new(),
            seen_at: None,
            command: format!("headgate run --profile {}", profile.name),
            created_at: profile.created_at,
        }
    }
}

impl BestProfile {
    /// As it is advised at `now`.
    pub fn of(advice: Advice, now: Timestamp) -> Self {
        let Advice { profile, why, is_ready } = advice;
        Self { profile: ProfileView::of(&profile, now), why, is_ready }
    }
}

impl From<clients::Removed> for RemovedProfile {
    fn from(removed: clients::Removed) -> Self {
        Self { profile: ProfileView::was(&removed.profile), with_folder: removed.folder_too }
    }
}

fn share(window: &Window, now: Timestamp) -> f64 {
    window.utilization_at(now).unwrap_or(-1.0)
}
