//! How many requests are served at once, and how many may wait for a place. Whoever is admitted holds a
//! permit until its end. Those who wait take turns by asker, so that one conversation with a hundred
//! requests does not keep another one out; beyond the bounds a request is refused with a time to come back.

use std::{
    collections::{
        HashMap, VecDeque,
        hash_map::{DefaultHasher, Entry},
    },
    hash::{Hash, Hasher},
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Notify, oneshot};

use crate::{
    clock::Clock,
    domain::KeyId,
    proxy::answer::failure::{Failure, Fullness},
    settings::Limits,
};

/// The gate. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Admission(Arc<Gate>);

/// Who asks, as far as a head tells. Requests of one asker wait behind each other; askers take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// The holder of a key, who may have a bound of his own.
    Key(KeyId),
    /// The digest of what a conversation calls itself.
    Conversation(u64),
}

/// A place among the requests that are served.
#[derive(Debug)]
pub struct Permit {
    /// `None` only while the place is handed on.
    gate: Option<Arc<Gate>>,
    asker: Asker,
    since: Instant,
}

/// How full it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// Being served.
    pub running: usize,
    /// Waiting for a place.
    pub waiting: usize,
    /// Of those that are being served: held until an account is back.
    pub held: usize,
    /// Refused for want of a place since the start. They leave no record.
    pub refused: usize,
}

#[derive(Debug)]
struct Gate {
    places: Mutex<Places>,
    held: AtomicUsize,
    refused: AtomicUsize,
    /// Rung as soon as somebody waits or is held, and as soon as one less does.
    stirred: Notify,
    total: usize,
    per_key: Option<NonZeroU32>,
    max_waiting: usize,
    wait: Duration,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Places {
    taken: usize,
    /// Of these, for each key, if keys have a bound. None is zero.
    by_key: HashMap<KeyId, u32>,
    waiting: usize,
    next_ticket: u64,
    /// The asker in front is served next and then goes to the back. None is empty.
    turns: VecDeque<(Asker, VecDeque<Ticket>)>,
    /// How long a request usually keeps its place: a moving average, in seconds.
    usual_stay: Option<f64>,
}

/// What a place is given through, and the number that finds it again.
type Ticket = (u64, oneshot::Sender<Permit>);

/// The weight of the newest stay in the average.
const NEWEST: f64 = 0.1;
/// A refused request comes back between these.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(59);
/// Where nothing is known yet.
const COME_BACK: Duration = Duration::from_secs(2);

impl Asker {
    /// The conversation that calls itself so.
    pub fn conversation(name: Option<&[u8]>) -> Self {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Self::Conversation(hasher.finish())
    }
}

impl Admission {
    /// A gate with these bounds.
    pub fn new(limits: &Limits, clock: Clock) -> Self {
        Self(Arc::new(Gate {
            places: Mutex::default(),
            held: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            stirred: Notify::new(),
            total: limits.concurrent_requests,
            per_key: NonZeroU32::new(limits.requests_per_key),
            max_waiting: limits.waiting_requests,
            wait: limits.wait(),
            clock,
        }))
    }

    /// Waits for a place; whoever asks, at `now`, gets it after those before him of his own, and in turn with others.
    ///
    /// # Errors
    /// [`Failure::Full`] if the queue is full or the wait was too long.
    pub async fn enter(&self, asker: Asker, now: Instant) -> Result<Permit, Failure> {
        let (ticket, mut place) = match self.0.take_or_queue(asker, now)? {
            Place::Taken(permit) => return Ok(permit),
            Place::Queued(ticket, place) => (ticket, place),
        };
        let leaves = Leaves { gate: &self.0, asker, ticket };
        if let Ok(Ok(permit)) = tokio::time::timeout(self.0.wait, &mut place).await {
            return Ok(permit);
        }
        drop(leaves);
        let running = self.0.places().taken;
        Err(self.0.full(Fullness::Late { wait: self.0.wait, running }))
    }

    /// What whoever found no place at any account in time is told.
    pub fn full(&self) -> Failure {
        self.0.full(Fullness::Accounts)
    }

    /// How full it is now.
    pub fn occupancy(&self) -> Occupancy {
        let places = self.0.places();
        Occupancy {
            running: places.taken,
            waiting: places.waiting,
            held: self.0.held.load(Ordering::Relaxed),
            refused: self.0.refused.load(Ordering::Relaxed),
        }
    }

    /// Counts a request as held for as long as the answer lives.
    pub fn hold(&self) -> Held<'_> {
        self.0.held.fetch_add(1, Ordering::Relaxed);
        self.0.stirred.notify_one();
        Held(&self.0)
    }

    /// Completes once others wait or are held than when it completed last. One listens.
    pub async fn stirred(&self) {
        self.0.stirred.notified().await;
    }
}

enum Place {
    Taken(Permit),
    Queued(u64, oneshot::Receiver<Permit>),
}

impl Gate {
    fn take_or_queue(self: &Arc<Self>, asker: Asker, now: Instant) -> Result<Place, Failure> {
        let mut places = self.places();
        if places.taken < self.total && places.has_room(asker, self.per_key) {
            places.taken += 1;
            places.enter(asker, self.per_key);
            drop(places);
            return Ok(Place::Taken(self.permit(asker, now)));
        }
        if places.waiting >= self.max_waiting {
            let waiting = places.waiting;
            drop(places);
            return Err(self.full(Fullness::Queue(waiting)));
        }
        let (give, place) = oneshot::channel();
        let ticket = places.queue(asker, give);
        drop(places);
        self.stirred.notify_one();
        Ok(Place::Queued(ticket, place))
    }

    fn permit(self: &Arc<Self>, asker: Asker, since: Instant) -> Permit {
        Permit { gate: Some(Arc::clone(self)), asker, since }
    }

    /// Hands a place on to whoever is next, or frees it.
    fn hand_on(self: &Arc<Self>, mut from: Asker, since: Instant, now: Instant) {
        self.places().learn(now.duration_since(since));
        loop {
            let (next, give) = {
                let mut places = self.places();
                places.leave_place(from);
                let Some(next) = places.next(self.per_key) else {
                    places.taken -= 1;
                    return;
                };
                places.enter(next.0, self.per_key);
                next
            };
            self.stirred.notify_one();
            match give.send(self.permit(next, now)) {
                Ok(()) => return,
                // Whoever waited has just left; its place goes to the next one, here and not in its drop.
                Err(mut permit) => permit.gate = None,
            }
            from = next;
        }
    }

    /// A refusal that says when a place may be free: when as many have left as wait, if all stay as usual.
    fn full(&self, why: Fullness) -> Failure {
        // One that is refused because every account is busy has a record.
        if why != Fullness::Accounts {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        let places = self.places();
        let rounds = (places.waiting + 1) as f64 / self.total as f64;
        let retry_after = places
            .usual_stay
            .and_then(|stay| Duration::try_from_secs_f64(stay * rounds).ok())
            .map_or(COME_BACK, |wait| wait.clamp(SOONEST, LATEST));
        Failure::Full { why, retry_after }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn queue(&mut self, asker: Asker, give: oneshot::Sender<Permit>) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting += 1;
        match self.turns.iter_mut().find(|(of, _)| *of == asker) {
            Some((_, line)) => line.push_back((ticket, give)),
            None => self.turns.push_back((asker, VecDeque::from([(ticket, give)]))),
        }
        ticket
    }

    /// The first asker in turn that may have one more.
    fn next(&mut self, per_key: Option<NonZeroU32>) -> Option<(Asker, oneshot::Sender<Permit>)> {
        let at = self.turns.iter().position(|(asker, _)| self.has_room(*asker, per_key))?;
        let (asker, mut line) = self.turns.remove(at)?;
        let (_, give) = line.pop_front()?;
        self.waiting -= 1;
        if !line.is_empty() {
            self.turns.push_back((asker, line));
        }
        Some((asker, give))
    }

    fn has_room(&self, asker: Asker, per_key: Option<NonZeroU32>) -> bool {
        match (asker, per_key) {
            (Asker::Key(key), Some(most)) => {
                self.by_key.get(&key).is_none_or(|running| *running < most.get())
            }
            _ => true,
        }
    }

    fn enter(&mut self, asker: Asker, per_key: Option<NonZeroU32>) {
        if let (Asker::Key(key), Some(_)) = (asker, per_key) {
            *self.by_key.entry(key).or_default() += 1;
        }
    }

    fn leave_place(&mut self, asker: Asker) {
        let Asker::Key(key) = asker else { return };
        if let Entry::Occupied(mut running) = self.by_key.entry(key) {
            *running.get_mut() -= 1;
            if *running.get() == 0 {
                running.remove();
            }
        }
    }

    /// Takes one out who no longer waits. False if its turn has already come.
    fn leave(&mut self, asker: Asker, ticket: u64) -> bool {
        let Some(at) = self.turns.iter().position(|(of, _)| *of == asker) else { return false };
        let line = &mut self.turns[at].1;
        let Some(place) = line.iter().position(|(of, _)| *of == ticket) else { return false };
        line.remove(place);
        self.waiting -= 1;
        if line.is_empty() {
            self.turns.remove(at);
        }
        true
    }

    fn learn(&mut self, stayed: Duration) {
        let stayed = stayed.as_secs_f64();
        self.usual_stay = Some(self.usual_stay.map_or(stayed, |usual| usual + (stayed - usual) * NEWEST));
    }
}

impl Permit {
    /// Gives the place back at this moment; a drop would have to ask for it.
    pub fn leave(mut self, now: Instant) {
        if let Some(gate) = self.gate.take() {
            gate.hand_on(self.asker, self.since, now);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.hand_on(self.asker, self.since, gate.clock.instant());
        }
    }
}

/// A request that is held until an account is back.
#[derive(Debug)]
pub struct Held<'a>(&'a Gate);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
        self.0.stirred.notify_one();
    }
}

/// Takes a waiting request out of the queue, whether it got its place, gave up or was dropped.
struct Leaves<'a> {
    gate: &'a Gate,
    asker: Asker,
    ticket: u64,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        if self.gate.places().leave(self.asker, self.ticket) {
            self.gate.stirred.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::Pin, task::Poll};

    use super::*;

    type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Permit, Failure>> + 'a>>;

    fn gate(places: usize, waiting: usize) -> Admission {
        let limits = Limits { concurrent_requests: places, waiting_requests: waiting, ..Limits::default() };
        Admission::new(&limits, Clock::system())
    }

    fn comes_back(refused: &Failure) -> Duration {
        let Failure::Full { why: Fullness::Late { running: 1, .. }, retry_after } = refused else {
            panic!("it says what was full: {refused:?}")
        };
        *retry_after
    }

    const SOMEBODY: Asker = Asker::Conversation(0);

    fn called(name: &str) -> Asker {
        Asker::conversation(Some(name.as_bytes()))
    }

    async fn enter(gate: &Admission, asker: Asker) -> Result<Permit, Failure> {
        gate.enter(asker, Clock::system().instant()).await
    }

    async fn poll(waiting: &mut Waiting<'_>) -> Option<Result<Permit, Failure>> {
        std::future::poll_fn(|cx| match waiting.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    async fn queued<'a>(gate: &'a Admission, asker: Asker) -> Waiting<'a> {
        let mut waiting: Waiting<'a> = Box::pin(gate.enter(asker, Clock::system().instant()));
        assert!(poll(&mut waiting).await.is_none(), "there is no place");
        waiting
    }

    #[tokio::test]
    async fn s26_beyond_the_queue_a_request_is_refused_at_once() {
        let gate = gate(1, 0);
        let first = enter(&gate, SOMEBODY).await.unwrap();
        let refused = enter(&gate, SOMEBODY).await.unwrap_err();
        assert!(matches!(refused, Failure::Full { why: Fullness::Queue(0), .. }), "{refused:?}");
        let message = refused.message(jiff::Timestamp::MIN);
        assert!(message.contains("limits.waiting_requests"), "the setting is named: {message}");
        assert_eq!(gate.occupancy(), Occupancy { running: 1, waiting: 0, held: 0, refused: 1 });
        drop(first);
        assert!(enter(&gate, SOMEBODY).await.is_ok(), "the place is free again");
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_is_no_longer_counted() {
        let gate = gate(1, 8);
        let first = enter(&gate, SOMEBODY).await.unwrap();
        let waiting = queued(&gate, called("a")).await;
        assert_eq!(gate.occupancy().waiting, 1);
        drop(waiting);
        assert_eq!(gate.occupancy().waiting, 0);
        drop(first);
        assert_eq!(gate.occupancy(), Occupancy { running: 0, waiting: 0, held: 0, refused: 0 });
    }

    #[tokio::test]
    async fn one_asker_with_many_requests_does_not_keep_another_one_out() {
        let gate = gate(1, 8);
        let running = enter(&gate, SOMEBODY).await.unwrap();
        let mut greedy = [queued(&gate, called("greedy")).await, queued(&gate, called("greedy")).await];
        let mut modest = queued(&gate, called("modest")).await;
        drop(running);
        let running = poll(&mut greedy[0]).await.expect("who came first goes first").unwrap();
        drop(running);
        let running = poll(&mut modest).await.expect("then it is the other asker's turn").unwrap();
        assert!(poll(&mut greedy[1]).await.is_none());
        drop(running);
        assert!(poll(&mut greedy[1]).await.is_some());
    }

    #[tokio::test]
    async fn a_key_at_its_bound_waits_for_itself_and_keeps_nobody_else_waiting() {
        let limits = Limits { concurrent_requests: 2, requests_per_key: 1, ..Limits::default() };
        let gate = Admission::new(&limits, Clock::system());
        let key = Asker::Key(KeyId(1));
        let first = enter(&gate, key).await.unwrap();
        let mut second = queued(&gate, key).await;
        let other = enter(&gate, Asker::Key(KeyId(2))).await.unwrap();
        let mut third = queued(&gate, Asker::Key(KeyId(3))).await;
        drop(other);
        let third = poll(&mut third).await.expect("the one in front still may not").unwrap();
        drop(first);
        let second = poll(&mut second).await.expect("now it may").unwrap();
        drop((second, third));
        assert_eq!(gate.occupancy(), Occupancy { running: 0, waiting: 0, held: 0, refused: 0 });
        assert!(gate.0.places().by_key.is_empty(), "nothing is kept of a key that asks for nothing");
    }

    #[tokio::test]
    async fn a_place_that_is_handed_to_someone_who_left_is_not_lost() {
        let gate = gate(1, 8);
        let running = enter(&gate, SOMEBODY).await.unwrap();
        let waiting = queued(&gate, called("a")).await;
        drop(running);
        assert_eq!(
            gate.occupancy(),
            Occupancy { running: 1, waiting: 0, held: 0, refused: 0 },
            "it was handed on"
        );
        drop(waiting);
        assert_eq!(gate.occupancy(), Occupancy { running: 0, waiting: 0, held: 0, refused: 0 });
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_when_to_come_back() {
        let limits = Limits { concurrent_requests: 1, wait_seconds: 0.001, ..Limits::default() };
        let gate = Admission::new(&limits, Clock::system());
        gate.0.places().usual_stay = Some(20.0);
        let _running = enter(&gate, SOMEBODY).await.unwrap();
        let refused = enter(&gate, SOMEBODY).await.unwrap_err();
        assert_eq!(comes_back(&refused), Duration::from_secs(20));
        gate.0.places().usual_stay = Some(1e9);
        let refused = enter(&gate, SOMEBODY).await.unwrap_err();
        assert_eq!(comes_back(&refused), LATEST, "clients give up at a minute");
    }
}
