//! Timed work, in one place: a fixed set of jobs, and one task that sleeps until the first of them is due. No job
//! waits for another, and whatever one does, it and the others are done again. What the jobs do they were given.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `job` | what a job is |
//! | `cadence` | when it is due next: pure |
//! | `slot` | what is known of it now |
//! | `run` | doing it once |

mod cadence;
mod job;
mod run;
mod slot;
#[cfg(test)]
mod tests;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures_util::{FutureExt, future::select_all};
use jiff::Timestamp;
use tokio::sync::watch;

pub use cadence::Rhythm;
pub use job::{Act, Due, Job, Run, Said, Told, Unfinished};

use slot::Slot;

use crate::{
    clock::Clock,
    domain::{JobId, JobOutcome, JobRun},
    events::{Event, Events},
    store::{JobRow, Store, StoreError},
    tasks::Tasks,
};

/// The scheduler. Clones are the same one.
#[derive(Clone)]
pub struct Scheduler(Arc<Inner>);

struct Inner {
    slots: Vec<Slot>,
    store: Store,
    clock: Clock,
    events: Events,
    tasks: Tasks,
    /// So long is waited for the disk.
    patience: Duration,
    /// Told whenever a run begins or ends.
    moved: watch::Sender<()>,
}

/// What the disk has not taken by then is known in memory alone until it does: jobs are done all the same.
const PATIENCE: Duration = Duration::from_secs(10);

/// A job as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    pub id: JobId,
    pub title: &'static str,
    pub about: &'static str,
    /// When it runs, in words.
    pub cadence: String,
    pub limit: Duration,
    /// Why it is not done at all.
    pub off: Option<Arc<str>>,
    pub running_since: Option<Timestamp>,
    pub last: Option<JobRun>,
    /// The last one that somebody should know of, whatever came after it.
    pub last_trouble: Option<JobRun>,
    /// When it is due next, as far as that is known.
    pub next: Option<Timestamp>,
}

/// Why a job was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRun {
    /// There is one run at a time, and nobody joins it.
    #[error("it has been running since {since}, and is not started twice")]
    Running { since: Timestamp },
    /// It is not done at all.
    #[error("it is off: {0}")]
    Off(Arc<str>),
    /// Headgate is ending.
    #[error("Headgate is stopping")]
    Stopping,
}

impl Scheduler {
    /// Takes the jobs, and what is kept of their last runs. Does nothing by itself until [`Scheduler::start`].
    ///
    /// # Errors
    /// If what is kept can't be read, or a job that is new can't be noted.
    pub fn load(
        store: Store,
        clock: Clock,
        events: Events,
        tasks: Tasks,
        jobs: Vec<Job>,
    ) -> Result<Self, StoreError> {
        Self::load_within(PATIENCE, store, clock, events, tasks, jobs)
    }

    fn load_within(
        patience: Duration,
        store: Store,
        clock: Clock,
        events: Events,
        tasks: Tasks,
        jobs: Vec<Job>,
    ) -> Result<Self, StoreError> {
        let (kept, now) = (store.jobs()?, clock.now());
        let mut slots = Vec::with_capacity(jobs.len());
        for job in jobs {
            let row = kept.iter().find(|row| row.id == job.id).cloned();
            let row = row.map_or_else(
                || {
                    let new = JobRow { id: job.id, since: now, last: None, trouble: None };
                    store.save_job(new.clone()).map(|()| new)
                },
                Ok,
            )?;
            slots.push(Slot::new(job, &row, run::dice()));
        }
        let moved = watch::Sender::new(());
        Ok(Self(Arc::new(Inner { slots, store, clock, events, tasks, patience, moved })))
    }

    /// Begins to do what is due, until the drain. To be called once, on the runtime that is to do it.
    pub fn start(&self) {
        let now = self.0.clock.now();
        for slot in &self.0.slots {
            slot.known().started = Some(now);
        }
        self.0.tasks.spawn(self.clone().keep_time());
    }

    /// Every job as it stands.
    pub fn jobs(&self) -> Vec<JobState> {
        self.0.slots.iter().map(|slot| self.state(slot)).collect()
    }

    /// One of them; `None` where this core has no such job.
    pub fn job(&self, id: JobId) -> Option<JobState> {
        self.slot(id).map(|slot| self.state(slot))
    }

    /// Does a job now, whenever it is due, on the runtime that calls; does not wait for its end. `None` where this core
    /// has no such job.
    ///
    /// # Errors
    /// See [`NotRun`].
    pub fn run(&self, id: JobId) -> Option<Result<(), NotRun>> {
        let at = self.0.slots.iter().position(|slot| slot.id() == id)?;
        let slot = &self.0.slots[at];
        Some(match slot.job.off() {
            Some(why) => Err(NotRun::Off(why)),
            None => self.begin(at, true),
        })
    }

    /// Completes once the run of a job that is under way now is over; another may have begun by then.
    pub async fn settled(&self, id: JobId) {
        let running = self.slot(id).and_then(|slot| slot.known().running);
        if running.is_some() {
            self.until(|slot| slot.id() != id || slot.known().running != running).await;
        }
    }

    /// Completes once none runs; after the drain has begun no other begins.
    pub async fn ended(&self) {
        self.until(|slot| slot.known().running.is_none()).await;
    }

    /// The last thing that a job found and a person should look at.
    pub fn trouble(&self) -> Option<Arc<str>> {
        self.0.slots.iter().find_map(|slot| {
            let known = slot.known();
            let last = known.last.as_ref().filter(|run| run.outcome == JobOutcome::Trouble)?;
            Some(Arc::clone(&last.says))
        })
    }

    async fn until(&self, holds: impl Fn(&Slot) -> bool) {
        let mut moved = self.0.moved.subscribe();
        while !self.0.slots.iter().all(&holds) {
            // The other end is held here.
            let _ = moved.changed().await;
        }
    }

    /// The one task. It wakes for what is due, for news, and when the clock was set.
    async fn keep_time(self) {
        let mut moved = self.0.moved.subscribe();
        loop {
            let alarm = self.0.clock.alarm();
            moved.mark_unchanged();
            // Listened for before the look, so that no news falls in between.
            let mut told = pin!(self.told());
            let is_news = poll_fn(|cx| Poll::Ready(told.as_mut().poll(cx).is_ready())).await;
            let earliest = self.look().await;
            if is_news {
                continue;
            }
            tokio::select! {
                () = alarm.at(earliest) => {}
                () = told => {}
                _ = moved.changed() => {}
                () = self.0.tasks.stopping() => return,
            }
        }
    }

    /// Begins what is due, and says when the next one is.
    async fn look(&self) -> Option<Timestamp> {
        let (now, zone) = (self.0.clock.now(), self.0.clock.zone());
        let mut earliest = None;
        for (at, slot) in self.0.slots.iter().enumerate() {
            if slot.look_at(now) {
                self.keep(slot).await;
            }
            let Some(next) = slot.next(now, &zone) else { continue };
            if next <= now {
                // It fails only where a person was quicker, or at the drain.
                let _ = self.begin(at, false);
            } else {
                earliest = Some(earliest.map_or(next, |before: Timestamp| before.min(next)));
            }
        }
        earliest
    }

    /// Completes when somebody who tells when a job is due may have changed his mind.
    async fn told(&self) {
        let wanted = self.0.slots.iter().filter(|slot| slot.job.off.is_none());
        let changes: Vec<_> = wanted
            .filter_map(|slot| match &slot.job.due {
                Due::Told(told) => Some(told.news().boxed()),
                Due::By(_) => None,
            })
            .collect();
        if changes.is_empty() {
            return std::future::pending().await;
        }
        select_all(changes).await;
    }

    /// Writes down what is known of a job. If that fails it is known until the next start all the same.
    async fn keep(&self, slot: &Slot) {
        let row = slot.row();
        self.write(slot, move |store| store.save_job(row)).await;
    }

    /// Writes something down about a job, one thing at a time, and waits no longer for the disk than its patience goes:
    /// a disk that stands still holds nobody up, and of each job one write at most waits for it.
    async fn write(&self, slot: &Slot, act: impl FnOnce(&Store) -> Result<(), StoreError> + Send + 'static) {
        let (store, pen) = (self.0.store.clone(), Arc::clone(&slot.pen));
        let writing = async {
            let pen = pen.lock_owned().await;
            let act = move || {
                let done = act(&store);
                drop(pen);
                done
            };
            self.0.tasks.spawn_blocking(act).await
        };
        let why = match tokio::time::timeout(self.0.patience, writing).await {
            Ok(Ok(Err(error))) => error.to_string(),
            Err(_) => "the disk takes its time".into(),
            Ok(_) => return,
        };
        tracing::warn!(job = slot.id().word(), why, "what a job does could not be written down");
    }

    fn tell(&self) {
        self.0.moved.send_replace(());
        self.0.events.tell(|| Event::Jobs);
    }

    fn slot(&self, id: JobId) -> Option<&Slot> {
        self.0.slots.iter().find(|slot| slot.id() == id)
    }

    fn state(&self, slot: &Slot) -> JobState {
        let next = slot.next(self.0.clock.now(), &self.0.clock.zone());
        let known = slot.known().clone();
        let job = &slot.job;
        JobState {
            id: job.id,
            title: job.title,
            about: job.about,
            cadence: job.due.words(),
            limit: job.limit,
            off: job.off(),
            running_since: known.running,
            last: known.last,
            last_trouble: known.trouble,
            next,
        }
    }
}
