//! Results in which a few customers are another than the run left them.
//!
//! The one idea: results are values. What an event changes is a new value with the same customers in the same places and new
//! ones at the end; every order that was made already is merged anew and not sorted anew, which for a million customers is a
//! walk of a few milliseconds each.

use std::sync::OnceLock;

use super::{NUMBERS, Names, Results};
use crate::history::Now;

impl Names {
    fn code(&mut self, name: &str) -> u32 {
        let at = self.names.iter().position(|n| n == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        at as u32
    }

    /// Says it of the customer at a place, or of one more.
    fn put(&mut self, at: usize, name: &str) {
        let code = self.code(name);
        match self.codes.get_mut(at) {
            Some(of) => *of = code,
            None => self.codes.push(code),
        }
    }
}

impl Results {
    /// The same with these customers as they are now. Who is new to the run and whose tier is not known stands in the
    /// lowest tier.
    ///
    /// Totals of tiers and of the shop stay those of the run: they are what its files say.
    pub fn revised(&self, now: &[Now]) -> Results {
        let n_before = self.len();
        let mut next = Results {
            ids: self.ids.clone(),
            numbers: self.numbers.clone(),
            tier: self.tier.clone(),
            score: self.score.clone(),
            group: self.group.clone(),
            as_of: self.as_of.clone(),
            by_id: Vec::new(),
            by_number: Vec::new(),
            places: OnceLock::new(),
            concentration: OnceLock::new(),
            tiers_file: self.tiers_file.clone(),
            evaluation: self.evaluation.clone(),
            board: self.board.clone(),
            fingerprint: self.fingerprint.clone(),
        };
        let lowest = self.lowest_tier();
        let mut changed: Vec<u32> = Vec::with_capacity(now.len());
        for one in now {
            let at = self.find(&one.customer_id).unwrap_or_else(|| {
                next.ids.push(&one.customer_id);
                next.ids.len() - 1
            });
            for (column, value) in next.numbers.iter_mut().zip(one.numbers) {
                match column.get_mut(at) {
                    Some(of) => *of = value,
                    None => column.push(value),
                }
            }
            let tier = one.tier.as_deref().unwrap_or(if at < n_before { self.tier(at) } else { &lowest });
            next.tier.put(at, tier);
            next.score.put(at, &one.rfm_score);
            next.group.put(at, &one.rfm_group);
            next.as_of.insert(at as u32, one.as_of);
            changed.push(at as u32);
        }
        let by_id = |next: &Results, a: u32, b: u32| next.ids.get(a as usize).cmp(next.ids.get(b as usize));
        let new: Vec<u32> = changed.iter().copied().filter(|&at| at as usize >= n_before).collect();
        next.by_id = merged(&self.by_id, new, |a, b| by_id(&next, a, b));
        let mut is_changed = vec![false; next.ids.len()];
        changed.iter().for_each(|&at| is_changed[at as usize] = true);
        next.by_number = (0..NUMBERS.len())
            .map(|column| {
                let Some(order) = self.by_number[column].get() else { return OnceLock::new() };
                let values = &next.numbers[column];
                let compare =
                    |a: u32, b: u32| values[a as usize].total_cmp(&values[b as usize]).then_with(|| by_id(&next, a, b));
                let stay: Vec<u32> = order.iter().copied().filter(|&at| !is_changed[at as usize]).collect();
                OnceLock::from(merged(&stay, changed.clone(), compare))
            })
            .collect();
        next
    }

    fn lowest_tier(&self) -> String {
        let tiers = self.tiers_file["tiers"].as_array();
        let last = tiers.and_then(|t| t.last()).and_then(|t| t["name"]["key"].as_str());
        last.unwrap_or_default().to_owned()
    }
}

/// Sorted places with `more` among them, all by `compare`.
fn merged(order: &[u32], mut more: Vec<u32>, compare: impl Fn(u32, u32) -> std::cmp::Ordering) -> Vec<u32> {
    more.sort_unstable_by(|&a, &b| compare(a, b));
    let mut all = Vec::with_capacity(order.len() + more.len());
    let mut from = 0;
    for one in more {
        // in one piece: few are new, and many stay
        let to = from + order[from..].partition_point(|&at| compare(at, one).is_lt());
        all.extend_from_slice(&order[from..to]);
        all.push(one);
        from = to;
    }
    all.extend_from_slice(&order[from..]);
    all
}
