//! A gated linear recurrence over each customer's events: what a recurrent net remembers, at the cost of one sum an event.
//!
//! With gate a, value u, time since the event before Δ and a learned speed of forgetting λ per channel,
//!
//! h_i = σ(a_i) · e^(−λ Δ_i) · h_(i−1) + (1 − σ(a_i)) · u_i
//!
//! and what is given out is h after the last event, decayed by the time since then. Gate and value depend on the event
//! alone, so the recurrence is linear in the state (minimal gated unit of Feng et al. 2024; decay by elapsed time of Mozer,
//! Kazakov & Lindsey 2017), and a state that is kept takes one more event in O(1).

use super::{Op, Tape, Var};
use crate::math::{exp, sigmoid};
use crate::params::ParamId;

/// Which events belong to whom, and when they happened.
#[derive(Debug, Clone, Default)]
pub(super) struct Runs {
    /// n + 1 entries.
    offsets: Vec<u32>,
    /// Time since the event before, per event.
    since: Vec<f32>,
    /// Time since the last event, per customer.
    idle: Vec<f32>,
    /// Where the states are kept for the way back.
    pub(super) states: usize,
}

impl Tape<'_> {
    /// The state of every customer at the cutoff.
    ///
    /// # Shapes
    /// `gate` and `value`: events × c; `offsets`: n + 1; `since`: events; `idle`: n; `decay`: 1 × c, logarithms of λ → n × c
    pub fn scan(&mut self, gate: Var, value: Var, decay: ParamId, offsets: &[u32], since: &[f32], idle: &[f32]) -> Var {
        let decay = self.param(decay);
        let (events, c) = self.shape(gate);
        let n = offsets.len() - 1;
        let (states, mut kept) = self.take_extra(events * c);
        let runs = Runs { offsets: offsets.to_vec(), since: since.to_vec(), idle: idle.to_vec(), states };
        let (out, mut y) = self.begin(Op::Scan { gate, value, decay, runs }, n, c);
        let (a, u) = (self.value(gate), self.value(value));
        let speed: Vec<f32> = self.value(decay).iter().map(|&l| exp(l)).collect();
        for customer in 0..n {
            let h = &mut y[customer * c..][..c];
            for e in offsets[customer] as usize..offsets[customer + 1] as usize {
                let (a, u, since) = (&a[e * c..][..c], &u[e * c..][..c], since[e]);
                for i in 0..c {
                    let keep = sigmoid(a[i]);
                    h[i] = keep * exp(-speed[i] * since) * h[i] + (1.0 - keep) * u[i];
                }
                kept[e * c..][..c].copy_from_slice(h);
            }
            for i in 0..c {
                h[i] *= exp(-speed[i] * idle[customer]);
            }
        }
        self.ws.extra[states] = kept;
        self.end(out, y)
    }
}

/// Adds the gradients of gate and value, and leaves that of the logarithm of λ in `d_decay`.
pub(super) fn back(
    [a, u, decay]: [&[f32]; 3],
    runs: &Runs,
    kept: &[f32],
    dy: &[f32],
    c: usize,
    [da, du]: &mut [Vec<f32>; 2],
    d_decay: &mut [f32],
) {
    let speed: Vec<f32> = decay.iter().map(|&l| exp(l)).collect();
    let nothing = vec![0.0; c];
    let mut dh = vec![0.0; c];
    for customer in 0..runs.idle.len() {
        let (from, to) = (runs.offsets[customer] as usize, runs.offsets[customer + 1] as usize);
        if from == to {
            continue;
        }
        let last = &kept[(to - 1) * c..][..c];
        let idle = runs.idle[customer];
        for i in 0..c {
            let fade = exp(-speed[i] * idle);
            let dy = dy[customer * c + i];
            dh[i] = dy * fade;
            d_decay[i] -= dy * fade * last[i] * speed[i] * idle;
        }
        for e in (from..to).rev() {
            let before = if e > from { &kept[(e - 1) * c..][..c] } else { &nothing[..] };
            let (a, u, since) = (&a[e * c..][..c], &u[e * c..][..c], runs.since[e]);
            let (da, du) = (&mut da[e * c..][..c], &mut du[e * c..][..c]);
            for i in 0..c {
                let keep = sigmoid(a[i]);
                let fade = exp(-speed[i] * since);
                let held = fade * before[i];
                da[i] += dh[i] * (held - u[i]) * keep * (1.0 - keep);
                du[i] += dh[i] * (1.0 - keep);
                d_decay[i] -= dh[i] * keep * held * speed[i] * since;
                dh[i] *= keep * fade;
            }
        }
    }
}
