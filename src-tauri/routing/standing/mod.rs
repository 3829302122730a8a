//! Computes what an account is good for, from what is kept of it and the time.

pub(super) mod guarded;
pub mod health;
pub(super) mod kept_back;
pub(super) mod weather;

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::{Family, Need, PausedBy, Standing, StandingState, Window};
use crate::routing::Contender;

/// The account's standing as a person sees it: windows of a single family do not count, and a credential that
/// was refused stays refused until it has worked.
pub fn standing(contender: &Contender, now: Timestamp) -> Standing {
    match &contender.account.refused {
        Some(refused) if contender.account.pause.is_none() => needs_sign_in(refused),
        _ => standing_for(contender, None, now),
    }
}

/// The account's standing for requests that need this. Costs no allocation while it is ready. A credential that
/// was refused is ready to be tried again once its bench is over.
pub fn standing_for(contender: &Contender, need: impl Into<Need>, now: Timestamp) -> Standing {
    let (account, need) = (&contender.account, need.into());
    if let Some(pause) = &account.pause {
        let reason = match &pause.by {
            _ if !pause.reason.is_empty() => Arc::clone(&pause.reason),
            PausedBy::Key(name) => format!("paused with the key {name}").into(),
            PausedBy::Page => "paused on the page".into(),
            PausedBy::Program => "paused by a command or a script".into(),
            PausedBy::User => "paused by you".into(),
        };
        return Standing { state: StandingState::Paused, reason: Some(reason), until: None };
    }
    let bench = account.bench.as_ref().filter(|bench| bench.holds(now));
    if let Some(refused) = &account.refused
        && (bench.is_some() || account.bench.is_none())
    {
        return needs_sign_in(refused);
    }
    let closed = |window: &'_ Window| window.applies_to(need).then(|| window.closed_until(now)).flatten();
    let spent = contender.windows.iter().filter_map(|window| Some((closed(window)?, window)));
    match (bench, spent.max_by_key(|(until, _)| *until)) {
        (Some(bench), window) if window.is_none_or(|(until, _)| until <= bench.until) => {
            cooling(Arc::clone(&bench.reason), Some(bench.until))
        }
        (_, Some((until, window))) => cooling(spent_reason(window), Some(until)),
        _ => Standing::READY,
    }
}

/// The families that it can't be asked for although it stands ready for others, each with why and until when.
pub fn families_out(contender: &Contender, now: Timestamp) -> Vec<(Family, Standing)> {
    if standing(contender, now).state != StandingState::Ready {
        return Vec::new();
    }
    let of = |family: Family| (family, standing_for(contender, Some(family), now));
    let all = Family::ALL.into_iter().map(of);
    all.filter(|(_, standing)| standing.state != StandingState::Ready).collect()
}

fn needs_sign_in(refused: &Arc<str>) -> Standing {
    Standing { state: StandingState::NeedsSignIn, reason: Some(Arc::clone(refused)), until: None }
}

fn cooling(reason: Arc<str>, until: Option<Timestamp>) -> Standing {
    Standing { state: StandingState::Cooling, reason: Some(reason), until }
}

fn spent_reason(window: &Window) -> Arc<str> {
    format!("its {} window is spent", window.name).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bench, Family, Pause};
    use crate::routing::pick::tests::{account, in_minutes, now, window};

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
        let [(family, out)] = &families_out(&work, now())[..] else { panic!("Opus alone is out") };
        assert_eq!((*family, out.until), (Family::Opus, Some(in_minutes(60))));
        assert_eq!(out.reason.as_deref(), Some("its 7d_opus window is spent"));
        assert_eq!(families_out(&work, in_minutes(60)), []);
        let all = work.with(window("5h", 1.0, true, 60));
        assert_eq!(families_out(&all, now()), [], "where it can't be asked at all, that is said");
    }

    #[test]
    fn of_two_rests_the_longer_one_is_told() {
        let mut work = account(1).with(window("5h", 1.0, true, 10));
        work.account.bench =
            Some(Bench { since: now(), until: in_minutes(2), reason: "throttled".into(), streak: 1 });
        assert_eq!(standing(&work, now()).until, Some(in_minutes(10)));
        work.account.bench =
            Some(Bench { since: now(), until: in_minutes(20), reason: "throttled".into(), streak: 1 });
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
