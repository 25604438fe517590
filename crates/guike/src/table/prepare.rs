//! Columns of a table as the numbers that a learner wants: fitted on the rows that learn, saved with the model, applied alike.
//!
//! The one idea: what a column becomes is decided by its kind and by the training rows alone. Learners that want raw columns
//! get numbers with NaN for missing and categories as codes; the others get every number filled and on one scale, with a
//! column that says where it was missing, and every frequent category as a column of 0 and 1. Rare categories share one
//! code, which is also what a category gets that training never saw.
//!
//! A column of too many categories for that becomes the mean label of the category ([`guike_learn::target_encoding`]). In
//! the training rows it is the mean over earlier rows, so the prepared training rows come from [`Preparation::fit`] and not
//! from [`Preparation::apply`], which is for new rows.

mod scale;

use std::collections::BTreeMap;

use guike_core::{Column, ColumnData, Matrix, Seed, Table};
use guike_learn::boosting::lightgbm::{Input, InputKind, ZERO};
use guike_learn::{ColumnKind, TargetEncoder, Task, Wants};
use serde::{Deserialize, Serialize};

use super::settings::ScalingChoice;
pub(super) use scale::{FARTHEST, Scale};

/// Most categories with a code of their own in a raw column: learners count rows in bytes.
const MOST_CODES: usize = 250;
/// Most categories with a column of their own.
const MOST_COLUMNS: usize = 50;
/// A category needs this share of the training rows, and this many rows, for a column of its own.
const LEAST_SHARE: f64 = 0.005;
const LEAST_ROWS: usize = 5;

/// What one column becomes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "as")]
pub(super) enum Step {
    /// The number; NaN is missing.
    Number { column: String },
    /// The number; NaN and zero are missing.
    NonZero { column: String },
    /// The position of the category in `levels`, one more for any other; NaN is missing.
    Code { column: String, levels: Vec<String> },
    /// The number filled and scaled; then 1 where it was missing, if that was seen.
    Scaled {
        column: String,
        #[serde(flatten)]
        scale: Scale,
        indicator: bool,
    },
    /// 1 in the place of the category, then (if `other`) of any other, then (if `missing`) of none.
    OneHot { column: String, levels: Vec<String>, other: bool, missing: bool },
    /// The numbers of the category: `other.len()` of `values` per level, `other` for any other level, `missing` for none.
    Encoded { column: String, levels: Vec<String>, values: Vec<f64>, other: Vec<f64>, missing: Vec<f64> },
}

impl Step {
    /// How many prepared columns it makes.
    pub(super) fn width(&self) -> usize {
        match self {
            Step::Number { .. } | Step::NonZero { .. } | Step::Code { .. } => 1,
            Step::Scaled { indicator, .. } => 1 + usize::from(*indicator),
            Step::OneHot { levels, other, missing, .. } => levels.len() + usize::from(*other) + usize::from(*missing),
            Step::Encoded { other, .. } => other.len(),
        }
    }
}

/// What the rows that learn are labelled with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Labels<'a> {
    /// One finite number or class code per row.
    pub(super) y: &'a [f64],
    pub(super) task: Task,
}

/// What every column becomes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Preparation {
    steps: Vec<Step>,
}

impl Preparation {
    /// Decides from the training rows, and gives them prepared.
    pub(super) fn fit(
        train: &Table,
        labels: Labels<'_>,
        wants: Wants,
        scaling: ScalingChoice,
        seed: Seed,
    ) -> (Preparation, Matrix) {
        let mut steps = Vec::with_capacity(train.columns().len());
        let mut columns = Vec::new();
        for c in train.columns() {
            let column = c.name.clone();
            let step = match (&c.data, wants) {
                (ColumnData::Numeric(_), Wants::Raw) => Step::Number { column },
                (ColumnData::Numeric(v), Wants::Scaled) => {
                    let indicator = v.iter().any(|x| x.is_nan());
                    Step::Scaled { column, scale: Scale::fit(v, scaling), indicator }
                }
                (ColumnData::Categorical { codes, levels }, wants) => {
                    let most = if wants == Wants::Raw { MOST_CODES } else { MOST_COLUMNS };
                    if distinct(codes, levels.len()) > most {
                        let (step, rows) = encoded(column, codes, levels, labels, wants, seed.derive(&c.name));
                        steps.push(step);
                        columns.extend(rows);
                        continue;
                    }
                    if wants == Wants::Raw {
                        Step::Code { column, levels: frequent(codes, levels, 1).0 }
                    } else {
                        let least = ((codes.len() as f64 * LEAST_SHARE) as usize).max(LEAST_ROWS.min(codes.len() / 20));
                        let (kept, other) = frequent(codes, levels, least);
                        Step::OneHot { column, levels: kept, other, missing: codes.contains(&Column::MISSING) }
                    }
                }
            };
            step.apply(train, &mut columns);
            steps.push(step);
        }
        (Preparation { steps }, Matrix::from_columns(train.n_rows(), &columns))
    }

    /// What happens to each column, in order.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What a model of LightGBM's expects.
    pub(super) fn of_inputs(inputs: &[Input]) -> Preparation {
        let step = |input: &Input| {
            let column = input.name.clone();
            match &input.kind {
                InputKind::Number => Step::Number { column },
                InputKind::NonZero => Step::NonZero { column },
                InputKind::Category(levels) => Step::Code { column, levels: levels.clone() },
            }
        };
        Preparation { steps: inputs.iter().map(step).collect() }
    }

    /// What each prepared column holds.
    pub(super) fn kinds(&self) -> Vec<ColumnKind> {
        let kind = |s: &Step| if matches!(s, Step::Code { .. }) { ColumnKind::Category } else { ColumnKind::Number };
        self.steps.iter().flat_map(|s| vec![kind(s); s.width()]).collect()
    }

    /// For each of these columns of the table, the prepared columns that come from it; a column may be prepared in two ways.
    pub(super) fn groups<'a>(&self, columns: impl Iterator<Item = &'a str>) -> Vec<Vec<usize>> {
        let made: Vec<&str> = self.steps.iter().flat_map(|s| std::iter::repeat_n(s.column(), s.width())).collect();
        columns.map(|c| (0..made.len()).filter(|&j| made[j] == c).collect()).collect()
    }

    /// The categories of a column that have a code, a column or a number of their own.
    pub(super) fn levels(&self, name: &str) -> Option<&[String]> {
        self.steps.iter().find(|s| s.column() == name).and_then(Step::levels)
    }

    /// New rows, prepared.
    ///
    /// # Panics
    /// When a column is missing; [`super::model::Loaded::inputs`] makes sure.
    pub(super) fn apply(&self, table: &Table) -> Matrix {
        let mut columns = Vec::new();
        self.steps.iter().for_each(|s| s.apply(table, &mut columns));
        Matrix::from_columns(table.n_rows(), &columns)
    }

    /// Number of prepared columns.
    pub(super) fn width(&self) -> usize {
        self.steps.iter().map(Step::width).sum()
    }

    /// Appends one new row, prepared, from a cell per step (see [`Step::spread`]): the same bits as [`Preparation::apply`].
    pub(super) fn row(&self, cells: impl Iterator<Item = f64>, out: &mut Vec<f64>) {
        for (step, cell) in self.steps.iter().zip(cells) {
            let first = out.len();
            out.resize(first + step.width(), 0.0);
            step.spread(cell, |j, v| out[first + j] = v);
        }
    }
}

impl Step {
    /// The column of the table that it reads.
    pub(super) fn column(&self) -> &str {
        let (Step::Number { column }
        | Step::NonZero { column }
        | Step::Code { column, .. }
        | Step::Scaled { column, .. }
        | Step::OneHot { column, .. }
        | Step::Encoded { column, .. }) = self;
        column
    }

    /// Appends the prepared columns of new rows.
    fn apply(&self, table: &Table, out: &mut Vec<Vec<f64>>) {
        let n = table.n_rows();
        let data = &table.column(self.column()).expect("the caller brings every column").data;
        let cells = match self.levels() {
            Some(levels) => codes(data, levels, n),
            None => numbers(data, n),
        };
        if let Step::Number { .. } | Step::Code { .. } = self {
            out.push(cells);
            return;
        }
        let first = out.len();
        out.resize_with(first + self.width(), || vec![0.0; n]);
        let columns = &mut out[first..];
        for (i, cell) in cells.into_iter().enumerate() {
            self.spread(cell, |j, v| columns[j][i] = v);
        }
    }

    /// The categories that have a code, a column or a number of their own; `None` for numbers.
    pub(super) fn levels(&self) -> Option<&[String]> {
        match self {
            Step::Code { levels, .. } | Step::OneHot { levels, .. } | Step::Encoded { levels, .. } => Some(levels),
            Step::Number { .. } | Step::NonZero { .. } | Step::Scaled { .. } => None,
        }
    }

    /// What one cell becomes: calls `put(place, value)` for the places among the step's columns that are not 0.
    ///
    /// The cell is the number, or for a category its position in [`Step::levels`], the number of levels for any other one;
    /// NaN is missing.
    fn spread(&self, cell: f64, mut put: impl FnMut(usize, f64)) {
        match self {
            Step::Number { .. } | Step::Code { .. } => put(0, cell),
            Step::NonZero { .. } => put(0, if cell.abs() <= ZERO { f64::NAN } else { cell }),
            Step::Scaled { scale, indicator, .. } => {
                put(0, scale.apply(cell));
                if *indicator && cell.is_nan() {
                    put(1, 1.0);
                }
            }
            Step::OneHot { levels, other, missing, .. } => {
                let slot = if cell.is_nan() {
                    missing.then(|| levels.len() + usize::from(*other))
                } else {
                    let at = cell as usize;
                    (at < levels.len() || *other).then_some(at)
                };
                if let Some(slot) = slot {
                    put(slot, 1.0);
                }
            }
            Step::Encoded { levels, values, other, missing, .. } => {
                let width = other.len();
                let of = match cell {
                    c if c.is_nan() => missing.as_slice(),
                    c if (c as usize) < levels.len() => &values[c as usize * width..][..width],
                    _ => other.as_slice(),
                };
                of.iter().enumerate().for_each(|(j, &v)| put(j, v));
            }
        }
    }
}

/// The position of every category among the known ones, as [`Step::spread`] wants it.
fn codes(data: &ColumnData, known: &[String], n: usize) -> Vec<f64> {
    // a column of numbers where categories were learned: nothing in it is known
    let ColumnData::Categorical { codes, levels } = data else { return vec![f64::NAN; n] };
    let at: BTreeMap<&str, usize> = known.iter().enumerate().map(|(i, l)| (l.as_str(), i)).collect();
    let place: Vec<f64> = levels.iter().map(|l| *at.get(l.as_str()).unwrap_or(&known.len()) as f64).collect();
    codes.iter().map(|&c| place.get(c as usize).copied().unwrap_or(f64::NAN)).collect()
}

fn numbers(data: &ColumnData, n: usize) -> Vec<f64> {
    match data {
        ColumnData::Numeric(v) => v.clone(),
        ColumnData::Categorical { .. } => vec![f64::NAN; n],
    }
}

/// Rows of every level.
fn count(codes: &[u32], n_levels: usize) -> Vec<usize> {
    let mut counts = vec![0; n_levels];
    codes.iter().for_each(|&c| counts.get_mut(c as usize).into_iter().for_each(|n| *n += 1));
    counts
}

/// Number of levels that some row has.
fn distinct(codes: &[u32], n_levels: usize) -> usize {
    count(codes, n_levels).into_iter().filter(|n| *n > 0).count()
}

/// The categories with at least `least` rows, and whether any row has another one.
fn frequent(codes: &[u32], levels: &[String], least: usize) -> (Vec<String>, bool) {
    let counts = count(codes, levels.len());
    let kept = |l: &usize| counts[*l] >= least.max(1);
    let others = (0..levels.len()).any(|l| counts[l] > 0 && !kept(&l));
    ((0..levels.len()).filter(kept).map(|l| levels[l].clone()).collect(), others)
}

/// The column by mean labels, and the training rows. Categories of a single row say nothing that other rows could use: they
/// and categories that training did not see have the mean of all; missing counts as a category.
fn encoded(
    column: String,
    codes: &[u32],
    levels: &[String],
    labels: Labels<'_>,
    wants: Wants,
    seed: Seed,
) -> (Step, Vec<Vec<f64>>) {
    let counts = count(codes, levels.len());
    let kept: Vec<usize> = (0..levels.len()).filter(|&l| counts[l] > 1).collect();
    let missing = levels.len() as u32;
    let with_missing: Vec<u32> = codes.iter().map(|&c| c.min(missing)).collect();
    let mut width = 0;
    let (mut rows, mut per_level, mut other, mut none) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // of two classes the share of one says all
    let outputs: Vec<Option<f64>> = match labels.task {
        Task::Regression => vec![None],
        Task::Classification { classes: 2 } => vec![Some(1.0)],
        Task::Classification { classes } => (0..classes).map(|c| Some(f64::from(c))).collect(),
    };
    for class in outputs {
        let label = |&y: &f64| class.map_or(y, |c| f64::from(u8::from(y == c)));
        let y: Vec<f64> = labels.y.iter().map(label).collect();
        let (encoding, ordered) = TargetEncoder::default().fit(&with_missing, &y, levels.len() + 1, seed);
        let scale = Scale::fit(&ordered, ScalingChoice::Standard);
        let on_scale = |v: f64| if wants == Wants::Scaled { scale.apply(v) } else { v };
        rows.push(ordered.into_iter().map(on_scale).collect());
        per_level.push(kept.iter().map(|&l| on_scale(encoding.values[l])).collect::<Vec<f64>>());
        other.push(on_scale(encoding.prior));
        none.push(on_scale(encoding.values[levels.len()]));
        width += 1;
    }
    let values = (0..kept.len()).flat_map(|l| (0..width).map(move |j| (l, j))).map(|(l, j)| per_level[j][l]).collect();
    let levels = kept.into_iter().map(|l| levels[l].clone()).collect();
    (Step::Encoded { column, levels, values, other, missing: none }, rows)
}

#[cfg(test)]
mod tests;
