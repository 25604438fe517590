//! Softmax attention (Vaswani et al. 2017), head by head: of every query over one common context, where each head is three
//! plain products, or of every event over those before it of the same customer.

use super::{Mat, MatMut, Op, Tape, Var, product};
use crate::math::exp;

impl Tape<'_> {
    /// Every row of `q` looks at all rows of `k` and takes the weighted mean of the rows of `v`.
    ///
    /// # Shapes
    /// q: n × c, k and v: m × c, `heads` divides c → n × c
    pub fn attend(&mut self, q: Var, k: Var, v: Var, heads: usize) -> Var {
        let ((n, c), (m, kc)) = (self.shape(q), self.shape(k));
        assert!(c == kc && c % heads == 0 && self.shape(v) == (m, c), "shapes of attention");
        assert!(q != k && k != v && v != q, "the three are different values, so that each has its own gradient");
        let (at, mut weights) = self.take_extra(heads * n * m);
        let (out, mut y) = self.begin(Op::Attend { q, k, v, heads, weights: at }, n, c);
        let values = [q, k, v].map(|x| self.value(x));
        forward(values, &mut weights, &mut y, (n, m, c, heads), false);
        self.ws.extra[at] = weights;
        self.end(out, y)
    }

    /// Every row looks at itself and at the rows before it of the same run.
    ///
    /// # Shapes
    /// q, k and v: rows × c, `heads` divides c, offsets: n + 1 → rows × c
    pub fn attend_back(&mut self, q: Var, k: Var, v: Var, heads: usize, offsets: &[u32]) -> Var {
        let (rows, c) = self.shape(q);
        assert!(self.shape(k) == (rows, c) && self.shape(v) == (rows, c) && c % heads == 0, "shapes of attention");
        assert!(q != k && k != v && v != q, "the three are different values, so that each has its own gradient");
        let kept: usize = offsets.windows(2).map(|run| heads * ((run[1] - run[0]) as usize).pow(2)).sum();
        let (at, mut weights) = self.take_extra(kept);
        let op = Op::AttendBack { q, k, v, heads, weights: at, offsets: offsets.to_vec() };
        let (out, mut y) = self.begin(op, rows, c);
        let values = [q, k, v].map(|x| self.value(x));
        let mut rest = &mut weights[..];
        for run in offsets.windows(2) {
            let (from, n) = (run[0] as usize, (run[1] - run[0]) as usize);
            let own = values.map(|x| &x[from * c..][..n * c]);
            let (weights, others) = rest.split_at_mut(heads * n * n);
            rest = others;
            forward(own, weights, &mut y[from * c..][..n * c], (n, n, c, heads), true);
        }
        self.ws.extra[at] = weights;
        self.end(out, y)
    }
}

/// Weights and weighted means; `causal` lets row i look at rows 0 to i only.
fn forward(
    [q, k, v]: [&[f32]; 3],
    weights: &mut [f32],
    y: &mut [f32],
    (n, m, c, heads): (usize, usize, usize, usize),
    causal: bool,
) {
    if n == 0 {
        return;
    }
    let width = c / heads;
    let scale = 1.0 / (width as f32).sqrt();
    for (h, p) in weights.chunks_exact_mut(n * m).enumerate() {
        let head = |x, rows| Mat::strided(x, rows, width, c);
        let at = h * width;
        product(head(&q[at..], n), head(&k[at..], m).t(), MatMut::of(p, n, m), false);
        for (i, row) in p.chunks_exact_mut(m).enumerate() {
            let (seen, unseen) = row.split_at_mut(if causal { i + 1 } else { m });
            softmax(seen, scale);
            unseen.fill(0.0);
        }
        product(Mat::of(p, n, m), head(&v[at..], m), MatMut::strided(&mut y[at..], n, width, c), false);
    }
}

/// Adds the gradients of q, k and v where every row looked back in its run.
pub(super) fn look_back(
    values: [&[f32]; 3],
    weights: &[f32],
    dy: &[f32],
    (c, heads): (usize, usize),
    offsets: &[u32],
    [dq, dk, dv]: &mut [Vec<f32>; 3],
    scratch: &mut Vec<f32>,
) {
    let mut rest = weights;
    for run in offsets.windows(2) {
        let (from, n) = (run[0] as usize, (run[1] - run[0]) as usize);
        let own = from * c..(from + n) * c;
        let (weights, others) = rest.split_at(heads * n * n);
        rest = others;
        if n > 0 {
            let mut grads = [&mut dq[own.clone()], &mut dk[own.clone()], &mut dv[own.clone()]];
            let values = values.map(|x| &x[own.clone()]);
            back(values, weights, &dy[own.clone()], (n, n, c, heads), &mut grads, scratch);
        }
    }
}

/// The softmax of `scale`·row, in place.
fn softmax(row: &mut [f32], scale: f32) {
    // eight running maxima and sums: the compiler keeps them in vector registers
    let mut top = [f32::NEG_INFINITY; 8];
    for part in row.chunks(8) {
        top.iter_mut().zip(part).for_each(|(t, &x)| *t = if x > *t { x } else { *t });
    }
    let most = top.into_iter().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|x| *x = exp((*x - most) * scale));
    let mut parts = [0.0_f32; 8];
    for part in row.chunks(8) {
        parts.iter_mut().zip(part).for_each(|(s, &x)| *s += x);
    }
    let share = 1.0 / parts.iter().sum::<f32>();
    row.iter_mut().for_each(|x| *x *= share);
}

/// Adds the gradients of q, k and v.
pub(super) fn back(
    [q, k, v]: [&[f32]; 3],
    weights: &[f32],
    dy: &[f32],
    (n, m, c, heads): (usize, usize, usize, usize),
    [dq, dk, dv]: &mut [&mut [f32]; 3],
    scratch: &mut Vec<f32>,
) {
    let width = c / heads;
    let scale = 1.0 / (width as f32).sqrt();
    scratch.clear();
    scratch.resize(n * m, 0.0);
    for (h, p) in weights.chunks_exact(n * m).enumerate() {
        let at = h * width;
        let head = |x| Mat::strided(x, n, width, c);
        let context = |x| Mat::strided(x, m, width, c);
        let dy_head = head(&dy[at..]);
        product(dy_head, context(&v[at..]).t(), MatMut::of(scratch, n, m), false);
        product(Mat::of(p, n, m).t(), dy_head, MatMut::strided(&mut dv[at..], m, width, c), true);
        for (d, p) in scratch.chunks_exact_mut(m).zip(p.chunks_exact(m)) {
            let mut parts = [0.0_f32; 8];
            for (d, p) in d.chunks(8).zip(p.chunks(8)) {
                parts.iter_mut().zip(d.iter().zip(p)).for_each(|(s, (d, p))| *s += d * p);
            }
            let mean: f32 = parts.iter().sum();
            d.iter_mut().zip(p).for_each(|(d, p)| *d = p * (*d - mean) * scale);
        }
        product(Mat::of(scratch, n, m), context(&k[at..]), MatMut::strided(&mut dq[at..], n, width, c), true);
        product(Mat::of(scratch, n, m).t(), head(&q[at..]), MatMut::strided(&mut dk[at..], m, width, c), true);
    }
}
