//! Why a model on tables says what it says: of one row, and in all.
//!
//! The one idea: the sharpest method that fits the model. Trees get exact Shapley values from their own splits, linear
//! models exact ones from their coefficients, anything else is asked about mixtures of rows. All of them add up, in the unit
//! in which the model adds ([`Unit`]), and prepared columns are put together again to the columns of the table.

use std::path::Path;

use guike_core::{ColumnData, FitContext, Matrix, Progress, Seed, Table};
use guike_data::{ReadOptions, TableRead, read_table};
use guike_explain::ExplainError;
use guike_explain::attribution::Attributions;
use guike_explain::dependence::{Grid, dependence};
use guike_explain::linear::{LinearScore, means};
use guike_explain::shapley::{Game, Hybrid, compose, shapley};
use guike_explain::tree_picture::{TreeColumn, TreePicture};
use guike_explain::tree_shap::TreeShap;
use guike_learn::forest::DecisionTree;
use guike_learn::tabular::Link;
use guike_learn::{Examples, TabularModel, Task, Wants};
use rayon::prelude::*;
use serde::Serialize;

use crate::error::Error;

use super::columns::is_id_column;
use super::model::{Loaded, Saved};
use super::prepare::{Labels, Preparation, Step};
use super::rows;
use super::settings::ScalingChoice;
use super::target::Outcome;

/// Rows that are explained together, and rows that others are compared with.
const MOST_ROWS: usize = 200;
/// Model calls for one of them, where the model can only be asked.
const CALLS: usize = 2_048;
/// Rows behind a curve.
const CURVES: usize = 100;
/// Columns whose curves are drawn.
const DRAWN: usize = 4;
/// Names of columns, and how much each pair of them adds together.
pub type Interactions = (Vec<String>, Vec<Vec<f64>>);

/// Columns of the map of interactions.
const MAPPED: usize = 8;
/// Rows on which a tree imitates the model.
const IMITATED: usize = 20_000;
/// Leaves of the tree that imitates the model.
const LEAVES: usize = 8;

/// In what the parts add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// The number that is predicted.
    Number,
    /// The logarithm of the number that is predicted.
    LogNumber,
    /// Probability of the class.
    Probability,
    /// Log-odds of the class.
    LogOdds,
    /// The class's score before scores become probabilities.
    Score,
}

/// How the parts were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Exact, from the splits of trees and the rows that learned them.
    TreeShap,
    /// Exact, from coefficients.
    Linear,
    /// By asking the model about mixtures of rows; with a standard error.
    Asked,
}

/// What one column adds to one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// The column.
    pub column: String,
    /// Its cell; empty where it is missing.
    pub value: String,
    /// What it adds.
    pub amount: f64,
    /// Standard error of that; 0 where it is exact.
    pub error: f64,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowExplanation {
    /// Number of the row, from 1.
    pub row: usize,
    /// Its id, where the table has ids.
    pub id: Option<String>,
    /// The class called, or the number predicted, as text.
    pub predicted: String,
    /// Probability of the class that is explained.
    pub probability: Option<f64>,
    /// Where the parts begin: the mean over the rows that are compared with.
    pub base: f64,
    /// Where they end: the model's output before calibration.
    pub output: f64,
    /// The parts, largest first.
    pub parts: Vec<Part>,
}

/// How much one column matters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnImportance {
    /// The column.
    pub column: String,
    /// Mean absolute part over the rows.
    pub mean_part: f64,
    /// Standard error of that mean over rows.
    pub error: f64,
    /// Its part and its value in every explained row; NaN for categories and missing cells.
    #[serde(skip)]
    pub rows: Vec<(f64, f64)>,
}

/// The curves of one column: what is predicted when it is changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnCurves {
    /// The column.
    pub column: String,
    /// Numbers that it was set to; empty for categories.
    pub at: Vec<f64>,
    /// Categories that it was set to; empty for numbers.
    pub names: Vec<String>,
    /// Mean prediction at each.
    pub mean: Vec<f64>,
    /// Share of the rows' movements that the mean does not show.
    pub heterogeneity: f64,
    /// Rows × places.
    #[serde(skip)]
    pub rows: Vec<Vec<f64>>,
    /// The column's numbers in the explained rows.
    #[serde(skip)]
    pub data: Vec<f64>,
}

/// A tree and the words for it.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTree {
    /// The tree.
    pub tree: guike_core::Tree,
    /// What is added to its values.
    pub base: f64,
    /// Which output is shown.
    pub output: usize,
    /// Names of its columns.
    pub columns: Vec<TreeColumn>,
    /// Share of the variance of the model's predictions that it explains on rows that it did not learn from; `None` when it
    /// is the model itself.
    pub fidelity: Option<f64>,
}

impl NamedTree {
    /// The tree to be drawn.
    pub fn picture(&self) -> TreePicture<'_> {
        TreePicture { tree: &self.tree, columns: &self.columns, base: self.base, output: self.output }
    }
}

/// What a model leans on in all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableExplanation {
    /// Rows of the table.
    pub n_rows: usize,
    /// Rows that were explained.
    pub explained: usize,
    /// Where the parts begin.
    pub base: f64,
    /// The columns, most important first.
    pub columns: Vec<ColumnImportance>,
    /// Curves of the most important columns.
    pub curves: Vec<ColumnCurves>,
    /// Names of the most important columns, and the mean absolute interaction of each pair; for trees.
    pub interactions: Option<Interactions>,
    /// The tree that the model is, or that imitates it; in JSON as Graphviz text.
    #[serde(serialize_with = "as_dot")]
    pub tree: Option<NamedTree>,
    /// How well that tree imitates the model; see [`NamedTree::fidelity`].
    pub tree_fidelity: Option<f64>,
}

fn as_dot<S: serde::Serializer>(tree: &Option<NamedTree>, to: S) -> Result<S::Ok, S::Error> {
    let frame = guike_explain::Frame::new(guike_explain::Lang::En, "", "", "");
    tree.as_ref().map(|t| t.picture().dot(&frame)).serialize(to)
}

/// What both kinds of explanation begin with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct About {
    /// What the model predicts.
    pub target: String,
    /// The class whose parts are told, where classes are predicted.
    pub class: Option<String>,
    /// In what the parts add up.
    pub unit: Unit,
    /// How they were found.
    pub method: Method,
}

/// Which rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Which {
    /// The id of a row.
    pub(crate) id: Option<String>,
    /// The number of a row, from 1.
    pub(crate) number: Option<usize>,
}

/// What was found.
pub(crate) enum Why {
    Row(RowExplanation),
    All(Box<TableExplanation>),
}

/// Parts of all rows by column of the table.
struct Attributed {
    unit: Unit,
    method: Method,
    parts: Attributions,
    /// Standard errors, rows × columns; empty where the parts are exact.
    errors: Vec<f64>,
}

/// A model, the rows of a table as it reads them, and what is asked about.
struct Case<'a> {
    loaded: &'a Loaded,
    inputs: &'a Table,
    /// Position of the class, 0 for numbers.
    class: usize,
    progress: &'a dyn Progress,
}

/// Explains a row of the table at `data`, or the model on all of them.
pub(crate) fn explain(
    (saved, fingerprint): (serde_json::Value, String),
    file: &Path,
    data: &Path,
    which: &Which,
    read: &ReadOptions,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<(About, Why), Error> {
    let corrupt = |reason: String| guike_store::StoreError::Corrupt { path: file.to_owned(), reason };
    let saved: Saved = serde_json::from_value(saved).map_err(|e| corrupt(e.to_string()))?;
    let loaded = saved.load(fingerprint).map_err(corrupt)?;
    let TableRead { table, kinds, .. } = read_table(data, read, &loaded.expected(), progress)?;
    let inputs = loaded.inputs(&table)?;
    let all: Vec<usize> = (0..table.n_rows()).collect();
    let id = table
        .columns()
        .iter()
        .zip(&kinds)
        .find(|(c, kind)| c.name != loaded.target && inputs.column(&c.name).is_none() && is_id_column(c, **kind, &all))
        .map(|(c, _)| c);
    let row = find(which, id, table.n_rows())?;
    let predicted = loaded.fitted.predict(&inputs);
    let class = class(&loaded.outcome, &predicted, row);
    let case = Case { loaded: &loaded, inputs: &inputs, class, progress };
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
            let called = match &loaded.outcome {
                Outcome::Regression => guike_store::significant(p[0]).to_string(),
                Outcome::Classification { classes, positive } => classes[loaded.decision.call(p, *positive)].clone(),
            };
            let probability = about.class.as_ref().map(|_| p[class]);
            let id = id.map(|c| rows::text(c, r));
            Why::Row(case.row(r, id, called, probability, &told))
        }
        None => Why::All(Box::new(case.all(&told, &sample, &predicted, seed)?)),
    };
    Ok((about, found))
}

/// The position of the row that is asked about.
fn find(which: &Which, id: Option<&guike_core::Column>, n_rows: usize) -> Result<Option<usize>, Error> {
    if let Some(number) = which.number {
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
fn class(outcome: &Outcome, predicted: &[f64], row: Option<usize>) -> usize {
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
    fn model(&self) -> &dyn TabularModel {
        self.loaded.fitted.model.as_ref()
    }

    fn task(&self) -> Task {
        self.model().task()
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

    /// The parts of these rows; `background` are the rows that others are compared with where the method needs any.
    fn parts(&self, rows: &[usize], background: &[usize], seed: Seed) -> Result<Attributed, Error> {
        let groups = self.loaded.fitted.preparation.groups();
        let exact = |link: Link, method: Method, found: Result<Attributions, ExplainError>| {
            let (output, sign) = self.output(link);
            let parts = one_output(&found.map_err(internal)?.grouped(&groups), output, sign);
            Ok(Attributed { unit: self.unit(link), method, parts, errors: Vec::new() })
        };
        if let Some((trees, link)) = self.model().trees() {
            let shap = TreeShap::new(trees).map_err(internal)?;
            return exact(link, Method::TreeShap, shap.attribute(&self.prepared(rows)));
        }
        if let Some(linear) = self.model().linear() {
            let score = LinearScore { coefficients: linear.coefficients, intercepts: linear.intercepts };
            let from = means(&self.prepared(background));
            return exact(linear.link, Method::Linear, score.attribute(&from, &self.prepared(rows)));
        }
        self.asked(rows, background, &groups, seed)
    }

    /// By asking the model about mixtures of prepared rows.
    fn asked(
        &self,
        rows: &[usize],
        background: &[usize],
        groups: &[Vec<usize>],
        seed: Seed,
    ) -> Result<Attributed, Error> {
        let (x, others) = (self.prepared(rows), self.prepared(background));
        let k = self.task().n_outputs();
        let calls = if rows.len() == 1 { Game::default().calls } else { CALLS };
        let found = (0..rows.len())
            .into_par_iter()
            .map(|i| {
                self.progress.check()?;
                let (case, seed) = (x.row(i), seed.at(rows[i] as u64));
                let game = Game { n_groups: groups.len(), n_background: others.n_rows(), n_outputs: 1, calls, seed };
                let outputs = |hybrids: &[Hybrid]| {
                    let p = self.model().predict(&compose(&case, &others, groups, hybrids));
                    let p = self.loaded.fitted.calibrator.apply(&p, k);
                    Ok::<_, ExplainError>(p.iter().skip(self.class).step_by(k).copied().collect())
                };
                shapley(&game, outputs).map_err(internal)
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let expected = found.first().map_or_else(Vec::new, |f| f.attributions.expected().to_vec());
        let values = found.iter().flat_map(|f| f.attributions.of(0, 0).to_vec()).collect();
        let errors = found.iter().flat_map(|f| f.errors(0).to_vec()).collect();
        let unit = if self.task() == Task::Regression { Unit::Number } else { Unit::Probability };
        let parts = Attributions::new(expected, rows.len(), groups.len(), values);
        Ok(Attributed { unit, method: Method::Asked, parts, errors })
    }

    fn row(
        &self,
        row: usize,
        id: Option<String>,
        predicted: String,
        p: Option<f64>,
        told: &Attributed,
    ) -> RowExplanation {
        let columns = self.inputs.columns();
        let mut parts: Vec<Part> = columns
            .iter()
            .zip(told.parts.of(0, 0))
            .enumerate()
            .map(|(j, (c, &amount))| Part {
                column: c.name.clone(),
                value: rows::text(c, row),
                amount,
                error: told.errors.get(j).copied().unwrap_or(0.0),
            })
            .collect();
        parts.sort_by(|a, b| b.amount.abs().total_cmp(&a.amount.abs()));
        let (base, output) = (told.parts.expected()[0], told.parts.prediction(0, 0));
        RowExplanation { row: row + 1, id, predicted, probability: p, base, output, parts }
    }

    fn all(
        &self,
        told: &Attributed,
        sample: &[usize],
        predicted: &[f64],
        seed: Seed,
    ) -> Result<TableExplanation, Error> {
        let n = sample.len() as f64;
        let mean = told.parts.importance(0);
        let mut columns: Vec<(usize, ColumnImportance)> = self
            .inputs
            .columns()
            .iter()
            .enumerate()
            .map(|(j, c)| {
                let part = |i: usize| told.parts.of(i, 0)[j];
                let variance =
                    (0..sample.len()).map(|i| (part(i).abs() - mean[j]).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
                let value = |i: usize| c.as_numeric().map_or(f64::NAN, |v| v[i]);
                let rows = sample.iter().enumerate().map(|(i, &r)| (part(i), value(r))).collect();
                let error = (variance / n).sqrt();
                (j, ColumnImportance { column: c.name.clone(), mean_part: mean[j], error, rows })
            })
            .collect();
        columns.sort_by(|a, b| b.1.mean_part.total_cmp(&a.1.mean_part));
        let order: Vec<usize> = columns.iter().map(|c| c.0).collect();
        let used = order.iter().copied().filter(|&j| mean[j] > 0.0);
        let curves = used.clone().take(DRAWN).map(|j| self.curves(j)).collect::<Result<Vec<_>, Error>>()?;
        let interactions = self.interactions(&used.take(MAPPED).collect::<Vec<_>>(), sample)?;
        let tree = self.tree(sample, predicted, seed)?;
        Ok(TableExplanation {
            n_rows: self.inputs.n_rows(),
            explained: sample.len(),
            base: told.parts.expected()[0],
            columns: columns.into_iter().map(|c| c.1).collect(),
            curves,
            interactions,
            tree_fidelity: tree.as_ref().and_then(|t| t.fidelity),
            tree,
        })
    }

    /// What is predicted when column `j` is changed.
    fn curves(&self, j: usize) -> Result<ColumnCurves, Error> {
        let rows = every(self.inputs.n_rows(), CURVES);
        let table = rows::select(self.inputs, &rows);
        let column = &self.inputs.columns()[j];
        let (grid, levels) = match &column.data {
            ColumnData::Numeric(v) => (Grid::quantiles(v, 21), None),
            ColumnData::Categorical { codes, levels } => (Grid::categories(codes, 10), Some(levels)),
        };
        let k = self.task().n_outputs();
        let found = dependence(&grid, 1, |point| {
            self.progress.check()?;
            let p = self.loaded.fitted.predict(&with(&table, j, point));
            Ok::<_, Error>(p.iter().skip(self.class).step_by(k).copied().collect())
        })?;
        let d = &found[0];
        Ok(ColumnCurves {
            column: column.name.clone(),
            names: levels.map_or_else(Vec::new, |l| grid.points.iter().map(|&p| l[p as usize].clone()).collect()),
            at: if levels.is_none() { grid.points.clone() } else { Vec::new() },
            mean: d.mean.clone(),
            heterogeneity: d.heterogeneity,
            rows: (0..d.n_rows()).map(|r| d.curve(r).to_vec()).collect(),
            data: column.as_numeric().map_or_else(Vec::new, <[f64]>::to_vec),
        })
    }

    /// How much pairs of these columns add together, where the model is made of trees.
    fn interactions(&self, columns: &[usize], sample: &[usize]) -> Result<Option<Interactions>, Error> {
        let Some((trees, link)) = self.model().trees().filter(|_| columns.len() > 1) else { return Ok(None) };
        let (output, _) = self.output(link);
        let shap = TreeShap::new(trees).map_err(internal)?;
        let found = &shap.mean_interactions(&self.prepared(sample)).map_err(internal)?;
        let groups = self.loaded.fitted.preparation.groups();
        let pair = |a: usize, b: usize| {
            groups[a].iter().flat_map(|&i| groups[b].iter().map(move |&j| found.of(output, i, j))).sum::<f64>()
        };
        let names = columns.iter().map(|&j| self.inputs.columns()[j].name.clone()).collect();
        // a pair's whole: the matrix credits each of the two with it once
        let strength = |a: usize, b: usize| if a == b { pair(a, a) } else { pair(a, b) + pair(b, a) };
        Ok(Some((names, columns.iter().map(|&a| columns.iter().map(|&b| strength(a, b)).collect()).collect())))
    }

    /// The tree that the model is, or a small one that imitates its predictions.
    fn tree(&self, sample: &[usize], predicted: &[f64], seed: Seed) -> Result<Option<NamedTree>, Error> {
        if let Some((trees, link)) = self.model().trees().filter(|t| t.0.trees.len() == 1) {
            let tree = trees.trees[0].clone();
            let (output, sign) = self.output(link);
            if sign > 0.0 && output < tree.n_outputs as usize {
                let columns = names_for(&self.loaded.fitted.preparation, self.inputs);
                let base = trees.base[output];
                return Ok(Some(NamedTree { tree, base, output, columns, fidelity: None }));
            }
        }
        let k = self.task().n_outputs();
        let said = |i: &usize| predicted[i * k + self.class];
        let every_row = every(self.inputs.n_rows(), IMITATED);
        // every fourth row judges
        let part = |judges: bool| {
            every_row.iter().enumerate().filter(|(k, _)| (k % 4 == 3) == judges).map(|(_, &i)| i).collect()
        };
        let (learn, judge): (Vec<usize>, Vec<usize>) = (part(false), part(true));
        if learn.len() < sample.len().min(20) || judge.is_empty() {
            return Ok(None);
        }
        let y: Vec<f64> = learn.iter().map(said).collect();
        let labels = Labels { y: &y, task: Task::Regression };
        let seed = seed.derive("imitation");
        let train = rows::select(self.inputs, &learn);
        let (preparation, x_learn) = Preparation::fit(&train, labels, Wants::Raw, ScalingChoice::default(), seed);
        let learner = DecisionTree {
            max_leaves: Some(LEAVES),
            min_samples_leaf: (learn.len() / 50).max(1),
            ..DecisionTree::default()
        };
        let kinds = preparation.kinds();
        let examples = Examples { x: &x_learn, kinds: &kinds, y: &y, weight: None, task: Task::Regression };
        let cx = FitContext { seed, progress: self.progress };
        let model = learner.grow(&examples, &cx)?;
        let imitated = model.predict(&preparation.apply(&rows::select(self.inputs, &judge)));
        let truth: Vec<f64> = judge.iter().map(said).collect();
        let Some((trees, _)) = model.trees() else { return Ok(None) };
        Ok(Some(NamedTree {
            tree: trees.trees[0].clone(),
            base: trees.base[0],
            output: 0,
            columns: names_for(&preparation, self.inputs),
            fidelity: Some(explained_share(&truth, &imitated)),
        }))
    }
}

/// One minus the share of the variance of `truth` that is left.
fn explained_share(truth: &[f64], imitated: &[f64]) -> f64 {
    let mean = truth.iter().sum::<f64>() / truth.len() as f64;
    let all: f64 = truth.iter().map(|t| (t - mean).powi(2)).sum();
    let left: f64 = truth.iter().zip(imitated).map(|(t, i)| (t - i).powi(2)).sum();
    if all > 0.0 { 1.0 - left / all } else { 1.0 }
}

/// Names of a raw preparation's columns, the categories with the one that stands for all others.
fn names_for(preparation: &Preparation, inputs: &Table) -> Vec<TreeColumn> {
    let of = |(c, step): (&guike_core::Column, &Step)| {
        let levels = match step {
            Step::Code { levels, .. } => levels.iter().cloned().chain(["…".to_owned()]).collect(),
            _ => Vec::new(),
        };
        vec![TreeColumn { name: c.name.clone(), levels }; step.width()]
    };
    inputs.columns().iter().zip(preparation.steps()).flat_map(of).collect()
}

/// The table with column `j` the same in all rows.
fn with(table: &Table, j: usize, point: f64) -> Table {
    let columns = table.columns().iter().enumerate().map(|(i, c)| {
        let data = match &c.data {
            data if i != j => data.clone(),
            ColumnData::Numeric(v) => ColumnData::Numeric(vec![point; v.len()]),
            ColumnData::Categorical { codes, levels } => {
                ColumnData::Categorical { codes: vec![point as u32; codes.len()], levels: levels.clone() }
            }
        };
        guike_core::Column { name: c.name.clone(), data }
    });
    Table::new(columns.collect()).expect("the table's own columns")
}

/// The attributions of one output, with its sign.
fn one_output(a: &Attributions, output: usize, sign: f64) -> Attributions {
    let values = (0..a.n_rows()).flat_map(|i| a.of(i, output).iter().map(move |v| sign * v)).collect();
    Attributions::new(vec![sign * a.expected()[output]], a.n_rows(), a.n_features(), values)
}

pub(super) fn internal(e: ExplainError) -> Error {
    Error::Internal(format!("the model cannot be explained: {e}"))
}
