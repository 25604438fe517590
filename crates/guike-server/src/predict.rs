//! `POST /predict`: rows in the model's own columns to predictions.

use std::io::Write as _;
use std::sync::atomic::Ordering;

use guike::table::Outcome;
use guike::table::reasons::Reasons;

use crate::app::{Answer, App, Call};
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::rows::{self, Rows};
use crate::served::ServedModel;

/// Rows of a request whose reasons are told: each costs about as much as a thousand predictions.
const MOST_EXPLAINED: usize = 200;

/// Answers with the first model.
pub(crate) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let with_reasons = Query::parse(&call.query, &["reasons"])?.flag("reasons")?;
    call.needs_json()?;
    let model = app.first_model()?;
    let rows = rows::read(&model.scorer, &call.body, app.limits.rows)?;
    let predicted = model.scorer.predict(&rows.cells);
    model.predicted.fetch_add(rows.n as u64, Ordering::Relaxed);
    let called: Vec<usize> = predicted.chunks_exact(model.scorer.n_outputs()).map(|p| model.scorer.call(p)).collect();
    let reasons = if with_reasons { Some(reasons(model, &rows, &called)?) } else { None };
    Ok(Answer::json(written(model, &rows, &predicted, reasons.as_ref())).with_model(model))
}

/// What each column adds, for the positive class of two, else for the class that is called.
fn reasons(model: &ServedModel, rows: &Rows, called: &[usize]) -> Result<(Reasons, Vec<usize>), Problem> {
    if rows.n > MOST_EXPLAINED {
        let detail = format!("reasons are told for at most {MOST_EXPLAINED} rows of a request; send them in parts");
        return Err(Problem::new(Code::TooManyRows, detail));
    }
    let classes: Vec<usize> = called.iter().map(|&c| model.scorer.outcome().positive().unwrap_or(c)).collect();
    match model.scorer.reasons(&rows.cells, &classes) {
        Ok(Some(reasons)) => Ok((reasons, classes)),
        Ok(None) => Err(Problem::new(
            Code::NoReasons,
            format!(
                "a model of {} cannot tell its reasons by itself, or was saved by an older version; `guike explain` compares a row with others",
                model.scorer.learner()
            ),
        )),
        Err(e) => Err(Problem::from(&e)),
    }
}

/// The predictions as JSON: an object for an object, a list for a list.
fn written(model: &ServedModel, rows: &Rows, predicted: &[f64], reasons: Option<&(Reasons, Vec<usize>)>) -> Vec<u8> {
    let k = model.scorer.n_outputs();
    let mut out = Vec::with_capacity(16 + rows.n * (128 + k * 32));
    if rows.is_list {
        out.push(b'[');
    }
    let p = model.scorer.inputs().len();
    for (i, (cells, values)) in rows.cells.chunks_exact(p).zip(predicted.chunks_exact(k)).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        row(model, cells, values, &mut out);
        if let Some((reasons, classes)) = reasons {
            why(model, reasons, i, classes[i], &mut out);
        }
        out.push(b'}');
    }
    if rows.is_list {
        out.push(b']');
    }
    out
}

fn row(model: &ServedModel, cells: &[f64], values: &[f64], out: &mut Vec<u8>) {
    match model.scorer.outcome() {
        Outcome::Regression => {
            out.extend_from_slice(b"{\"predicted\":");
            number(values[0], out);
        }
        Outcome::Classification { .. } => {
            let called = model.scorer.call(values);
            out.extend_from_slice(b"{\"predicted\":");
            out.extend_from_slice(model.classes[called].as_bytes());
            out.extend_from_slice(b",\"probability\":");
            number(values[called], out);
            for (i, (name, value)) in model.classes.iter().zip(values).enumerate() {
                out.extend_from_slice(if i == 0 { b",\"probabilities\":{" } else { b"," });
                out.extend_from_slice(name.as_bytes());
                out.push(b':');
                number(*value, out);
            }
            out.push(b'}');
        }
    }
    stands(model, values, out);
    let mut is_first = true;
    for (j, &cell) in cells.iter().enumerate().filter(|(j, cell)| model.scorer.is_unknown(*j, **cell)) {
        debug_assert!(!cell.is_nan(), "a missing value is not an unknown one");
        out.extend_from_slice(if is_first { b",\"unknown_categories\":[" } else { b"," });
        out.extend_from_slice(model.columns[j].as_bytes());
        is_first = false;
    }
    if !is_first {
        out.push(b']');
    }
}

/// Its tier and interval, where the model has them.
fn stands(model: &ServedModel, values: &[f64], out: &mut Vec<u8>) {
    if let Some(tier) = model.scorer.tier(values) {
        out.extend_from_slice(b",\"tier\":\"");
        // keys are letters and dashes
        out.extend_from_slice(tier.key.as_bytes());
        out.push(b'"');
    }
    if let Some(interval) = model.scorer.interval(values, model.scorer.call(values)) {
        out.extend_from_slice(b",\"interval\":{");
        if let Some(level) = interval.level {
            out.extend_from_slice(b"\"level\":");
            number(level, out);
            out.push(b',');
        }
        out.extend_from_slice(b"\"lower\":");
        number(interval.lower, out);
        out.extend_from_slice(b",\"upper\":");
        number(interval.upper, out);
        out.push(b'}');
    }
}

/// The parts of row `i`, largest first.
fn why(model: &ServedModel, reasons: &Reasons, i: usize, class: usize, out: &mut Vec<u8>) {
    let p = model.columns.len();
    let parts = &reasons.parts[i * p..][..p];
    let mut order: Vec<usize> = (0..p).collect();
    order.sort_by(|&a, &b| parts[b].abs().total_cmp(&parts[a].abs()));
    out.extend_from_slice(b",\"reasons\":{");
    if let Some(name) = model.classes.get(class) {
        out.extend_from_slice(b"\"class\":");
        out.extend_from_slice(name.as_bytes());
        out.push(b',');
    }
    out.extend_from_slice(b"\"unit\":");
    serde_json::to_writer(&mut *out, &reasons.unit).expect("a name is JSON");
    out.extend_from_slice(b",\"base\":");
    number(reasons.base[i], out);
    for (at, &j) in order.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b",\"parts\":[{\"column\":" } else { b",{\"column\":" });
        out.extend_from_slice(model.columns[j].as_bytes());
        out.extend_from_slice(b",\"amount\":");
        number(parts[j], out);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

/// With all bits; a model says NaN only of a row that it cannot take.
fn number(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        serde_json::to_writer(&mut *out, &value).expect("a Vec takes all");
    } else {
        out.write_all(b"null").expect("a Vec takes all");
    }
}
