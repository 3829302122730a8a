//! What a person types at a terminal, pipes, or types in the wrong place. `script` gives the program a terminal of its own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Command, Output, Stdio},
};

use crate::harness::{Program, holds};

/// A shell at a terminal runs this, where `$HEADGATE` is the program.
pub fn at_a_terminal(program: &Program, line: &str) -> Command {
    let meant = program.command(&[]);
    let mut script = Command::new("script");
    script.args(["-qefc", line, "/dev/null"]);
    for (name, value) in meant.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        script.env(name, value);
    }
    script.env("HEADGATE", meant.get_program());
    script
}

/// Whether a terminal shows what is typed into it.
fn shows(terminal: &str) -> bool {
    let modes = Command::new("stty").args(["-a", "-F", terminal]).output().unwrap();
    assert!(modes.status.success(), "{modes:?}");
    !String::from_utf8_lossy(&modes.stdout).split_whitespace().any(|mode| mode == "-echo")
}

#[test]
fn a_key_was_shown_as_it_was_typed() {
    let program = Program::new();
    let mut script =
        at_a_terminal(&program, "tty; exec \"$HEADGATE\" accounts add work --provider anthropic");
    let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut screen = BufReader::new(script.stdout.take().unwrap());
    let mut terminal = String::new();
    screen.read_line(&mut terminal).unwrap();
    // As often as a program takes to start that many times.
    assert!((0..5_000).any(|_| !shows(terminal.trim())), "what is typed is shown");

    let mut keyboard = script.stdin.take().unwrap();
    keyboard.write_all(b"sk-canary-typed\n").unwrap();

    let mut shown = String::new();
    screen.read_to_string(&mut shown).unwrap();
    assert!(script.wait().unwrap().success(), "{shown}");
    assert!(shown.contains("Key") && shown.contains("Added work"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn an_account_was_removed_with_a_key_from_the_keychain_wherever_its_key_was() {
    let program = Program::new();
    program.add("work", "https://gateway.example.com", "sk-1", &[]);
    let mut script = at_a_terminal(&program, "exec \"$HEADGATE\" accounts remove work");
    let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    script.stdin.take().unwrap().write_all(b"y\n").unwrap();

    let shown = String::from_utf8(script.wait_with_output().unwrap().stdout).unwrap();

    assert!(shown.contains("Remove work and its key from the sealed file? Its history"), "{shown}");
    assert!(shown.contains("Removed work and its key from the sealed file. Its history"), "{shown}");
    program.json(&["accounts", "add", "passes", "--provider", "claude-login"]);
    let removed = program.run(&["accounts", "remove", "passes", "--yes"]);
    assert!(String::from_utf8(removed.stdout).unwrap().starts_with("Removed passes. Its history"));
}

const PASSES_ON: [&str; 5] = ["accounts", "add", "mine", "--provider", "claude-login"];

/// Adds an account that has no key, with this in its standard input.
fn add_with(program: &Program, piped: &str) -> Output {
    let mut command = program.command(&PASSES_ON);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(piped.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_key_that_was_piped_for_an_account_without_one_was_dropped_silently() {
    let program = Program::new();
    let refused = add_with(&program, "sk-canary-piped\n");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("leave the key out") && !said.contains("canary"), "{said}");
    assert_eq!(program.json(&["accounts"]), serde_json::json!([]), "nothing was added");
    let added = add_with(&program, " \n");
    assert!(added.status.success() && added.stderr.is_empty(), "an empty pipe is no key: {added:?}");
}

#[test]
fn a_standard_input_that_stays_open_keeps_no_account_waiting() {
    let program = Program::new();
    let mut command = program.command(&PASSES_ON);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let open = child.stdin.take();

    let added = child.wait_with_output().unwrap();

    assert!(added.status.success(), "{added:?}");
    assert!(String::from_utf8(added.stderr).unwrap().contains("was left unread"), "and that is said");
    drop(open);
}

#[test]
fn a_key_that_was_typed_as_a_name_was_kept_in_the_database() {
    const CANARY: &str = "sk-ant-api03-CANARYx7Qp2LmZ9";
    let program = Program::new();
    program.add("work", "https://gateway.example.com", "sk-1", &[]);
    for command in [
        &["accounts", "add", CANARY, "--provider", "anthropic"] as &[_],
        &["accounts", "add", CANARY, "--provider", "claude-login"],
        &["accounts", "rename", "work", CANARY],
        &["accounts", "sign-in", CANARY, "--with", "openrouter", "--paste"],
        &["keys", "add", CANARY],
        &["pools", "add", CANARY],
        &["routes", "add", CANARY, "--for", "opus", "--slot", "work"],
        &["profiles", "add", CANARY],
    ] {
        let refused = program.run(command);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains("looks like a key") && !said.contains("CANARY"), "{command:?}: {said}");
    }
    let lost = program.run(&["accounts", "test", CANARY]);
    let said = String::from_utf8(lost.stderr).unwrap();
    assert!(said.contains("no account of that name") && !said.contains("CANARY"), "{said}");
    assert!(!holds(program.folder.path(), "CANARY"), "it was written down");
}
