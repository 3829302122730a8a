//! Moving house with the program and a real keychain: there and back, killed on the way, and with a keychain that goes
//! away.

use std::{collections::BTreeSet, process::Command};

use serde_json::{Value, json};

use crate::harness::{Program, holds, keyring::Session};

const UPSTREAM: &str = "http://127.0.0.1:9";

struct House {
    program: Program,
    session: Session,
}

impl House {
    fn new() -> Self {
        let mut session = Session::new();
        session.start_keyring(Some("pw"));
        Self { program: Program::new(), session }
    }

    /// A command that chooses no vault and finds the session's keychain.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program.command(arguments);
        command.env_remove("HEADGATE_VAULT").env("DBUS_SESSION_BUS_ADDRESS", self.session.address());
        command
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.command(&[arguments, &["--json"]].concat()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn add(&self, name: &str) {
        let arguments =
            ["accounts", "add", name, "--provider", "anthropic", "--base-url", UPSTREAM, "--key-stdin"];
        let mut command = self.command(&arguments);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("sk-canary-{name}").as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// What another program finds in the keychain under our name.
    fn in_keychain(&self) -> BTreeSet<String> {
        let found = self
            .session
            .command("secret-tool")
            .args(["search", "--all", "service", "headgate"])
            .output()
            .expect("secret-tool runs: apt-get install libsecret-tools");
        let text = String::from_utf8_lossy(&found.stdout).into_owned();
        text.lines().filter_map(|line| line.strip_prefix("secret = ")).map(str::to_owned).collect()
    }

    fn needs_nothing(&self, accounts: usize) -> Value {
        let vault = self.json(&["vault"]);
        assert_eq!(vault["missing"], json!([]), "each account has its key: {vault}");
        assert_eq!(vault["secrets"], accounts, "{vault}");
        vault
    }
}

fn canaries(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| format!("sk-canary-{name}")).collect()
}

#[test]
fn keys_move_out_of_the_keychain_and_back_whether_the_server_runs_or_not() {
    let house = House::new();
    house.add("work");
    house.add("spare");
    assert_eq!(house.needs_nothing(2)["kind"], "keychain");
    assert_eq!(house.in_keychain(), canaries(&["work", "spare"]));

    let moved = house.command(&["vault", "move", "file"]).output().unwrap();
    let said = String::from_utf8_lossy(&moved.stdout).into_owned();
    assert!(moved.status.success() && said.contains("Moved 2 secrets into the sealed file"), "{moved:?}");
    assert_eq!(house.in_keychain(), canaries(&[]), "nothing stays behind");
    assert_eq!(house.needs_nothing(2)["kind"], "file");

    let served = house.program.serve_as(house.command(&["serve", "--port", "0"]));
    let back = house.json(&["vault", "move", "keychain"]);
    assert_eq!((&back["kind"], &back["last_move"]["secrets"]), (&json!("keychain"), &json!(2)), "{back}");
    assert_eq!(house.in_keychain(), canaries(&["work", "spare"]));
    assert!(
        !house.program.folder.path().join("vault.sealed").exists(),
        "an empty home is left without a trace"
    );
    assert!(served.stop().success());
    assert_eq!(house.needs_nothing(2)["kind"], "keychain", "the folder remembers");
    assert!(!holds(house.program.folder.path(), "sk-canary"));
}

#[test]
fn a_server_that_is_killed_while_keys_move_loses_none() {
    let names: Vec<String> = (0..12).map(|n| format!("a{n:02}")).collect();
    for to in ["file", "keychain"] {
        let house = House::new();
        for name in &names {
            house.add(name);
        }
        let from = if to == "file" { "keychain" } else { "file" };
        if from == "file" {
            house.json(&["vault", "move", "file"]);
        }
        for killed_after in [0, 1, 6, 11] {
            let served = house.program.serve_as(house.command(&["serve", "--port", "0"]));
            let mut mover = house.command(&["vault", "move", to]).spawn().unwrap();
            loop {
                let vault: Value = house.json(&["vault"]);
                let done = vault["moving"]["done"].as_u64();
                if done.is_some_and(|done| done >= killed_after) || !vault["last_move"].is_null() {
                    break;
                }
            }
            served.kill();
            // It is told that nobody answers any more, or what came of it.
            mover.wait().unwrap();

            let vault = house.needs_nothing(names.len());
            if vault["kind"] == from && !vault["left"].is_null() {
                assert_eq!(vault["can_clean_left"], true, "{vault}");
            }
            let cleaned = house.json(&["vault", "clean", "--yes"]);
            assert_eq!(cleaned["left"], Value::Null, "{cleaned}");
            let all: Vec<&str> = names.iter().map(String::as_str).collect();
            let kept = if cleaned["kind"] == "keychain" { canaries(&all) } else { canaries(&[]) };
            assert_eq!(house.in_keychain(), kept, "secrets have one home: {cleaned}");
            if house.needs_nothing(names.len())["kind"] == to {
                house.json(&["vault", "move", from]);
            }
        }
        let moved = house.json(&["vault", "move", to]);
        assert_eq!((&moved["kind"], &moved["secrets"]), (&json!(to), &json!(names.len())));
    }
}

#[test]
fn a_keychain_that_is_locked_or_gone_is_not_moved_into() {
    let mut house = House::new();
    house.add("work");
    house.json(&["vault", "move", "file"]);
    for password in [Some(None), None] {
        house.session.keyring = None;
        if let Some(password) = password {
            house.session.start_keyring(password);
        }
        let moved = house.command(&["vault", "move", "keychain"]).output().unwrap();
        let said = String::from_utf8_lossy(&moved.stderr).into_owned();
        let expected = if password.is_some() { "unlock it" } else { "start one" };
        assert_eq!(moved.status.code(), Some(4), "{said}");
        assert!(said.contains("nothing was moved") && said.contains(expected), "{said}");
        let vault = house.needs_nothing(1);
        assert_eq!((&vault["kind"], &vault["left"]), (&json!("file"), &Value::Null), "{vault}");
    }
}

#[test]
fn a_keychain_that_is_locked_hid_that_headgate_is_not_running() {
    let mut house = House::new();
    house.add("work");
    house.session.keyring = None;
    house.session.start_keyring(None);
    for command in ["status", "accounts", "jobs", "vault"] {
        let told = house.command(&[command]).output().unwrap();
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert_eq!(told.status.code(), Some(4), "{command}: {said}");
        assert!(said.contains("Headgate is not running") && said.contains("unlock it"), "{command}: {said}");
        assert!(said.contains("while no key is kept there yet"), "a sealed file would be empty: {said}");
    }
}

#[test]
fn a_move_out_of_another_keychain_than_usual_changed_the_home_and_moved_nothing() {
    let house = House::new();
    house.add("work");
    let cleared = house.session.command("secret-tool").args(["clear", "service", "headgate"]).status();
    assert!(cleared.unwrap().success() && house.in_keychain().is_empty());
    assert_eq!(house.json(&["vault"])["missing"][0]["name"], "work");
    let moved = house.command(&["vault", "move", "file"]).output().unwrap();
    let said = String::from_utf8_lossy(&moved.stderr).into_owned();
    assert_eq!(moved.status.code(), Some(4), "{said}");
    assert!(said.contains("nothing was moved") && said.contains("--anyway"), "{said}");
    for left in ["vault.key", "vault.sealed"] {
        assert!(!house.program.folder.path().join(left).exists(), "looking for it has left {left}");
    }
    let vault = house.json(&["vault", "move", "file", "--anyway"]);
    assert_eq!((&vault["kind"], &vault["last_move"]["secrets"]), (&json!("file"), &json!(0)), "{vault}");
}

#[test]
fn keys_that_lie_in_the_other_home_were_found_by_nobody() {
    let house = House::new();
    house.add("work");
    // Chosen once, and the folder remembers it.
    let chosen = house.command(&["vault"]).env("HEADGATE_VAULT", "file").output().unwrap();
    assert!(chosen.status.success(), "{chosen:?}");
    let troubles = house.json(&["vault"])["troubles"].to_string();
    assert!(troubles.contains("not in the sealed file but in the keychain"), "{troubles}");
    assert!(troubles.contains("`headgate vault move keychain`"), "{troubles}");
    house.json(&["vault", "move", "keychain"]);
    assert_eq!(house.needs_nothing(1)["kind"], "keychain");
    assert_eq!(house.in_keychain(), canaries(&["work"]));
}

#[test]
fn a_setting_that_chooses_a_vault_is_not_moved_away_from() {
    let house = House::new();
    house.add("work");
    let moved = house.command(&["vault", "move", "file"]).env("HEADGATE_VAULT", "keychain").output().unwrap();
    let said = String::from_utf8_lossy(&moved.stderr).into_owned();
    assert_eq!(moved.status.code(), Some(1), "{said}");
    assert!(said.contains("settings.toml"), "{said}");
    assert_eq!(house.needs_nothing(1)["kind"], "keychain");
}
