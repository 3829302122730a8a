//! A scripted upstream on the loopback that speaks Anthropic's Messages API: what `headgate demo` plays
//! and what every journey stands on. Knows nothing of the proxy, and no real account is ever asked.

mod account;
mod answer;
pub mod authority;
mod authority_grants;
mod listen;
mod pieces;
mod recorder;
mod reply;
mod scenario;
#[cfg(test)]
mod tests;
pub mod traffic;
mod windows;

use std::{io, sync::Arc};

use tokio_util::sync::CancellationToken;

pub use account::UsageReply;
pub use recorder::{Arrival, Counts, TooLate};
pub use scenario::{Answer, Behaviour, Scenario, ScriptedAccount, ScriptedWindow, Step, UnknownScenario};

use account::Account;
use pieces::Gates;
use recorder::{Recorder, in_time};
use reply::Stage;

use crate::{clock::Clock, tasks::Tasks};

/// A running sandbox. Dropping it closes every connection at once.
#[derive(Debug)]
pub struct Sandbox {
    base_url: String,
    stage: Arc<Stage>,
    stop: CancellationToken,
}

/// No scripted account has this key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no account of this sandbox has the key {0}")]
pub struct UnknownKey(String);

impl Sandbox {
    /// Plays a scenario on a free port of the loopback.
    ///
    /// # Errors
    /// The system's, if it has no port left.
    pub async fn start(scenario: &Scenario, clock: &Clock, tasks: &Tasks) -> io::Result<Self> {
        Self::start_on(0, scenario, clock, tasks).await
    }

    /// Plays a scenario on this port of the loopback; 0 takes any.
    ///
    /// # Errors
    /// The system's, if the port is taken.
    pub async fn start_on(port: u16, scenario: &Scenario, clock: &Clock, tasks: &Tasks) -> io::Result<Self> {
        let listener = listen::bind(port).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let now = clock.now();
        let stage = Arc::new(Stage {
            accounts: scenario.accounts.iter().map(|scripted| Account::new(scripted, now)).collect(),
            recorder: Recorder::new(scenario.keeps),
            gates: Gates::default(),
            clock: clock.clone(),
        });
        let stop = CancellationToken::new();
        let answering = {
            let stage = Arc::clone(&stage);
            move |request, line| reply::reply(Arc::clone(&stage), request, line)
        };
        tasks.spawn(listen::accept(listener, stop.clone(), tasks.clone(), answering));
        Ok(Self { base_url, stage, stop })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Has an account do this next, before whatever its scenario has left.
    ///
    /// # Errors
    /// `UnknownKey` if no account has this key.
    pub fn script(
        &self,
        key: &str,
        behaviours: impl IntoIterator<Item = Behaviour>,
    ) -> Result<(), UnknownKey> {
        let account = self.stage.account(key).ok_or_else(|| UnknownKey(key.to_owned()))?;
        account.script(behaviours);
        Ok(())
    }

    /// Has an account's usage endpoint say this from now on.
    ///
    /// # Errors
    /// `UnknownKey` if no account has this key.
    pub fn tell_usage(&self, key: &str, reply: UsageReply) -> Result<(), UnknownKey> {
        let account = self.stage.account(key).ok_or_else(|| UnknownKey(key.to_owned()))?;
        account.tell_usage(reply);
        Ok(())
    }

    /// The arrivals that are remembered, oldest first.
    pub fn arrivals(&self) -> Vec<Arc<Arrival>> {
        self.stage.recorder.arrivals()
    }

    /// The arrivals that carried this key.
    pub fn seen(&self, key: &str) -> Vec<Arc<Arrival>> {
        self.arrivals().into_iter().filter(|arrival| arrival.key == key).collect()
    }

    /// How many arrived, and what came of them.
    pub fn counts(&self) -> Counts {
        self.stage.recorder.counts()
    }

    /// Waits until so many requests have arrived since the start.
    ///
    /// # Errors
    /// `TooLate` after twenty seconds.
    pub async fn await_requests(&self, count: u64) -> Result<Vec<Arc<Arrival>>, TooLate> {
        self.await_counts(&format!("{count} requests"), |counts| counts.arrived >= count).await?;
        Ok(self.arrivals())
    }

    /// Waits until so many clients have left before the end of their reply.
    ///
    /// # Errors
    /// `TooLate` after twenty seconds.
    pub async fn await_client_gone(&self, count: u64) -> Result<(), TooLate> {
        self.await_counts(&format!("{count} clients to leave"), |counts| counts.left >= count).await
    }

    /// Waits until the counts are so; `what` names it if they never are.
    ///
    /// # Errors
    /// `TooLate` after twenty seconds.
    pub async fn await_counts(&self, what: &str, holds: impl Fn(Counts) -> bool) -> Result<(), TooLate> {
        self.stage.recorder.until(what, holds).await
    }

    /// Waits until a reply is held at this gate.
    ///
    /// # Errors
    /// `TooLate` after twenty seconds.
    pub async fn await_held(&self, gate: &str) -> Result<(), TooLate> {
        in_time(self.stage.gates.reached(gate, 1))
            .await
            .ok_or_else(|| TooLate::new(&format!("a reply at the gate {gate}"), self.counts()))
    }

    /// Lets everything pass that is held at this gate, now and later.
    pub fn release(&self, gate: &str) {
        self.stage.gates.release(gate);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
