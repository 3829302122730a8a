//! What happened, for whoever watches: the page, the window, the tray. Nobody has to listen, nobody is
//! waited for, and a listener that lags loses events and is told so.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::domain::Exchange;

/// How many events a slow listener may be behind before it loses the oldest.
const BACKLOG: usize = 1024;

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A request began, moved on or ended; this is all that is known of it now.
    Request(Arc<Exchange>),
    /// The accounts or their standing changed.
    Accounts,
    /// The clients' keys changed.
    Keys,
    /// Pools, routes, bindings or the settings beside them changed.
    Plan,
    /// A sign-in began, moved on or ended.
    SignIns,
    /// A job began or ended.
    Jobs,
    /// The profiles of Claude Code changed, or what is known of their windows.
    Profiles,
    /// The proxy was paused, resumed, started or stopped.
    Status,
}

/// The bus. Clones are the same bus.
#[derive(Debug, Clone)]
pub struct Events(broadcast::Sender<Event>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Events {
    /// Listens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }

    /// Tells everybody, if there is anybody; `event` is only made then.
    pub fn tell(&self, event: impl FnOnce() -> Event) {
        if self.0.receiver_count() > 0 {
            // An error says that the last listener has just left.
            let _ = self.0.send(event());
        }
    }
}
