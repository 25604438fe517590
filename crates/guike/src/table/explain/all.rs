//! What a model leans on in all: how much columns matter, what happens when one is changed, and which work together.

use guike_core::{ColumnData, Seed, Table};
use guike_explain::dependence::{Grid, dependence};
use guike_explain::tree_shap::TreeShap;

use super::found::{ColumnCurves, ColumnImportance, Interactions, TableExplanation};
use super::parts::Attributed;
use super::{Case, every, internal};
use crate::error::Error;
use crate::table::rows;

/// Rows behind a curve.
const CURVES: usize = 100;
/// Columns whose curves are drawn.
const DRAWN: usize = 4;
/// Columns of the map of interactions.
const MAPPED: usize = 8;

impl Case<'_> {
    pub(super) fn all(
        &self,
        told: &Attributed,
        sample: &[usize],
        predicted: &[f64],
        seed: Seed,
    ) -> Result<TableExplanation, Error> {
        let n = sample.len() as f64;
        let mean = told.parts.importance(0);
        let mut columns: Vec<(usize, ColumnImportance)> = self
            .inputs
            .columns()
            .iter()
            .enumerate()
            .map(|(j, c)| {
                let part = |i: usize| told.parts.of(i, 0)[j];
                let variance =
                    (0..sample.len()).map(|i| (part(i).abs() - mean[j]).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
                let value = |i: usize| c.as_numeric().map_or(f64::NAN, |v| v[i]);
                let rows = sample.iter().enumerate().map(|(i, &r)| (part(i), value(r))).collect();
                let error = (variance / n).sqrt();
                (j, ColumnImportance { column: c.name.clone(), mean_part: mean[j], error, rows })
            })
            .collect();
        columns.sort_by(|a, b| b.1.mean_part.total_cmp(&a.1.mean_part));
        let order: Vec<usize> = columns.iter().map(|c| c.0).collect();
        let used = order.iter().copied().filter(|&j| mean[j] > 0.0);
        let curves = used.clone().take(DRAWN).map(|j| self.curves(j)).collect::<Result<Vec<_>, Error>>()?;
        let interactions = self.interactions(&used.take(MAPPED).collect::<Vec<_>>(), sample)?;
        let (tree, rules) = self.tree(sample, predicted, seed)?.unzip();
        Ok(TableExplanation {
            n_rows: self.inputs.n_rows(),
            explained: sample.len(),
            base: told.parts.expected()[0],
            columns: columns.into_iter().map(|c| c.1).collect(),
            curves,
            interactions,
            tree_fidelity: tree.as_ref().and_then(|t| t.fidelity),
            tree,
            rules: rules.unwrap_or_default(),
        })
    }

    /// What is predicted when column `j` is changed.
    fn curves(&self, j: usize) -> Result<ColumnCurves, Error> {
        let rows = every(self.inputs.n_rows(), CURVES);
        let table = rows::select(self.inputs, &rows);
        let column = &self.inputs.columns()[j];
        let (grid, levels) = match &column.data {
            ColumnData::Numeric(v) => (Grid::quantiles(v, 21), None),
            ColumnData::Categorical { codes, levels } => (Grid::categories(codes, 10), Some(levels)),
        };
        let found = dependence(&grid, 1, |point| {
            self.progress.check()?;
            let p = self.loaded.fitted.predict(&with(&table, j, point));
            Ok::<_, Error>(self.of_class(&p))
        })?;
        let d = &found[0];
        Ok(ColumnCurves {
            column: column.name.clone(),
            names: levels.map_or_else(Vec::new, |l| grid.points.iter().map(|&p| l[p as usize].clone()).collect()),
            at: if levels.is_none() { grid.points.clone() } else { Vec::new() },
            mean: d.mean.clone(),
            heterogeneity: d.heterogeneity,
            rows: (0..d.n_rows()).map(|r| d.curve(r).to_vec()).collect(),
            data: column.as_numeric().map_or_else(Vec::new, <[f64]>::to_vec),
        })
    }

    /// How much pairs of these columns add together, where the model is made of trees.
    fn interactions(&self, columns: &[usize], sample: &[usize]) -> Result<Option<Interactions>, Error> {
        let Some((trees, link)) = self.model().trees().filter(|_| columns.len() > 1) else { return Ok(None) };
        let (output, _) = self.output(link);
        let shap = TreeShap::new(trees).map_err(internal)?;
        let found = &shap.mean_interactions(&self.prepared(sample)).map_err(internal)?;
        let groups = self.groups();
        let pair = |a: usize, b: usize| {
            groups[a].iter().flat_map(|&i| groups[b].iter().map(move |&j| found.of(output, i, j))).sum::<f64>()
        };
        let names = columns.iter().map(|&j| self.inputs.columns()[j].name.clone()).collect();
        // a pair's whole: the matrix credits each of the two with it once
        let strength = |a: usize, b: usize| if a == b { pair(a, a) } else { pair(a, b) + pair(b, a) };
        Ok(Some((names, columns.iter().map(|&a| columns.iter().map(|&b| strength(a, b)).collect()).collect())))
    }
}

/// The table with column `j` the same in all rows.
fn with(table: &Table, j: usize, point: f64) -> Table {
    let columns = table.columns().iter().enumerate().map(|(i, c)| {
        let data = match &c.data {
            data if i != j => data.clone(),
            ColumnData::Numeric(v) => ColumnData::Numeric(vec![point; v.len()]),
            ColumnData::Categorical { codes, levels } => {
                ColumnData::Categorical { codes: vec![point as u32; codes.len()], levels: levels.clone() }
            }
        };
        guike_core::Column { name: c.name.clone(), data }
    });
    Table::new(columns.collect()).expect("the table's own columns")
}
