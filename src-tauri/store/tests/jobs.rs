//! What is kept of jobs.

use std::time::Duration;

use rusqlite::Connection;

use super::{Folder, at};
use crate::{
    domain::{JobId, JobOutcome, JobRun},
    store::JobRow,
};

#[test]
fn a_job_is_read_back_as_it_was_kept_and_one_of_a_later_version_is_none() {
    let folder = Folder::new();
    let store = folder.open();
    let run = |outcome| JobRun {
        began_at: at(100),
        took: Some(Duration::from_millis(1500)),
        outcome,
        says: "It did.".into(),
    };
    let mut row = JobRow { id: JobId::Integrity, since: at(50), last: None };
    store.save_job(row.clone()).unwrap();
    assert_eq!(store.jobs().unwrap(), [row.clone()]);
    for outcome in JobOutcome::ALL {
        row.last = Some(run(outcome));
        store.save_job(row.clone()).unwrap();
        assert_eq!(store.jobs().unwrap(), [row.clone()]);
    }
    let conn = Connection::open(folder.file()).unwrap();
    conn.execute("INSERT INTO jobs (id, since) VALUES ('later', 1)", []).unwrap();
    assert_eq!(store.jobs().unwrap(), [row]);
}

#[test]
fn a_run_without_an_end_was_interrupted() {
    let folder = Folder::new();
    let store = folder.open();
    store.begin_job(JobId::Retention, at(70)).unwrap();
    let row = store.jobs().unwrap().remove(0);
    let last = row.last.unwrap();
    assert_eq!((row.since, last.began_at, last.took), (at(70), at(70), None), "it counts as a run");
    assert_eq!(last.outcome, JobOutcome::Interrupted);
}
