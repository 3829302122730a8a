//! The keys as the hot path sees them: a map from digest to holder that readers take whole and never wait
//! for. Counting takes the one holder's own lock for a few lines.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::{
    edit::EditError,
    mint::digest_of,
    rate::LastMinute,
    spending::{Limit, Spending, Usages},
};
use crate::{
    clock::Clock,
    domain::{Ask, ClientKey, Cost, KeyId, KeyName, ModelRule, Scope, Scopes, Usage},
    events::Events,
    store::{Digest, Store},
};

/// The keys. Clones are the same register.
#[derive(Clone)]
pub struct Register(Arc<Inner>);

pub(super) struct Inner {
    known: ArcSwap<Known>,
    /// Held by a person's act for as long as the disk takes; the hot path never waits for it.
    pub acting: Mutex<()>,
    pub store: Store,
    pub clock: Clock,
    pub events: Events,
}

/// Every key at one moment. Revoked ones stay, so that they are refused as what they are and history keeps
/// their names; only people's acts make this grow.
#[derive(Clone, Default)]
struct Known {
    by_digest: HashMap<Digest, Arc<Holder>>,
    by_id: HashMap<KeyId, Arc<Holder>>,
}

/// One key with what it has used.
#[derive(Debug)]
pub struct Holder {
    /// As it is kept.
    pub key: ClientKey,
    pub(super) digest: Digest,
    counts: Arc<Counts>,
}

/// What outlives an edit and a new secret.
#[derive(Debug)]
struct Counts {
    minute: Mutex<LastMinute>,
    spending: Mutex<Spending>,
}

/// Why a key does not open what it was shown for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// Nobody knows it.
    Unknown,
    /// It was revoked.
    Revoked,
    /// Somebody has switched it off.
    Disabled,
    /// Its time is over.
    Expired(Timestamp),
    /// It opens other doors: these.
    Scope { lacks: Scope, has: Scopes },
    /// It may not ask for this model, but for those.
    Model { asked: Arc<str>, allowed: Arc<[ModelRule]> },
    /// It is limited to models or by a budget, and the request names no model by which to tell.
    NoModel,
    /// Too many within a minute.
    Rate { limit: u32, wait: Duration },
    /// A budget is used up.
    Budget(Limit),
}

impl Register {
    /// Reads all keys, and what the live ones have used. Blocks on the disk.
    ///
    /// # Errors
    /// If the store can't be read.
    pub fn load(store: Store, clock: Clock, events: Events) -> Result<Self, EditError> {
        let now = clock.now();
        let mut known = Known::default();
        for (key, digest) in store.keys()? {
            let spending = if key.revoked_at.is_some() {
                Spending::new(now)
            } else {
                Spending::load(now, |period| store.spent(key.id, period))?
            };
            known.put(Holder::new(key, digest, spending));
        }
        let known = ArcSwap::from_pointee(known);
        Ok(Self(Arc::new(Inner { known, acting: Mutex::default(), store, clock, events })))
    }

    /// Whose key this is.
    ///
    /// # Errors
    /// The [`Denial`] of a key that opens nothing now.
    pub fn holder(&self, credential: &[u8], now: Timestamp) -> Result<Arc<Holder>, Denial> {
        let digest = digest_of(credential).ok_or(Denial::Unknown)?;
        let holder = self.0.known.load().by_digest.get(&digest).cloned().ok_or(Denial::Unknown)?;
        holder.is_live(now)?;
        Ok(holder)
    }

    /// The keys that are not revoked, in the order in which they were made.
    pub fn live(&self) -> Vec<Arc<Holder>> {
        let known = self.0.known.load();
        let mut live: Vec<_> =
            known.by_id.values().filter(|holder| holder.key.revoked_at.is_none()).cloned().collect();
        live.sort_unstable_by_key(|holder| holder.key.id);
        live
    }

    /// The key with this id, unless it is revoked.
    pub fn get(&self, id: KeyId) -> Option<Arc<Holder>> {
        self.0.known.load().by_id.get(&id).filter(|holder| holder.key.revoked_at.is_none()).cloned()
    }

    /// The name of a key, also of one that was revoked.
    pub fn name_of(&self, id: KeyId) -> Option<KeyName> {
        self.0.known.load().by_id.get(&id).map(|holder| holder.key.name.clone())
    }

    /// The name of the key with this secret, also of one that opens nothing now.
    pub fn name_of_secret(&self, credential: &[u8]) -> Option<KeyName> {
        let digest = digest_of(credential)?;
        self.0.known.load().by_digest.get(&digest).map(|holder| holder.key.name.clone())
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    /// Puts a key that was made or changed in force. The caller holds `acting`.
    pub fn publish(&self, key: ClientKey, digest: Digest) -> Arc<Holder> {
        let mut next = Known::clone(&self.known.load());
        let holder = if let Some(before) = next.by_id.get(&key.id) {
            Holder { counts: Arc::clone(&before.counts), key, digest }
        } else {
            let spending = Spending::new(key.created_at);
            Holder::new(key, digest, spending)
        };
        let holder = next.put(holder);
        self.known.store(Arc::new(next));
        holder
    }
}

impl Known {
    fn put(&mut self, holder: Holder) -> Arc<Holder> {
        let holder = Arc::new(holder);
        if let Some(before) = self.by_id.insert(holder.key.id, Arc::clone(&holder)) {
            self.by_digest.remove(&before.digest);
        }
        self.by_digest.insert(holder.digest, Arc::clone(&holder));
        holder
    }
}

impl Holder {
    fn new(key: ClientKey, digest: Digest, spending: Spending) -> Self {
        let counts = Counts { minute: Mutex::default(), spending: Mutex::new(spending) };
        Self { key, digest, counts: Arc::new(counts) }
    }

    fn is_live(&self, now: Timestamp) -> Result<(), Denial> {
        if self.key.revoked_at.is_some() {
            return Err(Denial::Revoked);
        }
        if !self.key.enabled {
            return Err(Denial::Disabled);
        }
        match self.key.grant.expires_at.filter(|end| *end <= now) {
            Some(end) => Err(Denial::Expired(end)),
            None => Ok(()),
        }
    }

    /// Whether it opens this door.
    ///
    /// # Errors
    /// [`Denial::Scope`] if it does not.
    pub fn opens(&self, scope: Scope) -> Result<(), Denial> {
        let has = self.key.grant.scopes;
        if has.has(scope) { Ok(()) } else { Err(Denial::Scope { lacks: scope, has }) }
    }

    /// Lets a request in, which then counts as one of this minute. What is refused here does not count.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn let_in(&self, ask: &Ask, spends: bool, now: Timestamp) -> Result<(), Denial> {
        self.would_let_in(ask, spends, now)?;
        let Some(limit) = self.key.grant.per_minute else { return Ok(()) };
        lock(&self.counts.minute).take(limit, now).map_err(|wait| Denial::Rate { limit, wait })
    }

    /// The same for a request that nobody has sent: nothing is counted, and how many come in a minute is not
    /// looked at.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn would_let_in(&self, ask: &Ask, spends: bool, now: Timestamp) -> Result<(), Denial> {
        self.is_live(now)?;
        self.opens(Scope::Proxy)?;
        let grant = &self.key.grant;
        match (&ask.model, &grant.models) {
            (Some(model), Some(rules)) if !rules.iter().any(|rule| rule.allows(model)) => {
                return Err(Denial::Model { asked: Arc::clone(model), allowed: Arc::clone(rules) });
            }
            // What names no model can hold many, as a batch does, and its cost is told to nobody.
            (None, _) if spends && self.is_limited() => return Err(Denial::NoModel),
            _ => {}
        }
        if let Some(limit) = lock(&self.counts.spending).exceeded(grant, now) {
            return Err(Denial::Budget(limit));
        }
        Ok(())
    }

    /// Whether models or a budget bound what it may ask for.
    pub fn is_limited(&self) -> bool {
        let grant = &self.key.grant;
        let budgets = [grant.daily, grant.monthly];
        grant.models.is_some() || budgets.iter().any(|all| all.tokens.is_some() || all.money.is_some())
    }

    /// Adds what an exchange of its holder used.
    pub fn spend(&self, usage: &Usage, cost: impl Into<Cost>, began: Timestamp) {
        lock(&self.counts.spending).add(usage, cost, began);
    }

    /// What it has used today and this month.
    pub fn usages(&self, now: Timestamp) -> Usages {
        lock(&self.counts.spending).usages(now)
    }
}

/// What a panic left behind is whole all the same: counts are only ever added to.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
