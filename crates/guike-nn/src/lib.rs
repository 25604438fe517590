//! Networks: the customer value foundation model, which has seen many simulated shops and forecasts one that it has not; deep
//! learners on a shop's own log ([`deep`]) and on tables ([`mlp`]); and rows of customers who do not exist ([`gan`]).
//!
//! The one idea of the foundation model: fitting is replaced by reading. [`foundation`] trains a network once on shops of every kind that we can
//! draw; a new shop's past is then read in one forward pass and its customers are forecast with nothing fitted.
//!
//! Below it lie a [`Tape`] that differentiates over matrices with the fused operations that such a network needs and
//! allocates nothing from step to step, and [`Weights`], files in the safetensors layout in which every flipped bit is
//! found. The tape is our own because what makes training fast here are rows of different lengths, one common context for
//! all queries, and gradients per shop that are added in a fixed order; matrix products are `ndarray`'s. It runs on the
//! processor only.
//!
//! This crate reads no file and no clock: weights come as bytes, shops as [`guike_core::Purchases`].

pub mod deep;
mod descend;
pub mod foundation;
pub mod gan;
mod layers;
mod math;
pub mod mlp;
mod optimizer;
mod params;
mod tape;
mod told;
mod weights;

pub use params::{ParamId, Params, Start, Tensor};
pub use tape::{Tape, Var, Workspace};
pub use weights::{Weights, WeightsError};
