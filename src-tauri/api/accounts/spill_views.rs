//! How an account is paid, and where its requests may spill over to, in the words of the contract. Decides nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A person's leave for requests that would cost nothing here to spill over to accounts where they may cost money.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SpillView {
    /// Since when they may to every account, those that are added later too; absent where they may to some.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub all: Option<Timestamp>,
    /// The accounts, if not all.
    pub accounts: Vec<SpillPath>,
}

/// One path of a `SpillView`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SpillPath {
    /// The account that it leads to.
    pub id: i64,
    #[schema(value_type = String, format = DateTime)]
    pub allowed_at: Timestamp,
}

/// Where requests that would cost nothing here may spill over to: `"all"`, `"none"`, or a list of account ids.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "say `all`, `none`, or name accounts in a list of their ids")]
pub enum SpillTo {
    Word(SpillWord),
    Accounts(Vec<i64>),
}

/// How the use of an account is paid, as a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaidOrder {
    /// Beforehand, by a plan.
    Plan,
    /// By what is used.
    Use,
    /// As its provider and its answers show.
    Auto,
}

/// See `SpillTo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpillWord {
    All,
    None,
}
