//! Columns on one scale before distances are taken: fitted once, stored, applied alike ever after.
//!
//! The one idea: every scaling is `(g(x) − center) / scale` with `g` the identity or a signed `ln(1 + |x|)`, so one small
//! struct per column holds it. Missing values (NaN) become 0 after scaling: the centre of their column.

use serde::{Deserialize, Serialize};

use crate::points::Points;

/// How to bring a column to scale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// As it is.
    None,
    /// Mean 0, standard deviation 1 (population, as scikit-learn's `StandardScaler`).
    Standard,
    /// Minimum 0, maximum 1.
    MinMax,
    /// Median 0, interquartile range 1 (linear quantiles, as scikit-learn's `RobustScaler`).
    Robust,
    /// Signed `ln(1 + |x|)`, then [`Scaling::Standard`]: for money and counts, whose largest values would otherwise be
    /// clusters of their own.
    #[default]
    Log1p,
}

/// One column's fitted scaling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ColumnScale {
    /// Whether the logarithm comes first.
    pub log: bool,
    /// Subtracted.
    pub center: f64,
    /// Divided by; 1 for a constant column.
    pub scale: f64,
}

impl ColumnScale {
    /// Fits one column; NaN is skipped.
    pub fn fit(values: impl Iterator<Item = f64>, how: Scaling) -> ColumnScale {
        let log = how == Scaling::Log1p;
        let mut v: Vec<f64> = values.filter(|x| !x.is_nan()).map(|x| if log { signed_log(x) } else { x }).collect();
        if v.is_empty() {
            return ColumnScale { log, center: 0.0, scale: 1.0 };
        }
        let (center, scale) = match how {
            Scaling::None => (0.0, 1.0),
            Scaling::Standard | Scaling::Log1p => {
                let n = v.len() as f64;
                let mean = v.iter().sum::<f64>() / n;
                (mean, (v.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt())
            }
            Scaling::MinMax => {
                let min = v.iter().copied().fold(f64::INFINITY, f64::min);
                (min, v.iter().copied().fold(f64::NEG_INFINITY, f64::max) - min)
            }
            Scaling::Robust => {
                v.sort_by(f64::total_cmp);
                (quantile(&v, 0.5), quantile(&v, 0.75) - quantile(&v, 0.25))
            }
        };
        // a spread below rounding error of the values is a constant column
        let spread_matters = scale > 1e-12 * center.abs();
        ColumnScale { log, center, scale: if spread_matters && scale > 0.0 { scale } else { 1.0 } }
    }

    /// The scaled value; 0 for NaN.
    pub fn apply(&self, x: f64) -> f64 {
        if x.is_nan() {
            return 0.0;
        }
        ((if self.log { signed_log(x) } else { x }) - self.center) / self.scale
    }

    /// The value that scales to `z`.
    pub fn invert(&self, z: f64) -> f64 {
        let x = z * self.scale + self.center;
        if self.log { x.signum() * x.abs().exp_m1() } else { x }
    }
}

fn signed_log(x: f64) -> f64 {
    x.signum() * x.abs().ln_1p()
}

fn quantile(sorted: &[f64], p: f64) -> f64 {
    let at = p * (sorted.len() - 1) as f64;
    let low = at.floor() as usize;
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (sorted[high] - sorted[low]) * (at - low as f64)
}

/// The fitted scaling of every column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    /// In the columns' order.
    pub columns: Vec<ColumnScale>,
}

impl Scaler {
    /// Fits every column of the points.
    ///
    /// ```
    /// use guike_learn::{Points, Scaler, Scaling};
    /// let values = [1.0, 10.0, 3.0, 30.0];
    /// let scaler = Scaler::fit(Points::new(&values, 2), Scaling::MinMax);
    /// assert_eq!(scaler.apply(Points::new(&values, 2)), vec![0.0, 0.0, 1.0, 1.0]);
    /// ```
    pub fn fit(points: Points<'_>, how: Scaling) -> Scaler {
        let column = |j: usize| ColumnScale::fit((0..points.len()).map(|i| points.row(i)[j]), how);
        Scaler { columns: (0..points.width()).map(column).collect() }
    }

    /// The scaled points, row by row.
    ///
    /// # Panics
    /// When the points have another width.
    pub fn apply(&self, points: Points<'_>) -> Vec<f64> {
        assert_eq!(points.width(), self.columns.len(), "one scale per column");
        points
            .values()
            .chunks_exact(points.width())
            .flat_map(|r| r.iter().zip(&self.columns).map(|(&x, c)| c.apply(x)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V: [f64; 5] = [1.0, 2.0, 4.0, 8.0, 100.0];

    fn fitted(how: Scaling) -> ColumnScale {
        ColumnScale::fit(V.into_iter(), how)
    }

    #[test]
    fn scales_are_those_of_scikit_learn() {
        // StandardScaler: mean 23, scale 38.57460304; RobustScaler: center 4, scale 6; MinMax: 1, 99
        let s = fitted(Scaling::Standard);
        assert!((s.center - 23.0).abs() < 1e-12 && (s.scale - 38.574_603_043_971_82).abs() < 1e-9, "{s:?}");
        assert_eq!(fitted(Scaling::Robust), ColumnScale { log: false, center: 4.0, scale: 6.0 });
        assert_eq!(fitted(Scaling::MinMax), ColumnScale { log: false, center: 1.0, scale: 99.0 });
    }

    #[test]
    fn scaling_is_undone_exactly_enough() {
        for how in [Scaling::None, Scaling::Standard, Scaling::MinMax, Scaling::Robust, Scaling::Log1p] {
            let s = fitted(how);
            for x in [-50.0, 0.0, 3.3, 1e6] {
                assert!((s.invert(s.apply(x)) - x).abs() < 1e-9 * (1.0 + x.abs()), "{how:?} {x}");
            }
        }
    }

    #[test]
    fn missing_is_the_centre_and_constant_columns_are_harmless() {
        let s = ColumnScale::fit([5.0, f64::NAN, 5.0].into_iter(), Scaling::Standard);
        assert_eq!((s.apply(f64::NAN), s.apply(5.0), s.scale), (0.0, 0.0, 1.0));
        assert_eq!(ColumnScale::fit(std::iter::empty(), Scaling::Log1p).scale, 1.0);
    }
}
