//! The processes of the load bench: upstream, nginx and Headgate. Each lives in a folder that is gone
//! afterwards, is stopped by its own id when its handle is dropped, and is watched through `/proc`.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use headgate::clock::Clock;

/// How long a child may take to listen, and to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running child. Dropped, it is stopped and waited for.
pub struct Running {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From its start to the line that says that it listens.
    pub started_in: Duration,
    /// Held: the upstream ends with it, and a child must not write into a closed pipe.
    _pipes: (Option<ChildStdin>, Option<BufReader<ChildStdout>>),
}

impl Running {
    /// Starts a program that prints `listening on http://…` when it is ready.
    fn announced(command: &mut Command, clock: &Clock) -> io::Result<Self> {
        let began = clock.instant();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().expect("it was asked for"));
        let mut line = String::new();
        while lines.read_line(&mut line)? > 0 {
            if let Some(address) = line.trim().strip_prefix("listening on http://") {
                let address = address.parse().map_err(io::Error::other)?;
                let started_in = clock.instant().duration_since(began);
                return Ok(Self { child, address, started_in, _pipes: (stdin, Some(lines)) });
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
        self.family().filter_map(rss_kib_of).sum::<f64>() / 1024.0
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

/// Starts this very program as the upstream.
pub fn upstream(clock: &Clock) -> io::Result<Running> {
    Running::announced(Command::new(std::env::current_exe()?).arg("--as-upstream"), clock)
}

/// A Headgate with one account at the upstream.
pub struct Headgate {
    program: PathBuf,
    folder: PathBuf,
}

impl Headgate {
    /// Adds the account as a person would.
    pub fn prepare(program: &Path, folder: &Path, upstream: SocketAddr) -> io::Result<Self> {
        let headgate = Self { program: program.to_owned(), folder: folder.to_owned() };
        let url = format!("http://{upstream}");
        let mut adding = headgate
            .command(&[
                "accounts",
                "add",
                "bench",
                "--provider",
                "anthropic",
                "--base-url",
                &url,
                "--key-stdin",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        adding.stdin.take().expect("it was asked for").write_all(b"sk-bench\n")?;
        let ended = adding.wait()?;
        if !ended.success() {
            return Err(io::Error::other(format!("`headgate accounts add` failed: {ended}")));
        }
        Ok(headgate)
    }

    /// `headgate serve` on any free port.
    pub fn serve(&self, clock: &Clock) -> io::Result<Running> {
        let log = File::create(self.folder.join("serve.log"))?;
        Running::announced(self.command(&["serve", "--port", "0"]).stderr(log), clock)
    }

    /// Where its database is.
    pub fn database(&self) -> PathBuf {
        self.folder.join("headgate.db")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("HEADGATE_DATA_DIR", &self.folder).env("HEADGATE_VAULT", "file");
        command.env_remove("HEADGATE_PORT").env_remove("HEADGATE_LOG");
        command
    }
}

/// Starts nginx as a plain reverse proxy with `workers` workers. `None` where there is no nginx.
pub fn nginx(
    program: &Path,
    folder: &Path,
    upstream: SocketAddr,
    workers: usize,
    clock: &Clock,
) -> io::Result<Option<Running>> {
    let address = free_address()?;
    let conf = folder.join("nginx.conf");
    fs::write(&conf, nginx_conf(folder, address, upstream, workers))?;
    let began = clock.instant();
    let mut command = Command::new(program);
    command.arg("-p").arg(folder).arg("-c").arg(&conf).stdin(Stdio::null());
    let child = match command.stderr(File::create(folder.join("nginx.log"))?).spawn() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        spawned => spawned?,
    };
    let mut running = Running { child, address, started_in: Duration::ZERO, _pipes: (None, None) };
    while TcpStream::connect(address).is_err() {
        running.started_in = clock.instant().duration_since(began);
        if running.started_in > PATIENCE || running.child.try_wait()?.is_some() {
            let said = fs::read_to_string(folder.join("nginx.log")).unwrap_or_default();
            return Err(io::Error::other(format!("nginx does not listen: {}", said.trim())));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(Some(running))
}

/// The least that makes it comparable: warm connections, nothing held back, bodies in memory, no log.
fn nginx_conf(folder: &Path, address: SocketAddr, upstream: SocketAddr, workers: usize) -> String {
    let folder = folder.display();
    format!(
        "daemon off; worker_processes {workers}; worker_rlimit_nofile 8192;
pid {folder}/nginx.pid; error_log {folder}/nginx.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    client_max_body_size 32m; client_body_buffer_size 256k; tcp_nodelay on; keepalive_requests 10000000;
    upstream mock {{ server {upstream}; keepalive 256; keepalive_requests 10000000; }}
    server {{
        listen {address} backlog=1024;
        location / {{
            proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off;
        }}
    }}
}}
"
    )
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
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

fn rss_kib_of(id: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
