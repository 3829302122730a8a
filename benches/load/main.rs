//! The load bench: direct, nginx and Headgate in turns, in one run and on one machine, with everything
//! recorded as in real life. It prints ratios, because on a shared machine nothing else means much.
//!
//! `cargo bench --bench load -- --quick`, or without `--quick` for longer and more rounds. Linux alone,
//! since it reads `/proc`. Nobody else's processes are touched and nothing is left behind.

mod children;
mod client;
#[path = "../common/headgate.rs"]
mod headgates;
#[path = "../common/line.rs"]
mod line;
#[path = "../prompts.rs"]
mod prompts;
mod report;
#[path = "../common/running.rs"]
mod running;
mod scenarios;
mod upstream;

use std::{fs, io, path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use headgate::{
    clock::Clock,
    domain::ExchangeId,
    store::{self, Store},
};
use headgates::Headgate;
use report::{IDLE_RSS, Report, START, Via};
use running::Running;
use scenarios::{Scenario, Way};

/// Load on direct, nginx and Headgate in turns.
#[derive(Debug, Parser)]
struct Options {
    /// Shorter and fewer rounds: about a minute and a half.
    #[arg(long)]
    quick: bool,
    /// How often each way has its turn.
    #[arg(long)]
    rounds: Option<usize>,
    /// Only these scenarios, by their short names.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Also write every figure of every round into this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Another Headgate than the one that was just built.
    #[arg(long, value_name = "PROGRAM", default_value = env!("CARGO_BIN_EXE_headgate"))]
    headgate: PathBuf,
    /// Another nginx.
    #[arg(long, value_name = "PROGRAM", default_value = "/usr/sbin/nginx")]
    nginx: PathBuf,
    /// How many workers nginx gets; as many as Headgate takes if not said.
    #[arg(long)]
    workers: Option<usize>,
    /// Be the upstream. For this program itself.
    #[arg(long, hide = true)]
    as_upstream: bool,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = if options.as_upstream { upstream::run() } else { run(&options) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    let clock = Clock::system();
    let folder = tempfile::tempdir()?;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let upstream = children::upstream(&clock)?;
    let workers = options.workers.unwrap_or(cores.min(8));
    let nginx = children::nginx(&options.nginx, folder.path(), upstream.address, workers, &clock)?;
    if nginx.is_none() {
        println!("{} is not there, so its column stays empty.", options.nginx.display());
    }
    let headgate = Headgate::new(&options.headgate, &folder.path().join("data"));
    headgate.add("bench", "sk-bench", 0, upstream.address)?;
    println!("{cores} cores, shared by upstream, load and proxy; nginx with {workers} workers.");

    let mut report = Report::default();
    let serving = headgate.serve(&clock)?;
    let ways = Ways { upstream: &upstream, nginx: nginx.as_ref(), headgate: &serving, clock: &clock };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rounds = options.rounds.unwrap_or(if options.quick { 2 } else { 5 });
    let chosen = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    for scenario in scenarios::all(options.quick).iter().filter(|scenario| chosen(scenario.name)) {
        report.title(scenario.name, scenario.title);
        runtime.block_on(ways.compare(scenario, rounds, &mut report))?;
    }
    drop(serving);
    let recorded = check_records(&headgate)?;
    if chosen("start") {
        start(&headgate, rounds, &mut report, &clock)?;
    }

    report.complete();
    println!("{}", report.table());
    println!("{recorded} requests went through Headgate; each was recorded whole.");
    match &options.json {
        Some(path) => fs::write(path, format!("{:#}\n", report.json())),
        None => Ok(()),
    }
}

/// The three ways, and who is on them.
struct Ways<'a> {
    upstream: &'a Running,
    nginx: Option<&'a Running>,
    headgate: &'a Running,
    clock: &'a Clock,
}

impl Ways<'_> {
    async fn compare(&self, scenario: &Scenario, rounds: usize, report: &mut Report) -> io::Result<()> {
        let mut ways = vec![(Via::Direct, None)];
        ways.extend(self.nginx.map(|nginx| (Via::Nginx, Some(nginx))));
        ways.push((Via::Headgate, Some(self.headgate)));
        for round in 0..rounds {
            // Nobody always goes first, or always after the same one.
            ways.rotate_left(1);
            for (via, proxy) in &ways {
                eprint!(
                    "\r{:<70}",
                    format!("{}, round {} of {rounds}, {}", scenario.title, round + 1, via.word())
                );
                let way = Way {
                    address: proxy.map_or(self.upstream.address, |proxy| proxy.address),
                    proxy: *proxy,
                    upstream: self.upstream.address,
                    clock: self.clock,
                };
                let seen = scenario.run(&way).await.map_err(|error| {
                    io::Error::other(format!("{} through {}: {error}", scenario.title, via.word()))
                })?;
                for figure in seen {
                    report.add(scenario.name, *via, round, figure);
                }
            }
        }
        eprint!("\r{:<70}\r", "");
        Ok(())
    }
}

/// Starts it several times on the folder that all the requests have left behind.
fn start(headgate: &Headgate, rounds: usize, report: &mut Report, clock: &Clock) -> io::Result<()> {
    report.title("start", "started on the data of this run");
    for round in 0..rounds.max(3) {
        let running = headgate.serve(clock)?;
        report.add("start", Via::Headgate, round, (START, running.started_in.as_secs_f64() * 1e3));
        std::thread::sleep(Duration::from_millis(500));
        report.add("start", Via::Headgate, round, (IDLE_RSS, running.rss_mib()));
    }
    Ok(())
}

/// A proxy that writes nothing down would be a faster one: counts what this one has written.
fn check_records(headgate: &Headgate) -> io::Result<u64> {
    let store = Store::open(&headgate.database(), store::Options::default()).map_err(io::Error::other)?;
    let totals = store.totals_since(ExchangeId(0)).map_err(io::Error::other)?;
    if totals.requests != totals.complete {
        return Err(io::Error::other(format!(
            "{} of {} requests were not recorded as complete",
            totals.requests - totals.complete,
            totals.requests
        )));
    }
    Ok(totals.requests)
}
