//! A process that a bench has started: ready once it says where it listens, stopped by its own id when its
//! handle is dropped, and watched through `/proc`.

use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use headgate::clock::Clock;

/// How long a child may take to listen, and to stop.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A running child. Dropped, it is stopped and waited for.
pub struct Running {
    /// It itself.
    pub child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From its start to the line that says that it listens.
    pub started_in: Duration,
    /// Held: the upstream ends with it, and a child must not write into a closed pipe.
    _pipes: Pipes,
}

/// What a child reads from and writes to, as far as we hold it.
pub type Pipes = (Option<ChildStdin>, Option<BufReader<ChildStdout>>);

impl Running {
    /// Takes charge of a child that listens there, or soon will.
    pub fn new(child: Child, address: SocketAddr, pipes: Pipes) -> Self {
        Self { child, address, started_in: Duration::ZERO, _pipes: pipes }
    }

    /// Starts a program that prints `listening on http://…` when it is ready.
    pub fn announced(command: &mut Command, clock: &Clock) -> io::Result<Self> {
        let began = clock.instant();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().expect("it was asked for"));
        let mut line = String::new();
        while lines.read_line(&mut line)? > 0 {
            if let Some(address) = line.trim().strip_prefix("listening on http://") {
                let address = address.parse().map_err(io::Error::other)?;
                let mut running = Self::new(child, address, (stdin, Some(lines)));
                running.started_in = clock.instant().duration_since(began);
                return Ok(running);
            }
            line.clear();
        }
        let ended = child.wait()?;
        Err(io::Error::other(format!(
            "{} ended before it listened: {ended}",
            command.get_program().display()
        )))
    }

    /// Processor time that it and its own children have used.
    pub fn cpu(&self) -> Duration {
        self.family().filter_map(cpu_of).sum()
    }

    /// Memory that it and its own children have in use, in MiB.
    pub fn rss_mib(&self) -> f64 {
        self.memory_mib("VmRSS:")
    }

    /// The same of one kind: a line of `/proc/PID/status`, such as `RssAnon:`.
    pub fn memory_mib(&self, line: &str) -> f64 {
        self.family().filter_map(|id| memory_kib_of(id, line)).sum::<f64>() / 1024.0
    }

    fn family(&self) -> impl Iterator<Item = u32> {
        let parent = self.child.id();
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(move |id| *id == parent || stat(*id).is_some_and(|stat| stat.parent == parent))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The standard library can only kill; nginx's workers and a database want to be told.
        let told =
            Command::new("sh").args(["-c", "kill -TERM \"$0\"", &self.child.id().to_string()]).status();
        let mut left = if told.is_ok_and(|status| status.success()) { PATIENCE } else { Duration::ZERO };
        let step = Duration::from_millis(10);
        while !matches!(self.child.try_wait(), Ok(Some(_))) {
            if left.is_zero() {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            thread::sleep(step);
            left = left.saturating_sub(step);
        }
    }
}

struct Stat {
    parent: u32,
    ticks: u32,
}

/// `proc_pid_stat(5)`: the name in parentheses may hold anything, so fields are counted behind it.
fn stat(id: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
    Some(Stat { parent: number(1)?, ticks: number(11)? + number(12)? })
}

fn cpu_of(id: u32) -> Option<Duration> {
    // Linux counts in hundredths of a second for every program, whatever it counts in itself.
    stat(id).map(|stat| Duration::from_millis(10) * stat.ticks)
}

fn memory_kib_of(id: u32, line: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let kib = text.lines().find_map(|of| of.strip_prefix(line))?;
    kib.trim().strip_suffix(" kB")?.parse().ok()
}
