//! When a usage window of an account is to be opened, for those whose owner has asked for that: pure (`due`), with a
//! book of what was done. Opens none itself. A window that is open, or of which nobody knows, is left alone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use tokio::sync::Notify;

use super::share;
use crate::accounts::Roster;
use crate::{
    domain::{AccountId, Endpoint, Model, OpenWhen, StandingState, Window, first_after, is_ahead},
    events::Event,
    routing::{Contender, standing},
    store::{Store, StoreError},
};

/// A window of the kind that is worth opening lasts between these: a day's or a week's starts soon enough by itself.
const SHORTEST: SignedDuration = SignedDuration::from_hours(1);
const LONGEST: SignedDuration = SignedDuration::from_hours(12);
/// A time of day that was missed by more than this is let go.
const LATE: SignedDuration = SignedDuration::from_hours(2);
/// Clocks differ: so long behind a reset it is over for the upstream too, and up to as much again as dice.
const AFTER: Duration = Duration::from_secs(15);
const JITTER: Duration = Duration::from_mins(1);
/// What holds an opening back for a time that nobody knows is looked at again after this.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(30);

/// What was done, by account. When it was is on disk too, so that no start repeats it.
#[derive(Default)]
pub(in crate::accounts) struct Openings {
    done: Mutex<HashMap<AccountId, Done>>,
    /// Rings when another one may be due next.
    pub(in crate::accounts) changed: Notify,
    /// Held while one is opened: nobody opens the same one beside it.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone, Default)]
struct Done {
    at: Option<Timestamp>,
    /// When there was nothing to open although it was time. Not kept: after a start it is looked at again.
    left: Option<Timestamp>,
    kept_back: Option<KeptBack>,
}

/// Why a window was not opened although it was time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBack {
    /// A sentence.
    pub why: Arc<str>,
    /// When it is looked at again.
    pub until: Timestamp,
}

/// How it stands with opening an account's windows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpeningDue {
    /// When one was opened last, or tried.
    pub opened_at: Option<Timestamp>,
    /// When that is done next, as far as is known.
    pub next_at: Option<Timestamp>,
    /// Why it was not done although it was time.
    pub kept_back: Option<Arc<str>>,
}

impl KeptBack {
    /// Kept back by this; `until`, where that is known.
    pub fn by(why: impl Into<Arc<str>>, until: Option<Timestamp>, now: Timestamp) -> Self {
        let again = now.checked_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX);
        // A clock that was wrong may have named a time; nobody is left alone for ever.
        Self { why: why.into(), until: until.filter(|until| *until > now).unwrap_or(again) }
    }
}

impl Openings {
    pub(in crate::accounts) fn load(store: &Store) -> Result<Self, StoreError> {
        let done = store.openings()?.into_iter();
        let done = done.map(|(id, at)| (id, Done { at: Some(at), ..Done::default() })).collect();
        Ok(Self { done: Mutex::new(done), ..Self::default() })
    }

    pub(in crate::accounts) fn forget(&self, id: AccountId) {
        self.done().remove(&id);
        self.changed.notify_one();
    }

    /// A person has changed something: whatever kept_back it back is looked at anew.
    pub(in crate::accounts) fn let_go(&self, id: AccountId) {
        if let Some(done) = self.done().get_mut(&id) {
            done.kept_back = None;
        }
    }

    fn of(&self, id: AccountId) -> Done {
        self.done().get(&id).cloned().unwrap_or_default()
    }

    fn done(&self) -> MutexGuard<'_, HashMap<AccountId, Done>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is a window that a first request opens and that is over within a day's work.
fn is_short(window: &Window) -> bool {
    let is_short = window.length.is_some_and(|length| (SHORTEST..=LONGEST).contains(&length));
    is_short && !window.refills && window.family.is_none() && window.limits == Some(Endpoint::Messages)
}

/// When the last of its short windows ends or ended, where that is known.
fn reset(windows: &[Window]) -> Option<Timestamp> {
    windows.iter().filter(|window| is_short(window)).filter_map(|window| window.resets_at).max()
}

/// Whether another opening may be due, after what was learned.
pub(in crate::accounts) fn has_moved(before: &Contender, after: &Contender) -> bool {
    reset(&before.windows) != reset(&after.windows)
}

/// When a window is to be opened for an account of which that was done last at `done`; `None`: not as far as is known.
fn due(contender: &Contender, done: Option<Timestamp>, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let opening = contender.account.timed.opens()?;
    let done = done.filter(|at| !is_ahead(*at, now));
    let moment = match &opening.when {
        OpenWhen::AtReset => {
            reset(&contender.windows).filter(|reset| done.is_none_or(|done| done < *reset))?
        }
        OpenWhen::At { days, time } => {
            let earliest = now.checked_sub(LATE).unwrap_or(Timestamp::MIN);
            let since = opening.since.min(now).max(earliest).max(done.unwrap_or(Timestamp::MIN));
            Some(first_after(since, *days, *time, zone)).filter(|at| *at < Timestamp::MAX)?
        }
    };
    moment.checked_add(pause(contender.account.id, moment)).ok()
}

fn pause(id: AccountId, moment: Timestamp) -> Duration {
    AFTER + share(id, moment, JITTER)
}

impl Roster {
    /// Completes when another window may be due to be opened.
    pub async fn openings_changed(&self) {
        self.inner().openings.changed.notified().await;
    }

    /// Whether anybody has asked for windows to be opened.
    pub fn opens_windows(&self) -> bool {
        self.snapshot().contenders.iter().any(|one| one.account.timed.opens().is_some())
    }

    /// When, seen from `now`, the first window is to be opened, as far as is known.
    pub fn opening_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.snapshot().contenders.iter().filter_map(|one| self.due(one, now)).min()
    }

    /// The accounts for which it is time.
    pub fn due_to_open(&self) -> Vec<Arc<Contender>> {
        self.snapshot().contenders.iter().filter(|one| self.is_due_to_open(one)).cloned().collect()
    }

    /// How it stands with an account.
    pub fn opening_of(&self, contender: &Contender) -> OpeningDue {
        let Done { at, kept_back, .. } = self.inner().openings.of(contender.account.id);
        OpeningDue {
            opened_at: at,
            next_at: self.due(contender, self.inner().clock.now()),
            kept_back: kept_back.map(|kept_back| kept_back.why),
        }
    }

    /// Why there is no window of this account to open; `None` where there may be. Of whom no window is known at all,
    /// nobody knows.
    pub fn why_not_open(&self, contender: &Contender) -> Option<Arc<str>> {
        if contender.provider.passes_logins() {
            return Some("it passes on Claude Code's own sign-in, which stays with Claude Code".into());
        }
        let (windows, now) = (&contender.windows, self.inner().clock.now());
        if !windows.is_empty() && !windows.iter().any(is_short) {
            return Some("none of its limits is a window that a first request opens".into());
        }
        let open = windows.iter().filter(|window| is_short(window));
        let mut open = open.filter(|window| window.resets_at.is_some_and(|reset| reset > now));
        open.next().map(|window| format!("its {} window is open already", window.name).into())
    }

    /// The models that it is known to have: what its provider is known for, what its upstream said, and what its own
    /// map leads to.
    pub fn models_of(&self, contender: &Contender) -> Vec<Arc<str>> {
        let told = self.inner().models.list(contender.account.id);
        let mapped = contender.account.models.iter().map(|(asked, _)| Arc::clone(asked));
        let listed: &[Model] = if told.is_empty() { &contender.provider.models } else { &told };
        listed.iter().map(|model| Arc::clone(&model.id)).chain(mapped).collect()
    }

    /// A window of this account is about to be opened. It counts from here on, whatever comes of it. Blocks on the
    /// disk.
    ///
    /// # Errors
    /// If that can't be written down; then nothing is sent, or the next start would do it again.
    pub fn begin_opening(&self, id: AccountId) -> Result<(), StoreError> {
        let now = self.inner().clock.now();
        self.inner().store.save_opening(id, now)?;
        self.inner().openings.done().insert(id, Done { at: Some(now), ..Done::default() });
        self.inner().events.tell(|| Event::Accounts);
        Ok(())
    }

    /// One at a time is opened.
    pub async fn opening_turn(&self) -> impl Drop + '_ {
        self.inner().openings.turn.lock().await
    }

    /// Whether it is time for this one.
    pub fn is_due_to_open(&self, contender: &Contender) -> bool {
        let now = self.inner().clock.now();
        self.due(contender, now).is_some_and(|due| due <= now)
    }

    /// It was time, and there was nothing to open.
    pub fn leave_opening(&self, id: AccountId) {
        let now = self.inner().clock.now();
        let mut done = self.inner().openings.done();
        let done = done.entry(id).or_default();
        (done.left, done.kept_back) = (Some(now), None);
    }

    /// It was time, and something keeps it back.
    pub fn keep_opening_back(&self, id: AccountId, kept_back: KeptBack) {
        let before = self.inner().openings.done().entry(id).or_default().kept_back.replace(kept_back.clone());
        if before.is_none_or(|before| before.why != kept_back.why) {
            self.inner().events.tell(|| Event::Accounts);
        }
    }

    fn due(&self, contender: &Contender, now: Timestamp) -> Option<Timestamp> {
        let (clock, id) = (&self.inner().clock, contender.account.id);
        contender.account.timed.opens()?;
        // Who is paused, or has to sign in, is not due: whatever mends that rings.
        if !matches!(standing(contender, now).state, StandingState::Ready | StandingState::Cooling) {
            return None;
        }
        let done = self.inner().openings.of(id);
        let due = due(contender, done.at.max(done.left), now, &clock.zone())?;
        Some(done.kept_back.map_or(due, |kept_back| due.max(kept_back.until)))
    }
}

#[cfg(test)]
#[path = "opening_tests.rs"]
mod tests;
