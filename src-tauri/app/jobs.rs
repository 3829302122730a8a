//! What the scheduler does: each job with its act, put together from the rooms that know how. Nothing of when and how
//! often is decided while they run.

mod models;
mod timed;

use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;

use crate::{
    domain::{Day, JobId, MinuteOfDay},
    ledger::{self, Forgotten},
    proxy::Gateway,
    scheduler::{Due, Job, Rhythm, Run, Said, Told, Unfinished},
    store::{Store, StoreError},
    tasks::Tasks,
};

const HOUR: Duration = Duration::from_hours(1);
/// What is found wrong with a database is told in so many findings.
const FINDINGS: usize = 3;

type Ended = Result<Said, Unfinished>;

/// All jobs of a core, in the order in which they are shown.
pub fn all(gateway: &Gateway, store: &Store, tasks: &Tasks) -> Vec<Job> {
    let job = |id| match id {
        JobId::Renew => renew(gateway),
        JobId::Models => models::ask(gateway, tasks),
        JobId::Windows => timed::windows(gateway, tasks),
        JobId::OpenWindow => timed::open_windows(gateway, tasks),
        JobId::KeepWarm => timed::keep_warm(gateway, tasks),
        JobId::Retention => retention(gateway, store, tasks),
        JobId::Integrity => integrity(store, tasks),
    };
    JobId::ALL.map(job).into()
}

/// Renewals that are under way are not broken off with the run that began them.
fn renew(gateway: &Gateway) -> Job {
    let (renewals, roster) = (gateway.renewals.clone(), gateway.roster.clone());
    let (told, news) = (renewals.clone(), renewals.clone());
    Job {
        id: JobId::Renew,
        title: "Sign-ins",
        about: "Renews the sign-ins that are about to expire; `headgate accounts renew NAME` renews one at any time.",
        due: Due::Told(Told {
            words: "shortly before a sign-in expires, and again after one that could not be renewed".into(),
            idle: Box::new(|| None),
            next: Box::new(move |now| told.next_due(now)),
            changed: Box::new(move || {
                let news = news.clone();
                async move { news.news().await }.boxed()
            }),
        }),
        limit: HOUR / 6,
        off: None,
        act: Box::new(move |_| {
            let (renewals, roster) = (renewals.clone(), roster.clone());
            async move {
                let (renewed, failed) = renewals.renew_due().await;
                let name =
                    |id| roster.name_of(id).map_or_else(|| "an account".into(), |name| name.to_string());
                Ok(match failed.first() {
                    None => Said::fine(match renewed {
                        0 => "No sign-in is due.".into(),
                        renewed => format!("Renewed {}.", many(renewed, "sign-in")),
                    }),
                    Some((id, why)) => Said::trouble(format!(
                        "{} could not be renewed; {}: {why}",
                        many(failed.len() as u64, "sign-in"),
                        name(*id)
                    )),
                })
            }
            .boxed()
        }),
    }
}

fn integrity(store: &Store, tasks: &Tasks) -> Job {
    let (store, tasks) = (store.clone(), tasks.clone());
    Job {
        id: JobId::Integrity,
        title: "Integrity",
        about: "Reads the whole database, at half speed, and says what is wrong with it. It mends nothing.",
        due: Due::By(Rhythm::Every { every: 7 * 24 * HOUR, jitter: HOUR }),
        limit: 4 * HOUR,
        off: None,
        act: Box::new(move |run| {
            let store = store.clone();
            aside(tasks.clone(), move || check(&store, &run)).boxed()
        }),
    }
}

fn check(store: &Store, run: &Run) -> Ended {
    let stop = run.clone();
    match store.integrity(move || stop.should_stop()) {
        Ok(found) if found.is_empty() => Ok(Said::fine("Nothing is wrong with the database.")),
        Ok(found) => Ok(Said::trouble(damage(&found))),
        Err(StoreError::Closed) => Err(Unfinished::Stopped("It was stopped before the end.".into())),
        Err(error) => Err(failed(error)),
    }
}

fn damage(found: &[String]) -> String {
    let first = found.iter().take(FINDINGS).map(String::as_str).collect::<Vec<_>>().join("; ");
    format!(
        "The database is damaged: stop Headgate, keep a copy of headgate.db, and put a backup in its place or move it away. Found: {first}"
    )
}

fn retention(gateway: &Gateway, store: &Store, tasks: &Tasks) -> Job {
    let days = gateway.limits.kept_days();
    let (clock, store, tasks) = (gateway.clock.clone(), store.clone(), tasks.clone());
    Job {
        id: JobId::Retention,
        title: "Retention",
        about: "Deletes old requests with their attempts and decisions, a few at a time. What was spent stays summed.",
        due: Due::By(Rhythm::At {
            days: Day::ALL.into_iter().collect(),
            time: MinuteOfDay::new("04:00").expect("four o'clock is a time"),
            jitter: HOUR / 2,
        }),
        limit: HOUR,
        off: days
            .is_none()
            .then(|| "limits.keep_days in settings.toml is 0: requests are kept for ever".into()),
        act: Box::new(move |run| {
            let (store, clock) = (store.clone(), clock.clone());
            aside(tasks.clone(), move || forget(&store, clock.now(), days, &run)).boxed()
        }),
    }
}

fn forget(store: &Store, now: Timestamp, days: Option<u32>, run: &Run) -> Ended {
    let newest = store.last_exchange_id().map_err(failed)?;
    let (Some(days), Some(newest)) = (days, newest) else {
        return Ok(Said::fine("There is nothing to delete."));
    };
    let before = ledger::first_kept(now, newest, days);
    let done = ledger::forget(store, before, || run.should_stop()).map_err(failed)?;
    let says = forgotten(&done);
    if done.is_cut_short { Err(Unfinished::Stopped(says)) } else { Ok(Said::fine(says)) }
}

fn forgotten(done: &Forgotten) -> String {
    let Forgotten { requests, decisions, pages, .. } = done;
    let (requests, decisions) = (many(*requests, "request"), many(*decisions, "decision"));
    format!("Deleted {requests} and {decisions}; {} of 4 KiB given back to the disk.", many(*pages, "page"))
}

/// "1 request", "2 requests".
fn many(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

/// Runs what blocks where it may. A panic there is one here.
async fn aside(tasks: Tasks, act: impl FnOnce() -> Ended + Send + 'static) -> Ended {
    let done = tasks.spawn_blocking(act).await;
    done.unwrap_or_else(|broken| match broken.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(Unfinished::Stopped("Headgate ended before it began.".into())),
    })
}

fn failed(error: StoreError) -> Unfinished {
    Unfinished::Failed(error.to_string())
}
