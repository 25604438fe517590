//! Who moved between two runs.
//!
//! The one idea: match customers by id and count from → to; customers who appear in only one of the runs are new or gone,
//! and are counted as such instead of being dropped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Tiers of one run: a customer's id, her tier (0 the best) and her value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed<'a> {
    /// Customer id.
    pub id: &'a str,
    /// Tier, 0 the best.
    pub tier: u8,
    /// Expected spend.
    pub value: f64,
}

/// Counts and money that moved between tiers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Migration {
    /// `counts[from][to]`: customers of both runs.
    pub counts: Vec<Vec<usize>>,
    /// `value[from][to]`: their value in the later run.
    pub value: Vec<Vec<f64>>,
    /// Customers of the later run only, by their tier.
    pub new: Vec<usize>,
    /// Customers of the earlier run only, by their tier.
    pub gone: Vec<usize>,
    /// Customers in a better tier than before.
    pub up: usize,
    /// Customers in a worse tier than before.
    pub down: usize,
    /// Customers in the same tier.
    pub stayed: usize,
}

impl Migration {
    /// Share of each earlier tier that is now in each later tier; rows of tiers that were empty are zero.
    pub fn shares(&self) -> Vec<Vec<f64>> {
        self.counts
            .iter()
            .map(|row| {
                let n: usize = row.iter().sum();
                row.iter().map(|&c| if n > 0 { c as f64 / n as f64 } else { 0.0 }).collect()
            })
            .collect()
    }
}

/// The migration from an earlier to a later run; `n_tiers` is the larger number of tiers of the two. A customer named
/// twice in a run counts with her last entry.
///
/// ```
/// use guike_decide::migration::{migration, Placed};
/// let at = |id, tier| Placed { id, tier, value: 10.0 };
/// let m = migration(&[at("ann", 0), at("bo", 1), at("cy", 1)], &[at("bo", 0), at("ann", 0), at("di", 1)], 2);
/// assert_eq!((m.up, m.down, m.stayed), (1, 0, 1));
/// assert_eq!((m.new, m.gone), (vec![0, 1], vec![0, 1]));
/// ```
///
/// # Panics
/// When a tier is not below `n_tiers`.
pub fn migration(earlier: &[Placed<'_>], later: &[Placed<'_>], n_tiers: usize) -> Migration {
    let before: BTreeMap<&str, u8> = earlier.iter().map(|p| (p.id, p.tier)).collect();
    let after: BTreeMap<&str, (u8, f64)> = later.iter().map(|p| (p.id, (p.tier, p.value))).collect();
    let mut m = Migration {
        counts: vec![vec![0; n_tiers]; n_tiers],
        value: vec![vec![0.0; n_tiers]; n_tiers],
        new: vec![0; n_tiers],
        gone: vec![0; n_tiers],
        up: 0,
        down: 0,
        stayed: 0,
    };
    for (id, &(to, value)) in &after {
        let Some(&from) = before.get(id) else {
            m.new[usize::from(to)] += 1;
            continue;
        };
        m.counts[usize::from(from)][usize::from(to)] += 1;
        m.value[usize::from(from)][usize::from(to)] += value;
        match to.cmp(&from) {
            std::cmp::Ordering::Less => m.up += 1,
            std::cmp::Ordering::Greater => m.down += 1,
            std::cmp::Ordering::Equal => m.stayed += 1,
        }
    }
    for (id, &from) in &before {
        if !after.contains_key(id) {
            m.gone[usize::from(from)] += 1;
        }
    }
    m
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares_of_a_tier_add_to_one() {
        let at = |id, tier| Placed { id, tier, value: 1.0 };
        let m = migration(&[at("a", 0), at("b", 0), at("c", 0)], &[at("a", 0), at("b", 1), at("c", 1)], 3);
        let shares = m.shares();
        assert!((shares[0].iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(shares[2], vec![0.0; 3]);
        assert_eq!(m.down, 2);
        assert_eq!(m.value[0][1], 2.0);
    }

    proptest! {
        #[test]
        fn every_customer_is_counted_once(before in prop::collection::btree_map("[a-f]{1,2}", 0u8..5, 0..30),
                                          after in prop::collection::btree_map("[a-f]{1,2}", 0u8..5, 0..30)) {
            let place = |(id, &tier): (&'static str, &u8)| Placed { id, tier, value: 1.0 };
            let leak = |m: &std::collections::BTreeMap<String, u8>| -> Vec<Placed<'static>> {
                m.iter().map(|(k, v)| place((k.clone().leak(), v))).collect()
            };
            let m = migration(&leak(&before), &leak(&after), 5);
            let both: usize = m.counts.iter().flatten().sum();
            prop_assert_eq!(both, m.up + m.down + m.stayed);
            prop_assert_eq!(both + m.new.iter().sum::<usize>(), after.len());
            prop_assert_eq!(both + m.gone.iter().sum::<usize>(), before.len());
        }
    }
}
