//! What keeps an account from being asked at this moment although it stands ready: a guard of its owner, or bad weather
//! at its upstream. For whoever looks; a request is judged by `case`, which asks the same two rooms.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::{Family, Need};
use crate::routing::{
    Contender, Plan,
    standing::guarded,
    standing::health::{self, Hindrance},
};

/// What keeps an account back now.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptBack {
    /// A sentence without its full stop.
    pub reason: Arc<str>,
    /// `None`: nobody knows.
    pub until: Option<Timestamp>,
    /// Only what asks for this family is kept back; `None`: everything is.
    pub family: Option<Family>,
}

/// What keeps it back: from everything if anything does, else from the first family that it is kept back from.
pub fn kept_back(contender: &Contender, plan: &Plan, now: Timestamp) -> Option<KeptBack> {
    let families = std::iter::once(None).chain(Family::ALL.into_iter().map(Some));
    families.into_iter().find_map(|family| {
        let kept = guarded::kept_back(contender, family, &plan.zones, now)?;
        Some(KeptBack { reason: kept.by.reason().into(), until: kept.until, family })
    })
}

/// Until when its upstream is in bad weather, for whatever kind of request that lasts longest. It is still asked where
/// nobody else can serve.
pub fn bad_weather(contender: &Contender, now: Timestamp) -> Option<Timestamp> {
    let needs = std::iter::once(Need::from(None)).chain(Family::ALL.into_iter().map(|one| Some(one).into()));
    let until = |need| match health::hindrance(contender, need, now) {
        Some(Hindrance::Weather(until)) => Some(until),
        Some(Hindrance::Probation | Hindrance::Crowd) | None => None,
    };
    needs.filter_map(until).max()
}

/// What makes others go first at this moment, although it stands ready; over in seconds, and never a refusal where
/// nobody else can serve, but for the last.
pub fn rush(contender: &Contender, now: Timestamp) -> Option<&'static str> {
    let needs = std::iter::once(Need::from(None)).chain(Family::ALL.into_iter().map(|one| Some(one).into()));
    let hindrances: Vec<Hindrance> =
        needs.filter_map(|need| health::hindrance(contender, need, now)).collect();
    match () {
        () if !contender.load.has_room() => Some("it serves as many requests as it may"),
        () if hindrances.contains(&Hindrance::Probation) => {
            Some("it has just come back, and one request goes ahead to see whether it works")
        }
        () if hindrances.contains(&Hindrance::Crowd) => {
            Some("its upstream has just come back from a storm, and requests go there step by step")
        }
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Guards, Percent, Reserve};
    use crate::routing::{
        Sign,
        pick::tests::{account, in_minutes, now, window},
    };

    fn stops_at(percent: u8) -> Contender {
        let reserves = vec![Reserve { window: None, stop_at: Percent::new(percent).unwrap() }];
        let mut work = account(1);
        work.account.guards = Some(Arc::new(Guards { reserves, ..Guards::default() }));
        work
    }

    #[test]
    fn an_account_at_its_reserve_is_shown_as_kept_back_and_until_when() {
        let plan = Plan::default();
        let work = stops_at(80).with(window("5h", 0.9, false, 60));
        let kept = kept_back(&work, &plan, now()).unwrap();
        assert_eq!(&*kept.reason, "its 5h window is to stop at 80 %");
        assert_eq!((kept.until, kept.family), (Some(in_minutes(60)), None));
        assert_eq!(kept_back(&work, &plan, in_minutes(60)), None);
        let of_opus = stops_at(80).with(window("7d_opus", 0.9, false, 60));
        assert_eq!(kept_back(&of_opus, &plan, now()).unwrap().family, Some(Family::Opus));
        assert_eq!(kept_back(&account(1), &plan, now()), None);
    }

    #[test]
    fn bad_weather_is_told_although_the_account_stands_ready() {
        let work = account(1);
        assert_eq!(bad_weather(&work, now()), None);
        work.weather.learn(Some(Family::Opus).into(), Sign::Overloaded, now());
        assert!(bad_weather(&work, now()).is_some_and(|until| until > now()));
    }
}
