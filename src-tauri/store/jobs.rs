//! The table `jobs`: what each job did last. A run stands in it from its beginning on, so that one in which we died
//! is known as that and counts.

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
}

const SAVE: &str = "INSERT OR REPLACE INTO jobs (id, since, began_at, took_us, outcome, says) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

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
            let last = row.last.as_ref();
            tx.prepare_cached(SAVE)?.execute(params![
                row.id.word(),
                Ms(row.since),
                last.map(|run| Ms(run.began_at)),
                last.and_then(|run| run.took.map(Us)),
                last.map(|run| run.outcome.word()),
                last.map(|run| &run.says),
            ])?;
            Ok(())
        })
    }

    /// Notes that a run has begun; returns once it is committed.
    pub fn begin_job(&self, id: JobId, at: Timestamp) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.prepare_cached(SAVE)?.execute(params![
                id.word(),
                Ms(at),
                Ms(at),
                None::<Us>,
                None::<&str>,
                None::<&str>
            ])?;
            Ok(())
        })
    }
}

fn job(row: &Row<'_>) -> rusqlite::Result<Option<JobRow>> {
    // A job that a later version knows is none of ours.
    let Some(id) = JobId::of(row.get_ref("id")?.as_str()?) else { return Ok(None) };
    let Some(began_at) = row.get::<_, Option<Ms>>("began_at")? else {
        return Ok(Some(JobRow { id, since: row.get::<_, Ms>("since")?.0, last: None }));
    };
    let last = match row.get_ref("outcome")?.as_str_or_null()? {
        None => JobRun {
            began_at: began_at.0,
            took: None,
            outcome: JobOutcome::Interrupted,
            says: "Headgate ended while it ran.".into(),
        },
        Some(word) => JobRun {
            began_at: began_at.0,
            took: row.get::<_, Option<Us>>("took_us")?.map(|us| us.0),
            outcome: JobOutcome::ALL
                .into_iter()
                .find(|outcome| outcome.word() == word)
                .ok_or_else(|| unknown_word(word))?,
            says: row.get::<_, Option<std::sync::Arc<str>>>("says")?.unwrap_or_default(),
        },
    };
    Ok(Some(JobRow { id, since: row.get::<_, Ms>("since")?.0, last: Some(last) }))
}
