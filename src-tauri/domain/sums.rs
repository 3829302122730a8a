//! What was spent in the periods that a clock was in last, in memory. What was spent counts where it began. A
//! clock that is set over midnight and back finds each period's sum as it was.

use jiff::{SignedDuration, Timestamp};

use super::{Cost, Period, Spent};

/// The sums of periods of one length, the one that the clock is in first. There is always one; more than
/// [`KEPT`] are not kept, and one that is forgotten begins anew.
#[derive(Debug, Clone)]
pub struct Sums {
    sums: Vec<Sum>,
    period: fn(Timestamp) -> Period,
}

/// One period with what was spent in it.
#[derive(Debug, Clone, Copy)]
pub struct Sum {
    pub period: Period,
    pub spent: Spent,
}

/// Yesterday, today and tomorrow.
const KEPT: usize = 3;
/// As far back a clock may be set that has just been started, and find what was spent before.
const BACK: SignedDuration = SignedDuration::from_hours(24);

impl Sums {
    /// Nothing was spent yet in the period that `now` is in. `period` tells which that is.
    pub fn new(period: fn(Timestamp) -> Period, now: Timestamp) -> Self {
        Self { sums: vec![Sum { period: period(now), spent: Spent::default() }], period }
    }

    /// Filled with what `read` has of the periods around `now`: the clock may be set back, or may have been.
    ///
    /// # Errors
    /// As `read`.
    pub fn load<E>(
        period: fn(Timestamp) -> Period,
        now: Timestamp,
        read: impl Fn(Period) -> Result<Spent, E>,
    ) -> Result<Self, E> {
        let current = period(now);
        let around = [now.checked_sub(BACK).ok(), Some(current.until)];
        let near = around.into_iter().flatten().map(period).filter(|near| *near != current);
        let sums = std::iter::once(current).chain(near);
        let sums = sums.map(|period| Ok(Sum { period, spent: read(period)? }));
        Ok(Self { sums: sums.collect::<Result<_, E>>()?, period })
    }

    /// The sum of the period that `now` is in. To stay with another one would leave a limit without effect
    /// until the clock is there again.
    pub fn at(&mut self, now: Timestamp) -> Sum {
        match self.sums.iter().position(|sum| sum.period.holds(now)) {
            Some(0) => {}
            Some(at) => self.sums[..=at].rotate_right(1),
            None => {
                self.sums.truncate(KEPT - 1);
                self.sums.insert(0, Sum { period: (self.period)(now), spent: Spent::default() });
            }
        }
        self.sums[0]
    }

    /// Adds the sums of others, which are as long. A period that is not here comes to be.
    pub fn take_in(&mut self, others: &Self) {
        for Sum { period, spent } in &others.sums {
            if let Some(sum) = self.sums.iter_mut().find(|sum| sum.period == *period) {
                sum.spent += *spent;
            } else if self.sums.len() < KEPT {
                self.sums.push(Sum { period: *period, spent: *spent });
            }
        }
    }

    /// Adds what began at `began`. Of a period that was forgotten nobody asks any more.
    pub fn add(&mut self, tokens: u64, cost: impl Into<Cost>, began: Timestamp) {
        if let Some(sum) = self.sums.iter_mut().find(|sum| sum.period.holds(began)) {
            sum.spent.add(tokens, cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_of_jumps_makes_them_grow() {
        let now: Timestamp = "2026-11-24T13:00:00Z".parse().unwrap();
        let mut sums = Sums::new(Period::day, now);
        for days in 0..1000 {
            sums.at(now + SignedDuration::from_hours(24 * days));
        }
        assert_eq!(sums.sums.len(), KEPT);
    }
}
