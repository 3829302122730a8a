//! `headgate accounts …`

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Read},
};

use clap::{Args, Subcommand};
use http::Method;
use jiff::{Timestamp, tz::TimeZone};

use super::{
    Code, Core, Global, Trouble,
    guards::{self, Guarding},
    named::found,
    opening,
    out::say,
    pools,
    probe::Test,
    sign_in::SignIn,
    table,
};
use crate::{
    api::views::{
        AccountChange, AccountView, HeldView, NewAccount, OpenWindow, PauseOrder, RemovedAccount,
        RenewalView, SpillTo, SpillView, SpillWord,
    },
    clock::Clock,
    domain::StandingState,
    providers::Catalog,
    proxy::shell_word,
    secrets::Sensitive,
};

/// List accounts, or change them.
#[derive(Debug, Args)]
pub struct Accounts {
    #[command(subcommand)]
    act: Option<Act>,
}

/// What to change of an account beside its name, address and key.
#[derive(Debug, Args)]
struct Setting {
    /// Name or id.
    account: String,
    /// What clients ask for and what is sent instead, like claude-opus-5-5=glm-5.2; may be repeated.
    #[arg(long = "map", value_name = "ASKED=SENT", value_parser = pair)]
    map: Vec<(String, String)>,
    /// Send this model under its own name again; may be repeated.
    #[arg(long, value_name = "ASKED")]
    unmap: Vec<String>,
    /// Where requests that came with Claude Code's own sign-in may spill over to when it is spent, which may cost
    /// money: an account by name or id, all, or none. Repeat it for more.
    #[arg(long, value_name = "ACCOUNT")]
    spill_to: Vec<String>,
    /// The pool that it is put into, by name or id.
    #[arg(long)]
    pool: Option<String>,
    /// Open its usage windows by themselves, by a request of one token: at-reset, each time that one starts anew;
    /// "weekdays 07:00" or "Mon,Wed 06:30" by this machine's clock; or off.
    #[arg(long, value_name = "WHEN", value_parser = opening::when)]
    open_window: Option<OpenWindow>,
    /// Repeat the last request of a big conversation for one token before its prompt leaves the cache, so often in a
    /// row; or off.
    #[arg(long, value_name = "TIMES", value_parser = opening::times, allow_negative_numbers = true)]
    keep_warm: Option<u8>,
    #[command(flatten)]
    guarding: Guarding,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List them; the same as `headgate accounts`.
    List,
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
    /// Put it back into service, whatever kept it out.
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
        let act = self.act.unwrap_or(Act::List);
        // The key is asked for before anything is opened, so that a person is not kept from other doors.
        let key = match &act {
            Act::Add(add) if add.key_stdin || !has_no_key(&add.provider) => Some(read_key()?),
            Act::SetKey { .. } => Some(read_key()?),
            _ => None,
        };
        global.on_core(async |core| perform(act, key, core, global).await).await
    }
}

async fn set(setting: Setting, core: &Core, global: &Global) -> Result<(), Trouble> {
    let Setting { account, map, unmap, spill_to, pool, open_window, keep_warm, guarding } = setting;
    let twice = map.iter().enumerate().find(|(at, (asked, _))| {
        map[..*at].iter().any(|(before, _)| before == asked) || unmap.contains(asked)
    });
    if let Some((_, (asked, _))) = twice {
        return Err(Trouble::new(Code::Usage, format!("{asked} is named twice, and only one can be meant")));
    }
    if let Some(why) = guarding.contradiction() {
        return Err(Trouble::new(Code::Usage, why));
    }
    let names_models = !map.is_empty() || !unmap.is_empty();
    let says_nothing = !names_models && spill_to.is_empty() && pool.is_none();
    let says_nothing = says_nothing && open_window.is_none() && keep_warm.is_none();
    if says_nothing && guarding.is_empty() {
        return Err(Trouble::no_change("accounts set"));
    }
    let models = if names_models { Some(renamed(core, &account, map, &unmap).await?) } else { None };
    let spill_to = if spill_to.is_empty() { None } else { Some(spill(core, &spill_to).await?) };
    let pool_id = match pool {
        Some(pool) => Some(found(&pools::all(core).await?, &pool)?.id),
        None => None,
    };
    let guards = if guarding.is_empty() {
        None
    } else {
        let now: AccountView = core.get(&path_of(core, &account).await?).await?;
        Some(guarding.change(now.guards.as_ref()))
    };
    let new = AccountChange {
        models,
        spill_to,
        pool_id,
        guards,
        open_window,
        keep_warm,
        ..AccountChange::default()
    };
    change(core, global, &account, new).await
}

async fn perform(
    act: Act,
    key: Option<Sensitive<String>>,
    core: &Core,
    global: &Global,
) -> Result<(), Trouble> {
    match act {
        Act::List => {
            let accounts: Vec<AccountView> = core.get("/api/v1/accounts").await?;
            show(&accounts, global.json);
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

/// The account's model names with these changes.
async fn renamed(
    core: &Core,
    account: &str,
    map: Vec<(String, String)>,
    unmap: &[String],
) -> Result<BTreeMap<String, String>, Trouble> {
    let now: AccountView = core.get(&path_of(core, account).await?).await?;
    let mut models = now.models;
    if let Some(unknown) = unmap.iter().find(|asked| !models.contains_key(*asked)) {
        return Err(Trouble::new(
            Code::NotFound,
            format!(
                "{account} has no other name for {unknown}; `headgate accounts --json` shows those that it has"
            ),
        ));
    }
    models.retain(|asked, _| !unmap.contains(asked));
    models.extend(map);
    Ok(models)
}

/// `all`, `none`, or the ids of the accounts that were named.
async fn spill(core: &Core, given: &[String]) -> Result<SpillTo, Trouble> {
    let word = |word: &str| given.iter().all(|one| one == word);
    if word("all") {
        return Ok(SpillTo::Word(SpillWord::All));
    }
    if word("none") {
        return Ok(SpillTo::Word(SpillWord::None));
    }
    if let Some(word) = given.iter().find(|one| matches!(one.as_str(), "all" | "none")) {
        let why = format!(
            "`--spill-to {word}` stands for itself, and others are named beside it: say one or the other"
        );
        return Err(Trouble::new(Code::Usage, why));
    }
    let accounts: Vec<AccountView> = core.get("/api/v1/accounts").await?;
    let ids = given.iter().map(|name| found(&accounts, name).map(|account| account.id));
    ids.collect::<Result<_, _>>().map(SpillTo::Accounts)
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
    let with = if account.sign_in.is_some() {
        " and its sign-in"
    } else if has_no_key(&account.provider) {
        ""
    } else {
        " and its key"
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

/// `ASKED=SENT`; a name of a model may hold a colon or a slash, but no equals sign.
fn pair(text: &str) -> Result<(String, String), String> {
    let (asked, sent) = text.split_once('=').ok_or("write it as ASKED=SENT, like claude-opus-5-5=glm-5.2")?;
    Ok((asked.trim().to_owned(), sent.trim().to_owned()))
}

/// Whether the person at the terminal says yes.
pub(super) fn confirmed(question: &str) -> Result<bool, Trouble> {
    if !std::io::stdin().is_terminal() {
        return Err(Trouble::new(Code::Failed, "say --yes to have it done without being asked"));
    }
    eprint!("{question}");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| Trouble::new(Code::Failed, error.to_string()))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The path of an account given by name, without regard to case, or by id.
pub(super) async fn path_of(core: &Core, given: &str) -> Result<String, Trouble> {
    let accounts: Vec<AccountView> = core.get("/api/v1/accounts").await?;
    Ok(format!("/api/v1/accounts/{}", found(&accounts, given)?.id))
}

/// Every account.
pub(super) async fn all(core: &Core) -> Result<Vec<AccountView>, Trouble> {
    core.get("/api/v1/accounts").await
}

fn tell(done: &str, account: &AccountView, global: &Global) {
    if global.json {
        table::json(account);
    } else {
        say!("{done} {} (id {}).", account.name, account.id);
    }
}

fn show(accounts: &[AccountView], json: bool) {
    if json {
        return table::json(&accounts);
    }
    if accounts.is_empty() {
        say!("No account yet. Add one with `headgate accounts add NAME --provider anthropic --key-stdin`.");
        return;
    }
    let (now, zone) = (Clock::system().now(), Clock::system().zone());
    let rows: Vec<[String; 7]> = accounts
        .iter()
        .map(|account| {
            let standing = &account.standing;
            let windows = account.windows.iter().map(|window| match window.utilization {
                Some(used) => format!("{} {:.0} %", window.name, used * 100.0),
                None => format!("{} –", window.name),
            });
            let mut why = match (&standing.reason, standing.until) {
                (Some(reason), Some(until)) => format!("{reason}, back {}", table::time(until, now, &zone)),
                (Some(reason), None) => reason.clone(),
                (None, _) => String::new(),
            };
            // Of one that was signed in, the reason says how to sign in again.
            if standing.state == StandingState::NeedsSignIn && account.sign_in.is_none() {
                why += &format!("; `headgate accounts set-key {}` mends that", shell_word(&account.name));
            }
            if let Some(held) = &account.held {
                let gap = if why.is_empty() { "" } else { "; " };
                why += &format!("{gap}{}", held_back(held, now, &zone));
            }
            if let Some(until) = account.trouble_until {
                let gap = if why.is_empty() { "" } else { "; " };
                let until = table::time(until, now, &zone);
                why += &format!("{gap}its upstream is in trouble, at least until {until}; it is still tried");
            }
            if let Some(spill) = &account.spill {
                let gap = if why.is_empty() { "" } else { "; " };
                let since = table::time(spill.allowed_at, now, &zone);
                why += &format!("{gap}may spill over to {}, allowed {since}", reached(spill, accounts));
            }
            if let Some(renewal) = &account.renewal {
                let gap = if why.is_empty() { "" } else { "; " };
                why += &format!("{gap}{}", kept_alive(renewal, now, &zone));
            }
            for told in opening::shown(account, now, &zone) {
                let gap = if why.is_empty() { "" } else { "; " };
                why += &format!("{gap}{told}");
            }
            if let Some(guards) = &account.guards {
                let gap = if why.is_empty() { "" } else { "; " };
                why += &format!("{gap}{}", guards::shown(guards));
            }
            [
                account.name.clone(),
                account.provider.clone(),
                account.pool.clone(),
                account.priority.to_string(),
                if account.is_ready() || standing.state != StandingState::Ready {
                    state(standing.state).into()
                } else {
                    "◐ held back".into()
                },
                windows.collect::<Vec<_>>().join(", "),
                why,
            ]
        })
        .collect();
    table::print(["NAME", "PROVIDER", "POOL", "PRIORITY", "STANDING", "WINDOWS", "WHY"], &rows);
}

/// `its daily cap is reached, back 2026-11-24 01:00`
pub(super) fn held_back(held: &HeldView, now: Timestamp, zone: &TimeZone) -> String {
    let whom = held.family.as_ref().map_or_else(String::new, |family| format!("{family} is held back: "));
    let until =
        held.until.map_or_else(String::new, |until| format!(", back {}", table::time(until, now, zone)));
    format!("{whom}{}{until}", held.reason)
}

/// How a sign-in is kept alive: until when it is good, when it is renewed, and what keeps it from that.
fn kept_alive(renewal: &RenewalView, now: Timestamp, zone: &TimeZone) -> String {
    let at = |at| table::time(at, now, zone);
    let ends = renewal.expires_at.map(|end| format!("until {}", at(end)));
    let next = match renewal.next_at {
        _ if renewal.running => Some("being renewed".into()),
        _ if !renewal.renewable => Some("can't be renewed".into()),
        Some(next) => Some(format!("renewed {}", at(next))),
        None => None,
    };
    let failure = renewal.failure.as_ref().map(|why| {
        let when = renewal.failed_at.map_or_else(String::new, |failed| format!(" at {}", at(failed)));
        format!("the last try failed{when}: {why}")
    });
    let unkept = renewal.unkept.then(|| "the next one waits for the vault".to_owned());
    let told: Vec<String> = [ends, next, unkept, failure].into_iter().flatten().collect();
    if told.is_empty() { "signed in".into() } else { format!("signed in: {}", told.join(", ")) }
}

/// The names of those that a path leads to.
fn reached(spill: &SpillView, accounts: &[AccountView]) -> String {
    let names: Vec<&str> = accounts
        .iter()
        .filter(|account| spill.accounts.contains(&account.id))
        .map(|account| account.name.as_str())
        .collect();
    match (spill.all, names.is_empty()) {
        (true, _) => "all".into(),
        (false, true) => "nobody any more".into(),
        (false, false) => names.join(", "),
    }
}

fn state(state: StandingState) -> &'static str {
    match state {
        StandingState::Ready => "● ready",
        StandingState::Cooling => "◐ cooling",
        StandingState::Paused => "❚❚ paused",
        StandingState::NeedsSignIn => "▲ needs sign-in",
    }
}

/// Reads a key from standard input, to its end or to the end of its first line.
fn read_key() -> Result<Sensitive<String>, Trouble> {
    const MOST: u64 = 64 * 1024;
    let mut text = String::new();
    let input = std::io::stdin();
    let read = if input.is_terminal() {
        eprint!("Key (it is shown as you type; piping it in is better): ");
        input.read_line(&mut text)
    } else {
        input.lock().take(MOST).read_to_string(&mut text)
    };
    let key = Sensitive::new(text);
    read.map_err(|error| {
        Trouble::new(Code::Failed, format!("the key could not be read from standard input: {error}"))
    })?;
    Ok(key)
}
