//! Which candidate to trust, and why, in words and numbers.
//!
//! The one idea: every candidate is scored on the same customers at the same anchors by one stated *loss*, and a candidate
//! is preferred over a simpler one only when the difference would survive other customers of the same kind.
//!
//! The loss (lower is better) puts what serves a shop first:
//!
//! | part | weight | why |
//! |---|---|---|
//! | 1 − normalised Gini of spend | 1.0 | tiers, budgets and call lists need the right order of customers |
//! | 1 − AUC of `p_active` | 0.3 | retention needs to know who will still buy |
//! | relative Poisson deviance of orders | 0.1 | a proper score: it also punishes rates that are right only in order |
//! | abs(ln bias), at most 1 | 0.1 | totals must be of the right size, but a level is the part that can be recalibrated |
//!
//! The relative deviance divides by that of one constant rate for everybody, and is capped at 2. A part that the data do
//! not define (nobody active …) counts as no skill: 1 for the Gini part, ½ for the AUC part, 1 for deviance and level.
//! Losses at several anchors are averaged with the anchors' weights.
//!
//! Then: the candidate of least loss is the *leader*. A simpler candidate is *as good* when the paired bootstrap interval
//! of its extra loss contains zero and the extra loss itself is at most [`SelectionConfig::tolerance`] (a small shop could
//! otherwise never prove anything and would always get the crudest model). The simplest of those is selected.
//!
//! A candidate that forecast nothing at all where something happened stands behind all others, whatever its loss: a shop with
//! regular customers must not be told that none will come because the other candidates ranked them badly.
//!
//! One candidate may be named the *default* ([`SelectionConfig::default_candidate`]): the plain average of several models,
//! say. It keeps its place unless the leader beats it by more than [`SelectionConfig::default_margin`]: choosing the single
//! winner of a few noisy windows is itself a source of error, which an average does not have.
//!
//! Intervals come from [`MAX_DRAWN`] customers at most: in a larger shop a fixed random part of them is drawn from and the
//! spread is scaled by the square root of the shares, so that a shop of millions costs no more than one of thousands.

use guike_core::Seed;
use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bootstrap::{Bootstrap, Interval, Metric, MetricValues, Panel, PanelAnchor, Wanted};
use crate::metrics::poisson_deviance;
use crate::scores::{Prediction, Scores, Truth};

/// Most customers that the bootstrap of a selection draws from.
pub const MAX_DRAWN: usize = 5_000;

/// Weights of the parts of the loss; each at least 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    /// Weight of 1 − normalised Gini.
    pub ranking: f64,
    /// Weight of 1 − AUC of `p_active`.
    pub active: f64,
    /// Weight of the relative Poisson deviance of orders.
    pub orders: f64,
    /// Weight of |ln bias|.
    pub level: f64,
}

impl Default for Criterion {
    fn default() -> Criterion {
        Criterion { ranking: 1.0, active: 0.3, orders: 0.1, level: 0.1 }
    }
}

/// The parts of a loss before weighting.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LossParts {
    /// 1 − normalised Gini of spend.
    pub ranking: f64,
    /// 1 − AUC of `p_active`.
    pub active: f64,
    /// Poisson deviance of orders over that of a constant rate, at most 2.
    pub orders: f64,
    /// |ln(predicted total / actual total)|, at most 1.
    pub level: f64,
}

impl Criterion {
    fn parts(values: &MetricValues, constant_deviance: f64) -> LossParts {
        let of = |m: Metric| values[Metric::ALL.iter().position(|&x| x == m).expect("every metric is listed")];
        let or = |x: f64, fallback: f64| if x.is_finite() { x } else { fallback };
        let (gini, auc, bias) = (of(Metric::GiniNorm), of(Metric::AucP), of(Metric::Bias));
        LossParts {
            ranking: or(1.0 - gini, 1.0),
            active: or(1.0 - auc, 0.5),
            orders: or(of(Metric::OrdersDeviance) / constant_deviance, 1.0).min(2.0),
            level: or(bias.ln().abs(), 1.0).min(1.0),
        }
    }

    /// Loss of one forecast of what happened after one anchor.
    ///
    /// # Panics
    /// When forecast and truth are of another number of customers.
    pub fn of(&self, anchor: &AnchorTruth<'_>, forecast: &Prediction<'_>) -> f64 {
        let (anchors, used) = ([*anchor], [0]);
        let candidates = [Candidate { name: "", complexity: 0, forecasts: Ok(vec![*forecast]) }];
        let (who, _) = dense_customers(&anchors, &used);
        let whole = panel(&anchors, &used, &who, &candidates, &used, None);
        self.loss(&mean_parts(&whole.panel.point(), &whole, &[1.0], 1)[0])
    }

    fn loss(&self, p: &LossParts) -> f64 {
        self.ranking * p.ranking + self.active * p.active + self.orders * p.orders + self.level * p.level
    }
}

/// How to select.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SelectionConfig {
    /// What counts.
    pub criterion: Criterion,
    /// How to draw for the comparisons.
    pub bootstrap: Bootstrap,
    /// Largest extra loss at which a simpler candidate still counts as equally good; 0.01 is one point of Gini.
    pub tolerance: f64,
    /// Name of the candidate that keeps its place unless it is clearly beaten.
    pub default_candidate: Option<String>,
    /// Extra loss up to which the default keeps its place; 0.02 is two points of Gini, which is less than one shop's
    /// windows usually differ among themselves.
    pub default_margin: f64,
}

impl Default for SelectionConfig {
    fn default() -> SelectionConfig {
        SelectionConfig {
            criterion: Criterion::default(),
            bootstrap: Bootstrap { draws: 200, ..Bootstrap::default() },
            tolerance: 0.01,
            default_candidate: None,
            default_margin: 0.02,
        }
    }
}

/// What happened after one anchor, and how much the anchor counts.
#[derive(Debug, Clone, Copy)]
pub struct AnchorTruth<'a> {
    /// What happened.
    pub truth: Truth<'a>,
    /// Who each case is, over all anchors: index into the log's customers.
    pub customer_idx: &'a [u32],
    /// Relative weight, positive.
    pub weight: f64,
}

/// One candidate and what it forecast at every anchor.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// Stable name.
    pub name: &'a str,
    /// Number of free parameters.
    pub complexity: u32,
    /// One per anchor, or why there is none.
    pub forecasts: Result<Vec<Prediction<'a>>, String>,
}

/// Where a candidate stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Stable name.
    pub name: String,
    /// Number of free parameters.
    pub complexity: u32,
    /// Weighted mean loss over the anchors; lower is better. `None` when it could not be judged.
    pub loss: Option<f64>,
    /// Parts of the loss, weighted mean over the anchors.
    pub parts: Option<LossParts>,
    /// All metrics at each anchor, in the anchors' order.
    pub scores: Vec<Scores>,
    /// Extra loss over the leader with its paired bootstrap interval; `None` for the leader itself.
    pub against_leader: Option<Interval>,
    /// Whether it counts as equally good as the leader.
    pub as_good: bool,
    /// Why it could not be judged.
    pub failure: Option<String>,
}

/// Why the selected candidate was selected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reason {
    /// It has the least loss, and nothing simpler is as good.
    Best {
        /// Its loss.
        loss: f64,
        /// The next best, where there is one.
        runner_up: Option<String>,
        /// Extra loss of the next best.
        margin: Option<Interval>,
    },
    /// It is simpler than the leader and does not differ from it.
    SimplerAndAsGood {
        /// Who has the least loss.
        leader: String,
        /// Extra loss of the selected one over the leader.
        extra: Interval,
        /// Free parameters of the leader.
        leader_complexity: u32,
        /// Free parameters of the selected one.
        complexity: u32,
    },
    /// It is the default, and the leader is not clearly better.
    DefaultKept {
        /// Who has the least loss; the default itself, perhaps.
        leader: String,
        /// Extra loss of the default over the leader; `None` when it leads.
        extra: Option<Interval>,
        /// Extra loss up to which it keeps its place.
        margin: f64,
    },
    /// It is the only one that could be judged.
    OnlyOne,
}

impl Reason {
    /// One English sentence about `name`.
    pub fn english(&self, name: &str) -> String {
        match self {
            Reason::Best { loss, runner_up: Some(next), margin: Some(m) } => format!(
                "{name} has the least loss ({loss:.4}) on the anchors inside the history; next is {next}, {} ({})",
                if m.excludes_zero() { "clearly behind" } else { "behind by less than chance can explain" },
                interval_text(m)
            ),
            Reason::Best { loss, .. } => {
                format!("{name} has the least loss ({loss:.4}) on the anchors inside the history")
            }
            Reason::SimplerAndAsGood { leader, extra, leader_complexity, complexity } => format!(
                "{name} ({complexity} parameters) does not differ significantly from {leader} ({leader_complexity} \
                 parameters), which has the least loss: extra loss {}; the simpler one is preferred",
                interval_text(extra)
            ),
            Reason::DefaultKept { leader, extra: Some(extra), margin } => format!(
                "{name} is kept: the best single model on the anchors inside the history, {leader}, is ahead by {:.4} of loss \
                 ({:+.4} … {:+.4}), less than the {margin} worth giving up an average for",
                extra.value, extra.lo, extra.hi
            ),
            Reason::DefaultKept { .. } => format!("{name} has the least loss on the anchors inside the history"),
            Reason::OnlyOne => format!("{name} is the only candidate that could be judged"),
        }
    }

    /// The same sentence in Chinese.
    pub fn chinese(&self, name: &str) -> String {
        match self {
            Reason::Best { loss, runner_up: Some(next), margin: Some(m) } => format!(
                "{name} 在历史回测中综合损失最低（{loss:.4}）；其次是 {next}，{}（{}）",
                if m.excludes_zero() { "差距显著" } else { "差距在随机波动之内" },
                interval_zh(m)
            ),
            Reason::Best { loss, .. } => format!("{name} 在历史回测中综合损失最低（{loss:.4}）"),
            Reason::SimplerAndAsGood { leader, extra, leader_complexity, complexity } => format!(
                "{name}（{complexity} 个参数）与损失最低的 {leader}（{leader_complexity} 个参数）没有显著差异\
                 （额外损失 {}），因此选用更简单的模型",
                interval_zh(extra)
            ),
            Reason::DefaultKept { leader, extra: Some(extra), margin } => format!(
                "沿用 {name}：历史回测中最好的单一模型 {leader} 只领先 {:.4}（{:+.4} … {:+.4}），不足 {margin}，不值得放弃平均",
                extra.value, extra.lo, extra.hi
            ),
            Reason::DefaultKept { .. } => format!("{name} 在历史回测中综合损失最低"),
            Reason::OnlyOne => format!("只有 {name} 可以评估"),
        }
    }
}

fn interval_text(i: &Interval) -> String {
    format!("{:+.4}, interval {:+.4} … {:+.4}", i.value, i.lo, i.hi)
}

fn interval_zh(i: &Interval) -> String {
    format!("{:+.4}，区间 {:+.4} … {:+.4}", i.value, i.lo, i.hi)
}

/// The outcome: who was selected, why, and where everybody stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// Name of the selected candidate.
    pub selected: String,
    /// Why.
    pub reason: Reason,
    /// Why, in an English sentence.
    pub text_en: String,
    /// Why, in a Chinese sentence.
    pub text_zh: String,
    /// Everybody by rising loss, who forecast nothing after all others; those that could not be judged last, in the order
    /// given.
    pub standings: Vec<Standing>,
    /// How the loss was made.
    pub criterion: Criterion,
}

/// Why nobody was selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// No anchor or no case to judge on.
    #[error("there is no anchor with customers to judge candidates on; use a longer history or name the model to use")]
    NothingToJudge,
    /// Every candidate failed.
    #[error("none of the {n} candidates could be judged; the first said: {first}")]
    AllFailed {
        /// Number of candidates.
        n: usize,
        /// What the first one said.
        first: String,
    },
}

/// Picks among candidates by their forecasts at the anchors.
///
/// # Errors
/// [`SelectionError`] when there is nothing to judge on or nobody to judge.
///
/// # Panics
/// When a candidate has forecasts for another number of anchors or customers.
///
/// # Example
/// ```
/// use guike_eval::selection::{select, AnchorTruth, Candidate, SelectionConfig};
/// use guike_eval::{Prediction, Truth};
/// let spend: Vec<f64> = (0..300).map(|i| f64::from(i % 10)).collect();
/// let who: Vec<u32> = (0..300).collect();
/// let truth = AnchorTruth { truth: Truth { spend: &spend, orders: &spend }, customer_idx: &who, weight: 1.0 };
/// let (flat, half) = (vec![4.5; 300], vec![0.5; 300]);
/// let good = Prediction { spend: &spend, orders: &spend, p_active: &spend };
/// let bad = Prediction { spend: &flat, orders: &flat, p_active: &half };
/// let candidates = [
///     Candidate { name: "flat", complexity: 1, forecasts: Ok(vec![bad]) },
///     Candidate { name: "sharp", complexity: 9, forecasts: Ok(vec![good]) },
/// ];
/// let s = select(&[truth], &candidates, &SelectionConfig::default()).unwrap();
/// assert_eq!(s.selected, "sharp");
/// assert!(s.text_en.contains("clearly behind"));
/// ```
pub fn select(
    anchors: &[AnchorTruth<'_>],
    candidates: &[Candidate<'_>],
    config: &SelectionConfig,
) -> Result<Selection, SelectionError> {
    let anchors_with_cases: Vec<usize> = (0..anchors.len()).filter(|&a| !anchors[a].truth.is_empty()).collect();
    if anchors_with_cases.is_empty() {
        return Err(SelectionError::NothingToJudge);
    }
    let judged: Vec<usize> = (0..candidates.len()).filter(|&c| candidates[c].forecasts.is_ok()).collect();
    if judged.is_empty() {
        let first = candidates.first().and_then(|c| c.forecasts.as_ref().err());
        let first = first.cloned().unwrap_or_else(|| "there is no candidate".to_owned());
        return Err(SelectionError::AllFailed { n: candidates.len(), first });
    }
    let comparison = compare(anchors, &anchors_with_cases, candidates, &judged, config);
    Ok(decide(anchors, candidates, &judged, comparison, config))
}

/// Losses of the judged candidates, in their order.
struct Comparison {
    parts: Vec<LossParts>,
    loss: Vec<f64>,
    /// Draw → candidate.
    draws: Vec<Vec<f64>>,
}

fn compare(
    anchors: &[AnchorTruth<'_>],
    used: &[usize],
    candidates: &[Candidate<'_>],
    judged: &[usize],
    config: &SelectionConfig,
) -> Comparison {
    let (who, n_customers) = dense_customers(anchors, used);
    let total: f64 = used.iter().map(|&a| anchors[a].weight).sum();
    let weights: Vec<f64> = used.iter().map(|&a| anchors[a].weight / total).collect();
    let whole = panel(anchors, used, &who, candidates, judged, None);
    let point: Vec<LossParts> = mean_parts(&whole.panel.point(), &whole, &weights, judged.len());
    let loss: Vec<f64> = point.iter().map(|p| config.criterion.loss(p)).collect();
    // a part of a large shop, the same customers at every anchor
    let part = (n_customers > MAX_DRAWN).then(|| sample(n_customers, config.bootstrap.seed));
    let (drawn, scale) = match &part {
        None => (whole, 1.0),
        Some(part) => {
            let share = MAX_DRAWN as f64 / n_customers as f64;
            (panel(anchors, used, &who, candidates, judged, Some(part)), share.sqrt())
        }
    };
    let centre: Vec<f64> = mean_parts(&drawn.panel.point(), &drawn, &weights, judged.len())
        .iter()
        .map(|p| config.criterion.loss(p))
        .collect();
    let draws = drawn
        .panel
        .draws(&config.bootstrap)
        .iter()
        .map(|d| {
            let parts = mean_parts(d, &drawn, &weights, judged.len());
            (0..judged.len()).map(|c| loss[c] + scale * (config.criterion.loss(&parts[c]) - centre[c])).collect()
        })
        .collect();
    Comparison { loss, parts: point, draws }
}

/// The cases of all anchors, ready for draws, with the deviance of a constant rate at each.
struct Prepared {
    panel: Panel,
    constant: Vec<f64>,
}

/// `part` maps every customer to a number in the part, or to none.
fn panel(
    anchors: &[AnchorTruth<'_>],
    used: &[usize],
    who: &[Vec<u32>],
    candidates: &[Candidate<'_>],
    judged: &[usize],
    part: Option<&[Option<u32>]>,
) -> Prepared {
    let mut prepared = Vec::new();
    let mut constant = Vec::new();
    for (&a, who) in used.iter().zip(who) {
        let truth = &anchors[a].truth;
        let rows: Vec<usize> = match part {
            None => (0..truth.len()).collect(),
            Some(part) => (0..truth.len()).filter(|&i| part[who[i] as usize].is_some()).collect(),
        };
        let pick = |column: &[f64]| -> Vec<f64> { rows.iter().map(|&i| column[i]).collect() };
        let (spend, orders) = (pick(truth.spend), pick(truth.orders));
        let columns: Vec<[Vec<f64>; 3]> = judged
            .par_iter()
            .map(|&c| {
                let f = &forecasts_of(&candidates[c], anchors.len())[a];
                [pick(f.spend), pick(f.orders), pick(f.p_active)]
            })
            .collect();
        let forecasts: Vec<Prediction<'_>> =
            columns.iter().map(|[spend, orders, p_active]| Prediction { spend, orders, p_active }).collect();
        let who = rows.iter().map(|&i| part.map_or(Some(who[i]), |p| p[who[i] as usize]).unwrap_or(0)).collect();
        let truth = Truth { spend: &spend, orders: &orders };
        prepared.push(PanelAnchor::new(&truth, &forecasts, Some(who), Wanted::Selection));
        let mean = orders.iter().sum::<f64>() / orders.len().max(1) as f64;
        constant.push(poisson_deviance(&orders, &vec![mean; orders.len()]));
    }
    let n = part.map_or_else(|| who.iter().flatten().max().map_or(0, |&m| m as usize + 1), |_| MAX_DRAWN);
    Prepared { panel: Panel::new(prepared, n), constant }
}

/// [`MAX_DRAWN`] of `n` customers, numbered by position; the same for the same seed.
fn sample(n: usize, seed: Seed) -> Vec<Option<u32>> {
    let mut rng = seed.derive("selection-sample").rng();
    let mut part = vec![None; n];
    let mut left = MAX_DRAWN;
    let mut taken = 0;
    for (i, slot) in part.iter_mut().enumerate() {
        // selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S)
        if rng.random_range(0..n - i) < left {
            *slot = Some(taken);
            taken += 1;
            left -= 1;
        }
    }
    part
}

/// Parts of every candidate's loss, averaged over the anchors.
fn mean_parts(values: &[Vec<MetricValues>], of: &Prepared, weights: &[f64], n_candidates: usize) -> Vec<LossParts> {
    (0..n_candidates)
        .map(|c| {
            let mut sum = LossParts { ranking: 0.0, active: 0.0, orders: 0.0, level: 0.0 };
            for ((v, w), d) in values.iter().zip(weights).zip(&of.constant) {
                let p = Criterion::parts(&v[c], *d);
                sum.ranking += w * p.ranking;
                sum.active += w * p.active;
                sum.orders += w * p.orders;
                sum.level += w * p.level;
            }
            sum
        })
        .collect()
}

fn forecasts_of<'c, 'a>(candidate: &'c Candidate<'a>, n_anchors: usize) -> &'c [Prediction<'a>] {
    let f = candidate.forecasts.as_ref().expect("only judged candidates are asked");
    assert_eq!(f.len(), n_anchors, "candidate {} has one forecast per anchor", candidate.name);
    f
}

/// Customers of the anchors numbered 0 … n without gaps, so that draws are over those who occur.
fn dense_customers(anchors: &[AnchorTruth<'_>], used: &[usize]) -> (Vec<Vec<u32>>, usize) {
    let mut all: Vec<u32> = used.iter().flat_map(|&a| anchors[a].customer_idx.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    let dense = used
        .iter()
        .map(|&a| {
            assert_eq!(anchors[a].customer_idx.len(), anchors[a].truth.len(), "one customer per case");
            let find = |c: &u32| all.binary_search(c).expect("every customer was collected") as u32;
            anchors[a].customer_idx.iter().map(find).collect()
        })
        .collect();
    (dense, all.len())
}

/// Whether a candidate forecast no spend at all, and there was some.
fn forecasts_nothing(anchors: &[AnchorTruth<'_>], candidate: &Candidate<'_>) -> bool {
    let any = |v: &[f64]| v.iter().any(|&v| v > 0.0);
    !forecasts_of(candidate, anchors.len()).iter().any(|f| any(f.spend)) && anchors.iter().any(|a| any(a.truth.spend))
}

fn decide(
    anchors: &[AnchorTruth<'_>],
    candidates: &[Candidate<'_>],
    judged: &[usize],
    comparison: Comparison,
    config: &SelectionConfig,
) -> Selection {
    let Comparison { parts, loss, draws } = comparison;
    let mute: Vec<bool> = judged.iter().map(|&c| forecasts_nothing(anchors, &candidates[c])).collect();
    let mut order: Vec<usize> = (0..judged.len()).collect();
    // equal losses: the simpler first, then the order given
    order.sort_by(|&a, &b| {
        let complexity = |c: usize| candidates[judged[c]].complexity;
        mute[a].cmp(&mute[b]).then(loss[a].total_cmp(&loss[b])).then(complexity(a).cmp(&complexity(b)))
    });
    let leader = order[0];
    let extra = |c: usize| {
        let d = draws.iter().map(|d| d[c] - d[leader]).collect();
        config.bootstrap.interval(loss[c] - loss[leader], d)
    };
    let mut standings: Vec<Standing> = order
        .par_iter()
        .map(|&c| {
            let candidate = &candidates[judged[c]];
            let against_leader = if c == leader { None } else { extra(c) };
            Standing {
                name: candidate.name.to_owned(),
                complexity: candidate.complexity,
                loss: Some(loss[c]),
                parts: Some(parts[c]),
                scores: forecasts_of(candidate, anchors.len())
                    .iter()
                    .zip(anchors)
                    .map(|(p, a)| Scores::of(&a.truth, p))
                    .collect(),
                as_good: c == leader
                    || !mute[c] && against_leader.is_some_and(|i| !i.excludes_zero() && i.value <= config.tolerance),
                against_leader,
                failure: None,
            }
        })
        .collect();
    let default = config.default_candidate.as_deref().and_then(|d| standings.iter().position(|s| s.name == d));
    let default =
        default.filter(|&i| standings[i].loss.unwrap_or(f64::INFINITY) - loss[leader] <= config.default_margin);
    // the first of the least complexity: `order` already rises in loss
    let simplest = || {
        (0..standings.len())
            .filter(|&i| standings[i].as_good)
            .min_by_key(|&i| (standings[i].complexity, i))
            .expect("the leader is as good as itself")
    };
    let chosen = default.unwrap_or_else(simplest);
    let reason = if judged.len() == 1 {
        Reason::OnlyOne
    } else if default.is_some() {
        Reason::DefaultKept {
            leader: standings[0].name.clone(),
            extra: standings[chosen].against_leader,
            margin: config.default_margin,
        }
    } else if chosen == 0 {
        let next = standings.get(1);
        Reason::Best {
            loss: loss[leader],
            runner_up: next.map(|s| s.name.clone()),
            margin: next.and_then(|s| s.against_leader),
        }
    } else {
        Reason::SimplerAndAsGood {
            leader: standings[0].name.clone(),
            extra: standings[chosen].against_leader.expect("only the leader has none"),
            leader_complexity: standings[0].complexity,
            complexity: standings[chosen].complexity,
        }
    };
    standings.extend(candidates.iter().filter_map(|c| {
        let failure = c.forecasts.as_ref().err()?;
        Some(Standing {
            name: c.name.to_owned(),
            complexity: c.complexity,
            loss: None,
            parts: None,
            scores: Vec::new(),
            against_leader: None,
            as_good: false,
            failure: Some(failure.clone()),
        })
    }));
    let selected = standings[chosen].name.clone();
    Selection {
        text_en: reason.english(&selected),
        text_zh: reason.chinese(&selected),
        selected,
        reason,
        standings,
        criterion: config.criterion,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::Seed;
    use rand::RngExt;

    struct Shop {
        spend: Vec<f64>,
        who: Vec<u32>,
        noisy: Vec<f64>,
        noisier: Vec<f64>,
        half: Vec<f64>,
    }

    fn shop(n: usize) -> Shop {
        let mut rng = Seed(8).rng();
        let spend: Vec<f64> = (0..n).map(|_| (rng.random::<f64>() * 8.0 - 3.0).max(0.0).floor()).collect();
        let noisy = spend.iter().map(|y| y + rng.random::<f64>() * 0.5).collect();
        let noisier = spend.iter().map(|y| y + rng.random::<f64>() * 0.5 + 0.0001).collect();
        Shop { spend, who: (0..n as u32).collect(), noisy, noisier, half: vec![0.5; n] }
    }

    impl Shop {
        fn anchor(&self) -> AnchorTruth<'_> {
            AnchorTruth {
                truth: Truth { spend: &self.spend, orders: &self.spend },
                customer_idx: &self.who,
                weight: 1.0,
            }
        }
        fn forecast<'a>(&'a self, v: &'a [f64]) -> Prediction<'a> {
            Prediction { spend: v, orders: v, p_active: &self.half }
        }
    }

    #[test]
    fn of_two_that_do_not_differ_the_simpler_is_selected() {
        let s = shop(400);
        let candidates = [
            Candidate { name: "large", complexity: 50, forecasts: Ok(vec![s.forecast(&s.noisy)]) },
            Candidate { name: "small", complexity: 4, forecasts: Ok(vec![s.forecast(&s.noisier)]) },
        ];
        let out = select(&[s.anchor()], &candidates, &SelectionConfig::default()).expect("two candidates");
        assert_eq!(out.selected, "small");
        assert!(out.standings.iter().all(|x| x.as_good));
        if out.standings[0].name == "large" {
            assert!(matches!(out.reason, Reason::SimplerAndAsGood { .. }), "{:?}", out.reason);
            assert!(out.text_en.contains("simpler one is preferred"), "{}", out.text_en);
            assert!(out.text_zh.contains("更简单"), "{}", out.text_zh);
        }
    }

    #[test]
    fn a_failed_candidate_is_listed_last_with_its_words() {
        let s = shop(50);
        let candidates = [
            Candidate { name: "broken", complexity: 1, forecasts: Err("did not converge".into()) },
            Candidate { name: "fine", complexity: 4, forecasts: Ok(vec![s.forecast(&s.noisy)]) },
        ];
        let out = select(&[s.anchor()], &candidates, &SelectionConfig::default()).expect("one candidate");
        assert_eq!(out.selected, "fine");
        assert_eq!(out.reason, Reason::OnlyOne);
        assert_eq!(out.standings[1].failure.as_deref(), Some("did not converge"));
    }

    #[test]
    fn nothing_to_judge_is_an_error_with_a_way_out() {
        let e = select(&[], &[], &SelectionConfig::default()).expect_err("no anchor");
        assert!(e.to_string().contains("use a longer history"), "{e}");
        let s = shop(5);
        let e = select(
            &[s.anchor()],
            &[Candidate { name: "x", complexity: 1, forecasts: Err("too little".into()) }],
            &SelectionConfig::default(),
        )
        .expect_err("all failed");
        assert!(e.to_string().contains("the first said: too little"), "{e}");
    }

    #[test]
    fn customers_who_return_are_not_forecast_to_stay_away() {
        let s = shop(60);
        let (zero, top) = (vec![0.0; 60], s.spend.iter().fold(0.0, |a: f64, &b| a.max(b)));
        // ranks everybody the wrong way round
        let upside_down: Vec<f64> = s.spend.iter().map(|y| top - y + 0.1).collect();
        let candidates = [
            Candidate { name: "zero", complexity: 0, forecasts: Ok(vec![s.forecast(&zero)]) },
            Candidate { name: "wrong", complexity: 3, forecasts: Ok(vec![s.forecast(&upside_down)]) },
        ];
        let out = select(&[s.anchor()], &candidates, &SelectionConfig::default()).expect("two candidates");
        assert_eq!(out.selected, "wrong", "{:?}", out.standings);
    }

    #[test]
    fn a_shop_where_nobody_returns_still_gets_an_answer() {
        let s = shop(30);
        let zero = vec![0.0; 30];
        let anchor = AnchorTruth { truth: Truth { spend: &zero, orders: &zero }, ..s.anchor() };
        let candidates = [
            Candidate { name: "a", complexity: 3, forecasts: Ok(vec![s.forecast(&s.noisy)]) },
            Candidate { name: "zero", complexity: 0, forecasts: Ok(vec![s.forecast(&zero)]) },
        ];
        let out = select(&[anchor], &candidates, &SelectionConfig::default()).expect("two candidates");
        assert_eq!(out.selected, "zero");
    }

    #[test]
    fn the_default_keeps_its_place_unless_it_is_clearly_beaten() {
        let s = shop(400);
        let candidates = [
            Candidate { name: "single", complexity: 4, forecasts: Ok(vec![s.forecast(&s.noisy)]) },
            Candidate { name: "average", complexity: 50, forecasts: Ok(vec![s.forecast(&s.noisier)]) },
            Candidate { name: "flat", complexity: 1, forecasts: Ok(vec![s.forecast(&s.half)]) },
        ];
        let with = |name: &str| SelectionConfig { default_candidate: Some(name.into()), ..Default::default() };
        let kept = select(&[s.anchor()], &candidates, &with("average")).expect("candidates");
        assert_eq!(kept.selected, "average");
        assert!(matches!(kept.reason, Reason::DefaultKept { .. }));
        let beaten = select(&[s.anchor()], &candidates, &with("flat")).expect("candidates");
        assert_eq!(beaten.selected, "single");
    }

    #[test]
    fn a_large_shop_is_drawn_from_in_part_and_its_interval_is_as_narrow_as_it_should_be() {
        let s = shop(20_000);
        let flat = vec![2.0; 20_000];
        let candidates = [
            Candidate { name: "good", complexity: 4, forecasts: Ok(vec![s.forecast(&s.noisy)]) },
            Candidate { name: "flat", complexity: 1, forecasts: Ok(vec![s.forecast(&flat)]) },
        ];
        let out = select(&[s.anchor()], &candidates, &SelectionConfig::default()).expect("two candidates");
        let extra = out.standings[1].against_leader.expect("an interval");
        assert!(extra.lo < extra.value && extra.value < extra.hi);
        // one standard error of a mean over 20,000 is below 0.01 here
        assert!(extra.hi - extra.lo < 0.04, "{extra:?}");
    }

    #[test]
    fn selection_survives_json() {
        let s = shop(50);
        let candidates = [Candidate { name: "fine", complexity: 4, forecasts: Ok(vec![s.forecast(&s.noisy)]) }];
        let out = select(&[s.anchor()], &candidates, &SelectionConfig::default()).expect("one candidate");
        let text = serde_json::to_string(&out).expect("serialises");
        assert_eq!(serde_json::from_str::<Selection>(&text).expect("reads back"), out);
    }
}
