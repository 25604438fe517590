//! Steps of training the foundation model against PyTorch: the same network, weights, shops, loss and optimizer.
//!
//! Each turn is a process of its own for both, which has the shops in memory before the clock starts. The loss of the first step
//! tells that both train the same network on the same customers.

use std::path::Path;

use guike_core::{Purchases, Seed};
use guike_nn::foundation::{EpisodeConfig, Lesson, NetConfig, TrainConfig, Trainer, episode_arrays};
use guike_sim::Prior;
use serde::{Deserialize, Serialize};

use crate::record::{Case, Contender, Record};
use crate::usage::{Cost, answer, timed};
use crate::{Setting, peers};

const ROUNDS: usize = 5;
/// Shops that are trained on, again and again, and per step.
const SHOPS: usize = 32;
const PER_STEP: usize = 8;
/// Steps per turn, after one pass over the shops.
const STEPS: u64 = 40;
const THREADS: usize = 2;
const SEED: Seed = Seed(1);

/// What one turn prints; `bench/peers/foundation_torch.py` prints the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Turn {
    loss: f64,
    cpu: f64,
    wall: f64,
    peak_mib: f64,
}

fn lesson(index: u64) -> Lesson {
    let customers = 50 + (index as u32 * 163) % 650;
    let shop = Prior { customers, ..Prior::default() }.shop(SEED.derive("bench").at(index));
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

fn config() -> TrainConfig {
    let mut config = TrainConfig { steps: 10_000, shops: PER_STEP, ..TrainConfig::default() };
    // the full rate from the first step, as the peer has it
    config.schedule.warm_up = 0;
    config
}

/// One turn of ours: trains so many steps and prints a [`Turn`].
///
/// # Errors
/// When the answer cannot be printed.
pub(crate) fn train_once() -> Result<(), String> {
    let lessons: Vec<Lesson> = (0..SHOPS as u64).map(lesson).collect();
    let stream = |at: u64| lessons[Trainer::shop_of(at) as usize % SHOPS].clone();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().map_err(|e| e.to_string())?;
    let turn = pool.install(|| {
        let mut trainer = Trainer::begin(NetConfig::nano(), config(), SEED, &stream);
        let first: Vec<f64> = (0..SHOPS / PER_STEP).map(|_| trainer.advance(&stream).losses.total()).collect();
        let ((), Cost { cpu_s, wall_s, peak_mib }) = timed(|| {
            for _ in 0..STEPS {
                trainer.advance(&stream);
            }
        });
        Turn { loss: first[0], cpu: cpu_s, wall: wall_s, peak_mib }
    });
    println!("{}", serde_json::to_string(&turn).map_err(|e| e.to_string())?);
    Ok(())
}

/// Weights and episodes as files that the peer reads.
fn write_files(folder: &Path) -> Result<(), String> {
    let lessons: Vec<Lesson> = (0..SHOPS as u64).map(lesson).collect();
    let stream = |at: u64| lessons[Trainer::shop_of(at) as usize % SHOPS].clone();
    let trainer = Trainer::begin(NetConfig::nano(), config(), SEED, &stream);
    let write = |name: &str, bytes: Vec<u8>| {
        std::fs::write(folder.join(name), bytes).map_err(|e| format!("{}: {e}", folder.join(name).display()))
    };
    write("weights.safetensors", trainer.net.to_weights().to_bytes())?;
    for i in 0..SHOPS as u64 {
        let arrays = episode_arrays(&trainer.net, &stream, i, &EpisodeConfig::default(), SEED)
            .ok_or_else(|| format!("shop {i} is too small for an episode"))?;
        write(&format!("episode-{i}.safetensors"), arrays.to_bytes())?;
    }
    Ok(())
}

/// The comparison.
///
/// # Errors
/// When the peer cannot run.
pub(crate) fn run(setting: &Setting) -> Result<Record, String> {
    let python = peers::python(&setting.root)?;
    let folder = setting.scratch.join("foundation");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    write_files(&folder)?;
    let this = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
    let text = |p: &Path| p.display().to_string();
    let ours = vec![text(&this), "pretrain-steps".to_owned()];
    let script = setting.root.join("bench/peers/foundation_torch.py");
    let theirs: Vec<String> = [text(&python), text(&script), "--folder".to_owned(), text(&folder)]
        .into_iter()
        .chain(
            ["--shops", &PER_STEP.to_string(), "--steps", &STEPS.to_string(), "--threads", &THREADS.to_string()]
                .map(str::to_owned),
        )
        .collect();
    let mut turns: [Vec<Turn>; 2] = [Vec::new(), Vec::new()];
    for round in 0..setting.rounds.unwrap_or(ROUNDS) {
        for (turns, command) in turns.iter_mut().zip([&ours, &theirs]) {
            turns.push(answer(command, &folder)?);
        }
        eprintln!("round {}: {:.2} s and {:.2} s of CPU", round + 1, turns[0][round].cpu, turns[1][round].cpu);
    }
    let contender = |name: &str, turns: &[Turn]| Contender {
        name: name.to_owned(),
        cpu_s: turns.iter().map(|t| t.cpu).collect(),
        wall_s: turns.iter().map(|t| t.wall).collect(),
        peak_mib: turns.iter().map(|t| t.peak_mib).reduce(f64::max),
        result: format!("loss of the first step {:.6}", turns[0].loss),
    };
    let case = Case {
        work: format!("{STEPS} steps of AdamW over {PER_STEP} shops each, nano"),
        data: format!("{SHOPS} simulated shops, up to 160 customers and 320 examples each"),
        contenders: vec![contender("guike", &turns[0]), contender("PyTorch", &turns[1])],
    };
    let method = "Training the foundation model, each turn in a process of its own on two threads, shops in memory. Ours draws \
                  the episode of every shop anew within the clock; the peer has them ready, and runs the recurrence over \
                  padded events, all customers at a time.";
    let mut record = Record::begin(&setting.root, "foundation", method);
    record.versions = peers::versions(&python, &["torch"]);
    record.cases.push(case);
    Ok(record)
}
