//! Headgate as a person runs it: the real program, on a data folder of its own, with accounts at a bench's
//! upstream.

use std::{
    fs::File,
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use headgate::clock::Clock;

use crate::running::Running;

/// A Headgate with a data folder of its own.
pub struct Headgate {
    program: PathBuf,
    folder: PathBuf,
}

impl Headgate {
    /// Keeps everything in this folder; nothing is there yet.
    pub fn new(program: &Path, folder: &Path) -> Self {
        Self { program: program.to_owned(), folder: folder.to_owned() }
    }

    /// Adds an account at the upstream as a person would.
    pub fn add(&self, name: &str, key: &str, priority: i32, upstream: SocketAddr) -> io::Result<()> {
        let (url, priority) = (format!("http://{upstream}"), priority.to_string());
        let adding = ["accounts", "add", name, "--provider", "anthropic", "--key-stdin"];
        let mut adding = self
            .command(&adding)
            .args(["--base-url", &url, "--priority", &priority])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        writeln!(adding.stdin.take().expect("it was asked for"), "{key}")?;
        let ended = adding.wait()?;
        if !ended.success() {
            return Err(io::Error::other(format!("`headgate accounts add` failed: {ended}")));
        }
        Ok(())
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
