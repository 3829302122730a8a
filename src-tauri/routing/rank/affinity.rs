//! Which conversation is bound to which account, because its prompt lies in the cache there. State, as `load` and
//! `weather` are: `pick` is handed what it needs of it. Bounded; what was used longest ago makes room.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hashlink::LruCache;
use jiff::Timestamp;

use crate::domain::{AccountId, Choice, Conversation, Family};
use crate::routing::{Pick, Seat, Snapshot};

/// Where one conversation is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// The account.
    pub account: AccountId,
    /// Since when.
    pub since: Timestamp,
    /// When it last went on, wherever that was.
    pub last_used: Timestamp,
    /// Tokens of its prompt that are in the cache; `None` until an answer has told.
    pub prefix: Option<u64>,
    /// The family of the model whose cache that is.
    pub family: Option<Family>,
    /// Until when the cache of its account holds it.
    pub warm_until: Timestamp,
    /// It is written into the cache that lives for an hour, which is the dearer one.
    pub for_an_hour: bool,
    /// Where it went on while its account could not take it.
    pub refuge: Option<Refuge>,
}

/// An account that serves a conversation which is bound to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refuge {
    /// Who.
    pub account: AccountId,
    /// Until when its cache holds the conversation too.
    pub warm_until: Timestamp,
}

impl Bound {
    /// A conversation that an account has just begun to answer.
    pub fn new(account: AccountId, family: Option<Family>, now: Timestamp) -> Self {
        let warm_until = later(now, CACHE_LIVES);
        let (prefix, for_an_hour, refuge) = (None, false, None);
        Self { account, since: now, last_used: now, prefix, family, warm_until, for_an_hour, refuge }
    }

    /// Whether a cache that holds what was used last until then is the one that lives for an hour.
    pub fn lives_long(last_used: Timestamp, warm_until: Timestamp) -> bool {
        warm_until > later(last_used, CACHE_LIVES + STALE)
    }

    /// Whether a restart with this one leads where one with the other would.
    fn is_as_good_as(&self, other: &Self) -> bool {
        let is_near = |one: Timestamp, other: Timestamp| {
            u128::from(one.as_millisecond().abs_diff(other.as_millisecond())) <= STALE.as_millis()
        };
        let tokens = |bound: &Self| bound.prefix.map(|tokens| tokens / 10_000);
        let refuge = |bound: &Self| bound.refuge.map(|refuge| refuge.account);
        let until = |bound: &Self| bound.refuge.map_or(bound.warm_until, |refuge| refuge.warm_until);
        (self.account, self.since, self.family, tokens(self), refuge(self))
            == (other.account, other.since, other.family, tokens(other), refuge(other))
            && is_near(self.last_used, other.last_used)
            && is_near(self.warm_until, other.warm_until)
            && is_near(until(self), until(other))
    }

    /// An account has begun to answer another request of it.
    fn go_on(&mut self, account: AccountId, family: Option<Family>, now: Timestamp) {
        self.last_used = now;
        // What is asked beside it, with another model, has a cache of its own.
        if self.family != family {
            return;
        }
        let warm_until = later(now, CACHE_LIVES);
        if self.account == account {
            // Whatever found refuge has come home.
            (self.warm_until, self.refuge) = (self.warm_until.max(warm_until), None);
            return;
        }
        let known = self.refuge.filter(|refuge| refuge.account == account);
        let warm_until = known.map_or(warm_until, |refuge| refuge.warm_until.max(warm_until));
        self.refuge = Some(Refuge { account, warm_until });
    }
}

/// The bindings of all conversations.
#[derive(Debug)]
pub struct Affinities {
    lives: Duration,
    known: Mutex<LruCache<Conversation, Entry>>,
}

#[derive(Debug)]
struct Entry {
    bound: Bound,
    /// As it was handed out to be kept.
    kept: Option<Bound>,
    /// By this its account knows how many conversations it has.
    _seat: Seat,
}

impl Entry {
    fn new(bound: Bound, kept: Option<Bound>, seat: Seat) -> Self {
        Self { bound, kept, _seat: seat }
    }

    /// The binding, if it differs enough from the one that was kept.
    fn worth_keeping(&mut self) -> Option<Bound> {
        if self.kept.is_some_and(|kept| kept.is_as_good_as(&self.bound)) {
            return None;
        }
        self.kept = Some(self.bound);
        self.kept
    }
}

/// What was kept may be so much older than what is known: a row for each request would be too dear.
const STALE: Duration = Duration::from_secs(30);

/// So many conversations are known.
pub const MOST_AFFINITIES: usize = 10_000;
/// A conversation that nobody goes on with for so long is bound no longer: no cache lives longer.
pub const AFFINITY_LIVES: Duration = Duration::from_hours(1);
/// What an answer that has just begun writes into the cache lives at least as long (Anthropic's page on prompt
/// caching).
const CACHE_LIVES: Duration = Duration::from_mins(5);

impl Default for Affinities {
    fn default() -> Self {
        Self::new(MOST_AFFINITIES, AFFINITY_LIVES)
    }
}

impl Affinities {
    /// None yet; at most so many, each for as long after its last use.
    pub fn new(most: usize, lives: Duration) -> Self {
        Self { lives, known: Mutex::new(LruCache::new(most)) }
    }

    /// Where a conversation is bound to.
    pub fn of(&self, conversation: &Conversation, now: Timestamp) -> Option<Bound> {
        let known = self.known();
        known.peek(conversation).map(|entry| entry.bound).filter(|bound| self.is_live(bound, now))
    }

    /// An account has begun to answer a request of this conversation: binds it where that was decided, or notes
    /// where it found refuge. Gives the binding back where it has changed so much that it is to be kept.
    pub fn served(
        &self,
        conversation: &Conversation,
        pick: &Pick,
        family: Option<Family>,
        now: Timestamp,
    ) -> Option<Bound> {
        let account = pick.contender.account.id;
        let mut known = self.known();
        self.forget_some(&mut known, now);
        let before =
            known.peek(conversation).map(|entry| entry.bound).filter(|bound| self.is_live(bound, now));
        let moves = pick.why.binds && matches!(pick.why.choice, Choice::Moved | Choice::Rebound);
        match before {
            // Of two requests that begin a conversation at the same moment, the first to be answered binds it.
            Some(_) if !moves => {
                let entry = known.get_mut(conversation)?;
                entry.bound.go_on(account, family, now);
                entry.worth_keeping()
            }
            _ if pick.why.binds => {
                // Its prompt is as long as before, wherever it is.
                let prefix = before.filter(|before| before.family == family).and_then(|before| before.prefix);
                // What the client asks its prompt to be kept for does not change with the account.
                let for_an_hour = before.is_some_and(|before| before.for_an_hour);
                let bound = Bound { prefix, for_an_hour, ..Bound::new(account, family, now) };
                let entry = Entry::new(bound, Some(bound), pick.contender.load.seat());
                known.insert(conversation.clone(), entry);
                Some(bound)
            }
            _ => None,
        }
    }

    /// An answer has ended: so many tokens of its prompt are in that account's cache now, for so long; `None`: it was
    /// only read, and stays as long as it did. Gives the binding back where it is to be kept.
    pub fn cached(
        &self,
        conversation: &Conversation,
        account: AccountId,
        family: Option<Family>,
        tokens: u64,
        lives: Option<Duration>,
        now: Timestamp,
    ) -> Option<Bound> {
        let mut known = self.known();
        let entry = known.get_mut(conversation)?;
        let bound = &mut entry.bound;
        bound.last_used = bound.last_used.max(now);
        let known = if bound.for_an_hour { AFFINITY_LIVES } else { CACHE_LIVES };
        let lives = lives.unwrap_or(known);
        let warm_until = later(now, lives);
        if bound.account == account {
            // The longest prompt is the conversation; what is asked beside it, with another model, is not.
            if bound.family != family && tokens <= bound.prefix.unwrap_or(0) {
                return entry.worth_keeping();
            }
            (bound.family, bound.prefix, bound.warm_until) = (family, Some(tokens), warm_until);
            bound.for_an_hour = lives > CACHE_LIVES;
            return entry.worth_keeping();
        }
        let refuge = bound.refuge.as_mut().filter(|refuge| refuge.account == account);
        if let Some(refuge) = refuge.filter(|_| bound.family == family) {
            (refuge.warm_until, bound.prefix) = (warm_until, Some(tokens));
        }
        entry.worth_keeping()
    }

    /// An account is gone, and with it whatever was bound to it.
    pub fn forget(&self, account: AccountId) {
        self.known().retain(|_, entry| {
            entry.bound.refuge = entry.bound.refuge.filter(|refuge| refuge.account != account);
            entry.bound.account != account
        });
    }

    /// How many are known, live or not.
    pub fn len(&self) -> usize {
        self.known().len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All that are live, as they can be kept; the one that was used longest ago first.
    pub fn rows(&self, now: Timestamp) -> Vec<(Conversation, Bound)> {
        let known = self.known();
        let live = known.iter().filter(|(_, entry)| self.is_live(&entry.bound, now));
        live.map(|(conversation, entry)| (conversation.clone(), entry.bound)).collect()
    }

    /// Takes in what was kept, in the same order. What has expired, or belongs to an account that is gone, is
    /// left out.
    pub fn restore(&self, rows: Vec<(Conversation, Bound)>, snapshot: &Snapshot, now: Timestamp) {
        let load = |id| snapshot.get(id).map(|contender| &contender.load);
        let mut known = self.known();
        for (conversation, bound) in rows {
            let Some(own) = load(bound.account).filter(|_| self.is_live(&bound, now)) else { continue };
            let refuge = bound.refuge.filter(|refuge| load(refuge.account).is_some());
            let bound = Bound { refuge, ..bound };
            known.insert(conversation, Entry::new(bound, Some(bound), own.seat()));
        }
    }

    /// Whether it still counts. One from further in the future than it could live is of a clock that was set back.
    fn is_live(&self, bound: &Bound, now: Timestamp) -> bool {
        let age = now.as_millisecond().abs_diff(bound.last_used.as_millisecond());
        u128::from(age) <= self.lives.as_millis()
    }

    /// Two that are over for each that comes: nothing old stays for long, and nobody waits for a sweep.
    fn forget_some(&self, known: &mut LruCache<Conversation, Entry>, now: Timestamp) {
        for _ in 0..2 {
            let is_over = known.iter().next().is_some_and(|(_, oldest)| !self.is_live(&oldest.bound, now));
            if !is_over {
                return;
            }
            known.remove_lru();
        }
    }

    fn known(&self) -> MutexGuard<'_, LruCache<Conversation, Entry>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
