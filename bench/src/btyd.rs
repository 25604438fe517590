//! BG/NBD: fit by maximum likelihood and forecast of expected purchases, ours and lifetimes', on the same summary.
//!
//! Each turn is a process of its own for both, which reads the summary (not counted), fits, forecasts, and prints what
//! each took and what came out.

use std::path::Path;

use guike_btyd::CountModel;
use guike_btyd::bg_nbd::BgNbd;
use guike_btyd::fit::FitOptions;
use guike_btyd::grouped::Grouped;
use serde::{Deserialize, Serialize};

use crate::record::{Case, Contender, Record};
use crate::summary::Summary;
use crate::usage::{Cost, answer, timed};
use crate::{Setting, peers, simulated};

const HORIZON_WEEKS: f64 = 39.0;
const SIMULATED_CUSTOMERS: usize = 1_000_000;
const ROUNDS: usize = 7;

/// What one turn prints; `bench/peers/lifetimes_bgnbd.py` prints the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Turn {
    fit: Cost,
    predict: Cost,
    /// r, α, a, b
    parameters: Vec<f64>,
    /// Expected purchases of all customers together.
    expected_total: f64,
}

/// One turn of ours: fits the summary in a file and prints a [`Turn`].
///
/// # Errors
/// When the file is not a summary or the fit fails.
pub(crate) fn fit_once(path: &Path, horizon_weeks: &str) -> Result<(), String> {
    let horizon: f64 = horizon_weeks.parse().map_err(|_| format!("`{horizon_weeks}` is not a number of weeks"))?;
    let summary = Summary::read(path)?;
    let group = || Grouped::from_days(&summary.repeats, &summary.recency, &summary.age).map_err(|e| e.to_string());
    let (estimate, fit) = timed(|| BgNbd::fit(&group()?, &FitOptions::default()).map_err(|e| e.to_string()));
    let model = estimate?.model;
    let (expected, predict) = timed(|| group().map(|grouped| expected(&model, &grouped, horizon)));
    let turn = Turn {
        fit,
        predict,
        parameters: vec![model.r, model.alpha, model.a, model.b],
        expected_total: expected?.iter().sum(),
    };
    println!("{}", serde_json::to_string(&turn).map_err(|e| e.to_string())?);
    Ok(())
}

/// Expected purchases of every customer. Groups come sorted by x and T, and what a live customer will do depends on
/// those two only, so that the expensive part is done once per pair.
fn expected(model: &BgNbd, grouped: &Grouped, horizon: f64) -> Vec<f64> {
    let mut last = (u32::MAX, f64::NAN, 0.0);
    let per_group: Vec<f64> = grouped
        .iter()
        .map(|(h, _)| {
            if (h.x, h.age) != (last.0, last.1) {
                last = (h.x, h.age, model.expected_if_alive(h, horizon));
            }
            model.p_alive(h) * last.2
        })
        .collect();
    grouped.spread(&per_group)
}

/// The comparison on both data sets.
///
/// # Errors
/// When a data set or a peer is missing, or a fit fails.
pub(crate) fn run(setting: &Setting) -> Result<Record, String> {
    let python = peers::python(&setting.root)?;
    let cdnow = setting.scratch.join("cdnow.csv");
    let log = setting.public("data/cdnow/cdnow_master.csv.gz")?;
    Summary::of_log(&log, "1997-09-30".parse().map_err(|e| format!("{e}"))?)?.write(&cdnow)?;
    let simulated = setting.scratch.join("simulated.csv");
    simulated::bg_nbd_summary(SIMULATED_CUSTOMERS).write(&simulated)?;

    let mut record = Record::begin(
        &setting.root,
        "btyd",
        "Both fit the same summary by maximum likelihood and forecast the purchases of the next 39 weeks, each turn in a \
         process of its own; reading the file is not counted, grouping of equal histories is.\n\
         The result column shows that it is the same work: r, α, a, b, and the expected purchases of all customers.",
    );
    record.versions = peers::versions(&python, &["lifetimes", "numpy", "pandas"]);
    let lifetimes = record.versions.first().cloned().unwrap_or_default();
    let rounds = setting.rounds.unwrap_or(ROUNDS);
    for (data, path) in [("full CDNOW, 23,570 customers", &cdnow), ("1,000,000 simulated customers", &simulated)] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            eprintln!("{data}: round {} of {rounds}", round + 1);
            ours.push(turn(setting, &this_program()?, &["fit"], path)?);
            let script = setting.root.join("bench/peers/lifetimes_bgnbd.py");
            theirs.push(turn(setting, &python.display().to_string(), &[&script.display().to_string()], path)?);
        }
        for (work, of) in [("fit", fit_cost as fn(&Turn) -> Cost), ("expected purchases", predict_cost)] {
            let contenders = vec![contender("guike", &ours, of), contender(&lifetimes, &theirs, of)];
            record.cases.push(Case { work: format!("BG/NBD, {work}"), data: data.to_owned(), contenders });
        }
    }
    Ok(record)
}

fn this_program() -> Result<String, String> {
    std::env::current_exe().map(|p| p.display().to_string()).map_err(|e| e.to_string())
}

fn turn(setting: &Setting, program: &str, args: &[&str], summary: &Path) -> Result<Turn, String> {
    let mut command = vec![program.to_owned()];
    command.extend(args.iter().map(|a| (*a).to_owned()));
    command.extend([summary.display().to_string(), HORIZON_WEEKS.to_string()]);
    answer(&command, &setting.scratch)
}

fn fit_cost(turn: &Turn) -> Cost {
    turn.fit
}

fn predict_cost(turn: &Turn) -> Cost {
    turn.predict
}

fn contender(name: &str, turns: &[Turn], of: fn(&Turn) -> Cost) -> Contender {
    let parameters =
        turns.last().map(|t| t.parameters.iter().map(|p| format!("{p:.4}")).collect::<Vec<_>>().join(", "));
    let total = turns.last().map_or(0.0, |t| t.expected_total);
    Contender {
        name: name.to_owned(),
        cpu_s: turns.iter().map(|t| of(t).cpu_s).collect(),
        wall_s: turns.iter().map(|t| of(t).wall_s).collect(),
        peak_mib: None,
        result: format!("{}; {total:.0}", parameters.unwrap_or_default()),
    }
}
