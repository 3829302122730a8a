//! What an account is good for now, and why. A standing is computed from what is kept (pause, bench,
//! refusal, windows) and the time; it is never stored, so it can't be out of date.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::is_ahead;

/// The state, with the sentence that explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// One of the four.
    pub state: StandingState,
    /// Why it is not ready, as a sentence; `None` when ready.
    pub reason: Option<Arc<str>>,
    /// When it is expected back; `None` when ready, or when nobody knows.
    pub until: Option<Timestamp>,
}

impl Standing {
    /// Good for anything.
    pub const READY: Self = Self { state: StandingState::Ready, reason: None, until: None };
}

/// The four standings of the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StandingState {
    /// Takes requests.
    Ready,
    /// Rests until a time; comes back by itself.
    Cooling,
    /// Switched off until somebody resumes it.
    Paused,
    /// Its credential was refused; a person has to renew it.
    NeedsSignIn,
}

/// Why and by whom an account was switched off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// In the words of whoever paused it; may be empty.
    pub reason: Arc<str>,
    /// A person's pause is only lifted by a person.
    pub by: PausedBy,
    /// Since when.
    pub at: Timestamp,
}

/// Who paused, by the door that they came through. What can't be told is a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// A person: in the window, by a command while nothing ran, or in a time when doors were not told apart.
    User,
    /// A page in a browser.
    Page,
    /// A program with the core's own token, which its owner's files hold: the command line, or a script.
    Program,
    /// Whoever has the client's key of this name, as it was called then.
    Key(String),
}

/// A rest that a verdict imposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bench {
    /// When it was imposed.
    pub since: Timestamp,
    /// Over at this moment.
    pub until: Timestamp,
    /// As a sentence.
    pub reason: Arc<str>,
    /// How many benches for the same reason in a row, without a success between.
    pub streak: u32,
}

impl Bench {
    /// Whether it holds at `now`. One that begins in the future was imposed before the clock was set back, and
    /// how much of it is left nobody knows: then it is over.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until > now && !is_ahead(self.since, now)
    }
}
