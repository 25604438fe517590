//! Which rows learn and which rows judge: the rows kept apart for the end, and the folds among the rest.

use guike_core::Seed;
use rand::seq::SliceRandom;

use super::target::Outcome;

/// Rows to learn from, and rows to judge by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) train: Vec<usize>,
    pub(super) test: Vec<usize>,
}

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

/// Rows drawn so that every part has its share of every class (of every size, for numbers).
pub(super) fn stratified(y: &[f64], outcome: &Outcome, n_folds: usize, test: f64, seed: Seed) -> Plan {
    let n = y.len();
    let n_test = ((n as f64) * test).round() as usize;
    let all: Vec<usize> = (0..n).collect();
    // every `step`th row of a stratified order is a stratified sample
    let order = stratified_order(y, &all, outcome, seed.derive("test rows"));
    let mut is_test = vec![false; n];
    for k in 0..n_test {
        is_test[order[k * n / n_test]] = true;
    }
    let of = |part: bool| (0..n).filter(|&i| is_test[i] == part).collect::<Vec<usize>>();
    let train = of(false);
    let order = stratified_order(y, &train, outcome, seed.derive("folds"));
    let mut fold_of = vec![usize::MAX; n];
    order.iter().enumerate().for_each(|(k, &i)| fold_of[i] = k % n_folds);
    let folds = (0..n_folds)
        .map(|f| Split {
            train: train.iter().copied().filter(|&i| fold_of[i] != f).collect(),
            test: train.iter().copied().filter(|&i| fold_of[i] == f).collect(),
        })
        .collect();
    Plan { train, test: of(true), folds }
}

/// The rows by class or size, in random order among equals: neighbours in this order are alike.
fn stratified_order(y: &[f64], rows: &[usize], outcome: &Outcome, seed: Seed) -> Vec<usize> {
    let mut order = rows.to_vec();
    order.shuffle(&mut seed.rng());
    order.sort_by(|&a, &b| y[a].total_cmp(&y[b]));
    if matches!(outcome, Outcome::Regression) {
        // numbers: shuffle within runs of neighbours, so that a fold is not always the upper end of its run
        for run in order.chunks_mut(10) {
            run.shuffle(&mut seed.at(run[0] as u64).rng());
        }
    }
    order
}

/// Rows by their moment: the newest are kept apart, and each fold learns from what is older than what it judges.
///
/// Rows without a moment only learn, and only for the final model. Equal moments stay together.
pub(super) fn forward(moment: &[f64], n_folds: usize, test: f64) -> Plan {
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
    let borders: Vec<usize> = (1..=n_folds + 1).map(|k| border(k as f64 / (n_folds + 1) as f64, n_train)).collect();
    let sorted = |rows: &[usize]| {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows
    };
    let folds = borders
        .windows(2)
        .map(|b| Split { train: sorted(&order[..b[0]]), test: sorted(&order[b[0]..b[1].min(n_train)]) })
        .filter(|s| !s.train.is_empty() && !s.test.is_empty())
        .collect();
    Plan { train: sorted(&order[..n_train]), test: sorted(&order[n_train..]), folds }
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
        let plan = stratified(&y, &classes(), 5, 0.2, Seed(1));
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
    fn numbers_are_spread_over_the_folds() {
        let y: Vec<f64> = (0..300).map(f64::from).collect();
        let plan = stratified(&y, &Outcome::Regression, 3, 0.0, Seed(2));
        assert!(plan.test.is_empty());
        for fold in &plan.folds {
            let mean = fold.test.iter().map(|&i| y[i]).sum::<f64>() / fold.test.len() as f64;
            assert!((mean - 149.5).abs() < 8.0, "{mean}");
        }
    }

    #[test]
    fn folds_in_time_never_learn_from_what_came_later() {
        let moment: Vec<f64> = (0..200).map(|i| f64::from(i * 37 % 100)).collect();
        let plan = forward(&moment, 4, 0.25);
        let latest = |rows: &[usize]| rows.iter().map(|&i| moment[i]).fold(f64::MIN, f64::max);
        let earliest = |rows: &[usize]| rows.iter().map(|&i| moment[i]).fold(f64::MAX, f64::min);
        assert!(latest(&plan.train) < earliest(&plan.test));
        assert_eq!(plan.folds.len(), 4);
        for fold in &plan.folds {
            assert!(latest(&fold.train) < earliest(&fold.test));
        }
        assert_eq!(plan.train.len() + plan.test.len(), 200);
    }
}
