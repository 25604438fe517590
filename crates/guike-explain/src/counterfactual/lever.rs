//! What can be changed, on which grid, and at what cost.
//!
//! The one idea: the values of a lever are numbered by their distance from the present value, so that 0 is "leave it" and a
//! larger number never costs less. A combination is one number per lever.

use super::{Change, ExplainError, Found, Search};

/// Which way a feature may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Only to larger values.
    Up,
    /// Only to smaller values.
    Down,
    /// Both ways.
    Both,
}

/// A feature that can be acted upon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lever {
    /// Value now.
    pub from: f64,
    /// Smallest value it may be moved to.
    pub low: f64,
    /// Largest value it may be moved to.
    pub high: f64,
    /// Size of a step: values are `from` and whole steps from there.
    pub step: f64,
    /// Which way it may move.
    pub direction: Direction,
    /// What counts as far: the standard deviation of the feature among the customers.
    pub spread: f64,
}

/// The levers with their grids.
#[derive(Debug)]
pub(super) struct Levers {
    levers: Vec<Lever>,
    /// By lever, steps up and down that stay within the bounds.
    steps: Vec<(u32, u32)>,
    price: f64,
    pub(super) most_changes: usize,
}

impl Levers {
    pub(super) fn new(levers: &[Lever], search: &Search) -> Result<Levers, ExplainError> {
        let mut steps = Vec::with_capacity(levers.len());
        for (at, l) in levers.iter().enumerate() {
            let positive = |v: f64| v.is_finite() && v > 0.0;
            let refuse = |rule| Err(ExplainError::Lever { lever: at, rule });
            if !l.from.is_finite() {
                return refuse("its value now must be a number; leave out what is missing");
            }
            if !positive(l.step) || !positive(l.spread) {
                return refuse("its step and its spread must be positive numbers; leave out what never varies");
            }
            let (up, down) = match l.direction {
                Direction::Up => (room(l.high - l.from, l.step), 0),
                Direction::Down => (0, room(l.from - l.low, l.step)),
                Direction::Both => (room(l.high - l.from, l.step), room(l.from - l.low, l.step)),
            };
            steps.push((up, down));
        }
        let price = search.price.max(0.0);
        Ok(Levers { levers: levers.to_vec(), steps, price, most_changes: search.most_changes })
    }

    pub(super) fn len(&self) -> usize {
        self.levers.len()
    }

    /// Values that a lever can take besides its present one.
    pub(super) fn n_values(&self, lever: usize) -> u32 {
        let (up, down) = self.steps[lever];
        up + down
    }

    /// Steps from the present value to value number `at`, with their sign: nearest first, up before down.
    fn steps(&self, lever: usize, at: u32) -> f64 {
        let (up, down) = self.steps[lever];
        let both = up.min(down);
        match at {
            0 => 0.0,
            _ if at <= 2 * both => f64::from(at.div_ceil(2)) * if at % 2 == 1 { 1.0 } else { -1.0 },
            _ if up > down => f64::from(at - both),
            _ => -f64::from(at - both),
        }
    }

    /// What a lever at value number `at` costs.
    fn part(&self, lever: usize, at: u32) -> f64 {
        let l = &self.levers[lever];
        if at == 0 { 0.0 } else { self.price + (self.steps(lever, at) * l.step).abs() / l.spread }
    }

    /// The cost of a combination.
    pub(super) fn cost(&self, state: &[u32]) -> f64 {
        state.iter().enumerate().map(|(lever, &at)| self.part(lever, at)).sum()
    }

    fn value(&self, lever: usize, at: u32) -> f64 {
        self.levers[lever].from + self.steps(lever, at) * self.levers[lever].step
    }

    /// One value per lever.
    pub(super) fn values(&self, state: &[u32]) -> Vec<f64> {
        state.iter().enumerate().map(|(lever, &at)| self.value(lever, at)).collect()
    }

    /// A combination in the words of the result.
    pub(super) fn change(&self, state: &[u32], output: f64, smallest: bool) -> Found {
        let moved = state.iter().enumerate().filter(|(_, at)| **at > 0);
        let changes = moved.map(|(lever, &at)| Change {
            lever,
            from: self.levers[lever].from,
            to: self.value(lever, at),
            spreads: self.steps(lever, at) * self.levers[lever].step / self.levers[lever].spread,
        });
        Found::Change { changes: changes.collect(), output, cost: self.cost(state), smallest }
    }
}

/// Whole steps that fit; a bound that is met but for rounding counts as met.
fn room(distance: f64, step: f64) -> u32 {
    let steps = (distance / step * (1.0 + 1e-12)).floor();
    // beyond a thousand million steps a grid is no grid
    if steps >= 1.0 { steps.min(1e9) as u32 } else { 0 }
}
