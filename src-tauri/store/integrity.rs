//! The deep look at every page, in the background: one at a time, at half speed, ended at once by a
//! close. It is never part of opening, and it reports damage without touching it.

use std::{
    sync::{Mutex, PoisonError, TryLockError, atomic::Ordering},
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode};

use super::{Store, StoreError};

/// After so many steps of the check, about a millisecond of work, it rests for [`REST`].
const STEPS_AT_A_TIME: i32 = 20_000;
const REST: Duration = Duration::from_millis(1);

/// One check at a time.
#[derive(Debug, Default)]
pub(super) struct Checking(Mutex<()>);

impl Store {
    /// Reads the whole database and says what is wrong with it, one sentence each; empty is well.
    /// Takes seconds per gigabyte, and the log can't be folded in meanwhile. `stops` is asked often, and ends it.
    ///
    /// # Errors
    /// `Busy` while another check runs; `Closed` when it is stopped or the store closes before the end.
    pub fn integrity(
        &self,
        mut stops: impl FnMut() -> bool + Send + 'static,
    ) -> Result<Vec<String>, StoreError> {
        let _only = match self.0.checking.0.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::WouldBlock) => return Err(StoreError::Busy),
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
        };
        let conn = self.0.readers.connect()?;
        let closing = std::sync::Arc::clone(&self.0.closing);
        conn.progress_handler(
            STEPS_AT_A_TIME,
            Some(move || {
                thread::sleep(REST);
                closing.load(Ordering::Relaxed) || stops()
            }),
        )?;
        match findings(&conn) {
            Err(err) if err.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                Err(StoreError::Closed)
            }
            Err(err) if err.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
                Ok(vec![err.to_string()])
            }
            found => Ok(found?),
        }
    }
}

fn findings(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut check = conn.prepare("PRAGMA quick_check(20)")?;
    let mut found = check.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    found.retain(|finding| finding != "ok");
    Ok(found)
}
