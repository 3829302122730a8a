//! How a command fails: an exit code that means something, and a sentence with a next step.

use std::{fmt, process::ExitCode};

use crate::{app::AppError, proxy::StartError};

/// What an exit code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Refused or failed.
    Failed = 1,
    /// Wrong usage, where clap does not answer that by itself.
    Usage = 2,
    /// There is no such thing.
    NotFound = 3,
    /// Data folder, database or keychain can't be used.
    Folder = 4,
    /// The port is taken.
    Port = 5,
    /// A program could not be started, as shells say it.
    NotStarted = 126,
    /// There is no such program, as shells say it.
    NoProgram = 127,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// A failed command.
#[derive(Debug)]
pub struct Trouble {
    /// For the shell.
    pub code: Code,
    message: String,
    /// The API's word for it, where that refused.
    word: Option<String>,
}

impl Trouble {
    /// A failure with its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), word: None }
    }

    /// What the API refused, with its word for it.
    pub fn of_api(code: Code, word: String, message: String) -> Self {
        Self { code, message, word: Some(word) }
    }

    /// Whether the API refused with this word.
    pub fn is(&self, word: &str) -> bool {
        self.word.as_deref() == Some(word)
    }

    /// A command for changing something was given nothing to change.
    pub fn no_change(command: &str) -> Self {
        Self::new(
            Code::Usage,
            format!("nothing to change was named; `headgate {command} --help` tells what can be"),
        )
    }

    /// The core that has the folder takes no more calls.
    pub fn stopping() -> Self {
        Self::new(
            Code::Failed,
            "Headgate is stopping: it lets running requests end (for limits.drain_seconds at most) and is gone then; \
             try again in a moment",
        )
    }

    /// Says it on standard error.
    pub fn print(&self, json: bool) {
        if json {
            eprintln!("{}", serde_json::json!({ "error": self.message }));
        } else {
            eprintln!("headgate: {}", self.message);
        }
    }
}

/// What clap says is wrong, without the usage that it prints beneath.
pub fn in_short(error: &clap::Error) -> String {
    let text = error.to_string();
    let said = text.split("\n\nUsage:").next().and_then(|text| text.split("\n\nFor more").next());
    let said = said.unwrap_or_default().trim_start_matches("error: ");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

impl From<AppError> for Trouble {
    fn from(error: AppError) -> Self {
        match error {
            AppError::InUse { core: Some(core), .. } if core.is_stopping => Self::stopping(),
            error => Self::new(Code::Folder, error.to_string()),
        }
    }
}

impl From<StartError> for Trouble {
    fn from(error: StartError) -> Self {
        Self::new(Code::Port, error.to_string())
    }
}
