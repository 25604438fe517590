//! Counts of codes (items, categories, orders) within one customer, cleared in constant time.
//!
//! Open addressing with a generation stamp per slot: the next customer raises the generation instead of wiping the
//! table, so that a million small customers cost no allocation and no memset. Entries keep the order of first sight,
//! and every result is computed in that order: no hash order reaches a feature.

/// How often a code occurred, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) code: u32,
    pub(crate) count: u32,
    pub(crate) first_day: i32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    generation: u32,
    entry: u32,
}

/// Counts by code.
#[derive(Debug)]
pub(crate) struct Tally {
    slots: Vec<Slot>,
    shift: u32,
    generation: u32,
    entries: Vec<Entry>,
    total: u64,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { slots: vec![Slot::default(); 64], shift: 32 - 6, generation: 1, entries: Vec::new(), total: 0 }
    }
}

impl Tally {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.total = 0;
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.slots.fill(Slot::default());
            self.generation = 1;
        }
    }

    /// Counts `code` once and gives the day it was first counted on.
    #[inline]
    pub(crate) fn add(&mut self, code: u32, day: i32) -> i32 {
        self.total += 1;
        let mask = self.slots.len() - 1;
        // Fibonacci hashing: codes are dense, their high product bits are spread evenly
        let mut at = (code.wrapping_mul(0x9e37_79b9) >> self.shift) as usize;
        loop {
            let slot = self.slots[at];
            if slot.generation != self.generation {
                break;
            }
            let entry = &mut self.entries[slot.entry as usize];
            if entry.code == code {
                entry.count += 1;
                return entry.first_day;
            }
            at = (at + 1) & mask;
        }
        self.slots[at] = Slot { generation: self.generation, entry: self.entries.len() as u32 };
        self.entries.push(Entry { code, count: 1, first_day: day });
        if self.entries.len() * 2 > self.slots.len() {
            self.grow();
        }
        day
    }

    fn grow(&mut self) {
        let size = self.slots.len() * 4;
        self.slots.clear();
        self.slots.resize(size, Slot::default());
        self.shift = 32 - size.trailing_zeros();
        self.generation = 1;
        for (i, e) in self.entries.iter().enumerate() {
            let mut at = (e.code.wrapping_mul(0x9e37_79b9) >> self.shift) as usize;
            while self.slots[at].generation == 1 {
                at = (at + 1) & (size - 1);
            }
            self.slots[at] = Slot { generation: 1, entry: i as u32 };
        }
    }

    /// Distinct codes.
    pub(crate) fn distinct(&self) -> usize {
        self.entries.len()
    }

    /// Codes counted, repeats included.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The most frequent entry; of equals the smallest code.
    pub(crate) fn top(&self) -> Option<Entry> {
        self.entries.iter().copied().reduce(|a, b| if (b.count, a.code) > (a.count, b.code) { b } else { a })
    }

    /// Shannon entropy of the shares, in nats: `ln N − Σ c ln c / N`, at least 0.
    pub(crate) fn entropy(&self, c_ln_c: &[f64]) -> f64 {
        let n = self.total as f64;
        let sum: f64 = self
            .entries
            .iter()
            .map(|e| {
                c_ln_c.get(e.count as usize).copied().unwrap_or_else(|| f64::from(e.count) * f64::from(e.count).ln())
            })
            .sum();
        (n.ln() - sum / n).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_survive_growth_and_clearing() {
        let mut t = Tally::default();
        for round in 0..3_i32 {
            t.clear();
            for code in 0..1000_u32 {
                assert_eq!(t.add(code * 7, round), round);
            }
            assert_eq!(t.add(7, round + 1), round, "the first day is kept");
            assert_eq!((t.distinct(), t.total()), (1000, 1001));
            assert_eq!(t.top().map(|e| (e.code, e.count)), Some((7, 2)));
        }
    }

    #[test]
    fn entropy_of_equal_shares_is_the_log_of_their_number() {
        let mut t = Tally::default();
        t.add(5, 0);
        assert_eq!(t.entropy(&[]), 0.0);
        for code in [6, 7, 8] {
            t.add(code, 0);
        }
        assert!((t.entropy(&[]) - 4.0_f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn of_equal_counts_the_smaller_code_is_on_top() {
        let mut t = Tally::default();
        for code in [9, 3, 9, 3, 1] {
            t.add(code, 0);
        }
        assert_eq!(t.top().map(|e| e.code), Some(3));
    }

    #[test]
    fn a_worn_out_generation_counter_starts_afresh() {
        let mut t = Tally { generation: u32::MAX, ..Tally::default() };
        t.add(1, 0);
        t.clear();
        assert_eq!(t.add(1, 9), 9);
    }
}
