//! The network, how it is trained, and how it forecasts; `docs/models/foundation.md` tells it for people.
//!
//! * [`Net`]: sizes and parameters; [`nano`] is the one that ships.
//! * [`Trainer`]: takes steps over a stream of [`Lesson`]s; [`examine`] measures on others.
//! * [`KnownShop`]: a shop that a network has read, which forecasts its customers.
//! * [`Foundation`]: the same as a learner among others, with or without adaptation.

mod adapt;
mod checkpoint;
mod context;
mod episode;
mod export;
mod forecast;
mod learner;
mod nano;
mod net;
mod outlook;
mod train;

pub use crate::optimizer::{AdamW, Schedule};
pub use crate::told::{ROW_FEATURES, SCENE_FEATURES};
pub use adapt::AdaptConfig;
pub use episode::{EpisodeConfig, Lesson};
pub use export::episode_arrays;
pub use forecast::KnownShop;
pub(crate) use forecast::nothing;
pub use learner::{ADAPTED, Foundation, FoundationModel, ZERO_SHOT};
pub use nano::nano;
pub use net::{Net, NetConfig};
pub use outlook::Losses;
pub use train::{StepReport, Stream, TrainConfig, Trainer, examine};
