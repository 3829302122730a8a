//! Whether a conversation stays where it is. Its prompt lies in the cache of one account: on any other it would
//! have to be written anew. A move is made if it gains more than that; a request that can't wait for its account
//! goes elsewhere without moving the conversation.

use jiff::Timestamp;

use super::{
    Bound,
    case::Case,
    expiry::Expiry,
    guarded,
    pick::Stand,
    rank::{Doubt, used},
    standing_for,
};
use crate::domain::{Choice, Gain, Micros, Policy, StandingState, Weighed};

/// What a conversation is bound to, as far as that could take the request.
#[derive(Clone, Copy)]
pub(super) struct Tie<'a> {
    pub bound: Bound,
    pub home: Option<Stand<'a>>,
    pub refuge: Option<Stand<'a>>,
}

/// What the order that a person set is worth, in tokens of plain input: a short conversation goes back to a better
/// account at once, a long one when its cache has gone cold.
const ORDER: f64 = 50_000.0;
/// What a whole window more of room is worth. Affinity is kept until little room is left.
const ROOM: f64 = 500_000.0;
/// What a whole week that would end unspent is worth.
const WEEK: f64 = 2_000_000.0;
/// A token costs so many times as much to write into the cache as to read plainly, and from it: Anthropic's price
/// list, for the cache that lives five minutes.
const WRITE: f64 = 1.25;
const READ: f64 = 0.1;

/// Who takes the request of a bound conversation, why, and whether it is bound to that account from now on.
pub(super) fn settle<'a>(
    case: &Case<'a>,
    tie: &Tie<'a>,
    best: Stand<'a>,
) -> (Stand<'a>, Choice, bool, Option<Weighed>) {
    let bound = tie.bound;
    // What is asked beside the conversation, with another model, has a cache of its own and moves nothing.
    let is_of_it = bound.family == case.ask.family();
    let warm = |until: Timestamp| is_of_it && until > case.now;
    let refuge =
        tie.refuge.zip(bound.refuge).filter(|(_, refuge)| warm(refuge.warm_until)).map(|(stand, _)| stand);
    let is_lost = is_of_it && is_away_for_good(case, &bound);
    match (tie.home, refuge) {
        // It came to an end at home, and goes on where it found refuge.
        (_, Some(refuge)) if is_lost || bound.warm_until <= case.now => {
            let (stand, _, weighed) = weigh(case, &bound, true, refuge, best);
            (stand, Choice::Rebound, is_of_it, weighed)
        }
        (Some(home), _) => {
            let (stand, moves, weighed) = weigh(case, &bound, warm(bound.warm_until), home, best);
            let choice = match () {
                () if moves => Choice::Moved,
                () if weighed.is_some() => Choice::Kept,
                () => Choice::Bound,
            };
            (stand, choice, moves && is_of_it, weighed)
        }
        (None, Some(refuge)) => {
            let (stand, _, weighed) = weigh(case, &bound, true, refuge, best);
            (stand, Choice::Spilled, false, weighed)
        }
        (None, None) if is_lost => (best, Choice::Rebound, true, None),
        (None, None) => (best, Choice::Spilled, false, None),
    }
}

/// Whether the account that a conversation is bound to comes back later than its cache lives, or when nobody
/// knows and the cache is gone already.
fn is_away_for_good(case: &Case<'_>, bound: &Bound) -> bool {
    let Some(home) = case.snapshot.get(bound.account) else { return true };
    let family = case.family(home, None);
    let standing = standing_for(home, family, case.now);
    let held = guarded::held(home, family, &case.snapshot.plan.zones, case.now);
    if standing.state == StandingState::Ready && held.is_none() {
        return false;
    }
    let back = standing.until.max(held.and_then(|held| held.until));
    back.unwrap_or(case.now) >= bound.warm_until
}

/// Weighs the first by the policy against the account that has the prompt in its cache, if it is warm.
fn weigh<'a>(
    case: &Case<'a>,
    bound: &Bound,
    is_warm: bool,
    here: Stand<'a>,
    best: Stand<'a>,
) -> (Stand<'a>, bool, Option<Weighed>) {
    if best.id() == here.id() {
        // Of the places at which it stands, the better one.
        return (best, false, None);
    }
    let (gain, worth) = gain(case, here, best);
    let cold_tokens = if is_warm { bound.prefix.unwrap_or_else(|| case.ask.input_tokens()) } else { 0 };
    let weighed = Weighed {
        cold_tokens,
        cold_cost: case
            .ask
            .cache_price
            .map(|price| Micros(cold_tokens.saturating_mul(price.write.saturating_sub(price.read)) / 1_000)),
        charge: whole(cold_tokens as f64 * dearer(case)),
        gain,
        worth: whole(worth),
    };
    let moves = weighed.is_worth_it();
    (if moves { best } else { here }, moves, Some(weighed))
}

/// How many tokens of plain input it costs more to write a token into the cache than to read it from there.
fn dearer(case: &Case<'_>) -> f64 {
    match case.ask.cache_price {
        Some(price) if price.write > 0 => {
            WRITE * price.write.saturating_sub(price.read) as f64 / price.write as f64
        }
        _ => WRITE - READ,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast keeps to what fits")]
fn whole(tokens: f64) -> u64 {
    tokens.round() as u64
}

/// What is gained by going there, and what that is worth.
fn gain(case: &Case<'_>, here: Stand<'_>, there: Stand<'_>) -> (Gain, f64) {
    if here.rank.doubt == Doubt::Unfit && there.rank.doubt != Doubt::Unfit {
        return (Gain::Fit, f64::INFINITY);
    }
    if (there.rank.stage, there.rank.doubt) != (here.rank.stage, here.rank.doubt) {
        return (Gain::Order, ORDER);
    }
    let family = |stand: Stand<'_>| case.family(stand.contender, stand.place.model);
    let expiry = |stand: Stand<'_>| Expiry::of(stand.contender, family(stand), case.now);
    let room = || {
        let used = |stand: Stand<'_>| used(case, stand.contender, family(stand)).unwrap_or(0.5);
        let more = used(here) - used(there);
        if more > 0.0 { (Gain::Headroom, more * ROOM) } else { (Gain::Nothing, 0.0) }
    };
    let is_included = || expiry(there).has_allotment() && !expiry(here).has_allotment();
    let is_better = || there.contender.account.priority < here.contender.account.priority;
    match there.place.policy {
        Policy::Priority if is_better() && is_included() => (Gain::Included, f64::INFINITY),
        Policy::Priority if is_better() => (Gain::Order, ORDER),
        Policy::Priority | Policy::Headroom => room(),
        Policy::SoonestReset if is_included() => (Gain::Included, f64::INFINITY),
        Policy::SoonestReset => {
            let more = expiry(there).behind() - expiry(here).behind();
            if more > 0.0 { (Gain::Expiring, more * WEEK) } else { (Gain::Nothing, 0.0) }
        }
        Policy::RoundRobin => (Gain::Nothing, 0.0),
    }
}
