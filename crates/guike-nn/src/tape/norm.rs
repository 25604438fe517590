//! Layer normalisation (Ba, Kiros & Hinton 2016), one pass over each row.

use super::{Op, Tape, Var};
use crate::params::ParamId;

const EPSILON: f32 = 1e-5;

impl Tape<'_> {
    /// Each row to mean 0 and variance 1, then gain and bias per column.
    pub fn norm(&mut self, x: Var, gain: ParamId, bias: ParamId) -> Var {
        let (gain, bias) = (self.param(gain), self.param(bias));
        let (n, c) = self.shape(x);
        let (v, mut y) = self.begin(Op::Norm { x, gain, bias }, n, c);
        let (g, b) = (self.value(gain), self.value(bias));
        for (y, x) in y.chunks_exact_mut(c).zip(self.value(x).chunks_exact(c)) {
            let (mean, scale) = moments(x);
            for i in 0..c {
                y[i] = (x[i] - mean) * scale * g[i] + b[i];
            }
        }
        self.end(v, y)
    }
}

/// Sums in eight parts, so that additions need not wait for each other; always the same parts.
fn sum(x: impl Iterator<Item = f32>) -> f32 {
    let mut parts = [0.0_f32; 8];
    for (i, v) in x.enumerate() {
        parts[i % 8] += v;
    }
    parts.iter().sum()
}

/// Mean, and one over the standard deviation.
fn moments(x: &[f32]) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = sum(x.iter().copied()) / n;
    let variance = sum(x.iter().map(|v| (v - mean) * (v - mean))) / n;
    (mean, 1.0 / (variance + EPSILON).sqrt())
}

/// Adds the gradient of x to `dx`; leaves those of gain and bias, one after the other, in `scratch`.
pub(super) fn back(
    x: &[f32],
    gain: &[f32],
    dy: &[f32],
    (_, c): (usize, usize),
    dx: &mut [f32],
    scratch: &mut Vec<f32>,
) {
    scratch.clear();
    scratch.resize(2 * c, 0.0);
    let (d_gain, d_bias) = scratch.split_at_mut(c);
    for ((x, dy), dx) in x.chunks_exact(c).zip(dy.chunks_exact(c)).zip(dx.chunks_exact_mut(c)) {
        let (mean, scale) = moments(x);
        let n = c as f32;
        let of = |i: usize| (x[i] - mean) * scale;
        let total = sum((0..c).map(|i| dy[i] * gain[i])) / n;
        let along = sum((0..c).map(|i| dy[i] * gain[i] * of(i))) / n;
        for i in 0..c {
            let z = of(i);
            d_gain[i] += dy[i] * z;
            d_bias[i] += dy[i];
            dx[i] += scale * (dy[i] * gain[i] - total - z * along);
        }
    }
}
