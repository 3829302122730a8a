//! `headgate env`: the lines that a shell needs.

use clap::{Args, ValueEnum};

use crate::cli::{Core, Global, Trouble, out::say, table};
use crate::{
    api::views::Status,
    app::CoreFile,
    proxy::{PLACEHOLDER, is_key},
};

/// Print the lines that a shell needs: eval "$(headgate env)"
#[derive(Debug, Args)]
pub struct Env {
    /// The port that the server will have, where it does not run yet.
    #[arg(long, env = "HEADGATE_PORT", allow_negative_numbers = true)]
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
pub(in crate::cli) const TOKEN_NAME: &str = "ANTHROPIC_AUTH_TOKEN";
/// Claude Code then says of each request in which role and by what kind of agent it is asked, which bindings go by. It
/// stays on this machine.
const HINTS: (&str, &str) = ("CLAUDE_CODE_GATEWAY_HINT_HEADERS", "1");

impl Env {
    /// Does it. A key of the user's own is never replaced: where one is needed nothing else would do, and
    /// elsewhere it says who asks.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        let settings = global.settings(self.port)?;
        let running = CoreFile::read(&settings.data_dir);
        let port = running.as_ref().map_or(settings.port, |core| core.address.port());
        let needs_key = match running {
            // It may have been started with other settings than this shell's.
            Some(core) => {
                Core::Running(core).get::<Status>("/api/v1/status").await.map(|told| told.needs_key)
            }
            None => Ok(settings.require_key),
        };
        let needs_key = needs_key.unwrap_or(settings.require_key);
        if needs_key && !has_key() {
            eprintln!(
                "headgate: clients need a key here; put one that `headgate keys add NAME` has made into {TOKEN_NAME}, \
                 which is left as it is"
            );
        }
        let lines = variables(port, needs_key, false);
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

/// What sends a program through the proxy on this port. A token is added where none is needed and none of ours is
/// there already, unless the program brings a sign-in of its own, which a token would go before.
pub(in crate::cli) fn variables(
    port: u16,
    needs_key: bool,
    brings_its_own: bool,
) -> Vec<(&'static str, String)> {
    let address = format!("http://127.0.0.1:{port}");
    let token = (!needs_key && !has_key() && !brings_its_own).then(|| (TOKEN_NAME, TOKEN.to_owned()));
    let (hints, on) = HINTS;
    [("ANTHROPIC_BASE_URL", address), (hints, on.to_owned())].into_iter().chain(token).collect()
}

fn has_key() -> bool {
    std::env::var(TOKEN_NAME).is_ok_and(|token| is_key(token.as_bytes()))
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
