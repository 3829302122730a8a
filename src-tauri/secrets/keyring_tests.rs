//! The keychain against a real one: gnome-keyring on a session bus of its own, in a home of its own. The
//! code under test runs in child processes, because the bus is found through the environment.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    path::Path,
    process::{ChildStdin, ChildStdout, Command, Stdio},
};

use super::{Keychain, Place, SecretName, Sensitive, Vault, VaultError, prove};

/// Shared with the journeys.
#[path = "../../tests/harness/keyring.rs"]
mod session;

use session::{Ours, Session, bare, start};

/// Set for the processes that [`actor`] runs in.
const MARK: &str = "HEADGATE_KEYCHAIN_ACTOR";

impl Session {
    fn actor(&self) -> Actor {
        Actor::run(self.command(std::env::current_exe().unwrap().to_str().unwrap()))
    }
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
    if verb == "open" || verb == "know" {
        let open = if verb == "open" { Keychain::open } else { Keychain::known };
        return match open(words.next().unwrap()) {
            Ok(opened) => {
                *keychain = Some(opened);
                "open".into()
            }
            Err(error) => said(&error),
        };
    }
    if verb == "choose" {
        let folder = Path::new(words.next().unwrap());
        let opened = super::open(None, Place { folder, realm: "realm-1", passphrase: None });
        return opened.map_or_else(|error| said(&error), |vault| vault.kind().to_string());
    }
    let keychain = keychain.as_ref().expect("opened before");
    let name = SecretName::new(words.next().unwrap_or("none")).unwrap();
    let answer = match verb {
        "put" => keychain.put(&name, &Sensitive::new(words.next().unwrap().into())).map(|()| "put".into()),
        "get" => {
            keychain.get(&name).map(|found| found.map_or("nothing".into(), |found| found.expose().clone()))
        }
        "prove" => prove(keychain).map(|()| "proved".into()),
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
        other => format!("broken: {other}"),
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
    assert_eq!(one.ask("prove"), "proved");
    assert_eq!(one.ask("names"), r#"["account/1"]"#, "nor after a self-test");
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
    let mut known = session.actor();
    assert_eq!(known.ask("know realm-1"), "open", "one that was used before is not asked at the start");
    assert_eq!(known.ask("prove"), "locked");
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
