//! Money as whole micro-dollars, so that sums are exact and nobody rounds twice.

use std::{fmt, ops::AddAssign};

/// An amount in millionths of a US dollar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Micros(pub u64);

/// What something cost, as far as anybody knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// By the price list; `None` where it has no price.
    pub known: Option<Micros>,
    /// Where it has none: what it would cost at the dearest price of its family. No price, but a bound to count by.
    pub at_most: Option<Micros>,
}

impl From<Option<Micros>> for Cost {
    fn from(known: Option<Micros>) -> Self {
        Self { known, at_most: None }
    }
}

/// How many make a dollar.
const PER_DOLLAR: f64 = 1e6;
/// A billion dollars; nobody means more.
const MOST: f64 = 1e9;

impl Micros {
    /// Takes dollars as a person writes them, to the nearest micro-dollar. `None` if they are no amount that
    /// could be meant: not a number, negative, or beyond a billion.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked before"
    )]
    pub fn of_dollars(dollars: f64) -> Option<Self> {
        (0.0..=MOST).contains(&dollars).then(|| Self((dollars * PER_DOLLAR).round() as u64))
    }

    /// In dollars, for the wire and the screen.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / PER_DOLLAR
    }
}

impl AddAssign for Micros {
    fn add_assign(&mut self, more: Self) {
        self.0 = self.0.saturating_add(more.0);
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000, format!("{:06}", self.0 % 1_000_000));
        // Two decimals as everywhere, and more only where something stands in them.
        write!(f, "${whole}.{:0<2}", rest.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_reads_as_money() {
        for (micros, text) in [
            (0, "$0.00"),
            (5_000_000, "$5.00"),
            (2_600, "$0.0026"),
            (1_500_000, "$1.50"),
            (12_000_001, "$12.000001"),
        ] {
            assert_eq!(Micros(micros).to_string(), text);
        }
    }

    #[test]
    fn what_could_not_be_meant_is_no_amount() {
        for dollars in [-0.01, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(Micros::of_dollars(dollars), None, "{dollars}");
        }
        assert_eq!(Micros::of_dollars(0.000_001), Some(Micros(1)));
        assert_eq!(Micros::of_dollars(19.99), Some(Micros(19_990_000)));
    }
}
