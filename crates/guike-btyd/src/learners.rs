//! Count models and the spend model joined behind the `guike_core` contract.
//!
//! The one idea: a buy-till-you-die forecast is a count model (how often, until when) times a spend model (how much per
//! purchase), fitted apart because amounts are taken to be independent of counts. [`learners`] lists every pair under a
//! stable name. Forecasting groups customers by history first, and does the expensive part once per distinct (x, T).
//!
//! The artifact's body is plain JSON that a scorer in another language can read:
//!
//! ```json
//! {"unit_days": 7, "count": {"kind": "bg_nbd", "r": 0.2, "alpha": 4.4, "a": 0.8, "b": 2.4},
//!  "spend": {"basis": "repeats", "p": 6.2, "q": 3.7, "gamma": 15.4}, "standard_errors": {"r": 0.01}}
//! ```

use std::collections::BTreeMap;

use guike_core::{
    Artifact, Cases, FitContext, FitError, Fitted, ForecastError, Forecasts, INTERVAL_LEVELS, Inputs, Learner, Model,
    ModelCard, Note, Quantiles, RfmTable, Target, TrainingSet,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bg_cnbd_k::{BgCnbdK, MbgCnbdK, RegularityOptions};
use crate::bg_nbd::BgNbd;
use crate::count_model::{CountDistribution, CountModel};
use crate::fit::{Estimate, FitOptions};
use crate::gamma_gamma::{GammaGamma, Spend};
use crate::grouped::{DAYS_PER_WEEK, Grouped};
use crate::mbg_nbd::MbgNbd;
use crate::nbd::Nbd;
use crate::pareto_nbd::ParetoNbd;
use crate::total_spend::SpendGrid;

/// Version of the artifact's body.
const FORMAT: u32 = 1;
/// Probability of large counts that spend quantiles (up to 0.95) take for the largest listed.
const TAIL: f64 = 1e-4;

/// Which purchases the spend model learns from and looks back on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpendKind {
    /// Repeat purchase days, as in the papers: the first purchase may be special.
    Repeats,
    /// All purchase days: customers who bought once are no longer average.
    All,
}

/// Which count model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CountKind {
    /// Random buyers who never leave.
    Nbd,
    /// Random buyers who may leave at any time.
    ParetoNbd,
    /// Random buyers who may leave after repeat purchases.
    BgNbd,
    /// Random buyers who may leave after any purchase.
    MbgNbd,
    /// Regular buyers who may leave after repeat purchases.
    BgCnbdK,
    /// Regular buyers who may leave after any purchase.
    MbgCnbdK,
}

impl CountKind {
    /// Every count model, simplest first.
    pub const ALL: [CountKind; 6] = [
        CountKind::Nbd,
        CountKind::BgNbd,
        CountKind::MbgNbd,
        CountKind::ParetoNbd,
        CountKind::BgCnbdK,
        CountKind::MbgCnbdK,
    ];

    /// Names with the spend model on repeats and on all purchases, and the number of parameters.
    fn names(self) -> (&'static str, &'static str, u32) {
        match self {
            CountKind::Nbd => ("nbd+gamma-gamma", "nbd+gamma-gamma-all", 2),
            CountKind::BgNbd => ("bg-nbd+gamma-gamma", "bg-nbd+gamma-gamma-all", 4),
            CountKind::MbgNbd => ("mbg-nbd+gamma-gamma", "mbg-nbd+gamma-gamma-all", 4),
            CountKind::ParetoNbd => ("pareto-nbd+gamma-gamma", "pareto-nbd+gamma-gamma-all", 4),
            CountKind::BgCnbdK => ("bg-cnbd-k+gamma-gamma", "bg-cnbd-k+gamma-gamma-all", 5),
            CountKind::MbgCnbdK => ("mbg-cnbd-k+gamma-gamma", "mbg-cnbd-k+gamma-gamma-all", 5),
        }
    }

    fn fit(self, data: &Grouped, options: &FitOptions) -> Result<Estimate<FittedCount>, FitError> {
        let regularity = RegularityOptions { fit: *options, ..RegularityOptions::default() };
        Ok(match self {
            CountKind::Nbd => Nbd::fit(data, options)?.map(FittedCount::Nbd),
            CountKind::BgNbd => BgNbd::fit(data, options)?.map(FittedCount::BgNbd),
            CountKind::MbgNbd => MbgNbd::fit(data, options)?.map(FittedCount::MbgNbd),
            CountKind::ParetoNbd => ParetoNbd::fit(data, options)?.map(FittedCount::ParetoNbd),
            CountKind::BgCnbdK => BgCnbdK::fit(data, &regularity)?.map(FittedCount::BgCnbdK),
            CountKind::MbgCnbdK => MbgCnbdK::fit(data, &regularity)?.map(FittedCount::MbgCnbdK),
        })
    }
}

/// A count model with its parameters, as it stands in an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum FittedCount {
    Nbd(Nbd),
    BgNbd(BgNbd),
    MbgNbd(MbgNbd),
    ParetoNbd(ParetoNbd),
    BgCnbdK(BgCnbdK),
    MbgCnbdK(MbgCnbdK),
}

impl FittedCount {
    fn model(&self) -> &dyn CountModel {
        match self {
            FittedCount::Nbd(m) => m,
            FittedCount::BgNbd(m) => m,
            FittedCount::MbgNbd(m) => m,
            FittedCount::ParetoNbd(m) => m,
            FittedCount::BgCnbdK(m) => m,
            FittedCount::MbgCnbdK(m) => m,
        }
    }
}

/// A count model and the Gamma–Gamma spend model, to be fitted.
///
/// ```
/// use guike_btyd::learners::{BuyTillYouDie, CountKind, SpendKind};
/// use guike_core::Learner;
/// let learner = BuyTillYouDie { count: CountKind::BgNbd, spend: SpendKind::All, options: Default::default() };
/// assert_eq!((learner.name(), learner.complexity()), ("bg-nbd+gamma-gamma-all", 7));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BuyTillYouDie {
    /// How often and until when.
    pub count: CountKind,
    /// How much per purchase.
    pub spend: SpendKind,
    /// How to fit both.
    pub options: FitOptions,
}

/// Every learner of this crate with its default options, simplest first.
///
/// ```
/// let names: Vec<&str> = guike_btyd::learners::learners().iter().map(|l| l.name()).collect();
/// assert!(names.contains(&"bg-nbd+gamma-gamma"));
/// ```
pub fn learners() -> Vec<Box<dyn Learner>> {
    let pairs = CountKind::ALL.into_iter().flat_map(|c| [SpendKind::Repeats, SpendKind::All].map(|s| (c, s)));
    pairs
        .map(|(count, spend)| -> Box<dyn Learner> {
            Box::new(BuyTillYouDie { count, spend, options: FitOptions::default() })
        })
        .collect()
}

impl Learner for BuyTillYouDie {
    fn name(&self) -> &'static str {
        let (repeats, all, _) = self.count.names();
        match self.spend {
            SpendKind::Repeats => repeats,
            SpendKind::All => all,
        }
    }

    fn needs(&self) -> Inputs {
        Inputs::Rfm
    }

    fn targets(&self) -> &'static [Target] {
        &[Target::Orders, Target::Spend, Target::Active]
    }

    fn complexity(&self) -> u32 {
        self.count.names().2 + 3
    }

    fn fit(&self, train: &TrainingSet<'_>, cx: &FitContext<'_>) -> Result<Fitted, FitError> {
        let learner = self.name();
        let rfm = train.now.rfm;
        if rfm.is_empty() {
            return Err(FitError::TooLittle { learner, needs: "customers".into(), found: "are none".into() });
        }
        cx.progress.stage(learner, 2);
        cx.progress.check()?;
        let grouped = group(rfm).map_err(|error| FitError::Invalid {
            learner,
            what: "the customers' summaries".into(),
            value: error.to_string(),
            rule: "times must be possible".into(),
        })?;
        let count = self.count.fit(&grouped, &self.options).map_err(|error| named(error, learner))?;
        cx.progress.advance(1);
        cx.progress.check()?;
        let spend = GammaGamma::fit(&spends(self.spend, rfm), &self.options).map_err(|error| named(error, learner))?;
        cx.progress.advance(1);

        let body = Body {
            unit_days: DAYS_PER_WEEK,
            standard_errors: standard_errors(&count, &spend),
            count: count.model,
            spend: FittedSpend { basis: self.spend, model: spend.model },
        };
        let notes: Vec<Note> = count.notes.into_iter().chain(spend.notes).collect();
        let card = ModelCard {
            name: learner.to_owned(),
            format: FORMAT,
            cutoff: train.now.cutoff,
            horizon: train.now.horizon,
            n_customers: rfm.len(),
            seed: cx.seed,
            features: Vec::new(),
            parameters: body.parameters().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            log_likelihood: Some(count.log_likelihood),
        };
        Ok(Fitted { model: Box::new(FittedModel { card, body }), notes })
    }
}

/// The fitting model's error under the learner's name.
fn named(error: FitError, learner: &'static str) -> FitError {
    match error {
        FitError::TooLittle { needs, found, .. } => FitError::TooLittle { learner, needs, found },
        FitError::NotConverged { cause, .. } => FitError::NotConverged { learner, cause },
        FitError::Invalid { what, value, rule, .. } => FitError::Invalid { learner, what, value, rule },
        FitError::Cancelled(cancelled) => FitError::Cancelled(cancelled),
    }
}

fn group(rfm: &RfmTable) -> Result<Grouped, crate::grouped::HistoryError> {
    Grouped::from_days(&rfm.repeats, &rfm.recency_days, &rfm.age_days)
}

fn spends(kind: SpendKind, rfm: &RfmTable) -> Vec<Spend> {
    match kind {
        SpendKind::Repeats => Spend::of_repeats(rfm),
        SpendKind::All => Spend::of_all(rfm),
    }
}

/// Standard errors by parameter, without those that the data do not bound.
fn standard_errors(count: &Estimate<FittedCount>, spend: &Estimate<GammaGamma>) -> BTreeMap<String, f64> {
    // k is not estimated by a gradient and has no standard error
    let count_names = count.model.model().parameters().into_iter().map(|(name, _)| name).filter(|n| *n != "k");
    let names = count_names.chain(GammaGamma::PARAMETERS);
    let errors = count.standard_errors.iter().chain(&spend.standard_errors);
    names.zip(errors).filter_map(|(name, error)| Some((name.to_owned(), (*error)?))).collect()
}

/// All that a model needs to forecast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Body {
    /// Days in the models' unit of time.
    unit_days: f64,
    count: FittedCount,
    spend: FittedSpend,
    standard_errors: BTreeMap<String, f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct FittedSpend {
    basis: SpendKind,
    #[serde(flatten)]
    model: GammaGamma,
}

impl Body {
    fn parameters(&self) -> Vec<(&'static str, f64)> {
        let GammaGamma { p, q, gamma } = self.spend.model;
        let mut parameters = self.count.model().parameters();
        parameters.extend([("p", p), ("q", q), ("gamma", gamma)]);
        parameters
    }
}

/// A fitted pair.
#[derive(Debug, Clone, PartialEq)]
struct FittedModel {
    card: ModelCard,
    body: Body,
}

/// The model of an artifact that [`Model::save`] wrote.
///
/// # Errors
/// [`ForecastError::Artifact`] for another format or kind of model, or parameters outside their range.
pub fn load(artifact: &Artifact) -> Result<Box<dyn Model>, ForecastError> {
    if artifact.card.format != FORMAT {
        let found = artifact.card.format;
        return Err(ForecastError::Artifact(format!("format {found} of `{}`; need {FORMAT}", artifact.card.name)));
    }
    let body: Body = serde_json::from_value(artifact.body.clone())
        .map_err(|error| ForecastError::Artifact(format!("body of `{}`: {error}", artifact.card.name)))?;
    if let Some((name, value)) = body.parameters().into_iter().find(|(_, v)| !(v.is_finite() && *v > 0.0)) {
        return Err(ForecastError::Artifact(format!("parameter {name} = {value} must be positive and finite")));
    }
    if body.spend.model.q <= 1.0 {
        let q = body.spend.model.q;
        return Err(ForecastError::Artifact(format!("parameter q = {q} must exceed 1, or mean spend is infinite")));
    }
    if body.unit_days != DAYS_PER_WEEK {
        return Err(ForecastError::Artifact(format!("unit_days = {}; need {DAYS_PER_WEEK}", body.unit_days)));
    }
    Ok(Box::new(FittedModel { card: artifact.card.clone(), body }))
}

impl Model for FittedModel {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn forecast(&self, cases: &Cases<'_>) -> Result<Forecasts, ForecastError> {
        let rfm = cases.rfm;
        let grouped = group(rfm).map_err(|error| ForecastError::Schema {
            model: self.card.name.clone(),
            needs: format!("possible recencies and ages ({error})"),
        })?;
        let horizon = f64::from(cases.horizon.days()) / DAYS_PER_WEEK;
        let outlooks = self.outlooks(&grouped, horizon);
        let (n, levels) = (rfm.len(), INTERVAL_LEVELS.len());
        let mut forecasts = Forecasts {
            horizon: cases.horizon,
            expected_orders: Vec::with_capacity(n),
            expected_spend: Vec::with_capacity(n),
            p_active: Vec::with_capacity(n),
            next_order_days: Vec::with_capacity(n),
            spend: Quantiles { levels: INTERVAL_LEVELS.to_vec(), values: Vec::with_capacity(n * levels) },
        };
        let FittedSpend { basis, model } = self.body.spend;
        for (row, &group) in grouped.group_of().iter().enumerate() {
            let outlook = &outlooks[group as usize];
            let posterior = match basis {
                SpendKind::Repeats => model.posterior(rfm.repeats[row], rfm.repeat_spend_mean[row]),
                SpendKind::All => model.posterior(rfm.repeats[row] + 1, rfm.spend_mean[row]),
            };
            forecasts.expected_orders.push(outlook.expected);
            forecasts.expected_spend.push(outlook.expected * posterior.mean());
            forecasts.p_active.push(outlook.p_active);
            forecasts.next_order_days.push(outlook.wait * DAYS_PER_WEEK);
            forecasts.spend.values.extend(outlook.spend.map(|w| w * posterior.scale));
        }
        Ok(forecasts)
    }

    fn save(&self) -> Artifact {
        let body = serde_json::to_value(&self.body).expect("plain numbers and names serialise");
        Artifact { card: self.card.clone(), body }
    }
}

/// What customers of one history may expect.
#[derive(Debug, Clone, Copy)]
struct Outlook {
    expected: f64,
    p_active: f64,
    /// Median weeks to the next purchase.
    wait: f64,
    /// Quantiles of total spend at [`INTERVAL_LEVELS`], in units of the customer's spend scale.
    spend: [f64; INTERVAL_LEVELS.len()],
}

impl FittedModel {
    /// One per group. Runs of equal x are independent, so threads cannot change a bit.
    fn outlooks(&self, grouped: &Grouped, horizon: f64) -> Vec<Outlook> {
        let per_run: Vec<Vec<Outlook>> =
            grouped.runs().par_iter().map(|(x, run)| self.outlooks_of(*x, run.clone(), grouped, horizon)).collect();
        per_run.concat()
    }

    /// The groups of one x, in order.
    fn outlooks_of(&self, x: u32, run: std::ops::Range<usize>, grouped: &Grouped, horizon: f64) -> Vec<Outlook> {
        let count = self.body.count.model();
        let FittedSpend { basis, model: spend } = self.body.spend;
        let observed = f64::from(x) + if basis == SpendKind::All { 1.0 } else { 0.0 };
        let recency_matters = count.recency_matters_if_alive();
        let same_state = |a: &usize, b: &usize| !recency_matters && grouped.age_idx()[*a] == grouped.age_idx()[*b];
        let groups: Vec<usize> = run.collect();
        let states: Vec<&[usize]> = groups.chunk_by(same_state).collect();
        let counts: Vec<CountDistribution> =
            states.iter().map(|state| count.counts_if_alive(grouped.history(state[0]), horizon, TAIL)).collect();
        let largest = counts.iter().map(|c| c.first + c.probabilities.len()).max().unwrap_or(1);
        let grid = SpendGrid::new(spend.p, spend.q + spend.p * observed, largest - 1);

        let mut outlooks = Vec::with_capacity(groups.len());
        for (state, counts) in states.into_iter().zip(&counts) {
            let first = grouped.history(state[0]);
            let expected = count.expected_if_alive(first, horizon);
            let p_active = count.p_active_if_alive(first, horizon);
            let total = grid.mix(counts);
            for &group in state {
                let history = grouped.history(group);
                let p_alive = count.p_alive(history);
                let wait = if p_alive <= 0.5 { f64::INFINITY } else { count.wait_if_alive(history, 0.5 / p_alive) };
                outlooks.push(Outlook {
                    expected: p_alive * expected,
                    p_active: p_alive * p_active,
                    wait,
                    spend: INTERVAL_LEVELS.map(|level| total.quantile(p_alive, level)),
                });
            }
        }
        outlooks
    }
}
