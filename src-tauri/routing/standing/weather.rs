//! The weather at one upstream: whether it is in trouble, and how requests return to it after a storm. Shared by
//! all accounts of that upstream, kept in memory alone, and a few numbers large. What is learned here is never
//! counted against an account.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, AtomicU32, Ordering},
};

use jiff::{SignedDuration, Timestamp};

use crate::domain::{Family, Need};
use crate::routing::standing::health::{Hindrance, RAMP, may_be_under_way};

/// Clones share one sky.
#[derive(Debug, Clone, Default)]
pub struct Weather(Arc<Sky>);

#[derive(Debug, Default)]
struct Sky {
    /// Nothing is to be said from this millisecond on; most looks end here.
    calm_from: AtomicI64,
    spells: Mutex<[Spell; PLACES]>,
    /// When accounts of it came back last, and how many together.
    comebacks: Mutex<Comebacks>,
    /// Requests that were let go while it was coming back.
    under_way: AtomicU32,
}

/// The whole upstream, then requests of no family that is known, then each family.
const PLACES: usize = 2 + Family::ALL.len();
const WHOLE: usize = 0;

/// What an attempt says of the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It answered.
    Fair,
    /// It said that it is overloaded (529).
    Overloaded,
    /// It failed (5xx).
    Failing,
    /// It could not be reached, or something else answered in its place.
    OutOfReach,
}

/// A time of trouble.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Spell {
    /// `None`: there was none yet.
    until: Option<Timestamp>,
    /// How many in a row, without an answer between.
    row: u32,
    /// Failures within this one.
    failures: u32,
    /// It was more than a stumble: requests return step by step.
    is_storm: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Comebacks {
    last: Option<Timestamp>,
    count: u32,
}

/// From this many failures without an answer between it is a storm.
const STORM: u32 = 3;
/// So many accounts that come back together are one too.
const TOGETHER: u32 = 3;
/// Together means within this time of one another.
const CLOSE: SignedDuration = SignedDuration::from_secs(10);
const LONGEST: SignedDuration = SignedDuration::from_secs(60);
/// After this many doublings trouble is not expected to last longer.
const DOUBLINGS: u32 = 5;

impl Spell {
    fn is_foul(&self, now: Timestamp) -> bool {
        // A clock that was set back can't make a minute longer.
        self.until.is_some_and(|until| until > now && until.duration_since(now) <= LONGEST)
    }

    /// Since when it has been over, while that still matters.
    fn over_for(&self, now: Timestamp) -> Option<SignedDuration> {
        let over = now.duration_since(self.until?);
        (over >= SignedDuration::ZERO && over < RAMP).then_some(over)
    }

    /// What it is after another sign.
    fn after(self, sign: Sign, now: Timestamp) -> Self {
        if self.until.is_some_and(|until| until.duration_since(now) > LONGEST) {
            return Self::default().after(sign, now);
        }
        let first = match sign {
            Sign::Fair => {
                let until = if self.is_foul(now) { Some(now) } else { self.until };
                return Self { until, row: 0, failures: 0, is_storm: self.is_storm && until.is_some() };
            }
            Sign::Overloaded => SignedDuration::from_secs(5),
            Sign::Failing | Sign::OutOfReach => SignedDuration::from_secs(2),
        };
        // Those that failed together are one piece of news.
        if self.is_foul(now) {
            let failures = self.failures.saturating_add(1);
            return Self { failures, is_storm: self.is_storm || failures >= STORM, ..self };
        }
        let is_next = self.over_for(now).is_some();
        let (row, failures) = if is_next { (self.row + 1, self.failures + 1) } else { (1, 1) };
        let length = first * (1 << (row - 1).min(DOUBLINGS));
        Self { until: now.checked_add(length.min(LONGEST)).ok(), row, failures, is_storm: failures >= STORM }
    }
}

impl Weather {
    /// Whether this is the same upstream's.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Takes in what an attempt said.
    pub fn learn(&self, need: Need, sign: Sign, now: Timestamp) {
        if sign == Sign::Fair && self.is_calm(now) {
            return;
        }
        let mut spells = self.spells();
        for place in [WHOLE, place_of(need)] {
            // Whatever answers can be reached; what can't be reached answers nobody.
            let concerns = match sign {
                Sign::Fair => true,
                Sign::OutOfReach => place == WHOLE,
                Sign::Overloaded | Sign::Failing => place != WHOLE,
            };
            if concerns {
                spells[place] = spells[place].after(sign, now);
            }
        }
        self.reckon(&spells);
    }

    /// An account of it has come back from a long rest. When several do together, their requests return step by
    /// step.
    pub fn learn_comeback(&self, now: Timestamp) {
        let mut comebacks = self.0.comebacks.lock().unwrap_or_else(PoisonError::into_inner);
        let is_close = |last: Timestamp| now.duration_since(last).abs() <= CLOSE;
        comebacks.count = if comebacks.last.is_some_and(is_close) { comebacks.count + 1 } else { 1 };
        comebacks.last = Some(now);
        if comebacks.count < TOGETHER {
            return;
        }
        *comebacks = Comebacks::default();
        let mut spells = self.spells();
        if !spells[WHOLE].is_foul(now) {
            spells[WHOLE] = Spell { until: Some(now), is_storm: true, ..Spell::default() };
            self.reckon(&spells);
        }
    }

    /// Why requests that need this should rather go to another upstream now.
    pub(in crate::routing) fn hindrance(&self, need: Need, now: Timestamp) -> Option<Hindrance> {
        if self.is_calm(now) {
            return None;
        }
        let spells = *self.spells();
        let of_need = [spells[WHOLE], spells[place_of(need)]];
        let foul = of_need.iter().filter(|spell| spell.is_foul(now)).filter_map(|spell| spell.until).max();
        if let Some(until) = foul {
            return Some(Hindrance::Weather(until));
        }
        let under_way = self.0.under_way.load(Ordering::Relaxed);
        self.most(need, now).is_some_and(|most| under_way >= most).then_some(Hindrance::Crowd)
    }

    /// A place among those that may be under way, while it comes back from a storm. `None` if it does not.
    pub fn take_place(&self, need: Need, now: Timestamp) -> Option<UnderWay> {
        self.most(need, now)?;
        self.0.under_way.fetch_add(1, Ordering::Relaxed);
        Some(UnderWay(self.clone()))
    }

    /// How many may be under way; `None`: as many as come.
    fn most(&self, need: Need, now: Timestamp) -> Option<u32> {
        if self.is_calm(now) {
            return None;
        }
        let spells = *self.spells();
        let storms = [spells[WHOLE], spells[place_of(need)]].into_iter().filter(|spell| spell.is_storm);
        storms.filter_map(|spell| may_be_under_way(spell.over_for(now)?)).min()
    }

    fn is_calm(&self, now: Timestamp) -> bool {
        now.as_millisecond() >= self.0.calm_from.load(Ordering::Relaxed)
    }

    fn reckon(&self, spells: &[Spell; PLACES]) {
        let last = spells.iter().filter_map(|spell| spell.until).max();
        let calm = last.and_then(|last| last.checked_add(RAMP).ok()).map_or(0, Timestamp::as_millisecond);
        self.0.calm_from.store(calm, Ordering::Relaxed);
    }

    fn spells(&self) -> MutexGuard<'_, [Spell; PLACES]> {
        self.0.spells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request to an upstream that is coming back from a storm.
#[derive(Debug)]
pub struct UnderWay(Weather);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

fn place_of(need: Need) -> usize {
    let family = need.family.and_then(|family| Family::ALL.iter().position(|known| *known == family));
    1 + family.map_or(0, |place| place + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::routing::pick::tests::now;

    fn at(seconds: f64) -> Timestamp {
        now() + SignedDuration::from_secs_f64(seconds)
    }

    fn opus() -> Need {
        Some(Family::Opus).into()
    }

    fn haiku() -> Need {
        Some(Family::Haiku).into()
    }

    fn foul_for(sky: &Weather, need: Need, now: Timestamp) -> Option<i64> {
        match sky.hindrance(need, now)? {
            Hindrance::Weather(until) => Some(until.duration_since(now).as_secs()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_overload_concerns_its_family_and_an_upstream_out_of_reach_all() {
        let sky = Weather::default();
        assert_eq!(sky.hindrance(opus(), now()), None);
        sky.learn(opus(), Sign::Overloaded, now());
        assert_eq!((foul_for(&sky, opus(), now()), foul_for(&sky, haiku(), now())), (Some(5), None));
        assert_eq!(foul_for(&sky, opus(), at(5.0)), None, "it is short");
        sky.learn(haiku(), Sign::OutOfReach, at(5.0));
        assert_eq!(
            (foul_for(&sky, opus(), at(5.0)), foul_for(&sky, None.into(), at(5.0))),
            (Some(2), Some(2))
        );
    }

    #[test]
    fn an_answer_ends_it_at_once() {
        let sky = Weather::default();
        sky.learn(opus(), Sign::Overloaded, now());
        sky.learn(opus(), Sign::Fair, at(1.0));
        assert_eq!(foul_for(&sky, opus(), at(1.0)), None);
        sky.learn(opus(), Sign::OutOfReach, at(1.0));
        sky.learn(haiku(), Sign::Fair, at(1.5));
        assert_eq!(foul_for(&sky, opus(), at(1.5)), None, "whoever answers one can be reached by all");
        assert_eq!(foul_for(&sky, haiku(), at(1.5)), None);
    }

    #[test]
    fn trouble_that_comes_again_at_once_is_expected_to_last_longer_but_not_for_ever() {
        let sky = Weather::default();
        let mut now = now();
        let mut lengths = Vec::new();
        for _ in 0..8 {
            sky.learn(opus(), Sign::Overloaded, now);
            sky.learn(opus(), Sign::Overloaded, now);
            let length = foul_for(&sky, opus(), now).unwrap();
            lengths.push(length);
            now += SignedDuration::from_secs(length);
        }
        assert_eq!(lengths, [5, 10, 20, 40, 60, 60, 60, 60], "those that fail together are one");
        now += SignedDuration::from_secs(5);
        sky.learn(opus(), Sign::Overloaded, now);
        assert_eq!(foul_for(&sky, opus(), now), Some(5), "after a while it begins anew");
    }

    #[test]
    fn after_a_storm_requests_return_step_by_step_and_after_a_stumble_all_at_once() {
        let sky = Weather::default();
        sky.learn(opus(), Sign::Overloaded, now());
        sky.learn(opus(), Sign::Fair, at(1.0));
        assert!(sky.take_place(opus(), at(1.0)).is_none(), "one failure is no storm");
        for _ in 0..3 {
            sky.learn(opus(), Sign::Overloaded, at(10.0));
        }
        sky.learn(opus(), Sign::Fair, at(11.0));
        let first = sky.take_place(opus(), at(11.0)).unwrap();
        assert_eq!(sky.hindrance(opus(), at(11.4)), Some(Hindrance::Crowd));
        assert_eq!(sky.hindrance(haiku(), at(11.4)), None, "others were not in the storm");
        assert_eq!(sky.hindrance(opus(), at(11.5)), None);
        let second = sky.take_place(opus(), at(11.5));
        assert_eq!(sky.hindrance(opus(), at(11.6)), Some(Hindrance::Crowd));
        drop(first);
        assert_eq!(sky.hindrance(opus(), at(11.6)), None, "one is done");
        drop(second);
        assert!(sky.take_place(opus(), at(16.0)).is_none(), "it is over");
    }

    #[test]
    fn accounts_that_come_back_together_are_a_storm_too() {
        let sky = Weather::default();
        sky.learn_comeback(now());
        sky.learn_comeback(at(1.0));
        assert!(sky.take_place(opus(), at(1.0)).is_none());
        sky.learn_comeback(at(2.0));
        assert!(sky.take_place(opus(), at(2.0)).is_some());
        let sky = Weather::default();
        for n in 0..5 {
            sky.learn_comeback(at(f64::from(n) * 60.0));
            assert!(sky.take_place(opus(), at(f64::from(n) * 60.0)).is_none(), "each for itself");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_a_day_makes_no_weather() {
        let sky = Weather::default();
        for _ in 0..5 {
            sky.learn(opus(), Sign::Overloaded, at(86_400.0));
        }
        assert_eq!(sky.hindrance(opus(), now()), None);
        assert!(sky.take_place(opus(), now()).is_none());
        sky.learn(opus(), Sign::Overloaded, now());
        assert_eq!(foul_for(&sky, opus(), now()), Some(5));
    }

    proptest! {
        #[test]
        fn foul_weather_is_short_whatever_happens(
            signs in proptest::collection::vec((0usize..4, 0usize..3, -100_000i64..100_000), 1..60),
        ) {
            let all = [Sign::Fair, Sign::Overloaded, Sign::Failing, Sign::OutOfReach];
            let needs = [opus(), haiku(), None.into()];
            let (sky, mut last) = (Weather::default(), now());
            for (sign, need, second) in signs {
                let now = now() + SignedDuration::from_secs(second);
                last = last.max(now);
                sky.learn(needs[need], all[sign], now);
                for need in needs {
                    if let Some(Hindrance::Weather(until)) = sky.hindrance(need, now) {
                        prop_assert!(until > now && until.duration_since(now) <= LONGEST);
                    }
                }
            }
            for need in needs {
                prop_assert_eq!(sky.hindrance(need, last + LONGEST), None, "nothing is under way");
                prop_assert!(sky.take_place(need, last + LONGEST + RAMP).is_none());
            }
        }
    }
}
