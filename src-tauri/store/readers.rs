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
/// New ones hold back for so long at most: all that run have ended by then, or one is of the kind that takes minutes.
const LONGEST_HOLD: Duration = Duration::from_secs(5);

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
    returned: Condvar,
    resumed: Condvar,
}

impl Readers {
    pub fn new(path: PathBuf) -> Self {
        Self { path, pool: Mutex::default(), returned: Condvar::new(), resumed: Condvar::new() }
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
        pool.on_hold = false;
        pool.idle.clear();
        self.returned.notify_all();
        self.resumed.notify_all();
    }

    /// From now on questions hold back, also those that wait for their turn: until [`Readers::go_on`], or until one has
    /// waited long enough.
    pub fn hold(&self) {
        self.lock().on_hold = true;
        self.returned.notify_all();
    }

    /// Whether they still hold back.
    pub fn are_on_hold(&self) -> bool {
        self.lock().on_hold
    }

    /// They need not hold back any more.
    pub fn go_on(&self) {
        self.lock().on_hold = false;
        self.resumed.notify_all();
    }

    fn turn(&self) -> Result<Option<Connection>, StoreError> {
        let mut pool = self.lock();
        loop {
            let (after_hold, hold) = self
                .resumed
                .wait_timeout_while(pool, LONGEST_HOLD, |pool| pool.on_hold && !pool.closed)
                .unwrap_or_else(PoisonError::into_inner);
            pool = after_hold;
            if hold.timed_out() {
                pool.on_hold = false;
                self.resumed.notify_all();
            }
            let is_full = |pool: &mut Pool| pool.lent >= MOST && !pool.on_hold && !pool.closed;
            let (in_turn, wait) = self
                .returned
                .wait_timeout_while(pool, LONGEST_WAIT, is_full)
                .unwrap_or_else(PoisonError::into_inner);
            pool = in_turn;
            if pool.closed {
                return Err(StoreError::Closed);
            }
            if wait.timed_out() {
                return Err(StoreError::Busy);
            }
            if !pool.on_hold {
                break;
            }
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
        self.readers.returned.notify_one();
    }
}
