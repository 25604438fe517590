//! AdamW (Loshchilov & Hutter 2019) with a clipped gradient, and the learning rate over the steps; one pass over memory.

use serde::{Deserialize, Serialize};

use crate::params::Params;

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
}

impl Default for AdamW {
    fn default() -> AdamW {
        AdamW { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, decay: 0.02, clip: 1.0 }
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
    /// Moves the parameters; gives the length of the gradient before it was clipped.
    ///
    /// A gradient that is not finite moves nothing.
    pub(crate) fn step(
        &self,
        params: &mut Params,
        gradient: &mut [f32],
        [mean, square]: &mut [Vec<f32>; 2],
        step: u64,
        rate: f32,
    ) -> f32 {
        let length = shorten(gradient, self.clip);
        if !length.is_finite() {
            return length;
        }
        let t = (step + 1).min(1_000_000) as i32;
        let (fix1, fix2) = (1.0 / (1.0 - self.beta1.powi(t)), 1.0 / (1.0 - self.beta2.powi(t)));
        for tensor in &params.tensors {
            let range = tensor.range();
            let shrink = if tensor.rows > 1 { 1.0 - rate * self.decay } else { 1.0 };
            let values = params.values[range.clone()].iter_mut();
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
    fn a_gradient_that_is_not_a_number_moves_nothing() {
        let mut params = Params::default();
        params.add("x", 1, 1, Start::Constant(2.0), Seed(1));
        let mut moments = [vec![0.0], vec![0.0]];
        assert!(AdamW::default().step(&mut params, &mut [f32::NAN], &mut moments, 0, 0.1).is_nan());
        assert_eq!((params.values[0], moments[0][0]), (2.0, 0.0));
    }
}
