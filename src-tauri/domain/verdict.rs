//! What one attempt taught us about the account that made it. Reading it from a reply is the
//! providers' work; acting on it is routing's.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::WindowName;

/// Whose fault it was, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing to learn but that it works.
    Fine,
    /// The account asks for a pause of this length; `None` where it did not say how long.
    Throttled {
        /// From `retry-after`, bounded by the reader.
        #[serde(skip)]
        retry_after: Option<Duration>,
    },
    /// One window is used up until its reset.
    QuotaSpent {
        /// Which.
        window: WindowName,
        /// Its reset, where the upstream said.
        until: Option<Timestamp>,
    },
    /// The upstream does not accept the credential (401, or a disabled organisation).
    CredentialRefused,
    /// The account may not do this (403); another one might.
    Forbidden,
    /// The upstream is in trouble (5xx, 529) or out of reach; not the account's doing.
    Weather,
    /// The request itself is at fault (400, 404, 413…); another account would say the same.
    RequestFault,
}

impl Verdict {
    /// Whether another account might do better with the same request.
    pub fn is_worth_another_account(&self) -> bool {
        !matches!(self, Self::Fine | Self::RequestFault)
    }

    /// The one word that records and screens use.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Throttled { .. } => "throttled",
            Self::QuotaSpent { .. } => "quota_spent",
            Self::CredentialRefused => "credential_refused",
            Self::Forbidden => "forbidden",
            Self::Weather => "weather",
            Self::RequestFault => "request_fault",
        }
    }
}
