//! Reverse-mode differentiation over matrices of `f32`: what a forward pass did, and how to go back over it.
//!
//! The one idea: a step of training builds the same graph again and again, so nodes, values and gradients are kept in a
//! [`Workspace`] and a step in full swing allocates nothing. The operations are those that the models here need, each
//! fused: a residual block is five passes over memory and not fifteen. Forecasting runs the same code without going back,
//! so that there is one forward pass and not two that must agree.
//!
//! Rows are samples: a value of `rows × cols` is stored row by row. One tape runs on one thread; whoever wants more threads
//! runs more tapes and adds their gradients in a fixed order, so that the sum does not depend on the number of threads.

mod attend;
mod blocks;
mod gru;
mod matrix;
mod norm;
mod runs;
mod scan;

use crate::math::{gelu, gelu_slope};
use crate::params::{ParamId, Params};

pub(crate) use blocks::Block;
pub(crate) use matrix::{Mat, MatMut, product};

/// A value on the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Var(u32);

/// What made a value.
#[derive(Debug, Clone)]
enum Op {
    /// Given from outside; no gradient is wanted.
    Input,
    /// A matrix of the parameters.
    Param(ParamId),
    /// x·w + b.
    Linear { x: Var, w: Var, b: Option<Var> },
    /// x·wᵀ.
    LinearBack { x: Var, w: Var },
    /// Elementwise.
    Gelu { x: Var },
    /// Blocks of columns, each through a function of its own.
    Blocks { x: Var, blocks: Vec<blocks::Block> },
    /// `left` beside `right`.
    Beside { left: Var, right: Var },
    /// Each row to mean 0 and variance 1, then gain and bias.
    Norm { x: Var, gain: Var, bias: Var },
    /// a + b of the same shape.
    Add { a: Var, b: Var },
    /// Row i of `x` plus row `group[i]` of `groups`; `group` is constant over runs of rows.
    AddGroups { x: Var, groups: Var, runs: Vec<(u32, u32)> },
    /// `top` above `bottom`.
    Stack { top: Var, bottom: Var },
    /// Rows from..to of `x`.
    Rows { x: Var, from: usize },
    /// Softmax attention of every row of `q` over all rows of `k` and `v`.
    Attend { q: Var, k: Var, v: Var, heads: usize, weights: usize },
    /// The same of every row over itself and the rows before it of its run.
    AttendBack { q: Var, k: Var, v: Var, heads: usize, weights: usize, offsets: Vec<u32> },
    /// Runs of rows to one row each.
    Pool { x: Var, offsets: Vec<u32>, how: runs::Pooling },
    /// Rows beside their neighbours.
    Neighbours { x: Var, offsets: Vec<u32>, before: usize, width: usize },
    /// The same numbers in another shape.
    Reshape { x: Var },
    /// Elementwise product with constants, kept in `by`.
    Times { x: Var, by: usize },
    /// A gated recurrent unit over each run of rows, see [`gru`].
    Gru { gates: Var, hidden: Var, offsets: Vec<u32>, kept: usize },
    /// A gated linear recurrence over each run of rows, see [`scan`].
    Scan { gate: Var, value: Var, decay: Var, runs: scan::Runs },
}

#[derive(Debug, Default)]
struct Node {
    rows: usize,
    cols: usize,
    value: Vec<f32>,
    grad: Vec<f32>,
}

/// Memory that outlives a step.
#[derive(Debug, Default)]
pub struct Workspace {
    nodes: Vec<Node>,
    ops: Vec<Op>,
    /// Memory of operations that keep more than their value.
    extra: Vec<Vec<f32>>,
    extra_used: usize,
    scratch: Vec<f32>,
}

/// A forward pass in the making.
#[derive(Debug)]
pub struct Tape<'a> {
    params: &'a Params,
    ws: &'a mut Workspace,
}

impl<'a> Tape<'a> {
    /// Begins anew with these parameters; what the workspace held is forgotten, its memory is not.
    pub fn new(params: &'a Params, ws: &'a mut Workspace) -> Tape<'a> {
        ws.ops.clear();
        ws.extra_used = 0;
        Tape { params, ws }
    }

    /// Rows and columns of a value.
    pub fn shape(&self, v: Var) -> (usize, usize) {
        match self.ws.ops[v.0 as usize] {
            Op::Param(id) => {
                let t = self.params.tensor(id);
                (t.rows, t.cols)
            }
            _ => {
                let n = &self.ws.nodes[v.0 as usize];
                (n.rows, n.cols)
            }
        }
    }

    /// The numbers of a value, row by row.
    pub fn value(&self, v: Var) -> &[f32] {
        value_of(self.params, &self.ws.ops, &self.ws.nodes, v)
    }

    /// A new node with zeros; its buffer is taken out so that operands can be read meanwhile.
    fn begin(&mut self, op: Op, rows: usize, cols: usize) -> (Var, Vec<f32>) {
        let at = self.ws.ops.len();
        self.ws.ops.push(op);
        if self.ws.nodes.len() == at {
            self.ws.nodes.push(Node::default());
        }
        let node = &mut self.ws.nodes[at];
        (node.rows, node.cols) = (rows, cols);
        let mut value = std::mem::take(&mut node.value);
        value.clear();
        value.resize(rows * cols, 0.0);
        (Var(at as u32), value)
    }

    fn end(&mut self, v: Var, value: Vec<f32>) -> Var {
        self.ws.nodes[v.0 as usize].value = value;
        v
    }

    /// A buffer for an operation that keeps more than its value.
    fn take_extra(&mut self, len: usize) -> (usize, Vec<f32>) {
        let at = self.ws.extra_used;
        self.ws.extra_used += 1;
        if self.ws.extra.len() == at {
            self.ws.extra.push(Vec::new());
        }
        let mut buffer = std::mem::take(&mut self.ws.extra[at]);
        buffer.clear();
        buffer.resize(len, 0.0);
        (at, buffer)
    }

    /// A constant of `rows × cols`, filled by `fill`.
    pub fn input(&mut self, rows: usize, cols: usize, fill: impl FnOnce(&mut [f32])) -> Var {
        let (v, mut value) = self.begin(Op::Input, rows, cols);
        fill(&mut value);
        self.end(v, value)
    }

    /// A matrix of the parameters.
    pub fn param(&mut self, id: ParamId) -> Var {
        let (v, value) = self.begin(Op::Param(id), 0, 0);
        self.end(v, value)
    }

    /// x·w + b.
    ///
    /// # Shapes
    /// x: n × i, w: i × o, b: 1 × o → n × o
    pub fn linear(&mut self, x: Var, w: ParamId, b: Option<ParamId>) -> Var {
        let w = self.param(w);
        let b = b.map(|b| self.param(b));
        let ((n, i), (wi, o)) = (self.shape(x), self.shape(w));
        assert_eq!(i, wi, "inputs of a linear map");
        let (v, mut y) = self.begin(Op::Linear { x, w, b }, n, o);
        if let Some(b) = b {
            let bias = self.value(b);
            y.chunks_exact_mut(o).for_each(|row| row.copy_from_slice(bias));
        }
        product(Mat::of(self.value(x), n, i), Mat::of(self.value(w), i, o), MatMut::of(&mut y, n, o), true);
        self.end(v, y)
    }

    /// x·wᵀ: back through a linear map.
    ///
    /// # Shapes
    /// x: n × o, w: i × o → n × i
    pub fn linear_back(&mut self, x: Var, w: ParamId) -> Var {
        let w = self.param(w);
        let ((n, o), (i, wo)) = (self.shape(x), self.shape(w));
        assert_eq!(o, wo, "outputs of a linear map");
        let (v, mut y) = self.begin(Op::LinearBack { x, w }, n, i);
        product(Mat::of(self.value(x), n, o), Mat::of(self.value(w), i, o).t(), MatMut::of(&mut y, n, i), true);
        self.end(v, y)
    }

    /// One beside the other.
    ///
    /// # Shapes
    /// left: n × a, right: n × b → n × (a + b)
    pub fn beside(&mut self, left: Var, right: Var) -> Var {
        let ((n, a), (m, b)) = (self.shape(left), self.shape(right));
        assert_eq!(n, m, "rows of what stands side by side");
        let (v, mut y) = self.begin(Op::Beside { left, right }, n, a + b);
        let rows = self.value(left).chunks_exact(a).zip(self.value(right).chunks_exact(b));
        for (y, (l, r)) in y.chunks_exact_mut(a + b).zip(rows) {
            y[..a].copy_from_slice(l);
            y[a..].copy_from_slice(r);
        }
        self.end(v, y)
    }

    /// The Gaussian error linear unit of every number.
    pub fn gelu(&mut self, x: Var) -> Var {
        let (n, c) = self.shape(x);
        let (v, mut y) = self.begin(Op::Gelu { x }, n, c);
        y.iter_mut().zip(self.value(x)).for_each(|(y, &x)| *y = gelu(x));
        self.end(v, y)
    }

    /// a + b.
    pub fn add(&mut self, a: Var, b: Var) -> Var {
        let (n, c) = self.shape(a);
        assert_eq!((n, c), self.shape(b), "terms of a sum");
        let (v, mut y) = self.begin(Op::Add { a, b }, n, c);
        for ((y, &a), &b) in y.iter_mut().zip(self.value(a)).zip(self.value(b)) {
            *y = a + b;
        }
        self.end(v, y)
    }

    /// To every row of `x` the row of `groups` of its run; a run is (number of rows, row of `groups`), runs in order.
    pub fn add_groups(&mut self, x: Var, groups: Var, runs: &[(u32, u32)]) -> Var {
        let (n, c) = self.shape(x);
        assert_eq!(runs.iter().map(|r| r.0 as usize).sum::<usize>(), n, "rows of all runs");
        let (v, mut y) = self.begin(Op::AddGroups { x, groups, runs: runs.to_vec() }, n, c);
        y.copy_from_slice(self.value(x));
        let g = self.value(groups);
        let mut at = 0;
        for &(len, group) in runs {
            let add = &g[group as usize * c..][..c];
            for row in y[at..at + len as usize * c].chunks_exact_mut(c) {
                row.iter_mut().zip(add).for_each(|(y, a)| *y += a);
            }
            at += len as usize * c;
        }
        self.end(v, y)
    }

    /// One above the other.
    pub fn stack(&mut self, top: Var, bottom: Var) -> Var {
        let ((n, c), (m, d)) = (self.shape(top), self.shape(bottom));
        assert_eq!(c, d, "columns of what is stacked");
        let (v, mut y) = self.begin(Op::Stack { top, bottom }, n + m, c);
        y[..n * c].copy_from_slice(self.value(top));
        y[n * c..].copy_from_slice(self.value(bottom));
        self.end(v, y)
    }

    /// `count` rows of `x` from row `from` on.
    pub fn rows(&mut self, x: Var, from: usize, count: usize) -> Var {
        let (_, c) = self.shape(x);
        let (v, mut y) = self.begin(Op::Rows { x, from }, count, c);
        y.copy_from_slice(&self.value(x)[from * c..(from + count) * c]);
        self.end(v, y)
    }

    /// x times constants of the same shape, filled by `fill`: a mask, usually.
    pub fn times(&mut self, x: Var, fill: impl FnOnce(&mut [f32])) -> Var {
        let (n, c) = self.shape(x);
        let (by, mut factors) = self.take_extra(n * c);
        fill(&mut factors);
        let (v, mut y) = self.begin(Op::Times { x, by }, n, c);
        for ((y, &x), f) in y.iter_mut().zip(self.value(x)).zip(&factors) {
            *y = x * f;
        }
        self.ws.extra[by] = factors;
        self.end(v, y)
    }

    /// Goes back from gradients at some values to gradients of all parameters, which are added to `gradient`.
    ///
    /// `from` names values and the derivative of the loss by each; `gradient` is as long as the parameters.
    pub fn backward(&mut self, from: &[(Var, &[f32])], gradient: &mut [f32]) {
        let ws = &mut *self.ws;
        for (op, node) in ws.ops.iter().zip(&mut ws.nodes) {
            let len = match *op {
                Op::Input | Op::Param(_) => 0,
                _ => node.rows * node.cols,
            };
            node.grad.clear();
            node.grad.resize(len, 0.0);
        }
        for &(v, g) in from {
            ws.nodes[v.0 as usize].grad.iter_mut().zip(g).for_each(|(a, b)| *a += b);
        }
        for at in (0..ws.ops.len()).rev() {
            let dy = std::mem::take(&mut ws.nodes[at].grad);
            if !dy.is_empty() {
                step_back(self.params, ws, at, &dy, gradient);
            }
            ws.nodes[at].grad = dy;
        }
    }
}

fn value_of<'v>(params: &'v Params, ops: &[Op], nodes: &'v [Node], v: Var) -> &'v [f32] {
    match ops[v.0 as usize] {
        Op::Param(id) => &params.values[params.tensor(id).range()],
        _ => &nodes[v.0 as usize].value,
    }
}

/// Where the gradient of `v` is gathered: a node's own buffer, or the parameters'; empty where none is wanted.
fn gather<'g>(params: &Params, ops: &[Op], nodes: &'g mut [Node], gradient: &'g mut [f32], v: Var) -> &'g mut [f32] {
    match ops[v.0 as usize] {
        Op::Param(id) => &mut gradient[params.tensor(id).range()],
        _ => &mut nodes[v.0 as usize].grad,
    }
}

/// The derivative of one operation.
fn step_back(params: &Params, ws: &mut Workspace, at: usize, dy: &[f32], gradient: &mut [f32]) {
    let Workspace { nodes, ops, extra, scratch, .. } = ws;
    let shape = |nodes: &[Node], v: Var| match ops[v.0 as usize] {
        Op::Param(id) => (params.tensor(id).rows, params.tensor(id).cols),
        _ => (nodes[v.0 as usize].rows, nodes[v.0 as usize].cols),
    };
    let add = |nodes: &mut [Node], gradient: &mut [f32], v: Var, d: &[f32]| {
        let to = gather(params, ops, nodes, gradient, v);
        to.iter_mut().zip(d).for_each(|(a, b)| *a += b);
    };
    match &ops[at] {
        Op::Input | Op::Param(_) => {}
        &Op::Linear { x, w, b } => {
            let ((n, i), (_, o)) = (shape(nodes, x), shape(nodes, w));
            let dy_mat = Mat::of(dy, n, o);
            let dw = gather(params, ops, &mut [], gradient, w);
            product(Mat::of(value_of(params, ops, nodes, x), n, i).t(), dy_mat, MatMut::of(dw, i, o), true);
            if let Some(b) = b {
                let db = gather(params, ops, &mut [], gradient, b);
                for row in dy.chunks_exact(o) {
                    db.iter_mut().zip(row).for_each(|(a, g)| *a += g);
                }
            }
            let dx = gather(params, ops, nodes, gradient, x);
            if !dx.is_empty() {
                let Op::Param(id) = ops[w.0 as usize] else { unreachable!("weights are parameters") };
                let weights = &params.values[params.tensor(id).range()];
                product(dy_mat, Mat::of(weights, i, o).t(), MatMut::of(dx, n, i), true);
            }
        }
        &Op::LinearBack { x, w } => {
            let ((n, o), (i, _)) = (shape(nodes, x), shape(nodes, w));
            let dy_mat = Mat::of(dy, n, i);
            let dw = gather(params, ops, &mut [], gradient, w);
            product(dy_mat.t(), Mat::of(value_of(params, ops, nodes, x), n, o), MatMut::of(dw, i, o), true);
            let dx = gather(params, ops, nodes, gradient, x);
            if !dx.is_empty() {
                let Op::Param(id) = ops[w.0 as usize] else { unreachable!("weights are parameters") };
                let weights = &params.values[params.tensor(id).range()];
                product(dy_mat, Mat::of(weights, i, o), MatMut::of(dx, n, o), true);
            }
        }
        Op::Blocks { x, blocks } => {
            let c = shape(nodes, *x).1;
            let y = std::mem::take(&mut nodes[at].value);
            let dx = gather(params, ops, nodes, gradient, *x);
            if !dx.is_empty() {
                blocks::back(&y, dy, c, blocks, dx);
            }
            nodes[at].value = y;
        }
        &Op::Beside { left, right } => {
            let (a, b) = (shape(nodes, left).1, shape(nodes, right).1);
            for (v, from, width) in [(left, 0, a), (right, a, b)] {
                let to = gather(params, ops, nodes, gradient, v);
                for (to, dy) in to.chunks_exact_mut(width).zip(dy.chunks_exact(a + b)) {
                    to.iter_mut().zip(&dy[from..]).for_each(|(t, d)| *t += d);
                }
            }
        }
        &Op::Gelu { x } => {
            let node = &mut nodes[x.0 as usize];
            for ((dx, &x), &g) in node.grad.iter_mut().zip(&node.value).zip(dy) {
                *dx += g * gelu_slope(x);
            }
        }
        &Op::Norm { x, gain, bias } => {
            let (n, c) = shape(nodes, x);
            let mut dx = std::mem::take(&mut nodes[x.0 as usize].grad);
            norm::back(
                value_of(params, ops, nodes, x),
                value_of(params, ops, nodes, gain),
                dy,
                (n, c),
                &mut dx,
                scratch,
            );
            nodes[x.0 as usize].grad = dx;
            // the scratch now holds the gradients of gain and bias
            add(nodes, gradient, gain, &scratch[..c]);
            add(nodes, gradient, bias, &scratch[c..2 * c]);
        }
        &Op::Add { a, b } => {
            add(nodes, gradient, a, dy);
            add(nodes, gradient, b, dy);
        }
        Op::AddGroups { x, groups, runs } => {
            add(nodes, gradient, *x, dy);
            let c = shape(nodes, *groups).1;
            let to = gather(params, ops, nodes, gradient, *groups);
            let mut rows = dy.chunks_exact(c);
            for &(len, group) in runs {
                let sum = to.get_mut(group as usize * c..(group as usize + 1) * c).unwrap_or_default();
                for row in rows.by_ref().take(len as usize) {
                    sum.iter_mut().zip(row).for_each(|(a, g)| *a += g);
                }
            }
        }
        &Op::Stack { top, bottom } => {
            let (n, c) = shape(nodes, top);
            add(nodes, gradient, top, &dy[..n * c]);
            add(nodes, gradient, bottom, &dy[n * c..]);
        }
        &Op::Rows { x, from } => {
            let (_, c) = shape(nodes, x);
            let to = gather(params, ops, nodes, gradient, x);
            if !to.is_empty() {
                to[from * c..].iter_mut().zip(dy).for_each(|(a, g)| *a += g);
            }
        }
        &Op::Attend { q, k, v, heads, weights } => {
            let ((n, c), (m, _)) = (shape(nodes, q), shape(nodes, k));
            let mut grads = [q, k, v].map(|v| std::mem::take(&mut nodes[v.0 as usize].grad));
            let values = [q, k, v].map(|v| value_of(params, ops, nodes, v));
            let mut parts = grads.each_mut().map(Vec::as_mut_slice);
            attend::back(values, &extra[weights], dy, (n, m, c, heads), &mut parts, scratch);
            for (v, g) in [q, k, v].into_iter().zip(grads) {
                nodes[v.0 as usize].grad = g;
            }
        }
        Op::AttendBack { q, k, v, heads, weights, offsets } => {
            let (q, k, v, c) = (*q, *k, *v, shape(nodes, *q).1);
            let mut grads = [q, k, v].map(|v| std::mem::take(&mut nodes[v.0 as usize].grad));
            let values = [q, k, v].map(|v| value_of(params, ops, nodes, v));
            attend::look_back(values, &extra[*weights], dy, (c, *heads), offsets, &mut grads, scratch);
            for (v, g) in [q, k, v].into_iter().zip(grads) {
                nodes[v.0 as usize].grad = g;
            }
        }
        Op::Pool { x, offsets, how } => {
            let c = shape(nodes, *x).1;
            let dx = gather(params, ops, nodes, gradient, *x);
            if !dx.is_empty() {
                runs::pool_back(offsets, *how, dy, c, dx);
            }
        }
        Op::Neighbours { x, offsets, before, width } => {
            let c = shape(nodes, *x).1;
            let dx = gather(params, ops, nodes, gradient, *x);
            if !dx.is_empty() {
                runs::neighbours_back(offsets, *before, *width, dy, c, dx);
            }
        }
        &Op::Reshape { x } => add(nodes, gradient, x, dy),
        &Op::Times { x, by } => {
            let dx = gather(params, ops, nodes, gradient, x);
            for ((d, g), f) in dx.iter_mut().zip(dy).zip(&extra[by]) {
                *d += g * f;
            }
        }
        Op::Gru { gates, hidden, offsets, kept } => {
            let s = shape(nodes, *hidden).0;
            let mut dx = std::mem::take(&mut nodes[gates.0 as usize].grad);
            let u = value_of(params, ops, nodes, *hidden);
            let Op::Param(id) = ops[hidden.0 as usize] else { unreachable!("weights are parameters") };
            let du = &mut gradient[params.tensor(id).range()];
            gru::back(u, offsets, &extra[*kept], dy, s, &mut dx, du);
            nodes[gates.0 as usize].grad = dx;
        }
        Op::Scan { gate, value, decay, runs } => {
            let c = shape(nodes, *gate).1;
            let mut grads = [*gate, *value].map(|v| std::mem::take(&mut nodes[v.0 as usize].grad));
            let values = [gate, value, decay].map(|v| value_of(params, ops, nodes, *v));
            scratch.clear();
            scratch.resize(c, 0.0);
            scan::back(values, runs, &extra[runs.states], dy, c, &mut grads, scratch);
            for (v, g) in [*gate, *value].into_iter().zip(grads) {
                nodes[v.0 as usize].grad = g;
            }
            add(nodes, gradient, *decay, scratch);
        }
    }
}

#[cfg(test)]
mod tests;
