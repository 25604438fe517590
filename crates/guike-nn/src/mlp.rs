//! A neural network on tables: a small ensemble of multi-layer perceptrons, for numbers and for classes.
//!
//! The one idea: a plain perceptron loses to trees on tables mostly because one weight per column is a straight line. So every
//! column with many values goes in twice, as it is and cut into pieces (Gorishniy, Rubachev & Babenko 2022), and several
//! networks from different starts are averaged (Lakshminarayanan, Pritzel & Blundell 2017). Each stops when rows that were
//! kept aside get worse. Learning is in single precision on the tape; predictions are made in double precision, row by row, so
//! that they do not depend on company and can be repeated by a few lines in any language.

use guike_core::{Cancelled, FitContext, FitError, Matrix, Seed};
use guike_learn::{Examples, TabularLearner, TabularModel, Task, Wants};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::descend::{Dropout, Pace, Split, Step, descend};
use crate::layers::Adder;
use crate::params::{ParamId, Params};
use crate::tape::{Tape, Workspace};
use crate::told::Pieces;

const NAME: &str = "neural-network";
/// Fewest rows: below, nothing can be kept aside.
const LEAST_ROWS: usize = 20;
/// Columns with fewer different values go in as they are only.
const LEAST_VALUES: usize = 12;
/// Rows kept aside, of so many.
const ASIDE: u64 = 8;

/// A multi-layer perceptron, as an ensemble.
///
/// Counterpart: scikit-learn's `MLPClassifier` and `MLPRegressor`.
///
/// ```
/// use guike_core::{FitContext, Matrix, Quiet, Seed};
/// use guike_learn::{ColumnKind, Examples, TabularLearner, TabularModel, Task};
/// use guike_nn::mlp::NeuralNetwork;
/// let a: Vec<f64> = (0..200).map(|i| f64::from(i % 20) / 10.0 - 1.0).collect();
/// let y: Vec<f64> = a.iter().map(|a| f64::from(u8::from(a.abs() > 0.5))).collect();
/// let x = Matrix::from_columns(200, &[a]);
/// let rows =
///     Examples { x: &x, kinds: &[ColumnKind::Number], y: &y, weight: None, task: Task::Classification { classes: 2 } };
/// let model = NeuralNetwork::default().fit(&rows, &FitContext { seed: Seed(1), progress: &Quiet }).unwrap();
/// let p = model.predict(&Matrix::from_columns(2, &[[0.0, 0.9]]));
/// assert!(p[1] < 0.3 && p[3] > 0.7, "{p:?}");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NeuralNetwork {
    /// Networks of the ensemble, at least 1.
    pub members: usize,
    /// Numbers of each of the two hidden layers, at least 1.
    pub width: usize,
    /// Most passes over the rows.
    pub epochs: usize,
    /// Highest learning rate.
    pub rate: f64,
    /// Shrinkage of weights per unit of learning rate.
    pub decay: f64,
    /// Share of numbers that are dropped while learning, below 1.
    pub dropout: f64,
}

impl Default for NeuralNetwork {
    fn default() -> NeuralNetwork {
        NeuralNetwork { members: 5, width: 64, epochs: 60, rate: 3e-3, decay: 0.1, dropout: 0.15 }
    }
}

impl TabularLearner for NeuralNetwork {
    fn name(&self) -> &'static str {
        NAME
    }

    fn wants(&self) -> Wants {
        Wants::Scaled
    }

    fn can(&self, task: Task) -> bool {
        task.n_outputs() > 0
    }

    fn fit(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<Box<dyn TabularModel>, FitError> {
        cx.progress.check()?;
        self.validate()?;
        let weights = checked(examples)?;
        let kept: Vec<u32> = (0..examples.y.len() as u32).filter(|&i| weights[i as usize] > 0.0).collect();
        let aside = |i: u32| cx.seed.derive("aside").at(u64::from(i)).0.is_multiple_of(ASIDE);
        let (aside, learned): (Vec<u32>, Vec<u32>) = kept.iter().partition(|&&i| aside(i));
        if learned.len() < LEAST_ROWS || aside.is_empty() {
            return Err(FitError::TooLittle {
                learner: NAME,
                needs: format!("about {} rows of positive weight", LEAST_ROWS * 8 / 7 + 1),
                found: format!("are {}", kept.len()),
            });
        }
        let coding = Coding::of(examples.x, &kept);
        let (centre, scale) = match examples.task {
            Task::Regression => centre_and_scale(examples.y, &kept),
            Task::Classification { .. } => (0.0, 1.0),
        };
        let lessons = Lessons {
            inputs: coding.rows(examples.x),
            width: coding.width(),
            y: examples.y.iter().map(|y| ((y - centre) / scale) as f32).collect(),
            weights,
            task: examples.task,
        };
        let split = Split { learned: &learned, aside: &aside };
        let pace = Pace {
            epochs: self.epochs,
            patience: 6,
            batch: (learned.len() / 40).clamp(16, 256),
            rate: self.rate as f32,
            decay: self.decay as f32,
            dropout: self.dropout as f32,
        };
        let one = |i: u64| -> Result<Member, Cancelled> {
            let seed = cx.seed.derive("member").at(i);
            let mut params = Params::default();
            let net = Net::new(lessons.width, self.width, examples.task.n_outputs(), &mut params, seed);
            let learn = |params: &Params, places: &[u32], ws: &mut Workspace, step: Option<Step<'_>>| {
                lessons.learn(&net, params, places, ws, step)
            };
            let (params, _) = descend(params, split, &pace, seed, cx.progress, learn)?;
            Ok(net.member(&params))
        };
        let members = (0..self.members as u64).into_par_iter().map(one).collect::<Result<Vec<_>, _>>()?;
        Ok(Box::new(NeuralNetworkModel {
            task: examples.task,
            n_columns: examples.x.n_columns(),
            coding,
            centre,
            scale,
            members,
        }))
    }
}

impl NeuralNetwork {
    fn validate(&self) -> Result<(), FitError> {
        let refuse = |what: &str, value: String, rule: &str| {
            Err(FitError::Invalid { learner: NAME, what: what.to_owned(), value, rule: rule.to_owned() })
        };
        for (what, value) in [("members", self.members), ("width", self.width), ("epochs", self.epochs)] {
            if !(1..=100_000).contains(&value) {
                return refuse(what, value.to_string(), "it must be at least 1 and at most 100,000");
            }
        }
        for (what, value, most) in
            [("rate", self.rate, 1.0), ("decay", self.decay, 100.0), ("dropout", self.dropout, 0.95)]
        {
            if !(0.0..=most).contains(&value) {
                return refuse(what, value.to_string(), &format!("it must lie between 0 and {most}"));
            }
        }
        Ok(())
    }
}

/// The weights of examples that can be learned from, 1 where there are none.
fn checked(examples: &Examples<'_>) -> Result<Vec<f32>, FitError> {
    let Examples { x, y, weight, task, .. } = *examples;
    let invalid = |what: String, value: f64, rule: String| FitError::Invalid {
        learner: NAME,
        what,
        value: value.to_string(),
        rule,
    };
    if x.n_columns() == 0 {
        let (needs, found) = ("at least 1 column".to_owned(), "is none".to_owned());
        return Err(FitError::TooLittle { learner: NAME, needs, found });
    }
    for j in 0..x.n_columns() {
        if let Some(i) = x.column(j).iter().position(|v| !v.is_finite()) {
            let rule = "a network needs finite numbers; fill and scale the columns first".to_owned();
            return Err(invalid(format!("row {i} of column {j}"), x.at(i, j), rule));
        }
    }
    let is_label = |v: f64| match task {
        Task::Regression => v.is_finite(),
        Task::Classification { classes } => v >= 0.0 && v < f64::from(classes) && v.fract() == 0.0,
    };
    if let Some(i) = y.iter().position(|&v| !is_label(v)) {
        let rule = match task {
            Task::Regression => "labels are finite numbers".to_owned(),
            Task::Classification { classes } => format!("labels are class codes 0 to {}", classes.max(1) - 1),
        };
        return Err(invalid(format!("the label of row {i}"), y[i], rule));
    }
    let weights: Vec<f64> = (0..y.len()).map(|i| weight.map_or(1.0, |w| w[i])).collect();
    if let Some(i) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
        let rule = "weights are finite numbers of at least 0".to_owned();
        return Err(invalid(format!("the weight of row {i}"), weights[i], rule));
    }
    // steps must not depend on the unit of weights
    let mean = weights.iter().sum::<f64>() / weights.len().max(1) as f64;
    Ok(weights.iter().map(|w| if mean > 0.0 { (w / mean) as f32 } else { 0.0 }).collect())
}

/// Mean and standard deviation of the labels of these rows; 1 where all are the same.
fn centre_and_scale(y: &[f64], rows: &[u32]) -> (f64, f64) {
    let of = || rows.iter().map(|&i| y[i as usize]);
    let n = rows.len() as f64;
    // two passes, and halves, so that numbers near the largest do not overflow
    let centre = of().map(|v| v / n).sum::<f64>();
    let scale = of().map(|v| (v / 2.0 - centre / 2.0).abs() / n).sum::<f64>() * 2.0 * 1.2533;
    (centre, if scale > 0.0 && scale.is_finite() { scale } else { 1.0 })
}

/// How columns go in: all as they are, and those with many values cut into pieces too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Coding {
    /// For each column the edges of its pieces, ascending; none where it goes in as it is only.
    edges: Vec<Vec<f64>>,
    /// Numbers are kept within this, as training met none beyond.
    limits: Vec<[f64; 2]>,
}

impl Coding {
    fn of(x: &Matrix, rows: &[u32]) -> Coding {
        let mut coding = Coding { edges: Vec::new(), limits: Vec::new() };
        for j in 0..x.n_columns() {
            let mut values: Vec<f32> = rows.iter().map(|&i| x.at(i as usize, j) as f32).collect();
            values.sort_unstable_by(f32::total_cmp);
            let (low, high) = (f64::from(values[0]), f64::from(values[values.len() - 1]));
            values.dedup();
            let many = values.len() >= LEAST_VALUES;
            let edges = if many { Pieces::of(&values, 1).0.into_iter().map(f64::from).collect() } else { Vec::new() };
            coding.edges.push(edges);
            let room = high - low + 1.0;
            coding.limits.push([low - room, high + room]);
        }
        coding
    }

    /// Numbers that go in per row.
    fn width(&self) -> usize {
        self.edges.iter().map(|e| e.len().max(1)).sum()
    }

    /// One row; what is not finite counts as the middle.
    fn row(&self, row: impl Iterator<Item = f64>, mut put: impl FnMut(f64)) {
        for ((x, edges), [low, high]) in row.zip(&self.edges).zip(&self.limits) {
            let x = if x.is_nan() { 0.5 * (low + high) } else { x.clamp(*low, *high) };
            put(x);
            for edge in edges.windows(2) {
                put(((x - edge[0]) / (edge[1] - edge[0])).clamp(0.0, 1.0));
            }
        }
    }

    fn rows(&self, x: &Matrix) -> Vec<f32> {
        let mut all = Vec::with_capacity(x.n_rows() * self.width());
        for i in 0..x.n_rows() {
            self.row((0..x.n_columns()).map(|j| x.at(i, j)), |v| all.push(v as f32));
        }
        all
    }
}

/// Where the layers of a network in training lie.
#[derive(Debug, Clone, Copy)]
struct Net {
    layers: [[ParamId; 2]; 3],
}

impl Net {
    fn new(inputs: usize, width: usize, outputs: usize, params: &mut Params, seed: Seed) -> Net {
        let mut add = Adder { params, seed };
        Net {
            layers: [
                add.linear("first", inputs, width, 1.0),
                add.linear("second", width, width, 1.4),
                add.linear("out", width, outputs, 0.1),
            ],
        }
    }

    fn member(&self, params: &Params) -> Member {
        let layer = |[w, b]: [ParamId; 2]| {
            let numbers = |id| params.values[params.tensor(id).range()].iter().map(|&v| f64::from(v)).collect();
            Layer { weights: numbers(w), biases: numbers(b) }
        };
        Member { layers: self.layers.map(layer).to_vec() }
    }
}

/// Rows as networks learn from them.
struct Lessons {
    /// n × width.
    inputs: Vec<f32>,
    width: usize,
    y: Vec<f32>,
    weights: Vec<f32>,
    task: Task,
}

impl Lessons {
    /// Mean loss of these rows: half the squared error, or the cross-entropy.
    fn learn(&self, net: &Net, params: &Params, places: &[u32], ws: &mut Workspace, step: Option<Step<'_>>) -> f64 {
        let outputs = self.task.n_outputs();
        let mut tape = Tape::new(params, ws);
        let mut drop_some = Dropout::of(step.as_ref().map(|s| s.0));
        let mut h = tape.input(places.len(), self.width, |v| {
            for (row, &place) in v.chunks_exact_mut(self.width).zip(places) {
                row.copy_from_slice(&self.inputs[place as usize * self.width..][..self.width]);
            }
        });
        let [first, second, out] = net.layers;
        for [w, b] in [first, second] {
            h = tape.linear(h, w, Some(b));
            h = tape.gelu(h);
            h = drop_some(&mut tape, h);
        }
        let out = tape.linear(h, out[0], Some(out[1]));
        let mut d_out = vec![0.0_f32; places.len() * outputs];
        let share = 1.0 / places.len() as f64;
        let mut total = 0.0;
        let rows = tape.value(out).chunks_exact(outputs).zip(d_out.chunks_exact_mut(outputs));
        for ((said, d), &place) in rows.zip(places) {
            let (y, weight) = (self.y[place as usize], f64::from(self.weights[place as usize]) * share);
            match self.task {
                Task::Regression => {
                    let off = f64::from(said[0] - y);
                    total += weight * 0.5 * off * off;
                    d[0] = (weight * off) as f32;
                }
                Task::Classification { .. } => {
                    let most = said.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let sum: f64 = said.iter().map(|&z| f64::from(z - most).exp()).sum();
                    for (class, (d, &z)) in d.iter_mut().zip(said).enumerate() {
                        let log_p = f64::from(z - most) - sum.ln();
                        let own = f64::from(u8::from(class == y as usize));
                        total -= weight * own * log_p;
                        *d = (weight * (log_p.exp() - own)) as f32;
                    }
                }
            }
        }
        if let Some((_, gradient)) = step {
            tape.backward(&[(out, &d_out)], gradient);
        }
        total
    }
}

/// One affine layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    /// Inputs × outputs, row-major.
    weights: Vec<f64>,
    biases: Vec<f64>,
}

/// One network of the ensemble: layers with a GELU between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    layers: Vec<Layer>,
}

impl Member {
    fn say(&self, inputs: &[f64]) -> Vec<f64> {
        let mut h = inputs.to_vec();
        for (i, layer) in self.layers.iter().enumerate() {
            let mut next = layer.biases.clone();
            for (x, weights) in h.iter().zip(layer.weights.chunks_exact(next.len())) {
                next.iter_mut().zip(weights).for_each(|(y, w)| *y += x * w);
            }
            if i + 1 < self.layers.len() {
                next.iter_mut().for_each(|x| *x /= 1.0 + (-1.702 * *x).exp());
            }
            h = next;
        }
        h
    }
}

/// An ensemble that was learned from a table.
#[derive(Debug, Clone, PartialEq)]
pub struct NeuralNetworkModel {
    task: Task,
    n_columns: usize,
    coding: Coding,
    centre: f64,
    scale: f64,
    members: Vec<Member>,
}

/// What is saved.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    kind: String,
    task: Task,
    n_columns: usize,
    edges: Vec<Vec<f64>>,
    limits: Vec<[f64; 2]>,
    centre: f64,
    scale: f64,
    members: Vec<Member>,
}

impl NeuralNetworkModel {
    /// Reads what [`TabularModel::save`] wrote.
    ///
    /// # Errors
    /// In words, when it is another kind of model or damaged.
    pub fn load(value: &serde_json::Value) -> Result<NeuralNetworkModel, String> {
        let kind = value.get("kind").and_then(serde_json::Value::as_str);
        if kind != Some(NAME) {
            return Err(format!("a model of kind `{}` is not `{NAME}`", kind.unwrap_or("(none)")));
        }
        let saved = Saved::deserialize(value).map_err(|e| format!("{NAME}: {e}"))?;
        let coding = Coding { edges: saved.edges, limits: saved.limits };
        let columns = coding.edges.len() == saved.n_columns && coding.limits.len() == saved.n_columns;
        let fits = |member: &Member| {
            let mut inputs = coding.width();
            member.layers.iter().all(|layer| {
                let outputs = layer.biases.len();
                let whole = outputs > 0 && layer.weights.len() == inputs * outputs;
                inputs = outputs;
                whole
            }) && inputs == saved.task.n_outputs()
        };
        if !columns || saved.members.is_empty() || !saved.members.iter().all(fits) {
            return Err(format!("{NAME}: its parts have sizes that do not belong together"));
        }
        Ok(NeuralNetworkModel {
            task: saved.task,
            n_columns: saved.n_columns,
            coding,
            centre: saved.centre,
            scale: saved.scale,
            members: saved.members,
        })
    }

    fn row(&self, row: impl Iterator<Item = f64>, out: &mut Vec<f64>) {
        let mut inputs = Vec::with_capacity(self.coding.width());
        self.coding.row(row, |v| inputs.push(v));
        let from = out.len();
        out.resize(from + self.task.n_outputs(), 0.0);
        let out = &mut out[from..];
        let share = 1.0 / self.members.len() as f64;
        for member in &self.members {
            let said = member.say(&inputs);
            match self.task {
                Task::Regression => out[0] += share * said[0],
                Task::Classification { .. } => {
                    let most = said.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = said.iter().map(|z| (z - most).exp()).sum();
                    out.iter_mut().zip(&said).for_each(|(p, z)| *p += share * (z - most).exp() / sum);
                }
            }
        }
        if self.task == Task::Regression {
            out[0] = self.centre + self.scale * out[0];
        }
    }
}

impl TabularModel for NeuralNetworkModel {
    fn task(&self) -> Task {
        self.task
    }

    fn n_columns(&self) -> usize {
        self.n_columns
    }

    fn predict(&self, x: &Matrix) -> Vec<f64> {
        assert_eq!(x.n_columns(), self.n_columns, "columns of the model");
        let row = |i: usize| {
            let mut out = Vec::with_capacity(self.task.n_outputs());
            self.row((0..self.n_columns).map(|j| x.at(i, j)), &mut out);
            out
        };
        (0..x.n_rows()).into_par_iter().with_min_len(64).flat_map_iter(row).collect()
    }

    fn predict_row(&self, row: &[f64], out: &mut Vec<f64>) {
        assert_eq!(row.len(), self.n_columns, "columns of the model");
        self.row(row.iter().copied(), out);
    }

    fn save(&self) -> serde_json::Value {
        let saved = Saved {
            kind: NAME.to_owned(),
            task: self.task,
            n_columns: self.n_columns,
            edges: self.coding.edges.clone(),
            limits: self.coding.limits.clone(),
            centre: self.centre,
            scale: self.scale,
            members: self.members.clone(),
        };
        serde_json::to_value(saved).expect("plain data")
    }
}
