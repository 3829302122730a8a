//! What a decision is made from: every account as it stood at one moment, and what a person has decided about
//! who serves whom. Readers share it; whoever learns something makes a new one.

use std::{
    any::Any,
    fmt,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use jiff::SignedDuration;
use tokio::sync::Notify;
use url::Url;

use super::{Contenders, Offers, Plan, UnderWay, Weather};
use crate::domain::{Account, AccountId, Endpoint, Outlay, Paid, Provider, Window, WindowSource};

/// See the file.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// All accounts, in the order of their ids.
    pub contenders: Contenders,
    /// Pools, routes, bindings and settings.
    pub plan: Arc<Plan>,
}

impl Snapshot {
    /// These accounts, in one pool, with nothing decided about them.
    pub fn of(contenders: impl IntoIterator<Item = Contender>) -> Self {
        Self { contenders: contenders.into_iter().map(Arc::new).collect(), plan: Arc::default() }
    }

    /// The account with this id.
    pub fn get(&self, id: AccountId) -> Option<&Arc<Contender>> {
        self.contenders.find(id).map(|(contender, _)| contender)
    }
}

/// Windows shorter than this are a pace and no allotment.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// One account with all that selection looks at.
#[derive(Debug, Clone)]
pub struct Contender {
    /// As it is kept.
    pub account: Account,
    /// Its upstream.
    pub provider: Arc<Provider>,
    /// What is known of its limits.
    pub windows: Vec<Window>,
    /// What is known of its models; `None` is nothing.
    pub offers: Option<Arc<Offers>>,
    /// What it has spent, as far as its caps need it.
    pub outlay: Outlay,
    /// Requests that it serves right now.
    pub load: Load,
    /// The weather at its upstream, which it shares with every other account there.
    pub weather: Weather,
    /// What it pays with.
    pub purse: Purse,
}

/// What an account pays with, as whoever keeps the accounts has put it there: who reads a snapshot never sees it beside
/// another address than its own. Selection carries it along and can't look into it.
#[derive(Clone, Default)]
pub struct Purse(Option<Arc<dyn Any + Send + Sync>>);

impl Purse {
    /// With this in it.
    pub fn of<T: Any + Send + Sync>(means: T) -> Self {
        Self(Some(Arc::new(means)))
    }

    /// What is in it, for whoever knows what that is.
    pub fn look<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.as_deref()?.downcast_ref()
    }
}

impl fmt::Debug for Purse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Purse(…)")
    }
}

impl Contender {
    /// An account of which nothing is known yet.
    pub fn new(account: Account, provider: Arc<Provider>, load: Load) -> Self {
        let (offers, outlay, weather) = (None, Outlay::default(), Weather::default());
        Self {
            account,
            provider,
            windows: Vec::new(),
            offers,
            outlay,
            load,
            weather,
            purse: Purse::default(),
        }
    }

    /// How its use is paid; `None` where nobody knows. A person's word counts first, then an allotment that its answers
    /// state, then its provider, at the provider's own address. Answers that state a pace alone say nothing: a model of one's
    /// own states one, too.
    pub fn paid(&self) -> Option<Paid> {
        self.paid_if(self.account.paid)
    }

    /// The same, if a person said this.
    pub fn paid_if(&self, said: Option<Paid>) -> Option<Paid> {
        let is_allotment = |window: &Window| {
            window.limits == Some(Endpoint::Messages)
                && window.source != WindowSource::UsageEndpoint
                && window.length.is_some_and(|length| length >= HOUR)
        };
        let by_answers = || self.windows.iter().any(is_allotment).then_some(Paid::Plan);
        let is_at_home = self.account.base_url.is_none() || self.provider.passes_logins();
        said.or_else(by_answers).or(self.provider.paid.filter(|_| is_at_home))
    }

    /// Where it is asked: its own address, else its provider's.
    pub fn base_url(&self) -> Option<&Url> {
        self.account.base_url.as_ref().or(self.provider.base_url.as_ref())
    }
}

/// How many requests one account may serve at once, and who is told when one of them is over. Accounts that
/// take turns have it in common.
#[derive(Debug, Clone, Default)]
pub struct Ration {
    /// `None`: as many as come.
    pub most: Option<NonZeroU32>,
    /// Told of each place that gets free, if there is a limit.
    pub freed: Arc<Notify>,
    /// How many turns were taken so far, by whomever.
    turns: Arc<AtomicU64>,
}

impl Ration {
    /// So many for each account.
    pub fn of(most: Option<NonZeroU32>) -> Self {
        Self { most, ..Self::default() }
    }
}

/// What an account is busy with at this moment. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Load {
    busy: Arc<Busy>,
    ration: Ration,
}

#[derive(Debug, Default)]
struct Busy {
    running: AtomicU32,
    /// Conversations that are bound to it.
    bound: AtomicU32,
    /// The turn that it took last; 0 before its first.
    turn: AtomicU64,
}

impl Load {
    /// Nothing yet, within this ration.
    pub fn within(ration: Ration) -> Self {
        Self { ration, ..Self::default() }
    }

    /// Requests that it serves now.
    pub fn count(&self) -> u32 {
        self.busy.running.load(Ordering::Relaxed)
    }

    /// Conversations that are bound to it now.
    pub fn bound(&self) -> u32 {
        self.busy.bound.load(Ordering::Relaxed)
    }

    /// Grows with each request that it takes: of two, the one with the smaller turn was used longer ago.
    pub fn turn(&self) -> u64 {
        self.busy.turn.load(Ordering::Relaxed)
    }

    /// Whether it may serve one more.
    pub fn has_room(&self) -> bool {
        self.ration.most.is_none_or(|most| self.count() < most.get())
    }

    /// One more, until the lease is dropped. `None` if somebody else has just taken the last place.
    pub fn lease(&self) -> Option<Lease> {
        self.lease_within(self.ration.most.map_or(u32::MAX, NonZeroU32::get))
    }

    /// The only one, until the lease is dropped. `None` if there is another.
    pub fn lease_alone(&self) -> Option<Lease> {
        self.lease_within(1)
    }

    fn lease_within(&self, most: u32) -> Option<Lease> {
        let one_more = |running: u32| (running < most).then_some(running + 1);
        let taken = self.busy.running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.ok()?;
        self.busy.turn.store(self.ration.turns.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        Some(Lease { load: self.clone(), under_way: None })
    }

    /// One more conversation is bound to it, until the seat is dropped.
    pub fn seat(&self) -> Seat {
        self.busy.bound.fetch_add(1, Ordering::Relaxed);
        Seat(Arc::clone(&self.busy))
    }
}

/// One running request of an account.
#[derive(Debug)]
pub struct Lease {
    load: Load,
    /// Its place among those that return to an upstream step by step.
    under_way: Option<UnderWay>,
}

impl Lease {
    /// The same with a place that is given back with it.
    pub fn with(mut self, under_way: Option<UnderWay>) -> Self {
        self.under_way = under_way;
        self
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.under_way.take());
        self.load.busy.running.fetch_sub(1, Ordering::Relaxed);
        if self.load.ration.most.is_some() {
            self.load.ration.freed.notify_waiters();
        }
    }
}

/// One conversation that is bound to an account.
#[derive(Debug)]
pub struct Seat(Arc<Busy>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.bound.fetch_sub(1, Ordering::Relaxed);
    }
}
