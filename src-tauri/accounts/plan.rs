//! What a person may do with pools, routes, bindings and the setting beside them. Each act is kept before it takes
//! effect, and takes effect with the next snapshot. What points at something that was removed is kept, for it
//! may be put back; what that means meanwhile is routing's to say.

use std::sync::Arc;

use super::{Roster, roster::lock};
use crate::{
    domain::{
        AccountId, BadModelRule, BadName, Binding, BindingId, MOST_SLOTS, ModelRule, Policy, Pool, PoolId,
        PoolName, Route, RouteId, RouteModels, RouteName, Slot, Subject, Target,
    },
    events::Event,
    routing::{Contender, Plan, Snapshot, Zones},
    store::{NewBindingRow, NewPoolRow, NewRouteRow, Store, StoreError},
};

/// As many pools, and as many routes, as there may be.
pub(super) const MOST: usize = 100;
/// As many bindings as there may be: each request is held against all of them.
const MOST_BINDINGS: usize = 256;
/// The longest name of a project, a type of agent or a folder.
const LONGEST_SUBJECT: usize = 1024;
/// In the table `meta`.
const ASKED_MODEL_ONLY: &str = "serve_asked_or_refuse";

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
}

/// What to change of a route; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteChange {
    pub name: Option<String>,
    pub enabled: Option<bool>,
    pub models: Option<String>,
    pub slots: Option<Vec<Slot>>,
    pub falls_through: Option<bool>,
}

/// A binding to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBinding {
    /// The one that it had, if it is put back.
    pub id: Option<BindingId>,
    pub subject: Subject,
    pub pool: PoolId,
    pub strict: bool,
}

/// What removing a pool came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Dissolved {
    /// As it was.
    pub pool: Pool,
    /// Who went back to `main`.
    pub accounts: Vec<AccountId>,
}

/// Why an act was not done; each is a sentence with a next step.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("there is no such pool; `headgate pools` lists them")]
    NoPool,
    #[error("there is no such route; `headgate routes` lists them")]
    NoRoute,
    #[error("there is no such binding; `headgate bindings` lists them")]
    NoBinding,
    #[error("there is no account {0}; `headgate accounts` lists them")]
    NoAccount(AccountId),
    #[error("another {0} is already called \"{1}\"; names are unique without regard to case")]
    NameTaken(&'static str, String),
    #[error("a {0} with this id is there already; leave the id out to make another one")]
    IdTaken(&'static str),
    #[error(transparent)]
    BadName(#[from] BadName),
    #[error(
        "a route is for a family (opus, sonnet, haiku, fable), a model's id, or the beginning of one with a `*` at its end"
    )]
    BadModels(#[from] BadModelRule),
    #[error("the pool main is always there; give its accounts to another pool, or change its policy")]
    MainStays,
    #[error("there are {1} {0} already; remove one that is not needed")]
    TooMany(&'static str, usize),
    #[error("a route leads somewhere: give it 1 to {MOST_SLOTS} slots")]
    BadSlots,
    #[error("slot {0} points at nothing; `headgate accounts` and `headgate pools` list what there is")]
    NoTarget(usize),
    #[error("slot {0} asks for a model by its id, without blanks or a `*`")]
    BadModel(usize),
    #[error("{0} is bound already; change that binding, or remove it first")]
    Bound(Subject),
    #[error(
        "what is bound has a name of 1 to {LONGEST_SUBJECT} characters, none of them a control character"
    )]
    BadSubject,
    #[error("a folder is named from the root on, as in /work/project")]
    BadFolder,
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for PlanError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

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

    /// Makes a route, or puts one back.
    ///
    /// # Errors
    /// As [`Roster::add_pool`]. One that is put back may point at what is gone.
    pub fn add_route(&self, new: NewRoute) -> Result<Route, PlanError> {
        let (name, models) = (RouteName::new(&new.name)?, RouteModels::new(&new.models)?);
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

    /// Binds something to a pool, or puts a binding back. Whether a key is there is the caller's to know.
    ///
    /// # Errors
    /// As [`Roster::add_pool`]. One that is put back may point at a pool that is gone.
    pub fn add_binding(&self, new: NewBinding) -> Result<Binding, PlanError> {
        let subject = checked(new.subject)?;
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        let snapshot = self.snapshot();
        let bindings = &snapshot.plan.bindings;
        room_for("bindings", bindings.len(), MOST_BINDINGS)?;
        if bindings.iter().any(|known| Some(known.id) == new.id) {
            return Err(PlanError::IdTaken("binding"));
        }
        if bindings.iter().any(|known| known.subject == subject) {
            return Err(PlanError::Bound(subject));
        }
        if new.id.is_none() && snapshot.plan.pool(new.pool).is_none() {
            return Err(PlanError::NoPool);
        }
        let created_at = inner.clock.now();
        let row = NewBindingRow { id: new.id, subject, pool: new.pool, strict: new.strict, created_at };
        let added = inner.store.add_binding(&row);
        let binding = added.map_err(|error| match error {
            StoreError::NameTaken => PlanError::Bound(row.subject.clone()),
            other => other.into(),
        })?;
        self.replan(|next| put(&mut Arc::make_mut(&mut next.plan).bindings, binding.clone(), |one| one.id));
        Ok(binding)
    }

    /// Binds to another pool, or more or less strictly.
    ///
    /// # Errors
    /// As [`Roster::add_pool`].
    pub fn change_binding(
        &self,
        id: BindingId,
        pool: Option<PoolId>,
        strict: Option<bool>,
    ) -> Result<Binding, PlanError> {
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        let snapshot = self.snapshot();
        let known = snapshot.plan.bindings.iter().find(|known| known.id == id);
        let mut binding = known.cloned().ok_or(PlanError::NoBinding)?;
        if pool.is_some_and(|id| snapshot.plan.pool(id).is_none()) {
            return Err(PlanError::NoPool);
        }
        binding.pool = pool.unwrap_or(binding.pool);
        binding.strict = strict.unwrap_or(binding.strict);
        inner.store.save_binding(&binding)?;
        self.replan(|next| put(&mut Arc::make_mut(&mut next.plan).bindings, binding.clone(), |one| one.id));
        Ok(binding)
    }

    /// Removes a binding, and gives it back.
    ///
    /// # Errors
    /// If there is no such binding, or the store refuses.
    pub fn remove_binding(&self, id: BindingId) -> Result<Binding, PlanError> {
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        let snapshot = self.snapshot();
        let known = snapshot.plan.bindings.iter().find(|known| known.id == id);
        let binding = known.cloned().ok_or(PlanError::NoBinding)?;
        inner.store.remove_binding(id)?;
        self.replan(|next| Arc::make_mut(&mut next.plan).bindings.retain(|binding| binding.id != id));
        Ok(binding)
    }

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

/// A subject as it can be compared: without blanks around it, and a folder without a separator at its end.
fn checked(subject: Subject) -> Result<Subject, PlanError> {
    let word = |text: String| {
        let text = text.trim();
        let fits = (1..=LONGEST_SUBJECT).contains(&text.chars().count());
        if fits && !text.chars().any(char::is_control) {
            Ok(text.to_owned())
        } else {
            Err(PlanError::BadSubject)
        }
    };
    Ok(match subject {
        Subject::Key(_) | Subject::Role(_) => subject,
        Subject::Project(name) => Subject::Project(word(name)?),
        Subject::AgentType(kind) => Subject::AgentType(word(kind)?),
        Subject::Directory(path) => Subject::Directory(folder(word(path)?)?),
    })
}

/// `/work/`, `C:\work` and `\\host\share` are folders from the root on, of whatever system the client is.
fn folder(path: String) -> Result<String, PlanError> {
    let bytes = path.as_bytes();
    let has_drive = bytes.len() >= 3 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    if !(path.starts_with(['/', '\\']) || has_drive && matches!(bytes[2], b'/' | b'\\')) {
        return Err(PlanError::BadFolder);
    }
    let trimmed = path.trim_end_matches(['/', '\\']);
    Ok(if trimmed.is_empty() { "/".into() } else { trimmed.into() })
}

/// Puts one into a list that is in the order of its ids, in place of the one that has its id.
fn put<T, K: Ord>(list: &mut Vec<T>, one: T, id: impl Fn(&T) -> K) {
    match list.binary_search_by_key(&id(&one), &id) {
        Ok(at) => list[at] = one,
        Err(at) => list.insert(at, one),
    }
}

fn move_accounts(next: &mut Snapshot, to: PoolId, which: impl Fn(&Contender) -> bool) {
    for contender in next.contenders.iter_mut().filter(|one| which(one)) {
        Arc::make_mut(contender).account.pool = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_kept_without_its_last_separator_and_a_relative_one_is_refused() {
        for (typed, kept) in [
            ("/work/a/", "/work/a"),
            ("/", "/"),
            (r"C:\work\", r"C:\work"),
            (r"\\host\share", r"\\host\share"),
        ] {
            let subject = checked(Subject::Directory(typed.into())).unwrap();
            assert_eq!(subject, Subject::Directory(kept.into()));
        }
        for typed in ["work", "./work", "C:work", "~"] {
            let refused = checked(Subject::Directory(typed.into()));
            assert!(matches!(refused, Err(PlanError::BadFolder)), "{typed}");
        }
        for typed in ["", " ", "a\nb", &"x".repeat(2000)] {
            let refused = checked(Subject::Project(typed.into()));
            assert!(matches!(refused, Err(PlanError::BadSubject)), "{typed:?}");
        }
    }

    #[test]
    fn what_is_put_back_stands_where_it_stood() {
        let mut list = vec![(1, 'a'), (3, 'c')];
        put(&mut list, (2, 'b'), |one| one.0);
        put(&mut list, (3, 'z'), |one| one.0);
        assert_eq!(list, [(1, 'a'), (2, 'b'), (3, 'z')]);
    }
}
