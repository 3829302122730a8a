//! `headgate run`: starts Claude Code, or any other program, pointed at the proxy, in a profile where one is named. What
//! it is given is the environment alone; no file of its own is read or written.

use std::process::Command;

use clap::Args;

use crate::cli::{
    Code, Core, Global, Trouble,
    clients::{env, profiles},
    named::found,
};
use crate::{
    api::{
        profiles::views::{BestProfile, ProfileView},
        views::{AccountView, CredentialKind, ProviderView, Status},
    },
    app::CoreFile,
    proxy::{PLACEHOLDER, PROFILE},
    secrets::{FILE_VARIABLE, VARIABLE},
};

/// Start Claude Code through Headgate, in a profile of its own where one is named: headgate run --profile work
#[derive(Debug, Args)]
pub struct Run {
    /// The profile, by name or id: the folder in which Claude Code keeps its sign-in.
    #[arg(long, conflicts_with = "best")]
    profile: Option<String>,
    /// The profile whose sign-in has the most room now.
    #[arg(long)]
    best: bool,
    /// The program and its arguments; `claude` if nothing is said.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Where Claude Code keeps its sign-in and settings.
const FOLDER: &str = "CLAUDE_CONFIG_DIR";
/// Headers that Claude Code adds to each request, one in a line.
const HEADERS: &str = "ANTHROPIC_CUSTOM_HEADERS";

impl Run {
    /// Starts it in our place; comes back only where that failed, or with the end of it where no system can do that.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        let settings = global.settings(None)?;
        let running = CoreFile::read(&settings.data_dir).ok_or_else(|| {
            let why = "Headgate is not running, so nothing would be served; start it with `headgate serve`, or open its window";
            Trouble::new(Code::Failed, why)
        })?;
        let port = running.address.port();
        let core = Core::Running(running);
        let status: Status = core.get("/api/v1/status").await?;
        let profile = self.choose(&core).await?;
        let passes_on = profile.is_some() && passes_sign_ins_on(&core).await?;
        let brings_its_own = profile.is_some() && passes_on;
        if profile.is_some() && !passes_on {
            eprintln!(
                "headgate: no account passes Claude Code's own sign-in on, so your accounts with keys serve this profile; \
                 to use its sign-in: headgate accounts add NAME --provider claude-login"
            );
        }
        let (program, arguments) = match self.command.split_first() {
            Some((program, arguments)) => (program.as_str(), arguments),
            None => ("claude", &[][..]),
        };
        let mut command = stranger(program, arguments);
        command.envs(env::variables(port, status.needs_key, brings_its_own));
        if brings_its_own && std::env::var(env::TOKEN_NAME).is_ok_and(|token| token == PLACEHOLDER) {
            // It would go before the profile's own sign-in.
            command.env_remove(env::TOKEN_NAME);
        }
        if brings_its_own {
            for name in in_the_way(|name| std::env::var(name).ok()) {
                eprintln!(
                    "headgate: {name} is set, and Claude Code uses that in place of this profile's own sign-in; unset it to \
                     use the profile's"
                );
            }
        }
        if let Some(profile) = &profile {
            command
                .env(FOLDER, &profile.folder)
                .env(HEADERS, headers(std::env::var(HEADERS).ok(), profile.id));
        }
        become_it(command, program)
    }

    async fn choose(&self, core: &Core) -> Result<Option<ProfileView>, Trouble> {
        if self.best {
            let best: BestProfile = core.get("/api/v1/profiles/best").await?;
            eprintln!("headgate: profile {}: {}", best.profile.name, best.why);
            return there(best.profile).map(Some);
        }
        let Some(named) = &self.profile else { return Ok(None) };
        there(found(&profiles::all(core).await?, named)?.clone()).map(Some)
    }
}

/// Whether there is an account that passes Claude Code's own sign-in on.
async fn passes_sign_ins_on(core: &Core) -> Result<bool, Trouble> {
    let providers: Vec<ProviderView> = core.get("/api/v1/providers").await?;
    let accounts: Vec<AccountView> = core.get("/api/v1/accounts").await?;
    let passes = |account: &AccountView| {
        let provider = providers.iter().find(|one| one.id == account.provider);
        provider.is_some_and(|one| one.credential == CredentialKind::Client)
    };
    Ok(accounts.iter().any(passes))
}

fn there(profile: ProfileView) -> Result<ProfileView, Trouble> {
    if profile.has_folder {
        return Ok(profile);
    }
    let (name, folder) = (&profile.name, &profile.folder);
    let why = format!(
        "the folder of the profile {name} is gone: {folder}; put it back, or make the profile anew with \
         `headgate profiles remove {name}` and `headgate profiles add {name}`"
    );
    Err(Trouble::new(Code::Folder, why))
}

/// What the user has there already, but for a profile of an outer `headgate run`, and this profile.
fn headers(there: Option<String>, id: i64) -> String {
    let there = there.unwrap_or_default();
    let is_ours =
        |line: &str| line.split_once(':').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case(PROFILE));
    let mut lines: Vec<String> =
        there.lines().filter(|line| !line.trim().is_empty() && !is_ours(line)).map(Into::into).collect();
    lines.push(format!("{PROFILE}: {id}"));
    lines.join("\n")
}

/// What Claude Code would use before a profile's own sign-in. It is the user's and stays; the placeholder is ours.
fn in_the_way(value: impl Fn(&str) -> Option<String>) -> Vec<&'static str> {
    let is_set = |name: &&str| value(name).is_some_and(|value| !value.is_empty() && value != PLACEHOLDER);
    [env::TOKEN_NAME, "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"].into_iter().filter(is_set).collect()
}

/// A program that has no business with the passphrase of the sealed file, nor has anything that it starts.
fn stranger(program: &str, arguments: &[String]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_remove(VARIABLE).env_remove(FILE_VARIABLE);
    command
}

/// Terminal, signals and exit code are the program's from here on.
#[cfg(unix)]
fn become_it(mut command: Command, program: &str) -> Result<(), Trouble> {
    Err(not_started(program, &std::os::unix::process::CommandExt::exec(&mut command)))
}

#[cfg(not(unix))]
fn become_it(mut command: Command, program: &str) -> Result<(), Trouble> {
    let ended = command.status().map_err(|error| not_started(program, &error))?;
    std::process::exit(ended.code().unwrap_or(1));
}

fn not_started(program: &str, error: &std::io::Error) -> Trouble {
    if error.kind() != std::io::ErrorKind::NotFound {
        return Trouble::new(Code::NotStarted, format!("{program} could not be started: {error}"));
    }
    let next = if program == "claude" {
        "install Claude Code, or name the program: headgate run -- PROGRAM"
    } else {
        "is it spelt right, and on the PATH?"
    };
    Trouble::new(Code::NoProgram, format!("there is no program {program} here; {next}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_was_served_under_another_sign_in_that_the_environment_had_and_nobody_said_so() {
        let set = |name: &str| match name {
            "CLAUDE_CODE_OAUTH_TOKEN" => Some("sk-ant-oat-of-somebody".to_owned()),
            "ANTHROPIC_AUTH_TOKEN" => Some(PLACEHOLDER.to_owned()),
            _ => Some(String::new()),
        };
        assert_eq!(in_the_way(set), ["CLAUDE_CODE_OAUTH_TOKEN"]);
        assert_eq!(in_the_way(|name| (name == "ANTHROPIC_AUTH_TOKEN").then(|| "hg_key".into())).len(), 1);
    }

    #[test]
    fn claude_code_and_its_tools_inherited_the_passphrase_of_the_sealed_file() {
        let command = stranger("claude", &[]);
        for name in [VARIABLE, FILE_VARIABLE] {
            assert!(command.get_envs().any(|(known, value)| known == name && value.is_none()), "{name}");
        }
    }

    #[test]
    fn the_headers_of_the_user_stay_and_an_outer_profile_goes() {
        assert_eq!(headers(None, 3), "x-headgate-profile: 3");
        let there = "x-a: 1\n\nX-Headgate-Profile: 9\nx-b: x-headgate-profile: 7".to_owned();
        assert_eq!(headers(Some(there), 3), "x-a: 1\nx-b: x-headgate-profile: 7\nx-headgate-profile: 3");
    }
}
