//! One request, from the client's socket to its ending. `forward` is the page to read first. Knows
//! neither the management API nor the window; what is not its own goes through a door it was given. The
//! folders stand below as a request comes through them, `headers` and `seldom` serve several of them, and `own` is what
//! Headgate asks for by itself.

mod door;
mod forward;
mod arrival;
mod attempts;
mod upstream;
mod headers;
mod answer;
mod seldom;
mod own;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http_body_util::combinators::UnsyncBoxBody;

pub use answer::{counting::Counting, relay::Cut};
pub use arrival::{
    admission::{Admission, Occupancy},
    hints::{folder, is_agent_type, is_project},
    keyholder::{is_key, shell_word, with_scope},
    login::{PLACEHOLDER, PROFILE},
};
pub use attempts::decisions::Decisions;
pub use door::{
    listener::{Listener, Places, StartError, needs_key},
    meant::{climbs, is_crooked, is_meant_for_us},
    server::{Door, Server},
};
pub use own::{
    courier::Courier,
    discover::{Asked, ask_for_models},
    keep_warm::{KeptWarm, keep_warm},
    opening::{Opened, open_window},
    probe::{NotProbed, Probed, Probes, probe},
    readings::{Readings, ask_for_readings},
    warm::Warm,
};
pub use upstream::Outward;

use crate::{
    accounts::{Roster, renewal::Renewals},
    clients::Profiles,
    clock::Clock,
    keys::Register,
    ledger::Ledger,
    metering::Prices,
    settings::Limits,
};

/// The body of every answer: streamed, or a few bytes of our own.
pub type AnswerBody = UnsyncBoxBody<bytes::Bytes, Cut>;

/// What every request needs; built once, shared by all.
#[derive(Clone)]
pub struct Gateway(Arc<Parts>);

/// The parts of a [`Gateway`].
pub struct Parts {
    /// Who may serve.
    pub roster: Roster,
    /// Their sign-ins, which end.
    pub renewals: Renewals,
    /// Who may ask.
    pub keys: Register,
    /// Nobody may ask without a key, not even on this machine.
    pub require_key: bool,
    /// Whose sign-in a request may come with.
    pub profiles: Profiles,
    /// What it costs.
    pub prices: Prices,
    /// Where it is written down.
    pub ledger: Ledger,
    /// How many at once.
    pub admission: Admission,
    /// Why requests went where they went.
    pub decisions: Decisions,
    /// For requests that no upstream counts.
    pub counting: Counting,
    /// Prompts that are kept in caches, for accounts whose owner has asked for that.
    pub warm: Warm,
    /// The way to upstreams.
    pub outward: Outward,
    /// Bounds.
    pub limits: Limits,
    /// The time.
    pub clock: Clock,
    /// Set by the user: every request is refused with a sentence until it is lifted.
    pub paused: AtomicBool,
    /// Set once by a drain: what does not end in time was interrupted by us.
    pub stopping: AtomicBool,
}

impl Gateway {
    /// Shares the parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Whether the user has paused the proxy.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }
}

impl std::ops::Deref for Gateway {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
