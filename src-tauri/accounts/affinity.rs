//! Where conversations stay. `routing` knows the rules; here they are looked up for a request, told what became of
//! it, and kept on disk, so that a restart costs nobody a cold prompt. Never waits for the disk.

use std::time::Duration;

use jiff::Timestamp;

use super::Roster;
use crate::{
    domain::{AccountId, Ask, Conversation, Usage},
    routing::{AFFINITY_LIVES, Affinities, Bound, Pick, Refuge, Snapshot},
    store::{AffinityRow, Store, StoreError},
};

/// How long a prompt stays in the cache after it was read or written (Anthropic's page on prompt caching).
const SHORT: Duration = Duration::from_mins(5);
/// The same where the client asked for the longer kind.
const LONG: Duration = Duration::from_hours(1);

/// All that were kept and still count.
pub(super) fn load(store: &Store, snapshot: &Snapshot, now: Timestamp) -> Result<Affinities, StoreError> {
    let since = now.checked_sub(AFFINITY_LIVES).unwrap_or(Timestamp::MIN);
    let affinities = Affinities::default();
    affinities.restore(store.affinities(since)?.into_iter().map(binding).collect(), snapshot, now);
    Ok(affinities)
}

impl Roster {
    /// Where the conversation of this request is bound to.
    pub fn bound(&self, ask: &Ask, now: Timestamp) -> Option<Bound> {
        self.inner().affinities.of(&ask.conversation()?, now)
    }

    /// The chosen account has begun to answer.
    pub fn serves(&self, ask: &Ask, pick: &Pick, now: Timestamp) {
        let Some(conversation) = ask.conversation() else { return };
        let bound = self.inner().affinities.served(&conversation, pick, ask.family(), now);
        self.keep(conversation, bound);
    }

    /// An answer of this account has ended, and says what of the prompt lies in its cache now.
    pub fn has_cached(&self, ask: &Ask, account: AccountId, usage: &Usage, now: Timestamp) {
        if usage.cache_read.is_none() && usage.cache_write.is_none() {
            return;
        }
        let Some(conversation) = ask.conversation() else { return };
        let tokens = usage.cache_read.unwrap_or(0).saturating_add(usage.cache_write.unwrap_or(0));
        let lives = match (usage.cache_write_1h.unwrap_or(0), usage.cache_write.unwrap_or(0)) {
            (1.., _) => Some(LONG),
            (0, 1..) => Some(SHORT),
            (0, 0) => None,
        };
        let bound = self.inner().affinities.cached(&conversation, account, ask.family(), tokens, lives, now);
        self.keep(conversation, bound);
    }

    fn keep(&self, conversation: Conversation, bound: Option<Bound>) {
        if let Some(bound) = bound {
            self.inner().store.save_affinity(row(conversation, &bound));
        }
    }
}

fn row(conversation: Conversation, bound: &Bound) -> AffinityRow {
    AffinityRow {
        conversation,
        account: bound.account,
        since: bound.since,
        last_used: bound.last_used,
        prefix: bound.prefix,
        family: bound.family,
        warm_until: bound.warm_until,
        refuge: bound.refuge.map(|refuge| (refuge.account, refuge.warm_until)),
    }
}

fn binding(row: AffinityRow) -> (Conversation, Bound) {
    let bound = Bound {
        account: row.account,
        since: row.since,
        last_used: row.last_used,
        prefix: row.prefix,
        family: row.family,
        warm_until: row.warm_until,
        // It is not written down, and can be told from how far its end lies ahead.
        for_an_hour: Bound::lives_long(row.last_used, row.warm_until),
        refuge: row.refuge.map(|(account, warm_until)| Refuge { account, warm_until }),
    };
    (row.conversation, bound)
}
