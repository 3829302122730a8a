//! A request as it is recorded: what was asked, who was tried, what came of it and what it used. What is not known is
//! absent, never zero.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{DecisionRecord, Ending, Role, VerdictKind};

/// One client request with its attempts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RequestView {
    /// `req_` and 13 characters; sorts by time.
    pub id: String,
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    pub method: String,
    pub path: String,
    /// The model that the client asked for.
    pub model: Option<String>,
    /// The model that the reply names.
    pub served_model: Option<String>,
    pub session: Option<String>,
    pub agent: Option<String>,
    /// What it is for, where the client has said.
    pub role: Option<Role>,
    /// What kind of agent asked, where the client has said.
    pub agent_type: Option<String>,
    /// The project that it belongs to, where somebody has said.
    pub project: Option<String>,
    /// The client's user-agent.
    pub client: Option<String>,
    pub stream: bool,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Absent while it is running.
    pub ending: Option<Ending>,
    /// The status that the client saw.
    pub status: Option<u16>,
    /// A sentence where something went wrong.
    pub error: Option<String>,
    /// Name of the account whose answer the client got.
    pub account: Option<String>,
    /// Its id; names can be given again, ids can't.
    pub account_id: Option<i64>,
    /// Name of the client's key that it came with.
    pub key: Option<String>,
    pub key_id: Option<i64>,
    /// What Headgate changed in the request or its answer: `model: a → b`, `message_stop supplied`. Empty
    /// where every byte passed as it came.
    pub changes: Vec<String>,
    pub attempts: Vec<AttemptView>,
    /// Why it went where it went. Told of one request alone, once that has ended; absent where no account was
    /// looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Box<DecisionRecord>>,
    pub usage: UsageView,
    /// What that costs by the public price list, in US dollars; absent where no price is known.
    pub cost_usd: Option<f64>,
    /// From arrival to the end, in milliseconds.
    pub duration_ms: Option<f64>,
    /// From arrival to the first byte of the answer, in milliseconds.
    pub first_byte_ms: Option<f64>,
}

/// One try at one upstream.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AttemptView {
    /// Name of the account that tried; `removed` if it is gone.
    pub account: String,
    pub status: Option<u16>,
    /// What it taught; `abandoned` where the request ended before the attempt did.
    pub verdict: VerdictKind,
    pub error: Option<String>,
    /// From the request's arrival to this try, in milliseconds.
    pub began_ms: f64,
    /// How long until its head was there or it failed, in milliseconds.
    pub took_ms: f64,
}

/// Tokens by kind; absent where the upstream has not said.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
pub struct UsageView {
    pub input: Option<u64>,
    pub output: Option<u64>,
    pub cache_read: Option<u64>,
    pub cache_write: Option<u64>,
    /// As much of `cache_write` as is kept for an hour.
    pub cache_write_1h: Option<u64>,
}

/// A page of requests, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RequestPage {
    pub requests: Vec<RequestView>,
    /// Pass it as `before` to read on; absent on the last page.
    pub next: Option<String>,
}
