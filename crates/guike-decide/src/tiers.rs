//! From a plan and customers to tiers.
//!
//! The one idea: fit a rule on the customers, place every customer by the rule, let those near a border stay where they
//! were, then say what came out: borders, worth of each tier, how clear and how stable the tiers are.

use guike_core::Seed;
use guike_learn::{Points, Scaler, Scaling, silhouette};
use serde::{Deserialize, Serialize};

use crate::analysis::{TierAnalysis, analyse};
use crate::borders::Borders;
use crate::clouds::{self, Clouds};
use crate::clusters::{Centers, Clustering};
use crate::names::TierName;
use crate::rules::{Method, PlanError, Population, TierPlan};
use crate::stability::{Stability, stability};

/// What decides the tier of one customer; can be stored and applied to new customers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TierRule {
    /// Borders on one indicator.
    Borders(Borders),
    /// The nearest of some centres.
    Centers(Centers),
    /// The most probable of some clouds.
    Clouds(Clouds),
}

impl TierRule {
    /// The tier (0 the best) of a customer with these indicators, in the plan's order.
    pub fn tier(&self, indicators: &[f64]) -> usize {
        match self {
            TierRule::Borders(b) => b.tier(indicators[0]),
            TierRule::Centers(c) => c.tier(indicators),
            TierRule::Clouds(c) => c.tier(indicators),
        }
    }

    /// The tier of a customer who was in `previous`: near a border she stays.
    pub fn tier_after(&self, indicators: &[f64], previous: usize, margin: f64) -> usize {
        match self {
            TierRule::Borders(b) => b.tier_after(indicators[0], previous, margin),
            TierRule::Centers(c) => c.tier_after(indicators, previous, margin),
            TierRule::Clouds(c) => c.tier_after(indicators, previous, margin),
        }
    }
}

/// Indicators of many customers, row by row.
pub(crate) struct Matrix {
    pub(crate) values: Vec<f64>,
    pub(crate) width: usize,
}

impl Matrix {
    pub(crate) fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.width..(i + 1) * self.width]
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.width
    }
}

/// Tiers of all customers and what there is to say about them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tiering {
    /// The plan that made them, with the number of tiers there are.
    pub plan: TierPlan,
    /// Names, best first.
    pub names: Vec<TierName>,
    /// Tier of every customer, 0 the best, in the order of the cases.
    pub tiers: Vec<u8>,
    /// The rule, for new customers.
    pub rule: TierRule,
    /// Each tier's worth, best first.
    pub analysis: Vec<TierAnalysis>,
    /// Mean silhouette of the tiers on the scaled indicators: how clearly they are apart. Tiers cut a continuum, so
    /// values around 0.4 to 0.6 are usual; `None` when all customers share a tier.
    pub silhouette: Option<f64>,
    /// How firm the tiers are; `None` when switched off, with fixed thresholds (which never move), or without customers.
    pub stability: Option<Stability>,
    /// Customers who stay in their previous tier although the rule alone would have moved them.
    pub held_by_margin: usize,
    /// Remarks for the report.
    pub notes: Vec<String>,
}

impl TierPlan {
    /// Tiers of the customers; `previous[i]` is the tier of customer i in the previous run, where she had one.
    ///
    /// # Errors
    /// [`PlanError`] when the plan is not possible for these customers.
    ///
    /// # Example
    /// ```
    /// use guike_core::{Forecasts, Horizon, Quantiles, RfmTable};
    /// use guike_decide::{Population, TierPlan};
    /// let n = 1000;
    /// let spend: Vec<f64> = (1..=n).map(|i| 5000.0 / i as f64).collect();
    /// let forecasts = Forecasts {
    ///     horizon: Horizon::from_days(90).unwrap(), expected_orders: vec![1.0; n], expected_spend: spend,
    ///     p_active: vec![0.5; n], next_order_days: vec![40.0; n], spend: Quantiles::default(),
    /// };
    /// let zeros = vec![0.0; n];
    /// let rfm = RfmTable {
    ///     customer_idx: (0..n as u32).collect(), repeats: vec![0; n], recency_days: zeros.clone(),
    ///     age_days: vec![9.0; n], repeat_spend_mean: zeros.clone(), spend_mean: vec![1.0; n],
    ///     spend_total: vec![1.0; n], window_purchase_days: vec![0; n], window_spend: zeros, ..Default::default()
    /// };
    /// let people = Population { forecasts: &forecasts, rfm: &rfm, features: None, portrait: None };
    /// let tiering = TierPlan::default().assign(&people, None).unwrap();
    /// assert_eq!(tiering.names[tiering.tiers[0] as usize].zh, "钻石");
    /// assert!(tiering.analysis[0].share_customers < 0.02 && tiering.analysis[0].share_value > 0.24);
    /// assert!(TierPlan { tiers: 11, ..Default::default() }.assign(&people, None).is_err());
    /// ```
    pub fn assign(&self, people: &Population<'_>, previous: Option<&[Option<u8>]>) -> Result<Tiering, PlanError> {
        let (plan, matrix, notes) = self.settled(people, previous.map(<[_]>::len))?;
        Ok(plan.place(people, &matrix, previous, notes))
    }

    /// As [`TierPlan::assign`], with the previous tiers by their keys; a key that is none of this plan's says nothing.
    ///
    /// # Errors
    /// [`PlanError`] when the plan is not possible for these customers.
    pub fn assign_after(&self, people: &Population<'_>, previous: &[Option<&str>]) -> Result<Tiering, PlanError> {
        let (plan, matrix, notes) = self.settled(people, Some(previous.len()))?;
        let names = plan.tier_names();
        let number = |key: &str| names.iter().position(|n| n.key == key).map(|i| i as u8);
        let previous: Vec<Option<u8>> = previous.iter().map(|key| key.and_then(number)).collect();
        Ok(plan.place(people, &matrix, Some(&previous), notes))
    }

    /// The plan with its number of tiers found, the indicators, and what there is to say about the number.
    fn settled(
        &self,
        people: &Population<'_>,
        n_previous: Option<usize>,
    ) -> Result<(TierPlan, Matrix, Vec<String>), PlanError> {
        self.validate()?;
        if let Some(previous) = n_previous.filter(|&n| n != people.len()) {
            return Err(PlanError::Previous { previous, customers: people.len() });
        }
        let matrix = self.matrix(people)?;
        let Method::Mixture { covariance, choose: true } = self.method else {
            return Ok((self.clone(), matrix, Vec::new()));
        };
        let chosen = clouds::choose(&matrix.values, matrix.width, self.tiers, covariance, self.scaling, self.seed);
        let mut notes = Vec::new();
        if !chosen.tried.is_empty() {
            let tried: Vec<String> = chosen.tried.iter().skip(1).map(|(k, bic)| format!("{k}: {bic:.1}")).collect();
            notes.push(format!(
                "the number of tiers is the one of lowest Bayesian information criterion ({})",
                tried.join(", ")
            ));
        }
        if chosen.tried.iter().all(|t| t.1 >= chosen.tried[0].1) && !chosen.tried.is_empty() {
            notes.push("one cloud describes these customers best: the tiers cut a continuum".to_owned());
        }
        Ok((TierPlan { tiers: chosen.k, ..self.clone() }, matrix, notes))
    }

    fn place(
        &self,
        people: &Population<'_>,
        matrix: &Matrix,
        previous: Option<&[Option<u8>]>,
        mut notes: Vec<String>,
    ) -> Tiering {
        let rule = self.fit(matrix, self.seed);
        let fresh: Vec<u8> = (0..matrix.len()).map(|i| rule.tier(matrix.row(i)) as u8).collect();
        let tiers: Vec<u8> = match previous {
            None => fresh.clone(),
            Some(previous) => (0..matrix.len())
                .map(|i| match previous[i] {
                    Some(p) if usize::from(p) < self.tiers => {
                        rule.tier_after(matrix.row(i), usize::from(p), self.margin) as u8
                    }
                    _ => fresh[i],
                })
                .collect(),
        };
        let held_by_margin = fresh.iter().zip(&tiers).filter(|(a, b)| a != b).count();
        let names = self.tier_names();
        notes.extend(self.notes(&rule, &tiers, &names));
        Tiering {
            analysis: analyse(people, &tiers, &names),
            silhouette: self.silhouette(matrix, &tiers),
            stability: stability(self, matrix, &fresh),
            notes,
            plan: self.clone(),
            names,
            tiers,
            rule,
            held_by_margin,
        }
    }

    pub(crate) fn matrix(&self, people: &Population<'_>) -> Result<Matrix, PlanError> {
        let columns = self.indicators.iter().map(|i| i.values(people)).collect::<Result<Vec<_>, _>>()?;
        for (column, indicator) in columns.iter().zip(&self.indicators) {
            if column.len() != people.len() {
                return Err(PlanError::Indicator {
                    name: indicator.name().to_owned(),
                    why: format!("it has {} values for {} customers", column.len(), people.len()),
                });
            }
        }
        let values = (0..people.len()).flat_map(|i| columns.iter().map(move |c| c[i])).collect();
        Ok(Matrix { values, width: columns.len() })
    }

    /// The rule that these customers give.
    pub(crate) fn fit(&self, matrix: &Matrix, seed: Seed) -> TierRule {
        let how = match &self.method {
            Method::KMeans => Clustering::KMeans,
            Method::Hierarchical { linkage } => Clustering::Hierarchical(*linkage),
            Method::Mixture { covariance, .. } => {
                let (values, width) = (&matrix.values, matrix.width);
                return TierRule::Clouds(Clouds::fit(values, width, self.tiers, *covariance, self.scaling, seed));
            }
            by_borders => {
                let worthless = self.indicators[0].zero_is_worthless();
                return TierRule::Borders(Borders::fit(
                    &matrix.values,
                    self.tiers,
                    by_borders,
                    self.scaling,
                    worthless,
                ));
            }
        };
        TierRule::Centers(Centers::fit(&matrix.values, matrix.width, self.tiers, how, self.scaling, seed))
    }

    fn silhouette(&self, matrix: &Matrix, tiers: &[u8]) -> Option<f64> {
        let points = Points::new(&matrix.values, matrix.width);
        // borders on raw money are judged on the log scale, on which a tier is a range of orders of magnitude
        let scaling = if self.method.clusters() { self.scaling } else { Scaling::Log1p };
        let scaled = Scaler::fit(points, scaling).apply(points);
        let labels: Vec<u32> = tiers.iter().map(|&t| u32::from(t)).collect();
        silhouette(Points::new(&scaled, matrix.width), &labels, self.seed)
    }

    fn notes(&self, rule: &TierRule, tiers: &[u8], names: &[TierName]) -> Vec<String> {
        let mut notes = Vec::new();
        if let TierRule::Clouds(Clouds { sampled: Some(n), .. }) = rule {
            notes.push(format!("the mixture chose its start on a sample of {n} customers and was finished on all"));
        }
        if let TierRule::Centers(c) = rule {
            if let Some(k) = c.on_centroids {
                notes.push(format!(
                    "with {} customers the tree was built on {k} k-means centroids, not on every customer",
                    tiers.len()
                ));
            }
            if let Some(n) = c.sampled {
                notes.push(format!("k-means chose its start on a sample of {n} customers and was finished on all"));
            }
        }
        let empty: Vec<&str> = names
            .iter()
            .enumerate()
            .filter(|(t, _)| !tiers.is_empty() && !tiers.iter().any(|&x| usize::from(x) == *t))
            .map(|(_, n)| n.key.as_str())
            .collect();
        if !empty.is_empty() {
            notes.push(format!("nobody is in {}: too few customers or too many equal values", empty.join(", ")));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Indicator;
    use guike_core::{Column, Forecasts, Horizon, Quantiles, RfmTable, Table};
    use guike_learn::Covariance;
    use rand::RngExt;

    struct Shop {
        forecasts: Forecasts,
        rfm: RfmTable,
        features: Table,
    }

    impl Shop {
        /// Spend is log-normal-like: a few customers bring most of it.
        fn new(n: usize, seed: u64) -> Shop {
            let mut rng = Seed(seed).rng();
            let spend: Vec<f64> = (0..n)
                .map(|_| (rng.random::<f64>() + rng.random::<f64>() + rng.random::<f64>()).powi(6) / 10.0)
                .collect();
            let p: Vec<f64> = spend.iter().map(|s| (s / (s + 2.0)).clamp(0.01, 0.99)).collect();
            let forecasts = Forecasts {
                horizon: Horizon::from_days(90).expect("in range"),
                expected_orders: p.iter().map(|p| p * 2.0).collect(),
                expected_spend: spend.clone(),
                p_active: p,
                next_order_days: vec![50.0; n],
                spend: Quantiles::default(),
            };
            let rfm = RfmTable {
                customer_idx: (0..n as u32).collect(),
                repeats: spend.iter().map(|s| s.sqrt() as u32).collect(),
                recency_days: vec![10.0; n],
                age_days: spend.iter().map(|s| 10.0 + 100.0 / (1.0 + s)).collect(),
                repeat_spend_mean: vec![0.0; n],
                spend_mean: spend.clone(),
                spend_total: spend.clone(),
                window_days: 90,
                window_purchase_days: vec![0; n],
                window_spend: vec![0.0; n],
                history_days: 300,
            };
            let features = Table::new(vec![
                Column::numeric("loyalty", spend.iter().map(|s| s.ln()).collect()),
                Column::numeric("noise", (0..n).map(|i| ((i * 7919) % 101) as f64).collect()),
            ])
            .expect("a table");
            Shop { forecasts, rfm, features }
        }

        fn people(&self) -> Population<'_> {
            Population { forecasts: &self.forecasts, rfm: &self.rfm, features: Some(&self.features), portrait: None }
        }
    }

    fn every_method() -> Vec<TierPlan> {
        let by = |method| TierPlan { method, ..Default::default() };
        let rfm = vec![Indicator::ExpectedSpend, Indicator::Recency, Indicator::Frequency];
        vec![
            TierPlan::default(),
            by(Method::Quantiles { shares: vec![] }),
            by(Method::Thresholds { at_least: vec![30.0, 10.0, 3.0, 1.0] }),
            by(Method::NaturalBreaks),
            TierPlan { indicators: rfm.clone(), ..by(Method::KMeans) },
            TierPlan { indicators: rfm.clone(), ..by(Method::Hierarchical { linkage: Default::default() }) },
            TierPlan { indicators: rfm, ..by(Method::Mixture { covariance: Covariance::Tied, choose: false }) },
            by(Method::Mixture { covariance: Covariance::Tied, choose: false }),
            TierPlan {
                indicators: vec![Indicator::Feature("loyalty".into())],
                ..by(Method::Quantiles { shares: vec![] })
            },
        ]
    }

    #[test]
    fn better_tiers_are_worth_more_by_every_method() {
        let shop = Shop::new(1500, 1);
        for plan in every_method() {
            let t = plan.assign(&shop.people(), None).expect("possible");
            assert_eq!(t.tiers.len(), 1500);
            assert_eq!(t.analysis.iter().map(|a| a.n).sum::<usize>(), 1500);
            let means: Vec<f64> = t.analysis.iter().filter_map(|a| a.value_mean).collect();
            assert_eq!(means.len(), 5, "{}", plan.method.name());
            assert!(means.windows(2).all(|w| w[0] > w[1]), "{}: {means:?}", plan.method.name());
            assert!(t.silhouette.expect("five tiers") > 0.2, "{} {:?}", plan.method.name(), t.silhouette);
            if let Some(s) = &t.stability {
                // resampled clusters may swap ranks, borders may not
                let firm = s.agreement > 0.8 || (plan.method.clusters() && s.agreement > 0.4);
                assert!(firm && s.adjusted_rand > 0.4, "{} {s:?}", plan.method.name());
            }
            let json = serde_json::to_string(&t).expect("serialises");
            assert_eq!(serde_json::from_str::<Tiering>(&json).expect("reads back"), t);
        }
    }

    #[test]
    fn the_rule_places_known_customers_where_they_are() {
        let shop = Shop::new(400, 2);
        for plan in every_method() {
            let t = plan.assign(&shop.people(), None).expect("possible");
            let matrix = plan.matrix(&shop.people()).expect("indicators exist");
            for i in 0..400 {
                assert_eq!(t.rule.tier(matrix.row(i)), usize::from(t.tiers[i]));
            }
        }
    }

    #[test]
    fn nobody_moves_when_nothing_changes_and_few_when_little_does() {
        let before = Shop::new(2000, 3);
        let mut after = Shop::new(2000, 3);
        let mut rng = Seed(9).rng();
        after.forecasts.expected_spend.iter_mut().for_each(|v| *v *= 1.0 + 0.1 * (rng.random::<f64>() - 0.5));
        for plan in every_method() {
            let first = plan.assign(&before.people(), None).expect("possible");
            let previous: Vec<Option<u8>> = first.tiers.iter().map(|&t| Some(t)).collect();
            let again = plan.assign(&before.people(), Some(&previous)).expect("possible");
            assert_eq!((again.tiers, again.held_by_margin), (first.tiers.clone(), 0));
            let moved = |plan: &TierPlan| {
                let next = plan.assign(&after.people(), Some(&previous)).expect("possible");
                next.tiers.iter().zip(&first.tiers).filter(|(a, b)| a != b).count()
            };
            let (firm, loose) = (moved(&plan), moved(&TierPlan { margin: 0.0, ..plan.clone() }));
            // these customers fall into no clouds: which a mixture finds is noise, and no margin helps against that
            let cut = if matches!(plan.method, Method::Mixture { .. }) { 1 } else { 4 };
            assert!(firm * cut <= loose, "{}: {firm} of {loose} moves are left", plan.method.name());
        }
    }

    #[test]
    fn new_customers_and_changed_tier_counts_are_placed_afresh() {
        let shop = Shop::new(50, 4);
        let plan = TierPlan::default();
        let fresh = plan.assign(&shop.people(), None).expect("possible");
        let strange: Vec<Option<u8>> = (0..50).map(|i| if i % 2 == 0 { None } else { Some(9) }).collect();
        assert_eq!(plan.assign(&shop.people(), Some(&strange)).expect("possible").tiers, fresh.tiers);
        let e = plan.assign(&shop.people(), Some(&strange[1..])).expect_err("lengths differ");
        assert_eq!(e.to_string(), "49 previous tiers do not fit 50 customers; give one (or none) for each");
    }

    #[test]
    fn a_mixture_finds_how_many_tiers_there_are_and_names_them() {
        let mut shop = Shop::new(1200, 8);
        // three kinds of customers, with some noise within each
        let spend = &mut shop.forecasts.expected_spend;
        spend
            .iter_mut()
            .enumerate()
            .for_each(|(i, v)| *v = [5.0, 80.0, 900.0][i % 3] * (1.0 + v.ln_1p().fract() / 4.0));
        let plan = TierPlan {
            tiers: 10,
            method: Method::Mixture { covariance: Covariance::Tied, choose: true },
            ..Default::default()
        };
        let t = plan.assign(&shop.people(), None).expect("possible");
        assert_eq!((t.plan.tiers, t.names.len(), t.analysis.len()), (3, 3, 3), "{:?}", t.notes);
        assert!((0..1200).all(|i| usize::from(t.tiers[i]) == 2 - i % 3));
        assert!(t.notes[0].contains("lowest Bayesian information criterion (2: "), "{:?}", t.notes);
        let keys: Vec<Option<&str>> = t.tiers.iter().map(|&i| Some(t.names[usize::from(i)].key.as_str())).collect();
        let again = plan.assign_after(&shop.people(), &keys).expect("possible");
        assert_eq!((again.held_by_margin, &again.tiers), (0, &t.tiers));
        let e = plan.assign_after(&shop.people(), &keys[1..]).expect_err("lengths differ");
        assert_eq!(e.to_string(), "1199 previous tiers do not fit 1200 customers; give one (or none) for each");
    }

    #[test]
    fn unknown_indicators_are_named() {
        let shop = Shop::new(5, 5);
        let plan = TierPlan { indicators: vec![Indicator::Feature("age".into())], ..Default::default() };
        let e = plan.assign(&shop.people(), None).expect_err("no such feature").to_string();
        assert_eq!(e, "tiers cannot be made by `age`: the feature table has no such column among its 2");
    }

    #[test]
    fn tiny_shops_get_tiers_and_an_honest_note() {
        for n in [0, 1, 2, 3] {
            let shop = Shop::new(n, 6);
            for plan in every_method() {
                let t = plan.assign(&shop.people(), None).expect("possible");
                assert_eq!(t.tiers.len(), n);
                assert_eq!(n > 0, t.notes.iter().any(|x| x.contains("nobody is in")), "{}", plan.method.name());
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_tiers() {
        let shop = Shop::new(700, 7);
        for plan in every_method() {
            assert_eq!(plan.assign(&shop.people(), None), plan.assign(&shop.people(), None));
        }
    }
}
