//! The rows a machine is trained on, checked once, and the machines one table needs.
//!
//! The one idea: a held-out row is a row whose cost is 0. So one set of rows serves every class and every fold, and a solver
//! that scores all rows gives the out-of-fold scores along the way. Nothing here knows how a machine is solved.

use guike_core::folds::{deal, order_by_class};
use guike_core::{FitContext, FitError};

use super::platt::PlattSigmoid;
use crate::tabular::{Examples, Task};

/// Largest value that is learned from or predicted for: squares of it can be added up without overflow.
pub(super) const VALUE_MAX: f64 = 1e100;

/// Checked rows of positive weight.
pub(super) struct Problem {
    pub(super) learner: &'static str,
    pub(super) task: Task,
    /// Row-major.
    pub(super) rows: Vec<f64>,
    pub(super) p: usize,
    /// Class of each row.
    classes: Vec<u32>,
    weight: Vec<f64>,
    /// Classes that have rows, ascending, at least two.
    pub(super) present: Vec<u32>,
    /// What a value that is missing later is taken for, per column.
    pub(super) means: Vec<f64>,
}

/// What one machine is asked.
pub(super) struct Question<'a> {
    /// ±1.
    pub(super) y: &'a [f64],
    /// C × weight; 0 where the row is held out.
    pub(super) cost: &'a [f64],
}

impl Problem {
    pub(super) fn new(learner: &'static str, examples: &Examples<'_>) -> Result<Problem, FitError> {
        let Examples { x, y, weight, task, .. } = *examples;
        let invalid = |what: String, value: f64, rule: String| FitError::Invalid {
            learner,
            what,
            value: value.to_string(),
            rule,
        };
        let too_little = |needs: &str, found: String| FitError::TooLittle { learner, needs: needs.to_owned(), found };
        let Task::Classification { classes: n_classes } = task else {
            let rule = "it learns classes; for numbers take another learner".to_owned();
            return Err(FitError::Invalid { learner, what: "task".into(), value: "regression".into(), rule });
        };
        if x.n_columns() == 0 {
            return Err(too_little("at least 1 column", "is none".into()));
        }
        for j in 0..x.n_columns() {
            if let Some(i) = x.column(j).iter().position(|v| v.is_nan() || v.abs() > VALUE_MAX) {
                let rule = "dot products need finite numbers of at most 1e100; fill and scale the columns first";
                let value = x.at(i, j);
                return Err(FitError::Invalid {
                    learner,
                    what: format!("row {i} of column {j}"),
                    value: format!("{value:?}"),
                    rule: rule.to_owned(),
                });
            }
        }
        if let Some(i) = y.iter().position(|&v| !(v >= 0.0 && v < f64::from(n_classes) && v.fract() == 0.0)) {
            let rule = format!("labels are class codes 0 to {}", n_classes.max(1) - 1);
            return Err(invalid(format!("the label of row {i}"), y[i], rule));
        }
        let weight_of = |i: usize| weight.map_or(1.0, |w| w[i]);
        if let Some(i) = (0..y.len()).find(|&i| !(weight_of(i) >= 0.0 && weight_of(i).is_finite())) {
            let rule = "weights are finite numbers of at least 0".to_owned();
            return Err(invalid(format!("the weight of row {i}"), weight_of(i), rule));
        }
        let kept: Vec<usize> = (0..y.len()).filter(|&i| weight_of(i) > 0.0).collect();
        let classes: Vec<u32> = kept.iter().map(|&i| y[i] as u32).collect();
        let mut present = classes.clone();
        present.sort_unstable();
        present.dedup();
        if present.len() < 2 {
            let found = if present.is_empty() { "is none" } else { "is one" };
            return Err(too_little("rows of at least two classes with positive weight", found.into()));
        }
        let n = kept.len() as f64;
        Ok(Problem {
            learner,
            task,
            rows: if kept.len() == y.len() { x.to_row_major() } else { x.select_rows(&kept).to_row_major() },
            p: x.n_columns(),
            means: (0..x.n_columns()).map(|j| kept.iter().map(|&i| x.at(i, j) / n).sum()).collect(),
            weight: kept.iter().map(|&i| weight_of(i)).collect(),
            classes,
            present,
        })
    }

    pub(super) fn n_rows(&self) -> usize {
        self.classes.len()
    }

    /// The classes that machines are for: the second where there are two, else each against the rest.
    fn asked(&self) -> &[u32] {
        if self.present.len() == 2 { &self.present[1..] } else { &self.present }
    }

    /// Trains a machine per asked class, and its sigmoid on out-of-fold scores.
    ///
    /// `solve` gets a question and the machine that answers the same question on all rows, if there is one yet; it gives a
    /// machine and the scores of all rows.
    pub(super) fn train<M>(
        &self,
        c: f64,
        n_folds: usize,
        cx: &FitContext<'_>,
        mut solve: impl FnMut(&Question<'_>, Option<&M>) -> Result<(M, Vec<f64>), FitError>,
    ) -> Result<(Vec<M>, Vec<PlattSigmoid>), FitError> {
        let folds = deal(&order_by_class(&self.classes, cx.seed.derive("folds")), n_folds);
        let costs: Vec<f64> = self.weight.iter().map(|w| w * c).collect();
        let (mut machines, mut sigmoids) = (Vec::new(), Vec::new());
        cx.progress.stage("support vectors", (self.asked().len() * (n_folds + 1)) as u64);
        for &class in self.asked() {
            let positive: Vec<bool> = self.classes.iter().map(|&k| k == class).collect();
            let y: Vec<f64> = positive.iter().map(|&up| if up { 1.0 } else { -1.0 }).collect();
            let (machine, _) = solve(&Question { y: &y, cost: &costs }, None)?;
            cx.progress.advance(1);
            let mut scores = vec![0.0; y.len()];
            for fold in 0..n_folds {
                let cost: Vec<f64> = costs.iter().zip(&folds).map(|(c, f)| if *f == fold { 0.0 } else { *c }).collect();
                let one_sided = only_side(&y, &cost);
                let scored = match one_sided {
                    Some(side) => vec![side; y.len()],
                    None => solve(&Question { y: &y, cost: &cost }, Some(&machine))?.1,
                };
                (0..y.len()).filter(|&i| folds[i] == fold).for_each(|i| scores[i] = scored[i]);
                cx.progress.advance(1);
            }
            sigmoids.push(PlattSigmoid::fit(&scores, &positive, &self.weight));
            machines.push(machine);
        }
        Ok((machines, sigmoids))
    }
}

/// Where only one side has rows to learn from there is no machine; LIBSVM scores every row by that side, 0 where none has.
fn only_side(y: &[f64], cost: &[f64]) -> Option<f64> {
    let has = |side: f64| y.iter().zip(cost).any(|(y, c)| *y == side && *c > 0.0);
    match (has(1.0), has(-1.0)) {
        (true, true) => None,
        (true, false) => Some(1.0),
        (false, true) => Some(-1.0),
        (false, false) => Some(0.0),
    }
}

/// Whether `c` is a cost one can compute with.
pub(super) fn check_settings(learner: &'static str, c: f64, n_folds: usize) -> Result<(), FitError> {
    let wrong = |what: &str, value: String, rule: &str| FitError::Invalid {
        learner,
        what: what.to_owned(),
        value,
        rule: rule.to_owned(),
    };
    if !(c > 0.0 && c <= VALUE_MAX) {
        return Err(wrong("c", c.to_string(), "the cost of a row inside the margin is above 0 and finite"));
    }
    if !(2..=20).contains(&n_folds) {
        return Err(wrong("folds", n_folds.to_string(), "probabilities are learned on 2 to 20 folds"));
    }
    Ok(())
}
