//! The steps of a run on full CDNOW, one after the other in this process, and the whole command in a process of its own.

use guike_core::{Cases, Cutoff, Day, FitContext, Horizon, Learner as _, Quiet, Seed, TrainingSet};

use crate::Setting;
use crate::record::{Case, Contender, Record};
use crate::usage::{Cost, measured, timed};

const ROUNDS: usize = 7;
const CUTOFF: &str = "1997-09-30";
const HORIZON: &str = "273d";
const DATA: &str = "full CDNOW, 69,659 orders of 23,570 customers";

/// Times every step.
///
/// # Errors
/// When the log is missing or a step fails.
pub(crate) fn run(setting: &Setting) -> Result<Record, String> {
    let path = setting.public("data/cdnow/cdnow_master.csv.gz")?;
    let cutoff = Cutoff::after(CUTOFF.parse::<Day>().map_err(|e| e.to_string())?);
    let horizon: Horizon = HORIZON.parse().map_err(|e| format!("{e}"))?;
    let rounds = setting.rounds.unwrap_or(ROUNDS);
    let mut record = Record::begin(
        &setting.root,
        "steps",
        "Steps are timed in one process, and the whole command in a process of its own, with as many threads as there are \
         processors.\n\
         A fit joins a model of purchases with a model of spend; a forecast gives expected orders and spend, the probability \
         to buy, the next order, and five quantiles of spend for every customer.",
    );
    let mut costs: Vec<(String, Vec<Cost>)> = Vec::new();
    let mut note = |work: String, cost: Cost| match costs.iter_mut().find(|(w, _)| *w == work) {
        Some((_, list)) => list.push(cost),
        None => costs.push((work, vec![cost])),
    };
    for _ in 0..rounds {
        let (imported, cost) = timed(|| guike_data::import(&path, &guike_data::ImportOptions::default(), &Quiet));
        let log = imported.map_err(|e| e.to_string())?.log;
        note("import: unpack, find columns, clean, sort".to_owned(), cost);
        let past = log.before(cutoff);
        let (rfm, cost) = timed(|| guike_features::rfm(&past, horizon.days()));
        note("summary of every customer".to_owned(), cost);
        let (table, cost) = timed(|| guike_features::features(&past, &rfm.customer_idx, horizon));
        note(format!("all {} features of every customer", table.columns().len()), cost);
        let cases = Cases { cutoff, horizon, rfm: &rfm, features: None, purchases: None };
        let train = TrainingSet { now: cases, anchors: &[] };
        for learner in guike_btyd::learners::pairs() {
            let context = FitContext { seed: Seed(1), progress: &Quiet };
            let (fitted, cost) = timed(|| learner.fit(&train, &context));
            // a learner that needs what this log does not have is no step of this run
            let Ok(fitted) = fitted else { continue };
            note(format!("fit {}", learner.name()), cost);
            let (forecasts, cost) = timed(|| fitted.model.forecast(&cases));
            forecasts.map_err(|e| e.to_string())?;
            note(format!("forecast {}", learner.name()), cost);
        }
    }
    for (work, list) in costs {
        record.cases.push(case(&work, &list, None));
    }
    let guike = setting.guike()?.display().to_string();
    let out = setting.scratch.join("steps-run").display().to_string();
    let words =
        ["run", &path.display().to_string(), "--quiet", "--out", &out, "--cutoff", CUTOFF, "--horizon", HORIZON];
    let command: Vec<String> = std::iter::once(guike).chain(words.map(str::to_owned)).collect();
    let whole = (0..rounds).map(|_| Ok(measured(&command, &setting.scratch)?.0)).collect::<Result<Vec<_>, String>>()?;
    let peak = whole.iter().map(|c| c.peak_mib).reduce(f64::max);
    record.cases.push(case("the whole `guike run`, files and report included", &whole, peak));
    Ok(record)
}

fn case(work: &str, costs: &[Cost], peak_mib: Option<f64>) -> Case {
    let contender = Contender {
        name: "guike".to_owned(),
        cpu_s: costs.iter().map(|c| c.cpu_s).collect(),
        wall_s: costs.iter().map(|c| c.wall_s).collect(),
        peak_mib,
        result: String::new(),
    };
    Case { work: work.to_owned(), data: DATA.to_owned(), contenders: vec![contender] }
}
