//! The numbers that are learned: named matrices in one flat buffer, so that gradients, moments and averages are plain slices.

use std::ops::Range;

use guike_core::Seed;
use rand_distr::{Distribution, StandardNormal};

/// One matrix of the parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Stable name, as in the file of weights.
    pub name: String,
    /// Rows; inputs of a linear map.
    pub rows: usize,
    /// Columns; outputs of a linear map, or the length of a vector with one row.
    pub cols: usize,
    /// Where its numbers begin.
    pub start: usize,
}

impl Tensor {
    /// Its positions in the flat buffer.
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.rows * self.cols
    }
}

/// Which matrix: an index into [`Params::tensors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParamId(pub(crate) usize);

/// How a matrix begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// All the same.
    Constant(f32),
    /// Normal with mean 0 and variance gain² / rows (LeCun et al. 1998; gain √2 is He et al. 2015).
    Normal(f32),
}

/// All parameters of a network.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params {
    /// Names and shapes in the order they were added.
    pub tensors: Vec<Tensor>,
    /// Their numbers, one tensor after the other, rows first.
    pub values: Vec<f32>,
}

impl Params {
    /// Adds a matrix; its numbers depend on the seed and its name only.
    pub fn add(&mut self, name: &str, rows: usize, cols: usize, start: Start, seed: Seed) -> ParamId {
        let begin = self.values.len();
        self.tensors.push(Tensor { name: name.to_owned(), rows, cols, start: begin });
        match start {
            Start::Constant(value) => self.values.resize(begin + rows * cols, value),
            Start::Normal(gain) => {
                let scale = gain / (rows as f32).sqrt();
                let mut rng = seed.derive(name).rng();
                self.values.extend((0..rows * cols).map(|_| {
                    let z: f32 = StandardNormal.sample(&mut rng);
                    scale * z
                }));
            }
        }
        ParamId(self.tensors.len() - 1)
    }

    /// One matrix.
    pub fn tensor(&self, id: ParamId) -> &Tensor {
        &self.tensors[id.0]
    }

    /// How many numbers.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}
