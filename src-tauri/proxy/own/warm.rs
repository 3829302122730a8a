//! The prompts that may be kept in the caches of upstreams: in memory alone, sixteen conversations and 32 MiB at most,
//! those included whose answer is still coming or that are being repeated; the one used longest ago makes room. Holds
//! nothing while no account's owner has asked for it, and forgets all of it when the last one takes that back, and at
//! the drain.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{HeaderMap, HeaderValue, Method, header, uri::PathAndQuery};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use url::Url;

use crate::{
    accounts::{Roster, Whose, whose},
    domain::{AccountId, Ask, CachePrice, Conversation, Usage},
    proxy::{
        Gateway,
        answer::record::Record,
        arrival::request::{Arrival, MESSAGES},
    },
    routing::{Contender, Pick},
};

/// What Headgate calls itself in a repeat.
pub(super) const CLIENT: &str = concat!("headgate/", env!("CARGO_PKG_VERSION"), " (+keeps a prompt cached)");
/// A cache is kept for five minutes from its last use (Anthropic's page on prompt caching); so long after it a prompt is
/// repeated.
const REPEAT: SignedDuration = SignedDuration::from_secs(4 * 60 + 20);
/// Later than this it has gone cold, and to repeat it would be to write it anew.
const COLD: SignedDuration = SignedDuration::from_secs(4 * 60 + 50);
/// A prompt of fewer tokens in the cache is cheap to write anew.
const LEAST: u64 = 20_000;
const MOST: usize = 16;
/// Of bodies in all, wherever they are held for this. A repeat's own copy comes on top while it is sent: one, as they
/// are sent one at a time.
const MOST_BYTES: usize = 32 << 20;

/// The book.
#[derive(Default)]
pub struct Warm {
    kept: Mutex<Vec<Kept>>,
    /// How many bytes of bodies are held.
    bytes: Arc<AtomicUsize>,
    changed: Notify,
}

/// A body's bytes among all that may be held; given back when it is dropped.
struct Room {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

/// What is to be done about a conversation once its request has ended.
pub struct Prompt {
    conversation: Conversation,
    /// `None`: nobody has asked for it to be kept at the account that serves it now.
    request: Option<Request>,
}

/// A request that can be repeated. No credential of the client's is in it.
struct Request {
    account: AccountId,
    /// Under whose credential it went: the next one may be another organisation's.
    whose: Option<Whose>,
    /// Where it went: an account may have another address by now, at somebody else's.
    upstream: Option<Url>,
    model: Arc<str>,
    /// Whether the body names the model that went up.
    is_renamed: bool,
    target: PathAndQuery,
    headers: HeaderMap,
    body: Bytes,
    ask: Ask,
    _room: Room,
}

/// A prompt that lies in a cache.
pub(super) struct Kept {
    pub conversation: Conversation,
    request: Request,
    /// When the cache was used last.
    used_at: Timestamp,
    /// How often it was repeated in a row.
    pub times: u8,
    pub tokens: u64,
    price: CachePrice,
}

/// A prompt is in use again: what is kept of it is taken out, and noted anew when this request has ended.
pub(in crate::proxy) fn take_over(gateway: &Gateway, arrival: &Arrival, pick: &Pick, record: &mut Record) {
    let Some(conversation) = arrival.ask.conversation() else { return };
    gateway.warm.kept().retain(|kept| kept.conversation != conversation);
    let account = &pick.contender.account;
    // A sign-in that a client brought ends with its request.
    let may_be = account.timed.keep_warm.is_some()
        && !pick.contender.provider.passes_logins()
        && arrival.method == Method::POST
        && arrival.target.path() == MESSAGES;
    let request = || {
        let asked = arrival.ask.model.clone()?;
        let room = gateway.warm.take_room(arrival.body.len())?;
        let sent = pick.sent(&arrival.ask).cloned();
        let mut headers = HeaderMap::new();
        for name in ["anthropic-version", "anthropic-beta"] {
            for value in arrival.headers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(CLIENT));
        Some(Request {
            account: account.id,
            whose: whose(&pick.contender).cloned(),
            upstream: pick.contender.base_url().cloned(),
            is_renamed: sent.is_some(),
            model: sent.unwrap_or(asked),
            target: arrival.target.clone(),
            headers,
            body: arrival.body.clone(),
            ask: Ask {
                session: arrival.ask.session.clone(),
                agent: arrival.ask.agent.clone(),
                needs: arrival.ask.needs.clone(),
                client: Some(CLIENT.into()),
                only: Some([account.id].into()),
                pools: Some([account.pool].into()),
                ..Ask::default()
            },
            _room: room,
        })
    };
    let request = if may_be { request() } else { None };
    record.keep_warm(Box::new(Prompt { conversation, request }));
}

impl Warm {
    /// A request has ended well. Its prompt is kept in mind if it is big, lies in the cache for five minutes, and its
    /// price is known.
    pub(in crate::proxy) fn put(&self, gateway: &Gateway, prompt: Prompt, usage: &Usage, used_at: Timestamp) {
        // Somebody may have taken it back meanwhile.
        if !gateway.roster.keeps_warm() {
            return;
        }
        let Prompt { conversation, request: Some(request) } = prompt else { return };
        let tokens = usage.cache_read.unwrap_or(0).saturating_add(usage.cache_write.unwrap_or(0));
        let is_short = usage.cache_write_1h.unwrap_or(0) == 0;
        let Some(price) = gateway.prices.of_cache(&request.model) else { return };
        if tokens >= LEAST && is_short {
            self.keep(Kept { conversation, request, used_at, times: 0, tokens, price });
        }
    }

    fn keep(&self, new: Kept) {
        let mut kept = self.kept();
        // A later request of the same conversation was quicker.
        if kept.iter().any(|known| known.conversation == new.conversation && known.used_at > new.used_at) {
            return;
        }
        kept.retain(|known| known.conversation != new.conversation);
        let is_first = kept.iter().all(|known| known.used_at > new.used_at);
        kept.push(new);
        kept.sort_by_key(|known| known.used_at);
        if kept.len() > MOST {
            kept.remove(0);
        }
        if is_first {
            self.changed.notify_one();
        }
    }

    /// Room for a body. Those used longest ago make it; where that is not enough, as other answers are still coming,
    /// there is none, and the prompt is left to go cold.
    fn take_room(&self, bytes: usize) -> Option<Room> {
        let mut kept = self.kept();
        // More is never taken but under this lock.
        let held = || self.bytes.load(Ordering::Relaxed);
        let idle: usize = kept.iter().map(|known| known.request.body.len()).sum();
        if held().saturating_sub(idle).saturating_add(bytes) > MOST_BYTES {
            return None;
        }
        while !kept.is_empty() && held().saturating_add(bytes) > MOST_BYTES {
            kept.remove(0);
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Some(Room { all: Arc::clone(&self.bytes), bytes })
    }

    /// When the first one is to be repeated.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.kept().iter().map(Kept::due).min()
    }

    /// Completes when another one may be due first. What nobody wants to be kept any more is forgotten.
    pub async fn changed(&self, roster: &Roster) {
        let (here, there) = (pin!(self.changed.notified()), pin!(roster.warms_anew()));
        if let Either::Right(_) = select(here, there).await {
            let snapshot = roster.snapshot();
            let wants = |kept: &Kept| {
                let known = snapshot.get(kept.account());
                known.is_some_and(|one| one.account.timed.keep_warm.is_some() && kept.is_of(one))
            };
            self.kept().retain(wants);
        }
    }

    /// Forgets everything.
    pub fn wipe(&self) {
        self.kept().clear();
    }

    /// How many are kept, and how many bytes are held of them and of those that may be.
    pub fn held(&self) -> (usize, usize) {
        (self.kept().len(), self.bytes.load(Ordering::Relaxed))
    }

    /// Takes out one that is due, and forgets those that have gone cold. The others stay until it is their turn: by
    /// then they may be in use again, cold, or no longer wanted.
    pub(super) fn take_due(&self, now: Timestamp) -> Option<Kept> {
        let mut kept = self.kept();
        kept.retain(|known| !known.is_cold(now));
        let due = kept.iter().position(|known| known.due() <= now)?;
        Some(kept.remove(due))
    }

    /// It was repeated at this moment.
    pub(super) fn put_back(&self, repeated: Kept, at: Timestamp) {
        self.keep(Kept { used_at: at, times: repeated.times.saturating_add(1), ..repeated });
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    pub fn account(&self) -> AccountId {
        self.request.account
    }

    /// Whether the account still leads to where the prompt lies, under the credential of those who own it.
    fn is_of(&self, account: &Contender) -> bool {
        self.request.upstream.as_ref() == account.base_url() && self.request.whose.as_ref() == whose(account)
    }

    /// Why it is not to be repeated at this account, as that stands at this moment; `None` where it is.
    pub fn why_not(&self, account: &Contender, now: Timestamp) -> Option<Arc<str>> {
        let most = account.account.timed.keep_warm;
        Some(match most {
            _ if self.is_cold(now) => "it has gone cold by now".into(),
            None => "its owner has taken that back".into(),
            Some(most) if self.times >= most => format!("it was repeated {} times", self.times).into(),
            _ if self.request.upstream.as_ref() != account.base_url() => {
                "the account has another address by now".into()
            }
            _ if !self.is_of(account) => "the account has another key or sign-in by now".into(),
            Some(_) => return None,
        })
    }

    fn due(&self) -> Timestamp {
        self.used_at.checked_add(REPEAT).unwrap_or(Timestamp::MAX)
    }

    /// Used too long ago, or by a clock that was ahead.
    fn is_cold(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.used_at);
        age > COLD || age < -REPEAT
    }

    /// What this repeat and those before it cost, and what they save if the conversation goes on: micro-dollars by the
    /// price list.
    pub fn weigh(&self) -> (u64, u64) {
        let each = |price: u64| self.tokens.saturating_mul(price) / 1000;
        let repeats = u64::from(self.times) + 1;
        (
            each(self.price.read).saturating_mul(repeats),
            each(self.price.write.saturating_sub(self.price.read)),
        )
    }

    /// As it is sent; `None` where it can't be asked for a single token.
    pub fn arrival(&self) -> Option<Arrival> {
        let request = &self.request;
        let body = crate::formats::splice_repeat(&request.body)?;
        let body =
            if request.is_renamed { crate::formats::splice_model(&body, &request.model).ok()? } else { body };
        let ask =
            Ask { model: Some(Arc::clone(&request.model)), bytes: body.len() as u64, ..request.ask.clone() };
        Some(Arrival {
            method: Method::POST,
            target: request.target.clone(),
            headers: request.headers.clone(),
            body,
            ask,
            is_model_ambiguous: false,
            login: None,
            is_ours: true,
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn kept(session: &str, used: i64, bytes: usize) -> Kept {
        kept_in(&Warm::default(), session, used, bytes).unwrap()
    }

    fn keep(warm: &Warm, session: &str, used: i64, bytes: usize) {
        warm.keep(kept_in(warm, session, used, bytes).unwrap());
    }

    fn kept_in(warm: &Warm, session: &str, used: i64, bytes: usize) -> Option<Kept> {
        let request = Request {
            _room: warm.take_room(bytes)?,
            account: AccountId(1),
            whose: None,
            upstream: None,
            model: "claude-opus-4-8".into(),
            is_renamed: false,
            target: PathAndQuery::from_static(MESSAGES),
            headers: HeaderMap::new(),
            body: vec![b' '; bytes].into(),
            ask: Ask::default(),
        };
        let price = CachePrice { read: 500, write: 6250, write_1h: 10_000 };
        let conversation = Conversation { session: session.into(), agent: None };
        Some(Kept { conversation, request, used_at: at(used), times: 0, tokens: 100_000, price })
    }

    #[test]
    fn so_many_bytes_are_kept_and_those_used_longest_ago_make_room() {
        let warm = Warm::default();
        for (n, session) in ["a", "b", "c", "d"].into_iter().enumerate() {
            keep(&warm, session, i64::try_from(n).unwrap(), 10 << 20);
        }
        assert_eq!(warm.held(), (3, 30 << 20));
        assert_eq!(warm.next_due(), Some(at(1) + REPEAT));
        assert!(kept_in(&warm, "huge", 9, MOST_BYTES + 1).is_none());
        assert_eq!(warm.held(), (3, 30 << 20), "one that is too big for itself takes nobody's place");
    }

    #[test]
    fn bodies_whose_answers_were_still_coming_were_held_without_a_bound() {
        let warm = Warm::default();
        keep(&warm, "kept", 0, 10 << 20);
        let coming: Vec<_> = (0..40).map_while(|n| kept_in(&warm, &n.to_string(), n, 10 << 20)).collect();
        assert_eq!((coming.len(), warm.held()), (3, (0, 30 << 20)), "the one that was kept has made room");
        drop(coming);
        assert_eq!(warm.held(), (0, 0), "what did not end well is given back");
        keep(&warm, "due", 0, 20 << 20);
        let repeated = warm.take_due(at(265)).unwrap();
        assert!(kept_in(&warm, "meanwhile", 9, 20 << 20).is_none(), "nor does one that is being repeated");
        warm.put_back(repeated, at(265));
        assert_eq!(warm.held(), (1, 20 << 20));
    }

    #[test]
    fn repeats_are_worth_it_until_together_they_cost_what_a_cold_prompt_does() {
        let worth = |times| {
            let (costs, saves) = Kept { times, ..kept("a", 0, 1) }.weigh();
            costs < saves
        };
        assert_eq!(kept("a", 0, 1).weigh(), (50_000, 575_000), "micro-dollars");
        assert!(worth(0) && worth(10) && !worth(11) && !worth(250));
    }

    #[test]
    fn an_earlier_use_of_a_conversation_does_not_replace_a_later_one() {
        let warm = Warm::default();
        keep(&warm, "a", 100, 1);
        warm.put_back(kept_in(&warm, "a", 0, 1).unwrap(), at(50));
        assert_eq!(warm.next_due(), Some(at(100) + REPEAT));
        assert!(warm.take_due(at(100)).is_none());
        assert!(warm.take_due(at(365)).is_some());
        assert_eq!(warm.held(), (0, 0));
    }

    #[test]
    fn prompts_that_waited_for_a_slow_repeat_were_repeated_when_they_had_gone_cold() {
        let warm = Warm::default();
        keep(&warm, "slow", 0, 1);
        keep(&warm, "behind it", 1, 1);
        assert_eq!(warm.take_due(at(265)).unwrap().used_at, at(0));
        assert_eq!(warm.held().0, 1, "it can still be taken over by a request of its own");
        assert!(warm.take_due(at(325)).is_none(), "a minute later it has gone cold");
    }

    proptest! {
        #[test]
        fn whatever_the_clock_does_what_is_repeated_is_due_and_not_cold_and_nothing_is_kept_for_ever(
            uses in prop::collection::vec((0u8..40, -1_000i64..1_000, 0usize..100), 0..60), now in -2_000i64..3_000,
        ) {
            let warm = Warm::default();
            for (session, used, bytes) in uses {
                keep(&warm, &session.to_string(), used, bytes);
                prop_assert!(warm.held().0 <= MOST && warm.held().1 <= MOST_BYTES);
            }
            while let Some(due) = warm.take_due(at(now)) {
                let age = at(now).duration_since(due.used_at);
                prop_assert!((REPEAT..=COLD).contains(&age), "{age:?}");
            }
            prop_assert!(warm.next_due().is_none_or(|due| due > at(now) && due.duration_since(at(now)) <= REPEAT * 2));
        }
    }
}
