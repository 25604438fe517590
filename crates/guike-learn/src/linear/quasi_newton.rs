//! L-BFGS: curvature from the last few steps, for tables with too many columns for second derivatives, or on top of the second
//! derivatives of a part of the rows.

use std::collections::VecDeque;

use guike_core::{FitContext, FitError};

use super::newton::{Evaluation, Measured, Objective, check_separation, check_start, stuck, too_many};
use crate::linalg::{add_scaled, dot};

/// Steps remembered; more gained nothing on tables of 30 to 2,000 columns.
const MEMORY: usize = 10;
const SUFFICIENT: f64 = 1e-4;
/// Share of the slope that may be left after a step (weak Wolfe condition).
const CURVATURE: f64 = 0.9;
const TRIALS: usize = 60;
/// Most steps; a hundred is usual.
const ITERATIONS: usize = 10_000;
/// Most steps on top of second derivatives; four or five are usual, and where they lead nowhere Newton's method costs less.
const STEPS: usize = 12;
/// Lengths that are tried on such a step: where the second derivatives are right, the first one does.
const LENGTHS: usize = 4;
/// Where rounding error ends the search, a gradient this many times too long is taken.
const SLACK: f64 = 1e3;

/// One remembered step.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    product: f64,
}

/// What is known of the curvature before the first step.
#[derive(Clone, Copy)]
enum Curvature<'a> {
    /// The same along every direction: on scaled columns a row's curvature is of the order of its weight.
    Even(f64),
    /// Second derivatives of a part of the rows.
    Measured(&'a Measured),
}

/// How a search ended.
enum End {
    Minimum(Vec<f64>),
    /// After as many steps as there are.
    Steps,
    /// No step lowers the loss, and the derivatives are not small.
    Stuck,
}

/// Minimises a smooth objective until no derivative is above `left` per mean row and per row.
///
/// # Errors
/// [`FitError::NotConverged`] after many iterations, or when the classes are separated and there is no penalty.
///
/// # Source
/// Nocedal & Wright (2006), algorithm 7.4; Lewis & Overton (2013) for the line search.
pub(super) fn quasi_newton(
    learner: &'static str,
    objective: &dyn Objective,
    start: Vec<f64>,
    left: f64,
    cx: &FitContext<'_>,
) -> Result<Vec<f64>, FitError> {
    let weight = objective.unit() * objective.n_rows() as f64;
    match search(learner, objective, start, Curvature::Even(weight), left, ITERATIONS, cx)? {
        End::Minimum(theta) => Ok(theta),
        End::Steps => Err(too_many(learner, ITERATIONS)),
        End::Stuck => Err(stuck(learner)),
    }
}

/// The same from where second derivatives are known nearly; `None` where they are of no help.
///
/// # Errors
/// As [`quasi_newton`].
pub(super) fn with_curvature(
    learner: &'static str,
    objective: &dyn Objective,
    start: &[f64],
    curvature: &Measured,
    left: f64,
    cx: &FitContext<'_>,
) -> Result<Option<Vec<f64>>, FitError> {
    let end = search(learner, objective, start.to_vec(), Curvature::Measured(curvature), left, STEPS, cx)?;
    Ok(if let End::Minimum(theta) = end { Some(theta) } else { None })
}

fn search(
    learner: &'static str,
    objective: &dyn Objective,
    start: Vec<f64>,
    curvature: Curvature<'_>,
    left: f64,
    steps: usize,
    cx: &FitContext<'_>,
) -> Result<End, FitError> {
    let enough = left * objective.unit() * objective.n_rows() as f64;
    let trials = if matches!(curvature, Curvature::Measured(_)) { LENGTHS } else { TRIALS };
    let mut theta = start;
    let mut at = objective.evaluate(&theta, false);
    let mut memory: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
    for _ in 0..steps {
        cx.progress.check()?;
        check_start(learner, &at)?;
        check_separation(learner, objective, &at)?;
        if at.gradient.iter().all(|g| g.abs() <= enough) {
            return Ok(End::Minimum(theta));
        }
        let direction = direction(&at.gradient, &memory, curvature);
        let Some((next, there)) = step_along(objective, &theta, &at, &direction, trials) else {
            if memory.is_empty() {
                let close = at.gradient.iter().all(|g| g.abs() <= SLACK * enough);
                return Ok(if close { End::Minimum(theta) } else { End::Stuck });
            }
            memory.clear();
            continue;
        };
        let step: Vec<f64> = next.iter().zip(&theta).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = there.gradient.iter().zip(&at.gradient).map(|(a, b)| a - b).collect();
        let product = dot(&step, &change);
        if product > 1e-14 * dot(&change, &change).sqrt() * dot(&step, &step).sqrt() {
            if memory.len() == MEMORY {
                memory.pop_front();
            }
            memory.push_back(Pair { step, change, product });
        }
        (theta, at) = (next, there);
    }
    Ok(End::Steps)
}

/// Minus the approximate inverse of the second derivatives times the gradient.
fn direction(gradient: &[f64], memory: &VecDeque<Pair>, curvature: Curvature<'_>) -> Vec<f64> {
    let mut d: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let share = dot(&pair.step, &d) / pair.product;
        add_scaled(&mut d, -share, &pair.change);
        shares.push(share);
    }
    match curvature {
        Curvature::Measured(measured) => measured.divide(&mut d),
        Curvature::Even(weight) => {
            let scale = memory.back().map_or(1.0 / weight, |last| last.product / dot(&last.change, &last.change));
            d.iter_mut().for_each(|d| *d *= scale);
        }
    }
    for (pair, share) in memory.iter().zip(shares.into_iter().rev()) {
        let other = dot(&pair.change, &d) / pair.product;
        add_scaled(&mut d, share - other, &pair.step);
    }
    d
}

/// A step along a direction that lowers the value enough and has left the steep part behind.
fn step_along(
    objective: &dyn Objective,
    theta: &[f64],
    at: &Evaluation,
    direction: &[f64],
    trials: usize,
) -> Option<(Vec<f64>, Evaluation)> {
    let slope = dot(&at.gradient, direction);
    if slope >= 0.0 {
        return None;
    }
    let rounding = 1e-14 * at.value.abs();
    let (mut low, mut high, mut length) = (0.0, f64::INFINITY, 1.0);
    let mut best = None;
    for _ in 0..trials {
        let next: Vec<f64> = theta.iter().zip(direction).map(|(t, d)| t + length * d).collect();
        let there = objective.evaluate(&next, false);
        // NaN is no descent either
        let lower = there.value <= at.value + SUFFICIENT * length * slope + rounding;
        if !lower {
            high = length;
        } else if dot(&there.gradient, direction) < CURVATURE * slope {
            low = length;
            best = Some((next, there));
        } else {
            return Some((next, there));
        }
        length = if high.is_finite() { (low + high) / 2.0 } else { 2.0 * low };
    }
    best
}

#[cfg(test)]
mod tests {
    use guike_core::{Matrix, Quiet, Seed};

    use super::*;
    use crate::linear::design::Design;
    use crate::linear::losses::{Logistic, Loss, Tweedie};
    use crate::linear::newton::newton;
    use crate::linear::single::SingleSum;
    use crate::tabular::{ColumnKind, Examples, Task};

    fn meets_newton(loss: impl Loss) {
        let noise = |i: usize, j: usize| ((i * (2 * j + 3) * 7919 + j * j * 104_729) % 1009) as f64 / 1009.0;
        let columns: Vec<Vec<f64>> = (0..30).map(|j| (0..700).map(|i| noise(i, j) * 9.0).collect()).collect();
        let y: Vec<f64> = (0..700).map(|i| f64::from(u8::from(noise(i, 1) + noise(i, 40) > 1.0))).collect();
        let x = Matrix::from_columns(700, &columns);
        let kinds = [ColumnKind::Number; 30];
        let examples = Examples { x: &x, kinds: &kinds, y: &y, weight: None, task: Task::Regression };
        let design = Design::new("test", &examples).expect("sound rows");
        let squared = design.squared_penalty(0.2);
        let objective = SingleSum { design: &design, loss, squared, unpenalised: false };
        let cx = FitContext { seed: Seed(1), progress: &Quiet };
        let (exact, _) = newton("test", &objective, vec![0.0; 31], &cx).expect("a minimum");
        let other = quasi_newton("test", &objective, vec![0.0; 31], 1e-9, &cx).expect("a minimum");
        assert!(exact.iter().any(|t| t.abs() > 0.1));
        for (a, b) in exact.iter().zip(&other) {
            assert!((a - b).abs() < 1e-7, "{a} {b}");
        }
    }

    #[test]
    fn l_bfgs_ends_where_newton_ends() {
        meets_newton(Logistic);
        meets_newton(Tweedie { power: 1.0 });
        meets_newton(Tweedie { power: 1.5 });
    }
}
