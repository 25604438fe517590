//! Which rows of a table learn and which judge: the rows kept apart for the end, and the folds among the rest.
//!
//! The dealing itself is [`guike_core::folds`]; here it is decided by what the rows are dealt: by group, by class or by size.

use guike_core::Seed;
use guike_core::folds::{self, Split};

use super::target::Outcome;

/// The rows kept apart, and the folds among the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// Rows that learn, ascending.
    pub(super) train: Vec<usize>,
    /// Rows that judge the final model, ascending.
    pub(super) test: Vec<usize>,
    /// Folds among `train`.
    pub(super) folds: Vec<Split>,
}

/// What rows are divided by, besides chance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    /// Labels, one per row.
    pub(super) y: &'a [f64],
    /// What they mean.
    pub(super) outcome: &'a Outcome,
    /// Rows of one group stay together.
    pub(super) groups: Option<&'a [u32]>,
}

impl Rows<'_> {
    /// Rows drawn so that every part has its share of every class (of every size, for numbers), or so that no group is
    /// divided; the folds are divided anew `repeats` times.
    pub(super) fn drawn(&self, n_folds: usize, repeats: usize, test: f64, seed: Seed) -> Plan {
        let n = self.y.len();
        let is_test = self.kept_apart(test, seed.derive("test rows"));
        let of = |part: bool| (0..n).filter(|&i| is_test[i] == part).collect::<Vec<usize>>();
        let train = of(false);
        let global = |rows: Vec<usize>| rows.into_iter().map(|k| train[k]).collect();
        let folds = folds::repeated(repeats, seed.derive("folds"), |seed| match self.groups {
            Some(g) => folds::deal_groups(&train.iter().map(|&i| g[i]).collect::<Vec<u32>>(), n_folds, seed),
            None => folds::deal(&self.order(&train, seed), n_folds),
        });
        let folds = folds.into_iter().map(|s| Split { train: global(s.train), test: global(s.test) }).collect();
        Plan { train, test: of(true), folds }
    }

    fn kept_apart(&self, share: f64, seed: Seed) -> Vec<bool> {
        let n = self.y.len();
        match self.groups {
            _ if share <= 0.0 => vec![false; n],
            // one of as many parts as the share asks for
            Some(g) => folds::deal_groups(g, (1.0 / share).round() as usize, seed).iter().map(|&f| f == 0).collect(),
            None => {
                let all: Vec<usize> = (0..n).collect();
                folds::sample(&self.order(&all, seed), ((n as f64) * share).round() as usize)
            }
        }
    }

    /// Positions within `rows` in an order in which neighbours are alike.
    fn order(&self, rows: &[usize], seed: Seed) -> Vec<usize> {
        let y = rows.iter().map(|&i| self.y[i]);
        match self.outcome {
            Outcome::Regression => folds::order_by_size(&y.collect::<Vec<f64>>(), seed),
            Outcome::Classification { .. } => folds::order_by_class(&y.map(|c| c as u32).collect::<Vec<u32>>(), seed),
        }
    }
}

/// Rows by their moment: the newest are kept apart, and each fold learns from what is older than what it judges.
///
/// Rows without a moment only learn, and only for the final model.
pub(super) fn in_time(moment: &[f64], n_folds: usize, test: f64) -> Plan {
    let folds::Forward { train, test, folds } = folds::forward(moment, n_folds, test);
    Plan { train, test, folds }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Outcome {
        Outcome::Classification { classes: vec!["a".to_owned(), "b".to_owned()], positive: Some(1) }
    }

    #[test]
    fn every_part_has_its_share_of_every_class_and_every_row_is_judged_once() {
        let y: Vec<f64> = (0..500).map(|i| f64::from(u8::from(i % 10 == 0))).collect();
        let plan = Rows { y: &y, outcome: &classes(), groups: None }.drawn(5, 1, 0.2, Seed(1));
        assert_eq!((plan.test.len(), plan.test.iter().filter(|&&i| y[i] > 0.0).count()), (100, 10));
        let mut judged: Vec<usize> = plan.folds.iter().flat_map(|f| f.test.clone()).collect();
        judged.sort_unstable();
        assert_eq!(judged, plan.train);
        for fold in &plan.folds {
            assert_eq!(fold.test.iter().filter(|&&i| y[i] > 0.0).count(), 8);
            assert!(fold.train.iter().all(|i| !fold.test.contains(i) && !plan.test.contains(i)));
        }
    }

    #[test]
    fn numbers_are_spread_over_the_folds_and_repeats_divide_anew() {
        let y: Vec<f64> = (0..300).map(f64::from).collect();
        let plan = Rows { y: &y, outcome: &Outcome::Regression, groups: None }.drawn(3, 2, 0.0, Seed(2));
        assert!(plan.test.is_empty());
        assert_eq!(plan.folds.len(), 6);
        assert_ne!(plan.folds[0], plan.folds[3]);
        for fold in &plan.folds {
            let mean = fold.test.iter().map(|&i| y[i]).sum::<f64>() / fold.test.len() as f64;
            assert!((mean - 149.5).abs() < 8.0, "{mean}");
        }
    }

    #[test]
    fn no_group_is_on_both_sides_of_a_fold_or_of_the_rows_kept_apart() {
        let y: Vec<f64> = (0..600).map(|i| f64::from(i % 2)).collect();
        let groups: Vec<u32> = (0..600).map(|i| i / 3).collect();
        let plan = Rows { y: &y, outcome: &classes(), groups: Some(&groups) }.drawn(4, 1, 0.25, Seed(3));
        assert!((140..=160).contains(&plan.test.len()), "{}", plan.test.len());
        let apart = |a: &[usize], b: &[usize]| a.iter().all(|&i| b.iter().all(|&j| groups[i] != groups[j]));
        assert!(apart(&plan.train, &plan.test));
        assert!(plan.folds.iter().all(|f| apart(&f.train, &f.test)));
    }
}
