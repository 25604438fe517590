//! Probability models of buying and dying, and the mathematics they need.
//!
//! The one idea: a customer buys at random at a rate of their own until they silently leave; both the rate and the
//! chance of leaving differ between customers by known distributions. Three numbers per customer (repeat purchases x,
//! recency t_x, age T) are then sufficient, and forecasts for any horizon follow in closed form.
//!
//! Every model is a plain struct of parameters in weeks; `learners` joins a count model with a spend model behind the
//! `guike_core` contract. The crate reads no files and no raw events.

pub mod count_model;
pub mod fit;
pub mod gamma_gamma;
pub mod grouped;
pub mod optimize;
pub mod special;
