//! Read, map, clean, partition and sort order logs.

pub mod clean;
pub mod error;
pub mod quality;
pub mod rows;

pub use error::DataError;
pub use rows::{CustomerRows, Dictionaries, RowBatch, RowColumns, RowSink};
