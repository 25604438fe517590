//! Models that LightGBM saved as text, read as models of ours.
//!
//! The one idea: a text becomes what a `model.json` would hold, so that predicting, explaining and exporting need not know
//! where a model came from. What the file does not say stays unsaid: the target has no name, and classes are called by their
//! numbers.

use guike_data::CellKind;
use guike_learn::boosting::lightgbm::{InputKind, read};
use guike_learn::{TabularModel, Task};

use super::calibrate::Calibrator;
use super::columns::InputColumn;
use super::figures::Decision;
use super::model::Saved;
use super::pipeline::Fitted;
use super::prepare::Preparation;
use super::target::Outcome;

/// How the text begins.
pub(crate) const BEGINS: &str = "tree\n";

/// The model in a text of LightGBM's.
///
/// # Errors
/// In words: what is missing, damaged or not supported.
pub(super) fn saved(text: &str) -> Result<Saved, String> {
    let imported = read(text)?;
    let mut columns: Vec<InputColumn> = Vec::new();
    for input in &imported.inputs {
        // a feature whose zeros count as missing in some trees only is read twice
        if columns.iter().all(|c| c.name != input.name) {
            let is_category = matches!(input.kind, InputKind::Category(_));
            let kind = if is_category { CellKind::Category } else { CellKind::Number };
            columns.push(InputColumn { name: input.name.clone(), kind });
        }
    }
    let outcome = match imported.model.task() {
        Task::Regression => Outcome::Regression,
        Task::Classification { classes } => Outcome::Classification {
            classes: (0..classes).map(|c| c.to_string()).collect(),
            positive: (classes == 2).then_some(1),
        },
    };
    let fitted = Fitted {
        preparation: Preparation::of_inputs(&imported.inputs),
        model: Box::new(imported.model),
        calibrator: Calibrator::default(),
        means: Vec::new(),
    };
    let decision = Decision { threshold: 0.5, cost_fp: 1.0, cost_fn: 1.0 };
    Ok(Saved::of("boosting", "", &outcome, &decision, &columns, &fitted))
}
