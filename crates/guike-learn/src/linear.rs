//! Linear models: least squares, generalised linear models and logistic regression.
//!
//! The one idea: every model here is a sum of weighted columns, fitted on columns that are centred and scaled inside
//! (so that money and ages do not spoil the arithmetic) and handed back in the units that came in. Penalties mean what
//! scikit-learn's mean: on the coefficients in those units, never on the intercept; a weight counts like that many
//! copies of its row.
//!
//! * [`LinearRegression`]: ordinary, ridge, lasso and elastic net.
//! * [`GeneralisedLinear`]: Poisson, gamma and Tweedie with log link.
//! * [`LogisticRegression`]: two or more classes, also by plain gradient descent as in textbooks.
//!
//! All give a [`LinearModel`]. No standard errors or p-values here, and no choice of penalties on folds.

mod coordinate;
mod descent;
mod design;
mod generalised;
mod least_squares;
mod logistic;
mod losses;
mod model;
mod multinomial;
mod newton;
mod quasi_newton;
mod single;
#[cfg(test)]
mod tests;

pub use generalised::{Family, GeneralisedLinear};
pub use least_squares::LinearRegression;
pub use logistic::{LogisticRegression, Solver};
pub use model::LinearModel;

use guike_core::{FitContext, FitError};

use design::Design;
use newton::{Measured, Objective};

/// Most parameters whose second derivatives are worth having: beyond, a Newton step costs more than many of L-BFGS.
const NEWTON_MAX: usize = 400;

/// Which rows make up a part: every so many-th, so that sorted rows stand in it as they do among all.
const EVERY: usize = 10;
/// Fewest rows of a part for each parameter: its second derivatives are then within a fifth of those of all rows.
const ROWS_PER_PARAMETER: usize = 30;
/// Largest derivative left at the minimum of a part, per mean row and per row. The minimum itself is off by more: the
/// standard error of a mean derivative is 0.005 in 10,000 rows of two classes.
const ROUGH: f64 = 1e-4;
/// The same for all rows.
const EXACT: f64 = 1e-9;

/// Where a search begins.
#[derive(Debug, Clone)]
struct Start {
    theta: Vec<f64>,
    /// Second derivatives that were measured nearby, of a part of the rows.
    curvature: Option<Measured>,
}

impl Start {
    fn zero(n_parameters: usize) -> Start {
        Start { theta: vec![0.0; n_parameters], curvature: None }
    }
}

/// What a search is to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// The minimum.
    Minimum,
    /// A point near it and the second derivatives there, to go on from with more rows.
    Start,
}

/// The minimum of a smooth objective over the rows of a design by whatever method suits the number of its parameters.
///
/// A tenth of the rows knows the minimum to a few standard errors and the curvature around it to a few percent. From there
/// every pass over all rows for the first derivatives alone gains more than a digit; Newton's method from zero would take seven
/// passes for the second derivatives, each of them several times as long. The tenth begins with a tenth of its own, as long
/// as there are enough rows. Where a part has no minimum of its own, the search starts at zero.
///
/// `solve` minimises from a start.
fn minimise(
    design: &Design<'_>,
    n_parameters: usize,
    cx: &FitContext<'_>,
    solve: &dyn Fn(&Design<'_>, Start, Wanted) -> Result<Start, FitError>,
) -> Result<Vec<f64>, FitError> {
    let start = start_of(design, n_parameters, cx, solve)?;
    Ok(solve(design, start, Wanted::Minimum)?.theta)
}

/// Where to start with these rows.
fn start_of(
    design: &Design<'_>,
    n_parameters: usize,
    cx: &FitContext<'_>,
    solve: &dyn Fn(&Design<'_>, Start, Wanted) -> Result<Start, FitError>,
) -> Result<Start, FitError> {
    if n_parameters > NEWTON_MAX || design.n_rows() < EVERY * ROWS_PER_PARAMETER * n_parameters {
        return Ok(Start::zero(n_parameters));
    }
    let part = design.every(EVERY);
    let part = part.design();
    let start = start_of(&part, n_parameters, cx, solve)?;
    let found = solve(&part, start, Wanted::Start);
    cx.progress.check()?;
    let mut start = found.unwrap_or_else(|_| Start::zero(n_parameters));
    if let Some(curvature) = &mut start.curvature {
        curvature.times = design.total_weight / part.total_weight;
    }
    Ok(start)
}

/// The minimum of a smooth objective from a start.
fn minimise_from(
    learner: &'static str,
    objective: &dyn Objective,
    start: Start,
    wanted: Wanted,
    cx: &FitContext<'_>,
) -> Result<Start, FitError> {
    let left = if wanted == Wanted::Minimum { EXACT } else { ROUGH };
    let Start { theta, curvature } = start;
    if theta.len() > NEWTON_MAX {
        let theta = quasi_newton::quasi_newton(learner, objective, theta, left, cx)?;
        return Ok(Start { theta, curvature: None });
    }
    if let Some(curvature) = curvature
        && let Some(theta) = quasi_newton::with_curvature(learner, objective, &theta, &curvature, left, cx)?
    {
        let curvature = if wanted == Wanted::Start { Measured::at(objective, &theta) } else { None };
        return Ok(Start { theta, curvature });
    }
    let (theta, curvature) = newton::newton(learner, objective, theta, cx)?;
    Ok(Start { theta, curvature })
}

/// A penalty is a finite number of at least 0.
fn check_penalty(learner: &'static str, penalty: f64) -> Result<(), FitError> {
    if penalty.is_finite() && penalty >= 0.0 {
        return Ok(());
    }
    Err(invalid(learner, "penalty", penalty, "a finite number of at least 0 is needed"))
}

fn invalid(learner: &'static str, what: &str, value: f64, rule: &str) -> FitError {
    FitError::Invalid { learner, what: what.to_owned(), value: value.to_string(), rule: rule.to_owned() }
}
