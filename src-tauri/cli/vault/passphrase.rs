//! The passphrase of a sealed file on the command line: by a variable, by a file or descriptor, or typed in a terminal
//! that does not show it. Never an argument, and asked for only where it is needed and nothing else gave it.

use std::io::IsTerminal;

use crate::cli::{Code, Trouble, person};
use crate::{
    app::{App, AppError},
    clock::Clock,
    secrets::{FILE_VARIABLE, Passphrase, VARIABLE, VaultError},
    settings::Settings,
};

/// How often a person may mistype it before the command ends.
pub const TRIES: u32 = 3;

/// What the environment gives.
///
/// # Errors
/// If what it says can't be read or is no passphrase.
pub fn given() -> Result<Option<Passphrase>, VaultError> {
    Passphrase::given(std::env::var_os(VARIABLE), std::env::var_os(FILE_VARIABLE))
}

/// Opens a core of our own. Where the sealed file wants a passphrase and a person is there, that person is asked.
///
/// # Errors
/// As [`App::open_sealed`].
pub async fn open(settings: &Settings, clock: &Clock) -> Result<App, AppError> {
    let mut passphrase = given()?;
    let asks = passphrase.is_none() && std::io::stderr().is_terminal();
    let mut tries = 0;
    loop {
        let (settings, clock, tried) = (settings.clone(), clock.clone(), passphrase.clone());
        let opened = tokio::task::spawn_blocking(move || App::open_sealed(settings, clock, tried)).await;
        let opened = opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        match opened {
            Err(AppError::Vault(VaultError::NeedsPassphrase(_))) if asks => {}
            Err(AppError::Vault(VaultError::WrongPassphrase(_))) if asks && tries < TRIES => {
                eprintln!("That is not it.");
            }
            opened => return opened,
        }
        let Some(typed) = typed("Passphrase of the sealed file: ").await else { return opened };
        passphrase = Some(typed);
        tries += 1;
    }
}

/// The passphrase that the sealed file has.
///
/// # Errors
/// If nobody is there to be asked.
pub async fn current() -> Result<Passphrase, Trouble> {
    let given = given().map_err(|error| Trouble::new(Code::Folder, error.to_string()))?;
    match given {
        Some(given) => Ok(given),
        None => typed("Passphrase that it has: ").await.ok_or_else(nobody),
    }
}

/// The one of a sealed file that is not in use; `None` where nobody is there to be asked.
pub async fn left() -> Option<Passphrase> {
    typed("Passphrase of the sealed file that was left: ").await
}

/// A new one, typed twice.
///
/// # Errors
/// If nobody is there, or both are not the same.
pub async fn new() -> Result<Passphrase, Trouble> {
    let first = typed("New passphrase: ").await.ok_or_else(nobody)?;
    let second = typed("The same again: ").await.ok_or_else(nobody)?;
    if first.text().expose() == second.text().expose() {
        Ok(first)
    } else {
        Err(Trouble::new(Code::Failed, "the two are not the same; nothing has changed"))
    }
}

/// What a person types without seeing it; `None` where nobody is there. What can't be a passphrase is asked for again.
async fn typed(prompt: &'static str) -> Option<Passphrase> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let asking = tokio::task::spawn_blocking(move || {
        for _ in 0..TRIES {
            let text = person::unseen(prompt).ok()?;
            match Passphrase::new(text.expose()) {
                Ok(typed) => return Some(typed),
                Err(error) => eprintln!("headgate: {error}"),
            }
        }
        None
    });
    asking.await.ok().flatten()
}

fn nobody() -> Trouble {
    Trouble::new(
        Code::Usage,
        format!(
            "nobody is here to type a passphrase; give it by {FILE_VARIABLE} or {VARIABLE}, and a new one by --new-file"
        ),
    )
}
