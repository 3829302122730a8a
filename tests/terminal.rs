//! What a person types at a terminal. `script` gives the program one of its own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Command, Stdio},
};

use crate::harness::Program;

/// Whether a terminal shows what is typed into it.
fn shows(terminal: &str) -> bool {
    let modes = Command::new("stty").args(["-a", "-F", terminal]).output().unwrap();
    assert!(modes.status.success(), "{modes:?}");
    !String::from_utf8_lossy(&modes.stdout).split_whitespace().any(|mode| mode == "-echo")
}

#[test]
fn a_key_was_shown_as_it_was_typed() {
    let program = Program::new();
    let meant = program.command(&[]);
    let mut script = Command::new("script");
    script.args(["-qefc", "tty; exec \"$HEADGATE\" accounts add work --provider anthropic", "/dev/null"]);
    for (name, value) in meant.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        script.env(name, value);
    }
    script.env("HEADGATE", meant.get_program()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut script = script.spawn().unwrap();
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
