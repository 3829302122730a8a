//! What came of a play, in numbers that a person can compare.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{AccountId, WindowName};

/// What came of a play.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Score {
    /// Requests that came.
    pub asks: u64,
    /// Those that were served.
    pub served: u64,
    /// Those that nobody could serve within their patience.
    pub refused: u64,
    /// Those that had to wait.
    pub waited: u64,
    /// How long they did together, in seconds.
    pub waited_seconds: f64,
    /// Refusals by upstreams because a limit was reached.
    pub limits_hit: u64,
    /// How often a conversation went on at another account than before.
    pub switches: u64,
    /// How many of these were made because they were worth it, and not because the account could not go on.
    pub moved: u64,
    /// Tokens that were written into a cache anew because of that, or because it had gone cold.
    pub cold_tokens: u64,
    /// What was paid by use, in dollars, as far as prices are known.
    pub cost: f64,
    /// Requests that were paid by use at a price that nobody knows.
    pub unpriced: u64,
    /// Paths to money that nobody had allowed, and that would have been taken.
    pub prevented: u64,
    /// Each account, in the order of their ids.
    pub accounts: Vec<AccountScore>,
}

/// What came of one account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccountScore {
    #[schema(value_type = i64)]
    pub account: AccountId,
    /// Requests that it served.
    pub served: u64,
    /// What they weighed, in tokens of plain input.
    pub weight: f64,
    /// Refusals by its upstream because a limit was reached.
    pub limits_hit: u64,
    /// Its limits.
    pub limits: Vec<LimitScore>,
}

/// What came of one limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitScore {
    /// As the upstream calls it.
    #[schema(value_type = String)]
    pub name: WindowName,
    /// Windows that came to their end.
    pub windows: u32,
    /// What was used of all of them, in tokens of plain input.
    pub used: f64,
    /// What was left when they ended.
    pub unused: f64,
}
