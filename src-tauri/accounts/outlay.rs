//! What each account that has caps has spent today, this week and this month: filled from the store, kept up as
//! exchanges end, and put into the snapshot where it makes a difference. Accounts without caps are not counted.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::Timestamp;

use super::{EditError, Roster, roster::Inner};
use crate::{
    domain::{AccountId, Caps, Cost, Outlay, Period, Spent, Sums, Usage},
    events::Event,
    store::{Store, StoreError},
};

/// See the file.
pub(super) struct Outlays {
    tallies: Mutex<HashMap<AccountId, Tally>>,
    /// The day, UTC, that the snapshot's outlays are of; [`NO_DAY`] while nobody has caps.
    day: AtomicI64,
}

const NO_DAY: i64 = i64::MIN;

#[derive(Clone)]
struct Tally {
    days: Sums,
    weeks: Sums,
    months: Sums,
}

impl Default for Outlays {
    fn default() -> Self {
        Self { tallies: Mutex::default(), day: AtomicI64::new(NO_DAY) }
    }
}

impl Outlays {
    /// Sums up what is on disk of an account that has caps.
    pub fn load(
        &self,
        store: &Store,
        id: AccountId,
        caps: &Caps,
        now: Timestamp,
    ) -> Result<Outlay, StoreError> {
        if *caps == Caps::default() {
            return Ok(Outlay::default());
        }
        let mut tally = Tally::load(now, |period| store.spent_by(id, period))?;
        let outlay = tally.at(now);
        self.tallies().insert(id, tally);
        self.day.store(day_of(now), Ordering::Relaxed);
        Ok(outlay)
    }

    /// The account has no caps any more, or is gone.
    pub fn forget(&self, id: AccountId) {
        let mut tallies = self.tallies();
        tallies.remove(&id);
        if tallies.is_empty() {
            self.day.store(NO_DAY, Ordering::Relaxed);
        }
    }

    fn tallies(&self) -> MutexGuard<'_, HashMap<AccountId, Tally>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_idle(&self) -> bool {
        self.day.load(Ordering::Relaxed) == NO_DAY
    }
}

impl Roster {
    /// Counts what an exchange used that began at `began` and that this account served.
    pub fn spend(&self, id: AccountId, usage: &Usage, cost: Cost, began: Timestamp) {
        let inner = self.inner();
        if inner.outlays.is_idle() {
            return;
        }
        let now = inner.clock.now();
        // Held until it is published, so that an older sum never comes after a newer one.
        let mut tallies = inner.outlays.tallies();
        let Some(tally) = tallies.get_mut(&id) else { return };
        tally.add(usage.total(), cost, began);
        inner.show(id, tally.at(now), now);
    }

    /// Looks whether it is another day than the one that the snapshot's outlays are of: midnight has passed, or
    /// the clock was set. Costs a load and a comparison on any other request.
    pub fn keep_day(&self, now: Timestamp) {
        let inner = self.inner();
        let (kept, day) = (inner.outlays.day.load(Ordering::Relaxed), day_of(now));
        if kept == NO_DAY || kept == day {
            return;
        }
        let mut tallies = inner.outlays.tallies();
        inner.outlays.day.store(day, Ordering::Relaxed);
        for (id, tally) in tallies.iter_mut() {
            let outlay = tally.at(now);
            inner.update(*id, |contender| contender.outlay = outlay);
        }
        inner.events.tell(|| Event::Accounts);
    }

    /// What an account that has caps has spent; `None` of one that has none.
    pub fn outlay(&self, id: AccountId, now: Timestamp) -> Option<Outlay> {
        self.inner().outlays.tallies().get_mut(&id).map(|tally| tally.at(now))
    }
}

impl Inner {
    /// Begins to count what an account spends that gets caps. Blocks on the disk; the caller holds `acting`. What
    /// ends while the disk is asked may be counted twice, and is not missed.
    pub fn count(&self, id: AccountId) -> Result<(), EditError> {
        let now = self.clock.now();
        if let Some(tally) = self.outlays.tallies().get_mut(&id) {
            // Of what made no difference to the caps that it had, it may to others.
            let outlay = tally.at(now);
            self.update(id, |contender| contender.outlay = outlay);
            return Ok(());
        }
        self.outlays.tallies().insert(id, Tally::new(now));
        self.outlays.day.store(day_of(now), Ordering::Relaxed);
        let before = self.store.flush().and_then(|()| Tally::load(now, |of| self.store.spent_by(id, of)));
        let before = before.inspect_err(|_| self.outlays.forget(id))?;
        let mut tallies = self.outlays.tallies();
        if let Some(tally) = tallies.get_mut(&id) {
            tally.take_in(&before);
            let outlay = tally.at(now);
            self.update(id, |contender| contender.outlay = outlay);
        }
        Ok(())
    }

    /// Puts an outlay into the snapshot if that makes a difference. The caller holds the tallies.
    fn show(&self, id: AccountId, outlay: Outlay, now: Timestamp) {
        let snapshot = self.snapshot();
        let Some(known) = snapshot.get(id) else { return };
        let Some(guards) = &known.account.guards else { return };
        if levels(&guards.caps, &known.outlay, now) == levels(&guards.caps, &outlay, now) {
            return;
        }
        self.update(id, |contender| contender.outlay = outlay);
        self.events.tell(|| Event::Accounts);
    }
}

impl Tally {
    fn new(now: Timestamp) -> Self {
        Self {
            days: Sums::new(Period::day, now),
            weeks: Sums::new(Period::week, now),
            months: Sums::new(Period::month, now),
        }
    }

    fn load<E>(now: Timestamp, read: impl Fn(Period) -> Result<Spent, E>) -> Result<Self, E> {
        Ok(Self {
            days: Sums::load(Period::day, now, &read)?,
            weeks: Sums::load(Period::week, now, &read)?,
            months: Sums::load(Period::month, now, &read)?,
        })
    }

    fn take_in(&mut self, other: &Self) {
        self.days.take_in(&other.days);
        self.weeks.take_in(&other.weeks);
        self.months.take_in(&other.months);
    }

    fn add(&mut self, tokens: u64, cost: impl Into<Cost>, began: Timestamp) {
        let cost = cost.into();
        for sums in [&mut self.days, &mut self.weeks, &mut self.months] {
            sums.add(tokens, cost, began);
        }
    }

    fn at(&mut self, now: Timestamp) -> Outlay {
        let (day, week, month) = (self.days.at(now), self.weeks.at(now), self.months.at(now));
        Outlay { at: now, day: day.spent, week: week.spent, month: month.spent }
    }
}

fn day_of(now: Timestamp) -> i64 {
    now.as_second().div_euclid(24 * 60 * 60)
}

/// How much of each cap is used, in whole percent: what less than that changes is not worth a new snapshot. A
/// hundred is reached with the last token and not before.
fn levels(caps: &Caps, outlay: &Outlay, now: Timestamp) -> [[u8; 2]; 3] {
    let level = |spent: u64, limit: Option<u64>| match limit {
        None => 0,
        Some(0) => 100,
        Some(limit) => u8::try_from(u128::from(spent) * 100 / u128::from(limit)).unwrap_or(u8::MAX).min(100),
    };
    caps.with(outlay).map(|cap| {
        let (budget, spent) = (cap.budget, cap.spent(now));
        [level(spent.tokens, budget.tokens), level(spent.counted().0, budget.money.map(|money| money.0))]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Budget, Micros};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_cap_is_reached_with_its_last_token_and_is_another_one_after_midnight() {
        let caps = Caps { day: Budget { tokens: Some(1_000_003), money: None }, ..Caps::default() };
        let (late, early) = (at("2026-11-24T23:59:59Z"), at("2026-11-25T00:00:01Z"));
        let mut tally = Tally::new(late);
        tally.add(1_000_002, None, late);
        let level = |tally: &mut Tally, now| levels(&caps, &tally.at(now), now)[0][0];
        assert_eq!(level(&mut tally, late), 99);
        let before = tally.at(late);
        tally.add(1, None, late);
        assert_eq!(level(&mut tally, late), 100);
        assert_eq!(level(&mut tally, early), 0);
        assert_eq!(levels(&caps, &before, early)[0][0], 0, "yesterday's sum is not today's");
        assert_eq!(level(&mut tally, late), 100, "the clock was set back");
        let outlay = tally.at(early);
        assert_eq!((outlay.day.tokens, outlay.week.tokens, outlay.month.tokens), (0, 1_000_003, 1_000_003));
    }

    #[test]
    fn what_is_on_disk_is_added_to_what_has_ended_meanwhile() {
        let now = at("2026-11-24T13:00:00Z");
        let mut tally = Tally::new(now);
        tally.add(5, Some(Micros(2)), now);
        let spent = Spent { tokens: 100, money: Micros(7), unpriced: 3, at_most: Micros(1) };
        tally.take_in(&Tally::load(now, |_| Ok::<_, ()>(spent)).unwrap());
        let day = tally.at(now).day;
        assert_eq!(day, Spent { tokens: 105, money: Micros(9), unpriced: 3, at_most: Micros(1) });
        assert_eq!(tally.at(at("2026-11-23T13:00:00Z")).day.tokens, 100, "and yesterday is as it was");
    }
}
