//! What a person may do with pools, routes, bindings and the setting beside them. Each act is kept before it takes
//! effect, and takes effect with the next snapshot. What points at something that was removed is kept, for it
//! may be put back; what that means meanwhile is routing's to say.

mod bindings;
mod error;
mod pools;
mod routes;

use std::sync::Arc;

use super::{Roster, roster::lock};
use crate::{
    events::Event,
    routing::{Plan, Snapshot, Zones},
    store::{Store, StoreError},
};

pub use bindings::NewBinding;
pub use error::PlanError;
pub use pools::{Dissolved, NewPool};
pub use routes::{NewRoute, RouteChange};

/// As many pools, and as many routes, as there may be.
pub(super) const MOST: usize = 100;
/// In the table `meta`.
const ASKED_MODEL_ONLY: &str = "serve_asked_or_refuse";

/// Reads what was decided before. Blocks on the disk.
pub(super) fn load(store: &Store, zones: Zones) -> Result<Plan, StoreError> {
    Ok(Plan {
        pools: store.pools()?,
        routes: store.routes()?,
        bindings: store.bindings()?,
        asked_model_only: store.meta(ASKED_MODEL_ONLY)?.is_some_and(|word| word == "true"),
        zones,
    })
}

impl Roster {
    /// Serves no request another model than the one that it asks for, or lets routes and accounts do so.
    ///
    /// # Errors
    /// If the store refuses.
    pub fn serve_asked_or_refuse(&self, is_on: bool) -> Result<(), PlanError> {
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        inner.store.set_meta(ASKED_MODEL_ONLY, if is_on { "true" } else { "false" })?;
        self.replan(|next| Arc::make_mut(&mut next.plan).asked_model_only = is_on);
        Ok(())
    }

    /// The next snapshot has another plan. The caller holds `acting`.
    fn replan(&self, change: impl FnOnce(&mut Snapshot)) {
        self.inner().revise(change);
        self.inner().events.tell(|| Event::Plan);
    }
}

fn named(what: &'static str, name: &str, error: StoreError) -> PlanError {
    match error {
        StoreError::NameTaken => PlanError::NameTaken(what, name.to_owned()),
        other => PlanError::Store(other),
    }
}

fn room_for(what: &'static str, count: usize, most: usize) -> Result<(), PlanError> {
    if count < most { Ok(()) } else { Err(PlanError::TooMany(what, most)) }
}

/// Puts one into a list that is in the order of its ids, in place of the one that has its id.
fn put<T, K: Ord>(list: &mut Vec<T>, one: T, id: impl Fn(&T) -> K) {
    match list.binary_search_by_key(&id(&one), &id) {
        Ok(at) => list[at] = one,
        Err(at) => list.insert(at, one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_back_stands_where_it_stood() {
        let mut list = vec![(1, 'a'), (3, 'c')];
        put(&mut list, (2, 'b'), |one| one.0);
        put(&mut list, (3, 'z'), |one| one.0);
        assert_eq!(list, [(1, 'a'), (2, 'b'), (3, 'z')]);
    }
}
