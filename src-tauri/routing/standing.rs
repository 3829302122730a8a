//! Computes what an account is good for, from what is kept of it and the time.

use std::sync::Arc;

use jiff::Timestamp;

use super::Contender;
use crate::domain::{Family, Standing, StandingState, Window};

/// The account's standing for any request at all: windows of a single family do not count.
pub fn standing(contender: &Contender, now: Timestamp) -> Standing {
    standing_for(contender, None, now)
}

/// The account's standing for requests of this family. Costs no allocation while it is ready.
pub fn standing_for(contender: &Contender, family: Option<Family>, now: Timestamp) -> Standing {
    let account = &contender.account;
    if let Some(pause) = &account.pause {
        let reason = if pause.reason.is_empty() { "paused by you".into() } else { Arc::clone(&pause.reason) };
        return Standing { state: StandingState::Paused, reason: Some(reason), until: None };
    }
    if let Some(refused) = &account.refused {
        return Standing {
            state: StandingState::NeedsSignIn,
            reason: Some(Arc::clone(refused)),
            until: None,
        };
    }
    let bench = account.bench.as_ref().filter(|bench| bench.until > now);
    let spent = contender
        .windows
        .iter()
        .filter(|window| {
            window.spent && window.applies_to(family) && window.resets_at.is_some_and(|reset| reset > now)
        })
        .max_by_key(|window| window.resets_at);
    match (bench, spent) {
        (Some(bench), window)
            if window.and_then(|window| window.resets_at).is_none_or(|reset| reset <= bench.until) =>
        {
            cooling(Arc::clone(&bench.reason), Some(bench.until))
        }
        (_, Some(window)) => cooling(spent_reason(window), window.resets_at),
        _ => Standing::READY,
    }
}

fn cooling(reason: Arc<str>, until: Option<Timestamp>) -> Standing {
    Standing { state: StandingState::Cooling, reason: Some(reason), until }
}

fn spent_reason(window: &Window) -> Arc<str> {
    format!("its {} window is spent", window.name).into()
}

#[cfg(test)]
mod tests {
    use super::super::pick::tests::{account, in_minutes, now, window};
    use super::*;
    use crate::domain::{Bench, Pause, PausedBy};

    #[test]
    fn a_spent_window_rests_the_account_until_its_reset_and_no_longer() {
        let work = account(1).with(window("5h", 1.0, true, 38));
        assert_eq!(standing(&work, now()).until, Some(in_minutes(38)));
        assert_eq!(standing(&work, in_minutes(38)), Standing::READY, "a reset in the past is no limit");
    }

    #[test]
    fn a_window_of_one_family_rests_that_family_alone() {
        let work = account(1).with(window("7d_opus", 1.0, true, 60));
        assert_eq!(standing_for(&work, Some(Family::Opus), now()).state, StandingState::Cooling);
        assert_eq!(standing_for(&work, Some(Family::Sonnet), now()).state, StandingState::Ready);
        assert_eq!(standing(&work, now()).state, StandingState::Ready);
    }

    #[test]
    fn of_two_rests_the_longer_one_is_told() {
        let mut work = account(1).with(window("5h", 1.0, true, 10));
        work.account.bench = Some(Bench { until: in_minutes(2), reason: "throttled".into(), streak: 1 });
        assert_eq!(standing(&work, now()).until, Some(in_minutes(10)));
        work.account.bench = Some(Bench { until: in_minutes(20), reason: "throttled".into(), streak: 1 });
        assert_eq!(standing(&work, now()).until, Some(in_minutes(20)));
    }

    #[test]
    fn a_pause_outranks_everything_and_keeps_its_reason() {
        let mut work = account(1);
        work.account.refused = Some("refused".into());
        work.account.pause = Some(Pause { reason: "on holiday".into(), by: PausedBy::User, at: now() });
        let standing = standing(&work, now());
        assert_eq!((standing.state, standing.reason.as_deref()), (StandingState::Paused, Some("on holiday")));
    }
}
