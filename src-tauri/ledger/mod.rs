//! Exchanges on their way into the store. Who wants to begin one takes a slot first, and gets it back only
//! once the end is on disk: when the disk is slow new requests wait, memory stays bounded, and nothing is
//! ever dropped. It keeps no exchange itself; that lives with its request and dies with it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::Timestamp;
use tokio::sync::Semaphore;

mod entry;
mod retention;
#[cfg(test)]
mod tests;

pub use entry::{Entry, Slot};
pub use retention::{Forgotten, first_kept, forget};

use crate::{
    domain::ExchangeId,
    events::Events,
    store::{Permit, Store, StoreError},
};

/// Exchanges that may be in memory at once, running or waiting for the disk: about 1 KiB each.
pub const SLOTS: u32 = 8192;

/// The book that every request is entered in. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    events: Events,
    slots: Arc<Semaphore>,
    size: u32,
    last: AtomicI64,
}

impl Ledger {
    /// A ledger with `size` slots ([`SLOTS`] but in tests), which goes on after the store's newest id.
    pub fn new(store: Store, events: Events, size: u32) -> Result<Self, StoreError> {
        let last = store.last_exchange_id()?.unwrap_or(ExchangeId(0));
        let slots = Arc::new(Semaphore::new(size as usize));
        Ok(Self(Arc::new(Inner { store, events, slots, size, last: AtomicI64::new(last.0) })))
    }

    /// Takes a slot; waits while all are taken, in turn. The caller sets a limit to the wait.
    ///
    /// # Errors
    /// `Closed` if nothing can be recorded any more: such a request must not go on.
    pub async fn admit(&self) -> Result<Slot, StoreError> {
        let permit = Arc::clone(&self.0.slots).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        self.slot(permit)
    }

    /// Takes a slot if one is free and nobody waits for it; `None` if not.
    ///
    /// # Errors
    /// As [`Ledger::admit`].
    pub fn try_admit(&self) -> Option<Result<Slot, StoreError>> {
        let permit = Arc::clone(&self.0.slots).try_acquire_owned().ok()?;
        Some(self.slot(permit))
    }

    fn slot(&self, permit: Permit) -> Result<Slot, StoreError> {
        if self.0.store.is_open() { Ok(Slot::new(self.clone(), permit)) } else { Err(StoreError::Closed) }
    }

    /// An id above all that were given before, in this run and in earlier ones.
    pub fn next_id(&self, now: Timestamp) -> ExchangeId {
        let after = |last| ExchangeId::after(ExchangeId(last), now.as_millisecond());
        let mut last = self.0.last.load(Ordering::Relaxed);
        loop {
            let next = after(last);
            match self.0.last.compare_exchange_weak(last, next.0, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return next,
                Err(seen) => last = seen,
            }
        }
    }

    /// How many exchanges have a slot now.
    pub fn open_count(&self) -> usize {
        (self.0.size as usize).saturating_sub(self.0.slots.available_permits())
    }

    /// Completes when every exchange that had a slot has ended and is on disk. New ones wait behind it,
    /// so it is for shutdown; the caller sets a limit to the wait.
    pub async fn drained(&self) {
        // It fails only if the semaphore is closed, which nobody does.
        let _ = self.0.slots.acquire_many(self.0.size).await;
    }
}
