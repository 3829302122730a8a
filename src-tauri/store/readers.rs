//! Connections that only read, aside from the writer: a few, opened when first needed, shared in turns.

use std::{
    path::PathBuf,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{StoreError, open};

/// Beyond this many a question waits for its turn.
const MOST: usize = 4;
/// A question that gets no turn for so long is refused.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Connection>,
    lent: usize,
    /// New ones hold back, so that the log can be folded in.
    on_hold: bool,
    closed: bool,
}

/// The readers of one database.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    pool: Mutex<Pool>,
    changed: Condvar,
}

impl Readers {
    pub fn new(path: PathBuf) -> Self {
        Self { path, pool: Mutex::default(), changed: Condvar::new() }
    }

    /// Asks one question, which sees one moment of the database however many statements it takes.
    pub fn ask<T>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let turn = self.turn()?;
        let mut lent = Lent { readers: self, conn: turn };
        let conn = match lent.conn.take() {
            Some(conn) => conn,
            None => self.connect()?,
        };
        let moment = lent.conn.insert(conn).unchecked_transaction()?;
        question(&moment)
    }

    /// A connection of its own for something long, so that no question waits for it.
    pub fn connect(&self) -> Result<Connection, StoreError> {
        let conn = open::connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        conn.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -1024; PRAGMA temp_store = MEMORY;")?;
        Ok(conn)
    }

    /// Ends all connections that are not in use, and takes no more questions.
    pub fn close(&self) {
        let mut pool = self.lock();
        pool.closed = true;
        pool.idle.clear();
        self.changed.notify_all();
    }

    /// From now on questions hold back, also those that wait for their turn, until [`Readers::go_on`].
    pub fn hold(&self) {
        self.lock().on_hold = true;
    }

    /// Whether they still hold back.
    pub fn are_on_hold(&self) -> bool {
        self.lock().on_hold
    }

    /// They need not hold back any more.
    pub fn go_on(&self) {
        self.lock().on_hold = false;
        self.changed.notify_all();
    }

    fn turn(&self) -> Result<Option<Connection>, StoreError> {
        let must_wait = |pool: &mut Pool| (pool.on_hold || pool.lent >= MOST) && !pool.closed;
        let (mut pool, wait) = self
            .changed
            .wait_timeout_while(self.lock(), LONGEST_WAIT, must_wait)
            .unwrap_or_else(PoisonError::into_inner);
        if pool.closed {
            return Err(StoreError::Closed);
        }
        if wait.timed_out() {
            // A writer that holds them for so long is stuck, and nobody else is to wait for it.
            pool.on_hold = false;
            self.changed.notify_all();
            return Err(StoreError::Busy);
        }
        pool.lent += 1;
        Ok(pool.idle.pop())
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One turn; over when it is dropped, after a panic too.
struct Lent<'a> {
    readers: &'a Readers,
    conn: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.lock();
        pool.lent -= 1;
        let conn = self.conn.take().filter(|_| !pool.closed);
        pool.idle.extend(conn);
        drop(pool);
        self.readers.changed.notify_one();
    }
}
