//! Classical learners against scikit-learn and scipy, on the same simulated points.
//!
//! Each turn is a process of its own for both, which reads the points (not counted), fits once, and prints what that took and
//! how good the result is: the loss, inertia or likelihood that both minimise, so that a faster answer is not a worse one.

use std::path::{Path, PathBuf};

use guike_core::{FitContext, Matrix, Quiet, Seed};
use guike_learn::linear::LogisticRegression;
use guike_learn::svm::{KernelSvm, LinearSvm};
use guike_learn::{ColumnKind, Examples, GaussianMixture, Hierarchical, KMeans, Points, TabularLearner, Task};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::record::{Case, Contender, Record};
use crate::usage::{Cost, answer, timed};
use crate::{Setting, peers};

const ROUNDS: usize = 5;

/// What one turn prints; `bench/peers/sklearn_learners.py` prints the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Turn {
    fit: Cost,
    quality: f64,
}

/// A learner, the points it gets, and what its peer is called.
struct Work {
    kind: &'static str,
    words: &'static str,
    peer: &'static str,
    quality: &'static str,
    rows: usize,
    columns: usize,
    labelled: bool,
}

const ALL: [Work; 6] = [
    Work {
        kind: "logistic",
        words: "logistic regression",
        peer: "LogisticRegression",
        quality: "log loss",
        rows: 100_000,
        columns: 30,
        labelled: true,
    },
    Work {
        kind: "linear-svm",
        words: "linear support vector machine, with probabilities from 5 folds",
        peer: "LinearSVC, CalibratedClassifierCV",
        quality: "log loss",
        rows: 100_000,
        columns: 30,
        labelled: true,
    },
    Work {
        kind: "rbf-svm",
        words: "support vector machine with Gaussian kernel, with probabilities from 5 folds",
        peer: "SVC, CalibratedClassifierCV",
        quality: "log loss",
        rows: 8_000,
        columns: 10,
        labelled: true,
    },
    Work {
        kind: "k-means",
        words: "k-means, 8 clusters, 10 starts",
        peer: "KMeans",
        quality: "inertia",
        rows: 200_000,
        columns: 10,
        labelled: false,
    },
    Work {
        kind: "mixture",
        words: "mixture of 5 Gaussians, full covariance (ours 5 starts, theirs 1)",
        peer: "GaussianMixture",
        quality: "mean log-likelihood",
        rows: 100_000,
        columns: 10,
        labelled: false,
    },
    Work {
        kind: "ward",
        words: "Ward's tree",
        peer: "scipy ward",
        quality: "sum of heights",
        rows: 20_000,
        columns: 10,
        labelled: false,
    },
];

/// One turn of ours: fits the points in a file and prints a [`Turn`].
///
/// # Errors
/// When the file holds no such points or the fit fails.
pub(crate) fn fit_once(kind: &str, path: &Path, columns: &str) -> Result<(), String> {
    let width: usize = columns.parse().map_err(|_| format!("`{columns}` is not a number of columns"))?;
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let number = |b: &[u8]| f64::from_ne_bytes(b.try_into().expect("eight bytes"));
    let values: Vec<f64> = bytes.chunks_exact(8).map(number).collect();
    let points = Points::new(&values, width);
    let (quality, fit) = match kind {
        "k-means" => {
            let (fit, cost) = timed(|| KMeans { k: 8, ..KMeans::default() }.fit(points, Seed(1)));
            (fit.inertia, cost)
        }
        "mixture" => {
            let (fit, cost) = timed(|| GaussianMixture::default().fit(points, Seed(1)));
            (fit.log_likelihood / points.len() as f64, cost)
        }
        "ward" => {
            let how = Hierarchical { max_rows: usize::MAX, ..Hierarchical::default() };
            let (tree, cost) = timed(|| how.fit(points, Seed(1)));
            (tree.merges.iter().map(|m| m.height).sum(), cost)
        }
        "logistic" => classifier(&LogisticRegression::default(), points)?,
        "linear-svm" => classifier(&LinearSvm::default(), points)?,
        "rbf-svm" => classifier(&KernelSvm::default(), points)?,
        _ => return Err(format!("no learner `{kind}`")),
    };
    println!("{}", serde_json::to_string(&Turn { fit, quality }).map_err(|e| e.to_string())?);
    Ok(())
}

/// Fits two classes, the last column of the points; the log loss on these rows, and what the fit took.
fn classifier(learner: &dyn TabularLearner, points: Points<'_>) -> Result<(f64, Cost), String> {
    let p = points.width() - 1;
    let column = |j: usize| (0..points.len()).map(|i| points.row(i)[j]).collect::<Vec<f64>>();
    let columns: Vec<Vec<f64>> = (0..p).map(column).collect();
    let (x, y) = (Matrix::from_columns(points.len(), &columns), column(p));
    let kinds = vec![ColumnKind::Number; p];
    let task = Task::Classification { classes: 2 };
    let examples = Examples { x: &x, kinds: &kinds, y: &y, weight: None, task };
    let cx = FitContext { seed: Seed(1), progress: &Quiet };
    let (model, cost) = timed(|| learner.fit(&examples, &cx));
    let predicted = model.map_err(|e| e.to_string())?.predict(&x);
    let loss = predicted.chunks_exact(2).zip(&y).map(|(p, &y)| -p[y as usize].max(1e-15).ln());
    Ok((loss.sum::<f64>() / y.len() as f64, cost))
}

/// Points from six overlapping clouds; labelled ones from one cloud, with a border that bends a little.
fn simulate(work: &Work, path: &Path) -> Result<(), String> {
    let mut rng = Seed(7).derive(work.kind).rng();
    let mut normal = || rng.sample::<f64, _>(StandardNormal);
    let p = work.columns;
    let centres: Vec<f64> = (0..6 * p).map(|_| 2.5 * normal()).collect();
    let slopes: Vec<f64> = (0..p).map(|_| normal() / (p as f64).sqrt()).collect();
    let mut bytes = Vec::new();
    for i in 0..work.rows {
        let row: Vec<f64> = match work.labelled {
            true => (0..p).map(|_| normal()).collect(),
            false => (0..p).map(|j| centres[i % 6 * p + j] + normal()).collect(),
        };
        row.iter().for_each(|v| bytes.extend(v.to_ne_bytes()));
        if work.labelled {
            let score: f64 = row.iter().zip(&slopes).map(|(x, s)| 2.0 * x * s).sum();
            let class = f64::from(score + 0.5 * row[0] * row[1] + normal() > 0.3);
            bytes.extend(class.to_ne_bytes());
        }
    }
    std::fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}

/// Every learner against its peer.
///
/// # Errors
/// When a peer is missing or a fit fails.
pub(crate) fn run(setting: &Setting) -> Result<Record, String> {
    let python = peers::python(&setting.root)?.display().to_string();
    let script = setting.root.join("bench/peers/sklearn_learners.py").display().to_string();
    let this = std::env::current_exe().map(|p| p.display().to_string()).map_err(|e| e.to_string())?;
    let mut record = Record::begin(
        &setting.root,
        "learners",
        "Both fit the same simulated points with the same settings, each turn in a process of its own; reading the points is \
         not counted.\n\
         The result column is what both minimise or maximise, on the points they learned from.",
    );
    record.versions = peers::versions(Path::new(&python), &["scikit-learn", "scipy", "numpy"]);
    let rounds = setting.rounds.unwrap_or(ROUNDS);
    for work in &ALL {
        let path: PathBuf = setting.scratch.join(format!("{}.f64", work.kind));
        simulate(work, &path)?;
        let columns = (work.columns + usize::from(work.labelled)).to_string();
        let turn = |program: &[&str]| -> Result<Turn, String> {
            let rest = [work.kind, &path.display().to_string(), &columns];
            let command: Vec<String> = program.iter().chain(&rest).map(|s| (*s).to_owned()).collect();
            answer(&command, &setting.scratch)
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            eprintln!("{}: round {} of {rounds}", work.words, round + 1);
            ours.push(turn(&[&this, "learn"])?);
            theirs.push(turn(&[&python, &script])?);
        }
        let data = format!("{} rows × {} columns", work.rows, work.columns);
        let contenders = vec![contender("guike", work, &ours), contender(work.peer, work, &theirs)];
        record.cases.push(Case { work: work.words.to_owned(), data, contenders });
    }
    Ok(record)
}

fn contender(name: &str, work: &Work, turns: &[Turn]) -> Contender {
    let quality = turns.last().map_or(f64::NAN, |t| t.quality);
    Contender {
        name: name.to_owned(),
        cpu_s: turns.iter().map(|t| t.fit.cpu_s).collect(),
        wall_s: turns.iter().map(|t| t.fit.wall_s).collect(),
        peak_mib: None,
        result: format!("{} {quality:.7}", work.quality),
    }
}
