//! Which rows learn and which rows judge: the one home of folds.
//!
//! The one idea: a division is a *fold of every row*, dealt out of an order in which neighbours are alike. Random order gives
//! plain k folds, order by class or by size gives stratified ones, whole groups dealt together give grouped ones. Only folds
//! in time ([`forward`]) are no such deal: there every fold learns from what is older than what it judges.
//!
//! Everything follows from a seed; nothing here knows a target, a table or a learner.

use rand::seq::SliceRandom;

use crate::Seed;

/// Rows to learn from, and rows to judge by; both ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Positions of the rows that learn.
    pub train: Vec<usize>,
    /// Positions of the rows that judge.
    pub test: Vec<usize>,
}

/// `n` rows in random order.
pub fn random_order(n: usize, seed: Seed) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut seed.rng());
    order
}

/// Rows by class, in random order within a class.
pub fn order_by_class<K: Ord>(classes: &[K], seed: Seed) -> Vec<usize> {
    let mut order = random_order(classes.len(), seed);
    order.sort_by(|&a, &b| classes[a].cmp(&classes[b]));
    order
}

/// Rows by size, in random order within runs of ten neighbours, so that a fold is not always the upper end of its run.
pub fn order_by_size(values: &[f64], seed: Seed) -> Vec<usize> {
    let mut order = random_order(values.len(), seed);
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    for run in order.chunks_mut(10) {
        let of_run = seed.at(run[0] as u64);
        run.shuffle(&mut of_run.rng());
    }
    order
}

/// The fold of every row when the rows of `order` are dealt out to `k` folds in turn, so that neighbours go to different
/// folds and sizes differ by at most one.
///
/// # Panics
/// When `k` is 0 or `order` is no order of `order.len()` rows.
///
/// # Example
/// ```
/// use guike_core::{Seed, folds};
/// let classes = ["rare", "common", "common", "rare", "common", "common"];
/// let fold = folds::deal(&folds::order_by_class(&classes, Seed(1)), 2);
/// assert_ne!(fold[0], fold[3], "each fold judges one of the two rare rows");
/// ```
pub fn deal(order: &[usize], k: usize) -> Vec<usize> {
    let mut fold = vec![usize::MAX; order.len()];
    order.iter().enumerate().for_each(|(place, &row)| fold[row] = place % k);
    fold
}

/// The fold of every row when all rows of a group go to one fold: the largest group first, each to the fold with the fewest
/// rows; equal groups in random order.
///
/// # Panics
/// When `k` is 0.
///
/// # Source
/// Largest processing time first (Graham 1969); what scikit-learn's `GroupKFold` does.
pub fn deal_groups(groups: &[u32], k: usize, seed: Seed) -> Vec<usize> {
    let mut rows_of = std::collections::BTreeMap::<u32, Vec<usize>>::new();
    groups.iter().enumerate().for_each(|(row, &g)| rows_of.entry(g).or_default().push(row));
    let mut all: Vec<Vec<usize>> = rows_of.into_values().collect();
    all.shuffle(&mut seed.rng());
    all.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
    let mut size = vec![0; k];
    let mut fold = vec![usize::MAX; groups.len()];
    for rows in all {
        let to = (0..k).min_by_key(|&f| (size[f], f)).expect("at least one fold");
        size[to] += rows.len();
        rows.into_iter().for_each(|row| fold[row] = to);
    }
    fold
}

/// Every fold as the rows that learn and the rows that judge; folds that one of the two would be empty in are left out.
pub fn splits(fold: &[usize]) -> Vec<Split> {
    let k = fold.iter().max().map_or(0, |f| f + 1);
    (0..k)
        .map(|f| Split {
            train: (0..fold.len()).filter(|&i| fold[i] != f).collect(),
            test: (0..fold.len()).filter(|&i| fold[i] == f).collect(),
        })
        .filter(|s| !s.train.is_empty() && !s.test.is_empty())
        .collect()
}

/// The folds of several divisions one after the other: `division` is called once per repeat with a seed of its own.
pub fn repeated(times: usize, seed: Seed, division: impl Fn(Seed) -> Vec<usize>) -> Vec<Split> {
    (0..times as u64).flat_map(|t| splits(&division(if t == 0 { seed } else { seed.at(t) }))).collect()
}

/// `n_sample` rows spread evenly over an order: of an order by class, every class has its share.
pub fn sample(order: &[usize], n_sample: usize) -> Vec<bool> {
    let mut drawn = vec![false; order.len()];
    (0..n_sample).for_each(|s| drawn[order[s * order.len() / n_sample]] = true);
    drawn
}

/// Rows in time: which learn, which are kept apart for the end, and the folds among those that learn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Rows older than those kept apart.
    pub train: Vec<usize>,
    /// The newest rows.
    pub test: Vec<usize>,
    /// Oldest first; each judges the stretch of time after what it learns from.
    pub folds: Vec<Split>,
}

/// Folds in time: the newest `test` share is kept apart, the rest is cut into `k` + 1 stretches of equal size, and every
/// stretch but the first is judged by what came before it.
///
/// Rows without a finite moment are in no part. Rows of one moment stay together.
///
/// # Example
/// ```
/// use guike_core::folds::forward;
/// let days: Vec<f64> = (0..100).map(f64::from).collect();
/// let f = forward(&days, 4, 0.5);
/// assert_eq!((f.train.len(), f.test[0], f.folds.len()), (50, 50, 4));
/// assert_eq!((f.folds[0].train.len(), f.folds[3].train.len()), (10, 40));
/// ```
pub fn forward(moment: &[f64], k: usize, test: f64) -> Forward {
    let mut order: Vec<usize> = (0..moment.len()).filter(|&i| moment[i].is_finite()).collect();
    order.sort_by(|&a, &b| moment[a].total_cmp(&moment[b]).then(a.cmp(&b)));
    // a border between two rows of one moment moves down to the first of them
    let border = |share: f64, of: usize| {
        let at = ((of as f64) * share).round() as usize;
        if at == 0 || at >= order.len() {
            at.min(order.len())
        } else {
            order.partition_point(|&i| moment[i] < moment[order[at]])
        }
    };
    let n_train = border(1.0 - test, order.len());
    let borders: Vec<usize> = (1..=k + 1).map(|f| border(f as f64 / (k + 1) as f64, n_train)).collect();
    let ascending = |rows: &[usize]| {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows
    };
    let folds = borders
        .windows(2)
        .map(|b| Split { train: ascending(&order[..b[0]]), test: ascending(&order[b[0]..b[1].min(n_train)]) })
        .filter(|s| !s.train.is_empty() && !s.test.is_empty())
        .collect();
    Forward { train: ascending(&order[..n_train]), test: ascending(&order[n_train..]), folds }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged_once(folds: &[Split], n: usize) {
        let mut judged: Vec<usize> = folds.iter().flat_map(|f| f.test.clone()).collect();
        judged.sort_unstable();
        assert_eq!(judged, (0..n).collect::<Vec<_>>());
        for f in folds {
            assert!(f.train.iter().all(|i| f.test.binary_search(i).is_err()));
            assert_eq!(f.train.len() + f.test.len(), n);
        }
    }

    #[test]
    fn plain_folds_judge_every_row_once_and_are_of_one_size() {
        let folds = splits(&deal(&random_order(103, Seed(4)), 5));
        judged_once(&folds, 103);
        assert!(folds.iter().all(|f| (20..=21).contains(&f.test.len())));
    }

    #[test]
    fn stratified_folds_have_their_share_of_every_class() {
        let classes: Vec<u32> = (0..500).map(|i| u32::from(i % 10 == 0)).collect();
        let folds = splits(&deal(&order_by_class(&classes, Seed(1)), 5));
        judged_once(&folds, 500);
        assert!(folds.iter().all(|f| f.test.iter().filter(|&&i| classes[i] == 1).count() == 10));
    }

    #[test]
    fn folds_by_size_have_about_one_mean() {
        let values: Vec<f64> = (0..300).map(f64::from).collect();
        for f in splits(&deal(&order_by_size(&values, Seed(2)), 3)) {
            let mean = f.test.iter().map(|&i| values[i]).sum::<f64>() / f.test.len() as f64;
            assert!((mean - 149.5).abs() < 8.0, "{mean}");
        }
    }

    #[test]
    fn a_group_is_never_on_both_sides_and_folds_stay_balanced() {
        let groups: Vec<u32> = (0..400).map(|i| (i * i) % 57).collect();
        let folds = splits(&deal_groups(&groups, 4, Seed(3)));
        judged_once(&folds, 400);
        for f in &folds {
            assert!(f.test.iter().all(|&i| f.train.iter().all(|&j| groups[i] != groups[j])));
            assert!((80..=120).contains(&f.test.len()), "{}", f.test.len());
        }
        // one group cannot be divided
        assert!(splits(&deal_groups(&[7; 10], 3, Seed(1))).is_empty());
    }

    #[test]
    fn repeats_differ_and_the_first_is_the_unrepeated_one() {
        let division = |seed| deal(&random_order(60, seed), 3);
        let three = repeated(3, Seed(9), division);
        assert_eq!(three.len(), 9);
        assert_eq!(three[..3], splits(&division(Seed(9)))[..]);
        assert_ne!(three[..3], three[3..6]);
        judged_once(&three[6..], 60);
    }

    #[test]
    fn a_sample_of_an_order_by_class_has_its_share_of_every_class() {
        let classes: Vec<u32> = (0..500).map(|i| u32::from(i % 10 == 0)).collect();
        let drawn = sample(&order_by_class(&classes, Seed(1)), 100);
        assert_eq!(drawn.iter().filter(|d| **d).count(), 100);
        assert_eq!((0..500).filter(|&i| drawn[i] && classes[i] == 1).count(), 10);
    }

    #[test]
    fn folds_in_time_never_learn_from_what_came_later() {
        let moment: Vec<f64> = (0..200).map(|i| f64::from(i * 37 % 100)).collect();
        let f = forward(&moment, 4, 0.25);
        let latest = |rows: &[usize]| rows.iter().map(|&i| moment[i]).fold(f64::MIN, f64::max);
        let earliest = |rows: &[usize]| rows.iter().map(|&i| moment[i]).fold(f64::MAX, f64::min);
        assert!(latest(&f.train) < earliest(&f.test));
        assert_eq!((f.folds.len(), f.train.len() + f.test.len()), (4, 200));
        assert!(f.folds.iter().all(|s| latest(&s.train) < earliest(&s.test)));
    }
}
