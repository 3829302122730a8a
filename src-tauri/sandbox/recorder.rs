//! What arrived at the sandbox and how it went, for whoever wants to look or wait. Remembers the newest
//! arrivals up to the scenario's limit; the counts go on.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::sync::watch;

/// How long anybody waits for something to happen here.
const PATIENCE: Duration = Duration::from_secs(20);

/// The most bytes of bodies that are remembered; the oldest arrivals make room, the newest one stays.
const MOST_BYTES: usize = 64 << 20;

/// One request as it came in.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// From 1 on, over all accounts.
    pub number: u64,
    /// The credential it carried, empty if none.
    pub key: String,
    /// Its method.
    pub method: Method,
    /// Path and query as they stood in the head.
    pub path: String,
    /// Every header.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
}

/// How many requests came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests read whole.
    pub arrived: u64,
    /// Of these, replies that are on their way.
    pub open: u64,
    /// Of these, replies that ended as the script had it, faults included.
    pub ended: u64,
    /// Of these, replies whose client left before the end.
    pub left: u64,
}

/// What was waited for did not happen in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("waited {PATIENCE:?} for {what}, and the sandbox has seen {counts:?}")]
pub struct TooLate {
    what: String,
    counts: Counts,
}

impl TooLate {
    pub(super) fn new(what: &str, counts: Counts) -> Self {
        Self { what: what.to_owned(), counts }
    }
}

/// The record. Clones share it.
#[derive(Debug, Clone)]
pub struct Recorder {
    keeps: usize,
    seen: watch::Sender<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    counts: Counts,
    arrivals: VecDeque<Arc<Arrival>>,
    bytes: usize,
}

impl Seen {
    fn push(&mut self, arrival: Arrival, keeps: usize) {
        self.bytes += arrival.body.len();
        self.arrivals.push_back(Arc::new(arrival));
        while self.arrivals.len() > keeps || (self.bytes > MOST_BYTES && self.arrivals.len() > 1) {
            let Some(oldest) = self.arrivals.pop_front() else { break };
            self.bytes -= oldest.body.len();
        }
    }
}

impl Recorder {
    /// Remembers at most so many arrivals.
    pub fn new(keeps: usize) -> Self {
        Self { keeps, seen: watch::Sender::default() }
    }

    /// The number for an arrival that was read whole, and the guard of its reply.
    pub fn note(&self, arrival: impl FnOnce(u64) -> Arrival) -> (u64, Open) {
        let mut number = 0;
        self.seen.send_modify(|seen| {
            seen.counts.arrived += 1;
            seen.counts.open += 1;
            number = seen.counts.arrived;
            if self.keeps == 0 {
                return;
            }
            seen.push(arrival(number), self.keeps);
        });
        (number, Open { recorder: Some(self.clone()) })
    }

    /// The arrivals that are remembered, oldest first.
    pub fn arrivals(&self) -> Vec<Arc<Arrival>> {
        self.seen.borrow().arrivals.iter().cloned().collect()
    }

    /// The counts as they are now.
    pub fn counts(&self) -> Counts {
        self.seen.borrow().counts
    }

    /// Waits until the counts are so.
    pub async fn until(&self, what: &str, holds: impl Fn(Counts) -> bool) -> Result<(), TooLate> {
        let mut seen = self.seen.subscribe();
        let happened = seen.wait_for(|seen| holds(seen.counts));
        match in_time(happened).await {
            Some(_) => Ok(()),
            None => Err(TooLate::new(what, self.counts())),
        }
    }

    fn settle(&self, as_scripted: bool) {
        self.seen.send_modify(|seen| {
            seen.counts.open -= 1;
            if as_scripted {
                seen.counts.ended += 1;
            } else {
                seen.counts.left += 1;
            }
        });
    }
}

/// What comes of it, unless it takes longer than anybody should wait here.
pub async fn in_time<T>(happened: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, happened).await.ok()
}

/// A reply on its way. Dropped before it is closed, its client has left.
#[derive(Debug)]
pub struct Open {
    recorder: Option<Recorder>,
}

impl Open {
    /// The reply ended as the script had it.
    pub fn close(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            recorder.settle(true);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            recorder.settle(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(number: u64, bytes: usize) -> Arrival {
        Arrival {
            number,
            key: String::new(),
            method: Method::POST,
            path: String::new(),
            headers: HeaderMap::new(),
            body: vec![0; bytes].into(),
        }
    }

    fn kept(recorder: &Recorder) -> Vec<u64> {
        recorder.arrivals().iter().map(|arrival| arrival.number).collect()
    }

    #[test]
    fn only_the_newest_arrivals_are_remembered() {
        let recorder = Recorder::new(2);
        for _ in 0..3 {
            recorder.note(|number| arrival(number, 1));
        }
        assert_eq!(kept(&recorder), [2, 3]);
        assert_eq!(recorder.counts().arrived, 3);
    }

    #[test]
    fn large_bodies_make_room_for_each_other() {
        let recorder = Recorder::new(512);
        for bytes in [1, MOST_BYTES / 2, MOST_BYTES / 2, MOST_BYTES + 1] {
            recorder.note(|number| arrival(number, bytes));
        }
        assert_eq!(kept(&recorder), [4], "the newest one stays, however large");
    }
}
