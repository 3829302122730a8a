//! Where keys are kept: told, tried, cleaned up, and sealed with a passphrase, by the program and by the API.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex, mpsc},
};

use headgate::{
    app::App,
    clock::Clock,
    secrets::{Memory, SecretName, Sensitive, Vault, VaultError, VaultKind},
    settings::{Limits, Network, Settings},
    tasks::Tasks,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Client, House, Program, holds, soon};

const UPSTREAM: &str = "http://127.0.0.1:9";
const FIRST: &str = "canary correct horse";
const SECOND: &str = "canary battery staple";

/// With the passphrase in a file that its owner alone may read.
fn with_file(mut command: Command, elsewhere: &TempDir, phrase: &str) -> Command {
    let mut file = tempfile::Builder::new().tempfile_in(elsewhere).unwrap();
    writeln!(file, "{phrase}").unwrap();
    command.env("HEADGATE_PASSPHRASE_FILE", file.into_temp_path().keep().unwrap());
    command
}

fn run(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Changes the passphrase, the new one by standard input.
fn change(mut command: Command, new: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{new}").unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_sealed_file_takes_a_passphrase_another_one_and_its_key_file_again() {
    let (program, elsewhere) = (Program::new(), tempfile::tempdir().unwrap());
    assert!(program.add("work", UPSTREAM, "sk-canary-work", &[]).status.success());
    let told = program.json(&["vault"]);
    assert_eq!(
        (&told["kind"], &told["secured"], &told["secrets"]),
        (&json!("file"), &json!("key_file"), &json!(1))
    );
    assert_eq!(told["troubles"], json!([]));

    let sealing = ["vault", "passphrase", "--new-file", "/dev/stdin"];
    let sealed = change(program.command(&sealing), FIRST);
    assert!(sealed.status.success(), "{}", text(&sealed));
    assert!(!program.folder.path().join("vault.key").exists());

    let without = program.run(&["accounts"]);
    assert_eq!(without.status.code(), Some(4));
    assert!(text(&without).contains("HEADGATE_PASSPHRASE_FILE"), "{}", text(&without));
    let wrong = run(with_file(program.command(&["accounts"]), &elsewhere, SECOND));
    assert_eq!(wrong.status.code(), Some(4));
    assert!(text(&wrong).contains("Nothing has changed"), "{}", text(&wrong));

    let by_variable = |arguments: &[&str], phrase: &str| {
        let mut command = program.command(arguments);
        command.env("HEADGATE_PASSPHRASE", phrase);
        command
    };
    let known = run(by_variable(&["vault"], FIRST));
    assert!(text(&known).contains("sealed with a passphrase"), "{}", text(&known));

    // On a running core, which was given the first one.
    let served = program.serve_as(with_file(program.command(&["serve", "--port", "0"]), &elsewhere, FIRST));
    let refused = change(by_variable(&sealing, SECOND), SECOND);
    assert_eq!(refused.status.code(), Some(4), "the one that it has is asked for: {}", text(&refused));
    let changed = change(by_variable(&sealing, FIRST), SECOND);
    assert!(changed.status.success(), "{}", text(&changed));
    assert!(program.add("spare", UPSTREAM, "sk-canary-spare", &[]).status.success(), "it goes on");
    assert!(served.stop().success());

    assert!(!run(by_variable(&["accounts"], FIRST)).status.success(), "the old one is over");
    let removed = run(by_variable(&["vault", "passphrase", "--remove"], SECOND));
    assert!(removed.status.success(), "{}", text(&removed));
    assert_eq!(program.json(&["vault"])["secrets"], 2);
    let said =
        [sealed, without, wrong, known, refused, changed, removed].map(|output| text(&output)).concat();
    assert!(!said.contains("canary") && !program.log().contains("canary"), "{said}");
    for secret in [FIRST, SECOND, "sk-canary-work"] {
        assert!(!holds(program.folder.path(), secret), "no file of the folder holds it");
    }
}

#[test]
fn a_passphrase_that_is_given_to_a_new_folder_seals_it_from_the_beginning() {
    let (program, elsewhere) = (Program::new(), tempfile::tempdir().unwrap());
    let given = |arguments: &[&str]| with_file(program.command(arguments), &elsewhere, FIRST);
    let served = program.serve_as(given(&["serve", "--port", "0"]));
    assert!(program.add("work", UPSTREAM, "sk-canary-work", &[]).status.success());
    assert!(served.stop().success());
    assert!(!program.folder.path().join("vault.key").exists(), "no key file was ever made");
    assert_eq!(program.run(&["status"]).status.code(), Some(4));
    assert!(text(&run(given(&["vault"]))).contains("holds 1 secret"));
}

#[test]
fn a_passphrase_is_no_argument_and_one_that_is_too_short_changes_nothing() {
    let program = Program::new();
    assert!(program.add("work", UPSTREAM, "sk-canary-work", &[]).status.success());
    let argument = program.run(&["vault", "passphrase", FIRST]);
    assert_eq!(argument.status.code(), Some(2));
    let short = change(program.command(&["vault", "passphrase", "--new-file", "/dev/stdin"]), "short");
    assert_eq!(short.status.code(), Some(1), "{}", text(&short));
    let nobody = program.run(&["vault", "passphrase"]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(text(&nobody).contains("--new-file"), "{}", text(&nobody));
    assert_eq!(program.json(&["vault"])["secured"], "key_file");
}

#[test]
fn a_secret_of_nobody_is_told_and_deleted_only_when_somebody_says_so() {
    let program = Program::new();
    assert!(program.add("work", UPSTREAM, "key-work", &[]).status.success());
    assert!(program.add("gone", UPSTREAM, "key-gone", &[]).status.success());
    let before = std::fs::read(program.folder.path().join("vault.sealed")).unwrap();
    assert!(program.run(&["accounts", "remove", "gone", "--yes"]).status.success());
    // As if the machine had lost the last write of the file.
    std::fs::write(program.folder.path().join("vault.sealed"), before).unwrap();

    let told = program.run(&["vault"]);
    assert!(told.status.success());
    assert!(text(&told).contains("account/2 (of gone)"), "{}", text(&told));
    let unasked = program.run(&["vault", "clean"]);
    assert_eq!(unasked.status.code(), Some(1));
    // A list for people stood before it.
    let unasked = program.run(&["vault", "clean", "--json"]);
    assert!(serde_json::from_slice::<Value>(&unasked.stderr).is_ok(), "{unasked:?}");
    assert_eq!(program.json(&["vault"])["secrets"], 2, "nothing is deleted unasked");
    let cleaned = program.run(&["vault", "clean", "--yes"]);
    assert!(text(&cleaned).contains("Deleted 1 secret"), "{}", text(&cleaned));
    let left = program.json(&["vault"]);
    assert_eq!((&left["secrets"], &left["troubles"]), (&json!(1), &json!([])));
    assert!(text(&program.run(&["vault", "clean", "--yes"])).contains("nothing to clean"));
}

#[test]
fn a_lost_key_is_told_at_the_start_of_serve_and_by_status() {
    let program = Program::new();
    assert!(program.add("work", UPSTREAM, "key-work", &[]).status.success());
    std::fs::remove_file(program.folder.path().join("vault.sealed")).unwrap();
    let served = program.serve();
    let mut status = program.json(&["status"]);
    while status["status"]["vault_troubles"] == json!([]) {
        status = program.json(&["status"]);
    }
    let said = status["status"]["vault_troubles"][0].as_str().unwrap().to_owned();
    assert!(said.contains("work") && said.contains("headgate accounts set-key"), "{said}");
    assert!(text(&program.run(&["status"])).contains(&said));
    assert!(served.stop().success());
    assert!(program.log().contains("headgate accounts set-key"), "{}", program.log());
}

/// Each program that we start has the environment that we leave it.
#[cfg(unix)]
#[test]
fn a_passphrase_is_in_no_environment_of_a_program_that_is_started() {
    use std::os::unix::fs::PermissionsExt;
    let (program, bin) = (Program::new(), tempfile::tempdir().unwrap());
    let browser = bin.path().join("xdg-open");
    std::fs::write(
        &browser,
        format!("#!/bin/sh\nenv > {0}/env.new; mv {0}/env.new {0}/env\n", bin.path().display()),
    )
    .unwrap();
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o755)).unwrap();
    let served = program.serve();
    let mut opening = program.command(&["dashboard"]);
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    opening.env("PATH", path).env("DISPLAY", ":7").env("HEADGATE_PASSPHRASE", FIRST);
    opening.env_remove("SSH_CONNECTION").env_remove("SSH_TTY");
    assert!(run(opening).status.success());
    let environment = loop {
        if let Ok(environment) = std::fs::read_to_string(bin.path().join("env")) {
            break environment;
        }
    };
    assert!(environment.contains("DISPLAY=:7"), "it was started by us: {environment}");
    assert!(!environment.contains("HEADGATE_PASSPHRASE") && !environment.contains("canary"), "{environment}");
    assert!(served.stop().success());
}

/// A vault that is locked when it is written to, once its owner has said so where that is waited for.
#[derive(Debug, Default)]
struct ReadOnly(Memory, Mutex<Option<mpsc::Receiver<()>>>);

impl Vault for ReadOnly {
    fn kind(&self) -> VaultKind {
        VaultKind::Keychain
    }
    fn get(&self, name: &SecretName) -> Result<Option<Sensitive<String>>, VaultError> {
        self.0.get(name)
    }
    fn put(&self, _: &SecretName, _: &Sensitive<String>) -> Result<(), VaultError> {
        if let Some(owner) = self.1.lock().unwrap().take() {
            let _ = owner.recv();
        }
        Err(VaultError::Locked)
    }
    fn remove(&self, name: &SecretName) -> Result<(), VaultError> {
        self.0.remove(name)
    }
    fn names(&self) -> Result<Option<Vec<SecretName>>, VaultError> {
        self.0.names()
    }
}

fn core(folder: &TempDir, vault: ReadOnly) -> App {
    let (data_dir, network) = (folder.path().to_owned(), Network::default());
    let settings =
        Settings { data_dir, port: 0, vault: None, require_key: false, limits: Limits::default(), network };
    App::open(settings, Clock::system(), Some(Arc::new(vault))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keychain_that_waits_for_its_owner_keeps_neither_start_nor_drain_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let (owner, waiting) = mpsc::channel();
    let app = core(&folder, ReadOnly(Memory::default(), Mutex::new(Some(waiting))));
    let address = app.start().unwrap();
    let tasks = Tasks::default();
    let client = Client::to(&address.to_string(), &tasks);
    let token = app.api().keys.core().expose().clone();
    let shown: Value = client.call(&token, Method::GET, "/api/v1/vault", "").await.json().await;
    assert_eq!((&shown["looked_at"], &shown["problem"]), (&Value::Null, &Value::Null), "not known yet");
    soon("the drain to end", app.drain()).await;
    drop(owner);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keychain_that_fails_its_test_keeps_nobody_from_serving_and_is_told_by_an_event() {
    let folder = tempfile::tempdir().unwrap();
    let app = core(&folder, ReadOnly::default());
    let mut events = app.api().events.subscribe();
    let address = app.start().unwrap();
    while app.api().status().vault_troubles.is_empty() {
        soon("the self-test to be told", events.recv()).await.unwrap();
    }
    let tasks = Tasks::default();
    let client = Client::to(&address.to_string(), &tasks);
    let token = app.api().keys.core().expose().clone();
    let shown: Value = client.call(&token, Method::GET, "/api/v1/vault", "").await.json().await;
    assert!(shown["problem"].as_str().unwrap().contains("unlock it"), "{shown}");
    assert_eq!(shown["secrets"], Value::Null, "what is not known is not zero");
    let moved =
        client.call(&token, Method::POST, "/api/v1/vault/move", &json!({ "to": "memory" }).to_string()).await;
    assert_eq!(moved.status, StatusCode::CONFLICT);
    soon("the drain to end", app.drain()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_many_secrets_there_were_at_the_last_look_was_told_of_now() {
    let house = House::with(&["work"]).await;
    let holds = async |secrets: &str| {
        let shown = house.done(Method::GET, "/api/v1/vault", json!(null)).await;
        assert!(shown["says"].as_str().unwrap().ends_with(&format!("holds {secrets}.")), "{shown}");
    };
    house.done(Method::POST, "/api/v1/vault/check", json!(null)).await;
    holds("1 secret").await;
    let id = house.add("spare", house.sandbox.base_url(), 0);
    holds("2 secrets").await;
    house.app.api().gateway.roster.remove(id).unwrap();
    holds("1 secret").await;
    house.done(Method::POST, "/api/v1/vault/check", json!(null)).await;
    holds("1 secret").await;
}
