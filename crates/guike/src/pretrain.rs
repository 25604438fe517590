//! Training the foundation model: simulated shops without end, real logs where they are given, and a folder to go on from.
//!
//! The one idea: a shop of the stream depends on the seed and its number alone, so that training that was stopped or killed
//! goes on from its last checkpoint to the same bits. The folder holds the checkpoint, a line of measurements per hundred
//! steps, and in the end the weights.

use std::path::{Path, PathBuf};

use guike_core::{Progress, Purchases, Seed};
use guike_data::import;
use guike_nn::Weights;
use guike_nn::foundation::{EpisodeConfig, Lesson, Losses, NetConfig, Trainer, examine};
use guike_store::{Journal, fingerprint_of, is_there, read_bytes, write_bytes};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::Error;
use crate::settings::Settings;
use crate::{LogFile, LogFiles};

pub use guike_nn::foundation::TrainConfig;
pub use guike_sim::{Mechanism, Prior};

/// Names of the files in the folder.
pub mod file_names {
    /// Everything needed to go on.
    pub const CHECKPOINT: &str = "checkpoint.safetensors";
    /// A line per hundred steps.
    pub const METRICS: &str = "metrics.jsonl";
    /// The network, when training is complete.
    pub const WEIGHTS: &str = "weights.safetensors";
}

/// Most steps between lines of measurements.
const LINE: u64 = 100;
/// Steps between measurements on shops that are kept apart.
const EXAMINE: u64 = 2000;
/// Shops that are kept for measuring, and never trained on.
const HELD: u64 = 200;
/// Customers of a simulated shop: every size as likely as its double.
const CUSTOMERS: (f64, f64) = (50.0, 700.0);

/// How large the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetSize {
    /// 0.3 million parameters: the one that ships.
    Nano,
    /// 4.5 million.
    Small,
    /// 46 million.
    Base,
}

impl NetSize {
    fn config(self) -> NetConfig {
        match self {
            NetSize::Nano => NetConfig::nano(),
            NetSize::Small => NetConfig::small(),
            NetSize::Base => NetConfig::base(),
        }
    }
}

/// A part of what the network is told that can be hidden from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hidden {
    /// Hand-made aggregates of each customer.
    Aggregates,
    /// Each customer's events.
    Events,
    /// Other customers at earlier anchors with what they then did.
    Context,
}

/// What to train on and for how long.
#[derive(Debug, Clone)]
pub struct Pretraining {
    /// Size of the network.
    pub size: NetSize,
    /// What is hidden from it, to measure what that is worth; nothing, usually.
    pub hidden: Vec<Hidden>,
    /// Steps, shops per step, learning rate.
    pub train: TrainConfig,
    /// Where simulated shops come from; the number of customers is drawn per shop.
    pub prior: Prior,
    /// Real logs, by themselves or in parts of several files.
    pub logs: Vec<LogFiles>,
    /// Share of lessons that come from real logs, where there are any.
    pub real: f64,
    /// Steps between checkpoints: what a kill can cost.
    pub checkpoint_every: u64,
    /// The only source of randomness.
    pub seed: Seed,
}

impl Pretraining {
    fn config(&self) -> NetConfig {
        let shown = |part| !self.hidden.contains(&part);
        NetConfig {
            aggregates: shown(Hidden::Aggregates),
            events: shown(Hidden::Events),
            context: shown(Hidden::Context),
            ..self.size.config()
        }
    }
}

/// A line of measurements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Steps taken.
    pub step: u64,
    /// Mean losses over the steps since the line before.
    pub losses: Losses,
    /// Their weighted sum, which training lowers.
    pub total: f64,
    /// Mean length of the gradient before it was clipped.
    pub gradient: f64,
    /// The learning rate.
    pub rate: f64,
    /// Losses on shops that are kept apart, every few thousand steps.
    pub held: Option<f64>,
}

/// What training came to.
#[derive(Debug, Clone, Serialize)]
pub struct PretrainSummary {
    /// The folder.
    pub out: PathBuf,
    /// Numbers in the network.
    pub parameters: usize,
    /// Steps taken in all, and before this call.
    pub steps: [u64; 2],
    /// Loss on shops that were kept apart.
    pub held: f64,
    /// Sixteen digits that tell the weights apart.
    pub fingerprint: String,
}

/// A real log, as much of it as lessons need.
struct Real {
    shop: Purchases,
    first: i32,
    last: i32,
}

/// Trains, or goes on training what was begun in the folder `out`; `tell` hears of every line as it is written.
///
/// # Errors
/// [`Error::Config`] for a prior or a network that cannot be, [`Error::Store`] when the folder holds other work or cannot be
/// written, the errors of reading a log, [`Error::Interrupted`] on request: the checkpoint then holds what was done.
pub fn pretrain(
    what: &Pretraining,
    out: &Path,
    settings: &Settings,
    progress: &dyn Progress,
    tell: &mut dyn FnMut(&Line),
) -> Result<PretrainSummary, Error> {
    what.prior.validate().map_err(|e| Error::Config {
        what: format!("the prior's `{}`", e.name),
        value: e.value.to_string(),
        rule: e.rule.to_owned(),
    })?;
    let counts = [
        ("--steps", what.train.steps),
        ("--shops", what.train.shops as u64),
        ("--checkpoint-every", what.checkpoint_every),
    ];
    if let Some((flag, _)) = counts.into_iter().find(|(_, n)| *n == 0) {
        return Err(Error::Config {
            what: flag.to_owned(),
            value: "0".to_owned(),
            rule: "it must be at least 1".to_owned(),
        });
    }
    let line_every = LINE.min(what.checkpoint_every);
    progress.stage("reading", 0);
    let real = what.logs.iter().map(|log| read(log, settings, progress)).collect::<Result<Vec<Real>, Error>>()?;
    let stream = |index: u64| lesson(what, &real, what.seed, index);
    let held = |index: u64| lesson(what, &real, what.seed.derive("held"), index);
    let checkpoint = out.join(file_names::CHECKPOINT);
    let work = json!({
        "size": what.size, "hidden": what.hidden, "train": what.train, "prior": what.prior, "real": what.real, "seed": what.seed,
        "logs": what.logs.iter().map(fingerprint_of_log).collect::<Result<Vec<_>, _>>()?,
    });
    let (mut journal, _) = Journal::open::<Line>(&out.join(file_names::METRICS), &work)?;
    progress.stage("beginning", 0);
    let mut trainer = match is_there(&checkpoint) {
        true => {
            let corrupt = |e: guike_nn::WeightsError| {
                Error::Store(guike_store::StoreError::Corrupt { path: checkpoint.clone(), reason: e.to_string() })
            };
            Weights::from_bytes(&read_bytes(&checkpoint)?).and_then(|w| Trainer::resume(&w)).map_err(corrupt)?
        }
        false => Trainer::begin(what.config(), what.train.clone(), what.seed, &stream),
    };
    let before = trainer.step;
    progress.stage("training", what.train.steps);
    progress.advance(before);
    let mut lines = Vec::new();
    let mut sums = (Losses::default(), 0.0, 0.0);
    let examine_now = |trainer: &Trainer| {
        examine(&trainer.averaged(), &held, HELD, &EpisodeConfig::default(), what.seed.derive("examine")).total()
    };
    let save = |trainer: &Trainer, lines: &mut Vec<Line>, journal: &mut Journal| -> Result<(), Error> {
        write_bytes(&checkpoint, &trainer.save().to_bytes())?;
        lines.drain(..).try_for_each(|line| Ok(journal.append(&line)?))
    };
    while trainer.step < what.train.steps {
        let report = trainer.advance(&stream);
        progress.advance(1);
        sums.0.add(&report.losses, 1.0);
        sums.1 += f64::from(report.gradient);
        sums.2 += 1.0;
        if report.step.is_multiple_of(line_every) || report.step == what.train.steps {
            let mut losses = Losses::default();
            losses.add(&sums.0, 1.0 / sums.2);
            let held = report.step.is_multiple_of(EXAMINE).then(|| examine_now(&trainer));
            let line = Line {
                step: report.step,
                losses,
                total: losses.total(),
                gradient: sums.1 / sums.2,
                rate: f64::from(report.rate),
                held,
            };
            tell(&line);
            lines.push(line);
            sums = (Losses::default(), 0.0, 0.0);
        }
        if report.step.is_multiple_of(what.checkpoint_every) {
            save(&trainer, &mut lines, &mut journal)?;
        }
        // between checkpoints the lines and the sums would be lost: what is asked to stop goes on to the next line
        if progress.cancelled() && sums.2 == 0.0 {
            save(&trainer, &mut lines, &mut journal)?;
            return Err(Error::Interrupted);
        }
    }
    save(&trainer, &mut lines, &mut journal)?;
    progress.stage("measuring", 0);
    let net = trainer.averaged();
    let held = examine_now(&trainer);
    write_bytes(&out.join(file_names::WEIGHTS), &net.to_weights().to_bytes())?;
    Ok(PretrainSummary {
        out: out.to_owned(),
        parameters: net.params.len(),
        steps: [trainer.step, before],
        held,
        fingerprint: net.fingerprint(),
    })
}

/// The lesson of this number.
fn lesson(what: &Pretraining, real: &[Real], seed: Seed, index: u64) -> Lesson {
    let draw = |name: &str| (seed.derive(name).at(index).0 >> 11) as f64 / (1_u64 << 53) as f64;
    let customers = (CUSTOMERS.0 * (CUSTOMERS.1 / CUSTOMERS.0).powf(draw("customers"))) as u32;
    if !real.is_empty() && draw("real") < what.real {
        let log = &real[(draw("log") * real.len() as f64) as usize];
        return part_of(log, customers, seed.derive("part").at(index));
    }
    let shop = Prior { customers, ..what.prior.clone() }.shop(seed.derive("shops").at(index));
    // days of the calendar, so that a season is where it belongs
    let first = i32::from(shop.start_day_of_year);
    Lesson {
        last_day: first + shop.days as i32 - 1,
        left: Some(shop.death_day.iter().map(|d| d + f64::from(first)).collect()),
        shop: Purchases {
            offsets: shop.offsets.iter().map(|&o| u64::from(o)).collect(),
            day: shop.day.iter().map(|d| d + first).collect(),
            spend: shop.spend,
        },
    }
}

fn fingerprint_of_log(log: &LogFiles) -> Result<String, Error> {
    let paths: Vec<&Path> = log.iter().map(LogFile::at).collect();
    Ok(fingerprint_of(&paths)?)
}

fn read(log: &LogFiles, settings: &Settings, progress: &dyn Progress) -> Result<Real, Error> {
    let log = import(log, &settings.data, progress)?.log;
    let (first, last) = log.purchase_span().ok_or_else(|| {
        Error::NoAnswer("a log to train on has no purchase left after cleaning; leave it out".to_owned())
    })?;
    let past = log.before(guike_core::Cutoff::after(last));
    let shop = guike_features::purchases(&past, &past.buyers());
    Ok(Real { shop, first: first.0, last: last.0 })
}

/// About so many customers of a log, over all or the first part of its days.
fn part_of(log: &Real, customers: u32, seed: Seed) -> Lesson {
    let days = f64::from(log.last - log.first + 1);
    let share = 0.4 + 0.6 * (seed.derive("days").0 >> 11) as f64 / (1_u64 << 53) as f64;
    let last_day = log.first + (days * share) as i32 - 1;
    let limit = (u64::MAX as f64 * f64::from(customers) / log.shop.len() as f64) as u64;
    let mut shop = Purchases { offsets: vec![0], ..Purchases::default() };
    for case in (0..log.shop.len()).filter(|&i| seed.at(i as u64).0 <= limit) {
        let (day, spend) = log.shop.case(case);
        let n = day.partition_point(|&d| d <= last_day);
        if n > 0 {
            shop.day.extend_from_slice(&day[..n]);
            shop.spend.extend_from_slice(&spend[..n]);
            shop.offsets.push(shop.day.len() as u64);
        }
    }
    Lesson { shop, last_day, left: None }
}
