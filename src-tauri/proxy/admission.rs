//! How many requests are served at once, and how many may wait for a place. Whoever is admitted holds a
//! permit until its end; beyond the bounds a request is refused at once, with a time to come back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::Failure;
use crate::settings::Limits;

/// The gate. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Admission {
    places: Arc<Semaphore>,
    total: usize,
    waiting: Arc<AtomicUsize>,
    max_waiting: usize,
    wait: Duration,
}

/// A place among the requests that are served.
#[derive(Debug)]
pub struct Permit {
    _place: OwnedSemaphorePermit,
}

/// How full it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// Being served.
    pub running: usize,
    /// Waiting for a place.
    pub waiting: usize,
}

impl Admission {
    /// A gate with these bounds.
    pub fn new(limits: &Limits) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.concurrent_requests)),
            total: limits.concurrent_requests,
            waiting: Arc::default(),
            max_waiting: limits.waiting_requests,
            wait: limits.wait(),
        }
    }

    /// Waits for a place, first come first served.
    ///
    /// # Errors
    /// [`Failure::Full`] if the queue is full or the wait was too long.
    pub async fn enter(&self) -> Result<Permit, Failure> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Permit { _place: place });
        }
        let full = Failure::full();
        let _waiting = Waiting::join(&self.waiting, self.max_waiting).ok_or(full.clone())?;
        match tokio::time::timeout(self.wait, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(Permit { _place: place }),
            Ok(Err(_)) | Err(_) => Err(full),
        }
    }

    /// How full it is now.
    pub fn occupancy(&self) -> Occupancy {
        Occupancy {
            running: self.total - self.places.available_permits(),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }
}

/// Counts one that waits, for as long as it does.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(count: &'a AtomicUsize, limit: usize) -> Option<Self> {
        let before = count.fetch_add(1, Ordering::Relaxed);
        let waiting = Self(count);
        (before < limit).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn s26_beyond_the_queue_a_request_is_refused_at_once() {
        let limits = Limits { concurrent_requests: 1, waiting_requests: 0, ..Limits::default() };
        let gate = Admission::new(&limits);
        let first = gate.enter().await.unwrap();
        assert!(matches!(gate.enter().await, Err(Failure::Full { .. })));
        assert_eq!(gate.occupancy(), Occupancy { running: 1, waiting: 0 });
        drop(first);
        assert!(gate.enter().await.is_ok(), "the place is free again");
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_is_no_longer_counted() {
        let gate = Admission::new(&Limits { concurrent_requests: 1, ..Limits::default() });
        let _first = gate.enter().await.unwrap();
        let waiting = gate.enter();
        tokio::pin!(waiting);
        assert!(futures_poll(&mut waiting).await.is_none());
        assert_eq!(gate.occupancy().waiting, 1);
        waiting.set(gate.enter());
        assert_eq!(gate.occupancy().waiting, 0);
    }

    async fn futures_poll<F: Future>(future: &mut std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}
