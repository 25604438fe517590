//! The Open Inference Protocol, version 2 (KServe, Triton and others): a model of a table as tensors.
//!
//! The one idea: every column of the model is a tensor of its own, with one value per row, and so is everything it says:
//! `predicted`, and `p_CLASS` for every class, as the columns that `guike predict` writes. Tensors come and go as JSON; the
//! binary extension is not offered, and a client is told so by the list of extensions.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use guike::table::Outcome;
use guike::table::score::{InputKind, Scorer};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{Answer, App, Call};
use crate::problem::{Code, Problem};
use crate::query::{Query, list};
use crate::rows::malformed;
use crate::served::ServedModel;
use crate::shape::{Schemas, Shape, shaped};

shaped! {
    /// What the server is.
    ServerMetadata {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
        /// Extensions of the protocol: none.
        extensions: Vec<String>,
    }

    /// Whether the process lives.
    Live {
        /// It does.
        live: bool,
    }

    /// Whether it takes requests.
    Ready {
        /// It does.
        ready: bool,
    }

    /// Whether a model answers.
    ModelReady {
        /// The model.
        name: String,
        /// It does.
        ready: bool,
    }

    /// A model's tensors.
    ModelMetadata {
        /// The name of its folder.
        name: String,
        /// The version that is served.
        versions: Vec<String>,
        /// What runs it.
        platform: String,
        /// One per column that it reads.
        inputs: Vec<TensorMetadata>,
        /// What it says.
        outputs: Vec<TensorMetadata>,
    }

    /// What a tensor is.
    TensorMetadata {
        /// Its name.
        name: String,
        /// `FP64` for numbers, `BYTES` for texts.
        datatype: String,
        /// −1 stands for any number of rows.
        shape: Vec<i64>,
    }

    /// What a model says of some rows.
    InferAnswer {
        /// The model.
        model_name: String,
        /// Its version.
        model_version: String,
        /// The id of the question, where it had one.
        id: Option<String>,
        /// Those that were asked for, or all.
        outputs: Vec<OutputTensor>,
    }

    /// A tensor with its values.
    OutputTensor {
        /// Its name.
        name: String,
        /// `FP64` or `BYTES`.
        datatype: String,
        /// Rows and 1.
        shape: Vec<usize>,
        /// A value per row.
        data: Vec<Value>,
    }
}

/// Rows as one tensor per column.
#[derive(Debug, Deserialize)]
pub(crate) struct InferRequest {
    id: Option<String>,
    inputs: Vec<InputTensor>,
    #[serde(default)]
    outputs: Vec<Wanted>,
}

#[derive(Debug, Deserialize)]
struct InputTensor {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    data: Value,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    name: String,
}

impl Shape for InferRequest {
    fn schema(to: &mut Schemas) -> Value {
        let parameters = json!({ "type": "object" });
        to.entry("InferRequest").or_insert_with(|| {
            json!({
                "type": "object",
                "description": "Rows as one tensor per column of the model.",
                "required": ["inputs"],
                "properties": {
                    "id": { "type": "string", "description": "repeated in the answer" },
                    "parameters": parameters,
                    "inputs": { "type": "array", "items": {
                        "type": "object",
                        "required": ["name", "shape", "datatype", "data"],
                        "properties": {
                            "name": { "type": "string" },
                            "shape": { "type": "array", "items": { "type": "integer", "minimum": 0 } },
                            "datatype": { "type": "string" },
                            "parameters": parameters,
                            "data": { "type": "array" },
                        },
                    } },
                    "outputs": { "type": "array", "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": { "name": { "type": "string" }, "parameters": parameters },
                    } },
                },
            })
        });
        json!({ "$ref": "#/components/schemas/InferRequest" })
    }
}

/// `GET /v2`.
pub(crate) fn server(_: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Ok(Answer::of(&ServerMetadata { name: "guike".to_owned(), version, extensions: Vec::new() }))
}

/// `GET /v2/health/live`.
pub(crate) fn live(_: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    Ok(Answer::of(&Live { live: true }))
}

/// `GET /v2/health/ready`.
pub(crate) fn ready(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    app.needs_ready()?;
    Ok(Answer::of(&Ready { ready: true }))
}

/// The model of the path, and of its version where it names one.
fn asked<'a>(app: &'a App, call: &Call) -> Result<&'a ServedModel, Problem> {
    let model = app.model(call.param("name"))?;
    let version = call.param("version");
    if version.is_empty() || version == model.version {
        return Ok(model);
    }
    let detail = format!("version `{}` of `{}` is served, and no other", model.version, model.name);
    Err(Problem::new(Code::NoModel, detail))
}

/// `GET /v2/models/{name}/ready`.
pub(crate) fn model_ready(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    app.needs_ready()?;
    Ok(Answer::of(&ModelReady { name: asked(app, call)?.name.clone(), ready: true }))
}

/// `GET /v2/models/{name}`.
pub(crate) fn metadata(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    let model = asked(app, call)?;
    let tensor = |name: &str, datatype: &str| TensorMetadata {
        name: name.to_owned(),
        datatype: datatype.to_owned(),
        shape: vec![-1, 1],
    };
    let inputs = model.scorer.inputs().iter().map(|c| tensor(&c.name, datatype(&c.kind))).collect();
    let outputs = outputs(&model.scorer).into_iter().map(|(name, kind)| tensor(&name, kind)).collect();
    let metadata = ModelMetadata {
        name: model.name.clone(),
        versions: vec![model.version.clone()],
        platform: "guike".to_owned(),
        inputs,
        outputs,
    };
    Ok(Answer::of(&metadata).with_model(model))
}

fn datatype(kind: &InputKind) -> &'static str {
    match kind {
        InputKind::Number => "FP64",
        InputKind::Category(_) | InputKind::Date(_) => "BYTES",
    }
}

/// Name and type of everything that a model says.
fn outputs(scorer: &Scorer) -> Vec<(String, &'static str)> {
    match scorer.outcome() {
        Outcome::Regression => vec![("predicted".to_owned(), "FP64")],
        Outcome::Classification { classes, .. } => {
            let all = classes.iter().map(|c| (format!("p_{c}"), "FP64"));
            std::iter::once(("predicted".to_owned(), "BYTES")).chain(all).collect()
        }
    }
}

/// `POST /v2/models/{name}/infer`.
pub(crate) fn infer(app: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    call.needs_json_or_no_type()?;
    let model = asked(app, call)?;
    let request: InferRequest = serde_json::from_slice(&call.body).map_err(|e| malformed(&e))?;
    let cells = cells(&model.scorer, &request.inputs, app.limits.rows)?;
    let all = outputs(&model.scorer);
    if request.outputs.iter().any(|w| !all.iter().any(|(n, _)| *n == w.name)) {
        let names: Vec<&str> = all.iter().map(|(n, _)| n.as_str()).collect();
        return Err(Problem::new(
            Code::WrongTensor,
            format!("an output is asked for that there is not; there are {}", list(&names)),
        ));
    }
    let predicted = model.scorer.predict(&cells);
    let (k, n) = (model.scorer.n_outputs(), cells.len() / model.scorer.inputs().len());
    model.predicted.fetch_add(n as u64, Ordering::Relaxed);
    let mut columns: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (i, (name, _)) in all.iter().enumerate() {
        let rows = predicted.chunks_exact(k);
        let column = match model.scorer.outcome() {
            Outcome::Classification { classes, .. } if i == 0 => {
                rows.map(|p| json!(classes[model.scorer.call(p)])).collect()
            }
            Outcome::Classification { .. } => rows.map(|p| json!(p[i - 1])).collect(),
            Outcome::Regression => rows.map(|p| json!(p[0])).collect(),
        };
        columns.insert(name, column);
    }
    let outputs = all
        .iter()
        .filter(|(name, _)| request.outputs.is_empty() || request.outputs.iter().any(|w| w.name == *name))
        .map(|(name, datatype)| OutputTensor {
            name: name.clone(),
            datatype: (*datatype).to_owned(),
            shape: vec![n, 1],
            data: columns.remove(name.as_str()).unwrap_or_default(),
        })
        .collect();
    let answer =
        InferAnswer { model_name: model.name.clone(), model_version: model.version.clone(), id: request.id, outputs };
    Ok(Answer::of(&answer).with_model(model))
}

/// The rows that the tensors hold.
fn cells(scorer: &Scorer, tensors: &[InputTensor], most: usize) -> Result<Vec<f64>, Problem> {
    let p = scorer.inputs().len();
    let n = tensors.first().and_then(|t| t.shape.first()).copied().unwrap_or(0);
    if n > most {
        let rule = format!(
            "the tensors have more than {most} rows; send them in parts, or start the server with a higher --max-rows"
        );
        return Err(Problem::new(Code::TooManyRows, rule));
    }
    let mut by_column: Vec<Option<Vec<&Value>>> = vec![None; p];
    for tensor in tensors {
        let Some(at) = scorer.position(&tensor.name) else {
            let near = scorer.nearest(&tensor.name).map_or_else(String::new, |n| format!("; is `{n}` meant?"));
            return Err(Problem::new(
                Code::UnknownColumn,
                format!("a tensor has a name that is no column of the model{near}"),
            ));
        };
        let name = &scorer.inputs()[at].name;
        if !matches!(*tensor.shape, [rows] | [rows, 1] if rows == n) {
            let rule = format!("tensor `{name}` must have the shape [{n}] or [{n}, 1], as many rows as the others");
            return Err(Problem::new(Code::WrongTensor, rule).about(name));
        }
        if !DATATYPES.contains(&tensor.datatype.as_str()) {
            let rule = format!("tensor `{name}` has an unknown data type; send one of {}", list(&DATATYPES));
            return Err(Problem::new(Code::WrongTensor, rule).about(name));
        }
        let mut values = Vec::with_capacity(n);
        flatten(&tensor.data, &mut values);
        if values.len() != n {
            let rule = format!("tensor `{name}` has {} values for {n} rows", values.len());
            return Err(Problem::new(Code::WrongTensor, rule).about(name));
        }
        if by_column[at].replace(values).is_some() {
            return Err(Problem::new(Code::DuplicateColumn, format!("tensor `{name}` is there twice; send it once"))
                .about(name));
        }
    }
    let missing: Vec<&str> =
        scorer.inputs().iter().zip(&by_column).filter(|(_, c)| c.is_none()).map(|(i, _)| i.name.as_str()).collect();
    if let Some(first) = missing.first() {
        let rule = format!("there is no tensor for {}; send one per column of the model", list(&missing));
        return Err(Problem::new(Code::MissingColumn, rule).about(first));
    }
    let mut cells = vec![Scorer::MISSING; n * p];
    for (j, values) in by_column.iter().flatten().enumerate() {
        for (i, value) in values.iter().enumerate() {
            cells[i * p + j] = cell(scorer, j, value).ok_or_else(|| {
                let name = &scorer.inputs()[j].name;
                let rule = format!(
                    "tensor `{name}` holds a value in row {} that is not of its column's kind; it takes {}, or null",
                    i + 1,
                    if matches!(scorer.inputs()[j].kind, InputKind::Number) { "numbers" } else { "texts" }
                );
                Problem::new(Code::WrongType, rule).at(i + 1, Some(name))
            })?;
        }
    }
    Ok(cells)
}

/// Types of the protocol that hold numbers or texts.
const DATATYPES: [&str; 13] =
    ["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"];

/// The values of a tensor, which may come in lists of lists.
fn flatten<'a>(value: &'a Value, to: &mut Vec<&'a Value>) {
    match value {
        Value::Array(values) => values.iter().for_each(|v| flatten(v, to)),
        value => to.push(value),
    }
}

fn cell(scorer: &Scorer, column: usize, value: &Value) -> Option<f64> {
    match value {
        Value::Null => Some(Scorer::MISSING),
        Value::String(text) => scorer.text(column, text).ok(),
        Value::Bool(b) => scorer.text(column, if *b { "true" } else { "false" }).ok(),
        Value::Number(number) if matches!(scorer.inputs()[column].kind, InputKind::Number) => number.as_f64(),
        // an id of 19 digits is not the number that a float makes of it
        Value::Number(number) => match number.as_i64() {
            Some(whole) => scorer.text(column, &whole.to_string()).ok(),
            None => scorer.number(column, number.as_f64()?).ok(),
        },
        Value::Array(_) | Value::Object(_) => None,
    }
}
