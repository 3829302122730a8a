//! `headgate sandbox`: the scripted upstream by itself.

use clap::Args;

use super::{Code, Trouble, out::say, serve::told_to_stop};
use crate::{
    clock::Clock,
    sandbox::{
        Sandbox as Upstream, Scenario,
        authority::{Authority, CLIENT, House},
    },
    tasks::Tasks,
};

/// Run the scripted upstream by itself, for trying out and for tests.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// What it plays: demo, calm, limits, weather, cuts, load.
    #[arg(long, default_value = "calm")]
    scenario: String,
    /// On 127.0.0.1; 0 takes any free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Also run an authorisation server that agrees to everything, for trying out how to sign in.
    #[arg(long)]
    sign_ins: bool,
}

impl Sandbox {
    /// Plays until SIGINT or SIGTERM.
    pub async fn run(self) -> Result<(), Trouble> {
        let scenario =
            Scenario::named(&self.scenario).map_err(|error| Trouble::new(Code::Failed, error.to_string()))?;
        let told_to_stop = told_to_stop();
        let tasks = Tasks::default();
        let started = Upstream::start_on(self.port, &scenario, &Clock::system(), &tasks).await;
        let sandbox = started
            .map_err(|error| Trouble::new(Code::Port, format!("the sandbox could not listen: {error}")))?;
        say!("sandbox on {}", sandbox.base_url());
        for account in &scenario.accounts {
            say!("account {} {} {}", account.name, account.priority, account.key);
        }
        let _authority = if self.sign_ins {
            let started = Authority::start(House::default(), &Clock::system(), &tasks).await;
            let authority = started.map_err(|error| {
                Trouble::new(Code::Port, format!("the authorisation server could not listen: {error}"))
            })?;
            say!("issuer {} client {CLIENT}", authority.base_url());
            Some(authority)
        } else {
            None
        };
        told_to_stop.await;
        tasks.stop();
        Ok(())
    }
}
