//! `headgate env`: the lines that a shell needs.

use clap::{Args, ValueEnum};

use super::{Global, Trouble, out::say, table};
use crate::{app::CoreFile, proxy::PLACEHOLDER};

/// Print the lines that a shell needs: eval "$(headgate env)"
#[derive(Debug, Args)]
pub struct Env {
    /// The port that the server will have, where it does not run yet.
    #[arg(long, env = "HEADGATE_PORT")]
    port: Option<u16>,
    /// How the shell writes them; found out where it is not said.
    #[arg(long, value_enum)]
    shell: Option<Shell>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    /// sh, bash, zsh
    Posix,
    Fish,
    Powershell,
}

/// Claude Code asks for a sign-in unless it has a token. On the loopback Headgate needs none, so any text
/// will do; it is replaced by the account's own and never leaves this machine. This one is passed on nowhere.
const TOKEN: &str = PLACEHOLDER;

impl Env {
    /// Does it.
    pub fn run(self, global: &Global) -> Result<(), Trouble> {
        let settings = global.settings(self.port)?;
        let running = CoreFile::read(&settings.data_dir).map(|core| core.address.port());
        let address = format!("http://127.0.0.1:{}", running.unwrap_or(settings.port));
        if settings.require_key {
            eprintln!(
                "headgate: a key is required here; put one into ANTHROPIC_AUTH_TOKEN (`headgate keys add NAME`)"
            );
        }
        let lines = [("ANTHROPIC_BASE_URL", address.as_str()), ("ANTHROPIC_AUTH_TOKEN", TOKEN)];
        if global.json {
            table::json(&lines.into_iter().collect::<std::collections::BTreeMap<_, _>>());
            return Ok(());
        }
        let shell = self.shell.unwrap_or_else(guess);
        for (name, value) in lines {
            match shell {
                Shell::Posix => say!("export {name}={value}"),
                Shell::Fish => say!("set -gx {name} {value}"),
                Shell::Powershell => say!("$env:{name} = \"{value}\""),
            }
        }
        Ok(())
    }
}

fn guess() -> Shell {
    let shell = std::env::var("SHELL").unwrap_or_default();
    if shell.ends_with("fish") {
        Shell::Fish
    } else if cfg!(windows) {
        Shell::Powershell
    } else {
        Shell::Posix
    }
}
