//! The shapes of a back-test: what is to be compared, and what would have come of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::plan::views::CapsOrder,
    domain::{Policy, Reserve},
    routing::replay::LimitScore,
};

/// The recorded requests of the last days, to be played under the plan as it is and under alternatives.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BacktestOrder {
    /// How many days, back from now: 1 to 366; 7 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u16>,
    /// What limits hold in every play, where that can't be measured, or not well enough.
    pub capacities: Vec<CapacityOrder>,
    /// Up to 16, besides the plan as it is.
    pub alternatives: Vec<AlternativeOrder>,
}

/// What one limit of an account holds.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CapacityOrder {
    /// The account's id.
    pub account: i64,
    /// As the upstream calls it, with its length in front: `5h`, `7d`, `7d_opus`.
    pub window: String,
    /// In tokens of plain input: one read from the cache is a tenth of one, one written to it 1.25 (2 where it is
    /// kept for an hour), one of output 5.
    pub tokens: f64,
}

/// What is other than it is now. Whatever is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlternativeOrder {
    pub policies: Vec<PolicyOrder>,
    pub priorities: Vec<PriorityOrder>,
    /// Ids of accounts that are not there.
    pub without: Vec<i64>,
    /// Ids of accounts like which there is one more: at the same provider, in the same pool, with the same guards and
    /// limits, and nothing used of them. One id twice is two more. Keys that are limited to accounts don't allow it,
    /// and a slot that names the other one does not lead to it.
    pub another: Vec<i64>,
    /// What limits hold under another plan, in place of what they hold in every play.
    pub capacities: Vec<CapacityOrder>,
    /// What is kept back of accounts, in place of what is.
    pub guards: Vec<KeptBackOrder>,
    /// Routes that are switched on or off.
    pub routes: Vec<RouteSwitch>,
}

/// What is kept back of an account. What is left out stays as it is, as its hours do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeptBackOrder {
    /// The account's id.
    pub account: i64,
    /// All reserves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserves: Option<Vec<Reserve>>,
    /// All caps: one that is absent is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caps: Option<CapsOrder>,
}

/// A route that is on or off.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSwitch {
    /// The route's id.
    pub route: i64,
    pub enabled: bool,
}

/// By what one of a pool's accounts is chosen.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyOrder {
    /// The pool's id; every pool if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<i64>,
    pub policy: Policy,
}

/// An account's priority.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriorityOrder {
    /// The account's id.
    pub account: i64,
    /// Lower goes first; -1,000 to 1,000.
    pub priority: i32,
}

/// What came of a back-test.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BacktestView {
    /// When the first request came.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When the last one came.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Requests that are played.
    pub requests: u64,
    /// Requests that are not, as they would have come to the same end under any plan.
    pub left_out: u64,
    /// Of those that are played: they told nothing of what they used, and are taken to be like the others.
    pub guessed: u64,
    /// There were more, older ones, than are read at once.
    pub is_cut: bool,
    /// What happened, the plan as it is, and each alternative.
    pub rows: Vec<BacktestRow>,
    /// The limits that accounts are played with.
    pub limits: Vec<BacktestLimit>,
    /// What has to be known of it, as sentences. The last one says what is not played at all.
    pub notes: Vec<String>,
}

/// What came of the requests under one plan.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BacktestRow {
    /// What it is, in a few words.
    pub name: String,
    /// It is no play, but what happened.
    pub recorded: bool,
    pub served: u64,
    pub refused: u64,
    /// Requests that waited for an account.
    pub waited: u64,
    /// How long they did together, in seconds.
    pub waited_seconds: f64,
    /// Refusals by upstreams because a limit was reached.
    pub limits_hit: u64,
    /// How often a conversation went on at another account than before.
    pub switches: u64,
    /// How many of these were made because they were worth it; not known of what happened.
    pub moved: Option<u64>,
    /// Tokens that were written into a cache anew because of a switch, or because it had gone cold.
    pub cold_tokens: u64,
    /// List price of what was paid by use, in dollars; `None` where no price of any of it is known.
    pub cost: Option<f64>,
    /// Requests that were paid by use at a price that nobody knows, and are not in `cost`.
    pub unpriced: u64,
    pub accounts: Vec<BacktestAccount>,
}

/// What came of one account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BacktestAccount {
    pub account: i64,
    pub name: String,
    /// Requests that it served.
    pub served: u64,
    /// What they weighed, in tokens of plain input.
    pub tokens: f64,
    pub limits_hit: u64,
    /// Its limits; none of what happened, as they are not kept.
    pub limits: Vec<LimitScore>,
}

/// A limit as it is played.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BacktestLimit {
    pub account: i64,
    pub name: String,
    pub window: String,
    /// What it holds, in tokens of plain input; `None`: nobody knows, and it is taken to hold everything.
    pub tokens: Option<f64>,
    pub source: CapacitySource,
    /// Why nobody knows, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Where it is known from what a limit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CapacitySource {
    /// The order says so.
    Given,
    /// What was served in its window, over the share that its upstream said was used.
    Measured,
    /// Nobody knows.
    Unknown,
}
