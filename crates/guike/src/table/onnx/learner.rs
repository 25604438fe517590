//! The learner as operators: from prepared columns to one number, or to one probability per class.

use guike_learn::svm::PlattSigmoid;
use guike_learn::tabular::Machines;
use guike_learn::{Link, TabularModel, Task};
use guike_onnx::{Attribute, Graph, Op, Tensor, Value};

/// What the model predicts from the prepared matrix `x`, before calibration, rows × outputs; `None` where the model is none of
/// trees, weighted sums and support vectors.
pub(super) fn prediction(graph: &mut Graph, model: &dyn TabularModel, x: &Value) -> Option<Value> {
    let n_outputs = model.task().n_outputs();
    if let Some((trees, link)) = model.trees() {
        if link == Link::Identity && model.task() != Task::Regression {
            let others = guike_onnx::trees(graph, "model", trees, 1..n_outputs, x);
            return Some(with_first_share(graph, &others));
        }
        let sums = guike_onnx::trees(graph, "model", trees, 0..link.n_sums(model.task()), x);
        return Some(linked(graph, link, &sums));
    }
    if let Some(linear) = model.linear() {
        let sums = weighted(graph, x, linear.coefficients, linear.intercepts);
        return Some(linked(graph, linear.link, &sums));
    }
    model.machines().map(|machines| support_vectors(graph, &machines, model.n_columns(), n_outputs, x))
}

/// Shares of all classes from those of all but the first: a forest's leaves need not be written for every class.
fn with_first_share(graph: &mut Graph, others: &Value) -> Value {
    let axis = graph.constant("model/axis", Tensor::Ints(vec![1]));
    let [one, zero] =
        [("model/one", 1.0), ("model/zero", 0.0)].map(|(name, v)| graph.constant(name, Tensor::number(v)));
    let total = graph.node("model/total", Op::named("ReduceSum"), &[others, &axis]);
    let rest = graph.node("model/rest", Op::named("Sub"), &[&one, &total]);
    let first = graph.node("model/first", Op::named("Max"), &[&rest, &zero]);
    graph.node("model/p", Op::named("Concat").with("axis", Attribute::Int(1)), &[&first, others])
}

/// One weighted sum of the columns per row of coefficients (row-major).
fn weighted(graph: &mut Graph, x: &Value, coefficients: &[f64], intercepts: &[f64]) -> Value {
    let (n, p) = (intercepts.len(), coefficients.len() / intercepts.len());
    let by_column = (0..p).flat_map(|j| (0..n).map(move |k| coefficients[k * p + j])).collect();
    let weights = graph.constant("model/weights", Tensor::Doubles(vec![p, n], by_column));
    let intercepts = graph.constant("model/intercepts", Tensor::list(intercepts.to_vec()));
    let products = graph.node("model/products", Op::named("MatMul"), &[x, &weights]);
    graph.node("model/sums", Op::named("Add"), &[&products, &intercepts])
}

/// As [`Link::apply`].
fn linked(graph: &mut Graph, link: Link, sums: &Value) -> Value {
    match link {
        Link::Identity => sums.clone(),
        Link::Log => {
            let most = graph.constant("model/most", Tensor::number(f64::MAX));
            let raised = graph.node("model/raised", Op::named("Exp"), &[sums]);
            graph.node("model/mean", Op::named("Min"), &[&raised, &most])
        }
        Link::Logit => {
            let one = graph.constant("model/one", Tensor::number(1.0));
            let second = graph.node("model/second", Op::named("Sigmoid"), &[sums]);
            let first = graph.node("model/first", Op::named("Sub"), &[&one, &second]);
            graph.node("model/p", Op::named("Concat").with("axis", Attribute::Int(1)), &[&first, &second])
        }
        Link::Softmax => softmax(graph, sums),
    }
}

fn softmax(graph: &mut Graph, sums: &Value) -> Value {
    graph.node("model/p", Op::named("Softmax").with("axis", Attribute::Int(1)), &[sums])
}

/// Probabilities of all classes from the machines' scores.
fn support_vectors(graph: &mut Graph, m: &Machines<'_>, n_columns: usize, n_classes: usize, x: &Value) -> Value {
    let terms = match m.kernel {
        None => x.clone(),
        Some((gamma, vectors)) => kernels(graph, gamma, vectors, n_columns, x),
    };
    // −(a · score + b) is a weighted sum itself
    let n_terms = m.coefficients.len() / m.intercepts.len();
    let per_machine = || m.sigmoids.iter().zip(m.coefficients.chunks_exact(n_terms)).zip(m.intercepts);
    let coefficients: Vec<f64> = per_machine().flat_map(|((s, c), _)| c.iter().map(|w| -s.a * w)).collect();
    let intercepts: Vec<f64> = per_machine().map(|((PlattSigmoid { a, b }, _), i)| -a * i - b).collect();
    let odds = weighted(graph, &terms, &coefficients, &intercepts);
    let shares = if m.intercepts.len() == 1 {
        linked(graph, Link::Logit, &odds)
    } else {
        let logs = log_sigmoids(graph, &odds);
        softmax(graph, &logs)
    };
    if m.present.len() == n_classes {
        return shares;
    }
    let mut places = vec![0.0; m.present.len() * n_classes];
    m.present.iter().enumerate().for_each(|(k, &class)| places[k * n_classes + class as usize] = 1.0);
    let places = graph.constant("model/places", Tensor::Doubles(vec![m.present.len(), n_classes], places));
    graph.node("model/all", Op::named("MatMul"), &[&shares, &places])
}

/// exp(−γ‖x − v‖²) = exp(2γ x·v − γ‖x‖² − γ‖v‖²) for every stored row: a matrix product, where differences would need rows ×
/// vectors × columns numbers at once.
fn kernels(graph: &mut Graph, gamma: f64, vectors: &[f64], n_columns: usize, x: &Value) -> Value {
    let n = vectors.len() / n_columns;
    let by_column =
        (0..n_columns).flat_map(|j| (0..n).map(move |v| 2.0 * gamma * vectors[v * n_columns + j])).collect();
    let lengths = vectors.chunks_exact(n_columns).map(|v| gamma * v.iter().map(|a| a * a).sum::<f64>()).collect();
    let by_column = graph.constant("model/vectors", Tensor::Doubles(vec![n_columns, n], by_column));
    let lengths = graph.constant("model/lengths", Tensor::list(lengths));
    let gamma = graph.constant("model/gamma", Tensor::number(gamma));
    let zero = graph.constant("model/zero", Tensor::number(0.0));
    let axis = graph.constant("model/axis", Tensor::Ints(vec![1]));
    let squares = graph.node("model/squares", Op::named("Mul"), &[x, x]);
    let squared = graph.node("model/squared", Op::named("ReduceSum"), &[&squares, &axis]);
    let own = graph.node("model/length", Op::named("Mul"), &[&squared, &gamma]);
    let product = graph.node("model/product", Op::named("MatMul"), &[x, &by_column]);
    let less = graph.node("model/less", Op::named("Sub"), &[&product, &own]);
    let exponent = graph.node("model/exponent", Op::named("Sub"), &[&less, &lengths]);
    // rounding may lift the exponent of a stored row above 0
    let held = graph.node("model/held", Op::named("Min"), &[&exponent, &zero]);
    graph.node("model/kernels", Op::named("Exp"), &[&held])
}

/// ln σ(s) = min(s, 0) − ln(1 + exp(−|s|)).
fn log_sigmoids(graph: &mut Graph, s: &Value) -> Value {
    let [zero, one] =
        [("model/zero", 0.0), ("model/one", 1.0)].map(|(name, v)| graph.constant(name, Tensor::number(v)));
    let size = graph.node("model/size", Op::named("Abs"), &[s]);
    let minus = graph.node("model/minus", Op::named("Neg"), &[&size]);
    let raised = graph.node("model/raised", Op::named("Exp"), &[&minus]);
    let more = graph.node("model/more", Op::named("Add"), &[&raised, &one]);
    let log = graph.node("model/log", Op::named("Log"), &[&more]);
    let below = graph.node("model/below", Op::named("Min"), &[s, &zero]);
    graph.node("model/logs", Op::named("Sub"), &[&below, &log])
}
