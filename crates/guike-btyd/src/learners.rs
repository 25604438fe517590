//! Count models and the spend model joined behind the `guike_core` contract.
//!
//! The one idea: a buy-till-you-die forecast is a count model (how often, until when) times a spend model (how much per
//! purchase), fitted apart because amounts are taken to be independent of counts. [`pairs`] lists every one under a
//! stable name. Pairs share count and spend models, so several are fitted together ([`fit_together`]) and forecast together
//! ([`crate::outlook::forecast_together`]) at little more than the price of one.
//!
//! The artifact's body is plain JSON that a scorer in another language can read:
//!
//! ```json
//! {"unit_days": 7, "count": {"kind": "bg_nbd", "r": 0.2, "alpha": 4.4, "a": 0.8, "b": 2.4},
//!  "spend": {"basis": "repeats", "p": 6.2, "q": 3.7, "gamma": 15.4}, "standard_errors": {"r": 0.01}}
//! ```

use std::collections::BTreeMap;

use guike_core::{
    Artifact, Cases, FitContext, FitError, Fitted, ForecastError, Forecasts, Inputs, Learner, Model, ModelCard, Note,
    RfmTable, Target, TrainingSet,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bg_cnbd_k::{BgCnbdK, MbgCnbdK, RegularityOptions};
use crate::bg_nbd::BgNbd;
use crate::count_model::CountModel;
use crate::fit::{Estimate, FitOptions};
use crate::gamma_gamma::{GammaGamma, Spend};
use crate::grouped::{DAYS_PER_WEEK, Grouped};
use crate::mbg_nbd::MbgNbd;
use crate::nbd::Nbd;
use crate::outlook::forecast_together;
use crate::pareto_nbd::ParetoNbd;

/// Version of the artifact's body.
const FORMAT: u32 = 1;

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
pub(crate) enum FittedCount {
    Nbd(Nbd),
    BgNbd(BgNbd),
    MbgNbd(MbgNbd),
    ParetoNbd(ParetoNbd),
    BgCnbdK(BgCnbdK),
    MbgCnbdK(MbgCnbdK),
}

impl FittedCount {
    pub(crate) fn model(&self) -> &dyn CountModel {
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

/// Every pair of count and spend model with its default options, simplest first.
///
/// ```
/// use guike_core::Learner;
/// let names: Vec<&str> = guike_btyd::learners::pairs().iter().map(|l| l.name()).collect();
/// assert!(names.contains(&"bg-nbd+gamma-gamma"));
/// ```
pub fn pairs() -> Vec<BuyTillYouDie> {
    let pairs = CountKind::ALL.into_iter().flat_map(|c| [SpendKind::Repeats, SpendKind::All].map(|s| (c, s)));
    pairs.map(|(count, spend)| BuyTillYouDie { count, spend, options: FitOptions::default() }).collect()
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
        let (model, notes) = fit_together(&[*self], train, cx).pop().expect("one pair, one fit")?;
        Ok(Fitted { model: Box::new(model), notes, said: None })
    }
}

/// A fitted pair and what its fit had to say, or why there is none.
pub type PairFit = Result<(FittedPair, Vec<Note>), FitError>;

/// Fits several pairs to the same customers: each count model and each spend model once, however many pairs share it.
///
/// # Shapes      one fit per pair, in their order; each is what the pair's own [`Learner::fit`] gives
pub fn fit_together(pairs: &[BuyTillYouDie], train: &TrainingSet<'_>, cx: &FitContext<'_>) -> Vec<PairFit> {
    let rfm = train.now.rfm;
    let fail = |error: &dyn Fn(&'static str) -> FitError| pairs.iter().map(|p| Err(error(p.name()))).collect();
    if rfm.is_empty() {
        let nobody = |learner| FitError::TooLittle { learner, needs: "customers".into(), found: "are none".into() };
        return fail(&nobody);
    }
    let grouped = match group(rfm) {
        Ok(grouped) => grouped,
        Err(error) => {
            let impossible = |learner| FitError::Invalid {
                learner,
                what: "the customers' summaries".into(),
                value: error.to_string(),
                rule: "times must be possible".into(),
            };
            return fail(&impossible);
        }
    };
    let counts = distinct(pairs.iter().map(|p| (p.count, p.options)));
    let spends = distinct(pairs.iter().map(|p| (p.spend, p.options)));
    let (count_fits, spend_fits): (Vec<_>, Vec<_>) = rayon::join(
        || {
            let fit = |(kind, options): &(CountKind, FitOptions)| {
                cx.progress.check()?;
                kind.fit(&grouped, options)
            };
            counts.par_iter().map(fit).collect()
        },
        || {
            let fit = |(kind, options): &(SpendKind, FitOptions)| {
                cx.progress.check()?;
                GammaGamma::fit(&spends_of(*kind, rfm), options)
            };
            spends.par_iter().map(fit).collect()
        },
    );
    let join = |pair: &BuyTillYouDie| {
        let count = find(&counts, &(pair.count, pair.options), &count_fits);
        let spend = find(&spends, &(pair.spend, pair.options), &spend_fits);
        pair.joined(count, spend, train, cx)
    };
    pairs.iter().map(join).collect()
}

/// Each value once, in the order of its first appearance.
pub(crate) fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut list = Vec::new();
    for value in values {
        if !list.contains(&value) {
            list.push(value);
        }
    }
    list
}

/// What belongs to `key`, which is among the keys.
fn find<'a, K: PartialEq, V>(keys: &[K], key: &K, values: &'a [V]) -> &'a V {
    let place = keys.iter().position(|k| k == key).expect("every key is listed");
    &values[place]
}

impl BuyTillYouDie {
    /// The pair of these two fits.
    fn joined(
        &self,
        count: &Result<Estimate<FittedCount>, FitError>,
        spend: &Result<Estimate<GammaGamma>, FitError>,
        train: &TrainingSet<'_>,
        cx: &FitContext<'_>,
    ) -> PairFit {
        let learner = self.name();
        let count = count.as_ref().map_err(|error| named(error.clone(), learner))?;
        let spend = spend.as_ref().map_err(|error| named(error.clone(), learner))?;
        let body = Body {
            unit_days: DAYS_PER_WEEK,
            standard_errors: standard_errors(count, spend),
            count: count.model,
            spend: FittedSpend { basis: self.spend, model: spend.model },
        };
        let notes: Vec<Note> = count.notes.iter().chain(&spend.notes).cloned().collect();
        let card = ModelCard {
            name: learner.to_owned(),
            format: FORMAT,
            cutoff: train.now.cutoff,
            horizon: train.now.horizon,
            n_customers: train.now.rfm.len(),
            seed: cx.seed,
            features: Vec::new(),
            parameters: body.parameters().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            log_likelihood: Some(count.log_likelihood),
        };
        Ok((FittedPair { card, body }, notes))
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

pub(crate) fn group(rfm: &RfmTable) -> Result<Grouped, crate::grouped::HistoryError> {
    Grouped::from_days(&rfm.repeats, &rfm.recency_days, &rfm.age_days)
}

fn spends_of(kind: SpendKind, rfm: &RfmTable) -> Vec<Spend> {
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

/// A spend model with its parameters, as it stands in an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct FittedSpend {
    pub(crate) basis: SpendKind,
    #[serde(flatten)]
    pub(crate) model: GammaGamma,
}

impl Body {
    fn parameters(&self) -> Vec<(&'static str, f64)> {
        let GammaGamma { p, q, gamma } = self.spend.model;
        let mut parameters = self.count.model().parameters();
        parameters.extend([("p", p), ("q", q), ("gamma", gamma)]);
        parameters
    }
}

/// A fitted count model and a fitted spend model.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedPair {
    card: ModelCard,
    body: Body,
}

/// The model of an artifact that [`Model::save`] wrote.
///
/// # Errors
/// [`ForecastError::Artifact`] for another format or kind of model, or parameters outside their range.
pub fn load(artifact: &Artifact) -> Result<FittedPair, ForecastError> {
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
    Ok(FittedPair { card: artifact.card.clone(), body })
}

impl FittedPair {
    pub(crate) fn count(&self) -> FittedCount {
        self.body.count
    }

    pub(crate) fn spend(&self) -> FittedSpend {
        self.body.spend
    }
}

impl Model for FittedPair {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn forecast(&self, cases: &Cases<'_>) -> Result<Forecasts, ForecastError> {
        Ok(forecast_together(&[self], cases)?.pop().expect("one model, one forecast"))
    }

    fn save(&self) -> Artifact {
        let body = serde_json::to_value(&self.body).expect("plain numbers and names serialise");
        Artifact { card: self.card.clone(), body }
    }
}
