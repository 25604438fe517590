//! The one table of everything that learns from tables: what `guike models` lists, what `guike train` tries, and how a model
//! is read back.

use guike_learn::boosting::{Boosted, GradientBoosting, Shape};
use guike_learn::forest::{DecisionTree, ExtraTrees, Features, RandomForest, TreesModel};
use guike_learn::linear::{Family, GeneralisedLinear, LinearModel, LinearRegression, LogisticRegression, Solver};
use guike_learn::neighbours::{KNearestNeighbours, NeighboursModel};
use guike_learn::svm::{KernelSvm, LinearSvm, SvmModel};
use guike_learn::{TabularLearner, TabularModel, Task, Wants};
use serde_json::Value;

use super::settings::TableSettings;
use crate::settings::Budget;

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
    /// The learner as these settings want it, for this many rows.
    pub make: fn(&TableSettings, usize) -> Box<dyn TabularLearner>,
    /// Reads its model back.
    pub load: fn(&Value) -> Result<Box<dyn TabularModel>, String>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Entry {
    /// The learner as these settings want it, for this many rows.
    pub fn learner(&self, settings: &TableSettings, n_rows: usize) -> Box<dyn TabularLearner> {
        (self.make)(settings, n_rows)
    }

    /// Whether it can learn this.
    pub fn can(&self, task: Task) -> bool {
        self.learner(&TableSettings::default(), 1_000).can(task)
    }

    /// What preparation it wants.
    pub fn wants(&self) -> Wants {
        self.learner(&TableSettings::default(), 1_000).wants()
    }

    /// Whether `auto` tries it on a table of this size.
    pub fn is_tried(&self, budget: Budget, n_rows: usize) -> bool {
        self.tried_from.is_some_and(|from| budget >= from) && n_rows <= self.most_rows
    }
}

/// Every learner on tables.
pub static ALL: &[Entry] = &[
    Entry {
        name: "linear-regression",
        idea: "a weighted sum of the columns, slightly shrunk (ridge)",
        idea_zh: "各列的加权和，略作收缩（岭回归）",
        source: "Hoerl & Kennard (1970)",
        complexity: 1,
        tried_from: Some(Budget::Fast),
        most_rows: usize::MAX,
        // scikit-learn's Ridge(alpha=1) on the sum of squares
        make: |_, n| Box::new(LinearRegression { penalty: 1.0 / n.max(1) as f64, l1_ratio: 0.0 }),
        load: load_linear,
    },
    Entry {
        name: "poisson-regression",
        idea: "a count whose logarithm is a weighted sum of the columns",
        idea_zh: "计数，其对数为各列的加权和",
        source: "Nelder & Wedderburn (1972)",
        complexity: 1,
        tried_from: None,
        most_rows: usize::MAX,
        make: |_, _| Box::new(GeneralisedLinear::default()),
        load: load_linear,
    },
    Entry {
        name: "tweedie-regression",
        idea: "an amount, often zero, whose logarithm is a weighted sum of the columns",
        idea_zh: "常为零的金额，其对数为各列的加权和",
        source: "Jørgensen (1987)",
        complexity: 1,
        tried_from: None,
        most_rows: usize::MAX,
        make: |_, _| Box::new(GeneralisedLinear { family: Family::Tweedie { power: 1.5 }, ..Default::default() }),
        load: load_linear,
    },
    Entry {
        name: "gamma-regression",
        idea: "an amount above zero whose logarithm is a weighted sum of the columns",
        idea_zh: "大于零的金额，其对数为各列的加权和",
        source: "Nelder & Wedderburn (1972)",
        complexity: 1,
        tried_from: None,
        most_rows: usize::MAX,
        make: |_, _| Box::new(GeneralisedLinear { family: Family::Gamma, ..Default::default() }),
        load: load_linear,
    },
    Entry {
        name: "logistic-regression",
        idea: "log-odds that are a weighted sum of the columns",
        idea_zh: "对数几率为各列的加权和",
        source: "Cox (1958)",
        complexity: 1,
        tried_from: Some(Budget::Fast),
        most_rows: usize::MAX,
        make: |_, _| Box::new(LogisticRegression::default()),
        load: load_linear,
    },
    Entry {
        name: "logistic-gradient-descent",
        idea: "the same, by the textbook's steps of --learning-rate and --iterations",
        idea_zh: "同上，按教科书的梯度下降求解，步长与次数由参数给出",
        source: "Cauchy (1847); Cox (1958)",
        complexity: 1,
        tried_from: None,
        most_rows: usize::MAX,
        make: |s, _| {
            let solver = Solver::GradientDescent { rate: s.learning_rate, iterations: s.iterations };
            Box::new(LogisticRegression { penalty: 0.0, solver })
        },
        load: load_linear,
    },
    Entry {
        name: "linear-svm",
        idea: "the line that keeps two classes as far apart as it can",
        idea_zh: "使两类间隔尽可能大的直线",
        source: "Cortes & Vapnik (1995); Keerthi & DeCoste (2005)",
        complexity: 2,
        tried_from: Some(Budget::Thorough),
        most_rows: 200_000,
        make: |_, n| Box::new(LinearSvm { folds: folds(n), ..LinearSvm::default() }),
        load: load_svm,
    },
    Entry {
        name: "kernel-svm",
        idea: "such a border of any shape; above 20,000 rows by landmarks",
        idea_zh: "任意形状的最大间隔边界；超过 20,000 行时用地标近似",
        source: "Cortes & Vapnik (1995); Fan, Chen & Lin (2005)",
        complexity: 5,
        tried_from: Some(Budget::Thorough),
        most_rows: 5_000,
        make: |_, n| Box::new(KernelSvm { folds: folds(n), ..KernelSvm::default() }),
        load: load_svm,
    },
    Entry {
        name: "decision-tree",
        idea: "one question after the other, with few and large leaves",
        idea_zh: "逐个提问，叶子少而大",
        source: "Breiman, Friedman, Olshen & Stone (1984)",
        complexity: 2,
        tried_from: Some(Budget::Standard),
        most_rows: 1_000_000,
        make: |_, n| {
            let min_samples_leaf = leaf_rows(n).max(20).min(n / 10).max(1);
            Box::new(DecisionTree { max_leaves: Some(32), min_samples_leaf, ..DecisionTree::default() })
        },
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
        make: |_, n| Box::new(KNearestNeighbours { k: (n / 20).clamp(1, 50), ..KNearestNeighbours::default() }),
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
        make: |s, n| {
            Box::new(RandomForest {
                trees: larger(s, 300, 1_000),
                min_samples_leaf: leaf_rows(n),
                features: Features::Share(0.3),
                ..RandomForest::default()
            })
        },
        load: load_trees,
    },
    Entry {
        name: "extra-trees",
        idea: "as a forest, with cuts drawn by chance",
        idea_zh: "类似随机森林，切分点随机抽取",
        source: "Geurts, Ernst & Wehenkel (2006)",
        complexity: 7,
        tried_from: Some(Budget::Thorough),
        most_rows: 1_000_000,
        make: |s, n| {
            Box::new(ExtraTrees {
                trees: larger(s, 300, 1_000),
                min_samples_leaf: leaf_rows(n),
                features: Features::Share(0.3),
                ..ExtraTrees::default()
            })
        },
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
        make: |s, n| Box::new(boosting(s, n)),
        load: load_boosted,
    },
    Entry {
        name: "symmetric-boosting",
        idea: "boosting with trees that ask the same question on a whole level",
        idea_zh: "每层只问同一个问题的提升树",
        source: "Prokhorenkova et al. (2018)",
        complexity: 9,
        tried_from: Some(Budget::Standard),
        most_rows: 20_000,
        make: |s, n| {
            let shape = Shape::Symmetric;
            Box::new(GradientBoosting { shape, max_leaves: 64, min_leaf_rows: 1, row_fraction: 0.8, ..boosting(s, n) })
        },
        load: load_boosted,
    },
];

fn load_linear(v: &Value) -> Result<Box<dyn TabularModel>, String> {
    Ok(Box::new(LinearModel::load(v)?))
}

fn load_svm(v: &Value) -> Result<Box<dyn TabularModel>, String> {
    Ok(Box::new(SvmModel::load(v)?))
}

/// Folds whose held-out scores become probabilities: as many as there are rows for.
fn folds(n_rows: usize) -> usize {
    (n_rows / 10).clamp(2, 5)
}

fn load_trees(v: &Value) -> Result<Box<dyn TabularModel>, String> {
    Ok(Box::new(TreesModel::load(v)?))
}

fn load_boosted(v: &Value) -> Result<Box<dyn TabularModel>, String> {
    Ok(Box::new(Boosted::load(v)?))
}

fn larger(s: &TableSettings, standard: usize, thorough: usize) -> usize {
    if s.budget == Budget::Thorough { thorough } else { standard }
}

/// Rows in a leaf of a forest: one in two hundred, so that noise is averaged away where there are many. On six public
/// tables of 640 to 41,000 rows, leaves of 3 are best below 2,000 rows and leaves of 30 to 100 above 5,000, by up to 0.05 in
/// AUC on the noisiest one.
fn leaf_rows(n_rows: usize) -> usize {
    (n_rows / 200).clamp(3, 100)
}

/// Boosting as it did best on the same six tables: small trees that see half of the columns, small steps.
fn boosting(s: &TableSettings, n_rows: usize) -> GradientBoosting {
    let large = n_rows > 100_000;
    GradientBoosting {
        rounds: larger(s, 2_000, 5_000) as u32,
        learning_rate: match s.budget {
            Budget::Thorough => 0.015,
            _ if large => 0.05,
            _ => 0.03,
        },
        max_leaves: if large { 31 } else { 8 },
        l2: 3.0,
        column_fraction: 0.5,
        row_fraction: 0.7,
        early_stopping: 50,
        aside_fraction: 0.1,
        ..GradientBoosting::default()
    }
}

/// The learner of this name.
pub fn named(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|e| e.name == name)
}

/// Every name that `--model` accepts besides `auto`.
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|e| e.name).collect()
}
