//! Asks the usage endpoints that providers document what accounts have used: in the background, one account after
//! the other, over connections that end with it. What it hears are windows; how an account stands is no business
//! of its.

use std::{sync::Arc, time::Duration};

use super::question::{self, NoAnswer};
use crate::{
    accounts::{Heard, key_of},
    domain::{AccountName, Window},
    proxy::{Gateway, upstream::Upstreams},
    routing::Contender,
    secrets::Sensitive,
    tasks::Tasks,
};

/// An answer has to be here by then, whole.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came of asking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readings {
    /// How many were asked about.
    pub accounts: u64,
    /// Of these, those of whom nothing was heard, and why.
    pub silent: Vec<(AccountName, Arc<str>)>,
}

/// Asks about every account that is due, or about all of them. Once `stopping` completes it ends, whoever is left.
pub async fn ask_for_readings(
    gateway: &Gateway,
    tasks: &Tasks,
    by_hand: bool,
    stopping: impl Future<Output = ()>,
) -> Readings {
    let upstreams = gateway.upstreams_aside(tasks);
    let mut stopping = std::pin::pin!(stopping);
    let mut told = Readings::default();
    for due in gateway.roster.due_for_readings(by_hand) {
        // As it stands now: those before it may have taken minutes, and a new key is for a new address alone.
        let Some(contender) = gateway.roster.asked_for_readings(due.account.id) else { continue };
        // A person has just taken it away.
        let Some(key) = key_of(&contender).cloned() else { continue };
        let asked = tokio::time::timeout(PATIENCE, ask(gateway, &upstreams, &contender, &key));
        let heard = tokio::select! {
            heard = asked => heard.unwrap_or_else(|_| Err(NoAnswer::of("it did not answer in time"))),
            () = &mut stopping => return told,
        };
        told.accounts += 1;
        let heard = match heard {
            Ok(windows) => Heard::Windows(windows),
            Err(NoAnswer { why, retry_after, .. }) => {
                told.silent.push((contender.account.name.clone(), Arc::clone(&why)));
                Heard::Nothing(why, retry_after)
            }
        };
        gateway.roster.learn_readings(&contender, &key, heard);
    }
    told
}

async fn ask(
    gateway: &Gateway,
    upstreams: &Upstreams,
    contender: &Contender,
    key: &Sensitive<String>,
) -> Result<Vec<Window>, NoAnswer> {
    let endpoint = gateway.roster.catalog().usage(&contender.provider);
    let endpoint = endpoint.ok_or_else(|| NoAnswer::of("its provider tells of no usage"))?;
    let answer = question::ask(gateway, upstreams, contender, key, endpoint.path(), &[]).await?;
    let windows = endpoint.read(&answer, gateway.clock.now());
    windows.ok_or_else(|| NoAnswer::of("it answered with something that is no JSON"))
}
