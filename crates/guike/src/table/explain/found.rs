//! What an explanation of a model on tables holds: plain data, from which words, JSON and pages are made.

use guike_explain::tree_picture::{TreeColumn, TreePicture};
use serde::Serialize;

/// Names of columns, and how much each pair of them adds together.
pub type Interactions = (Vec<String>, Vec<Vec<f64>>);

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
