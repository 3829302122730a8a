//! What a job is: words for people, when it is due, how long it may take, and an act that it was given. What the act
//! does, nobody here knows.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::cadence::Rhythm;
use crate::domain::JobId;

/// A job as whoever owns its subject describes it.
pub struct Job {
    /// Which one.
    pub id: JobId,
    /// What people call it.
    pub title: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// When it is due.
    pub due: Due,
    /// A run that takes longer is given up: told to stop, and waited for no more.
    pub limit: Duration,
    /// Why it is never done; `None` where it is.
    pub off: Option<Arc<str>>,
    /// What is done.
    pub act: Act,
}

/// See [`Job::act`]. A panic in it, or in making it, ends that run alone.
pub type Act = Box<dyn Fn(Run) -> BoxFuture<'static, Result<Said, Unfinished>> + Send + Sync>;

/// When a job is due.
pub enum Due {
    /// By a rhythm.
    By(Rhythm),
    /// When somebody says so.
    Told(Told),
}

/// Somebody who says when a job is due.
pub struct Told {
    /// When that is, in words: "when a sign-in is about to expire".
    pub words: String,
    /// Why there is nothing to do at all at this moment: it is off then, until there is news.
    pub idle: Box<dyn Fn() -> Option<Arc<str>> + Send + Sync>,
    /// When it is due next, as far as is known at this moment; `None` while it is not.
    pub next: Box<dyn Fn(Timestamp) -> Option<Timestamp> + Send + Sync>,
    /// Completes when `next` may say something else. It may be dropped and called anew at any time.
    pub changed: Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
}

/// What an act is told of its run.
#[derive(Debug, Clone)]
pub struct Run {
    pub(super) by_hand: bool,
    pub(super) stop: CancellationToken,
}

impl Run {
    /// Whether a person asked for it now.
    pub fn is_by_hand(&self) -> bool {
        self.by_hand
    }

    /// Whether it is to end at the next safe point: the drain has begun, or its time is over.
    pub fn should_stop(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Completes when it is to end.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }
}

/// What an act that did what it is for has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// A sentence.
    pub text: String,
    /// It found something that a person should look at.
    pub is_trouble: bool,
}

impl Said {
    /// All is well.
    pub fn fine(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_trouble: false }
    }

    /// Somebody should look at it.
    pub fn trouble(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_trouble: true }
    }
}

/// Why an act did not do what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfinished {
    /// It was told to stop, and did. What it had done by then, if that is worth a sentence.
    Stopped(String),
    /// It could not; a sentence without a secret.
    Failed(String),
}

impl Job {
    /// Why it is not done, for good or at this moment; `None` where it is.
    pub(super) fn off(&self) -> Option<Arc<str>> {
        let idle = || match &self.due {
            Due::Told(told) => told.idle(),
            Due::By(_) => None,
        };
        self.off.clone().or_else(idle)
    }
}

impl Told {
    /// See [`Told::idle`]. Of whoever breaks there, nobody knows.
    fn idle(&self) -> Option<Arc<str>> {
        catch_unwind(AssertUnwindSafe(|| (self.idle)())).unwrap_or_default()
    }

    /// See [`Told::next`]. Whoever breaks there costs himself his turn, and not the others theirs.
    pub(super) fn due(&self, now: Timestamp) -> Option<Timestamp> {
        catch_unwind(AssertUnwindSafe(|| (self.next)(now))).unwrap_or_default()
    }

    /// See [`Told::changed`]; of whoever breaks there, no news comes.
    pub(super) async fn news(&self) {
        let changed = AssertUnwindSafe(async { (self.changed)().await }).catch_unwind().await;
        if changed.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Due {
    /// In words, as behind "It runs".
    pub(super) fn words(&self) -> String {
        match self {
            Self::By(rhythm) => rhythm.to_string(),
            Self::Told(told) => told.words.clone(),
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("id", &self.id).finish_non_exhaustive()
    }
}
