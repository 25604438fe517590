//! The foundation model as a learner among others: it reads a shop's histories and is then ready to forecast.

use std::collections::BTreeMap;
use std::sync::Arc;

use guike_core::{
    Artifact, Cases, FitContext, FitError, Fitted, ForecastError, Forecasts, Inputs, Learner, Model, ModelCard, Note,
    Purchases, Target, TrainingSet,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::adapt::{AdaptConfig, Adaptation, Adapted, adapt};
use super::forecast::{KnownShop, Read};
use super::net::Net;

/// Stable names: as it comes, and with its last step fitted to the shop.
pub const ZERO_SHOT: &str = "foundation";
/// See [`ZERO_SHOT`].
pub const ADAPTED: &str = "foundation-adapted";
/// What a name costs where two candidates do not differ: nothing is estimated, and yet it is not a formula; or the last step.
const COMPLEXITY: [u32; 2] = [50, 500];

/// The network with or without adaptation.
#[derive(Debug, Clone)]
pub struct Foundation {
    /// The network.
    pub net: Arc<Net>,
    /// How its last step follows the shop; `None` leaves it as it is.
    pub adapt: Option<AdaptConfig>,
}

impl Learner for Foundation {
    fn name(&self) -> &'static str {
        if self.adapt.is_some() { ADAPTED } else { ZERO_SHOT }
    }

    fn needs(&self) -> Inputs {
        Inputs::Sequences
    }

    fn targets(&self) -> &'static [Target] {
        &[Target::Orders, Target::Spend, Target::Active]
    }

    fn complexity(&self) -> u32 {
        COMPLEXITY[usize::from(self.adapt.is_some())]
    }

    fn fit(&self, train: &TrainingSet<'_>, cx: &FitContext<'_>) -> Result<Fitted, FitError> {
        let (model, notes) = self.read(train, cx)?;
        Ok(Fitted { model: Box::new(model), notes, said: None })
    }
}

impl Foundation {
    /// Reads a shop, as [`Learner::fit`] does.
    ///
    /// # Errors
    /// [`FitError::TooLittle`] without a customer, [`FitError::Cancelled`].
    pub fn read(&self, train: &TrainingSet<'_>, cx: &FitContext<'_>) -> Result<(FoundationModel, Vec<Note>), FitError> {
        cx.progress.check()?;
        let now = &train.now;
        let name = self.name();
        let nobody = || FitError::TooLittle {
            learner: name,
            needs: "the purchase days of at least one customer".to_owned(),
            found: "are none".to_owned(),
        };
        let shop = now.purchases.filter(|p| !p.is_empty()).ok_or_else(nobody)?;
        let (mut net, mut notes, mut adapted) = (Arc::clone(&self.net), Vec::new(), None);
        if let Some(config) = &self.adapt {
            match adapt(&net, shop, now.cutoff, now.horizon, config, cx)? {
                Adaptation::Left(why) => notes.push(Note(why.to_owned())),
                Adaptation::Fitted(found) => {
                    notes.push(Note(found.in_words()));
                    net = Arc::new(found.applied_to(&net));
                    adapted = Some(found);
                }
            }
        }
        // the horizon in view is the one of the fit; any other can be asked for later
        let known = KnownShop::read(&net, shop, now.cutoff, now.horizon, cx.seed).ok_or_else(nobody)?;
        let card = ModelCard {
            name: name.to_owned(),
            format: 1,
            cutoff: now.cutoff,
            horizon: now.horizon,
            n_customers: now.len(),
            seed: cx.seed,
            features: Vec::new(),
            parameters: BTreeMap::new(),
            log_likelihood: None,
        };
        let weights = self.net.fingerprint();
        Ok((FoundationModel { card, known, weights, adapted }, notes))
    }
}

/// A shop that the network has read.
#[derive(Debug)]
pub struct FoundationModel {
    card: ModelCard,
    known: KnownShop,
    /// Fingerprint of the weights before adaptation.
    weights: String,
    adapted: Option<Adapted>,
}

impl FoundationModel {
    /// Reads a model back; `net` is the network it was made with.
    ///
    /// # Errors
    /// [`ForecastError::Artifact`] for a body that is not this model's, or one that other weights made.
    pub fn load(artifact: &Artifact, net: &Arc<Net>) -> Result<FoundationModel, ForecastError> {
        let name = &artifact.card.name;
        let bad = |what: &str, e: String| ForecastError::Artifact(format!("`{name}`: `{what}`: {e}"));
        let part = |key: &str| artifact.body.get(key).ok_or_else(|| bad(key, "is missing".to_owned()));
        let weights: String = Deserialize::deserialize(part("weights")?).map_err(|e| bad("weights", e.to_string()))?;
        let here = net.fingerprint();
        if weights != here {
            let why = format!("was made with weights {weights}, and this version has {here}; run it anew");
            return Err(bad("weights", why));
        }
        let read: Read = Deserialize::deserialize(part("read")?).map_err(|e| bad("read", e.to_string()))?;
        if !read.fits(net) {
            return Err(bad("read", "has other sizes than the network".to_owned()));
        }
        let adapted: Option<Adapted> = match artifact.body.get("adapted") {
            None | Some(Value::Null) => None,
            Some(v) => Some(Deserialize::deserialize(v).map_err(|e| bad("adapted", e.to_string()))?),
        };
        let net = match &adapted {
            Some(a) if !a.fits(net) => return Err(bad("adapted", "has other sizes than the network".to_owned())),
            Some(a) => Arc::new(a.applied_to(net)),
            None => Arc::clone(net),
        };
        Ok(FoundationModel { card: artifact.card.clone(), known: KnownShop::of(net, read), weights, adapted })
    }
}

impl Model for FoundationModel {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn forecast(&self, cases: &Cases<'_>) -> Result<Forecasts, ForecastError> {
        let schema = || ForecastError::Schema {
            model: self.card.name.clone(),
            needs: "the purchase days of every customer".to_owned(),
        };
        let purchases: &Purchases = cases.purchases.filter(|p| p.len() == cases.len()).ok_or_else(schema)?;
        Ok(self.known.forecast(purchases, cases.cutoff, cases.horizon))
    }

    fn save(&self) -> Artifact {
        let body = json!({ "weights": self.weights, "read": self.known.kept(), "adapted": self.adapted });
        Artifact { card: self.card.clone(), body }
    }
}
