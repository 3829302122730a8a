//! SQLite and nothing else: one file, one writer thread, readers aside. Rows become domain nouns here and
//! nowhere else sees SQL. It refuses files that are newer, damaged or not ours, and never drops a record.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `open`, `schema`, `migrations/` | looking before writing; the shape of the database |
//! | `queue`, `batch`, `rows`, `writer`, `checkpoints` | from a record to its group commit, and from the log into the file |
//! | `readers`, `integrity` | questions, and the deep look |
//! | `accounts`, `windows`, `keys`, `exchanges`, `attempts`, `affinities`, `models`, `renewals`, `jobs`, `profiles`, `meta` | one table each |
//! | `decisions` | the tables `decisions` and `prevented` |
//! | `pools`, `routes`, `bindings` | one table each: the plan that a person makes |
//! | `retention` | what is old goes |
//! | `guards`, `spent`, `recorded` | a column of `accounts`; what `exchanges` used, by the hour; its rows as they can be played |

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction};

mod accounts;
mod affinities;
mod attempts;
mod batch;
mod bindings;
mod checkpoints;
mod columns;
mod decisions;
mod exchanges;
mod guards;
mod integrity;
mod jobs;
mod keys;
mod meta;
mod models;
mod open;
mod pools;
mod profiles;
mod queue;
mod readers;
mod recorded;
mod renewals;
mod retention;
mod routes;
mod rows;
mod schema;
mod spent;
#[cfg(test)]
pub(crate) mod tests;
mod windows;
mod writer;

use batch::Batch;
use integrity::Checking;
use open::Found;
use queue::Queue;
use readers::Readers;

pub use accounts::NewAccountRow;
pub use affinities::AffinityRow;
pub use bindings::NewBindingRow;
pub use decisions::PreventedRow;
pub use exchanges::{MOST_REQUESTS, RequestFilter, Totals};
pub use jobs::JobRow;
pub use keys::{Digest, NewKeyRow};
pub use models::MOST_MODELS;
pub use open::OpenError;
pub use pools::NewPoolRow;
pub use profiles::{NewProfileRow, ProfileRow};
pub use queue::WriterHealth;
pub use recorded::RecordedRows;
pub use routes::NewRouteRow;

/// The right to have one more exchange in memory; given back once that is on disk.
pub type Permit = tokio::sync::OwnedSemaphorePermit;

/// How the store works; the defaults are the measured ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How long a commit waits for company: what a `kill -9` may cost.
    pub gather: Duration,
    /// So many records are company enough.
    pub enough: usize,
    /// How long a commit waits for another program that has locked the file, before it is tried anew.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        // A commit costs about 220 µs and each exchange in it 9: at 5,000 a second, ten milliseconds make
        // that 13 µs an exchange, five would make it 18.
        Self { gather: Duration::from_millis(10), enough: 1024, patience: Duration::from_secs(1) }
    }
}

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A live account, a key that is not revoked, a pool or a route has this name already.
    #[error("another one has this name: choose a different one")]
    NameTaken,
    /// It never was, or has been removed.
    #[error("there is no such account any more")]
    NoSuchAccount,
    /// It never was, or has been revoked.
    #[error("there is no such key any more")]
    NoSuchKey,
    /// A pool, a route or a binding: it never was, or has been removed.
    #[error("there is no such {0} any more")]
    NotThere(&'static str),
    /// Too many questions at once, or another program holds the file.
    #[error("the database is busy: try again in a moment")]
    Busy,
    /// The disk does not take it. Queued records are kept and tried again; what was asked for was not done.
    #[error("the database can't be written ({0}): is the disk full?")]
    NotWritten(Arc<str>),
    /// The store has been closed, or its writer has died.
    #[error("the database is closed")]
    Closed,
    /// A question or a write failed inside the database.
    #[error("the database failed")]
    Sql(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(err: rusqlite::Error) -> Self {
        match err.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure) => {
                Self::NotWritten(err.to_string().into())
            }
            _ => Self::Sql(err),
        }
    }
}

/// The open database. Clones are the same one; the last to go closes it.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    queue: Arc<Queue>,
    readers: Arc<Readers>,
    writer: Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
    checking: Checking,
    closing: Arc<AtomicBool>,
}

impl Store {
    /// Opens the database at `path`, or creates it for this user alone, and brings it up to date.
    ///
    /// # Errors
    /// See [`OpenError`]; a file that is refused is untouched.
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let found = open::look(path)?;
        if found == Found::Nothing {
            open::create(path)?;
        }
        let mut conn = open::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        conn.busy_timeout(options.patience)?;
        if found == Found::Nothing {
            schema::mark_as_ours(&conn)?;
        }
        prepare(&conn)?;
        schema::migrate(&mut conn)?;
        let queue = Arc::new(Queue::new(options.gather, options.enough));
        let readers = Arc::new(Readers::new(path.to_owned()));
        let writer = writer::start(conn, Arc::clone(&queue), Arc::clone(&readers))?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            queue,
            readers,
            writer: Mutex::new(Some(writer)),
            checking: Checking::default(),
            closing: Arc::default(),
        })))
    }

    /// Moves the database at `path` aside with its log, every byte of it, and says where it is now.
    /// For `--repair` alone, and only while nobody has it open.
    pub fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
        open::set_aside(path, now)
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether records are still taken: not after a close, nor after the writer's death.
    pub fn is_open(&self) -> bool {
        !self.0.queue.has_ended()
    }

    /// How the writer is doing.
    pub fn health(&self) -> WriterHealth {
        self.0.queue.health()
    }

    /// Returns once all that was queued before is on disk.
    ///
    /// # Errors
    /// `NotWritten` if the disk does not take it now; it is kept and tried again. `Busy` if nothing was
    /// queued but the file is locked.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.write(|_| Ok(()))
    }

    /// Writes all that is queued, folds the log into the file and ends; a second call finds nothing to do.
    ///
    /// # Errors
    /// `NotWritten` if the disk did not take the last records for about two seconds.
    pub fn close(&self) -> Result<(), StoreError> {
        self.0.close()
    }

    /// Queues records without waiting for them.
    fn queue(&self, put: impl FnOnce(&mut Batch)) {
        self.0.queue.put(put);
    }

    /// Runs `act` in a transaction of its own on the writer's thread, after all that was queued before.
    fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = mpsc::sync_channel(1);
        // Nobody can have left: this thread waits right here.
        self.0.queue.ask(writer::job(act, move |done| drop(reply.send(done))))?;
        answer.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// The same, and its commit waits for the disk: it survives the machine's death too.
    fn write_through<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.0.queue.ask(writer::lasting(act, move |done| drop(reply.send(done))))?;
        answer.recv().unwrap_or(Err(StoreError::Closed))
    }

    fn read<T>(&self, question: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.0.readers.ask(question)
    }
}

impl Inner {
    fn close(&self) -> Result<(), StoreError> {
        self.closing.store(true, Ordering::Relaxed);
        self.readers.close();
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        writer.map_or(Ok(()), |thread| thread.join().unwrap_or(Err(StoreError::Closed)))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(err) = self.close() {
            tracing::error!(%err, "the last records could not be written");
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

/// WAL with NORMAL: a commit survives our death, and a checkpoint the machine's.
fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    // The writer alone has about a dozen that come with each batch.
    conn.set_prepared_statement_cache_capacity(32);
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", -4096)?;
    // The log is folded in by the writer (`checkpoints`); what a long reader made it grow beyond 64 MiB is given back.
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20)
}
