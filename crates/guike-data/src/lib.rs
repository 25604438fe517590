//! Read, map, clean, partition and sort order logs.

pub mod clean;
pub mod error;
mod packed;
pub mod partition;
pub mod quality;
pub mod rows;
mod sorted;
mod spill;

pub use error::DataError;
pub use partition::{Cleaning, PartitionConfig, Partitioned, Partitioner};
pub use rows::{CustomerRows, Dictionaries, RowBatch, RowColumns, RowSink};
pub use sorted::SortedPartition;
