//! What was recorded, made ready to be played: how much of each prompt was in a cache in any case, what a request
//! that told nothing is taken to have used, and what became of them all in fact.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{AccountScore, PlayedAsk, Resumed, Score, Weights};
use crate::domain::{AccountId, Ask, CachePrice, Conversation, Family, KeyId, PoolId, Recorded, Usage};

/// What a client's key allows: the only accounts, and the pools that lead it.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    pub only: Option<Arc<[AccountId]>>,
    pub pools: Option<Arc<[PoolId]>>,
}

/// Requests as they were recorded, in the order in which they came.
#[derive(Debug)]
pub struct Past {
    rows: Vec<Recorded>,
    /// The first one that is played; those before it tell how things stood then.
    first: usize,
    /// What was read of each conversation from a cache even when it was coldest there.
    shared: HashMap<(Conversation, Option<Family>), u64>,
    /// For requests that told nothing of themselves.
    usual: Option<Usual>,
}

/// What requests were like that told what they used.
#[derive(Debug, Clone, Copy)]
struct Usual {
    /// Tokens of the prompt for each byte of the body.
    per_byte: f64,
    output: u64,
}

/// The tokens of one request.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Size {
    plain: u64,
    /// Read from a cache or written to one.
    cached: u64,
    output: u64,
}

/// A conversation is gone on with after a longer rest than this as if it were new.
const LONGEST_REST: Duration = Duration::from_hours(1);
const SHORT: Duration = Duration::from_mins(5);
const LONG: Duration = Duration::from_hours(1);

impl Past {
    /// Those that came before `since` are not played.
    pub fn new(mut rows: Vec<Recorded>, since: Timestamp) -> Self {
        // Ids never go back, but a clock does.
        rows.sort_by_key(|row| row.at);
        let first = rows.partition_point(|row| row.at < since);
        let mut shared = HashMap::new();
        for row in rows.iter().filter(|row| row.served_by().is_some()) {
            let (Some(conversation), Some(size)) = (row.conversation(), told(&row.usage)) else { continue };
            let read = row.usage.cache_read.unwrap_or(0);
            if size.cached > 0 {
                let least = shared.entry((conversation, family(row))).or_insert(read);
                *least = read.min(*least);
            }
        }
        let usual = Usual::of(&rows[first..]);
        Self { rows, first, shared, usual }
    }

    /// Every request of the period, playable or not.
    pub fn rows(&self) -> &[Recorded] {
        &self.rows[self.first..]
    }

    /// Those that can be played.
    pub fn playable(&self) -> impl Iterator<Item = &Recorded> {
        self.rows().iter().filter(|row| row.is_playable() && self.size(row).is_some())
    }

    /// How many of them told nothing of what they used, and are taken to be like the others.
    pub fn guessed(&self) -> u64 {
        self.playable().filter(|row| told(&row.usage).is_none()).count() as u64
    }

    /// What an account was used for, from the first record on: when, by which family, and what it weighed. What
    /// told nothing is not guessed here.
    pub fn uses(&self, account: AccountId) -> impl Iterator<Item = (Timestamp, Option<Family>, f64)> {
        let served = self.rows.iter().filter(move |row| row.served_by() == Some(account));
        served.filter_map(|row| Some((row.at, family(row), weight(row, told(&row.usage)?))))
    }

    /// The conversations that were under way when the period began, the one that rested longest first.
    pub fn resumed(&self) -> Vec<Resumed> {
        let Some(since) = self.rows().first().map(|row| row.at) else { return Vec::new() };
        let mut last: HashMap<Conversation, Resumed> = HashMap::new();
        for row in &self.rows[..self.first] {
            let is_near =
                Duration::try_from(since.duration_since(row.at)).is_ok_and(|ago| ago <= LONGEST_REST);
            let (true, Some(account), Some(conversation), Some(size)) =
                (is_near, row.served_by(), row.conversation(), self.size(row))
            else {
                continue;
            };
            let (family, at, lives) = (family(row), row.at, weights(&row.usage).cache_lives);
            let tokens = size.cached;
            let resumed = Resumed { conversation: conversation.clone(), account, family, tokens, at, lives };
            last.insert(conversation, resumed);
        }
        let mut last: Vec<Resumed> = last.into_values().collect();
        last.sort_by(|a, b| (a.at, &a.conversation.session).cmp(&(b.at, &b.conversation.session)));
        last
    }

    /// A request as it is played. `terms` are those of its key; `cache_price` is looked up by its model.
    pub fn ask(
        &self,
        row: &Recorded,
        terms: Option<&Terms>,
        login: bool,
        cache_price: Option<CachePrice>,
    ) -> Option<PlayedAsk> {
        let size = self.size(row)?;
        let shared = match row.conversation() {
            Some(conversation) => self.shared.get(&(conversation, family(row))).copied().unwrap_or(0),
            None => row.usage.cache_read.unwrap_or(0),
        };
        let terms = terms.cloned().unwrap_or_default();
        let ask = Ask {
            model: row.model.clone(),
            session: row.session.clone(),
            agent: row.agent.clone(),
            bytes: row.bytes,
            role: row.role,
            agent_type: row.agent_type.clone(),
            project: row.project.clone(),
            cache_price: cache_price.filter(|_| row.session.is_some()),
            key: row.key,
            only: terms.only,
            pools: terms.pools,
            login,
            ..Ask::default()
        };
        Some(PlayedAsk {
            at: row.at,
            ask,
            prompt: size.plain.saturating_add(size.cached),
            plain: size.plain,
            shared,
            keeps: size.cached,
            output: size.output,
            takes: row.duration.unwrap_or_default(),
            weights: weights(&row.usage),
        })
    }

    /// The keys that came in the period.
    pub fn keys(&self) -> Vec<KeyId> {
        let mut keys: Vec<KeyId> = self.rows().iter().filter_map(|row| row.key).collect();
        keys.sort_unstable_by_key(|key| key.0);
        keys.dedup();
        keys
    }

    /// The conversations of which an account served a request that is one of these.
    pub fn conversations_of(&self, accounts: &[AccountId]) -> std::collections::HashSet<Conversation> {
        let served = self.rows.iter().filter(|row| row.account.is_some_and(|id| accounts.contains(&id)));
        served.filter_map(Recorded::conversation).collect()
    }

    /// What became of them in fact: of those that are played, as they were written down. Of an account that is gone
    /// nobody knows how it was paid.
    pub fn score(&self, is_paid_by_use: impl Fn(AccountId) -> Option<bool>) -> Score {
        let mut score = Score::default();
        let mut last: HashMap<Conversation, Before> = HashMap::new();
        for row in self.playable() {
            score.asks += 1;
            let waited = row.waited.filter(|waited| *waited >= Duration::from_secs(1));
            score.waited += u64::from(waited.is_some());
            score.waited_seconds += waited.unwrap_or_default().as_secs_f64();
            score.limits_hit += row.limited.len() as u64;
            for id in &row.limited {
                of(&mut score.accounts, *id).limits_hit += 1;
            }
            let Some(id) = row.served_by() else {
                score.refused += 1;
                continue;
            };
            score.served += 1;
            let size = self.size(row).expect("what is played has a size");
            let account = of(&mut score.accounts, id);
            account.served += 1;
            account.weight += weight(row, size);
            match (is_paid_by_use(id), row.cost) {
                (Some(false), _) => {}
                (Some(true), Some(cost)) => score.cost += cost.dollars(),
                (None, _) | (_, None) => score.unpriced += 1,
            }
            let Some(conversation) = row.conversation() else { continue };
            let now = Before { account: id, family: family(row), cached: size.cached };
            let Some(before) = last.insert(conversation, now) else { continue };
            score.switches += u64::from(before.account != id);
            if before.family == family(row) && told(&row.usage).is_some() {
                let read = row.usage.cache_read.unwrap_or(0);
                score.cold_tokens += before.cached.min(size.cached).saturating_sub(read);
            }
        }
        score.accounts.sort_by_key(|account| account.account);
        score
    }

    /// Its tokens as it told them, else as they are usual; `None` where no request told any.
    fn size(&self, row: &Recorded) -> Option<Size> {
        told(&row.usage).or_else(|| {
            let usual = self.usual?;
            let prompt = super::whole(row.bytes as f64 * usual.per_byte);
            // Whether any of it would be in a cache nobody knows.
            Some(Size { plain: prompt, cached: 0, output: usual.output })
        })
    }
}

/// Where a conversation went on last, and what was in the cache then.
struct Before {
    account: AccountId,
    family: Option<Family>,
    cached: u64,
}

impl Usual {
    fn of(rows: &[Recorded]) -> Option<Self> {
        let (mut tokens, mut bytes, mut output, mut count) = (0.0, 0.0, 0.0, 0.0);
        for row in rows.iter().filter(|row| row.served_by().is_some()) {
            let Some(size) = told(&row.usage) else { continue };
            tokens += (size.plain.saturating_add(size.cached)) as f64;
            bytes += row.bytes as f64;
            output += size.output as f64;
            count += 1.0;
        }
        let is_known = count > 0.0 && bytes > 0.0;
        is_known.then(|| Self { per_byte: tokens / bytes, output: super::whole(output / count) })
    }
}

fn of(accounts: &mut Vec<AccountScore>, id: AccountId) -> &mut AccountScore {
    let at = accounts.iter().position(|one| one.account == id).unwrap_or_else(|| {
        accounts.push(AccountScore {
            account: id,
            served: 0,
            weight: 0.0,
            limits_hit: 0,
            limits: Vec::new(),
        });
        accounts.len() - 1
    });
    &mut accounts[at]
}

/// The tokens that an answer told; of one that broke off, those until then.
fn told(usage: &Usage) -> Option<Size> {
    let plain = usage.input?;
    let cached = usage.cache_read.unwrap_or(0).saturating_add(usage.cache_write.unwrap_or(0));
    Some(Size { plain, cached, output: usage.output.unwrap_or(0) })
}

/// What it weighed as it was recorded.
fn weight(row: &Recorded, size: Size) -> f64 {
    let read = row.usage.cache_read.unwrap_or(0).min(size.cached);
    let written = size.cached - read;
    weights(&row.usage).weigh(size.plain as f64, read as f64, written as f64, size.output as f64)
}

/// By how long what it wrote is kept. Without a write nobody knows, and the shorter time counts.
fn weights(usage: &Usage) -> Weights {
    let written = usage.cache_write.unwrap_or(0);
    let for_an_hour = usage.cache_write_1h.unwrap_or(0).min(written);
    let usual = Weights::default();
    if for_an_hour == 0 {
        return Weights { cache_lives: SHORT, ..usual };
    }
    let share = for_an_hour as f64 / written as f64;
    let cache_write = usual.cache_write + (HOUR_WRITE - usual.cache_write) * share;
    Weights { cache_write, cache_lives: LONG, ..usual }
}

/// What is kept for an hour weighs as much to write.
const HOUR_WRITE: f64 = 2.0;

fn family(row: &Recorded) -> Option<Family> {
    row.model.as_deref().and_then(Family::of)
}
