//! Newton's method with a line search, for smooth convex objectives.

use guike_core::{FitContext, FitError};

use crate::linalg::{Cholesky, dot};

/// Left to gain, in units of a mean row's log-likelihood, at which the last step is taken: the parameters are then
/// within 1e-5 standard errors, and the last step squares that.
const GAIN: f64 = 1e-10;
/// Armijo's share of the promised gain.
const SUFFICIENT: f64 = 1e-4;
const HALVINGS: usize = 60;
/// Most steps; a dozen is usual.
const ITERATIONS: usize = 200;
/// A step this long (in standard deviations of a column) when there is nothing left to gain: the parameters are on
/// their way to infinity.
const RUNAWAY: f64 = 1e-2;

/// An objective at a point.
#[derive(Debug, Clone)]
pub(super) struct Evaluation {
    /// Σ weight · loss, and the squared penalty.
    pub(super) value: f64,
    /// Number of rows on the wrong side.
    pub(super) misfits: f64,
    /// Derivatives.
    pub(super) gradient: Vec<f64>,
    /// Second derivatives, row-major; empty unless asked for.
    pub(super) hessian: Vec<f64>,
}

/// A convex objective: a weighted sum of losses and a squared penalty.
pub(super) trait Objective: Sync {
    /// Value and derivatives.
    fn evaluate(&self, theta: &[f64], with_hessian: bool) -> Evaluation;
    /// Weight of a mean row.
    fn unit(&self) -> f64;
    /// Number of rows.
    fn n_rows(&self) -> usize;
    /// Whether no penalty keeps the parameters finite.
    fn unpenalised(&self) -> bool;
    /// Gives directions along which the objective is flat by construction a curvature of their own.
    fn hold_flat_directions(&self, _hessian: &mut [f64]) {}
    /// The name of a parameter, for messages.
    fn parameter(&self, index: usize) -> String;
}

/// Second derivatives, ready to be divided by.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    factor: Cholesky,
    /// What they are multiplied by to stand for all rows.
    pub(super) times: f64,
}

impl Measured {
    /// Those of an objective at a point; `None` where it is flat along some direction.
    pub(super) fn at(objective: &dyn Objective, theta: &[f64]) -> Option<Measured> {
        let mut at = objective.evaluate(theta, true);
        objective.hold_flat_directions(&mut at.hessian);
        Measured::of(Cholesky::with_jitter(&at.hessian, theta.len())?)
    }

    fn of(factor: Cholesky) -> Option<Measured> {
        (factor.jitter() == 0.0).then_some(Measured { factor, times: 1.0 })
    }

    /// Multiplies by the inverse in place.
    pub(super) fn divide(&self, v: &mut [f64]) {
        self.factor.solve(v);
        v.iter_mut().for_each(|v| *v /= self.times);
    }
}

/// Minimises a smooth objective; also gives the second derivatives where the last step began, unless it is flat there.
///
/// # Errors
/// [`FitError::NotConverged`] after many iterations, or when the minimum is at infinity.
pub(super) fn newton(
    learner: &'static str,
    objective: &dyn Objective,
    start: Vec<f64>,
    cx: &FitContext<'_>,
) -> Result<(Vec<f64>, Option<Measured>), FitError> {
    let m = start.len();
    let mut theta = start;
    let mut at = objective.evaluate(&theta, true);
    let mut collinear = false;
    for iteration in 0..ITERATIONS {
        cx.progress.check()?;
        check_start(learner, &at)?;
        check_separation(learner, objective, &at)?;
        objective.hold_flat_directions(&mut at.hessian);
        let factor = Cholesky::with_jitter(&at.hessian, m).ok_or_else(|| flat(learner))?;
        if factor.jitter() > 0.0 && objective.unpenalised() {
            if iteration > 0 && !collinear {
                return Err(runaway(learner, objective, &theta));
            }
            collinear = true;
        }
        let mut step: Vec<f64> = at.gradient.iter().map(|g| -g).collect();
        factor.solve(&mut step);
        let slope = dot(&at.gradient, &step);
        let done = -slope <= GAIN * objective.unit();
        if done && objective.unpenalised() && !collinear && step.iter().any(|s| s.abs() > RUNAWAY) {
            return Err(runaway(learner, objective, &step));
        }
        let Some((next, there)) = line_search(objective, &theta, &step, &at, slope, !done) else {
            // no step lowers the value by as much as rounding error: this is the minimum
            return if done { Ok((theta, Measured::of(factor))) } else { Err(stuck(learner)) };
        };
        (theta, at) = (next, there);
        if done {
            return Ok((theta, Measured::of(factor)));
        }
    }
    Err(too_many(learner, ITERATIONS))
}

/// The first of the step, half of it, a quarter … that lowers the value enough.
fn line_search(
    objective: &dyn Objective,
    theta: &[f64],
    step: &[f64],
    at: &Evaluation,
    slope: f64,
    with_hessian: bool,
) -> Option<(Vec<f64>, Evaluation)> {
    let rounding = 1e-13 * at.value.abs();
    let mut length = 1.0;
    for _ in 0..HALVINGS {
        let next: Vec<f64> = theta.iter().zip(step).map(|(t, s)| t + length * s).collect();
        let there = objective.evaluate(&next, with_hessian);
        if there.value <= at.value + SUFFICIENT * length * slope + rounding {
            return Some((next, there));
        }
        length /= 2.0;
    }
    None
}

/// The objective can be evaluated where the search begins, and ever after.
pub(super) fn check_start(learner: &'static str, at: &Evaluation) -> Result<(), FitError> {
    if at.value.is_finite() && at.gradient.iter().all(|g| g.is_finite()) {
        return Ok(());
    }
    let cause = "the loss is not a finite number; labels or columns are too large to exponentiate".to_owned();
    Err(FitError::NotConverged { learner, cause })
}

/// Two classes that a plane separates have no finite unpenalised solution, and a plane that separates them proves it.
///
/// # Source
/// Albert & Anderson (1984), "On the existence of maximum likelihood estimates in logistic regression models".
pub(super) fn check_separation(
    learner: &'static str,
    objective: &dyn Objective,
    at: &Evaluation,
) -> Result<(), FitError> {
    if !objective.unpenalised() || at.misfits > 0.0 {
        return Ok(());
    }
    let cause = "the columns separate the classes without an error, so that unpenalised coefficients have no finite \
                 value; set a `penalty`, or look for a column that gives the label away";
    Err(FitError::NotConverged { learner, cause: cause.to_owned() })
}

fn runaway(learner: &'static str, objective: &dyn Objective, step: &[f64]) -> FitError {
    let longest = (0..step.len()).max_by(|&a, &b| step[a].abs().total_cmp(&step[b].abs())).unwrap_or(0);
    let cause = format!(
        "the coefficient of {} grows without end because some of its values go with one kind of label only; \
         set a `penalty`",
        objective.parameter(longest)
    );
    FitError::NotConverged { learner, cause }
}

fn flat(learner: &'static str) -> FitError {
    let cause = "the second derivatives are not finite numbers or not those of a convex function".to_owned();
    FitError::NotConverged { learner, cause }
}

pub(super) fn stuck(learner: &'static str) -> FitError {
    FitError::NotConverged { learner, cause: "no step lowers the loss any more".to_owned() }
}

pub(super) fn too_many(learner: &'static str, iterations: usize) -> FitError {
    let cause = format!("{iterations} iterations were not enough; raise `penalty`");
    FitError::NotConverged { learner, cause }
}
