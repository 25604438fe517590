//! The gated recurrent unit (Cho et al. 2014) over each customer's events, all gates in one operation.
//!
//! With the three parts of x·W + b of an event given, and U = (U_z, U_r, U_c),
//!
//! z = σ(x_z + h·U_z),  r = σ(x_r + h·U_r),  c = tanh(x_c + r ⊙ (h·U_c)),  h ← z ⊙ h + (1 − z) ⊙ c
//!
//! where the reset gate stands behind the product (the form of cuDNN), so that one product serves all three.

use super::{Op, Tape, Var};
use crate::math::sigmoid;
use crate::params::ParamId;

/// Numbers that are kept per event and channel: h after it, z, r, c and h·U_c.
const KEPT: usize = 5;

fn tanh(x: f32) -> f32 {
    2.0 * sigmoid(2.0 * x) - 1.0
}

impl Tape<'_> {
    /// The state after every event.
    ///
    /// # Shapes
    /// gates: events × 3s, `hidden`: s × 3s, offsets: n + 1 → events × s
    pub fn gru(&mut self, gates: Var, hidden: ParamId, offsets: &[u32]) -> Var {
        let hidden = self.param(hidden);
        let (events, width) = self.shape(gates);
        let s = width / 3;
        assert_eq!(self.shape(hidden), (s, 3 * s), "the hidden matrix of a recurrent unit");
        let (at, mut kept) = self.take_extra(events * KEPT * s);
        let op = Op::Gru { gates, hidden, offsets: offsets.to_vec(), kept: at };
        let (out, mut y) = self.begin(op, events, s);
        let (x, u) = (self.value(gates), self.value(hidden));
        let mut state = vec![0.0; s];
        let mut said = vec![0.0; 3 * s];
        for run in offsets.windows(2) {
            state.fill(0.0);
            for e in run[0] as usize..run[1] as usize {
                said.fill(0.0);
                for (h, row) in state.iter().zip(u.chunks_exact(3 * s)) {
                    said.iter_mut().zip(row).for_each(|(y, w)| *y += h * w);
                }
                let x = &x[e * 3 * s..][..3 * s];
                let kept = &mut kept[e * KEPT * s..][..KEPT * s];
                for i in 0..s {
                    let z = sigmoid(x[i] + said[i]);
                    let r = sigmoid(x[s + i] + said[s + i]);
                    let inner = said[2 * s + i];
                    let c = tanh(x[2 * s + i] + r * inner);
                    state[i] = z * state[i] + (1.0 - z) * c;
                    for (part, value) in [state[i], z, r, c, inner].into_iter().enumerate() {
                        kept[part * s + i] = value;
                    }
                }
                y[e * s..][..s].copy_from_slice(&state);
            }
        }
        self.ws.extra[at] = kept;
        self.end(out, y)
    }
}

/// Adds the gradients of the gates and of the hidden matrix.
pub(super) fn back(u: &[f32], offsets: &[u32], kept: &[f32], dy: &[f32], s: usize, dx: &mut [f32], du: &mut [f32]) {
    let nothing = vec![0.0; s];
    let (mut dh, mut d_said) = (vec![0.0; s], vec![0.0; 3 * s]);
    for run in offsets.windows(2) {
        let (from, to) = (run[0] as usize, run[1] as usize);
        dh.fill(0.0);
        for e in (from..to).rev() {
            dh.iter_mut().zip(&dy[e * s..][..s]).for_each(|(a, b)| *a += b);
            let own = &kept[e * KEPT * s..][..KEPT * s];
            let before = if e > from { &kept[(e - 1) * KEPT * s..][..s] } else { &nothing[..] };
            let dx = &mut dx[e * 3 * s..][..3 * s];
            for i in 0..s {
                let [z, r, c, inner] = [1, 2, 3, 4].map(|part| own[part * s + i]);
                let d_c = dh[i] * (1.0 - z) * (1.0 - c * c);
                let d_z = dh[i] * (before[i] - c) * z * (1.0 - z);
                let d_r = d_c * inner * r * (1.0 - r);
                (dx[i], dx[s + i], dx[2 * s + i]) = (dx[i] + d_z, dx[s + i] + d_r, dx[2 * s + i] + d_c);
                (d_said[i], d_said[s + i], d_said[2 * s + i]) = (d_z, d_r, d_c * r);
                dh[i] *= z;
            }
            for ((h, dh), (u, du)) in
                before.iter().zip(&mut dh).zip(u.chunks_exact(3 * s).zip(du.chunks_exact_mut(3 * s)))
            {
                let mut back = 0.0;
                for ((w, dw), d) in u.iter().zip(du).zip(&d_said) {
                    back += w * d;
                    *dw += h * d;
                }
                *dh += back;
            }
        }
    }
}
