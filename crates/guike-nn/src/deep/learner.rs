//! Deep learners among others: fitted to a shop's earlier anchors, forecasting any horizon, saved as JSON.

use std::collections::BTreeMap;

use guike_core::{
    Artifact, Cases, FitContext, FitError, Fitted, ForecastError, Forecasts, INTERVAL_LEVELS, Inputs, Learner, Model,
    ModelCard, Note, Purchases, Target, TrainingSet,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::fit::{DeepConfig, Level, TOGETHER, fit};
use super::lessons::{Lessons, Told};
use super::net::{DeepNet, Reading};
use super::value::{Said, ValueHead};
use crate::foundation::nothing;
use crate::params::Params;
use crate::tape::{Tape, Workspace};
use crate::told::{Base, Pieces, ROW_FEATURES, Scene};

/// Fewest labelled customers, and fewest of them who bought.
const LEAST: [usize; 2] = [100, 25];

/// A deep learner.
#[derive(Debug, Clone)]
pub struct Deep {
    /// Stable name, one of [`super::NAMES`].
    pub name: &'static str,
    /// How a history is read, beside the aggregates.
    pub reading: Reading,
    /// How spend is said.
    pub head: ValueHead,
    /// How it learns.
    pub config: DeepConfig,
}

impl Learner for Deep {
    fn name(&self) -> &'static str {
        self.name
    }

    fn needs(&self) -> Inputs {
        Inputs::Sequences
    }

    fn targets(&self) -> &'static [Target] {
        &[Target::Orders, Target::Spend, Target::Active]
    }

    fn complexity(&self) -> u32 {
        let (_, params) = DeepNet::new(self.reading, self.head, &self.config, guike_core::Seed(0));
        (params.len() * self.config.members) as u32
    }

    fn fit(&self, train: &TrainingSet<'_>, cx: &FitContext<'_>) -> Result<Fitted, FitError> {
        cx.progress.check()?;
        let now = &train.now;
        let too_little = |found: String| FitError::TooLittle {
            learner: self.name,
            needs: format!("{} customers at earlier anchors and {} of them who bought again", LEAST[0], LEAST[1]),
            found,
        };
        let anchor = now.cutoff.last_day().0;
        let read = now.purchases.and_then(|shop| Some((shop, Scene::read(shop, anchor)?)));
        let (shop, scene) = read.ok_or_else(|| too_little("is no customer".to_owned()))?;
        let horizon = now.horizon.days() as i32;
        let lessons = Lessons::draw(shop, &scene, horizon, self.reading, self.config.rows, cx.seed.derive("lessons"));
        let found = [lessons.bases.len(), lessons.active()];
        if found[0] < LEAST[0] || found[1] < LEAST[1] || lessons.aside.is_empty() {
            return Err(too_little(format!("are {} with {}", found[0], found[1])));
        }
        let pieces = Pieces::of(&lessons.told.rows.features, ROW_FEATURES.len());
        let fit = fit(&lessons, &pieces, (self.reading, self.head), &self.config, cx.seed, cx.progress)?;
        let least = fit.passes.iter().min().copied().unwrap_or_default();
        let passes = match fit.passes.iter().max().copied().unwrap_or_default() {
            most if most == least => format!("{least}"),
            most => format!("{least} to {most}"),
        };
        let note = format!(
            "{}: {} networks of {} numbers learned from {} customers at earlier anchors, {passes} passes each",
            self.name,
            fit.members.len(),
            fit.members[0].len(),
            lessons.learned.len(),
        );
        let card = ModelCard {
            name: self.name.to_owned(),
            format: 1,
            cutoff: now.cutoff,
            horizon: now.horizon,
            n_customers: now.len(),
            seed: cx.seed,
            features: Vec::new(),
            parameters: BTreeMap::new(),
            log_likelihood: None,
        };
        let kept = Kept {
            reading: self.reading,
            head: self.head,
            config: self.config,
            window: lessons.window,
            scene,
            pieces: pieces.0.clone(),
            level: fit.level,
            members: fit.members.iter().map(|m| m.values.clone()).collect(),
        };
        let model = DeepModel { card, pieces, net: fit.net, members: fit.members, kept };
        Ok(Fitted { model: Box::new(model), notes: vec![Note(note)], said: None })
    }
}

/// What is saved.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    reading: Reading,
    head: ValueHead,
    config: DeepConfig,
    /// Days of the label window.
    window: i32,
    scene: Scene,
    pieces: Vec<f32>,
    level: Level,
    members: Vec<Vec<f32>>,
}

/// An ensemble of networks that has learned a shop.
#[derive(Debug)]
pub struct DeepModel {
    card: ModelCard,
    kept: Kept,
    pieces: Pieces,
    net: DeepNet,
    members: Vec<Params>,
}

impl DeepModel {
    /// Reads a model back.
    ///
    /// # Errors
    /// [`ForecastError::Artifact`] for a body that is not such a model's.
    pub fn load(artifact: &Artifact) -> Result<DeepModel, ForecastError> {
        let name = &artifact.card.name;
        let bad = |e: String| ForecastError::Artifact(format!("`{name}`: {e}"));
        let kept: Kept = Deserialize::deserialize(&artifact.body).map_err(|e: serde_json::Error| bad(e.to_string()))?;
        let pieces = Pieces(kept.pieces.clone());
        let sizes = [kept.config.width, kept.config.blocks];
        if !kept.scene.fits() || pieces.numbers() != ROW_FEATURES.len() || kept.members.is_empty() || sizes > [4096, 64]
        {
            return Err(bad("its parts have sizes that do not belong together".to_owned()));
        }
        let (net, empty) = DeepNet::new(kept.reading, kept.head, &kept.config, guike_core::Seed(0));
        let members = kept.members.iter().map(|values| match values.len() == empty.len() {
            true => Ok(Params { values: values.clone(), ..empty.clone() }),
            false => Err(bad(format!("a network has {} numbers and needs {}", values.len(), empty.len()))),
        });
        let members = members.collect::<Result<_, _>>()?;
        Ok(DeepModel { card: artifact.card.clone(), pieces, net, members, kept })
    }

    /// What is said of customers `from` to `to` within the label window.
    fn ask(&self, cases: &Purchases, scene: &Scene, from: usize, to: usize, ws: &mut Workspace) -> Vec<Said> {
        let mut told = Told::new();
        let mut bases = Vec::with_capacity(to - from);
        for i in from..to {
            let (day, spend) = cases.case(i);
            // at least the first: whoever is asked about has bought
            let n = day.partition_point(|&d| d <= scene.anchor).max(1);
            told.push(&day[..n], &spend[..n], scene, self.kept.reading);
            bases.push(Base::of(&day[..n], &spend[..n], scene.anchor, scene.log_spend));
        }
        let (head, window) = (self.kept.head, f64::from(self.kept.window));
        let mut by_member: Vec<Vec<Said>> = Vec::with_capacity(self.members.len());
        for params in &self.members {
            let mut tape = Tape::new(params, ws);
            let out = self.net.say(&mut tape, &told, &self.pieces, None);
            let out = tape.value(out).chunks_exact(head.outputs());
            by_member.push(out.zip(&bases).map(|(out, &base)| Said::read(head, out, base, window)).collect());
        }
        let level = self.kept.level;
        let mean = |i: usize| {
            let said = Said::mean(&by_member.iter().map(|m| m[i]).collect::<Vec<Said>>());
            Said {
                log_odds: said.log_odds + level.log_odds,
                orders: said.orders * level.log_orders.exp(),
                spend: said.spend * level.log_spend.exp(),
                ..said
            }
        };
        (0..bases.len()).map(mean).collect()
    }
}

/// What a customer's window says about another horizon: she goes on at the same pace.
struct Ahead {
    said: Said,
    window: f64,
    /// Horizon over window.
    ratio: f64,
    active: f64,
}

impl Ahead {
    fn new(said: Said, window: f64, horizon: f64) -> Ahead {
        let ratio = horizon / window;
        // silence over the window, and again
        let active = -(ratio * (-said.active()).ln_1p()).exp_m1();
        Ahead { said, window, ratio, active }
    }

    fn spend_quantile(&self, level: f64) -> f64 {
        let none = 1.0 - self.active;
        if level <= none {
            return 0.0;
        }
        // who buys spends so many times what she spends in a window
        let more = (self.ratio * self.said.active() / self.active).ln();
        (self.said.log_quantile((level - none) / self.active) + more).exp()
    }

    /// Days until silence is as likely as not; infinite where that takes more than ten years.
    fn median_wait(&self) -> f64 {
        let days = self.window * 0.5_f64.ln() / (-self.said.active()).ln_1p();
        if days > 3650.0 { f64::INFINITY } else { days }
    }
}

impl Model for DeepModel {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn forecast(&self, cases: &Cases<'_>) -> Result<Forecasts, ForecastError> {
        let schema = || ForecastError::Schema {
            model: self.card.name.clone(),
            needs: "the purchase days of every customer".to_owned(),
        };
        let purchases: &Purchases = cases.purchases.filter(|p| p.len() == cases.len()).ok_or_else(schema)?;
        let mut scene = self.kept.scene.clone();
        if cases.cutoff.last_day().0 != scene.anchor {
            scene.move_to(cases.cutoff.last_day().0);
        }
        let n = cases.len();
        let (window, horizon) = (f64::from(self.kept.window), f64::from(cases.horizon.days()));
        let median = scene.log_spend.exp();
        let parts: Vec<Vec<Said>> = (0..n.div_ceil(TOGETHER))
            .into_par_iter()
            .map_init(Workspace::default, |ws, part| {
                self.ask(purchases, &scene, part * TOGETHER, n.min((part + 1) * TOGETHER), ws)
            })
            .collect();
        let mut all = nothing(cases.horizon);
        for said in parts.into_iter().flatten() {
            let ahead = Ahead::new(said, window, horizon);
            all.expected_orders.push(said.orders * ahead.ratio);
            all.expected_spend.push(said.active() * said.spend * ahead.ratio * median);
            all.p_active.push(ahead.active);
            all.next_order_days.push(ahead.median_wait());
            all.spend.values.extend(INTERVAL_LEVELS.iter().map(|&level| median * ahead.spend_quantile(level)));
        }
        Ok(all)
    }

    fn save(&self) -> Artifact {
        Artifact { card: self.card.clone(), body: serde_json::to_value(&self.kept).expect("plain data") }
    }
}
