//! What networks here are told: customers as aggregates and events, the shop as a scene.

mod pieces;
mod rows;
mod scene;

pub(crate) use pieces::Pieces;
pub use rows::ROW_FEATURES;
pub(crate) use rows::{Base, EVENT_FEATURES, Rows, drawn, happened};
pub use scene::SCENE_FEATURES;
pub(crate) use scene::Scene;
