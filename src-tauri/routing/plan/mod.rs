//! What a person has decided about who serves whom: pools, routes, bindings, and the settings that selection
//! looks at. Part of each snapshot, shared, and changed by replacing it.

pub(super) mod allowed;
pub(super) mod course;
pub(super) mod offers;

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::domain::{Ask, Binding, Policy, Pool, PoolId, Route, ZoneName};
use crate::routing::{Contender, Pick};

/// See the file. What points at nothing is allowed here, and harms nobody.
#[derive(Debug, Clone)]
pub struct Plan {
    /// In the order of their ids. `main` is there even if it is missing.
    pub pools: Vec<Pool>,
    /// In the order of their ids.
    pub routes: Vec<Route>,
    /// In the order of their ids.
    pub bindings: Vec<Binding>,
    /// No request is served another model than the one it asked for, whatever routes and accounts say.
    pub asked_model_only: bool,
    /// The clocks that guards go by.
    pub zones: Zones,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            pools: vec![Pool::main()],
            routes: Vec::new(),
            bindings: Vec::new(),
            asked_model_only: false,
            zones: Zones::default(),
        }
    }
}

impl Plan {
    /// How long an answer may be silent that a slot has led to; `None`: as long as any other.
    pub fn idle_limit(&self, ask: &Ask, pick: &Pick) -> Option<Duration> {
        pick.why.slot?;
        Some(course::route(self, ask.model.as_deref()?)?.idle?.duration())
    }

    /// The pool of this id.
    pub fn pool(&self, id: PoolId) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.id == id)
    }

    /// The pool that an account is in: `main` where its own is gone, so that it is not lost with it.
    pub fn pool_of(&self, contender: &Contender) -> PoolId {
        self.pool_or_main(contender.account.pool)
    }

    #[inline]
    pub fn pool_or_main(&self, own: PoolId) -> PoolId {
        if own == PoolId::MAIN || self.pool(own).is_some() { own } else { PoolId::MAIN }
    }

    /// By what one of its accounts is chosen.
    pub(in crate::routing) fn policy_of(&self, id: PoolId) -> Policy {
        self.pool(id).map_or(Policy::default(), |pool| pool.policy)
    }
}

/// Time zones, looked up by whoever may read files.
#[derive(Debug, Clone)]
pub struct Zones {
    /// This machine's.
    pub local: TimeZone,
    /// Each that a guard names.
    pub named: Vec<(ZoneName, TimeZone)>,
}

impl Default for Zones {
    fn default() -> Self {
        Self { local: TimeZone::UTC, named: Vec::new() }
    }
}

impl Zones {
    /// The zone of this name, or this machine's; UTC for a name that is not known.
    pub fn get(&self, name: Option<&ZoneName>) -> &TimeZone {
        let Some(name) = name else { return &self.local };
        self.named.iter().find(|(known, _)| known == name).map_or(const { &TimeZone::UTC }, |(_, zone)| zone)
    }
}
