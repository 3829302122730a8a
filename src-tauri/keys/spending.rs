//! What a key has used today and this month, in memory: filled once from the store, kept up as exchanges
//! end. An exchange counts where it began. Money counts exchanges that have a known price, and the others
//! are numbered, so that nobody takes the sum for the whole.

use jiff::Timestamp;

use crate::domain::{Budget, Grant, Micros, Period, Spent, Usage};

/// Both periods of one key.
#[derive(Debug)]
pub struct Spending {
    day: Account,
    month: Account,
}

/// One period with what was used in it.
#[derive(Debug)]
struct Account {
    period: Period,
    spent: Spent,
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
    /// Filled with what the store has of the day and the month of `now`.
    pub fn new(now: Timestamp, day: Spent, month: Spent) -> Self {
        Self {
            day: Account { period: Period::day(now), spent: day },
            month: Account { period: Period::month(now), spent: month },
        }
    }

    /// The budget of this grant that is used up and lasts longest, if any is.
    pub fn exceeded(&mut self, grant: &Grant, now: Timestamp) -> Option<Limit> {
        self.turn_to(now);
        let month = self.month.exceeded(grant.monthly, ["monthly token", "monthly money"]);
        month.or_else(|| self.day.exceeded(grant.daily, ["daily token", "daily money"]))
    }

    /// Adds what an exchange used that began at `began`.
    pub fn add(&mut self, usage: &Usage, cost: Option<Micros>, began: Timestamp, now: Timestamp) {
        self.turn_to(now);
        for account in [&mut self.day, &mut self.month] {
            if account.period.holds(began) {
                account.add(usage.total(), cost);
            }
        }
    }

    /// What was used so far.
    pub fn usages(&mut self, now: Timestamp) -> Usages {
        self.turn_to(now);
        Usages {
            day: (self.day.spent, self.day.period.until),
            month: (self.month.spent, self.month.period.until),
        }
    }

    /// Begins anew where a period is over, and where the clock was set back to before it: staying would leave
    /// the budget without effect until the clock is there again.
    fn turn_to(&mut self, now: Timestamp) {
        self.day.turn_to(now, Period::day);
        self.month.turn_to(now, Period::month);
    }
}

impl Account {
    fn turn_to(&mut self, now: Timestamp, period: fn(Timestamp) -> Period) {
        if !self.period.holds(now) {
            *self = Self { period: period(now), spent: Spent::default() };
        }
    }

    fn add(&mut self, tokens: u64, cost: Option<Micros>) {
        self.spent.tokens = self.spent.tokens.saturating_add(tokens);
        match cost {
            Some(cost) => self.spent.money += cost,
            None if tokens > 0 => self.spent.unpriced += 1,
            None => {}
        }
    }

    fn exceeded(&self, budget: Budget, names: [&'static str; 2]) -> Option<Limit> {
        let until = self.period.until;
        let tokens = budget.tokens.filter(|limit| self.spent.tokens >= *limit);
        let money = budget.money.filter(|limit| self.spent.money >= *limit);
        let tokens = tokens.map(|limit| Limit { name: names[0], amount: Amount::Tokens(limit), until });
        tokens.or_else(|| money.map(|limit| Limit { name: names[1], amount: Amount::Money(limit), until }))
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tokens(count) => write!(f, "{count} tokens"),
            Self::Money(micros) => micros.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
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

    fn new(now: Timestamp) -> Spending {
        Spending::new(now, Spent::default(), Spent::default())
    }

    #[test]
    fn a_budget_is_used_up_exactly_at_its_limit_and_starts_anew_with_its_period() {
        let now = at("2026-11-24T13:00:00Z");
        let mut spending = new(now);
        spending.add(&used(99), None, now, now);
        assert_eq!(spending.exceeded(&grant(100, 100), now), None);
        spending.add(&used(1), Some(Micros(999_999)), now, now);
        let limit = spending.exceeded(&grant(100, 100), now).unwrap();
        assert_eq!((limit.name, limit.until), ("daily token", at("2026-11-25T00:00:00Z")));
        assert_eq!(spending.exceeded(&grant(100, 100), limit.until), None, "a new day");

        spending.add(&used(0), Some(Micros(1)), limit.until, limit.until);
        let limit = spending.exceeded(&grant(100, 100), limit.until).unwrap();
        assert_eq!((limit.name, limit.until), ("monthly money", at("2026-12-01T00:00:00Z")));
    }

    #[test]
    fn what_began_yesterday_is_not_todays() {
        let (late, early) = (at("2026-11-24T23:59:59Z"), at("2026-11-25T00:00:01Z"));
        let mut spending = new(late);
        spending.add(&used(100), None, late, early);
        let usages = spending.usages(early);
        assert_eq!((usages.day.0.tokens, usages.month.0.tokens), (0, 100));
    }

    #[test]
    fn what_has_no_price_is_numbered_and_not_taken_for_free() {
        let now = at("2026-11-24T13:00:00Z");
        let mut spending = new(now);
        spending.add(&used(100), None, now, now);
        spending.add(&used(0), None, now, now);
        spending.add(&used(5), Some(Micros(7)), now, now);
        let day = spending.usages(now).day.0;
        assert_eq!(day, Spent { tokens: 105, money: Micros(7), unpriced: 1 });
    }

    #[test]
    fn a_clock_that_jumped_ahead_and_back_leaves_no_budget_without_effect() {
        let now = at("2026-11-24T13:00:00Z");
        let mut spending = new(now);
        assert_eq!(spending.exceeded(&grant(100, 100), at("2027-11-24T13:00:00Z")), None);
        spending.add(&used(100), None, now, now);
        assert!(spending.exceeded(&grant(100, 100), now).is_some());
    }
}
