//! One request, from the client's socket to its ending. `forward` is the page to read first. Knows
//! neither the management API nor the window; what is not its own goes through a door it was given.

mod admission;
mod arrive;
mod attempt;
mod connection;
mod counting;
mod courier;
mod crew;
mod decisions;
mod discover;
mod failure;
mod forward;
mod gate;
mod headers;
mod hints;
mod hold;
mod identity;
mod keep_warm;
mod keyholder;
mod listener;
mod login;
mod meant;
mod models;
mod nobody;
mod one_token;
mod opening;
mod ours;
mod patience;
mod port;
mod probe;
mod question;
mod record;
mod rehearsal;
mod relay;
mod renewed;
mod request;
mod self_signed;
mod server;
mod shortage;
mod tls;
mod tries;
mod upstream;
mod usage;
mod warm;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http_body_util::combinators::UnsyncBoxBody;

pub use admission::{Admission, Occupancy};
pub use counting::Counting;
pub use courier::Courier;
pub use decisions::Decisions;
pub use discover::{Asked, ask_for_models};
pub use hints::{folder, is_agent_type, is_project};
pub use keep_warm::{KeptWarm, keep_warm};
pub use keyholder::{BeyondLoopback, is_key, shell_word, with_scope};
pub use listener::{Listener, Places, StartError, needs_key};
pub use login::{PLACEHOLDER, PROFILE};
pub use meant::{climbs, is_crooked, is_meant_for_us};
pub use opening::{Opened, open_window};
pub use probe::{NotProbed, Probed, Probes, probe};
pub use relay::Cut;
pub use server::{Door, Server};
pub use upstream::Outward;
pub use usage::{Usage, ask_for_usage};
pub use warm::Warm;

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
