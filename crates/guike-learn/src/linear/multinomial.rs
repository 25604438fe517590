//! The objective of several classes: one sum per class, softmax, and a squared penalty.
//!
//! Parameters are class after class. Adding the same to every class changes nothing, so the objective is flat along
//! those directions; starting from zero, the search keeps the classes' mean at zero.

use super::design::Design;
use super::newton::{Evaluation, Objective};
use crate::linalg::{BLOCK, Block, mirror, sum_rows};

/// One sum per class.
pub(super) struct Softmax<'a> {
    pub(super) design: &'a Design<'a>,
    pub(super) classes: usize,
    /// The class of each row, from 0.
    pub(super) codes: &'a [usize],
    /// One per term, alike for every class.
    pub(super) squared: Vec<f64>,
    pub(super) unpenalised: bool,
}

struct Scratch {
    block: Block,
    /// Class after class.
    probabilities: Vec<f64>,
    slopes: [f64; BLOCK],
    pair: Vec<f64>,
}

impl Softmax<'_> {
    /// Sums to probabilities in place, class after class; loss and misfits of the rows.
    fn soften(&self, first: usize, n: usize, p: &mut [f64]) -> (f64, f64) {
        let (mut loss, mut misfits) = (0.0, 0.0);
        for i in 0..n {
            let weight = self.design.weight[first + i];
            if weight == 0.0 {
                continue;
            }
            let code = self.codes[first + i];
            let own = p[code * BLOCK + i];
            let (mut top, mut rival) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
            for k in 0..self.classes {
                top = top.max(p[k * BLOCK + i]);
                if k != code {
                    rival = rival.max(p[k * BLOCK + i]);
                }
            }
            let mut total = 0.0;
            for k in 0..self.classes {
                let e = (p[k * BLOCK + i] - top).exp();
                p[k * BLOCK + i] = e;
                total += e;
            }
            for k in 0..self.classes {
                p[k * BLOCK + i] /= total;
            }
            loss += weight * (total.ln() + top - own);
            misfits += f64::from(u8::from(own <= rival));
        }
        (loss, misfits)
    }
}

impl Objective for Softmax<'_> {
    fn evaluate(&self, theta: &[f64], with_hessian: bool) -> Evaluation {
        let (classes, m) = (self.classes, theta.len());
        let t = m / classes;
        let pairs = classes * (classes + 1) / 2;
        let width = 2 + m + if with_hessian { pairs * t * t } else { 0 };
        let scratch = || Scratch {
            block: Block::new(t),
            probabilities: vec![0.0; classes * BLOCK],
            slopes: [0.0; BLOCK],
            pair: vec![0.0; BLOCK],
        };
        let total = sum_rows(self.design.n_rows(), width, scratch, |rows, total, own| {
            let (first, n) = (rows.start, rows.len());
            let weight = &self.design.weight[rows.clone()];
            self.design.fill(rows, &mut own.block);
            for k in 0..classes {
                own.block.times(&theta[k * t..(k + 1) * t], &mut own.probabilities[k * BLOCK..k * BLOCK + n]);
            }
            let (loss, misfits) = self.soften(first, n, &mut own.probabilities);
            total[0] += loss;
            total[1] += misfits;
            for k in 0..classes {
                let p = &own.probabilities[k * BLOCK..k * BLOCK + n];
                for i in 0..n {
                    let truth = f64::from(u8::from(self.codes[first + i] == k));
                    own.slopes[i] = if weight[i] > 0.0 { weight[i] * (p[i] - truth) } else { 0.0 };
                }
                own.block.add_products(&own.slopes[..n], &mut total[2 + k * t..2 + (k + 1) * t]);
            }
            if with_hessian {
                let mut pair = 0;
                for k in 0..classes {
                    for l in k..classes {
                        for i in 0..n {
                            let (pk, pl) = (own.probabilities[k * BLOCK + i], own.probabilities[l * BLOCK + i]);
                            let curvature = if k == l { pk * (1.0 - pk) } else { -pk * pl };
                            own.pair[i] = if weight[i] > 0.0 { weight[i] * curvature } else { 0.0 };
                        }
                        let at = 2 + m + pair * t * t;
                        own.block.add_gram(&own.pair[..n], &mut total[at..at + t * t]);
                        pair += 1;
                    }
                }
            }
        });
        let mut value = total[0];
        let mut gradient = total[2..2 + m].to_vec();
        for (j, theta) in theta.iter().enumerate() {
            let penalty = self.squared[j % t];
            value += 0.5 * penalty * theta * theta;
            gradient[j] += penalty * theta;
        }
        let mut hessian = vec![0.0; if with_hessian { m * m } else { 0 }];
        if with_hessian {
            let mut squares = total[2 + m..].to_vec();
            let mut squares = squares.chunks_exact_mut((t * t).max(1));
            for k in 0..classes {
                for l in k..classes {
                    let square = squares.next().expect("one square per pair of classes");
                    mirror(square, t);
                    for a in 0..t {
                        for b in 0..t {
                            hessian[(k * t + a) * m + l * t + b] = square[a * t + b];
                            hessian[(l * t + a) * m + k * t + b] = square[a * t + b];
                        }
                    }
                }
            }
            for j in 0..m {
                hessian[j * m + j] += self.squared[j % t];
            }
        }
        Evaluation { value, misfits: total[1], gradient, hessian }
    }

    fn unit(&self) -> f64 {
        self.design.total_weight / self.design.n_rows() as f64
    }

    fn n_rows(&self) -> usize {
        self.design.n_rows()
    }

    fn unpenalised(&self) -> bool {
        self.unpenalised
    }

    fn hold_flat_directions(&self, hessian: &mut [f64]) {
        let m = self.classes * self.squared.len();
        let t = self.squared.len();
        for j in 0..t {
            let mean = (0..self.classes).map(|k| hessian[(k * t + j) * (m + 1)]).sum::<f64>() / self.classes as f64;
            let curvature = if mean > 0.0 { mean } else { self.design.total_weight };
            for k in 0..self.classes {
                for l in 0..self.classes {
                    hessian[(k * t + j) * m + l * t + j] += curvature;
                }
            }
        }
    }

    fn parameter(&self, index: usize) -> String {
        let t = self.squared.len();
        let (class, j) = (index / t, index % t);
        let what = if j < self.design.x.n_columns() { format!("column {j}") } else { "the intercept".to_owned() };
        format!("{what} for class {class}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tabular::{ColumnKind, Examples, Task};
    use guike_core::Matrix;

    #[test]
    fn gradient_and_hessian_are_derivatives_of_the_value() {
        let columns: Vec<Vec<f64>> =
            (0..2).map(|j| (0..50).map(|i| ((i * (5 + j) + j) % 13) as f64 - 4.0).collect()).collect();
        let x = Matrix::from_columns(50, &columns);
        let codes: Vec<usize> = (0..50).map(|i| (i * i) % 3).collect();
        let y: Vec<f64> = codes.iter().map(|&k| k as f64).collect();
        let kinds = [ColumnKind::Number; 2];
        let task = Task::Classification { classes: 3 };
        let design = Design::new("test", &Examples { x: &x, kinds: &kinds, y: &y, weight: None, task }).expect("sound");
        let squared = design.squared_penalty(0.7);
        let objective = Softmax { design: &design, classes: 3, codes: &codes, squared, unpenalised: false };
        let theta: Vec<f64> = (0..9).map(|j| 0.1 * (j * j % 7) as f64 - 0.3).collect();
        let at = objective.evaluate(&theta, true);
        for j in 0..9 {
            let [low, high] = [-1e-5, 1e-5].map(|h| {
                let mut theta = theta.clone();
                theta[j] += h;
                objective.evaluate(&theta, false)
            });
            assert!(((high.value - low.value) / 2e-5 - at.gradient[j]).abs() < 1e-7 * at.gradient[j].abs().max(1.0));
            for k in 0..9 {
                let difference = (high.gradient[k] - low.gradient[k]) / 2e-5;
                assert!((difference - at.hessian[j * 9 + k]).abs() < 1e-7 * difference.abs().max(1.0));
            }
        }
    }
}
