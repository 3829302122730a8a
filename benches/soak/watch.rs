//! What Headgate holds: memory, file descriptors, threads and requests, before, during and after the load;
//! and whether all of it has come back.

use std::{fs, io, path::PathBuf, time::Duration};

use serde_json::{Value, json};

use crate::{readers::Reader, running::Running, upstream::Upstream};

/// How often a run is looked at.
const EVERY: Duration = Duration::from_secs(2);
/// The rest before the base line: threads for blocking work end after ten idle seconds.
const REST: Duration = Duration::from_secs(12);
/// How long it may take until everything is back: idle upstream connections are closed after 50 to 100 s.
const PATIENCE: Duration = Duration::from_secs(150);

/// What a single look saw.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    rss_mib: f64,
    /// Of it, what belongs to no file: what the program itself has allocated, and its stacks.
    anon_mib: f64,
    /// How long the database's log is.
    wal_mib: f64,
    fds: f64,
    threads: f64,
    running: f64,
    waiting: f64,
    held: f64,
}

/// A figure with the name that it has in the table.
type Figure = (&'static str, fn(&Sample) -> f64);

const FIGURES: [Figure; 6] = [
    ("RSS MiB", |sample| sample.rss_mib),
    ("file descriptors", |sample| sample.fds),
    ("threads", |sample| sample.threads),
    ("running", |sample| sample.running),
    ("waiting", |sample| sample.waiting),
    ("held", |sample| sample.held),
];
/// How many more threads and file descriptors there may be afterwards: a reader of the database may come on
/// top, and a connection of our own may just be closing.
const MORE: f64 = 4.0;

/// Looks at one Headgate.
pub struct Watch<'a> {
    /// The process.
    pub headgate: &'a Running,
    /// Asks for its state.
    pub reader: Reader,
    /// Knows the connections that Headgate keeps warm.
    pub upstream: Upstream,
    /// The log of its database.
    pub wal: PathBuf,
}

/// A figure before, during and after the load.
#[derive(Debug)]
pub struct Back {
    name: &'static str,
    base: f64,
    most: f64,
    after: f64,
    limit: f64,
}

/// Memory in the last two quarters of a run.
#[derive(Debug)]
pub struct Trend {
    third: f64,
    fourth: f64,
}

/// How many files a process has open. A process that keeps secrets lets only root list them, and anybody count them
/// (since Linux 6.2; before that the count is zero).
fn open_files(id: u32) -> io::Result<u64> {
    let folder = format!("/proc/{id}/fd");
    match fs::metadata(&folder)?.len() {
        0 => Ok(fs::read_dir(&folder)?.count() as u64),
        count => Ok(count),
    }
}

impl Sample {
    /// What it saw, for programs.
    pub fn json(&self) -> Value {
        json!({
            "rss_mib": self.rss_mib, "anon_mib": self.anon_mib, "wal_mib": self.wal_mib, "fds": self.fds,
            "threads": self.threads, "running": self.running, "waiting": self.waiting, "held": self.held,
        })
    }
}

impl Watch<'_> {
    /// Looks once.
    pub async fn look(&self) -> io::Result<Sample> {
        let id = self.headgate.child.id();
        let [running, waiting, held] = self.reader.occupancy().await?.map(|count| count as f64);
        let fds = open_files(id)? as f64;
        let threads = fs::read_dir(format!("/proc/{id}/task"))?.count() as f64;
        let (rss_mib, anon_mib) = (self.headgate.rss_mib(), self.headgate.memory_mib("RssAnon:"));
        let wal_mib = fs::metadata(&self.wal)?.len() as f64 / f64::from(1 << 20);
        Ok(Sample { rss_mib, anon_mib, wal_mib, fds, threads, running, waiting, held })
    }

    /// The base line, after a rest. Connections that are kept warm for the upstream do not belong to it.
    pub async fn base(&self) -> io::Result<Sample> {
        tokio::time::sleep(REST).await;
        let warm = self.upstream.open() as f64;
        let mut base = self.look().await?;
        base.fds -= warm;
        Ok(base)
    }

    /// Looks again and again; never ends by itself.
    pub async fn samples(&self, into: &mut Vec<Sample>) -> io::Result<()> {
        let mut turns = tokio::time::interval(EVERY);
        loop {
            turns.tick().await;
            into.push(self.look().await?);
        }
    }

    /// Looks until everything is back, or patience is at its end.
    pub async fn back(&self, base: &Sample, samples: &[Sample]) -> io::Result<Vec<Back>> {
        let mut turns = tokio::time::interval(EVERY);
        let mut left = PATIENCE;
        loop {
            turns.tick().await;
            let after = self.look().await?;
            let figures: Vec<_> =
                FIGURES.iter().map(|(name, of)| Back::of(name, *of, base, samples, &after)).collect();
            left = left.saturating_sub(EVERY);
            if figures.iter().all(Back::is_back) || left.is_zero() {
                return Ok(figures);
            }
        }
    }
}

impl Back {
    fn of(
        name: &'static str,
        of: fn(&Sample) -> f64,
        base: &Sample,
        samples: &[Sample],
        after: &Sample,
    ) -> Self {
        let base = of(base);
        let limit = match name {
            "RSS MiB" => base + (base * 0.25).max(24.0),
            "file descriptors" | "threads" => base + MORE,
            _ => 0.0,
        };
        let most = samples.iter().map(of).fold(0.0, f64::max);
        Self { name, base, most, after: of(after), limit }
    }

    /// Whether it is within its limit again.
    pub fn is_back(&self) -> bool {
        self.after <= self.limit
    }

    /// Its line in the table.
    pub fn line(&self) -> String {
        let verdict = if self.is_back() { "back" } else { "NOT BACK" };
        let Self { name, base, most, after, limit } = self;
        format!("  {name:<20}{base:>10.1}{most:>10.1}{after:>10.1}{limit:>10.1}   {verdict}")
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        json!({
            "figure": self.name, "base": self.base, "most": self.most, "after": self.after,
            "limit": self.limit, "back": self.is_back(),
        })
    }
}

impl Trend {
    /// Of these samples; `None` of too few.
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let quarter = samples.len() / 4;
        let median = |samples: &[Sample]| {
            let mut values: Vec<f64> = samples.iter().map(|sample| sample.rss_mib).collect();
            values.sort_unstable_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        let later = samples.get(samples.len() - 2 * quarter..)?;
        Some(Self { third: median(&later[..quarter])?, fourth: median(&later[quarter..])? })
    }

    /// Whether memory no longer grows: within a twentieth and two MiB, which page caches still take.
    pub fn is_level(&self) -> bool {
        self.fourth <= self.third * 1.05 + 2.0
    }

    /// Its line below the table.
    pub fn line(&self) -> String {
        let verdict = if self.is_level() { "level" } else { "RISING" };
        let Self { third, fourth } = self;
        format!("  RSS MiB, median of the third quarter {third:.1}, of the fourth {fourth:.1}   {verdict}")
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        json!({ "third_quarter": self.third, "fourth_quarter": self.fourth, "level": self.is_level() })
    }
}
