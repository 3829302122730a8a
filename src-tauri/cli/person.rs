//! What a person at the terminal is asked: a yes, or a secret that is not shown as it is typed. Where nobody is there,
//! nobody is asked, and nothing waits.

use std::io::{self, IsTerminal};

use crate::{
    cli::{Code, Trouble},
    secrets::Sensitive,
};

/// Whether whatever is typed comes from a terminal.
pub fn is_there() -> bool {
    io::stdin().is_terminal()
}

/// That nobody is there to say yes, with what to do.
///
/// # Errors
/// If so.
pub fn must_be_there() -> Result<(), Trouble> {
    if is_there() {
        return Ok(());
    }
    Err(Trouble::new(Code::Failed, "say --yes to have it done without being asked"))
}

/// Asks; anything but yes is no.
///
/// # Errors
/// If nobody is there, or the terminal can't be read.
pub fn confirmed(question: &str) -> Result<bool, Trouble> {
    must_be_there()?;
    eprint!("{question}");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| Trouble::new(Code::Failed, error.to_string()))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// What is typed without being shown. Blocks.
///
/// # Errors
/// If there is no terminal to read it from.
pub fn unseen(prompt: &str) -> io::Result<Sensitive<String>> {
    rpassword::prompt_password(prompt).map(Sensitive::new)
}
