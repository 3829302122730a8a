//! What a back-test is asked, read and checked: every account and pool that it names is there, and nothing in it
//! contradicts something else.

use std::sync::Arc;

use crate::api::{
    Api, Refused,
    backtest::limits::{self, Capacity},
    backtest::views::{AlternativeOrder, BacktestOrder},
};
use crate::{
    accounts::GuardsChange,
    api::plan::views::GuardsOrder,
    domain::{AccountId, AccountName, PoolId, RouteId},
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
    /// Accounts that are in alternatives alone.
    pub added: Vec<Added>,
}

/// An account that is in an alternative alone.
pub(in crate::api) struct Added {
    pub id: AccountId,
    pub name: AccountName,
}

/// More accounts than this nobody adds to an alternative.
const MOST_ADDED: usize = 16;
/// As an account's id this is never given.
const ADDED: i64 = 1 << 40;

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
        let mut added: Vec<Added> = Vec::new();
        let alternatives = order.alternatives.iter().map(|order| alternative(order, &snapshot, &mut added));
        let alternatives = alternatives.collect::<Result<_, _>>()?;
        let capacities = limits::given(&order.capacities, &snapshot)?;
        Ok(Self { days, snapshot, capacities, alternatives, added })
    }
}

/// An alternative with its name, if what it speaks of is there.
fn alternative(
    order: &AlternativeOrder,
    snapshot: &Snapshot,
    added: &mut Vec<Added>,
) -> Result<(String, Alternative), Refused> {
    let mut named = Vec::new();
    let mut wanted = Alternative::default();
    policies(order, snapshot, &mut wanted, &mut named)?;
    priorities(order, snapshot, &mut wanted, &mut named)?;
    for capacity in limits::given(&order.capacities, snapshot)? {
        let contender = account(snapshot, capacity.account.0)?;
        named.push(format!("{} of {} holds {:.0}", capacity.window, contender.account.name, capacity.tokens));
        wanted.limits.extend(capacity.limit(contender).map(|limit| (capacity.account, limit)));
    }
    guards(order, snapshot, &mut wanted, &mut named)?;
    for switch in &order.routes {
        let id = RouteId(switch.route);
        let missing =
            || Refused::not_found(format!("there is no route {}: `headgate routes` lists them", id.0));
        let route = snapshot.plan.routes.iter().find(|route| route.id == id).ok_or_else(missing)?;
        only_once(wanted.routes.iter().any(|(known, _)| *known == id), "one state", route.name.as_str())?;
        named.push(format!("route {} {}", route.name, if switch.enabled { "on" } else { "off" }));
        wanted.routes.push((id, switch.enabled));
    }
    another(order, snapshot, &mut wanted, &mut named, added)?;
    for id in &order.without {
        let contender = account(snapshot, *id)?;
        let (name, id) = (&contender.account.name, contender.account.id);
        let is_spoken_of = wanted.priorities.iter().any(|(known, _)| *known == id)
            || wanted.limits.iter().any(|(known, _)| *known == id)
            || wanted.guards.iter().any(|(known, _)| *known == id);
        if is_spoken_of {
            return Err(Refused::bad_input(format!(
                "nothing of {name} can be another where it is left out: make two alternatives of it"
            )));
        }
        named.push(format!("without {name}"));
        wanted.without.push(id);
    }
    if named.is_empty() {
        return Err(Refused::bad_input(
            "an alternative that changes nothing is the plan as it is, which is played anyway: name a policy, a priority, a \
             capacity, a cap, a route, or an account to leave out or to add",
        ));
    }
    Ok((named.join(", "), wanted))
}

/// Of one thing an alternative says one thing.
fn only_once(is_known: bool, what: &str, name: &str) -> Result<(), Refused> {
    if is_known {
        return Err(Refused::bad_input(format!(
            "an alternative has {what} for {name}: make two alternatives of it"
        )));
    }
    Ok(())
}

fn policies(
    order: &AlternativeOrder,
    snapshot: &Snapshot,
    wanted: &mut Alternative,
    named: &mut Vec<String>,
) -> Result<(), Refused> {
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
        only_once(wanted.policies.iter().any(|(known, _)| *known == pool), "one policy", "a pool")?;
        wanted.policies.push((pool, order.policy));
    }
    // What is said of one pool goes before what is said of all.
    wanted.policies.sort_by_key(|(pool, _)| pool.is_some());
    Ok(())
}

fn priorities(
    order: &AlternativeOrder,
    snapshot: &Snapshot,
    wanted: &mut Alternative,
    named: &mut Vec<String>,
) -> Result<(), Refused> {
    for order in &order.priorities {
        let contender = account(snapshot, order.account)?;
        let (id, name, priority) = (contender.account.id, &contender.account.name, order.priority);
        if !(-1000..=1000).contains(&priority) {
            return Err(Refused::bad_input(format!("{priority} is no priority: they go from -1000 to 1000")));
        }
        only_once(wanted.priorities.iter().any(|(known, _)| *known == id), "one priority", name.as_str())?;
        named.push(format!("priority of {name} {priority}"));
        wanted.priorities.push((id, priority));
    }
    Ok(())
}

fn guards(
    order: &AlternativeOrder,
    snapshot: &Snapshot,
    wanted: &mut Alternative,
    named: &mut Vec<String>,
) -> Result<(), Refused> {
    for order in &order.guards {
        let contender = account(snapshot, order.account)?;
        let (id, name) = (contender.account.id, &contender.account.name);
        only_once(wanted.guards.iter().any(|(known, _)| *known == id), "one set of guards", name.as_str())?;
        let change =
            GuardsOrder { reserves: order.reserves.clone(), caps: order.caps, peaks: None }.read()?;
        let is_of = |what: bool, word: &'static str| what.then_some(word);
        let of = [is_of(change.reserves.is_some(), "reserves"), is_of(change.caps.is_some(), "caps")];
        let of: Vec<_> = of.into_iter().flatten().collect();
        if of.is_empty() {
            return Err(Refused::bad_input(format!(
                "name what else is to be kept back of {name}: reserves or caps"
            )));
        }
        named.push(format!("other {} of {name}", of.join(" and ")));
        let guards = GuardsChange::of(change, contender.account.guards.as_deref());
        let guards = guards.map_err(|error| Refused::bad_input(error.to_string()))?;
        wanted.guards.push((id, guards.map(Arc::new)));
    }
    Ok(())
}

fn another(
    order: &AlternativeOrder,
    snapshot: &Snapshot,
    wanted: &mut Alternative,
    named: &mut Vec<String>,
    added: &mut Vec<Added>,
) -> Result<(), Refused> {
    if order.another.len() > MOST_ADDED {
        return Err(Refused::bad_input(format!("an alternative may add up to {MOST_ADDED} accounts")));
    }
    for like in &order.another {
        let contender = account(snapshot, *like)?;
        let (account, is_login) = (&contender.account, contender.provider.passes_logins());
        if is_login {
            return Err(Refused::bad_input(format!(
                "{} passes on the sign-in that a request came with, so there can't be one more of it: name an account \
                 with a key or a sign-in of its own",
                account.name
            )));
        }
        let id = AccountId(ADDED + i64::try_from(added.len()).unwrap_or_default());
        let name =
            AccountName::new(&format!("like {}", account.name)).unwrap_or_else(|_| account.name.clone());
        named.push(format!("another {}", account.name));
        wanted.another.push((id, name.clone(), account.id));
        added.push(Added { id, name });
    }
    Ok(())
}

/// An account by its id.
pub(in crate::api) fn account(snapshot: &Snapshot, id: i64) -> Result<&Arc<Contender>, Refused> {
    let missing = || Refused::not_found(format!("there is no account {id}: `headgate accounts` lists them"));
    snapshot.get(AccountId(id)).ok_or_else(missing)
}
