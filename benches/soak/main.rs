//! The soak: everything that may befall a proxy, for minutes on end, and then the question whether all of it
//! came back: memory, file descriptors, threads, places, and a record with the right ending for each request.
//!
//! `cargo bench --bench soak`, ten minutes; `-- --minutes 1` for a look. Linux alone, since it reads `/proc`.
//! Nobody else's processes are touched and nothing is left behind. It fails if anything is not as it should be.

mod books;
#[path = "../common/headgate.rs"]
mod headgates;
#[path = "../common/line.rs"]
mod line;
mod mixture;
#[path = "../prompts.rs"]
mod prompts;
mod readers;
#[path = "../common/running.rs"]
mod running;
mod told;
mod upstream;
mod watch;

use std::{fs, io, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use books::Page;
use clap::Parser;
use headgate::{app::CoreFile, clock::Clock, tasks::Tasks};
use headgates::Headgate;
use mixture::{KINDS, Load, SETTINGS};
use readers::Reader;
use serde_json::json;
use upstream::{SHAKY, Upstream};
use watch::{Back, Sample, Trend, Watch};

/// A mixture of load and faults on Headgate, and whether everything comes back.
#[derive(Debug, Parser)]
struct Options {
    /// How long the load lasts, without its warm-up.
    #[arg(long, default_value_t = 10.0, value_parser = minutes)]
    minutes: f64,
    /// Also write every figure into this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Another Headgate than the one that was just built.
    #[arg(long, value_name = "PROGRAM", default_value = env!("CARGO_BIN_EXE_headgate"))]
    headgate: PathBuf,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes = text.parse().ok().filter(|minutes| (0.1..=1440.0).contains(minutes));
    minutes.ok_or_else(|| "a number of minutes from 0.1 to 1440".into())
}

/// The same mixture before the base line is taken, so that pools and caches are there.
const WARM_UP: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<bool> {
    let clock = Clock::system();
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    fs::write(data.join("settings.toml"), SETTINGS)?;
    let headgate = Headgate::new(&options.headgate, &data);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;

    let upstream = runtime.block_on(Upstream::start(Tasks::default()))?;
    for (name, key, priority) in [
        ("shaky a", SHAKY[0], 0),
        ("shaky b", SHAKY[1], 0),
        ("sound a", "sk-soak-a", 1),
        ("sound b", "sk-soak-b", 1),
    ] {
        headgate.add(name, key, priority, upstream.address)?;
    }
    let serving = headgate.serve(&clock)?;
    let core = CoreFile::read(&data).ok_or_else(|| io::Error::other("it does not say how to reach it"))?;
    let token = core.token.expose().as_str().into();
    let watch = Watch {
        headgate: &serving,
        reader: Reader { headgate: serving.address, token, clock: clock.clone() },
        upstream: upstream.clone(),
        wal: headgate.database().with_extension("db-wal"),
    };
    let load = Arc::new(Load::new(serving.address, upstream, clock));
    let length = Duration::from_secs_f64(options.minutes * 60.0);
    let seen = runtime.block_on(soak(&watch, &load, length))?;
    drop(serving);

    let log = fs::read_to_string(data.join("serve.log"))?;
    let seen = Seen {
        pages: books::read(&headgate.database(), &load.told)?,
        surprises: load.told.surprises(),
        panics: log.lines().filter(|line| line.contains("panicked")).map(str::to_owned).collect(),
        ..seen
    };
    seen.print(options.minutes);
    if let Some(path) = &options.json {
        fs::write(path, format!("{:#}\n", seen.json(options.minutes)))?;
    }
    Ok(seen.is_well())
}

/// Everything that was seen.
#[derive(Default)]
struct Seen {
    figures: Vec<Back>,
    trend: Option<Trend>,
    /// One every two seconds of the load.
    samples: Vec<Sample>,
    cpu: Duration,
    read: u64,
    pages: Vec<Page>,
    /// How many, and the first of them in words.
    surprises: (usize, Vec<String>),
    panics: Vec<String>,
}

/// Warms up, takes the base line, puts the load on, and waits until everything is back.
async fn soak(watch: &Watch<'_>, load: &Arc<Load>, length: Duration) -> io::Result<Seen> {
    eprintln!("Headgate listens after {:.0} ms; warming up.", watch.headgate.started_in.as_secs_f64() * 1e3);
    play(watch, load, WARM_UP).await?;
    let base = watch.base().await?;
    eprintln!("The base line is taken; the load is on for {:.1} minutes.", length.as_secs_f64() / 60.0);
    let cpu = watch.headgate.cpu();
    let (samples, read) = play(watch, load, length).await?;
    let cpu = watch.headgate.cpu().saturating_sub(cpu);
    eprintln!("The load is over; waiting until everything is back.");
    let figures = watch.back(&base, &samples).await?;
    Ok(Seen { figures, trend: Trend::of(&samples), samples, cpu, read, ..Seen::default() })
}

/// The whole mixture for so long, watched, and until its last request has ended.
async fn play(watch: &Watch<'_>, load: &Arc<Load>, length: Duration) -> io::Result<(Vec<Sample>, u64)> {
    let until = load.clock.instant() + length;
    let (mut workers, mut readers) = (load.start(until), watch.reader.start(until));
    let (mut samples, mut read) = (Vec::new(), 0);
    let working = async {
        while let Some(ended) = workers.join_next().await {
            ended.map_err(io::Error::other)?;
        }
        while let Some(ended) = readers.join_next().await {
            read += ended.map_err(io::Error::other)??;
        }
        io::Result::Ok(())
    };
    let watching = async {
        let load_lasts = tokio::time::timeout(length, watch.samples(&mut samples)).await;
        // Patience ends in its time; a look that failed does not wait for it.
        load_lasts.unwrap_or(Ok(()))
    };
    tokio::try_join!(working, watching)?;
    Ok((samples, read))
}

impl Seen {
    fn is_well(&self) -> bool {
        self.figures.iter().all(Back::is_back)
            && self.trend.as_ref().is_some_and(Trend::is_level)
            && self.pages.iter().all(Page::is_right)
            && self.surprises.0 == 0
            && self.panics.is_empty()
    }

    fn print(&self, minutes: f64) {
        println!("\nWhat Headgate holds, around {minutes} minutes of load");
        println!("  {:<20}{:>10}{:>10}{:>10}{:>10}", "", "base", "most", "after", "limit");
        self.figures.iter().for_each(|figure| println!("{}", figure.line()));
        match &self.trend {
            Some(trend) => println!("{}", trend.line()),
            None => println!("  RSS MiB: too few samples for a trend, which counts as a failure"),
        }
        println!("\nThe books, warm-up included");
        println!(
            "  {:<14}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
            "", "asked", "records", "rescued", "missing", "doubled", "open", "wrong"
        );
        let pages = KINDS.iter().zip(&self.pages);
        pages.for_each(|(kind, page)| println!("{}", page.line(kind.name)));
        let asked: usize = self.pages.iter().map(Page::asked).sum();
        println!(
            "\n{asked} requests, {} reads beside them, {:.0} s of CPU; {} answers that nobody expected, {} panics.",
            self.read,
            self.cpu.as_secs_f64(),
            self.surprises.0,
            self.panics.len()
        );
        self.surprises.1.iter().chain(&self.panics).for_each(|words| println!("  {words}"));
        println!("{}", if self.is_well() { "Everything is back." } else { "NOT everything is back." });
    }

    fn json(&self, minutes: f64) -> serde_json::Value {
        let pages = KINDS.iter().zip(&self.pages).map(|(kind, page)| page.json(kind.name));
        json!({
            "minutes": minutes,
            "figures": self.figures.iter().map(Back::json).collect::<Vec<_>>(),
            "samples": self.samples.iter().map(Sample::json).collect::<Vec<_>>(),
            "rss": self.trend.as_ref().map(Trend::json),
            "books": pages.collect::<Vec<_>>(),
            "reads": self.read, "cpu_seconds": self.cpu.as_secs_f64(),
            "surprises": self.surprises.0, "surprises_in_words": self.surprises.1, "panics": self.panics,
            "well": self.is_well(),
        })
    }
}
