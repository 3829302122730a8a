//! What one attempt taught us about the account that made it. Reading it from a reply is the
//! providers' work; acting on it is routing's.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::WindowName;

/// Whose fault it was, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to learn but that it works.
    Fine,
    /// The account asks for a pause of this length; `None` where it did not say how long.
    Throttled {
        /// Bounded by the reader.
        retry_after: Option<Duration>,
    },
    /// A 429 that speaks of no window and of no time: it concerns this request alone.
    OwnLimit,
    /// One window is used up until its reset.
    QuotaSpent {
        /// Which.
        window: WindowName,
        /// Its reset, where the upstream said.
        until: Option<Timestamp>,
        /// How long the first pause is, where it did not.
        again: Duration,
    },
    /// What is paid on top of the plan is used up; the plan itself may have room.
    ExtraUsageSpent {
        /// The name under which it is kept; it names the family that asked.
        window: WindowName,
        /// When it is worth another try, for nobody states a reset.
        until: Timestamp,
    },
    /// The upstream does not accept the credential (401).
    CredentialRefused,
    /// The organisation behind the credential is switched off (403).
    OrganisationDisabled {
        /// How long the first pause is: nobody says for how long it is.
        again: Duration,
    },
    /// The account may not do this (403); another one might.
    Forbidden,
    /// The account does not have the model (404); another one might.
    ModelMissing,
    /// The upstream is in trouble (5xx, 529) or out of reach; not the account's doing.
    Weather,
    /// The request itself is at fault (400, 404, 413…); another account would say the same.
    RequestFault,
    /// The conversation is longer than the model reads; no other account reads more of it.
    ContextTooLong,
}

/// A verdict in one word, as records, wire and screens have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    Fine,
    Throttled,
    OwnLimit,
    QuotaSpent,
    ExtraUsageSpent,
    CredentialRefused,
    OrganisationDisabled,
    Forbidden,
    ModelMissing,
    Weather,
    RequestFault,
    ContextTooLong,
    /// The request ended before the attempt did, so that there is no verdict.
    Abandoned,
}

impl Verdict {
    /// Whether another account might do better with the same request.
    pub fn is_worth_another_account(&self) -> bool {
        !matches!(self, Self::Fine | Self::RequestFault | Self::ContextTooLong)
    }

    /// Without what belongs to it.
    pub fn kind(&self) -> VerdictKind {
        match self {
            Self::Fine => VerdictKind::Fine,
            Self::Throttled { .. } => VerdictKind::Throttled,
            Self::OwnLimit => VerdictKind::OwnLimit,
            Self::QuotaSpent { .. } => VerdictKind::QuotaSpent,
            Self::ExtraUsageSpent { .. } => VerdictKind::ExtraUsageSpent,
            Self::CredentialRefused => VerdictKind::CredentialRefused,
            Self::OrganisationDisabled { .. } => VerdictKind::OrganisationDisabled,
            Self::Forbidden => VerdictKind::Forbidden,
            Self::ModelMissing => VerdictKind::ModelMissing,
            Self::Weather => VerdictKind::Weather,
            Self::RequestFault => VerdictKind::RequestFault,
            Self::ContextTooLong => VerdictKind::ContextTooLong,
        }
    }
}

impl VerdictKind {
    /// All of them, as the store writes them down.
    pub const ALL: [Self; 13] = [
        Self::Fine,
        Self::Throttled,
        Self::OwnLimit,
        Self::QuotaSpent,
        Self::ExtraUsageSpent,
        Self::CredentialRefused,
        Self::OrganisationDisabled,
        Self::Forbidden,
        Self::ModelMissing,
        Self::Weather,
        Self::RequestFault,
        Self::ContextTooLong,
        Self::Abandoned,
    ];

    /// The word for SQL, the wire and the screen. Written rows hold it: it never changes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Throttled => "throttled",
            Self::OwnLimit => "own_limit",
            Self::QuotaSpent => "quota_spent",
            Self::ExtraUsageSpent => "extra_usage_spent",
            Self::CredentialRefused => "credential_refused",
            Self::OrganisationDisabled => "organisation_disabled",
            Self::Forbidden => "forbidden",
            Self::ModelMissing => "model_missing",
            Self::Weather => "weather",
            Self::RequestFault => "request_fault",
            Self::ContextTooLong => "context_too_long",
            Self::Abandoned => "abandoned",
        }
    }

    /// The kind that is written as this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}
