//! What every tree learner is asked: checked labels and weights, and columns whose order means something.
//!
//! The one idea: after this, a tree only knows numbers in order. A category column becomes the rank of its codes by their
//! mean label (Fisher 1958: for a number or two classes the best two-way split of a node is a cut of that order; ordering
//! once for all nodes is about as good and far cheaper, Wright & König 2019), several classes by the first principal
//! component of their shares (Coppersmith, Hong & Hosking 1999). Labels and weights are scaled by powers of two, so that
//! nothing overflows and no bit is lost.

use guike_core::tree::Split;
use guike_core::{FitError, Matrix};
use serde::{Deserialize, Serialize};

use crate::tabular::{ColumnKind, Examples, Task};

/// How much the classes count.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// Every row as much as any other.
    #[default]
    Equal,
    /// Every class as much as any other: a row weighs n / (classes × rows of its class).
    Balanced,
    /// One weight per class, from 1e-9 to 1e9.
    Given(Vec<f64>),
}

/// Most codes of a category column with a rank of their own, the frequent ones; all others share the last rank.
pub(super) const LEVELS_MAX: usize = 253;

/// Checked rows of positive weight.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) task: Task,
    /// Numbers in order; NaN is missing, nothing is infinite.
    pub(super) x: Matrix,
    /// Labels: class codes, or numbers divided by `y_unit`.
    pub(super) y: Vec<f64>,
    pub(super) y_unit: f64,
    /// Weights divided by `weight_unit`, below 2; `None` when all are 1.
    pub(super) weight: Option<Vec<f64>>,
    pub(super) weight_unit: f64,
    /// Position of each row in the examples.
    pub(super) kept: Vec<usize>,
    /// Codes by rank of each category column; `None` for numbers.
    ranks: Vec<Option<Vec<u32>>>,
}

impl Problem {
    pub(super) fn new(
        learner: &'static str,
        examples: &Examples<'_>,
        class_weights: &ClassWeights,
    ) -> Result<Problem, FitError> {
        let Examples { x, kinds, y, weight, task } = *examples;
        let invalid = |what: String, value: f64, rule: &str| FitError::Invalid {
            learner,
            what,
            value: value.to_string(),
            rule: rule.to_owned(),
        };
        if let Task::Classification { classes } = task {
            let is_code = |v: f64| v >= 0.0 && v < f64::from(classes) && v.fract() == 0.0;
            if let Some(i) = y.iter().position(|&v| !is_code(v)) {
                let rule = format!("labels are class codes 0 to {}", classes.max(1) - 1);
                return Err(invalid(format!("the label of row {i}"), y[i], &rule));
            }
        } else if let Some(i) = y.iter().position(|v| !v.is_finite()) {
            return Err(invalid(format!("the label of row {i}"), y[i], "labels are finite numbers"));
        }
        let class_weight = class_weights_of(learner, class_weights, y, task)?;
        let mut weights: Vec<f64> = weight.map_or_else(|| vec![1.0; y.len()], <[f64]>::to_vec);
        if let Some(i) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            return Err(invalid(
                format!("the weight of row {i}"),
                weights[i],
                "weights are finite numbers of at least 0",
            ));
        }
        let kept: Vec<usize> = (0..y.len()).filter(|&i| weights[i] > 0.0).collect();
        if kept.is_empty() {
            let needs = "at least 1 row of positive weight".into();
            return Err(FitError::TooLittle { learner, needs, found: "is none".into() });
        }
        let weight_unit = power_of_two(&weights);
        weights.iter_mut().for_each(|w| *w /= weight_unit);
        if let Some(c) = &class_weight {
            weights.iter_mut().zip(y).for_each(|(w, &k)| *w *= c[k as usize]);
        }
        let mut weights: Vec<f64> = kept.iter().map(|&i| weights[i]).collect();
        // a row of positive weight stays in, however small its weight beside the largest
        weights.iter_mut().for_each(|w| *w = w.max(f64::MIN_POSITIVE));
        let equal = weights.iter().all(|&w| w == 1.0);
        let y: Vec<f64> = kept.iter().map(|&i| y[i]).collect();
        let y_unit = if task == Task::Regression { power_of_two(&y) } else { 1.0 };
        let y: Vec<f64> = y.iter().map(|v| v / y_unit).collect();
        let mut x = x.select_rows(&kept);
        for j in 0..x.n_columns() {
            x.column_mut(j).iter_mut().for_each(|v| *v = v.clamp(-f64::MAX, f64::MAX));
        }
        let mut problem =
            Problem { task, x, y, y_unit, weight: (!equal).then_some(weights), weight_unit, kept, ranks: Vec::new() };
        problem.ranks = vec![None; problem.x.n_columns()];
        for j in 0..problem.x.n_columns() {
            if kinds.get(j) == Some(&ColumnKind::Category) {
                problem.rank_codes(learner, j)?;
            }
        }
        Ok(problem)
    }

    pub(super) fn n_rows(&self) -> usize {
        self.y.len()
    }

    pub(super) fn weight_at(&self, i: usize) -> f64 {
        self.weight.as_ref().map_or(1.0, |w| w[i])
    }

    /// A sum of weights in the examples' units.
    pub(super) fn cover(&self, weight: f64) -> f64 {
        (weight * self.weight_unit).min(f64::MAX)
    }

    /// The question "is column `j` at most `threshold`", in terms of the original columns.
    pub(super) fn question(&self, j: usize, threshold: f64, missing_left: bool) -> Split {
        let column = j as u32;
        match &self.ranks[j] {
            None => Split::Number { column, threshold, missing_left },
            Some(codes) => {
                let count = codes.len().min((threshold.min(LEVELS_MAX as f64) + 1.0) as usize);
                let mut left = codes[..count].to_vec();
                left.sort_unstable();
                Split::Category { column, left, missing_left }
            }
        }
    }

    /// Whether column `j` has codes that no question lists: those go right at every question, so none may send everything
    /// known to the left.
    pub(super) fn has_others(&self, j: usize) -> bool {
        self.ranks[j].as_ref().is_some_and(|codes| codes.len() == LEVELS_MAX)
    }

    /// Replaces the codes of column `j` by ranks.
    fn rank_codes(&mut self, learner: &'static str, j: usize) -> Result<(), FitError> {
        let column = self.x.column(j);
        let is_code = |v: f64| v.is_nan() || ((0.0..=4e9).contains(&v) && v.fract() == 0.0);
        if let Some(i) = column.iter().position(|&v| !is_code(v)) {
            return Err(FitError::Invalid {
                learner,
                what: format!("row {} of category column {j}", self.kept[i]),
                value: column[i].to_string(),
                rule: "categories are whole-numbered codes of at least 0".into(),
            });
        }
        let mut rows: Vec<(u32, u32)> =
            (0..column.len()).filter(|&i| !column[i].is_nan()).map(|i| (column[i] as u32, i as u32)).collect();
        rows.sort_unstable();
        let mut levels: Vec<&[(u32, u32)]> = rows.chunk_by(|a, b| a.0 == b.0).collect();
        // the frequent codes; of equally frequent ones the lower
        levels.sort_by_key(|l| (std::cmp::Reverse(l.len()), l[0].0));
        levels.truncate(LEVELS_MAX);
        let keys = self.level_keys(&levels);
        let mut order: Vec<usize> = (0..levels.len()).collect();
        order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]).then(levels[a][0].0.cmp(&levels[b][0].0)));
        let codes: Vec<u32> = order.iter().map(|&l| levels[l][0].0).collect();
        let others = codes.len() as f64;
        let mut ranked: Vec<f64> = column.iter().map(|v| if v.is_nan() { f64::NAN } else { others }).collect();
        for (rank, &l) in order.iter().enumerate() {
            levels[l].iter().for_each(|&(_, i)| ranked[i as usize] = rank as f64);
        }
        self.x.column_mut(j).copy_from_slice(&ranked);
        self.ranks[j] = Some(codes);
        Ok(())
    }

    /// By what the levels of a category are ordered.
    fn level_keys(&self, levels: &[&[(u32, u32)]]) -> Vec<f64> {
        let classes = match self.task {
            Task::Classification { classes } if classes > 2 => classes as usize,
            _ => {
                let mean = |level: &&[(u32, u32)]| {
                    let (mut w, mut wy) = (0.0, 0.0);
                    for &(_, i) in *level {
                        w += self.weight_at(i as usize);
                        wy += self.weight_at(i as usize) * self.y[i as usize];
                    }
                    wy / w
                };
                return levels.iter().map(mean).collect();
            }
        };
        // shares of the classes by level, centred, and the weight of each level
        let mut shares = vec![vec![0.0; classes]; levels.len()];
        let mut weights = vec![0.0; levels.len()];
        for ((level, share), weight) in levels.iter().zip(&mut shares).zip(&mut weights) {
            for &(_, i) in *level {
                share[self.y[i as usize] as usize] += self.weight_at(i as usize);
                *weight += self.weight_at(i as usize);
            }
            share.iter_mut().for_each(|s| *s /= *weight);
        }
        let total: f64 = weights.iter().sum();
        for k in 0..classes {
            let mean = shares.iter().zip(&weights).map(|(s, w)| s[k] * w).sum::<f64>() / total;
            shares.iter_mut().for_each(|s| s[k] -= mean);
        }
        // power iteration; a start that no share is orthogonal to by symmetry
        let mut axis: Vec<f64> = (0..classes).map(|k| 1.0 / (k as f64 + 1.0)).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        for _ in 0..50 {
            let mut next = vec![0.0; classes];
            for (share, weight) in shares.iter().zip(&weights) {
                let along = weight * dot(share, &axis);
                next.iter_mut().zip(share).for_each(|(n, s)| *n += along * s);
            }
            let length = dot(&next, &next).sqrt();
            if length == 0.0 {
                break;
            }
            axis = next.iter().map(|v| v / length).collect();
        }
        shares.iter().map(|s| dot(s, &axis)).collect()
    }
}

/// One factor per class, or `None` when all are 1.
fn class_weights_of(
    learner: &'static str,
    weights: &ClassWeights,
    y: &[f64],
    task: Task,
) -> Result<Option<Vec<f64>>, FitError> {
    let (Task::Classification { classes }, weights) = (task, weights) else { return Ok(None) };
    match weights {
        ClassWeights::Equal => Ok(None),
        ClassWeights::Balanced => {
            let mut count = vec![0.0; classes as usize];
            y.iter().for_each(|&k| count[k as usize] += 1.0);
            Ok(Some(count.iter().map(|c| y.len() as f64 / (f64::from(classes) * f64::max(*c, 1.0))).collect()))
        }
        ClassWeights::Given(w) => {
            let good = w.len() == classes as usize && w.iter().all(|v| (1e-9..=1e9).contains(v));
            if good {
                return Ok(Some(w.clone()));
            }
            Err(FitError::Invalid {
                learner,
                what: "class_weights".into(),
                value: format!("{w:?}"),
                rule: format!("one weight from 1e-9 to 1e9 is needed for each of the {classes} classes"),
            })
        }
    }
}

/// The power of two that brings the largest magnitude into [1, 2); 1 where all are zero.
fn power_of_two(values: &[f64]) -> f64 {
    let top = values.iter().fold(0.0, |a: f64, v| a.max(v.abs()));
    if top == 0.0 {
        return 1.0;
    }
    let exponent = top.log2().floor().clamp(-1000.0, 1023.0) as i32;
    2f64.powi(exponent)
}
