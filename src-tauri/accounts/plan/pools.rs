//! Pools: made, changed and dissolved.

use std::sync::Arc;

use super::{MOST, PlanError, named, put, room_for};
use crate::{
    accounts::{Roster, roster::lock},
    domain::{AccountId, Policy, Pool, PoolId, PoolName},
    routing::{Contender, Snapshot},
    store::NewPoolRow,
};

/// A pool to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPool {
    /// The one that it had, if it is put back.
    pub id: Option<PoolId>,
    pub name: String,
    pub policy: Policy,
    /// Who is moved into it.
    pub accounts: Vec<AccountId>,
}

/// What removing a pool came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Dissolved {
    /// As it was.
    pub pool: Pool,
    /// Who went back to `main`.
    pub accounts: Vec<AccountId>,
}

impl Roster {
    /// Makes a pool; what is bound or routed to it may be served there at once.
    ///
    /// # Errors
    /// Whatever is wrong with the input or the store; nothing is kept then.
    pub fn add_pool(&self, new: NewPool) -> Result<Pool, PlanError> {
        let name = PoolName::new(&new.name)?;
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        let snapshot = self.snapshot();
        room_for("pools", snapshot.plan.pools.len(), MOST)?;
        if new.id.is_some_and(|id| snapshot.plan.pool(id).is_some()) {
            return Err(PlanError::IdTaken("pool"));
        }
        if let Some(gone) = new.accounts.iter().find(|id| snapshot.get(**id).is_none()) {
            return Err(PlanError::NoAccount(*gone));
        }
        let created_at = inner.clock.now();
        let row = NewPoolRow { id: new.id, name, policy: new.policy, accounts: new.accounts, created_at };
        let added = inner.store.add_pool(&row);
        let pool = added.map_err(|error| named("pool", row.name.as_str(), error))?;
        self.replan(|next| {
            put(&mut Arc::make_mut(&mut next.plan).pools, pool.clone(), |one| one.id);
            move_accounts(next, pool.id, |contender| row.accounts.contains(&contender.account.id));
        });
        Ok(pool)
    }

    /// Changes name or policy of a pool.
    ///
    /// # Errors
    /// As [`Roster::add_pool`].
    pub fn change_pool(
        &self,
        id: PoolId,
        name: Option<&str>,
        policy: Option<Policy>,
    ) -> Result<Pool, PlanError> {
        let name = name.map(PoolName::new).transpose()?;
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        let mut pool = self.snapshot().plan.pool(id).cloned().ok_or(PlanError::NoPool)?;
        if id == PoolId::MAIN && name.as_ref().is_some_and(|name| *name != pool.name) {
            return Err(PlanError::MainIsMain);
        }
        pool.name = name.unwrap_or(pool.name);
        pool.policy = policy.unwrap_or(pool.policy);
        inner.store.save_pool(&pool).map_err(|error| named("pool", pool.name.as_str(), error))?;
        self.replan(|next| put(&mut Arc::make_mut(&mut next.plan).pools, pool.clone(), |one| one.id));
        Ok(pool)
    }

    /// Removes a pool. Its accounts go back to `main`; what points at it points at nothing.
    ///
    /// # Errors
    /// If there is no such pool, if it is `main`, or if the store refuses.
    pub fn remove_pool(&self, id: PoolId) -> Result<Dissolved, PlanError> {
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        let snapshot = self.snapshot();
        let pool = snapshot.plan.pool(id).cloned().ok_or(PlanError::NoPool)?;
        if id == PoolId::MAIN {
            return Err(PlanError::MainStays);
        }
        inner.store.remove_pool(id)?;
        let is_in = |contender: &Contender| contender.account.pool == id;
        let accounts: Vec<AccountId> =
            snapshot.contenders.iter().filter(|one| is_in(one)).map(|one| one.account.id).collect();
        self.replan(|next| {
            Arc::make_mut(&mut next.plan).pools.retain(|pool| pool.id != id);
            move_accounts(next, PoolId::MAIN, is_in);
        });
        tracing::info!(pool = %pool.name, accounts = accounts.len(), "a pool was removed; its accounts are in main again");
        Ok(Dissolved { pool, accounts })
    }
}

fn move_accounts(next: &mut Snapshot, to: PoolId, which: impl Fn(&Contender) -> bool) {
    next.contenders.change(which, |contender| contender.account.pool = to);
}
