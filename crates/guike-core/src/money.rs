//! Exact money: a whole number of millionths of the currency unit.
//!
//! Sums are integer sums, so they are the same in any order and at any number of threads. Six decimals hold every price
//! that shops write (unit prices of 0.001 occur) and 64 bits hold nine trillion units; sums widen to 128 bits.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount in millionths of the log's currency unit. Negative amounts are refunds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(pub i64);

impl Money {
    /// Millionths in one unit.
    pub const PER_UNIT: i64 = 1_000_000;
    /// Largest amount one event may carry, in units: 10^12.
    pub const MAX_UNITS: f64 = 1e12;

    /// The nearest representable amount, or `None` when `units` is not finite or beyond ±10^12.
    ///
    /// ```
    /// use guike_core::Money;
    /// assert_eq!(Money::from_units(11.77), Some(Money(11_770_000)));
    /// assert_eq!(Money::from_units(f64::NAN), None);
    /// ```
    pub fn from_units(units: f64) -> Option<Money> {
        (units.abs() <= Self::MAX_UNITS).then(|| Money((units * Self::PER_UNIT as f64).round() as i64))
    }

    /// The amount in currency units.
    pub fn units(self) -> f64 {
        self.0 as f64 / Self::PER_UNIT as f64
    }

    /// A 128-bit sum of millionths in currency units.
    pub fn sum_units(micros: i128) -> f64 {
        let unit = i128::from(Self::PER_UNIT);
        (micros / unit) as f64 + (micros % unit) as f64 / Self::PER_UNIT as f64
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.units())
    }
}
