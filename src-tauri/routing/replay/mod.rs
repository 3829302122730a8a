//! Plays requests against accounts in virtual time, through the same `pick` and `settle` as the real ones: what
//! would have happened under another policy, another plan, or with other accounts. No clock, no disk, and not a
//! token is spent.

mod player;

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use player::{Limit, Player};

use super::{Affinities, Aside, Decision, Lease, Lesson, Pick, Plan, Snapshot, Wait, pick, settle};
use crate::domain::{AccountId, Ask, Choice, Conversation, Family, Micros, Verdict, Window};
use player::{Gauge, change, whole};

/// A request that is played.
#[derive(Debug, Clone)]
pub struct PlayedAsk {
    /// When it comes.
    pub at: Timestamp,
    /// What it asks for.
    pub ask: Ask,
    /// Tokens of its whole prompt, cached or not.
    pub prompt: u64,
    /// Tokens of its answer.
    pub output: u64,
    /// How long it runs.
    pub takes: Duration,
    /// What its tokens weigh.
    pub weights: Weights,
    /// What a token of plain input costs, in thousandths of a micro-dollar; `None` where nobody knows.
    pub price: Option<u64>,
}

/// What a token weighs, as so many tokens of plain input. Limits are counted in these.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    pub cache_read: f64,
    pub cache_write: f64,
    pub output: f64,
    /// How long the cache keeps what is written to it.
    pub cache_lives: Duration,
}

impl Default for Weights {
    /// As Anthropic's price list has it, with the cache that lives five minutes.
    fn default() -> Self {
        Self { cache_read: 0.1, cache_write: 1.25, output: 5.0, cache_lives: Duration::from_mins(5) }
    }
}

/// What came of a play.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Score {
    /// Requests that came.
    pub asks: u64,
    /// Those that were served.
    pub served: u64,
    /// Those that nobody could serve within their patience.
    pub refused: u64,
    /// Those that had to wait.
    pub waited: u64,
    /// How long they did together, in seconds.
    pub waited_seconds: f64,
    /// Refusals by upstreams because a limit was reached.
    pub limits_hit: u64,
    /// How often a conversation went on at another account than before.
    pub switches: u64,
    /// How many of these were made because they were worth it, and not because the account could not go on.
    pub moved: u64,
    /// Tokens that were written into a cache anew because of that, or because it had gone cold.
    pub cold_tokens: u64,
    /// What was paid by use, in dollars, as far as prices are known.
    pub cost: f64,
    /// Requests that were paid by use at a price that nobody knows.
    pub unpriced: u64,
    /// Paths to money that nobody had allowed, and that would have been taken.
    pub prevented: u64,
    /// Each account, in the order of their ids.
    pub accounts: Vec<AccountScore>,
}

/// What came of one account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccountScore {
    #[schema(value_type = i64)]
    pub account: AccountId,
    /// Requests that it served.
    pub served: u64,
    /// What they weighed, in tokens of plain input.
    pub weight: f64,
    /// Refusals by its upstream because a limit was reached.
    pub limits_hit: u64,
    /// Its limits.
    pub limits: Vec<LimitScore>,
}

/// What came of one limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitScore {
    /// As the upstream calls it.
    #[schema(value_type = String)]
    pub name: crate::domain::WindowName,
    /// Windows that came to their end.
    pub windows: u32,
    /// What was used of all of them, in tokens of plain input.
    pub used: f64,
    /// What was left when they ended.
    pub unused: f64,
}

/// A play that goes on.
pub struct Replay {
    snapshot: Snapshot,
    affinities: Affinities,
    gauges: Vec<Vec<Gauge>>,
    is_paid_by_use: Vec<bool>,
    patience: Duration,
    last: HashMap<Conversation, Last>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    running: BinaryHeap<Reverse<Running>>,
    score: Score,
    now: Timestamp,
}

/// Where a conversation went on last, and what is in the cache there.
struct Last {
    account: AccountId,
    /// By account and family, for caches are not shared: tokens, and until when.
    cached: Vec<(AccountId, Option<Family>, u64, Timestamp)>,
}

/// As many requests wait at once; more are refused.
const MOST_WAITING: usize = 100_000;
/// As many conversations are remembered; then all are forgotten, which only makes caches cold.
const MOST_CONVERSATIONS: usize = 100_000;
/// How often a request that waits for a place looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A request that waits; the number keeps the order of those that wake at the same moment.
struct Waiting {
    until: Timestamp,
    number: u64,
    ask: PlayedAsk,
}

/// A request that runs.
struct Running {
    until: Timestamp,
    _lease: Lease,
}

impl Replay {
    /// Nothing has happened yet. A request waits for an account for as long as `patience`.
    pub fn new(players: Vec<Player>, plan: Plan, patience: Duration) -> Self {
        let mut players = players;
        players.sort_by_key(|player| player.contender.account.id);
        let mut replay = Self {
            snapshot: Snapshot { contenders: Vec::new(), plan: Arc::new(plan) },
            affinities: Affinities::default(),
            gauges: Vec::new(),
            is_paid_by_use: Vec::new(),
            patience,
            last: HashMap::new(),
            waiting: BinaryHeap::new(),
            running: BinaryHeap::new(),
            score: Score::default(),
            now: Timestamp::MIN,
        };
        for Player { contender, limits, is_paid_by_use } in players {
            replay.score.accounts.push(AccountScore {
                account: contender.account.id,
                served: 0,
                weight: 0.0,
                limits_hit: 0,
                limits: Vec::new(),
            });
            replay.snapshot.contenders.push(Arc::new(contender));
            replay.gauges.push(limits.into_iter().map(Gauge::new).collect());
            replay.is_paid_by_use.push(is_paid_by_use);
        }
        replay
    }

    /// The next request. They come in the order of their time; one that is late comes now.
    pub fn play(&mut self, ask: PlayedAsk) {
        self.run_until(ask.at);
        self.score.asks += 1;
        self.serve(ask);
    }

    /// Nobody comes any more: whoever waits is served or gives up, and what was used is summed up.
    pub fn finish(mut self) -> Score {
        self.run_until(Timestamp::MAX);
        for (account, gauges) in self.score.accounts.iter_mut().zip(&mut self.gauges) {
            account.limits = gauges
                .iter_mut()
                .map(|gauge| {
                    gauge.stop(self.now);
                    let ended = gauge.ended;
                    LimitScore {
                        name: gauge.name().clone(),
                        windows: ended.windows,
                        used: ended.used,
                        unused: ended.unused,
                    }
                })
                .collect();
        }
        self.score
    }

    /// What has come of it so far.
    pub fn score(&self) -> &Score {
        &self.score
    }

    /// Whether an upstream would serve a request of this family now, whatever selection knows of it.
    pub fn could_serve(&mut self, family: Option<Family>) -> bool {
        let now = self.now;
        self.gauges.iter_mut().any(|gauges| {
            for gauge in gauges.iter_mut() {
                gauge.turn(now);
            }
            !gauges.iter().any(|gauge| gauge.is_spent(family))
        })
    }

    fn run_until(&mut self, until: Timestamp) {
        while let Some(Reverse(next)) = self.waiting.peek() {
            if next.until > until {
                break;
            }
            let Some(Reverse(next)) = self.waiting.pop() else { break };
            self.move_to(next.until);
            self.serve(next.ask);
        }
        if until < Timestamp::MAX {
            self.move_to(until);
        }
    }

    fn move_to(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while self.running.peek().is_some_and(|Reverse(next)| next.until <= self.now) {
            self.running.pop();
        }
    }

    fn serve(&mut self, played: PlayedAsk) {
        let conversation = played.ask.conversation();
        let mut set_aside: Vec<Aside> = Vec::new();
        loop {
            let bound = conversation.as_ref().and_then(|one| self.affinities.of(one, self.now));
            match pick(&played.ask, &self.snapshot, bound.as_ref(), &set_aside, self.now) {
                Decision::Take(pick) => {
                    self.score.prevented += u64::from(pick.why.prevented.is_some());
                    if self.attempt(&played, &pick, conversation.as_ref()) {
                        return;
                    }
                    set_aside.push(pick.aside());
                }
                Decision::Wait(wait) => return self.wait(played, &wait),
            }
        }
    }

    /// Whether it served.
    fn attempt(&mut self, played: &PlayedAsk, pick: &Pick, conversation: Option<&Conversation>) -> bool {
        let id = pick.contender.account.id;
        let Some(at) = self.snapshot.contenders.iter().position(|one| one.account.id == id) else {
            return false;
        };
        let Some(lease) = pick.contender.load.lease() else { return false };
        let family = pick.sent(&played.ask).map_or(played.ask.family(), |model| Family::of(model));
        let now = self.now;
        for gauge in &mut self.gauges[at] {
            gauge.turn(now);
        }
        if let Some(spent) = self.gauges[at].iter().find(|gauge| gauge.is_spent(family)) {
            let verdict = spent.verdict();
            self.learn(at, &verdict, family);
            self.score.limits_hit += 1;
            self.score.accounts[at].limits_hit += 1;
            return false;
        }
        let weight = self.weigh(played, id, family, conversation);
        for gauge in &mut self.gauges[at] {
            gauge.take(weight, family, now);
        }
        self.learn(at, &Verdict::Fine, family);
        if let Some(conversation) = conversation {
            self.affinities.served(conversation, pick, family, now);
            let lives = played.weights.cache_lives;
            self.affinities.cached(conversation, id, family, played.prompt + played.output, lives, now);
        }
        self.count(played, at, weight);
        let end = now.checked_add(played.takes).unwrap_or(Timestamp::MAX);
        self.score.moved += u64::from(pick.why.choice == Choice::Moved);
        self.running.push(Reverse(Running { until: end, _lease: lease }));
        true
    }

    fn count(&mut self, played: &PlayedAsk, at: usize, weight: f64) {
        let account = &mut self.score.accounts[at];
        account.served += 1;
        account.weight += weight;
        self.score.served += 1;
        let waited = self.now.duration_since(played.at).as_secs_f64();
        self.score.waited += u64::from(waited > 0.0);
        self.score.waited_seconds += waited.max(0.0);
        match played.price {
            _ if !self.is_paid_by_use[at] => {}
            Some(price) => self.score.cost += Micros(whole(weight * price as f64 / 1_000.0)).dollars(),
            None => self.score.unpriced += 1,
        }
    }

    /// What a request takes of the limits there, by what is in the cache of that account.
    fn weigh(
        &mut self,
        played: &PlayedAsk,
        id: AccountId,
        family: Option<Family>,
        conversation: Option<&Conversation>,
    ) -> f64 {
        let weights = played.weights;
        let mut read = 0;
        if let Some(conversation) = conversation {
            if self.last.len() >= MOST_CONVERSATIONS && !self.last.contains_key(conversation) {
                self.last.clear();
            }
            let is_new = !self.last.contains_key(conversation);
            let last = self
                .last
                .entry(conversation.clone())
                .or_insert_with(|| Last { account: id, cached: Vec::new() });
            self.score.switches += u64::from(last.account != id);
            last.account = id;
            let until = self.now.checked_add(weights.cache_lives).unwrap_or(Timestamp::MAX);
            let longest =
                last.cached.iter().filter(|one| one.1 == family).map(|one| one.2).max().unwrap_or(0);
            last.cached.retain(|(_, _, _, until)| *until > self.now);
            let here = last.cached.iter().position(|one| (one.0, one.1) == (id, family));
            read = here.map_or(0, |at| last.cached[at].2).min(played.prompt);
            // What would have been read, had the conversation stayed where it is warm.
            self.score.cold_tokens +=
                if is_new { 0 } else { longest.min(played.prompt).saturating_sub(read) };
            let now_cached = (id, family, played.prompt + played.output, until);
            match here {
                Some(at) => last.cached[at] = now_cached,
                None => last.cached.push(now_cached),
            }
        }
        let written = (played.prompt - read) as f64;
        read as f64 * weights.cache_read
            + written * weights.cache_write
            + played.output as f64 * weights.output
    }

    fn learn(&mut self, at: usize, verdict: &Verdict, family: Option<Family>) {
        let windows: Vec<Window> =
            self.gauges[at].iter().filter_map(|gauge| gauge.window(self.now)).collect();
        let lesson = Lesson { verdict, windows: &windows, need: family.into() };
        settle(change(&mut self.snapshot.contenders[at]), &lesson, self.now);
    }

    /// Waits until somebody is back, if that is soon enough.
    fn wait(&mut self, played: PlayedAsk, wait: &Wait) {
        self.score.prevented += u64::from(wait.prevented.is_some());
        let look_again = || self.now.checked_add(LOOK_AGAIN).ok();
        let until = if wait.is_busy { look_again() } else { wait.until };
        let until = until.map(|until| until.max(look_again().unwrap_or(until)));
        let is_soon = |until: &Timestamp| {
            Duration::try_from(until.duration_since(played.at)).is_ok_and(|wait| wait <= self.patience)
        };
        match until.filter(is_soon) {
            Some(until) if self.waiting.len() < MOST_WAITING => {
                let number = self.score.asks;
                self.waiting.push(Reverse(Waiting { until, number, ask: played }));
            }
            _ => self.score.refused += 1,
        }
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.until, self.number).cmp(&(other.until, other.number))
    }
}

impl PartialEq for Running {
    fn eq(&self, other: &Self) -> bool {
        self.until == other.until
    }
}

impl Eq for Running {}

impl PartialOrd for Running {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Running {
    fn cmp(&self, other: &Self) -> Ordering {
        self.until.cmp(&other.until)
    }
}
