//! The jobs that ask upstreams for an account's own sake: what it has used, that a window be
//! opened, that a prompt stay in the cache.

use std::time::Duration;

use futures_util::FutureExt;

use super::{HOUR, many, models::silence};
use crate::{
    domain::JobId,
    proxy::{self, Gateway, KeptWarm, Opened, Readings, ask_for_readings, open_window},
    scheduler::{Due, Job, Said, Told, Unfinished},
    tasks::Tasks,
};

/// Asks the usage endpoints that providers document.
pub fn windows(gateway: &Gateway, tasks: &Tasks) -> Job {
    let [idle, next, changed] = [&gateway.roster; 3].map(Clone::clone);
    let (gateway, tasks) = (gateway.clone(), tasks.clone());
    Job {
        id: JobId::Windows,
        title: "Usage",
        about: "Asks providers that document an endpoint for it what each account has used, under the account's key. \
                How accounts stand is not touched by it.",
        due: Due::Told(Told {
            words: "every 15 minutes for each such account, less often while no answer comes".into(),
            idle: Box::new(move || {
                let nobody = "no account in service is at a provider that tells what was used";
                (!idle.asks_for_readings()).then(|| nobody.into())
            }),
            next: Box::new(move |now| next.readings_due(now)),
            changed: Box::new(move || {
                let roster = changed.clone();
                async move { roster.readings_changed().await }.boxed()
            }),
        }),
        limit: HOUR / 4,
        off: None,
        act: Box::new(move |run| {
            let (gateway, tasks) = (gateway.clone(), tasks.clone());
            async move {
                let told = ask_for_readings(&gateway, &tasks, run.is_by_hand(), run.stopping()).await;
                if run.should_stop() {
                    return Err(Unfinished::Stopped(heard(&told)));
                }
                let says = heard(&told);
                Ok(if told.silent.is_empty() { Said::fine(says) } else { Said::trouble(says) })
            }
            .boxed()
        }),
    }
}

fn heard(told: &Readings) -> String {
    let asked = format!("Asked about {}", many(told.accounts, "account"));
    match told.silent.len() {
        _ if told.accounts == 0 => "Nobody was asked about.".into(),
        0 => format!("{asked}, and all was told."),
        silent => format!("{asked}, and of {silent} nothing was heard. {}", silence(&told.silent)),
    }
}

/// Opens windows for those whose owner has asked for that.
pub fn open_windows(gateway: &Gateway, tasks: &Tasks) -> Job {
    let [idle, next, changed] = [&gateway.roster; 3].map(Clone::clone);
    let (gateway, tasks) = (gateway.clone(), tasks.clone());
    Job {
        id: JobId::OpenWindow,
        title: "Opening windows",
        about: "Opens the next usage window of accounts whose owner has asked for that, by a request of one token.",
        due: Due::Told(Told {
            words:
                "at the reset or the time that an account names; `headgate accounts set NAME --open-window …`"
                    .into(),
            idle: Box::new(move || {
                (!idle.opens_windows()).then(|| "no account's owner has asked for it".into())
            }),
            next: Box::new(move |now| next.opening_due(now)),
            changed: Box::new(move || {
                let roster = changed.clone();
                async move { roster.openings_changed().await }.boxed()
            }),
        }),
        limit: Duration::from_mins(10),
        off: None,
        act: Box::new(move |run| {
            let (gateway, tasks) = (gateway.clone(), tasks.clone());
            async move {
                let (mut says, mut failed) = (Vec::new(), false);
                for account in gateway.roster.due_to_open() {
                    let name = account.account.name.to_string();
                    let opening = open_window(&gateway, &tasks, account.account.id, false);
                    let opened = tokio::select! {
                        opened = opening => opened,
                        () = run.stopping() => return Err(Unfinished::Stopped(says.join(" "))),
                    };
                    failed |= matches!(opened, Opened::Failed(_));
                    says.push(opened.says(&name));
                }
                let says = if says.is_empty() { "No window is due.".into() } else { says.join(" ") };
                Ok(if failed { Said::trouble(says) } else { Said::fine(says) })
            }
            .boxed()
        }),
    }
}

/// Keeps prompts in caches, for those whose owner has asked for that.
pub fn keep_warm(gateway: &Gateway, tasks: &Tasks) -> Job {
    let [idle, next, changed] = [gateway; 3].map(Clone::clone);
    let (gateway, tasks) = (gateway.clone(), tasks.clone());
    Job {
        id: JobId::KeepWarm,
        title: "Keeping prompts warm",
        about: "Repeats the last request of a big conversation for one token before its prompt leaves the cache, for \
                accounts whose owner has asked for that.",
        due: Due::Told(Told {
            words: "shortly before a prompt is five minutes old; `headgate accounts set NAME --keep-warm …`"
                .into(),
            idle: Box::new(move || {
                (!idle.roster.keeps_warm()).then(|| "no account's owner has asked for it".into())
            }),
            next: Box::new(move |_| next.warm.next_due()),
            changed: Box::new(move || {
                let gateway = changed.clone();
                async move { gateway.warm.changed(&gateway.roster).await }.boxed()
            }),
        }),
        limit: Duration::from_mins(10),
        off: None,
        act: Box::new(move |run| {
            let (gateway, tasks) = (gateway.clone(), tasks.clone());
            async move {
                let kept = proxy::keep_warm(&gateway, &tasks, run.stopping()).await;
                let says = kept.says();
                let KeptWarm { failed, .. } = kept;
                match failed {
                    _ if run.should_stop() => Err(Unfinished::Stopped(says)),
                    0 => Ok(Said::fine(says)),
                    _ => Ok(Said::trouble(says)),
                }
            }
            .boxed()
        }),
    }
}
