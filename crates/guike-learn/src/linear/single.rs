//! The objective of models with one sum per row: Σ weight · loss(sum, label) + ½ Σ squared · θ².

use super::design::Design;
use super::losses::Loss;
use super::newton::{Evaluation, Objective};
use crate::linalg::{BLOCK, Block, mirror, sum_rows};

/// One sum per row.
pub(super) struct SingleSum<'a, L> {
    pub(super) design: &'a Design<'a>,
    pub(super) loss: L,
    /// One per term; see [`Design::squared_penalty`].
    pub(super) squared: Vec<f64>,
    pub(super) unpenalised: bool,
}

/// What a piece of the rows needs for itself.
struct Scratch {
    block: Block,
    sums: [f64; BLOCK],
    slopes: [f64; BLOCK],
    curvatures: [f64; BLOCK],
}

impl Scratch {
    fn new(n_terms: usize) -> Scratch {
        Scratch { block: Block::new(n_terms), sums: [0.0; BLOCK], slopes: [0.0; BLOCK], curvatures: [0.0; BLOCK] }
    }
}

impl<L: Loss> Objective for SingleSum<'_, L> {
    fn evaluate(&self, theta: &[f64], with_hessian: bool) -> Evaluation {
        let t = theta.len();
        let width = 2 + t + if with_hessian { t * t } else { 0 };
        let (y, weight) = (self.design.y, &self.design.weight);
        let total = sum_rows(
            self.design.n_rows(),
            width,
            || Scratch::new(if with_hessian { t } else { 0 }),
            |rows, total, own| {
                let n = rows.len();
                if with_hessian {
                    self.design.fill(rows.clone(), &mut own.block);
                    own.block.times(theta, &mut own.sums[..n]);
                } else {
                    self.design.times(rows.clone(), theta, &mut own.sums[..n]);
                }
                for (i, row) in rows.clone().enumerate() {
                    let w = weight[row];
                    // a row without weight must not matter, not even by an infinite loss times 0
                    (own.slopes[i], own.curvatures[i]) = (0.0, 0.0);
                    if w > 0.0 {
                        let share = self.loss.share(own.sums[i], y[row]);
                        total[0] += w * share.loss;
                        total[1] += f64::from(u8::from(share.misfit));
                        own.slopes[i] = w * share.slope;
                        own.curvatures[i] = w * share.curvature;
                    }
                }
                if with_hessian {
                    own.block.add_products(&own.slopes[..n], &mut total[2..2 + t]);
                    own.block.add_gram(&own.curvatures[..n], &mut total[2 + t..]);
                } else {
                    self.design.add_products(rows, &own.slopes[..n], &mut total[2..2 + t]);
                }
            },
        );
        let mut value = total[0];
        let mut gradient = total[2..2 + t].to_vec();
        let mut hessian = total[2 + t..].to_vec();
        for (j, (&theta, &penalty)) in theta.iter().zip(&self.squared).enumerate() {
            value += 0.5 * penalty * theta * theta;
            gradient[j] += penalty * theta;
            if with_hessian {
                hessian[j * t + j] += penalty;
            }
        }
        if with_hessian {
            mirror(&mut hessian, t);
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

    fn parameter(&self, index: usize) -> String {
        if index < self.design.x.n_columns() { format!("column {index}") } else { "the intercept".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::losses::{Logistic, Squared, Tweedie};
    use super::*;
    use crate::tabular::{ColumnKind, Examples, Task};
    use guike_core::Matrix;

    fn derivatives_agree_with_differences<L: Loss>(loss: L) {
        let columns: Vec<Vec<f64>> = (0..3)
            .map(|j| (0..40).map(|i| ((i * (7 + j) + j) % 11) as f64 * (1.0 + j as f64) - 3.0).collect())
            .collect();
        let x = Matrix::from_columns(40, &columns);
        let y: Vec<f64> = (0..40).map(|i| f64::from(u8::from(i % 3 == 0))).collect();
        let weight: Vec<f64> = (0..40).map(|i| 0.5 + (i % 4) as f64).collect();
        let kinds = [ColumnKind::Number; 3];
        let examples = Examples { x: &x, kinds: &kinds, y: &y, weight: Some(&weight), task: Task::Regression };
        let design = Design::new("test", &examples).expect("sound rows");
        let squared = design.squared_penalty(3.0);
        let objective = SingleSum { design: &design, loss, squared, unpenalised: false };
        let theta = [0.3, -0.2, 0.1, 0.4];
        let at = objective.evaluate(&theta, true);
        let without = objective.evaluate(&theta, false);
        assert!((at.value - without.value).abs() < 1e-12 * at.value.abs());
        for j in 0..4 {
            assert!((at.gradient[j] - without.gradient[j]).abs() < 1e-11 * at.gradient[j].abs().max(1.0));
            let mut around = [theta; 2];
            around[0][j] -= 1e-5;
            around[1][j] += 1e-5;
            let [low, high] = around.map(|theta| objective.evaluate(&theta, true));
            assert!(((high.value - low.value) / 2e-5 - at.gradient[j]).abs() < 1e-6 * at.gradient[j].abs().max(1.0));
            for k in 0..4 {
                let difference = (high.gradient[k] - low.gradient[k]) / 2e-5;
                assert!((difference - at.hessian[j * 4 + k]).abs() < 1e-6 * difference.abs().max(1.0));
            }
        }
    }

    #[test]
    fn gradient_and_hessian_are_derivatives_of_the_value() {
        derivatives_agree_with_differences(Squared);
        derivatives_agree_with_differences(Logistic);
        derivatives_agree_with_differences(Tweedie { power: 1.0 });
        derivatives_agree_with_differences(Tweedie { power: 1.6 });
    }
}
