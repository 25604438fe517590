//! The contract of learners on tables: numbers in, one number or one probability per class out.
//!
//! The one idea: a [`TabularLearner`] sees a [`Matrix`] that has already been prepared, and says what preparation it
//! [wants](TabularLearner::wants), so that trees get raw columns and distances and dot products get scaled ones. Customers,
//! horizons and money are not known here; the façade turns anchors into rows.

use std::fmt::Debug;

use guike_core::{FitContext, FitError, Matrix, Trees};
use serde::{Deserialize, Serialize};

use crate::svm::PlattSigmoid;

/// What is learned about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A number.
    Regression,
    /// One of `classes` classes; labels are the codes 0, 1, … as numbers.
    Classification {
        /// At least 2.
        classes: u32,
    },
}

impl Task {
    /// Values per row of a prediction: 1 for a number, one probability per class otherwise.
    pub fn n_outputs(self) -> usize {
        match self {
            Task::Regression => 1,
            Task::Classification { classes } => classes as usize,
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Numbers with an order.
    Number,
    /// Whole-numbered codes without an order.
    Category,
}

/// What a learner wants done to a table first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wants {
    /// Numbers as they are with NaN for missing, categories as codes.
    Raw,
    /// Every column a finite number on one scale: filled, scaled, one-hot.
    Scaled,
}

/// Labelled rows.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a> {
    /// n rows × p columns.
    pub x: &'a Matrix,
    /// What each column holds.
    pub kinds: &'a [ColumnKind],
    /// n labels: finite numbers, or class codes.
    pub y: &'a [f64],
    /// n weights, finite and ≥ 0; `None` is 1 each.
    pub weight: Option<&'a [f64]>,
    /// What `y` means.
    pub task: Task,
}

/// How to learn from a table: plain hyper-parameters with a good `Default`.
pub trait TabularLearner: Debug + Send + Sync {
    /// Stable name, used in files and flags: `"random-forest"`.
    fn name(&self) -> &'static str;
    /// The preparation it wants.
    fn wants(&self) -> Wants;
    /// Whether it can learn this.
    fn can(&self, task: Task) -> bool;
    /// Learns.
    ///
    /// # Errors
    /// [`FitError`] for too little data, impossible settings, labels or values, or a request to stop.
    fn fit(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<Box<dyn TabularModel>, FitError>;
}

/// What was learned from a table: immutable and thread-safe.
pub trait TabularModel: Debug + Send + Sync {
    /// What it predicts.
    fn task(&self) -> Task;
    /// Number of columns it reads.
    fn n_columns(&self) -> usize;
    /// Predictions, row-major: n numbers, or n × classes probabilities that sum to 1 in every row.
    ///
    /// # Panics
    /// When the matrix has another number of columns; the pipeline in front makes sure.
    fn predict(&self, x: &Matrix) -> Vec<f64>;
    /// The prediction of one row, appended to `out`: the same bits as [`TabularModel::predict`] gives, on the calling
    /// thread and without setting up work for others, which takes longer than a single row.
    ///
    /// # Panics
    /// When the row has another number of columns.
    fn predict_row(&self, row: &[f64], out: &mut Vec<f64>);
    /// Its trees and how their sum becomes a prediction, where it is made of trees.
    fn trees(&self) -> Option<(&Trees, Link)> {
        None
    }
    /// Its coefficients, where its prediction is a function of weighted sums.
    fn linear(&self) -> Option<Linear<'_>> {
        None
    }
    /// Its machines, where it scores rows by support vectors.
    fn machines(&self) -> Option<Machines<'_>> {
        None
    }
    /// The parameters as JSON, self-contained and readable: a tagged object `{"kind": "...", ...}`.
    fn save(&self) -> serde_json::Value;
}

/// How raw sums become predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// As they are.
    Identity,
    /// exp(s).
    Log,
    /// One sum s to the probabilities (1 − σ(s), σ(s)).
    Logit,
    /// One sum per class to exp(s_k) / Σ exp(s).
    Softmax,
}

impl Link {
    /// How many sums give how many predictions: `n_outputs` of the task, but one for [`Link::Logit`].
    pub fn n_sums(self, task: Task) -> usize {
        if self == Link::Logit { 1 } else { task.n_outputs() }
    }

    /// Predictions of one row from its sums, appended to `out`.
    ///
    /// ```
    /// use guike_learn::tabular::Link;
    /// let mut out = Vec::new();
    /// Link::Logit.apply(&[0.0], &mut out);
    /// assert_eq!(out, [0.5, 0.5]);
    /// ```
    pub fn apply(self, sums: &[f64], out: &mut Vec<f64>) {
        match self {
            Link::Identity => out.extend_from_slice(sums),
            Link::Log => out.extend(sums.iter().map(|s| s.exp())),
            Link::Logit => {
                let p = sigmoid(sums[0]);
                out.extend([1.0 - p, p]);
            }
            Link::Softmax => {
                let top = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = sums.iter().map(|s| (s - top).exp()).sum();
                out.extend(sums.iter().map(|s| (s - top).exp() / total));
            }
        }
    }
}

/// 1 / (1 + exp(−s)), without overflow.
pub fn sigmoid(s: f64) -> f64 {
    if s >= 0.0 {
        1.0 / (1.0 + (-s).exp())
    } else {
        let e = s.exp();
        e / (1.0 + e)
    }
}

/// A linear model's parameters.
#[derive(Debug, Clone, Copy)]
pub struct Linear<'a> {
    /// Row-major, sums × columns.
    pub coefficients: &'a [f64],
    /// One per sum.
    pub intercepts: &'a [f64],
    /// How sums become predictions.
    pub link: Link,
}

/// Support vector machines' parameters: one machine between two classes, or one per class against the rest.
#[derive(Debug, Clone, Copy)]
pub struct Machines<'a> {
    /// γ and the stored rows, row-major, where the terms of a score are exp(−γ‖x − v‖²); they are the columns otherwise.
    pub kernel: Option<(f64, &'a [f64])>,
    /// Row-major, machines × terms.
    pub coefficients: &'a [f64],
    /// One per machine.
    pub intercepts: &'a [f64],
    /// One per machine; its log-odds are −(a · score + b).
    pub sigmoids: &'a [PlattSigmoid],
    /// Classes that had rows, ascending; of two, the machine is for the second. The others have probability 0.
    pub present: &'a [u32],
}
