//! Which customers by their numbers: from a least value, up to a greatest.

use super::NUMBERS;

/// The least and the greatest value of every one of [`NUMBERS`], both included; at first every value is within.
///
/// # Example
/// ```
/// use guike::results::{Bounds, EXPECTED_SPEND, P_ACTIVE};
/// let mut bounds = Bounds::default();
/// bounds.from(EXPECTED_SPEND, 100.0);
/// bounds.up_to(P_ACTIVE, 0.5);
/// let customer = |spend: f64, p: f64| move |column: usize| if column == EXPECTED_SPEND { spend } else { p };
/// assert!(bounds.hold(customer(100.0, 0.2)));
/// assert!(!bounds.hold(customer(99.0, 0.2)));
/// assert!(!bounds.hold(customer(100.0, f64::NAN)), "what is not known is within no bounds");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    ends: [[f64; 2]; NUMBERS.len()],
    is_set: [bool; NUMBERS.len()],
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds::OPEN
    }
}

impl Bounds {
    /// Every value is within.
    pub const OPEN: Bounds =
        Bounds { ends: [[f64::NEG_INFINITY, f64::INFINITY]; NUMBERS.len()], is_set: [false; NUMBERS.len()] };

    /// Only from this value on.
    pub fn from(&mut self, column: usize, least: f64) {
        self.ends[column][0] = least;
        self.is_set[column] = true;
    }

    /// Only up to this value.
    pub fn up_to(&mut self, column: usize, greatest: f64) {
        self.ends[column][1] = greatest;
        self.is_set[column] = true;
    }

    /// Whether every customer is within, whatever her numbers.
    pub fn is_open(&self) -> bool {
        self.is_set == [false; NUMBERS.len()]
    }

    /// Whether the numbers of a customer, told by column, are within; a missing one (NaN) is not.
    pub fn hold(&self, number: impl Fn(usize) -> f64) -> bool {
        let within = |c: usize| (self.ends[c][0]..=self.ends[c][1]).contains(&number(c));
        (0..NUMBERS.len()).all(|c| !self.is_set[c] || within(c))
    }

    /// A text that is another one for other bounds.
    pub fn key(&self) -> String {
        let set = (0..NUMBERS.len()).filter(|c| self.is_set[*c]);
        set.map(|c| format!("{}:{}:{};", NUMBERS[c], self.ends[c][0], self.ends[c][1])).collect()
    }
}
