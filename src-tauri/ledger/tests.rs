//! From a slot to the disk.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use tokio::sync::broadcast::Receiver;

use super::{Forgotten, Ledger, first_kept, forget};
use crate::{
    domain::{
        AccountId, Attempt, DecisionId, Ending, Exchange, ExchangeId, ExchangeStart, KeptDecision, Prevented,
        VerdictKind,
    },
    events::{Event, Events},
    store::{
        RequestFilter, Store, StoreError,
        tests::{Folder, at, begun, ended, stall},
    },
};

fn ledger(store: &Store, slots: u32) -> Ledger {
    Ledger::new(store.clone(), Events::default(), slots).unwrap()
}

fn all(store: &Store) -> Vec<Exchange> {
    store.requests(&RequestFilter { limit: 1000, ..RequestFilter::default() }).unwrap()
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it is not stuck")
}

fn seen(watcher: &mut Receiver<Event>) -> Vec<(i64, Option<Ending>)> {
    std::iter::from_fn(|| watcher.try_recv().ok())
        .map(|event| match event {
            Event::Request(exchange) => (exchange.start.id.0, exchange.ending),
            other => panic!("not of the ledger: {other:?}"),
        })
        .collect()
}

#[tokio::test]
async fn what_is_finished_is_on_disk_when_the_ledger_is_drained() {
    let folder = Folder::new();
    let store = folder.open();
    let ledger = ledger(&store, 8);
    for id in 1..=20 {
        let entry = soon(ledger.admit()).await.unwrap().begin(begun(id));
        entry.finish(ended(id, Ending::Complete, 1));
    }

    soon(ledger.drained()).await;

    assert_eq!(all(&store).len(), 20, "more than there are slots, one after the other");
    assert_eq!(ledger.open_count(), 0);
}

#[tokio::test]
async fn s03_nothing_is_dropped_when_the_disk_is_slow_and_new_requests_wait() {
    let folder = Folder::new();
    let store = folder.open();
    let ledger = ledger(&store, 4);
    let disk = stall(store.path());
    for id in 1..=4 {
        let entry = soon(ledger.admit()).await.unwrap().begin(begun(id));
        entry.finish(ended(id, Ending::Complete, 1));
    }

    let mut fifth = pin!(ledger.admit());
    let now = fifth.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(now.is_pending(), "four are in memory and there is no room for a fifth");

    drop(disk);
    let entry = soon(fifth).await.unwrap().begin(begun(5));
    entry.finish(ended(5, Ending::Complete, 1));
    soon(ledger.drained()).await;
    assert_eq!(all(&store).len(), 5);
}

#[tokio::test]
async fn s23_an_entry_that_is_dropped_still_ends() {
    let folder = Folder::new();
    let store = folder.open();
    let ledger = ledger(&store, 4);

    drop(soon(ledger.admit()).await.unwrap().begin(begun(1)));
    let endless = Exchange { ending: None, ..ended(2, Ending::Complete, 1) };
    soon(ledger.admit()).await.unwrap().begin(begun(2)).finish(endless);

    soon(ledger.drained()).await;
    let endings: Vec<_> = all(&store).into_iter().map(|exchange| exchange.ending).collect();
    assert_eq!(endings, [Some(Ending::Interrupted); 2]);
    assert!(store.request(ExchangeId(1)).unwrap().unwrap().error.is_some(), "and says whose fault it was");
}

#[tokio::test]
async fn a_slot_that_is_not_used_leaves_nothing() {
    let folder = Folder::new();
    let store = folder.open();
    let ledger = ledger(&store, 1);

    drop(soon(ledger.admit()).await.unwrap());

    soon(ledger.drained()).await;
    assert_eq!(all(&store), []);
}

#[tokio::test]
async fn a_running_request_is_seen_on_disk() {
    let folder = Folder::new();
    let store = folder.open();
    let ledger = ledger(&store, 4);

    let entry = soon(ledger.admit()).await.unwrap().begin(begun(1));
    store.flush().unwrap();

    let running =
        store.requests(&RequestFilter { limit: 10, running: true, ..RequestFilter::default() }).unwrap();
    assert_eq!(running, [Exchange::open(begun(1))]);
    assert_eq!(entry.id(), ExchangeId(1));
}

#[tokio::test]
async fn watchers_see_a_request_begin_move_and_end() {
    let folder = Folder::new();
    let events = Events::default();
    let ledger = Ledger::new(folder.open(), events.clone(), 4).unwrap();
    let mut watcher = events.subscribe();

    let entry = soon(ledger.admit()).await.unwrap().begin(begun(1));
    entry.moved(&Exchange::open(begun(1)));
    entry.finish(ended(1, Ending::ClientLeft, 1));

    assert_eq!(seen(&mut watcher), [(1, None), (1, None), (1, Some(Ending::ClientLeft))]);
}

#[tokio::test]
async fn ids_move_forward_across_restarts_even_if_the_clock_goes_back() {
    let folder = Folder::new();
    let (early, late) = (at(1_000_000), at(2_000_000));
    let store = folder.open();
    let first = ledger(&store, 4);
    let ids = [first.next_id(late), first.next_id(late), first.next_id(early)];
    assert!(ids.is_sorted() && ids[0] < ids[1] && ids[1] < ids[2], "{ids:?}");
    soon(first.admit()).await.unwrap().begin(begun(ids[2].0)).finish(ended(ids[2].0, Ending::Complete, 1));
    soon(first.drained()).await;
    store.close().unwrap();

    assert!(ledger(&folder.open(), 4).next_id(early) > ids[2]);
}

#[test]
fn ids_are_unique_across_threads() {
    let folder = Folder::new();
    let ledger = ledger(&folder.open(), 4);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let ledger = ledger.clone();
            std::thread::spawn(move || (0..1000).map(|_| ledger.next_id(at(5))).collect::<Vec<_>>())
        })
        .collect();

    let mut ids: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    ids.sort();
    ids.dedup();

    assert_eq!(ids.len(), 8000);
}

#[tokio::test]
async fn nothing_is_admitted_that_could_not_be_recorded() {
    let folder = Folder::new();
    let store = folder.open();
    let ledger = ledger(&store, 1);
    let entry = soon(ledger.admit()).await.unwrap().begin(begun(1));
    let waiting = Arc::new(ledger.clone());
    let mut second = pin!(waiting.admit());
    assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());

    store.close().unwrap();
    drop(entry);

    assert!(matches!(soon(second).await, Err(StoreError::Closed)), "whoever waits is told too");
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A request of a day, with a decision of that day, which two attempts were made for.
fn of_day(day: i64, n: i64) -> Exchange {
    let id = ExchangeId(ExchangeId::first_of(day * DAY_MS).0 + n);
    let (from, to) = (AccountId(1), AccountId(2));
    let decision = KeptDecision {
        id: DecisionId(day),
        record: format!("of day {day}").into(),
        prevented: Some(Prevented { from, to }),
    };
    let attempt = |account, verdict| Attempt {
        account,
        status: Some(200),
        verdict,
        error: None,
        began: Duration::ZERO,
        took: Duration::ZERO,
    };
    let start = ExchangeStart { id, started_at: at(day * DAY_MS / 1000), ..begun(n) };
    Exchange {
        start: Arc::new(start),
        decision: Some(Arc::new(decision)),
        attempts: vec![attempt(from, VerdictKind::Weather), attempt(to, VerdictKind::Fine)],
        ..ended(1, Ending::Complete, 2)
    }
}

fn rows(folder: &Folder, table: &str) -> i64 {
    let conn = rusqlite::Connection::open(folder.file()).unwrap();
    conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn s24_what_is_older_than_the_days_that_are_kept_goes_with_all_that_hangs_on_it_and_the_sums_stay() {
    let folder = Folder::new();
    let store = folder.open();
    for day in 1..=100 {
        for n in 0..20 {
            store.finish(Arc::new(of_day(day, n)), None);
        }
    }
    let running = ExchangeStart { id: ExchangeId::first_of(DAY_MS), ..begun(7) };
    store.begin(ExchangeStart { id: ExchangeId(running.id.0 + 99), ..running });
    store.flush().unwrap();
    let newest = store.last_exchange_id().unwrap().unwrap();
    let before = first_kept(at(200 * DAY_MS / 1000), newest, 62);
    assert_eq!(before, ExchangeId::first_of(38 * DAY_MS), "counted back from the newest");

    let done = forget(&store, before, || false).unwrap();

    assert_eq!((done.requests, done.is_cut_short), (37 * 20, false));
    assert_eq!(rows(&folder, "exchanges"), 63 * 20 + 1, "what runs is not old, however long it has");
    assert_eq!(rows(&folder, "attempts"), 63 * 20 * 2);
    assert_eq!(rows(&folder, "prevented"), 100);
    assert_eq!(rows(&folder, "decisions"), 100, "the oldest request is still the one that runs");
    store.interrupt_open().unwrap();
    let done = forget(&store, before, || false).unwrap();
    // The day before the oldest request is a margin.
    assert_eq!((done.requests, done.decisions), (1, 36));
    assert_eq!(forget(&store, before, || false).unwrap(), Forgotten::default(), "nothing is left to do");
    assert_eq!(all(&store).len(), 1000, "and what is kept can be read");
}

#[test]
fn empty_pages_go_back_to_the_disk() {
    let folder = Folder::new();
    let store = folder.open();
    for n in 0..3000 {
        store.finish(Arc::new(of_day(1, n)), None);
    }
    store.finish(Arc::new(of_day(200, 0)), None);
    store.flush().unwrap();
    let pages = || {
        let conn = rusqlite::Connection::open(folder.file()).unwrap();
        conn.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let full = pages();

    let done =
        forget(&store, first_kept(at(201 * DAY_MS / 1000), ExchangeId::first_of(200 * DAY_MS), 62), || false);

    let given = i64::try_from(done.unwrap().pages).unwrap();
    assert!(given > full / 2, "{given} of {full}");
    assert_eq!(pages(), full - given);
    assert_eq!(store.integrity(|| false).unwrap(), [] as [&str; 0]);
}

#[test]
fn forgetting_ends_where_it_is_told_to_and_goes_on_the_next_time() {
    let folder = Folder::new();
    let store = folder.open();
    for n in 0..1200 {
        store.finish(Arc::new(of_day(1, n)), None);
    }
    store.flush().unwrap();
    let before = ExchangeId::first_of(2 * DAY_MS);
    let done = forget(&store, before, || true).unwrap();
    assert_eq!((done.requests, done.pages, done.is_cut_short), (500, 0, true));
    assert_eq!(forget(&store, before, || false).unwrap().requests, 700);
}

#[test]
fn a_clock_that_is_ten_years_ahead_forgets_nothing() {
    let newest = ExchangeId::first_of(20_000 * DAY_MS);
    let ahead = at(23_650 * DAY_MS / 1000);
    assert_eq!(first_kept(ahead, newest, 62), ExchangeId::first_of(19_938 * DAY_MS));
    let behind = at(100 * DAY_MS / 1000);
    assert_eq!(first_kept(behind, newest, 62), ExchangeId::first_of(38 * DAY_MS));
    assert_eq!(first_kept(behind, newest, 36_500), ExchangeId(0));
}
