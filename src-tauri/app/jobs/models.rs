//! The job that asks accounts' upstreams for their models: at the start, for a new account, and with traffic once a
//! list is old. Without traffic nobody is asked.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use jiff::Timestamp;

use super::{HOUR, many};
use crate::{
    domain::{AccountName, JobId},
    proxy::{Asked, Gateway, ask_for_models},
    scheduler::{Due, Job, Said, Told, Unfinished},
    tasks::Tasks,
};

/// So many that did not answer are named.
const NAMED: usize = 3;

/// Asks upstreams for their models.
pub fn ask(gateway: &Gateway, tasks: &Tasks) -> Job {
    let every = gateway.limits.models();
    let older_than = every.unwrap_or_default();
    let unasked = Unasked::of(gateway, older_than);
    let (told, changed, asking) = (unasked.clone(), unasked.clone(), unasked);
    let (gateway, tasks) = (gateway.clone(), tasks.clone());
    Job {
        id: JobId::Models,
        title: "Models",
        about: "Asks each account's own upstream for its models, under the account's key, for the list that clients see. \
                Providers, prices and ways to sign in are part of the program, and come anew with the next version alone.",
        due: Due::Told(Told {
            words: words(every),
            idle: Box::new(|| None),
            next: Box::new(move |_| told.since()),
            changed: Box::new(move || changed.clone().changed().boxed()),
        }),
        limit: HOUR / 2,
        off: every.is_none().then(|| "limits.models_hours in settings.toml is 0".into()),
        act: Box::new(move |run| {
            let (gateway, tasks, unasked) = (gateway.clone(), tasks.clone(), asking.clone());
            async move {
                unasked.set(None);
                let older_than = if run.is_by_hand() { Duration::ZERO } else { older_than };
                let asked = ask_for_models(&gateway, &tasks, older_than, run.stopping()).await;
                if run.should_stop() {
                    Err(Unfinished::Stopped(told_of(&asked)))
                } else if asked.accounts > 0 && asked.silent.len() as u64 == asked.accounts {
                    // Where not one of them can be reached or lets us in, something is wrong here.
                    Ok(Said::trouble(told_of(&asked)))
                } else {
                    Ok(Said::fine(told_of(&asked)))
                }
            }
            .boxed()
        }),
    }
}

fn words(every: Option<Duration>) -> String {
    every.map_or_else(
        || "never".into(),
        |every| {
            let hours = every.as_secs_f64() / 3600.0;
            format!("at the start, for a new account, and with traffic once a list is {hours} h old")
        },
    )
}

fn told_of(told: &Asked) -> String {
    let asked = format!("Asked {}", many(told.accounts, "account"));
    let listless =
        if told.listless.is_empty() { String::new() } else { format!(" {}", silence(&told.listless)) };
    match told.silent.len() {
        _ if told.accounts == 0 => "Nobody was asked.".into(),
        0 if listless.is_empty() => format!("{asked}, and all told."),
        0 => format!("{asked}.{listless}"),
        silent => format!("{asked}, and {silent} did not tell. {}{listless}", silence(&told.silent)),
    }
}

/// Who did not answer, and why: "work: it answered 401."
pub(super) fn silence(silent: &[(AccountName, Arc<str>)]) -> String {
    let mut says: Vec<String> =
        silent.iter().take(NAMED).map(|(name, why)| format!("{name}: {why}.")).collect();
    if silent.len() > NAMED {
        says.push(format!("And {} more.", silent.len() - NAMED));
    }
    says.join(" ")
}

/// Since when somebody should be asked for his models.
#[derive(Clone)]
struct Unasked {
    gateway: Gateway,
    older_than: Duration,
    since: Arc<Mutex<Option<Timestamp>>>,
}

impl Unasked {
    fn of(gateway: &Gateway, older_than: Duration) -> Self {
        let unasked = Self { gateway: gateway.clone(), older_than, since: Arc::default() };
        unasked.look();
        unasked
    }

    /// There is news: an account, or traffic while its list is old.
    async fn changed(self) {
        self.gateway.roster.models_wanted().await;
        self.look();
    }

    fn look(&self) {
        let somebody = !self.gateway.roster.unasked_for(self.older_than).is_empty();
        self.set(somebody.then(|| self.gateway.clock.now()));
    }

    fn since(&self) -> Option<Timestamp> {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, since: Option<Timestamp>) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}
