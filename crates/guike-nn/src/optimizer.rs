//! AdamW (Loshchilov & Hutter 2019) and, for hidden matrices, Muon (Jordan et al. 2024), with a clipped gradient, and the
//! learning rate over the steps.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::params::{Params, Tensor};
use crate::tape::{Mat, MatMut, product};

/// How parameters follow their gradients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamW {
    /// Memory of the mean of gradients.
    pub beta1: f32,
    /// Memory of the mean of their squares.
    pub beta2: f32,
    /// Added to the root of the mean square.
    pub epsilon: f32,
    /// Shrinkage of matrices per unit of learning rate; vectors are not shrunk.
    pub decay: f32,
    /// Longest gradient; a longer one is shortened (Pascanu, Mikolov & Bengio 2013).
    pub clip: f32,
    /// Momentum of Muon, which then moves the hidden matrices; `None` leaves them to AdamW.
    pub muon: Option<f32>,
}

impl Default for AdamW {
    fn default() -> AdamW {
        AdamW { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, decay: 0.02, clip: 1.0, muon: None }
    }
}

/// The learning rate: up in a line, then steady, then down in half a cosine (the steady part of Hu et al. 2024, section 4, so
/// that how long to train can be decided while it goes).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// The highest.
    pub peak: f32,
    /// Steps on the way up.
    pub warm_up: u64,
    /// Share of the steps on the way down.
    pub cool_down: f32,
    /// The last, as a share of the highest.
    pub floor: f32,
}

impl Default for Schedule {
    fn default() -> Schedule {
        Schedule { peak: 2e-3, warm_up: 200, cool_down: 0.6, floor: 0.01 }
    }
}

impl Schedule {
    /// The rate at a step of so many.
    pub fn rate(&self, step: u64, steps: u64) -> f32 {
        if step < self.warm_up {
            return self.peak * (step + 1) as f32 / self.warm_up as f32;
        }
        let down = (self.cool_down * steps as f32) as u64;
        let done = (step + down).saturating_sub(steps) as f32 / down.max(1) as f32;
        let cosine = 0.5 * (1.0 + (std::f32::consts::PI * done.min(1.0)).cos());
        self.peak * (self.floor + (1.0 - self.floor) * cosine)
    }
}

/// Shortens a gradient to at most this length; gives the length it had.
pub(crate) fn shorten(gradient: &mut [f32], longest: f32) -> f32 {
    let length = gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt() as f32;
    if length.is_finite() && length > longest {
        let scale = longest / length;
        gradient.iter_mut().for_each(|g| *g *= scale);
    }
    length
}

impl AdamW {
    /// Moves all parameters, see [`AdamW::step_some`].
    pub(crate) fn step(
        &self,
        params: &mut Params,
        gradient: &mut [f32],
        moments: &mut [Vec<f32>; 2],
        step: u64,
        rate: f32,
    ) -> f32 {
        let all = 0..params.tensors.len();
        self.step_some(params, all, gradient, moments, (step, rate))
    }

    /// Moves the parameters of these tensors at a step with a rate; gives the length of the gradient before it was clipped.
    ///
    /// A gradient that is not finite moves nothing.
    pub(crate) fn step_some(
        &self,
        params: &mut Params,
        tensors: Range<usize>,
        gradient: &mut [f32],
        [mean, square]: &mut [Vec<f32>; 2],
        (step, rate): (u64, f32),
    ) -> f32 {
        let length = shorten(gradient, self.clip);
        if !length.is_finite() {
            return length;
        }
        let t = (step + 1).min(1_000_000) as i32;
        let (fix1, fix2) = (1.0 / (1.0 - self.beta1.powi(t)), 1.0 / (1.0 - self.beta2.powi(t)));
        let scratch = &mut Orthogonal::default();
        for tensor in &params.tensors[tensors] {
            let range = tensor.range();
            let shrink = if tensor.rows > 1 { 1.0 - rate * self.decay } else { 1.0 };
            let values = params.values[range.clone()].iter_mut();
            if let Some(momentum) = self.muon.filter(|_| is_hidden(tensor)) {
                muon_step(tensor, momentum, &gradient[range.clone()], &mut mean[range.clone()], scratch);
                // the root mean square of a step of AdamW, so that one learning rate serves both (Liu et al. 2025, eq. 4)
                let scale = 0.2 * (tensor.rows.max(tensor.cols) as f32).sqrt() * rate;
                values.zip(&scratch.direction).for_each(|(p, d)| *p = *p * shrink - scale * d);
                continue;
            }
            let moments = mean[range.clone()].iter_mut().zip(&mut square[range.clone()]);
            for ((p, &g), (m, v)) in values.zip(&gradient[range]).zip(moments) {
                *m += (1.0 - self.beta1) * (g - *m);
                *v += (1.0 - self.beta2) * (g * g - *v);
                *p = *p * shrink - rate * *m * fix1 / ((*v * fix2).sqrt() + self.epsilon);
            }
        }
        length
    }
}

/// Smaller sides than this are inputs and outputs, not hidden matrices.
const HIDDEN_LEAST: usize = 24;

/// Whether Muon may move it: a map from hidden numbers to hidden numbers.
fn is_hidden(tensor: &Tensor) -> bool {
    tensor.rows.min(tensor.cols) >= HIDDEN_LEAST
}

/// Memory for orthogonal directions.
#[derive(Debug, Default)]
struct Orthogonal {
    direction: Vec<f32>,
    next: Vec<f32>,
    gram: Vec<f32>,
    poly: Vec<f32>,
}

/// Moves the momentum, and puts into `scratch.direction` the matrix that is nearly orthogonal and nearest to it.
fn muon_step(tensor: &Tensor, momentum: f32, gradient: &[f32], mean: &mut [f32], scratch: &mut Orthogonal) {
    mean.iter_mut().zip(gradient).for_each(|(m, g)| *m = momentum * *m + g);
    scratch.direction.clear();
    // Nesterov's look ahead
    scratch.direction.extend(mean.iter().zip(gradient).map(|(m, g)| g + momentum * m));
    scratch.orthogonalise(tensor.rows, tensor.cols);
}

impl Orthogonal {
    /// Five steps of the quintic Newton–Schulz iteration with Jordan's coefficients: singular values to about 1 (0.7–1.2).
    fn orthogonalise(&mut self, rows: usize, cols: usize) {
        const STEPS: usize = 5;
        const A: f32 = 3.4445;
        const B: f32 = -4.7750;
        const C: f32 = 2.0315;
        let length = self.direction.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt() as f32;
        self.direction.iter_mut().for_each(|x| *x /= length + 1e-7);
        let side = rows.min(cols);
        for _ in 0..STEPS {
            self.gram.resize(side * side, 0.0);
            self.poly.resize(side * side, 0.0);
            let x = Mat::of(&self.direction, rows, cols);
            // the smaller of X·Xᵀ and Xᵀ·X
            let (left, right) = if rows <= cols { (x, x.t()) } else { (x.t(), x) };
            product(left, right, MatMut::of(&mut self.gram, side, side), false);
            let gram = Mat::of(&self.gram, side, side);
            product(gram, gram, MatMut::of(&mut self.poly, side, side), false);
            self.poly.iter_mut().zip(&self.gram).for_each(|(p, g)| *p = B * g + C * *p);
            self.next.clear();
            self.next.extend(self.direction.iter().map(|x| A * x));
            let poly = Mat::of(&self.poly, side, side);
            let (a, b) = if rows <= cols { (poly, x) } else { (x, poly) };
            product(a, b, MatMut::of(&mut self.next, rows, cols), true);
            std::mem::swap(&mut self.direction, &mut self.next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Start;
    use guike_core::Seed;

    #[test]
    fn a_bowl_is_descended_to_its_bottom() {
        let mut params = Params::default();
        params.add("x", 1, 3, Start::Constant(2.0), Seed(1));
        let mut moments = [vec![0.0; 3], vec![0.0; 3]];
        let schedule = Schedule { peak: 0.1, warm_up: 10, cool_down: 0.9, floor: 0.0 };
        for step in 0..400 {
            let mut g: Vec<f32> = params.values.iter().enumerate().map(|(i, x)| 2.0 * (x - i as f32)).collect();
            AdamW::default().step(&mut params, &mut g, &mut moments, step, schedule.rate(step, 400));
        }
        assert!(params.values.iter().enumerate().all(|(i, x)| (x - i as f32).abs() < 1e-2), "{:?}", params.values);
    }

    #[test]
    fn the_direction_of_muon_has_singular_values_near_one() {
        for (rows, cols) in [(30, 50), (50, 30), (24, 24)] {
            let mut params = Params::default();
            params.add("x", rows, cols, Start::Normal(1.0), Seed(5));
            let mut o = Orthogonal { direction: params.values.clone(), ..Orthogonal::default() };
            o.orthogonalise(rows, cols);
            // the squares of singular values sum to the squares of the entries, and there are as many as the smaller side
            let squares: f32 = o.direction.iter().map(|x| x * x).sum();
            let mean = squares / rows.min(cols) as f32;
            assert!((0.6..1.3).contains(&mean), "{rows}×{cols}: {mean}");
            // and it points where the matrix did
            let along: f32 = o.direction.iter().zip(&params.values).map(|(a, b)| a * b).sum();
            assert!(along > 0.0);
        }
    }

    #[test]
    fn muon_descends_a_bowl_too() {
        let mut params = Params::default();
        params.add("x", 24, 24, Start::Normal(1.0), Seed(1));
        let goal: Vec<f32> = params.values.iter().map(|x| 1.0 - x).collect();
        let mut moments = [vec![0.0; 576], vec![0.0; 576]];
        let muon = AdamW { muon: Some(0.9), clip: 1e9, decay: 0.0, ..AdamW::default() };
        let schedule = Schedule { peak: 0.5, warm_up: 10, cool_down: 0.9, floor: 0.0 };
        let off = |p: &Params| p.values.iter().zip(&goal).map(|(x, y)| (x - y).powi(2)).sum::<f32>();
        let before = off(&params);
        for step in 0..400 {
            let mut g: Vec<f32> = params.values.iter().zip(&goal).map(|(x, y)| 2.0 * (x - y)).collect();
            muon.step(&mut params, &mut g, &mut moments, step, schedule.rate(step, 400));
        }
        assert!(off(&params) < 1e-3 * before, "{} of {before}", off(&params));
    }

    #[test]
    fn a_gradient_that_is_not_a_number_moves_nothing() {
        let mut params = Params::default();
        params.add("x", 1, 1, Start::Constant(2.0), Seed(1));
        let mut moments = [vec![0.0], vec![0.0]];
        assert!(AdamW::default().step(&mut params, &mut [f32::NAN], &mut moments, 0, 0.1).is_nan());
        assert_eq!((params.values[0], moments[0][0]), (2.0, 0.0));
    }
}
