//! Plays requests against accounts in virtual time, through the same `pick` and `settle` as the real ones: what
//! would have happened under another policy, another plan, or with other accounts. No clock, no disk, and not a
//! token is spent.

mod backtest;
mod capacity;
mod past;
mod player;
mod score;

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

pub use backtest::{ALLOTMENT, Alternative, Backtest};
pub use capacity::{Unmeasured, is_played, measure};
pub use past::{Past, Terms};
pub use player::{Limit, Player};
pub use score::{AccountScore, LimitScore, Score};

use super::{Affinities, Aside, Bound, Decision, Lease, Lesson, Pick, Plan, Snapshot, Wait, pick, settle};
use crate::domain::{AccountId, Ask, Caps, Choice, Conversation, Family, Micros, Verdict, Window};
use player::{Gauge, whole};

/// A request that is played.
#[derive(Debug, Clone)]
pub struct PlayedAsk {
    /// When it comes.
    pub at: Timestamp,
    /// What it asks for.
    pub ask: Ask,
    /// Tokens of its whole prompt, cached or not.
    pub prompt: u64,
    /// As many of them are in no cache, wherever it goes.
    pub plain: u64,
    /// As many are in every account's cache, since other conversations begin alike.
    pub shared: u64,
    /// As many tokens of its conversation are in the cache once it has been served.
    pub keeps: u64,
    /// Tokens of its answer.
    pub output: u64,
    /// How long it runs.
    pub takes: Duration,
    /// What its tokens weigh.
    pub weights: Weights,
}

/// What a token of plain input costs with a model, in thousandths of a micro-dollar; `None` where nobody knows.
pub type PriceOf = dyn Fn(&str) -> Option<u64> + Send + Sync;

/// What a token weighs, as so many tokens of plain input. Limits are counted in these.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    pub cache_read: f64,
    pub cache_write: f64,
    pub output: f64,
    /// How long the cache keeps what is written to it.
    pub cache_lives: Duration,
}

impl Weights {
    /// What these tokens weigh together.
    pub fn weigh(&self, plain: f64, read: f64, written: f64, output: f64) -> f64 {
        plain + read * self.cache_read + written * self.cache_write + output * self.output
    }
}

impl Default for Weights {
    /// As Anthropic's price list has it, with the cache that lives five minutes.
    fn default() -> Self {
        Self { cache_read: 0.1, cache_write: 1.25, output: 5.0, cache_lives: Duration::from_mins(5) }
    }
}

/// A play that goes on.
pub struct Replay {
    snapshot: Snapshot,
    affinities: Affinities,
    gauges: Vec<Vec<Gauge>>,
    is_paid_by_use: Vec<bool>,
    patience: Duration,
    prices: Arc<PriceOf>,
    last: HashMap<Conversation, Last>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    running: BinaryHeap<Reverse<Running>>,
    score: Score,
    now: Timestamp,
}

/// A conversation that had begun before the play.
#[derive(Debug, Clone)]
pub struct Resumed {
    pub conversation: Conversation,
    /// Where it went on last.
    pub account: AccountId,
    /// Of the model there.
    pub family: Option<Family>,
    /// Tokens of it that are in the cache there.
    pub tokens: u64,
    /// When that was.
    pub at: Timestamp,
    /// How long the cache keeps them.
    pub lives: Duration,
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
            snapshot: Snapshot { plan: Arc::new(plan), ..Snapshot::default() },
            affinities: Affinities::default(),
            gauges: Vec::new(),
            is_paid_by_use: Vec::new(),
            patience,
            prices: Arc::new(|_| None),
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
            replay.snapshot.contenders.put(Arc::new(contender));
            replay.gauges.push(limits.into_iter().map(Gauge::new).collect());
            replay.is_paid_by_use.push(is_paid_by_use);
        }
        replay
    }

    /// The same, and models have prices.
    pub fn priced_by(self, prices: Arc<PriceOf>) -> Self {
        Self { prices, ..self }
    }

    /// A conversation is under way already: bound to an account, and so many tokens of it in the cache there.
    pub fn resume(&mut self, begun: &Resumed) {
        let Resumed { conversation, account, family, tokens, at, lives } = begun;
        let until = at.checked_add(*lives).unwrap_or(Timestamp::MAX);
        let bound = Bound { prefix: Some(*tokens), ..Bound::new(*account, *family, *at) };
        let for_an_hour = Bound::lives_long(*at, until);
        let bound = Bound { warm_until: bound.warm_until.max(until), for_an_hour, ..bound };
        self.affinities.restore(vec![(conversation.clone(), bound)], &self.snapshot, self.now.max(*at));
        let cached = vec![(*account, *family, *tokens, until)];
        self.last.insert(conversation.clone(), Last { account: *account, cached });
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
            if played.keeps > 0 {
                self.affinities.cached(conversation, id, family, played.keeps, Some(lives), now);
            }
        }
        let model = pick.sent(&played.ask).or(played.ask.model.as_ref());
        let price = model.and_then(|model| (self.prices)(model));
        self.count(played, at, weight, price);
        let end = now.checked_add(played.takes).unwrap_or(Timestamp::MAX);
        self.score.moved += u64::from(pick.why.choice == Choice::Moved);
        self.running.push(Reverse(Running { until: end, _lease: lease }));
        true
    }

    fn count(&mut self, played: &PlayedAsk, at: usize, weight: f64, price: Option<u64>) {
        let account = &mut self.score.accounts[at];
        account.served += 1;
        account.weight += weight;
        self.score.served += 1;
        let waited = self.now.duration_since(played.at).as_secs_f64();
        self.score.waited += u64::from(waited > 0.0);
        self.score.waited_seconds += waited.max(0.0);
        let cost = price.map(|price| Micros(whole(weight * price as f64 / 1_000.0)));
        match cost {
            _ if !self.is_paid_by_use[at] => {}
            Some(cost) => self.score.cost += cost.dollars(),
            None => self.score.unpriced += 1,
        }
        // Caps count tokens of every kind.
        let guards = &self.snapshot.contenders[at].account.guards;
        if guards.as_ref().is_some_and(|guards| guards.caps != Caps::default()) {
            let (tokens, now) = (played.prompt.saturating_add(played.output), self.now);
            self.snapshot.contenders.change_at(at, |contender| contender.outlay.add(tokens, cost, now));
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
        let may_be_cached = played.prompt.saturating_sub(played.plain);
        let mut read = played.shared.min(may_be_cached);
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
            read = read.max(here.map_or(0, |at| last.cached[at].2).min(may_be_cached));
            // What would have been read, had the conversation stayed where it is warm.
            self.score.cold_tokens +=
                if is_new { 0 } else { longest.min(may_be_cached).saturating_sub(read) };
            let now_cached = (id, family, played.keeps, until);
            match here {
                Some(at) => last.cached[at] = now_cached,
                None => last.cached.push(now_cached),
            }
        }
        let written = (may_be_cached - read) as f64;
        weights.weigh(played.plain.min(played.prompt) as f64, read as f64, written, played.output as f64)
    }

    fn learn(&mut self, at: usize, verdict: &Verdict, family: Option<Family>) {
        let windows: Vec<Window> =
            self.gauges[at].iter().filter_map(|gauge| gauge.window(self.now)).collect();
        let lesson = Lesson { verdict: Some(verdict), windows: &windows, need: family.into() };
        let now = self.now;
        self.snapshot.contenders.change_at(at, |contender| {
            settle(contender, &lesson, now);
        });
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
