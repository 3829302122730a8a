//! One run of a job, from its beginning to its named outcome. A panic, an error and a run that does not end are
//! outcomes like any other. That it runs is taken back in `Drop`, so no way out of here leaves a job that can't be
//! started again.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::FutureExt;
use jiff::Timestamp;

use super::{NotRun, Run, Said, Scheduler, Unfinished, slot::Slot};
use crate::domain::{JobOutcome, JobRun};

/// A sentence of a job is cut off behind so many characters.
const LONGEST: usize = 400;

/// Dice for the next run; where there are none, there is no jitter.
pub(super) fn dice() -> u64 {
    getrandom::u64().unwrap_or_default()
}

impl Scheduler {
    /// Begins a run where none is.
    pub(super) fn begin(&self, at: usize, by_hand: bool) -> Result<(), NotRun> {
        if self.0.tasks.is_stopping() {
            return Err(NotRun::Stopping);
        }
        let slot = &self.0.slots[at];
        let began = self.0.clock.now();
        let before = {
            let mut known = slot.known();
            if let Some(since) = known.running {
                return Err(NotRun::Running { since });
            }
            known.running = Some(began);
            std::mem::replace(&mut known.since, began)
        };
        let running = Running { scheduler: self.clone(), at, steady: self.0.clock.instant() };
        self.tell();
        self.0.tasks.spawn(running.finish(by_hand, began, before));
        Ok(())
    }
}

/// That a job runs; over when it is dropped.
struct Running {
    scheduler: Scheduler,
    at: usize,
    steady: Instant,
}

impl Running {
    async fn finish(self, by_hand: bool, began: Timestamp, before: Timestamp) {
        let (scheduler, slot) = (&self.scheduler, self.slot());
        let inner = &scheduler.0;
        let id = slot.id();
        scheduler.write(slot, move |store| store.begin_job(id, began)).await;
        let (outcome, says) = self.act(by_hand).await;
        tracing::info!(job = id.word(), outcome = outcome.word(), "{says}");
        let took = inner.clock.instant().duration_since(self.steady);
        {
            let mut known = slot.known();
            let run = JobRun { began_at: began, took: Some(took), outcome, says: cut(&says) };
            if outcome.is_trouble() {
                known.trouble = Some(run.clone());
            }
            known.last = Some(run);
            known.dice = dice();
            if outcome == JobOutcome::Stopped {
                known.since = before;
            }
        }
        scheduler.keep(slot).await;
    }

    async fn act(&self, by_hand: bool) -> (JobOutcome, String) {
        let job = &self.slot().job;
        let stop = self.scheduler.0.tasks.sign();
        let run = Run { by_hand, stop: stop.clone() };
        // An act that breaks has nothing of ours in its hands.
        let act = AssertUnwindSafe(async { (job.act)(run).await }).catch_unwind();
        let ended = tokio::time::timeout(job.limit, act).await;
        let is_stopping = stop.is_cancelled();
        // Whoever works aside for it stops too.
        stop.cancel();
        match ended {
            Ok(Ok(Ok(Said { text, is_trouble: false }))) => (JobOutcome::Fine, text),
            Ok(Ok(Ok(Said { text, is_trouble: true }))) => (JobOutcome::Trouble, text),
            Ok(Ok(Err(Unfinished::Stopped(text)))) => (JobOutcome::Stopped, text),
            Ok(Ok(Err(Unfinished::Failed(text)))) => (JobOutcome::Failed, text),
            // What it says is in the log, by the panic's own hook.
            Ok(Err(_)) => (JobOutcome::Panicked, "It broke off; the log tells where.".into()),
            Err(_) if is_stopping => (JobOutcome::Stopped, "Headgate was stopped.".into()),
            Err(_) => {
                (JobOutcome::TimedOut, format!("It was not done within {:?} and was given up.", job.limit))
            }
        }
    }

    fn slot(&self) -> &Slot {
        &self.scheduler.0.slots[self.at]
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.slot().known().running = None;
        self.scheduler.tell();
    }
}

/// On one line, and not too long.
fn cut(text: &str) -> Arc<str> {
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(LONGEST).collect::<String>().into()
}
