//! `headgate accounts set …`: what an account is used for, beside its name, address and key.

use std::{collections::BTreeMap, sync::Arc};

use clap::Args;

use super::{change, guards::Guarding, opening, path_of};
use crate::{
    api::{
        accounts::spill_views::{PaidOrder, SpillTo, SpillWord},
        views::{AccountChange, AccountView, OpenWindow},
    },
    cli::{Code, Core, Global, Trouble, named::found, plan::pools},
    domain::Lacks,
};

/// What to change of an account beside its name, address and key.
#[derive(Debug, Args)]
pub struct Setting {
    /// Name or id.
    account: String,
    /// What clients ask for and what is sent instead, like claude-opus-5-5=glm-5.2; may be repeated.
    #[arg(long = "map", value_name = "ASKED=SENT", value_parser = pair)]
    map: Vec<(String, String)>,
    /// Send this model under its own name again; may be repeated.
    #[arg(long, value_name = "ASKED")]
    unmap: Vec<String>,
    /// What it does not take, so that requests with it go elsewhere: images, tools, the beginning of a beta feature's
    /// name, or none. Replaces what was said; repeat it for more, or write commas between.
    #[arg(long, value_name = "WHAT")]
    lacks: Vec<String>,
    /// Where requests may spill over to that would cost nothing at this account (a plan, or Claude Code's own sign-in),
    /// when it is spent, which may cost money: an account by name or id, all, or none. Repeat it for more.
    #[arg(long, value_name = "ACCOUNT")]
    spill_to: Vec<String>,
    /// How its use is paid: plan, use, or auto, as its provider and its answers show.
    #[arg(long, value_name = "HOW", value_parser = paid)]
    paid: Option<PaidOrder>,
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

/// Changes it.
pub async fn set(setting: Setting, core: &Core, global: &Global) -> Result<(), Trouble> {
    let Setting { account, map, unmap, lacks, spill_to, paid, pool, open_window, keep_warm, guarding } =
        setting;
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
    let says_nothing = !names_models && spill_to.is_empty() && paid.is_none() && pool.is_none();
    let says_nothing = says_nothing && open_window.is_none() && keep_warm.is_none() && lacks.is_empty();
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
        lacks: if lacks.is_empty() { None } else { Some(lacking(&lacks)?) },
        paid,
        spill_to,
        pool_id,
        guards,
        open_window,
        keep_warm,
        ..AccountChange::default()
    };
    change(core, global, &account, new).await
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

/// `images`, `tools`, beginnings of beta features, or `none`; with commas between them, too.
fn lacking(given: &[String]) -> Result<Lacks, Trouble> {
    let words: Vec<&str> = given.iter().flat_map(|given| given.split(',')).map(str::trim).collect();
    if words.len() > 1 && words.iter().any(|word| word.eq_ignore_ascii_case("none")) {
        let why = "`--lacks none` takes all back, and others are named beside it: say one or the other";
        return Err(Trouble::new(Code::Usage, why));
    }
    let mut lacks = Lacks::default();
    let mut betas: Vec<Arc<str>> = Vec::new();
    for word in words {
        match &*word.to_ascii_lowercase() {
            "none" => {}
            "images" => lacks.images = true,
            "tools" => lacks.tools = true,
            // Each feature's name has its date behind a hyphen, and no other word has one.
            beta if beta.contains('-') => betas.push(word.into()),
            _ => {
                let why = "an account may lack images, tools, beta features by the beginning of their name with its hyphen, as in \
                     context-1m-, or none of these";
                return Err(Trouble::new(Code::Usage, why));
            }
        }
    }
    Ok(Lacks { betas: betas.into(), ..lacks })
}

fn paid(text: &str) -> Result<PaidOrder, String> {
    match text {
        "plan" => Ok(PaidOrder::Plan),
        "use" => Ok(PaidOrder::Use),
        "auto" => Ok(PaidOrder::Auto),
        _ => Err("it is plan, use or auto".into()),
    }
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

/// `ASKED=SENT`; a name of a model may hold a colon or a slash, but no equals sign.
fn pair(text: &str) -> Result<(String, String), String> {
    let (asked, sent) = text.split_once('=').ok_or("write it as ASKED=SENT, like claude-opus-5-5=glm-5.2")?;
    Ok((asked.trim().to_owned(), sent.trim().to_owned()))
}
