//! Where a request may go, in which order: the slots of its route, then the pool that it is bound to, then
//! `main`, or in its place the pools that its key names. Knows what a person has decided, and nothing of how
//! anybody stands.

use std::sync::Arc;

use crate::domain::{AccountId, Ask, Binding, MOST_SLOTS, Policy, PoolId, Route, Slot, Target};
use crate::routing::{Contender, Plan};

/// The course of one request.
#[derive(Debug, Clone, Copy)]
pub(in crate::routing) struct Course<'a> {
    plan: &'a Plan,
    /// The model that the client named.
    asked: Option<&'a str>,
    /// The route that it takes.
    pub route: Option<&'a Route>,
    /// The binding that led it to its pool.
    pub binding: Option<&'a Binding>,
    /// Whom it may not leave.
    pub bounds: Bounds<'a>,
    /// Of the route, as many as a route may have.
    pub slots: &'a [Slot],
    /// Pools after the slots, each with its policy.
    pools: [Option<(PoolId, Policy)>; 2],
    /// Those that the request's key names, after them and in place of `main`.
    named: &'a [PoolId],
}

/// What a strict binding leaves of the accounts.
#[derive(Debug, Clone, Copy)]
pub(in crate::routing) enum Bounds<'a> {
    /// All.
    None,
    /// Those of its pool.
    Pool(&'a Binding),
    /// None: it is bound to a pool that is gone.
    Gone(&'a Binding),
    /// None: it may leave neither of two pools.
    Contradiction(&'a Binding, &'a Binding),
}

/// One place of a course at which an account stands.
#[derive(Debug, Clone, Copy)]
pub(in crate::routing) struct Place<'a> {
    /// Counted from the beginning of the course.
    pub stage: u8,
    /// Which slot of the route that is.
    pub slot: Option<u8>,
    /// The model that is asked for there instead of the client's.
    pub model: Option<&'a Arc<str>>,
    /// By what one is chosen there.
    pub policy: Policy,
}

impl<'a> Course<'a> {
    pub fn of(ask: &'a Ask, plan: &'a Plan) -> Self {
        let asked = ask.model.as_deref();
        let route = asked.and_then(|model| route(plan, model));
        let (binding, bounds) = bound(ask, plan);
        let with_policy = |id: PoolId| (id, plan.policy_of(id));
        let own = binding.map(|binding| with_policy(binding.pool));
        let may_leave = matches!(bounds, Bounds::None);
        let is_named = ask.pools.is_some();
        let main = (may_leave && !is_named && own.is_none_or(|(id, _)| id != PoolId::MAIN))
            .then(|| with_policy(PoolId::MAIN));
        let goes_on = route.is_none_or(|route| route.falls_through);
        let pools = if goes_on { [own.or(main), own.and(main)] } else { [None, None] };
        let slots = route.map_or(&[][..], |route| &route.slots);
        let slots = &slots[..slots.len().min(MOST_SLOTS)];
        let named = ask.pools.as_deref().filter(|_| may_leave && goes_on).unwrap_or_default();
        Self { plan, asked, route, binding, bounds, slots, pools, named }
    }

    /// Visits every place at which this account stands, which was put into this pool.
    #[inline]
    pub fn visit(&self, account: AccountId, pool: PoolId, mut visit: impl FnMut(&Place<'a>)) {
        let pool = self.plan.pool_or_main(pool);
        let is_in = match self.bounds {
            Bounds::None => true,
            Bounds::Pool(binding) => binding.pool == pool,
            Bounds::Gone(_) | Bounds::Contradiction(..) => false,
        };
        if !is_in {
            return;
        }
        for at in 0..self.slots.len() + self.pools.len() + self.named.len() {
            if let Some(place) = self.place(at, account, pool) {
                visit(&place);
            }
        }
    }

    /// So far on the way, if this account stands there: in a slot, then in a pool that the request is led to, then in
    /// one that its key names.
    #[inline]
    fn place(&self, at: usize, account: AccountId, pool: PoolId) -> Option<Place<'a>> {
        let stage = count(at);
        if let Some(slot) = self.slots.get(at) {
            let policy = match slot.target {
                Target::Account(id) if id == account => Policy::Priority,
                Target::Pool(id) if id == pool => self.plan.policy_of(id),
                Target::Account(_) | Target::Pool(_) => return None,
            };
            let model = slot.model.as_ref().filter(|model| Some(model.as_ref()) != self.asked);
            return Some(Place { stage, slot: Some(stage), model, policy });
        }
        let at = at - self.slots.len();
        if let Some(own) = self.pools.get(at) {
            let (_, policy) = own.filter(|(id, _)| *id == pool)?;
            return Some(Place { stage, slot: None, model: None, policy });
        }
        let at = at - self.pools.len();
        let is_led_there = || self.pools.iter().flatten().any(|(id, _)| *id == pool);
        // A pool that is named twice is gone to once.
        if self.named.iter().position(|id| *id == pool) != Some(at) || is_led_there() {
            return None;
        }
        Some(Place { stage, slot: None, model: None, policy: self.plan.policy_of(pool) })
    }

    /// Every place at which this account stands.
    pub fn places(&self, contender: &Contender) -> Vec<Place<'a>> {
        let mut places = Vec::new();
        self.visit(contender.account.id, contender.account.pool, |place| places.push(*place));
        places
    }

    /// The pool from which one is chosen outside of all slots, if the request gets that far.
    pub fn pool(&self) -> Option<PoolId> {
        let own = self.pools.into_iter().flatten().next().map(|(id, _)| id);
        own.or_else(|| self.named.iter().copied().find(|id| self.plan.pool(*id).is_some()))
    }
}

fn count(at: usize) -> u8 {
    u8::try_from(at).unwrap_or(u8::MAX)
}

/// The route that says most exactly which model it means; of several, the oldest.
pub(super) fn route<'a>(plan: &'a Plan, model: &str) -> Option<&'a Route> {
    let fits = plan
        .routes
        .iter()
        .filter(|route| route.enabled)
        .filter_map(|route| Some((route, route.models.fit(model)?)));
    fits.max_by_key(|(route, fit)| (*fit, std::cmp::Reverse(route.id))).map(|(route, _)| route)
}

/// The binding that leads, and what the strict ones leave. A strict one leads before all others, for it could
/// not be followed elsewhere.
fn bound<'a>(ask: &Ask, plan: &'a Plan) -> (Option<&'a Binding>, Bounds<'a>) {
    let mut leading: Option<(&Binding, usize)> = None;
    let mut bounds = Bounds::None;
    for binding in &plan.bindings {
        let Some(fit) = binding.subject.fit(ask) else { continue };
        let is_there = binding.pool == PoolId::MAIN || plan.pool(binding.pool).is_some();
        bounds = match bounds {
            _ if !binding.strict => bounds,
            Bounds::None if is_there => Bounds::Pool(binding),
            Bounds::None => Bounds::Gone(binding),
            Bounds::Pool(other) | Bounds::Gone(other) if other.pool != binding.pool => {
                Bounds::Contradiction(other, binding)
            }
            known => known,
        };
        let rank = |(one, fit): (&Binding, usize)| (one.strict, fit);
        if is_there && leading.is_none_or(|leader| rank((binding, fit)) > rank(leader)) {
            leading = Some((binding, fit));
        }
    }
    (leading.map(|(binding, _)| binding), bounds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        AccountId, BindingId, Family, ModelRule, Pool, Role, RouteId, RouteModels, RouteName, Subject,
    };
    use crate::routing::pick::tests::account;
    use jiff::Timestamp;

    pub fn pool(id: i64, policy: Policy) -> Pool {
        Pool { id: PoolId(id), policy, ..Pool::main() }
    }

    pub fn route_to(id: i64, models: RouteModels, slots: Vec<Slot>) -> Route {
        Route {
            id: RouteId(id),
            name: RouteName::new(&format!("route {id}")).unwrap(),
            enabled: true,
            models,
            slots,
            falls_through: false,
            idle: None,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    pub fn binding(id: i64, subject: Subject, pool: i64, strict: bool) -> Binding {
        Binding { id: BindingId(id), subject, pool: PoolId(pool), strict, created_at: Timestamp::UNIX_EPOCH }
    }

    fn to_account(id: i64) -> Slot {
        Slot { target: Target::Account(AccountId(id)), model: None }
    }

    fn in_pool(id: i64, pool: i64) -> Contender {
        let mut contender = account(id);
        contender.account.pool = PoolId(pool);
        contender
    }

    /// The stages at which accounts 1 (main), 2 (pool 2) and 3 (pool 3) stand.
    fn stages(ask: &Ask, plan: &Plan) -> [Vec<u8>; 3] {
        let course = Course::of(ask, plan);
        [1, 2, 3].map(|id| course.places(&in_pool(id, id)).iter().map(|place| place.stage).collect())
    }

    fn plan() -> Plan {
        Plan {
            pools: vec![pool(1, Policy::Priority), pool(2, Policy::RoundRobin), pool(3, Policy::Headroom)],
            ..Plan::default()
        }
    }

    fn ask() -> Ask {
        Ask {
            model: Some("claude-opus-5-5".into()),
            role: Some(Role::Subagent),
            project: Some("a".into()),
            ..Ask::default()
        }
    }

    const NOWHERE: Vec<u8> = Vec::new();

    #[test]
    fn what_is_bound_nowhere_goes_to_main_alone() {
        assert_eq!(stages(&ask(), &plan()), [vec![0], NOWHERE, NOWHERE]);
        let contender = in_pool(1, 99);
        assert_eq!(
            Course::of(&ask(), &plan()).places(&contender).len(),
            1,
            "a pool that is gone loses nobody"
        );
    }

    #[test]
    fn what_is_bound_goes_to_its_pool_first_and_to_main_unless_it_is_strict() {
        let bind =
            |strict| Plan { bindings: vec![binding(1, Subject::Role(Role::Subagent), 2, strict)], ..plan() };
        assert_eq!(stages(&ask(), &bind(false)), [vec![1], vec![0], NOWHERE]);
        assert_eq!(stages(&ask(), &bind(true)), [NOWHERE, vec![0], NOWHERE]);
        let other = Ask { role: Some(Role::Main), ..ask() };
        assert_eq!(stages(&other, &bind(true)), [vec![0], NOWHERE, NOWHERE]);
    }

    #[test]
    fn what_comes_with_a_key_that_names_pools_goes_to_them_in_its_order_and_not_to_main() {
        let named = |ids: &[i64]| Ask { pools: Some(ids.iter().copied().map(PoolId).collect()), ..ask() };
        assert_eq!(stages(&named(&[3, 9, 2]), &plan()), [NOWHERE, vec![4], vec![2]]);
        assert_eq!(stages(&named(&[9]), &plan()), [NOWHERE, NOWHERE, NOWHERE], "a pool that is gone");
        let bind =
            |strict| Plan { bindings: vec![binding(1, Subject::Role(Role::Subagent), 2, strict)], ..plan() };
        assert_eq!(stages(&named(&[2, 3]), &bind(false)), [NOWHERE, vec![0], vec![3]]);
        assert_eq!(stages(&named(&[2, 3]), &bind(true)), [NOWHERE, vec![0], NOWHERE]);
    }

    #[test]
    fn a_strict_binding_leads_before_a_closer_one_that_is_not() {
        let bindings = vec![
            binding(1, Subject::Project("a".into()), 2, false),
            binding(2, Subject::Role(Role::Subagent), 3, true),
        ];
        assert_eq!(stages(&ask(), &Plan { bindings, ..plan() }), [NOWHERE, NOWHERE, vec![0]]);
    }

    #[test]
    fn two_strict_bindings_that_contradict_leave_nobody() {
        let bindings = vec![
            binding(1, Subject::Project("a".into()), 2, true),
            binding(2, Subject::Role(Role::Subagent), 3, true),
        ];
        let plan = Plan { bindings, ..plan() };
        assert_eq!(stages(&ask(), &plan), [NOWHERE, NOWHERE, NOWHERE]);
        assert!(matches!(Course::of(&ask(), &plan).bounds, Bounds::Contradiction(..)));
    }

    #[test]
    fn a_binding_to_a_pool_that_is_gone_binds_nothing_unless_it_is_strict() {
        let bind =
            |strict| Plan { bindings: vec![binding(1, Subject::Role(Role::Subagent), 9, strict)], ..plan() };
        assert_eq!(stages(&ask(), &bind(false)), [vec![0], NOWHERE, NOWHERE]);
        assert_eq!(stages(&ask(), &bind(true)), [NOWHERE, NOWHERE, NOWHERE]);
    }

    #[test]
    fn a_route_is_walked_slot_by_slot_and_left_only_where_it_falls_through() {
        let to_pool = Slot { target: Target::Pool(PoolId(3)), model: Some("claude-haiku-5-5".into()) };
        let mut route =
            route_to(1, RouteModels::Family(Family::Opus), vec![to_account(2), to_pool, to_account(99)]);
        let with = |route: &Route| Plan { routes: vec![route.clone()], ..plan() };
        assert_eq!(stages(&ask(), &with(&route)), [NOWHERE, vec![0], vec![1]]);
        route.falls_through = true;
        assert_eq!(stages(&ask(), &with(&route)), [vec![3], vec![0], vec![1]]);
        route.enabled = false;
        assert_eq!(stages(&ask(), &with(&route)), [vec![0], NOWHERE, NOWHERE]);
        let haiku = Ask { model: Some("claude-haiku-5-5".into()), ..ask() };
        route.enabled = true;
        assert_eq!(stages(&haiku, &with(&route)), [vec![0], NOWHERE, NOWHERE], "it is for opus");
    }

    #[test]
    fn of_two_routes_the_more_exact_one_is_taken_and_then_the_older() {
        let routes = vec![
            route_to(1, RouteModels::Family(Family::Opus), vec![to_account(1)]),
            route_to(2, RouteModels::Named(ModelRule::new("claude-opus-*").unwrap()), vec![to_account(2)]),
            route_to(3, RouteModels::Named(ModelRule::new("claude-opus-*").unwrap()), vec![to_account(3)]),
        ];
        let plan = Plan { routes, ..plan() };
        assert_eq!(Course::of(&ask(), &plan).route.map(|route| route.id), Some(RouteId(2)));
    }

    #[test]
    fn a_route_leads_nobody_out_of_a_pool_that_may_not_be_left() {
        let routes = vec![route_to(1, RouteModels::Family(Family::Opus), vec![to_account(1), to_account(2)])];
        let bindings = vec![binding(1, Subject::Role(Role::Subagent), 2, true)];
        assert_eq!(stages(&ask(), &Plan { routes, bindings, ..plan() }), [NOWHERE, vec![1], NOWHERE]);
    }
}
