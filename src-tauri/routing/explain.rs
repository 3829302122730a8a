//! Says in words why a request goes where it goes, from the same inputs and by the same judgement as `pick`.
//! Costs what words cost: for whoever reads a decision, and for refusals.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Aside, Bound, Contender, PassedOver, Snapshot, Wait,
    case::{Case, Lack, Obstacle},
    last_resort,
    pick::{Stand, Survey, Why, for_each_place},
    plan::course::{Bounds, Place},
    rank::{Doubt, Rank, used},
    standing::guarded,
    standing::health::{self, Hindrance},
    standing_for,
};
use crate::domain::{
    AccountId, Ask, Candidate, Choice, DecisionRecord, Endpoint, MOST_CANDIDATES, Outcome, Policy, Prevented,
    Standing, StandingState, Target, counted,
};

/// The whole record of a decision, from what it would be made of now.
pub fn explain(
    ask: &Ask,
    snapshot: &Snapshot,
    bound: Option<&Bound>,
    set_aside: &[Aside],
    now: Timestamp,
) -> DecisionRecord {
    let case = Case::of(ask, snapshot, set_aside, now);
    let chosen = Survey::of(&case, bound).choose(&case).map(|(stand, why)| (stand.id(), why));
    let resort = || {
        let pick = last_resort(ask, snapshot, set_aside, now)?;
        Some((pick.contender.account.id, pick.why))
    };
    record(&case, bound, chosen.or_else(resort))
}

/// The record of a decision that was made at that time from these very inputs: who was chosen, if anybody was,
/// and why. That stands, although how busy everybody is has changed since.
pub fn recall(
    ask: &Ask,
    snapshot: &Snapshot,
    bound: Option<&Bound>,
    set_aside: &[Aside],
    taken: Option<(AccountId, Why)>,
    at: Timestamp,
) -> DecisionRecord {
    record(&Case::of(ask, snapshot, set_aside, at), bound, taken)
}

fn record(case: &Case<'_>, bound: Option<&Bound>, taken: Option<(AccountId, Why)>) -> DecisionRecord {
    let why = taken.map(|(_, why)| why);
    let chosen = taken.and_then(|(id, why)| Chosen::of(case, id, why));
    let is_resort = why.is_none_or(|why| why.choice == Choice::LastResort);
    let mut candidates = candidates(case, chosen.as_ref());
    let is_alone = !candidates.iter().any(|one| one.outcome == Outcome::Next);
    let choice =
        why.map(|why| if is_alone && why.choice == Choice::Policy { Choice::Sole } else { why.choice });
    if let Some((first, Choice::Sole)) = candidates.first_mut().zip(choice) {
        first.why = "nobody else could".into();
    }
    let left_out = candidates.len().saturating_sub(MOST_CANDIDATES);
    candidates.truncate(MOST_CANDIDATES);
    let plan = &case.snapshot.plan;
    DecisionRecord {
        at: case.now,
        account: taken.map(|(id, _)| id),
        choice,
        policy: chosen.filter(|_| !is_resort).map(|chosen| chosen.place.policy),
        pool: case.course.pool().and_then(|id| plan.pool(id)).map(|pool| pool.name.as_str().into()),
        route: case.course.route.map(|route| route.name.as_str().into()),
        binding: case.course.binding.map(|binding| binding.subject.to_string().into()),
        bound_to: bound.map(|bound| bound.account),
        weighed: why.and_then(|why| why.weighed),
        prevented: why.map_or_else(|| Survey::of(case, bound).prevented(case, None), |why| why.prevented),
        until: if is_resort { wait(case, None).until } else { None },
        notes: notes(case),
        candidates,
        left_out: u32::try_from(left_out).unwrap_or(u32::MAX),
    }
}

/// The account that takes it, at the place where it was chosen.
struct Chosen<'a> {
    place: Place<'a>,
    why: Why,
    /// As far as it could still take it.
    stand: Option<Stand<'a>>,
    id: AccountId,
}

impl<'a> Chosen<'a> {
    fn of(case: &Case<'a>, id: AccountId, why: Why) -> Option<Self> {
        let (contender, glance) = case.snapshot.contenders.find(id)?;
        let place = case.course.places(contender).into_iter().find(|place| place.slot == why.slot)?;
        let stand = Stand { contender, glance, place, rank: case.rank(contender, glance, &place) };
        let stand = case.obstacle(contender, &place).is_none().then_some(stand);
        Some(Self { place, why, stand, id })
    }

    fn is(&self, contender: &Contender, place: &Place<'_>) -> bool {
        self.id == contender.account.id && self.place.stage == place.stage
    }
}

/// Why nobody can take it.
pub(super) fn wait(case: &Case<'_>, prevented: Option<Prevented>) -> Wait {
    let passed = |contender: &Arc<Contender>| PassedOver {
        account: contender.account.name.clone(),
        standing: not_eligible(case, contender).unwrap_or(Standing::READY),
        is_signed_in: contender.account.sign_in.is_some(),
    };
    let mut is_busy = false;
    for_each_place(case, |contender, _, place| {
        is_busy |= case.obstacle(contender, place) == Some(Obstacle::Full);
    });
    let why: Vec<PassedOver> = case.snapshot.contenders.iter().map(passed).collect();
    let until = why.iter().filter_map(|passed| passed.standing.until).min();
    Wait { until, is_busy, why, notes: notes(case), prevented }
}

/// Why this account takes no request like this one now, guards and all, and until when; `None` if it does, or is
/// not there.
pub fn why_not(ask: &Ask, snapshot: &Snapshot, account: AccountId, now: Timestamp) -> Option<Standing> {
    not_eligible(&Case::of(ask, snapshot, &[], now), snapshot.get(account)?)
}

/// Of several places of an account, the reason of the one at which it is back first.
fn not_eligible(case: &Case<'_>, contender: &Contender) -> Option<Standing> {
    let back = |standing: &Standing| standing.until.unwrap_or(Timestamp::MAX);
    let mut first: Option<Standing> = None;
    for place in case.course.places(contender) {
        let standing = standing(case, contender, &place, case.obstacle(contender, &place)?);
        if first.as_ref().is_none_or(|first| back(&standing) < back(first)) {
            first = Some(standing);
        }
    }
    Some(first.unwrap_or_else(|| because(elsewhere(case, contender))))
}

/// The chosen one, who comes next, then who can't, those that are back soonest first.
fn candidates(case: &Case<'_>, chosen: Option<&Chosen<'_>>) -> Vec<Candidate> {
    let mut able: Vec<(Option<Rank>, Candidate)> = Vec::new();
    let mut unable: Vec<(u8, Candidate)> = Vec::new();
    for_each_place(case, |contender, glance, place| {
        let model = case.sent(contender, place.model).cloned();
        let slot = place.slot;
        let candidate = |outcome, why: Arc<str>, until| Candidate {
            account: contender.account.id,
            name: contender.account.name.as_str().into(),
            slot,
            model,
            outcome,
            why,
            until,
        };
        let takes = chosen.filter(|chosen| chosen.is(contender, place));
        match (case.obstacle(contender, place), takes) {
            (None, Some(Chosen { why, .. })) => {
                able.push((None, candidate(Outcome::Chosen, reason(place.policy, why).into(), None)));
            }
            (None, None) => {
                let rank = case.rank(contender, glance, place);
                let stand = Stand { contender, glance, place: *place, rank };
                let why = match chosen.and_then(|chosen| chosen.stand.as_ref().zip(Some(&chosen.why))) {
                    Some((taker, why)) => behind(case, taker, why, &stand),
                    None => "it could".into(),
                };
                able.push((Some(rank), candidate(Outcome::Next, why, None)));
            }
            (Some(obstacle), takes) => {
                let standing = standing(case, contender, place, obstacle);
                let obstacle = standing.reason.unwrap_or_else(|| "it has just failed this request".into());
                match takes.map(|chosen| chosen.why) {
                    // It is asked all the same, and what speaks against it is what a person wants to know.
                    Some(Why { choice: Choice::LastResort, .. }) => {
                        able.push((None, candidate(Outcome::Chosen, obstacle, standing.until)));
                    }
                    // Its last place was taken by this very request.
                    Some(why) => {
                        able.push((
                            None,
                            candidate(Outcome::Chosen, reason(place.policy, &why).into(), None),
                        ));
                    }
                    None => {
                        unable.push((place.stage, candidate(Outcome::PassedOver, obstacle, standing.until)));
                    }
                }
            }
        }
    });
    let is_elsewhere = |one: &&Arc<Contender>| case.course.places(one).is_empty();
    let others = case.snapshot.contenders.iter().filter(is_elsewhere).map(|contender| Candidate {
        account: contender.account.id,
        name: contender.account.name.as_str().into(),
        slot: None,
        model: None,
        outcome: Outcome::PassedOver,
        why: elsewhere(case, contender),
        until: None,
    });
    // The chosen one has no rank here, and stands first.
    able.sort_by_key(|(rank, _)| *rank);
    unable.sort_by_key(|(stage, one)| (*stage, one.until.unwrap_or(Timestamp::MAX), one.account));
    let able = able.into_iter().map(|(_, candidate)| candidate);
    able.chain(unable.into_iter().map(|(_, candidate)| candidate)).chain(others).collect()
}

/// An obstacle as the standing that it amounts to.
fn standing(case: &Case<'_>, contender: &Contender, place: &Place<'_>, obstacle: Obstacle) -> Standing {
    match obstacle {
        Obstacle::Terms => Standing { reason: case.allowed.why_not(contender), ..Standing::READY },
        // A path is of no use to one that could not serve it anyway.
        Obstacle::Costs => match case.obstacle_beyond_terms(contender, place) {
            Some(other) => standing(case, contender, place, other),
            None => Standing { reason: costs(case, contender, place), ..Standing::READY },
        },
        Obstacle::AnotherModel => {
            let sent = case.sent(contender, place.model).map_or("another model", AsRef::as_ref);
            because(
                format!(
                    "it would be asked for {sent} instead, and only the model that was asked for is served"
                )
                .into(),
            )
        }
        Obstacle::Lack(lack) => because(
            match lack {
                Lack::Images => "its upstream takes no images",
                Lack::Tools => "its upstream takes no tools",
                Lack::Beta => "its upstream does not know a beta feature that this request uses",
            }
            .into(),
        ),
        // Whoever has failed it may rest by now.
        Obstacle::Aside | Obstacle::Standing => {
            let need = case.need(case.family_at(contender, place));
            let standing = standing_for(contender, need, case.now);
            let counts = need.endpoint == Endpoint::Counts && obstacle == Obstacle::Aside;
            if counts && standing.reason.is_none() {
                return because("as far as is known, its upstream does not count tokens".into());
            }
            standing
        }
        Obstacle::KeptBack => kept_back(case, contender, place),
        Obstacle::Full => because("it serves as many requests as it may".into()),
    }
}

fn kept_back(case: &Case<'_>, contender: &Contender, place: &Place<'_>) -> Standing {
    let family = case.family_at(contender, place);
    let Some(kept) = guarded::kept_back(contender, family, &case.snapshot.plan.zones, case.now) else {
        return Standing::READY;
    };
    let reason = Some(kept.by.reason().into());
    Standing { state: StandingState::Cooling, reason, until: kept.until }
}

/// Which path would have to be allowed.
fn costs(case: &Case<'_>, contender: &Contender, place: &Place<'_>) -> Option<Arc<str>> {
    let told = || {
        let (plan, other) = (&case.left_plan(contender, place)?.account.name, &contender.account.name);
        Some(
            format!(
                "it is paid by use, and a request that {plan} might serve does not leave a plan for it unless you let it \
                 spill over, which costs money (`headgate accounts set \"{plan}\" --spill-to \"{other}\"`)"
            )
            .into(),
        )
    };
    case.allowed.why_not(contender).or_else(told)
}

/// A reason that lies in the request.
fn because(reason: Arc<str>) -> Standing {
    Standing { reason: Some(reason), ..Standing::READY }
}

/// Why the course of a request does not lead to an account.
fn elsewhere(case: &Case<'_>, contender: &Contender) -> Arc<str> {
    let plan = &case.snapshot.plan;
    let name = |id| plan.pool(id).map_or("main", |pool| pool.name.as_str());
    match (case.course.bounds, case.course.route) {
        (Bounds::Pool(binding), _) if binding.pool != plan.pool_of(contender) => {
            format!("this request does not leave the pool {}", name(binding.pool)).into()
        }
        (Bounds::Gone(_) | Bounds::Contradiction(..), _) => {
            "this request may leave no pool, and is in none".into()
        }
        (_, Some(route)) if !route.falls_through => {
            format!("the route {} does not lead to it", route.name).into()
        }
        _ => format!(
            "it is in the pool {}, to which nothing leads this request",
            name(plan.pool_of(contender))
        )
        .into(),
    }
}

/// What contradicts or points at nothing, each as a sentence.
fn notes(case: &Case<'_>) -> Vec<Arc<str>> {
    let plan = &case.snapshot.plan;
    let mut notes: Vec<Arc<str>> = Vec::new();
    match case.course.bounds {
        Bounds::None | Bounds::Pool(_) => {}
        Bounds::Gone(binding) => notes.push(
            format!("It is bound to a pool that is gone, and may not leave it ({}).", binding.subject).into(),
        ),
        Bounds::Contradiction(one, other) => notes.push(
            format!("It is bound to two pools, and may leave neither ({}; {}).", one.subject, other.subject)
                .into(),
        ),
    }
    for (at, slot) in case.course.slots.iter().enumerate() {
        let what = match slot.target {
            Target::Account(id) if case.snapshot.get(id).is_none() => "an account",
            Target::Pool(id) if id != crate::domain::PoolId::MAIN && plan.pool(id).is_none() => "a pool",
            Target::Account(_) | Target::Pool(_) => continue,
        };
        let route = case.course.route.map_or("", |route| route.name.as_str());
        notes.push(format!("Slot {} of the route {route} points at {what} that is gone.", at + 1).into());
    }
    notes
}

/// Why the chosen one was chosen.
fn reason(policy: Policy, why: &Why) -> &'static str {
    match why.choice {
        Choice::Sole => "nobody else could",
        Choice::Bound => "its conversation is bound to it",
        Choice::Kept => "its conversation is bound to it, and moving would cost more than it gains",
        Choice::Moved => "its conversation moves here, for that gains more than it costs",
        Choice::Spilled => "the account of its conversation can't take it now",
        Choice::Rebound => "the account of its conversation is away for longer than its cache lives",
        Choice::LastResort => "nobody else may serve it",
        Choice::Policy => match policy {
            Policy::Priority => "it has the lowest priority number, and of those the most left",
            Policy::Headroom => "it has most left in its fullest window",
            Policy::SoonestReset => "what it has left expires first",
            Policy::RoundRobin => "it was used longest ago",
        },
    }
}

/// What makes an account the second choice for a moment.
fn hindered(case: &Case<'_>, other: &Stand<'_>) -> &'static str {
    let family = case.family_at(other.contender, &other.place);
    match health::hindrance(other.contender, case.need(family), case.now) {
        Some(Hindrance::Probation) => {
            "it has just come back, and one request is on its way to see whether it works"
        }
        Some(Hindrance::Weather(_)) => "its upstream is in trouble",
        Some(Hindrance::Crowd) => "its upstream has just come back, and requests return to it step by step",
        None => "it is just coming back",
    }
}

/// Why one that could take it comes after the chosen one.
fn behind(case: &Case<'_>, chosen: &Stand<'_>, why: &Why, other: &Stand<'_>) -> Arc<str> {
    if other.rank < chosen.rank {
        // Nobody stood before it when it was chosen: since then one of the two has become more or less busy.
        if matches!(why.choice, Choice::Sole | Choice::Policy | Choice::Moved) {
            return "it was as good but for the requests that it served".into();
        }
        let kept = why.weighed.map(|weighed| weighed.cold_tokens).filter(|tokens| *tokens > 0);
        return match kept {
            Some(tokens) => {
                format!("moving here would write {} into the cache anew", counted(tokens, "token")).into()
            }
            None => "the conversation is bound to another".into(),
        };
    }
    if other.rank.stage != chosen.rank.stage {
        return "it comes later on the way".into();
    }
    match other.rank.doubt {
        doubt if doubt == chosen.rank.doubt => {}
        Doubt::Spared => return "it is spared at this hour".into(),
        Doubt::Hindered => return hindered(case, other).into(),
        Doubt::Unfit => return "its upstream does not list the model, or reads less".into(),
        Doubt::None => {}
    }
    let (theirs, its) = (chosen.contender.account.priority, other.contender.account.priority);
    match other.place.policy {
        Policy::Priority if its != theirs => format!("priority {its} comes after {theirs}").into(),
        Policy::RoundRobin => "it was used more recently".into(),
        Policy::SoonestReset => "what it has left expires later".into(),
        Policy::Priority | Policy::Headroom => {
            match used(case, other.contender, other.glance, case.family_at(other.contender, &other.place)) {
                Some(share) => format!("{:.0} % of its fullest window is used", share * 100.0).into(),
                None => "nobody knows how much of it is left".into(),
            }
        }
    }
}

#[cfg(test)]
mod tests;
