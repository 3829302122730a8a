//! What Headgate asks the accounts' upstreams for by itself: their models, what was used, and that a window be opened.
//! Here is when, whom, and what was heard; the proxy asks.

pub mod models;
pub mod opening;
pub mod readings;

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::AccountId;

/// A share of the jitter: the same for each account and moment, so that no start throws the dice anew, and another one
/// for each, so that accounts and machines that were at the same point do not ask together.
fn share(id: AccountId, moment: Timestamp, jitter: Duration) -> Duration {
    let seed =
        id.0.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ moment.as_millisecond().unsigned_abs();
    let mixed = (seed ^ (seed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let most = u64::try_from(jitter.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis((mixed >> 32).checked_rem(most).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn accounts_that_were_at_the_same_point_are_not_asked_for_together() {
        let (moment, jitter) = (Timestamp::from_second(1_795_000_000).unwrap(), Duration::from_secs(45));
        let all: BTreeSet<_> = (1..=20).map(|id| share(AccountId(id), moment, jitter)).collect();
        assert!(all.len() > 15 && all.iter().all(|share| *share < jitter), "{all:?}");
        let later = Timestamp::from_millisecond(1_795_000_000_001).unwrap();
        assert_ne!(share(AccountId(1), moment, jitter), share(AccountId(1), later, jitter), "each time anew");
        assert_eq!(share(AccountId(1), moment, Duration::ZERO), Duration::ZERO);
    }
}
