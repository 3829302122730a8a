//! One client request from its arrival to its named ending, with every try it took.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AccountId, Ask, Cost, ExchangeId, KeptDecision, KeyId, Micros, Usage, VerdictKind};

/// What is known when a request is admitted. Written at once, so that a crash leaves a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct ExchangeStart {
    /// Sorts by time.
    pub id: ExchangeId,
    /// When its head had arrived.
    pub started_at: Timestamp,
    /// The method as the client sent it.
    pub method: Arc<str>,
    /// The path as the client sent it, without the query, and with `…` for what looks like a secret.
    pub path: Arc<str>,
    /// What it asks for.
    pub ask: Ask,
    /// The client's key that it came with.
    pub key: Option<KeyId>,
}

/// The whole story; still open while `ending` is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// How it began. It is written down at once and no longer changes, so everybody shares it.
    pub start: Arc<ExchangeStart>,
    /// How it ended; `None` while it runs.
    pub ending: Option<Ending>,
    /// A sentence for endings that need one; never holds a credential or a prompt.
    pub error: Option<Arc<str>>,
    /// The status the client saw; `None` if it left before there was one.
    pub status: Option<u16>,
    /// The account whose answer the client saw.
    pub account: Option<AccountId>,
    /// The model that served, where the reply names it.
    pub served_model: Option<Arc<str>>,
    /// What the reply says it used.
    pub usage: Usage,
    /// What that costs by the public price list; `None` where no price is known. Of an answer that broke
    /// off it is what was told until then.
    pub cost: Option<Micros>,
    /// Where that is unknown: what it would cost at the dearest price of its family. Caps count it; it is written
    /// into their sums alone.
    pub at_most: Option<Micros>,
    /// From arrival to the first byte of the answer's body.
    pub first_byte: Option<Duration>,
    /// From arrival to the end; `None` while it runs, or if we died before its end.
    pub duration: Option<Duration>,
    /// What we changed in the request or in its answer, each in a few words: `model: a → b`. Empty where every
    /// byte passed as it came.
    pub changes: Vec<Arc<str>>,
    /// Why it went where it went, on its way to the store. What is read from there comes without it, since
    /// hardly anybody asks.
    pub decision: Option<Arc<KeptDecision>>,
    /// Every try, in order. At least one unless we refused.
    pub attempts: Vec<Attempt>,
}

impl Exchange {
    /// What it cost, as far as anybody knows.
    pub fn paid(&self) -> Cost {
        Cost { known: self.cost, at_most: self.at_most }
    }

    /// A request of which nothing is known but its beginning.
    pub fn open(start: impl Into<Arc<ExchangeStart>>) -> Self {
        Self {
            start: start.into(),
            ending: None,
            error: None,
            status: None,
            account: None,
            served_model: None,
            usage: Usage::default(),
            cost: None,
            at_most: None,
            first_byte: None,
            duration: None,
            changes: Vec::new(),
            decision: None,
            attempts: Vec::new(),
        }
    }
}

/// One try at one upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Who tried.
    pub account: AccountId,
    /// The upstream's status; `None` when no head came.
    pub status: Option<u16>,
    /// What it taught, in a word.
    pub verdict: VerdictKind,
    /// What went wrong where there was no head, as a sentence.
    pub error: Option<Arc<str>>,
    /// From the exchange's arrival to this try.
    pub began: Duration,
    /// How long until its head was there or it failed.
    pub took: Duration,
}

/// The seven ways an exchange ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The answer was delivered whole.
    Complete,
    /// The client went away first.
    ClientLeft,
    /// The upstream answered with an error, before or within the stream.
    UpstreamError,
    /// The upstream's answer stopped before its end.
    UpstreamCut,
    /// The upstream fell silent and we gave up waiting.
    UpstreamStalled,
    /// We refused it ourselves.
    Refused,
    /// We died while it was running.
    Interrupted,
}

impl Ending {
    /// All of them, as the store writes them down.
    pub const ALL: [Self; 7] = [
        Self::Complete,
        Self::ClientLeft,
        Self::UpstreamError,
        Self::UpstreamCut,
        Self::UpstreamStalled,
        Self::Refused,
        Self::Interrupted,
    ];

    /// The word for SQL, the wire and the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientLeft => "client_left",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamCut => "upstream_cut",
            Self::UpstreamStalled => "upstream_stalled",
            Self::Refused => "refused",
            Self::Interrupted => "interrupted",
        }
    }
}
