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
use newton::Objective;

/// Most parameters whose second derivatives are worth having: beyond, a Newton step costs more than many of L-BFGS.
const NEWTON_MAX: usize = 400;

/// Rows from which the minimum of a part of them is looked for first.
const PART_FROM: usize = 20_000;
/// Which rows make up that part: every so many-th, so that sorted rows stand in it as they do among all.
const EVERY: usize = 10;

/// The minimum of a smooth objective over the rows of a design by whatever method suits the number of its parameters.
///
/// Newton's method doubles the digits at each step: from the minimum of a tenth of the rows, which is off by a few standard
/// errors, two steps over all rows are left of seven. Where the part has no minimum of its own the search starts at zero.
fn minimise(
    design: &Design<'_>,
    n_parameters: usize,
    cx: &FitContext<'_>,
    solve: impl Fn(&Design<'_>, Vec<f64>) -> Result<Vec<f64>, FitError>,
) -> Result<Vec<f64>, FitError> {
    let zero = vec![0.0; n_parameters];
    if design.n_rows() < PART_FROM || n_parameters > NEWTON_MAX {
        return solve(design, zero);
    }
    let part = design.every(EVERY);
    let start = solve(&part.design(), zero.clone()).unwrap_or(zero);
    cx.progress.check()?;
    solve(design, start)
}

/// The minimum of a smooth objective from a start.
fn minimise_from(
    learner: &'static str,
    objective: &dyn Objective,
    start: Vec<f64>,
    n_rows: usize,
    cx: &FitContext<'_>,
) -> Result<Vec<f64>, FitError> {
    if start.len() <= NEWTON_MAX {
        newton::newton(learner, objective, start, cx)
    } else {
        quasi_newton::quasi_newton(learner, objective, start, n_rows, cx)
    }
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
