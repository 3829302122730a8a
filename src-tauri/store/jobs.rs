//! The table `jobs`: what each job did last, and the last time that it went wrong. A run stands in it from its beginning
//! on, so that one in which we died is known as that and counts.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::{
    Store, StoreError,
    columns::{Ms, Us, unknown_word},
};
use crate::domain::{JobId, JobOutcome, JobRun};

/// What is kept of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    pub id: JobId,
    /// From when its next run is reckoned.
    pub since: Timestamp,
    /// Its last run.
    pub last: Option<JobRun>,
    /// The last one that somebody should know of; it stays when later ones go well.
    pub trouble: Option<JobRun>,
}

const SAVE: &str = "INSERT OR REPLACE INTO jobs (id, since, began_at, took_us, outcome, says, trouble_began_at, trouble_took_us, trouble_outcome, trouble_says)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const BEGIN: &str = "INSERT INTO jobs (id, since, began_at) VALUES (?1, ?2, ?2)
    ON CONFLICT (id) DO UPDATE SET since = ?2, began_at = ?2, took_us = NULL, outcome = NULL, says = NULL";

impl Store {
    /// What is kept of every job that this program knows. A run that has no end in it was interrupted.
    pub fn jobs(&self) -> Result<Vec<JobRow>, StoreError> {
        self.read(|conn| {
            let mut all = conn.prepare_cached("SELECT * FROM jobs ORDER BY id")?;
            let rows = all.query_map([], job)?.collect::<Result<Vec<_>, _>>()?;
            Ok(rows.into_iter().flatten().collect())
        })
    }

    /// Keeps a job as it is now; returns once it is committed.
    pub fn save_job(&self, row: JobRow) -> Result<(), StoreError> {
        self.write(move |tx| {
            let (last, trouble) = (row.last.as_ref(), row.trouble.as_ref());
            tx.prepare_cached(SAVE)?.execute(params![
                row.id.word(),
                Ms(row.since),
                last.map(|run| Ms(run.began_at)),
                last.and_then(|run| run.took.map(Us)),
                last.map(|run| run.outcome.word()),
                last.map(|run| &run.says),
                trouble.map(|run| Ms(run.began_at)),
                trouble.and_then(|run| run.took.map(Us)),
                trouble.map(|run| run.outcome.word()),
                trouble.map(|run| &run.says),
            ])?;
            Ok(())
        })
    }

    /// Notes that a run has begun; returns once it is committed.
    pub fn begin_job(&self, id: JobId, at: Timestamp) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.prepare_cached(BEGIN)?.execute(params![id.word(), Ms(at)])?;
            Ok(())
        })
    }
}

fn job(row: &Row<'_>) -> rusqlite::Result<Option<JobRow>> {
    // A job that a later version knows is none of ours.
    let Some(id) = JobId::of(row.get_ref("id")?.as_str()?) else { return Ok(None) };
    let since = row.get::<_, Ms>("since")?.0;
    let last = run(row, ["began_at", "took_us", "outcome", "says"])?;
    let died = last.clone().filter(|run| run.outcome == JobOutcome::Interrupted);
    let trouble = ["trouble_began_at", "trouble_took_us", "trouble_outcome", "trouble_says"];
    let trouble = died.map_or_else(|| run(row, trouble), |died| Ok(Some(died)))?;
    Ok(Some(JobRow { id, since, last, trouble }))
}

/// A run; one without an outcome is one in which we died.
fn run(row: &Row<'_>, [began_at, took, outcome, says]: [&str; 4]) -> rusqlite::Result<Option<JobRun>> {
    let Some(Ms(began_at)) = row.get::<_, Option<Ms>>(began_at)? else { return Ok(None) };
    let Some(word) = row.get_ref(outcome)?.as_str_or_null()? else {
        let (outcome, says) = (JobOutcome::Interrupted, "Headgate ended while it ran.".into());
        return Ok(Some(JobRun { began_at, took: None, outcome, says }));
    };
    let outcome = JobOutcome::ALL.into_iter().find(|known| known.word() == word);
    Ok(Some(JobRun {
        began_at,
        took: row.get::<_, Option<Us>>(took)?.map(|us| us.0),
        outcome: outcome.ok_or_else(|| unknown_word(word))?,
        says: row.get::<_, Option<std::sync::Arc<str>>>(says)?.unwrap_or_default(),
    }))
}
