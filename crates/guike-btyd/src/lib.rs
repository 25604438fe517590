//! Probability models of buying and dying, and the mathematics they need.
//!
//! The one idea: a customer buys at random at a rate of their own until they silently leave; both the rate and the
//! chance of leaving differ between customers by known distributions. Three numbers per customer (repeat purchases x,
//! recency t_x, age T) are then sufficient, and forecasts for any horizon follow in closed form.
//!
//! Every model is a plain struct of parameters in weeks; [`learners`] joins a count model with a spend model behind the
//! `guike_core` contract. The crate reads no files and no raw events.

pub mod beta_geometric_binomial;
pub mod bg_cnbd_k;
mod bg_family;
mod bg_fit;
mod bg_likelihood;
pub mod bg_nbd;
pub mod bg_nbd_covariates;
pub mod count_model;
pub mod covariates;
pub mod fit;
pub mod gamma_gamma;
pub mod grouped;
pub mod learners;
pub mod mbg_nbd;
pub mod nbd;
mod negative_binomial;
pub mod optimize;
pub mod outlook;
pub mod pareto_nbd;
pub mod pareto_nbd_covariates;
mod pareto_nbd_fit;
pub mod prior;
mod quadrature;
pub mod shifted_beta_geometric;
pub mod special;
pub mod total_spend;

pub use count_model::{CountDistribution, CountModel};
pub use fit::{Estimate, FitOptions};
pub use grouped::{Grouped, History};
