//! What support vector machines leave behind: scores of a row, and sigmoids that make them probabilities.
//!
//! The one idea: linear, kernel and Nyström machines differ in training only; afterwards a score is a weighted sum of either
//! columns or kernels with stored rows.

use guike_core::Matrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::platt::PlattSigmoid;
use super::problem::VALUE_MAX;
use super::rbf::kernel;
use super::{KERNEL, LINEAR};
use crate::linalg::dot;
use crate::tabular::{Linear, Link, Machines, TabularModel, Task};

/// Rows per piece of parallel work.
const CHUNK: usize = 64;

/// How a row is scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub(super) enum Scorer {
    /// Weighted columns.
    Linear,
    /// Weighted kernels exp(−γ‖x − v‖²) with stored rows.
    Rbf {
        gamma: f64,
        /// Row-major, vectors × columns.
        vectors: Vec<f64>,
        /// Said only where the vectors are landmarks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approximation: Option<Approximation>,
    },
}

/// What was done instead of the exact solution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Approximation {
    /// `"nystroem"`.
    pub(super) method: String,
    pub(super) landmarks: usize,
    pub(super) of_rows: usize,
}

/// What is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Parameters {
    pub(super) task: Task,
    pub(super) n_columns: usize,
    /// What a value that is not a number is taken for.
    pub(super) means: Vec<f64>,
    /// Classes that had rows, ascending; the others get probability 0.
    pub(super) present: Vec<u32>,
    pub(super) scorer: Scorer,
    /// Row-major, machines × (columns or vectors).
    pub(super) coefficients: Vec<f64>,
    /// One per machine.
    pub(super) intercepts: Vec<f64>,
    /// One per machine.
    pub(super) sigmoids: Vec<PlattSigmoid>,
}

/// Trained support vector machines: one where two classes had rows, else one per class against the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct SvmModel {
    kind: &'static str,
    parameters: Parameters,
    /// Coefficients and intercept of the log-odds, where there is one linear machine between classes 0 and 1.
    log_odds: Option<(Vec<f64>, [f64; 1])>,
}

impl SvmModel {
    pub(super) fn new(kind: &'static str, parameters: Parameters) -> SvmModel {
        let two = parameters.task.n_outputs() == 2 && parameters.intercepts.len() == 1;
        let log_odds = (two && parameters.scorer == Scorer::Linear).then(|| {
            let PlattSigmoid { a, b } = parameters.sigmoids[0];
            (parameters.coefficients.iter().map(|w| -a * w).collect(), [-a * parameters.intercepts[0] - b])
        });
        SvmModel { kind, parameters, log_odds }
    }

    /// Reads what [`TabularModel::save`] wrote.
    ///
    /// # Errors
    /// In words, when it is another kind of model or damaged.
    pub fn load(value: &serde_json::Value) -> Result<SvmModel, String> {
        let name = value.get("kind").and_then(serde_json::Value::as_str).unwrap_or("(none)");
        let kind = [LINEAR, KERNEL].into_iter().find(|&k| k == name);
        let kind = kind.ok_or_else(|| format!("a model of kind `{name}` is no `{LINEAR}` or `{KERNEL}`"))?;
        let parameters = Parameters::deserialize(value).map_err(|e| format!("{kind}: {e}"))?;
        if !fits_together(kind, &parameters) {
            return Err(format!(
                "{kind}: classes, coefficients and sigmoids do not fit together; save the model again"
            ));
        }
        Ok(SvmModel::new(kind, parameters))
    }

    /// Scores before the sigmoids, row-major: one per row (above 0 is the second class) where two classes had rows, else
    /// one per class that had rows, in ascending order. Counterpart: scikit-learn's `decision_function`.
    ///
    /// # Panics
    /// When the matrix has another number of columns.
    pub fn decision(&self, x: &Matrix) -> Vec<f64> {
        let Parameters { n_columns, means, intercepts, .. } = &self.parameters;
        assert_eq!(x.n_columns(), *n_columns, "the matrix has the columns of the training");
        let mut rows = x.to_row_major();
        rows.chunks_exact_mut(*n_columns).for_each(|row| make_usable(row, means));
        let width = intercepts.len();
        let mut out = vec![0.0; x.n_rows() * width];
        rows.par_chunks(CHUNK * n_columns).zip(out.par_chunks_mut(CHUNK * width)).for_each(|(rows, out)| {
            let mut kernels = Vec::new();
            for (row, out) in rows.chunks_exact(*n_columns).zip(out.chunks_exact_mut(width)) {
                self.score(row, &mut kernels, out);
            }
        });
        out
    }

    /// Writes the probabilities that the scores of one row become; `out` is 0 in the beginning.
    fn probabilities(&self, scores: &[f64], out: &mut [f64]) {
        let Parameters { present, sigmoids, .. } = &self.parameters;
        if let [score] = *scores {
            let p = sigmoids[0].probability(score);
            (out[present[0] as usize], out[present[1] as usize]) = (1.0 - p, p);
            return;
        }
        // in logarithms, so that a row that is unlikely in every class still has its shares
        let logs = || scores.iter().zip(sigmoids).map(|(s, sigmoid)| sigmoid.ln_probability(*s));
        let top = logs().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = logs().map(|l| (l - top).exp()).sum();
        for (l, &class) in logs().zip(present) {
            out[class as usize] = (l - top).exp() / total;
        }
    }

    /// Scores of one row; `kernels` is scratch.
    fn score(&self, row: &[f64], kernels: &mut Vec<f64>, out: &mut [f64]) {
        let Parameters { n_columns, scorer, coefficients, intercepts, .. } = &self.parameters;
        let terms = match scorer {
            Scorer::Linear => row,
            Scorer::Rbf { gamma, vectors, .. } => {
                kernels.clear();
                kernels.extend(vectors.chunks_exact(*n_columns).map(|v| kernel(*gamma, row, v)));
                kernels.as_slice()
            }
        };
        for ((out, weights), b) in out.iter_mut().zip(coefficients.chunks_exact(terms.len())).zip(intercepts) {
            *out = dot(terms, weights) + b;
        }
    }

    /// Number of rows a kernel machine keeps: support vectors or landmarks; 0 for a linear machine.
    pub fn n_vectors(&self) -> usize {
        match &self.parameters.scorer {
            Scorer::Linear => 0,
            Scorer::Rbf { vectors, .. } => vectors.len() / self.parameters.n_columns,
        }
    }

    /// Whether Nyström features stood in for the exact kernel.
    pub fn is_approximate(&self) -> bool {
        matches!(self.parameters.scorer, Scorer::Rbf { approximation: Some(_), .. })
    }

    /// The sigmoid of every machine.
    pub fn sigmoids(&self) -> &[PlattSigmoid] {
        &self.parameters.sigmoids
    }
}

fn fits_together(kind: &str, p: &Parameters) -> bool {
    let machines = if p.present.len() == 2 { 1 } else { p.present.len() };
    let terms = match (&p.scorer, kind) {
        (Scorer::Linear, LINEAR) => p.n_columns,
        (Scorer::Rbf { gamma, vectors, .. }, KERNEL) if p.n_columns > 0 && *gamma > 0.0 => {
            let whole = vectors.len().is_multiple_of(p.n_columns) && vectors.iter().all(|v| v.is_finite());
            if whole { vectors.len() / p.n_columns } else { 0 }
        }
        _ => 0,
    };
    let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
    matches!(p.task, Task::Classification { .. })
        && terms > 0
        && p.means.len() == p.n_columns
        && p.present.len() >= 2
        && p.present.windows(2).all(|w| w[0] < w[1])
        && p.present.iter().all(|&k| (k as usize) < p.task.n_outputs())
        && p.coefficients.len() == machines * terms
        && p.intercepts.len() == machines
        && p.sigmoids.len() == machines
        && finite(&p.means)
        && finite(&p.coefficients)
        && finite(&p.intercepts)
        && p.sigmoids.iter().all(|s| s.a.is_finite() && s.b.is_finite())
}

/// Puts the mean where a value is not finite, and keeps the others within reach.
fn make_usable(row: &mut [f64], means: &[f64]) {
    for (v, mean) in row.iter_mut().zip(means) {
        *v = if v.is_finite() { v.clamp(-VALUE_MAX, VALUE_MAX) } else { *mean };
    }
}

impl TabularModel for SvmModel {
    fn task(&self) -> Task {
        self.parameters.task
    }

    fn n_columns(&self) -> usize {
        self.parameters.n_columns
    }

    fn predict(&self, x: &Matrix) -> Vec<f64> {
        let (outputs, width) = (self.parameters.task.n_outputs(), self.parameters.sigmoids.len());
        let mut out = vec![0.0; x.n_rows() * outputs];
        for (scores, out) in self.decision(x).chunks_exact(width).zip(out.chunks_exact_mut(outputs)) {
            self.probabilities(scores, out);
        }
        out
    }

    fn predict_row(&self, row: &[f64], out: &mut Vec<f64>) {
        let Parameters { task, n_columns, means, sigmoids, .. } = &self.parameters;
        assert_eq!(row.len(), *n_columns, "the row has the columns of the training");
        let mut row = row.to_vec();
        make_usable(&mut row, means);
        let mut scores = vec![0.0; sigmoids.len()];
        self.score(&row, &mut Vec::new(), &mut scores);
        let first = out.len();
        out.resize(first + task.n_outputs(), 0.0);
        self.probabilities(&scores, &mut out[first..]);
    }

    fn linear(&self) -> Option<Linear<'_>> {
        let (coefficients, intercepts) = self.log_odds.as_ref()?;
        Some(Linear { coefficients, intercepts, link: Link::Logit })
    }

    fn machines(&self) -> Option<Machines<'_>> {
        let Parameters { present, scorer, coefficients, intercepts, sigmoids, .. } = &self.parameters;
        let kernel = match scorer {
            Scorer::Linear => None,
            Scorer::Rbf { gamma, vectors, .. } => Some((*gamma, vectors.as_slice())),
        };
        Some(Machines { kernel, coefficients, intercepts, sigmoids, present })
    }

    fn save(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(&self.parameters).expect("numbers and names are JSON");
        value["kind"] = self.kind.into();
        value
    }
}
