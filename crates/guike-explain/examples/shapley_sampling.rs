//! Which way of sampling Shapley values errs less at the same number of model calls: permutations, as
//! `guike_explain::shapley` draws them, or KernelSHAP's weighted least squares with paired coalitions.
//!
//! `shapley_sampling` prints, for three models of 12 features, 50 background cases and three budgets, the root mean square
//! error over features and 30 seeds of both. KernelSHAP is that of Covert & Lee (2021), *Improving KernelSHAP*, AISTATS:
//! coalitions drawn by the kernel, each with its complement, each with one background case, the sum as a constraint; it gets
//! the same control variate.

#![allow(clippy::disallowed_methods, reason = "a measuring tool, not the library")]

use std::error::Error;
use std::io::Write;

use guike_core::{Matrix, Seed};
use guike_explain::ExplainError;
use guike_explain::shapley::{Game, Hybrid, coalition::Coalition, compose, shapley};
use rand::RngExt;
use rand::seq::SliceRandom;

const P: usize = 12;
const BACKGROUND: usize = 50;
const SEEDS: u64 = 30;

type Model = fn(&[f64]) -> f64;

/// Friedman's first function with a third column in the sine, and the last columns as products of pairs.
fn smooth(x: &[f64]) -> f64 {
    let friedman = 10.0 * (std::f64::consts::PI * x[0] * x[1] * x[5]).sin()
        + 20.0 * (x[2] - 0.5).powi(2)
        + 10.0 * x[3]
        + 5.0 * x[4];
    friedman + 4.0 * x[5..].windows(2).map(|w| w[0] * w[1]).sum::<f64>()
}

/// Steps of two or three features, as trees have them.
fn steps(x: &[f64]) -> f64 {
    let both = x.windows(2).enumerate().map(|(j, w)| if w[0] > 0.4 && w[1] < 0.7 { 1.0 + j as f64 / 4.0 } else { 0.0 });
    both.sum::<f64>() + if x[0] > 0.5 && x[5] > 0.3 && x[9] > 0.2 { 5.0 } else { 0.0 }
}

/// Every feature with every other.
fn product(x: &[f64]) -> f64 {
    x.iter().map(|v| 0.5 + v).product()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    for (name, model) in [("smooth", smooth as Model), ("steps", steps), ("product", product)] {
        for calls in [1_000, 4_000, 16_000] {
            let (mut permutations, mut kernel) = (0.0, 0.0);
            for seed in 0..SEEDS {
                let rng = &mut Seed(seed).rng();
                let rows: Vec<f64> = (0..(BACKGROUND + 1) * P).map(|_| rng.random()).collect();
                let (case, background) = (&rows[..P], Matrix::from_row_major(P, &rows[P..]));
                let game = Game {
                    n_groups: P,
                    n_background: BACKGROUND,
                    calls: usize::MAX,
                    seed: Seed(seed),
                    ..Game::default()
                };
                let exact = by_library(&game, case, &background, model)?;
                let drawn = by_library(&Game { calls, ..game }, case, &background, model)?;
                permutations += distance(&drawn, &exact);
                kernel += distance(&by_kernel(calls, Seed(seed), case, &background, model), &exact);
            }
            let root = |sum: f64| (sum / SEEDS as f64).sqrt();
            let (a, b) = (root(permutations), root(kernel));
            writeln!(out, "{name} {calls}: permutations {a:.5}, KernelSHAP {b:.5}, {:.1} times as much", b / a)?;
        }
    }
    Ok(())
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / a.len() as f64
}

fn by_library(game: &Game, case: &[f64], background: &Matrix, model: Model) -> Result<Vec<f64>, ExplainError> {
    let groups: Vec<Vec<usize>> = (0..P).map(|j| vec![j]).collect();
    let said =
        shapley(game, |hybrids: &[Hybrid]| Ok::<_, ExplainError>(ask(case, background, &groups, hybrids, model)))?;
    Ok(said.attributions.of(0, 0).to_vec())
}

fn ask(case: &[f64], background: &Matrix, groups: &[Vec<usize>], hybrids: &[Hybrid], model: Model) -> Vec<f64> {
    let rows = compose(case, background, groups, hybrids);
    (0..rows.n_rows()).map(|i| model(&rows.row(i))).collect()
}

/// min Σ (v(S) − base − Σ_{j ∈ S} φⱼ)² over drawn coalitions S, with Σ φ = f(case) − base.
fn by_kernel(calls: usize, seed: Seed, case: &[f64], background: &Matrix, model: Model) -> Vec<f64> {
    let rng = &mut seed.derive("kernel").rng();
    let of_background: Vec<f64> = (0..BACKGROUND).map(|b| model(&background.row(b))).collect();
    let base = of_background.iter().sum::<f64>() / BACKGROUND as f64;
    let total = model(case) - base;
    // a coalition of s of p is drawn with weight 1 / (s (p − s)) for its size
    let sizes: Vec<f64> = (1..P).map(|s| 1.0 / (s * (P - s)) as f64).collect();
    let mut hybrids = Vec::new();
    let mut turn: Vec<usize> = (0..BACKGROUND).collect();
    for pair in 0..(calls - BACKGROUND - 1) / 2 {
        if pair % BACKGROUND == 0 {
            turn.shuffle(rng);
        }
        let mut left = rng.random::<f64>() * sizes.iter().sum::<f64>();
        let passes = |w: &f64| {
            left -= w;
            left < 0.0
        };
        let size = sizes.iter().position(passes).map_or(P - 1, |s| s + 1);
        let mut order: Vec<usize> = (0..P).collect();
        order.shuffle(rng);
        for groups in [&order[..size], &order[size..]] {
            let coalition = Coalition::of(P, groups.iter().copied());
            hybrids.push(Hybrid { coalition, background: turn[pair % BACKGROUND] });
        }
    }
    let groups: Vec<Vec<usize>> = (0..P).map(|j| vec![j]).collect();
    let said = ask(case, background, &groups, &hybrids, model);
    let (mut gram, mut right) = (vec![vec![0.0; P]; P], vec![0.0; P]);
    for (h, v) in hybrids.iter().zip(said) {
        let members: Vec<usize> = (0..P).filter(|&j| h.from_case(j)).collect();
        // what this background case is above the mean counts for the part of the case that comes from it
        let above = (of_background[h.background] - base) * (1.0 - members.len() as f64 / P as f64);
        for &i in &members {
            right[i] += v - base - above;
            members.iter().for_each(|&j| gram[i][j] += 1.0);
        }
    }
    let (free, ones) = (solve(gram.clone(), right), solve(gram, vec![1.0; P]));
    let too_much = (free.iter().sum::<f64>() - total) / ones.iter().sum::<f64>();
    free.iter().zip(ones).map(|(f, o)| f - o * too_much).collect()
}

/// Gauss' elimination; the matrix is positive definite.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    for k in 0..P {
        for i in (0..P).filter(|&i| i != k) {
            let factor = a[i][k] / a[k][k];
            for j in 0..P {
                a[i][j] -= factor * a[k][j];
            }
            b[i] -= factor * b[k];
        }
    }
    (0..P).map(|k| b[k] / a[k][k]).collect()
}
