//! A week of work, played against accounts with windows of five hours and of seven days: what each policy makes
//! of them, beside what could have been made of them by somebody who knew the whole week before.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    Plan,
    pick::tests::account,
    replay::{Limit, PlayedAsk, Player, Replay, Weights},
};
use crate::domain::{Ask, Conversation, Policy, Pool, WindowName};

/// As Claude Code caches under a sign-in: for an hour, at twice the price of plain input.
const WEIGHTS: Weights =
    Weights { cache_read: 0.1, cache_write: 2.0, output: 5.0, cache_lives: Duration::from_hours(1) };
const DAYS: i64 = 7;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A Monday, midnight.
fn start() -> Timestamp {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

/// The same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.roll() % (most - least + 1)
    }
}

/// People at work from nine to seven: conversations that grow turn by turn, are made short when they are long,
/// and rest while somebody thinks.
fn work(seed: u64, people: u64, days: std::ops::Range<i64>) -> Vec<PlayedAsk> {
    let mut dice = Dice(seed);
    let mut asks = Vec::new();
    for person in 0..people {
        for day in days.clone() {
            let mut now = day * DAY + 9 * HOUR + i64::try_from(dice.between(0, 3_600)).unwrap();
            let end = day * DAY + 19 * HOUR;
            let mut number = 0;
            while now < end {
                number += 1;
                let session: Arc<str> = format!("{person}-{day}-{number}").into();
                let mut prompt = dice.between(18_000, 40_000);
                for _ in 0..dice.between(4, 30) {
                    if now >= end {
                        break;
                    }
                    let output = dice.between(300, 1_500);
                    asks.push(PlayedAsk {
                        at: at(now),
                        ask: Ask {
                            model: Some("claude-opus-5-5".into()),
                            session: Some(Arc::clone(&session)),
                            bytes: prompt * 4,
                            ..Ask::default()
                        },
                        prompt,
                        plain: 0,
                        shared: 0,
                        keeps: prompt + output,
                        output,
                        takes: Duration::from_secs(dice.between(5, 60)),
                        weights: WEIGHTS,
                    });
                    prompt += output + dice.between(500, 8_000);
                    if prompt > 180_000 {
                        prompt = 30_000;
                    }
                    now += i64::try_from(dice.between(60, 420)).unwrap();
                }
                now += i64::try_from(dice.between(60, 1_800)).unwrap();
            }
        }
    }
    asks.sort_by_key(|ask| ask.at);
    asks
}

/// What each request weighs if its conversation never leaves its account.
fn at_best(asks: &[PlayedAsk]) -> Vec<f64> {
    let mut last: HashMap<Conversation, (u64, Timestamp)> = HashMap::new();
    asks.iter()
        .map(|ask| {
            let weights = ask.weights;
            let known = last.insert(ask.ask.conversation().unwrap(), (ask.prompt + ask.output, ask.at));
            let is_warm = |at: &Timestamp| *at + weights.cache_lives > ask.at;
            let read = known.filter(|(_, at)| is_warm(at)).map_or(0, |(tokens, _)| tokens.min(ask.prompt));
            read as f64 * weights.cache_read
                + (ask.prompt - read) as f64 * weights.cache_write
                + ask.output as f64 * weights.output
        })
        .collect()
}

/// A plan: windows of five hours that begin with the first use, and weeks that end at midnight of a day.
#[derive(Clone, Copy)]
struct Seat {
    hours: f64,
    week: f64,
    /// The day of this week at whose beginning its week starts anew.
    turns: i64,
    /// What is used of the week that is open.
    used: f64,
}

fn player(id: i64, seat: Seat) -> Player {
    let contender = account(id).with_priority(i32::try_from(id).unwrap());
    let limit = |name: &str, hours: u64, capacity: f64| Limit {
        name: WindowName(name.into()),
        length: Duration::from_hours(hours),
        capacity,
        anchor: None,
        open: None,
    };
    let turn = at(seat.turns * DAY);
    let week = Limit { anchor: Some(turn), open: Some((turn, seat.used)), ..limit("7d", 7 * 24, seat.week) };
    Player { contender, limits: vec![limit("5h", 5, seat.hours), week], is_paid_by_use: false }
}

fn plan(policy: Policy) -> Plan {
    Plan { pools: vec![Pool { policy, ..Pool::main() }], ..Plan::default() }
}

struct Outcome {
    /// Of what could have been served, by weight.
    share: f64,
    refused: u64,
    switches: u64,
    /// What it took of the accounts, cold prefixes and all.
    weight: f64,
}

fn play(policy: Policy, seats: &[Seat], asks: &[PlayedAsk]) -> Outcome {
    let weights = at_best(asks);
    let usable = usable(seats, asks, &weights);
    let players = (1..).zip(seats).map(|(id, seat)| player(id, *seat)).collect();
    let mut replay = Replay::new(players, plan(policy), Duration::ZERO);
    let mut served = 0.0;
    for (ask, weight) in asks.iter().zip(weights) {
        let (before, family) = (replay.score().refused, ask.ask.family());
        replay.play(ask.clone());
        if replay.score().refused == before {
            served += weight;
        } else {
            assert!(!replay.could_serve(family), "refused at {} although somebody could serve", ask.at);
        }
    }
    let score = replay.finish();
    assert_eq!(score.served + score.refused, score.asks);
    Outcome {
        share: served / usable,
        refused: score.refused,
        switches: score.switches,
        weight: score.accounts.iter().map(|account| account.weight).sum(),
    }
}

/// As much of the work as anybody could have had served: the most that flows from the days through the accounts
/// on each day (two windows of five hours fit into a day of ten) into their weeks. Above what is possible within
/// a day, where hours come one after the other.
fn usable(seats: &[Seat], asks: &[PlayedAsk], weights: &[f64]) -> f64 {
    let days = usize::try_from(DAYS).unwrap();
    let mut work = vec![0.0; days];
    for (ask, weight) in asks.iter().zip(weights) {
        let day = (ask.at.as_second() - start().as_second()) / DAY;
        work[usize::try_from(day).unwrap()] += weight;
    }
    // Source, days, accounts on days, the two weeks of each account, sink.
    let (first_seat, first_week) = (1 + days, 1 + days + days * seats.len());
    let sink = first_week + 2 * seats.len();
    let mut room = vec![vec![0.0; sink + 1]; sink + 1];
    for day in 0..days {
        room[0][1 + day] = work[day];
        for (number, seat) in seats.iter().enumerate() {
            let on_day = first_seat + day * seats.len() + number;
            let is_second = i64::try_from(day).unwrap() >= seat.turns;
            let week = first_week + 2 * number + usize::from(is_second);
            room[1 + day][on_day] = f64::INFINITY;
            room[on_day][week] = 2.0 * seat.hours;
            room[week][sink] = if is_second { seat.week } else { seat.week - seat.used };
        }
    }
    flow(&mut room, sink)
}

/// The most that flows from the first node to the last: along shortest ways, until there is none.
fn flow(room: &mut [Vec<f64>], sink: usize) -> f64 {
    let mut total = 0.0;
    loop {
        let mut from = vec![usize::MAX; sink + 1];
        let mut next = std::collections::VecDeque::from([0]);
        while let Some(node) = next.pop_front() {
            for to in 1..=sink {
                if from[to] == usize::MAX && room[node][to] > 1e-6 {
                    from[to] = node;
                    next.push_back(to);
                }
            }
        }
        if from[sink] == usize::MAX {
            return total;
        }
        let way = || std::iter::successors(Some(sink), |node| Some(from[*node]).filter(|_| *node != 0));
        let steps: Vec<(usize, usize)> =
            way().filter(|node| *node != 0).map(|node| (from[node], node)).collect();
        let least = steps.iter().map(|(a, b)| room[*a][*b]).fold(f64::INFINITY, f64::min);
        for (a, b) in steps {
            room[a][b] -= least;
            room[b][a] += least;
        }
        total += least;
    }
}

/// Accounts by size, the day on which their week starts anew, and the share that is used of it by then. The
/// scales below are chosen so that the work can be carried, but only if hardly anything is lost.
fn seats(scale: f64, seats: &[(f64, i64, f64)]) -> Vec<Seat> {
    let seat = |(size, turns, used): &(f64, i64, f64)| {
        let week = scale * size * 16e6;
        Seat { hours: week / 6.0, week, turns: *turns, used: used * week }
    };
    seats.iter().map(seat).collect()
}

/// Of different sizes, and differently far with their weeks.
fn mixed(scale: f64) -> Vec<Seat> {
    seats(scale, &[(1.0, 1, 0.6), (1.0, 3, 0.3), (1.0, 5, 0.1), (2.0, 6, 0.2)])
}

/// Two whole weeks end within this one.
fn expiring(scale: f64) -> Vec<Seat> {
    seats(scale, &[(1.2, 2, 0.0), (1.2, 4, 0.0), (1.0, 5, 0.0), (1.0, 7, 0.0), (1.0, 7, 0.0)])
}

fn two(scale: f64) -> Vec<Seat> {
    seats(scale, &[(2.0, 2, 0.3), (2.0, 5, 0.3)])
}

/// What each policy serves of what could be served.
fn shares(seats: &[Seat], seed: u64) -> [(Policy, f64); 4] {
    let asks = work(seed, 6, 0..DAYS);
    Policy::ALL.map(|policy| (policy, play(policy, seats, &asks).share))
}

#[test]
fn what_expires_is_spent_in_time_and_97_percent_of_what_is_possible_is_served() {
    // What the others leave is what they are not made for: an order and a turn know of no end, and room of none either.
    let least = |policy| match policy {
        Policy::SoonestReset => 0.97,
        Policy::Headroom | Policy::RoundRobin => 0.91,
        Policy::Priority => 0.86,
    };
    for seats in [mixed(1.15), expiring(1.0), two(1.3)] {
        for seed in 1..=4 {
            let shares = shares(&seats, seed);
            let of = |policy| shares.iter().find(|(of, _)| *of == policy).unwrap().1;
            for (policy, share) in shares {
                assert!(share >= least(policy), "seed {seed}, {policy}: {share:.4} of what could be served");
                let soonest = of(Policy::SoonestReset);
                assert!(share <= soonest, "seed {seed}: {soonest:.4}, and {policy} {share:.4}");
            }
        }
    }
}

#[test]
fn where_there_is_more_work_than_room_no_room_is_left_and_most_of_it_serves() {
    // The rest went into prompts that were written anew, where windows ended in the midst of conversations.
    let least = |policy| match policy {
        Policy::SoonestReset | Policy::Headroom => 0.79,
        Policy::RoundRobin => 0.76,
        Policy::Priority => 0.70,
    };
    for (policy, seed) in Policy::ALL.into_iter().flat_map(|policy| (1..=4).map(move |seed| (policy, seed))) {
        let asks = work(seed, 6, 0..DAYS);
        let seats = mixed(0.7);
        let outcome = play(policy, &seats, &asks);
        let used = outcome.weight / usable(&seats, &asks, &at_best(&asks));
        assert!(used >= 0.97, "{policy}, seed {seed}: {used:.4} of what there is");
        assert!(
            outcome.share >= least(policy),
            "{policy}, seed {seed}: {:.4} served something",
            outcome.share
        );
    }
}

#[test]
fn where_there_is_room_enough_nobody_is_refused_and_hardly_a_conversation_moves() {
    for (policy, most) in [(Policy::Headroom, 20), (Policy::RoundRobin, 20), (Policy::SoonestReset, 60)] {
        let asks = work(5, 4, 0..DAYS);
        let outcome = play(policy, &mixed(1.6), &asks);
        assert_eq!(outcome.refused, 0, "{policy}");
        assert!(
            outcome.switches <= most,
            "{policy}: {} switches in {} requests",
            outcome.switches,
            asks.len()
        );
    }
}

#[test]
fn a_lone_conversation_moves_where_a_week_would_end_unspent() {
    // One person, whose work either of two accounts could carry. The week of the first ends on Thursday.
    let seats = seats(0.6, &[(1.0, 3, 0.2), (1.0, 7, 0.0)]);
    let asks = work(6, 1, 0..3);
    let work: f64 = at_best(&asks).iter().sum();
    let rest = |policy| {
        let players = (1..).zip(&seats).map(|(id, seat)| player(id, *seat)).collect();
        let mut replay = Replay::new(players, plan(policy), Duration::ZERO);
        for ask in &asks {
            replay.play(ask.clone());
        }
        let score = replay.finish();
        assert_eq!(score.refused, 0);
        score.accounts[0].weight / work
    };
    assert!(rest(Policy::SoonestReset) > 0.7, "{}", rest(Policy::SoonestReset));
    assert!(rest(Policy::Headroom) < 0.6, "{}", rest(Policy::Headroom));
}

#[test]
fn a_play_comes_out_the_same_each_time() {
    let asks = work(7, 2, 0..2);
    let play = || {
        let players = (1..).zip(mixed(0.15)).map(|(id, seat)| player(id, seat)).collect();
        let mut replay = Replay::new(players, plan(Policy::SoonestReset), Duration::from_hours(3));
        for ask in &asks {
            replay.play(ask.clone());
        }
        replay.finish()
    };
    let score = play();
    assert_eq!(score, play());
    assert_eq!(score.served + score.refused, asks.len() as u64);
    assert!(score.waited > 0 && score.waited_seconds > 0.0, "{score:?}");
}
