//! LIME: the straight line that follows a model around one row, how well it does, and whether it would say the same again.
//!
//! The one idea: near enough, any model is a sum; disturb the row, ask the model, and fit the sum with weights that fall
//! with distance. A line that fits badly, or that another draw would turn, explains nothing, so both are part of the
//! result: the local R², and how much the slopes and the top features differ between repeated draws.
//!
//! It says how the prediction would move, not what each feature adds to it: for that see [`mod@crate::shapley`].

use guike_core::{Matrix, Seed};
use rand::RngExt;
use rand_distr::StandardNormal;

use crate::error::ExplainError;

/// How a feature is disturbed. A missing value (NaN) of the explained row stays missing, with slope 0.
#[derive(Debug, Clone, PartialEq)]
pub enum Feature {
    /// By a normal number of this spread, held within the bounds.
    Number {
        /// Standard deviation in the data; 0 or less leaves the feature as it is.
        spread: f64,
        /// Smallest possible value.
        low: f64,
        /// Largest possible value.
        high: f64,
    },
    /// By a code drawn with these shares (any positive weights).
    Category {
        /// By code, its share in the data.
        shares: Vec<f64>,
    },
}

/// How the line is found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimeSettings {
    /// Disturbed rows per draw.
    pub samples: usize,
    /// Draws: each gives a line; the result is their mean, and their differences say how stable it is. At least 2.
    pub repeats: usize,
    /// Distance, in spreads, at which a row still counts e^−½; by default ¾ of the root of the number of features, as the
    /// authors' program has it.
    pub width: Option<f64>,
    /// Penalty on squared slopes; 1 as the authors' program has it.
    pub ridge: f64,
    /// Features whose place at the top is compared between draws.
    pub top: usize,
    /// Where the draws begin.
    pub seed: Seed,
}

impl Default for LimeSettings {
    fn default() -> LimeSettings {
        LimeSettings { samples: 1_000, repeats: 10, width: None, ridge: 1.0, top: 5, seed: Seed(1) }
    }
}

/// A line around a row, in the unit of the model's output.
#[derive(Debug, Clone, PartialEq)]
pub struct Lime {
    /// What the line says of the row itself.
    pub prediction: f64,
    /// By feature: for a number, by how much the output grows per spread; for a category, by how much it is higher than it
    /// would be with another category.
    pub slopes: Vec<f64>,
    /// By feature, the standard deviation of the slope between draws: what one draw would be off by.
    pub slope_spreads: Vec<f64>,
    /// Weighted share of the variance around the row that the line explains, mean over draws; below about a half the line is
    /// not the model.
    pub r_squared: f64,
    /// Mean share of the top features that two draws have in common, from 0 to 1.
    pub top_overlap: f64,
}

/// The line that follows the model around `case`.
///
/// `outputs` gets disturbed rows and returns one number for each. Codes of categories are whole numbers in the matrix.
///
/// # Cost
/// samples × repeats model calls; memory for one draw.
///
/// # Errors
/// [`ExplainError::Columns`] when there is not one feature per column, [`ExplainError::Output`] where an output is not
/// finite, and whatever `outputs` returns.
///
/// # Panics
/// When `outputs` returns another number of values than it was given rows, or there are fewer than two draws.
///
/// # Source
/// Ribeiro, Singh & Guestrin (2016), *"Why should I trust you?"*, KDD, algorithm 1, without the selection of features.
/// `top_overlap` is the variables stability index of Visani et al. (2022), *Statistical stability indices for LIME*, J. Oper.
/// Res. Soc. 73. The weighted ridge agrees with scikit-learn's.
///
/// # Example
/// ```
/// use guike_explain::lime::{Feature, LimeSettings, lime};
/// use guike_explain::ExplainError;
/// // spend = orders × basket: at 4 orders of 30 one spread of orders (1) is worth 30, one of the basket (10) is worth 40
/// let features = [
///     Feature::Number { spread: 1.0, low: 0.0, high: 50.0 },
///     Feature::Number { spread: 10.0, low: 0.0, high: 500.0 },
/// ];
/// let line = lime(&[4.0, 30.0], &features, &LimeSettings::default(), |rows| {
///     Ok::<_, ExplainError>((0..rows.n_rows()).map(|i| rows.at(i, 0) * rows.at(i, 1)).collect())
/// })?;
/// assert!((line.slopes[0] - 30.0).abs() < 1.5 && (line.slopes[1] - 40.0).abs() < 1.5);
/// assert!(line.r_squared > 0.9 && line.top_overlap == 1.0);
/// # Ok::<(), ExplainError>(())
/// ```
pub fn lime<E: From<ExplainError>>(
    case: &[f64],
    features: &[Feature],
    settings: &LimeSettings,
    mut outputs: impl FnMut(&Matrix) -> Result<Vec<f64>, E>,
) -> Result<Lime, E> {
    let p = case.len();
    if features.len() != p {
        return Err(ExplainError::Columns { needed: features.len(), found: p }.into());
    }
    assert!(settings.repeats >= 2, "stability is seen between two draws at least");
    let width = settings.width.unwrap_or(0.75 * (p as f64).sqrt());
    let mut lines = Vec::with_capacity(settings.repeats);
    for repeat in 0..settings.repeats {
        let rng = &mut settings.seed.derive("lime").at(repeat as u64).rng();
        let (rows, moved) = disturbed(case, features, settings.samples, rng);
        let y = outputs(&rows)?;
        assert_eq!(y.len(), settings.samples, "the model returns one number per row");
        if let Some(&value) = y.iter().find(|v| !v.is_finite()) {
            return Err(ExplainError::Output { output: 0, value }.into());
        }
        let weights: Vec<f64> = (0..settings.samples)
            .map(|i| (-(0..p).map(|j| moved.at(i, j).powi(2)).sum::<f64>() / (2.0 * width * width)).exp())
            .collect();
        lines.push(weighted_ridge(&moved, &y, &weights, settings.ridge));
    }
    let n = lines.len() as f64;
    let mean = |of: &dyn Fn(&Line) -> f64| lines.iter().map(of).sum::<f64>() / n;
    let slopes: Vec<f64> = (0..p).map(|j| mean(&|l| l.slopes[j])).collect();
    let spread = |j: usize| (lines.iter().map(|l| (l.slopes[j] - slopes[j]).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    Ok(Lime {
        prediction: mean(&|l| l.intercept),
        slope_spreads: (0..p).map(spread).collect(),
        r_squared: mean(&|l| l.r_squared),
        top_overlap: top_overlap(&lines, settings.top.min(p)),
        slopes,
    })
}

/// Disturbed rows, and by how much each feature was moved: in spreads, or −1 for another category.
fn disturbed(case: &[f64], features: &[Feature], n: usize, rng: &mut impl RngExt) -> (Matrix, Matrix) {
    let (mut rows, mut moved) = (Vec::with_capacity(n * case.len()), Vec::with_capacity(n * case.len()));
    for _ in 0..n {
        for (&value, feature) in case.iter().zip(features) {
            let (v, m) = match feature {
                _ if value.is_nan() => (value, 0.0),
                Feature::Number { spread, low, high } if *spread > 0.0 => {
                    let draw: f64 = rng.sample(StandardNormal);
                    let v = (value + spread * draw).max(*low).min(*high);
                    (v, (v - value) / spread)
                }
                Feature::Number { .. } => (value, 0.0),
                Feature::Category { shares } => {
                    let code = draw(shares, rng.random());
                    (code.unwrap_or(value), if code.is_none_or(|c| c == value) { 0.0 } else { -1.0 })
                }
            };
            rows.push(v);
            moved.push(m);
        }
    }
    (Matrix::from_row_major(case.len(), &rows), Matrix::from_row_major(case.len(), &moved))
}

/// The code at which the shares, added up, pass `u` of their sum; none where all are zero.
fn draw(shares: &[f64], u: f64) -> Option<f64> {
    let mut left = u * shares.iter().sum::<f64>();
    let passes = |share: &f64| {
        left -= share;
        left < 0.0
    };
    shares.iter().position(passes).map(|code| code as f64)
}

struct Line {
    intercept: f64,
    slopes: Vec<f64>,
    r_squared: f64,
}

/// What of a number may be rounding after a sum.
const ROUNDING: f64 = 1e-12;

/// min Σ w (y − a − x·b)² + ridge · |b|².
fn weighted_ridge(x: &Matrix, y: &[f64], w: &[f64], ridge: f64) -> Line {
    let p = x.n_columns();
    let all: f64 = w.iter().sum();
    let mean = |v: &[f64]| v.iter().zip(w).map(|(v, w)| v * w).sum::<f64>() / all;
    let (centres, level) = ((0..p).map(|j| mean(x.column(j))).collect::<Vec<f64>>(), mean(y));
    let product = |j: usize, v: &[f64], centre: f64| -> f64 {
        x.column(j).iter().zip(v).zip(w).map(|((a, b), w)| w * (a - centres[j]) * (b - centre)).sum()
    };
    let mut gram = vec![0.0; p * p];
    for i in 0..p {
        for j in i..p {
            let v = product(i, x.column(j), centres[j]) + if i == j { ridge } else { 0.0 };
            (gram[i * p + j], gram[j * p + i]) = (v, v);
        }
    }
    let right: Vec<f64> = (0..p).map(|j| product(j, y, level)).collect();
    let slopes = solve(&gram, &right);
    let intercept = level - centres.iter().zip(&slopes).map(|(c, b)| c * b).sum::<f64>();
    let said = |i: usize| intercept + (0..p).map(|j| slopes[j] * x.at(i, j)).sum::<f64>();
    let (mut left, mut total) = (0.0, 0.0);
    for (i, (y, w)) in y.iter().zip(w).enumerate() {
        left += w * (y - said(i)).powi(2);
        total += w * (y - level).powi(2);
    }
    // a model that never moves, but for rounding, is followed perfectly
    let moves = total > all * (level * ROUNDING).powi(2);
    Line { intercept, slopes, r_squared: if moves { 1.0 - left / total } else { 1.0 } }
}

/// Conjugate gradients for a positive semidefinite matrix (Hestenes & Stiefel 1952): features are in spreads, so it needs
/// few steps, and columns of zeros without a penalty keep slope 0.
fn solve(matrix: &[f64], right: &[f64]) -> Vec<f64> {
    let p = right.len();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let (mut x, mut residual, mut way) = (vec![0.0; p], right.to_vec(), right.to_vec());
    let mut left = dot(right, right);
    let enough = left * 1e-28;
    for _ in 0..10 * p {
        if left <= enough {
            break;
        }
        let image: Vec<f64> = matrix.chunks_exact(p).map(|row| dot(row, &way)).collect();
        let step = left / dot(&way, &image);
        for j in 0..p {
            x[j] += step * way[j];
            residual[j] -= step * image[j];
        }
        let before = std::mem::replace(&mut left, dot(&residual, &residual));
        for j in 0..p {
            way[j] = residual[j] + left / before * way[j];
        }
    }
    x
}

/// Mean over pairs of lines of the share of their `k` steepest features that they have in common.
fn top_overlap(lines: &[Line], k: usize) -> f64 {
    if k == 0 {
        return 1.0;
    }
    let tops: Vec<Vec<usize>> = lines
        .iter()
        .map(|line| {
            let mut order: Vec<usize> = (0..line.slopes.len()).collect();
            order.sort_by(|&a, &b| line.slopes[b].abs().total_cmp(&line.slopes[a].abs()));
            order.truncate(k);
            order
        })
        .collect();
    let pairs = (0..tops.len()).flat_map(|a| (a + 1..tops.len()).map(move |b| (a, b)));
    let (sum, n) = pairs.fold((0.0, 0.0), |(sum, n), (a, b)| {
        let common = tops[a].iter().filter(|f| tops[b].contains(f)).count();
        (sum + common as f64 / k as f64, n + 1.0)
    });
    sum / n
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number() -> Feature {
        Feature::Number { spread: 2.0, low: f64::NEG_INFINITY, high: f64::INFINITY }
    }

    fn explain(case: &[f64], features: &[Feature], settings: LimeSettings, model: impl Fn(&[f64]) -> f64) -> Lime {
        lime(case, features, &settings, |rows| {
            Ok::<_, ExplainError>((0..rows.n_rows()).map(|i| model(&rows.row(i))).collect())
        })
        .unwrap()
    }

    /// ```python
    /// # scikit-learn 1.9.1
    /// x = [[0, 1], [1, 0], [2, 2], [3, 1], [-1, 4]]; y = [1, 2, 6, 5, 7]; w = [1, .5, .25, 2, 1]
    /// m = Ridge(alpha=0.7).fit(x, y, sample_weight=w); m.coef_, m.intercept_, m.score(x, y, w)
    /// ```
    #[test]
    fn the_weighted_ridge_is_scikit_learns() {
        let x = Matrix::from_row_major(2, &[0.0, 1.0, 1.0, 0.0, 2.0, 2.0, 3.0, 1.0, -1.0, 4.0]);
        let line = weighted_ridge(&x, &[1.0, 2.0, 6.0, 5.0, 7.0], &[1.0, 0.5, 0.25, 2.0, 1.0], 0.7);
        let said = [line.slopes[0], line.slopes[1], line.intercept, line.r_squared];
        for (a, b) in said.iter().zip(RIDGE) {
            assert!((a - b).abs() < 1e-12, "{said:?} and not {RIDGE:?}");
        }
    }

    const RIDGE: [f64; 4] = [0.916145332050048, 1.7568976580044913, 0.38450433108758464, 0.918147846576445];

    #[test]
    fn a_sum_is_found_and_nothing_is_left() {
        let features = [number(), Feature::Category { shares: vec![1.0, 2.0, 1.0] }, number(), number()];
        let settings = LimeSettings { ridge: 0.0, ..LimeSettings::default() };
        // category 1 is worth 6 more than the others; the last feature is missing
        let line = explain(&[1.0, 1.0, -3.0, f64::NAN], &features, settings, |row| {
            assert!(row[3].is_nan());
            5.0 * row[0] + if row[1] == 1.0 { 6.0 } else { 0.0 } - row[2]
        });
        for (slope, exact) in line.slopes.iter().zip([10.0, 6.0, -2.0, 0.0]) {
            assert!((slope - exact).abs() < 1e-9, "{:?}", line.slopes);
        }
        assert!((line.prediction - 14.0).abs() < 1e-9 && (line.r_squared - 1.0).abs() < 1e-12);
        assert!(line.slope_spreads.iter().all(|s| *s < 1e-9) && line.top_overlap == 1.0);
    }

    #[test]
    fn a_line_that_does_not_fit_says_so() {
        let settings = LimeSettings { samples: 60, ..LimeSettings::default() };
        let bumpy = |row: &[f64]| row.iter().map(|v| (9.0 * v).sin()).sum();
        let line = explain(&[0.3; 12], &vec![number(); 12], settings, bumpy);
        assert!(line.r_squared < 0.5, "{}", line.r_squared);
        assert!(line.top_overlap < 0.8, "{}", line.top_overlap);
        assert!(line.slope_spreads.iter().zip(&line.slopes).any(|(s, b)| *s > b.abs()));
        let flat = explain(&[0.3; 2], &vec![number(); 2], settings, |_| 3.0);
        assert_eq!(flat.r_squared, 1.0);
        assert!((flat.prediction - 3.0).abs() < 1e-12 && flat.slopes.iter().all(|s| s.abs() < 1e-12));
    }

    #[test]
    fn the_spread_between_draws_is_what_one_draw_is_off_by() {
        let settings = LimeSettings { samples: 300, repeats: 200, ..LimeSettings::default() };
        let model = |row: &[f64]| row[0] * row[1] + row[2];
        let many = explain(&[1.0, 2.0, 0.0], &vec![number(); 3], settings, model);
        let mut squares = 0.0;
        for seed in 0..100 {
            let settings = LimeSettings { repeats: 2, seed: Seed(500 + seed), ..settings };
            let few = explain(&[1.0, 2.0, 0.0], &vec![number(); 3], settings, model);
            squares += (few.slopes[0] - many.slopes[0]).powi(2) / 100.0;
        }
        // the mean of two draws is off by 1 / √2 of what one is
        let ratio = squares.sqrt() * 2.0_f64.sqrt() / many.slope_spreads[0];
        assert!((0.8..1.25).contains(&ratio), "{ratio}");
    }

    #[test]
    fn draws_stay_within_the_bounds_and_wrong_answers_are_refused() {
        let bounded = [Feature::Number { spread: 5.0, low: 0.0, high: 3.0 }, Feature::Category { shares: vec![] }];
        explain(&[1.0, 4.0], &bounded, LimeSettings::default(), |row| {
            assert!((0.0..=3.0).contains(&row[0]) && row[1] == 4.0);
            row[0]
        });
        let none = lime(&[1.0], &[], &LimeSettings::default(), |_| Ok::<_, ExplainError>(vec![])).unwrap_err();
        assert_eq!(none, ExplainError::Columns { needed: 0, found: 1 });
        let broken = |rows: &Matrix| Ok::<_, ExplainError>(vec![f64::NEG_INFINITY; rows.n_rows()]);
        let broken = lime(&[1.0], &[number()], &LimeSettings::default(), broken).unwrap_err();
        assert_eq!(broken, ExplainError::Output { output: 0, value: f64::NEG_INFINITY });
    }
}
