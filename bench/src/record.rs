//! A run on paper: what was measured, on what machine, at which commit. One JSON file per run in `bench/runs`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use guike_core::Timestamp;
use serde::{Deserialize, Serialize};

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What was run: `steps`, `btyd`, `features`, `learners`, `foundation`, `trees`, `accuracy`, `tables`. The newest record of a name makes
    /// its table.
    pub(crate) name: String,
    /// Coordinated universal time.
    pub(crate) date: String,
    /// Commit, with `+` when files had changed since.
    pub(crate) commit: String,
    /// Processor, number of processors, memory.
    pub(crate) machine: String,
    /// Peers and their versions.
    pub(crate) versions: Vec<String>,
    /// How it was measured, in a sentence for the page.
    pub(crate) method: String,
    /// Timed comparisons; empty in a run about accuracy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cases: Vec<Case>,
    /// Accuracy on public logs; empty in a run about time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) accuracy: Vec<Accuracy>,
    /// Forecasts beside the best peer's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) duels: Vec<Duel>,
    /// AUC on public tables; empty in other runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tables: Vec<TableAuc>,
}

/// One public table with a column of two classes, and everybody's AUC on the same folds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TableAuc {
    /// The table.
    #[serde(default)]
    pub(crate) data: String,
    /// Rows and columns that were learned from, and folds.
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) folds: usize,
    /// Ours first.
    pub(crate) contenders: Vec<ContenderAuc>,
}

/// One contender's AUC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContenderAuc {
    /// Who; ours with the learner that it chose.
    pub(crate) name: String,
    /// Mean over the folds.
    pub(crate) auc: f64,
    /// Each fold's.
    pub(crate) auc_of_folds: Vec<f64>,
    /// Whether it is the peer with the highest mean.
    pub(crate) best_peer: bool,
    /// CPU seconds for all folds, where they are of this contender alone.
    pub(crate) cpu_s: Option<f64>,
    /// Ours less this one's, with the 95 % interval of the paired fold differences; absent for ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ours_less: Option<[f64; 3]>,
}

/// The same work by several contenders, in turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    /// What is done: "BG/NBD, maximum likelihood".
    pub(crate) work: String,
    /// On what: "full CDNOW, 23,570 customers".
    pub(crate) data: String,
    /// Who did it; ours first.
    pub(crate) contenders: Vec<Contender>,
}

/// One contender's times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Contender {
    /// Name.
    pub(crate) name: String,
    /// CPU seconds of every round, in order.
    pub(crate) cpu_s: Vec<f64>,
    /// Wall seconds of every round.
    pub(crate) wall_s: Vec<f64>,
    /// Largest resident memory over the rounds, in MiB; absent where other work of the process would count too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peak_mib: Option<f64>,
    /// What came out, to see that it is the same work: parameters, log-likelihood.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) result: String,
}

/// One forecast of one public log, scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Accuracy {
    /// The log.
    pub(crate) data: String,
    /// Who forecast.
    pub(crate) name: String,
    /// Normalised Gini of spend.
    pub(crate) gini: f64,
    /// Total forecast ÷ total truth.
    pub(crate) bias: f64,
    /// Area under the ROC curve of "buys within the horizon".
    pub(crate) auc: Option<f64>,
    /// Mean relative error of the means of ten groups.
    pub(crate) decile_mape: f64,
    /// Root mean squared error of spend.
    pub(crate) rmse: f64,
    /// Mean absolute error of spend.
    pub(crate) mae: f64,
}

/// Our forecast of one log beside the best peer's in one respect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Duel {
    /// The log.
    pub(crate) data: String,
    /// What is compared, and which peers.
    pub(crate) respect: String,
    /// Ours.
    pub(crate) ours: f64,
    /// The best peer.
    pub(crate) peer: String,
    /// Theirs.
    pub(crate) theirs: f64,
    /// Ours minus theirs, with the ends of its 95 % interval by paired bootstrap.
    pub(crate) difference: [f64; 3],
    /// Whether ours is at least as good as asked, or the interval holds no difference too.
    pub(crate) reached: bool,
}

impl Record {
    /// An empty record of now and here.
    pub(crate) fn begin(root: &Path, name: &str, method: &str) -> Record {
        Record {
            name: name.to_owned(),
            date: now(),
            commit: commit(root),
            machine: machine(),
            versions: Vec::new(),
            method: method.to_owned(),
            cases: Vec::new(),
            accuracy: Vec::new(),
            duels: Vec::new(),
            tables: Vec::new(),
        }
    }

    /// Writes `bench/runs/DATE-NAME.json`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(&self, root: &Path) -> Result<PathBuf, String> {
        let stamp: String = self.date.chars().filter(char::is_ascii_digit).collect();
        let path = root.join("bench/runs").join(format!("{stamp}-{}.json", self.name));
        let text = serde_json::to_string_pretty(self).map_err(|e| e.to_string())?;
        std::fs::create_dir_all(root.join("bench/runs")).map_err(|e| format!("bench/runs: {e}"))?;
        std::fs::write(&path, text + "\n").map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path)
    }

    /// Every record in `bench/runs`, oldest first.
    ///
    /// # Errors
    /// When a file there is not a record.
    pub(crate) fn read_all(root: &Path) -> Result<Vec<Record>, String> {
        let folder = root.join("bench/runs");
        let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
        paths.retain(|p| p.extension().is_some_and(|e| e == "json"));
        paths.sort();
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
            serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
        };
        paths.iter().map(read).collect()
    }
}

/// The middle value; the mean of the two middle ones when their number is even.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    if n == 0 { f64::NAN } else { (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0 }
}

fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    Timestamp(i64::try_from(since).unwrap_or(0)).to_string()
}

fn commit(root: &Path) -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).current_dir(root).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let hash = git(&["rev-parse", "--short=10", "HEAD"]).unwrap_or_default();
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|s| !s.is_empty());
    if changed { hash + "+" } else { hash }
}

fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = |text: &str, key: &str| {
        let line = text.lines().find(|l| l.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = named(&cpuinfo, "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let n = std::thread::available_parallelism().map_or(1, usize::from);
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = named(&meminfo, "MemTotal").and_then(|v| v.split(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0);
    format!("{model}, {n} processors, {:.0} GiB", kib / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, expected) in [(&[3.0][..], 3.0), (&[1.0, 9.0, 2.0], 2.0), (&[4.0, 1.0, 2.0, 100.0], 3.0)] {
            assert_eq!(median(values), expected);
        }
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_record_survives_its_file() {
        let root = std::env::temp_dir().join(format!("guike-bench-record-{}", std::process::id()));
        let record = Record::begin(&root, "steps", "alone");
        record.write(&root).expect("can write");
        assert_eq!(Record::read_all(&root), Ok(vec![record]));
        std::fs::remove_dir_all(&root).expect("can remove");
    }
}
