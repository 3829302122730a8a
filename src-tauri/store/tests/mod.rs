//! What the tests of this room and of the rooms above share: a folder of its own for each, and a disk
//! that stalls on demand.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{NewAccountRow, Options, Store};
use crate::domain::{
    Account, AccountId, AccountName, Ask, Attempt, Ending, Exchange, ExchangeId, ExchangeStart, ProviderId,
    Usage, VerdictKind,
};

mod accounts;
mod affinities;
mod checkpoints;
mod decisions;
mod exchanges;
mod jobs;
mod keys;
mod opening;
mod plan;
mod query_plans;
mod recorded;
mod renewals;
mod writing;

/// A data folder that goes with the test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("headgate.db")
    }

    pub(crate) fn open(&self) -> Store {
        let options = Options { patience: Duration::ZERO, ..Options::default() };
        Store::open(&self.file(), options).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// Nothing can be written from here until this is dropped: another program holds the write lock.
pub(crate) struct Stall(#[expect(dead_code, reason = "its end is what counts")] Connection);

pub(crate) fn stall(path: &Path) -> Stall {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    Stall(conn)
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn begun(id: i64) -> ExchangeStart {
    ExchangeStart {
        id: ExchangeId(id),
        started_at: at(id % 1_000_000),
        method: "POST".into(),
        path: "/v1/messages".into(),
        ask: Ask { model: Some("claude-opus-5-5".into()), stream: true, bytes: 50_000, ..Ask::default() },
        key: None,
    }
}

pub(crate) fn ended(id: i64, ending: Ending, account: i64) -> Exchange {
    Exchange {
        ending: Some(ending),
        status: Some(200),
        account: Some(AccountId(account)),
        usage: Usage { input: Some(10), output: Some(5), ..Usage::default() },
        duration: Some(Duration::from_millis(1500)),
        attempts: vec![tried(account)],
        ..Exchange::open(begun(id))
    }
}

fn tried(account: i64) -> Attempt {
    Attempt {
        account: AccountId(account),
        status: Some(200),
        verdict: VerdictKind::Fine,
        error: None,
        began: Duration::from_micros(150),
        took: Duration::from_millis(900),
    }
}

fn add(store: &Store, name: &str) -> Account {
    let new = NewAccountRow {
        name: AccountName::new(name).unwrap(),
        provider: ProviderId("anthropic".into()),
        base_url: Some("https://example.test/v1".parse().unwrap()),
        sign_in: None,
        priority: 7,
        created_at: at(100),
    };
    store.add_account(&new).unwrap()
}

fn finish(store: &Store, exchange: Exchange) {
    store.finish(Arc::new(exchange), None);
}
