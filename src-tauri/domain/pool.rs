//! Pools: named sets of accounts, each with the policy by which one of them is chosen. An account is in one
//! pool, and pool 1, `main`, is always there. `main` is everybody's; any other pool serves what is bound or
//! routed to it and nothing else.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::PoolName;

/// One pool, for life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct PoolId(pub i64);

impl PoolId {
    /// The pool that is always there. What is bound to no other is served by it.
    pub const MAIN: Self = Self(1);
}

impl Default for PoolId {
    fn default() -> Self {
        Self::MAIN
    }
}

impl fmt::Display for PoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A pool as it is kept. Which accounts are in it stands with each account.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// Stable for life.
    pub id: PoolId,
    /// Chosen by the user, unique without regard to case.
    pub name: PoolName,
    /// By what one of its accounts is chosen.
    pub policy: Policy,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Pool {
    /// Pool 1 as it is before anybody has changed it.
    pub fn main() -> Self {
        Self {
            id: PoolId::MAIN,
            name: PoolName::main(),
            policy: Policy::Priority,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }
}

/// By what one of the accounts that can serve is chosen. A conversation stays where it is as long as moving
/// would cost more than it gains, whatever the policy says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The lowest priority number first, and back to it when it is back; among equals as `headroom`.
    #[default]
    Priority,
    /// The one with most left in its fullest window.
    Headroom,
    /// What would expire is spent first: the account that is furthest behind its plan of finishing its week and
    /// its hours in time. What never expires, because it is paid by use, comes last.
    SoonestReset,
    /// Everyone in turn: whoever was used longest ago. For accounts that are all alike.
    RoundRobin,
}

impl Policy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Priority, Self::Headroom, Self::SoonestReset, Self::RoundRobin];

    /// The word for SQL, the wire and the screen. Written rows hold it: it never changes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Headroom => "headroom",
            Self::SoonestReset => "soonest_reset",
            Self::RoundRobin => "round_robin",
        }
    }

    /// The policy that is written as this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.word() == word)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_known_again_by_its_word_on_the_wire_and_in_rows() {
        for policy in Policy::ALL {
            assert_eq!(Policy::of(policy.word()), Some(policy));
            assert_eq!(serde_json::to_value(policy).unwrap(), policy.word());
        }
        assert_eq!(Policy::of("fastest"), None);
    }
}
