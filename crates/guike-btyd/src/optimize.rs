//! Maximising a log-likelihood over parameters in a box: damped Newton steps, and causes when they fail.
//!
//! The one idea: parameters are positive, so models hand over their logarithms; in these the likelihoods are close to
//! quadratic and Newton's method needs five to ten evaluations. A parameter that runs away (no drop-out, no
//! heterogeneity) stops at the edge of the box and is reported there, so that a degenerate likelihood ends in a finite
//! model that can say what happened. A function with a gradient only gets its Hessian by differences
//! ([`with_difference_hessian`]).
//!
//! It deliberately does no global search: the likelihoods here have one maximum from sensible starts.

use std::fmt;

/// Newton steps between two looks at whether the value still rises.
const RIDGE_ITERATIONS: usize = 12;

/// A function value with its first and second derivatives.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The value; −∞ or NaN outside the domain.
    pub value: f64,
    /// First derivatives.
    pub gradient: Vec<f64>,
    /// Second derivatives, d × d row-major, symmetric.
    pub hessian: Vec<f64>,
}

/// One coordinate of the search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coordinate {
    /// What it is called in messages, for example `"ln alpha"`.
    pub name: &'static str,
    /// Where to begin.
    pub start: f64,
    /// Smallest value.
    pub lower: f64,
    /// Largest value.
    pub upper: f64,
}

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StopRule {
    /// Newton steps before giving up. Default 200: twenty times what the likelihoods need.
    pub max_iterations: usize,
    /// The rise that the next Newton step promises, in units of the value, below which the maximum is reached. Default
    /// 1e-11 (plus rounding of the value): the parameters are then within 1e-5 of their standard errors.
    pub min_gain: f64,
    /// A rise of the value, over a dozen steps or promised by one that fails, below which nothing is left to gain.
    /// Default 1e-4: a ten-thousandth of a unit of log-likelihood moves no estimate by a hundredth of its standard error.
    pub min_rise: f64,
    /// Longest change of one coordinate in one step. Default 2, a factor of seven in a log parameter.
    pub max_step: f64,
}

impl Default for StopRule {
    fn default() -> Self {
        StopRule { max_iterations: 200, min_gain: 1e-11, min_rise: 1e-4, max_step: 2.0 }
    }
}

/// Which edge of the box a coordinate ended at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The smallest value.
    Lower,
    /// The largest value.
    Upper,
}

/// A maximum within the box.
#[derive(Debug, Clone, PartialEq)]
pub struct Maximum {
    /// Where it is.
    pub theta: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// First derivatives there; not zero for coordinates at an edge.
    pub gradient: Vec<f64>,
    /// Second derivatives there, row-major.
    pub hessian: Vec<f64>,
    /// Coordinates that ran into the edge of the box.
    pub at_edge: Vec<Option<Edge>>,
    /// Newton steps taken.
    pub iterations: usize,
}

impl Maximum {
    /// Standard errors of the coordinates from the inverse Hessian, with coordinates at an edge held fixed; `None` for
    /// those, and for all when the Hessian is not negative definite.
    pub fn standard_errors(&self) -> Vec<Option<f64>> {
        let d = self.theta.len();
        let free: Vec<usize> = (0..d).filter(|&i| self.at_edge[i].is_none()).collect();
        let mut errors = vec![None; d];
        if let Some(factor) = cholesky(&information(&self.hessian, d, &free), free.len()) {
            for (k, &i) in free.iter().enumerate() {
                let mut unit = vec![0.0; free.len()];
                unit[k] = 1.0;
                errors[i] = Some(solve(&factor, &unit)[k].sqrt()).filter(|e: &f64| e.is_finite());
            }
        }
        errors
    }
}

/// Why no maximum was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The function is not finite where the search begins.
    BadStart {
        /// The place, by name.
        place: String,
    },
    /// No step along the ascent direction raises the function, though its gradient is not zero.
    NoAscent {
        /// The place, by name.
        place: String,
        /// Largest component of the gradient.
        gradient: f64,
    },
    /// The iterations ran out.
    TooManyIterations {
        /// Their number.
        iterations: usize,
        /// The place, by name.
        place: String,
        /// Largest component of the gradient.
        gradient: f64,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::BadStart { place } => write!(f, "the log-likelihood is not finite at the start ({place})"),
            Failure::NoAscent { place, gradient } => {
                write!(f, "no step raises the log-likelihood at {place}, where its gradient is still {gradient:.3e}")
            }
            Failure::TooManyIterations { iterations, place, gradient } => {
                write!(f, "{iterations} iterations ended at {place} with a gradient of {gradient:.3e}")
            }
        }
    }
}

impl std::error::Error for Failure {}

/// Maximises `f` within the box by Newton's method.
///
/// Where the Hessian is not negative definite it is shifted until it is (Levenberg–Marquardt); steps are bounded and
/// halved until the value rises (Armijo). Coordinates at an edge whose gradient points outwards are held fixed.
///
/// # Errors
/// [`Failure`], which names place and cause.
///
/// ```
/// use guike_btyd::optimize::{Coordinate, Evaluation, StopRule, maximise};
/// let x = [Coordinate { name: "x", start: 5.0, lower: -9.0, upper: 9.0 }];
/// let top = maximise(&x, StopRule::default(), |t| Evaluation {
///     value: -(t[0] - 1.0).powi(2),
///     gradient: vec![-2.0 * (t[0] - 1.0)],
///     hessian: vec![-2.0],
/// })
/// .unwrap();
/// assert!((top.theta[0] - 1.0).abs() < 1e-12);
/// assert!((top.standard_errors()[0].unwrap() - 0.5_f64.sqrt()).abs() < 1e-12);
/// ```
pub fn maximise(
    coordinates: &[Coordinate],
    stop: StopRule,
    mut f: impl FnMut(&[f64]) -> Evaluation,
) -> Result<Maximum, Failure> {
    let d = coordinates.len();
    let mut theta: Vec<f64> = coordinates.iter().map(|c| c.start.clamp(c.lower, c.upper)).collect();
    let mut here = f(&theta);
    if !is_usable(&here) {
        return Err(Failure::BadStart { place: place(coordinates, &theta) });
    }
    // the value a while ago: on a ridge (no drop-out: only s/beta matters) the parameters wander while it stands still
    let mut earlier = here.value;
    for iterations in 0..stop.max_iterations {
        if iterations > 0 && iterations % RIDGE_ITERATIONS == 0 {
            if here.value - earlier <= stop.min_rise {
                return Ok(finish(coordinates, theta, here, iterations));
            }
            earlier = here.value;
        }
        let free = free_coordinates(coordinates, &theta, &here.gradient);
        let noise = 16.0 * f64::EPSILON * (1.0 + here.value.abs());
        let step = newton_step(&here, d, &free);
        let gain: f64 = 0.5 * free.iter().map(|&i| here.gradient[i] * step.direction[i]).sum::<f64>();
        let flat = free.iter().all(|&i| here.gradient[i].abs() <= 1e-10 * (1.0 + here.value.abs()));
        if flat || (!step.shifted && gain <= stop.min_gain + noise) {
            return Ok(finish(coordinates, theta, here, iterations));
        }
        let longest = step.direction.iter().fold(0.0_f64, |m, s| m.max(s.abs()));
        let mut scale = (stop.max_step / longest).min(1.0);
        // close to the top the rise drowns in the rounding of the value: then a step that loses no more is a step up
        let slack = if gain <= 1e3 * noise { noise } else { 0.0 };
        let climbed = (0..60).find_map(|_| {
            let next: Vec<f64> = (0..d)
                .map(|i| (theta[i] + scale * step.direction[i]).clamp(coordinates[i].lower, coordinates[i].upper))
                .collect();
            let rise: f64 = (0..d).map(|i| here.gradient[i] * (next[i] - theta[i])).sum();
            scale *= 0.5;
            if next == theta {
                return None;
            }
            let there = f(&next);
            (is_usable(&there) && there.value >= here.value + 1e-4 * rise - slack).then_some((next, there))
        });
        match climbed {
            Some((next, there)) => (theta, here) = (next, there),
            // the promised rise is lost in the rounding of the value, or nothing that a statistic could notice
            None if gain <= (1e3 * noise).max(stop.min_rise) => {
                return Ok(finish(coordinates, theta, here, iterations));
            }
            None => {
                let gradient = largest(&here.gradient, &free);
                return Err(Failure::NoAscent { place: place(coordinates, &theta), gradient });
            }
        }
    }
    let free = free_coordinates(coordinates, &theta, &here.gradient);
    Err(Failure::TooManyIterations {
        iterations: stop.max_iterations,
        place: place(coordinates, &theta),
        gradient: largest(&here.gradient, &free),
    })
}

/// Completes a gradient to an [`Evaluation`] by central differences of the gradient, two evaluations per coordinate.
///
/// # Shapes      `gradient_at` returns the value and its d first derivatives
pub fn with_difference_hessian(theta: &[f64], mut gradient_at: impl FnMut(&[f64]) -> (f64, Vec<f64>)) -> Evaluation {
    // the cube root of the rounding error balances it against the error of the difference
    const STEP: f64 = 6e-6;
    let d = theta.len();
    let (value, gradient) = gradient_at(theta);
    let mut hessian = vec![0.0; d * d];
    let mut moved = theta.to_vec();
    for i in 0..d {
        let h = STEP * theta[i].abs().max(1.0);
        moved[i] = theta[i] + h;
        let (_, up) = gradient_at(&moved);
        moved[i] = theta[i] - h;
        let (_, down) = gradient_at(&moved);
        moved[i] = theta[i];
        for j in 0..d {
            let second = (up[j] - down[j]) / (2.0 * h);
            hessian[i * d + j] += 0.5 * second;
            hessian[j * d + i] += 0.5 * second;
        }
    }
    Evaluation { value, gradient, hessian }
}

struct NewtonStep {
    /// Zero for coordinates that are not free.
    direction: Vec<f64>,
    /// Whether the Hessian had to be shifted.
    shifted: bool,
}

fn newton_step(here: &Evaluation, d: usize, free: &[usize]) -> NewtonStep {
    let m = free.len();
    let information = information(&here.hessian, d, free);
    let size = (0..m).fold(1e-8_f64, |s, k| s.max(information[k * m + k].abs()));
    let gradient: Vec<f64> = free.iter().map(|&i| here.gradient[i]).collect();
    let mut shift = 0.0;
    loop {
        let mut shifted = information.clone();
        for k in 0..m {
            shifted[k * m + k] += shift;
        }
        if let Some(factor) = cholesky(&shifted, m) {
            let mut direction = vec![0.0; d];
            for (k, s) in solve(&factor, &gradient).into_iter().enumerate() {
                direction[free[k]] = s;
            }
            return NewtonStep { direction, shifted: shift > 0.0 };
        }
        shift = if shift == 0.0 { 1e-6 * size } else { 4.0 * shift };
    }
}

/// Minus the Hessian of the free coordinates.
fn information(hessian: &[f64], d: usize, free: &[usize]) -> Vec<f64> {
    free.iter().flat_map(|&i| free.iter().map(move |&j| -hessian[i * d + j])).collect()
}

/// The lower factor of a positive definite matrix, or `None` when it is not one (to rounding).
fn cholesky(matrix: &[f64], m: usize) -> Option<Vec<f64>> {
    let mut factor = vec![0.0; m * m];
    for i in 0..m {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| factor[i * m + k] * factor[j * m + k]).sum();
            let rest = matrix[i * m + j] - dot;
            if i == j {
                if !(rest > 1e-14 * matrix[i * m + i].abs() && rest > 1e-300) {
                    return None;
                }
                factor[i * m + i] = rest.sqrt();
            } else {
                factor[i * m + j] = rest / factor[j * m + j];
            }
        }
    }
    Some(factor)
}

/// Solves L Lᵀ s = v.
fn solve(factor: &[f64], v: &[f64]) -> Vec<f64> {
    let m = v.len();
    let mut s = v.to_vec();
    for i in 0..m {
        for k in 0..i {
            s[i] -= factor[i * m + k] * s[k];
        }
        s[i] /= factor[i * m + i];
    }
    for i in (0..m).rev() {
        for k in i + 1..m {
            s[i] -= factor[k * m + i] * s[k];
        }
        s[i] /= factor[i * m + i];
    }
    s
}

fn free_coordinates(coordinates: &[Coordinate], theta: &[f64], gradient: &[f64]) -> Vec<usize> {
    (0..theta.len())
        .filter(|&i| {
            let outwards = (theta[i] <= coordinates[i].lower && gradient[i] <= 0.0)
                || (theta[i] >= coordinates[i].upper && gradient[i] >= 0.0);
            !outwards
        })
        .collect()
}

fn finish(coordinates: &[Coordinate], theta: Vec<f64>, here: Evaluation, iterations: usize) -> Maximum {
    let at_edge = coordinates
        .iter()
        .zip(&theta)
        .map(|(c, &t)| match () {
            () if t <= c.lower => Some(Edge::Lower),
            () if t >= c.upper => Some(Edge::Upper),
            () => None,
        })
        .collect();
    Maximum { theta, value: here.value, gradient: here.gradient, hessian: here.hessian, at_edge, iterations }
}

fn is_usable(e: &Evaluation) -> bool {
    e.value.is_finite() && e.gradient.iter().chain(&e.hessian).all(|v| v.is_finite())
}

fn largest(gradient: &[f64], free: &[usize]) -> f64 {
    free.iter().map(|&i| gradient[i].abs()).fold(0.0, f64::max)
}

fn place(coordinates: &[Coordinate], theta: &[f64]) -> String {
    let parts: Vec<String> = coordinates.iter().zip(theta).map(|(c, t)| format!("{} = {t:.4}", c.name)).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(name: &'static str, start: f64) -> Coordinate {
        Coordinate { name, start, lower: -50.0, upper: 50.0 }
    }

    /// −(1 − x)² − 100 (y − x²)²: the banana valley, upside down.
    fn banana(t: &[f64]) -> Evaluation {
        let (x, y) = (t[0], t[1]);
        let v = y - x * x;
        Evaluation {
            value: -(1.0 - x).powi(2) - 100.0 * v * v,
            gradient: vec![2.0 * (1.0 - x) + 400.0 * x * v, -200.0 * v],
            hessian: vec![-2.0 + 400.0 * v - 800.0 * x * x, 400.0 * x, 400.0 * x, -200.0],
        }
    }

    #[test]
    fn a_curved_valley_is_followed_to_its_end() {
        let top = maximise(&[wide("x", -1.2), wide("y", 1.0)], StopRule::default(), banana).expect("converges");
        // within 1e-5 of the standard errors 0.7 and 1.4
        assert!((top.theta[0] - 1.0).abs() < 7e-6 && (top.theta[1] - 1.0).abs() < 1.4e-5, "{top:?}");
    }

    #[test]
    fn a_gradient_is_enough() {
        let top = maximise(&[wide("x", -1.2), wide("y", 1.0)], StopRule::default(), |t| {
            with_difference_hessian(t, |t| {
                let e = banana(t);
                (e.value, e.gradient)
            })
        })
        .expect("converges");
        assert!((top.theta[0] - 1.0).abs() < 7e-6, "{top:?}");
    }

    #[test]
    fn a_runaway_coordinate_stops_at_its_edge_and_says_so() {
        let top = maximise(&[wide("x", 0.0)], StopRule::default(), |t| Evaluation {
            value: -(-t[0] / 10.0).exp(),
            gradient: vec![(-t[0] / 10.0).exp() / 10.0],
            hessian: vec![-(-t[0] / 10.0).exp() / 100.0],
        })
        .expect("ends");
        assert_eq!((top.at_edge[0], top.standard_errors()[0]), (Some(Edge::Upper), None));
    }

    #[test]
    fn a_bad_start_is_named() {
        let failure = maximise(&[wide("ln r", 2.0)], StopRule::default(), |_| Evaluation {
            value: f64::NAN,
            gradient: vec![0.0],
            hessian: vec![0.0],
        });
        let text = failure.expect_err("NaN").to_string();
        assert_eq!(text, "the log-likelihood is not finite at the start (ln r = 2.0000)");
    }

    #[test]
    fn a_wrong_gradient_is_no_maximum() {
        let failure = maximise(&[wide("x", 3.0)], StopRule::default(), |t| Evaluation {
            value: -t[0] * t[0],
            gradient: vec![2.0 * t[0]],
            hessian: vec![-2.0],
        });
        assert!(matches!(failure, Err(Failure::NoAscent { .. })), "{failure:?}");
    }

    #[test]
    fn iterations_are_limited() {
        let stop = StopRule { max_iterations: 2, ..StopRule::default() };
        let failure = maximise(&[wide("x", -1.2), wide("y", 1.0)], stop, banana);
        assert!(matches!(failure, Err(Failure::TooManyIterations { iterations: 2, .. })), "{failure:?}");
    }
}
