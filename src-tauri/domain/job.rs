//! The jobs that Headgate does by itself, and how a run of one went. Which of them are due, and who does them, is
//! not known here.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One of the jobs; there are no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JobId {
    /// Reads the whole database and says what is wrong with it.
    Integrity,
    /// Renews sign-ins.
    Renew,
    /// Asks upstreams for their models.
    Models,
    /// Deletes old requests.
    Retention,
    /// Asks providers what accounts have used.
    Windows,
    /// Opens usage windows.
    OpenWindow,
    /// Keeps prompts in the caches of upstreams.
    KeepWarm,
}

impl JobId {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Renew,
        Self::Models,
        Self::Windows,
        Self::OpenWindow,
        Self::KeepWarm,
        Self::Retention,
        Self::Integrity,
    ];

    /// The word for SQL, the wire and the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Renew => "renew",
            Self::Models => "models",
            Self::Retention => "retention",
            Self::Windows => "windows",
            Self::OpenWindow => "open-window",
            Self::KeepWarm => "keep-warm",
        }
    }

    /// The job of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.word() == word)
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobOutcome {
    /// It did what it is for.
    Fine,
    /// It did what it is for, and found something that a person should look at.
    Trouble,
    /// It could not do it.
    Failed,
    /// It broke off in a way that nobody had foreseen.
    Panicked,
    /// It was not done within its time and was given up.
    TimedOut,
    /// Headgate was stopped, and the run with it; the next start makes up for it.
    Stopped,
    /// Headgate died while it ran.
    Interrupted,
}

impl JobOutcome {
    /// All of them, as the store writes them down.
    pub const ALL: [Self; 7] = [
        Self::Fine,
        Self::Trouble,
        Self::Failed,
        Self::Panicked,
        Self::TimedOut,
        Self::Stopped,
        Self::Interrupted,
    ];

    /// Whether somebody should know of it. One that was stopped is made up for by itself.
    pub fn is_trouble(self) -> bool {
        !matches!(self, Self::Fine | Self::Stopped)
    }

    /// The word for SQL and the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Trouble => "trouble",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed_out",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRun {
    /// When it began.
    pub began_at: Timestamp,
    /// How long it took; `None` if we died while it ran.
    pub took: Option<Duration>,
    /// How it ended.
    pub outcome: JobOutcome,
    /// What it did or why it did not, in a sentence.
    pub says: Arc<str>,
}
