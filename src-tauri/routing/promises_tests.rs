//! What selection promises in whatever world it finds itself: accounts, pools, routes, bindings and guards as they
//! come, contradictions and dead ends included.

use std::{num::NonZeroU32, sync::Arc};

use proptest::{collection::vec, option, prelude::*, sample::Index};

use super::{
    Aside, Bound, Contender, Decision, Lease, Load, Offers, Pick, Plan, Ration, Refuge, Sign, Snapshot, Wait,
    explain, pick,
    pick::tests::{account, in_minutes, login_account, now, window},
};
use crate::domain::{
    AccountId, Ask, Bench, Binding, BindingId, Choice, Endpoint, Family, Guards, KeyId, MOST_CANDIDATES,
    Model, ModelMap, ModelRule, Needs, Outcome, Paid, Pause, PausedBy, Peak, Percent, Policy, Pool, PoolId,
    Reserve, Role, Route, RouteId, RouteModels, RouteName, Slot, Spare, Spill, Subject, Target, Window,
};

const MODELS: [&str; 3] = ["claude-opus-5-5", "claude-haiku-5-5", "glm-5.2"];

/// Everything that a decision is made from. The leases keep accounts busy.
#[derive(Debug)]
struct World {
    snapshot: Snapshot,
    ask: Ask,
    bound: Option<Bound>,
    set_aside: Vec<Aside>,
    /// How many each account serves, and how many it may, by their ids from 1 on.
    rations: Vec<(u32, Option<u32>)>,
    _leases: Vec<Lease>,
}

impl World {
    fn pick(&self) -> Decision {
        pick(&self.ask, &self.snapshot, self.bound.as_ref(), &self.set_aside, now())
    }

    fn picked(&self) -> Option<Pick> {
        match self.pick() {
            Decision::Take(pick) => Some(pick),
            Decision::Wait(_) => None,
        }
    }
}

/// Who was picked, for what, and why, to be compared.
fn gist(decision: &Decision) -> Result<(AccountId, Option<Arc<str>>, super::Why), Wait> {
    match decision {
        Decision::Take(pick) => Ok((pick.contender.account.id, pick.model.clone(), pick.why)),
        Decision::Wait(wait) => Err(wait.clone()),
    }
}

fn worlds() -> impl Strategy<Value = World> {
    (vec(contenders(), 1..7), plans(), asks(), option::of((any::<Index>(), bounds())), vec(0i64..9, 0..3))
        .prop_map(|(contenders, plan, ask, bound, aside)| {
            let (mut leases, mut rations) = (Vec::new(), Vec::new());
            let contenders: Vec<_> = (1..)
                .zip(contenders)
                .map(|(id, (contender, running, most))| {
                    let mut contender: Contender = contender;
                    contender.account.id = AccountId(id);
                    leases.extend((0..running).filter_map(|_| contender.load.lease()));
                    rations.push((running, most));
                    contender
                })
                .collect();
            let bound = bound.map(|(index, bound): (Index, Bound)| Bound {
                account: index.get(&contenders).account.id,
                ..bound
            });
            let mut snapshot = Snapshot::of(contenders);
            snapshot.plan = Arc::new(plan);
            let set_aside = aside.into_iter().map(|id| Aside::wholly(AccountId(id))).collect();
            World { snapshot, ask, bound, set_aside, rations, _leases: leases }
        })
}

fn contenders() -> impl Strategy<Value = (Contender, u32, Option<u32>)> {
    let account = (any::<bool>(), -1i32..3, 1i64..5, 0u8..12, vec(windows(), 0..4));
    let rest = (option::of(1u32..3), 0u32..3, option::of((0u8..=100, any::<bool>())), 0u8..4, 0u8..7);
    (account, rest).prop_map(
        |((login, priority, pool, state, windows), (most, running, guard, offers, extra))| {
            let load = Load::within(Ration::of(most.and_then(NonZeroU32::new)));
            let one = if login { login_account(1) } else { account_in(pool) };
            let mut one = Contender { windows, load, ..one }.with_priority(priority);
            one.account.pool = PoolId(pool);
            match state {
                0 => one.account.pause = Some(Pause { reason: "".into(), by: PausedBy::User, at: now() }),
                1 => one.account.refused = Some("refused".into()),
                2 => {
                    let until = in_minutes(3);
                    one.account.bench =
                        Some(Bench { since: now(), until, reason: "asked".into(), streak: 1 });
                }
                _ => {}
            }
            let guards = |(percent, is_peak): (u8, bool)| {
                let peak = Peak {
                    days: crate::domain::Day::ALL.into_iter().collect(),
                    from: crate::domain::MinuteOfDay::new("11:00").unwrap(),
                    to: crate::domain::MinuteOfDay::new("13:00").unwrap(),
                    zone: None,
                    then: if percent % 2 == 0 { Spare::Last } else { Spare::Unused },
                };
                let reserve = Reserve { window: None, stop_at: Percent::new(percent).unwrap() };
                let peaks = if is_peak { vec![peak] } else { Vec::new() };
                Arc::new(Guards { reserves: vec![reserve], peaks, ..Guards::default() })
            };
            one.account.guards = guard.map(guards);
            one.offers = (offers > 1).then(|| {
                let told = Model::told(MODELS[usize::from(offers % 3)], None, Some(1_000)).unwrap();
                Arc::new(Offers::new(&[], Some(&[told])))
            });
            match extra {
                0 => one.account.models = ModelMap::new([(MODELS[0].into(), MODELS[2].into())]).unwrap(),
                1 => one.account.spill = Some(Spill { all: Some(now()), only: [].into() }),
                2 => {
                    let mut provider = crate::domain::Provider::clone(&one.provider);
                    provider.lacks.images = true;
                    one.provider = Arc::new(provider);
                }
                4 => one.account.paid = Some(Paid::Use),
                3 => one.weather.learn(Some(Family::Opus).into(), Sign::Overloaded, now()),
                _ => {}
            }
            (one, running, most)
        },
    )
}

fn account_in(pool: i64) -> Contender {
    let mut contender = account(1);
    contender.account.pool = PoolId(pool);
    contender
}

fn windows() -> impl Strategy<Value = Window> {
    let name = prop::sample::select(vec!["5h", "7d", "7d_opus", "7d_haiku", "tokens"]);
    (name, option::of(0.0f64..1.3), any::<bool>(), option::of(-60i64..9_000)).prop_map(
        |(name, used, spent, reset)| Window {
            utilization: used,
            resets_at: reset.map(in_minutes),
            ..window(name, 0.0, spent && used.is_some_and(|used| used > 0.6), 0)
        },
    )
}

fn plans() -> impl Strategy<Value = Plan> {
    let policy = || prop::sample::select(Policy::ALL.to_vec());
    let pools = (policy(), policy(), policy());
    let slot = (1i64..9, any::<bool>(), option::of(prop::sample::select(MODELS.to_vec())));
    let route = (0u8..3, vec(slot, 0..4), any::<bool>(), any::<bool>());
    let binding = (0u8..4, 1i64..5, any::<bool>());
    (pools, vec(route, 0..3), vec(binding, 0..3), any::<bool>()).prop_map(
        |((one, two, three), routes, bindings, only)| {
            let pool = |(id, policy)| Pool { id: PoolId(id), policy, ..Pool::main() };
            Plan {
                pools: [(1, one), (2, two), (3, three)].map(pool).into(),
                routes: (1..).zip(routes).map(|(id, route)| route_of(id, route)).collect(),
                bindings: (1..).zip(bindings).map(|(id, binding)| binding_of(id, binding)).collect(),
                asked_model_only: only,
                ..Plan::default()
            }
        },
    )
}

/// A target, whether that is a pool, and the model that is asked for there.
type AnySlot = (i64, bool, Option<&'static str>);

fn route_of(id: i64, (models, slots, falls_through, enabled): (u8, Vec<AnySlot>, bool, bool)) -> Route {
    let slot = |(target, is_pool, model): AnySlot| Slot {
        target: if is_pool { Target::Pool(PoolId(target)) } else { Target::Account(AccountId(target)) },
        model: model.map(Into::into),
    };
    Route {
        id: RouteId(id),
        name: RouteName::new(&format!("route {id}")).unwrap(),
        enabled,
        models: match models {
            0 => RouteModels::Family(Family::Opus),
            1 => RouteModels::Named(ModelRule::new("claude-*").unwrap()),
            _ => RouteModels::Named(ModelRule::new(MODELS[2]).unwrap()),
        },
        slots: slots.into_iter().map(slot).collect(),
        falls_through,
        idle: None,
        created_at: now(),
    }
}

fn binding_of(id: i64, (subject, pool, strict): (u8, i64, bool)) -> Binding {
    let subject = match subject {
        0 => Subject::Key(KeyId(1)),
        1 => Subject::Role(Role::Main),
        2 => Subject::Project("a".into()),
        _ => Subject::Directory("/work".into()),
    };
    Binding { id: BindingId(id), subject, pool: PoolId(pool), strict, created_at: now() }
}

fn asks() -> impl Strategy<Value = Ask> {
    let model = option::of(prop::sample::select(MODELS.to_vec()));
    let who = (option::of(Just(KeyId(1))), any::<bool>(), any::<bool>(), any::<bool>());
    let what = (any::<bool>(), 0u64..10_000, any::<bool>(), option::of(vec(1i64..7, 0..6)));
    (model, who, what).prop_map(
        |(model, (key, is_main, has_project, is_at_work), (images, bytes, login, only))| Ask {
            model: model.map(Into::into),
            session: Some("session".into()),
            bytes,
            role: is_main.then_some(Role::Main),
            project: has_project.then(|| "a".into()),
            directory: is_at_work.then(|| "/work/a".into()),
            needs: Needs { images, ..Needs::default() },
            key,
            only: only.map(|only| only.into_iter().map(AccountId).collect()),
            login,
            ..Ask::default()
        },
    )
}

fn bounds() -> impl Strategy<Value = Bound> {
    let family = prop::sample::select(vec![None, Some(Family::Opus), Some(Family::Haiku)]);
    let refuge = option::of((1i64..9, -10i64..60));
    (option::of(0u64..200_000), family, -10i64..60, refuge).prop_map(|(prefix, family, warm, refuge)| Bound {
        account: AccountId(1),
        since: now(),
        last_used: now(),
        prefix,
        family,
        warm_until: in_minutes(warm),
        for_an_hour: warm > 30,
        refuge: refuge
            .map(|(account, warm)| Refuge { account: AccountId(account), warm_until: in_minutes(warm) }),
    })
}

/// Who could take the request, and at which places, found without the code that decides it.
fn able(world: &World) -> Vec<Way> {
    let ways = ways(world);
    let could = |(place, id, model): &&Way| {
        let one = world.snapshot.get(*id).unwrap();
        could(world, one, model.as_ref()) && !leaves_a_plan(world, &ways, *place, one)
    };
    ways.iter().filter(could).cloned().collect()
}

/// Whether it would go from a plan that could have been asked to somebody who is paid by use, unless a person said so.
fn leaves_a_plan(world: &World, ways: &[Way], place: usize, one: &Contender) -> bool {
    let is_plan = |one: &Contender| {
        let shows =
            one.provider.passes_logins() || one.windows.iter().any(|window| &*window.name.0 != "tokens");
        one.account.paid.map_or(shows, |paid| paid == Paid::Plan)
    };
    let id = one.account.id;
    let is_named = || {
        let slot = route(world).and_then(|route| route.slots.get(place));
        slot.is_some_and(|slot| slot.target == Target::Account(id))
    };
    if one.account.paid != Some(Paid::Use) || is_named() {
        return false;
    }
    let plans = || {
        let all = ways.iter().map(|(place, id, model)| (*place, world.snapshot.get(*id).unwrap(), model));
        let might = all.filter(|(_, plan, model)| {
            is_plan(plan) && is_allowed(world, plan) && fits(world, plan, model.as_ref())
        });
        might.map(|(place, plan, _)| (place, plan))
    };
    let policy = world.snapshot.plan.pools.iter().find(|pool| pool.id == one.account.pool);
    let by_priority =
        policy.map_or(world.snapshot.plan.pools[0].policy, |pool| pool.policy) == Policy::Priority;
    let first = plans().map(|(place, plan)| (place, plan.account.priority)).min();
    let is_after = first.is_some_and(|(at, priority)| {
        place > at || place == at && !(by_priority && one.account.priority < priority)
    });
    is_after && !plans().all(|(_, plan)| plan.account.spill.as_ref().is_some_and(|spill| spill.reaches(id)))
}

/// Whether an account could take the request at a place, whatever that costs.
fn could(world: &World, one: &Contender, model: Option<&Arc<str>>) -> bool {
    let family = sent(world, one, model).and_then(Family::of);
    is_allowed(world, one)
        && !world.set_aside.contains(&Aside::wholly(one.account.id))
        && fits(world, one, model)
        && stands(one, family)
        && !is_kept_back(one, family)
        && has_room(world, one)
}

/// The model that would go up.
fn sent<'a>(world: &'a World, one: &'a Contender, model: Option<&'a Arc<str>>) -> Option<&'a str> {
    let named = model.map(AsRef::as_ref).or(world.ask.model.as_deref())?;
    Some(one.account.models.sent(named).map_or(named, |sent| sent))
}

/// Whether it takes requests like this one at all.
fn fits(world: &World, one: &Contender, model: Option<&Arc<str>>) -> bool {
    let is_asked_one = sent(world, one, model) == world.ask.model.as_deref();
    let takes_images = !one.provider.lacks.images;
    (is_asked_one || !world.snapshot.plan.asked_model_only) && (takes_images || !world.ask.needs.images)
}

/// Whether its key, its sign-in and the paths to money that were allowed let it: the rule of no surprise bill, once more.
fn is_allowed(world: &World, one: &Contender) -> bool {
    let ask = &world.ask;
    let in_key = |one: &Contender| ask.only.as_ref().is_none_or(|only| only.contains(&one.account.id));
    let passers =
        || world.snapshot.contenders.iter().filter(|one| one.provider.passes_logins() && in_key(one));
    if !in_key(one) {
        return false;
    }
    if one.provider.passes_logins() {
        return ask.login;
    }
    let spills = |passer: &Arc<Contender>| {
        passer.account.spill.as_ref().is_some_and(|spill| spill.reaches(one.account.id))
    };
    !ask.login || passers().next().is_none() || passers().any(spills)
}

/// Neither paused, benched nor refused, and no window of what is needed is spent.
fn stands(one: &Contender, family: Option<Family>) -> bool {
    let account = &one.account;
    let rests = account.bench.as_ref().is_some_and(|bench| bench.since <= now() && now() < bench.until);
    // A key that was refused is tried again once a rest is over; without one it is not.
    let is_refused = account.refused.is_some() && (rests || account.bench.is_none());
    let is_shut = |window: &Window| {
        let is_of_it =
            window.limits == Some(Endpoint::Messages) && (window.family.is_none() || window.family == family);
        let ends = window.resets_at.max(window.again.map(|again| again.at));
        is_of_it && window.spent && ends.is_some_and(|end| end > now())
    };
    account.pause.is_none() && !rests && !is_refused && !one.windows.iter().any(is_shut)
}

/// Whether its reserve is reached or it is an hour in which it is not used: it is noon, and all hours here are around it.
fn is_kept_back(one: &Contender, family: Option<Family>) -> bool {
    let Some(guards) = &one.account.guards else { return false };
    let is_used_up = |window: &Window| {
        let is_of_it =
            window.limits == Some(Endpoint::Messages) && (window.family.is_none() || window.family == family);
        let is_over = window.resets_at.is_some_and(|reset| reset <= now());
        let stop = guards.reserves.iter().map(|reserve| f64::from(u8::from(reserve.stop_at)) / 100.0);
        let used = window.utilization.filter(|_| is_of_it && !is_over);
        used.is_some_and(|used| stop.fold(f64::INFINITY, f64::min) <= used)
    };
    one.windows.iter().any(is_used_up) || guards.peaks.iter().any(|peak| peak.then == Spare::Unused)
}

/// Whether fewer are under way there than may be.
fn has_room(world: &World, one: &Contender) -> bool {
    let (running, most) = world.rations[usize::try_from(one.account.id.0 - 1).unwrap()];
    most.is_none_or(|most| running < most)
}

/// The route that the request takes.
fn route(world: &World) -> Option<&Route> {
    let (ask, plan) = (&world.ask, &world.snapshot.plan);
    let fit = |route: &Route| route.models.fit(ask.model.as_deref()?);
    let fitting = plan.routes.iter().filter(|route| route.enabled && fit(route).is_some());
    fitting.min_by_key(|route| (std::cmp::Reverse(fit(route)), route.id))
}

/// A place in the order, an account that stands there, and the model that it is asked for instead.
type Way = (usize, AccountId, Option<Arc<str>>);

/// Where the plan lets a request go, in a few lines and slowly.
fn ways(world: &World) -> Vec<Way> {
    let (ask, plan) = (&world.ask, &world.snapshot.plan);
    let exists = |pool: PoolId| plan.pools.iter().any(|one| one.id == pool);
    let pool = |one: &Contender| if exists(one.account.pool) { one.account.pool } else { PoolId::MAIN };
    let fitting: Vec<_> = plan.bindings.iter().filter_map(|one| Some((one, one.subject.fit(ask)?))).collect();
    let strict: Vec<PoolId> = fitting.iter().filter(|(one, _)| one.strict).map(|(one, _)| one.pool).collect();
    let is_in_bounds = |one: &Contender| strict.iter().all(|bound| *bound == pool(one));
    let own = fitting.iter().filter(|(one, _)| exists(one.pool)).fold(None, |best, next| match best {
        Some((one, fit)) if (one, fit) >= (next.0.strict, next.1) => best,
        _ => Some((next.0.strict, next.1)),
    });
    let own =
        own.and_then(|key| fitting.iter().find(|(one, fit)| exists(one.pool) && (one.strict, *fit) == key));
    let route = route(world);
    let mut ways = Vec::new();
    let mut way = |place, leads: &dyn Fn(&Contender) -> bool, model: Option<Arc<str>>| {
        let to = world.snapshot.contenders.iter().filter(|one| is_in_bounds(one) && leads(one));
        ways.extend(to.map(|one| (place, one.account.id, model.clone())));
    };
    for (at, slot) in route.iter().flat_map(|route| &route.slots).enumerate() {
        let model = slot.model.clone().filter(|model| Some(model) != ask.model.as_ref());
        match slot.target {
            Target::Account(id) => way(at, &|one| one.account.id == id, model),
            Target::Pool(id) => way(at, &|one| pool(one) == id, model),
        }
    }
    if route.is_none_or(|route| route.falls_through) {
        if let Some((binding, _)) = own {
            way(100, &|one| pool(one) == binding.pool, None);
        }
        way(101, &|one| pool(one) == PoolId::MAIN, None);
    }
    ways
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whoever_is_picked_can_serve_and_nobody_waits_while_somebody_could(world in worlds()) {
        let able = able(&world);
        match world.pick() {
            Decision::Take(pick) => {
                let id = pick.contender.account.id;
                prop_assert!(able.iter().any(|(_, able, model)| (*able, model) == (id, &pick.model)), "{able:?} {pick:?}");
            }
            Decision::Wait(wait) => {
                prop_assert!(able.is_empty(), "{able:?} could have served it");
                prop_assert_eq!(wait.why.len(), world.snapshot.contenders.len(), "each has its reason");
            }
        }
    }

    #[test]
    fn what_is_not_known_is_neither_zero_nor_full_under_any_policy(
        told in vec((option::of(0.0f64..0.99), 10i64..10_000, prop::sample::select(vec!["5h", "7d"])), 1..6),
        policy in prop::sample::select(Policy::ALL.to_vec()),
    ) {
        let by = |unknown: Option<f64>| {
            let one = |(id, (used, reset, name)): (i64, &(Option<f64>, i64, &'static str))| {
                let window = Window { utilization: used.or(unknown), ..window(name, 0.0, false, *reset) };
                account(id).with(window)
            };
            let mut snapshot = Snapshot::of((1..).zip(&told).map(one));
            snapshot.plan = Arc::new(Plan { pools: vec![Pool { policy, ..Pool::main() }], ..Plan::default() });
            match pick(&Ask::default(), &snapshot, None, &[], now()) {
                Decision::Take(pick) => Some(pick.contender.account.id),
                Decision::Wait(_) => None,
            }
        };
        let picked = by(None);
        prop_assert!(picked.is_some(), "what nobody knows refuses nobody");
        prop_assert_eq!(picked, by(Some(0.5)), "it counts as half");
    }

    #[test]
    fn without_a_binding_the_first_place_of_the_course_that_can_serve_does(world in worlds()) {
        let world = World { bound: None, ..world };
        let first = able(&world).into_iter().map(|(place, ..)| place).min();
        let slot = first.filter(|place| *place < 100).map(|place| u8::try_from(place).unwrap());
        prop_assert_eq!(world.picked().map(|pick| pick.why.slot), first.map(|_| slot));
    }

    #[test]
    fn the_same_world_decides_the_same_in_whatever_order_accounts_are_listed(world in worlds(), turn in 0usize..6) {
        let decision = gist(&world.pick());
        prop_assert_eq!(&gist(&world.pick()), &decision);
        let mut turned = world.snapshot.contenders.to_vec();
        let length = turned.len();
        turned.rotate_left(turn % length);
        let snapshot = Snapshot { contenders: turned.into_iter().collect(), ..world.snapshot.clone() };
        let turned = World { snapshot, ..world };
        match (gist(&turned.pick()), decision) {
            (Ok(turned), Ok(decision)) => prop_assert_eq!(turned, decision),
            (Err(turned), Err(decision)) => prop_assert_eq!(turned.until, decision.until),
            (turned, decision) => prop_assert!(false, "{turned:?} {decision:?}"),
        }
    }

    #[test]
    fn a_better_priority_never_loses_an_account_its_place(world in worlds(), better in 1i32..5) {
        let world = World { bound: None, ..world };
        if let Some(pick) = world.picked() {
            let id = pick.contender.account.id;
            let mut contenders = world.snapshot.contenders.clone();
            contenders.change(|one| one.account.id == id, |one| one.account.priority -= better);
            let snapshot = Snapshot { contenders, ..world.snapshot.clone() };
            let raised = World { snapshot, ..world };
            prop_assert_eq!(raised.picked().map(|pick| pick.contender.account.id), Some(id));
        }
    }

    #[test]
    fn a_conversation_is_bound_to_whom_it_moves_to_and_not_to_where_it_spills(world in worlds()) {
        if let (Some(pick), Some(bound)) = (world.picked(), world.bound) {
            let is_home = pick.contender.account.id == bound.account;
            match pick.why.choice {
                Choice::Bound => prop_assert!(is_home && !pick.why.binds),
                Choice::Kept => prop_assert!(is_home && !pick.why.weighed.unwrap().is_worth_it() && !pick.why.binds),
                Choice::Moved => prop_assert!(!is_home && pick.why.weighed.unwrap().is_worth_it()),
                Choice::Spilled => prop_assert!(!is_home && !pick.why.binds),
                Choice::Rebound => prop_assert!(!is_home && pick.why.binds),
                Choice::Sole | Choice::Policy | Choice::LastResort => prop_assert!(false, "it is bound"),
            }
            let is_beside = world.ask.family() != bound.family;
            prop_assert!(!(is_beside && pick.why.binds), "another model moves nothing");
        }
    }

    #[test]
    fn what_is_explained_is_what_is_decided(world in worlds()) {
        let record = explain(&world.ask, &world.snapshot, world.bound.as_ref(), &world.set_aside, now());
        let chosen = record.candidates.iter().position(|one| one.outcome == Outcome::Chosen);
        match world.pick() {
            Decision::Take(pick) => {
                let id = pick.contender.account.id;
                let is_alone = record.candidates.iter().all(|one| one.outcome != Outcome::Next);
                let choice = if is_alone && pick.why.choice == Choice::Policy { Choice::Sole } else { pick.why.choice };
                prop_assert_eq!((record.account, record.choice), (Some(id), Some(choice)));
                prop_assert_eq!((record.weighed, record.prevented), (pick.why.weighed, pick.why.prevented));
                prop_assert_eq!(chosen, Some(0), "the chosen one stands first");
                let first = &record.candidates[0];
                prop_assert_eq!((first.account, first.slot), (id, pick.why.slot));
                prop_assert_eq!(first.model.as_ref(), pick.sent(&world.ask));
            }
            Decision::Wait(wait) => {
                let is_resort = record.choice == Some(Choice::LastResort);
                prop_assert!(record.account.is_none() || is_resort);
                prop_assert_eq!((record.until, record.prevented), (wait.until, wait.prevented));
                prop_assert_eq!(chosen, is_resort.then_some(0));
                prop_assert!(record.candidates.iter().all(|one| one.outcome != Outcome::Next));
            }
        }
        let named: std::collections::BTreeSet<_> = record.candidates.iter().map(|one| one.account).collect();
        prop_assert!(record.left_out > 0 || named.len() == world.snapshot.contenders.len(), "nobody is left out");
        prop_assert!(record.candidates.len() <= MOST_CANDIDATES);
        let text = serde_json::to_string(&record).unwrap();
        prop_assert_eq!(serde_json::from_str::<crate::domain::DecisionRecord>(&text).unwrap().candidates, record.candidates);
    }
}
