//! `headgate accounts …`

pub mod guards;
pub mod key;
pub mod list;
pub mod opening;
pub mod probe;
pub mod setting;
pub mod sign_in;

use clap::{Args, Subcommand};
use http::Method;

use self::{
    key::{no_key, read_key},
    list::show,
    probe::Test,
    setting::{Setting, set},
    sign_in::SignIn,
};
use super::{Code, Core, Global, Trouble, named::found, out::say, person::confirmed, table};
use crate::{
    api::views::{AccountChange, AccountView, NewAccount, PauseOrder, RemovedAccount, Status},
    domain::AccountName,
    providers::Catalog,
    secrets::{Sensitive, VaultKind},
};

/// List accounts, or change them.
#[derive(Debug, Args)]
pub struct Accounts {
    /// List ids, addresses and how each is paid, too.
    #[arg(long)]
    wide: bool,
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List them; the same as `headgate accounts`.
    List {
        /// With ids, addresses and how each is paid.
        #[arg(long)]
        wide: bool,
    },
    /// Add one. Its key is read from standard input, never from an argument; claude-login has none.
    Add(Add),
    /// Change its name.
    Rename {
        /// Name or id.
        account: String,
        /// The new name.
        name: String,
    },
    /// Change its priority; lower goes first.
    Priority {
        /// Name or id.
        account: String,
        /// -1000 to 1000.
        #[arg(allow_negative_numbers = true)]
        priority: i32,
    },
    /// Change where its requests go; an empty text goes back to the provider's own address.
    BaseUrl {
        /// Name or id.
        account: String,
        /// Like `https://gateway.example.com`
        url: String,
        /// Let it be plain http:// on a private network, where the key can be read on its way.
        #[arg(long)]
        allow_plaintext: bool,
    },
    /// Change its pool, what is kept back of it, under which names its upstream knows models, or where requests that
    /// came with a sign-in may spill over to.
    Set(Setting),
    /// Sign in to one by its provider: again, or to add it. Works over SSH by a code.
    SignIn(SignIn),
    /// Give it a new key, read from standard input.
    SetKey {
        /// Name or id.
        account: String,
    },
    /// Take it out of service until it is resumed.
    Pause {
        /// Name or id.
        account: String,
        /// Why, for whoever wonders later.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Put it back into service, whatever kept it out: a pause, a rest, or a window that is spent. It is tried at once,
    /// and rests again where its upstream still says no.
    Resume {
        /// Name or id.
        account: String,
    },
    /// Ask its upstream for one token with its credential, and say what came of it. It is recorded, and costs what a
    /// token costs; what fails takes nothing out of service.
    Test(Test),
    /// Renew its sign-in now, or wait for the renewal that is under way.
    Renew {
        /// Name or id.
        account: String,
    },
    /// Open a usage window of it now, by a request of one token that is recorded like any other.
    OpenWindow {
        /// Name or id.
        account: String,
    },
    /// Remove it with its key or sign-in; its history stays, with its name.
    Remove {
        /// Name or id.
        account: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// What to call it.
    name: String,
    /// Which upstream it is at: anthropic, openrouter, anthropic-compatible with --base-url, or claude-login, which passes on
    /// Claude Code's own sign-in.
    #[arg(long)]
    provider: String,
    /// Where its requests go instead of the provider's own address.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Let that be plain http:// on a private network, where the key can be read on its way.
    #[arg(long, requires = "base_url")]
    allow_plaintext: bool,
    /// Lower goes first; -1000 to 1000.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// Says what happens in any case where the provider wants a key: it is read from standard input.
    #[arg(long)]
    key_stdin: bool,
}

impl Accounts {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        let act = match self.act {
            None => Act::List { wide: self.wide },
            Some(Act::List { wide }) => Act::List { wide: wide || self.wide },
            Some(_) if self.wide => {
                return Err(Trouble::new(Code::Usage, "only the list can be --wide; leave it out"));
            }
            Some(act) => act,
        };
        if let Act::Add(add) = &act {
            // Whoever types the key here would be asked for it next.
            AccountName::new(&add.name).map_err(|error| Trouble::new(Code::Failed, error.to_string()))?;
        }
        // The key is asked for before anything is opened, so that a person is not kept from other doors.
        let key = match &act {
            Act::Add(add) if add.key_stdin || !has_no_key(&add.provider) => Some(read_key()?),
            Act::Add(add) => {
                no_key(&add.provider).await?;
                None
            }
            Act::SetKey { .. } => Some(read_key()?),
            _ => None,
        };
        global.on_core(async |core| perform(act, key, core, global).await).await
    }
}

async fn perform(
    act: Act,
    key: Option<Sensitive<String>>,
    core: &Core,
    global: &Global,
) -> Result<(), Trouble> {
    match act {
        Act::List { wide } => {
            show(&all(core).await?, wide, global.json);
            Ok(())
        }
        Act::Add(add) => {
            let new = NewAccount {
                name: add.name,
                provider: add.provider,
                base_url: add.base_url,
                allow_plaintext: add.allow_plaintext,
                priority: add.priority,
                key,
            };
            let added = core.call(Method::POST, "/api/v1/accounts", Some(&new)).await?;
            tell("Added", &added, global);
            Ok(())
        }
        Act::Rename { account, name } => {
            change(core, global, &account, AccountChange { name: Some(name), ..AccountChange::default() })
                .await
        }
        Act::Priority { account, priority } => {
            change(
                core,
                global,
                &account,
                AccountChange { priority: Some(priority), ..AccountChange::default() },
            )
            .await
        }
        Act::BaseUrl { account, url, allow_plaintext } => {
            let base_url = Some(url);
            let new = AccountChange { base_url, allow_plaintext, ..AccountChange::default() };
            change(core, global, &account, new).await
        }
        Act::Set(setting) => set(setting, core, global).await,
        Act::SignIn(sign_in) => sign_in.run(core, global).await,
        Act::SetKey { account } => {
            change(core, global, &account, AccountChange { key, ..AccountChange::default() }).await
        }
        Act::Pause { account, reason } => {
            let path = format!("{}/pause", path_of(core, &account).await?);
            let paused = core.call(Method::POST, &path, Some(&PauseOrder { reason })).await?;
            tell("Paused", &paused, global);
            Ok(())
        }
        Act::Resume { account } => {
            let path = format!("{}/resume", path_of(core, &account).await?);
            let resumed = core.call(Method::POST, &path, None::<&()>).await?;
            tell("Resumed", &resumed, global);
            Ok(())
        }
        Act::Renew { account } => {
            let path = format!("{}/renew", path_of(core, &account).await?);
            let renewed = core.call(Method::POST, &path, None::<&()>).await?;
            tell("Renewed the sign-in of", &renewed, global);
            Ok(())
        }
        Act::OpenWindow { account } => {
            let path = format!("{}/open-window", path_of(core, &account).await?);
            let opened = core.call(Method::POST, &path, None::<&()>).await?;
            tell("Opened a window of", &opened, global);
            Ok(())
        }
        Act::Test(test) => test.run(core, global).await,
        Act::Remove { account, yes } => remove(core, global, &account, yes).await,
    }
}

/// What this program knows of the provider: whether its accounts pass the client's own sign-in on.
fn has_no_key(provider: &str) -> bool {
    Catalog::built_in().get(provider).is_some_and(|provider| provider.passes_logins())
}

async fn change(core: &Core, global: &Global, account: &str, change: AccountChange) -> Result<(), Trouble> {
    let path = path_of(core, account).await?;
    let changed = core.call(Method::PATCH, &path, Some(&change)).await?;
    tell("Changed", &changed, global);
    Ok(())
}

async fn remove(core: &Core, global: &Global, account: &str, yes: bool) -> Result<(), Trouble> {
    let all = all(core).await?;
    let account = found(&all, account)?;
    let with = if account.sign_in.is_none() && has_no_key(&account.provider) {
        String::new()
    } else {
        let what = if account.sign_in.is_some() { "sign-in" } else { "key" };
        let vault = core.get::<Status>("/api/v1/status").await?.vault;
        let home = vault.parse().map_or(vault, |kind: VaultKind| kind.title().to_owned());
        format!(" and its {what} from {home}")
    };
    let name = table::printable(&account.name);
    if !yes && !confirmed(&format!("Remove {name}{with}? Its history stays, with its name. [y/N] "))? {
        return Err(Trouble::new(Code::Failed, "nothing was removed"));
    }
    let path = format!("/api/v1/accounts/{}", account.id);
    let removed: RemovedAccount = core.call(Method::DELETE, &path, None::<&()>).await?;
    if global.json {
        table::json(&removed);
        return Ok(());
    }
    say!("Removed {name}{with}. Its history stays, with its name.");
    if !removed.routes.is_empty() {
        say!("These routes have a slot that points at nothing now: {}.", removed.routes.join(", "));
    }
    if !removed.keys.is_empty() {
        say!(
            "These keys name it, and are served by the others that they name alone: {}.",
            removed.keys.join(", ")
        );
    }
    if !removed.spills.is_empty() {
        say!("Nothing spills over to it any more from: {}.", removed.spills.join(", "));
    }
    Ok(())
}

/// The path of an account given by name, without regard to case, or by id.
pub(in crate::cli) async fn path_of(core: &Core, given: &str) -> Result<String, Trouble> {
    Ok(format!("/api/v1/accounts/{}", found(&all(core).await?, given)?.id))
}

/// Every account.
pub(in crate::cli) async fn all(core: &Core) -> Result<Vec<AccountView>, Trouble> {
    core.get("/api/v1/accounts").await
}

fn tell(done: &str, account: &AccountView, global: &Global) {
    if global.json {
        table::json(account);
    } else {
        say!("{done} {} (id {}).", account.name, account.id);
    }
}
