//! The wire's shape of a connection test.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{domain::Finding, proxy::Probed};

/// What a connection test is to ask for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeOrder {
    /// The model; absent: the first one of the account's list.
    #[serde(default)]
    pub model: Option<String>,
}

/// What a connection test found. It asked for one token, which is paid for and recorded like any other.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProbeView {
    /// Whether the model answered.
    pub works: bool,
    /// The same in one word, and why not.
    pub finding: Finding,
    /// What it found, as a sentence.
    pub says: String,
    /// What to do next; absent where there is nothing to do.
    pub next: Option<String>,
    /// What the upstream said itself, or why it could not be reached, in short.
    pub told: Option<String>,
    /// The whole address that was asked.
    pub url: String,
    /// The model as the upstream was asked for it.
    pub model: String,
    /// The upstream's status; absent where no answer began.
    pub status: Option<u16>,
    /// From the beginning to the first byte of the answer, the way to it included, in milliseconds.
    pub first_byte_ms: Option<f64>,
    /// `HTTP/1.1` or `HTTP/2`, where an answer began.
    pub http: Option<String>,
    /// `TLS 1.2` or `TLS 1.3`, where that was spoken.
    pub tls: Option<String>,
    /// The request as it was recorded.
    pub request_id: String,
}

impl From<Probed> for ProbeView {
    fn from(probed: Probed) -> Self {
        let (http, tls) = probed.spoken();
        Self {
            works: probed.works(),
            finding: probed.finding,
            says: probed.says,
            next: probed.next,
            told: probed.told.map(|told| told.to_string()),
            url: probed.url,
            model: probed.model.to_string(),
            status: probed.status,
            first_byte_ms: probed.first_byte.map(|took| took.as_secs_f64() * 1000.0),
            http: http.map(Into::into),
            tls: tls.map(Into::into),
            request_id: probed.request.to_string(),
        }
    }
}
