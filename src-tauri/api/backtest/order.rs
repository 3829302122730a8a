//! What a back-test is asked, read and checked: every account and pool that it names is there, and nothing in it
//! contradicts something else.

use std::sync::Arc;

use crate::api::{
    Api, Refused,
    backtest::limits::{self, Capacity},
    backtest::views::{AlternativeOrder, BacktestOrder},
};
use crate::{
    domain::{AccountId, PoolId},
    routing::{Contender, Snapshot, replay::Alternative},
};

const USUAL_DAYS: u16 = 7;
const MOST_DAYS: u16 = 366;
/// Each is a play of its own.
const MOST_ALTERNATIVES: usize = 16;

/// What is asked, once it is known to make sense.
pub(in crate::api) struct Question {
    pub days: u16,
    pub snapshot: Arc<Snapshot>,
    pub capacities: Vec<Capacity>,
    pub alternatives: Vec<(String, Alternative)>,
}

impl Question {
    /// Reads an order.
    ///
    /// # Errors
    /// What of it makes no sense, with a next step.
    pub fn of(order: &BacktestOrder, api: &Api) -> Result<Self, Refused> {
        let snapshot = api.gateway.roster.shown();
        let days = order.days.unwrap_or(USUAL_DAYS);
        if !(1..=MOST_DAYS).contains(&days) {
            return Err(Refused::bad_input(format!(
                "{days} days can't be played: name 1 to {MOST_DAYS}, counted back from now"
            )));
        }
        if order.alternatives.len() > MOST_ALTERNATIVES {
            return Err(Refused::bad_input(format!(
                "these are {} alternatives: compare up to {MOST_ALTERNATIVES} at once",
                order.alternatives.len()
            )));
        }
        let alternatives = order.alternatives.iter().map(|order| alternative(order, &snapshot));
        Ok(Self {
            days,
            capacities: limits::given(&order.capacities, &snapshot)?,
            alternatives: alternatives.collect::<Result<_, _>>()?,
            snapshot,
        })
    }
}

/// An alternative with its name, if what it speaks of is there.
fn alternative(order: &AlternativeOrder, snapshot: &Snapshot) -> Result<(String, Alternative), Refused> {
    let mut named = Vec::new();
    let mut wanted = Alternative::default();
    for order in &order.policies {
        let pool = order.pool.map(PoolId);
        named.push(match pool {
            None => format!("policy {}", order.policy),
            Some(id) => {
                let pool = snapshot.plan.pool(id);
                let pool = pool.ok_or_else(|| {
                    Refused::not_found(format!("there is no pool {id}: `headgate pools` lists them"))
                })?;
                format!("policy of {} {}", pool.name, order.policy)
            }
        });
        if wanted.policies.iter().any(|(known, _)| *known == pool) {
            return Err(Refused::bad_input(
                "an alternative has one policy for a pool: make two alternatives of it",
            ));
        }
        wanted.policies.push((pool, order.policy));
    }
    // What is said of one pool goes before what is said of all.
    wanted.policies.sort_by_key(|(pool, _)| pool.is_some());
    for order in &order.priorities {
        let contender = account(snapshot, order.account)?;
        let (name, priority) = (&contender.account.name, order.priority);
        if !(-1000..=1000).contains(&priority) {
            return Err(Refused::bad_input(format!("{priority} is no priority: they go from -1000 to 1000")));
        }
        if wanted.priorities.iter().any(|(known, _)| *known == contender.account.id) {
            return Err(Refused::bad_input(format!(
                "an alternative has one priority for {name}: make two alternatives of it"
            )));
        }
        named.push(format!("priority of {name} {priority}"));
        wanted.priorities.push((contender.account.id, priority));
    }
    for id in &order.without {
        let contender = account(snapshot, *id)?;
        if wanted.priorities.iter().any(|(known, _)| *known == contender.account.id) {
            return Err(Refused::bad_input(format!(
                "{0} can't have a priority where it is left out: make two alternatives of it",
                contender.account.name
            )));
        }
        named.push(format!("without {}", contender.account.name));
        wanted.without.push(contender.account.id);
    }
    if named.is_empty() {
        return Err(Refused::bad_input(
            "an alternative that changes nothing is the plan as it is, which is played anyway: name a policy, a priority or \
             an account to leave out",
        ));
    }
    Ok((named.join(", "), wanted))
}

/// An account by its id.
pub(in crate::api) fn account(snapshot: &Snapshot, id: i64) -> Result<&Arc<Contender>, Refused> {
    let missing = || Refused::not_found(format!("there is no account {id}: `headgate accounts` lists them"));
    snapshot.get(AccountId(id)).ok_or_else(missing)
}
