//! What selection promises in whatever world it finds itself: accounts, pools, routes, bindings and guards as they
//! come, contradictions and dead ends included.

mod by_hand;

use std::{num::NonZeroU32, sync::Arc};

use proptest::{collection::vec, option, prelude::*, sample::Index};

use by_hand::able;

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
