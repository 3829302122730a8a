//! What the scheduler does: each job with its act, put together from the rooms that know how. Nothing of when and how
//! often is decided while they run.

mod timed;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use jiff::Timestamp;

use crate::{
    domain::{Day, JobId, MinuteOfDay},
    ledger::{self, Forgotten},
    proxy::{Asked, Gateway, ask_for_models},
    scheduler::{Due, Job, Rhythm, Run, Said, Told, Unfinished},
    store::{Store, StoreError},
    tasks::Tasks,
};

const HOUR: Duration = Duration::from_hours(1);
/// What is found wrong with a database is told in so many findings.
const FINDINGS: usize = 3;

type Ended = Result<Said, Unfinished>;

/// All jobs of a core.
pub fn all(gateway: &Gateway, store: &Store, tasks: &Tasks) -> Vec<Job> {
    let kept = retention(gateway, store, tasks);
    let (windows, opening) = (timed::windows(gateway, tasks), timed::open_windows(gateway, tasks));
    let warm = timed::keep_warm(gateway, tasks);
    vec![renew(gateway), models(gateway, tasks), windows, opening, warm, kept, integrity(store, tasks)]
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

fn models(gateway: &Gateway, tasks: &Tasks) -> Job {
    let every = gateway.limits.models();
    let older_than = every.unwrap_or_default();
    let wanted = Wanted::of(gateway, older_than);
    let (told, changed, asking) = (wanted.clone(), wanted.clone(), wanted);
    let (gateway, tasks) = (gateway.clone(), tasks.clone());
    Job {
        id: JobId::Models,
        title: "Models",
        about: "Asks each account's own upstream for its models, under the account's key.",
        due: Due::Told(Told {
            words: words(every),
            idle: Box::new(|| None),
            next: Box::new(move |_| told.since()),
            changed: Box::new(move || changed.clone().changed().boxed()),
        }),
        limit: HOUR / 2,
        off: every.is_none().then(|| "limits.models_hours in settings.toml is 0".into()),
        act: Box::new(move |run| {
            let (gateway, tasks, wanted) = (gateway.clone(), tasks.clone(), asking.clone());
            async move {
                wanted.set(None);
                let older_than = if run.is_by_hand() { Duration::ZERO } else { older_than };
                let asked = ask_for_models(&gateway, &tasks, older_than, run.stopping()).await;
                if run.should_stop() {
                    Err(Unfinished::Stopped(told_of(asked)))
                } else {
                    Ok(Said::fine(told_of(asked)))
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

fn told_of(asked: Asked) -> String {
    match asked {
        Asked { accounts: 0, .. } => "Nobody was asked.".into(),
        Asked { accounts, silent: 0 } => format!("Asked {}, and all told.", many(accounts, "account")),
        Asked { accounts, silent } => {
            format!("Asked {}, and {silent} did not tell.", many(accounts, "account"))
        }
    }
}

/// "1 request", "2 requests".
fn many(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

/// Since when somebody should be asked for his models.
#[derive(Clone)]
struct Wanted {
    gateway: Gateway,
    older_than: Duration,
    since: Arc<Mutex<Option<Timestamp>>>,
}

impl Wanted {
    fn of(gateway: &Gateway, older_than: Duration) -> Self {
        let wanted = Self { gateway: gateway.clone(), older_than, since: Arc::default() };
        wanted.look();
        wanted
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
