//! The one thread that writes. It gathers for a few milliseconds and commits once; what can't be written
//! is kept and tried again, for ever while we run. It never drops a record, and has no timer while idle.

use std::{sync::Arc, thread, thread::JoinHandle, time::Duration};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{
    StoreError,
    batch::Batch,
    checkpoints::{Checkpoints, LOOK},
    queue::{Job, Queue},
    readers::Readers,
};

/// The first pause after a failed commit; each further one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often a batch that can't be written is tried once we are closing: about two seconds.
const LAST_TRIES: u32 = 7;

/// Starts the thread. It ends when the queue is closed and all of it is written.
pub(super) fn start(
    conn: Connection,
    queue: Arc<Queue>,
    readers: Arc<Readers>,
) -> std::io::Result<JoinHandle<Result<(), StoreError>>> {
    thread::Builder::new().name("headgate-writer".into()).spawn(move || {
        let queue = EndsWithThread(queue);
        write_all(conn, &queue.0, &readers)
    })
}

/// Makes a job of `act`: its own transaction, and an `answer` once that is committed.
pub(super) fn job<T: Send + 'static>(
    act: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    answer: impl FnOnce(Result<T, StoreError>) + Send + 'static,
) -> Job {
    Box::new(move |conn| answer(conn.map_err(StoreError::NotWritten).and_then(|conn| commit(conn, act))))
}

/// The same, with a commit that is synced to the disk, and all before it.
pub(super) fn lasting<T: Send + 'static>(
    act: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    answer: impl FnOnce(Result<T, StoreError>) + Send + 'static,
) -> Job {
    Box::new(move |conn| {
        answer(conn.map_err(StoreError::NotWritten).and_then(|conn| {
            conn.pragma_update(None, "synchronous", "FULL")?;
            let done = commit(conn, act);
            // What is committed is committed: a connection that goes on syncing is only slower.
            let _ = conn.pragma_update(None, "synchronous", "NORMAL");
            done
        }));
    })
}

fn commit<T>(
    conn: &mut Connection,
    act: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = act(&tx)?;
    tx.commit()?;
    Ok(done)
}

fn write_all(mut conn: Connection, queue: &Queue, readers: &Readers) -> Result<(), StoreError> {
    let (mut batch, mut checkpoints) = (Batch::default(), Checkpoints::default());
    let (mut failures, mut closing) = (0, false);
    loop {
        let look = (checkpoints.is_waiting() && !closing).then_some(LOOK);
        let Some(round) = queue.next(pause_after(failures).or(look)) else { break };
        closing = round.closing;
        batch.absorb(round.batch);
        let trouble = batch.write(&mut conn).err().map(|err| Arc::<str>::from(err.to_string()));
        tell(failures, trouble.as_deref());
        failures = if trouble.is_some() { failures + 1 } else { 0 };
        queue.report(batch.len(), trouble.clone());
        for job in round.jobs {
            // A job sees all that was queued before it, so it can't go ahead of a batch that is held.
            job(trouble.clone().map_or(Ok(&mut conn), Err));
        }
        if let Some(trouble) = trouble.filter(|_| round.closing && failures >= LAST_TRIES) {
            return Err(StoreError::NotWritten(trouble));
        }
        // Like SQLite's own: what goes wrong here is met again by the next look.
        if let Err(err) = checkpoints.look(&conn, readers) {
            tracing::debug!(%err, "the database's log could not be folded in");
        }
    }
    tidy_up(&conn);
    Ok(())
}

fn pause_after(failures: u32) -> Option<Duration> {
    let doublings = failures.checked_sub(1)?.min(10);
    Some(LONGEST_PAUSE.min(FIRST_PAUSE * (1 << doublings)))
}

/// One line when trouble begins and one when it is over, however long it lasts.
fn tell(failures: u32, trouble: Option<&str>) {
    match (failures, trouble) {
        (0, Some(trouble)) => {
            tracing::error!(trouble, "records can't be written; they are kept and tried again");
        }
        (1.., None) => tracing::info!(failures, "records are written again"),
        _ => {}
    }
}

/// Everything is committed already: if this fails, the next start has a log to read, and that is all.
fn tidy_up(conn: &Connection) {
    let tidied = conn.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);");
    if let Err(err) = tidied {
        tracing::warn!(%err, "the database's log could not be folded in at closing");
    }
}

/// However the thread ends, by a panic too, nobody waits for it in vain.
struct EndsWithThread(Arc<Queue>);

impl Drop for EndsWithThread {
    fn drop(&mut self) {
        self.0.end();
    }
}
