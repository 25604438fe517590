//! The files of a grouping, and what is said about it. `docs/files.md` describes them for readers.

use std::path::{Path, PathBuf};

use guike_store::{OutColumn, OutData, Staged, significant, write_csv};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::Error;

use super::find::Found;
use super::{ClusterMethod, ClusterSettings, Compared, Groups};

/// File names within the folder of a grouping.
pub mod file_names {
    /// The group of every row.
    pub const CLUSTERS_CSV: &str = "clusters.csv";
    /// What was found and how.
    pub const CLUSTERS_JSON: &str = "clusters.json";
}

/// What `clusters.json` holds.
#[derive(Serialize)]
struct Report<'a> {
    guike: &'static str,
    method: ClusterMethod,
    rows: usize,
    columns: &'a [Compared],
    clusters: Vec<Cluster<'a>>,
    noise_rows: usize,
    silhouette: Option<f64>,
    #[serde(flatten)]
    found: &'a Found,
    seed: u64,
    notes: &'a [String],
}

/// One group.
#[derive(Serialize)]
struct Cluster<'a> {
    cluster: usize,
    rows: usize,
    share: f64,
    /// Mean of every compared column over the filled cells.
    means: Vec<Mean<'a>>,
}

#[derive(Serialize)]
struct Mean<'a> {
    column: &'a str,
    mean: Option<f64>,
    /// Distance of the mean from that of all rows, in standard deviations of all rows.
    stands_out: Option<f64>,
}

impl Groups {
    fn noise(&self) -> usize {
        self.labels.iter().filter(|l| l.is_none()).count()
    }

    fn clusters(&self) -> Vec<Cluster<'_>> {
        let n = self.labels.len();
        let means: Vec<Vec<Mean<'_>>> = self.data.columns().iter().map(|c| self.means(&c.name)).collect();
        let mut by_column: Vec<_> = means.into_iter().map(Vec::into_iter).collect();
        self.sizes
            .iter()
            .enumerate()
            .map(|(c, &rows)| Cluster {
                cluster: c + 1,
                rows,
                share: rows as f64 / n as f64,
                means: by_column.iter_mut().filter_map(Iterator::next).collect(),
            })
            .collect()
    }

    /// Mean of one column in every group.
    fn means<'a>(&'a self, name: &'a str) -> Vec<Mean<'a>> {
        let values = self.data.column(name).and_then(|c| c.as_numeric()).expect("a column of numbers");
        let spread = |of: &dyn Fn(usize) -> bool| {
            let v: Vec<f64> = (0..values.len()).filter(|&i| of(i) && !values[i].is_nan()).map(|i| values[i]).collect();
            let n = v.len() as f64;
            let mean = v.iter().sum::<f64>() / n;
            (mean, (v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
        };
        let (of_all, deviation) = spread(&|_| true);
        (0..self.sizes.len())
            .map(|c| {
                let mean = spread(&|i| self.labels[i] == Some(c as u32)).0;
                let number = |x: f64| x.is_finite().then(|| significant(x));
                Mean { column: name, mean: number(mean), stands_out: number((mean - of_all) / deviation) }
            })
            .collect()
    }
}

/// Writes everything into the staging folder.
pub(super) fn write(staged: &Staged, groups: &Groups, settings: &ClusterSettings) -> Result<(), Error> {
    let report = Report {
        guike: env!("CARGO_PKG_VERSION"),
        method: settings.method,
        rows: groups.labels.len(),
        columns: &groups.columns,
        clusters: groups.clusters(),
        noise_rows: groups.noise(),
        silhouette: groups.silhouette,
        found: &groups.found,
        seed: settings.seed.0,
        notes: &groups.notes,
    };
    let name = file_names::CLUSTERS_JSON;
    let text = serde_json::to_string_pretty(&report)
        .map_err(|e| Error::Internal(format!("`{name}` has no JSON form: {e}")))?;
    staged.write(name, text + "\n")?;
    let rows: Vec<i64> = (1..=groups.labels.len() as i64).collect();
    let cluster: Vec<String> =
        groups.labels.iter().map(|l| l.map_or_else(String::new, |l| (l + 1).to_string())).collect();
    let mut columns = vec![OutColumn { name: "row", data: OutData::Integer(&rows) }];
    if let Some((name, ids)) = &groups.ids {
        columns.push(OutColumn { name, data: OutData::Text(ids) });
    }
    columns.push(OutColumn { name: "cluster", data: OutData::Text(&cluster) });
    if let Some(p) = &groups.probability {
        columns.push(OutColumn { name: "probability", data: OutData::Number(p) });
    }
    Ok(write_csv(&staged.path(file_names::CLUSTERS_CSV)?, &columns)?)
}

/// What was found, in short.
#[derive(Debug, Clone)]
pub struct ClusterSummary {
    /// The folder of the results.
    pub out: PathBuf,
    /// Names of the columns below.
    pub columns: Vec<String>,
    /// One row per group, noise last: number, rows, share, means of the compared columns.
    pub rows: Vec<Vec<Value>>,
    /// Figures in words.
    pub figures: String,
    /// What may be read.
    pub notes: Vec<String>,
}

pub(super) fn summary(groups: &Groups, out: &Path) -> ClusterSummary {
    let mut columns = ["cluster", "rows", "share"].map(str::to_owned).to_vec();
    columns.extend(groups.columns.iter().map(|c| format!("mean {}", c.name)));
    let mut rows: Vec<Vec<Value>> = groups
        .clusters()
        .into_iter()
        .map(|c| {
            let mut row = vec![json!(c.cluster), json!(c.rows), json!(significant(c.share))];
            row.extend(c.means.iter().map(|m| json!(m.mean)));
            row
        })
        .collect();
    if groups.noise() > 0 {
        let share = groups.noise() as f64 / groups.labels.len() as f64;
        let mut row = vec![json!("noise"), json!(groups.noise()), json!(significant(share))];
        row.resize(columns.len(), Value::Null);
        rows.push(row);
    }
    let mut figures = format!("{} clusters ({})", groups.sizes.len(), groups.found.chosen_by);
    if let Some(s) = groups.silhouette {
        figures += &format!(", silhouette {s:.3}");
    }
    if let Some(l) = groups.found.likelihood {
        figures += &format!(", Bayesian information criterion {:.1}", l.bic);
    }
    if let Some(d) = groups.found.density {
        figures += &format!(", places of {} rows within {:.4}", d.min_points, d.radius);
    }
    ClusterSummary { out: out.to_owned(), columns, rows, figures, notes: groups.notes.clone() }
}
