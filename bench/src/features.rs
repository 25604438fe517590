//! Features of a large unsorted order log: ours, DuckDB's, Polars' and pandas', each in a process of its own.
//!
//! A turn is everything from the Parquet file to the table of features in another Parquet file: reading, partitioning,
//! sorting, computing and writing, with the start of the program. The tables are compared, so that it is the same work.

use std::path::Path;

use serde_json::Value;

use crate::record::{Case, Contender, Record};
use crate::usage::{Cost, measured};
use crate::{Setting, peers};

const ROUNDS: usize = 3;
const ROWS: &str = "20000000";
const CUTOFF: &str = "2023-12-31";
/// The features that all contenders compute; their names are the catalogue's.
const NAMES: &str = "recency_days,tenure_days,orders,spend_mean,spend_std,gap_mean,gap_std,category_entropy,\
                     orders_30d,spend_30d,orders_90d,spend_90d,orders_180d,spend_180d";
const ENGINES: [&str; 3] = ["duckdb", "polars", "pandas"];

/// The comparison.
///
/// # Errors
/// When a contender cannot run, or the tables differ.
pub(crate) fn run(setting: &Setting) -> Result<Record, String> {
    let python = peers::python(&setting.root)?.display().to_string();
    let script = |name: &str| setting.root.join("bench/peers").join(name).display().to_string();
    let guike = setting.guike()?.display().to_string();
    let file = |name: &str| setting.scratch.join(name).display().to_string();
    let log = file(&format!("orders-{ROWS}.parquet"));
    if !Path::new(&log).is_file() {
        eprintln!("making {log}");
        let unfinished = format!("{log}.part");
        measured(
            &[python.clone(), script("make_feature_log.py"), unfinished.clone(), "--rows".into(), ROWS.into()],
            &setting.scratch,
        )?;
        std::fs::rename(&unfinished, &log).map_err(|e| format!("{log}: {e}"))?;
    }
    let ours_out = file("features-guike.parquet");
    let ours = [
        "features",
        &log,
        "--out",
        &ours_out,
        "--only",
        NAMES,
        "--cutoff",
        CUTOFF,
        "--memory",
        "768MiB",
        "--threads",
        "2",
    ];
    let ours: Vec<String> =
        std::iter::once(guike).chain(ours.map(str::to_owned)).chain(["--quiet".to_owned()]).collect();
    let theirs = ENGINES.map(|engine| {
        let out = file(&format!("features-{engine}.parquet"));
        let words = [&log, "--cutoff", CUTOFF, "--engine", engine, "--threads", "2", "--out", &out].map(str::to_owned);
        [vec![python.clone(), script("duckdb_features.py")], words.to_vec()].concat()
    });

    let rounds = setting.rounds.unwrap_or(ROUNDS);
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); 1 + ENGINES.len()];
    for round in 0..rounds {
        for (contender, command) in std::iter::once(&ours).chain(&theirs).enumerate() {
            eprintln!(
                "round {} of {rounds}: {}",
                round + 1,
                if contender == 0 { "guike" } else { ENGINES[contender - 1] }
            );
            costs[contender].push(measured(command, &setting.scratch)?.0);
        }
    }
    let mut record = Record::begin(
        &setting.root,
        "features",
        "From an unsorted Parquet log (zstd) to a Parquet table of 14 features per customer: recency, tenure, purchase days, \
         mean and deviation of spend and of the gaps between purchase days, category entropy, counts and sums of the last \
         30, 90 and 180 days.\n\
         Each turn is a whole process with 2 threads, its start, reading and writing included; ours sorts by customer \
         under `--memory 768MiB`.\n\
         The result column says how far the values are from ours at most, relative to the larger of 1 and the value.",
    );
    record.versions = peers::versions(Path::new(&python), &["duckdb", "polars", "pandas", "pyarrow"]);
    let mut contenders = vec![contender("guike", &costs[0], "14 features".to_owned())];
    for (engine, costs) in ENGINES.iter().zip(&costs[1..]) {
        let out = file(&format!("features-{engine}.parquet"));
        let command = [&python, &script("compare_features.py"), &ours_out, &out, NAMES].map(|s: &str| s.to_owned());
        let (_, text) = measured(&command, &setting.scratch)?;
        let said: Value =
            serde_json::from_str(&text).map_err(|e| format!("compare_features.py printed `{text}`: {e}"))?;
        let apart = said["apart"].as_f64().unwrap_or(f64::INFINITY);
        if said["only_one_side"] != 0 || apart > 1e-6 {
            return Err(format!("the features of guike and {engine} differ: {}", text.trim()));
        }
        contenders.push(contender(
            engine,
            costs,
            format!("{} customers, at most {apart:.0e} apart", said["customers"]),
        ));
    }
    let data = "20,000,000 rows, 1,000,000 customers".to_owned();
    record.cases.push(Case { work: "14 features".to_owned(), data, contenders });
    Ok(record)
}

fn contender(name: &str, costs: &[Cost], result: String) -> Contender {
    Contender {
        name: name.to_owned(),
        cpu_s: costs.iter().map(|c| c.cpu_s).collect(),
        wall_s: costs.iter().map(|c| c.wall_s).collect(),
        peak_mib: costs.iter().map(|c| c.peak_mib).reduce(f64::max),
        result,
    }
}
