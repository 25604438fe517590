//! `guike predict`: rows of a file and a saved model to predictions.

use std::path::Path;

use guike_core::{Column, Progress};
use guike_data::{LogFile, ReadOptions, TableRead, read_table};
use guike_store::{OutColumn, OutData};
use serde_json::{Value, json};

use crate::error::Error;
use crate::saved;

use super::columns::is_id_column;
use super::rows;
use super::target::Outcome;

/// Predictions of a file's rows, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// Name and value of the column that names the rows, if the file has one.
    pub(super) id: Option<(String, Vec<String>)>,
    /// The predicted number, or the called class.
    predicted: Called,
    /// Probability of every class, by column name.
    probabilities: Vec<(String, Vec<f64>)>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Called {
    Numbers(Vec<f64>),
    Classes(Vec<String>),
}

/// The classes called and their probabilities, or the numbers, from a model's output.
pub(super) fn called(
    p: &[f64],
    outcome: &Outcome,
    decision: &super::figures::Decision,
) -> (Called, Vec<(String, Vec<f64>)>) {
    let Outcome::Classification { classes, positive } = outcome else {
        return (Called::Numbers(p.to_vec()), Vec::new());
    };
    let k = classes.len();
    let call = |row: &[f64]| {
        if row[0].is_nan() { String::new() } else { classes[decision.call(row, *positive)].clone() }
    };
    let probability = |c: usize| p.chunks_exact(k).map(|row| row[c]).collect::<Vec<f64>>();
    let named = classes.iter().enumerate().map(|(c, name)| (format!("p_{name}"), probability(c)));
    (Called::Classes(p.chunks_exact(k).map(call).collect()), named.collect())
}

impl Called {
    pub(super) fn data(&self) -> OutData<'_> {
        match self {
            Called::Numbers(v) => OutData::Number(v),
            Called::Classes(v) => OutData::Text(v),
        }
    }
}

impl Predictions {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        match &self.predicted {
            Called::Numbers(v) => v.len(),
            Called::Classes(v) => v.len(),
        }
    }

    fn columns(&self) -> Vec<OutColumn<'_>> {
        let mut columns: Vec<OutColumn<'_>> =
            self.id.iter().map(|(name, v)| OutColumn { name, data: OutData::Text(v) }).collect();
        columns.push(OutColumn { name: "predicted", data: self.predicted.data() });
        columns.extend(self.probabilities.iter().map(|(name, v)| OutColumn { name, data: OutData::Number(v) }));
        columns
    }

    /// Column names and rows, for printing.
    pub fn cells(&self) -> (Vec<String>, Vec<Vec<Value>>) {
        let columns = self.columns();
        let cell = |c: &OutColumn<'_>, i: usize| match c.data {
            OutData::Text(v) => json!(v[i]),
            OutData::Number(v) => json!(v[i].is_finite().then(|| guike_store::significant(v[i]))),
            OutData::Integer(v) => json!(v[i]),
        };
        let rows = (0..self.n_rows()).map(|i| columns.iter().map(|c| cell(c, i)).collect()).collect();
        (columns.iter().map(|c| c.name.to_owned()).collect(), rows)
    }

    /// Writes the predictions as CSV, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn write_csv(&self, out: &Path) -> Result<(), Error> {
        Ok(guike_store::write_file(out, |path| guike_store::write_csv(path, &self.columns()))?)
    }
}

/// Predicts every row of `table` with the model at `model` (a `model.json`, its folder, or a text that LightGBM
/// saved).
///
/// Columns that the model does not know are ignored, also the target. Cells that do not fit their column and categories that
/// training did not see are treated as missing and as unseen, and said so in the notes.
///
/// # Errors
/// [`Error::NoAnswer`] when columns are missing, [`Error::Store`] for a damaged model, [`Error::Config`] for one that reads
/// order logs, [`Error::Data`] for a bad table.
pub fn predict(
    model: &Path,
    table: impl Into<LogFile>,
    read: &ReadOptions,
    progress: &dyn Progress,
) -> Result<Predictions, Error> {
    let (loaded, _) = saved::open(model)?.on_tables()?;
    let TableRead { table, kinds, mut notes, .. } = read_table(table, read, &loaded.expected(), progress)?;
    let inputs = loaded.inputs(&table)?;
    notes.extend(loaded.unseen(&inputs));
    let p = loaded.fitted.predict(&inputs);
    let (predicted, probabilities) = called(&p, &loaded.outcome, &loaded.decision);
    let all: Vec<usize> = (0..table.n_rows()).collect();
    let is_other = |c: &Column| c.name != loaded.target && !loaded.columns.iter().any(|i| i.name == c.name);
    let id = table
        .columns()
        .iter()
        .zip(&kinds)
        .find(|(c, kind)| is_other(c) && is_id_column(c, **kind, &all))
        .map(|(c, _)| (c.name.clone(), all.iter().map(|&i| rows::text(c, i)).collect()));
    Ok(Predictions { id, predicted, probabilities, notes })
}
