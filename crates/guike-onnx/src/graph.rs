//! A graph of operators, written down in the order in which they run.

use std::collections::BTreeSet;

use prost::Message;

use crate::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, attribute_type, data_type,
};

/// Version of the file format: that of ONNX 1.16, the first with 64-bit trees whose questions may ask for sets of categories.
const IR_VERSION: i64 = 10;
/// Versions of the operators, ONNX 1.16's.
const OPERATORS: [(&str, i64); 2] = [("", 21), (ML, 5)];
const ML: &str = "ai.onnx.ml";
/// Name of the first dimension of inputs and outputs.
const ROWS: &str = "rows";

/// A tensor within the graph, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(String);

/// What a tensor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 64-bit floating point.
    Double,
    /// Text.
    Text,
}

/// Constant numbers or texts.
#[derive(Debug, Clone, PartialEq)]
pub enum Tensor {
    /// 64-bit floating point: dimensions, and values row-major.
    Doubles(Vec<usize>, Vec<f64>),
    /// A list of 64-bit integers.
    Ints(Vec<i64>),
    /// A list of bytes.
    Bytes(Vec<u8>),
    /// A list of texts.
    Texts(Vec<String>),
}

impl Tensor {
    /// One number, for every row and column alike.
    pub fn number(value: f64) -> Tensor {
        Tensor::Doubles(Vec::new(), vec![value])
    }

    /// A list of numbers.
    pub fn list(values: Vec<f64>) -> Tensor {
        Tensor::Doubles(vec![values.len()], values)
    }

    fn proto(self, name: String) -> TensorProto {
        let dims_of = |n: usize| vec![n as i64];
        let (dims, data_type, raw_data, string_data) = match self {
            Tensor::Doubles(dims, v) => {
                assert_eq!(dims.iter().product::<usize>(), v.len(), "as many values as the dimensions say");
                let dims = dims.into_iter().map(|d| d as i64).collect();
                (dims, data_type::DOUBLE, Some(v.iter().flat_map(|x| x.to_le_bytes()).collect()), Vec::new())
            }
            Tensor::Ints(v) => {
                (dims_of(v.len()), data_type::INT64, Some(v.iter().flat_map(|x| x.to_le_bytes()).collect()), Vec::new())
            }
            Tensor::Bytes(v) => (dims_of(v.len()), data_type::UINT8, Some(v), Vec::new()),
            Tensor::Texts(v) => {
                (dims_of(v.len()), data_type::STRING, None, v.into_iter().map(String::into_bytes).collect())
            }
        };
        TensorProto { dims, data_type, string_data, name, raw_data }
    }
}

/// A setting of an operator.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// A whole number.
    Int(i64),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// Texts.
    Texts(Vec<String>),
    /// A tensor.
    Tensor(Tensor),
}

impl Attribute {
    fn proto(self, name: &str) -> AttributeProto {
        let mut proto = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
        match self {
            Attribute::Int(i) => (proto.r#type, proto.i) = (attribute_type::INT, Some(i)),
            Attribute::Ints(v) => (proto.r#type, proto.ints) = (attribute_type::INTS, v),
            Attribute::Texts(v) => {
                (proto.r#type, proto.strings) =
                    (attribute_type::STRINGS, v.into_iter().map(String::into_bytes).collect());
            }
            Attribute::Tensor(t) => (proto.r#type, proto.t) = (attribute_type::TENSOR, Some(t.proto(String::new()))),
        }
        proto
    }
}

/// An operator with its settings: `Op::named("Concat").with("axis", Attribute::Int(1))`.
#[derive(Debug, Clone, PartialEq)]
pub struct Op {
    name: &'static str,
    domain: &'static str,
    attributes: Vec<(&'static str, Attribute)>,
}

impl Op {
    /// An operator of ONNX proper.
    pub fn named(name: &'static str) -> Op {
        Op { name, domain: "", attributes: Vec::new() }
    }

    /// An operator of its part on machine learning, `ai.onnx.ml`.
    pub fn ml(name: &'static str) -> Op {
        Op { domain: ML, ..Op::named(name) }
    }

    /// With this setting.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Attribute) -> Op {
        self.attributes.push((name, value));
        self
    }
}

/// What a file says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Version of the program that writes.
    pub version: String,
    /// A sentence for readers.
    pub text: String,
    /// Facts for programs, by name.
    pub facts: Vec<(String, String)>,
}

/// A graph that is being written down.
///
/// ```
/// use guike_onnx::{About, Element, Graph, Op, Tensor};
/// let mut graph = Graph::new("twice");
/// let x = graph.input("x", Element::Double);
/// let two = graph.constant("two", Tensor::number(2.0));
/// let twice = graph.node("x/twice", Op::named("Mul"), &[&x, &two]);
/// graph.output("y", &twice, Element::Double, 1);
/// let about = About { version: "1".to_owned(), text: "twice the input".to_owned(), facts: Vec::new() };
/// assert!(graph.model(about).len() > 100);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Graph {
    graph: GraphProto,
    names: BTreeSet<String>,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: &str) -> Graph {
        Graph { graph: GraphProto { name: name.to_owned(), ..GraphProto::default() }, names: BTreeSet::new() }
    }

    /// The name, or one like it that is not taken.
    fn name(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut n = 2;
        while !self.names.insert(name.clone()) {
            name = format!("{wanted}_{n}");
            n += 1;
        }
        name
    }

    /// An input of one column, rows × 1.
    pub fn input(&mut self, name: &str, element: Element) -> Value {
        let name = self.name(name);
        self.graph.input.push(info(&name, element, 1));
        Value(name)
    }

    /// A constant.
    pub fn constant(&mut self, name: &str, tensor: Tensor) -> Value {
        let name = self.name(name);
        self.graph.initializer.push(tensor.proto(name.clone()));
        Value(name)
    }

    /// What an operator makes of its inputs; it is called `name`, or nearly so where that is taken.
    pub fn node(&mut self, name: &str, op: Op, inputs: &[&Value]) -> Value {
        let name = self.name(name);
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|v| v.0.clone()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: op.name.to_owned(),
            attribute: op.attributes.into_iter().map(|(name, value)| value.proto(name)).collect(),
            domain: op.domain.to_owned(),
        });
        Value(name)
    }

    /// An output, rows × `width`.
    pub fn output(&mut self, name: &str, value: &Value, element: Element, width: usize) {
        let Value(name) = self.node(name, Op::named("Identity"), &[value]);
        self.graph.output.push(info(&name, element, width));
    }

    /// The bytes of the file.
    pub fn model(self, about: About) -> Vec<u8> {
        let entry = |(key, value)| StringStringEntryProto { key, value };
        let model = ModelProto {
            ir_version: IR_VERSION,
            producer_name: "guike".to_owned(),
            producer_version: about.version,
            doc_string: about.text,
            graph: Some(self.graph),
            opset_import: OPERATORS
                .map(|(domain, version)| OperatorSetIdProto { domain: domain.to_owned(), version })
                .to_vec(),
            metadata_props: about.facts.into_iter().map(entry).collect(),
        };
        model.encode_to_vec()
    }
}

/// Name, type and shape of an input or output.
fn info(name: &str, element: Element, width: usize) -> ValueInfoProto {
    let rows = DimensionProto { dim_param: Some(ROWS.to_owned()), dim_value: None };
    let columns = DimensionProto { dim_value: Some(width as i64), dim_param: None };
    let tensor = TensorTypeProto {
        elem_type: match element {
            Element::Double => data_type::DOUBLE,
            Element::Text => data_type::STRING,
        },
        shape: Some(TensorShapeProto { dim: vec![rows, columns] }),
    };
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About { version: "9".to_owned(), text: "words".to_owned(), facts: vec![("a".to_owned(), "b".to_owned())] }
    }

    #[test]
    fn names_that_are_taken_get_a_number() {
        let mut graph = Graph::new("g");
        let x = graph.input("predicted", Element::Double);
        let y = graph.node("predicted", Op::named("Neg"), &[&x]);
        graph.output("predicted", &y, Element::Double, 1);
        let model = ModelProto::decode(graph.model(about()).as_slice()).expect("own bytes");
        let graph = model.graph.expect("a graph");
        assert_eq!((graph.input[0].name.as_str(), graph.output[0].name.as_str()), ("predicted", "predicted_3"));
        assert_eq!(graph.node[1].input, ["predicted_2"]);
    }

    #[test]
    fn the_smallest_file_has_the_bytes_that_the_format_prescribes() {
        let mut graph = Graph::new("g");
        let x = graph.input("x", Element::Text);
        graph.output("y", &x, Element::Text, 1);
        let head = b"\x08\x0a\x12\x05guike\x1a\x019\x32\x05words";
        // the node's 19 bytes end with its operator, because an empty domain is left out; the graph's name follows
        let node = b"\x0a\x13\x0a\x01x\x12\x01y\x1a\x01y\x22\x08Identity\x12\x01g";
        let bytes = graph.model(about());
        assert_eq!(&bytes[..head.len()], head);
        assert!(bytes.windows(node.len()).any(|w| w == node), "{bytes:?}");
    }
}
