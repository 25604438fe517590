//! Read, map, clean, partition and sort order logs: from whatever a shop exports to an event log one can trust.
//!
//! The one idea: every decision about the file (format, encoding, columns, dates, numbers) is made once, from evidence, and
//! said in words in the [`QualityReport`]; every row is then kept or dropped for exactly one reason, and the counts add up.
//! Reading streams: text is never held whole, and rows go to the partitioner, which spills to disk beyond its limit.
//!
//! This crate knows file formats and nothing of models.
//!
//! * [`fetch`]: a table, query or collection of a database, copied so that it is read like a file.
//! * [`sync`]: keeps a copy of a table up to date, reading only what is new.
//! * [`LogFiles`]: which files a log is; [`import`]: files → [`guike_core::EventLog`] + [`QualityReport`];
//!   [`import_piecewise`]: the same of a log that need not fit in memory; [`read_rows`] stops before partitioning.
//! * [`read_customers`]: a table of customer attributes, joined to a log.
//! * [`read_table`]: any table as numbers and categories; [`pieces`]: rows of a stream, as they come.
//! * [`ImportOptions`]: everything a caller may say, as plain data.

mod block;
pub mod canonical;
pub mod clean;
mod clock;
pub mod customers;
mod database;
pub mod dates;
mod delimited;
mod dictionary;
pub mod driver;
mod encoding;
pub mod error;
mod feature_import;
mod files;
mod formats;
mod head;
mod import;
mod input;
mod interpret;
mod json;
mod mapping;
pub mod names;
pub mod numbers;
pub mod options;
mod packed;
pub mod parquet_rows;
mod parquet_source;
pub mod partition;
pub mod pieces;
mod piecewise;
pub mod quality;
mod reader;
pub mod rows;
mod seen;
mod sorted;
mod source;
mod spill;
mod spool;
mod sqlite;
mod sync;
pub mod table;
pub mod typed_parquet;
mod words;
mod workbook;

pub use canonical::{read_canonical, write_canonical, write_piecewise};
pub use customers::{CustomersRead, read_customers};
pub use database::{Wanted, fetch};
pub use dates::DateFormat;
pub use dictionary::customer_order;
pub use driver::{CustomerFeatures, CustomerNames, FeatureQuery};
pub use error::DataError;
pub use feature_import::{FeatureImport, import_features};
pub use files::{LogFile, LogFiles};
pub use import::{Draft, Imported, RowsRead, import, import_piecewise, read_rows};
pub use options::{CleanOptions, ImportOptions, ReadOptions};
pub use partition::{Cleaning, PartitionConfig, Partitioned, Partitioner};
pub use piecewise::{PiecewiseLog, Reads};
pub use quality::{Found, QualityReport, Reason};
pub use rows::{CustomerRows, Dictionaries, RowBatch, RowColumns, RowSink};
pub use sorted::SortedPartition;
pub use sync::{SyncPlan, Synced, sync};
pub use table::{CellKind, TableRead, read_table};
pub use typed_parquet::{TypedColumns, TypedLog, read_typed_parquet};
