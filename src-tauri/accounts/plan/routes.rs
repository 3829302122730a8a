//! Routes: made, changed, removed and put back.

use std::sync::Arc;

use super::{MOST, PlanError, named, put, room_for};
use crate::{
    accounts::{Roster, roster::lock},
    domain::{MOST_SLOTS, ModelRule, Route, RouteId, RouteIdle, RouteModels, RouteName, Slot, Target},
    routing::Snapshot,
    store::NewRouteRow,
};

/// A route to be made, or as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoute {
    /// The one that it had, if it is put back.
    pub id: Option<RouteId>,
    pub name: String,
    pub enabled: bool,
    /// A family's word, a model's id, or the beginning of one with `*` behind it.
    pub models: String,
    pub slots: Vec<Slot>,
    pub falls_through: bool,
    /// Seconds of silence; 0: as long as any other.
    pub idle_seconds: u32,
}

/// What to change of a route; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteChange {
    pub name: Option<String>,
    pub enabled: Option<bool>,
    pub models: Option<String>,
    pub slots: Option<Vec<Slot>>,
    pub falls_through: Option<bool>,
    /// Seconds of silence; 0: as long as any other.
    pub idle_seconds: Option<u32>,
}

impl Roster {
    /// Makes a route, or puts one back.
    ///
    /// # Errors
    /// As [`Roster::add_pool`]. One that is put back may point at what is gone.
    pub fn add_route(&self, new: NewRoute) -> Result<Route, PlanError> {
        let (name, models) = (RouteName::new(&new.name)?, RouteModels::new(&new.models)?);
        let idle = idle(new.idle_seconds)?;
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        let snapshot = self.snapshot();
        let routes = &snapshot.plan.routes;
        room_for("routes", routes.len(), MOST)?;
        if routes.iter().any(|known| Some(known.id) == new.id) {
            return Err(PlanError::IdTaken("route"));
        }
        check_slots(&new.slots, |target| new.id.is_some() || is_there(&snapshot, target))?;
        let row = NewRouteRow {
            id: new.id,
            name,
            enabled: new.enabled,
            models,
            slots: new.slots,
            falls_through: new.falls_through,
            idle,
            created_at: inner.clock.now(),
        };
        let added = inner.store.add_route(&row);
        let route = added.map_err(|error| named("route", row.name.as_str(), error))?;
        self.replan(|next| put(&mut Arc::make_mut(&mut next.plan).routes, route.clone(), |one| one.id));
        Ok(route)
    }

    /// Changes a route. A slot that pointed at what is gone may stay.
    ///
    /// # Errors
    /// As [`Roster::add_pool`].
    pub fn change_route(&self, id: RouteId, change: RouteChange) -> Result<Route, PlanError> {
        let name = change.name.as_deref().map(RouteName::new).transpose()?;
        let models = change.models.as_deref().map(RouteModels::new).transpose()?;
        let idle = change.idle_seconds.map(idle).transpose()?;
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        let snapshot = self.snapshot();
        let before = snapshot.plan.routes.iter().find(|known| known.id == id).ok_or(PlanError::NoRoute)?;
        if let Some(slots) = &change.slots {
            let was_there = |target| before.slots.iter().any(|slot| slot.target == target);
            check_slots(slots, |target| is_there(&snapshot, target) || was_there(target))?;
        }
        let mut route = before.clone();
        route.name = name.unwrap_or(route.name);
        route.enabled = change.enabled.unwrap_or(route.enabled);
        route.models = models.unwrap_or(route.models);
        route.slots = change.slots.unwrap_or(route.slots);
        route.falls_through = change.falls_through.unwrap_or(route.falls_through);
        route.idle = idle.unwrap_or(route.idle);
        inner.store.save_route(&route).map_err(|error| named("route", route.name.as_str(), error))?;
        self.replan(|next| put(&mut Arc::make_mut(&mut next.plan).routes, route.clone(), |one| one.id));
        Ok(route)
    }

    /// Removes a route, and gives it back.
    ///
    /// # Errors
    /// If there is no such route, or the store refuses.
    pub fn remove_route(&self, id: RouteId) -> Result<Route, PlanError> {
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        let snapshot = self.snapshot();
        let known = snapshot.plan.routes.iter().find(|known| known.id == id);
        let route = known.cloned().ok_or(PlanError::NoRoute)?;
        inner.store.remove_route(id)?;
        self.replan(|next| Arc::make_mut(&mut next.plan).routes.retain(|route| route.id != id));
        Ok(route)
    }
}

fn idle(seconds: u32) -> Result<Option<RouteIdle>, PlanError> {
    if seconds == 0 {
        return Ok(None);
    }
    RouteIdle::new(seconds).map(Some).ok_or(PlanError::BadIdle)
}

fn is_there(snapshot: &Snapshot, target: Target) -> bool {
    match target {
        Target::Account(id) => snapshot.get(id).is_some(),
        Target::Pool(id) => snapshot.plan.pool(id).is_some(),
    }
}

fn check_slots(slots: &[Slot], may_be: impl Fn(Target) -> bool) -> Result<(), PlanError> {
    if !(1..=MOST_SLOTS).contains(&slots.len()) {
        return Err(PlanError::BadSlots);
    }
    for (at, slot) in slots.iter().enumerate() {
        if !may_be(slot.target) {
            return Err(PlanError::NoTarget(at + 1));
        }
        let is_id = |model: &Arc<str>| !model.contains('*') && ModelRule::new(model).is_ok();
        if slot.model.as_ref().is_some_and(|model| !is_id(model)) {
            return Err(PlanError::BadModel(at + 1));
        }
    }
    Ok(())
}
