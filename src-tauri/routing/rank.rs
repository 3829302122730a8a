//! The policies: in which order those who could take a request are asked. A rank is a handful of numbers, so
//! that comparing two hundred accounts costs next to nothing; no two accounts have the same.

use std::cmp::Ordering;

use super::{Contender, case::Case, course::Place, expiry::Expiry, guarded};
use crate::domain::{AccountId, Family, Policy};

/// Where one account stands in the order. Lower goes first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rank {
    /// Of its place on the course.
    pub stage: u8,
    /// What makes it come after the others of its place.
    pub doubt: Doubt,
    /// By the policy of its place.
    keys: [f64; 4],
    id: AccountId,
}

/// What makes an account that can serve come after the others of its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doubt {
    /// Nothing.
    None,
    /// A person spares it at this hour.
    Spared,
    /// It is just coming back, or its upstream is in trouble.
    Hindered,
    /// It may not have the model, or not read as much.
    Unfit,
}

/// An account of which nobody has told us counts as half used: neither empty nor full.
const UNKNOWN: f64 = 0.5;
/// What one request that runs is expected to take of a window. A guess that is the same for all, so that what
/// begins at the same moment spreads.
const RUNNING: f64 = 0.02;
/// The same for a conversation that is bound to an account, and will go on there.
const BOUND: f64 = 0.02;

impl Rank {
    #[inline]
    pub fn of(
        case: &Case<'_>,
        contender: &Contender,
        place: &Place<'_>,
        family: Option<Family>,
        doubt: Doubt,
    ) -> Self {
        let keys = match place.policy {
            Policy::Priority => {
                [priority(contender), burdened(case, contender, family), load(contender), 0.0]
            }
            Policy::Headroom => {
                [burdened(case, contender, family), priority(contender), load(contender), 0.0]
            }
            Policy::SoonestReset => {
                let urgency = Expiry::of(contender, family, case.now).urgency(crowd(contender));
                // Of those of which nothing expires, the one with most left.
                let used = if urgency > 0.0 { 0.0 } else { burdened(case, contender, family) };
                [-urgency, used, priority(contender), 0.0]
            }
            Policy::RoundRobin => [turn(contender), 0.0, 0.0, 0.0],
        };
        Self { stage: place.stage, doubt, keys, id: contender.account.id }
    }
}

impl Rank {
    /// The same, doubted for this reason.
    pub fn with(self, doubt: Doubt) -> Self {
        Self { doubt, ..self }
    }
}

impl Eq for Rank {}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_keys = || {
            let pairs = self.keys.iter().zip(&other.keys);
            pairs.map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        (self.stage, self.doubt)
            .cmp(&(other.stage, other.doubt))
            .then_with(by_keys)
            .then(self.id.cmp(&other.id))
    }
}

/// The share that is used of whatever is scarcest, of windows and caps; `None` if nothing is known.
pub(super) fn used(case: &Case<'_>, contender: &Contender, family: Option<Family>) -> Option<f64> {
    let now = case.now;
    let Some(guards) = &contender.account.guards else { return fullest(contender, family, now) };
    guarded::used(guards, contender, family, now)
}

/// The fullest of the windows that apply; `None` if none is known.
fn fullest(contender: &Contender, family: Option<Family>, now: jiff::Timestamp) -> Option<f64> {
    let windows = contender.windows.iter().filter(|window| window.applies_to(family));
    let most = windows.filter_map(|window| window.utilization_at(now)).fold(f64::NEG_INFINITY, f64::max);
    most.is_finite().then_some(most)
}

fn burdened(case: &Case<'_>, contender: &Contender, family: Option<Family>) -> f64 {
    used(case, contender, family).unwrap_or(UNKNOWN) + crowd(contender)
}

/// What is going on there already, as a share of a window.
fn crowd(contender: &Contender) -> f64 {
    RUNNING * f64::from(contender.load.count()) + BOUND * f64::from(contender.load.bound())
}

fn priority(contender: &Contender) -> f64 {
    f64::from(contender.account.priority)
}

fn load(contender: &Contender) -> f64 {
    f64::from(contender.load.count())
}

fn turn(contender: &Contender) -> f64 {
    contender.load.turn() as f64
}
