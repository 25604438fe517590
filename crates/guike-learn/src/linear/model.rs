//! The model that all linear learners give: coefficients, intercepts and a link.

use guike_core::{FitError, Matrix};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::design::{LARGEST, Natural};
use super::{generalised, least_squares, logistic};
use crate::linalg::{BLOCK, add_scaled};
use crate::tabular::{Linear, Link, TabularModel, Task};

/// Sums are held within this, so that their differences stay finite.
const SUM_MAX: f64 = 1e300;
/// The learners, by the names in files.
const KINDS: [&str; 3] = [least_squares::NAME, generalised::NAME, logistic::NAME];

/// A linear model of any kind, in the units of the columns.
///
/// Predicting, NaN counts as 0, the mean of a scaled column, and numbers beyond ±1e100 as ±1e100; predictions are
/// finite.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearModel {
    kind: &'static str,
    task: Task,
    link: Link,
    n_columns: usize,
    coefficients: Vec<f64>,
    intercepts: Vec<f64>,
}

/// What is saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    kind: String,
    task: Task,
    link: Link,
    n_columns: usize,
    /// Row-major, sums × columns.
    coefficients: Vec<f64>,
    intercepts: Vec<f64>,
}

impl LinearModel {
    /// From one set of parameters per sum.
    ///
    /// # Errors
    /// [`FitError::NotConverged`] when a parameter is too large for a number.
    pub(super) fn new(
        kind: &'static str,
        task: Task,
        link: Link,
        n_columns: usize,
        sums: Vec<Natural>,
    ) -> Result<LinearModel, FitError> {
        let intercepts = sums.iter().map(|s| s.intercept).collect();
        let coefficients = sums.into_iter().flat_map(|s| s.coefficients).collect();
        let model = LinearModel { kind, task, link, n_columns, coefficients, intercepts };
        if model.is_finite() {
            return Ok(model);
        }
        let cause = "a coefficient is not a finite number; scale the columns".to_owned();
        Err(FitError::NotConverged { learner: kind, cause })
    }

    fn is_finite(&self) -> bool {
        self.coefficients.iter().chain(&self.intercepts).all(|v| v.is_finite())
    }

    /// Which learner made it: `"linear-regression"`, `"generalised-linear"` or `"logistic-regression"`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Reads what [`TabularModel::save`] wrote.
    ///
    /// # Errors
    /// In words, when it is another kind of model or damaged.
    pub fn load(value: &serde_json::Value) -> Result<LinearModel, String> {
        let kind = value.get("kind").and_then(serde_json::Value::as_str).unwrap_or("(none)");
        let Some(kind) = KINDS.into_iter().find(|k| *k == kind) else {
            return Err(format!("a model of kind `{kind}` is not a linear model"));
        };
        let saved = Saved::deserialize(value).map_err(|e| format!("{kind}: {e}"))?;
        let Saved { task, link, n_columns, coefficients, intercepts, .. } = saved;
        let model = LinearModel { kind, task, link, n_columns, coefficients, intercepts };
        let fits = match task {
            Task::Regression => matches!(link, Link::Identity | Link::Log),
            Task::Classification { classes } if classes < 2 => false,
            Task::Classification { classes: 2 } => link == Link::Logit,
            Task::Classification { .. } => link == Link::Softmax,
        };
        let n_sums = link.n_sums(task);
        let complete = model.intercepts.len() == n_sums
            && n_sums.checked_mul(n_columns) == Some(model.coefficients.len())
            && model.is_finite();
        if !(fits && complete) {
            return Err(format!("{kind}: task, link and coefficients do not fit together; save the model again"));
        }
        Ok(model)
    }

    /// Predictions of the rows from `first` on.
    fn predict_block(&self, x: &Matrix, first: usize, out: &mut Vec<f64>, n: usize) {
        let mut values = vec![0.0; n];
        let mut sums = vec![0.0; n * self.intercepts.len()];
        for (sums, intercept) in sums.chunks_exact_mut(n).zip(&self.intercepts) {
            sums.fill(*intercept);
        }
        for j in 0..self.n_columns {
            for (to, v) in values.iter_mut().zip(&x.column(j)[first..first + n]) {
                *to = usable(*v);
            }
            for (k, sums) in sums.chunks_exact_mut(n).enumerate() {
                add_scaled(sums, self.coefficients[k * self.n_columns + j], &values);
            }
        }
        let mut row = vec![0.0; self.intercepts.len()];
        for i in 0..n {
            row.iter_mut().enumerate().for_each(|(k, sum)| *sum = sums[k * n + i]);
            self.predict_sums(&mut row, out);
        }
    }

    /// The prediction that these sums of one row become.
    fn predict_sums(&self, sums: &mut [f64], out: &mut Vec<f64>) {
        for (sum, intercept) in sums.iter_mut().zip(&self.intercepts) {
            // two infinities of opposite sign in one sum say nothing
            *sum = if sum.is_nan() { *intercept } else { sum.clamp(-SUM_MAX, SUM_MAX) };
        }
        let first = out.len();
        self.link.apply(sums, out);
        if self.link == Link::Log {
            out[first..].iter_mut().for_each(|v| *v = v.min(f64::MAX));
        }
    }
}

/// A value as it enters the sums.
fn usable(v: f64) -> f64 {
    if v.is_nan() { 0.0 } else { v.clamp(-LARGEST, LARGEST) }
}

impl TabularModel for LinearModel {
    fn task(&self) -> Task {
        self.task
    }

    fn n_columns(&self) -> usize {
        self.n_columns
    }

    fn predict(&self, x: &Matrix) -> Vec<f64> {
        assert_eq!(x.n_columns(), self.n_columns, "the matrix has the columns of the training");
        let n_rows = x.n_rows();
        let blocks: Vec<Vec<f64>> = (0..n_rows.div_ceil(BLOCK))
            .into_par_iter()
            .map(|block| {
                let n = BLOCK.min(n_rows - block * BLOCK);
                let mut out = Vec::with_capacity(n * self.task.n_outputs());
                self.predict_block(x, block * BLOCK, &mut out, n);
                out
            })
            .collect();
        blocks.concat()
    }

    fn predict_row(&self, row: &[f64], out: &mut Vec<f64>) {
        assert_eq!(row.len(), self.n_columns, "the row has the columns of the training");
        let mut sums = self.intercepts.clone();
        for (sum, coefficients) in sums.iter_mut().zip(self.coefficients.chunks_exact(self.n_columns.max(1))) {
            coefficients.iter().zip(row).for_each(|(c, &v)| *sum += c * usable(v));
        }
        self.predict_sums(&mut sums, out);
    }

    fn linear(&self) -> Option<Linear<'_>> {
        Some(Linear { coefficients: &self.coefficients, intercepts: &self.intercepts, link: self.link })
    }

    fn save(&self) -> serde_json::Value {
        let saved = Saved {
            kind: self.kind.to_owned(),
            task: self.task,
            link: self.link,
            n_columns: self.n_columns,
            coefficients: self.coefficients.clone(),
            intercepts: self.intercepts.clone(),
        };
        serde_json::to_value(saved).expect("numbers and names are JSON")
    }
}
