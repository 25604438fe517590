//! Blocks of columns that each go through a function of their own: what a generator of table rows ends with.

use super::{Op, Tape, Var};
use crate::math::{exp, sigmoid};

/// What becomes of a block of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    /// The hyperbolic tangent of every number of so many columns.
    Tanh(usize),
    /// The softmax over so many columns.
    Softmax(usize),
}

impl Block {
    fn width(self) -> usize {
        match self {
            Block::Tanh(width) | Block::Softmax(width) => width,
        }
    }
}

impl Tape<'_> {
    /// The blocks side by side, each through its function.
    ///
    /// # Shapes
    /// x: n × the widths of all blocks → the same
    pub(crate) fn blocks(&mut self, x: Var, blocks: &[Block]) -> Var {
        let (n, c) = self.shape(x);
        assert_eq!(blocks.iter().map(|b| b.width()).sum::<usize>(), c, "columns of all blocks");
        let (v, mut y) = self.begin(Op::Blocks { x, blocks: blocks.to_vec() }, n, c);
        y.copy_from_slice(self.value(x));
        for row in y.chunks_exact_mut(c.max(1)) {
            let mut rest = row;
            for block in blocks {
                let (own, others) = rest.split_at_mut(block.width());
                rest = others;
                match block {
                    Block::Tanh(_) => own.iter_mut().for_each(|x| *x = 2.0 * sigmoid(2.0 * *x) - 1.0),
                    Block::Softmax(_) => {
                        let most = own.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                        own.iter_mut().for_each(|x| *x = exp(*x - most));
                        let share = 1.0 / own.iter().sum::<f32>();
                        own.iter_mut().for_each(|x| *x *= share);
                    }
                }
            }
        }
        self.end(v, y)
    }
}

/// Adds the gradient of what went into the blocks; `y` is what came out.
pub(super) fn back(y: &[f32], dy: &[f32], c: usize, blocks: &[Block], dx: &mut [f32]) {
    for ((y, dy), dx) in y.chunks_exact(c).zip(dy.chunks_exact(c)).zip(dx.chunks_exact_mut(c)) {
        let mut at = 0;
        for block in blocks {
            let own = at..at + block.width();
            at = own.end;
            let (y, dy, dx) = (&y[own.clone()], &dy[own.clone()], &mut dx[own]);
            let mean: f32 = y.iter().zip(dy).map(|(y, d)| y * d).sum();
            for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
                *dx += match block {
                    Block::Tanh(_) => dy * (1.0 - y * y),
                    Block::Softmax(_) => y * (dy - mean),
                };
            }
        }
    }
}
