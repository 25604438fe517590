//! From a customer's events to what a model reads: features, the RFM summary, labels and sequences.
//!
//! The one idea: [`compute`] makes **one sequential pass** over one customer's time-ordered [`guike_core::Events`] and
//! reads off every feature whenever it crosses an anchor, so that many anchors cost hardly more than one and an event
//! after an anchor can never reach it. [`catalogue`] is the only place where a feature is defined; a [`FeatureSet`] is
//! the part of it that a log offers (or that was asked for), and tells which columns need to be read at all.
//!
//! The kernel's interface is slices and plain structs: threads on one machine ([`feature_table`]), a streaming reader
//! and a cluster engine all call the same function and get the same bits. This crate reads no file, knows no file
//! format and no model.

pub mod catalogue;
mod chunks;
mod error;
mod kernel;
mod sequences;
mod set;
mod state;
mod summary;
mod table;
mod tally;

pub use catalogue::{CATALOGUE, Definition, Theme};
pub use error::FeatureError;
pub use kernel::{Scratch, compute};
pub use sequences::{Sequences, sequences};
pub use set::{Feature, FeatureSet, LogShape, Reads};
pub use summary::{PurchaseDay, labels, purchase_days, purchases, rfm};
pub use table::{TableBuilder, feature_table, feature_tables, features};
