//! `guike simulate like`: rows like those of a table, of customers who do not exist, and how good an imitation they are.
//!
//! The one idea: an imitation is judged by what it is for. A fifth of the rows is kept apart; the generator learns the others.
//! Does a model that learned the imitation predict the rows apart as well as one that learned the real rows (train on
//! synthetic, test on real: Esteban, Hyland & Rätsch 2017)? And are the imitations nearer to the rows that were learned from
//! than the rows apart are, as copies would be?

use guike_core::{Column, ColumnData, Day, FitContext, Progress, Seed, Table};
use guike_data::LogFile;
use guike_data::{CellKind, TableRead};
use guike_learn::{Task, Wants};
use guike_nn::gan::nearest;
pub use guike_nn::gan::{Distances, TabularGan};
use serde::Serialize;

use super::figures::{figures, keys, words};
use super::learners;
use super::pipeline::Prepared;
use super::prepare::{Labels, Preparation};
use super::settings::{ScalingChoice, TableSettings};
use super::target::{self, Outcome, Target};
use super::{rows, train};
use crate::error::Error;

/// Part of the rows that is kept apart.
const APART: u64 = 5;
/// Most rows of a kind that distances are measured between.
const MOST_MEASURED: usize = 3_000;
/// What judges usefulness.
const JUDGE: &str = "boosting";

/// What to imitate, and how much of it.
#[derive(Debug, Clone)]
pub struct Imitation {
    /// How the file is read; of the rest only `target` counts: the column whose prediction is compared, empty for none.
    pub settings: TableSettings,
    /// Rows to draw; `None` for as many as the table has.
    pub rows: Option<usize>,
    /// How the generator learns.
    pub gan: TabularGan,
    /// Root of all randomness.
    pub seed: Seed,
}

/// How well a column can be predicted.
#[derive(Debug, Clone, Serialize)]
pub struct Usefulness {
    /// The column.
    pub target: String,
    /// Which figure: `auc`, `accuracy` or `r2`.
    pub figure: &'static str,
    /// Its name for people.
    pub name: String,
    /// On rows apart, by a model that learned the real rows.
    pub real: f64,
    /// On the same rows, by one that learned the imitations.
    pub synthetic: f64,
}

/// Rows of nobody, and what they are worth.
#[derive(Debug, Clone, Serialize)]
pub struct Imitated {
    /// The rows, in columns of the table.
    #[serde(skip)]
    pub table: Table,
    /// Rows that were learned from, and rows that were kept apart.
    pub learned: usize,
    /// See `learned`.
    pub apart: usize,
    /// Columns that are not imitated, and why.
    pub left_out: Vec<(String, String)>,
    /// How near they come to the rows that were learned from.
    pub distances: Distances,
    /// What they are worth to a learner, where a target was named.
    pub usefulness: Option<Usefulness>,
}

/// Learns the table in `file` and draws rows like its own.
///
/// # Errors
/// [`Error::Config`] for a target that is not there or settings out of range, [`Error::NoAnswer`] for a table of too few rows or
/// without a column that can be imitated, the errors of reading, and [`Error::Interrupted`].
pub fn imitate(file: &LogFile, what: &Imitation, progress: &dyn Progress) -> Result<Imitated, Error> {
    let TableRead { table, kinds, .. } = train::read(file, &what.settings, progress)?;
    let target = match what.settings.target.as_str() {
        "" => None,
        _ => Some(target::find(&table, &what.settings)?),
    };
    // a row without a label can be imitated too, but not judged: whoever names a target wants rows with one
    let real = target.as_ref().map_or_else(|| table.clone(), |t| rows::select(&table, &t.rows));
    let apart = |row: &usize| what.seed.derive("apart").at(*row as u64).0.is_multiple_of(APART);
    let (apart, learned): (Vec<usize>, Vec<usize>) = (0..real.n_rows()).partition(apart);
    let no_answer = |why: String| Error::NoAnswer(format!("the table cannot be imitated: {why}"));
    if apart.is_empty() {
        return Err(no_answer(format!("it has {} rows, and about 125 are needed", real.n_rows())));
    }
    progress.stage("learn to imitate", what.gan.steps);
    let cx = FitContext { seed: what.seed.derive("imitate"), progress };
    let synthesizer = what.gan.fit(&rows::select(&real, &learned), &cx).map_err(|e| match e {
        guike_core::FitError::Cancelled(_) => Error::Interrupted,
        e => no_answer(e.to_string()),
    })?;
    let left_out = synthesizer.left_out().to_vec();
    let drawn = synthesizer.sample(what.rows.unwrap_or(real.n_rows()), what.seed.derive("rows"));
    // as many as were learned from, whatever was asked for: figures must not depend on it
    let judged = synthesizer.sample(learned.len(), what.seed.derive("judged"));
    let names: Vec<&str> = judged.columns().iter().map(|c| c.name.as_str()).collect();
    let real = rows::columns(&real, names.iter().copied());
    progress.stage("judge the imitation", 0);
    let distances = distances(&real, &learned, &apart, &judged);
    let usefulness = match target.filter(|_| names.contains(&what.settings.target.as_str())) {
        None => None,
        Some(target) => Some(usefulness(&real, (&learned, &apart), &judged, &target, what, &cx)?),
    };
    progress.check()?;
    let table = with_dates(drawn, &table, &kinds);
    Ok(Imitated { table, learned: learned.len(), apart: apart.len(), left_out, distances, usefulness })
}

/// Days as dates again, in the columns that held dates.
fn with_dates(drawn: Table, table: &Table, kinds: &[CellKind]) -> Table {
    let is_date = |name: &str| {
        let at = table.columns().iter().position(|c| c.name == name);
        at.is_some_and(|at| matches!(kinds[at], CellKind::Date(_)))
    };
    let columns = drawn.columns().iter().map(|c| match &c.data {
        ColumnData::Numeric(days) if is_date(&c.name) => {
            let mut levels: Vec<String> = Vec::new();
            let mut code = |day: f64| {
                if !day.is_finite() {
                    return Column::MISSING;
                }
                let text = Day(day.floor() as i32).to_string();
                let at = levels.iter().position(|l| *l == text).unwrap_or_else(|| {
                    levels.push(text);
                    levels.len() - 1
                });
                at as u32
            };
            let codes = days.iter().map(|&d| code(d)).collect();
            Column { name: c.name.clone(), data: ColumnData::Categorical { codes, levels } }
        }
        _ => c.clone(),
    });
    Table::new(columns.collect()).expect("columns of a table")
}

/// How near imitations come to the rows that were learned from, on columns of one scale.
fn distances(real: &Table, learned: &[usize], apart: &[usize], judged: &Table) -> Distances {
    let some = |rows: &[usize]| rows[..rows.len().min(MOST_MEASURED)].to_vec();
    let base = rows::select(real, &some(learned));
    // names of many values are measured by how often each is, which needs some label: none is told apart
    let y = vec![0.0; base.n_rows()];
    let labels = Labels { y: &y, task: Task::Regression };
    let (preparation, _) = Preparation::fit(&base, labels, Wants::Scaled, ScalingChoice::default(), Seed(0));
    let all: Vec<usize> = (0..judged.n_rows()).collect();
    let of = |table: &Table| preparation.apply(table);
    nearest(&of(&base), &of(&rows::select(real, &some(apart))), &of(&rows::select(judged, &some(&all))))
}

/// The same target among imitated rows; rows whose class the table does not have are left out.
fn target_of(judged: &Table, name: &str, outcome: &Outcome) -> Target {
    let column = judged.column(name).expect("a column that is imitated");
    let label = |row: usize| match outcome {
        Outcome::Regression => column.as_numeric().map(|v| v[row]).filter(|v| v.is_finite()),
        Outcome::Classification { classes, .. } => {
            let text = rows::text(column, row);
            classes.iter().position(|c| *c == text).map(|i| i as f64)
        }
    };
    let found: Vec<(usize, f64)> = (0..Column::len(column)).filter_map(|row| Some((row, label(row)?))).collect();
    let (rows, y) = found.into_iter().unzip();
    Target { outcome: outcome.clone(), rows, y, n_missing: 0, notes: Vec::new() }
}

fn usefulness(
    real: &Table,
    (learned, apart): (&[usize], &[usize]),
    judged: &Table,
    target: &Target,
    what: &Imitation,
    cx: &FitContext<'_>,
) -> Result<Usefulness, Error> {
    let name = what.settings.target.as_str();
    let inputs: Vec<&str> = real.columns().iter().map(|c| c.name.as_str()).filter(|n| *n != name).collect();
    if inputs.is_empty() {
        return Err(Error::NoAnswer(format!(
            "the table cannot be imitated: beside `{name}` it has no column that can be"
        )));
    }
    let entry = learners::named(JUDGE).ok_or_else(|| Error::Internal(format!("no learner `{JUDGE}`")))?;
    let settings = TableSettings { target: name.to_owned(), ..TableSettings::default() };
    let decision = settings.decision();
    let data = rows::columns(real, inputs.iter().copied());
    let truth: Vec<f64> = apart.iter().map(|&i| target.y[i]).collect();
    let figure = keys(&target.outcome)[0];
    let learn = |data: &Table, target: &Target, train: &[usize]| -> Result<f64, Error> {
        let prepared = Prepared::fit(data, target, train, entry.wants(), &settings);
        let fitted = match prepared.learn(entry, target, train, &settings, cx) {
            Ok(fitted) => fitted,
            Err(guike_core::FitError::Cancelled(_)) => return Err(Error::Interrupted),
            // imitations of one class teach nothing, which is an answer too
            Err(_) => return Ok(f64::NAN),
        };
        let said = fitted.predict(&rows::select(&rows::columns(real, inputs.iter().copied()), apart));
        Ok(figures(&said, &truth, &target.outcome, &decision).values.get(figure).copied().unwrap_or(f64::NAN))
    };
    let imitated = target_of(judged, name, &target.outcome);
    let their_data = rows::select(&rows::columns(judged, inputs.iter().copied()), &imitated.rows);
    let theirs: Vec<usize> = (0..imitated.y.len()).collect();
    Ok(Usefulness {
        target: name.to_owned(),
        figure,
        name: words(figure).0.en,
        real: learn(&data, target, learned)?,
        synthetic: learn(&their_data, &imitated, &theirs)?,
    })
}
