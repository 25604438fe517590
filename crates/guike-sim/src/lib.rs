//! Simulated shops whose truth is known: the ground on which models, features and intervals are tested.
//!
//! The one idea: a customer is a draw of parameters (how fast she buys, when she leaves, what she spends) and then a
//! stream of events that follow from them; both are kept, so that a forecast can be held against the truth and not only
//! against one realisation of it. Customer `i` depends on the seed and on `i` alone: the first thousand customers of a
//! shop are the same whether it has a thousand or a million.
//!
//! * [`Shop::simulate`]: an [`guike_core::EventLog`] with items, refunds, views, season and growth, and its [`Truth`].
//! * [`summary`]: only (x, t_x, T) and spend, a million customers in a fraction of a second.
//! * [`Prior::shop`]: a [`PriorShop`] of purchase days only, drawn with all that differs between shops, to train on.
//! * [`CustomersTable`]: a labelled table of customers for classifiers, with the true probabilities.
//!
//! It does not pretend to be any real shop, and knows no model: the formulas it is checked with stand in its tests.

mod browsing;
mod buying;
mod customers_table;
mod error;
mod prior;
mod shop;
mod spend;
mod summary;

pub use browsing::Browsing;
pub use buying::{Buyer, Buying, DropOut};
pub use customers_table::{CustomersTable, Label};
pub use error::SimError;
pub use prior::{Mechanism, Prior, PriorShop};
pub use shop::{Acquisition, Goods, Refunds, Season, Shop, Simulated, Truth};
pub use spend::GammaGamma;
pub use summary::summary;
