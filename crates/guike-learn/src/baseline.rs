//! The forecasts that every model must beat: zero, repeat the last window, historical rate, RFM score.
//!
//! The one idea: each rule gives expected orders, expected spend and a chance of being active; one simple distribution
//! (see [`simple_forecasts`]) then fills medians, quantiles and waiting times, so that baselines are judged by the same
//! yardsticks as everything else.
//!
//! They learn almost nothing on purpose. Only [`RfmScore`] needs an earlier anchor with known outcomes.

use std::collections::BTreeMap;

use guike_core::{
    Artifact, Cases, FitContext, FitError, Fitted, ForecastError, Forecasts, INTERVAL_LEVELS, Inputs, Labels, Learner,
    Model, ModelCard, Quantiles, RfmTable, Target, TrainingSet,
};
use serde::{Deserialize, Serialize};

/// Version of the artifacts.
const FORMAT: u32 = 1;
/// Everything a baseline forecasts.
const TARGETS: &[Target] = &[Target::Orders, Target::Spend, Target::Active];
/// No baseline is ever surer than this that a customer will or will not buy.
const MIN_P: f64 = 1e-6;
const MAX_P: f64 = 1.0 - 1e-15;
/// Pseudo-orders for a customer without an order in the window: she may still come back.
const UNSEEN_ORDERS: f64 = 0.05;

/// Nobody ever buys again. The floor of every comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Zero {}

/// What was bought in the last window is bought again; a window shorter than the horizon is stretched to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RepeatLastWindow {}

/// Lifetime rate (spend and purchase days over age) times the horizon.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoricalRate {
    /// Least age in days: a customer of yesterday has no rate of one order a day. Default 30.
    pub min_age_days: f64,
}

impl Default for HistoricalRate {
    fn default() -> HistoricalRate {
        HistoricalRate { min_age_days: 30.0 }
    }
}

/// Quintile scores of recency, frequency and spend, added; a score is worth what its customers of the newest labelled
/// anchor went on to buy, scaled to the horizon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RfmScore {}

/// A fitted baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    card: ModelCard,
    rule: Rule,
}

/// What a baseline knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rule")]
enum Rule {
    Zero,
    RepeatLastWindow,
    HistoricalRate { min_age_days: f64 },
    RfmScore(ScoreTable),
}

/// The worth of every RFM score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreTable {
    /// Borders between quintile scores at the training cutoff.
    pub quintiles: RfmQuintiles,
    /// Length of the label window behind the values, in days.
    pub window_days: f64,
    /// Mean purchase days that followed, for scores 3 … 15.
    pub orders: Vec<f64>,
    /// Mean spend that followed.
    pub spend: Vec<f64>,
    /// Share that bought at all.
    pub active: Vec<f64>,
}

/// Borders between the quintile scores 1 … 5 of each of the three; a value at or above border k scores at least k + 2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RfmQuintiles {
    /// Of minus the days since the last purchase.
    pub recency: Vec<f64>,
    /// Of purchase days.
    pub frequency: Vec<f64>,
    /// Of total spend.
    pub spend: Vec<f64>,
}

impl RfmQuintiles {
    /// Borders such that a case's score is `ceil(5 · average rank / n)`, as pandas' `rank(pct=True)` would give it.
    pub fn of(rfm: &RfmTable) -> RfmQuintiles {
        RfmQuintiles {
            recency: quintile_borders(&recency(rfm)),
            frequency: quintile_borders(&frequency(rfm)),
            spend: quintile_borders(&rfm.spend_total),
        }
    }

    /// The three scores 1 … 5 of every case: recency, frequency, spend.
    ///
    /// ```
    /// use guike_core::RfmTable;
    /// use guike_learn::baseline::RfmQuintiles;
    /// let rfm = RfmTable {
    ///     customer_idx: vec![0, 1], repeats: vec![0, 9], recency_days: vec![0.0, 90.0], age_days: vec![90.0, 90.0],
    ///     spend_total: vec![5.0, 500.0], ..Default::default()
    /// };
    /// assert_eq!(RfmQuintiles::of(&rfm).scores(&rfm), vec![[3, 3, 3], [5, 5, 5]]);
    /// ```
    pub fn scores(&self, rfm: &RfmTable) -> Vec<[u8; 3]> {
        let (r, f) = (recency(rfm), frequency(rfm));
        let score = |v: f64, borders: &[f64]| 1 + borders.partition_point(|&b| b <= v) as u8;
        (0..rfm.len())
            .map(|i| [score(r[i], &self.recency), score(f[i], &self.frequency), score(rfm.spend_total[i], &self.spend)])
            .collect()
    }
}

fn recency(rfm: &RfmTable) -> Vec<f64> {
    rfm.recency_days.iter().zip(&rfm.age_days).map(|(t, age)| t - age).collect()
}

fn frequency(rfm: &RfmTable) -> Vec<f64> {
    rfm.repeats.iter().map(|&x| f64::from(x) + 1.0).collect()
}

/// The least value that scores 2, 3, 4 and 5; infinite where no value does.
fn quintile_borders(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let mut borders = vec![f64::MAX; 4];
    let mut start = 0;
    while start < n {
        let end = start + sorted[start..].partition_point(|&v| v <= sorted[start]);
        let average_rank = (start + 1 + end) as f64 / 2.0;
        // 0.6 · 5 must not become 4 by a rounding error of the division
        let score = (average_rank * 5.0 / n as f64 - 1e-9).ceil().clamp(1.0, 5.0) as usize;
        for b in borders.iter_mut().take(score - 1) {
            *b = b.min(sorted[start]);
        }
        start = end;
    }
    borders
}

impl ScoreTable {
    fn fit(now: &RfmTable, anchor: &Cases<'_>, labels: &Labels) -> ScoreTable {
        let scores = RfmQuintiles::of(anchor.rfm).scores(anchor.rfm);
        let mut sums = [[0.0f64; 4]; 13];
        for (i, s) in scores.iter().enumerate() {
            let at = s.iter().map(|&x| usize::from(x)).sum::<usize>() - 3;
            let spend = labels.spend[i];
            let add = [1.0, labels.orders[i], spend, f64::from(labels.orders[i] > 0.0)];
            sums[at].iter_mut().zip(add).for_each(|(s, a)| *s += a);
        }
        let column = |k: usize| -> Vec<f64> { fill_gaps(&sums.map(|s| (s[0] > 0.0).then(|| (s[k] / s[0]).max(0.0)))) };
        ScoreTable {
            quintiles: RfmQuintiles::of(now),
            window_days: f64::from(anchor.horizon.days()),
            orders: column(1),
            spend: column(2),
            active: column(3),
        }
    }
}

/// Linear interpolation between known values, the nearest known value beyond the ends; 0 when nothing is known.
fn fill_gaps(values: &[Option<f64>]) -> Vec<f64> {
    let known: Vec<(usize, f64)> = values.iter().enumerate().filter_map(|(i, v)| v.map(|v| (i, v))).collect();
    (0..values.len())
        .map(|i| {
            let next = known.partition_point(|k| k.0 < i);
            match (next.checked_sub(1).map(|p| known[p]), known.get(next)) {
                (_, Some(&(j, v))) if j == i => v,
                (Some((a, u)), Some(&(b, v))) => u + (v - u) * (i - a) as f64 / (b - a) as f64,
                (Some((_, v)), None) | (None, Some(&(_, v))) => v,
                (None, None) => 0.0,
            }
        })
        .collect()
}

impl Rule {
    /// Expected orders, expected spend and chance to be active of every case.
    fn expect(&self, cases: &Cases<'_>) -> [Vec<f64>; 3] {
        let (rfm, h) = (cases.rfm, f64::from(cases.horizon.days()));
        let n = rfm.len();
        match self {
            Rule::Zero => [vec![0.0; n], vec![0.0; n], vec![0.0; n]],
            Rule::RepeatLastWindow => {
                let stretch = h / f64::from(rfm.window_days.min(rfm.history_days).max(1));
                let orders: Vec<f64> = rfm.window_purchase_days.iter().map(|&k| f64::from(k) * stretch).collect();
                let spend = rfm.window_spend.iter().map(|s| s.max(0.0) * stretch).collect();
                // Poisson orders with exponentially spread rates: P(0) = 1 / (1 + mean)
                let active = orders.iter().map(|k| (k + UNSEEN_ORDERS) / (1.0 + k + UNSEEN_ORDERS)).collect();
                [orders, spend, active]
            }
            Rule::HistoricalRate { min_age_days } => {
                let stretch = |i: usize| h / (rfm.age_days[i] + 1.0).max(*min_age_days);
                let orders: Vec<f64> = (0..n).map(|i| (f64::from(rfm.repeats[i]) + 1.0) * stretch(i)).collect();
                let spend = (0..n).map(|i| rfm.spend_total[i].max(0.0) * stretch(i)).collect();
                let active = orders.iter().map(|k| -(-k).exp_m1()).collect();
                [orders, spend, active]
            }
            Rule::RfmScore(t) => {
                let scores = t.quintiles.scores(rfm);
                let at = |i: usize| scores[i].iter().map(|&x| usize::from(x)).sum::<usize>() - 3;
                let stretch = h / t.window_days;
                let pick = |column: &[f64]| -> Vec<f64> { (0..n).map(|i| column[at(i)] * stretch).collect() };
                // a constant chance per day of the first purchase carries the share over to another horizon
                let active = (0..n).map(|i| 1.0 - (1.0 - t.active[at(i)].clamp(0.001, 0.999)).powf(stretch)).collect();
                [pick(&t.orders), pick(&t.spend), active]
            }
        }
    }
}

/// Fills a forecast from expected orders, expected spend and the chance to be active.
///
/// * The next purchase comes at a constant rate per day that makes `p_active` true at the horizon.
/// * Spend is 0 with probability `1 − p_active`; given activity it is log-logistic with mean `spend / p_active` and the
///   squared coefficient of variation `2 / (orders given activity)` of that many independent exponential order values.
///   The log-logistic distribution is chosen because its quantiles are in closed form.
///
/// Probabilities are kept within `1e-6 … 1 − 1e-15`; where both orders and probability are 0 they stay 0.
pub fn simple_forecasts(cases: &Cases<'_>, orders: Vec<f64>, spend: Vec<f64>, active: &[f64]) -> Forecasts {
    let h = f64::from(cases.horizon.days());
    let p_active: Vec<f64> = active
        .iter()
        .zip(&orders)
        .map(|(&p, &k)| if p == 0.0 && k == 0.0 { 0.0 } else { p.clamp(MIN_P, MAX_P) })
        .collect();
    // −ln(1 − p) / h is the rate per day; half of all waits are longer than ln 2 / rate
    let next_order_days = p_active
        .iter()
        .map(|&p| if p > 0.0 { std::f64::consts::LN_2 * h / -(-p).ln_1p() } else { f64::INFINITY })
        .collect();
    let mut values = Vec::with_capacity(spend.len() * INTERVAL_LEVELS.len());
    for ((&m, &p), &k) in spend.iter().zip(&p_active).zip(&orders) {
        if m <= 0.0 || p == 0.0 {
            values.extend([0.0; INTERVAL_LEVELS.len()]);
            continue;
        }
        let b = log_logistic_angle(1.0 + 2.0 / (k / p).max(1.0));
        let scale = m / p * b.sin() / b;
        values.extend(INTERVAL_LEVELS.map(|level| {
            // the level within those who buy
            let u = 1.0 - (1.0 - level) / p;
            if u <= 0.0 { 0.0 } else { scale * (u / (1.0 - u)).powf(b / std::f64::consts::PI) }
        }));
    }
    Forecasts {
        horizon: cases.horizon,
        expected_orders: orders,
        expected_spend: spend,
        p_active,
        next_order_days,
        spend: Quantiles { levels: INTERVAL_LEVELS.to_vec(), values },
    }
}

/// `b = π / β` of a log-logistic distribution whose second moment is `ratio` (> 1) times its squared mean: the root of
/// `tan b / b = ratio` in (0, π/2), which rises there.
///
/// tan b − ratio·b is convex, so Newton's steps from above the root only fall towards it. Both starts lie above it: by
/// tan b > b + b³/3, and by tan b / b > 8/(π² − 4b²) (Becker & Stark 1978).
fn log_logistic_angle(ratio: f64) -> f64 {
    use std::f64::consts::PI;
    let mut b = (3.0 * (ratio - 1.0)).sqrt().min(0.5 * (PI * PI - 8.0 / ratio).sqrt());
    for _ in 0..30 {
        let tan = b.tan();
        let step = (tan - ratio * b) / (1.0 + tan * tan - ratio);
        // what is left is rounding
        if step.is_nan() || step <= 1e-15 * b {
            break;
        }
        b -= step;
    }
    // never exactly 0, where sin b / b is 0 / 0
    b.max(1e-6)
}

impl Model for Baseline {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn forecast(&self, cases: &Cases<'_>) -> Result<Forecasts, ForecastError> {
        let [orders, spend, active] = self.rule.expect(cases);
        Ok(simple_forecasts(cases, orders, spend, &active))
    }

    fn save(&self) -> Artifact {
        let body = serde_json::to_value(self).expect("plain numbers and texts serialise");
        Artifact { card: self.card.clone(), body }
    }
}

impl Baseline {
    /// The baseline of an artifact that [`Model::save`] gave.
    ///
    /// # Errors
    /// [`ForecastError::Artifact`] when it is another model's, of another format, or damaged.
    pub fn load(artifact: &Artifact) -> Result<Baseline, ForecastError> {
        if artifact.card.format != FORMAT {
            return Err(ForecastError::Artifact(format!(
                "format {} of `{}` is not readable by this version, which reads format {FORMAT}",
                artifact.card.format, artifact.card.name
            )));
        }
        let damaged = |why: String| ForecastError::Artifact(format!("`{}` is damaged: {why}", artifact.card.name));
        let model: Baseline = serde_json::from_value(artifact.body.clone()).map_err(|e| damaged(e.to_string()))?;
        let known = match &model.rule {
            Rule::Zero => Zero::NAME,
            Rule::RepeatLastWindow => RepeatLastWindow::NAME,
            Rule::HistoricalRate { .. } => HistoricalRate::NAME,
            Rule::RfmScore(t) => {
                if [&t.orders, &t.spend, &t.active].iter().any(|c| c.len() != 13) {
                    return Err(damaged("a score table has 13 entries".to_owned()));
                }
                RfmScore::NAME
            }
        };
        if model.card.name != known || artifact.card.name != known {
            return Err(damaged(format!("its card says `{}` and its rule is `{known}`", model.card.name)));
        }
        Ok(model)
    }

    fn fitted(
        name: &str,
        rule: Rule,
        train: &TrainingSet<'_>,
        cx: &FitContext<'_>,
        parameters: BTreeMap<String, f64>,
    ) -> Fitted {
        let card = ModelCard {
            name: name.to_owned(),
            format: FORMAT,
            cutoff: train.now.cutoff,
            horizon: train.now.horizon,
            n_customers: train.now.len(),
            seed: cx.seed,
            features: Vec::new(),
            parameters,
            log_likelihood: None,
        };
        Fitted { model: Box::new(Baseline { card, rule }), notes: Vec::new(), said: None }
    }
}

/// The common part of the four learners.
macro_rules! learner {
    ($type:ty, $name:literal, $complexity:literal) => {
        impl $type {
            /// Stable name, used in files and flags.
            pub const NAME: &'static str = $name;
        }

        impl Learner for $type {
            fn name(&self) -> &'static str {
                Self::NAME
            }
            fn needs(&self) -> Inputs {
                Inputs::Rfm
            }
            fn targets(&self) -> &'static [Target] {
                TARGETS
            }
            fn complexity(&self) -> u32 {
                $complexity
            }
            fn fit(&self, train: &TrainingSet<'_>, cx: &FitContext<'_>) -> Result<Fitted, FitError> {
                cx.progress.check()?;
                let (rule, parameters) = self.rule(train)?;
                Ok(Baseline::fitted(Self::NAME, rule, train, cx, parameters))
            }
        }
    };
}

learner!(Zero, "zero", 0);
learner!(RepeatLastWindow, "repeat-last-window", 1);
learner!(HistoricalRate, "historical-rate", 1);
learner!(RfmScore, "rfm-score", 39);

type RuleAndParameters = (Rule, BTreeMap<String, f64>);

impl Zero {
    fn rule(&self, _: &TrainingSet<'_>) -> Result<RuleAndParameters, FitError> {
        Ok((Rule::Zero, BTreeMap::new()))
    }
}

impl RepeatLastWindow {
    fn rule(&self, _: &TrainingSet<'_>) -> Result<RuleAndParameters, FitError> {
        Ok((Rule::RepeatLastWindow, BTreeMap::new()))
    }
}

impl HistoricalRate {
    fn rule(&self, _: &TrainingSet<'_>) -> Result<RuleAndParameters, FitError> {
        let min_age_days = self.min_age_days;
        if !(min_age_days.is_finite() && min_age_days >= 1.0) {
            return Err(FitError::Invalid {
                learner: Self::NAME,
                what: "min_age_days".to_owned(),
                value: min_age_days.to_string(),
                rule: "it must be at least 1 day".to_owned(),
            });
        }
        Ok((Rule::HistoricalRate { min_age_days }, BTreeMap::from([("min_age_days".to_owned(), min_age_days)])))
    }
}

impl RfmScore {
    fn rule(&self, train: &TrainingSet<'_>) -> Result<RuleAndParameters, FitError> {
        let newest = train.anchors.iter().find(|a| !a.cases.is_empty()).ok_or_else(|| FitError::TooLittle {
            learner: Self::NAME,
            needs: "an earlier anchor with customers whose later orders are known".to_owned(),
            found: "is none".to_owned(),
        })?;
        let table = ScoreTable::fit(train.now.rfm, &newest.cases, newest.labels);
        let parameters =
            table.spend.iter().enumerate().map(|(i, &v)| (format!("spend_of_score_{:02}", i + 3), v)).collect();
        Ok((Rule::RfmScore(table), parameters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::{Cutoff, Day, Horizon, Labelled, Quiet, Seed};

    fn rfm() -> RfmTable {
        RfmTable {
            customer_idx: vec![0, 1, 2, 3, 4],
            repeats: vec![0, 3, 10, 1, 0],
            recency_days: vec![0.0, 80.0, 99.0, 10.0, 0.0],
            age_days: vec![99.0, 90.0, 99.0, 60.0, 0.0],
            repeat_spend_mean: vec![0.0, 20.0, 30.0, 5.0, 0.0],
            spend_mean: vec![10.0, 20.0, 30.0, 5.0, 12.0],
            spend_total: vec![10.0, 80.0, 330.0, 10.0, 12.0],
            window_days: 50,
            window_purchase_days: vec![0, 2, 5, 0, 1],
            window_spend: vec![0.0, 40.0, 150.0, 0.0, 12.0],
            history_days: 100,
        }
    }

    fn cases(rfm: &RfmTable, days: u32) -> Cases<'_> {
        let horizon = Horizon::from_days(days).expect("in range");
        Cases { cutoff: Cutoff::after(Day(100)), horizon, rfm, features: None, purchases: None }
    }

    fn fit(learner: &dyn Learner, rfm: &RfmTable, anchors: &[Labelled<'_>]) -> Result<Fitted, FitError> {
        let cx = FitContext { seed: Seed(1), progress: &Quiet };
        learner.fit(&TrainingSet { now: cases(rfm, 50), anchors }, &cx)
    }

    #[test]
    fn the_angle_of_a_log_logistic_distribution_has_its_ratio() {
        for ratio in [1.0 + 1e-9, 1.001, 1.2, 2.0, 3.0] {
            let b = log_logistic_angle(ratio);
            assert!((b.tan() / b - ratio).abs() < 1e-9 * ratio, "{ratio}: {b}");
        }
    }

    #[test]
    fn every_baseline_keeps_every_promise_and_survives_saving() {
        let table = rfm();
        let labels = Labels { orders: vec![0.0, 1.0, 4.0, 0.0, 1.0], spend: vec![0.0, 15.0, 120.0, 0.0, 9.0] };
        let anchors = [Labelled { cases: cases(&table, 25), labels: &labels }];
        let learners: [&dyn Learner; 4] =
            [&Zero {}, &RepeatLastWindow {}, &HistoricalRate::default(), &RfmScore::default()];
        for learner in learners {
            let model = fit(learner, &table, &anchors).expect("fits").model;
            let mut last: Option<Forecasts> = None;
            for days in [1, 30, 50, 400] {
                let c = cases(&table, days);
                let f = model.forecast(&c).expect("forecasts");
                assert_eq!(f.flaw(), None, "{}", learner.name());
                let loaded = Baseline::load(&model.save()).expect("loads");
                assert_eq!(loaded.forecast(&c).expect("forecasts"), f);
                if let Some(shorter) = last {
                    assert!(shorter.expected_spend.iter().zip(&f.expected_spend).all(|(a, b)| a <= b));
                    assert!(shorter.p_active.iter().zip(&f.p_active).all(|(a, b)| a <= b), "{}", learner.name());
                }
                if learner.name() != "zero" {
                    assert!(f.p_active.iter().all(|&p| p > 0.0 && p < 1.0), "{:?}", f.p_active);
                }
                last = Some(f);
            }
            let none = table.take(&[]);
            assert!(model.forecast(&cases(&none, 9)).expect("forecasts").is_empty());
            let some = table.take(&[3, 1]);
            let (all, part) = (model.forecast(&cases(&table, 50)), model.forecast(&cases(&some, 50)));
            let (all, part) = (all.expect("forecasts"), part.expect("forecasts"));
            assert_eq!(part.expected_spend, vec![all.expected_spend[3], all.expected_spend[1]]);
        }
    }

    #[test]
    fn the_last_window_is_repeated_and_stretched() {
        let table = rfm();
        let model = fit(&RepeatLastWindow {}, &table, &[]).expect("fits").model;
        let f = model.forecast(&cases(&table, 100)).expect("forecasts");
        assert_eq!(f.expected_spend, vec![0.0, 80.0, 300.0, 0.0, 24.0]);
        assert_eq!(f.expected_orders, vec![0.0, 4.0, 10.0, 0.0, 2.0]);
    }

    #[test]
    fn the_historical_rate_counts_at_least_thirty_days() {
        let table = rfm();
        let model = fit(&HistoricalRate::default(), &table, &[]).expect("fits").model;
        let f = model.forecast(&cases(&table, 60)).expect("forecasts");
        assert!((f.expected_spend[0] - 6.0).abs() < 1e-12, "10 in 100 days");
        assert!((f.expected_spend[4] - 24.0).abs() < 1e-12, "12 today count as 12 in 30 days");
        let bad = HistoricalRate { min_age_days: 0.0 };
        let e = fit(&bad, &table, &[]).expect_err("out of range").to_string();
        assert_eq!(e, "historical-rate cannot use min_age_days = 0: it must be at least 1 day");
    }

    #[test]
    fn without_an_anchor_there_is_no_rfm_score() {
        let e = fit(&RfmScore::default(), &rfm(), &[]).expect_err("nothing to learn from").to_string();
        assert_eq!(
            e,
            "rfm-score needs an earlier anchor with customers whose later orders are known, and there is none"
        );
    }

    #[test]
    fn quintiles_are_those_of_pandas() {
        // np.ceil(pd.Series([3, 1, 1, 7, 9, 1, 4, 4]).rank(pct=True) * 5)
        let values = [3.0, 1.0, 1.0, 7.0, 9.0, 1.0, 4.0, 4.0];
        let borders = quintile_borders(&values);
        let scores: Vec<usize> = values.iter().map(|v| 1 + borders.partition_point(|b| b <= v)).collect();
        assert_eq!(scores, vec![3, 2, 2, 5, 5, 2, 4, 4]);
    }

    #[test]
    fn the_simple_distribution_has_the_mean_it_was_given() {
        // integrate the quantile function of one case
        let (m, p, k) = (40.0, 0.7, 2.1);
        let b = log_logistic_angle(1.0 + 2.0 / (k / p));
        let scale = m / p * b.sin() / b;
        let steps = 2_000_000;
        let mean: f64 = (0..steps)
            .map(|i| (i as f64 + 0.5) / steps as f64)
            .map(|u| scale * (u / (1.0 - u)).powf(b / std::f64::consts::PI))
            .sum::<f64>()
            / steps as f64
            * p;
        assert!((mean / m - 1.0).abs() < 2e-3, "{mean}");
    }

    #[test]
    fn gaps_between_scores_are_interpolated() {
        assert_eq!(fill_gaps(&[None, Some(1.0), None, Some(3.0), None]), vec![1.0, 1.0, 2.0, 3.0, 3.0]);
        assert_eq!(fill_gaps(&[None, None]), vec![0.0, 0.0]);
    }

    #[test]
    fn a_foreign_or_damaged_artifact_is_refused() {
        let table = rfm();
        let mut a = fit(&Zero {}, &table, &[]).expect("fits").model.save();
        a.card.format = 9;
        assert!(Baseline::load(&a).expect_err("format").to_string().contains("format 9"));
        a.card.format = 1;
        a.body = serde_json::json!({ "card": a.card, "rule": { "rule": "unheard" } });
        assert!(Baseline::load(&a).expect_err("rule").to_string().contains("damaged"));
    }
}
