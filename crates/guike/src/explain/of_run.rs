//! What a run's own report tells of its model: which themes its forecasts lean on, and why the most valuable customers are
//! expected to spend what they are.
//!
//! The one idea: the same questions as `guike explain` asks, but few of them. A run is asked for forecasts, and its page may
//! cost a few hundredths of it, whatever the size of the log: some customers stand for the shop, and the coalitions of
//! themes are drawn where all would be too many.

use std::sync::Arc;

use guike_core::Seed;

use super::cases::{Offer, Reader, Who};
use super::customer::{BACKGROUND, ThemeShare, shares, told};
use super::shop::{self, Effort, ShopExplanation};
use crate::error::Error;
use crate::run::Findings;

/// Customers that stand for the shop, and model calls for each.
const EFFORT: Effort = Effort { explained: 20, calls: 256, most: 512 };
/// Model calls for each of the most valuable customers.
const CALLS: usize = 2_048;
/// Customers from whom medians are taken.
const SAMPLE: usize = 200;

/// Why a customer's forecast is what it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TopExplanation {
    /// Index in the log.
    pub(crate) customer: u32,
    /// Her expected spend.
    pub(crate) expected: f64,
    /// The mean of those she is compared with.
    pub(crate) base: f64,
    /// The parts, largest first; base and parts add up to the forecast.
    pub(crate) themes: Vec<ThemeShare>,
}

/// Explains the run's model over a sample, and its forecasts of these customers.
pub(crate) fn explain(
    f: &Findings,
    customers: &[u32],
    seed: Seed,
) -> Result<(ShopExplanation, Vec<TopExplanation>), Error> {
    let (shape, attributes) = (f.log.shape(f.cutoff), f.log.attributes());
    let card = f.fitted.model.card();
    let offer = Arc::new(Offer::with(&shape, attributes, f.rfm.customer_idx.clone(), card, f.cutoff, f.horizon)?);
    let seed = seed.derive("explain");
    let background = offer.sample(BACKGROUND, None, seed.derive("sample"));
    let mut others = offer.sample(SAMPLE, None, seed.derive("sample"));
    // everybody who is looked at, read in one walk
    let drawn = shop::drawn(&offer, EFFORT, seed);
    let mut part: Vec<u32> = drawn.into_iter().flatten().chain(customers.to_vec()).chain(others.clone()).collect();
    part.extend(&background);
    part.sort_unstable();
    part.dedup();
    let log = f.log.only(&part)?;
    let reader = Reader::of_part(&log, &part, &offer, f.horizon);
    let shop = shop::explain(&f.fitted, &reader, EFFORT, seed)?;
    others.retain(|c| background.binary_search(c).is_err());
    let asked: Vec<Who> = customers.iter().chain(&background).map(|&c| Who::is(c)).collect();
    let known: Vec<Who> = customers.iter().chain(&background).chain(&others).map(|&c| Who::is(c)).collect();
    let (people, facts) = (reader.people(&asked), reader.people(&known).facts);
    let forecasts = f.fitted.forecast(&people.cases())?;
    let rows: Vec<usize> = (customers.len()..asked.len()).collect();
    let top = customers.iter().enumerate().map(|(i, &customer)| {
        let (themes, found) = shares(&f.fitted, &people, i, &rows, CALLS, seed.derive("shares"))?;
        let mut themes = told(&themes, &found, &facts, i);
        themes.sort_by(|a, b| b.spend.abs().total_cmp(&a.spend.abs()));
        let base = found.attributions.expected()[0];
        Ok(TopExplanation { customer, expected: forecasts.expected_spend[i], base, themes })
    });
    Ok((shop, top.collect::<Result<_, Error>>()?))
}
