//! How much a metric, or the difference of two forecasts, would change with other customers of the same kind.
//!
//! The one idea: drawing n customers with replacement gives every customer a multiplicity, and every metric here is one
//! pass over an order that was sorted once. No draw sorts anything, so hundreds of draws cost what a few plain evaluations
//! cost. Draw `k` takes its randomness from `seed.at(k)`: results are the same bits at any number of threads.
//!
//! Customers are the unit: where one customer appears at several anchors, she is drawn into all of them together.

use guike_core::Seed;
use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::distribution::percentile;
use crate::metrics::{MIN_IDEAL_GINI, deviance_term};
use crate::order::{argsort, argsort_descending, group_ends, split_sizes};
use crate::scores::{Prediction, Truth};

/// A metric that can be bootstrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Normalised Gini of spend.
    GiniNorm,
    /// Root mean squared error of spend.
    Rmse,
    /// |total predicted / total actual − 1|.
    AbsBias,
    /// ROC area of `p_active` for any spend.
    AucP,
    /// Decile calibration error.
    DecileMape,
    /// Mean absolute error of spend.
    Mae,
    /// Mean Poisson deviance of orders.
    OrdersDeviance,
    /// Total predicted / total actual.
    Bias,
    /// Share of revenue held by the tenth ranked highest.
    Top10,
}

impl Metric {
    /// Every metric, in the order in which intervals are reported.
    pub const ALL: [Metric; 9] = [
        Metric::GiniNorm,
        Metric::Rmse,
        Metric::AbsBias,
        Metric::AucP,
        Metric::DecileMape,
        Metric::Mae,
        Metric::OrdersDeviance,
        Metric::Bias,
        Metric::Top10,
    ];

    /// Stable name in files.
    pub fn name(self) -> &'static str {
        match self {
            Metric::GiniNorm => "gini_norm",
            Metric::Rmse => "rmse",
            Metric::AbsBias => "abs_bias",
            Metric::AucP => "auc_p",
            Metric::DecileMape => "decile_mape",
            Metric::Mae => "mae",
            Metric::OrdersDeviance => "orders_deviance",
            Metric::Bias => "bias",
            Metric::Top10 => "top10",
        }
    }

    /// Whether more is better, less is better, or neither (`None`: the plain bias is best at one).
    pub fn higher_is_better(self) -> Option<bool> {
        match self {
            Metric::GiniNorm | Metric::AucP | Metric::Top10 => Some(true),
            Metric::Bias => None,
            _ => Some(false),
        }
    }
}

/// One value per [`Metric::ALL`], NaN where a draw does not define it.
pub(crate) type MetricValues = [f64; Metric::ALL.len()];

/// How to draw.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Number of draws, at least 2. 300 place the ends of a 95 % interval to about a tenth of its width.
    pub draws: u32,
    /// Coverage of the interval, in (0, 1).
    pub level: f64,
    /// Source of randomness.
    pub seed: Seed,
}

impl Default for Bootstrap {
    fn default() -> Bootstrap {
        Bootstrap { draws: 300, level: 0.95, seed: Seed(1) }
    }
}

/// A value with its percentile interval over the draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// On the customers as they are.
    pub value: f64,
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

impl Interval {
    /// Whether zero lies outside: for a difference, whether it is significant at the interval's level.
    pub fn excludes_zero(&self) -> bool {
        self.lo > 0.0 || self.hi < 0.0
    }
}

/// A metric, its value and its interval; `None` where the customers do not define it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MetricInterval {
    /// Which metric.
    pub metric: Metric,
    /// Value (or difference) with interval.
    pub interval: Option<Interval>,
}

impl Bootstrap {
    /// Every metric of one forecast with its interval.
    ///
    /// # Panics
    /// When the slices differ in length.
    pub fn intervals(&self, truth: &Truth<'_>, forecast: &Prediction<'_>) -> Vec<MetricInterval> {
        self.summarize(truth, &[*forecast], |v| v[0])
    }

    /// Every metric's difference `a − b` on the same draws: the paired comparison of two forecasts.
    ///
    /// ```
    /// use guike_eval::{Bootstrap, Metric, Prediction, Truth};
    /// let spend: Vec<f64> = (0..400).map(|i| f64::from(i % 20)).collect();
    /// let truth = Truth { spend: &spend, orders: &spend };
    /// let flat = vec![9.5; 400];
    /// let p = vec![0.5; 400];
    /// let good = Prediction { spend: &spend, orders: &spend, p_active: &p };
    /// let bad = Prediction { spend: &flat, orders: &flat, p_active: &p };
    /// let report = Bootstrap::default().paired(&truth, &good, &bad);
    /// let gini = report.iter().find(|m| m.metric == Metric::GiniNorm).and_then(|m| m.interval).unwrap();
    /// assert!(gini.lo > 0.9 && gini.excludes_zero());
    /// let same = Bootstrap::default().paired(&truth, &good, &good);
    /// assert!(!same[0].interval.unwrap().excludes_zero());
    /// ```
    ///
    /// # Panics
    /// When the slices differ in length.
    pub fn paired(&self, truth: &Truth<'_>, a: &Prediction<'_>, b: &Prediction<'_>) -> Vec<MetricInterval> {
        self.summarize(truth, &[*a, *b], |v| std::array::from_fn(|m| v[0][m] - v[1][m]))
    }

    fn summarize(
        &self,
        truth: &Truth<'_>,
        forecasts: &[Prediction<'_>],
        combine: impl Fn(&[MetricValues]) -> MetricValues,
    ) -> Vec<MetricInterval> {
        let panel = Panel::new(vec![PanelAnchor::new(truth, forecasts, None, Wanted::All)], truth.len());
        let point = combine(&panel.point()[0]);
        let draws: Vec<MetricValues> = panel.draws(self).iter().map(|d| combine(&d[0])).collect();
        Metric::ALL
            .into_iter()
            .enumerate()
            .map(|(m, metric)| MetricInterval {
                metric,
                interval: self.interval(point[m], draws.iter().map(|d| d[m]).collect()),
            })
            .collect()
    }

    /// The percentile interval of draws around a point value; `None` when the value or half the draws are undefined.
    pub(crate) fn interval(&self, value: f64, mut draws: Vec<f64>) -> Option<Interval> {
        let n = draws.len();
        draws.retain(|d| d.is_finite());
        if !value.is_finite() || draws.len() < 2 || draws.len() * 2 < n {
            return None;
        }
        draws.sort_by(f64::total_cmp);
        let tail = (1.0 - self.level) / 2.0;
        Some(Interval { value, lo: percentile(&draws, tail), hi: percentile(&draws, 1.0 - tail) })
    }
}

/// Which metrics a caller needs; the rest stay NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of them.
    All,
    /// Those that selection reads: all but the decile calibration, which is the slowest.
    Selection,
}

/// An order with its tied groups, and a value of every case along it.
struct Ranking {
    order: Vec<u32>,
    value: Vec<f64>,
    /// Ends of runs of cases without ties (`false`) and of single tied groups (`true`): long plain runs keep the inner
    /// loop free of branches.
    runs: Vec<(u32, bool)>,
}

impl Ranking {
    fn new(score: &[f64], order: Vec<u32>, value: impl Fn(u32) -> f64) -> Ranking {
        let mut runs: Vec<(u32, bool)> = Vec::new();
        let mut start = 0;
        for end in group_ends(score, &order) {
            match runs.last_mut() {
                Some(last) if end - start == 1 && !last.1 => last.0 = end,
                _ => runs.push((end, end - start > 1)),
            }
            start = end;
        }
        Ranking { value: order.iter().map(|&i| value(i)).collect(), order, runs }
    }

    /// Gini area and share of the top tenth when case i counts `weight[i]` times; the order descends.
    fn area(&self, weight: &[u32], n: u64, total: f64) -> (f64, f64) {
        if total == 0.0 || n == 0 {
            return (f64::NAN, f64::NAN);
        }
        let wanted = n.div_ceil(10) as f64;
        let (mut area, mut cumulative, mut seen, mut top) = (0.0, 0.0, 0.0, 0.0);
        let mut group = |size: f64, sum: f64| {
            area += size * cumulative + sum * (size + 1.0) * 0.5;
            if seen < wanted && size > 0.0 {
                top += sum * ((wanted - seen) / size).min(1.0);
            }
            cumulative += sum;
            seen += size;
        };
        let mut start = 0;
        for &(end, tied) in &self.runs {
            let end = end as usize;
            let cases = self.order[start..end].iter().zip(&self.value[start..end]);
            if tied {
                let (size, sum) = cases.fold((0.0, 0.0), |(size, sum), (&i, &y)| {
                    let w = f64::from(weight[i as usize]);
                    (size + w, sum + w * y)
                });
                group(size, sum);
            } else {
                for (&i, &y) in cases {
                    let w = f64::from(weight[i as usize]);
                    group(w, w * y);
                }
            }
            start = end;
        }
        let n = n as f64;
        (area / total / n - (n + 1.0) / (2.0 * n), top / total)
    }

    /// ROC area when the order ascends and the value is 1 for positive cases, 0 for others.
    fn auc(&self, weight: &[u32]) -> f64 {
        // pairs and counts stay far below 2^53, so these sums are exact
        let (mut positives, mut all, mut won) = (0.0, 0.0, 0.0);
        let mut group = |size: f64, positive: f64| {
            let (negative, below) = (size - positive, all - positives);
            won += positive * (below + negative * 0.5);
            positives += positive;
            all += size;
        };
        let mut start = 0;
        for &(end, tied) in &self.runs {
            let end = end as usize;
            let cases = self.order[start..end].iter().zip(&self.value[start..end]);
            if tied {
                let (size, positive) = cases.fold((0.0, 0.0), |(size, positive), (&i, &y)| {
                    let w = f64::from(weight[i as usize]);
                    (size + w, positive + w * y)
                });
                group(size, positive);
            } else {
                for (&i, &y) in cases {
                    let w = f64::from(weight[i as usize]);
                    group(w, w * y);
                }
            }
            start = end;
        }
        let negatives = all - positives;
        if positives == 0.0 || negatives == 0.0 { f64::NAN } else { won / (positives * negatives) }
    }
}

/// One forecast with everything that does not depend on the draw.
struct PreparedForecast {
    /// Actual spend by descending predicted spend.
    by_spend: Ranking,
    /// Activity by ascending `p_active`.
    by_active: Ranking,
    /// Cases by ascending predicted spend (stable), with prediction and actual along it; empty where not wanted.
    ascending: Vec<u32>,
    ascending_pairs: Vec<(f64, f64)>,
    /// Per case: predicted spend, |error|, error², deviance of orders.
    terms: Vec<[f64; 4]>,
}

/// The cases of one anchor, their truth and several forecasts of them.
pub(crate) struct PanelAnchor {
    n: usize,
    /// Which customer of the panel each case is; `None` when case i is customer i.
    customers: Option<Vec<u32>>,
    spend: Vec<f64>,
    ideal: Ranking,
    forecasts: Vec<PreparedForecast>,
}

impl PanelAnchor {
    pub(crate) fn new(
        truth: &Truth<'_>,
        forecasts: &[Prediction<'_>],
        customers: Option<Vec<u32>>,
        wanted: Wanted,
    ) -> PanelAnchor {
        let n = truth.len();
        assert_eq!(truth.orders.len(), n, "one number of orders per customer");
        PanelAnchor {
            n,
            customers,
            spend: truth.spend.to_vec(),
            ideal: Ranking::new(truth.spend, argsort_descending(truth.spend), |i| truth.spend[i as usize]),
            forecasts: forecasts.par_iter().map(|p| prepare(truth, p, wanted)).collect(),
        }
    }

    /// The metrics of every forecast when case i counts `weight[i]` times.
    fn evaluate(&self, weight: &[u32]) -> Vec<MetricValues> {
        let n: u64 = weight.iter().map(|&w| u64::from(w)).sum();
        let total: f64 = self.spend.iter().zip(weight).map(|(y, &w)| y * f64::from(w)).sum();
        let (ideal, _) = self.ideal.area(weight, n, total);
        self.forecasts.iter().map(|f| f.evaluate(weight, n, total, ideal)).collect()
    }
}

fn prepare(truth: &Truth<'_>, p: &Prediction<'_>, wanted: Wanted) -> PreparedForecast {
    let n = truth.len();
    assert!(p.spend.len() == n && p.orders.len() == n && p.p_active.len() == n, "one forecast per customer");
    let ascending = if wanted == Wanted::All { argsort(p.spend) } else { Vec::new() };
    PreparedForecast {
        by_spend: Ranking::new(p.spend, argsort_descending(p.spend), |i| truth.spend[i as usize]),
        by_active: Ranking::new(p.p_active, argsort(p.p_active), |i| f64::from(truth.spend[i as usize] > 0.0)),
        ascending_pairs: ascending.iter().map(|&i| (p.spend[i as usize], truth.spend[i as usize])).collect(),
        ascending,
        terms: (0..n)
            .map(|i| {
                let e = p.spend[i] - truth.spend[i];
                [p.spend[i], e.abs(), e * e, deviance_term(truth.orders[i], p.orders[i])]
            })
            .collect(),
    }
}

impl PreparedForecast {
    fn evaluate(&self, weight: &[u32], n: u64, total: f64, ideal: f64) -> MetricValues {
        let (area, top) = self.by_spend.area(weight, n, total);
        let gini = if ideal.abs() > MIN_IDEAL_GINI { area / ideal } else { f64::NAN };
        let mut sums = [0.0; 4];
        for (t, &w) in self.terms.iter().zip(weight) {
            let w = f64::from(w);
            for k in 0..4 {
                sums[k] += w * t[k];
            }
        }
        let count = n as f64;
        let bias = if total == 0.0 { f64::NAN } else { sums[0] / total };
        [
            gini,
            (sums[2] / count).sqrt(),
            (bias - 1.0).abs(),
            self.by_active.auc(weight),
            self.decile_mape(weight, n),
            sums[1] / count,
            sums[3] / count,
            bias,
            top,
        ]
    }

    fn decile_mape(&self, weight: &[u32], n: u64) -> f64 {
        let mut sizes = split_sizes(n, 10);
        let mut room = sizes.next().unwrap_or(0);
        let (mut predicted, mut actual) = (0.0, 0.0);
        let (mut errors, mut groups) = (0.0, 0u32);
        for (&i, &(s, y)) in self.ascending.iter().zip(&self.ascending_pairs) {
            let mut left = u64::from(weight[i as usize]);
            // a customer drawn several times may straddle a border
            while left > 0 {
                let take = left.min(room);
                predicted += s * take as f64;
                actual += y * take as f64;
                left -= take;
                room -= take;
                if room == 0 {
                    if actual > 0.0 {
                        errors += (predicted - actual).abs() / actual;
                        groups += 1;
                    }
                    (predicted, actual) = (0.0, 0.0);
                    room = sizes.next().unwrap_or(0);
                    debug_assert!(room > 0 || left == 0, "the ten groups hold every draw");
                    if room == 0 {
                        break;
                    }
                }
            }
        }
        if groups == 0 { f64::NAN } else { errors / f64::from(groups) }
    }
}

/// Several anchors over one set of customers.
pub(crate) struct Panel {
    anchors: Vec<PanelAnchor>,
    n_customers: usize,
}

impl Panel {
    pub(crate) fn new(anchors: Vec<PanelAnchor>, n_customers: usize) -> Panel {
        Panel { anchors, n_customers }
    }

    /// Metrics on the customers as they are: anchor → forecast → values.
    pub(crate) fn point(&self) -> Vec<Vec<MetricValues>> {
        self.anchors.par_iter().map(|a| a.evaluate(&vec![1; a.n])).collect()
    }

    /// Metrics of every draw: draw → anchor → forecast → values.
    pub(crate) fn draws(&self, how: &Bootstrap) -> Vec<Vec<Vec<MetricValues>>> {
        (0..u64::from(how.draws))
            .into_par_iter()
            .map(|draw| {
                let n = self.n_customers as u32;
                let mut rng = how.seed.derive("bootstrap").at(draw).rng();
                let mut weight = vec![0u32; self.n_customers];
                for _ in 0..n {
                    weight[rng.random_range(0..n) as usize] += 1;
                }
                self.anchors
                    .iter()
                    .map(|a| match &a.customers {
                        None => a.evaluate(&weight),
                        Some(who) => a.evaluate(&who.iter().map(|&c| weight[c as usize]).collect::<Vec<_>>()),
                    })
                    .collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scores;

    fn shop(n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>, Vec<f64>) {
        let mut rng = Seed(3).rng();
        let mut spend = Vec::new();
        let mut orders = Vec::new();
        let mut forecast = Vec::new();
        let mut p = Vec::new();
        for _ in 0..n {
            let rate: f64 = rng.random::<f64>() * 2.0;
            let k = (rate * rng.random::<f64>() * 2.0).floor();
            orders.push(k);
            spend.push(k * (10.0 + 5.0 * rng.random::<f64>()));
            // one digit only, so that there are many ties
            forecast.push((rate * 10.0).round());
            p.push((rate / 2.0 * 10.0).round() / 10.0);
        }
        (spend, orders, forecast, p)
    }

    #[test]
    fn the_point_values_are_the_plain_metrics() {
        let (spend, orders, forecast, p) = shop(997);
        let truth = Truth { spend: &spend, orders: &orders };
        let f = Prediction { spend: &forecast, orders: &forecast, p_active: &p };
        let s = Scores::of(&truth, &f);
        let got = Bootstrap { draws: 10, ..Default::default() }.intervals(&truth, &f);
        let bias = s.bias.expect("revenue");
        for (metric, expected) in [
            (Metric::GiniNorm, s.gini_norm),
            (Metric::Rmse, Some(s.rmse)),
            (Metric::AbsBias, Some((bias - 1.0).abs())),
            (Metric::AucP, s.auc_p),
            (Metric::DecileMape, s.decile_mape),
            (Metric::Mae, Some(s.mae)),
            (Metric::OrdersDeviance, Some(s.orders_deviance)),
            (Metric::Bias, Some(bias)),
            (Metric::Top10, s.top10),
        ] {
            let i = got.iter().find(|m| m.metric == metric).and_then(|m| m.interval).expect("defined");
            assert!((i.value - expected.expect("defined")).abs() < 1e-10, "{metric:?}: {} {expected:?}", i.value);
            assert!(i.lo < i.hi);
        }
    }

    #[test]
    fn multiplicities_equal_repeated_customers() {
        let (spend, orders, forecast, p) = shop(60);
        let truth = Truth { spend: &spend, orders: &orders };
        let f = Prediction { spend: &forecast, orders: &forecast, p_active: &p };
        let weight: Vec<u32> = (0..60).map(|i| [0, 1, 3, 1, 2][i % 5]).collect();
        let repeat = |v: &[f64]| -> Vec<f64> {
            v.iter().zip(&weight).flat_map(|(&x, &w)| std::iter::repeat_n(x, w as usize)).collect()
        };
        let (rs, ro, rf, rp) = (repeat(&spend), repeat(&orders), repeat(&forecast), repeat(&p));
        let s = Scores::of(&Truth { spend: &rs, orders: &ro }, &Prediction { spend: &rf, orders: &rf, p_active: &rp });
        let v = PanelAnchor::new(&truth, &[f], None, Wanted::All).evaluate(&weight)[0];
        for (got, expected) in v.iter().zip([
            s.gini_norm.expect("revenue"),
            s.rmse,
            (s.bias.expect("revenue") - 1.0).abs(),
            s.auc_p.expect("both kinds"),
            s.decile_mape.expect("revenue"),
            s.mae,
            s.orders_deviance,
            s.bias.expect("revenue"),
            s.top10.expect("revenue"),
        ]) {
            assert!((got - expected).abs() < 1e-10, "{got} {expected}");
        }
    }

    #[test]
    fn one_thread_and_many_give_the_same_bits() {
        let (spend, orders, forecast, p) = shop(300);
        let truth = Truth { spend: &spend, orders: &orders };
        let f = Prediction { spend: &forecast, orders: &forecast, p_active: &p };
        let run = |threads| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .expect("a thread pool")
                .install(|| Bootstrap::default().intervals(&truth, &f))
        };
        assert_eq!(run(1), run(4));
    }

    #[test]
    fn an_undefined_metric_has_no_interval() {
        let z = [0.0; 30];
        let f = Prediction { spend: &z, orders: &z, p_active: &z };
        let got = Bootstrap::default().intervals(&Truth { spend: &z, orders: &z }, &f);
        assert!(got[0].interval.is_none() && got[3].interval.is_none());
        assert_eq!(got[1].interval.map(|i| i.value), Some(0.0));
        assert!(
            Bootstrap::default()
                .intervals(&Truth { spend: &[], orders: &[] }, &Prediction { spend: &[], orders: &[], p_active: &[] })
                .iter()
                .all(|m| m.interval.is_none())
        );
    }
}
