//! What tiers can be asked for: by which indicators, by which method, how many, how firm.
//!
//! # Why value share is the default
//! Customer value is extremely skewed: a tenth of the customers often brings half of the money, and a few bring more than
//! all the small ones together. Equal-sized tiers would then put customers worth 20 and 2,000 into the same top tier, and
//! clustering on raw money makes one tier of three wholesalers. With value shares a tier answers the question a shop asks:
//! *diamond customers are the few who will bring the first quarter of the money, platinum the second, gold the third;
//! silver the next fifth, bronze the last twentieth.* So each of the upper three carries the same budget, the tiers form a
//! pyramid of themselves, and it adapts to the skew of the shop. So that one wholesaler is not a tier of her own, the best
//! percent of the customers always belongs to the top tier.

use guike_core::{Forecasts, RfmTable, Seed, Table};
use guike_learn::{Covariance, Linkage, Scaling};
use serde::{Deserialize, Serialize};

use crate::names::{TierName, default_names};

/// A number per customer by which tiers can be made; larger is better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Indicator {
    /// Forecast spend within the horizon.
    ExpectedSpend,
    /// Forecast purchase days within the horizon.
    ExpectedOrders,
    /// Chance of any purchase within the horizon.
    PActive,
    /// Recency: minus the days since the last purchase day.
    Recency,
    /// Frequency: purchase days so far.
    Frequency,
    /// Money: spend so far.
    Monetary,
    /// Mean spend per purchase day so far.
    MeanSpend,
    /// A numeric column of the feature table, as it is.
    Feature(String),
    /// A numeric column of the feature table of which less is better.
    FeatureReversed(String),
}

impl Indicator {
    /// Stable name.
    pub fn name(&self) -> &str {
        match self {
            Indicator::ExpectedSpend => "expected_spend",
            Indicator::ExpectedOrders => "expected_orders",
            Indicator::PActive => "p_active",
            Indicator::Recency => "recency",
            Indicator::Frequency => "frequency",
            Indicator::Monetary => "monetary",
            Indicator::MeanSpend => "mean_spend",
            Indicator::Feature(name) | Indicator::FeatureReversed(name) => name,
        }
    }

    /// Whether zero means "worth nothing", so that such customers always are in the lowest tier.
    pub fn zero_is_worthless(&self) -> bool {
        !matches!(self, Indicator::Recency | Indicator::Feature(_) | Indicator::FeatureReversed(_))
    }

    /// The number of every customer; NaN where a feature is missing.
    ///
    /// # Errors
    /// [`PlanError::Indicator`] when the feature does not exist or is not a number.
    pub fn values(&self, people: &Population<'_>) -> Result<Vec<f64>, PlanError> {
        let column = |name: &str| {
            let table = people.features.ok_or_else(|| PlanError::Indicator {
                name: name.to_owned(),
                why: "there is no feature table".to_owned(),
            })?;
            let column = table.column(name).ok_or_else(|| PlanError::Indicator {
                name: name.to_owned(),
                why: format!("the feature table has no such column among its {}", table.columns().len()),
            })?;
            column.as_numeric().map(<[f64]>::to_vec).ok_or_else(|| PlanError::Indicator {
                name: name.to_owned(),
                why: "it holds categories, not numbers".to_owned(),
            })
        };
        let rfm = people.rfm;
        Ok(match self {
            Indicator::ExpectedSpend => people.forecasts.expected_spend.clone(),
            Indicator::ExpectedOrders => people.forecasts.expected_orders.clone(),
            Indicator::PActive => people.forecasts.p_active.clone(),
            Indicator::Recency => rfm.recency_days.iter().zip(&rfm.age_days).map(|(t, age)| t - age).collect(),
            Indicator::Frequency => rfm.repeats.iter().map(|&x| f64::from(x) + 1.0).collect(),
            Indicator::Monetary => rfm.spend_total.clone(),
            Indicator::MeanSpend => rfm.spend_mean.clone(),
            Indicator::Feature(name) => column(name)?,
            Indicator::FeatureReversed(name) => column(name)?.iter().map(|v| -v).collect(),
        })
    }
}

/// How to make tiers. Lists run from the best tier down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Method {
    /// Each tier holds a share of the total indicator value.
    ValueShare {
        /// Share of value per tier, best first, adding to 1; empty for the default pyramid.
        #[serde(default)]
        shares: Vec<f64>,
        /// The best share of customers that always belongs to the top tier.
        #[serde(default = "one_percent")]
        min_top_customers: f64,
    },
    /// Each tier holds a share of the customers.
    Quantiles {
        /// Share of customers per tier, best first, adding to 1; empty for the default pyramid 5, 10, 20, 30, 35 %.
        #[serde(default)]
        shares: Vec<f64>,
    },
    /// Fixed limits, for a business goal.
    Thresholds {
        /// Least value of every tier but the lowest, best first, falling.
        at_least: Vec<f64>,
    },
    /// Natural breaks of the indicator (Jenks, solved exactly), on the scale of the plan's scaling.
    NaturalBreaks,
    /// k-means on all indicators.
    KMeans,
    /// Hierarchical clustering on all indicators.
    Hierarchical {
        /// Distance between clusters.
        #[serde(default)]
        linkage: Linkage,
    },
    /// Clouds of a mixture of Gaussians on all indicators.
    Mixture {
        /// What the clouds may look like. One shape for all by default: with shapes of their own, one indicator does not
        /// order the customers any more, see [`crate::clouds`].
        #[serde(default = "one_shape")]
        covariance: Covariance,
        /// Whether the plan's number of tiers is the most there may be: the number is then the one, from 2, of the lowest
        /// Bayesian information criterion.
        #[serde(default)]
        choose: bool,
    },
}

fn one_percent() -> f64 {
    0.01
}

fn one_shape() -> Covariance {
    Covariance::Tied
}

impl Default for Method {
    fn default() -> Method {
        Method::ValueShare { shares: Vec::new(), min_top_customers: one_percent() }
    }
}

impl Method {
    /// Stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Method::ValueShare { .. } => "value-share",
            Method::Quantiles { .. } => "quantiles",
            Method::Thresholds { .. } => "thresholds",
            Method::NaturalBreaks => "natural-breaks",
            Method::KMeans => "k-means",
            Method::Hierarchical { .. } => "hierarchical",
            Method::Mixture { .. } => "mixture",
        }
    }

    /// The names of all methods.
    pub const NAMES: [&'static str; 7] =
        ["value-share", "quantiles", "thresholds", "natural-breaks", "k-means", "hierarchical", "mixture"];

    /// The method of this name with its defaults; `None` for a name that is none, and for `thresholds`, which have no
    /// default.
    ///
    /// ```
    /// use guike_decide::Method;
    /// assert_eq!(Method::named("k-means"), Some(Method::KMeans));
    /// assert!(Method::NAMES.iter().all(|n| *n == "thresholds" || Method::named(n).is_some_and(|m| m.name() == *n)));
    /// ```
    pub fn named(name: &str) -> Option<Method> {
        Some(match name {
            "value-share" => Method::default(),
            "quantiles" => Method::Quantiles { shares: Vec::new() },
            "natural-breaks" => Method::NaturalBreaks,
            "k-means" => Method::KMeans,
            "hierarchical" => Method::Hierarchical { linkage: Linkage::default() },
            "mixture" => Method::Mixture { covariance: one_shape(), choose: false },
            _ => return None,
        })
    }

    /// Whether it works on several indicators at once.
    pub fn clusters(&self) -> bool {
        matches!(self, Method::KMeans | Method::Hierarchical { .. } | Method::Mixture { .. })
    }
}

/// A request for tiers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TierPlan {
    /// Number of tiers, 2 … 10; the most there may be for a mixture that chooses.
    pub tiers: usize,
    /// Names, best first; empty for the default names.
    pub names: Vec<TierName>,
    /// What tiers are made by. The first orders the tiers; only clustering reads more than one.
    pub indicators: Vec<Indicator>,
    /// How they are made.
    pub method: Method,
    /// How clustering and natural breaks bring indicators to scale.
    pub scaling: Scaling,
    /// A customer leaves her tier of the previous run only when she passes the border by this share of it (for clusters:
    /// when the new centre is nearer by this share; for clouds: when she would be there even with indicators that are this
    /// share nearer to her old cloud). A tenth is about what noise in forecasts moves customers by from one
    /// month to the next; 0 switches it off.
    pub margin: f64,
    /// Number of resamples for the stability; 0 switches it off.
    pub stability_draws: u32,
    /// Source of randomness.
    pub seed: Seed,
}

impl Default for TierPlan {
    fn default() -> TierPlan {
        TierPlan {
            tiers: 5,
            names: Vec::new(),
            indicators: vec![Indicator::ExpectedSpend],
            method: Method::default(),
            scaling: Scaling::Log1p,
            margin: 0.1,
            stability_draws: 20,
            seed: Seed(1),
        }
    }
}

/// The customers to be tiered, everything in one order.
#[derive(Debug, Clone, Copy)]
pub struct Population<'a> {
    /// What is forecast.
    pub forecasts: &'a Forecasts,
    /// What they did.
    pub rfm: &'a RfmTable,
    /// What else is known, where there is any.
    pub features: Option<&'a Table>,
    /// By whom to describe what sets tiers apart; `None` for all of them, by `features`.
    pub portrait: Option<Portrait<'a>>,
}

/// Some of the customers with all that is known of them: enough of many to tell what sets tiers apart.
#[derive(Debug, Clone, Copy)]
pub struct Portrait<'a> {
    /// Which customers of the population.
    pub rows: &'a [usize],
    /// What is known of these, in this order.
    pub features: &'a Table,
}

impl Population<'_> {
    /// Number of customers.
    pub fn len(&self) -> usize {
        self.forecasts.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.forecasts.is_empty()
    }
}

/// Why a plan cannot be carried out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// Too few or too many tiers.
    #[error("{0} tiers are not possible; ask for 2 to 10")]
    Tiers(usize),
    /// Another number of names than tiers, or the same key twice.
    #[error("{names} distinct tier names do not fit {tiers} tiers; give one for each or none")]
    Names {
        /// Distinct names given.
        names: usize,
        /// Tiers asked for.
        tiers: usize,
    },
    /// Shares that do not make a whole.
    #[error("tier shares {shares:?} must be {tiers} positive numbers that add to 1")]
    Shares {
        /// As given.
        shares: Vec<f64>,
        /// Tiers asked for.
        tiers: usize,
    },
    /// Limits that do not fall.
    #[error("tier limits {limits:?} must be {expected} falling numbers, the best tier's first")]
    Limits {
        /// As given.
        limits: Vec<f64>,
        /// How many there should be.
        expected: usize,
    },
    /// An indicator that is not there.
    #[error("tiers cannot be made by `{name}`: {why}")]
    Indicator {
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// Clouds that do not order customers by one indicator.
    #[error(
        "a mixture on one indicator needs `covariance = \"tied\"`: with shapes of their own a wide cloud lies on both sides of \
         a narrow one, and the least valuable customers would share a tier with the most valuable"
    )]
    Shapes,
    /// Names for a number of tiers that is not known yet.
    #[error("tier names cannot be given where the number of tiers is found; leave out `names`, or `choose`")]
    NamesOfChosen,
    /// A number outside its range.
    #[error("`{what}` is {value} and must be {rule}")]
    Range {
        /// Which.
        what: &'static str,
        /// Its value.
        value: f64,
        /// Its range.
        rule: &'static str,
    },
    /// Tiers of a previous run that do not belong to these customers.
    #[error("{previous} previous tiers do not fit {customers} customers; give one (or none) for each")]
    Previous {
        /// Given.
        previous: usize,
        /// Customers.
        customers: usize,
    },
}

impl TierPlan {
    /// How many tiers there may be.
    pub const TIERS: std::ops::RangeInclusive<usize> = 2..=10;

    /// Checks everything that does not depend on the customers.
    ///
    /// # Errors
    /// [`PlanError`] naming the first thing that is wrong.
    ///
    /// ```
    /// use guike_decide::TierPlan;
    /// assert!(TierPlan::default().validate().is_ok());
    /// let e = TierPlan { tiers: 1, ..Default::default() }.validate().unwrap_err();
    /// assert_eq!(e.to_string(), "1 tiers are not possible; ask for 2 to 10");
    /// ```
    pub fn validate(&self) -> Result<(), PlanError> {
        let k = self.tiers;
        if !TierPlan::TIERS.contains(&k) {
            return Err(PlanError::Tiers(k));
        }
        let mut keys: Vec<&str> = self.names.iter().map(|n| n.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        if !self.names.is_empty() && (keys.len() != k || self.names.len() != k) {
            return Err(PlanError::Names { names: keys.len(), tiers: k });
        }
        if self.indicators.is_empty() || (self.indicators.len() > 1 && !self.method.clusters()) {
            return Err(PlanError::Range {
                what: "number of indicators",
                value: self.indicators.len() as f64,
                rule: "exactly one (at least one for k-means, hierarchical and mixture)",
            });
        }
        if !(0.0..1.0).contains(&self.margin) {
            return Err(PlanError::Range { what: "margin", value: self.margin, rule: "at least 0 and below 1" });
        }
        match &self.method {
            Method::ValueShare { shares, min_top_customers } => {
                if !(0.0..=0.5).contains(min_top_customers) {
                    let what = "min_top_customers";
                    return Err(PlanError::Range { what, value: *min_top_customers, rule: "within 0 and 0.5" });
                }
                check_shares(shares, k)
            }
            Method::Quantiles { shares } => check_shares(shares, k),
            Method::Thresholds { at_least } => {
                let falling = at_least.windows(2).all(|w| w[0] > w[1]) && at_least.iter().all(|v| v.is_finite());
                if at_least.len() == k - 1 && falling {
                    Ok(())
                } else {
                    Err(PlanError::Limits { limits: at_least.clone(), expected: k - 1 })
                }
            }
            Method::Mixture { covariance, .. } if *covariance != Covariance::Tied && self.indicators.len() == 1 => {
                Err(PlanError::Shapes)
            }
            Method::Mixture { choose: true, .. } if !self.names.is_empty() => Err(PlanError::NamesOfChosen),
            Method::NaturalBreaks | Method::KMeans | Method::Hierarchical { .. } | Method::Mixture { .. } => Ok(()),
        }
    }

    /// The names in use, best first.
    pub fn tier_names(&self) -> Vec<TierName> {
        if self.names.is_empty() { default_names(self.tiers) } else { self.names.clone() }
    }
}

fn check_shares(shares: &[f64], tiers: usize) -> Result<(), PlanError> {
    let whole = (shares.iter().sum::<f64>() - 1.0).abs() < 1e-6;
    if shares.is_empty() || (shares.len() == tiers && whole && shares.iter().all(|&s| s > 0.0)) {
        Ok(())
    } else {
        Err(PlanError::Shares { shares: shares.to_vec(), tiers })
    }
}

/// Default shares of value, best first: the last tier a twentieth, the one before a fifth, the others equal parts of the
/// rest; 80 : 20 for two tiers.
pub fn default_value_shares(tiers: usize) -> Vec<f64> {
    match tiers {
        2 => vec![0.8, 0.2],
        3 => vec![0.5, 0.4, 0.1],
        k => {
            let mut shares = vec![0.75 / (k - 2) as f64; k - 2];
            shares.extend([0.2, 0.05]);
            shares
        }
    }
}

/// Default shares of customers, best first: a pyramid, 5, 10, 20, 30 and 35 % for five tiers.
pub fn default_customer_shares(tiers: usize) -> Vec<f64> {
    match tiers {
        2 => vec![0.2, 0.8],
        3 => vec![0.1, 0.3, 0.6],
        4 => vec![0.05, 0.15, 0.3, 0.5],
        5 => vec![0.05, 0.10, 0.20, 0.30, 0.35],
        k => {
            // each tier 1.5 times the one above
            let total: f64 = (0..k).map(|i| 1.5f64.powi(i as i32)).sum();
            (0..k).map(|i| 1.5f64.powi(i as i32) / total).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_shares_are_whole() {
        for k in 2..=10 {
            for shares in [default_value_shares(k), default_customer_shares(k)] {
                assert!(check_shares(&shares, k).is_ok(), "{k} {shares:?}");
            }
        }
    }

    #[test]
    fn a_wrong_plan_is_refused_in_words() {
        let plan = |method| TierPlan { tiers: 3, method, ..Default::default() };
        for (p, words) in [
            (plan(Method::Quantiles { shares: vec![0.5, 0.6, 0.1] }), "must be 3 positive numbers that add to 1"),
            (plan(Method::Thresholds { at_least: vec![10.0, 20.0] }), "must be 2 falling numbers"),
            (plan(Method::Thresholds { at_least: vec![10.0] }), "must be 2 falling numbers"),
            (TierPlan { margin: 1.0, ..Default::default() }, "`margin` is 1 and must be at least 0 and below 1"),
            (TierPlan { indicators: vec![], ..Default::default() }, "`number of indicators` is 0"),
            (
                TierPlan { indicators: vec![Indicator::Recency, Indicator::Frequency], ..Default::default() },
                "exactly one",
            ),
            (
                plan(Method::Mixture { covariance: Covariance::Full, choose: false }),
                "a mixture on one indicator needs `covariance = \"tied\"`",
            ),
            (
                TierPlan {
                    names: default_names(3),
                    ..plan(Method::Mixture { covariance: Covariance::Tied, choose: true })
                },
                "tier names cannot be given where the number of tiers is found",
            ),
            (TierPlan { names: default_names(4), ..Default::default() }, "4 distinct tier names do not fit 5 tiers"),
        ] {
            let e = p.validate().expect_err(words).to_string();
            assert!(e.contains(words), "{e}");
        }
    }

    #[test]
    fn a_plan_survives_json_and_needs_no_field() {
        let plan = TierPlan { method: Method::Hierarchical { linkage: Linkage::Average }, ..Default::default() };
        let text = serde_json::to_string(&plan).expect("serialises");
        assert_eq!(serde_json::from_str::<TierPlan>(&text).expect("reads back"), plan);
        assert_eq!(serde_json::from_str::<TierPlan>("{}").expect("all defaults"), TierPlan::default());
        let short: TierPlan = serde_json::from_str(r#"{"method":{"name":"quantiles"}}"#).expect("shares default");
        assert_eq!(short.method, Method::Quantiles { shares: vec![] });
        let short: TierPlan = serde_json::from_str(r#"{"method":{"name":"mixture"}}"#).expect("one shape by default");
        assert_eq!(Some(short.method), Method::named("mixture"));
    }
}
