//! How much a limit holds, measured: what an account served in a window, over the share of it that its upstream
//! said was used by then. Where that can't be known it says why, and never a number.

use jiff::{SignedDuration, Timestamp};

use super::Limit;
use crate::domain::{Endpoint, Family, Window};

/// Why nobody knows how much a limit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unmeasured {
    #[error("its upstream has not said when it starts anew or how much of it is used")]
    Untold,
    #[error("less than a twentieth of its window is used, which is too little to measure by")]
    TooLittle,
    #[error("its window began before the records that were read, or before the account was added")]
    Older,
    #[error("nothing was recorded in its window, so it is used from elsewhere too")]
    Unseen,
}

/// Of less than this a share that was rounded to the percent says too little.
const LEAST: f64 = 0.05;

/// Whether a window is a limit that can be played: one that has a length and starts anew.
pub fn is_played(window: &Window) -> bool {
    window.limits == Some(Endpoint::Messages) && !window.refills && window.name.length().is_some()
}

/// What fits into a window, in tokens of plain input. `uses` are what its account has served, `known_since` is from
/// when on they are complete.
///
/// # Errors
/// [`Unmeasured`]: nobody knows.
pub fn measure(
    window: &Window,
    uses: impl Iterator<Item = (Timestamp, Option<Family>, f64)>,
    known_since: Timestamp,
) -> Result<f64, Unmeasured> {
    let (Some(told), Some(end), Some(length)) = (window.utilization, window.resets_at, window.name.length())
    else {
        return Err(Unmeasured::Untold);
    };
    // A refusal says that all of it is used, whatever was said before.
    let used = if window.spent { told.max(1.0) } else { told };
    if !used.is_finite() || used < LEAST {
        return Err(Unmeasured::TooLittle);
    }
    let begin = end.checked_sub(length).unwrap_or(Timestamp::MIN);
    if begin < known_since {
        return Err(Unmeasured::Older);
    }
    let counts = |at: Timestamp, family: Option<Family>| {
        (begin..=window.learned_at).contains(&at) && (window.family.is_none() || window.family == family)
    };
    let weight: f64 = uses.filter(|(at, family, _)| counts(*at, *family)).map(|(.., weight)| weight).sum();
    if weight > 0.0 { Ok(weight / used) } else { Err(Unmeasured::Unseen) }
}

/// The limit with the window that was open when a play begins, as far as the records before it tell.
pub(super) fn opened(
    limit: Limit,
    uses: impl Iterator<Item = (Timestamp, Option<Family>, f64)>,
    since: Timestamp,
) -> Limit {
    let family = limit.name.family();
    let mut uses: Vec<(Timestamp, f64)> = uses
        .filter(|(at, of, _)| *at < since && (family.is_none() || family == *of))
        .map(|(at, _, weight)| (at, weight))
        .collect();
    uses.sort_by_key(|(at, _)| *at);
    let length = SignedDuration::try_from(limit.length).unwrap_or(SignedDuration::MAX);
    let end_of = |at: Timestamp| at.checked_add(length).unwrap_or(Timestamp::MAX);
    let mut open: Option<(Timestamp, f64)> = limit.anchor.map(|anchor| {
        let begin = since.checked_sub(super::player::phase(anchor, limit.length, since));
        let begin = begin.unwrap_or(Timestamp::MIN);
        uses.retain(|(at, _)| *at >= begin);
        (end_of(begin), 0.0)
    });
    for (at, weight) in uses {
        match &mut open {
            Some((end, used)) if at < *end => *used += weight,
            _ => open = Some((end_of(at), weight)),
        }
    }
    Limit { open: open.filter(|(end, _)| *end > since), ..limit }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{WindowName, WindowSource};

    fn at(minutes: i64) -> Timestamp {
        "2026-11-23T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
    }

    /// Of five hours, from 0:00 on, told an hour after it began.
    fn window(name: &str, used: f64) -> Window {
        let known = Window::new(WindowName(name.into()), WindowSource::Header, at(60));
        Window { utilization: Some(used), resets_at: Some(at(300)), ..known }
    }

    fn uses() -> impl Iterator<Item = (Timestamp, Option<Family>, f64)> {
        // One before the window, three in it, and one that nobody had told of yet.
        let all = [(-1, 1000.0), (0, 10.0), (30, 20.0), (60, 30.0), (61, 500.0)];
        let family = |minute| Some(if minute == 30 { Family::Opus } else { Family::Sonnet });
        all.into_iter().map(move |(minute, weight)| (at(minute), family(minute), weight))
    }

    #[test]
    fn what_was_served_in_a_window_over_its_used_share_is_what_it_holds() {
        assert_eq!(measure(&window("5h", 0.5), uses(), at(-100)), Ok(120.0));
        assert_eq!(measure(&window("5h_opus", 0.5), uses(), at(-100)), Ok(40.0), "its family alone");
        let spent = Window { spent: true, ..window("5h", 0.5) };
        assert_eq!(measure(&spent, uses(), at(-100)), Ok(60.0), "a refusal says that it is full");
    }

    #[test]
    fn what_nobody_knows_is_no_number() {
        let known = at(-100);
        for (window, since, why) in [
            (Window { utilization: None, ..window("5h", 0.5) }, known, Unmeasured::Untold),
            (Window { resets_at: None, ..window("5h", 0.5) }, known, Unmeasured::Untold),
            (window("requests", 0.5), known, Unmeasured::Untold),
            (window("5h", 0.04), known, Unmeasured::TooLittle),
            (window("5h", f64::NAN), known, Unmeasured::TooLittle),
            (window("5h", -1.0), known, Unmeasured::TooLittle),
            (window("5h", 0.5), at(1), Unmeasured::Older),
            (window("5h_haiku", 0.5), known, Unmeasured::Unseen),
        ] {
            assert_eq!(measure(&window, uses(), since), Err(why), "{window:?}");
        }
    }

    fn limit(anchor: Option<i64>) -> Limit {
        Limit {
            name: WindowName("5h".into()),
            length: Duration::from_hours(5),
            capacity: 100.0,
            anchor: anchor.map(at),
            open: None,
        }
    }

    #[test]
    fn a_play_begins_within_the_window_that_was_open() {
        let uses = || [-330, -20, -10, 50].into_iter().map(|minute| (at(minute), None, 10.0));
        let open = |anchor| opened(limit(anchor), uses(), at(0)).open;
        assert_eq!(open(None), Some((at(280), 20.0)), "from the first use after the last end");
        assert_eq!(open(Some(-15)), Some((at(285), 10.0)), "by the calendar");
        assert_eq!(open(Some(3 * 300 - 5)), Some((at(295), 0.0)), "the anchor may lie ahead");
        assert_eq!(opened(limit(None), uses(), at(-400)).open, None, "nothing was used yet");
        assert_eq!(opened(limit(None), uses(), at(1000)).open, None, "it is over");
    }
}
