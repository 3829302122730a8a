//! The keychain against a real one: gnome-keyring on a session bus of its own, in a home of its own. The
//! code under test runs in child processes, because the bus is found through the environment. Refuses to
//! be skipped: where the programs are missing, the tests fail and name the packages.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

use super::{Keychain, SecretName, Sensitive, Vault, VaultError};

const BUS: &str = r#"<busconfig><type>session</type><listen>unix:path=SOCKET</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>"#;

/// Set for the processes that [`actor`] runs in.
const MARK: &str = "HEADGATE_KEYCHAIN_ACTOR";

/// A child process that ends with the test.
struct Ours(Child);

impl Drop for Ours {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command) -> Ours {
    let program = command.get_program().to_owned();
    Ours(command.spawn().unwrap_or_else(|error| {
        panic!(
            "{} did not start ({error}): apt-get install dbus gnome-keyring libsecret-tools",
            program.display()
        )
    }))
}

/// A session bus without a display, and whatever keychain was started on it.
struct Session {
    keyring: Option<Ours>,
    _bus: Ours,
    home: TempDir,
}

impl Session {
    fn new() -> Self {
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
    fn start_keyring(&mut self, password: Option<&str>) {
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

    fn command(&self, program: &str) -> Command {
        let mut command = bare(self.home.path(), program);
        command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}/bus", self.home.path().display()));
        command
    }

    fn actor(&self) -> Actor {
        Actor::run(self.command(std::env::current_exe().unwrap().to_str().unwrap()))
    }
}

/// A program with nothing of this session's environment but the path.
fn bare(home: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for name in ["HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"] {
        command.env(name, home);
    }
    command
}

/// A process that holds a keychain and does as it is asked.
struct Actor {
    _process: Ours,
    ask: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

impl Actor {
    fn run(mut command: Command) -> Self {
        command.env(MARK, "1").args(["--exact", "--ignored", "--nocapture", "secrets::keyring_tests::actor"]);
        let mut process = start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let ask = process.0.stdin.take().unwrap();
        let said = BufReader::new(process.0.stdout.take().unwrap()).lines();
        Self { _process: process, ask, said }
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.ask, "{line}").unwrap();
        let answer = self
            .said
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| Some(line.split_once("=> ")?.1.to_owned()));
        answer.expect("the actor answers")
    }
}

#[test]
#[ignore = "the other tests here run it in processes of its own"]
fn actor() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    let mut keychain = None;
    for line in std::io::stdin().lines() {
        println!("=> {}", obey(&mut keychain, &line.unwrap()));
    }
}

fn obey(keychain: &mut Option<Keychain>, line: &str) -> String {
    let mut words = line.split(' ');
    let verb = words.next().unwrap();
    if verb == "open" {
        return match Keychain::open(words.next().unwrap()) {
            Ok(opened) => {
                *keychain = Some(opened);
                "open".into()
            }
            Err(error) => said(&error),
        };
    }
    if verb == "choose" {
        let opened = super::open(None, Path::new(words.next().unwrap()), "realm-1");
        return opened.map_or_else(|error| said(&error), |vault| vault.kind().to_string());
    }
    let keychain = keychain.as_ref().expect("opened before");
    let name = SecretName::new(words.next().unwrap_or("none")).unwrap();
    let answer = match verb {
        "put" => keychain.put(&name, &Sensitive::new(words.next().unwrap().into())).map(|()| "put".into()),
        "get" => {
            keychain.get(&name).map(|found| found.map_or("nothing".into(), |found| found.expose().clone()))
        }
        "remove" => keychain.remove(&name).map(|()| "removed".into()),
        _ => keychain
            .names()
            .map(|names| format!("{:?}", names.unwrap().iter().map(SecretName::as_str).collect::<Vec<_>>())),
    };
    answer.unwrap_or_else(|error| said(&error))
}

fn said(error: &VaultError) -> String {
    match error {
        VaultError::Absent => "absent".into(),
        VaultError::Locked => "locked".into(),
        VaultError::Broken(why) => format!("broken: {why}"),
    }
}

#[test]
fn a_secret_put_by_one_process_is_read_by_another_program() {
    let mut session = Session::new();
    session.start_keyring(Some("pw"));
    let mut actor = session.actor();
    assert_eq!(actor.ask("open realm-1"), "open");
    assert_eq!(actor.ask("put account/1 sk-ant-real"), "put");

    let found = session
        .command("secret-tool")
        .args(["lookup", "service", "headgate", "username", "realm-1/account/1"])
        .output()
        .expect("secret-tool runs: apt-get install libsecret-tools");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "sk-ant-real", "the backend is the system's own");

    let mut second = session.actor();
    assert_eq!(second.ask("open realm-1"), "open");
    assert_eq!(second.ask("get account/1"), "sk-ant-real");
}

#[test]
fn each_data_folder_has_its_own_items_in_the_shared_keychain() {
    let mut session = Session::new();
    session.start_keyring(Some("pw"));
    let (mut one, mut two) = (session.actor(), session.actor());
    one.ask("open realm-1");
    two.ask("open realm-2");
    one.ask("put account/1 first");
    two.ask("put account/1 second");
    assert_eq!(one.ask("get account/1"), "first");
    assert_eq!(one.ask("names"), r#"["account/1"]"#, "no probe and no other folder's item is left over");
    assert_eq!(one.ask("remove account/1"), "removed");
    assert_eq!(one.ask("remove account/1"), "removed");
    assert_eq!(one.ask("get account/1"), "nothing");
    assert_eq!(two.ask("get account/1"), "second");
}

#[test]
fn a_locked_keychain_is_told_from_an_absent_one() {
    let mut session = Session::new();
    session.start_keyring(Some("pw"));
    let mut actor = session.actor();
    actor.ask("open realm-1");
    actor.ask("put account/1 kept");
    session.start_keyring(None);
    assert_eq!(session.actor().ask("open realm-1"), "locked");
    session.keyring = None;
    assert_eq!(session.actor().ask("open realm-1"), "absent", "a bus without a keychain service");
}

#[test]
fn a_keychain_that_restarted_is_reached_again() {
    let mut session = Session::new();
    session.start_keyring(Some("pw"));
    let mut actor = session.actor();
    actor.ask("open realm-1");
    actor.ask("put account/1 kept");
    session.start_keyring(Some("pw"));
    assert_eq!(actor.ask("get account/1"), "kept");
}

#[test]
fn no_bus_at_all_means_no_keychain() {
    let home = tempfile::tempdir().unwrap();
    let gone = format!("unix:path={}/gone", home.path().display());
    let program = std::env::current_exe().unwrap();
    let mut without = bare(home.path(), program.to_str().unwrap());
    without.env("DBUS_SESSION_BUS_ADDRESS", gone);
    assert_eq!(Actor::run(without).ask("open realm-1"), "absent");
    let unset = bare(home.path(), program.to_str().unwrap());
    assert_eq!(Actor::run(unset).ask("open realm-1"), "absent");
}

#[test]
fn without_a_choice_the_sealed_file_stands_in_for_an_absent_keychain_alone() {
    let mut session = Session::new();
    let folder = tempfile::tempdir().unwrap();
    let choose = format!("choose {}", folder.path().display());
    assert_eq!(session.actor().ask(&choose), "file");

    let untouched = tempfile::tempdir().unwrap();
    let choose = format!("choose {}", untouched.path().display());
    session.start_keyring(None);
    assert_eq!(session.actor().ask(&choose), "locked", "a locked keychain is no reason to go elsewhere");
    assert_eq!(std::fs::read_dir(untouched.path()).unwrap().count(), 0);
    session.start_keyring(Some("pw"));
    assert_eq!(session.actor().ask(&choose), "keychain");
}
