//! One column of numbers on the scale that all columns share.
//!
//! Values of 1e308 are as welcome as any other: everything is measured in units of the largest value.

use serde::{Deserialize, Serialize};

use super::super::settings::ScalingChoice;

/// Prepared numbers lie within this distance of 0, however far a new row is from all training rows.
pub(in crate::table) const FARTHEST: f64 = 1e9;
/// A column at least this skewed is better seen by its logarithm: an exponential distribution has 2.
const SKEWED: f64 = 2.0;

/// How one column is filled and scaled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(in crate::table) struct Scale {
    /// What stands for a missing value.
    pub(in crate::table) fill: f64,
    /// Where given, a value is first turned into sign(x) · ln(1 + |x| / log).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::table) log: Option<f64>,
    /// Subtracted.
    pub(in crate::table) centre: f64,
    /// Divided by.
    pub(in crate::table) scale: f64,
}

impl Scale {
    /// Fits to the values that are there.
    pub(in crate::table) fn fit(values: &[f64], scaling: ScalingChoice) -> Scale {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        if sorted.is_empty() {
            return Scale { fill: 0.0, log: None, centre: 0.0, scale: 1.0 };
        }
        let fill = quantile(&sorted, 0.5);
        let log = log_unit(&sorted).filter(|_| match scaling {
            ScalingChoice::Log => true,
            ScalingChoice::Auto => skewness(&sorted) > SKEWED,
            ScalingChoice::Standard | ScalingChoice::MinMax | ScalingChoice::Robust => false,
        });
        if let Some(unit) = log {
            // rising, so that the order stays
            sorted.iter_mut().for_each(|x| *x = logarithm(*x, unit));
        }
        let unit = largest(&sorted);
        let (centre, spread) = match scaling {
            ScalingChoice::MinMax => (sorted[0] / unit, sorted[sorted.len() - 1] / unit - sorted[0] / unit),
            ScalingChoice::Robust => {
                let at = |q| quantile(&sorted, q) / unit;
                (at(0.5), at(0.75) - at(0.25))
            }
            ScalingChoice::Standard | ScalingChoice::Log | ScalingChoice::Auto => mean_and_deviation(&sorted, unit),
        };
        // a spread of rounding errors is none
        let scale = if spread > 1e-12 { spread * unit } else { unit };
        Scale { fill, log, centre: centre * unit, scale: if scale.is_finite() { scale } else { f64::MAX } }
    }

    /// The prepared value; NaN is filled.
    pub(in crate::table) fn apply(&self, x: f64) -> f64 {
        let filled = if x.is_nan() { self.fill } else { x };
        let value = self.log.map_or(filled, |unit| logarithm(filled, unit));
        ((value - self.centre) / self.scale).clamp(-FARTHEST, FARTHEST)
    }
}

fn logarithm(x: f64, unit: f64) -> f64 {
    x.signum() * (x.abs() / unit).ln_1p()
}

/// The median of the values above 0, so that the logarithm does not depend on the currency; `None` where a value is below 0
/// or none is above.
fn log_unit(sorted: &[f64]) -> Option<f64> {
    let above = &sorted[sorted.partition_point(|&x| x <= 0.0)..];
    let unit = (sorted[0] >= 0.0 && !above.is_empty()).then(|| quantile(above, 0.5))?;
    (largest(sorted) / unit).is_finite().then_some(unit)
}

fn largest(sorted: &[f64]) -> f64 {
    sorted[0].abs().max(sorted[sorted.len() - 1].abs()).max(f64::MIN_POSITIVE)
}

fn quantile(sorted: &[f64], q: f64) -> f64 {
    let unit = largest(sorted);
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize] / unit, sorted[at.ceil() as usize] / unit);
    (low + at.fract() * (high - low)) * unit
}

fn mean_and_deviation(values: &[f64], unit: f64) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().map(|x| x / unit).sum::<f64>() / n;
    (mean, (values.iter().map(|x| (x / unit - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// Third standardised moment; 0 for a column without spread.
fn skewness(values: &[f64]) -> f64 {
    let unit = largest(values);
    let (mean, deviation) = mean_and_deviation(values, unit);
    if deviation <= 1e-12 {
        return 0.0;
    }
    values.iter().map(|x| ((x / unit - mean) / deviation).powi(3)).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [ScalingChoice; 5] = [
        ScalingChoice::Auto,
        ScalingChoice::Standard,
        ScalingChoice::MinMax,
        ScalingChoice::Robust,
        ScalingChoice::Log,
    ];

    fn scaled(values: &[f64], how: ScalingChoice) -> Vec<f64> {
        let scale = Scale::fit(values, how);
        values.iter().map(|&x| scale.apply(x)).collect()
    }

    #[test]
    fn each_scaling_is_that_of_its_name() {
        let v = [1.0, 2.0, 4.0, 8.0, 100.0];
        assert_eq!(scaled(&v, ScalingChoice::MinMax)[..2], [0.0, 1.0 / 99.0]);
        // scikit-learn's RobustScaler: centre 4, scale 6; StandardScaler: mean 23, scale 38.57460304
        assert!((scaled(&v, ScalingChoice::Robust)[4] - 16.0).abs() < 1e-12);
        assert!((scaled(&v, ScalingChoice::Standard)[0] + 22.0 / 38.574_603_043_971_82).abs() < 1e-12);
        // FunctionTransformer(lambda x: log1p(x / 4)) and StandardScaler
        let logs: Vec<f64> = v.iter().map(|x| (x / 4.0_f64).ln_1p()).collect();
        let (mean, deviation) = mean_and_deviation(&logs, 1.0);
        assert!((scaled(&v, ScalingChoice::Log)[3] - (logs[3] - mean) / deviation).abs() < 1e-12);
    }

    #[test]
    fn the_logarithm_is_for_skewed_columns_without_negative_values() {
        let money: Vec<f64> = (0..200).map(|i| f64::from(i).powi(9)).collect();
        let ages: Vec<f64> = (0..200).map(|i| f64::from(18 + i % 60)).collect();
        let log = |v: &[f64], how| Scale::fit(v, how).log.is_some();
        assert!(log(&money, ScalingChoice::Auto) && !log(&ages, ScalingChoice::Auto) && log(&ages, ScalingChoice::Log));
        let balance: Vec<f64> = money.iter().map(|x| x - 1.0).collect();
        for how in ALL {
            assert!(!log(&balance, how) && !log(&[0.0; 9], how));
        }
    }

    #[test]
    fn another_currency_changes_nothing() {
        let money: Vec<f64> = (0..300).map(|i| f64::from(i % 97).powi(5)).collect();
        let cents: Vec<f64> = money.iter().map(|x| x * 128.0).collect();
        for how in ALL {
            let (a, b) = (scaled(&money, how), scaled(&cents, how));
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12), "{how:?}");
        }
    }

    #[test]
    fn enormous_constant_and_empty_columns_stay_finite() {
        let enormous = vec![1e308, 0.0, 1e300, 1.0, 2.0, 3.0, 0.0, 0.0, 1.0, 1.0];
        for v in [vec![1e308, -1e308, 0.0, 5.0], vec![7.0; 4], vec![f64::NAN; 4], vec![1e-320, 0.0, 0.0, 0.0], enormous]
        {
            for how in ALL {
                let scale = Scale::fit(&v, how);
                let all = v.iter().copied().chain([-1e308, 1e308, f64::NAN]);
                assert!(all.map(|x| scale.apply(x)).all(f64::is_finite), "{v:?} {how:?} {scale:?}");
            }
        }
    }
}
