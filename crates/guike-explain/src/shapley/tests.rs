//! Attributions of arbitrary models against the mean over all orders, and their errors against repeated runs.

use std::cell::Cell;

use guike_core::{Matrix, Seed};
use proptest::prelude::*;
use rand::RngExt;

use super::{BATCH, Game, Hybrid, Shapley, compose, shapley};
use crate::ExplainError;

/// A model of two outputs with products, a step of three columns and a sum. Three must meet: a permutation and its reverse
/// together are exact for pairs.
fn model(row: &[f64]) -> [f64; 2] {
    let pairs: f64 = row.windows(2).map(|w| w[0] * w[1]).sum();
    let step = if row[0] + row[row.len() / 2] + row[row.len() - 1] > 0.3 { 2.0 } else { 0.0 };
    let weighted: f64 = row.iter().enumerate().map(|(j, v)| (j + 1) as f64 * v).sum();
    [pairs + step, weighted + row.iter().product::<f64>()]
}

fn random(rng: &mut impl RngExt, n: usize, p: usize) -> Matrix {
    Matrix::from_row_major(p, &(0..n * p).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<_>>())
}

fn explain(game: &Game, case: &[f64], background: &Matrix) -> Shapley {
    let groups: Vec<Vec<usize>> = (0..case.len()).map(|j| vec![j]).collect();
    let outputs = |hybrids: &[Hybrid]| {
        let rows = compose(case, background, &groups, hybrids);
        Ok::<_, ExplainError>((0..rows.n_rows()).flat_map(|i| model(&rows.row(i))).collect())
    };
    shapley(game, outputs).unwrap()
}

/// The mean over all orders in which the columns could become known, for every output: outputs × columns.
fn by_orders(case: &[f64], background: &Matrix) -> Vec<Vec<f64>> {
    let p = case.len();
    let known = |mask: usize| -> [f64; 2] {
        let mut sum = [0.0; 2];
        for b in 0..background.n_rows() {
            let row: Vec<f64> =
                (0..p).map(|j| if mask >> j & 1 == 1 { case[j] } else { background.at(b, j) }).collect();
            let said = model(&row);
            (0..2).for_each(|o| sum[o] += said[o] / background.n_rows() as f64);
        }
        sum
    };
    let mut values = vec![vec![0.0; p]; 2];
    let mut count = 0.0;
    let mut order: Vec<usize> = (0..p).collect();
    each_order(&mut order, 0, &mut |order| {
        count += 1.0;
        let mut mask = 0;
        for &j in order {
            let (before, after) = (known(mask), known(mask | 1 << j));
            (0..2).for_each(|o| values[o][j] += after[o] - before[o]);
            mask |= 1 << j;
        }
    });
    values.iter_mut().flatten().for_each(|v| *v /= count);
    values
}

fn each_order(order: &mut Vec<usize>, from: usize, visit: &mut impl FnMut(&[usize])) {
    if from == order.len() {
        return visit(order);
    }
    for i in from..order.len() {
        order.swap(from, i);
        each_order(order, from + 1, visit);
        order.swap(from, i);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn all_coalitions_give_the_mean_over_all_orders(seed in 0_u64..1_000_000, p in 1_usize..6, n in 1_usize..4) {
        let rng = &mut Seed(seed).rng();
        let (case, background) = (random(rng, 1, p).row(0), random(rng, n, p));
        let game = Game { n_groups: p, n_background: n, n_outputs: 2, ..Game::default() };
        let said = explain(&game, &case, &background);
        prop_assert!(said.exact);
        prop_assert_eq!(said.calls, ((1 << p) - 1) * n + 1);
        for (output, exact) in by_orders(&case, &background).iter().enumerate() {
            for (v, e) in said.attributions.of(0, output).iter().zip(exact) {
                prop_assert!((v - e).abs() < 1e-12, "{v} and not {e}");
            }
        }
    }

    #[test]
    fn samples_add_up_to_the_prediction_whatever_the_budget(seed in 0_u64..1_000_000, p in 3_usize..90, n in 1_usize..60, calls in 0_usize..6_000) {
        let rng = &mut Seed(seed).rng();
        let (case, background) = (random(rng, 1, p).row(0), random(rng, n, p));
        let game = Game { n_groups: p, n_background: n, n_outputs: 2, calls, ..Game::default() };
        let said = explain(&game, &case, &background);
        let whole = model(&case);
        for output in 0..2 {
            prop_assert!((said.attributions.prediction(0, output) - whole[output]).abs() < 1e-9);
            prop_assert!(said.errors(output).iter().all(|e| e.is_finite() && *e >= 0.0));
        }
        prop_assert!(said.calls <= calls.max(32 * p + n));
        prop_assert!(said.n_background <= n);
    }
}

/// 200 runs of 8 groups, 1,500 calls each: the distance to the exact values, in standard errors, spreads as it should.
#[test]
fn the_standard_errors_are_those_that_repeated_runs_show() {
    let (p, n) = (8, 25);
    let rng = &mut Seed(3).rng();
    let (case, background) = (random(rng, 1, p).row(0), random(rng, n, p));
    let game = Game { n_groups: p, n_background: n, n_outputs: 2, ..Game::default() };
    let exact = explain(&game, &case, &background);
    assert!(exact.exact && exact.standard_errors.iter().all(|&e| e == 0.0));
    let (spread, within) = distances(&Game { calls: 1_500, ..game }, &exact, &case, &background);
    assert!((0.9..1.1).contains(&spread), "a distance is {spread} standard errors");
    assert!((0.92..0.98).contains(&within), "{within} lie within 1.96 standard errors");
    // one pair for two of three background cases: the error is on the safe side
    let (spread, within) = distances(&Game { calls: 260, ..game }, &exact, &case, &background);
    assert!(spread < 1.05 && within > 0.94, "a distance is {spread} standard errors, {within} within 1.96");
}

/// Over 200 runs, the root mean square distance to the exact values in standard errors, and the share within 1.96.
fn distances(game: &Game, exact: &Shapley, case: &[f64], background: &Matrix) -> (f64, f64) {
    let (mut squares, mut within, mut count) = (0.0, 0.0, 0.0);
    for run in 0..200 {
        let said = explain(&Game { seed: Seed(run), ..*game }, case, background);
        assert!(!said.exact && said.calls <= game.calls && said.n_background == game.n_background);
        for output in 0..2 {
            let truth = exact.attributions.of(0, output);
            for ((v, e), t) in said.attributions.of(0, output).iter().zip(said.errors(output)).zip(truth) {
                // columns that never meet two others are exact, but for rounding
                if *e < 1e-12 {
                    assert!((v - t).abs() < 1e-12);
                    continue;
                }
                let z = (v - t) / e;
                squares += z * z;
                within += f64::from(u8::from(z.abs() < 1.96));
                count += 1.0;
            }
        }
    }
    ((squares / count).sqrt(), within / count)
}

#[test]
fn a_sum_needs_no_luck() {
    // without interactions a permutation and its reverse say the same, and the background is averaged exactly
    let background = random(&mut Seed(8).rng(), 10, 30);
    let game = Game { n_groups: 30, n_background: 10, calls: 10 + 1 + 58 * 20, ..Game::default() };
    let case = vec![1.0; 30];
    let groups: Vec<Vec<usize>> = (0..30).map(|j| vec![j]).collect();
    let said = shapley(&game, |h: &[Hybrid]| {
        let rows = compose(&case, &background, &groups, h);
        Ok::<_, ExplainError>((0..rows.n_rows()).map(|i| rows.row(i).iter().sum()).collect())
    })
    .unwrap();
    for (j, v) in said.attributions.of(0, 0).iter().enumerate() {
        let exact = 1.0 - background.column(j).iter().sum::<f64>() / 10.0;
        assert!((v - exact).abs() < 1e-12, "{v} and not {exact}");
    }
}

#[test]
fn a_group_is_one_player_and_batches_stay_small() {
    let case = [1.0, 2.0, 3.0, 4.0];
    let background = Matrix::from_row_major(4, &[0.0; 4]);
    let groups = [vec![0, 3], vec![2]];
    let game = Game { n_groups: 2, n_background: 1, ..Game::default() };
    let said = shapley(&game, |h: &[Hybrid]| {
        let rows = compose(&case, &background, &groups, h);
        Ok::<_, ExplainError>((0..rows.n_rows()).map(|i| rows.row(i).iter().sum()).collect())
    })
    .unwrap();
    assert_eq!(said.attributions.of(0, 0), [5.0, 3.0]);
    assert_eq!(said.attributions.expected(), [2.0], "column 1 belongs to nobody, so it stays as it is");

    let largest = Cell::new(0);
    for (n_groups, calls) in [(12, 1 << 20), (40, 20_000), (2_000, 10_000)] {
        let game = Game { n_groups, n_background: 3, calls, ..Game::default() };
        shapley(&game, |h: &[Hybrid]| {
            largest.set(largest.get().max(h.len()));
            Ok::<_, ExplainError>(h.iter().map(|h| h.coalition.len() as f64).collect())
        })
        .unwrap();
    }
    assert_eq!(largest.get(), BATCH);
}

#[test]
fn a_background_that_would_eat_the_budget_is_thinned() {
    let game = Game { n_groups: 5, n_background: 1_000_000, calls: 400, ..Game::default() };
    let said = shapley(&game, |h: &[Hybrid]| {
        Ok::<_, ExplainError>(h.iter().map(|h| h.background as f64 + h.coalition.len() as f64).collect())
    })
    .unwrap();
    assert_eq!((said.n_background, said.exact), (100, false));
    assert!(said.calls <= 400);
}

#[test]
fn there_is_an_answer_for_no_group_and_none_for_no_background() {
    let game = Game { n_background: 2, ..Game::default() };
    let said = shapley(&game, |h: &[Hybrid]| Ok::<_, ExplainError>(vec![7.0; h.len()])).unwrap();
    assert_eq!((said.attributions.expected(), said.attributions.prediction(0, 0)), (&[7.0][..], 7.0));
    let none = Game { n_groups: 3, ..Game::default() };
    assert_eq!(shapley(&none, |_: &[Hybrid]| Ok::<_, ExplainError>(vec![])).unwrap_err(), ExplainError::NoBackground);
    let game = Game { n_groups: 3, n_background: 1, n_outputs: 2, ..Game::default() };
    let broken = shapley(&game, |h: &[Hybrid]| Ok::<_, ExplainError>(vec![f64::INFINITY; 2 * h.len()])).unwrap_err();
    assert_eq!(broken, ExplainError::Output { output: 0, value: f64::INFINITY });
    let stopped = shapley(&game, |_: &[Hybrid]| Err::<Vec<f64>, _>(ExplainError::NoBackground)).unwrap_err();
    assert_eq!(stopped, ExplainError::NoBackground, "an error of the model is passed on");
}
