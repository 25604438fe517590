//! Least squares with penalties: ordinary, ridge, lasso and elastic net.

use guike_core::{FitContext, FitError};
use serde::{Deserialize, Serialize};

use super::coordinate::{Quadratic, descend};
use super::design::{Design, measure};
use super::losses::Squared;
use super::model::LinearModel;
use super::newton::Objective;
use super::single::SingleSum;
use super::{check_penalty, invalid};
use crate::linalg::Cholesky;
use crate::tabular::{Examples, Link, TabularLearner, TabularModel, Task, Wants};

pub(super) const NAME: &str = "linear-regression";

/// Times that a solution is corrected by what its residuals still hold; the first removes the rounding error of the
/// cross products, the others what jitter on collinear columns took away.
const CORRECTIONS: usize = 3;

/// A number as a weighted sum of the columns, by least squares.
///
/// Minimises 1/(2W) Σ wᵢ (yᵢ − a − xᵢb)² + penalty · (l1_ratio Σ|bⱼ| + (1 − l1_ratio)/2 Σ bⱼ²) over intercept a and
/// coefficients b, where W = Σ wᵢ. The defaults are ordinary least squares; with a `penalty`, `l1_ratio` 0 is ridge, 1
/// the lasso, between them the elastic net. Where columns repeat each other and nothing is penalised, they share the
/// coefficient; a constant column gets 0.
///
/// Counterpart: scikit-learn's `LinearRegression`, `ElasticNet(alpha=penalty, l1_ratio=l1_ratio)`,
/// `Lasso(alpha=penalty)` and `Ridge(alpha=penalty * W)`, whose penalty stands beside a sum instead of a mean.
///
/// # Errors
/// Values, labels and weights beyond 1e100 are refused rather than squared.
///
/// # Source
/// Friedman, Hastie & Tibshirani (2010), "Regularization paths for generalized linear models via coordinate descent",
/// Journal of Statistical Software 33(1), eq. 1, <https://doi.org/10.18637/jss.v033.i01>.
///
/// # Example
/// ```
/// use guike_core::{FitContext, Matrix, Quiet, Seed};
/// use guike_learn::linear::LinearRegression;
/// use guike_learn::tabular::{ColumnKind, Examples, TabularLearner, TabularModel, Task};
/// let x = Matrix::from_columns(4, &[[0.0, 1.0, 2.0, 3.0]]);
/// let y = [1.0, 3.0, 5.0, 7.0];
/// let rows = Examples { x: &x, kinds: &[ColumnKind::Number], y: &y, weight: None, task: Task::Regression };
/// let cx = FitContext { seed: Seed(1), progress: &Quiet };
/// let model = LinearRegression::default().fit(&rows, &cx).unwrap();
/// assert!((model.predict(&Matrix::from_columns(1, &[[10.0]]))[0] - 21.0).abs() < 1e-12);
/// let lasso = LinearRegression { penalty: 9.0, l1_ratio: 1.0 }.fit(&rows, &cx).unwrap();
/// assert_eq!(lasso.linear().unwrap().coefficients, [0.0], "a strong lasso leaves the mean");
/// assert!(LinearRegression { penalty: -1.0, l1_ratio: 1.0 }.fit(&rows, &cx).is_err());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearRegression {
    /// Strength of the penalty beside the mean squared error, ≥ 0. The default 0 is ordinary least squares.
    pub penalty: f64,
    /// Share of the penalty on absolute coefficients, 0 to 1; the rest is on their squares. The default 0 is ridge.
    pub l1_ratio: f64,
}

impl LinearRegression {
    /// Learns; the concrete model.
    ///
    /// # Errors
    /// [`FitError`] for no rows, impossible settings, labels, values or weights, or a request to stop.
    pub fn solve(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<LinearModel, FitError> {
        cx.progress.check()?;
        check_penalty(NAME, self.penalty)?;
        if !(0.0..=1.0).contains(&self.l1_ratio) {
            return Err(invalid(NAME, "l1_ratio", self.l1_ratio, "a share from 0 to 1 is needed"));
        }
        if examples.task != Task::Regression {
            let rule = "it learns numbers; take `logistic-regression` for classes";
            return Err(invalid(NAME, "classes", examples.task.n_outputs() as f64, rule));
        }
        let mut design = Design::new(NAME, examples)?;
        let (mean, scale) = measure(design.y, &design.weight, design.total_weight);
        let labels: Vec<f64> = design.y.iter().map(|y| (y - mean) * scale).collect();
        design.y = &labels;
        let strength = self.penalty * design.total_weight;
        let squared = design.squared_penalty(strength * (1.0 - self.l1_ratio));
        // the labels are scaled, and with them the coefficients: an absolute penalty must grow as much
        let absolute = design.absolute_penalty(strength * self.l1_ratio * scale);
        let unpenalised = strength == 0.0;
        let objective = SingleSum { design: &design, loss: Squared, squared, unpenalised };
        let theta = if scale == 0.0 {
            vec![0.0; design.n_terms()]
        } else if absolute.iter().any(|a| *a > 0.0) {
            lasso(&objective, &absolute, cx)?
        } else {
            ridge(&objective, cx)?
        };
        let mut natural = design.natural(&theta);
        if scale > 0.0 {
            natural.coefficients.iter_mut().for_each(|c| *c /= scale);
            natural.intercept /= scale;
        }
        natural.intercept += mean;
        LinearModel::new(NAME, examples.task, Link::Identity, examples.x.n_columns(), vec![natural])
    }
}

/// The solution of the normal equations, corrected by its residuals.
fn ridge(objective: &SingleSum<'_, Squared>, cx: &FitContext<'_>) -> Result<Vec<f64>, FitError> {
    let mut theta = vec![0.0; objective.design.n_terms()];
    let mut at = objective.evaluate(&theta, true);
    let factor = Cholesky::with_jitter(&at.hessian, theta.len()).ok_or_else(overflow)?;
    for correction in 0..=CORRECTIONS {
        cx.progress.check()?;
        factor.solve(&mut at.gradient);
        theta.iter_mut().zip(&at.gradient).for_each(|(t, g)| *t -= g);
        if correction < CORRECTIONS {
            at = objective.evaluate(&theta, false);
        }
    }
    Ok(theta)
}

/// Coordinate descent. Columns and labels are centred, so that the intercept is zero.
fn lasso(objective: &SingleSum<'_, Squared>, absolute: &[f64], cx: &FitContext<'_>) -> Result<Vec<f64>, FitError> {
    let p = objective.design.n_terms() - 1;
    let mut squared = objective.squared.clone();
    squared.truncate(p);
    let at = SingleSum { squared: vec![0.0; p + 1], loss: Squared, ..*objective }.evaluate(&vec![0.0; p + 1], true);
    let square: Vec<f64> = at.hessian.chunks_exact(p + 1).take(p).flat_map(|row| row[..p].to_vec()).collect();
    let target: Vec<f64> = at.gradient[..p].iter().map(|g| -g).collect();
    if square.iter().chain(&target).any(|v| !v.is_finite()) {
        return Err(overflow());
    }
    let quadratic = Quadratic { target, square, labels: 2.0 * at.value };
    let mut theta = descend(NAME, &quadratic, &absolute[..p], &squared, cx)?;
    theta.push(0.0);
    Ok(theta)
}

fn overflow() -> FitError {
    let cause = "the squares of the columns are too large for numbers; scale the columns".to_owned();
    FitError::NotConverged { learner: NAME, cause }
}

impl TabularLearner for LinearRegression {
    fn name(&self) -> &'static str {
        NAME
    }

    fn wants(&self) -> Wants {
        Wants::Scaled
    }

    fn can(&self, task: Task) -> bool {
        task == Task::Regression
    }

    fn fit(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<Box<dyn TabularModel>, FitError> {
        Ok(Box::new(self.solve(examples, cx)?))
    }
}
