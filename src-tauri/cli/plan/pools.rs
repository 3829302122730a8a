//! `headgate pools …`

use clap::{Args, Subcommand};
use http::Method;

use crate::cli::{Core, Global, Trouble, accounts, named::found, out::say, table};
use crate::{
    api::{
        plan::views::{NewPool, PoolChange, PoolView, RemovedPool},
        views::AccountView,
    },
    domain::Policy,
};

/// List pools, or change them.
#[derive(Debug, Args)]
pub struct Pools {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List them with their accounts; the same as `headgate pools`.
    List,
    /// Make one. What is bound or routed to it is served by its accounts, and nothing else is.
    Add {
        /// What to call it.
        name: String,
        /// By what one of its accounts is chosen: priority, headroom, soonest_reset or round_robin.
        #[arg(long, value_parser = policy, default_value = "priority")]
        policy: Policy,
        /// An account that is moved into it, by name or id. Repeat it for more.
        #[arg(long = "account")]
        accounts: Vec<String>,
        /// The id that it had, to put a removed one back: what pointed at it does so again.
        #[arg(long, allow_negative_numbers = true)]
        id: Option<i64>,
    },
    /// Change its name or its policy. Accounts are moved with `headgate accounts set NAME --pool POOL`.
    Set {
        /// Name or id.
        pool: String,
        /// A new name.
        #[arg(long)]
        name: Option<String>,
        /// By what one of its accounts is chosen: priority, headroom, soonest_reset or round_robin.
        #[arg(long, value_parser = policy)]
        policy: Option<Policy>,
    },
    /// Remove it. Its accounts go back to main, and it is said what points at nothing then.
    Remove {
        /// Name or id.
        pool: String,
    },
}

pub(in crate::cli) fn policy(text: &str) -> Result<Policy, String> {
    let word = text.to_lowercase().replace('-', "_");
    Policy::of(&word).ok_or_else(|| "choose priority, headroom, soonest_reset or round_robin".into())
}

impl Pools {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        let act = self.act.unwrap_or(Act::List);
        global.on_core(async |core| perform(act, core, global).await).await
    }
}

async fn perform(act: Act, core: &Core, global: &Global) -> Result<(), Trouble> {
    match act {
        Act::List => {
            let (pools, accounts) = (all(core).await?, accounts::all(core).await?);
            if global.json {
                table::json(&pools);
            } else {
                show(&pools, &accounts);
            }
        }
        Act::Add { name, policy, accounts, id } => {
            let known = accounts::all(core).await?;
            let ids = accounts.iter().map(|given| found(&known, given).map(|account| account.id));
            let new = NewPool { name, policy, accounts: ids.collect::<Result<_, _>>()?, id };
            let added = core.call(Method::POST, "/api/v1/pools", Some(&new)).await?;
            tell("Made", &added, global);
        }
        Act::Set { pool, name, policy } => {
            let change = PoolChange { name, policy };
            if change == PoolChange::default() {
                return Err(Trouble::no_change("pools set"));
            }
            let path = path_of(core, &pool).await?;
            let changed = core.call(Method::PATCH, &path, Some(&change)).await?;
            tell("Changed", &changed, global);
        }
        Act::Remove { pool } => {
            let path = path_of(core, &pool).await?;
            let removed: RemovedPool = core.call(Method::DELETE, &path, None::<&()>).await?;
            say_removed(&removed, &accounts::all(core).await?, global);
        }
    }
    Ok(())
}

/// Every pool.
pub(in crate::cli) async fn all(core: &Core) -> Result<Vec<PoolView>, Trouble> {
    core.get("/api/v1/pools").await
}

/// The ids of pools given by name or id.
pub(in crate::cli) async fn ids_of(names: &[String], core: &Core) -> Result<Vec<i64>, Trouble> {
    let pools = all(core).await?;
    names.iter().map(|name| found(&pools, name).map(|pool| pool.id)).collect()
}

/// What a pool is called, also one that is gone.
pub(in crate::cli) fn name_of(id: i64, pools: &[PoolView]) -> String {
    let known = pools.iter().find(|pool| pool.id == id);
    known.map_or_else(|| format!("{id}, which is gone"), |pool| pool.name.clone())
}

async fn path_of(core: &Core, given: &str) -> Result<String, Trouble> {
    Ok(format!("/api/v1/pools/{}", found(&all(core).await?, given)?.id))
}

fn tell(done: &str, pool: &PoolView, global: &Global) {
    if global.json {
        table::json(pool);
    } else {
        say!("{done} {} (id {}).", pool.name, pool.id);
    }
}

fn say_removed(removed: &RemovedPool, accounts: &[AccountView], global: &Global) {
    if global.json {
        return table::json(removed);
    }
    say!("Removed {}.", removed.pool.name);
    if !removed.pool.accounts.is_empty() {
        say!("In main again: {}.", names(&removed.pool.accounts, accounts));
    }
    if !removed.routes.is_empty() {
        say!("These routes have a slot that points at nothing now: {}.", removed.routes.join(", "));
    }
    for binding in &removed.bindings {
        let then = if binding.strict { "served by nobody" } else { "bound to nothing" };
        say!("What was bound to it is {then} now: {} (binding {}).", binding.what, binding.id);
    }
    if !removed.keys.is_empty() {
        say!("These keys allow it, and nobody there now: {}.", removed.keys.join(", "));
    }
    let pool = &removed.pool;
    let inside: Vec<String> = pool.accounts.iter().map(|id| format!(" --account {id}")).collect();
    let inside = inside.concat();
    let name = table::printable(&pool.name).replace('\'', r"'\''");
    say!("To put it back: headgate pools add '{name}' --policy {} --id {}{inside}", pool.policy, pool.id);
}

fn show(pools: &[PoolView], accounts: &[AccountView]) {
    let rows: Vec<[String; 3]> = pools
        .iter()
        .map(|pool| [pool.name.clone(), pool.policy.to_string(), names(&pool.accounts, accounts)])
        .collect();
    table::print(["NAME", "POLICY", "ACCOUNTS"], &rows);
}

fn names(ids: &[i64], accounts: &[AccountView]) -> String {
    let of = accounts.iter().filter(|account| ids.contains(&account.id));
    of.map(|account| account.name.as_str()).collect::<Vec<_>>().join(", ")
}
