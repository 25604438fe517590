//! Timings and comparisons with peers: `cargo run --release -p bench -- COMMAND`.
//!
//! The one idea: a comparison runs both contenders in turns (A B A B …) in one go and reports CPU time with its spread,
//! because only that is fair on a machine that does other things too. Every run is kept in `bench/runs` and
//! `docs/benchmarks.md` is generated from the newest run of each name. Nothing here is part of the product.
#![allow(clippy::print_stdout, clippy::print_stderr)] // this is a command: printing is its work

mod accuracy;
mod btyd;
mod features;
mod foundation;
mod learners;
mod page;
mod peers;
mod record;
mod simulated;
mod steps;
mod summary;
mod tables;
mod trees;
mod usage;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo run --release -p bench -- COMMAND [--rounds N] [--shared DIR]

  btyd       BG/NBD fit and forecast against lifetimes: full CDNOW, and 1,000,000 simulated customers
  features   features of 20 million orders of 1,000,000 customers against DuckDB, Polars and pandas
  learners   logistic regression, support vector machines, k-means, mixture and Ward's tree against scikit-learn and scipy
  steps      import, features, fits, forecast and the whole `guike run` on full CDNOW
  foundation training steps of the foundation model against PyTorch (which must be there: `pip install torch`)
  trees      boosting against LightGBM, a random forest against scikit-learn's, on simulated tables
  accuracy   `guike run` on five public logs against the predictions of the peers kept in DIR/clv/preds
  tables     `guike train` on public tables against LightGBM, XGBoost, CatBoost and scikit-learn, on the same folds
  page       docs/benchmarks.md from the newest run of each kind (the others do that at their end too)

  --rounds   how many turns each contender gets; default 7 (3 for features, 5 for learners and foundation, 5 or 3 for trees, 1 for
             accuracy)
  --shared   folder with public data sets, `data` and `clv`; default ../shared
";

/// What a command works with.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// The root of the repository.
    pub(crate) root: PathBuf,
    /// Public data sets and the peers' predictions.
    pub(crate) shared: PathBuf,
    /// Scratch below `target`.
    pub(crate) scratch: PathBuf,
    /// Turns of each contender, where given.
    pub(crate) rounds: Option<usize>,
}

impl Setting {
    /// A public file, or in words that it is not there.
    pub(crate) fn public(&self, relative: &str) -> Result<PathBuf, String> {
        let path = self.shared.join(relative);
        if path.exists() {
            Ok(path)
        } else {
            Err(format!("{} is not there; --shared DIR says where the public data sets are", path.display()))
        }
    }

    /// The release binary of the product, built when it is older than its sources; `GUIKE_BENCH_BINARY` names another one.
    pub(crate) fn guike(&self) -> Result<PathBuf, String> {
        if let Some(given) = std::env::var_os("GUIKE_BENCH_BINARY") {
            return Ok(given.into());
        }
        let status = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--release", "--quiet", "--package", "guike-cli"])
            .current_dir(&self.root)
            .status();
        match status {
            Ok(s) if s.success() => Ok(self.root.join("target/release/guike")),
            Ok(s) => Err(format!("cargo build: {s}")),
            Err(e) => Err(format!("cargo build: {e}")),
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(code) => code,
        Err(text) => {
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<ExitCode, String> {
    let command = args.first().map_or("", String::as_str);
    // what this program starts itself in, to measure one process alone
    match (command, &args[args.len().min(1)..]) {
        ("measure", [note, command @ ..]) => {
            let status = usage::measure(note, command)?;
            return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        ("fit", [summary, horizon_weeks]) => {
            btyd::fit_once(Path::new(summary), horizon_weeks)?;
            return Ok(ExitCode::SUCCESS);
        }
        ("learn", [kind, points, columns]) => {
            learners::fit_once(kind, Path::new(points), columns)?;
            return Ok(ExitCode::SUCCESS);
        }
        ("pretrain-steps", []) => {
            foundation::train_once()?;
            return Ok(ExitCode::SUCCESS);
        }
        ("grow", [learner, train, test]) => {
            trees::fit_once(learner, Path::new(train), Path::new(test))?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let setting = setting(&args[args.len().min(1)..])?;
    let record = match command {
        "btyd" => Some(btyd::run(&setting)?),
        "features" => Some(features::run(&setting)?),
        "foundation" => Some(foundation::run(&setting)?),
        "learners" => Some(learners::run(&setting)?),
        "trees" => Some(trees::run(&setting)?),
        "steps" => Some(steps::run(&setting)?),
        "accuracy" => Some(accuracy::run(&setting)?),
        "tables" => Some(tables::run(&setting)?),
        "page" => None,
        _ => {
            eprint!("{USAGE}");
            return Ok(ExitCode::from(2));
        }
    };
    if let Some(record) = record {
        let path = record.write(&setting.root)?;
        println!("{}", page::section(&record));
        println!("wrote {}", path.display());
    }
    page::write(&setting.root)?;
    Ok(ExitCode::SUCCESS)
}

fn setting(args: &[String]) -> Result<Setting, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("bench lies inside the workspace").to_path_buf();
    let scratch = root.join("target/bench");
    std::fs::create_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    let mut setting = Setting { shared: root.join("../shared"), scratch, root, rounds: None };
    for pair in args.chunks(2) {
        match pair {
            [flag, value] if flag == "--shared" => setting.shared = PathBuf::from(value),
            [flag, value] if flag == "--rounds" => {
                let n = value.parse().ok().filter(|&n| n > 0);
                setting.rounds = Some(n.ok_or(format!("--rounds `{value}` is not a number above 0"))?);
            }
            other => return Err(format!("`{}` is not understood\n\n{USAGE}", other.join(" "))),
        }
    }
    Ok(setting)
}
