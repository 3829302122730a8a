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
    let mut row = JobRow { id: JobId::Integrity, since: at(50), last: None, trouble: None };
    store.save_job(row.clone()).unwrap();
    assert_eq!(store.jobs().unwrap(), [row.clone()]);
    for outcome in JobOutcome::ALL {
        row.last = Some(run(outcome));
        // One in which we died is trouble however it came to be written down.
        row.trouble = Some(run(outcome));
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
    assert_eq!(row.trouble, Some(last), "and somebody should know of it");
}

#[test]
fn a_run_that_went_well_wiped_out_what_the_one_before_had_found() {
    let folder = Folder::new();
    let store = folder.open();
    let run = |second, outcome, says: &str| JobRun {
        began_at: at(second),
        took: Some(Duration::from_secs(1)),
        outcome,
        says: says.into(),
    };
    let trouble = run(100, JobOutcome::Failed, "It could not.");
    let failed = JobRow {
        id: JobId::Integrity,
        since: at(100),
        last: Some(trouble.clone()),
        trouble: Some(trouble.clone()),
    };
    store.save_job(failed.clone()).unwrap();
    let fine = JobRow { last: Some(run(200, JobOutcome::Fine, "It did.")), since: at(200), ..failed };
    store.save_job(fine.clone()).unwrap();
    assert_eq!(store.jobs().unwrap(), std::slice::from_ref(&fine));
    store.begin_job(JobId::Integrity, at(300)).unwrap();
    store.save_job(JobRow { since: at(300), ..fine.clone() }).unwrap();
    assert_eq!(store.jobs().unwrap()[0].trouble, Some(trouble), "nor does a run that begins");
}
