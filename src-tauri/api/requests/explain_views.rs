//! The shapes of what is asked about decisions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{Endpoint, Role};

/// A request that nobody has sent. Whatever is left out is not known of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExplainOrder {
    /// A model's whole name, or a family: `opus`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The conversation; where it is bound counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The subagent of that conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The name of the client's key that it would come with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<String>,
    pub stream: bool,
    /// What it asks for: a message, or a count of tokens, which has limits of its own.
    pub endpoint: Endpoint,
    /// Bytes of its body.
    pub bytes: u64,
    /// Tokens of its prompt; a quarter of its bytes if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// It shows images.
    pub images: bool,
    /// It offers tools.
    pub tools: bool,
    /// The beta features that it uses.
    pub betas: Vec<String>,
    /// It comes with a sign-in. Left out: if there is an account that passes one on, and no key is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<bool>,
}

/// What was kept from costing money along one path on one day.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PreventedView {
    /// The day's first moment, in UTC.
    #[schema(value_type = String, format = DateTime)]
    pub day: Timestamp,
    /// Name of the account whose sign-in the requests came with.
    pub from: String,
    pub from_id: i64,
    /// Name of the account that would have been asked next.
    pub to: String,
    pub to_id: i64,
    pub requests: u64,
}
