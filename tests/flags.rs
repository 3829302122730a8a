//! Flags of the command line: each does what it says, or is refused in a sentence that says why.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use headgate::sandbox::Scenario;
use serde_json::Value;

use crate::harness::Program;

/// What runs until it is told to stop, and the first line that it said. Dropped, it is killed.
struct Running {
    child: Child,
    line: String,
}

impl Running {
    fn of(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = piped.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, line }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.line).unwrap_or_else(|error| panic!("{error}: {:?}", self.line))
    }

    fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg("-TERM").arg(pid).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn json_of_what_serves_is_one_line_that_says_where_once_it_does() {
    let program = Program::new();
    let serve = Running::of(program.command(&["serve", "--port", "0", "--json"]));
    let said = serve.json();
    assert_eq!(program.json(&["status"])["status"]["address"], said["address"]);
    assert!(said["link"].is_null(), "nobody asked for one");
    serve.stop();
    let serve = Running::of(program.command(&["serve", "--port", "0", "--json", "--dashboard"]));
    assert!(serve.json()["link"].as_str().unwrap().contains("#ticket="));
    serve.stop();

    let demo = Running::of(program.command(&["demo", "--json"]));
    assert!(demo.json()["address"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert!(demo.json()["link"].as_str().unwrap().contains("#ticket="));
    demo.stop();

    let sandbox = Running::of(program.command(&["sandbox", "--json", "--sign-ins"]));
    let said = sandbox.json();
    assert_eq!((&said["accounts"][0]["name"], said["issuer"].is_string()), (&"Calm".into(), true));
    sandbox.stop();
}

#[test]
fn wrong_usage_and_a_program_that_is_missing_were_told_as_text_to_whoever_asked_for_json() {
    let program = Program::new();
    let served = program.serve();
    for (arguments, code, why) in [
        (&["accounts", "--json", "--no-such-flag"][..], 2, "--no-such-flag"),
        (&["--json"], 2, "requires a subcommand"),
        (&["accounts", "add", "work", "--json"], 2, "--provider"),
        (&["accounts", "--json", "priority", "work", "high"], 2, "high"),
        (&["accounts", "--wide", "renew", "work", "--json"], 2, "--wide"),
        (&["run", "--json", "--", "no-such-program-here"], 127, "no-such-program-here"),
    ] {
        let output = program.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        let error: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        assert!(error["error"].as_str().unwrap().contains(why), "{arguments:?}: {said}");
        assert!(!said.contains("Usage:") && output.stdout.is_empty(), "{arguments:?}: {said}");
    }
    let told = program.run(&["accounts", "--help", "--json"]);
    assert!(told.status.success() && String::from_utf8_lossy(&told.stdout).contains("Usage:"));
    assert!(served.stop().success());
}

#[test]
fn what_keeps_nothing_takes_no_data_folder() {
    let program = Program::new();
    for command in ["demo", "sandbox"] {
        for arguments in [[command, "--data-dir", "/nowhere"], ["--data-dir", "/nowhere", command]] {
            let refused = program.run(&arguments);
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(refused.status.code(), Some(2), "{said}");
            assert!(said.contains("keeps nothing") && said.contains("--data-dir"), "{said}");
        }
    }
}

#[test]
fn the_help_names_every_scenario() {
    let program = Program::new();
    for command in ["sandbox", "demo"] {
        let help = String::from_utf8(program.run(&[command, "--help"]).stdout).unwrap();
        for name in Scenario::NAMES {
            assert!(help.contains(name), "{command}: {name} is not in {help}");
        }
    }
}

#[test]
fn what_contradicts_itself_is_refused_and_a_negative_number_in_our_own_words() {
    let program = Program::new();
    let cases: &[(&[&str], &str)] = &[
        (&["keys", "add", "ci", "--account", "any", "--account", "work"], "say one or the other"),
        (&["keys", "add", "ci", "--pool", "main", "--pool", "any"], "`--pool any` takes the list away"),
        (&["keys", "add", "ci", "--model", "any", "--model", "claude-*"], "say one or the other"),
        (&["accounts", "set", "work", "--spill-to", "none", "--spill-to", "spare"], "say one or the other"),
        (&["accounts", "set", "work", "--spill-to", "all", "--spill-to", "none"], "say one or the other"),
        (
            &["accounts", "set", "work", "--peak", "none", "--peak", "daily 09:00-17:00"],
            "say one or the other",
        ),
        (&["keys", "add", "ci", "--daily-tokens", "-5"], "write a whole number above 0, or none"),
        (&["keys", "add", "ci", "--monthly-usd", "-5"], "an amount of US dollars above 0"),
        (&["accounts", "set", "work", "--cap", "-5"], "write day=2M"),
        (&["accounts", "set", "work", "--lacks", "none", "--lacks", "images"], "say one or the other"),
        (&["accounts", "set", "work", "--lacks", "images,None"], "say one or the other"),
        (&["accounts", "set", "work", "--lacks", "vision"], "images, tools, beta features"),
        (&["accounts", "set", "work", "--lacks", "all"], "images, tools, beta features"),
        (&["accounts", "set", "work", "--lacks", "images,"], "images, tools, beta features"),
        (&["routes", "add", "x", "--for", "opus", "--slot", "work", "--idle", "86401"], "86400, or none"),
        (&["backtest", "--together"], "makes one of several alternatives"),
    ];
    for &(arguments, says) in cases {
        let refused = program.run(arguments);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(says) && !said.contains("'-- -5'"), "{arguments:?}: {said}");
    }
    assert_eq!(program.json(&["keys"]).as_array().unwrap().len(), 0, "nothing was made");
}

#[test]
fn a_key_that_was_typed_as_a_project_or_a_job_was_kept_or_repeated() {
    let program = Program::new();
    let key = "hg_7Yq2Lk9ZpX4vB8nT1cR6wM3sD5fG0hJaKeQuViOxPz2";
    for arguments in [
        &["bindings", "add", "--pool", "main", "--project", key][..],
        &["bindings", "add", "--pool", "main", "--agent-type", key],
        &["jobs", "run", key],
        &["accounts", "set", "work", "--lacks", key],
    ] {
        let refused = program.run(arguments);
        let said = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
        assert!(!refused.status.success() && !said.contains("7Yq2Lk9"), "{arguments:?}: {said}");
    }
    assert_eq!(program.json(&["bindings"]).as_array().unwrap().len(), 0, "nothing was bound");
}

#[test]
fn a_route_is_made_as_silent_as_any_other_in_the_words_that_change_it() {
    let program = Program::new();
    program.add("work", "https://gateway.example.com", "sk-1", &[]);
    for (name, idle) in [("one", "none"), ("two", "0")] {
        let made = ["routes", "add", name, "--for", "opus", "--slot", "work", "--idle", idle];
        assert!(program.json(&made).get("idle_seconds").is_none(), "{idle}");
        let longer = program.json(&["routes", "set", name, "--idle", "60"]);
        assert_eq!(longer["idle_seconds"], 60);
        assert!(
            program.json(&["routes", "set", name, "--idle", idle]).get("idle_seconds").is_none(),
            "{idle}"
        );
    }
}

#[cfg(unix)]
#[test]
fn the_folder_of_a_demo_that_was_killed_is_swept_by_the_next_one_and_that_of_a_running_one_is_not() {
    let (program, temporary) = (Program::new(), tempfile::tempdir().unwrap());
    let demo = || {
        let mut command = program.command(&["demo", "--json"]);
        command.env("TMPDIR", temporary.path());
        Running::of(command)
    };
    let mut killed = demo();
    let [left] = &folders(temporary.path())[..] else { panic!("one folder") };
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    assert!(left.is_dir(), "nobody could take it away");
    let starting = temporary.path().join("headgate-demo-starting");
    std::fs::create_dir(&starting).unwrap();

    let running = demo();
    assert!(!left.exists(), "the next one has");
    let its = folders(temporary.path()).into_iter().find(|folder| *folder != starting).unwrap();
    demo().stop();
    assert!(its.is_dir() && starting.is_dir(), "in use, or about to be");
    running.stop();
    assert_eq!(folders(temporary.path()), [starting]);
}

fn folders(among: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(among).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn wrong_usage_was_plain_text_under_json_and_blamed_flags_that_no_help_names() {
    let program = Program::new();
    for arguments in [&["accounts", "--json", "--nonsense"][..], &["keys", "add", "--json"]] {
        let refused = program.run(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        let said: serde_json::Value = serde_json::from_slice(&refused.stderr).unwrap();
        assert!(said["error"].as_str().is_some_and(|why| !why.starts_with("error:")), "{said}");
    }
    let refused = program.command(&["status"]).env("HEADGATE_VAULT", "nope").output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && said.contains("HEADGATE_VAULT"), "{said}");
    let refused = program.run(&["vault", "passphrase", "--new-file", "nowhere"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("nowhere") && !said.contains("HEADGATE_PASSPHRASE_FILE"), "{said}");
}
