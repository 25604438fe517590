//! The model as one tree: itself where it is one, else a small tree that imitates it; and its leaves as rules.

use guike_core::tree::Tree;
use guike_core::{Column, ColumnData, FitContext, Matrix, Seed, Table};
use guike_explain::rules::{Condition, Values, rules};
use guike_explain::tree_picture::TreeColumn;
use guike_learn::forest::DecisionTree;
use guike_learn::tabular::Link;
use guike_learn::{Examples, TabularModel, Task, Wants};

use super::found::{NamedTree, RuleCondition, TreeRule};
use super::{Case, every, internal};
use crate::error::Error;
use crate::table::prepare::{Labels, Preparation, Step};
use crate::table::rows;
use crate::table::settings::ScalingChoice;

/// Rows on which a tree imitates the model.
const IMITATED: usize = 20_000;
/// Leaves of the tree that imitates the model.
const LEAVES: usize = 8;
/// Each of its leaves holds at least one of so many rows.
const SHARE_OF_LEAF: usize = 50;

/// A tree that imitates a model, and rows that it was not fitted to.
pub(super) struct Imitation {
    pub(super) named: NamedTree,
    /// The rows as the tree reads them, and what the model says of them.
    pub(super) x: Matrix,
    pub(super) outputs: Vec<f64>,
}

/// A tree that imitates what a model says of rows, one number each; every fourth row is left for judging it. `None` where
/// there are too few.
pub(super) fn imitate(
    inputs: &Table,
    said: &[f64],
    learner: &DecisionTree,
    cx: &FitContext<'_>,
) -> Result<Option<Imitation>, Error> {
    let every_row = every(inputs.n_rows(), IMITATED);
    let part = |judges: bool| -> Vec<usize> {
        every_row.iter().enumerate().filter(|(k, _)| (k % 4 == 3) == judges).map(|(_, &i)| i).collect()
    };
    let (learn, judge) = (part(false), part(true));
    if judge.is_empty() {
        return Ok(None);
    }
    let y: Vec<f64> = learn.iter().map(|&i| said[i]).collect();
    let labels = Labels { y: &y, task: Task::Regression };
    let train = rows::select(inputs, &learn);
    let (preparation, x) = Preparation::fit(&train, labels, Wants::Raw, ScalingChoice::default(), cx.seed);
    let least = learner.min_samples_leaf.max(learn.len() / SHARE_OF_LEAF);
    let learner = DecisionTree { min_samples_leaf: least, ..learner.clone() };
    let kinds = preparation.kinds();
    let examples = Examples { x: &x, kinds: &kinds, y: &y, weight: None, task: Task::Regression };
    let model = learner.grow(&examples, cx)?;
    let Some((trees, _)) = model.trees() else { return Ok(None) };
    let tree = trees.trees[0].clone();
    let named = NamedTree { tree, base: trees.base[0], output: 0, columns: names_for(&preparation), fidelity: None };
    let x = preparation.apply(&rows::select(inputs, &judge));
    Ok(Some(Imitation { named, x, outputs: judge.iter().map(|&i| said[i]).collect() }))
}

/// A tree and its rules.
pub(super) type TreeAndRules = (NamedTree, Vec<TreeRule>);

impl Case<'_> {
    /// The tree that the model is, or a small one that imitates its predictions, with its rules.
    pub(super) fn tree(&self, sample: &[usize], predicted: &[f64], seed: Seed) -> Result<Option<TreeAndRules>, Error> {
        // a tree of log-odds would be read as one of probabilities: only what predicts by its leaves is shown itself
        let own = self.model().trees().filter(|(trees, link)| trees.trees.len() == 1 && *link == Link::Identity);
        if let Some((trees, _)) = own
            && self.class < trees.trees[0].n_outputs as usize
        {
            let (tree, output) = (trees.trees[0].clone(), self.class);
            let columns = names_for(&self.loaded.fitted.preparation);
            let named = NamedTree { tree, base: trees.base[output], output, columns, fidelity: None };
            let x = self.prepared(sample);
            let alone = alone(&named);
            let outputs: Vec<f64> = (0..x.n_rows()).map(|i| alone.value(alone.leaf(|j| x.at(i, j)))[0]).collect();
            let (rules, _) = self.rules(&named, &x, &outputs)?;
            return Ok(Some((named, rules)));
        }
        if sample.len() < 20 && self.inputs.n_rows() > sample.len() {
            return Ok(None);
        }
        let small = DecisionTree { max_leaves: Some(LEAVES), ..DecisionTree::default() };
        let cx = FitContext { seed: seed.derive("imitation"), progress: self.progress };
        let Some(found) = imitate(self.inputs, &self.of_class(predicted), &small, &cx)? else { return Ok(None) };
        let (rules, fidelity) = self.rules(&found.named, &found.x, &found.outputs)?;
        let named = NamedTree { fidelity: Some(fidelity), ..found.named };
        Ok(Some((named, rules)))
    }

    /// The rules of a tree and how well they tell these outputs of the rows `x`.
    fn rules(&self, named: &NamedTree, x: &Matrix, outputs: &[f64]) -> Result<(Vec<TreeRule>, f64), Error> {
        let found = rules(&alone(named), x, outputs).map_err(internal)?;
        let condition = |c: Condition| self.condition(c, &named.columns);
        let told = found.rules.into_iter().map(|r| TreeRule {
            when: r.conditions.into_iter().map(condition).collect(),
            says: r.says,
            share: r.share,
            mean: r.mean,
            error: r.error,
        });
        Ok((told.collect(), found.fidelity))
    }

    fn condition(&self, c: Condition, columns: &[TreeColumn]) -> RuleCondition {
        let column = &columns[c.column];
        let name = |code: &u32| column.levels.get(*code as usize).cloned().unwrap_or_default();
        let (mut above, mut up_to, mut one_of, mut none_of) = (None, None, Vec::new(), Vec::new());
        match &c.values {
            Values::Between { above: a, up_to: b } => {
                (above, up_to) = (Some(*a).filter(|v| v.is_finite()), Some(*b).filter(|v| v.is_finite()));
            }
            Values::OneOf(codes) => one_of = codes.iter().map(name).collect(),
            Values::NoneOf(codes) => none_of = codes.iter().map(name).collect(),
        }
        let or_empty = c.missing && self.inputs.column(&column.name).is_some_and(has_empty);
        RuleCondition { column: column.name.clone(), above, up_to, one_of, none_of, or_empty }
    }
}

pub(super) fn has_empty(column: &Column) -> bool {
    match &column.data {
        ColumnData::Numeric(v) => v.iter().any(|x| x.is_nan()),
        ColumnData::Categorical { codes, levels } => codes.iter().any(|&c| c as usize >= levels.len()),
    }
}

/// The tree with the output that is shown alone, its base among the leaf values.
pub(super) fn alone(named: &NamedTree) -> Tree {
    let tree = &named.tree;
    let values = (0..tree.nodes.len()).map(|at| named.base + tree.value(at)[named.output]).collect();
    Tree { nodes: tree.nodes.clone(), values, first_output: 0, n_outputs: 1 }
}

/// Names of a raw preparation's columns, the categories with the one that stands for all others.
fn names_for(preparation: &Preparation) -> Vec<TreeColumn> {
    let of = |step: &Step| {
        let (name, levels) = match step {
            Step::Code { column, levels } => (column.clone(), levels.iter().cloned().chain(["…".to_owned()]).collect()),
            // categories too many for codes stand there as the mean of what is learned
            Step::Encoded { column, .. } => (format!("mean({column})"), Vec::new()),
            other => (other.column().to_owned(), Vec::new()),
        };
        vec![TreeColumn { name, levels }; step.width()]
    };
    preparation.steps().iter().flat_map(of).collect()
}
