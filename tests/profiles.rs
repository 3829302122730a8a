//! Profiles of Claude Code: a folder and a sign-in each, started by `headgate run`, with windows of their own.

use std::path::{Path, PathBuf};

use headgate::{
    clock::Clock,
    sandbox::{Behaviour, Sandbox, Scenario, ScriptedAccount, ScriptedWindow, Step},
    tasks::Tasks,
};
use serde_json::{Value, json};

use crate::harness::{Program, holds};

const BUSY: &str = "sk-ant-oat01-canary-busy";
const FREE: &str = "sk-ant-oat01-canary-free";

/// What Claude Code does, as far as it matters here: it takes its sign-in from its own folder, asks, and ends.
const CLAUDE: &str = r#"
import { readFileSync } from "node:fs";
const { env } = process;
const headers = { "content-type": "application/json" };
for (const line of (env.ANTHROPIC_CUSTOM_HEADERS ?? "").split("\n")) {
  const at = line.indexOf(":");
  if (at > 0) headers[line.slice(0, at).trim()] = line.slice(at + 1).trim();
}
const token = env.ANTHROPIC_AUTH_TOKEN ?? readFileSync(`${env.CLAUDE_CONFIG_DIR}/sign-in`, "utf8");
headers.authorization = `Bearer ${token}`;
const message = { model: "claude-opus-5-5", max_tokens: 5, messages: [{ role: "user", content: "hi" }] };
const reply = await fetch(`${env.ANTHROPIC_BASE_URL}/v1/messages`, { method: "POST", headers, body: JSON.stringify(message) });
await reply.text();
console.log(JSON.stringify({ folder: env.CLAUDE_CONFIG_DIR, status: reply.status, args: process.argv.slice(2), hints: env.CLAUDE_CODE_GATEWAY_HINT_HEADERS }));
process.exitCode = 7;
"#;

struct Stage {
    program: Program,
    sandbox: Sandbox,
    tasks: Tasks,
    claude: PathBuf,
}

impl Stage {
    /// An upstream that knows two sign-ins, the busy one with its five hours spent, and an account that passes them on.
    async fn set() -> Self {
        let tasks = Tasks::default();
        let mut busy = ScriptedAccount::new("busy", BUSY);
        let resets_in = std::time::Duration::from_mins(30);
        let spent = Behaviour::QuotaSpent { window: "5h".into(), resets_in };
        busy.script = vec![Step { times: 1, behaviour: spent }];
        let mut free = ScriptedAccount::new("free", FREE);
        for account in [&mut busy, &mut free] {
            account.windows = vec![ScriptedWindow {
                name: "5h".into(),
                used: 0.2,
                per_request: 0.01,
                resets_in: std::time::Duration::from_hours(2),
                every: None,
            }];
        }
        let scenario = Scenario::of([busy, free]);
        let sandbox = Sandbox::start(&scenario, &Clock::system(), &tasks).await.unwrap();
        let program = Program::new();
        let claude = program.folder.path().join("claude.mjs");
        std::fs::write(&claude, CLAUDE).unwrap();
        let adding =
            ["accounts", "add", "mine", "--provider", "claude-login", "--base-url", sandbox.base_url()];
        assert!(program.run(&adding).status.success());
        Self { program, sandbox, tasks, claude }
    }

    /// Makes a profile and signs Claude Code in there.
    fn profile(&self, name: &str, login: &str) -> PathBuf {
        let made = self.program.json(&["profiles", "add", name]);
        let folder = PathBuf::from(made["folder"].as_str().unwrap());
        std::fs::write(folder.join("sign-in"), login).unwrap();
        folder
    }

    /// `headgate run` with this choice; what Claude Code said, and what Headgate did on standard error.
    fn run(&self, choice: &[&str]) -> (Value, String) {
        let claude = self.claude.to_str().unwrap();
        let arguments = [&["run"], choice, &["--", "node", claude, "--resume", "x"]].concat();
        let mut command = self.program.command(&arguments);
        command.env("ANTHROPIC_CUSTOM_HEADERS", "x-mine: 1").env_remove("ANTHROPIC_AUTH_TOKEN");
        let output = command.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(7), "the exit code is the program's: {told}");
        (serde_json::from_slice(&output.stdout).unwrap(), told)
    }

    fn used(&self, name: &str) -> Value {
        let all = self.program.json(&["profiles"]);
        let one = all.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone();
        one["windows"]
            .as_array()
            .unwrap()
            .iter()
            .find(|window| window["name"] == "5h")
            .cloned()
            .unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_profile_has_a_sign_in_and_windows_of_its_own_and_the_one_with_room_is_started() {
    let stage = Stage::set().await;
    let (busy, free) = (stage.profile("busy", BUSY), stage.profile("free", FREE));
    let served = stage.program.serve();
    assert_eq!(stage.used("busy"), Value::Null, "unknown is neither zero nor full");

    let (said, _) = stage.run(&["--profile", "busy"]);
    assert_eq!((&said["folder"], &said["args"]), (&json!(busy), &json!(["--resume", "x"])));
    assert_eq!((&said["status"], &said["hints"]), (&json!(429), &json!("1")));
    let (said, _) = stage.run(&["--profile", "FREE"]);
    assert_eq!((&said["folder"], &said["status"]), (&json!(free), &json!(200)));
    assert_eq!(stage.sandbox.seen(FREE)[0].headers["x-mine"], "1", "the user's own headers stay");
    assert!(!stage.sandbox.seen(FREE)[0].headers.contains_key("x-headgate-profile"));
    assert_eq!((&stage.used("busy")["spent"], &stage.used("free")["spent"]), (&json!(true), &json!(false)));

    let (said, told) = stage.run(&["--best"]);
    assert_eq!(said["folder"], json!(free));
    assert!(told.contains("profile free: ") && told.contains("% of its"), "{told}");

    let told = || {
        ["busy", "free"].map(|name| {
            let window = stage.used(name);
            ["utilization", "spent", "resets_at"].map(|field| window[field].clone())
        })
    };
    let before = told();
    assert!(served.stop().success());
    let served = stage.program.serve();
    assert_eq!(told(), before, "they outlive a restart");
    let (said, _) = stage.run(&["--best"]);
    assert_eq!(said["folder"], json!(free));
    assert!(served.stop().success());
    std::fs::remove_dir_all(stage.program.folder.path().join("profiles")).unwrap();
    assert!(!holds(stage.program.folder.path(), "canary"), "no sign-in is anywhere else");
    stage.tasks.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_profile_was_one_whose_folder_is_gone() {
    let stage = Stage::set().await;
    let (gone, there) = (stage.profile("gone", FREE), stage.profile("there", FREE));
    let served = stage.program.serve();
    assert_eq!(stage.run(&["--best"]).0["folder"], json!(gone), "of equal ones the first");
    std::fs::remove_dir_all(&gone).unwrap();

    let (said, _) = stage.run(&["--best"]);

    assert_eq!(said["folder"], json!(there));
    assert!(served.stop().success());
    stage.tasks.stop();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_a_profile_is_never_opened() {
    let stage = Stage::set().await;
    let folder = stage.profile("work", FREE);
    // Whoever opened this one to read would wait for ever.
    let made = std::process::Command::new("mkfifo").arg(folder.join(".credentials.json")).status().unwrap();
    assert!(made.success());
    let served = stage.program.serve();
    assert_eq!(stage.run(&["--best"]).0["status"], 200);
    assert_eq!(stage.run(&["--profile", "work"]).0["status"], 200);
    assert!(served.stop().success());
    stage.tasks.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_passes_sign_ins_on_a_profile_is_served_by_the_accounts_with_keys() {
    let stage = Stage::set().await;
    stage.profile("work", FREE);
    assert!(stage.program.run(&["accounts", "remove", "mine", "--yes"]).status.success());
    assert!(
        stage.program.add("keyed", stage.sandbox.base_url(), BUSY, &["--priority", "1"]).status.success()
    );
    let served = stage.program.serve();
    let (_, told) = stage.run(&["--profile", "work"]);
    assert!(told.contains("no account passes Claude Code's own sign-in on"), "{told}");
    assert!(stage.sandbox.seen(FREE).is_empty() && !stage.sandbox.seen(BUSY).is_empty());
    let output = stage.program.run(&["run", "--best"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("--provider claude-login"), "{told}");
    assert!(served.stop().success());
    stage.tasks.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_started_is_told_with_a_next_step() {
    let program = Program::new();
    let told = |arguments: &[&str]| {
        let output = program.run(arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, why) = told(&["run"]);
    assert!(code == Some(1) && why.contains("headgate serve"), "{code:?} {why}");
    let served = program.serve();
    let (code, why) = told(&["run", "--", "no-such-program-here"]);
    assert!(code == Some(127) && why.contains("PATH"), "{code:?} {why}");
    let (code, why) = told(&["run", "--profile", "nobody"]);
    assert!(code == Some(3) && why.contains("headgate profiles"), "{code:?} {why}");
    let (code, why) = told(&["run", "--best"]);
    assert!(code == Some(3) && why.contains("headgate profiles add"), "{code:?} {why}");
    let made = program.json(&["profiles", "add", "work"]);
    std::fs::remove_dir(made["folder"].as_str().unwrap()).unwrap();
    let (code, why) = told(&["run", "--profile", "work"]);
    assert!(code == Some(4) && why.contains("is gone"), "{code:?} {why}");
    assert!(served.stop().success());
}

#[test]
fn a_profile_is_made_adopted_renamed_forgotten_and_put_back_and_nothing_else_is_removed() {
    let program = Program::new();
    let home = tempfile::tempdir().unwrap();
    let mine = home.path().join("mine");
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(mine.join("settings.json"), "{}").unwrap();
    let refused = |arguments: &[&str]| {
        let output = program.run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let made = program.json(&["profiles", "add", "work"]);
    let adopted = program.json(&["profiles", "adopt", "Home", mine.to_str().unwrap()]);
    assert_eq!((&made["is_ours"], &adopted["is_ours"]), (&json!(true), &json!(false)));
    assert!(refused(&["profiles", "add", "WORK"]).contains("another profile"));
    assert!(refused(&["profiles", "adopt", "again", mine.to_str().unwrap()]).contains("another profile"));
    assert!(refused(&["profiles", "add", "../x"]).contains("letters, digits"));
    assert!(
        refused(&["profiles", "adopt", "gone", "/no/such/folder"]).contains("not a folder that is there")
    );
    assert!(
        refused(&["profiles", "remove", "home", "--with-folder", "--yes"])
            .contains("was not made by Headgate")
    );
    assert_eq!(program.json(&["profiles", "rename", "home", "private"])["name"], "private");

    let folder = Path::new(made["folder"].as_str().unwrap());
    std::fs::write(folder.join("sign-in"), FREE).unwrap();
    let removed = program.json(&["profiles", "remove", "work"]);
    assert!(folder.join("sign-in").exists() && removed["with_folder"] == false);
    assert!(refused(&["profiles", "add", "work"]).contains("adopt"), "it is not taken over in silence");
    program.json(&["profiles", "adopt", "work", folder.to_str().unwrap()]);
    program.json(&["profiles", "remove", "work"]);
    program.json(&["profiles", "remove", "private"]);
    let fresh = program.json(&["profiles", "add", "other"]);
    // It went unasked, in a pipe too.
    assert!(refused(&["profiles", "remove", "other", "--with-folder"]).contains("--yes"));
    assert!(Path::new(fresh["folder"].as_str().unwrap()).exists());
    assert_eq!(program.json(&["profiles", "remove", "other", "--with-folder", "--yes"])["with_folder"], true);
    assert!(!Path::new(fresh["folder"].as_str().unwrap()).exists() && mine.join("settings.json").exists());
    assert_eq!(program.json(&["profiles"]), json!([]));
}
