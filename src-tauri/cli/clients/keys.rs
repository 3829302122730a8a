//! `headgate keys …`

use std::str::FromStr;

use clap::{Args, Subcommand};
use http::Method;
use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};

use crate::cli::{
    Code, Core, Global, Trouble, named::found, out::say, person::confirmed, plan::pools, table,
};
use crate::{
    api::{
        keys::views::{BudgetView, KeyChange, KeyState, KeyView, MintedKey, NewKey, RevokedKey},
        plan::views::PoolView,
        views::AccountView,
    },
    clock::Clock,
    domain::{Scope, counted},
};

/// List clients' keys, or change them.
#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List them with what they have used; the same as `headgate keys`.
    List,
    /// Make one. Its secret is printed once, and never again.
    Add {
        /// What to call it.
        name: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// Change its name, its switch or what it allows.
    Set {
        /// Name or id.
        key: String,
        /// A new name.
        #[arg(long)]
        name: Option<String>,
        /// Switch it on again.
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Switch it off.
        #[arg(long)]
        disable: bool,
        #[command(flatten)]
        terms: Terms,
    },
    /// Give it another secret, which is printed once. The one before is void at once.
    Rotate {
        /// Name or id.
        key: String,
    },
    /// Void it for ever; its history stays.
    Revoke {
        /// Name or id.
        key: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// What a key allows. `none` takes a limit away, `any` a list.
#[derive(Debug, Args)]
struct Terms {
    /// What it opens: proxy (asking models), read or manage (the management API). Repeat it for more.
    #[arg(long = "scope", value_parser = scope)]
    scopes: Vec<Scope>,
    /// Until when: 2027-01-31, 2027-01-31T12:00:00Z, 30d, or none.
    #[arg(long, value_name = "WHEN", value_parser = when, allow_hyphen_values = true)]
    expires: Option<Limit<Timestamp>>,
    /// An account that may serve it, by name or id. Repeat it for more, or say any.
    #[arg(long = "account")]
    accounts: Vec<String>,
    /// A pool whose accounts may serve it, by name or id. Repeat it for more, in the order in which they are to be
    /// asked, or say any.
    #[arg(long = "pool")]
    pools: Vec<String>,
    /// The only model that it may ask for, as in claude-haiku-*. Repeat it for more, or say any.
    #[arg(long = "model")]
    models: Vec<String>,
    /// Requests within any minute, or none.
    #[arg(long, value_name = "COUNT", value_parser = limit::<u32>, allow_negative_numbers = true)]
    per_minute: Option<Limit<u32>>,
    /// Tokens of every kind from midnight to midnight UTC, or none.
    #[arg(long, value_name = "TOKENS", value_parser = limit::<u64>, allow_negative_numbers = true)]
    daily_tokens: Option<Limit<u64>>,
    /// US dollars by the price list from midnight to midnight UTC, or none. Counts priced requests only.
    #[arg(long, value_name = "USD", value_parser = dollars, allow_negative_numbers = true)]
    daily_usd: Option<Limit<f64>>,
    /// Tokens of every kind in a month, or none.
    #[arg(long, value_name = "TOKENS", value_parser = limit::<u64>, allow_negative_numbers = true)]
    monthly_tokens: Option<Limit<u64>>,
    /// US dollars by the price list in a month, or none. Counts priced requests only.
    #[arg(long, value_name = "USD", value_parser = dollars, allow_negative_numbers = true)]
    monthly_usd: Option<Limit<f64>>,
}

/// A limit, or that there is none.
#[derive(Debug, Clone, Copy)]
struct Limit<T>(Option<T>);

fn scope(text: &str) -> Result<Scope, String> {
    Scope::of(text).ok_or_else(|| "choose proxy, read or manage".into())
}

fn limit<T: FromStr>(text: &str) -> Result<Limit<T>, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    text.parse().map(|value| Limit(Some(value))).map_err(|_| "write a whole number above 0, or none".into())
}

/// What is no number, or without an end, would reach the core as no limit at all.
fn dollars(text: &str) -> Result<Limit<f64>, String> {
    let read: Limit<f64> = limit(text.strip_prefix('$').unwrap_or(text))?;
    match read.0 {
        Some(usd) if !usd.is_finite() || usd <= 0.0 => {
            Err("a budget is an amount of US dollars above 0; none takes the limit away".into())
        }
        _ => Ok(read),
    }
}

fn when(text: &str) -> Result<Limit<Timestamp>, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    let moment = text.parse::<Timestamp>().ok();
    let day = || text.parse::<Date>().ok()?.to_zoned_datetime(TimeZone::UTC).ok();
    let span = || {
        let now = Clock::system().now().to_zoned_datetime(TimeZone::UTC);
        now.checked_add(text.parse::<Span>().ok()?).ok()
    };
    let found = moment.or_else(|| day().or_else(span).map(|moment| moment.timestamp()));
    found.map(|moment| Limit(Some(moment))).ok_or_else(|| "write 2027-01-31, 30d or none".into())
}

impl Keys {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        let act = self.act.unwrap_or(Act::List);
        global.on_core(async |core| perform(act, core, global).await).await
    }
}

async fn perform(act: Act, core: &Core, global: &Global) -> Result<(), Trouble> {
    match act {
        Act::List => {
            let keys: Vec<KeyView> = core.get("/api/v1/keys").await?;
            let accounts: Vec<AccountView> = core.get("/api/v1/accounts").await?;
            let pools = pools::all(core).await?;
            if global.json {
                table::json(&keys);
            } else {
                show(&keys, &accounts, &pools);
            }
            Ok(())
        }
        Act::Add { name, terms } => {
            let new = terms.of_a_new_key(name, core).await?;
            let minted = core.call(Method::POST, "/api/v1/keys", Some(&new)).await?;
            reveal("Made", &minted, global);
            Ok(())
        }
        Act::Set { key, name, enable, disable, terms } => {
            let enabled = (enable || disable).then_some(enable);
            let change = KeyChange { name, enabled, ..terms.into_change(core).await? };
            if change == KeyChange::default() {
                return Err(Trouble::no_change("keys set"));
            }
            let path = path_of(&find(core, &key).await?);
            let changed: KeyView = core.call(Method::PATCH, &path, Some(&change)).await?;
            tell("Changed", &changed, global);
            Ok(())
        }
        Act::Rotate { key } => {
            let path = format!("{}/rotate", path_of(&find(core, &key).await?));
            let minted = core.call(Method::POST, &path, None::<&()>).await?;
            reveal("Rotated", &minted, global);
            Ok(())
        }
        Act::Revoke { key, yes } => {
            let found = find(core, &key).await?;
            if !yes && !confirmed(&format!("Revoke the key {} for ever? [y/N] ", found.name))? {
                return Err(Trouble::new(Code::Failed, "not revoked"));
            }
            let revoked: RevokedKey = core.call(Method::DELETE, &path_of(&found), None::<&()>).await?;
            if global.json {
                table::json(&revoked);
                return Ok(());
            }
            tell("Revoked", &revoked.key, global);
            for binding in &revoked.bindings {
                say!(
                    "Nothing comes with it any more, so this binding is of no use: {} (`headgate bindings remove {}`).",
                    binding.what,
                    binding.id
                );
            }
            Ok(())
        }
    }
}

impl Terms {
    async fn of_a_new_key(self, name: String, core: &Core) -> Result<NewKey, Trouble> {
        let change = self.into_change(core).await?;
        Ok(NewKey {
            name,
            scopes: change.scopes,
            expires_at: change.expires_at.flatten(),
            accounts: change.accounts.flatten(),
            pools: change.pools.flatten(),
            models: change.models.flatten(),
            per_minute: change.per_minute.flatten(),
            daily_tokens: change.daily_tokens.flatten(),
            daily_usd: change.daily_usd.flatten(),
            monthly_tokens: change.monthly_tokens.flatten(),
            monthly_usd: change.monthly_usd.flatten(),
        })
    }

    async fn into_change(self, core: &Core) -> Result<KeyChange, Trouble> {
        let accounts = match named("--account", self.accounts)? {
            Some(Some(names)) => Some(Some(ids_of(&names, core).await?)),
            other => other.map(|_| None),
        };
        let pools = match named("--pool", self.pools)? {
            Some(Some(names)) => Some(Some(pools::ids_of(&names, core).await?)),
            other => other.map(|_| None),
        };
        let models = named("--model", self.models)?;
        Ok(KeyChange {
            name: None,
            enabled: None,
            scopes: (!self.scopes.is_empty()).then_some(self.scopes),
            expires_at: self.expires.map(|limit| limit.0),
            accounts,
            pools,
            models,
            per_minute: self.per_minute.map(|limit| limit.0),
            daily_tokens: self.daily_tokens.map(|limit| limit.0),
            daily_usd: self.daily_usd.map(|limit| limit.0),
            monthly_tokens: self.monthly_tokens.map(|limit| limit.0),
            monthly_usd: self.monthly_usd.map(|limit| limit.0),
        })
    }
}

/// Nothing was said; `any`; or these.
///
/// # Errors
/// If `any` stands beside others: one of the two is not meant.
#[expect(clippy::option_option, reason = "a list that is taken away is not one that stays")]
fn named(flag: &str, list: Vec<String>) -> Result<Option<Option<Vec<String>>>, Trouble> {
    let anys = list.iter().filter(|one| *one == "any").count();
    Ok(match list.len() {
        0 => None,
        all if anys == all => Some(None),
        _ if anys > 0 => {
            let why = format!(
                "`{flag} any` takes the list away, and others are named beside it: say one or the other"
            );
            return Err(Trouble::new(Code::Usage, why));
        }
        _ => Some(Some(list)),
    })
}

async fn ids_of(names: &[String], core: &Core) -> Result<Vec<i64>, Trouble> {
    let accounts: Vec<AccountView> = core.get("/api/v1/accounts").await?;
    names.iter().map(|name| found(&accounts, name).map(|account| account.id)).collect()
}

/// A key given by name, without regard to case, or by id.
pub(in crate::cli) async fn find(core: &Core, given: &str) -> Result<KeyView, Trouble> {
    let keys: Vec<KeyView> = core.get("/api/v1/keys").await?;
    found(&keys, given).cloned()
}

fn path_of(key: &KeyView) -> String {
    format!("/api/v1/keys/{}", key.id)
}

fn tell(done: &str, key: &KeyView, global: &Global) {
    if global.json {
        table::json(key);
    } else {
        say!("{done} {} (id {}).", key.name, key.id);
    }
}

fn reveal(done: &str, minted: &MintedKey, global: &Global) {
    if global.json {
        return table::json(minted);
    }
    say!("{done} {} (id {}). Its secret is shown this once:\n", minted.key.name, minted.key.id);
    say!("{}\n", minted.secret.expose());
    say!("Clients send it as a bearer or as x-api-key; for Claude Code put it into ANTHROPIC_AUTH_TOKEN.");
}

fn show(keys: &[KeyView], accounts: &[AccountView], pools: &[PoolView]) {
    if keys.is_empty() {
        say!("No key yet. On this machine none is needed; make one with `headgate keys add NAME`.");
        return;
    }
    let rows: Vec<[String; 7]> = keys
        .iter()
        .map(|key| {
            [
                key.name.clone(),
                format!("{}…", key.prefix),
                state(key.state).into(),
                key.scopes.iter().map(|scope| scope.word()).collect::<Vec<_>>().join(", "),
                used(&key.daily),
                used(&key.monthly),
                limits(key, accounts, pools),
            ]
        })
        .collect();
    table::print(["NAME", "KEY", "STATE", "OPENS", "TODAY", "THIS MONTH", "LIMITED TO"], &rows);
}

fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Active => "active",
        KeyState::Disabled => "switched off",
        KeyState::Expired => "expired",
        KeyState::Revoked => "revoked",
    }
}

/// `87.2 k of 1.0 M tokens, $0.42 of $5.00`
pub(in crate::cli) fn used(budget: &BudgetView) -> String {
    let tokens = match budget.tokens {
        Some(limit) => {
            format!("{} of {}", table::tokens(Some(budget.used_tokens)), table::counted_tokens(limit))
        }
        None => table::counted_tokens(budget.used_tokens),
    };
    let unpriced = if budget.unpriced_requests > 0 {
        let most = table::dollars(Some(budget.unpriced_usd));
        format!(" + {} unpriced, {most} at most", budget.unpriced_requests)
    } else {
        String::new()
    };
    let spent = table::dollars(Some(budget.used_usd));
    match budget.usd {
        Some(limit) => format!("{tokens}, {spent} of {}{unpriced}", table::limit_in_dollars(limit)),
        None => format!("{tokens}, {spent}{unpriced}"),
    }
}

fn limits(key: &KeyView, accounts: &[AccountView], pools: &[PoolView]) -> String {
    let name = |id: &i64| {
        let found = accounts.iter().find(|account| account.id == *id);
        found.map_or_else(|| format!("removed account {id}"), |account| account.name.clone())
    };
    let mut parts = Vec::new();
    parts.extend(key.accounts.iter().flatten().map(name));
    parts.extend(key.pools.iter().flatten().map(|id| format!("pool {}", pools::name_of(*id, pools))));
    parts.extend(key.models.iter().flatten().cloned());
    parts.extend(key.per_minute.map(|limit| format!("{} a minute", counted(limit, "request"))));
    parts.extend(key.expires_at.map(|end| format!("until {}", end.strftime("%Y-%m-%d %H:%M UTC"))));
    parts.join(", ")
}
