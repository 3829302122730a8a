//! Folds the write-ahead log into the database as it grows. SQLite begins it anew only where all of it is folded in and
//! nobody reads from it; under load, where one question follows another, that moment never comes. A log that grows for
//! ever fills the disk, and each page that is read is looked for in all of it. So questions hold back for a moment once
//! it is long.

use rusqlite::Connection;

use super::readers::Readers;

/// Pages (of 4 KiB) after which it is folded in, and folded in again.
const STEP: i64 = 2048;
/// From so many on questions hold back: 32 MiB.
const LONG: i64 = 4 * STEP;
/// Where that was in vain, because some question takes minutes, they do so again after so many more: 256 MiB.
const LATER: i64 = 32 * STEP;

/// What is known of the log after the last commit. Lengths are in pages.
#[derive(Debug)]
pub(super) struct Checkpoints {
    length: i64,
    /// The length at which it is folded in next.
    due: i64,
    /// The length at which questions hold back next.
    long: i64,
    holds_back: bool,
}

/// How long the log is, and how much of it is folded in.
struct Log {
    length: i64,
    folded: i64,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self { length: 0, due: STEP, long: LONG, holds_back: false }
    }
}

impl Checkpoints {
    /// Called after each commit, on the connection that writes.
    ///
    /// # Errors
    /// The disk's. Nothing is lost: what is not folded in stays in the log.
    pub fn after_commit(&mut self, conn: &Connection, readers: &Readers) -> rusqlite::Result<()> {
        let Log { length, .. } = checkpoint(conn, "NOOP")?;
        if length < self.length {
            readers.go_on();
            *self = Self::default();
        }
        self.length = length;
        if length < self.due {
            return Ok(());
        }
        if self.holds_back && !readers.are_on_hold() {
            // Some question has waited long enough.
            self.holds_back = false;
            self.long = length + LATER;
        }
        let Log { folded, .. } = checkpoint(conn, "PASSIVE")?;
        if folded >= length {
            // Whoever asks from now on reads the database alone, so the next commit begins the log anew.
            readers.go_on();
            self.holds_back = false;
        } else if length >= self.long && !self.holds_back {
            readers.hold();
            self.holds_back = true;
        }
        self.due = if self.holds_back { length } else { length + STEP };
        Ok(())
    }
}

fn checkpoint(conn: &Connection, how: &str) -> rusqlite::Result<Log> {
    let mut statement = conn.prepare_cached(&format!("PRAGMA wal_checkpoint({how})"))?;
    statement.query_row([], |row| Ok(Log { length: row.get(1)?, folded: row.get(2)? }))
}
