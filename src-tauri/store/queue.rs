//! Where things wait for the writer. Putting something down costs a short lock, and wakes the writer only
//! if it sleeps. The queue has no limit of its own: exchanges hold a permit each, of windows and lessons
//! only the latest is kept, and whoever asks for a commit waits for it, so there is one job per asker.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::Connection;

use super::{StoreError, batch::Batch};

/// A commit that somebody waits for; it is called with the trouble where writing fails at the moment.
pub(super) type Job = Box<dyn FnOnce(Result<&mut Connection, Arc<str>>) + Send>;

/// How the writer is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriterHealth {
    /// Records that are not on disk yet.
    pub waiting: usize,
    /// What keeps them from it, if anything does. Nothing is lost: it is tried again.
    pub trouble: Option<Arc<str>>,
    /// The writer has ended: nothing is recorded any more.
    pub ended: bool,
}

/// What the writer takes from the queue at once.
pub(super) struct Round {
    pub batch: Batch,
    pub jobs: Vec<Job>,
    pub closing: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Writing; it will look again by itself.
    #[default]
    Busy,
    /// Letting a batch gather for a moment.
    Gathering,
    /// Nothing to do.
    Asleep,
}

#[derive(Default)]
struct Waiting {
    batch: Batch,
    jobs: Vec<Job>,
    phase: Phase,
    closing: bool,
    health: WriterHealth,
}

/// Shared by the writer and everybody who gives it something to write.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    gather: Duration,
    enough: usize,
}

impl Queue {
    /// A batch gathers for `gather`, or until there are `enough` of records in it.
    pub fn new(gather: Duration, enough: usize) -> Self {
        Self { waiting: Mutex::default(), wake: Condvar::new(), gather, enough }
    }

    /// Puts records down. Once the writer has ended they have nowhere to go, which is logged.
    pub fn put(&self, put: impl FnOnce(&mut Batch)) {
        let mut waiting = self.lock();
        if waiting.health.ended {
            drop(waiting);
            tracing::error!("a record came after the database was closed and is lost");
            return;
        }
        put(&mut waiting.batch);
        let next = match waiting.phase {
            Phase::Asleep => Phase::Gathering,
            Phase::Gathering if waiting.batch.len() >= self.enough => Phase::Busy,
            _ => return,
        };
        // Moving the phase on here spares the puts until the writer is awake a second call to wake it.
        waiting.phase = next;
        drop(waiting);
        self.wake.notify_one();
    }

    /// Asks for a commit.
    pub fn ask(&self, job: Job) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        if waiting.health.ended {
            return Err(StoreError::Closed);
        }
        waiting.jobs.push(job);
        drop(waiting);
        self.wake.notify_one();
        Ok(())
    }

    /// Lets the writer end once all is written.
    pub fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_one();
    }

    /// Marks the writer as ended, and lets go of everything and everybody that still waits.
    pub fn end(&self) {
        let left = {
            let mut waiting = self.lock();
            waiting.health.ended = true;
            (std::mem::take(&mut waiting.batch), std::mem::take(&mut waiting.jobs))
        };
        drop(left);
    }

    pub fn has_ended(&self) -> bool {
        self.lock().health.ended
    }

    pub fn health(&self) -> WriterHealth {
        let waiting = self.lock();
        let mut health = waiting.health.clone();
        health.waiting += waiting.batch.len();
        health
    }

    /// The writer's report after a round: how many records it still holds, and why.
    pub fn report(&self, held: usize, trouble: Option<Arc<str>>) {
        let mut waiting = self.lock();
        waiting.health.waiting = held;
        waiting.health.trouble = trouble;
    }

    /// The next round. Sleeps while there is nothing, unless the writer has something of its own to do again, a batch
    /// that failed or a look at the log: then it comes back after `again` at the latest. `None` once the queue is
    /// closed and empty.
    pub fn next(&self, again: Option<Duration>) -> Option<Round> {
        let mut waiting = self.lock();
        waiting = match again {
            Some(pause) => self.wait(waiting, Phase::Busy, pause, Waiting::is_urgent),
            None => self.gather(waiting),
        };
        waiting.phase = Phase::Busy;
        if waiting.closing && waiting.is_empty() && again.is_none() {
            waiting.health.ended = true;
            return None;
        }
        let Waiting { batch, jobs, closing, .. } = &mut *waiting;
        Some(Round { batch: std::mem::take(batch), jobs: std::mem::take(jobs), closing: *closing })
    }

    fn gather<'a>(&self, mut waiting: MutexGuard<'a, Waiting>) -> MutexGuard<'a, Waiting> {
        while waiting.is_empty() && !waiting.closing {
            waiting.phase = Phase::Asleep;
            waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let enough = self.enough;
        self.wait(waiting, Phase::Gathering, self.gather, |waiting| {
            waiting.is_urgent() || waiting.batch.len() >= enough
        })
    }

    fn wait<'a>(
        &self,
        mut waiting: MutexGuard<'a, Waiting>,
        phase: Phase,
        limit: Duration,
        is_over: impl Fn(&Waiting) -> bool,
    ) -> MutexGuard<'a, Waiting> {
        waiting.phase = phase;
        self.wake
            .wait_timeout_while(waiting, limit, |waiting| !is_over(waiting))
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.jobs.is_empty()
    }

    /// Somebody waits, so nothing more is gathered.
    fn is_urgent(&self) -> bool {
        self.closing || !self.jobs.is_empty()
    }
}
