//! Whether a conversation stays where it is. Its prompt lies in the cache of one account: on any other it would
//! have to be written anew. A move is made if it gains more than that; a request that can't wait for its account
//! goes elsewhere without moving the conversation.

use jiff::Timestamp;

use crate::domain::{CachePrice, Choice, Gain, Micros, Policy, StandingState, Weighed};
use crate::routing::{
    Bound,
    case::Case,
    pick::Stand,
    rank::expiry::Expiry,
    rank::{Doubt, used},
    standing::guarded,
    standing_for,
};

/// What a conversation is bound to, as far as that could take the request.
#[derive(Clone, Copy)]
pub(in crate::routing) struct Tie<'a> {
    pub bound: Bound,
    pub home: Option<Stand<'a>>,
    pub refuge: Option<Stand<'a>>,
}

/// What the order that a person set is worth, in tokens of plain input: a short conversation goes back to a better
/// account at once, a long one when its cache has gone cold.
const ORDER: f64 = 50_000.0;
/// What a whole window more of room is worth: little, for who runs out of it moves soon enough, and at the same price.
const ROOM: f64 = 50_000.0;
/// What a whole week that would end unspent is worth. New conversations go there anyway.
const WEEK: f64 = 500_000.0;
/// A token costs so many times as much to write into the cache as to read plainly, and from it: Anthropic's price
/// list, for the cache that lives five minutes and for the one that lives an hour.
const WRITE: f64 = 1.25;
const WRITE_1H: f64 = 2.0;
const READ: f64 = 0.1;

/// Who takes the request of a bound conversation, why, and whether it is bound to that account from now on.
pub(in crate::routing) fn settle<'a>(
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
    let family = case.family(case.sent(home, None));
    let standing = standing_for(home, family, case.now);
    let kept = guarded::kept_back(home, family, &case.snapshot.plan.zones, case.now);
    if standing.state == StandingState::Ready && kept.is_none() {
        return false;
    }
    let back = standing.until.max(kept.and_then(|kept| kept.until));
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
        cold_cost: case.ask.cache_price.map(|price| {
            Micros(cold_tokens.saturating_mul(write(price, bound).saturating_sub(price.read)) / 1_000)
        }),
        charge: whole(cold_tokens as f64 * dearer(case, bound)),
        gain,
        worth: whole(worth),
    };
    let moves = weighed.is_worth_it();
    (if moves { best } else { here }, moves, Some(weighed))
}

/// How many tokens of plain input it costs more to write a token into the cache than to read it from there.
fn dearer(case: &Case<'_>, bound: &Bound) -> f64 {
    let usual = if bound.for_an_hour { WRITE_1H } else { WRITE };
    match case.ask.cache_price {
        Some(price) if write(price, bound) > 0 => {
            let write = write(price, bound);
            usual * write.saturating_sub(price.read) as f64 / write as f64
        }
        _ => usual - READ,
    }
}

/// What a token costs that is written into the kind of cache that this conversation has.
fn write(price: CachePrice, bound: &Bound) -> u64 {
    if bound.for_an_hour { price.write_1h } else { price.write }
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
    let family = |stand: Stand<'_>| case.family_at(stand.contender, &stand.place);
    let expiry = |stand: Stand<'_>| Expiry::of(stand.glance, family(stand), case.moment);
    let room = || {
        let used = |stand: Stand<'_>| used(case, stand.contender, stand.glance, family(stand)).unwrap_or(0.5);
        let more = used(here) - used(there);
        if more > 0.0 { (Gain::Headroom, more * ROOM) } else { (Gain::Nothing, 0.0) }
    };
    let is_included = || expiry(there).has_allotment && !expiry(here).has_allotment;
    let is_better = || there.contender.account.priority < here.contender.account.priority;
    match there.place.policy {
        Policy::Priority if is_better() && is_included() => (Gain::Included, f64::INFINITY),
        Policy::Priority if is_better() => (Gain::Order, ORDER),
        Policy::Priority | Policy::Headroom => room(),
        Policy::SoonestReset if is_included() => (Gain::Included, f64::INFINITY),
        Policy::SoonestReset => {
            // Where as many conversations are bound already, they will spend it.
            let is_idler = there.contender.load.bound() < here.contender.load.bound();
            let more = if is_idler { expiry(there).behind - expiry(here).behind } else { 0.0 };
            if more > 0.0 { (Gain::Expiring, more * WEEK) } else { (Gain::Nothing, 0.0) }
        }
        Policy::RoundRobin => (Gain::Nothing, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountId, Ask, Bench, CachePrice, Family, Policy, Pool};
    use crate::routing::{
        Contender, Decision, Pick, Plan, Refuge, Snapshot, pick,
        pick::tests::{account, in_minutes, now, window},
    };
    use std::sync::Arc;

    fn ask() -> Ask {
        Ask { model: Some("claude-opus-5-5".into()), session: Some("a".into()), ..Ask::default() }
    }

    /// To account 1, with so many tokens in a cache that is warm for 10 minutes.
    fn bound(prefix: u64) -> Bound {
        let bound = Bound::new(AccountId(1), Some(Family::Opus), now());
        Bound { prefix: Some(prefix), warm_until: in_minutes(10), ..bound }
    }

    fn decide(policy: Policy, contenders: Vec<Contender>, ask: &Ask, bound: Bound) -> Pick {
        let mut snapshot = Snapshot::of(contenders);
        let pools = vec![Pool { policy, ..Pool::main() }];
        snapshot.plan = Arc::new(Plan { pools, ..Plan::default() });
        match pick(ask, &snapshot, Some(&bound), &[], now()) {
            Decision::Take(pick) => pick,
            Decision::Wait(wait) => panic!("{wait:?}"),
        }
    }

    /// Who, why, and whether it is bound to it from now on.
    fn gist(pick: &Pick) -> (i64, Choice, bool) {
        (pick.contender.account.id.0, pick.why.choice, pick.why.binds)
    }

    fn benched(id: i64, minutes: i64) -> Contender {
        let mut contender = account(id);
        contender.account.bench =
            Some(Bench { since: now(), until: in_minutes(minutes), reason: "asked".into(), streak: 1 });
        contender
    }

    #[test]
    fn a_long_conversation_stays_where_its_cache_is_and_a_short_one_goes_back_to_the_better_account() {
        let both = || vec![account(1).with_priority(1), account(2)];
        let long = decide(Policy::Priority, both(), &ask(), bound(180_000));
        assert_eq!(gist(&long), (1, Choice::Kept, false));
        let weighed = long.why.weighed.unwrap();
        assert_eq!((weighed.cold_tokens, weighed.gain, weighed.charge), (180_000, Gain::Order, 207_000));
        let short = decide(Policy::Priority, both(), &ask(), bound(20_000));
        assert_eq!(gist(&short), (2, Choice::Moved, true));
    }

    #[test]
    fn what_has_gone_cold_moves_for_nothing() {
        let cold = Bound { warm_until: now(), ..bound(180_000) };
        let both = vec![account(1).with_priority(1), account(2)];
        assert_eq!(gist(&decide(Policy::Priority, both, &ask(), cold)), (2, Choice::Moved, true));
    }

    #[test]
    fn a_prompt_of_unknown_length_counts_as_long_as_it_is_now() {
        let unknown = Bound { prefix: None, ..bound(0) };
        let long = Ask { bytes: 800_000, ..ask() };
        let both = vec![account(1).with_priority(1), account(2)];
        let pick = decide(Policy::Priority, both, &long, unknown);
        assert_eq!(pick.why.weighed.unwrap().cold_tokens, 200_000, "unknown is not nothing");
    }

    #[test]
    fn what_is_paid_by_use_gives_way_at_once_to_what_is_paid_for_already() {
        let by_use = account(1).with(window("tokens", 0.1, false, 1)).with_priority(1);
        let mut plan = account(2).with(window("5h", 0.1, false, 60));
        plan.account.spill = Some(crate::domain::Spill { all: Some(now()), only: [].into() });
        let pick = decide(Policy::Priority, vec![by_use, plan], &ask(), bound(180_000));
        assert_eq!(gist(&pick), (2, Choice::Moved, true));
        assert_eq!(pick.why.weighed.unwrap().gain, Gain::Included);
    }

    #[test]
    fn a_price_that_is_known_is_told_and_one_without_a_discount_keeps_nobody() {
        let price =
            |read, write, write_1h| Ask { cache_price: Some(CachePrice { read, write, write_1h }), ..ask() };
        let both = || vec![account(1).with_priority(1), account(2)];
        let pick = decide(Policy::Priority, both(), &price(500, 6_250, 10_000), bound(100_000));
        assert_eq!(pick.why.weighed.unwrap().cold_cost, Some(Micros(575_000)), "57 cents");
        let long = Bound { for_an_hour: true, ..bound(100_000) };
        let hour = decide(Policy::Priority, both(), &price(500, 6_250, 10_000), long).why.weighed.unwrap();
        assert_eq!(
            hour.cold_cost,
            Some(Micros(950_000)),
            "what is kept for an hour is written for twice the price"
        );
        assert_eq!((hour.charge, pick.why.weighed.unwrap().charge), (190_000, 115_000));
        let unpriced = decide(Policy::Priority, both(), &ask(), long).why.weighed.unwrap();
        assert_eq!((unpriced.charge, unpriced.cold_cost), (190_000, None));
        let flat = decide(Policy::Priority, both(), &price(3_000, 3_000, 3_000), bound(100_000));
        assert_eq!(
            gist(&flat),
            (2, Choice::Moved, true),
            "where a cache saves nothing, leaving it costs nothing"
        );
        let odd = decide(Policy::Priority, both(), &price(9_000, 0, 0), bound(100_000));
        assert_eq!(odd.why.weighed.unwrap().cold_cost, Some(Micros(0)), "absurd prices are no panic");
    }

    #[test]
    fn a_spill_over_does_not_move_the_conversation() {
        let pick = decide(Policy::Priority, vec![benched(1, 5), account(2)], &ask(), bound(180_000));
        assert_eq!(gist(&pick), (2, Choice::Spilled, false));
    }

    #[test]
    fn who_is_away_for_longer_than_the_cache_lives_loses_the_conversation() {
        let pick = decide(Policy::Priority, vec![benched(1, 10), account(2)], &ask(), bound(180_000));
        assert_eq!(gist(&pick), (2, Choice::Rebound, true));
        let mut refused = account(1);
        refused.account.refused = Some("refused".into());
        let warm = decide(Policy::Priority, vec![refused.clone(), account(2)], &ask(), bound(1));
        assert_eq!(gist(&warm), (2, Choice::Spilled, false), "nobody knows how long, and the cache is warm");
        let cold = Bound { warm_until: now(), ..bound(1) };
        let cold = decide(Policy::Priority, vec![refused, account(2)], &ask(), cold);
        assert_eq!(gist(&cold), (2, Choice::Rebound, true));
    }

    #[test]
    fn a_conversation_that_found_refuge_stays_there_until_its_account_is_back() {
        let refuge = Some(Refuge { account: AccountId(3), warm_until: in_minutes(4) });
        let away = Bound { refuge, ..bound(180_000) };
        let three = |first: Contender| vec![first, account(2), account(3).with_priority(1)];
        assert_eq!(
            gist(&decide(Policy::Priority, three(benched(1, 5)), &ask(), away)),
            (3, Choice::Spilled, false)
        );
        assert_eq!(
            gist(&decide(Policy::Priority, three(account(1)), &ask(), away)),
            (1, Choice::Bound, false)
        );
        let forgotten = Bound { warm_until: now(), ..away };
        assert_eq!(
            gist(&decide(Policy::Priority, three(account(1)), &ask(), forgotten)),
            (3, Choice::Rebound, true),
            "its cache is warm in its refuge and nowhere else"
        );
    }

    #[test]
    fn what_is_asked_beside_a_conversation_moves_nothing() {
        let haiku = Ask { model: Some("claude-haiku-5-5".into()), ..ask() };
        let pick = decide(Policy::Priority, vec![benched(1, 99), account(2)], &haiku, bound(180_000));
        assert_eq!(gist(&pick), (2, Choice::Spilled, false));
        let both = vec![account(1).with_priority(1), account(2)];
        let pick = decide(Policy::Priority, both, &haiku, bound(180_000));
        assert!(!pick.why.binds);
        assert_eq!(pick.why.weighed.unwrap().cold_tokens, 0, "the other model's cache is not there");
    }

    #[test]
    fn a_week_that_would_end_unspent_moves_a_conversation_unless_others_spend_it() {
        let day = 24 * 60;
        let home = || account(1).with(window("7d", 0.5, false, 5 * day));
        let ending = || account(2).with(window("7d", 0.2, false, day));
        let seat = |contender: &Contender| contender.load.seat();
        let (here, there) = (home(), ending());
        let _mine = seat(&here);
        let pick = decide(Policy::SoonestReset, vec![here, there], &ask(), bound(100_000));
        assert_eq!((gist(&pick), pick.why.weighed.unwrap().gain), ((2, Choice::Moved, true), Gain::Expiring));
        let (here, there) = (home(), ending());
        let _seats = (seat(&here), seat(&there));
        let pick = decide(Policy::SoonestReset, vec![here, there], &ask(), bound(100_000));
        assert_eq!(gist(&pick), (1, Choice::Kept, false));
    }

    #[test]
    fn taking_turns_moves_no_conversation() {
        let (one, two) = (account(1), account(2));
        drop(one.load.lease());
        let pick =
            decide(Policy::RoundRobin, vec![one, two], &ask(), Bound { warm_until: now(), ..bound(9) });
        assert_eq!(gist(&pick), (1, Choice::Kept, false));
    }

    #[test]
    fn an_account_that_is_gone_binds_nobody() {
        let gone = Bound { account: AccountId(9), ..bound(180_000) };
        let pick = decide(Policy::Priority, vec![account(2)], &ask(), gone);
        assert_eq!(gist(&pick), (2, Choice::Policy, true));
    }
}
