//! The policies: in which order those who could take a request are asked. A rank is a handful of numbers, so
//! that comparing two hundred accounts costs next to nothing; no two accounts have the same.

pub(super) mod affinity;
pub(super) mod dial;
pub(super) mod expiry;
pub(super) mod weigh;

use std::cmp::Ordering;

use crate::domain::{AccountId, Family, Policy};
use crate::routing::{
    Contender,
    case::Case,
    contenders::Glance,
    plan::course::Place,
    rank::{
        dial::Dial,
        expiry::{Expiry, LEAST_URGENT},
    },
    standing::guarded,
};

/// Where one account stands in the order. Lower goes first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::routing) struct Rank {
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
pub(in crate::routing) enum Doubt {
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
/// What one request that runs, or a conversation that is bound to an account and will go on there, is expected to
/// take of a window. A guess that is the same for all, so that what begins at the same moment spreads.
const EACH: f64 = 0.02;
/// All of them together are never taken for more: many that are idle outweigh no account that is nearly spent.
const ALL: f64 = 0.5;

impl Rank {
    /// `None` if it is found to come after another one, which mostly takes a look at one or two windows.
    #[inline]
    pub fn unless_after(
        other: Option<&Self>,
        case: &Case<'_>,
        contender: &Contender,
        glance: &Glance,
        place: &Place<'_>,
        family: Option<Family>,
        doubt: Doubt,
    ) -> Option<Self> {
        // What each key may be at most; the first that is less settles it.
        let mut most = [f64::INFINITY; 4];
        if let Some(other) = other {
            match (place.stage, doubt).cmp(&(other.stage, other.doubt)) {
                Ordering::Greater => return None,
                Ordering::Equal => most = other.keys,
                Ordering::Less => {}
            }
        }
        let keys = match place.policy {
            Policy::Priority => {
                let priority = glance.priority;
                if priority > most[0] {
                    return None;
                }
                let most = if priority < most[0] { f64::INFINITY } else { most[1] };
                [priority, burdened(case, contender, glance, family, most)?, load(glance), 0.0]
            }
            Policy::Headroom => {
                [burdened(case, contender, glance, family, most[0])?, glance.priority, load(glance), 0.0]
            }
            Policy::SoonestReset => {
                let crowd = crowd(glance);
                let urgency = Expiry::urgency_of(glance, family, crowd, -most[0], case.moment)?;
                // Of those of which nothing will be lost, the one with most left.
                let used = if urgency > LEAST_URGENT {
                    0.0
                } else {
                    burdened(case, contender, glance, family, f64::INFINITY)?
                };
                [-urgency, used, glance.priority, 0.0]
            }
            Policy::RoundRobin => [turn(glance), 0.0, 0.0, 0.0],
        };
        Some(Self { stage: place.stage, doubt, keys, id: glance.id })
    }

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
pub(in crate::routing) fn used(
    case: &Case<'_>,
    contender: &Contender,
    glance: &Glance,
    family: Option<Family>,
) -> Option<f64> {
    match &contender.account.guards {
        Some(guards) => guarded::used(guards, contender, family, case.now),
        None => fullest(glance.dials.all(), family, case.moment, |_| false).filter(|share| share.is_finite()),
    }
}

/// The fullest of the windows that apply, minus infinity if none is known; `None` as soon as one is too full.
#[inline]
fn fullest(
    dials: &[Dial],
    family: Option<Family>,
    now: i64,
    is_too_full: impl Fn(f64) -> bool,
) -> Option<f64> {
    let mut fullest = f64::NEG_INFINITY;
    for dial in dials {
        // What a window says now is never more than what was told of it.
        if dial.told.is_none_or(|told| told <= fullest) || !dial.applies_to(family) {
            continue;
        }
        let share = dial.used(now).filter(|share| share.is_finite());
        fullest = share.map_or(fullest, |share| share.max(fullest));
        if is_too_full(fullest) {
            return None;
        }
    }
    Some(fullest)
}

/// What is used with what is going on there; `None` if it is found to be more than `most`.
#[inline]
fn burdened(
    case: &Case<'_>,
    contender: &Contender,
    glance: &Glance,
    family: Option<Family>,
    most: f64,
) -> Option<f64> {
    let crowd = crowd(glance);
    let used = if !glance.is_plain && contender.account.guards.is_some() {
        used(case, contender, glance, family)
    } else {
        // The very sum that is compared, so that rounding decides nothing.
        let fullest = fullest(glance.dials.all(), family, case.moment, |share| share + crowd > most)?;
        Some(fullest).filter(|share| share.is_finite())
    };
    Some(used.unwrap_or(UNKNOWN) + crowd)
}

/// What is going on there already, as a share of a window: the first few count fully, more of them less and less.
fn crowd(glance: &Glance) -> f64 {
    let going_on = f64::from(glance.load.count()) + f64::from(glance.load.bound());
    // Most have nothing, and a division takes its time.
    if going_on == 0.0 {
        return 0.0;
    }
    let each = EACH * going_on;
    ALL * each / (ALL + each)
}

fn load(glance: &Glance) -> f64 {
    f64::from(glance.load.count())
}

fn turn(glance: &Glance) -> f64 {
    glance.load.turn() as f64
}
