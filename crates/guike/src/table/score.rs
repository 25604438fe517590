//! A saved model that answers for rows one at a time: what a server, a stream or another program asks.
//!
//! The one idea: the model is read and its pipeline set up once; a row is then a number per column, without a table, names or
//! threads in between. Whoever brings the rows turns each value into a cell ([`Scorer::number`], [`Scorer::text`]) and gets
//! the same bits as [`super::predict()`] gives for a file.
//!
//! It knows nothing of JSON or HTTP.

use std::collections::BTreeMap;
use std::path::Path;

use guike_core::{Matrix, SECONDS_PER_DAY};
use guike_data::numbers::DecimalSign;
use guike_data::{CellKind, DateFormat, numbers};
use guike_decide::TierName;

use crate::error::Error;
use crate::saved;

use super::model::Loaded;
use super::standing::{Interval, Tiers};
use super::target::Outcome;

/// Rows from which a prediction is worth sharing out among threads.
const MANY: usize = 256;

/// How the values of a column are read.
#[derive(Debug, Clone, PartialEq)]
pub enum InputKind {
    /// As numbers.
    Number,
    /// As names of groups; these have a meaning of their own, all others share one.
    Category(Vec<String>),
    /// As moments in this format.
    Date(DateFormat),
}

/// A column that the model reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// How its values are read.
    pub kind: InputKind,
}

/// A text that a column cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOfThisKind;

/// A model ready to answer.
#[derive(Debug)]
pub struct Scorer {
    pub(super) loaded: Loaded,
    inputs: Vec<Input>,
    by_name: BTreeMap<String, usize>,
    /// Per column the cell of every category that is known.
    codes: Vec<BTreeMap<String, f64>>,
    /// Per step of the preparation, the column that it reads.
    order: Vec<usize>,
}

impl Scorer {
    /// A missing value.
    pub const MISSING: f64 = f64::NAN;

    /// Reads a `model.json`, the one in a folder of `guike train`, or a model that LightGBM saved as text.
    ///
    /// # Errors
    /// [`Error::Store`] when it is not there, damaged or newer, [`Error::Config`] for a model that reads order logs.
    pub fn open(path: &Path) -> Result<Scorer, Error> {
        let (loaded, path) = saved::open(path)?.on_tables()?;
        let preparation = &loaded.fitted.preparation;
        let inputs: Vec<Input> = loaded
            .columns
            .iter()
            .map(|c| Input {
                name: c.name.clone(),
                kind: match c.kind {
                    CellKind::Number => InputKind::Number,
                    CellKind::Category => InputKind::Category(preparation.levels(&c.name).unwrap_or_default().to_vec()),
                    CellKind::Date(format) => InputKind::Date(format),
                },
            })
            .collect();
        let by_name: BTreeMap<String, usize> = inputs.iter().enumerate().map(|(i, c)| (c.name.clone(), i)).collect();
        let corrupt = |reason: String| guike_store::StoreError::Corrupt { path: path.clone(), reason };
        let order = preparation
            .steps()
            .iter()
            .map(|s| by_name.get(s.column()).copied().ok_or_else(|| s.column().to_owned()))
            .collect::<Result<Vec<usize>, String>>()
            .map_err(|name| corrupt(format!("it prepares a column `{name}` that it does not read")))?;
        if preparation.width() != loaded.fitted.model.n_columns() {
            return Err(corrupt("its preparation does not make the columns that its model reads".to_owned()).into());
        }
        let codes = inputs
            .iter()
            .map(|c| match &c.kind {
                InputKind::Category(levels) => levels.iter().enumerate().map(|(i, l)| (l.clone(), i as f64)).collect(),
                InputKind::Number | InputKind::Date(_) => BTreeMap::new(),
            })
            .collect();
        Ok(Scorer { loaded, inputs, by_name, codes, order })
    }

    /// The learner's name.
    pub fn learner(&self) -> &str {
        &self.loaded.learner
    }

    /// The column that is predicted; empty where the model does not say.
    pub fn target(&self) -> &str {
        &self.loaded.target
    }

    /// What predictions mean.
    pub fn outcome(&self) -> &Outcome {
        &self.loaded.outcome
    }

    /// From which probability the positive class of two is called.
    pub fn threshold(&self) -> f64 {
        self.loaded.decision.threshold
    }

    /// Whether it was read from a `model.json`, and not from a text that LightGBM saved.
    pub fn is_of_json(&self) -> bool {
        // training refuses a target without a name, and LightGBM's texts have none
        !self.loaded.target.is_empty()
    }

    /// The checksum of the file: another one is another model.
    pub fn fingerprint(&self) -> &str {
        &self.loaded.fingerprint
    }

    /// The columns that it reads, in the order of the cells of a row.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The position of the column of this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The column whose name is nearest to one that is not there, for a question back.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let names: Vec<&str> = self.inputs.iter().map(|c| c.name.as_str()).collect();
        let found = super::settings::nearest(name, &names)?;
        self.by_name.get_key_value(found).map(|(name, _)| name.as_str())
    }

    /// The cell of a number in this column. Numbers in a column of categories are names, `1` and `1.0` the same one; in a
    /// column of dates they are dates if its format has such numbers.
    ///
    /// # Errors
    /// [`NotOfThisKind`] when it is not finite, or no date.
    pub fn number(&self, column: usize, value: f64) -> Result<f64, NotOfThisKind> {
        if !value.is_finite() {
            return Err(NotOfThisKind);
        }
        match &self.inputs[column].kind {
            InputKind::Number => Ok(value),
            InputKind::Category(_) | InputKind::Date(_) => self.text(column, &value.to_string()),
        }
    }

    /// The cell of a text in this column. In columns of categories and dates the words that mean nothing in a file (`NA`,
    /// `null` …) are missing.
    ///
    /// # Errors
    /// [`NotOfThisKind`] for any text in a column of numbers, and when it is no date of the column's format.
    pub fn text(&self, column: usize, value: &str) -> Result<f64, NotOfThisKind> {
        let text = value.trim_matches(|c: char| c.is_ascii_whitespace());
        match &self.inputs[column].kind {
            InputKind::Number => Err(NotOfThisKind),
            _ if numbers::is_missing(text.as_bytes()) => Ok(Self::MISSING),
            InputKind::Category(levels) => Ok(self.codes[column].get(text).copied().unwrap_or(levels.len() as f64)),
            InputKind::Date(format) => {
                let seconds = format.parse(text.as_bytes()).ok_or(NotOfThisKind)?;
                Ok(seconds as f64 / SECONDS_PER_DAY as f64)
            }
        }
    }

    /// The cell of a text that stands in a file: as [`Scorer::text`], and in a column of numbers what `guike predict` takes
    /// for one, with a decimal point.
    ///
    /// # Errors
    /// [`NotOfThisKind`] when it is no finite number, or no date of the column's format.
    pub fn cell(&self, column: usize, text: &str) -> Result<f64, NotOfThisKind> {
        if self.inputs[column].kind != InputKind::Number {
            return self.text(column, text);
        }
        let text = text.trim_ascii().as_bytes();
        if numbers::is_missing(text) {
            return Ok(Self::MISSING);
        }
        guike_data::table::number(text, DecimalSign::Point).filter(|v| v.is_finite()).ok_or(NotOfThisKind)
    }

    /// Whether the cell is a category that training saw too seldom or not at all.
    pub fn is_unknown(&self, column: usize, cell: f64) -> bool {
        matches!(&self.inputs[column].kind, InputKind::Category(levels) if cell >= levels.len() as f64)
    }

    /// Values per prediction: 1 for a number, a probability per class otherwise.
    pub fn n_outputs(&self) -> usize {
        self.loaded.outcome.task().n_outputs()
    }

    /// The predictions of rows that are given as cells, one row after the other.
    ///
    /// # Shapes
    /// n × [`inputs`](Scorer::inputs) cells → n × [`n_outputs`](Scorer::n_outputs) values, row-major
    ///
    /// # Panics
    /// When the cells make no whole rows.
    pub fn predict(&self, cells: &[f64]) -> Vec<f64> {
        let p = self.inputs.len();
        assert!(p > 0 && cells.len().is_multiple_of(p), "a cell for every column");
        let n = cells.len() / p;
        if n < MANY {
            return self.predict_in_turn(cells);
        }
        let fitted = &self.loaded.fitted;
        let width = fitted.preparation.width();
        let mut prepared = Vec::with_capacity(n * width);
        cells.chunks_exact(p).for_each(|row| self.prepare(row, &mut prepared));
        let raw = fitted.model.predict(&Matrix::from_row_major(width, &prepared));
        fitted.calibrator.apply(&raw, self.n_outputs())
    }

    /// The same by one thread, however many they are: for long work beside which others ask.
    ///
    /// # Panics
    /// When the cells make no whole rows.
    pub fn predict_in_turn(&self, cells: &[f64]) -> Vec<f64> {
        let p = self.inputs.len();
        assert!(p > 0 && cells.len().is_multiple_of(p), "a cell for every column");
        let fitted = &self.loaded.fitted;
        let mut raw = Vec::with_capacity(cells.len() / p * self.n_outputs());
        let mut prepared = Vec::with_capacity(fitted.preparation.width());
        for row in cells.chunks_exact(p) {
            prepared.clear();
            self.prepare(row, &mut prepared);
            fitted.model.predict_row(&prepared, &mut raw);
        }
        fitted.calibrator.apply(&raw, self.n_outputs())
    }

    /// Appends one row as the model reads it.
    pub(super) fn prepare(&self, row: &[f64], prepared: &mut Vec<f64>) {
        self.loaded.fitted.preparation.row(self.order.iter().map(|&column| row[column]), prepared);
    }

    /// The name of the class that is called from the probabilities of one row; empty where they are none, and `None` for
    /// numbers.
    pub fn called(&self, p: &[f64]) -> Option<&str> {
        match &self.loaded.outcome {
            Outcome::Regression => None,
            Outcome::Classification { .. } if p[0].is_nan() => Some(""),
            Outcome::Classification { classes, .. } => Some(&classes[self.call(p)]),
        }
    }

    /// The tier of a prediction among those of training; `None` for several classes, and where the model was saved without
    /// tiers.
    pub fn tier(&self, values: &[f64]) -> Option<&TierName> {
        self.loaded.standing.as_ref()?.tier(values, &self.loaded.outcome)
    }

    /// The tiers that there are, the best first, with the prediction from which each begins; the last has none.
    pub fn tiers(&self) -> Vec<(&TierName, Option<f64>)> {
        let tiers = self.loaded.standing.as_ref().and_then(|s| s.tiers.as_ref());
        let begins = |t: &Tiers, i: usize| t.at_least.get(i).copied();
        tiers.into_iter().flat_map(|t| t.names.iter().enumerate().map(move |(i, n)| (n, begins(t, i)))).collect()
    }

    /// The interval of a number, or of the probability of `class`; `None` where the model was saved without.
    pub fn interval(&self, values: &[f64], class: usize) -> Option<Interval> {
        self.loaded.standing.as_ref()?.interval(values, class)
    }

    /// The class that is called from the probabilities of one row; 0 for numbers.
    pub fn call(&self, p: &[f64]) -> usize {
        self.loaded.decision.call(p, self.loaded.outcome.positive())
    }
}

#[cfg(test)]
pub(super) mod tests;
