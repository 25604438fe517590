//! What networks here are built of: linear maps, norms, and residual blocks.

use guike_core::Seed;

use crate::params::{ParamId, Params, Start};
use crate::tape::{Tape, Var};

/// Adds parameters, each with a name of its own that decides how it begins.
pub(crate) struct Adder<'a> {
    pub(crate) params: &'a mut Params,
    pub(crate) seed: Seed,
}

impl Adder<'_> {
    pub(crate) fn matrix(&mut self, name: &str, rows: usize, cols: usize, gain: f32) -> ParamId {
        self.params.add(name, rows, cols, Start::Normal(gain), self.seed)
    }

    pub(crate) fn linear(&mut self, name: &str, rows: usize, cols: usize, gain: f32) -> [ParamId; 2] {
        let bias = format!("{name}.bias");
        [self.matrix(name, rows, cols, gain), self.params.add(&bias, 1, cols, Start::Constant(0.0), self.seed)]
    }

    pub(crate) fn norm(&mut self, name: &str, cols: usize) -> [ParamId; 2] {
        let (gain, bias) = (format!("{name}.gain"), format!("{name}.bias"));
        let mut one = |n: &str, v| self.params.add(n, 1, cols, Start::Constant(v), self.seed);
        [one(&gain, 1.0), one(&bias, 0.0)]
    }

    pub(crate) fn block(&mut self, name: &str, width: usize) -> Block {
        Block {
            norm: self.norm(&format!("{name}.norm"), width),
            up: self.linear(&format!("{name}.up"), width, 2 * width, 1.4),
            // residual branches begin small, so that a deep net begins as a shallow one
            down: self.linear(&format!("{name}.down"), 2 * width, width, 0.3),
        }
    }
}

/// Norm, up, GELU, down; added to what came in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    norm: [ParamId; 2],
    up: [ParamId; 2],
    down: [ParamId; 2],
}

impl Block {
    /// `dropout` may take some of the numbers in the middle away.
    pub(crate) fn over(&self, tape: &mut Tape<'_>, x: Var, dropout: &mut impl FnMut(&mut Tape<'_>, Var) -> Var) -> Var {
        let h = tape.norm(x, self.norm[0], self.norm[1]);
        let h = tape.linear(h, self.up[0], Some(self.up[1]));
        let h = tape.gelu(h);
        let h = dropout(tape, h);
        let h = tape.linear(h, self.down[0], Some(self.down[1]));
        tape.add(x, h)
    }
}

/// No dropout.
pub(crate) fn as_it_is(_: &mut Tape<'_>, x: Var) -> Var {
    x
}
