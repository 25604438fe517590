//! Partial dependence and individual curves: how predictions move when one feature is set to one value after the other.
//!
//! The one idea: the mean curve is only half of the answer. Where customers' own curves go different ways the mean is flat
//! or bent for nobody, so every result carries the share of all movement that the mean does not show. The caller sets the
//! feature and asks its model; this module says which values to set and what to make of the answers.
//!
//! It sets a feature without regard to the others, so a curve passes through customers who cannot exist. Grids stay within
//! the quantiles of the data for that reason.

/// The values that a feature is set to.
///
/// ```
/// use guike_explain::dependence::Grid;
/// let spend: Vec<f64> = (0..=100).map(f64::from).collect();
/// assert_eq!(Grid::quantiles(&spend, 5).points, [0.0, 25.0, 50.0, 75.0, 100.0]);
/// let city = Grid::categories(&[0, 2, 2, u32::MAX], 10);
/// assert_eq!((city.points, city.weights), (vec![2.0, 0.0], vec![2.0 / 3.0, 1.0 / 3.0]));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Ascending numbers, or the codes of categories, the most frequent first.
    pub points: Vec<f64>,
    /// The share of the rows that each point stands for; they sum to one.
    pub weights: Vec<f64>,
}

impl Grid {
    /// At most `n` quantiles of a column, from its least to its largest value, each once. NaN is left out.
    ///
    /// A column of at most `n` different values gives all of them.
    ///
    /// # Panics
    /// When `n` is less than 2.
    pub fn quantiles(column: &[f64], n: usize) -> Grid {
        assert!(n >= 2, "a curve has two points at least");
        let mut sorted: Vec<f64> = column.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let mut points = sorted.clone();
        points.dedup();
        if points.len() > n {
            let last = (sorted.len() - 1) as f64;
            points = (0..n).map(|i| sorted[(last * i as f64 / (n - 1) as f64).round() as usize]).collect();
            points.dedup();
        }
        // every row counts for the nearest point
        let mut weights = vec![0.0; points.len()];
        for &v in &sorted {
            let above = points.partition_point(|&p| p < v).min(points.len() - 1);
            let below = above.saturating_sub(1);
            weights[if v - points[below] < points[above] - v { below } else { above }] += 1.0 / sorted.len() as f64;
        }
        Grid { points, weights }
    }

    /// The `n` most frequent categories of a column of codes; `u32::MAX` is missing and left out. Equal frequencies keep the
    /// order of codes.
    pub fn categories(codes: &[u32], n: usize) -> Grid {
        let mut counts = std::collections::BTreeMap::new();
        codes.iter().filter(|&&c| c != u32::MAX).for_each(|&c| *counts.entry(c).or_insert(0.0) += 1.0);
        let mut counts: Vec<(u32, f64)> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.total_cmp(&a.1));
        counts.truncate(n);
        let all: f64 = counts.iter().map(|c| c.1).sum();
        Grid {
            points: counts.iter().map(|c| f64::from(c.0)).collect(),
            weights: counts.iter().map(|c| c.1 / all).collect(),
        }
    }
}

/// The curves of one feature for one output.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependence {
    /// What the feature was set to.
    pub grid: Grid,
    /// By point, the mean prediction over the rows: the partial dependence.
    pub mean: Vec<f64>,
    /// By point, how far the rows' own curves, each moved to the mean curve's level, spread around it: the ends of the
    /// middle 80 %.
    pub middle: Vec<(f64, f64)>,
    /// How far the mean curve moves: its standard deviation over the data, in units of the output.
    pub movement: f64,
    /// The share of the rows' movements that the mean curve does not show, from 0 (every row moves alike) to 1 (the mean says
    /// nothing); above about a half the mean misleads. 0 where nothing moves.
    pub heterogeneity: f64,
    /// Row-major, rows × points.
    curves: Vec<f64>,
}

impl Dependence {
    /// The curve of one row: what is predicted for it at each point.
    pub fn curve(&self, row: usize) -> &[f64] {
        let n = self.grid.points.len();
        &self.curves[row * n..(row + 1) * n]
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.curves.len() / self.grid.points.len().max(1)
    }
}

/// The curves of one feature, one [`Dependence`] per output.
///
/// `outputs` gets a point of the grid and returns what the model says of every row with the feature set to it: rows ×
/// outputs, row after row. It stops everything by an error.
///
/// # Cost
/// points × rows model calls, and rows × points × outputs numbers in memory; some hundred sampled rows are enough.
///
/// # Errors
/// Whatever `outputs` returns.
///
/// # Panics
/// When `outputs` returns different numbers of values, or none that is a multiple of `n_outputs`.
///
/// # Source
/// Friedman (2001), *Greedy function approximation*, Annals of Statistics 29, section 8.2; Goldstein, Kapelner, Bleich &
/// Pitkin (2015), *Peeking inside the black box*, J. Comp. Graph. Stat. 24, for individual curves. The share of heterogeneity
/// is that of Herbinger, Bischl & Casalicchio (2022), *REPID*, AISTATS: curves are centred by their own means, and their
/// squared distance to the mean curve is compared with all their squared movement.
///
/// # Example
/// ```
/// use guike_explain::dependence::{Grid, dependence};
/// // age lifts the spend of half of the customers and lowers that of the others: the mean knows nothing of it
/// let group = [1.0, -1.0, 1.0, -1.0];
/// let grid = Grid::quantiles(&[20.0, 40.0, 60.0], 3);
/// let curves = dependence(&grid, 1, |age| Ok::<_, ()>(group.iter().map(|g| 100.0 + g * age).collect())).unwrap();
/// assert_eq!(curves[0].mean, [100.0; 3]);
/// assert_eq!(curves[0].heterogeneity, 1.0);
/// assert_eq!(curves[0].curve(1), [80.0, 60.0, 40.0]);
/// ```
pub fn dependence<E>(
    grid: &Grid,
    n_outputs: usize,
    mut outputs: impl FnMut(f64) -> Result<Vec<f64>, E>,
) -> Result<Vec<Dependence>, E> {
    let said: Vec<Vec<f64>> = grid.points.iter().map(|&point| outputs(point)).collect::<Result<_, E>>()?;
    let n = said.first().map_or(0, Vec::len);
    assert!(said.iter().all(|s| s.len() == n), "the model is asked about the same rows at every point");
    assert!(n_outputs > 0 && n.is_multiple_of(n_outputs), "the model returns one row of outputs per row");
    let of = |output: usize| {
        let rows = (0..n / n_outputs).map(|r| r * n_outputs + output);
        rows.flat_map(|at| said.iter().map(move |s| s[at])).collect()
    };
    Ok((0..n_outputs).map(|output| Dependence::new(grid.clone(), of(output))).collect())
}

impl Dependence {
    fn new(grid: Grid, curves: Vec<f64>) -> Dependence {
        let n_points = grid.points.len();
        let rows = || curves.chunks_exact(n_points.max(1));
        let n = rows().len();
        let level = |curve: &[f64]| curve.iter().zip(&grid.weights).map(|(v, w)| v * w).sum::<f64>();
        let variance = |curve: &[f64]| {
            let centre = level(curve);
            curve.iter().zip(&grid.weights).map(|(v, w)| w * (v - centre).powi(2)).sum::<f64>()
        };
        let mean: Vec<f64> = (0..n_points).map(|v| rows().map(|c| c[v]).sum::<f64>() / n as f64).collect();
        let (of_mean, mean_level) = (variance(&mean), level(&mean));
        let all = rows().map(&variance).sum::<f64>() / n as f64;
        let moved: Vec<Vec<f64>> =
            rows().map(|c| c.iter().map(|v| v - level(c) + mean_level).collect::<Vec<f64>>()).collect();
        let middle = (0..n_points)
            .map(|v| {
                let mut at: Vec<f64> = moved.iter().map(|c| c[v]).collect();
                at.sort_by(f64::total_cmp);
                (quantile(&at, 0.1), quantile(&at, 0.9))
            })
            .collect();
        // rounding must not pass for movement, and may leave the mean's a bit above all
        let moves = all > (1e-12 * mean_level).powi(2);
        let heterogeneity = if moves { (1.0 - of_mean / all).clamp(0.0, 1.0) } else { 0.0 };
        Dependence { mean, middle, movement: of_mean.sqrt(), heterogeneity, grid, curves }
    }
}

/// Linear between order statistics, as NumPy's default; NaN where there is nothing.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of rows (a, b) by a + product · a · b, with a set to each point.
    fn curves(product: f64, b: &[f64]) -> Dependence {
        let grid = Grid::quantiles(&[0.0, 1.0, 2.0, 3.0], 4);
        let said = |a: f64| Ok::<_, ()>(b.iter().map(|b| a + product * a * b).collect());
        dependence(&grid, 1, said).unwrap().remove(0)
    }

    #[test]
    fn the_share_that_the_mean_hides_is_that_of_the_slopes() {
        assert_eq!(curves(0.0, &[-3.0, 5.0]).heterogeneity, 0.0);
        // the slopes are 1 + 2b = 3 and −1: the mean moves by 1² and all move by (3² + 1²) / 2 = 5
        let mixed = curves(2.0, &[1.0, -1.0]);
        assert!((mixed.heterogeneity - 0.8).abs() < 1e-12);
        assert_eq!(mixed.mean, [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(mixed.curve(0), [0.0, 3.0, 6.0, 9.0]);
        assert!((mixed.movement - 1.25_f64.sqrt()).abs() < 1e-12);
        // around the level of 1.5 the two curves stand 3 and −1 times as far as the point does
        let (low, high) = mixed.middle[3];
        assert!((low - 0.6).abs() < 1e-12 && (high - 5.4).abs() < 1e-12, "{low} {high}");
    }

    #[test]
    fn every_output_has_its_own_curves() {
        let grid = Grid { points: vec![0.0, 1.0], weights: vec![0.5, 0.5] };
        let both = dependence(&grid, 2, |v| Ok::<_, ()>(vec![v, 10.0, 3.0 * v, 10.0])).unwrap();
        assert_eq!((both[0].mean.clone(), both[1].mean.clone()), (vec![0.0, 2.0], vec![10.0, 10.0]));
        assert_eq!((both[1].heterogeneity, both[1].movement, both[1].n_rows()), (0.0, 0.0, 2));
    }

    #[test]
    fn a_grid_follows_the_data() {
        let mut skewed = vec![1.0; 90];
        skewed.extend((2..12).map(f64::from));
        skewed.push(f64::NAN);
        let grid = Grid::quantiles(&skewed, 5);
        assert_eq!(grid.points, [1.0, 11.0]);
        assert!((grid.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12 && grid.weights[0] > 0.9);
        assert_eq!(Grid::quantiles(&[2.0, 1.0, 2.0], 9).points, [1.0, 2.0]);
        assert!(Grid::quantiles(&[f64::NAN], 9).points.is_empty());
        assert!(Grid::categories(&[u32::MAX], 9).points.is_empty());
        let error = dependence(&Grid::quantiles(&[1.0, 2.0], 2), 1, |_| Err("stopped")).unwrap_err();
        assert_eq!(error, "stopped");
        assert!(dependence(&Grid::quantiles(&[], 2), 1, |_| Ok::<_, ()>(vec![])).unwrap()[0].mean.is_empty());
    }
}
