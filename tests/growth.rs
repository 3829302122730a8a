//! What stays in memory is bounded by what there is, and not by how often it was asked for. In a program of its own, for it
//! counts every byte that is allocated in it.

#[path = "../benches/common/accounts.rs"]
mod accounts;

use std::{alloc::System, time::Duration};

use accounts::{asked, snapshot};
use cap::Cap;
use headgate::{
    domain::{Ask, Policy},
    routing::{self, Affinities, Decision, MOST_AFFINITIES, Snapshot},
};
use jiff::{SignedDuration, Timestamp};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// As the proxy does it: looked up, decided, noted as served, and its cache noted.
fn turn(affinities: &Affinities, snapshot: &Snapshot, ask: &Ask, now: Timestamp) {
    let conversation = ask.conversation().expect("it names its session");
    let bound = affinities.of(&conversation, now);
    let Decision::Take(pick) = routing::pick(ask, snapshot, bound.as_ref(), &[], now) else {
        panic!("every account is ready")
    };
    let (id, family) = (pick.contender.account.id, ask.family());
    affinities.served(&conversation, &pick, family, now);
    affinities.cached(&conversation, id, family, 50_000, Some(Duration::from_mins(5)), now);
}

#[test]
fn a_second_turn_of_10_000_bound_conversations_takes_no_more_memory_than_the_first_left() {
    let start: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    for policy in Policy::ALL {
        let snapshot = snapshot(policy, 10, start);
        let affinities = Affinities::default();
        let sets = [0, MOST_AFFINITIES]
            .map(|first| (first..first + MOST_AFFINITIES).map(asked).collect::<Vec<Ask>>());
        let pass = |asks: &[Ask], minutes| {
            let now = start + SignedDuration::from_mins(minutes);
            for ask in asks {
                turn(&affinities, &snapshot, ask, now);
            }
            MEMORY.allocated()
        };
        let [these, others] = &sets;
        let left = pass(these, 0);
        for minutes in 1..4 {
            let now = pass(these, minutes);
            assert!(now <= left, "{policy}: {left} bytes after the first pass, {now} after {minutes} more");
        }
        // As many others take their places, in turns. A table in which places change hands doubles once, and then tidies
        // itself where it is.
        let take_turns = |minutes: i64| pass(if minutes % 2 == 0 { others } else { these }, minutes);
        let left = (4..10).map(take_turns).max().unwrap();
        for minutes in 10..14 {
            let now = take_turns(minutes);
            assert!(now <= left, "{policy}: {left} bytes with 10,000 others, {now} at minute {minutes}");
        }
    }
}
