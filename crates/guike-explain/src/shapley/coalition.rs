//! A set of groups of features, as bits.

/// Which of some groups are in.
///
/// ```
/// use guike_explain::shapley::coalition::Coalition;
/// let c = Coalition::of(70, [0, 69]);
/// assert!(c.contains(69) && !c.contains(1));
/// assert_eq!((c.len(), c.n_groups()), (2, 70));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coalition {
    words: Box<[u64]>,
    n_groups: usize,
}

impl Coalition {
    /// These of `n_groups` groups.
    ///
    /// # Panics
    /// When one of them does not exist.
    pub fn of(n_groups: usize, groups: impl IntoIterator<Item = usize>) -> Coalition {
        let mut words = vec![0_u64; n_groups.div_ceil(64)].into_boxed_slice();
        for g in groups {
            assert!(g < n_groups, "group {g} does not exist");
            words[g / 64] |= 1 << (g % 64);
        }
        Coalition { words, n_groups }
    }

    /// Whether this group is in.
    pub fn contains(&self, group: usize) -> bool {
        assert!(group < self.n_groups, "group {group} does not exist");
        self.words[group / 64] >> (group % 64) & 1 == 1
    }

    /// How many are in.
    pub fn len(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Whether none is in.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&w| w == 0)
    }

    /// How many groups there are.
    pub fn n_groups(&self) -> usize {
        self.n_groups
    }
}
