//! What a verdict changes about an account. Pure: it changes the value it is given and says what is to be
//! kept; keeping it is the caller's work.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{Contender, standing::health};
use crate::domain::{
    AccountId, Again, Bench, Endpoint, Need, SAME_RESET, Verdict, Window, WindowName, WindowSource,
    sign_in_again,
};

/// What one attempt taught.
#[derive(Debug, Clone, Copy)]
pub struct Lesson<'a> {
    /// What it said of the account; `None` where that is to teach nothing, and only its windows count.
    pub verdict: Option<&'a Verdict>,
    /// The windows that its reply stated.
    pub windows: &'a [Window],
    /// What the request needed.
    pub need: Need,
}

/// What has to be written down, and whether anybody would notice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Learned {
    /// Bench or refusal changed.
    pub health: bool,
    /// A window changed.
    pub windows: bool,
    /// A window was told again: nothing but its age is new, and that is not written down.
    pub age: bool,
    /// It has come back from a long rest.
    pub comeback: bool,
}

/// The first pause of an account whose spent quota has no reset, where no verdict names one.
const UNKNOWN_RESET: Duration = Duration::from_mins(5);
/// The first pause before a refused credential is tried again: upstreams have refused good ones.
const REFUSED: Duration = Duration::from_mins(15);
/// Of one account no more windows are kept than this; the one that was learned longest ago makes room.
const MAX_WINDOWS: usize = 64;
/// A window that is told again unchanged is learned anew after this, so that its age is known.
const AGE: SignedDuration = SignedDuration::from_mins(1);

/// Whether [`settle`] would change anything that has to be kept: most replies only repeat what is known.
pub fn is_news(contender: &Contender, lesson: &Lesson<'_>, now: Timestamp) -> bool {
    let repeats = |told: &Window| {
        contender.windows.iter().any(|window| says_the_same(window, told) && !has_aged(window, told))
    };
    lesson.verdict != Some(&Verdict::Fine)
        || contender.account.bench.is_some()
        || !lesson.windows.iter().all(repeats)
        || contender.windows.iter().any(|window| health::has_reopened(window, lesson.need, now))
}

/// Takes in what one attempt taught.
pub fn settle(contender: &mut Contender, lesson: &Lesson<'_>, now: Timestamp) -> Learned {
    let mut learned = Learned::default();
    let was_on_probation = health::is_on_probation(contender, lesson.need, now);
    if lesson.verdict == Some(&Verdict::Fine) {
        forget_streaks(&mut contender.windows, lesson.need, now);
    }
    for window in lesson.windows {
        take_window(contender, window, UNKNOWN_RESET, now, &mut learned);
    }
    let Some(verdict) = lesson.verdict else { return learned };
    match verdict {
        Verdict::Fine => {
            learned.health |= forgive(contender, now);
            learned.windows |= open(&mut contender.windows, lesson, now);
            learned.comeback = was_on_probation && !health::is_on_probation(contender, lesson.need, now);
        }
        Verdict::Throttled { retry_after: Some(pause) } => {
            learned.health |= rest(contender, *pause, "it asked for a pause", now);
        }
        Verdict::QuotaSpent { window, until, again } => {
            learned.windows |= spend(contender, window, *until, *again, now);
        }
        Verdict::CredentialRefused => {
            let is_first = contender.account.refused.is_none();
            let account = &mut contender.account;
            let why = || match &account.sign_in {
                Some(_) => sign_in_again(&account.name, "the upstream no longer accepts its sign-in"),
                None => "the upstream no longer accepts its key".into(),
            };
            account.refused = account.refused.take().or_else(|| Some(why()));
            learned.health |= is_first | bench(contender, REFUSED, "its key was refused", now);
        }
        // The plan may have room: what is paid on top of it rests this family for a while.
        Verdict::ExtraUsageSpent { window, until } => {
            learned.windows |= spend(contender, window, Some(*until), UNKNOWN_RESET, now);
        }
        Verdict::OrganisationDisabled { again } => {
            learned.health |= bench(contender, *again, "its organisation is disabled", now);
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

/// Takes in what a usage endpoint said of windows, and nothing else: whatever it said, standing, pause and bench stay
/// what they are. A window that keeps requests out does so on its own terms, whatever is said of it here.
pub fn take_readings(contender: &mut Contender, told: &[Window], now: Timestamp) -> Learned {
    let mut learned = Learned::default();
    for window in told {
        let known = contender.windows.iter().find(|known| known.name == window.name);
        // Nor does it push out one that is known, which may be the one that keeps requests out.
        let has_room = known.is_some() || contender.windows.len() < MAX_WINDOWS;
        if has_room && known.is_none_or(|known| known.closed_until(now).is_none()) {
            let window = Window { spent: false, again: None, ..window.clone() };
            take_window(contender, &window, UNKNOWN_RESET, now, &mut learned);
        }
    }
    learned
}

/// Has an account be tried at once, whatever was said of its limits: who asks for that may have paid, and what its
/// upstream says next is the truth. True if there was a spent window.
pub fn reopen(contender: &mut Contender) -> bool {
    // One that limits nothing keeps nothing out.
    let shut = contender.windows.iter_mut().filter(|window| window.spent && window.limits.is_some());
    shut.map(|window| (window.spent, window.again) = (false, None)).count() > 0
}

/// A success ends the streak of a bench that is over, and shows that the credential works. It never shortens
/// one: the answer may have been on its way when the bench was imposed.
fn forgive(contender: &mut Contender, now: Timestamp) -> bool {
    let is_over = contender.account.bench.as_ref().is_some_and(|bench| !bench.holds(now));
    if is_over {
        contender.account.bench = None;
        contender.account.refused = None;
    }
    is_over
}

/// Who serves again refuses no more: where it still says that its window is full, the next pause is a first one.
fn forget_streaks(known: &mut [Window], need: Need, now: Timestamp) {
    for again in known.iter_mut().filter(|window| health::has_reopened(window, need, now)) {
        again.again = again.again.map(|again| Again { streak: 0, ..again });
    }
}

/// A success opens the windows whose time is up, if the reply does not speak of them itself.
fn open(known: &mut [Window], lesson: &Lesson<'_>, now: Timestamp) -> bool {
    let is_told = |window: &Window| lesson.windows.iter().any(|told| told.name == window.name);
    let reopened =
        known.iter_mut().filter(|window| health::has_reopened(window, lesson.need, now) && !is_told(window));
    reopened.map(|window| (window.spent, window.again) = (false, None)).count() > 0
}

/// A rest as long as the upstream asked for.
fn rest(contender: &mut Contender, pause: Duration, reason: &str, now: Timestamp) -> bool {
    let asked = now.checked_add(pause).unwrap_or(Timestamp::MAX);
    let known = contender.account.bench.as_ref();
    // Of two pauses that were asked for, the longer one holds: their replies may have crossed.
    if known.is_some_and(|bench| bench.holds(now) && bench.until >= asked) {
        return false;
    }
    let streak = known.filter(|bench| &*bench.reason == reason).map_or(0, |bench| bench.streak);
    impose(contender, asked, reason, streak.saturating_add(1), now);
    true
}

/// A rest of our own choice, longer each time in a row. One that holds already was imposed for the same news.
fn bench(contender: &mut Contender, first: Duration, reason: &str, now: Timestamp) -> bool {
    let known = contender.account.bench.as_ref();
    let same = known.filter(|bench| &*bench.reason == reason);
    if same.is_some_and(|bench| bench.holds(now)) {
        return false;
    }
    let streak = same.map_or(0, |bench| bench.streak).saturating_add(1);
    let until = now.checked_add(health::pause(first, streak, contender.account.id)).unwrap_or(Timestamp::MAX);
    // A longer rest that the upstream asked for is not cut short.
    let until = known.filter(|bench| bench.holds(now)).map_or(until, |bench| bench.until.max(until));
    impose(contender, until, reason, streak, now);
    true
}

fn impose(contender: &mut Contender, until: Timestamp, reason: &str, streak: u32, now: Timestamp) {
    let reason: Arc<str> = reason.into();
    contender.account.bench = Some(Bench { since: now, until, reason, streak });
}

/// Takes in a window as it was told. `first` is the first pause where it is spent and nobody says until when.
fn take_window(
    contender: &mut Contender,
    told: &Window,
    first: Duration,
    now: Timestamp,
    learned: &mut Learned,
) {
    let (known, account) = (&mut contender.windows, contender.account.id);
    let Some(window) = known.iter_mut().find(|window| window.name == told.name) else {
        make_room(known);
        let again = again(None, told, first, account, now);
        known.push(Window { again, ..told.clone() });
        learned.windows = true;
        return;
    };
    // The earlier statement of one reset stays, or it would be news with each reply.
    let resets_at = if is_same_reset(window, told) { window.resets_at } else { told.resets_at };
    let is_known = says_the_same(window, told);
    let told = Window { resets_at, ..told.clone() };
    let again = again(Some(window), &told, first, account, now);
    let is_known = is_known && again == window.again;
    learned.age |= is_known && has_aged(window, &told);
    learned.windows |= !is_known;
    *window = Window { again, ..told };
}

/// When a window that is spent is tried again, where no reset lies ahead.
fn again(
    known: Option<&Window>,
    told: &Window,
    first: Duration,
    account: AccountId,
    now: Timestamp,
) -> Option<Again> {
    if !told.spent || told.resets_at.is_some_and(|reset| reset > now) {
        return None;
    }
    let last = known.filter(|window| window.spent).and_then(|window| window.again);
    // One that holds already was chosen for the same news, unless by a clock that ran ahead.
    let holds = |again: &Again| again.at > now && again.at.duration_since(now) <= health::LONGEST;
    if let Some(again) = last.filter(holds) {
        return Some(again);
    }
    let streak = last.map_or(0, |again| again.streak).saturating_add(1);
    let at = now.checked_add(health::pause(first, streak, account)).unwrap_or(Timestamp::MAX);
    Some(Again { at, streak })
}

fn spend(
    contender: &mut Contender,
    name: &WindowName,
    until: Option<Timestamp>,
    first: Duration,
    now: Timestamp,
) -> bool {
    let kept = contender.windows.iter().find(|window| window.name == *name);
    let told = Window {
        limits: kept.map_or(Some(Endpoint::Messages), |window| window.limits),
        utilization: kept.and_then(|window| window.utilization),
        resets_at: until,
        spent: true,
        ..Window::new(name.clone(), WindowSource::Refusal, now)
    };
    let mut learned = Learned::default();
    take_window(contender, &told, first, now, &mut learned);
    learned.windows
}

fn make_room(known: &mut Vec<Window>) {
    if known.len() >= MAX_WINDOWS
        && let Some((oldest, _)) = known.iter().enumerate().min_by_key(|(_, window)| window.learned_at)
    {
        known.swap_remove(oldest);
    }
}

fn says_the_same(window: &Window, told: &Window) -> bool {
    window.name == told.name
        && window.utilization == told.utilization
        && is_same_reset(window, told)
        && window.spent == told.spent
        && window.source == told.source
        && (window.limits, window.refills) == (told.limits, told.refills)
}

/// Whether both end together. A reset that is left out once is no new one while the last one lies ahead; of a
/// bucket every reset is.
fn is_same_reset(window: &Window, told: &Window) -> bool {
    if window.refills || told.refills {
        return window.resets_at == told.resets_at;
    }
    match (window.resets_at, told.resets_at) {
        (Some(known), Some(told)) => known.duration_since(told).abs() < SAME_RESET,
        (Some(known), None) => known > told.learned_at && !has_aged_backwards(window, told),
        (None, told) => told.is_none(),
    }
}

/// Whether what is known has been known for so long that being told again is worth something.
fn has_aged(window: &Window, told: &Window) -> bool {
    told.learned_at.duration_since(window.learned_at).abs() >= AGE
}

/// Whether it was learned before the clock was set back.
fn has_aged_backwards(window: &Window, told: &Window) -> bool {
    told.learned_at < window.learned_at && has_aged(window, told)
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
