//! The saved model: everything between a row of a file and its prediction.

use std::collections::BTreeSet;

use guike_core::{ColumnData, Table};
use guike_data::CellKind;
use guike_learn::TabularModel;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;

use super::calibrate::Calibrator;
use super::columns::InputColumn;
use super::figures::Decision;
use super::learners;
use super::pipeline::Fitted;
use super::prepare::Preparation;
use super::standing::Standing;
use super::target::Outcome;

/// What a `model.json` holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    pub(super) kind: String,
    pub(super) learner: String,
    pub(super) target: String,
    pub(super) outcome: Outcome,
    pub(super) threshold: f64,
    pub(super) columns: Vec<InputColumn>,
    pub(super) preparation: Preparation,
    pub(super) calibrator: Calibrator,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) means: Vec<f64>,
    /// Absent in models of earlier versions and of LightGBM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) standing: Option<Standing>,
    pub(super) model: Value,
}

const KIND: &str = "guike-table-model";

/// Whether this is a model of `guike train`, and not one of `guike run`.
pub(crate) fn is_table_model(model: &Value) -> bool {
    model.get("kind").and_then(Value::as_str) == Some(KIND)
}

/// A model read back, ready to predict.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(super) learner: String,
    /// The checksum of the file.
    pub(super) fingerprint: String,
    pub(super) target: String,
    pub(super) outcome: Outcome,
    pub(super) decision: Decision,
    pub(super) columns: Vec<InputColumn>,
    pub(super) fitted: Fitted,
    /// Tiers and intervals, where they were learned.
    pub(super) standing: Option<Standing>,
}

impl Saved {
    pub(super) fn of(
        learner: &str,
        target: &str,
        outcome: &Outcome,
        decision: &Decision,
        columns: &[InputColumn],
        fitted: &Fitted,
    ) -> Saved {
        Saved {
            kind: KIND.to_owned(),
            learner: learner.to_owned(),
            target: target.to_owned(),
            outcome: outcome.clone(),
            threshold: decision.threshold,
            columns: columns.to_vec(),
            preparation: fitted.preparation.clone(),
            calibrator: fitted.calibrator.clone(),
            means: fitted.means.clone(),
            standing: None,
            model: fitted.model.save(),
        }
    }

    pub(super) fn load(self, fingerprint: String) -> Result<Loaded, String> {
        if self.kind != KIND {
            return Err(format!("it is a `{}`, not a model that `guike train` saved", self.kind));
        }
        let entry = learners::named(&self.learner)
            .ok_or_else(|| format!("this version knows no learner `{}`; see `guike models`", self.learner))?;
        let model: Box<dyn TabularModel> = (entry.load)(&self.model)?;
        if model.task() != self.outcome.task() {
            return Err(format!("its {} does not predict what it says it predicts", self.learner));
        }
        if !self.means.is_empty() && self.means.len() != model.n_columns() {
            return Err("its means are not one per prepared column".to_owned());
        }
        if let Some(standing) = &self.standing {
            standing.check(self.outcome.task().n_outputs())?;
        }
        Ok(Loaded {
            learner: self.learner,
            fingerprint,
            target: self.target,
            outcome: self.outcome,
            decision: Decision { threshold: self.threshold, cost_fp: 1.0, cost_fn: 1.0 },
            columns: self.columns,
            fitted: Fitted { preparation: self.preparation, model, calibrator: self.calibrator, means: self.means },
            standing: self.standing,
        })
    }
}

impl Loaded {
    /// From what a `model.json` holds, with the file's checksum.
    ///
    /// # Errors
    /// In words: what is damaged or not known.
    pub(crate) fn of_json(saved: Value, fingerprint: String) -> Result<Loaded, String> {
        let saved: Saved = serde_json::from_value(saved).map_err(|e| e.to_string())?;
        saved.load(fingerprint)
    }

    /// From a text that LightGBM saved.
    ///
    /// # Errors
    /// In words: what is missing, damaged or not supported.
    pub(crate) fn of_lightgbm(text: &str, fingerprint: String) -> Result<Loaded, String> {
        super::lightgbm::saved(text).map_err(|e| format!("as a model of LightGBM: {e}"))?.load(fingerprint)
    }

    /// What learned it: a name of `guike models`.
    pub(crate) fn learner_name(&self) -> &str {
        &self.learner
    }

    /// The columns this model reads, as the file must have them.
    pub(super) fn expected(&self) -> Vec<(String, CellKind)> {
        self.columns.iter().map(|c| (c.name.clone(), c.kind)).collect()
    }

    /// What the model reads of this table.
    ///
    /// # Errors
    /// [`Error::NoAnswer`] naming every column that is missing.
    pub(super) fn inputs(&self, table: &Table) -> Result<Table, Error> {
        let missing: Vec<&str> =
            self.columns.iter().map(|c| c.name.as_str()).filter(|n| table.column(n).is_none()).collect();
        if !missing.is_empty() {
            let names: Vec<&str> = table.columns().iter().map(|c| c.name.as_str()).collect();
            let quoted: Vec<String> = missing
                .iter()
                .map(|m| {
                    let near =
                        super::settings::nearest(m, &names).filter(|n| !self.columns.iter().any(|c| c.name == *n));
                    near.map_or_else(|| format!("`{m}`"), |n| format!("`{m}` (is `{n}` meant?)"))
                })
                .collect();
            return Err(Error::NoAnswer(format!(
                "the table lacks {} that the model was trained on: {}; add {} (empty cells are allowed)",
                if missing.len() == 1 { "a column" } else { "columns" },
                quoted.join(", "),
                if missing.len() == 1 { "it" } else { "them" }
            )));
        }
        Ok(super::rows::columns(table, self.columns.iter().map(|c| c.name.as_str())))
    }

    /// Remarks on categories that the model does not know by name.
    pub(super) fn unseen(&self, inputs: &Table) -> Vec<String> {
        let mut notes = Vec::new();
        for column in inputs.columns() {
            let (ColumnData::Categorical { codes, levels }, Some(known)) =
                (&column.data, self.fitted.preparation.levels(&column.name))
            else {
                continue;
            };
            let known: BTreeSet<&String> = known.iter().collect();
            let is_new: Vec<bool> = levels.iter().map(|l| !known.contains(l)).collect();
            let rows = codes.iter().filter(|&&c| is_new.get(c as usize) == Some(&true)).count();
            if rows > 0 {
                let example = levels.iter().zip(&is_new).find(|(_, n)| **n).map_or("", |(l, _)| l.as_str());
                notes.push(format!(
                    "column `{}`: {rows} {} a category that training saw too seldom or not at all, such as `{example}`",
                    column.name,
                    if rows == 1 { "row holds" } else { "rows hold" }
                ));
            }
        }
        notes
    }
}
