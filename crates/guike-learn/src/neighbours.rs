//! k-nearest neighbours: a row is predicted from the labelled rows most like it.
//!
//! The one idea: nothing is learned but the rows themselves; all the care goes into finding the nearest ones fast and
//! exactly. Columns must be on one scale, because distance adds them up. No approximate search and no metric but the
//! Euclidean one.

pub(crate) mod search;

use guike_core::{FitContext, FitError, Matrix};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::tabular::{Examples, TabularLearner, TabularModel, Task, Wants};
use search::Index;

const NAME: &str = "k-nearest-neighbours";

/// Queries per piece of parallel work.
const CHUNK: usize = 256;

/// How much each neighbour says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    /// All the same.
    #[default]
    Uniform,
    /// One over its distance; where some are at distance zero, only those speak.
    Distance,
}

/// Predicts the mean label, or the share of each class, of the `k` nearest rows.
///
/// Equal distances are broken by the order of the rows. Weights of examples multiply their votes (they do not count as
/// repeated rows); a row of weight 0 is left out.
///
/// Counterpart: scikit-learn's `KNeighborsClassifier` and `KNeighborsRegressor`.
///
/// ```
/// use guike_core::{FitContext, Matrix, Quiet, Seed};
/// use guike_learn::neighbours::KNearestNeighbours;
/// use guike_learn::tabular::{ColumnKind, Examples, TabularLearner, TabularModel, Task};
/// let x = Matrix::from_columns(4, &[[0.0, 1.0, 2.0, 9.0]]);
/// let y = [10.0, 20.0, 30.0, 90.0];
/// let rows = Examples { x: &x, kinds: &[ColumnKind::Number], y: &y, weight: None, task: Task::Regression };
/// let cx = FitContext { seed: Seed(1), progress: &Quiet };
/// let model = KNearestNeighbours { k: 2, ..Default::default() }.fit(&rows, &cx).unwrap();
/// assert_eq!(model.predict(&Matrix::from_columns(1, &[[0.4]])), [15.0]);
/// assert!(KNearestNeighbours { k: 5, ..Default::default() }.fit(&rows, &cx).is_err(), "there are only four rows");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KNearestNeighbours {
    /// Number of neighbours, at least 1. The default is scikit-learn's 5; noisy labels want 20 to 100.
    pub k: usize,
    /// How much each neighbour says.
    pub vote: Vote,
}

impl Default for KNearestNeighbours {
    fn default() -> KNearestNeighbours {
        KNearestNeighbours { k: 5, vote: Vote::Uniform }
    }
}

impl TabularLearner for KNearestNeighbours {
    fn name(&self) -> &'static str {
        NAME
    }

    fn wants(&self) -> Wants {
        Wants::Scaled
    }

    fn can(&self, task: Task) -> bool {
        task.n_outputs() > 0
    }

    fn fit(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<Box<dyn TabularModel>, FitError> {
        cx.progress.check()?;
        let invalid = |what: String, value: String, rule: &str| FitError::Invalid {
            learner: NAME,
            what,
            value,
            rule: rule.to_owned(),
        };
        if self.k == 0 {
            return Err(invalid("k".into(), "0".into(), "at least one neighbour is needed"));
        }
        let Examples { x, y, weight, task, .. } = *examples;
        if x.n_columns() == 0 {
            return Err(FitError::TooLittle {
                learner: NAME,
                needs: "at least 1 column".into(),
                found: "is none".into(),
            });
        }
        for j in 0..x.n_columns() {
            if let Some(i) = x.column(j).iter().position(|v| !v.is_finite()) {
                let rule = "distances need finite numbers; fill and scale the columns first";
                return Err(invalid(format!("row {i} of column {j}"), x.at(i, j).to_string(), rule));
            }
        }
        if let Some(i) = y.iter().position(|&v| !is_label(v, task)) {
            let rule = match task {
                Task::Regression => "labels are finite numbers".to_owned(),
                Task::Classification { classes } => format!("labels are class codes 0 to {}", classes.max(1) - 1),
            };
            return Err(invalid(format!("the label of row {i}"), y[i].to_string(), &rule));
        }
        let weight_of = |i: usize| weight.map_or(1.0, |w| w[i]);
        if let Some(i) = (0..y.len()).find(|&i| !(weight_of(i) >= 0.0 && weight_of(i).is_finite())) {
            return Err(invalid(
                format!("the weight of row {i}"),
                weight_of(i).to_string(),
                "weights are finite numbers of at least 0",
            ));
        }
        let kept: Vec<usize> = (0..y.len()).filter(|&i| weight_of(i) > 0.0).collect();
        if kept.len() < self.k {
            return Err(FitError::TooLittle {
                learner: NAME,
                needs: format!("at least k = {} rows of positive weight", self.k),
                found: format!("are {}", kept.len()),
            });
        }
        let rows = if kept.len() == y.len() { x.to_row_major() } else { x.select_rows(&kept).to_row_major() };
        let parameters = Parameters {
            k: self.k,
            vote: self.vote,
            task,
            n_columns: x.n_columns(),
            rows,
            labels: kept.iter().map(|&i| y[i]).collect(),
            weights: weight.map(|w| kept.iter().map(|&i| w[i]).collect()),
        };
        Ok(Box::new(NeighboursModel::new(parameters)))
    }
}

fn is_label(v: f64, task: Task) -> bool {
    match task {
        Task::Regression => v.is_finite(),
        Task::Classification { classes } => v >= 0.0 && v < f64::from(classes) && v.fract() == 0.0,
    }
}

/// What is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Parameters {
    k: usize,
    vote: Vote,
    task: Task,
    n_columns: usize,
    /// Training rows, row-major.
    rows: Vec<f64>,
    labels: Vec<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weights: Option<Vec<f64>>,
}

/// The labelled rows, ready to be searched.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighboursModel {
    parameters: Parameters,
    index: Index,
    /// What a coordinate that is not finite is taken for.
    means: Vec<f64>,
}

impl NeighboursModel {
    fn new(parameters: Parameters) -> NeighboursModel {
        let p = parameters.n_columns;
        let n = parameters.labels.len() as f64;
        let mut means = vec![0.0; p];
        for row in parameters.rows.chunks_exact(p) {
            means.iter_mut().zip(row).for_each(|(m, v)| *m += v / n);
        }
        NeighboursModel { index: Index::new(&parameters.rows, p), parameters, means }
    }

    /// Reads what [`TabularModel::save`] wrote.
    ///
    /// # Errors
    /// In words, when it is another kind of model or damaged.
    pub fn load(value: &serde_json::Value) -> Result<NeighboursModel, String> {
        let kind = value.get("kind").and_then(serde_json::Value::as_str);
        if kind != Some(NAME) {
            return Err(format!("a model of kind `{}` is not `{NAME}`", kind.unwrap_or("(none)")));
        }
        let parameters = Parameters::deserialize(value).map_err(|e| format!("{NAME}: {e}"))?;
        let p = &parameters;
        let n = p.labels.len();
        let complete = p.n_columns > 0
            && p.rows.len() == n * p.n_columns
            && (1..=n).contains(&p.k)
            && p.weights.as_ref().is_none_or(|w| w.len() == n && w.iter().all(|w| w.is_finite() && *w > 0.0))
            && p.rows.iter().all(|v| v.is_finite())
            && p.labels.iter().all(|&v| is_label(v, p.task));
        if !complete {
            return Err(format!("{NAME}: rows, labels and k do not fit together; save the model again"));
        }
        Ok(NeighboursModel::new(parameters))
    }

    /// Positions of the nearest training rows (of positive weight) and their distances, nearest first.
    pub fn neighbours(&self, row: &[f64]) -> Vec<(usize, f64)> {
        let mut found = Vec::new();
        self.index.nearest(row, self.parameters.k, &mut found);
        found.into_iter().map(|(d, at)| (at as usize, d.sqrt())).collect()
    }

    fn predict_rows(&self, rows: &[f64], out: &mut [f64]) {
        let Parameters { k, vote, task, n_columns, labels, weights, .. } = &self.parameters;
        let (mut found, mut votes) = (Vec::with_capacity(k + 1), Vec::with_capacity(*k));
        for (row, out) in rows.chunks_exact(*n_columns).zip(out.chunks_exact_mut(task.n_outputs())) {
            self.index.nearest(row, *k, &mut found);
            votes.clear();
            votes.extend(found.iter().map(|f| match vote {
                Vote::Uniform => 1.0,
                Vote::Distance if found[0].0 == 0.0 => f64::from(u8::from(f.0 == 0.0)),
                // relative to the nearest, so that nothing overflows
                Vote::Distance if found[0].0.is_finite() => (found[0].0 / f.0).sqrt(),
                Vote::Distance => 1.0,
            }));
            if let Some(w) = weights {
                let top = found.iter().map(|f| w[f.1 as usize]).fold(0.0, f64::max);
                votes.iter_mut().zip(&found).for_each(|(v, f)| *v *= w[f.1 as usize] / top);
            }
            let mut total: f64 = votes.iter().sum();
            if total == 0.0 {
                // weights so far apart that the only near rows weigh nothing beside the far ones
                votes.fill(1.0);
                total = votes.len() as f64;
            }
            for (v, f) in votes.iter().zip(&found) {
                let label = labels[f.1 as usize];
                match task {
                    Task::Regression => out[0] += label * (v / total),
                    Task::Classification { .. } => out[label as usize] += v / total,
                }
            }
        }
    }
}

impl TabularModel for NeighboursModel {
    fn task(&self) -> Task {
        self.parameters.task
    }

    fn n_columns(&self) -> usize {
        self.parameters.n_columns
    }

    fn predict(&self, x: &Matrix) -> Vec<f64> {
        let p = self.parameters.n_columns;
        assert_eq!(x.n_columns(), p, "the matrix has the columns of the training");
        let mut rows = x.to_row_major();
        for row in rows.chunks_exact_mut(p) {
            row.iter_mut().zip(&self.means).filter(|(v, _)| !v.is_finite()).for_each(|(v, m)| *v = *m);
        }
        let outputs = self.parameters.task.n_outputs();
        let mut out = vec![0.0; x.n_rows() * outputs];
        rows.par_chunks(CHUNK * p)
            .zip(out.par_chunks_mut(CHUNK * outputs))
            .for_each(|(rows, out)| self.predict_rows(rows, out));
        out
    }

    fn predict_row(&self, row: &[f64], out: &mut Vec<f64>) {
        assert_eq!(row.len(), self.parameters.n_columns, "the row has the columns of the training");
        let filled: Vec<f64> = row.iter().zip(&self.means).map(|(v, m)| if v.is_finite() { *v } else { *m }).collect();
        let first = out.len();
        out.resize(first + self.parameters.task.n_outputs(), 0.0);
        self.predict_rows(&filled, &mut out[first..]);
    }

    fn save(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(&self.parameters).expect("numbers and names are JSON");
        value["kind"] = NAME.into();
        value
    }
}

#[cfg(test)]
mod tests;
