//! Models as ONNX files, which programs without Guike can run.
//!
//! The one idea: a [`Graph`] is written down operator by operator, from named inputs to named outputs, and becomes the bytes
//! of an ONNX file. Numbers stay 64-bit from the first input to the last output, so that the file answers what Guike
//! answers; trees ([`trees`]) are one operator with all their questions.
//!
//! It writes and does not read, knows only the operators' names, and does not check that an operator accepts what it is
//! given: `onnxruntime` does, in the tests of the command. What a model's parts mean is known to the façade, which calls
//! this crate. This is the only crate that knows how protobuf is written.

mod graph;
mod proto;
mod trees;

pub use graph::{About, Attribute, Element, Graph, Op, Tensor, Value};
pub use trees::trees;
