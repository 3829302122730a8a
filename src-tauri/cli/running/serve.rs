//! `headgate serve`: the proxy without a window, until it is told to stop.

use std::net::SocketAddr;

use clap::Args;

use crate::cli::{Code, Global, Trouble, out::say, signals::told_to_stop, vault::passphrase};
use crate::{
    app::{self, App, AppError},
    clock::Clock,
    logs,
    store::OpenError,
};

/// Run the proxy without a window.
#[derive(Debug, Args)]
pub struct Serve {
    /// On 127.0.0.1; 0 takes any free one.
    #[arg(long, env = "HEADGATE_PORT", allow_negative_numbers = true)]
    port: Option<u16>,
    /// A further address to listen on, as in 0.0.0.0:8443; with TLS, by a certificate that Headgate makes
    /// unless settings.toml names another.
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<SocketAddr>,
    /// Print a link that opens the page once.
    #[arg(long)]
    dashboard: bool,
    /// If the database is damaged, move it aside, whole, and begin a new one.
    #[arg(long)]
    repair: bool,
}

impl Serve {
    /// Serves until SIGINT or SIGTERM.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        logs::to_stderr();
        let settings = global.settings_with(self.port, self.listen)?;
        let clock = Clock::system();
        let app = match passphrase::open(&settings, &clock).await {
            Err(AppError::Database { error: OpenError::Corrupt { .. }, .. }) if self.repair => {
                let moved = app::set_database_aside(&settings.data_dir, &clock).map_err(|error| {
                    Trouble::new(Code::Folder, format!("the database could not be moved aside: {error}"))
                })?;
                eprintln!("headgate: the damaged database is now {}; a new one begins", moved.display());
                passphrase::open(&settings, &clock).await?
            }
            opened => opened?,
        };
        let told_to_stop = told_to_stop();
        let started = app.start();
        if let Err(error) = started {
            app.drain().await;
            return Err(error.into());
        }
        announce(&app, self.dashboard, global.json);
        told_to_stop.await;
        tracing::info!("stopping: running requests may end");
        app.drain().await;
        Ok(())
    }
}

/// Tells on standard output where it listens; programs wait for this line, of JSON if that was asked for.
pub fn announce(app: &App, with_link: bool, json: bool) {
    let Some(address) = app.api().status().address else { return };
    let link = if with_link { app.api().dashboard_link().ok() } else { None };
    if json {
        return say!("{}", serde_json::json!({ "address": address, "link": link }));
    }
    say!("listening on {address}");
    if let Some(link) = link {
        say!("open {link}");
    }
}
