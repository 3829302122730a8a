//! What a key has used today and this month, in memory: filled from the store at the start, kept up as exchanges
//! end. Money counts exchanges that have a known price, and the others are numbered, so that nobody takes the
//! sum for the whole.

use jiff::Timestamp;

use crate::domain::{Budget, Cost, Grant, Micros, Period, Spent, Sum, Sums, Usage, counted};

/// Days and months of one key.
#[derive(Debug)]
pub struct Spending {
    days: Sums,
    months: Sums,
}

/// What was used, and until when that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usages {
    pub day: (Spent, Timestamp),
    pub month: (Spent, Timestamp),
}

/// A budget that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// `daily token`, `monthly money`.
    pub name: &'static str,
    /// In words: `1000 tokens`, `$5.00`.
    pub amount: Amount,
    /// When it starts anew.
    pub until: Timestamp,
}

/// How much a budget allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    Tokens(u64),
    Money(Micros),
}

impl Spending {
    /// Nothing was used yet.
    pub fn new(now: Timestamp) -> Self {
        Self { days: Sums::new(Period::day, now), months: Sums::new(Period::month, now) }
    }

    /// Filled with what `read` has of the periods around `now`.
    ///
    /// # Errors
    /// As `read`.
    pub fn load<E>(now: Timestamp, read: impl Fn(Period) -> Result<Spent, E>) -> Result<Self, E> {
        let days = Sums::load(Period::day, now, &read)?;
        Ok(Self { days, months: Sums::load(Period::month, now, read)? })
    }

    /// The budget of this grant that is used up and lasts longest, if any is.
    pub fn exceeded(&mut self, grant: &Grant, now: Timestamp) -> Option<Limit> {
        let month = exceeded(self.months.at(now), grant.monthly, ["monthly token", "monthly money"]);
        month.or_else(|| exceeded(self.days.at(now), grant.daily, ["daily token", "daily money"]))
    }

    /// Adds what an exchange used that began at `began`.
    pub fn add(&mut self, usage: &Usage, cost: impl Into<Cost>, began: Timestamp) {
        let cost = cost.into();
        for sums in [&mut self.days, &mut self.months] {
            sums.add(usage.total(), cost, began);
        }
    }

    /// What was used so far.
    pub fn usages(&mut self, now: Timestamp) -> Usages {
        let told = |sum: Sum| (sum.spent, sum.period.until);
        Usages { day: told(self.days.at(now)), month: told(self.months.at(now)) }
    }
}

fn exceeded(sum: Sum, budget: Budget, names: [&'static str; 2]) -> Option<Limit> {
    let until = sum.period.until;
    let tokens = budget.tokens.filter(|limit| sum.spent.tokens >= *limit);
    let money = budget.money.filter(|limit| sum.spent.money >= *limit);
    let tokens = tokens.map(|limit| Limit { name: names[0], amount: Amount::Tokens(limit), until });
    tokens.or_else(|| money.map(|limit| Limit { name: names[1], amount: Amount::Money(limit), until }))
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tokens(count) => counted(*count, "token").fmt(f),
            Self::Money(micros) => micros.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn used(tokens: u64) -> Usage {
        Usage { output: Some(tokens), ..Usage::default() }
    }

    fn grant(daily: u64, monthly_cents: u64) -> Grant {
        Grant {
            daily: Budget { tokens: Some(daily), money: None },
            monthly: Budget { tokens: None, money: Some(Micros(monthly_cents * 10_000)) },
            ..Grant::default()
        }
    }

    fn day(spending: &mut Spending, now: Timestamp) -> u64 {
        spending.usages(now).day.0.tokens
    }

    #[test]
    fn a_budget_is_used_up_exactly_at_its_limit_and_starts_anew_with_its_period() {
        let now = at("2026-11-24T13:00:00Z");
        let mut spending = Spending::new(now);
        spending.add(&used(99), None, now);
        assert_eq!(spending.exceeded(&grant(100, 100), now), None);
        spending.add(&used(1), Some(Micros(999_999)), now);
        let limit = spending.exceeded(&grant(100, 100), now).unwrap();
        assert_eq!((limit.name, limit.until), ("daily token", at("2026-11-25T00:00:00Z")));
        assert_eq!(spending.exceeded(&grant(100, 100), limit.until), None, "a new day");

        spending.add(&used(0), Some(Micros(1)), limit.until);
        let limit = spending.exceeded(&grant(100, 100), limit.until).unwrap();
        assert_eq!((limit.name, limit.until), ("monthly money", at("2026-12-01T00:00:00Z")));
    }

    #[test]
    fn what_began_yesterday_is_not_todays() {
        let (late, early) = (at("2026-11-24T23:59:59Z"), at("2026-11-25T00:00:01Z"));
        let mut spending = Spending::new(late);
        spending.add(&used(100), None, late);
        let usages = spending.usages(early);
        assert_eq!((usages.day.0.tokens, usages.month.0.tokens), (0, 100));
        spending.add(&used(7), None, late);
        assert_eq!(day(&mut spending, early), 0, "nor what ends today");
    }

    #[test]
    fn a_clock_that_is_set_over_midnight_and_back_neither_doubles_nor_forgets() {
        let (late, early) = (at("2026-11-30T23:59:50Z"), at("2026-12-01T00:00:10Z"));
        let mut spending = Spending::new(late);
        spending.add(&used(100), None, late);
        for _ in 0..10 {
            assert_eq!(spending.exceeded(&grant(100, 100), early), None);
            let limit = spending.exceeded(&grant(100, 100), late).unwrap();
            assert_eq!(limit.until, at("2026-12-01T00:00:00Z"));
        }
        spending.add(&used(1), None, early);
        spending.add(&used(20), None, late);
        let (before, after) = (spending.usages(late), spending.usages(early));
        assert_eq!((before.day.0.tokens, before.month.0.tokens), (120, 120));
        assert_eq!((after.day.0.tokens, after.month.0.tokens), (1, 1));
    }

    #[test]
    fn a_start_reads_the_periods_around_it_each_once() {
        let started = |now: &str| {
            let read = std::cell::RefCell::new(Vec::new());
            let spent = |period: Period| {
                read.borrow_mut().push(period.since.to_string());
                Ok::<_, ()>(Spent { tokens: period.since.as_second().unsigned_abs(), ..Spent::default() })
            };
            let spending = Spending::load(at(now), spent).unwrap();
            (spending, read.into_inner())
        };
        let (mut spending, read) = started("2026-12-15T12:00:00Z");
        let days = ["2026-12-15T00:00:00Z", "2026-12-14T00:00:00Z", "2026-12-16T00:00:00Z"];
        assert_eq!(read[..3], days);
        assert_eq!(read[3..], ["2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"]);
        for since in days.map(at) {
            assert_eq!(day(&mut spending, since), since.as_second().unsigned_abs());
        }
        let (_, read) = started("2026-12-01T00:00:10Z");
        assert_eq!(
            read[4], "2026-11-01T00:00:00Z",
            "the month before, while the clock may be set back to it"
        );
    }

    #[test]
    fn what_has_no_price_is_numbered_and_not_taken_for_free() {
        let now = at("2026-11-24T13:00:00Z");
        let mut spending = Spending::new(now);
        spending.add(&used(100), None, now);
        spending.add(&used(0), None, now);
        spending.add(&used(5), Some(Micros(7)), now);
        let day = spending.usages(now).day.0;
        assert_eq!(day, Spent { tokens: 105, money: Micros(7), unpriced: 1, ..Spent::default() });
    }

    #[test]
    fn a_clock_that_jumped_ahead_and_back_leaves_no_budget_without_effect() {
        let now = at("2026-11-24T13:00:00Z");
        let mut spending = Spending::new(now);
        assert_eq!(spending.exceeded(&grant(100, 100), at("2027-11-24T13:00:00Z")), None);
        spending.add(&used(100), None, now);
        assert!(spending.exceeded(&grant(100, 100), now).is_some());
    }

    proptest! {
        /// Three days in a row, in whatever order the clock is in them, are summed as a ledger would.
        #[test]
        fn each_day_has_what_began_in_it(
            moves in proptest::collection::vec((0..3i64, 0..3i64, 0..100u64), 0..60),
        ) {
            let moment = |day: i64| at("2026-11-24T13:00:00Z") + SignedDuration::from_hours(24 * day);
            let mut spending = Spending::new(moment(0));
            let mut ledger = [0; 3];
            let mut visited = [true, false, false];
            for (now, began, tokens) in moves {
                visited[usize::try_from(now).unwrap()] = true;
                prop_assert_eq!(day(&mut spending, moment(now)), ledger[usize::try_from(now).unwrap()]);
                // What ends began while the clock was there.
                if visited[usize::try_from(began).unwrap()] {
                    spending.add(&used(tokens), None, moment(began));
                    ledger[usize::try_from(began).unwrap()] += tokens;
                }
            }
        }
    }
}
