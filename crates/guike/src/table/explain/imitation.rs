//! The model as one tree: itself where it is one, else a small tree that imitates it.

use guike_core::{FitContext, Seed, Table};
use guike_explain::tree_picture::TreeColumn;
use guike_learn::forest::DecisionTree;
use guike_learn::{Examples, TabularModel, Task, Wants};

use super::found::NamedTree;
use super::{Case, every};
use crate::error::Error;
use crate::table::prepare::{Labels, Preparation, Step};
use crate::table::rows;
use crate::table::settings::ScalingChoice;

/// Rows on which a tree imitates the model.
const IMITATED: usize = 20_000;
/// Leaves of the tree that imitates the model.
const LEAVES: usize = 8;

impl Case<'_> {
    /// The tree that the model is, or a small one that imitates its predictions.
    pub(super) fn tree(&self, sample: &[usize], predicted: &[f64], seed: Seed) -> Result<Option<NamedTree>, Error> {
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
