//! From forecasts to tiers: who is a diamond customer, why, how firmly, and who moved since last time.
//!
//! The one idea: a tier is a statement about money that staff must be able to repeat to a customer. So every method ends
//! in a *rule* ([`TierRule`]) that can be written down, stored and applied to one new customer, equal customers always get
//! equal tiers, and customers near a border do not flicker from run to run.
//!
//! * [`rules`]: what can be asked for ([`TierPlan`]); [`names`]: what tiers are called, in English and Chinese.
//! * [`tiers`]: [`TierPlan::assign`] gives a [`Tiering`]; [`borders`], [`clusters`] and [`clouds`] are the kinds of
//!   rules.
//! * [`mod@alternatives`]: the same customers in tiers by clustering, beside those that are used.
//! * [`stability`]: would other customers of the same kind have given the same tiers?
//! * [`analysis`]: what each tier is worth and what sets it apart; [`mod@migration`]: who moved between two runs.
//! * [`rfm_groups`]: the eleven named groups of the 5 × 5 × 5 recency, frequency and money scores.

pub mod alternatives;
pub mod analysis;
pub mod borders;
pub mod clouds;
pub mod clusters;
pub mod migration;
pub mod names;
pub mod rfm_groups;
pub mod rules;
pub mod stability;
pub mod tiers;

pub use alternatives::{Alternatives, alternatives};
pub use analysis::TierAnalysis;
pub use borders::Borders;
pub use clouds::Clouds;
pub use clusters::Centers;
pub use migration::{Migration, migration};
pub use names::TierName;
pub use rfm_groups::{RfmGroup, RfmGroups};
pub use rules::{Indicator, Method, PlanError, Population, Portrait, TierPlan};
pub use tiers::{TierRule, Tiering};
