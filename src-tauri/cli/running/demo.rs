//! `headgate demo`: the point in half a minute. A scripted upstream, three sandbox accounts and a trickle
//! of traffic through a real core whose folder is temporary and whose keys live in memory.

use std::sync::Arc;

use clap::Args;

use super::{sandbox::scenario, serve::announce, stage};
use crate::cli::{Code, Global, Trouble, signals::told_to_stop};
use crate::{
    accounts::{NewAccount, PlainHttp},
    app::App,
    clock::Clock,
    logs,
    sandbox::{Sandbox, Scenario, traffic::Traffic},
    secrets::{Memory, Sensitive},
    settings::{Limits, Network, Settings},
    tasks::Tasks,
};

/// See the point in half a minute: sandbox accounts, sandbox traffic, nothing kept.
#[derive(Debug, Args)]
pub struct Demo {
    /// On 127.0.0.1; 0 takes any free one.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    port: u16,
    /// Which scenario the upstream plays.
    #[arg(long, default_value = "demo", value_parser = scenario())]
    scenario: String,
}

impl Demo {
    /// Plays until SIGINT or SIGTERM; then everything is gone.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        global.keeps_nothing("the demo")?;
        logs::to_stderr();
        let failed = |error: &dyn std::fmt::Display| Trouble::new(Code::Failed, error.to_string());
        let scenario = Scenario::named(&self.scenario).map_err(|error| failed(&error))?;
        let folder = stage::set().map_err(|error| failed(&error))?;
        let settings = Settings {
            data_dir: folder.path().to_owned(),
            port: self.port,
            vault: None,
            require_key: false,
            limits: Limits { drain_seconds: 2.0, ..Limits::default() },
            network: Network::default(),
        };
        let told_to_stop = told_to_stop();
        let (clock, stage) = (Clock::system(), Tasks::default());
        let sandbox = Sandbox::start(&scenario, &clock, &stage).await.map_err(|error| failed(&error))?;
        let app = open(settings, clock, &sandbox, &scenario).await?;
        app.start()?;
        announce(&app, true, global.json);
        if !global.json {
            eprintln!("The demo plays at the address above until you press Ctrl-C. Nothing of it is kept.");
        }
        let address = app.api().status().address.unwrap_or_default();
        stage.spawn(Traffic::to(&address, "").map_err(|error| failed(&error))?.run(stage.clone()));

        told_to_stop.await;
        stage.stop();
        stage.ended().await;
        app.drain().await;
        drop(app);
        stage::strike(folder).map_err(|error| failed(&error))
    }
}

async fn open(
    settings: Settings,
    clock: Clock,
    sandbox: &Sandbox,
    scenario: &Scenario,
) -> Result<App, Trouble> {
    let base_url = sandbox.base_url().to_owned();
    let accounts = scenario.accounts.clone();
    let opening = tokio::task::spawn_blocking(move || {
        let app = App::open(settings, clock, Some(Arc::new(Memory::default())))?;
        for account in accounts {
            let new = NewAccount {
                name: account.name,
                provider: "anthropic".into(),
                base_url: Some(base_url.clone()),
                plain_http: PlainHttp::Here,
                priority: account.priority,
                key: Some(Sensitive::new(account.key)),
            };
            app.api()
                .gateway
                .roster
                .add(new)
                .map_err(|error| Trouble::new(Code::Failed, error.to_string()))?;
        }
        Ok(app)
    });
    opening.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
