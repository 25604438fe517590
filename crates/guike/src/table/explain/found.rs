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
    /// What a straight line around the row says, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lime: Option<LocalLine>,
    /// What would take the row elsewhere, where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeExplanation>,
}

/// A straight line that follows the model around one row (LIME), in the unit of the parts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LocalLine {
    /// What the line says of the row itself.
    pub prediction: f64,
    /// Share of how the output moves around the row that the line explains; below about a half the line is not the model.
    pub r_squared: f64,
    /// Mean share of the steepest columns that two draws of the line have in common, from 0 to 1.
    pub stability: f64,
    /// How many steepest columns those are.
    pub top: usize,
    /// Disturbed rows that the model was asked about.
    pub rows_asked: usize,
    /// The columns, in the order of the parts.
    pub columns: Vec<LineColumn>,
    /// Where line and parts tell different stories.
    pub disagree: Vec<Disagreement>,
}

/// What the line says of one column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LineColumn {
    /// The column.
    pub column: String,
    /// How much the output grows per spread (standard deviation) of the column; for a category, how much higher it is than
    /// with another one. 0 where the cell is empty.
    pub slope: f64,
    /// Standard deviation of the slope between draws.
    pub slope_spread: f64,
    /// What the value adds by the line: slope × distance from the mean of the column.
    pub adds: f64,
    /// Standard deviation of that between draws.
    pub adds_spread: f64,
    /// What it adds as a Shapley value.
    pub part: f64,
    /// Whether the column holds categories.
    #[serde(skip)]
    pub is_category: bool,
    /// Whether the cell is empty, of which a line says nothing.
    #[serde(skip)]
    pub is_empty: bool,
}

/// A column about which line and parts tell different stories.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disagreement {
    /// The column.
    pub column: String,
    /// How they differ.
    pub how: How,
}

/// How two explanations of one column differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// One raises the output and the other lowers it.
    Opposite,
    /// It is among the first by its part and next to nothing by the line.
    OnlyParts,
    /// It is among the first by the line and next to nothing by its part.
    OnlyLine,
}

/// Where a prediction should go.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wanted {
    /// The class that should be called, or whose probability is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The number or the probability should be this or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The number or the probability should be this or less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

/// How the search for a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The prediction is there already.
    Already,
    /// A change does it.
    Changed,
    /// No allowed change does it: all were tried.
    Impossible,
    /// The calls were used up without success.
    NotFound,
}

/// A cell that would be another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellChange {
    /// The column.
    pub column: String,
    /// Its cell now; empty where it is missing.
    pub from: String,
    /// Its cell then.
    pub to: String,
    /// The distance in standard deviations of the column, with its sign; `None` for categories.
    pub spreads: Option<f64>,
}

/// A column that was called actionable and cannot be moved in this row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOut {
    /// The column.
    pub column: String,
    /// Why.
    pub why: WhyLeftOut,
}

/// Why a column cannot be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyLeftOut {
    /// Its cell is empty, so there is nothing to move from.
    Empty,
    /// It has one value in the whole table, so nothing says how far it might go.
    NeverVaries,
}

/// The smallest change of actionable columns that takes a row elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangeExplanation {
    /// Where the prediction should go.
    pub wanted: Wanted,
    /// How the search ended.
    pub ending: Ending,
    /// The cells that would be others, in the order in which the columns were named.
    pub changes: Vec<CellChange>,
    /// The class called, or the number predicted, then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted: Option<String>,
    /// Probability of the explained class then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Whether no smaller change does it.
    pub smallest: bool,
    /// Every change that costs less was tried: distances in spreads, and half a spread for each column that changes.
    pub nothing_below: Option<f64>,
    /// How many columns may change together.
    pub most_changes: usize,
    /// The columns that may change.
    pub actionable: Vec<String>,
    /// Columns that were named and cannot be moved.
    pub left_out: Vec<LeftOut>,
    /// How often the model was asked.
    pub calls: usize,
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

/// A leaf of the tree as a rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TreeRule {
    /// All of these hold; none for a tree without a question.
    pub when: Vec<RuleCondition>,
    /// What the rule says: the number, or the probability of the class.
    pub says: f64,
    /// Share of the rows that it speaks of.
    pub share: f64,
    /// Mean prediction of the model for them; NaN for none.
    pub mean: f64,
    /// Root mean square distance of the model's predictions from what the rule says; NaN for no row.
    pub error: f64,
}

/// One condition of a rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleCondition {
    /// The column.
    pub column: String,
    /// Numbers above this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// Numbers up to this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_to: Option<f64>,
    /// One of these categories; `…` stands for any that learning saw too seldom.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
    /// None of these categories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub none_of: Vec<String>,
    /// Whether an empty cell fits, where the table has any.
    pub or_empty: bool,
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
    /// The same tree as rules, the highest value first.
    pub rules: Vec<TreeRule>,
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
