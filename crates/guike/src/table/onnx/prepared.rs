//! The preparation as operators: all numbers at once, each category by a look-up.

use std::collections::BTreeMap;

use guike_learn::boosting::lightgbm::ZERO;
use guike_onnx::{Attribute, Graph, Op, Tensor, Value};

use super::super::prepare::{FARTHEST, Step};

/// The prepared matrix, as [`Preparation::apply`](super::super::prepare::Preparation::apply) makes it.
pub(super) fn matrix(graph: &mut Graph, inputs: &BTreeMap<&str, Value>, steps: &[Step]) -> Value {
    let mut blocks = Blocks::default();
    let mut numbers: Vec<(&Value, usize)> = Vec::new();
    let mut scaled = Scaled::default();
    let mut width = 0;
    for step in steps {
        let first = width;
        match step {
            Step::Number { column } => {
                numbers.push((&inputs[column.as_str()], first));
                width += 1;
            }
            Step::NonZero { column } => {
                blocks.push(non_zero(graph, column, &inputs[column.as_str()]), [first]);
                width += 1;
            }
            Step::Scaled { column, scale, indicator } => {
                scaled.inputs.push(&inputs[column.as_str()]);
                scaled.places.push(first);
                scaled.fill.push(scale.fill);
                scaled.log.push(scale.log.unwrap_or(f64::NAN));
                scaled.centre.push(scale.centre);
                scaled.scale.push(scale.scale);
                width += 1;
                if *indicator {
                    scaled.missing.push((scaled.inputs.len() - 1, width));
                    width += 1;
                }
            }
            Step::Code { column, levels } => {
                let n = levels.len();
                let codes = (0..=n).map(|k| vec![k as f64]).chain([vec![f64::NAN]]).collect();
                blocks.push(looked_up(graph, column, &inputs[column.as_str()], levels, codes), [first]);
                width += 1;
            }
            Step::OneHot { column, levels, other, missing } => {
                let n = levels.len();
                width += n + usize::from(*other) + usize::from(*missing);
                let slots = (0..n).map(Some).chain([other.then_some(n), missing.then_some(width - first - 1)]);
                let row =
                    |slot: Option<usize>| (0..width - first).map(|j| f64::from(u8::from(slot == Some(j)))).collect();
                let rows = slots.map(row).collect();
                blocks.push(looked_up(graph, column, &inputs[column.as_str()], levels, rows), first..width);
            }
            Step::Encoded { column, levels, values, other, missing } => {
                width += other.len();
                let rows = values.chunks_exact(other.len()).chain([&other[..], missing]).map(<[f64]>::to_vec).collect();
                blocks.push(looked_up(graph, column, &inputs[column.as_str()], levels, rows), first..width);
            }
        }
    }
    if !numbers.is_empty() {
        let (values, places): (Vec<&Value>, Vec<usize>) = numbers.into_iter().unzip();
        blocks.push(side_by_side(graph, "numbers", &values), places);
    }
    if !scaled.inputs.is_empty() {
        scaled.write(graph, &mut blocks);
    }
    blocks.in_order(graph)
}

/// Pieces of the matrix, and the place of each of their columns in it.
#[derive(Default)]
struct Blocks {
    values: Vec<Value>,
    places: Vec<usize>,
}

impl Blocks {
    fn push(&mut self, value: Value, places: impl IntoIterator<Item = usize>) {
        self.values.push(value);
        self.places.extend(places);
    }

    fn in_order(self, graph: &mut Graph) -> Value {
        let all = side_by_side(graph, "prepared/blocks", &self.values.iter().collect::<Vec<_>>());
        if self.places.is_sorted() {
            return all;
        }
        let mut order: Vec<(usize, i64)> = self.places.into_iter().zip(0..).collect();
        order.sort_unstable();
        let order = graph.constant("prepared/order", Tensor::Ints(order.into_iter().map(|o| o.1).collect()));
        graph.node("prepared", Op::named("Gather").with("axis", Attribute::Int(1)), &[&all, &order])
    }
}

/// The number, with NaN in place of zero.
fn non_zero(graph: &mut Graph, column: &str, input: &Value) -> Value {
    let [zero, nothing] = [("zero", ZERO), ("nothing", f64::NAN)]
        .map(|(name, v)| graph.constant(&format!("{column}/{name}"), Tensor::number(v)));
    let size = graph.node(&format!("{column}/size"), Op::named("Abs"), &[input]);
    let is_zero = graph.node(&format!("{column}/is_zero"), Op::named("LessOrEqual"), &[&size, &zero]);
    graph.node(&format!("{column}/prepared"), Op::named("Where"), &[&is_zero, &nothing, input])
}

fn side_by_side(graph: &mut Graph, name: &str, values: &[&Value]) -> Value {
    match values {
        [one] => (*one).clone(),
        many => graph.node(name, Op::named("Concat").with("axis", Attribute::Int(1)), many),
    }
}

/// The row of `rows` that belongs to each text: one per level, then that of any other text, then that of no text.
fn looked_up(graph: &mut Graph, column: &str, input: &Value, levels: &[String], rows: Vec<Vec<f64>>) -> Value {
    let n = levels.len() as i64;
    let (n_rows, width) = (rows.len(), rows[0].len());
    let keys = levels.iter().cloned().chain([String::new()]).collect();
    let encoder = Op::ml("LabelEncoder")
        .with("keys_strings", Attribute::Texts(keys))
        .with("values_int64s", Attribute::Ints((0..n).chain([n + 1]).collect()))
        .with("default_int64", Attribute::Int(n));
    let place = graph.node(&format!("{column}/place"), encoder, &[input]);
    let axis = graph.constant(&format!("{column}/axis"), Tensor::Ints(vec![1]));
    let row = graph.node(&format!("{column}/row"), Op::named("Squeeze"), &[&place, &axis]);
    let table = graph.constant(&format!("{column}/table"), Tensor::Doubles(vec![n_rows, width], rows.concat()));
    graph.node(&format!("{column}/prepared"), Op::named("Gather"), &[&table, &row])
}

/// Numbers that are filled and scaled.
#[derive(Default)]
struct Scaled<'a> {
    inputs: Vec<&'a Value>,
    places: Vec<usize>,
    fill: Vec<f64>,
    /// Units of logarithms; NaN for columns that are taken as they are.
    log: Vec<f64>,
    centre: Vec<f64>,
    scale: Vec<f64>,
    /// Which of them say where they were missing, and the place of that column.
    missing: Vec<(usize, usize)>,
}

impl Scaled<'_> {
    fn write(self, graph: &mut Graph, blocks: &mut Blocks) {
        let raw = side_by_side(graph, "numbers", &self.inputs);
        let [fill, centre, scale] = [("fill", self.fill), ("centre", self.centre), ("scale", self.scale)]
            .map(|(name, v)| graph.constant(&format!("numbers/{name}"), Tensor::list(v)));
        let [least, most] = [("least", -FARTHEST), ("most", FARTHEST)]
            .map(|(name, v)| graph.constant(&format!("numbers/{name}"), Tensor::number(v)));
        let is_missing = graph.node("numbers/is_missing", Op::named("IsNaN"), &[&raw]);
        let filled = graph.node("numbers/filled", Op::named("Where"), &[&is_missing, &fill, &raw]);
        let filled =
            if self.log.iter().any(|unit| !unit.is_nan()) { logarithms(graph, &filled, self.log) } else { filled };
        let centred = graph.node("numbers/centred", Op::named("Sub"), &[&filled, &centre]);
        let scaled = graph.node("numbers/scaled", Op::named("Div"), &[&centred, &scale]);
        let held = graph.node("numbers/held", Op::named("Clip"), &[&scaled, &least, &most]);
        blocks.push(held, self.places);
        if self.missing.is_empty() {
            return;
        }
        let (which, places): (Vec<usize>, Vec<usize>) = self.missing.into_iter().unzip();
        let [one, zero] = [("one", 1.0), ("zero", 0.0)]
            .map(|(name, v)| graph.constant(&format!("numbers/{name}"), Tensor::number(v)));
        let which = graph.constant("numbers/which", Tensor::Ints(which.into_iter().map(|i| i as i64).collect()));
        let all = graph.node("numbers/missing", Op::named("Where"), &[&is_missing, &one, &zero]);
        let some = Op::named("Gather").with("axis", Attribute::Int(1));
        blocks.push(graph.node("numbers/indicators", some, &[&all, &which]), places);
    }
}

/// sign(x) · ln(1 + |x| / unit) of the columns that have a unit, the others as they are.
fn logarithms(graph: &mut Graph, x: &Value, units: Vec<f64>) -> Value {
    let unit = graph.constant("numbers/unit", Tensor::list(units));
    let one = graph.constant("numbers/beginning", Tensor::number(1.0));
    let is_plain = graph.node("numbers/is_plain", Op::named("IsNaN"), &[&unit]);
    let size = graph.node("numbers/size", Op::named("Abs"), &[x]);
    let ratio = graph.node("numbers/ratio", Op::named("Div"), &[&size, &unit]);
    let beyond = graph.node("numbers/beyond", Op::named("Add"), &[&ratio, &one]);
    let log = graph.node("numbers/log", Op::named("Log"), &[&beyond]);
    let sign = graph.node("numbers/sign", Op::named("Sign"), &[x]);
    let signed = graph.node("numbers/signed", Op::named("Mul"), &[&sign, &log]);
    graph.node("numbers/seen", Op::named("Where"), &[&is_plain, x, &signed])
}
