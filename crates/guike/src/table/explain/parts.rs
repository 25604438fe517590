//! What each column adds: to one row, and to many.

use guike_core::{Seed, Table};
use guike_explain::ExplainError;
use guike_explain::attribution::Attributions;
use guike_explain::linear::{LinearScore, means};
use guike_explain::shapley::{Game, Hybrid, compose, shapley};
use guike_explain::tree_shap::TreeShap;
use guike_learn::Task;
use guike_learn::tabular::Link;
use rayon::prelude::*;

use super::found::{Method, Part, RowExplanation, Unit};
use super::{Case, internal};
use crate::error::Error;

/// Model calls for one of them, where the model can only be asked.
const CALLS: usize = 2_048;

/// Parts of all rows by column of the table.
pub(super) struct Attributed {
    pub(super) unit: Unit,
    pub(super) method: Method,
    pub(super) parts: Attributions,
    /// Standard errors, rows × columns; empty where the parts are exact.
    errors: Vec<f64>,
}

impl Case<'_> {
    /// For each column of the table, the prepared columns that come from it.
    pub(super) fn groups(&self) -> Vec<Vec<usize>> {
        self.loaded.fitted.preparation.groups(self.columns().iter().map(|c| c.name.as_str()))
    }

    /// What the parts add up to, for other rows of the same columns.
    pub(super) fn outputs(&self, table: &Table) -> Vec<f64> {
        let x = self.loaded.fitted.preparation.apply(table);
        let each = |of: &(dyn Fn(usize) -> f64 + Sync)| (0..x.n_rows()).into_par_iter().map(of).collect();
        if let Some((trees, link)) = self.model().trees() {
            let (output, sign) = self.output(link);
            return each(&|i| sign * trees.predict_row(|j| x.at(i, j))[output]);
        }
        if let Some(linear) = self.model().linear() {
            let (output, sign) = self.output(linear.link);
            let of = &linear.coefficients[output * x.n_columns()..(output + 1) * x.n_columns()];
            let sum = |i: usize| of.iter().enumerate().map(|(j, c)| c * x.at(i, j)).sum::<f64>();
            return each(&|i| sign * (linear.intercepts[output] + sum(i)));
        }
        let k = self.task().n_outputs();
        let p = self.loaded.fitted.calibrator.apply(&self.model().predict(&x), k);
        self.of_class(&p)
    }

    /// The parts of these rows; `background` are the rows that others are compared with where the method needs any.
    pub(super) fn parts(&self, rows: &[usize], background: &[usize], seed: Seed) -> Result<Attributed, Error> {
        let groups = self.groups();
        let exact = |link: Link, method: Method, found: Result<Attributions, ExplainError>| {
            let (output, sign) = self.output(link);
            let parts = one_output(&found.map_err(internal)?.grouped(&groups), output, sign);
            Ok(Attributed { unit: self.unit(link), method, parts, errors: Vec::new() })
        };
        if let Some((trees, link)) = self.model().trees() {
            let shap = TreeShap::new(trees).map_err(internal)?;
            return exact(link, Method::TreeShap, shap.attribute(&self.prepared(rows)));
        }
        if let Some(linear) = self.model().linear() {
            let score = LinearScore { coefficients: linear.coefficients, intercepts: linear.intercepts };
            let from = means(&self.prepared(background));
            return exact(linear.link, Method::Linear, score.attribute(&from, &self.prepared(rows)));
        }
        self.asked(rows, background, &groups, seed)
    }

    /// By asking the model about mixtures of prepared rows.
    fn asked(
        &self,
        rows: &[usize],
        background: &[usize],
        groups: &[Vec<usize>],
        seed: Seed,
    ) -> Result<Attributed, Error> {
        let (x, others) = (self.prepared(rows), self.prepared(background));
        let k = self.task().n_outputs();
        let calls = if rows.len() == 1 { Game::default().calls } else { CALLS };
        let found = (0..rows.len())
            .into_par_iter()
            .map(|i| {
                self.progress.check()?;
                let (case, seed) = (x.row(i), seed.at(rows[i] as u64));
                let game = Game { n_groups: groups.len(), n_background: others.n_rows(), n_outputs: 1, calls, seed };
                let outputs = |hybrids: &[Hybrid]| {
                    let p = self.model().predict(&compose(&case, &others, groups, hybrids));
                    let p = self.loaded.fitted.calibrator.apply(&p, k);
                    Ok::<_, ExplainError>(self.of_class(&p))
                };
                shapley(&game, outputs).map_err(internal)
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let expected = found.first().map_or_else(Vec::new, |f| f.attributions.expected().to_vec());
        let values = found.iter().flat_map(|f| f.attributions.of(0, 0).to_vec()).collect();
        let errors = found.iter().flat_map(|f| f.errors(0).to_vec()).collect();
        let unit = if self.task() == Task::Regression { Unit::Number } else { Unit::Probability };
        let parts = Attributions::new(expected, rows.len(), groups.len(), values);
        Ok(Attributed { unit, method: Method::Asked, parts, errors })
    }

    pub(super) fn row(
        &self,
        row: usize,
        id: Option<String>,
        predicted: String,
        p: Option<f64>,
        told: &Attributed,
    ) -> RowExplanation {
        let mut parts: Vec<Part> = self
            .columns()
            .iter()
            .zip(told.parts.of(0, 0))
            .enumerate()
            .map(|(j, (c, &amount))| Part {
                column: c.name.clone(),
                value: self.text(j, self.value(j, row)),
                amount,
                error: told.errors.get(j).copied().unwrap_or(0.0),
            })
            .collect();
        parts.sort_by(|a, b| b.amount.abs().total_cmp(&a.amount.abs()));
        let (base, output) = (told.parts.expected()[0], told.parts.prediction(0, 0));
        RowExplanation { row: row + 1, id, predicted, probability: p, base, output, parts, lime: None, change: None }
    }
}

/// The attributions of one output, with its sign.
fn one_output(a: &Attributions, output: usize, sign: f64) -> Attributions {
    let values = (0..a.n_rows()).flat_map(|i| a.of(i, output).iter().map(move |v| sign * v)).collect();
    Attributions::new(vec![sign * a.expected()[output]], a.n_rows(), a.n_features(), values)
}
