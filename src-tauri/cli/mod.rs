//! The commands of the headless door. What looks at or changes a core is a call of the management API: by
//! HTTP where one runs, in this process where none does, so that both do the same.

mod accounts;
mod browser;
mod clients;
mod failure;
mod jobs;
mod named;
mod out;
mod person;
mod plan;
mod reach;
mod requests;
mod running;
mod signals;
mod table;
mod vault;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, parser::ValueSource};

pub use failure::{Code, Trouble};
pub use reach::Core;

use crate::{
    app::CoreFile,
    secrets,
    settings::{Choices, ProxyVariables, Settings, VaultChoice},
};

/// A local proxy between Claude Code and every account you may use.
#[derive(Debug, Parser)]
#[command(name = "headgate", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no such thing, 4 data folder, \
    database or keychain can't be used, 5 the port is taken. `headgate run` ends with the program's own, 126 and 127 where it \
    could not be started."
)]
struct Line {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// Everything Headgate keeps lies beneath this folder.
    #[arg(long, global = true, env = "HEADGATE_DATA_DIR", value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Whether that was said in this very line, and not by the environment.
    #[arg(skip)]
    says_folder: bool,
    /// Where keys are kept.
    #[arg(long, global = true, env = "HEADGATE_VAULT", value_name = "KIND", hide = true, value_parser = vault_kind)]
    vault: Option<VaultChoice>,
    /// Clients need a key, also on this machine.
    #[arg(long, global = true, env = "HEADGATE_REQUIRE_KEY", value_name = "BOOL", hide = true, value_parser = yes_or_no)]
    require_key: Option<bool>,
    /// Authorities that are trusted for upstreams, beside the system's.
    #[arg(long, global = true, env = "HEADGATE_EXTRA_CA", value_name = "FILE", hide = true)]
    extra_ca: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy without a window.
    Serve(running::serve::Serve),
    /// See the point in half a minute: sandbox accounts, sandbox traffic, nothing kept.
    Demo(running::demo::Demo),
    /// Whether it runs, where, and how the accounts stand.
    Status,
    /// Print a link that opens the page once, and open it.
    Dashboard {
        /// Only print it.
        #[arg(long)]
        no_open: bool,
    },
    /// List accounts, or add, edit, pause, resume and remove them.
    Accounts(accounts::Accounts),
    /// List clients' keys, or add, change, rotate and revoke them.
    Keys(clients::keys::Keys),
    /// List pools of accounts, or add, change and remove them.
    Pools(plan::pools::Pools),
    /// List routes, or add, change, switch and remove them.
    Routes(plan::routes::Routes),
    /// List what is bound to which pool, or bind and unbind.
    Bindings(plan::bindings::Bindings),
    /// List requests, newest first.
    Requests(requests::Requests),
    /// Say why a request went where it went, or where one would go now.
    Explain(requests::explain::Explain),
    /// Play recorded requests again, under the plan as it is and under others; nothing is spent.
    Backtest(requests::backtest::Backtest),
    /// List what Headgate does by itself, or do it now.
    Jobs(jobs::Jobs),
    /// List profiles of Claude Code, one sign-in each, or make, adopt, rename and forget them.
    Profiles(clients::profiles::Profiles),
    /// Start Claude Code, or another program, through Headgate.
    Run(clients::run::Run),
    /// Where keys are kept and whether that works; move them, delete what no account owns, change the passphrase.
    Vault(vault::Vault),
    /// Print the lines that a shell needs to send Claude Code through Headgate.
    Env(clients::env::Env),
    /// Refuse requests until resumed.
    Pause,
    /// Serve requests again.
    Resume,
    /// Run the scripted upstream by itself, for trying out and for tests.
    Sandbox(running::sandbox::Sandbox),
    /// Print the OpenAPI document of the management API.
    Openapi,
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "HEADGATE_REQUIRE_KEY (or --require-key) is true or false".into())
}

fn vault_kind(text: &str) -> Result<VaultChoice, String> {
    VaultChoice::from_str(text, false).map_err(|_| "HEADGATE_VAULT (or --vault) is keychain or file".into())
}

/// Reads the command line, does what it says, and answers with an exit code.
pub fn run() -> ExitCode {
    let read = Line::command().try_get_matches().and_then(|said| Ok((Line::from_arg_matches(&said)?, said)));
    let (mut line, said) = read.unwrap_or_else(|error| wrong_usage(&error));
    line.global.says_folder = said.value_source("data_dir") == Some(ValueSource::CommandLine);
    let json = line.global.json;
    match dispatch(line) {
        Ok(()) if out::has_failed() => {
            Trouble::new(Code::Failed, "standard output could not be written").print(json);
            Code::Failed.into()
        }
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            trouble.print(json);
            trouble.code.into()
        }
    }
}

/// Ends with clap's own words, in the shape that was asked for.
fn wrong_usage(error: &clap::Error) -> ! {
    let mut given = std::env::args_os().skip(1).take_while(|argument| argument != "--");
    if !error.use_stderr() || !given.any(|argument| argument == "--json") {
        error.exit();
    }
    let trouble = Trouble::new(Code::Usage, failure::in_short(error));
    trouble.print(true);
    std::process::exit(trouble.code as i32);
}

fn dispatch(line: Line) -> Result<(), Trouble> {
    match &line.command {
        Command::Openapi => {
            out::bytes(crate::api::document().as_bytes());
            return Ok(());
        }
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Line::command(), "headgate", &mut text);
            out::bytes(&text);
            return Ok(());
        }
        // All others may open the vault, or hold what opens a core that has.
        _ => secrets::leave_no_dump(),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Trouble::new(Code::Failed, format!("no runtime could be started: {error}")))?;
    runtime.block_on(act(line))
}

async fn act(line: Line) -> Result<(), Trouble> {
    let global = line.global;
    match line.command {
        Command::Serve(serve) => serve.run(&global).await,
        Command::Demo(demo) => demo.run(&global).await,
        Command::Status => running::status::run(&global).await,
        Command::Dashboard { no_open } => running::status::dashboard(&global, no_open).await,
        Command::Accounts(accounts) => accounts.run(&global).await,
        Command::Keys(keys) => keys.run(&global).await,
        Command::Pools(pools) => pools.run(&global).await,
        Command::Routes(routes) => routes.run(&global).await,
        Command::Bindings(bindings) => bindings.run(&global).await,
        Command::Requests(requests) => requests.run(&global).await,
        Command::Explain(explain) => explain.run(&global).await,
        Command::Backtest(backtest) => backtest.run(&global).await,
        Command::Jobs(jobs) => jobs.run(&global).await,
        Command::Profiles(profiles) => profiles.run(&global).await,
        Command::Run(run) => run.run(&global).await,
        Command::Vault(vault) => vault.run(&global).await,
        Command::Env(env) => env.run(&global).await,
        Command::Pause => running::status::set_paused(&global, true).await,
        Command::Resume => running::status::set_paused(&global, false).await,
        Command::Sandbox(sandbox) => sandbox.run(&global).await,
        Command::Openapi | Command::Completions { .. } => Ok(()),
    }
}

impl Global {
    /// The settings under these flags.
    fn settings(&self, port: Option<u16>) -> Result<Settings, Trouble> {
        self.settings_with(port, Vec::new())
    }

    /// The same for a command that may listen on further addresses.
    fn settings_with(&self, port: Option<u16>, listen: Vec<SocketAddr>) -> Result<Settings, Trouble> {
        let choices = Choices {
            data_dir: self.data_dir.clone(),
            port,
            vault: self.vault,
            require_key: self.require_key,
            listen,
            extra_ca: self.extra_ca.clone(),
            proxies: ProxyVariables::of_environment(),
        };
        Settings::load(choices).map_err(|error| Trouble::new(Code::Folder, error.to_string()))
    }

    /// For what keeps nothing. A folder that the environment names is meant for other commands.
    fn keeps_nothing(&self, what: &str) -> Result<(), Trouble> {
        if self.says_folder {
            let why = format!("{what} keeps nothing, so there is no use for --data-dir; leave it out");
            return Err(Trouble::new(Code::Usage, why));
        }
        Ok(())
    }

    /// The core that acts on these settings' folder.
    async fn core(&self) -> Result<Core, Trouble> {
        match self.settings(None) {
            Ok(settings) => Core::reach(settings).await,
            Err(trouble) => self.running_core(trouble).await,
        }
    }

    /// Whoever runs has read the settings before the mistake was in them: a command that only speaks to it needs none.
    async fn running_core(&self, trouble: Trouble) -> Result<Core, Trouble> {
        let Ok(folder) = Settings::folder(self.data_dir.clone()) else { return Err(trouble) };
        if !folder.is_dir() {
            return Err(trouble);
        }
        let looking = tokio::task::spawn_blocking(move || CoreFile::of_running(&folder)).await;
        match looking.ok().flatten() {
            Some(core) if core.is_stopping => Err(Trouble::stopping()),
            Some(core) => {
                eprintln!(
                    "headgate: {trouble}; the running Headgate goes on with the settings that it started with"
                );
                Ok(Core::Running(core))
            }
            None => Err(trouble),
        }
    }

    /// Acts through that core, which is let go whatever comes of it.
    async fn on_core(&self, act: impl AsyncFnOnce(&Core) -> Result<(), Trouble>) -> Result<(), Trouble> {
        let core = self.core().await?;
        let done = act(&core).await;
        core.close().await;
        done
    }
}
