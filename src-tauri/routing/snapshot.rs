//! What a decision is made from: every account as it stood at one moment. Readers share it; whoever
//! learns something makes a new one.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

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

/// How many requests an account serves at this moment. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Load(Arc<AtomicU32>);

impl Load {
    /// The number now.
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more, until the lease is dropped.
    pub fn lease(&self) -> Lease {
        self.0.fetch_add(1, Ordering::Relaxed);
        Lease(self.clone())
    }
}

/// One running request of an account.
#[derive(Debug)]
pub struct Lease(Load);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
