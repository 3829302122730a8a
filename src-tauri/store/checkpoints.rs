//! Folds the write-ahead log into the database as it grows. SQLite begins it anew only where all of it is folded in and
//! nobody reads from it; under load, where one question follows another, that moment never comes. A log that grows for
//! ever fills the disk, and each page that is read is looked for in all of it. So questions hold back for a moment once
//! it is long. The writer itself never waits for one.

use std::time::Duration;

use rusqlite::Connection;

use super::readers::Readers;

/// Pages (of 4 KiB) after which it is folded in, and folded in again.
const STEP: i64 = 2048;
/// From so many on questions hold back: 32 MiB.
const LONG: i64 = 4 * STEP;
/// Where that was in vain, because some question takes minutes, they do so again after so many more: 256 MiB.
const LATER: i64 = 32 * STEP;
/// While questions hold back it is looked so often whether the last one has ended, with or without another commit.
pub(super) const LOOK: Duration = Duration::from_millis(10);
/// Looks before it is given up: five seconds, sooner where commits are asked for.
const LOOKS: u32 = 500;

/// What is known of the log after the last commit. Lengths are in pages.
#[derive(Debug)]
pub(super) struct Checkpoints {
    length: i64,
    /// The length at which it is folded in next.
    due: i64,
    /// The length at which questions hold back next.
    long: i64,
    /// How often it was looked since they hold back.
    looks: Option<u32>,
}

/// Only tells how long the log is.
const ASK: &str = "PRAGMA wal_checkpoint(NOOP)";
/// Folds in what no question is in the way of.
const FOLD: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// How long the log is, and how much of it is folded in.
struct Log {
    length: i64,
    folded: i64,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self { length: 0, due: STEP, long: LONG, looks: None }
    }
}

impl Checkpoints {
    /// Whether questions hold back, so that [`Checkpoints::look`] is wanted again soon.
    pub fn is_waiting(&self) -> bool {
        self.looks.is_some()
    }

    /// Called after each commit, and every [`LOOK`] while it waits, on the connection that writes.
    ///
    /// # Errors
    /// The disk's. Nothing is lost: what is not folded in stays in the log.
    pub fn look(&mut self, conn: &Connection, readers: &Readers) -> rusqlite::Result<()> {
        self.count_look(readers);
        let Some(Log { length, .. }) = checkpoint(conn, ASK)? else { return Ok(()) };
        if length < self.length {
            readers.go_on();
            *self = Self::default();
        }
        self.length = length;
        if length < self.due {
            return Ok(());
        }
        let Some(Log { folded, .. }) = checkpoint(conn, FOLD)? else { return Ok(()) };
        if folded >= length {
            // Whoever asks from now on reads the database alone, so the next commit begins the log anew. Whoever has
            // just begun may be in its way: then it is folded in again.
            self.looks = None;
            self.due = length;
            readers.go_on();
            return Ok(());
        }
        if self.looks.is_none() && length >= self.long {
            readers.hold();
            self.looks = Some(0);
        }
        self.due = if self.is_waiting() { length } else { length + STEP };
        Ok(())
    }

    /// A look that fails is one too.
    fn count_look(&mut self, readers: &Readers) {
        let Some(looks) = self.looks else { return };
        self.looks = (looks < LOOKS && readers.are_on_hold()).then_some(looks + 1);
        if self.looks.is_none() {
            readers.go_on();
            self.long = self.length + LATER;
        }
    }
}

/// `None` where somebody else keeps us from looking.
fn checkpoint(conn: &Connection, sql: &str) -> rusqlite::Result<Option<Log>> {
    let mut statement = conn.prepare_cached(sql)?;
    let log = statement.query_row([], |row| Ok(Log { length: row.get(1)?, folded: row.get(2)? }))?;
    Ok((log.length >= 0).then_some(log))
}
