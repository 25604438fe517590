//! Why a model on tables says what it says: of one row, and in all.
//!
//! The one idea: the sharpest method that fits the model. Trees get exact Shapley values from their own splits, linear
//! models exact ones from their coefficients, anything else is asked about mixtures of rows. All of them add up, in the unit
//! in which the model adds ([`Unit`]), and prepared columns are put together again to the columns of the table. Of one row it
//! can be asked more ([`OfRow`]): what a straight line around it says, and which change would take it elsewhere.

mod all;
mod cells;
mod change;
mod found;
mod imitation;
mod line;
mod outline;
mod parts;

use guike_core::{Matrix, Progress, Seed, Table};
use guike_data::{LogFile, ReadOptions, TableRead, read_table};
use guike_explain::ExplainError;
use guike_learn::tabular::Link;
use guike_learn::{TabularModel, Task};

pub use found::{
    About, CellChange, ChangeExplanation, ColumnCurves, ColumnImportance, Disagreement, Ending, How, Interactions,
    LeftOut, LineColumn, LocalLine, Method, NamedTree, Part, RowExplanation, RuleCondition, TableExplanation, TreeRule,
    Unit, Wanted, WhyLeftOut,
};

pub use outline::{Outline, OutlineGroup, OutlineQuestion};

use crate::error::Error;
use crate::explain::asking::Asking;

use super::columns::is_id_column;
use super::model::Loaded;
use super::rows;
use super::target::Outcome;

/// Rows that are explained together, and rows that others are compared with.
const MOST_ROWS: usize = 200;

/// What else is asked about one row of a table.
#[derive(Debug, Clone, Default)]
pub struct OfRow {
    /// Whether a straight line is fitted around it (LIME), beside the parts.
    pub lime: bool,
    /// Columns that can be acted upon, for the smallest change that takes the row elsewhere; none for no such question. A
    /// name may end in `:up` or `:down`.
    pub actionable: Vec<String>,
    /// Where the row should go: a class, a number, or of two classes a probability of the one that is asked about. Default
    /// the most probable class but the one called.
    pub goal: Option<String>,
}

impl OfRow {
    /// The flag by which any of it was asked, and its value.
    pub(crate) fn first_flag(&self) -> Option<(&'static str, String)> {
        if self.lime {
            return Some(("--lime", "yes".to_owned()));
        }
        let listed = Some(self.actionable.join(",")).filter(|l| !l.is_empty());
        listed.map(|l| ("--actionable", l)).or_else(|| self.goal.clone().map(|g| ("--goal", g)))
    }
}

/// Which rows, and what about them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// The id of a row.
    pub(crate) id: Option<String>,
    /// The number of a row, from 1.
    pub(crate) row: Option<usize>,
    pub(crate) more: OfRow,
}

/// What was found.
pub(crate) enum Why {
    Row(Box<RowExplanation>),
    All(Box<TableExplanation>),
}

/// A model, the rows of a table as it reads them, and what is asked about.
struct Case<'a> {
    loaded: &'a Loaded,
    inputs: &'a Table,
    /// Position of the class, 0 for numbers.
    class: usize,
    progress: &'a dyn Progress,
}

/// Explains a row of a table, or the model on all of them.
pub(crate) fn explain(
    loaded: &Loaded,
    data: &LogFile,
    asked: &Asked,
    read: &ReadOptions,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<(About, Why), Error> {
    let TableRead { table, kinds, .. } = read_table(data, read, &loaded.expected(), progress)?;
    let inputs = loaded.inputs(&table)?;
    let all: Vec<usize> = (0..table.n_rows()).collect();
    let id = table
        .columns()
        .iter()
        .zip(&kinds)
        .find(|(c, kind)| c.name != loaded.target && inputs.column(&c.name).is_none() && is_id_column(c, **kind, &all))
        .map(|(c, _)| c);
    let row = find(asked, id, table.n_rows())?;
    if let (None, Some((what, value))) = (row, asked.more.first_flag()) {
        let rule = "this is told of one row; name it by its number with --row, or by its id".to_owned();
        return Err(Error::Config { what: what.to_owned(), value, rule });
    }
    let predicted = loaded.fitted.predict(&inputs);
    let class = class(&loaded.outcome, &predicted, row);
    let case = Case { loaded, inputs: &inputs, class, progress };
    progress.stage("explaining", 0);
    let sample = every(table.n_rows(), MOST_ROWS);
    let explained: Vec<usize> = row.map_or_else(|| sample.clone(), |r| vec![r]);
    let told = case.parts(&explained, &sample, seed)?;
    let about = About {
        target: loaded.target.clone(),
        class: loaded.outcome.classes().get(class).cloned(),
        unit: told.unit,
        method: told.method,
    };
    let found = match row {
        Some(r) => {
            let k = loaded.outcome.task().n_outputs();
            let p = &predicted[r * k..(r + 1) * k];
            let probability = about.class.as_ref().map(|_| p[class]);
            let mut why = case.row(r, id.map(|c| rows::text(c, r)), case.called(p), probability, &told);
            if asked.more.lime {
                why.lime = Some(case.line(r, &why.parts, seed)?);
            }
            if !asked.more.actionable.is_empty() {
                why.change = Some(case.change(r, p, &asked.more, seed)?);
            }
            Why::Row(Box::new(why))
        }
        None => Why::All(Box::new(case.all(&told, &sample, &predicted, seed)?)),
    };
    Ok((about, found))
}

/// The position of the row that is asked about.
fn find(which: &Asked, id: Option<&guike_core::Column>, n_rows: usize) -> Result<Option<usize>, Error> {
    if let Some(number) = which.row {
        return match number {
            1.. if number <= n_rows => Ok(Some(number - 1)),
            _ => Err(Error::Config {
                what: "--row".to_owned(),
                value: number.to_string(),
                rule: format!("the table has rows 1 to {n_rows}"),
            }),
        };
    }
    let Some(asked) = &which.id else { return Ok(None) };
    let Some(column) = id else {
        return Err(Error::NotThere(
            "the table has no column that names its rows, so none can be found by an id; name a row by its number with --row"
                .to_owned(),
        ));
    };
    // ids may be personal: an error does not repeat them
    let found = (0..n_rows).find(|&i| rows::text(column, i) == *asked);
    found.map(Some).ok_or_else(|| {
        Error::NotThere(format!(
            "no row has this value in the column `{}`; write it as the table does, or name a row by its number with --row",
            column.name
        ))
    })
}

/// Evenly spread positions, at most `most`.
fn every(n: usize, most: usize) -> Vec<usize> {
    (0..n).step_by(n.div_ceil(most).max(1)).collect()
}

/// The class that is told about: the positive one of two, else the one that is most probable here.
pub(super) fn class(outcome: &Outcome, predicted: &[f64], row: Option<usize>) -> usize {
    let Outcome::Classification { classes, positive } = outcome else { return 0 };
    if let Some(p) = positive {
        return *p;
    }
    let k = classes.len();
    let total = |c: usize| match row {
        Some(r) => predicted[r * k + c],
        None => predicted.iter().skip(c).step_by(k).sum(),
    };
    (0..k).max_by(|&a, &b| total(a).total_cmp(&total(b)).then(b.cmp(&a))).unwrap_or(0)
}

/// Which of the model's sums belongs to a class, and with what sign.
pub(super) fn output_of(link: Link, class: usize) -> (usize, f64) {
    match link {
        Link::Logit => (0, if class == 1 { 1.0 } else { -1.0 }),
        _ => (class, 1.0),
    }
}

/// In what the parts of a model's sums add up.
pub(super) fn unit_of(link: Link, task: Task) -> Unit {
    match (link, task) {
        (Link::Identity, Task::Regression) => Unit::Number,
        (Link::Identity, Task::Classification { .. }) => Unit::Probability,
        (Link::Log, _) => Unit::LogNumber,
        (Link::Logit, _) => Unit::LogOdds,
        (Link::Softmax, _) => Unit::Score,
    }
}

impl Case<'_> {
    /// What predictions say of the class that is explained.
    fn of_class(&self, p: &[f64]) -> Vec<f64> {
        p.iter().skip(self.class).step_by(self.task().n_outputs()).copied().collect()
    }

    fn model(&self) -> &dyn TabularModel {
        self.loaded.fitted.model.as_ref()
    }

    fn task(&self) -> Task {
        self.model().task()
    }

    /// The number predicted, or the class called, as text.
    fn called(&self, p: &[f64]) -> String {
        match &self.loaded.outcome {
            Outcome::Regression => guike_store::significant(p[0]).to_string(),
            Outcome::Classification { classes, positive } => classes[self.loaded.decision.call(p, *positive)].clone(),
        }
    }

    /// The rows as the model reads them.
    fn prepared(&self, rows: &[usize]) -> Matrix {
        self.loaded.fitted.preparation.apply(&rows::select(self.inputs, rows))
    }

    /// Which of the model's sums belongs to the class, and with what sign.
    fn output(&self, link: Link) -> (usize, f64) {
        output_of(link, self.class)
    }

    fn unit(&self, link: Link) -> Unit {
        unit_of(link, self.task())
    }
}

pub(super) fn internal(e: ExplainError) -> Error {
    Asking::Method(e).into()
}
