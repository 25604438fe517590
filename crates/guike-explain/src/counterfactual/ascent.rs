//! Combinations in the order of their cost, each once, made as they are asked for.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::lever::Levers;

/// All combinations but "change nothing", the cheapest first.
pub(super) struct Ascent<'a> {
    levers: &'a Levers,
    open: BinaryHeap<Reverse<Open>>,
}

#[derive(Debug, PartialEq)]
struct Open {
    cost: f64,
    state: Vec<u32>,
}

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Open) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Open {
    fn cmp(&self, other: &Open) -> Ordering {
        self.cost.total_cmp(&other.cost).then_with(|| self.state.cmp(&other.state))
    }
}

impl<'a> Ascent<'a> {
    pub(super) fn new(levers: &'a Levers) -> Ascent<'a> {
        let mut ascent = Ascent { levers, open: BinaryHeap::new() };
        ascent.open_after(&vec![0; levers.len()]);
        ascent
    }

    /// What the next combination costs, or `None` when all were given.
    pub(super) fn next_cost(&self) -> Option<f64> {
        self.open.peek().map(|Reverse(open)| open.cost)
    }

    /// Opens what comes of a combination by one more step of its last moved lever or of one after it: so every combination
    /// has one predecessor, and that is not dearer.
    fn open_after(&mut self, state: &[u32]) {
        let n_changes = state.iter().filter(|&&at| at > 0).count();
        let last = state.iter().rposition(|&at| at > 0).unwrap_or(0);
        for lever in last..state.len() {
            let new = state[lever] == 0;
            if state[lever] < self.levers.n_values(lever) && (!new || n_changes < self.levers.most_changes) {
                let mut next = state.to_vec();
                next[lever] += 1;
                self.open.push(Reverse(Open { cost: self.levers.cost(&next), state: next }));
            }
        }
    }
}

impl Iterator for Ascent<'_> {
    type Item = Vec<u32>;

    fn next(&mut self) -> Option<Vec<u32>> {
        let Reverse(open) = self.open.pop()?;
        self.open_after(&open.state);
        Some(open.state)
    }
}
