//! `guike run` on five public logs, scored on what happened after the cutoff, against predictions that the peers made.
//!
//! The splits and the scores are those of `clv/split.py` and `clv/score.py` in the shared folder, so that nothing of ours
//! judges us. Guike reads each raw log and is told the cutoff and the horizon, and where the table of customers lies that
//! the log comes with.

use std::path::Path;

use serde_json::Value;

use crate::record::{Accuracy, Case, Contender, Record};
use crate::usage::measured;
use crate::{Setting, peers};

/// A public log as its owner publishes it.
struct Log {
    /// Name of the split.
    name: &'static str,
    /// Raw file below `data`.
    raw: &'static str,
    /// Raw table of the customers' attributes below `data`, where the owner publishes one.
    customers: Option<&'static str>,
}

const LOGS: [Log; 5] = [
    Log { name: "cdnow", raw: "cdnow/cdnow_master.csv.gz", customers: None },
    Log { name: "cdnow_sample", raw: "cdnow/cdnow_sample.csv.gz", customers: None },
    Log { name: "online_retail", raw: "online_retail/online_retail.csv.gz", customers: None },
    Log { name: "online_retail_ii", raw: "online_retail_ii/online_retail_ii.parquet", customers: None },
    Log {
        name: "dunnhumby",
        raw: "complete_journey/transactions.parquet",
        customers: Some("complete_journey/demographics.csv.gz"),
    },
];

/// Peers whose names begin so are probability models of buying and dying.
const BTYD_PEERS: [&str; 2] = ["lt_", "pymc_"];

/// The runs, the scores, and how many targets are met.
///
/// # Errors
/// When a log, the scoring programs or Python are missing, or a run fails.
pub(crate) fn run(setting: &Setting) -> Result<Record, String> {
    let python = peers::python(&setting.root)?.display().to_string();
    let (split, score) = (setting.public("clv/split.py")?, setting.public("clv/score.py")?);
    let guike = setting.guike()?.display().to_string();
    let splits = setting.scratch.join("splits");
    let mut record = Record::begin(
        &setting.root,
        "accuracy",
        "Each raw log is given to `guike run` with `--cutoff` and `--horizon` of the split, Complete Journey with its \
         households' demographics by `--customers` (the peers learn from them too), and nothing else; what happened after the cutoff scores it and the peers' \
         predictions alike.\n\
         The difference in Gini to the best probability model and to the best peer is a paired bootstrap over customers \
         (300 draws, seed 1).\n\
         `x_` marks combinations of peers that no package offers.",
    );
    for log in LOGS {
        if !splits.join(log.name).join("meta.json").is_file() {
            let only = ["--out", &splits.display().to_string(), "--only", log.name].map(str::to_owned);
            let data = setting.public("data")?.display().to_string();
            let command =
                [vec![python.clone(), split.display().to_string(), "--data".into(), data], only.to_vec()].concat();
            measured(&command, &setting.scratch)?;
        }
        let folder = splits.join(log.name);
        let out = setting.scratch.join(format!("accuracy-{}", log.name));
        let raw = setting.public("data")?.join(log.raw);
        let contender = forecast(setting, &guike, &raw, &folder, &out, log.customers)?;
        record.cases.push(Case {
            work: "`guike run`".to_owned(),
            data: log.name.to_owned(),
            contenders: vec![contender],
        });
        let ours = out.join("forecasts.csv");
        let judge = |prediction: &str, against: Option<&str>| {
            let mut command = vec![python.clone(), score.display().to_string(), "--split".into()];
            command.extend([folder.display().to_string(), "--pred".into(), prediction.to_owned(), "--json".into()]);
            command.extend(against.into_iter().flat_map(|a| ["--against".to_owned(), a.to_owned()]));
            let (_, text) = measured(&command, &setting.scratch)?;
            serde_json::from_str::<Value>(&text).map_err(|e| format!("{}: {e}", score.display()))
        };
        let ours = ours.display().to_string();
        let mut rows = vec![accuracy(log.name, "guike", &judge(&ours, None)?)];
        let kept = setting.public(&format!("clv/preds/{}.parquet", log.name))?.display().to_string();
        for peer in peers_in(setting, &python, &kept)? {
            rows.push(accuracy(log.name, &peer, &judge(&format!("{kept}:{peer}"), None)?));
        }
        // the bootstrap takes long: only against the best of the two kinds of peer
        for best in [best_gini(&rows, is_btyd), best_gini(&rows, |_| true)].into_iter().flatten() {
            if rows[best].gini_difference.is_none() {
                let compared = judge(&ours, Some(&format!("{kept}:{}", rows[best].name)))?;
                let part = |key: &str| compared["against"]["gini_norm"][key].as_f64().unwrap_or(f64::NAN);
                rows[best].gini_difference = Some([part("diff"), part("lo"), part("hi")]);
            }
        }
        eprintln!("{}", verdict(&rows));
        record.accuracy.extend(rows);
    }
    Ok(record)
}

/// Runs ours once and says what it took.
fn forecast(
    setting: &Setting,
    guike: &str,
    raw: &Path,
    split: &Path,
    out: &Path,
    customers: Option<&str>,
) -> Result<Contender, String> {
    let meta = split.join("meta.json");
    let text = std::fs::read_to_string(&meta).map_err(|e| format!("{}: {e}", meta.display()))?;
    let meta: Value = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", meta.display()))?;
    let (Some(cutoff), Some(days)) = (meta["calibration_end"].as_str(), meta["horizon_days"].as_u64()) else {
        return Err(format!("{}: no calibration_end or horizon_days", split.display()));
    };
    let horizon = format!("{days}d");
    let mut command = vec![guike.to_owned(), "run".to_owned(), raw.display().to_string()];
    for word in ["--quiet", "--out", &out.display().to_string(), "--cutoff", cutoff, "--horizon", &horizon] {
        command.push(word.to_owned());
    }
    if let Some(customers) = customers {
        command.extend(["--customers".to_owned(), setting.public("data")?.join(customers).display().to_string()]);
    }
    let rounds = setting.rounds.unwrap_or(1);
    let costs = (0..rounds).map(|_| Ok(measured(&command, &setting.scratch)?.0)).collect::<Result<Vec<_>, String>>()?;
    Ok(Contender {
        name: "guike".to_owned(),
        cpu_s: costs.iter().map(|c| c.cpu_s).collect(),
        wall_s: costs.iter().map(|c| c.wall_s).collect(),
        peak_mib: costs.iter().map(|c| c.peak_mib).reduce(f64::max),
        result: format!("`--cutoff {cutoff} --horizon {horizon}`"),
    })
}

/// Names of the peers in a file of kept predictions, sorted.
fn peers_in(setting: &Setting, python: &str, kept: &str) -> Result<Vec<String>, String> {
    let code = "import sys, pyarrow.parquet as p\n\
                names = p.read_schema(sys.argv[1]).names\n\
                print('\\n'.join(sorted({n[:-2] for n in names if n.endswith(':s')})))";
    let command = [python, "-c", code, kept].map(str::to_owned);
    let (_, text) = measured(&command, &setting.scratch)?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn accuracy(data: &str, name: &str, scores: &Value) -> Accuracy {
    let number = |key: &str| scores[key].as_f64().unwrap_or(f64::NAN);
    Accuracy {
        data: data.to_owned(),
        name: name.to_owned(),
        gini: number("gini_norm"),
        bias: number("bias"),
        auc: scores["auc_p"].as_f64(),
        decile_mape: number("decile_mape"),
        rmse: number("rmse"),
        mae: number("mae"),
        gini_difference: None,
    }
}

fn is_btyd(row: &Accuracy) -> bool {
    BTYD_PEERS.iter().any(|b| row.name.starts_with(b))
}

/// The row of the peer with the best Gini among those `of` accepts; the first row is ours.
fn best_gini(rows: &[Accuracy], of: fn(&Accuracy) -> bool) -> Option<usize> {
    (1..rows.len()).filter(|&i| of(&rows[i])).max_by(|&a, &b| rows[a].gini.total_cmp(&rows[b].gini))
}

/// The targets of a log in a line: Gini and AUC at least the best BTYD peer's, level within 20 %.
fn verdict(rows: &[Accuracy]) -> String {
    let Some((ours, peers)) = rows.split_first() else { return String::new() };
    let btyd = || peers.iter().filter(|p| is_btyd(p));
    let best = |of: fn(&Accuracy) -> Option<f64>| btyd().filter_map(of).fold(f64::NEG_INFINITY, f64::max);
    let (gini, auc) = (best(|a| Some(a.gini)), best(|a| a.auc));
    let met = |yes: bool| if yes { "met" } else { "MISSED" };
    format!(
        "{}: Gini {:.4} against {gini:.4} {}, bias {:.3} {}, AUC {:.4} against {auc:.4} {}",
        ours.data,
        ours.gini,
        met(ours.gini >= gini),
        ours.bias,
        met((ours.bias - 1.0).abs() <= 0.2),
        ours.auc.unwrap_or(f64::NAN),
        met(ours.auc.is_some_and(|a| a >= auc)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_compares_with_the_best_btyd_peer_only() {
        let row = |name: &str, gini: f64, auc: f64| Accuracy {
            data: "log".into(),
            name: name.into(),
            gini,
            bias: 1.1,
            auc: Some(auc),
            decile_mape: 0.0,
            rmse: 0.0,
            mae: 0.0,
            gini_difference: None,
        };
        let rows = [row("guike", 0.7, 0.8), row("lt_bgnbd_gg", 0.6, 0.9), row("lgbm_l2", 0.99, 0.99)];
        assert_eq!(
            verdict(&rows),
            "log: Gini 0.7000 against 0.6000 met, bias 1.100 met, AUC 0.8000 against 0.9000 MISSED"
        );
    }
}
