//! What a verdict changes about an account. Pure: it changes the value it is given and says what is to be
//! kept; keeping it is the caller's work.

use std::time::Duration;

use jiff::Timestamp;

use super::Contender;
use crate::domain::{Bench, Verdict, Window, WindowName, WindowSource};

/// What has to be written down, and whether anybody would notice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Learned {
    /// Bench or refusal changed.
    pub health: bool,
    /// A window changed.
    pub windows: bool,
}

/// The rest of an account whose quota is spent while nobody says until when.
const UNKNOWN_RESET: Duration = Duration::from_mins(5);
/// More windows than this are not kept of one account; no upstream states half as many.
const MAX_WINDOWS: usize = 64;

/// Whether [`settle`] would change anything that has to be kept: most replies only repeat what is known.
pub fn is_news(contender: &Contender, verdict: &Verdict, windows: &[Window]) -> bool {
    let is_known = |told: &Window| contender.windows.iter().any(|window| says_the_same(window, told));
    *verdict != Verdict::Fine || contender.account.bench.is_some() || !windows.iter().all(is_known)
}

/// Takes in one attempt's verdict and the windows that its reply stated.
pub fn settle(contender: &mut Contender, verdict: &Verdict, windows: &[Window], now: Timestamp) -> Learned {
    let mut learned = Learned::default();
    for window in windows {
        learned.windows |= take_window(&mut contender.windows, window);
    }
    match verdict {
        Verdict::Fine => learned.health |= forgive(contender, now),
        Verdict::Throttled { retry_after: Some(pause) } => {
            bench(contender, *pause, "it asked for a pause", now);
            learned.health = true;
        }
        Verdict::QuotaSpent { window, until } => {
            learned.windows |= spend(&mut contender.windows, window, *until, now);
            if until.is_none() {
                bench(contender, UNKNOWN_RESET, &format!("its {window} is spent"), now);
                learned.health = true;
            }
        }
        Verdict::CredentialRefused => {
            learned.health |= contender.account.refused.is_none();
            contender.account.refused = Some("the upstream no longer accepts its key".into());
        }
        // The plan may have room: what is paid on top of it rests this family for a while.
        Verdict::ExtraUsageSpent { window, until } => {
            learned.windows |= spend(&mut contender.windows, window, Some(*until), now);
        }
        Verdict::OrganisationDisabled { until } => {
            let pause = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            bench(contender, pause, "its organisation is disabled", now);
            learned.health = true;
        }
        // A throttle without a time concerns this request alone, and neither the weather nor a fault of
        // the request says anything about the account.
        Verdict::Throttled { retry_after: None }
        | Verdict::OwnLimit
        | Verdict::Forbidden
        | Verdict::ModelMissing
        | Verdict::ContextTooLong
        | Verdict::Weather
        | Verdict::RequestFault => {}
    }
    learned
}

/// A success ends the streak of a bench that is over. It never shortens one: the answer may have been on
/// its way when the bench was imposed.
fn forgive(contender: &mut Contender, now: Timestamp) -> bool {
    let is_over = contender.account.bench.as_ref().is_some_and(|bench| bench.until <= now);
    if is_over {
        contender.account.bench = None;
    }
    is_over
}

fn bench(contender: &mut Contender, pause: Duration, reason: &str, now: Timestamp) {
    let streak = contender.account.bench.as_ref().map_or(0, |bench| bench.streak).saturating_add(1);
    // Of two pauses that were asked for, the longer one holds: their replies may have crossed.
    let asked = now.checked_add(pause).unwrap_or(Timestamp::MAX);
    let until = contender.account.bench.as_ref().map_or(asked, |bench| bench.until.max(asked));
    contender.account.bench = Some(Bench { until, reason: reason.into(), streak });
}

fn take_window(known: &mut Vec<Window>, told: &Window) -> bool {
    let Some(window) = known.iter_mut().find(|window| window.name == told.name) else {
        if known.len() >= MAX_WINDOWS {
            return false;
        }
        known.push(told.clone());
        return true;
    };
    let is_known = says_the_same(window, told);
    *window = told.clone();
    !is_known
}

fn says_the_same(window: &Window, told: &Window) -> bool {
    window.name == told.name
        && window.utilization == told.utilization
        && window.resets_at == told.resets_at
        && window.spent == told.spent
        && window.source == told.source
}

fn spend(known: &mut Vec<Window>, name: &WindowName, until: Option<Timestamp>, now: Timestamp) -> bool {
    let kept = known.iter().find(|window| window.name == *name);
    let window = Window {
        name: name.clone(),
        family: name.family(),
        utilization: kept.and_then(|window| window.utilization),
        resets_at: until,
        spent: true,
        source: WindowSource::Refusal,
        learned_at: now,
    };
    take_window(known, &window)
}

#[cfg(test)]
mod tests {
    use super::super::pick::tests::{account, in_minutes, now, window};
    use super::super::standing;
    use super::*;
    use crate::domain::StandingState;

    #[test]
    fn a_throttled_account_rests_as_long_as_it_asked() {
        let mut work = account(1);
        let verdict = Verdict::Throttled { retry_after: Some(Duration::from_mins(2)) };
        assert!(settle(&mut work, &verdict, &[], now()).health);
        assert_eq!(standing(&work, now()).until, Some(in_minutes(2)));
        assert_eq!(standing(&work, in_minutes(2)).state, StandingState::Ready);
    }

    #[test]
    fn a_429_without_a_time_benches_nobody() {
        let mut work = account(1);
        let learned = settle(&mut work, &Verdict::Throttled { retry_after: None }, &[], now());
        assert_eq!(learned, Learned::default());
        assert_eq!(standing(&work, now()).state, StandingState::Ready);
    }

    #[test]
    fn an_answer_that_was_on_its_way_does_not_shorten_a_bench() {
        let mut work = account(1);
        settle(&mut work, &Verdict::Throttled { retry_after: Some(Duration::from_mins(1)) }, &[], now());
        settle(&mut work, &Verdict::Fine, &[], now());
        assert_eq!(standing(&work, now()).state, StandingState::Cooling);
        settle(&mut work, &Verdict::Fine, &[], in_minutes(1));
        assert_eq!(work.account.bench, None, "a success after it ends the streak");
    }

    #[test]
    fn a_spent_window_opens_again_when_a_reply_says_so() {
        let mut work = account(1);
        let spent = Verdict::QuotaSpent { window: WindowName("5h".into()), until: Some(in_minutes(30)) };
        settle(&mut work, &spent, &[], now());
        assert_eq!(standing(&work, now()).state, StandingState::Cooling);
        settle(&mut work, &Verdict::Fine, &[window("5h", 0.0, false, 300)], in_minutes(1));
        assert_eq!(standing(&work, in_minutes(1)).state, StandingState::Ready);
    }

    #[test]
    fn a_spent_quota_without_a_reset_is_tried_again_after_a_while() {
        let mut work = account(1);
        settle(
            &mut work,
            &Verdict::QuotaSpent { window: WindowName("credit".into()), until: None },
            &[],
            now(),
        );
        assert_eq!(standing(&work, now()).until, Some(in_minutes(5)));
        assert_eq!(standing(&work, in_minutes(5)).state, StandingState::Ready, "nobody is benched for ever");
    }

    #[test]
    fn windows_told_again_unchanged_are_not_written_again() {
        let mut work = account(1);
        let told = [window("5h", 0.5, false, 60)];
        assert!(settle(&mut work, &Verdict::Fine, &told, now()).windows);
        assert!(!settle(&mut work, &Verdict::Fine, &told, now()).windows);
    }
}
