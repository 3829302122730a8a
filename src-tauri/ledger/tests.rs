//! From a slot to the disk.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use tokio::sync::broadcast::Receiver;

use super::Ledger;
use crate::{
    domain::{Ending, Exchange, ExchangeId},
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
