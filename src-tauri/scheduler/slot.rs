//! A job with what is known of it now: when it ran, whether it runs, when it is due. The lock is held for a few
//! lines, and never while the job is being done, so nothing that a job does can leave it locked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    cadence::when_told,
    job::{Due, Job},
};
use crate::{
    domain::{JobId, JobRun},
    store::JobRow,
};

/// So long after the start what was missed meanwhile waits: there is enough to do at a start.
pub const CALM: SignedDuration = SignedDuration::from_mins(1);

pub struct Slot {
    pub job: Job,
    /// Held by whoever writes something down about it.
    pub pen: Arc<tokio::sync::Mutex<()>>,
    known: Mutex<Known>,
}

/// What is known of a job.
#[derive(Debug, Clone)]
pub struct Known {
    /// From when the next run is reckoned.
    pub since: Timestamp,
    /// Thrown for each run anew.
    pub dice: u64,
    /// Since when it runs.
    pub running: Option<Timestamp>,
    pub last: Option<JobRun>,
    /// The last one that somebody should know of.
    pub trouble: Option<JobRun>,
    /// Since when time is kept; `None` while it is not.
    pub started: Option<Timestamp>,
}

impl Slot {
    pub fn new(job: Job, row: &JobRow, dice: u64) -> Self {
        let (last, trouble) = (row.last.clone(), row.trouble.clone());
        let known = Known { since: row.since, dice, running: None, last, trouble, started: None };
        Self { job, pen: Arc::default(), known: Mutex::new(known) }
    }

    pub fn id(&self) -> JobId {
        self.job.id
    }

    pub fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be kept of it.
    pub fn row(&self) -> JobRow {
        let known = self.known();
        let (last, trouble) = (known.last.clone(), known.trouble.clone());
        JobRow { id: self.id(), since: known.since, last, trouble }
    }

    /// When it is due; `None` while it runs, is off, has no due time, or nobody keeps time.
    pub fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let known = self.known().clone();
        let started = known.started?;
        if known.running.is_some() || self.job.off().is_some() {
            return None;
        }
        match &self.job.due {
            Due::By(rhythm) => {
                let calm = started.min(now).checked_add(CALM).unwrap_or(Timestamp::MAX);
                Some(rhythm.next(rhythm.reckoned_from(known.since, now), zone, known.dice).max(calm))
            }
            Due::Told(told) => {
                let times = |run: JobRun| {
                    let took = run.took.unwrap_or_default();
                    (run.began_at, run.began_at.checked_add(took).unwrap_or(Timestamp::MAX))
                };
                when_told(told.due(now), known.last.map(times), now)
            }
        }
    }

    /// Takes in that the clock says `now`. True where that changes from when the next run is reckoned: it then has to
    /// be kept, or a wrong clock would be believed again after the next start.
    pub fn look_at(&self, now: Timestamp) -> bool {
        let mut known = self.known();
        known.started = known.started.map(|started| started.min(now));
        let Due::By(rhythm) = &self.job.due else { return false };
        let since = rhythm.reckoned_from(known.since, now);
        let is_new = since != known.since;
        known.since = since;
        is_new
    }
}
