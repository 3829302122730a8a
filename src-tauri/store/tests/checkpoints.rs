//! The log is kept short, whoever reads.

use std::{
    fs,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use super::{Folder, ended, finish};
use crate::{
    domain::{Ending, ExchangeId},
    store::{Store, StoreError},
};

/// A question that takes a while, and sees the database as it was when it began.
const LONG_QUESTION: &str =
    "WITH RECURSIVE n (i) AS (SELECT max(id) FROM exchanges UNION ALL SELECT i + 1 FROM n LIMIT 20000)
    SELECT count(*) FROM n";

/// One commit.
fn write(store: &Store, id: i64) -> Result<(), StoreError> {
    finish(store, ended(id, Ending::Complete, 1));
    store.flush()
}

#[test]
fn the_log_does_not_grow_for_ever_where_one_question_follows_another() {
    let folder = Folder::new();
    let store = folder.open();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let asked =
                        store.read(|conn| Ok(conn.query_row(LONG_QUESTION, [], |row| row.get::<_, i64>(0))?));
                    assert_eq!(asked.unwrap(), 20_000);
                }
            });
        }
        let written = (1..=6_000).try_for_each(|id| write(&store, id));
        is_over.store(true, Ordering::Relaxed);
        written.unwrap();
    });

    let length = fs::metadata(folder.file().with_extension("db-wal")).unwrap().len() >> 20;
    assert!(length < 50, "six thousand commits left a log of {length} MiB");
    assert_eq!(store.totals_since(ExchangeId(0)).unwrap().complete, 6_000);
}

/// While a question is asked that ends when `then` says so, writes until others hold back.
fn while_others_hold_back(then: impl FnOnce(&Store, mpsc::Sender<()>)) {
    let folder = Folder::new();
    let store = folder.open();
    let (begin, begun) = mpsc::channel();
    let (end, ending) = mpsc::channel();
    thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let ending = ending;
            store.read(|conn| {
                conn.query_row("SELECT count(*) FROM exchanges", [], |row| row.get::<_, i64>(0))?;
                begin.send(()).unwrap();
                let _ = ending.recv();
                Ok(())
            })
        });
        begun.recv().unwrap();
        let held = (1..=20_000).find(|id| {
            write(&store, *id).unwrap();
            store.0.readers.are_on_hold()
        });
        if held.is_some() {
            then(&store, end);
        }
        assert!(held.is_some(), "twenty thousand commits held nobody back");
        slow.join().unwrap().unwrap();
    });
}

#[test]
fn questions_that_hold_back_go_on_when_the_last_one_has_ended_though_nothing_more_is_written() {
    while_others_hold_back(|store, end| {
        let (answer, answered) = mpsc::channel();
        let waiting = store.clone();
        thread::spawn(move || answer.send(waiting.totals_since(ExchangeId(0)).map(|totals| totals.complete)));

        end.send(()).unwrap();

        let complete = answered.recv_timeout(Duration::from_secs(3)).expect("it is not given up first");
        assert!(complete.unwrap() > 0);
    });
}

#[test]
fn a_question_that_takes_minutes_holds_the_others_back_for_a_while_and_no_longer() {
    while_others_hold_back(|store, end| {
        let given_up = (20_001..=21_000).find(|id| {
            write(store, *id).unwrap();
            !store.0.readers.are_on_hold()
        });
        drop(end);
        assert!(given_up.is_some(), "each commit looks once more");
    });
}

#[test]
fn a_store_can_be_closed_while_questions_hold_back() {
    while_others_hold_back(|store, end| {
        drop(end);
        store.close().unwrap();
        assert!(matches!(store.totals_since(ExchangeId(0)), Err(StoreError::Closed)));
    });
}
