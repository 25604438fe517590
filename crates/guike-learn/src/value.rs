//! Learned customer value: expected spend, orders and P(active) within a window, from labelled rows of earlier anchors.
//!
//! The one idea: spend is a spike at zero and a long tail, so no single loss is right for it. Four *heads* look at the same
//! rows in unlike ways and whoever calls weighs them against each other out of time:
//!
//! | head | what it learns |
//! |---|---|
//! | `boosting` | boosted trees on the Tweedie deviance (power 1.5: a Poisson number of gamma amounts), log link |
//! | `boosting-on-prior` | the same, starting from the log of the prior's expected spend: only a correction is learned |
//! | `two-stage` | P(active) × E\[spend given active\], the second by boosted trees on a gamma-like deviance |
//! | `extra-trees` | a forest of extremely randomised trees on the spend itself |
//!
//! The *prior* is what a simpler model (a probability model) expects of each row; its forecasts are among the columns too.
//! The number of boosting rounds is found on a quarter of the **customers** that was kept aside: rows of one customer at
//! several anchors must not stand on both sides.
//!
//! Orders have a Poisson head that starts from the prior; P(active) is the mean of boosted trees on the log loss and a
//! forest of class frequencies.
//!
//! Sources: Jørgensen (1987) for the Tweedie family; Geurts, Ernst & Wehenkel (2006) for extremely randomised trees;
//! Vanderveld et al. (2016) for two-stage forecasts of customer value by trees.

use guike_core::{FitContext, FitError, Labels, Matrix, normal_quantile};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::boosting::{Binned, Boosted, Extra, GradientBoosting, Objective};
use crate::forest::{ExtraTrees, Features, TreesModel};
use crate::tabular::{ColumnKind, Examples, TabularModel, Task};

/// One way to learn expected spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpendHead {
    /// Boosted trees on the Tweedie deviance.
    Boosting,
    /// Boosted trees that correct the prior.
    BoostingOnPrior,
    /// P(active) × expected spend of the active.
    TwoStage,
    /// Extremely randomised trees on the spend.
    ExtraTrees,
}

impl SpendHead {
    /// All heads, in the order of [`Heads::spend`].
    pub const ALL: [SpendHead; 4] =
        [SpendHead::Boosting, SpendHead::BoostingOnPrior, SpendHead::TwoStage, SpendHead::ExtraTrees];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            SpendHead::Boosting => "boosting",
            SpendHead::BoostingOnPrior => "boosting-on-prior",
            SpendHead::TwoStage => "two-stage",
            SpendHead::ExtraTrees => "extra-trees",
        }
    }
}

/// How the heads learn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeadsConfig {
    /// Most boosting rounds; early stopping usually ends far below.
    pub max_rounds: u32,
    /// Shrinkage of each round.
    pub learning_rate: f64,
    /// Leaves per boosted tree: small trees, because shops of a few thousand customers are the rule.
    pub max_leaves: u32,
    /// Fewest rows of a leaf of a boosted tree.
    pub min_leaf_rows: u32,
    /// Ridge penalty on the leaf values of boosted trees.
    pub l2: f64,
    /// Share of the columns each boosted tree sees.
    pub column_fraction: f64,
    /// Share of the rows each boosted tree sees.
    pub row_fraction: f64,
    /// Trees per forest.
    pub forest_trees: u32,
    /// Fewest rows of a leaf of a forest.
    pub forest_leaf_rows: u32,
    /// Rows that each tree of a forest draws, at most.
    pub forest_rows: u32,
}

impl Default for HeadsConfig {
    fn default() -> HeadsConfig {
        HeadsConfig {
            max_rounds: 200,
            learning_rate: 0.08,
            max_leaves: 15,
            min_leaf_rows: 30,
            l2: 5.0,
            column_fraction: 0.5,
            row_fraction: 0.8,
            forest_trees: 60,
            forest_leaf_rows: 10,
            forest_rows: 8_000,
        }
    }
}

/// Labelled rows of one or more anchors.
#[derive(Debug, Clone)]
pub struct ValueRows {
    kinds: Vec<ColumnKind>,
    columns: Vec<Vec<f64>>,
    /// Purchase days within the window.
    pub orders: Vec<f64>,
    /// Spend within the window, in currency units.
    pub spend: Vec<f64>,
    customer: Vec<u32>,
    prior_orders: Vec<f64>,
    prior_spend: Vec<f64>,
}

impl ValueRows {
    /// No rows yet.
    pub fn new(kinds: Vec<ColumnKind>) -> ValueRows {
        let columns = kinds.iter().map(|_| Vec::new()).collect();
        ValueRows {
            kinds,
            columns,
            orders: Vec::new(),
            spend: Vec::new(),
            customer: Vec::new(),
            prior_orders: Vec::new(),
            prior_spend: Vec::new(),
        }
    }

    /// Appends the rows of one anchor.
    ///
    /// # Panics
    /// When lengths differ.
    ///
    /// # Shapes
    /// `x`: n × p; everything else n
    pub fn push(&mut self, x: &Matrix, labels: &Labels, customer: &[u32], prior_orders: &[f64], prior_spend: &[f64]) {
        let n = x.n_rows();
        assert!(
            x.n_columns() == self.kinds.len()
                && [labels.orders.len(), labels.spend.len(), customer.len(), prior_orders.len(), prior_spend.len()]
                    == [n; 5],
            "labelled rows have one label and one prior each"
        );
        for (j, column) in self.columns.iter_mut().enumerate() {
            column.extend_from_slice(x.column(j));
        }
        self.orders.extend_from_slice(&labels.orders);
        // a refund larger than the purchases leaves less than nothing; no loss here knows such values
        self.spend.extend(labels.spend.iter().map(|s| s.max(0.0)));
        self.customer.extend_from_slice(customer);
        self.prior_orders.extend_from_slice(prior_orders);
        self.prior_spend.extend_from_slice(prior_spend);
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }
}

/// All heads, fitted.
#[derive(Debug)]
pub struct Heads {
    tweedie: Boosted,
    on_prior: Boosted,
    given_active: Boosted,
    extra_trees: TreesModel,
    orders: Boosted,
    active: Boosted,
    active_forest: TreesModel,
    /// Standard deviation of the log of an active customer's spend about its expectation.
    spread: f64,
}

/// A shop has a few thousand customers: 63 steps tell as much as 255 and cost a quarter.
const MAX_BINS: u32 = 63;

/// Mean spend per labelled row in the unit that the boosted trees learn in. Tweedie derivatives grow with a power of the
/// unit of money and the ridge penalty does not: in cents it would all but vanish, in millions stop all learning. The
/// penalty's default was found on public shops whose customers spend 18 to 800 per window: this lies in the middle.
const TYPICAL_SPEND: f64 = 100.0;

/// One boosted fit that was asked for.
struct Job<'a> {
    name: &'static str,
    objective: Objective,
    y: &'a [f64],
    /// Where the raw sums begin.
    offset: Option<&'a [f64]>,
    /// Only these rows.
    rows: Option<&'a [usize]>,
    task: Task,
}

impl Heads {
    /// Fits all heads.
    ///
    /// # Errors
    /// [`FitError`] as the learners; the caller makes sure that there are rows, some with and some without a purchase.
    pub fn fit(rows: &ValueRows, config: &HeadsConfig, cx: &FitContext<'_>) -> Result<Heads, FitError> {
        let x = Matrix::from_columns(rows.len(), &rows.columns);
        let active: Vec<f64> = rows.orders.iter().map(|&n| f64::from(u8::from(n > 0.0))).collect();
        let paying: Vec<usize> = (0..rows.len()).filter(|&i| rows.spend[i] > 0.0).collect();
        let mean_spend = rows.spend.iter().sum::<f64>() / rows.len().max(1) as f64;
        let unit = if mean_spend > 0.0 { mean_spend / TYPICAL_SPEND } else { 1.0 };
        let spend: Vec<f64> = rows.spend.iter().map(|s| s / unit).collect();
        let spend_offset: Vec<f64> = offsets(&rows.prior_spend).into_iter().map(|o| o - unit.ln()).collect();
        let orders_offset = offsets(&rows.prior_orders);
        let tweedie = |power| Objective::Tweedie { power };
        let jobs = [
            Job {
                name: "boosting",
                objective: tweedie(1.5),
                y: &spend,
                offset: None,
                rows: None,
                task: Task::Regression,
            },
            Job {
                name: "boosting-on-prior",
                objective: tweedie(1.5),
                y: &spend,
                offset: Some(&spend_offset),
                rows: None,
                task: Task::Regression,
            },
            // near the gamma deviance, which itself knows no zero
            Job {
                name: "given-active",
                objective: tweedie(1.9),
                y: &spend,
                offset: None,
                rows: Some(&paying),
                task: Task::Regression,
            },
            Job {
                name: "orders",
                objective: Objective::Poisson,
                y: &rows.orders,
                offset: Some(&orders_offset),
                rows: None,
                task: Task::Regression,
            },
            Job {
                name: "active",
                objective: Objective::Logistic,
                y: &active,
                offset: None,
                rows: None,
                task: Task::Classification { classes: 2 },
            },
        ];
        // by rank among the customers here: an index would change with customers who come after the cutoff
        let mut known = rows.customer.clone();
        known.sort_unstable();
        known.dedup();
        let seed = cx.seed.derive("aside");
        let rank = |customer: &u32| known.binary_search(customer).expect("every customer is known") as u64;
        let aside: Vec<bool> = rows.customer.iter().map(|c| seed.at(rank(c)).0.is_multiple_of(4)).collect();
        // once for all heads that look at all rows
        let binned = Binned::new(&x, &rows.kinds, MAX_BINS, cx.seed);
        let fits: Vec<Result<Boosted, FitError>> =
            jobs.par_iter().map(|job| boost(job, &x, &binned, &rows.kinds, &aside, config, cx)).collect();
        let mut boosted = Vec::with_capacity(fits.len());
        for fit in fits {
            boosted.push(fit?);
        }
        let forest = |name, y: &[f64], task| grow(name, y, task, &x, &rows.kinds, config, cx);
        let extra_trees = forest("extra-trees", &rows.spend, Task::Regression)?;
        let active_forest = forest("active-forest", &active, Task::Classification { classes: 2 })?;
        let mut boosted = boosted.into_iter();
        let mut next = || boosted.next().expect("one fit per job");
        // a correction of the prior has no unit
        let (tweedie, on_prior, given_active) = (next().times(unit), next(), next().times(unit));
        let (orders, active) = (next(), next());
        let mut heads =
            Heads { tweedie, on_prior, given_active, extra_trees, orders, active, active_forest, spread: 1.0 };
        heads.spread = heads.measure_spread(&x, rows, &paying);
        Ok(heads)
    }

    fn measure_spread(&self, x: &Matrix, rows: &ValueRows, paying: &[usize]) -> f64 {
        let expected = self.given_active.predict(&x.select_rows(paying));
        let logs: Vec<f64> = paying
            .iter()
            .zip(&expected)
            .map(|(&i, e)| (rows.spend[i] / e.max(1e-9)).ln())
            .filter(|l| l.is_finite())
            .collect();
        let n = logs.len().max(2) as f64;
        let mean = logs.iter().sum::<f64>() / n;
        (logs.iter().map(|l| (l - mean) * (l - mean)).sum::<f64>() / (n - 1.0)).sqrt().clamp(0.05, 3.0)
    }

    /// Expected spend within the window by head [`SpendHead::ALL`]`[head]`.
    ///
    /// # Shapes
    /// `x`: n × p, `prior_spend`: n → n
    ///
    /// # Units
    /// currency units, as the prior's
    pub fn spend(&self, head: usize, x: &Matrix, prior_spend: &[f64]) -> Vec<f64> {
        match SpendHead::ALL[head] {
            SpendHead::Boosting => self.tweedie.predict(x),
            SpendHead::BoostingOnPrior => corrected(&self.on_prior, x, prior_spend),
            SpendHead::TwoStage => {
                let given = self.given_active.predict(x);
                positive(&self.active.predict(x)).zip(given).map(|(p, v)| p * v).collect()
            }
            SpendHead::ExtraTrees => self.extra_trees.predict(x).into_iter().map(|v| v.max(0.0)).collect(),
        }
    }

    /// Expected purchase days within the window.
    pub fn orders(&self, x: &Matrix, prior_orders: &[f64]) -> Vec<f64> {
        corrected(&self.orders, x, prior_orders)
    }

    /// P(at least one purchase within the window).
    pub fn active(&self, x: &Matrix) -> Vec<f64> {
        let (trees, forest) = (self.active.predict(x), self.active_forest.predict(x));
        positive(&trees).zip(positive(&forest)).map(|(a, b)| 0.5 * (a + b)).collect()
    }

    /// The quantile of a spend that is 0 with 1 − `p_active` and otherwise log-normal, with expectation `mean` in all.
    pub fn spend_quantile(&self, mean: f64, p_active: f64, level: f64) -> f64 {
        if mean <= 0.0 || p_active <= 0.0 || level <= 1.0 - p_active {
            return 0.0;
        }
        let within = ((level - (1.0 - p_active)) / p_active).clamp(1e-9, 1.0 - 1e-9);
        let log_median = (mean / p_active).ln() - 0.5 * self.spread * self.spread;
        (log_median + self.spread * normal_quantile(within)).exp()
    }

    /// All parameters.
    pub fn save(&self) -> Value {
        json!({
            "kind": "value-heads",
            "boosting": self.tweedie.save(),
            "boosting_on_prior": self.on_prior.save(),
            "given_active": self.given_active.save(),
            "extra_trees": self.extra_trees.save(),
            "orders": self.orders.save(),
            "active": self.active.save(),
            "active_forest": self.active_forest.save(),
            "spread": self.spread,
        })
    }

    /// Reads heads back.
    ///
    /// # Errors
    /// What is missing or damaged, in words.
    pub fn load(value: &Value) -> Result<Heads, String> {
        let part = |name: &str| value.get(name).ok_or_else(|| format!("`{name}` is missing"));
        let boosted = |name: &str| Boosted::load(part(name)?).map_err(|e| format!("`{name}`: {e}"));
        let forest = |name: &str| TreesModel::load(part(name)?).map_err(|e| format!("`{name}`: {e}"));
        Ok(Heads {
            tweedie: boosted("boosting")?,
            on_prior: boosted("boosting_on_prior")?,
            given_active: boosted("given_active")?,
            extra_trees: forest("extra_trees")?,
            orders: boosted("orders")?,
            active: boosted("active")?,
            active_forest: forest("active_forest")?,
            spread: part("spread")?.as_f64().ok_or("`spread` is no number")?,
        })
    }
}

/// Where the sums of a log link begin: the log of the prior, which is kept away from zero because a prior that says
/// "nothing at all" could never be corrected.
fn offsets(prior: &[f64]) -> Vec<f64> {
    let mean = prior.iter().sum::<f64>() / prior.len().max(1) as f64;
    let least = (1e-4 * mean).max(1e-9);
    prior.iter().map(|p| p.max(least).ln()).collect()
}

/// The prior times what the trees say.
fn corrected(model: &Boosted, x: &Matrix, prior: &[f64]) -> Vec<f64> {
    model.sums(x).iter().zip(prior).map(|(s, p)| p * s.clamp(-30.0, 30.0).exp()).collect()
}

/// The probabilities of the second class.
fn positive(probabilities: &[f64]) -> impl Iterator<Item = f64> + '_ {
    probabilities.chunks_exact(2).map(|p| p[1])
}

fn boost(
    job: &Job<'_>,
    x: &Matrix,
    binned: &Binned,
    kinds: &[ColumnKind],
    aside: &[bool],
    config: &HeadsConfig,
    cx: &FitContext<'_>,
) -> Result<Boosted, FitError> {
    let learner = GradientBoosting {
        objective: Some(job.objective),
        rounds: config.max_rounds,
        learning_rate: config.learning_rate,
        max_leaves: config.max_leaves,
        min_leaf_rows: config.min_leaf_rows,
        l2: config.l2,
        column_fraction: config.column_fraction,
        row_fraction: config.row_fraction,
        early_stopping: 15,
        max_bins: MAX_BINS,
        ..GradientBoosting::default()
    };
    let cx = FitContext { seed: cx.seed.derive(job.name), progress: cx.progress };
    let fit = |x: &Matrix, binned: &Binned, y: &[f64], offset: Option<&[f64]>, aside: &[bool]| {
        let examples = Examples { x, kinds, y, weight: None, task: job.task };
        let extra = Extra { offset, aside: Some(aside), binned: Some(binned) };
        let stopped = learner.fit_with(&examples, extra, &cx)?;
        // all rows, for as long as was best with three quarters of them
        let learner = GradientBoosting { rounds: stopped.rounds().max(1), early_stopping: 0, ..learner.clone() };
        learner.fit_with(&examples, Extra { aside: None, ..extra }, &cx)
    };
    let Some(rows) = job.rows else { return fit(x, binned, job.y, job.offset, aside) };
    let pick = |v: &[f64]| rows.iter().map(|&i| v[i]).collect::<Vec<f64>>();
    let (x, y, offset) = (x.select_rows(rows), pick(job.y), job.offset.map(pick));
    let aside: Vec<bool> = rows.iter().map(|&i| aside[i]).collect();
    // the bins of these rows are finer than those of all
    let binned = Binned::new(&x, kinds, MAX_BINS, cx.seed);
    fit(&x, &binned, &y, offset.as_deref(), &aside)
}

fn grow(
    name: &'static str,
    y: &[f64],
    task: Task,
    x: &Matrix,
    kinds: &[ColumnKind],
    config: &HeadsConfig,
    cx: &FitContext<'_>,
) -> Result<TreesModel, FitError> {
    let learner = ExtraTrees {
        trees: config.forest_trees as usize,
        min_samples_leaf: config.forest_leaf_rows as usize,
        features: Features::Auto,
        sample_fraction: (f64::from(config.forest_rows) / x.n_rows().max(1) as f64).min(1.0),
        ..ExtraTrees::default()
    };
    let cx = FitContext { seed: cx.seed.derive(name), progress: cx.progress };
    learner.grow(&Examples { x, kinds, y, weight: None, task }, &cx)
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::{Quiet, Seed};
    use rand::RngExt;

    /// Customers whose spend depends on the first column, with half of them silent; the prior knows nothing.
    fn rows(n: usize) -> (ValueRows, Matrix) {
        let mut rng = Seed(3).rng();
        let x: Vec<f64> = (0..n).map(|_| rng.random()).collect();
        let noise: Vec<f64> = (0..n).map(|_| rng.random()).collect();
        let spend: Vec<f64> = x
            .iter()
            .map(|&v| if rng.random::<f64>() < 0.2 + 0.6 * v { 20.0 + 100.0 * v * rng.random::<f64>() } else { 0.0 })
            .collect();
        let labels = Labels { orders: spend.iter().map(|s| f64::from(u8::from(*s > 0.0))).collect(), spend };
        let matrix = Matrix::from_columns(n, &[x, noise]);
        let mut rows = ValueRows::new(vec![ColumnKind::Number; 2]);
        let customers: Vec<u32> = (0..n as u32).collect();
        rows.push(&matrix, &labels, &customers, &vec![0.5; n], &vec![35.0; n]);
        (rows, matrix)
    }

    fn fitted(rows: &ValueRows) -> Heads {
        let config = HeadsConfig { max_rounds: 60, forest_trees: 20, ..HeadsConfig::default() };
        Heads::fit(rows, &config, &FitContext { seed: Seed(1), progress: &Quiet }).expect("enough rows")
    }

    #[test]
    fn every_head_finds_who_is_worth_more_and_about_how_much() {
        let (rows, x) = rows(2_000);
        let heads = fitted(&rows);
        let total: f64 = rows.spend.iter().sum();
        for (k, head) in SpendHead::ALL.iter().enumerate() {
            let said = heads.spend(k, &x, &vec![35.0; 2_000]);
            assert!(said.iter().all(|v| v.is_finite() && *v >= 0.0), "{}", head.name());
            let mean = |keep: fn(f64) -> bool| {
                let of: Vec<f64> = (0..2_000).filter(|&i| keep(x.at(i, 0))).map(|i| said[i]).collect();
                of.iter().sum::<f64>() / of.len() as f64
            };
            assert!(mean(|v| v > 0.8) > 3.0 * mean(|v| v < 0.2), "{}", head.name());
            let bias = said.iter().sum::<f64>() / total;
            assert!((bias - 1.0).abs() < 0.1, "{} forecasts {bias} of the total", head.name());
        }
        let active = heads.active(&x);
        assert!(active.iter().all(|p| (0.0..=1.0).contains(p)));
    }

    #[test]
    fn heads_say_the_same_after_a_trip_through_json() {
        let (rows, x) = rows(600);
        let heads = fitted(&rows);
        let text = heads.save().to_string();
        let back = Heads::load(&serde_json::from_str(&text).expect("JSON")).expect("read");
        let prior = vec![35.0; 600];
        for k in 0..SpendHead::ALL.len() {
            assert_eq!(heads.spend(k, &x, &prior), back.spend(k, &x, &prior));
        }
        assert_eq!(heads.active(&x), back.active(&x));
        assert_eq!(heads.orders(&x, &prior), back.orders(&x, &prior));
    }

    #[test]
    fn quantiles_of_a_spend_are_zero_up_to_the_chance_of_none_and_rise_then() {
        let (rows, _) = rows(600);
        let heads = fitted(&rows);
        let at = |level| heads.spend_quantile(30.0, 0.4, level);
        assert_eq!((at(0.05), at(0.5), at(0.6)), (0.0, 0.0, 0.0));
        assert!(at(0.7) > 0.0 && at(0.9) > at(0.7) && at(0.95) > at(0.9));
    }
}
