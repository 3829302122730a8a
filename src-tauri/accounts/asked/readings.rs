//! What the usage endpoints of providers said of accounts, and when each is asked again. An answer teaches windows
//! and nothing else; that none came is told, and takes nobody out of service.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::share;
use crate::accounts::Roster;
use crate::{
    domain::{AccountId, StandingState, Window, is_ahead},
    events::Event,
    routing::{Contender, standing, take_readings},
    secrets::Sensitive,
};

/// From one question to the next.
const EVERY: SignedDuration = SignedDuration::from_mins(15);
/// Up to so much later by chance: machines that were started together do not ask together.
const JITTER: Duration = Duration::from_secs(45);
/// The longest pause after answers that did not come, or that the endpoint may ask for.
const LONGEST: SignedDuration = SignedDuration::from_hours(4);

/// What is known of the questions, by account. In memory: after a start everybody is asked anew.
#[derive(Default)]
pub(in crate::accounts) struct ReadingBook {
    asked: Mutex<HashMap<AccountId, Question>>,
    /// Rings when somebody else may be the next to be asked.
    pub(in crate::accounts) changed: Notify,
}

/// The last question about one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When it is asked again.
    pub next_at: Timestamp,
    /// Why no answer came that could be read, as a sentence; `None` where one came.
    pub failure: Option<Arc<str>>,
    failures: u32,
}

/// What came of a question.
#[derive(Debug, Clone)]
pub enum Heard {
    /// These windows, or none.
    Windows(Vec<Window>),
    /// Nothing that could be read: why, and how long the endpoint wants to be left alone, if it said so.
    Nothing(Arc<str>, Option<Duration>),
}

impl ReadingBook {
    fn asked(&self) -> MutexGuard<'_, HashMap<AccountId, Question>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is gone, or its upstream or key is another one.
    pub(in crate::accounts) fn forget(&self, id: AccountId) {
        self.asked().remove(&id);
        self.changed.notify_one();
    }
}

/// When it is asked again.
fn next(asked_at: Timestamp, failures: u32, wanted: Option<Duration>) -> Timestamp {
    let doubled = EVERY.checked_mul(1 << failures.min(8)).unwrap_or(LONGEST).min(LONGEST);
    let wanted = wanted.and_then(|wait| SignedDuration::try_from(wait).ok()).unwrap_or(SignedDuration::ZERO);
    asked_at.checked_add(doubled.max(wanted.min(LONGEST))).unwrap_or(Timestamp::MAX)
}

/// When one is due of whom this is known: at once where nothing is, or where a clock that was wrong has asked.
fn due(known: Option<&Question>, now: Timestamp) -> Timestamp {
    match known {
        Some(question) if !is_ahead(question.asked_at, now) => question.next_at,
        _ => now,
    }
}

impl Roster {
    /// Completes when somebody else may be the next whose usage is asked for.
    pub async fn readings_changed(&self) {
        self.inner().readings.changed.notified().await;
    }

    /// When, seen from `now`, the first account is due to be asked about; `None` where no account that is in service is at a provider
    /// that would tell.
    pub fn readings_due(&self, now: Timestamp) -> Option<Timestamp> {
        let asked = self.inner().readings.asked().clone();
        self.tellers(now).map(|one| due(asked.get(&one.account.id), now)).min()
    }

    /// Whether there is anybody to ask about.
    pub fn asks_for_readings(&self) -> bool {
        self.tellers(self.inner().clock.now()).next().is_some()
    }

    /// Those who are due; everybody, if a person asks.
    pub fn due_for_readings(&self, by_hand: bool) -> Vec<Arc<Contender>> {
        let (asked, now) = (self.inner().readings.asked().clone(), self.inner().clock.now());
        self.tellers(now).filter(|one| by_hand || due(asked.get(&one.account.id), now) <= now).collect()
    }

    /// One as it stands at this moment, if it may still be asked about.
    pub fn asked_for_readings(&self, id: AccountId) -> Option<Arc<Contender>> {
        self.tellers(self.inner().clock.now()).find(|one| one.account.id == id)
    }

    /// The last question about an account; `None` where there was none.
    pub fn readings_of(&self, id: AccountId) -> Option<Question> {
        self.inner().readings.asked().get(&id).cloned()
    }

    /// Those that are in service and have a key, at providers that tell.
    fn tellers(&self, now: Timestamp) -> impl Iterator<Item = Arc<Contender>> {
        let snapshot = self.snapshot();
        let tells = move |one: &Arc<Contender>| {
            !one.provider.passes_logins()
                && self.catalog().usage(&one.provider).is_some()
                && matches!(standing(one, now).state, StandingState::Ready | StandingState::Cooling)
        };
        let tellers: Vec<_> = snapshot.contenders.iter().filter(|one| tells(one)).cloned().collect();
        tellers.into_iter()
    }

    /// Takes in what came of a question that was asked with this key. Windows are all that changes of the account; one
    /// that has another key or address by now learns nothing.
    pub fn learn_readings(&self, asked: &Contender, key: &Arc<Sensitive<String>>, heard: Heard) {
        let (inner, id) = (self.inner(), asked.account.id);
        let is_same = |known: &Arc<Contender>| known.base_url() == asked.base_url();
        if !self.snapshot().get(id).is_some_and(is_same) || !self.is_current(id, key) {
            return;
        }
        let now = inner.clock.now();
        let before = inner.readings.asked().get(&id).cloned();
        let (failures, wanted, failure, windows) = match heard {
            Heard::Windows(windows) => (0, None, None, windows),
            Heard::Nothing(why, wanted) => {
                let failures = before.as_ref().map_or(0, |before| before.failures).saturating_add(1);
                (failures, wanted, Some(why), Vec::new())
            }
        };
        let is_news = before.and_then(|before| before.failure) != failure;
        let next_at = next(now, failures, wanted) + share(id, now, JITTER);
        inner.readings.asked().insert(id, Question { asked_at: now, next_at, failure, failures });
        if self.take_in(id, &windows) || is_news {
            inner.events.tell(|| Event::Accounts);
        }
    }

    /// True where a window changed.
    fn take_in(&self, id: AccountId, windows: &[Window]) -> bool {
        let (inner, now) = (self.inner(), self.inner().clock.now());
        let Some(known) = self.snapshot().get(id).cloned() else { return false };
        let repeats = take_readings(&mut Contender::clone(&known), windows, now);
        if !repeats.windows && !repeats.age {
            return false;
        }
        let mut learned = None;
        let updated =
            inner.update(id, |contender| learned = Some(take_readings(contender, windows, now).windows));
        let has_changed = learned.unwrap_or_default();
        if let Some(contender) = updated.filter(|_| has_changed) {
            inner.store.save_windows(id, contender.windows.clone());
        }
        has_changed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::SKEW;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn minutes(failures: u32, wanted: Option<u64>) -> i64 {
        next(at(0), failures, wanted.map(Duration::from_mins)).duration_since(at(0)).as_mins()
    }

    #[test]
    fn after_answers_that_did_not_come_it_is_asked_less_often_and_never_less_than_every_four_hours() {
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 400].map(|failures| minutes(failures, None)),
            [15, 30, 60, 120, 240, 240, 240]
        );
        assert_eq!(minutes(1, Some(100)), 100, "who asks for a pause gets it");
        assert_eq!(minutes(1, Some(1)), 30);
        assert_eq!(minutes(1, Some(100_000)), 240, "within reason");
    }

    proptest! {
        #[test]
        fn whatever_the_clock_does_nobody_is_asked_twice_in_a_quarter_of_an_hour_or_left_for_more_than_four(
            asked in -1_000_000i64..1_000_000, now in -1_000_000i64..1_000_000, failures in 0u32..50, wanted in proptest::option::of(0u64..1 << 40),
        ) {
            let (asked_at, now) = (at(asked), at(now));
            let next_at = next(asked_at, failures, wanted.map(Duration::from_secs));
            let question = Question { asked_at, next_at, failure: None, failures };
            let due = due(Some(&question), now);
            prop_assert!(due.duration_since(now) <= LONGEST + SKEW);
            if asked_at <= now && due <= now {
                prop_assert!(now.duration_since(asked_at) >= EVERY);
            }
        }
    }
}
