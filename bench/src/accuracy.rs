//! `guike run` on five public logs, scored on what happened after the cutoff, against predictions that the peers made.
//!
//! The splits and the scores are those of `clv/split.py` and `clv/score.py` in the shared folder, so that nothing of ours
//! judges us. Guike reads each raw log and is told the cutoff and the horizon, and where the table of customers lies that
//! the log comes with.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use serde_json::Value;

use crate::record::{Accuracy, Case, Contender, Duel, Record};
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
         In each respect ours stands beside the best peer of that log; the difference has a paired bootstrap over customers \
         (300 draws, seed 1), and a target counts as reached where its interval holds zero.\n\
         `x_` marks combinations of peers that no package offers; they are shown and take no part in the comparison.",
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
        let mut compared: BTreeMap<usize, Value> = BTreeMap::new();
        for respect in &RESPECTS {
            let Some(best) = respect.best(&rows) else { continue };
            if let Entry::Vacant(open) = compared.entry(best) {
                open.insert(judge(&ours, Some(&format!("{kept}:{}", rows[best].name)))?);
            }
            let part = |key: &str| compared[&best]["against"][respect.key][key].as_f64().unwrap_or(f64::NAN);
            let duel = respect.duel(&rows[0], &rows[best], [part("diff"), part("lo"), part("hi")]);
            eprintln!(
                "{}: {} {:.4}, {} {:.4}: {}",
                duel.data,
                duel.respect,
                duel.ours,
                duel.peer,
                duel.theirs,
                if duel.reached { "reached" } else { "MISSED" }
            );
            record.duels.push(duel);
        }
        let bias = rows[0].bias;
        eprintln!("{}: forecast ÷ actual {bias:.3}", log.name);
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
    }
}

fn is_btyd(row: &Accuracy) -> bool {
    BTYD_PEERS.iter().any(|b| row.name.starts_with(b))
}

/// A peer that somebody could have installed.
fn is_package(row: &Accuracy) -> bool {
    !row.name.starts_with("x_")
}

/// In what the best peer is sought, and how good ours must be beside it.
struct Respect {
    words: &'static str,
    /// The metric's name in the scoring program.
    key: &'static str,
    of: fn(&Accuracy) -> Option<f64>,
    peers: fn(&Accuracy) -> bool,
    more_is_better: bool,
    /// By how much ours may be worse: as a difference, and as a share of theirs.
    slack: [f64; 2],
}

const RESPECTS: [Respect; 6] = [
    Respect {
        words: "Gini of probability models",
        key: "gini_norm",
        of: |a| Some(a.gini),
        peers: is_btyd,
        more_is_better: true,
        slack: [0.0, 0.0],
    },
    Respect {
        words: "AUC of probability models",
        key: "auc_p",
        of: |a| a.auc,
        peers: is_btyd,
        more_is_better: true,
        slack: [0.0, 0.0],
    },
    Respect {
        words: "Gini, up to 0.005 less",
        key: "gini_norm",
        of: |a| Some(a.gini),
        peers: is_package,
        more_is_better: true,
        slack: [0.005, 0.0],
    },
    Respect { words: "AUC", key: "auc_p", of: |a| a.auc, peers: is_package, more_is_better: true, slack: [0.0, 0.0] },
    Respect {
        words: "decile MAPE",
        key: "decile_mape",
        of: |a| Some(a.decile_mape),
        peers: is_package,
        more_is_better: false,
        slack: [0.0, 0.0],
    },
    Respect {
        words: "RMSE, up to 2 % more",
        key: "rmse",
        of: |a| Some(a.rmse),
        peers: is_package,
        more_is_better: false,
        slack: [0.0, 0.02],
    },
];

impl Respect {
    /// The row of the best peer; the first row is ours.
    fn best(&self, rows: &[Accuracy]) -> Option<usize> {
        let sign = if self.more_is_better { 1.0 } else { -1.0 };
        let value = |i: &usize| (self.of)(&rows[*i]).map_or(f64::NEG_INFINITY, |v| sign * v);
        (1..rows.len()).filter(|&i| (self.peers)(&rows[i])).max_by(|a, b| value(a).total_cmp(&value(b)))
    }

    fn duel(&self, ours: &Accuracy, peer: &Accuracy, difference: [f64; 3]) -> Duel {
        let (mine, theirs) = ((self.of)(ours).unwrap_or(f64::NAN), (self.of)(peer).unwrap_or(f64::NAN));
        let worse = if self.more_is_better { theirs - mine } else { mine - theirs };
        let within_chance = difference[1] <= 0.0 && difference[2] >= 0.0;
        Duel {
            data: ours.data.clone(),
            respect: self.words.to_owned(),
            ours: mine,
            peer: peer.name.clone(),
            theirs,
            difference,
            reached: worse <= self.slack[0] + self.slack[1] * theirs || within_chance,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, gini: f64, auc: f64) -> Accuracy {
        Accuracy {
            data: "log".into(),
            name: name.into(),
            gini,
            bias: 1.1,
            auc: Some(auc),
            decile_mape: 1.0 - gini,
            rmse: 100.0 * (1.0 - gini),
            mae: 0.0,
        }
    }

    #[test]
    fn the_best_peer_is_sought_among_those_that_count() {
        let rows =
            [row("guike", 0.7, 0.8), row("lt_bgnbd_gg", 0.6, 0.9), row("lgbm_l2", 0.9, 0.95), row("x_", 0.99, 0.99)];
        let best: Vec<Option<usize>> = RESPECTS.iter().map(|r| r.best(&rows)).collect();
        assert_eq!(best, [Some(1), Some(1), Some(2), Some(2), Some(2), Some(2)]);
        assert_eq!(RESPECTS[0].best(&rows[..1]), None);
    }

    #[test]
    fn a_target_is_reached_within_its_slack_or_within_chance() {
        let (ours, peer) = (row("guike", 0.70, 0.8), row("lgbm_l2", 0.704, 0.9));
        let at = |k: usize, difference| RESPECTS[k].duel(&ours, &peer, difference).reached;
        assert!(at(2, [-0.004, -0.006, -0.002]), "half a point of Gini is allowed");
        assert!(!at(3, [-0.1, -0.2, -0.05]));
        assert!(at(3, [-0.1, -0.2, 0.05]), "the interval holds zero");
        assert!(at(5, [0.4, 0.3, 0.5]), "30.0 is within 2 % of 29.6");
    }
}
