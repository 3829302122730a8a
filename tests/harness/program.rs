//! The headless program as a process of its own, with a data folder of its own.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// A data folder, and the program that works on it.
pub struct Program {
    pub folder: TempDir,
}

/// A running `headgate serve`. Dropped, it is killed.
pub struct Served {
    child: Child,
    pub url: String,
}

impl Program {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headgate"));
        command
            .args(arguments)
            .env("HEADGATE_DATA_DIR", self.folder.path())
            .env("HEADGATE_VAULT", "file")
            .env_remove("HEADGATE_PORT");
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command that must succeed, and reads its JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Adds an account at this upstream, its key through standard input.
    pub fn add(&self, name: &str, base_url: &str, key: &str, more: &[&str]) -> Output {
        let arguments =
            ["accounts", "add", name, "--provider", "anthropic", "--base-url", base_url, "--key-stdin"];
        let mut command = self.command(&[&arguments, more].concat());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(key.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Serves with nothing special.
    pub fn serve(&self) -> Served {
        self.serve_as(self.command(&["serve", "--port", "0"]))
    }

    /// The same with at most so many files open at once.
    #[cfg(unix)]
    pub fn serve_with_files(&self, most: u32) -> Served {
        self.serve_as(self.after(&format!("ulimit -n {most}; exec")))
    }

    /// What serves on a free port, in the data folder, once a shell has done this, whose end is `exec`.
    #[cfg(unix)]
    pub fn after(&self, first: &str) -> Command {
        let program = self.command(&["serve", "--port", "0"]);
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{first} \"$0\" \"$@\"")).current_dir(self.folder.path());
        shell.arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell
    }

    /// Starts what serves on a free port and waits for the line that says so.
    pub fn serve_as(&self, mut command: Command) -> Served {
        let log = std::fs::File::create(self.folder.path().join("stderr.log")).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").map(str::to_owned);
        let url = url.unwrap_or_else(|| panic!("serve said {line:?}: {}", self.log()));
        Served { child, url }
    }

    /// What `serve` wrote to standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr.log")).unwrap_or_default()
    }

    pub fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("headgate.db")
    }
}

impl Served {
    /// Asks it to stop and waits until it has.
    pub fn stop(mut self) -> ExitStatus {
        terminate(&self.child);
        self.child.wait().unwrap()
    }

    #[cfg(unix)]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Has it crash, as a fault in its memory would.
    #[cfg(unix)]
    pub fn crash(mut self) -> ExitStatus {
        let told = Command::new("kill").arg("-ABRT").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
        self.child.wait().unwrap()
    }

    /// Ends it the hard way.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn terminate(child: &Child) {
    let status = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
    assert!(status.success());
}

/// Whether any file below a folder holds these bytes.
pub fn holds(folder: &Path, needle: &str) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        std::fs::read(path).unwrap().windows(needle.len()).any(|window| window == needle.as_bytes())
    })
}
