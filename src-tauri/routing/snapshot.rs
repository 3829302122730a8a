//! What a decision is made from: every account as it stood at one moment. Readers share it; whoever
//! learns something makes a new one.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::sync::Notify;
use url::Url;

use crate::domain::{Account, AccountId, Provider, Window};

/// All accounts, in the order of their ids.
#[derive(Debug, Clone, Default)]
pub struct Snapshot(pub Vec<Arc<Contender>>);

impl Snapshot {
    /// The account with this id.
    pub fn get(&self, id: AccountId) -> Option<&Arc<Contender>> {
        self.0.iter().find(|contender| contender.account.id == id)
    }
}

/// One account with all that selection looks at.
#[derive(Debug, Clone)]
pub struct Contender {
    /// As it is kept.
    pub account: Account,
    /// Its upstream.
    pub provider: Arc<Provider>,
    /// What is known of its limits.
    pub windows: Vec<Window>,
    /// Requests that it serves right now.
    pub load: Load,
}

impl Contender {
    /// Where it is asked: its own address, else its provider's.
    pub fn base_url(&self) -> Option<&Url> {
        self.account.base_url.as_ref().or(self.provider.base_url.as_ref())
    }
}

/// How many requests one account may serve at once, and who is told when one of them is over.
#[derive(Debug, Clone, Default)]
pub struct Ration {
    /// `None`: as many as come.
    pub most: Option<NonZeroU32>,
    /// Told of each place that gets free, if there is a limit.
    pub freed: Arc<Notify>,
}

/// How many requests an account serves at this moment. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Load {
    running: Arc<AtomicU32>,
    ration: Ration,
}

impl Load {
    /// Nothing yet, within this ration.
    pub fn within(ration: Ration) -> Self {
        Self { ration, ..Self::default() }
    }

    /// The number now.
    pub fn count(&self) -> u32 {
        self.running.load(Ordering::Relaxed)
    }

    /// Whether it may serve one more.
    pub fn has_room(&self) -> bool {
        self.ration.most.is_none_or(|most| self.count() < most.get())
    }

    /// One more, until the lease is dropped. `None` if somebody else has just taken the last place.
    pub fn lease(&self) -> Option<Lease> {
        let most = self.ration.most.map_or(u32::MAX, NonZeroU32::get);
        let one_more = |running: u32| (running < most).then_some(running + 1);
        let taken = self.running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.ok().map(|_| Lease(self.clone()))
    }
}

/// One running request of an account.
#[derive(Debug)]
pub struct Lease(Load);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
        if self.0.ration.most.is_some() {
            self.0.ration.freed.notify_waiters();
        }
    }
}
