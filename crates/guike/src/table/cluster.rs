//! `guike cluster`: rows of a table that are alike, by any of four methods.
//!
//! The one idea: the methods differ in what they take a group for, and everything around them is the same: numbers are
//! filled and put on one scale as for learners, the number of groups is found where it is not given, groups are numbered by
//! size, and a silhouette says how clearly they are apart.
//!
//! Groups are found, not predicted: nothing here knows a target, and nothing is saved to place new rows. Tiers of customers
//! by value are made by [`crate::run()`].

mod find;
mod output;

use std::path::Path;

use guike_core::{Progress, Seed, Table};
use guike_data::{LogFile, ReadOptions, TableRead, read_table};
use guike_learn::{Points, silhouette};
use guike_store::Staged;
use serde::Serialize;

use crate::error::Error;

use super::columns::divide;
use super::prepare::Scale;
use super::settings::{ScalingChoice, TableSettings};
use super::{rows, target};

pub use guike_learn::Covariance;
pub use output::{ClusterSummary, file_names};

/// What a group is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterMethod {
    /// Rows around a centre.
    #[default]
    KMeans,
    /// Rows that were merged, the most alike first (Ward's hierarchical clustering).
    Ward,
    /// A cloud of a mixture of Gaussians, to which rows belong with a probability.
    Mixture,
    /// Rows that lie densely; the others are noise.
    Dbscan,
}

/// What to group and how.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterSettings {
    /// What a group is.
    pub method: ClusterMethod,
    /// The columns to compare rows by; empty for every column of numbers that does not name the rows.
    pub columns: Vec<String>,
    /// Columns not to compare by.
    pub drop: Vec<String>,
    /// Number of groups, at least 2; `None` finds out. Not for [`ClusterMethod::Dbscan`].
    pub k: Option<usize>,
    /// What the clouds of [`ClusterMethod::Mixture`] may look like.
    pub covariance: Covariance,
    /// Within which distance rows are neighbours, on the common scale, above 0; `None` finds out. For
    /// [`ClusterMethod::Dbscan`] only.
    pub radius: Option<f64>,
    /// How many neighbours make a dense place; `None` is twice the number of columns, and at least 4. For
    /// [`ClusterMethod::Dbscan`] only.
    pub min_points: Option<usize>,
    /// How to put numbers on one scale.
    pub scaling: ScalingChoice,
    /// Root of all randomness.
    pub seed: Seed,
    /// How to read the file.
    pub read: ReadOptions,
}

impl Default for ClusterSettings {
    fn default() -> ClusterSettings {
        ClusterSettings {
            method: ClusterMethod::default(),
            columns: Vec::new(),
            drop: Vec::new(),
            k: None,
            covariance: Covariance::default(),
            radius: None,
            min_points: None,
            scaling: ScalingChoice::default(),
            seed: Seed(1),
            read: ReadOptions::default(),
        }
    }
}

/// Most groups that can be asked for.
const MOST_GROUPS: usize = 1_000;
/// Number of groups that are tried where none is given: as many as people can tell apart.
const TRIED: std::ops::RangeInclusive<usize> = 2..=10;

impl ClusterSettings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`Error::Config`] naming the setting, its value and the rule.
    pub fn validate(&self) -> Result<(), Error> {
        let refuse = |what: &str, value: String, rule: &str| {
            Err(Error::Config { what: what.to_owned(), value, rule: rule.to_owned() })
        };
        let dbscan = self.method == ClusterMethod::Dbscan;
        if let Some(k) = self.k {
            if dbscan {
                let rule =
                    "dbscan finds as many clusters as there are dense places; leave it out, or take another --method";
                return refuse("--k", k.to_string(), rule);
            }
            if !(2..=MOST_GROUPS).contains(&k) {
                return refuse("--k", k.to_string(), "give 2 to 1,000");
            }
        }
        if let Some(radius) = self.radius {
            if !dbscan {
                return refuse("--radius", radius.to_string(), "only --method dbscan has a radius");
            }
            if !(radius > 0.0 && radius.is_finite()) {
                return refuse("--radius", radius.to_string(), "give a number above 0");
            }
        }
        if let Some(n) = self.min_points {
            if !dbscan {
                return refuse("--min-points", n.to_string(), "only --method dbscan counts neighbours");
            }
            if n < 2 {
                return refuse("--min-points", n.to_string(), "give 2 or more");
            }
        }
        if self.method != ClusterMethod::Mixture && self.covariance != Covariance::Full {
            let value = serde_json::to_value(self.covariance).unwrap_or_default();
            return refuse(
                "--covariance",
                value.as_str().unwrap_or_default().to_owned(),
                "only --method mixture has one",
            );
        }
        Ok(())
    }
}

/// A column that rows are compared by.
#[derive(Debug, Clone, Serialize)]
struct Compared {
    name: String,
    #[serde(flatten)]
    scale: Scale,
}

/// Everything that was found.
#[derive(Debug)]
struct Groups {
    /// Name of the id column and its cells, where there is one.
    ids: Option<(String, Vec<String>)>,
    columns: Vec<Compared>,
    /// The compared columns as they were read.
    data: Table,
    /// Group of every row from 0, the largest first; `None` for noise.
    labels: Vec<Option<u32>>,
    /// Probability of the own group, for a mixture.
    probability: Option<Vec<f64>>,
    /// Rows of every group.
    sizes: Vec<usize>,
    silhouette: Option<f64>,
    found: find::Found,
    notes: Vec<String>,
}

/// Groups the rows of `table` (a path, or a [`LogFile`]) and writes groups and what sets them apart into the folder `out`, which appears
/// only when everything is complete.
///
/// # Errors
/// [`Error`]; `out` is then as it was before.
pub fn cluster(
    table: impl Into<LogFile>,
    out: &Path,
    settings: &ClusterSettings,
    progress: &dyn Progress,
) -> Result<ClusterSummary, Error> {
    settings.validate()?;
    let staged = Staged::begin(out)?;
    let groups = groups(read_table(table, &settings.read, &[], progress)?, settings, progress)?;
    output::write(&staged, &groups, settings)?;
    progress.check()?;
    staged.commit()?;
    Ok(output::summary(&groups, out))
}

fn groups(read: TableRead, settings: &ClusterSettings, progress: &dyn Progress) -> Result<Groups, Error> {
    let TableRead { table, kinds, mut notes, .. } = read;
    let all: Vec<usize> = (0..table.n_rows()).collect();
    let wishes =
        TableSettings { drop: settings.drop.clone(), keep: settings.columns.clone(), ..TableSettings::default() };
    if let Some(name) = settings.columns.iter().find(|n| table.column(n).is_none()) {
        return Err(target::no_such_column("--columns", name, &table));
    }
    let features = divide(&table, &kinds, &all, &wishes)?;
    let is_asked = |name: &str| settings.columns.is_empty() || settings.columns.iter().any(|c| c == name);
    for l in features.left_out.iter().filter(|l| is_asked(&l.name)) {
        notes.push(format!("rows are not compared by column `{}`: {}", l.name, l.why.words()));
    }
    let mut names = Vec::new();
    for c in features.inputs.iter().filter(|c| is_asked(&c.name)) {
        if table.column(&c.name).is_some_and(|c| c.as_numeric().is_some()) {
            names.push(c.name.as_str());
        } else {
            notes.push(format!("rows are not compared by column `{}`: it holds no numbers", c.name));
        }
    }
    if names.is_empty() {
        return Err(Error::NoAnswer(format!("no column of numbers is left to compare rows by ({})", notes.join("; "))));
    }
    let data = rows::columns(&table, names.into_iter());
    let ids = features.id.filter(|id| !is_asked(id) || settings.columns.is_empty()).map(|id| {
        let column = table.column(&id).expect("a column of the table");
        let cells = all.iter().map(|&i| rows::text(column, i)).collect();
        (id, cells)
    });
    let (columns, points) = scaled(&data, settings.scaling, &mut notes);
    let points = Points::new(&points, columns.len());
    let found = find::find(points, settings, &mut notes, progress)?;
    let (labels, sizes) = by_size(&found.labels);
    let (kept, of_kept): (Vec<usize>, Vec<u32>) =
        labels.iter().enumerate().filter_map(|(i, l)| Some((i, (*l)?))).unzip();
    let values: Vec<f64> = kept.iter().flat_map(|&i| points.row(i)).copied().collect();
    let silhouette = silhouette(Points::new(&values, columns.len()), &of_kept, settings.seed);
    Ok(Groups { ids, columns, data, labels, probability: found.probability.clone(), sizes, silhouette, found, notes })
}

/// The columns on one scale, row by row.
fn scaled(data: &Table, scaling: ScalingChoice, notes: &mut Vec<String>) -> (Vec<Compared>, Vec<f64>) {
    let n = data.n_rows();
    let mut out = vec![0.0; n * data.columns().len()];
    let mut compared = Vec::new();
    for (j, column) in data.columns().iter().enumerate() {
        let values = column.as_numeric().expect("a column of numbers");
        let scale = Scale::fit(values, scaling);
        for (i, &x) in values.iter().enumerate() {
            out[i * data.columns().len() + j] = scale.apply(x);
        }
        let missing = values.iter().filter(|x| x.is_nan()).count();
        if missing > 0 {
            notes.push(format!("column `{}`: {missing} empty cells count as its median", column.name));
        }
        compared.push(Compared { name: column.name.clone(), scale });
    }
    (compared, out)
}

/// Groups numbered from the largest, of equals the one that appears first; and their sizes.
fn by_size(labels: &[Option<u32>]) -> (Vec<Option<u32>>, Vec<usize>) {
    let k = labels.iter().flatten().max().map_or(0, |&m| m as usize + 1);
    let (mut sizes, mut first) = (vec![0_usize; k], vec![usize::MAX; k]);
    for (i, &l) in labels.iter().enumerate() {
        if let Some(l) = l {
            sizes[l as usize] += 1;
            first[l as usize] = first[l as usize].min(i);
        }
    }
    let mut order: Vec<usize> = (0..k).filter(|&c| sizes[c] > 0).collect();
    order.sort_by_key(|&c| (std::cmp::Reverse(sizes[c]), first[c]));
    let mut number = vec![0; k];
    order.iter().enumerate().for_each(|(new, &old)| number[old] = new as u32);
    (labels.iter().map(|l| l.map(|l| number[l as usize])).collect(), order.into_iter().map(|c| sizes[c]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_numbered_from_the_largest() {
        let (labels, sizes) = by_size(&[Some(4), Some(2), None, Some(2), Some(0)]);
        assert_eq!(labels, [Some(1), Some(0), None, Some(0), Some(2)]);
        assert_eq!(sizes, [2, 1, 1]);
        assert_eq!(by_size(&[None, None]).1, Vec::<usize>::new());
    }

    #[test]
    fn settings_of_another_method_are_refused() {
        let check = |change: fn(&mut ClusterSettings)| {
            let mut s = ClusterSettings::default();
            change(&mut s);
            s.validate().map_err(|e| e.to_string())
        };
        assert!(check(|_| ()).is_ok());
        for (change, words) in [
            ((|s| s.k = Some(1)) as fn(&mut ClusterSettings), "2 to 1,000"),
            (|s| (s.method, s.k) = (ClusterMethod::Dbscan, Some(3)), "as many clusters as there are dense places"),
            (|s| s.radius = Some(0.5), "only --method dbscan"),
            (|s| (s.method, s.radius) = (ClusterMethod::Dbscan, Some(-0.5)), "above 0"),
            (|s| s.min_points = Some(3), "only --method dbscan"),
            (|s| (s.method, s.min_points) = (ClusterMethod::Dbscan, Some(1)), "2 or more"),
            (|s| s.covariance = Covariance::Tied, "only --method mixture"),
        ] {
            let e = check(change).expect_err(words);
            assert!(e.contains(words), "{e}");
        }
    }
}
