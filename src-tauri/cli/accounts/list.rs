//! The list of accounts: how each stands, and why.

use jiff::{Timestamp, tz::TimeZone};

use super::{guards, opening};
use crate::{
    api::{
        accounts::spill_views::{SpillPath, SpillView},
        views::{AccountView, KeptBackView, RenewalView},
    },
    cli::{out::say, table},
    clock::Clock,
    domain::{Lacks, Paid, StandingState},
    providers::Catalog,
    proxy::shell_word,
};

/// All of them, with what keeps each from being asked; if it may be wide, with their ids and addresses, and how they are paid.
pub fn show(accounts: &[AccountView], wide: bool, json: bool) {
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
            if let Some(kept) = &account.kept_back {
                let gap = if why.is_empty() { "" } else { "; " };
                why += &format!("{gap}{}", kept_back(kept, now, &zone));
            }
            for out in &account.families_out {
                let gap = if why.is_empty() { "" } else { "; " };
                let until = out
                    .until
                    .map_or_else(String::new, |at| format!(", back {}", table::time(at, now, &zone)));
                why += &format!("{gap}{} goes elsewhere: {}{until}", out.family, out.reason);
            }
            if let Some(rush) = &account.rush {
                let gap = if why.is_empty() { "" } else { "; " };
                why += &format!("{gap}{rush}");
            }
            if let Some(until) = account.trouble_until {
                let gap = if why.is_empty() { "" } else { "; " };
                let until = table::time(until, now, &zone);
                why += &format!("{gap}its upstream is in trouble, at least until {until}; it is still tried");
            }
            if let Some(spill) = &account.spill {
                let gap = if why.is_empty() { "" } else { "; " };
                why += &format!("{gap}may spill over to {}", reached(spill, accounts, now, &zone));
            }
            if let Some(renewal) = &account.renewal {
                let gap = if why.is_empty() { "" } else { "; " };
                why += &format!("{gap}{}", kept_alive(renewal, standing.state, now, &zone));
            }
            for told in opening::shown(account, now, &zone) {
                let gap = if why.is_empty() { "" } else { "; " };
                why += &format!("{gap}{told}");
            }
            if let Some(lacks) = lacking(&account.lacks) {
                let gap = if why.is_empty() { "" } else { "; " };
                why += &format!("{gap}{lacks}");
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
                if standing.state == StandingState::NeedsSignIn && account.sign_in.is_none() {
                    "▲ needs a key".into()
                } else if account.is_ready() || standing.state != StandingState::Ready {
                    state(standing.state).into()
                } else {
                    "◐ kept back".into()
                },
                windows.collect::<Vec<_>>().join(", "),
                why,
            ]
        })
        .collect();
    let headings = ["NAME", "PROVIDER", "POOL", "PRIORITY", "STANDING", "WINDOWS", "WHY"];
    if !wide {
        return table::print(headings, &rows);
    }
    let [name, provider, pool, priority, standing, windows, why] = headings;
    let with = |[name, provider, pool, priority, standing, windows, why]: [String; 7],
                account: &AccountView| {
        let id = account.id.to_string();
        [id, name, provider, address(account), paid(account), pool, priority, standing, windows, why]
    };
    let rows: Vec<[String; 10]> =
        rows.into_iter().zip(accounts).map(|(row, account)| with(row, account)).collect();
    let headings = ["ID", name, provider, "ADDRESS", "PAID", pool, priority, standing, windows, why];
    table::print(headings, &rows);
}

/// Where its requests go.
fn address(account: &AccountView) -> String {
    let own = || Some(Catalog::built_in().get(&account.provider)?.base_url.as_ref()?.to_string());
    account.base_url.clone().or_else(own).unwrap_or_else(|| "–".into())
}

/// `plan`, `use`, or a dash where nobody knows; `use, said` where a person said so.
fn paid(account: &AccountView) -> String {
    match (account.said_paid, account.paid) {
        (Some(said), _) => format!("{}, said", said.word()),
        (None, shown) => shown.map_or("–", Paid::word).into(),
    }
}

/// `its daily cap is reached, back 2026-11-24 01:00`
pub fn kept_back(kept: &KeptBackView, now: Timestamp, zone: &TimeZone) -> String {
    let whom = kept.family.as_ref().map_or_else(String::new, |family| format!("{family} is kept back: "));
    let until =
        kept.until.map_or_else(String::new, |until| format!(", back {}", table::time(until, now, zone)));
    format!("{whom}{}{until}", kept.reason)
}

/// `takes no images, no tools, no beta computer-use-`
fn lacking(lacks: &Lacks) -> Option<String> {
    let word = |is_so: bool, word: &str| is_so.then(|| format!("no {word}"));
    let betas = lacks.betas.iter().map(|beta| format!("no beta {}…", table::printable(beta)));
    let all: Vec<String> = [word(lacks.images, "images"), word(lacks.tools, "tools")]
        .into_iter()
        .flatten()
        .chain(betas)
        .collect();
    (!all.is_empty()).then(|| format!("takes {}", all.join(", ")))
}

/// How a sign-in is kept alive: until when it is good, when it is renewed, and what keeps it from that. Of one that needs
/// a person the standing says that itself.
fn kept_alive(renewal: &RenewalView, standing: StandingState, now: Timestamp, zone: &TimeZone) -> String {
    let at = |at| table::time(at, now, zone);
    let ends = renewal.expires_at.map(|end| format!("until {}", at(end)));
    let next = match renewal.next_at {
        _ if renewal.running => Some("being renewed".into()),
        _ if !renewal.renewable => Some("can't be renewed".into()),
        Some(next) => Some(format!("to be renewed {}", at(next))),
        None => None,
    };
    let told = renewal.failure.as_ref().filter(|_| standing != StandingState::NeedsSignIn);
    let failure = told.map(|why| {
        let when = renewal.failed_at.map_or_else(String::new, |failed| format!(" at {}", at(failed)));
        format!("the last try failed{when}: {why}")
    });
    let unkept = renewal.unkept.then(|| "the next one waits for the vault".to_owned());
    let told: Vec<String> = [ends, next, unkept, failure].into_iter().flatten().collect();
    if told.is_empty() { "signed in".into() } else { format!("signed in: {}", told.join(", ")) }
}

/// `work, allowed 07:41, and spare, allowed 2026-11-24 01:00`
fn reached(spill: &SpillView, accounts: &[AccountView], now: Timestamp, zone: &TimeZone) -> String {
    let allowed = |whom: &str, since| format!("{whom}, allowed {}", table::time(since, now, zone));
    if let Some(since) = spill.all {
        return allowed("all", since);
    }
    let path = |path: &SpillPath| {
        let account = accounts.iter().find(|account| account.id == path.id)?;
        Some(allowed(&account.name, path.allowed_at))
    };
    let paths: Vec<String> = spill.accounts.iter().filter_map(path).collect();
    if paths.is_empty() { "nobody any more".into() } else { paths.join(", and ") }
}

fn state(state: StandingState) -> &'static str {
    match state {
        StandingState::Ready => "● ready",
        StandingState::Cooling => "◐ cooling",
        StandingState::Paused => "❚❚ paused",
        StandingState::NeedsSignIn => "▲ needs sign-in",
    }
}
