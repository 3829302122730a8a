//! `headgate sandbox`: the scripted upstream by itself.

use clap::{Args, builder::PossibleValuesParser};
use serde_json::json;

use crate::cli::{Code, Global, Trouble, out::say, signals::told_to_stop};
use crate::{
    clock::Clock,
    sandbox::{
        Sandbox as Upstream, Scenario, ScriptedAccount,
        authority::{Authority, CLIENT, House},
    },
    tasks::Tasks,
};

/// Run the scripted upstream by itself, for trying out and for tests.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// What it plays.
    #[arg(long, default_value = "calm", value_parser = scenario())]
    scenario: String,
    /// On 127.0.0.1; 0 takes any free one.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    port: u16,
    /// Also run an authorisation server that agrees to everything, for trying out how to sign in.
    #[arg(long)]
    sign_ins: bool,
}

/// Reads the name of a scenario. The help lists those that come with the program, whichever they are.
pub(super) fn scenario() -> PossibleValuesParser {
    Scenario::NAMES.into()
}

impl Sandbox {
    /// Plays until SIGINT or SIGTERM.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        global.keeps_nothing("the sandbox")?;
        let scenario =
            Scenario::named(&self.scenario).map_err(|error| Trouble::new(Code::Failed, error.to_string()))?;
        let told_to_stop = told_to_stop();
        let tasks = Tasks::default();
        let started = Upstream::start_on(self.port, &scenario, &Clock::system(), &tasks).await;
        let sandbox = started
            .map_err(|error| Trouble::new(Code::Port, format!("the sandbox could not listen: {error}")))?;
        let authority = if self.sign_ins {
            let started = Authority::start(House::default(), &Clock::system(), &tasks).await;
            let authority = started.map_err(|error| {
                Trouble::new(Code::Port, format!("the authorisation server could not listen: {error}"))
            })?;
            Some(authority)
        } else {
            None
        };
        announce(&sandbox, &scenario, authority.as_ref(), global.json);
        told_to_stop.await;
        tasks.stop();
        Ok(())
    }
}

/// Tells on standard output where it listens and what it knows, as one line of JSON if that was asked for.
fn announce(sandbox: &Upstream, scenario: &Scenario, authority: Option<&Authority>, json: bool) {
    let issuer = authority.map(Authority::base_url);
    if json {
        let account = |account: &ScriptedAccount| json!({ "name": account.name, "priority": account.priority, "key": account.key });
        let accounts: Vec<_> = scenario.accounts.iter().map(account).collect();
        let client = issuer.map(|_| CLIENT);
        return say!(
            "{}",
            json!({ "address": sandbox.base_url(), "accounts": accounts, "issuer": issuer, "client": client })
        );
    }
    say!("sandbox on {}", sandbox.base_url());
    for account in &scenario.accounts {
        say!("account {} {} {}", account.name, account.priority, account.key);
    }
    if let Some(issuer) = issuer {
        say!("issuer {issuer} client {CLIENT}");
    }
}
