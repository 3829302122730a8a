//! `headgate jobs …`

use clap::{Args, Subcommand};
use http::Method;
use jiff::{Timestamp, tz::TimeZone};

use crate::cli::{Code, Core, Global, Trouble, out::say, table};
use crate::{
    api::jobs::views::{JobRunView, JobView},
    clock::Clock,
    domain::JobOutcome,
};

/// List what Headgate does by itself, or do it now.
#[derive(Debug, Args)]
pub struct Jobs {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List them; the same as `headgate jobs`.
    List,
    /// Do one now, and say how it went.
    Run {
        /// Its name, as the list shows it.
        job: String,
    },
}

impl Jobs {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        let act = self.act.unwrap_or(Act::List);
        let done = async |core: &Core| match act {
            Act::List => list(core, global).await,
            Act::Run { job } => run(core, global, &job).await,
        };
        global.on_core(done).await
    }
}

async fn list(core: &Core, global: &Global) -> Result<(), Trouble> {
    let jobs: Vec<JobView> = core.get("/api/v1/jobs").await?;
    if global.json {
        table::json(&jobs);
        return Ok(());
    }
    let clock = Clock::system();
    let (now, zone) = (clock.now(), clock.zone());
    let rows: Vec<[String; 6]> = jobs.iter().map(|job| row(job, now, &zone)).collect();
    table::print(["JOB", "RUNS", "AT MOST", "LAST", "NEXT", "SAYS"], &rows);
    for line in jobs.iter().filter_map(|job| trouble(job, now, &zone)) {
        say!("{line}");
    }
    if !core.is_running() {
        say!("Headgate is not running, so nothing is done by itself. Start it with `headgate serve`.");
    }
    Ok(())
}

/// What went wrong before a run that did not, in a line.
fn trouble(job: &JobView, now: Timestamp, zone: &TimeZone) -> Option<String> {
    let before = job.last_trouble.as_ref()?;
    let is_last = job.last.as_ref().is_some_and(|last| last.began_at == before.began_at);
    let line = || {
        let at = table::time(before.began_at, now, zone);
        format!("{} {} {at}: {}", job.id.word(), word(before), before.says)
    };
    (!is_last).then(line)
}

fn row(job: &JobView, now: Timestamp, zone: &TimeZone) -> [String; 6] {
    let time = |at: Timestamp| table::time(at, now, zone);
    let next = match (&job.off, job.running_since, job.next_at) {
        (Some(_), ..) => "off".into(),
        (_, Some(since), _) => format!("runs since {}", time(since)),
        (_, _, Some(at)) => table::ahead(at, now, zone),
        _ => "–".into(),
    };
    let last = job
        .last
        .as_ref()
        .map_or_else(|| "never".into(), |run| format!("{} {}", time(run.began_at), word(run)));
    let says = job.off.clone().or_else(|| job.last.as_ref().map(|run| run.says.clone()));
    let limit = format!("{} min", job.limit_seconds.div_ceil(60));
    [job.id.word().into(), job.cadence.clone(), limit, last, next, says.unwrap_or_default()]
}

async fn run(core: &Core, global: &Global, job: &str) -> Result<(), Trouble> {
    let path = format!("/api/v1/jobs/{}", segment(job));
    let mut seen: JobView = core.call(Method::POST, &format!("{path}/run"), None::<&()>).await?;
    let begun = seen.running_since;
    while begun.is_some() && seen.running_since == begun {
        seen = core.get(&format!("{path}?settled=true")).await?;
    }
    if global.json {
        table::json(&seen);
    }
    let Some(last) = seen.last else {
        return Err(Trouble::new(Code::Failed, format!("{} left no word of how it went", seen.title)));
    };
    match last.outcome {
        JobOutcome::Fine if global.json => Ok(()),
        JobOutcome::Fine => {
            say!("{}: {} ({})", seen.title, last.says, table::duration(last.took_ms));
            Ok(())
        }
        _ => Err(Trouble::new(Code::Failed, format!("{}: {}. {}", seen.title, word(&last), last.says))),
    }
}

fn word(run: &JobRunView) -> &'static str {
    match run.outcome {
        JobOutcome::Fine => "fine",
        JobOutcome::Trouble => "found trouble",
        JobOutcome::Failed => "failed",
        JobOutcome::Panicked => "broke off",
        JobOutcome::TimedOut => "took too long",
        JobOutcome::Stopped => "stopped",
        JobOutcome::Interrupted => "interrupted",
    }
}

/// A name as a piece of a path, whatever was typed.
fn segment(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            text.push(char::from(byte));
        } else {
            text += &format!("%{byte:02X}");
        }
        text
    })
}
