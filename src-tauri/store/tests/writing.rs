//! The writer: one commit for many, and nothing lost when the disk says no.

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{Folder, add, begun, ended, finish, stall};
use crate::{
    domain::{Ending, Exchange, ExchangeId},
    store::{Options, RequestFilter, Store, StoreError, batch::Batch, schema},
};

#[test]
fn a_request_that_begins_and_ends_within_one_commit_is_written_once() {
    let folder = Folder::new();
    folder.open().close().unwrap();
    let mut conn = Connection::open(folder.file()).unwrap();
    let mut batch = Batch::default();
    batch.begun.extend([begun(2), begun(1)].map(Into::into));
    batch.finished.push((Arc::new(Exchange { attempts: vec![], ..ended(1, Ending::Complete, 1) }), None));

    batch.write(&mut conn).unwrap();

    let changes = conn.total_changes();
    assert_eq!(changes, 3, "one row for the beginning of 2, one for all of 1, one for what that hour used");
    assert!(batch.is_empty());
}

#[test]
fn a_batch_that_fails_is_kept_whole() {
    let folder = Folder::new();
    folder.open().close().unwrap();
    let mut conn = Connection::open(folder.file()).unwrap();
    conn.busy_timeout(std::time::Duration::ZERO).unwrap();
    let stall = stall(&folder.file());
    let mut batch = Batch::default();
    batch.begun.push(begun(1).into());
    batch.finished.push((Arc::new(ended(2, Ending::Complete, 1)), None));

    assert!(batch.write(&mut conn).is_err());

    assert_eq!(batch.len(), 2);
    drop(stall);
    batch.write(&mut conn).unwrap();
    assert_eq!(conn.query_row("SELECT count(*) FROM exchanges", [], |row| row.get::<_, i64>(0)), Ok(2));
}

#[test]
fn what_a_commit_wrote_that_said_it_had_failed_is_written_again() {
    let folder = Folder::new();
    folder.open().close().unwrap();
    let mut conn = Connection::open(folder.file()).unwrap();
    conn.busy_timeout(std::time::Duration::ZERO).unwrap();
    let stall = stall(&folder.file());
    let ending = |id| (Arc::new(ended(id, Ending::Complete, 1)), None);
    let (mut batch, mut done) = (Batch::default(), Batch::default());
    batch.begun.extend([begun(1), begun(2)].map(Into::into));
    batch.finished.push(ending(1));
    assert!(batch.write(&mut conn).is_err());
    drop(stall);
    done.begun.extend([begun(1), begun(2)].map(Into::into));
    done.write(&mut conn).unwrap();

    let mut later = Batch::default();
    later.finished.push(ending(2));
    batch.absorb(later);
    batch.write(&mut conn).unwrap();

    let complete = "SELECT count(*) FROM exchanges WHERE ending = 'complete'";
    assert_eq!(conn.query_row(complete, [], |row| row.get::<_, i64>(0)), Ok(2));
}

#[test]
fn s03_nothing_is_dropped_while_the_disk_says_no() {
    let folder = Folder::new();
    let store = folder.open();
    let disk = stall(&folder.file());
    for id in 1..=20_000 {
        store.begin(begun(id));
        finish(&store, ended(id, Ending::Complete, 1));
    }

    assert!(matches!(store.flush(), Err(StoreError::NotWritten(_))), "whoever waits is told");
    let health = store.health();
    assert!(health.trouble.is_some() && health.waiting >= 20_000, "and so is whoever asks: {health:?}");

    drop(disk);
    store.flush().unwrap();
    assert_eq!(store.totals_since(ExchangeId(0)).unwrap().complete, 20_000);
    assert_eq!(store.health().trouble, None);
}

#[test]
fn a_permit_comes_back_once_its_exchange_is_on_disk_and_not_before() {
    let folder = Folder::new();
    let store = folder.open();
    let permits = Arc::new(Semaphore::new(1));
    let permit = Arc::clone(&permits).try_acquire_owned().unwrap();
    let disk = stall(&folder.file());
    store.finish(Arc::new(ended(1, Ending::Complete, 1)), Some(permit));
    assert!(store.flush().is_err());
    assert_eq!(permits.available_permits(), 0);

    drop(disk);
    store.flush().unwrap();

    assert_eq!(permits.available_permits(), 1);
}

#[test]
fn a_persons_edit_fails_at_once_while_the_disk_says_no() {
    let folder = Folder::new();
    let store = folder.open();
    let disk = stall(&folder.file());

    assert!(matches!(store.set_meta("vault", "file"), Err(StoreError::Busy)));

    drop(disk);
    store.flush().unwrap();
    assert_eq!(store.meta("vault").unwrap(), None, "what was refused does not happen later");
}

#[test]
fn closing_writes_what_is_queued_and_leaves_one_file() {
    let folder = Folder::new();
    let store = folder.open();
    for id in 1..=3000 {
        finish(&store, ended(id, Ending::Complete, 1));
    }

    store.close().unwrap();

    assert_eq!(folder.names(), ["headgate.db"]);
    assert_eq!(folder.open().totals_since(ExchangeId(0)).unwrap().requests, 3000);
}

#[test]
fn the_last_handle_to_go_closes_the_store() {
    let folder = Folder::new();
    let store = folder.open();
    finish(&store.clone(), ended(1, Ending::Complete, 1));

    drop(store);

    assert_eq!(folder.names(), ["headgate.db"]);
    assert_eq!(folder.open().totals_since(ExchangeId(0)).unwrap().requests, 1);
}

#[test]
fn a_disk_that_never_comes_back_does_not_hold_up_the_closing_for_ever() {
    let folder = Folder::new();
    let store = folder.open();
    let _disk = stall(&folder.file());
    finish(&store, ended(1, Ending::Complete, 1));

    assert!(matches!(store.close(), Err(StoreError::NotWritten(_))), "and it is not passed over in silence");
}

#[test]
fn a_closed_store_says_so() {
    let folder = Folder::new();
    let store = folder.open();
    store.close().unwrap();
    finish(&store, ended(1, Ending::Complete, 1));

    assert!(!store.is_open());
    assert!(matches!(store.flush(), Err(StoreError::Closed)));
    assert!(matches!(store.accounts(), Err(StoreError::Closed)));
    assert!(matches!(store.close(), Ok(())), "a second close has nothing to do");
}

#[test]
fn a_writer_that_dies_is_noticed_by_whoever_waits() {
    let folder = Folder::new();
    let store = folder.open();
    let permits = Arc::new(Semaphore::new(1));

    let waited: Result<(), _> = store.write(|_| panic!("a bug in the writer"));

    assert!(matches!(waited, Err(StoreError::Closed)));
    assert!(matches!(store.close(), Err(StoreError::Closed)));
    assert!(!store.is_open());
    store.finish(Arc::new(ended(1, Ending::Complete, 1)), permits.clone().try_acquire_owned().ok());
    assert_eq!(permits.available_permits(), 1, "nobody waits for a permit that nobody gives back");
}

#[test]
fn s06_many_threads_write_at_once_and_every_record_is_there() {
    let folder = Folder::new();
    let store = folder.open();
    let account = add(&store, "work").id;
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let store = store.clone();
            std::thread::spawn(move || {
                for n in 0..500 {
                    let id = n * 8 + thread + 1;
                    store.begin(begun(id));
                    store.save_health(account, None, None);
                    finish(&store, ended(id, Ending::Complete, account.0));
                    if n % 100 == 0 {
                        let page = RequestFilter { limit: 10, ..RequestFilter::default() };
                        store.requests(&page).unwrap();
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    store.close().unwrap();

    let after = Store::open(&folder.file(), Options::default()).unwrap();

    assert_eq!(after.totals_since(ExchangeId(0)).unwrap().complete, 4000);
    assert_eq!(after.integrity(|| false).unwrap(), [] as [&str; 0]);
}

#[test]
fn s24_space_can_be_given_back_to_the_disk_later() {
    let folder = Folder::new();
    folder.open().close().unwrap();
    let conn = Connection::open(folder.file()).unwrap();

    let setting = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();

    assert_eq!(setting("auto_vacuum"), 2, "incremental; it can't be switched on once there are tables");
    assert_eq!(setting("application_id"), i64::from(schema::APPLICATION_ID));
}
