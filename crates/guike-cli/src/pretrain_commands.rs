//! `guike pretrain`: flags to what is trained, one call of the façade, and what to print.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args as ClapArgs, ValueEnum};
use guike::Error;
use guike::pretrain::{Hidden, Line, Mechanism, NetSize, Pretraining, Prior, TrainConfig};
use guike_core::Seed;

use crate::args::{DataFlags, Threads};
use crate::commands;
use crate::progress::Bar;
use crate::show;

/// Size of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Size {
    /// 0.3 million parameters: the one that ships.
    Nano,
    /// 4.5 million parameters.
    Small,
    /// 46 million parameters.
    Base,
}

/// How hidden matrices follow their gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Optimizer {
    /// Loshchilov & Hutter (2019), as all other parameters.
    Adamw,
    /// Jordan et al. (2024): along the nearest orthogonal matrix.
    Muon,
}

/// A part of what the network is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Hand-made aggregates of each customer.
    Aggregates,
    /// Each customer's events.
    Events,
    /// Other customers at earlier anchors with what they then did.
    Context,
}

/// `guike pretrain`.
#[derive(Debug, ClapArgs)]
pub(crate) struct Pretrain {
    /// Folder for checkpoint, measurements and weights; training goes on where it was stopped.
    #[arg(long, default_value = "guike-pretrained")]
    out: PathBuf,
    /// Size of the network.
    #[arg(long, value_enum, default_value = "nano")]
    size: Size,
    /// Steps of training.
    #[arg(long, default_value_t = 24_000, value_name = "N")]
    steps: u64,
    /// Shops per step.
    #[arg(long, default_value_t = 8, value_name = "N")]
    shops: usize,
    /// Highest learning rate.
    #[arg(long, default_value_t = 2e-3, value_name = "RATE")]
    rate: f32,
    /// What moves the hidden matrices.
    #[arg(long, value_enum, default_value = "muon")]
    optimizer: Optimizer,
    /// Parts of what the network is told to hide from it, separated by commas, to measure what they are worth.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PARTS")]
    hide: Vec<Part>,
    /// Mechanisms of simulated shops to leave out, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    without: Vec<String>,
    /// A real order log to learn from too; may be given several times. Never one that you will judge the model on.
    #[arg(long, value_name = "FILE")]
    log: Vec<PathBuf>,
    /// Share of lessons from real logs.
    #[arg(long, default_value_t = 0.2, value_name = "SHARE")]
    real: f64,
    /// Steps between checkpoints.
    #[arg(long, default_value_t = 500, value_name = "N")]
    checkpoint_every: u64,
    /// Seed of all randomness.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    #[command(flatten)]
    data: DataFlags,
    #[command(flatten)]
    threads: Threads,
}

/// As its authors set it.
const MUON_MOMENTUM: f32 = 0.95;

impl Part {
    fn hidden(self) -> Hidden {
        match self {
            Part::Aggregates => Hidden::Aggregates,
            Part::Events => Hidden::Events,
            Part::Context => Hidden::Context,
        }
    }
}

pub(crate) fn pretrain(flags: &Pretrain, bar: &Bar, quiet: bool) -> Result<(), Error> {
    let without = flags.without.iter().map(|name| mechanism(name)).collect::<Result<Vec<_>, Error>>()?;
    if !(0.0..=1.0).contains(&flags.real) {
        return Err(Error::Config {
            what: "--real".to_owned(),
            value: flags.real.to_string(),
            rule: "a share lies between 0 and 1".to_owned(),
        });
    }
    let mut train = TrainConfig { steps: flags.steps, shops: flags.shops, ..TrainConfig::default() };
    train.schedule.peak = flags.rate;
    train.optimizer.muon = (flags.optimizer == Optimizer::Muon).then_some(MUON_MOMENTUM);
    let size = match flags.size {
        Size::Nano => NetSize::Nano,
        Size::Small => NetSize::Small,
        Size::Base => NetSize::Base,
    };
    let logs = flags
        .log
        .iter()
        .map(|path| commands::files(std::slice::from_ref(path), &guike::ReadOptions::default(), bar))
        .collect::<Result<_, _>>()?;
    let prior = Prior { without, ..Prior::default() };
    let what = Pretraining {
        size,
        hidden: flags.hide.iter().map(|part| part.hidden()).collect(),
        train,
        prior,
        logs,
        real: flags.real,
        checkpoint_every: flags.checkpoint_every,
        seed: Seed(flags.seed),
    };
    let settings = commands::settings(&flags.data, None)?;
    let begun = Instant::now();
    let mut first = None;
    let mut tell = |line: &Line| {
        let (from, since) = *first.get_or_insert((line.step, begun.elapsed()));
        let gone = (begun.elapsed() - since).as_secs_f64();
        let pace = if line.step > from { (line.step - from) as f64 / gone } else { 0.0 };
        let said = match line.held {
            Some(held) => format!("step {}: loss {:.4}, on shops kept apart {held:.4}", line.step, line.total),
            // a line per thousand steps is enough where nobody looks
            None if line.step.is_multiple_of(1000) => format!("step {}: loss {:.4}", line.step, line.total),
            None => return,
        };
        if !quiet {
            bar.say(&format!("{said}; {:.0} shops a second", pace * flags.shops as f64));
        }
    };
    let train = || guike::pretrain::pretrain(&what, &flags.out, &settings, bar, &mut tell);
    let summary = guike::in_pool(flags.threads.threads, train);
    bar.finish();
    let summary = summary?;
    if !quiet {
        let [steps, before] = summary.steps;
        show::message(&format!(
            "{} parameters, {steps} steps ({} now); loss on shops kept apart {:.4}; weights {} in {}",
            summary.parameters,
            steps - before,
            summary.held,
            summary.fingerprint,
            summary.out.join(guike::pretrain::file_names::WEIGHTS).display()
        ));
    }
    Ok(())
}

fn mechanism(name: &str) -> Result<Mechanism, Error> {
    Mechanism::ALL.into_iter().find(|m| m.name() == name).ok_or_else(|| Error::Config {
        what: "--without".to_owned(),
        value: name.to_owned(),
        rule: format!("the mechanisms are {}", Mechanism::ALL.map(Mechanism::name).join(", ")),
    })
}
