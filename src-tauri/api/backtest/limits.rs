//! What each account's limits hold in a back-test: given by the order, else measured, else unknown. A limit of
//! which nobody knows what it holds is left away, and said to be; no number is made up for it.

use jiff::{SignedDuration, Timestamp};

use crate::api::{
    Refused,
    backtest::order::account,
    backtest::views::{BacktestLimit, CapacityOrder, CapacitySource},
};
use crate::{
    domain::{AccountId, Paid, Window, WindowName},
    routing::{
        Contender, Snapshot,
        replay::{ALLOTMENT, Limit, Past, Player, is_played, measure},
    },
};

/// What the order says that a limit holds.
pub(in crate::api) struct Capacity {
    pub account: AccountId,
    pub window: WindowName,
    pub tokens: f64,
}

impl Capacity {
    /// The limit that it is, of this account.
    pub fn limit(&self, contender: &Contender) -> Option<Limit> {
        let told = contender.windows.iter().filter(|window| is_played(window));
        limit(&self.window, self.tokens, told.into_iter().find(|window| window.name == self.window))
    }
}

/// The accounts with their limits, and the limits as they are shown.
pub(in crate::api) struct Limits {
    pub players: Vec<Player>,
    pub views: Vec<BacktestLimit>,
}

/// More than any limit holds.
const MOST_TOKENS: f64 = 1e15;
const LONGEST_NAME: usize = 64;
/// No window is longer.
const LONGEST: SignedDuration = SignedDuration::from_hours(31 * 24);
/// Shorter ones begin with their first use; these go by the calendar.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The capacities of an order, if each can be meant.
pub(in crate::api) fn given(orders: &[CapacityOrder], snapshot: &Snapshot) -> Result<Vec<Capacity>, Refused> {
    let mut given: Vec<Capacity> = Vec::new();
    for order in orders {
        let contender = account(snapshot, order.account)?;
        let (id, name) = (contender.account.id, &contender.account.name);
        let window = WindowName(order.window.trim().into());
        let length = window.length().filter(|length| *length <= LONGEST);
        if length.is_none() || window.0.len() > LONGEST_NAME {
            return Err(Refused::bad_input(format!(
                "\"{}\" is no window that can be played: its name begins with how long it is, up to 31 days, as in 5h, 7d \
                 or 7d_opus",
                order.window
            )));
        }
        if !(order.tokens >= 1.0 && order.tokens <= MOST_TOKENS) {
            return Err(Refused::bad_input(format!(
                "{} tokens can't be what {window} of {name} holds: name a number from 1 on, in tokens of plain input",
                order.tokens
            )));
        }
        if given.iter().any(|known| known.account == id && known.window == window) {
            return Err(Refused::bad_input(format!(
                "{window} of {name} has two capacities here: name the one that it holds"
            )));
        }
        given.push(Capacity { account: id, window, tokens: order.tokens });
    }
    Ok(given)
}

/// The length of the longest limit: as far back as that, what was used still counted at the beginning.
pub(in crate::api) fn longest<'a>(
    snapshot: &'a Snapshot,
    given: impl Iterator<Item = &'a WindowName>,
) -> SignedDuration {
    let told = snapshot.contenders.iter().flat_map(|one| &one.windows).filter(|window| is_played(window));
    let names = told.map(|window| &window.name).chain(given);
    names.filter_map(WindowName::length).max().unwrap_or_default().min(LONGEST)
}

/// Each account with the limits that it is played with. `known_since` is from when on the records are whole.
pub(in crate::api) fn of(
    snapshot: &Snapshot,
    given: &[Capacity],
    past: &Past,
    known_since: Timestamp,
) -> Limits {
    let mut views = Vec::new();
    let player = |contender: &std::sync::Arc<Contender>| {
        let (account, mut limits) = (&contender.account, Vec::new());
        let known_since = known_since.max(account.created_at);
        let told = contender.windows.iter().filter(|window| is_played(window));
        let mut seen: Vec<(&WindowName, Option<&Window>)> =
            told.map(|window| (&window.name, Some(window))).collect();
        for capacity in given.iter().filter(|capacity| capacity.account == account.id) {
            if !seen.iter().any(|(name, _)| **name == capacity.window) {
                seen.push((&capacity.window, None));
            }
        }
        seen.sort_by_key(|(name, _)| (name.length(), (*name).clone()));
        for (name, window) in seen {
            let ours =
                given.iter().find(|capacity| capacity.account == account.id && capacity.window == *name);
            let holds = match (ours, window) {
                (Some(capacity), _) => Ok((capacity.tokens, CapacitySource::Given)),
                (None, Some(window)) => measure(window, past.uses(account.id), known_since)
                    .map(|tokens| (tokens, CapacitySource::Measured)),
                (None, None) => continue,
            };
            let tokens = holds.as_ref().ok().map(|(tokens, _)| *tokens);
            views.push(BacktestLimit {
                account: account.id.0,
                name: account.name.to_string(),
                window: name.to_string(),
                tokens,
                source: holds.as_ref().map_or(CapacitySource::Unknown, |(_, source)| *source),
                why: holds.err().map(|why| why.to_string()),
            });
            limits.extend(tokens.and_then(|tokens| limit(name, tokens, window)));
        }
        let told = contender.windows.iter().filter(|window| is_played(window)).map(|window| &window.name);
        let played = limits.iter().map(|limit| &limit.name);
        let is_allotment =
            |name: &WindowName| name.length().is_some_and(|length| length.unsigned_abs() >= ALLOTMENT);
        let has_allotment = told.chain(played).any(is_allotment);
        let paid = contender.paid();
        let is_paid_by_use = match paid {
            Some(paid) => paid == Paid::Use,
            None => !contender.provider.passes_logins() && !has_allotment,
        };
        let mut contender = Contender::clone(contender);
        // It stays so, whatever limits it is played with.
        contender.account.paid = paid;
        Player { contender, limits, is_paid_by_use }
    };
    let players = snapshot.contenders.iter().map(player).collect();
    Limits { players, views }
}

fn limit(name: &WindowName, capacity: f64, window: Option<&Window>) -> Option<Limit> {
    let length = name.length()?;
    let anchor = window.and_then(|window| window.resets_at).filter(|_| length >= DAY);
    Some(Limit { name: name.clone(), length: length.try_into().ok()?, capacity, anchor, open: None })
}
