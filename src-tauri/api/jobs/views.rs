//! The shapes of jobs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{JobId, JobOutcome, JobRun},
    scheduler::JobState,
};

/// Something that Headgate does by itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    pub id: JobId,
    pub title: String,
    /// What it does, in a sentence.
    pub about: String,
    /// When it runs, in words: `every 7 days`, `every day at 04:00`.
    pub cadence: String,
    /// A run that takes longer is given up.
    pub limit_seconds: u64,
    /// Why it is not done at all; absent where it is.
    pub off: Option<String>,
    /// Since when it runs; absent while it does not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub running_since: Option<Timestamp>,
    /// Its last run; absent where there was none.
    pub last: Option<JobRunView>,
    /// The last run that somebody should know of (neither `fine` nor `stopped`), also after others that went well;
    /// absent where there was none.
    pub last_trouble: Option<JobRunView>,
    /// When it is due next; absent while it runs, is off, or waits for something that has no time.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<Timestamp>,
}

/// A run that is over.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobRunView {
    #[schema(value_type = String, format = DateTime)]
    pub began_at: Timestamp,
    /// Absent if Headgate died while it ran.
    pub took_ms: Option<f64>,
    pub outcome: JobOutcome,
    /// What it did or why it did not, in a sentence.
    pub says: String,
}

impl JobView {
    /// A job as it stands.
    pub(in crate::api) fn of(job: JobState) -> Self {
        Self {
            id: job.id,
            title: job.title.into(),
            about: job.about.into(),
            cadence: job.cadence,
            limit_seconds: job.limit.as_secs(),
            off: job.off.map(|why| why.to_string()),
            running_since: job.running_since,
            last: job.last.map(JobRunView::of),
            last_trouble: job.last_trouble.map(JobRunView::of),
            next_at: job.next,
        }
    }
}

impl JobRunView {
    fn of(run: JobRun) -> Self {
        Self {
            began_at: run.began_at,
            took_ms: run.took.map(|took| (took.as_secs_f64() * 1e3).round()),
            outcome: run.outcome,
            says: run.says.to_string(),
        }
    }
}
