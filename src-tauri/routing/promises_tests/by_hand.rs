//! The same rules once more, slowly and without the code that decides: what the promises are held against. Uses of
//! routing only what it is given.

use super::*;

/// Who could take the request, and at which places, found without the code that decides it.
pub fn able(world: &World) -> Vec<Way> {
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
pub type Way = (usize, AccountId, Option<Arc<str>>);

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
