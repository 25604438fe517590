//! Decision tree, random forest and extra trees.
//!
//! The one idea: a tree asks one question about one column at a time until the rows that are left agree; a forest averages
//! many trees that each saw other rows or tried other columns, which keeps what they have in common. [`DecisionTree`]
//! searches every cut exactly; [`RandomForest`] and [`ExtraTrees`] count rows in 255 bins per column with whole numbers,
//! so that results are the same bits at any number of threads. All three give one [`TreesModel`].
//!
//! Missing values need no filling: each question learns on which side they belong. Category columns are ordered by their
//! mean label once before growing, so that a question can part any frequent codes from the others; a code that was not
//! seen goes right.
//!
//! No boosting here, and no survival trees.

mod binned;
mod cart;
pub(crate) mod compact;
mod grow;
mod labels;
mod lanes;
mod model;
mod problem;
mod quantiles;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use guike_core::{FitContext, FitError, Seed, Trees};
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::points::sample_rows;
use crate::tabular::{Examples, TabularLearner, TabularModel, Task, Wants};
use binned::Binned;
use grow::{GrownTree, Rules};
use labels::{Classes, Numbers, ROWS_MAX, TwoClasses, WholeWeights};
pub use model::{OutOfBag, TreesModel};
pub use problem::ClassWeights;
use problem::Problem;

const TREE: &str = "decision-tree";
const FOREST: &str = "random-forest";
const EXTRA: &str = "extra-trees";

/// Most classes of a forest.
const CLASSES_MAX: u32 = 64;

/// How mixed the classes of a node are; numbers always use the squared error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// 1 − Σ p²: the chance that two rows differ.
    #[default]
    Gini,
    /// −Σ p log₂ p.
    Entropy,
}

impl Criterion {
    fn impurity(self, counts: &[f64], total: f64) -> f64 {
        let shares = counts.iter().map(|c| c / total);
        match self {
            Criterion::Gini => 1.0 - shares.map(|p| p * p).sum::<f64>(),
            Criterion::Entropy => shares.map(|p| if p > 0.0 { -p * p.log2() } else { 0.0 }).sum(),
        }
    }
}

/// How many columns are tried at each split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Features {
    /// The square root of their number for classes, a third of them for numbers (Breiman 2001).
    #[default]
    Auto,
    /// All, which is scikit-learn's default for numbers.
    All,
    /// The square root of their number.
    Sqrt,
    /// The binary logarithm of their number.
    Log2,
    /// This share of them, above 0 and at most 1.
    Share(f64),
    /// This many, at least 1.
    Count(usize),
}

impl Features {
    fn of(self, p: usize, task: Task) -> usize {
        let share = match (self, task) {
            (Features::Auto, Task::Regression) => p as f64 / 3.0,
            (Features::Auto | Features::Sqrt, _) => (p as f64).sqrt(),
            (Features::All, _) => p as f64,
            (Features::Log2, _) => (p as f64).log2(),
            (Features::Share(s), _) => p as f64 * s,
            (Features::Count(c), _) => c as f64,
        };
        (share as usize).clamp(1, p)
    }
}

/// One tree, grown on exact values.
///
/// Counterpart: scikit-learn's `DecisionTreeClassifier` and `DecisionTreeRegressor`, whose splits, pruning and treatment of
/// missing values it has; equally good cuts go to the first column and lowest threshold instead of by lot.
///
/// ```
/// use guike_core::{FitContext, Matrix, Quiet, Seed};
/// use guike_learn::forest::DecisionTree;
/// use guike_learn::tabular::{ColumnKind, Examples, TabularLearner, TabularModel, Task};
/// let x = Matrix::from_columns(4, &[[1.0, 2.0, 3.0, f64::NAN]]);
/// let y = [10.0, 10.0, 40.0, 40.0];
/// let rows = Examples { x: &x, kinds: &[ColumnKind::Number], y: &y, weight: None, task: Task::Regression };
/// let model = DecisionTree::default().fit(&rows, &FitContext { seed: Seed(1), progress: &Quiet }).unwrap();
/// assert_eq!(model.predict(&Matrix::from_columns(3, &[[1.5, 9.0, f64::NAN]])), [10.0, 40.0, 40.0]);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecisionTree {
    /// How mixed the classes of a node are.
    pub criterion: Criterion,
    /// Most questions from the root to a leaf; `None` grows until leaves agree.
    pub max_depth: Option<u32>,
    /// Fewest rows of a node that is split, at least 2.
    pub min_samples_split: usize,
    /// Fewest rows of a leaf, at least 1.
    pub min_samples_leaf: usize,
    /// Most leaves, at least 1; the splits of largest gain come first. `None` is no limit.
    pub max_leaves: Option<usize>,
    /// Least share of all weight × fall of impurity that a split must bring, ≥ 0.
    pub min_impurity_decrease: f64,
    /// What a leaf costs in minimal cost-complexity pruning, in impurity per row, ≥ 0; 0 does not prune.
    pub ccp_alpha: f64,
    /// How much the classes count.
    pub class_weights: ClassWeights,
}

impl Default for DecisionTree {
    fn default() -> DecisionTree {
        DecisionTree {
            criterion: Criterion::Gini,
            max_depth: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            max_leaves: None,
            min_impurity_decrease: 0.0,
            ccp_alpha: 0.0,
            class_weights: ClassWeights::Equal,
        }
    }
}

impl DecisionTree {
    /// Learns; the concrete model also tells importances.
    ///
    /// # Errors
    /// [`FitError`] for no row or column, impossible settings, labels or weights, or a request to stop.
    pub fn grow(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<TreesModel, FitError> {
        at_least(TREE, "min_samples_split", self.min_samples_split, 2)?;
        at_least(TREE, "min_samples_leaf", self.min_samples_leaf, 1)?;
        at_least(TREE, "max_leaves", self.max_leaves.unwrap_or(1), 1)?;
        for (what, value) in [("min_impurity_decrease", self.min_impurity_decrease), ("ccp_alpha", self.ccp_alpha)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(invalid(TREE, what, value, "a finite number of at least 0 is needed"));
            }
        }
        columns(TREE, examples)?;
        let problem = Problem::new(TREE, examples, &self.class_weights)?;
        let tree = cart::grow(self, &problem, cx)?;
        let trees = Trees { base: vec![0.0; examples.task.n_outputs()], trees: vec![tree] };
        Ok(TreesModel::new(TREE, examples.task, examples.x.n_columns(), trees))
    }
}

impl TabularLearner for DecisionTree {
    fn name(&self) -> &'static str {
        TREE
    }

    fn wants(&self) -> Wants {
        Wants::Raw
    }

    fn can(&self, task: Task) -> bool {
        !matches!(task, Task::Classification { classes: 0 | 1 })
    }

    fn fit(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<Box<dyn TabularModel>, FitError> {
        Ok(Box::new(self.grow(examples, cx)?))
    }
}

/// Both kinds of forest have the same settings; only what is drawn differs.
macro_rules! forest {
    ($(#[$doc:meta])* $name:ident, $kind:expr, $random_thresholds:literal, $bootstrap:literal, $bootstrap_doc:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            /// Number of trees, at least 1. More are never worse, only slower.
            pub trees: usize,
            /// How many columns are tried at each split.
            pub features: Features,
            #[doc = $bootstrap_doc]
            pub bootstrap: bool,
            /// Rows drawn per tree as a share of all, above 0 and at most 1.
            pub sample_fraction: f64,
            /// Most questions from the root to a leaf; `None` grows until leaves agree.
            pub max_depth: Option<u32>,
            /// Fewest rows of a node that is split, at least 2.
            pub min_samples_split: usize,
            /// Fewest distinct rows of a leaf, at least 1. Noisy numbers such as spend want 5 to 20.
            pub min_samples_leaf: usize,
            /// How mixed the classes of a node are.
            pub criterion: Criterion,
            /// How much the classes count.
            pub class_weights: ClassWeights,
            /// Whether to predict every training row by the trees that did not see it.
            pub out_of_bag: bool,
            /// Whether to keep the training labels of every leaf, for [`TreesModel::predict_quantiles`]; costs about
            /// 8 bytes per row and tree.
            pub quantiles: bool,
        }

        impl Default for $name {
            fn default() -> $name {
                $name {
                    trees: 100,
                    features: Features::Auto,
                    bootstrap: $bootstrap,
                    sample_fraction: 1.0,
                    max_depth: None,
                    min_samples_split: 2,
                    min_samples_leaf: 1,
                    criterion: Criterion::Gini,
                    class_weights: ClassWeights::Equal,
                    out_of_bag: false,
                    quantiles: false,
                }
            }
        }

        impl $name {
            /// Learns; the concrete model also tells importances, out-of-bag predictions and quantiles.
            ///
            /// # Errors
            /// [`FitError`] for no row or column, impossible settings, labels or weights, or a request to stop.
            pub fn grow(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<TreesModel, FitError> {
                let settings = Settings {
                    learner: $kind,
                    trees: self.trees,
                    features: self.features,
                    bootstrap: self.bootstrap,
                    sample_fraction: self.sample_fraction,
                    max_depth: self.max_depth,
                    min_samples_split: self.min_samples_split,
                    min_samples_leaf: self.min_samples_leaf,
                    criterion: self.criterion,
                    class_weights: &self.class_weights,
                    out_of_bag: self.out_of_bag,
                    quantiles: self.quantiles,
                    random_thresholds: $random_thresholds,
                };
                settings.grow(examples, cx)
            }
        }

        impl TabularLearner for $name {
            fn name(&self) -> &'static str {
                $kind
            }

            fn wants(&self) -> Wants {
                Wants::Raw
            }

            fn can(&self, task: Task) -> bool {
                match task {
                    Task::Regression => true,
                    Task::Classification { classes } => (2..=CLASSES_MAX).contains(&classes),
                }
            }

            fn fit(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<Box<dyn TabularModel>, FitError> {
                Ok(Box::new(self.grow(examples, cx)?))
            }
        }
    };
}

forest! {
    /// Averages trees that each see a bootstrap sample of the rows and, at each split, a few of the columns (Breiman 2001).
    ///
    /// Counterpart: scikit-learn's `RandomForestClassifier` and `RandomForestRegressor`. Trees grow until leaves agree
    /// unless told otherwise. Cuts lie between at most 255 bins per column, finer at both ends.
    ///
    /// ```
    /// use guike_core::{FitContext, Matrix, Quiet, Seed};
    /// use guike_learn::forest::RandomForest;
    /// use guike_learn::tabular::{ColumnKind, Examples, TabularModel, Task};
    /// let x = Matrix::from_columns(200, &[(0..200).map(f64::from).collect::<Vec<_>>()]);
    /// let y: Vec<f64> = (0..200).map(|i| f64::from(i / 100)).collect();
    /// let task = Task::Classification { classes: 2 };
    /// let rows = Examples { x: &x, kinds: &[ColumnKind::Number], y: &y, weight: None, task };
    /// let forest = RandomForest { out_of_bag: true, ..Default::default() };
    /// let model = forest.grow(&rows, &FitContext { seed: Seed(1), progress: &Quiet }).unwrap();
    /// assert_eq!(model.predict(&Matrix::from_columns(1, &[[150.0]])), [0.0, 1.0]);
    /// assert!(model.out_of_bag_score().unwrap() > 0.98, "accuracy on rows that a tree did not see");
    /// ```
    RandomForest, FOREST, false, true,
    "Whether each tree draws its rows with replacement; without, and with `sample_fraction` 1, every tree sees all."
}

forest! {
    /// Averages trees whose thresholds are drawn by lot, one per column tried, of which the best is taken (Geurts, Ernst &
    /// Wehenkel 2006). Smoother and faster than a random forest, often as good.
    ///
    /// Counterpart: scikit-learn's `ExtraTreesClassifier` and `ExtraTreesRegressor`. Thresholds are drawn evenly between
    /// the smallest and largest value of the node, then moved to the nearest border of one of 255 bins.
    ExtraTrees, EXTRA, true, false,
    "Whether each tree draws its rows with replacement; extra trees usually see all rows."
}

/// The settings of a forest of either kind.
#[derive(Debug)]
struct Settings<'a> {
    learner: &'static str,
    trees: usize,
    features: Features,
    bootstrap: bool,
    sample_fraction: f64,
    max_depth: Option<u32>,
    min_samples_split: usize,
    min_samples_leaf: usize,
    criterion: Criterion,
    class_weights: &'a ClassWeights,
    out_of_bag: bool,
    quantiles: bool,
    random_thresholds: bool,
}

impl Settings<'_> {
    fn validate(&self, examples: &Examples<'_>) -> Result<(), FitError> {
        let learner = self.learner;
        at_least(learner, "trees", self.trees, 1)?;
        at_least(learner, "min_samples_split", self.min_samples_split, 2)?;
        at_least(learner, "min_samples_leaf", self.min_samples_leaf, 1)?;
        if !(self.sample_fraction > 0.0 && self.sample_fraction <= 1.0) {
            return Err(invalid(
                learner,
                "sample_fraction",
                self.sample_fraction,
                "a share above 0 and up to 1 is needed",
            ));
        }
        match self.features {
            Features::Share(s) if !(s > 0.0 && s <= 1.0) => {
                return Err(invalid(learner, "features", s, "a share above 0 and up to 1 is needed"));
            }
            Features::Count(c) => at_least(learner, "features", c, 1)?,
            _ => {}
        }
        if self.out_of_bag && !self.bootstrap && self.sample_fraction >= 1.0 {
            let rule = "every tree sees every row; set `bootstrap` or a `sample_fraction` below 1";
            return Err(invalid(learner, "out_of_bag", 1.0, rule));
        }
        if let Task::Classification { classes } = examples.task
            && classes > CLASSES_MAX
        {
            return Err(invalid(learner, "classes", f64::from(classes), &format!("at most {CLASSES_MAX} are counted")));
        }
        if self.quantiles && examples.task != Task::Regression {
            return Err(invalid(learner, "quantiles", 1.0, "only numbers have quantiles; leave it off for classes"));
        }
        if examples.y.len() > ROWS_MAX {
            return Err(invalid(
                learner,
                "rows",
                examples.y.len() as f64,
                &format!("at most {ROWS_MAX}; take a sample"),
            ));
        }
        columns(learner, examples)
    }

    fn grow(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<TreesModel, FitError> {
        self.validate(examples)?;
        let task = examples.task;
        let problem = Problem::new(self.learner, examples, self.class_weights)?;
        let binned = Binned::new(&problem);
        let rules = Rules {
            features: self.features.of(problem.x.n_columns(), task),
            max_depth: self.max_depth.unwrap_or(u32::MAX),
            min_samples_split: self.min_samples_split,
            min_samples_leaf: self.min_samples_leaf,
            random_thresholds: self.random_thresholds,
        };
        let seed = cx.seed.derive(self.learner);
        cx.progress.stage("trees", self.trees as u64);
        let grown: Vec<(GrownTree, Vec<u16>)> = (0..self.trees as u64)
            .into_par_iter()
            .map(|t| {
                cx.progress.check()?;
                let times = self.draw(problem.n_rows(), seed.derive("rows").at(t));
                let mut grown = self.grow_tree(&problem, &binned, rules, &times, seed.derive("tree").at(t));
                grown.tree.values.iter_mut().for_each(|v| *v /= self.trees as f64);
                cx.progress.advance(1);
                Ok((grown, times))
            })
            .collect::<Result<_, FitError>>()?;
        let mut trees = Trees { base: vec![0.0; task.n_outputs()], trees: Vec::with_capacity(self.trees) };
        let (mut drawn, mut leaves) = (Vec::new(), Vec::new());
        for (grown, times) in grown {
            if self.quantiles {
                leaves.push(quantiles::LeafRows::new(&problem, &grown, &times));
            }
            if self.out_of_bag {
                drawn.push(times);
            }
            trees.trees.push(grown.tree);
        }
        let mut model = TreesModel::new(self.learner, task, problem.x.n_columns(), trees);
        if self.quantiles {
            model.keep_labels(quantiles::LeafLabels::new(&problem, leaves));
        }
        if self.out_of_bag {
            model.judge_out_of_bag(examples, &problem.kept, &drawn);
        }
        Ok(model)
    }

    /// How often each row is drawn.
    fn draw(&self, n: usize, seed: Seed) -> Vec<u16> {
        let size = ((n as f64 * self.sample_fraction).round() as usize).max(1);
        if !self.bootstrap {
            if size == n {
                return vec![1; n];
            }
            let mut times = vec![0; n];
            sample_rows(n, size, seed).into_iter().for_each(|i| times[i] = 1);
            return times;
        }
        let mut times = vec![0u16; n];
        let mut rng = seed.rng();
        for _ in 0..size {
            let i = ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize;
            times[i] = times[i].saturating_add(1);
        }
        times
    }

    fn grow_tree(&self, problem: &Problem, binned: &Binned, rules: Rules, times: &[u16], seed: Seed) -> GrownTree {
        let draws = times.iter().map(|&t| usize::from(t)).sum();
        let criterion = self.criterion;
        let weights = WholeWeights::new(problem, draws);
        match problem.task {
            Task::Regression => grow::grow(problem, binned, &Numbers::new(problem, weights, times), rules, times, seed),
            Task::Classification { classes: 2 } if problem.weight.is_none() && draws <= TwoClasses::DRAWS_MAX => {
                grow::grow(problem, binned, &TwoClasses { problem, criterion }, rules, times, seed)
            }
            Task::Classification { classes } => match classes {
                ..=2 => grow::grow(problem, binned, &Classes::<2> { problem, criterion, weights }, rules, times, seed),
                3 => grow::grow(problem, binned, &Classes::<3> { problem, criterion, weights }, rules, times, seed),
                4 => grow::grow(problem, binned, &Classes::<4> { problem, criterion, weights }, rules, times, seed),
                5..=8 => grow::grow(problem, binned, &Classes::<8> { problem, criterion, weights }, rules, times, seed),
                9..=16 => {
                    grow::grow(problem, binned, &Classes::<16> { problem, criterion, weights }, rules, times, seed)
                }
                _ => grow::grow(problem, binned, &Classes::<64> { problem, criterion, weights }, rules, times, seed),
            },
        }
    }
}

fn invalid(learner: &'static str, what: &str, value: f64, rule: &str) -> FitError {
    FitError::Invalid { learner, what: what.to_owned(), value: value.to_string(), rule: rule.to_owned() }
}

fn at_least(learner: &'static str, what: &str, value: usize, least: usize) -> Result<(), FitError> {
    if value >= least {
        return Ok(());
    }
    Err(invalid(learner, what, value as f64, &format!("at least {least} is needed")))
}

fn columns(learner: &'static str, examples: &Examples<'_>) -> Result<(), FitError> {
    if examples.x.n_columns() > 0 {
        return Ok(());
    }
    Err(FitError::TooLittle { learner, needs: "at least 1 column".into(), found: "is none".into() })
}
