//! Plays what was recorded under the plan as it is and under others. It has a copy of everything: nothing that
//! serves real requests is touched.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::{Limit, Past, Player, PriceOf, Replay, Score, Terms, capacity, player};
use crate::{
    domain::{
        AccountId, AccountName, CachePrice, Conversation, Guards, KeyId, Outlay, Paid, Policy, Pool, PoolId,
        Recorded, RouteId, Window,
    },
    routing::{Contender, Load, Plan, Ration, Weather},
};

/// What is other than it is. Empty is the plan as it is.
#[derive(Debug, Clone, Default)]
pub struct Alternative {
    /// By pool; `None` is every pool.
    pub policies: Vec<(Option<PoolId>, Policy)>,
    pub priorities: Vec<(AccountId, i32)>,
    /// Accounts that are not there.
    pub without: Vec<AccountId>,
    /// One more account like another one, under an id and a name that nobody has.
    pub another: Vec<(AccountId, AccountName, AccountId)>,
    /// What limits hold, each once.
    pub limits: Vec<(AccountId, Limit)>,
    /// All that is kept back of accounts.
    pub guards: Vec<(AccountId, Option<Arc<Guards>>)>,
    /// Whether routes are switched on.
    pub routes: Vec<(RouteId, bool)>,
}

/// What reading a model's prompt from a cache costs, and writing it there; `None` where nobody knows.
type CachePriceOf = dyn Fn(&str) -> Option<CachePrice> + Send;

/// All that a play needs, to be played as often as there are alternatives.
pub struct Backtest {
    pub past: Past,
    /// The accounts with their limits, as they are now.
    pub players: Vec<Player>,
    pub plan: Plan,
    /// How long a request waits for somebody who comes back.
    pub patience: Duration,
    /// How many requests an account serves at once.
    pub ration: Ration,
    /// What keys allow.
    pub terms: HashMap<KeyId, Terms>,
    pub prices: Arc<PriceOf>,
    /// What reading a model's prompt from a cache costs, and writing it there.
    pub cache_prices: Box<CachePriceOf>,
}

/// A limit that is shorter is a pace and no allotment.
pub const ALLOTMENT: Duration = Duration::from_hours(1);
/// Between two looks at whether anybody still wants the answer.
const LOOK: usize = 64;

impl Backtest {
    /// The same, and limits begin with what the records before the period say was used of them. To be called once,
    /// before the first play.
    pub fn with_open_windows(mut self) -> Self {
        let Some(since) = self.past.rows().first().map(|row| row.at) else { return self };
        for player in &mut self.players {
            let uses = || self.past.uses(player.contender.account.id);
            let open = |limit: Limit| capacity::opened(limit, uses(), since);
            player.limits = std::mem::take(&mut player.limits).into_iter().map(open).collect();
        }
        self
    }

    /// Plays the period once. `None` where `goes_on` said no before the end.
    pub fn play(&self, alternative: &Alternative, goes_on: impl Fn() -> bool) -> Option<Score> {
        let since = self.past.rows().first().map(|row| row.at)?;
        let players = self.players(alternative, since);
        let passers: Vec<AccountId> = self
            .players
            .iter()
            .map(|player| &player.contender)
            .filter(|one| one.provider.passes_logins())
            .map(|one| one.account.id)
            .collect();
        let signed_in = self.past.conversations_of(&passers);
        let mut replay =
            Replay::new(players, self.plan(alternative), self.patience).priced_by(Arc::clone(&self.prices));
        for resumed in self.past.resumed() {
            replay.resume(&resumed);
        }
        for (number, row) in self.past.playable().enumerate() {
            if number % LOOK == 0 && !goes_on() {
                return None;
            }
            let terms = row.key.and_then(|key| self.terms.get(&key));
            let login = !passers.is_empty() && came_with_login(row, &passers, &signed_in);
            let cache_price = row.model.as_deref().and_then(|model| (self.cache_prices)(model));
            replay.play(self.past.ask(row, terms, login, cache_price)?);
        }
        Some(replay.finish())
    }

    /// Every account as it would have been when the period began: nothing is learned of it yet but which limits it has
    /// and what is used of those that are open, and it serves nobody.
    fn players(&self, alternative: &Alternative, since: Timestamp) -> Vec<Player> {
        let ration = Ration::of(self.ration.most);
        let is_there = |player: &&Player| !alternative.without.contains(&player.contender.account.id);
        let another = |(id, name, like): &(AccountId, AccountName, AccountId)| {
            let like = self.players.iter().find(|player| player.contender.account.id == *like)?;
            let mut another = like.clone();
            (another.contender.account.id, another.contender.account.name) = (*id, name.clone());
            another.contender.outlay = Outlay::default();
            another.limits.iter_mut().for_each(|limit| limit.open = None);
            Some(another)
        };
        let others: Vec<Player> = alternative.another.iter().filter_map(another).collect();
        let player = |player: &Player| {
            let mut account = player.contender.account.clone();
            let priority = alternative.priorities.iter().rev().find(|(id, _)| *id == account.id);
            account.priority = priority.map_or(account.priority, |(_, priority)| *priority);
            let guards = alternative.guards.iter().rev().find(|(id, _)| *id == account.id);
            account.guards = guards.map_or(account.guards, |(_, guards)| guards.clone());
            (account.bench, account.refused) = (None, None);
            let mut limits = player.limits.clone();
            for (_, limit) in alternative.limits.iter().filter(|(id, _)| *id == account.id) {
                match limits.iter_mut().find(|known| known.name == limit.name) {
                    Some(known) => known.capacity = limit.capacity,
                    None => limits.push(capacity::opened(limit.clone(), self.past.uses(account.id), since)),
                }
            }
            limits.sort_by(|a, b| (a.length, &a.name).cmp(&(b.length, &b.name)));
            // Who has an allotment is paid for already.
            let is_paid_by_use = player.is_paid_by_use
                && (player.contender.account.paid == Some(Paid::Use)
                    || !limits.iter().any(|limit| limit.length >= ALLOTMENT));
            let windows = known(&player.contender.windows, &limits, since);
            let contender = Contender {
                account,
                windows,
                load: Load::within(ration.clone()),
                weather: Weather::default(),
                ..player.contender.clone()
            };
            Player { contender, limits, is_paid_by_use }
        };
        self.players.iter().filter(is_there).chain(&others).map(player).collect()
    }

    fn plan(&self, alternative: &Alternative) -> Plan {
        let mut plan = self.plan.clone();
        let change = |pool: &mut Pool| {
            let ours = |(of, _): &&(Option<PoolId>, Policy)| of.is_none_or(|of| of == pool.id);
            pool.policy =
                alternative.policies.iter().rev().find(ours).map_or(pool.policy, |(_, policy)| *policy);
        };
        plan.pools.iter_mut().for_each(change);
        for (id, enabled) in &alternative.routes {
            plan.routes.iter_mut().filter(|route| route.id == *id).for_each(|route| route.enabled = *enabled);
        }
        plan
    }
}

/// What is known of an account's limits when the period begins. That it has one counts, whether or not it is played:
/// by that selection tells what is paid for already from what is paid by use.
fn known(told: &[Window], limits: &[Limit], since: Timestamp) -> Vec<Window> {
    let mut known: Vec<Window> = limits.iter().map(|limit| player::shown(limit, since)).collect();
    for window in told {
        if !known.iter().any(|known| known.name == window.name) {
            let (utilization, resets_at, again) = (None, None, None);
            let learned_at = since;
            known.push(Window { utilization, resets_at, spent: false, again, learned_at, ..window.clone() });
        }
    }
    known
}

/// Whether a request came with a sign-in is not written down. It did where an account that passes sign-ins on has
/// served it, or another turn of its conversation. Of one that nobody served nothing else is known, so it is taken for what
/// may be served by whoever can.
fn came_with_login(row: &Recorded, passers: &[AccountId], signed_in: &HashSet<Conversation>) -> bool {
    row.account.is_some_and(|id| passers.contains(&id))
        || row.conversation().is_some_and(|conversation| signed_in.contains(&conversation))
}

#[cfg(test)]
#[path = "backtest_tests.rs"]
mod tests;
