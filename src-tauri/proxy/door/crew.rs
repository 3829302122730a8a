//! Which worker holds a connection: the one that holds fewest. Without it whoever wakes first takes all that come
//! together, and one thread is busy while the others sleep. Moves a connection once, when it is new.

use std::{
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::listener::Listener;

/// As many connections may be on their way to one worker; a further one stays where it was accepted.
const MOST_GIVEN: usize = 64;

/// The workers as one of them sees them.
#[derive(Debug, Clone)]
pub struct Crew {
    mates: Arc<[Mate]>,
    own: usize,
}

#[derive(Debug)]
struct Mate {
    held: AtomicUsize,
    given: mpsc::Sender<Accepted>,
}

/// A connection that was accepted by one worker and is held by another.
#[derive(Debug)]
pub struct Accepted {
    pub socket: TcpStream,
    pub listener: Listener,
    /// Its place among all connections.
    pub place: OwnedSemaphorePermit,
    pub seat: Seat,
}

/// One connection's place with a worker, for as long as it lives.
#[derive(Debug)]
pub struct Seat {
    mates: Arc<[Mate]>,
    index: usize,
}

impl Crew {
    /// So many workers, each with what others give to it.
    pub fn of(count: usize) -> Vec<(Self, mpsc::Receiver<Accepted>)> {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel(MOST_GIVEN)).unzip();
        let mate = |given| Mate { held: AtomicUsize::new(0), given };
        let mates: Arc<[Mate]> = senders.into_iter().map(mate).collect();
        let each = receivers.into_iter().enumerate();
        each.map(|(own, receiver)| (Self { mates: Arc::clone(&mates), own }, receiver)).collect()
    }

    /// A seat with the worker that holds fewest; with this one where others hold no fewer.
    pub fn seat(&self) -> Seat {
        let held = |index: usize| self.mates[index].held.load(Ordering::Relaxed);
        let fewest = (0..self.mates.len()).min_by_key(|index| (held(*index), *index != self.own));
        let index = fewest.unwrap_or(self.own);
        self.mates[index].held.fetch_add(1, Ordering::Relaxed);
        Seat { mates: Arc::clone(&self.mates), index }
    }

    /// Whether this worker is to hold it.
    pub fn is_own(&self, seat: &Seat) -> bool {
        seat.index == self.own
    }

    /// Hands a connection to the worker that is to hold it.
    ///
    /// # Errors
    /// Gives it back where that worker has too many to look at already, or has ended.
    pub fn give(&self, accepted: Accepted) -> Result<(), Accepted> {
        let mate = &self.mates[accepted.seat.index];
        mate.given.try_send(accepted).map_err(mpsc::error::TrySendError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.mates[self.index].held.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_come_to_one_worker_are_spread_and_a_seat_is_free_again() {
        let crew: Vec<Crew> = Crew::of(3).into_iter().map(|(crew, _)| crew).collect();
        let first = crew[1].seat();
        assert!(crew[1].is_own(&first), "who accepts it keeps it where all hold as many");
        let mut seats: Vec<Seat> = (0..5).map(|_| crew[1].seat()).collect();
        let held = |index: usize| crew[0].mates[index].held.load(Ordering::Relaxed);
        assert_eq!([held(0), held(1), held(2)], [2, 2, 2]);
        seats.retain(|seat| seat.index != 2);
        assert_eq!(crew[0].seat().index, 2, "the one that was left by its connections");
    }
}
