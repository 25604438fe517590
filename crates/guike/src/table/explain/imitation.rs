//! The model as one tree: itself where it is one, else a small tree that imitates it; and its leaves as rules.

use guike_core::tree::Tree;
use guike_core::{Column, ColumnData, FitContext, Matrix, Seed};
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
        let Some((trees, _)) = model.trees() else { return Ok(None) };
        let mut named = NamedTree {
            tree: trees.trees[0].clone(),
            base: trees.base[0],
            output: 0,
            columns: names_for(&preparation),
            fidelity: None,
        };
        let outputs: Vec<f64> = judge.iter().map(said).collect();
        let (rules, fidelity) = self.rules(&named, &preparation.apply(&rows::select(self.inputs, &judge)), &outputs)?;
        named.fidelity = Some(fidelity);
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

fn has_empty(column: &Column) -> bool {
    match &column.data {
        ColumnData::Numeric(v) => v.iter().any(|x| x.is_nan()),
        ColumnData::Categorical { codes, levels } => codes.iter().any(|&c| c as usize >= levels.len()),
    }
}

/// The tree with the output that is shown alone, its base among the leaf values.
fn alone(named: &NamedTree) -> Tree {
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
