//! A trained pipeline as an ONNX file: from the cells of a row to its prediction, without Guike.
//!
//! The one idea: the graph repeats `model.json` step by step, in the same 64-bit numbers. Its inputs are the columns of the
//! table, rows × 1 each: numbers with NaN, and texts with the empty text, for missing. Its outputs are what is predicted and,
//! of classes, their probabilities.
//!
//! How cells are read stays with the caller: decimal commas, words for missing, and days since 1970-01-01 in place of dates.

mod learner;
mod prepared;

use std::collections::BTreeMap;

use guike_data::CellKind;
use guike_onnx::{About, Attribute, Element, Graph, Op, Tensor, Value};
use serde_json::json;

use super::calibrate::{Calibrator, EDGE};
use super::figures::Decision;
use super::model::Loaded;
use super::target::Outcome;

/// Version of what the inputs, outputs and facts of a file mean.
const FORMAT: u32 = 1;

/// The file's bytes; `None` where the learner has no such form.
pub(super) fn bytes(model: &Loaded) -> Option<Vec<u8>> {
    let mut graph = Graph::new("guike");
    let inputs: BTreeMap<&str, Value> = model
        .columns
        .iter()
        .map(|c| {
            let element = if c.kind == CellKind::Category { Element::Text } else { Element::Double };
            (c.name.as_str(), graph.input(&c.name, element))
        })
        .collect();
    let x = prepared::matrix(&mut graph, &inputs, model.fitted.preparation.steps());
    let p = learner::prediction(&mut graph, &*model.fitted.model, &x)?;
    match &model.outcome {
        Outcome::Regression => graph.output("predicted", &p, Element::Double, 1),
        Outcome::Classification { classes, positive } => {
            let p = calibrated(&mut graph, &model.fitted.calibrator, p);
            let called = called(&mut graph, classes, *positive, &model.decision, &p);
            graph.output("predicted", &called, Element::Text, 1);
            graph.output("probabilities", &p, Element::Double, classes.len());
        }
    }
    Some(graph.model(about(model)))
}

/// As [`Calibrator::apply`].
fn calibrated(graph: &mut Graph, calibrator: &Calibrator, p: Value) -> Value {
    if calibrator.is_identity() {
        return p;
    }
    let bounds = [("calibration/least", EDGE), ("calibration/most", 1.0 - EDGE)];
    let [least, most] = bounds.map(|(name, v)| graph.constant(name, Tensor::number(v)));
    let slope = graph.constant("calibration/slope", Tensor::number(calibrator.slope));
    let held = graph.node("calibration/held", Op::named("Clip"), &[&p, &least, &most]);
    let logs = graph.node("calibration/logs", Op::named("Log"), &[&held]);
    let mut sums = graph.node("calibration/sloped", Op::named("Mul"), &[&logs, &slope]);
    if !calibrator.shifts.is_empty() {
        let shifts = graph.constant("calibration/shifts", Tensor::list(calibrator.shifts.clone()));
        sums = graph.node("calibration/shifted", Op::named("Add"), &[&sums, &shifts]);
    }
    graph.node("calibration/p", Op::named("Softmax").with("axis", Attribute::Int(1)), &[&sums])
}

/// As [`Decision::call`].
fn called(graph: &mut Graph, classes: &[String], positive: Option<usize>, by: &Decision, p: &Value) -> Value {
    match positive {
        Some(k) if classes.len() == 2 => {
            let at = graph.constant("decision/asked", Tensor::Ints(vec![k as i64]));
            let threshold = graph.constant("decision/threshold", Tensor::number(by.threshold));
            let [yes, no] = [("decision/yes", k), ("decision/no", 1 - k)]
                .map(|(name, k)| graph.constant(name, Tensor::Texts(vec![classes[k].clone()])));
            let column = graph.node("decision/p", Op::named("Gather").with("axis", Attribute::Int(1)), &[p, &at]);
            let reached = graph.node("decision/reached", Op::named("GreaterOrEqual"), &[&column, &threshold]);
            graph.node("decision/class", Op::named("Where"), &[&reached, &yes, &no])
        }
        _ => {
            let names = graph.constant("decision/classes", Tensor::Texts(classes.to_vec()));
            let top = graph.node("decision/top", Op::named("ArgMax").with("axis", Attribute::Int(1)), &[p]);
            graph.node("decision/class", Op::named("Gather"), &[&names, &top])
        }
    }
}

fn about(model: &Loaded) -> About {
    let Loaded { learner, target, outcome, fingerprint, .. } = model;
    let mut facts = vec![
        ("guike.format", FORMAT.to_string()),
        ("guike.learner", learner.clone()),
        ("guike.target", target.clone()),
        ("guike.fingerprint", fingerprint.clone()),
    ];
    if let Outcome::Classification { classes, positive } = outcome {
        facts.push(("guike.classes", json!(classes).to_string()));
        if let Some(k) = positive {
            facts.push(("guike.positive", classes[*k].clone()));
            facts.push(("guike.threshold", model.decision.threshold.to_string()));
        }
    }
    About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        text: format!("`{target}` predicted by {learner}, as guike export wrote it"),
        facts: facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}
