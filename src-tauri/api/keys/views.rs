//! The shapes of clients' keys, and how they are read into a grant and written from one. Money is in US
//! dollars here and in whole micro-dollars everywhere below.
#![expect(clippy::option_option, reason = "a limit that is taken away is not one that stays")]

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::api::{Api, Refused, plan::views::BindingView, views::sent_by_its_owner};
use crate::{
    domain::{AccountId, Budget, Grant, Micros, ModelRule, PoolId, Scope, Spent},
    keys::{Holder, Minted},
    secrets::Sensitive,
};

/// A client's key. The secret is not in it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    pub id: i64,
    pub name: String,
    /// The secret's first characters: `hg_Ab3d`.
    pub prefix: String,
    pub state: KeyState,
    pub scopes: Vec<Scope>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Ids of accounts that may serve it. With neither these nor pools, all may.
    pub accounts: Option<Vec<i64>>,
    /// Ids of pools whose accounts may serve it, in the order in which they are asked.
    pub pools: Option<Vec<i64>>,
    /// The only models that it may ask for, each an id or the beginning of one with `*` behind it; absent
    /// where it may ask for all.
    pub models: Option<Vec<String>>,
    /// Requests within any minute; absent where there is no limit.
    pub per_minute: Option<u32>,
    /// From midnight to midnight, UTC.
    pub daily: BudgetView,
    /// From the first of a month to the next, UTC.
    pub monthly: BudgetView,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last got a new secret.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub rotated_at: Option<Timestamp>,
}

/// What a key is good for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Active,
    /// Switched off by a person.
    Disabled,
    Expired,
    /// Void for ever; told once, in the answer to that.
    Revoked,
}

/// A key that was revoked, and what is bound to nothing now.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RevokedKey {
    pub key: KeyView,
    /// The bindings of what came with it.
    pub bindings: Vec<BindingView>,
}

/// One period of a key: what it may use, and what it has used.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BudgetView {
    /// The limit in tokens of every kind; absent where there is none.
    pub tokens: Option<u64>,
    /// The limit in US dollars; absent where there is none. It counts requests with a known price only.
    pub usd: Option<f64>,
    pub used_tokens: u64,
    /// By the public price list, of the requests that have a price there.
    pub used_usd: f64,
    /// Requests that used tokens at a price that nobody knows; `used_usd` is without them.
    pub unpriced_requests: u64,
    /// What these would cost at the dearest prices of their families. An account's cap counts it, a key's budget does
    /// not.
    #[serde(default)]
    pub unpriced_usd: f64,
    /// When it starts anew.
    #[schema(value_type = String, format = DateTime)]
    pub resets_at: Timestamp,
}

/// A key to be made.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    pub name: String,
    /// What it opens; `proxy` alone where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Ids of accounts that may serve it. With neither these nor pools, all may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Vec<i64>>,
    /// Ids of pools whose accounts may serve it, in the order in which they are asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pools: Option<Vec<i64>>,
    /// Ids, or beginnings of ids with `*` behind them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Requests within any minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_usd: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_usd: Option<f64>,
}

/// What to change. Absent fields stay as they are; `null` takes a limit away.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Switches it off and on again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Option<Timestamp>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    #[schema(value_type = Option<Vec<i64>>)]
    pub accounts: Option<Option<Vec<i64>>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    #[schema(value_type = Option<Vec<i64>>)]
    pub pools: Option<Option<Vec<i64>>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    #[schema(value_type = Option<Vec<String>>)]
    pub models: Option<Option<Vec<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    #[schema(value_type = Option<u32>)]
    pub per_minute: Option<Option<u32>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    #[schema(value_type = Option<u64>)]
    pub daily_tokens: Option<Option<u64>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    #[schema(value_type = Option<f64>)]
    pub daily_usd: Option<Option<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    #[schema(value_type = Option<u64>)]
    pub monthly_tokens: Option<Option<u64>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    #[schema(value_type = Option<f64>)]
    pub monthly_usd: Option<Option<f64>>,
}

/// A key with its secret, shown this once.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct MintedKey {
    pub key: KeyView,
    /// Goes into `ANTHROPIC_AUTH_TOKEN`. It can't be shown again.
    #[schema(value_type = String)]
    #[serde(serialize_with = "sent_by_its_owner")]
    pub secret: Sensitive<String>,
}

/// Tells a `null` from a field that is not there.
fn stated<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl NewKey {
    /// The name and what is to be allowed.
    pub(in crate::api) fn into_grant(self, api: &Api) -> Result<(String, Grant), Refused> {
        let scopes = self.scopes.unwrap_or_else(|| vec![Scope::Proxy]);
        let grant = Grant {
            scopes: scopes.into_iter().collect(),
            expires_at: self.expires_at,
            accounts: self.accounts.map(|ids| accounts(ids, api)).transpose()?,
            pools: self.pools.map(|ids| pools(ids, api)).transpose()?,
            models: self.models.map(models).transpose()?,
            per_minute: self.per_minute,
            daily: Budget { tokens: self.daily_tokens, money: self.daily_usd.map(money).transpose()? },
            monthly: Budget { tokens: self.monthly_tokens, money: self.monthly_usd.map(money).transpose()? },
        };
        Ok((self.name, grant))
    }
}

impl KeyChange {
    /// The new name, the switch, and what is to be done to the grant.
    #[expect(clippy::type_complexity, reason = "what an edit does has no name of its own")]
    pub(in crate::api) fn into_edit(
        self,
        api: &Api,
    ) -> Result<(Option<String>, Option<bool>, impl FnOnce(&mut Grant) + Send + use<>), Refused> {
        let accounts = flipped(self.accounts, |ids| accounts(ids, api))?;
        let pools = flipped(self.pools, |ids| pools(ids, api))?;
        let models = flipped(self.models, models)?;
        let (daily_usd, monthly_usd) = (flipped(self.daily_usd, money)?, flipped(self.monthly_usd, money)?);
        let edit = move |grant: &mut Grant| {
            put(&mut grant.scopes, self.scopes.map(|scopes| scopes.into_iter().collect()));
            put(&mut grant.expires_at, self.expires_at);
            put(&mut grant.accounts, accounts);
            put(&mut grant.pools, pools);
            put(&mut grant.models, models);
            put(&mut grant.per_minute, self.per_minute);
            put(&mut grant.daily.tokens, self.daily_tokens);
            put(&mut grant.daily.money, daily_usd);
            put(&mut grant.monthly.tokens, self.monthly_tokens);
            put(&mut grant.monthly.money, monthly_usd);
        };
        Ok((self.name, self.enabled, edit))
    }
}

fn put<T>(place: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *place = new;
    }
}

/// Reads what is stated, whether that is a value or its absence.
fn flipped<A, B>(
    given: Option<Option<A>>,
    read: impl FnOnce(A) -> Result<B, Refused>,
) -> Result<Option<Option<B>>, Refused> {
    given.map(|stated| stated.map(read).transpose()).transpose()
}

fn accounts(ids: Vec<i64>, api: &Api) -> Result<std::sync::Arc<[AccountId]>, Refused> {
    let snapshot = api.gateway.roster.snapshot();
    match ids.iter().find(|id| snapshot.get(AccountId(**id)).is_none()) {
        Some(id) => {
            Err(Refused::bad_input(format!("there is no account {id}; `headgate accounts` lists them")))
        }
        None => Ok(ids.into_iter().map(AccountId).collect()),
    }
}

fn pools(ids: Vec<i64>, api: &Api) -> Result<std::sync::Arc<[PoolId]>, Refused> {
    let plan = &api.gateway.roster.snapshot().plan;
    match ids.iter().find(|id| plan.pool(PoolId(**id)).is_none()) {
        Some(id) => Err(Refused::bad_input(format!("there is no pool {id}; `headgate pools` lists them"))),
        None => Ok(ids.into_iter().map(PoolId).collect()),
    }
}

fn models(texts: Vec<String>) -> Result<std::sync::Arc<[ModelRule]>, Refused> {
    let rules = texts.iter().map(|text| ModelRule::new(text));
    rules.collect::<Result<_, _>>().map_err(|error| Refused::bad_input(error.to_string()))
}

pub(in crate::api) fn money(dollars: f64) -> Result<Micros, Refused> {
    Micros::of_dollars(dollars)
        .ok_or_else(|| Refused::bad_input("an amount is a number of US dollars from 0 to a billion"))
}

impl KeyView {
    /// A key as it stands at `now`.
    pub(in crate::api) fn of(holder: &Holder, now: Timestamp) -> Self {
        let (key, grant, usages) = (&holder.key, &holder.key.grant, holder.usages(now));
        Self {
            id: key.id.0,
            name: key.name.to_string(),
            prefix: key.prefix.to_string(),
            state: match grant.expires_at {
                _ if key.revoked_at.is_some() => KeyState::Revoked,
                _ if !key.enabled => KeyState::Disabled,
                Some(end) if end <= now => KeyState::Expired,
                _ => KeyState::Active,
            },
            scopes: grant.scopes.iter().collect(),
            expires_at: grant.expires_at,
            accounts: grant.accounts.as_ref().map(|ids| ids.iter().map(|id| id.0).collect()),
            pools: grant.pools.as_ref().map(|ids| ids.iter().map(|id| id.0).collect()),
            models: grant.models.as_ref().map(|all| all.iter().map(|rule| rule.as_str().into()).collect()),
            per_minute: grant.per_minute,
            daily: BudgetView::of(grant.daily, usages.day),
            monthly: BudgetView::of(grant.monthly, usages.month),
            created_at: key.created_at,
            rotated_at: key.rotated_at,
        }
    }
}

impl BudgetView {
    pub(in crate::api) fn of(budget: Budget, (spent, resets_at): (Spent, Timestamp)) -> Self {
        Self {
            tokens: budget.tokens,
            usd: budget.money.map(Micros::dollars),
            used_tokens: spent.tokens,
            used_usd: spent.money.dollars(),
            unpriced_requests: spent.unpriced,
            unpriced_usd: spent.at_most.dollars(),
            resets_at,
        }
    }
}

impl MintedKey {
    pub(in crate::api) fn of(minted: Minted, now: Timestamp) -> Self {
        Self { key: KeyView::of(&minted.holder, now), secret: minted.secret }
    }
}
