//! Logistic regression: two classes with one sum, more with one sum each.

use guike_core::{FitContext, FitError};
use serde::{Deserialize, Serialize};

use super::descent::{Descent, gradient_descent};
use super::design::{Design, Natural};
use super::losses::Logistic;
use super::model::LinearModel;
use super::multinomial::Softmax;
use super::single::SingleSum;
use super::{check_penalty, invalid, minimise, minimise_from};
use crate::tabular::{Examples, Link, TabularLearner, TabularModel, Task, Wants};

pub(super) const NAME: &str = "logistic-regression";

/// The intercept of a class without rows: its probability is 0.
const ABSENT: f64 = -1e300;

/// How the minimum is found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solver {
    /// To rounding error: Newton's method for up to 400 parameters, L-BFGS beyond.
    #[default]
    Exact,
    /// A fixed number of steps as textbooks take them: from zero, against the mean gradient of all rows, on the columns
    /// as they are. It shows how learning goes, and may stop short of the minimum.
    GradientDescent {
        /// Length of a step per unit of gradient, above 0; 0.1 suits scaled columns.
        rate: f64,
        /// Number of steps.
        iterations: usize,
    },
}

/// The probability of each class from weighted sums of the columns, by penalised likelihood.
///
/// Two classes: minimises Σ wᵢ (ln(1 + exp(sᵢ)) − yᵢsᵢ) + penalty/2 Σ bⱼ² over the intercept a and coefficients b of
/// s = a + xb; class 1 has probability 1/(1 + exp(−s)). More classes: one sum each, Σ wᵢ (ln Σₖ exp(sᵢₖ) − sᵢ,yᵢ) +
/// penalty/2 Σ bₖⱼ²; class k has probability exp(sₖ)/Σ exp(s). A class without rows gets probability 0.
///
/// Counterpart: scikit-learn's `LogisticRegression(C=1/penalty)`, and `C=np.inf` for penalty 0.
///
/// # Errors
/// Rows of fewer than two classes; without a penalty, classes that the columns separate, whose coefficients have no
/// finite value.
///
/// # Source
/// Hastie, Tibshirani & Friedman (2009), "The Elements of Statistical Learning", section 4.4, eq. 4.17 and 4.20.
///
/// # Example
/// ```
/// use guike_core::{FitContext, Matrix, Quiet, Seed};
/// use guike_learn::linear::LogisticRegression;
/// use guike_learn::tabular::{ColumnKind, Examples, TabularLearner, TabularModel, Task};
/// let x = Matrix::from_columns(6, &[[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]]);
/// let y = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0];
/// let task = Task::Classification { classes: 2 };
/// let rows = Examples { x: &x, kinds: &[ColumnKind::Number], y: &y, weight: None, task };
/// let cx = FitContext { seed: Seed(1), progress: &Quiet };
/// let free = LogisticRegression { penalty: 0.0, ..Default::default() };
/// let p = free.fit(&rows, &cx).unwrap().predict(&Matrix::from_columns(1, &[[1.0]]));
/// assert!((p[1] - 2.0 / 3.0).abs() < 1e-9, "two of three rows with x = 1");
/// let separated = Examples { y: &[0.0, 0.0, 0.0, 1.0, 1.0, 1.0], ..rows };
/// assert!(free.fit(&separated, &cx).is_err(), "the coefficient would be infinite");
/// assert!(LogisticRegression::default().fit(&separated, &cx).is_ok(), "a penalty holds it");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogisticRegression {
    /// Strength of the penalty on squared coefficients beside the sum of losses, ≥ 0: one over scikit-learn's `C`,
    /// whose default 1 it has.
    pub penalty: f64,
    /// How the minimum is found.
    pub solver: Solver,
}

impl Default for LogisticRegression {
    fn default() -> LogisticRegression {
        LogisticRegression { penalty: 1.0, solver: Solver::Exact }
    }
}

impl LogisticRegression {
    /// Learns; the concrete model.
    ///
    /// # Errors
    /// [`FitError`] for fewer than two classes, impossible settings, labels, values or weights, coefficients without a
    /// finite value, or a request to stop.
    pub fn solve(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<LinearModel, FitError> {
        cx.progress.check()?;
        self.validate()?;
        let Task::Classification { classes } = examples.task else {
            let rule = "it learns classes; take `linear-regression` for numbers";
            return Err(invalid(NAME, "classes", 1.0, rule));
        };
        let codes = codes(examples.y, classes)?;
        let mut design = Design::new(NAME, examples)?;
        let mut seen = vec![false; classes as usize];
        codes.iter().zip(&design.weight).filter(|(_, w)| **w > 0.0).for_each(|(&code, _)| seen[code] = true);
        let present: Vec<usize> = (0..seen.len()).filter(|&k| seen[k]).collect();
        if present.len() < 2 {
            let found = "is one".to_owned();
            let needs = "rows of at least two classes".to_owned();
            return Err(FitError::TooLittle { learner: NAME, needs, found });
        }
        // classes without rows are left out, so that the rest is what they would be without them
        let mut position = vec![0; seen.len()];
        present.iter().enumerate().for_each(|(at, &k)| position[k] = at);
        let codes: Vec<usize> = codes.iter().map(|&k| position[k]).collect();
        let labels: Vec<f64> = codes.iter().map(|&k| k as f64).collect();
        design.y = &labels;
        let mut sums = self.minimum(&design, &codes, present.len(), cx)?;
        let link = if classes == 2 { Link::Logit } else { Link::Softmax };
        let p = examples.x.n_columns();
        if classes > 2 {
            if present.len() == 2 {
                sums.insert(0, Natural { coefficients: vec![0.0; p], intercept: 0.0 });
            }
            let mut found = sums.into_iter();
            let absent = || Natural { coefficients: vec![0.0; p], intercept: ABSENT };
            sums = seen.iter().map(|&s| s.then(|| found.next()).flatten().unwrap_or_else(absent)).collect();
        }
        LinearModel::new(NAME, examples.task, link, p, sums)
    }

    /// One sum for two classes, one each for more.
    fn minimum(
        &self,
        design: &Design<'_>,
        codes: &[usize],
        classes: usize,
        cx: &FitContext<'_>,
    ) -> Result<Vec<Natural>, FitError> {
        if let Solver::GradientDescent { rate, iterations } = self.solver {
            let how = Descent { rate, iterations, squared: self.penalty / design.total_weight };
            return gradient_descent(NAME, design, codes, classes, how, cx);
        }
        let unpenalised = self.penalty == 0.0;
        let (terms, total_weight) = (design.n_terms(), design.total_weight);
        let n_sums = if classes == 2 { 1 } else { classes };
        let theta = minimise(design, n_sums * terms, cx, &|design, start, wanted| {
            let squared = design.squared_penalty(self.penalty * design.total_weight / total_weight);
            if classes == 2 {
                let objective = SingleSum { design, loss: Logistic, squared, unpenalised };
                return minimise_from(NAME, &objective, start, wanted, cx);
            }
            let codes: Vec<usize> = design.y.iter().map(|&y| y as usize).collect();
            let objective = Softmax { design, classes, codes: &codes, squared, unpenalised };
            minimise_from(NAME, &objective, start, wanted, cx)
        })?;
        Ok(theta.chunks_exact(terms).map(|theta| design.natural(theta)).collect())
    }

    fn validate(&self) -> Result<(), FitError> {
        check_penalty(NAME, self.penalty)?;
        match self.solver {
            Solver::GradientDescent { rate, .. } if !(rate > 0.0 && rate.is_finite()) => {
                Err(invalid(NAME, "rate", rate, "a finite number above 0 is needed"))
            }
            _ => Ok(()),
        }
    }
}

/// The class of each row.
fn codes(y: &[f64], classes: u32) -> Result<Vec<usize>, FitError> {
    if classes < 2 {
        return Err(invalid(NAME, "classes", f64::from(classes), "at least 2 are needed"));
    }
    let is_code = |y: f64| y >= 0.0 && y < f64::from(classes) && y.fract() == 0.0;
    match y.iter().position(|&y| !is_code(y)) {
        None => Ok(y.iter().map(|&y| y as usize).collect()),
        Some(row) => {
            let rule = format!("labels are class codes 0 to {}", classes - 1);
            Err(invalid(NAME, &format!("the label of row {row}"), y[row], &rule))
        }
    }
}

impl TabularLearner for LogisticRegression {
    fn name(&self) -> &'static str {
        NAME
    }

    fn wants(&self) -> Wants {
        Wants::Scaled
    }

    fn can(&self, task: Task) -> bool {
        matches!(task, Task::Classification { classes: 2.. })
    }

    fn fit(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<Box<dyn TabularModel>, FitError> {
        Ok(Box::new(self.solve(examples, cx)?))
    }
}
