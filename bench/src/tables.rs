//! `guike train` on public tables of two classes against the learners that people take, on the same folds.
//!
//! Guike learns with no setting but the target and the columns that nobody could know in time; ten folds, no rows kept apart.
//! The peers get the very folds and columns from `bench/peers/table_auc.py`, where their settings stand.

use std::path::Path;

use crate::record::{Case, Contender, Record, TableAuc};
use crate::usage::measured;
use crate::{Setting, peers};

/// A public table.
struct Table {
    name: &'static str,
    /// File below `data`.
    file: &'static str,
    target: &'static str,
    /// Columns that are known only after the target, or that repeat it.
    later: &'static [&'static str],
}

const TABLES: [Table; 6] = [
    Table { name: "UCI credit default", file: "credit/UCI_Credit_Card.csv.gz", target: "target", later: &[] },
    Table { name: "Telco churn", file: "telco_churn/wa_churn.csv.gz", target: "churn", later: &[] },
    Table { name: "German credit", file: "direct_marketing/GermanCredit.csv.gz", target: "RESPONSE", later: &[] },
    Table {
        name: "Hillstrom visit",
        file: "hillstrom/hillstrom.csv.gz",
        target: "visit",
        later: &["conversion", "spend"],
    },
    Table { name: "Caravan", file: "direct_marketing/ticdata.csv.gz", target: "CARAVAN", later: &[] },
    Table { name: "Tayko purchase", file: "direct_marketing/Tayko.csv.gz", target: "Purchase", later: &["Spending"] },
];

/// The runs.
///
/// # Errors
/// When a table or Python is missing, or a run fails.
pub(crate) fn run(setting: &Setting) -> Result<Record, String> {
    let python = peers::python(&setting.root)?;
    let script = setting.root.join("bench/peers/table_auc.py").display().to_string();
    let guike = setting.guike()?.display().to_string();
    let mut record = Record::begin(
        &setting.root,
        "tables",
        "`guike train TABLE --target COLUMN --folds 10 --test 0` and nothing else (columns that are known only after the \
         target are dropped); its learner is the one it chose, and its CPU time is that of comparing all its learners, \
         refitting and the report.\n\
         The peers learn on the same folds and columns, with usual settings for such tables (15 leaves or depth 4 and steps \
         of 0.05 with early stopping on a tenth of the rows for LightGBM and XGBoost, CatBoost's defaults with steps of 0.05 \
         and early stopping, 300 trees with leaves of 3 for the forest, the default penalty for logistic regression): see \
         `bench/peers/table_auc.py`.\n\
         AUC is the mean over the folds; the difference has the 95 % Student interval of the paired fold differences. \
         The best peer is bold.",
    );
    record.versions = peers::versions(&python, &["lightgbm", "xgboost", "catboost", "scikit-learn"]);
    for table in TABLES {
        let file = setting.public(&format!("data/{}", table.file))?.display().to_string();
        let out = setting.scratch.join(format!("table-{}", table.name.replace(' ', "-")));
        let cost = train(setting, &guike, &file, &out, &table)?;
        let command = [python.display().to_string(), script.clone(), file, out.display().to_string()];
        let (_, text) = measured(&command, &setting.scratch)?;
        let mut found: TableAuc = serde_json::from_str(&text).map_err(|e| format!("{script}: {e}"))?;
        found.data = table.name.to_owned();
        eprintln!("{}", verdict(&found));
        record.cases.push(Case {
            work: "`guike train`".to_owned(),
            data: table.name.to_owned(),
            contenders: vec![cost],
        });
        record.tables.push(found);
    }
    Ok(record)
}

fn train(setting: &Setting, guike: &str, file: &str, out: &Path, table: &Table) -> Result<Contender, String> {
    let mut command: Vec<String> =
        [guike, "train", file, "--target", table.target, "--folds", "10", "--test", "0"].map(str::to_owned).to_vec();
    command.extend(["--quiet".to_owned(), "--out".to_owned(), out.display().to_string()]);
    if !table.later.is_empty() {
        command.extend(["--drop".to_owned(), table.later.join(",")]);
    }
    let (cost, _) = measured(&command, &setting.scratch)?;
    Ok(Contender {
        name: "guike".to_owned(),
        cpu_s: vec![cost.cpu_s],
        wall_s: vec![cost.wall_s],
        peak_mib: Some(cost.peak_mib),
        result: String::new(),
    })
}

/// The comparison with the best peer in a line.
fn verdict(table: &TableAuc) -> String {
    let best = table.contenders.iter().find(|c| c.best_peer);
    let (Some(ours), Some(best)) = (table.contenders.first(), best) else { return String::new() };
    let [d, lo, hi] = best.ours_less.unwrap_or([f64::NAN; 3]);
    let verdict = match (lo > 0.0, hi < 0.0) {
        (true, _) => "better",
        (_, true) => "WORSE by more than noise",
        _ => "within noise",
    };
    format!(
        "{}: {} {:.4} against {} {:.4}: {d:+.4} ({lo:+.4} to {hi:+.4}), {verdict}",
        table.data, ours.name, ours.auc, best.name, best.auc
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ContenderAuc;

    #[test]
    fn the_verdict_is_about_the_best_peer_and_its_interval() {
        let one = |name: &str, auc: f64, best_peer, ours_less| ContenderAuc {
            name: name.to_owned(),
            auc,
            auc_of_folds: vec![auc],
            best_peer,
            cpu_s: None,
            ours_less,
        };
        let of = |less: [f64; 3]| {
            let contenders = vec![
                one("guike x", 0.8, false, None),
                one("a", 0.7, false, Some([0.1; 3])),
                one("b", 0.81, true, Some(less)),
            ];
            verdict(&TableAuc { data: "t".to_owned(), rows: 1, columns: 1, folds: 1, contenders })
        };
        assert!(of([-0.01, -0.02, 0.001]).ends_with("within noise"));
        assert!(of([-0.01, -0.02, -0.001]).ends_with("WORSE by more than noise"));
    }
}
