//! Columns of a table as the numbers that a learner wants: fitted on the rows that learn, saved with the model, applied alike.
//!
//! The one idea: what a column becomes is decided by its kind and by the training rows alone. Learners that want raw columns
//! get numbers with NaN for missing and categories as codes; the others get every number filled and on one scale, with a
//! column that says where it was missing, and every frequent category as a column of 0 and 1. Rare categories share one
//! code, which is also what a category gets that training never saw.

use std::collections::BTreeMap;

use guike_core::{Column, ColumnData, Matrix, Table};
use guike_learn::{ColumnKind, Wants};
use serde::{Deserialize, Serialize};

use super::settings::ScalingChoice;

/// Most categories with a code of their own in a raw column: learners count rows in bytes.
const MOST_CODES: usize = 250;
/// Most categories with a column of their own.
const MOST_COLUMNS: usize = 50;
/// A category needs this share of the training rows, and this many rows, for a column of its own.
const LEAST_SHARE: f64 = 0.005;
const LEAST_ROWS: usize = 5;
/// Prepared numbers lie within this distance of 0, however far a new row is from all training rows.
pub(super) const FARTHEST: f64 = 1e9;

/// What one column becomes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "as")]
pub(super) enum Step {
    /// The number; NaN is missing.
    Number { column: String },
    /// The position of the category in `levels`, one more for any other; NaN is missing.
    Code { column: String, levels: Vec<String> },
    /// (value − centre) / scale, the missing ones with `fill`; then 1 where it was missing, if that was seen.
    Scaled { column: String, fill: f64, centre: f64, scale: f64, indicator: bool },
    /// 1 in the place of the category, then (if `other`) of any other, then (if `missing`) of none.
    OneHot { column: String, levels: Vec<String>, other: bool, missing: bool },
}

/// What every column becomes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Preparation {
    steps: Vec<Step>,
}

impl Preparation {
    /// Decides from the training rows.
    pub(super) fn fit(train: &Table, wants: Wants, scaling: ScalingChoice) -> Preparation {
        let steps = train.columns().iter().map(|c| {
            let column = c.name.clone();
            match (&c.data, wants) {
                (ColumnData::Numeric(_), Wants::Raw) => Step::Number { column },
                (ColumnData::Categorical { codes, levels }, Wants::Raw) => {
                    Step::Code { column, levels: frequent(codes, levels, MOST_CODES, 1).0 }
                }
                (ColumnData::Numeric(v), Wants::Scaled) => scaled(column, v, scaling),
                (ColumnData::Categorical { codes, levels }, Wants::Scaled) => {
                    let least = ((codes.len() as f64 * LEAST_SHARE) as usize).max(LEAST_ROWS.min(codes.len() / 20));
                    let (kept, other) = frequent(codes, levels, MOST_COLUMNS, least);
                    Step::OneHot { column, levels: kept, other, missing: codes.contains(&Column::MISSING) }
                }
            }
        });
        Preparation { steps: steps.collect() }
    }

    /// What happens to each column, in order.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What each prepared column holds.
    pub(super) fn kinds(&self) -> Vec<ColumnKind> {
        let of = |s: &Step| match s {
            Step::Number { .. } => vec![ColumnKind::Number],
            Step::Code { .. } => vec![ColumnKind::Category],
            Step::Scaled { indicator, .. } => vec![ColumnKind::Number; 1 + usize::from(*indicator)],
            Step::OneHot { levels, other, missing, .. } => {
                vec![ColumnKind::Number; levels.len() + usize::from(*other) + usize::from(*missing)]
            }
        };
        self.steps.iter().flat_map(of).collect()
    }

    /// The categories of a column that have a code or column of their own.
    pub(super) fn levels(&self, name: &str) -> Option<&[String]> {
        self.steps.iter().find_map(|s| match s {
            Step::Code { column, levels } | Step::OneHot { column, levels, .. } if column == name => {
                Some(levels.as_slice())
            }
            _ => None,
        })
    }

    /// The table's rows, prepared.
    ///
    /// # Panics
    /// When a column is missing; [`super::model::Loaded::inputs`] makes sure.
    pub(super) fn apply(&self, table: &Table) -> Matrix {
        let n = table.n_rows();
        let mut out: Vec<Vec<f64>> = Vec::new();
        for step in &self.steps {
            let (Step::Number { column }
            | Step::Code { column, .. }
            | Step::Scaled { column, .. }
            | Step::OneHot { column, .. }) = step;
            let data = &table.column(column).expect("the caller brings every column").data;
            match step {
                Step::Number { .. } => out.push(numbers(data, n)),
                Step::Code { levels, .. } => {
                    let code = |p: Place| match p {
                        Place::Known(k) => k as f64,
                        Place::Other => levels.len() as f64,
                        Place::Missing => f64::NAN,
                    };
                    out.push(places(data, levels, n).into_iter().map(code).collect());
                }
                Step::Scaled { fill, centre, scale, indicator, .. } => {
                    let v = numbers(data, n);
                    let value =
                        |x: &f64| ((if x.is_nan() { *fill } else { *x } - centre) / scale).clamp(-FARTHEST, FARTHEST);
                    out.push(v.iter().map(value).collect());
                    if *indicator {
                        out.push(v.iter().map(|x| f64::from(u8::from(x.is_nan()))).collect());
                    }
                }
                Step::OneHot { levels, other, missing, .. } => {
                    let first = out.len();
                    let width = levels.len() + usize::from(*other) + usize::from(*missing);
                    out.resize(first + width, vec![0.0; n]);
                    for (i, p) in places(data, levels, n).into_iter().enumerate() {
                        let slot = match p {
                            Place::Known(k) => Some(k),
                            Place::Other => other.then_some(levels.len()),
                            Place::Missing => missing.then_some(width - 1),
                        };
                        if let Some(slot) = slot {
                            out[first + slot][i] = 1.0;
                        }
                    }
                }
            }
        }
        Matrix::from_columns(n, &out)
    }
}

/// Where a category stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Known(usize),
    Other,
    Missing,
}

fn places(data: &ColumnData, known: &[String], n: usize) -> Vec<Place> {
    // a column of numbers where categories were learned: nothing in it is known
    let ColumnData::Categorical { codes, levels } = data else { return vec![Place::Missing; n] };
    let at: BTreeMap<&str, usize> = known.iter().enumerate().map(|(i, l)| (l.as_str(), i)).collect();
    let place: Vec<Place> =
        levels.iter().map(|l| at.get(l.as_str()).map_or(Place::Other, |&k| Place::Known(k))).collect();
    codes.iter().map(|&c| place.get(c as usize).copied().unwrap_or(Place::Missing)).collect()
}

fn numbers(data: &ColumnData, n: usize) -> Vec<f64> {
    match data {
        ColumnData::Numeric(v) => v.clone(),
        ColumnData::Categorical { .. } => vec![f64::NAN; n],
    }
}

/// The categories with at least `least` rows, at most `most` of them, the most frequent; and whether any row has another one.
fn frequent(codes: &[u32], levels: &[String], most: usize, least: usize) -> (Vec<String>, bool) {
    let mut counts = vec![0_usize; levels.len()];
    for &c in codes {
        if let Some(n) = counts.get_mut(c as usize) {
            *n += 1;
        }
    }
    let mut order: Vec<usize> = (0..levels.len()).filter(|&l| counts[l] >= least.max(1)).collect();
    order.sort_by(|&a, &b| counts[b].cmp(&counts[a]).then(a.cmp(&b)));
    order.truncate(most);
    order.sort_unstable();
    let others = (0..levels.len()).any(|l| counts[l] > 0 && order.binary_search(&l).is_err());
    (order.into_iter().map(|l| levels[l].clone()).collect(), others)
}

fn scaled(column: String, v: &[f64], scaling: ScalingChoice) -> Step {
    let mut sorted: Vec<f64> = v.iter().copied().filter(|x| !x.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let indicator = sorted.len() < v.len();
    if sorted.is_empty() {
        return Step::Scaled { column, fill: 0.0, centre: 0.0, scale: 1.0, indicator };
    }
    // in units of the largest value, so that squares of 1e308 stay finite
    let unit = sorted[0].abs().max(sorted[sorted.len() - 1].abs()).max(f64::MIN_POSITIVE);
    let quantile = |q: f64| {
        let at = q * (sorted.len() - 1) as f64;
        let (low, high) = (sorted[at.floor() as usize] / unit, sorted[at.ceil() as usize] / unit);
        low + at.fract() * (high - low)
    };
    let (centre, spread) = match scaling {
        ScalingChoice::Standard => {
            let n = sorted.len() as f64;
            let mean = sorted.iter().map(|x| x / unit).sum::<f64>() / n;
            (mean, (sorted.iter().map(|x| (x / unit - mean).powi(2)).sum::<f64>() / n).sqrt())
        }
        ScalingChoice::MinMax => (quantile(0.0), quantile(1.0) - quantile(0.0)),
        ScalingChoice::Robust => (quantile(0.5), quantile(0.75) - quantile(0.25)),
    };
    // a spread of rounding errors is none
    let scale = if spread > 1e-12 { spread * unit } else { unit };
    let scale = if scale.is_finite() { scale } else { f64::MAX };
    Step::Scaled { column, fill: quantile(0.5) * unit, centre: centre * unit, scale, indicator }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn category(cells: &[&str]) -> Column {
        let mut levels: Vec<String> = cells.iter().filter(|c| !c.is_empty()).map(|c| (*c).to_owned()).collect();
        levels.sort();
        levels.dedup();
        let code = |c: &&str| levels.iter().position(|l| l == c).map_or(Column::MISSING, |i| i as u32);
        let codes = cells.iter().map(code).collect();
        Column { name: "c".to_owned(), data: ColumnData::Categorical { codes, levels } }
    }

    fn table(columns: Vec<Column>) -> Table {
        Table::new(columns).expect("a table")
    }

    fn fitted(column: Column, wants: Wants, scaling: ScalingChoice) -> (Preparation, Vec<Vec<f64>>) {
        let t = table(vec![column]);
        let p = Preparation::fit(&t, wants, scaling);
        let x = p.apply(&t);
        assert_eq!(p.kinds().len(), x.n_columns());
        (p, (0..x.n_columns()).map(|j| x.column(j).to_vec()).collect())
    }

    #[test]
    fn numbers_are_filled_with_the_median_and_put_on_one_scale() {
        let v = vec![1.0, 2.0, 6.0, f64::NAN];
        let (_, x) = fitted(Column::numeric("x", v.clone()), Wants::Scaled, ScalingChoice::MinMax);
        assert_eq!(x, [vec![0.0, 0.2, 1.0, 0.2], vec![0.0, 0.0, 0.0, 1.0]]);
        let (_, x) = fitted(Column::numeric("x", v), Wants::Scaled, ScalingChoice::Standard);
        assert!(x[0][..3].iter().sum::<f64>().abs() < 1e-12);
    }

    #[test]
    fn enormous_constant_and_empty_columns_stay_finite() {
        for v in [vec![1e308, -1e308, 0.0, 5.0], vec![7.0; 4], vec![f64::NAN; 4], vec![1e-320, 0.0, 0.0, 0.0]] {
            for scaling in [ScalingChoice::Standard, ScalingChoice::MinMax, ScalingChoice::Robust] {
                let (p, x) = fitted(Column::numeric("x", v.clone()), Wants::Scaled, scaling);
                assert!(x.iter().flatten().all(|x| x.is_finite()), "{v:?} {scaling:?} {x:?}");
                let far = p.apply(&table(vec![Column::numeric("x", vec![-1e308])]));
                assert!(far.values().iter().all(|x| x.is_finite()), "{v:?}");
            }
        }
    }

    #[test]
    fn rare_and_unseen_categories_share_a_place_and_missing_has_its_own() {
        let mut cells = vec!["red"; 60];
        cells.extend(vec!["blue"; 38]);
        cells.extend(["gold", ""]);
        let (p, x) = fitted(category(&cells), Wants::Scaled, ScalingChoice::Standard);
        assert_eq!(p.levels("c"), Some(&["blue".to_owned(), "red".to_owned()][..]));
        assert_eq!((x.len(), x[2][98], x[3][99]), (4, 1.0, 1.0));
        let new = p.apply(&table(vec![category(&["green", "red"])]));
        assert_eq!(new.to_row_major(), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        let (p, _) = fitted(category(&cells), Wants::Raw, ScalingChoice::Standard);
        assert_eq!(p.apply(&table(vec![category(&["green", "red", ""])])).column(0)[..2], [3.0, 2.0]);
    }
}
