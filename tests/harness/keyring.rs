//! A session of its own for one test: a bus without a display, in a home of its own, and gnome-keyring on it. Refuses
//! to be skipped: where the programs are missing, the tests fail and name the packages.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

const BUS: &str = r#"<busconfig><type>session</type><listen>unix:path=SOCKET</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>"#;

/// A child process that ends with the test.
pub struct Ours(pub Child);

impl Drop for Ours {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn start(command: &mut Command) -> Ours {
    let program = command.get_program().to_owned();
    Ours(command.spawn().unwrap_or_else(|error| {
        panic!(
            "{} did not start ({error}): apt-get install dbus gnome-keyring libsecret-tools",
            program.display()
        )
    }))
}

/// A session bus without a display, and whatever keychain was started on it.
pub struct Session {
    pub keyring: Option<Ours>,
    _bus: Ours,
    home: TempDir,
}

impl Session {
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join("bus.conf");
        let socket = home.path().join("bus");
        std::fs::write(&config, BUS.replace("SOCKET", socket.to_str().unwrap())).unwrap();
        let mut bus = start(
            bare(home.path(), "dbus-daemon")
                .args(["--nofork", "--print-address=1", "--config-file"])
                .arg(config)
                .stderr(Stdio::null())
                .stdout(Stdio::piped()),
        );
        let mut address = String::new();
        BufReader::new(bus.0.stdout.take().unwrap()).read_line(&mut address).unwrap();
        assert!(address.starts_with("unix:"), "the bus listens");
        Self { keyring: None, _bus: bus, home }
    }

    /// Starts gnome-keyring and waits until the bus knows it. Without a password its keyring stays locked.
    pub fn start_keyring(&mut self, password: Option<&str>) {
        self.keyring = None;
        let mut monitor = start(
            self.command("dbus-monitor")
                .args(["--profile", "type='signal',member='NameOwnerChanged',arg0='org.freedesktop.secrets'"])
                .stdout(Stdio::piped()),
        );
        let mut signals = BufReader::new(monitor.0.stdout.take().unwrap()).lines();
        signals
            .find(|line| line.as_ref().unwrap().contains("NameLost"))
            .expect("the monitor listens")
            .unwrap();
        let unlock = password.map(|_| "--unlock");
        let mut keyring = start(
            self.command("gnome-keyring-daemon")
                .args(["--foreground", "--components=secrets"])
                .args(unlock)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        let mut stdin = keyring.0.stdin.take().unwrap();
        writeln!(stdin, "{}", password.unwrap_or_default()).unwrap();
        drop(stdin);
        signals
            .find(|line| line.as_ref().unwrap().contains("NameOwnerChanged"))
            .expect("the keyring came up")
            .unwrap();
        self.keyring = Some(keyring);
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = bare(self.home.path(), program);
        command.env("DBUS_SESSION_BUS_ADDRESS", self.address());
        command
    }

    /// What `DBUS_SESSION_BUS_ADDRESS` has to say.
    pub fn address(&self) -> String {
        format!("unix:path={}/bus", self.home.path().display())
    }
}

/// A program with nothing of this session's environment but the path.
pub fn bare(home: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for name in ["HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"] {
        command.env(name, home);
    }
    command
}
