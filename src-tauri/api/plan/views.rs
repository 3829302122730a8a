//! The shapes of pools, routes, bindings and guards, and how they are read and written. What points at something
//! that is gone has no name there. Money is in US dollars here and in whole micro-dollars everywhere below.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{
    Refused,
    keys::views::{BudgetView, money},
};
use crate::{
    accounts::{self, GuardsChange},
    domain::{
        AccountId, Binding, BindingId, Budget, Caps, Guards, Outlay, Peak, Period, Policy, Pool, PoolId,
        Reserve, Route, RouteId, RouteIdle, Slot, Spent, Subject, Target,
    },
    routing::{Plan, Snapshot},
};

/// A named set of accounts with the policy by which one of them is chosen.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PoolView {
    /// 1 is `main`, which is always there.
    pub id: i64,
    pub name: String,
    pub policy: Policy,
    /// Ids of the accounts in it.
    pub accounts: Vec<i64>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A pool to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPool {
    pub name: String,
    /// `priority` if nothing is said.
    #[serde(default)]
    pub policy: Policy,
    /// Ids of accounts that are moved into it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<i64>,
    /// The id that it had, to put a removed one back: what points at it points there again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
}

/// What to change; absent fields stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
}

/// What removing a pool came to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RemovedPool {
    /// As it was. Its accounts are in `main` again; sent as a new pool with its id, all is as it was.
    pub pool: PoolView,
    /// Names of the routes that have a slot which points at nothing now.
    pub routes: Vec<String>,
    /// What was bound to it, and is bound to nothing now; what is bound strictly is served by nobody.
    pub bindings: Vec<BindingView>,
    /// Names of the clients' keys that allow it, and allow nobody there now.
    pub keys: Vec<String>,
}

/// A named chain of places to try, in order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RouteView {
    pub id: i64,
    pub name: String,
    /// Switched off, it is as if it were not there.
    pub enabled: bool,
    /// What it is for: a family (`opus`, `sonnet`, `haiku`, `fable`), a model's id, or the beginning of one with
    /// `*` behind it.
    pub models: String,
    pub slots: Vec<SlotView>,
    /// Whether a request that no slot can serve goes on to the usual selection.
    pub falls_through: bool,
    /// How many seconds an answer that comes by one of its slots may be silent before it is ended as
    /// `upstream_stalled`; absent: as long as any other (`limits.idle_seconds`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u32>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// One place of a route: an account or a pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SlotView {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_id: Option<i64>,
    /// What that is called; absent where it points at nothing. Not looked at where it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The model that is asked for there instead of the one that the client named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// A route to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRoute {
    pub name: String,
    pub models: String,
    pub slots: Vec<SlotView>,
    /// On if nothing is said.
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub falls_through: bool,
    /// Seconds of silence; absent or 0: as long as any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 86400)]
    pub idle_seconds: Option<u32>,
    /// The id that it had, to put a removed one back where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
}

/// What to change; absent fields stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<String>,
    /// All of them, in order, in place of those that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<Vec<SlotView>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub falls_through: Option<bool>,
    /// Seconds of silence; 0: as long as any other again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 86400)]
    pub idle_seconds: Option<u32>,
}

/// What is bound to a pool.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BindingView {
    pub id: i64,
    pub subject: Subject,
    /// The same in words: `key ci`, `folder /work/a`.
    pub what: String,
    pub pool_id: i64,
    /// What that is called; absent where it is gone.
    pub pool: Option<String>,
    /// Refuse rather than leave the pool.
    pub strict: bool,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// Something to be bound.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBinding {
    pub subject: Subject,
    pub pool_id: i64,
    #[serde(default)]
    pub strict: bool,
    /// The id that it had, to put a removed one back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
}

/// What to change; absent fields stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BindingChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

/// What is decided for all requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanSettings {
    /// No request is served another model than the one that it asks for, whatever routes and accounts say: it is
    /// refused instead.
    pub serve_asked_or_refuse: bool,
}

/// What is kept back of an account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GuardsView {
    /// Where its windows stop being used.
    pub reserves: Vec<Reserve>,
    /// How much it may spend, and has spent.
    pub caps: CapsView,
    /// Hours in which it is spared.
    pub peaks: Vec<Peak>,
}

/// The caps that there are; absent where there is none.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CapsView {
    /// From midnight to midnight, UTC.
    pub day: Option<BudgetView>,
    /// From Monday to Monday, UTC.
    pub week: Option<BudgetView>,
    /// From the first of a month to the next, UTC.
    pub month: Option<BudgetView>,
}

/// What to change of an account's guards; each list that is there replaces the one that was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardsOrder {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserves: Option<Vec<Reserve>>,
    /// All caps: one that is absent is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caps: Option<CapsOrder>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peaks: Option<Vec<Peak>>,
}

/// How much an account may spend, per period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CapsOrder {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<CapOrder>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub week: Option<CapOrder>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<CapOrder>,
}

/// One cap: in tokens of every kind, in US dollars by the price list, or both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CapOrder {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
}

fn yes() -> bool {
    true
}

impl PoolView {
    /// A pool with the accounts that are in it.
    pub(in crate::api) fn of(pool: &Pool, snapshot: &Snapshot) -> Self {
        let is_in = |one: &&std::sync::Arc<crate::routing::Contender>| snapshot.plan.pool_of(one) == pool.id;
        let accounts = snapshot.contenders.iter().filter(is_in).map(|one| one.account.id.0).collect();
        Self { accounts, ..Self::alone(pool) }
    }

    fn alone(pool: &Pool) -> Self {
        Self {
            id: pool.id.0,
            name: pool.name.to_string(),
            policy: pool.policy,
            accounts: Vec::new(),
            created_at: pool.created_at,
        }
    }

    /// A pool that is gone, with the accounts that were in it.
    pub(in crate::api) fn was(pool: &Pool, accounts: &[AccountId]) -> Self {
        Self { accounts: accounts.iter().map(|id| id.0).collect(), ..Self::alone(pool) }
    }
}

impl From<NewPool> for accounts::NewPool {
    fn from(new: NewPool) -> Self {
        Self {
            id: new.id.map(PoolId),
            name: new.name,
            policy: new.policy,
            accounts: new.accounts.into_iter().map(AccountId).collect(),
        }
    }
}

impl RouteView {
    pub(in crate::api) fn of(route: &Route, snapshot: &Snapshot) -> Self {
        Self {
            id: route.id.0,
            name: route.name.to_string(),
            enabled: route.enabled,
            models: route.models.as_str().into(),
            slots: route.slots.iter().map(|slot| SlotView::of(slot, snapshot)).collect(),
            falls_through: route.falls_through,
            idle_seconds: route.idle.map(RouteIdle::seconds),
            created_at: route.created_at,
        }
    }
}

impl SlotView {
    fn of(slot: &Slot, snapshot: &Snapshot) -> Self {
        let model = slot.model.as_ref().map(ToString::to_string);
        match slot.target {
            Target::Account(id) => {
                let name = snapshot.get(id).map(|one| one.account.name.to_string());
                Self { account_id: Some(id.0), name, model, ..Self::default() }
            }
            Target::Pool(id) => {
                let name = snapshot.plan.pool(id).map(|pool| pool.name.to_string());
                Self { pool_id: Some(id.0), name, model, ..Self::default() }
            }
        }
    }

    fn read(self) -> Result<Slot, Refused> {
        let target = match (self.account_id, self.pool_id) {
            (Some(id), None) => Target::Account(AccountId(id)),
            (None, Some(id)) => Target::Pool(PoolId(id)),
            _ => return Err(Refused::bad_input("a slot names one account or one pool, by its id")),
        };
        Ok(Slot { target, model: self.model.map(|model| model.trim().into()) })
    }
}

fn slots(slots: Vec<SlotView>) -> Result<Vec<Slot>, Refused> {
    slots.into_iter().map(SlotView::read).collect()
}

impl NewRoute {
    pub(in crate::api) fn read(self) -> Result<accounts::NewRoute, Refused> {
        Ok(accounts::NewRoute {
            id: self.id.map(RouteId),
            name: self.name,
            enabled: self.enabled,
            models: self.models,
            slots: slots(self.slots)?,
            falls_through: self.falls_through,
            idle_seconds: self.idle_seconds.unwrap_or(0),
        })
    }
}

impl RouteChange {
    pub(in crate::api) fn read(self) -> Result<accounts::RouteChange, Refused> {
        Ok(accounts::RouteChange {
            name: self.name,
            enabled: self.enabled,
            models: self.models,
            slots: self.slots.map(slots).transpose()?,
            falls_through: self.falls_through,
            idle_seconds: self.idle_seconds,
        })
    }
}

impl BindingView {
    /// `key_name` is what the key is called that is bound, if one is.
    pub(in crate::api) fn of(binding: &Binding, plan: &Plan, key_name: Option<String>) -> Self {
        let what = match (&binding.subject, key_name) {
            (Subject::Key(_), Some(name)) => format!("key {name}"),
            (subject, _) => subject.to_string(),
        };
        Self {
            id: binding.id.0,
            subject: binding.subject.clone(),
            what,
            pool_id: binding.pool.0,
            pool: plan.pool(binding.pool).map(|pool| pool.name.to_string()),
            strict: binding.strict,
            created_at: binding.created_at,
        }
    }
}

impl From<NewBinding> for accounts::NewBinding {
    fn from(new: NewBinding) -> Self {
        Self {
            id: new.id.map(BindingId),
            subject: new.subject,
            pool: PoolId(new.pool_id),
            strict: new.strict,
        }
    }
}

impl GuardsView {
    /// What is kept back, and what was spent of it by `now`.
    pub(in crate::api) fn of(guards: &Guards, outlay: &Outlay, now: Timestamp) -> Self {
        let caps = guards.caps.with(outlay);
        let [day, week, month] = caps.map(|one| cap(one.budget, one.spent(now), one.period(now)));
        Self {
            reserves: guards.reserves.clone(),
            caps: CapsView { day, week, month },
            peaks: guards.peaks.clone(),
        }
    }
}

fn cap(budget: Budget, spent: Spent, period: Period) -> Option<BudgetView> {
    (budget != Budget::default()).then(|| BudgetView::of(budget, (spent, period.until)))
}

impl GuardsOrder {
    /// A limit is more than nothing, as a key's is: an account that is to serve nobody is paused.
    pub(in crate::api) fn read(self) -> Result<GuardsChange, Refused> {
        if self.reserves.iter().flatten().any(|reserve| u8::from(reserve.stop_at) == 0) {
            return Err(Refused::bad_input(
                "a reserve stops at 1 % or later; to use the account for nothing, pause it",
            ));
        }
        Ok(GuardsChange {
            reserves: self.reserves,
            caps: self.caps.map(CapsOrder::read).transpose()?,
            peaks: self.peaks,
        })
    }
}

impl CapOrder {
    /// Whether it would let nothing at all be spent.
    pub fn is_nothing(&self) -> bool {
        self.tokens == Some(0) || self.usd.is_some_and(|usd| usd <= 0.0)
    }
}

impl CapsOrder {
    fn read(self) -> Result<Caps, Refused> {
        let budget = |cap: Option<CapOrder>| {
            let cap = cap.unwrap_or_default();
            let money = cap.usd.map(money).transpose()?;
            if cap.tokens == Some(0) || money.is_some_and(|money| money.0 == 0) {
                return Err(Refused::bad_input(
                    "a cap is more than nothing; leave it out for none, or pause the account",
                ));
            }
            Ok::<_, Refused>(Budget { tokens: cap.tokens, money })
        };
        Ok(Caps { day: budget(self.day)?, week: budget(self.week)?, month: budget(self.month)? })
    }
}
