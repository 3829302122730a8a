//! `headgate vault …`

pub mod passphrase;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use http::Method;

use super::{Code, Core, Global, Trouble, out::say, person, table};
use crate::{
    api::vault::views::{CleanOrder, MoveOrder, OrphanView, SealOrder, VaultView},
    app::kind_of,
    secrets::{Passphrase, Secured, VaultKind},
    settings::VaultChoice,
};

const VAULT: &str = "/api/v1/vault";

/// Where keys are kept, and whether that works.
#[derive(Debug, Args)]
pub struct Vault {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Try it and look what is in it; the same as `headgate vault`.
    Show,
    /// Move all keys and sign-ins: each is copied, read back and compared before any is removed.
    Move {
        /// Where to.
        to: VaultChoice,
        /// Seal the sealed file with a passphrase, which is asked for, instead of a key file.
        #[arg(long)]
        passphrase: bool,
        /// Go on although accounts lack their secrets here and there.
        #[arg(long)]
        anyway: bool,
    },
    /// Delete secrets that no account owns, and what a move that was broken off has left. The passphrase of a sealed file
    /// in which that was left comes from HEADGATE_PASSPHRASE_FILE or HEADGATE_PASSPHRASE, or is typed in the terminal.
    Clean {
        /// Don't ask.
        #[arg(long)]
        yes: bool,
    },
    /// Seal the sealed file with a passphrase or with another one. They are typed in the terminal; without one, the
    /// passphrase that it has comes from HEADGATE_PASSPHRASE_FILE or HEADGATE_PASSPHRASE.
    Passphrase {
        /// Read the new one from a file or descriptor, like /dev/stdin.
        #[arg(long, value_name = "FILE")]
        new_file: Option<PathBuf>,
        /// Go back to a key file.
        #[arg(long, conflicts_with = "new_file")]
        remove: bool,
    },
}

impl Vault {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        let act = self.act.unwrap_or(Act::Show);
        let done = async |core: &Core| match act {
            Act::Show => show(core, global).await,
            Act::Move { to, passphrase, anyway } => begin_move(core, global, to, passphrase, anyway).await,
            Act::Clean { yes } => clean(core, global, yes).await,
            Act::Passphrase { new_file, remove } => reseal(core, global, new_file, remove).await,
        };
        global.on_core(done).await
    }
}

async fn show(core: &Core, global: &Global) -> Result<(), Trouble> {
    let vault = check(core).await?;
    if global.json {
        table::json(&vault);
    } else {
        match vault.moving {
            Some(moving) => {
                let (from, to, done, of) = (vault.kind.title(), moving.to.title(), moving.done, moving.of);
                say!("Keys are moving from {from} into {to}: {done} of {of} are there.");
            }
            None => say!("{}", vault.says),
        }
        for orphan in &vault.orphans {
            say!("  {}", of_whom(orphan));
        }
        for trouble in vault.troubles.iter().filter(|_| vault.problem.is_none()) {
            say!("{trouble}");
        }
    }
    works(&vault)
}

async fn begin_move(
    core: &Core,
    global: &Global,
    to: VaultChoice,
    wants_passphrase: bool,
    anyway: bool,
) -> Result<(), Trouble> {
    let to = kind_of(to);
    let given = passphrase::given().map_err(|error| Trouble::new(Code::Folder, error.to_string()))?;
    let passphrase = match given {
        None if wants_passphrase && to == VaultKind::File => Some(passphrase::new().await?),
        given => given.filter(|_| to == VaultKind::File),
    };
    let order = MoveOrder { to, passphrase: passphrase.as_ref().map(|typed| typed.text().clone()), anyway };
    let _note = core.note("vault move is moving keys, and a keychain may wait for its owner");
    let mut vault: VaultView = core.call(Method::POST, &format!("{VAULT}/move"), Some(&order)).await?;
    while vault.moving.is_some() {
        vault = core.get(&format!("{VAULT}?settled=true")).await?;
        if let Some(moving) = vault.moving
            && !global.json
        {
            eprintln!("{} of {} moved; a keychain may wait for its owner", moving.done, moving.of);
        }
    }
    if global.json {
        table::json(&vault);
    }
    let Some(moved) = &vault.last_move else {
        return Err(Trouble::new(Code::Failed, "the move left no word of how it went; see `headgate vault`"));
    };
    if let Some(problem) = &moved.problem {
        return Err(Trouble::new(Code::Folder, format!("nothing was moved: {problem}")));
    }
    if !global.json {
        say!("Moved {} into {}.", count(moved.secrets, "secret"), to.title());
        if to == VaultKind::File {
            say!("{}", if vault.secured == Secured::Passphrase { SEALED } else { BY_KEY_FILE });
        }
        if let Some(left) = &vault.left {
            say!("{left}");
        }
    }
    Ok(())
}

const SEALED: &str = "It is sealed with the passphrase; the next start needs it, typed in a terminal or by \
    HEADGATE_PASSPHRASE_FILE.";
const BY_KEY_FILE: &str =
    "Its key lies in vault.key beside it; `headgate vault passphrase` seals it with a passphrase instead.";

async fn clean(core: &Core, global: &Global, yes: bool) -> Result<(), Trouble> {
    let vault = check(core).await?;
    works(&vault)?;
    let left = vault.left.as_ref().filter(|_| vault.can_clean_left);
    if vault.orphans.is_empty() && left.is_none() {
        if global.json {
            table::json(&vault);
        } else {
            say!("There is nothing to clean: each secret in {} has its account.", vault.kind.title());
        }
        return Ok(());
    }
    if !yes {
        person::must_be_there()?;
        for orphan in &vault.orphans {
            eprintln!("  {}", of_whom(orphan));
        }
        if let Some(left) = left {
            eprintln!("{left}");
        }
        if !person::confirmed("Delete for good what no account owns? [y/N] ")? {
            return Ok(());
        }
    }
    let orphans = vault.orphans.iter().map(|orphan| orphan.name.clone()).collect();
    let mut order = CleanOrder { orphans, passphrase: None };
    if left.is_some() {
        let given = passphrase::given().map_err(|error| Trouble::new(Code::Folder, error.to_string()))?;
        order.passphrase = given.map(|given| given.text().clone());
    }
    let cleaned = until_it_opens(core, &mut order).await?;
    if global.json {
        table::json(&cleaned);
    } else {
        let gone = order.orphans.len().saturating_sub(cleaned.orphans.len());
        say!("Deleted {} that no account owned.", count(u32::try_from(gone).ok(), "secret"));
        for trouble in &cleaned.troubles {
            say!("{trouble}");
        }
    }
    Ok(())
}

/// Asks a person for the passphrase of what was left, as often as may be, where nobody gave the right one.
async fn until_it_opens(core: &Core, order: &mut CleanOrder) -> Result<VaultView, Trouble> {
    let mut tries = 0;
    loop {
        let refused = match core.call(Method::POST, &format!("{VAULT}/clean"), Some(&*order)).await {
            Err(trouble) if trouble.is("needs_passphrase") || trouble.is("wrong_passphrase") => trouble,
            cleaned => return cleaned,
        };
        if tries == passphrase::TRIES {
            return Err(refused);
        }
        tries += 1;
        let Some(typed) = passphrase::left().await else { return Err(refused) };
        order.passphrase = Some(typed.text().clone());
    }
}

async fn reseal(
    core: &Core,
    global: &Global,
    new_file: Option<PathBuf>,
    remove: bool,
) -> Result<(), Trouble> {
    let vault: VaultView = core.get(VAULT).await?;
    if vault.kind != VaultKind::File {
        return Err(Trouble::new(Code::Failed, vault.kind.has_no_passphrase()));
    }
    let current =
        if vault.secured == Secured::Passphrase { Some(passphrase::current().await?) } else { None };
    let next = match new_file {
        _ if remove => None,
        Some(path) => {
            Some(Passphrase::of_file(&path).map_err(|error| Trouble::new(Code::Failed, error.to_string()))?)
        }
        None => Some(passphrase::new().await?),
    };
    let text = |typed: &Option<Passphrase>| typed.as_ref().map(|typed| typed.text().clone());
    let order = SealOrder { current: text(&current), passphrase: text(&next) };
    let sealed: VaultView = core.call(Method::POST, &format!("{VAULT}/passphrase"), Some(&order)).await?;
    if global.json {
        table::json(&sealed);
    } else if remove {
        say!("{BY_KEY_FILE}");
    } else {
        say!("{SEALED}");
        for trouble in &sealed.troubles {
            say!("{trouble}");
        }
    }
    Ok(())
}

async fn check(core: &Core) -> Result<VaultView, Trouble> {
    core.call(Method::POST, &format!("{VAULT}/check"), None::<&()>).await
}

fn works(vault: &VaultView) -> Result<(), Trouble> {
    match &vault.problem {
        Some(problem) => Err(Trouble::new(Code::Folder, problem.clone())),
        None => Ok(()),
    }
}

fn of_whom(orphan: &OrphanView) -> String {
    match &orphan.account {
        Some(account) => format!("{} (of {account})", orphan.name),
        None => orphan.name.clone(),
    }
}

fn count(number: Option<u32>, what: &str) -> String {
    match number {
        Some(1) => format!("1 {what}"),
        Some(number) => format!("{number} {what}s"),
        None => format!("an unknown number of {what}s"),
    }
}
