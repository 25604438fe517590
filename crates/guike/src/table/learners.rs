//! The one table of everything that learns from tables: what `guike models` lists, what `guike train` tries, and how a model
//! is read back.

use guike_learn::boosting::{Boosted, GradientBoosting};
use guike_learn::forest::{DecisionTree, ExtraTrees, RandomForest, TreesModel};
use guike_learn::neighbours::{KNearestNeighbours, NeighboursModel};
use guike_learn::{TabularLearner, TabularModel, Wants};
use serde_json::Value;

use super::settings::{Budget, TableSettings};

/// A learner on tables.
pub struct Entry {
    /// Stable name, for flags and files.
    pub name: &'static str,
    /// One line on the idea.
    pub idea: &'static str,
    /// The same in Chinese.
    pub idea_zh: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Of two that predict equally well, the lower is preferred.
    pub complexity: u32,
    /// The least budget with which `auto` tries it; `None` never.
    pub tried_from: Option<Budget>,
    /// With more rows than this `auto` leaves it out, because it would take longest.
    pub most_rows: usize,
    /// The learner as these settings want it.
    pub make: fn(&TableSettings) -> Box<dyn TabularLearner>,
    /// Reads its model back.
    pub load: fn(&Value) -> Result<Box<dyn TabularModel>, String>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Entry {
    /// The learner as these settings want it.
    pub fn learner(&self, settings: &TableSettings) -> Box<dyn TabularLearner> {
        (self.make)(settings)
    }

    /// What preparation it wants.
    pub fn wants(&self, settings: &TableSettings) -> Wants {
        self.learner(settings).wants()
    }

    /// Whether `auto` tries it on a table of this size.
    pub fn is_tried(&self, budget: Budget, n_rows: usize) -> bool {
        self.tried_from.is_some_and(|from| budget as u8 >= from as u8) && n_rows <= self.most_rows
    }
}

fn larger(s: &TableSettings, standard: usize, thorough: usize) -> usize {
    if s.budget == Budget::Thorough { thorough } else { standard }
}

/// Every learner on tables.
pub static ALL: &[Entry] = &[
    Entry {
        name: "decision-tree",
        idea: "one question after the other, pruned to the leaves that hold",
        idea_zh: "逐个提问，剪枝到站得住脚的叶子",
        source: "Breiman, Friedman, Olshen & Stone (1984)",
        complexity: 2,
        tried_from: Some(Budget::Standard),
        most_rows: 1_000_000,
        make: |_| Box::new(DecisionTree { max_leaves: Some(32), min_samples_leaf: 20, ..DecisionTree::default() }),
        load: load_trees,
    },
    Entry {
        name: "k-nearest-neighbours",
        idea: "the rows most like it had this outcome",
        idea_zh: "与之最相似的行的结果",
        source: "Cover & Hart (1967)",
        complexity: 4,
        tried_from: Some(Budget::Standard),
        most_rows: 50_000,
        make: |_| Box::new(KNearestNeighbours { k: 25, ..KNearestNeighbours::default() }),
        load: |v| Ok(Box::new(NeighboursModel::load(v)?)),
    },
    Entry {
        name: "random-forest",
        idea: "many deep trees on resampled rows, averaged",
        idea_zh: "在重抽样的行上生长多棵深树并取平均",
        source: "Breiman (2001)",
        complexity: 6,
        tried_from: Some(Budget::Standard),
        most_rows: 1_000_000,
        make: |s| {
            Box::new(RandomForest { trees: larger(s, 300, 1000), min_samples_leaf: 3, ..RandomForest::default() })
        },
        load: load_trees,
    },
    Entry {
        name: "extra-trees",
        idea: "as a forest, with cuts drawn by chance",
        idea_zh: "类似随机森林，切分点随机抽取",
        source: "Geurts, Ernst & Wehenkel (2006)",
        complexity: 6,
        tried_from: Some(Budget::Thorough),
        most_rows: 1_000_000,
        make: |s| Box::new(ExtraTrees { trees: larger(s, 300, 1000), min_samples_leaf: 3, ..ExtraTrees::default() }),
        load: load_trees,
    },
    Entry {
        name: "boosting",
        idea: "small trees one after the other, each on what the others left",
        idea_zh: "逐棵生长小树，每棵拟合此前各树的剩余误差",
        source: "Friedman (2001); Ke et al. (2017)",
        complexity: 8,
        tried_from: Some(Budget::Fast),
        most_rows: usize::MAX,
        make: |s| {
            Box::new(GradientBoosting {
                rounds: larger(s, 1_000, 4_000) as u32,
                learning_rate: if s.budget == Budget::Thorough { 0.02 } else { 0.05 },
                max_leaves: 15,
                l2: 1.0,
                column_fraction: 0.8,
                row_fraction: 0.8,
                early_stopping: 50,
                ..GradientBoosting::default()
            })
        },
        load: |v| Ok(Box::new(Boosted::load(v)?)),
    },
];

fn load_trees(v: &Value) -> Result<Box<dyn TabularModel>, String> {
    Ok(Box::new(TreesModel::load(v)?))
}

/// The learner of this name.
pub fn named(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|e| e.name == name)
}

/// Every name that `--model` accepts besides `auto`.
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|e| e.name).collect()
}
