//! Forgets what is old, a little at a time and with a rest between, so that requests are written as if nothing were.
//! Blocks. It can be ended between any two steps, and goes on where it was the next time.

use std::{thread, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    domain::{DecisionId, ExchangeId},
    store::{Store, StoreError},
};

/// So many rows or pages are a step: the writer is held for some milliseconds.
const AT_A_TIME: u32 = 500;
const REST: Duration = Duration::from_millis(5);

/// What was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Requests, with their attempts.
    pub requests: u64,
    /// Decisions that no request that is kept was decided by.
    pub decisions: u64,
    /// Pages of the database that were given back to the disk.
    pub pages: u64,
    /// It was ended before all was done.
    pub is_cut_short: bool,
}

/// The first id that is kept where so many days are. They are counted back from the newest request if that is older
/// than now: a clock that is wrong for a moment forgets nothing.
pub fn first_kept(now: Timestamp, newest: ExchangeId, days: u32) -> ExchangeId {
    let from = now.as_millisecond().min(newest.unix_ms());
    let kept = SignedDuration::from_hours(24 * i64::from(days));
    ExchangeId::first_of(from.saturating_sub(i64::try_from(kept.as_millis()).unwrap_or(i64::MAX)))
}

/// Forgets all before this id, unless `stops` says so meanwhile.
///
/// # Errors
/// If the store fails; what was forgotten by then stays so.
pub fn forget(store: &Store, before: ExchangeId, stops: impl Fn() -> bool) -> Result<Forgotten, StoreError> {
    let mut done = Forgotten::default();
    let goes_on = |was_step_full: bool| {
        if was_step_full {
            thread::sleep(REST);
        }
        was_step_full && !stops()
    };
    let is_full = |rows: u64| rows == u64::from(AT_A_TIME);
    loop {
        let gone = store.forget_requests(before, AT_A_TIME)?;
        done.requests += gone;
        if !goes_on(is_full(gone)) {
            break;
        }
    }
    if let Some(since) = store.decisions_are_named_since()? {
        let mut after = DecisionId(i64::MIN);
        loop {
            let stale = store.stale_decisions(after, since, AT_A_TIME)?;
            let Some(last) = stale.last().copied().filter(|_| !stops()) else { break };
            done.decisions += store.forget_decisions(&stale, since)?;
            after = last;
            if !goes_on(is_full(stale.len() as u64)) {
                break;
            }
        }
    }
    while !stops() {
        let (given, left) = store.give_back(AT_A_TIME)?;
        done.pages += given;
        if given == 0 || !goes_on(left > 0) {
            break;
        }
    }
    done.is_cut_short = stops();
    Ok(done)
}
