//! The one table of everything that learns from tables: what `guike models` lists, what `guike train` tries, and how a model
//! is read back.

use guike_learn::boosting::{Boosted, GradientBoosting, Shape};
use guike_learn::forest::{DecisionTree, ExtraTrees, Features, RandomForest, TreesModel};
use guike_learn::linear::{Family, GeneralisedLinear, LinearModel, LinearRegression, LogisticRegression, Solver};
use guike_learn::neighbours::{KNearestNeighbours, NeighboursModel};
use guike_learn::svm::{Gamma, KernelSvm, LinearSvm, SvmModel};
use guike_learn::{TabularLearner, TabularModel, Task, Wants};
use guike_nn::mlp::{NeuralNetwork, NeuralNetworkModel};
use serde_json::Value;

use super::settings::TableSettings;
use crate::settings::Budget;
use crate::tune::{Given, Knob, Range};

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
    /// What `guike tune` may change about it, and settings files may give under `[learners.NAME]`.
    pub space: &'static [Knob],
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
        space: &[PENALTY_PER_ROW, L1_RATIO],
        make: |s, n| {
            let of = s.given("linear-regression");
            let penalty = of.number("penalty", 1.0 / n.max(1) as f64);
            Box::new(LinearRegression { penalty, l1_ratio: of.number("l1_ratio", 0.0) })
        },
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
        space: &[PENALTY_PER_ROW],
        make: |s, _| Box::new(glm(s.given("poisson-regression"), Family::Poisson)),
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
        space: &[PENALTY_PER_ROW, POWER],
        make: |s, _| {
            let of = s.given("tweedie-regression");
            Box::new(glm(of, Family::Tweedie { power: of.number("power", 1.5) }))
        },
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
        space: &[PENALTY_PER_ROW],
        make: |s, _| Box::new(glm(s.given("gamma-regression"), Family::Gamma)),
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
        space: &[PENALTY],
        make: |s, _| {
            let as_is = LogisticRegression::default();
            let penalty = s.given("logistic-regression").number("penalty", as_is.penalty);
            Box::new(LogisticRegression { penalty, ..as_is })
        },
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
        space: &[],
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
        space: &[COST],
        make: |s, n| Box::new(LinearSvm { c: s.given("linear-svm").number("c", 1.0), folds: folds(n) }),
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
        space: &[COST, GAMMA],
        make: |s, n| {
            let of = s.given("kernel-svm");
            let gamma = Gamma::TimesScale(of.number("gamma", 1.0));
            Box::new(KernelSvm { c: of.number("c", 1.0), gamma, folds: folds(n), ..KernelSvm::default() })
        },
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
        space: &[TREE_LEAVES, LEAF_ROWS],
        make: |s, n| {
            let of = s.given("decision-tree");
            let min_samples_leaf = of.count("min_leaf_rows", leaf_rows(n).max(20).min(n / 10).max(1));
            let max_leaves = Some(of.count("max_leaves", 32));
            Box::new(DecisionTree { max_leaves, min_samples_leaf, ..DecisionTree::default() })
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
        space: &[NEIGHBOURS],
        make: |s, n| {
            let k = s.given("k-nearest-neighbours").count("k", (n / 20).clamp(1, 50)).min(n.max(1));
            Box::new(KNearestNeighbours { k, ..KNearestNeighbours::default() })
        },
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
        space: &[LEAF_ROWS, FEATURES],
        make: |s, n| {
            let of = s.given("random-forest");
            Box::new(RandomForest {
                trees: larger(s, 300, 1_000),
                min_samples_leaf: of.count("min_leaf_rows", leaf_rows(n)),
                features: Features::Share(of.number("features", 0.3)),
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
        space: &[LEAF_ROWS, FEATURES],
        make: |s, n| {
            let of = s.given("extra-trees");
            Box::new(ExtraTrees {
                trees: larger(s, 300, 1_000),
                min_samples_leaf: of.count("min_leaf_rows", leaf_rows(n)),
                features: Features::Share(of.number("features", 0.3)),
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
        space: &[RATE, BOOSTED_LEAVES, BOOSTED_LEAF_ROWS, L2, COLUMNS, ROWS],
        make: |s, n| {
            let (of, as_is) = (s.given("boosting"), boosting(s, n));
            let min_leaf_rows = of.count("min_leaf_rows", as_is.min_leaf_rows as usize) as u32;
            Box::new(GradientBoosting { min_leaf_rows, ..tuned(of, as_is) })
        },
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
        space: &[RATE, SYMMETRIC_LEAVES, L2, COLUMNS, ROWS],
        make: |s, n| {
            let (shape, of) = (Shape::Symmetric, s.given("symmetric-boosting"));
            let as_is =
                GradientBoosting { shape, max_leaves: 64, min_leaf_rows: 1, row_fraction: 0.8, ..boosting(s, n) };
            Box::new(tuned(of, as_is))
        },
        load: load_boosted,
    },
    Entry {
        name: "neural-network",
        idea: "a few networks of two hidden layers, averaged",
        idea_zh: "几个双隐层神经网络取平均",
        source: "Rumelhart, Hinton & Williams (1986); Gorishniy, Rubachev & Babenko (2022)",
        complexity: 10,
        tried_from: Some(Budget::Thorough),
        most_rows: 100_000,
        space: &[NETWORK_RATE, WIDTH, DECAY, DROPOUT],
        make: |s, _| {
            let (of, as_is) = (s.given("neural-network"), NeuralNetwork::default());
            Box::new(NeuralNetwork {
                members: larger(s, as_is.members, 2 * as_is.members),
                rate: of.number("learning_rate", as_is.rate),
                width: of.count("width", as_is.width),
                decay: of.number("decay", as_is.decay),
                dropout: of.number("dropout", as_is.dropout),
                ..as_is
            })
        },
        load: |v| Ok(Box::new(NeuralNetworkModel::load(v)?)),
    },
];

const fn knob(name: &'static str, range: Range, meaning: &'static str) -> Knob {
    Knob { name, range, meaning }
}

// The ranges reach well beyond the defaults on both sides, and stop where fits take many times as long or predict a constant.
const PENALTY: Knob = knob("penalty", Range::Log(1e-3, 1e3), "strength of shrinkage beside the sum of losses");
const PENALTY_PER_ROW: Knob = knob("penalty", Range::Log(1e-6, 10.0), "strength of shrinkage beside the mean loss");
const L1_RATIO: Knob =
    knob("l1_ratio", Range::Choice(&[0.0, 0.5, 1.0]), "share of the penalty that sets coefficients to 0");
const POWER: Knob = knob("power", Range::Linear(1.1, 1.9), "1 is a count, 2 an amount that is never zero");
const COST: Knob = knob("c", Range::Log(1e-3, 1e3), "cost of a row inside the margin");
const GAMMA: Knob =
    knob("gamma", Range::Log(0.03, 30.0), "narrowness of the kernel, 1 for what fits the spread of the columns");
const TREE_LEAVES: Knob = knob("max_leaves", Range::Whole(4, 256), "most leaves");
const LEAF_ROWS: Knob = knob("min_leaf_rows", Range::Whole(1, 200), "fewest rows of a leaf");
const NEIGHBOURS: Knob = knob("k", Range::Whole(1, 200), "neighbours that are asked");
const FEATURES: Knob = knob("features", Range::Linear(0.05, 1.0), "share of the columns tried at each split");
const RATE: Knob = knob("learning_rate", Range::Log(0.01, 0.2), "part of each step that is taken");
const BOOSTED_LEAVES: Knob = knob("max_leaves", Range::Whole(3, 64), "most leaves per tree");
const SYMMETRIC_LEAVES: Knob = knob(
    "max_leaves",
    Range::Choice(&[8.0, 16.0, 32.0, 64.0, 128.0]),
    "leaves per tree, two to the number of questions",
);
const BOOSTED_LEAF_ROWS: Knob = knob("min_leaf_rows", Range::Whole(1, 200), "fewest rows of a leaf");
const L2: Knob = knob("l2", Range::Log(0.1, 100.0), "shrinkage of leaf values");
const COLUMNS: Knob = knob("column_fraction", Range::Linear(0.2, 1.0), "share of the columns each tree sees");
const NETWORK_RATE: Knob = knob("learning_rate", Range::Log(3e-4, 3e-2), "highest part of each step that is taken");
const WIDTH: Knob = knob("width", Range::Whole(8, 256), "numbers of each hidden layer");
const DECAY: Knob = knob("decay", Range::Log(1e-3, 10.0), "shrinkage of weights");
const DROPOUT: Knob = knob("dropout", Range::Linear(0.0, 0.6), "share of numbers dropped while learning");
const ROWS: Knob = knob("row_fraction", Range::Linear(0.4, 1.0), "share of the rows each tree sees");

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

/// The hyper-parameters that both shapes of boosting share.
fn tuned(of: Given<'_>, as_is: GradientBoosting) -> GradientBoosting {
    GradientBoosting {
        learning_rate: of.number("learning_rate", as_is.learning_rate),
        max_leaves: of.count("max_leaves", as_is.max_leaves as usize) as u32,
        l2: of.number("l2", as_is.l2),
        column_fraction: of.number("column_fraction", as_is.column_fraction),
        row_fraction: of.number("row_fraction", as_is.row_fraction),
        ..as_is
    }
}

fn glm(of: Given<'_>, family: Family) -> GeneralisedLinear {
    GeneralisedLinear { family, penalty: of.number("penalty", GeneralisedLinear::default().penalty) }
}

/// The learner of this name.
pub fn named(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|e| e.name == name)
}

/// Every name that `--model` accepts besides `auto`.
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|e| e.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::Values;

    #[test]
    fn every_declared_hyper_parameter_reaches_its_learner_from_end_to_end_of_its_range() {
        for entry in ALL {
            let made = |name: &str, value: f64| {
                let values: Values = [(name.to_owned(), value)].into();
                let settings =
                    TableSettings { learners: [(entry.name.to_owned(), values)].into(), ..Default::default() };
                settings.validate().expect("a value of the range");
                format!("{:?}", entry.learner(&settings, 1_000))
            };
            for knob in entry.space {
                let ends = [made(knob.name, knob.range.at(0.0)), made(knob.name, knob.range.at(0.999_999))];
                assert_ne!(ends[0], ends[1], "{} ignores {}", entry.name, knob.name);
                assert!(!knob.meaning.is_empty(), "{} {}", entry.name, knob.name);
            }
        }
    }
}
