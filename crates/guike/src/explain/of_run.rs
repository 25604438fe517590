//! What a run's own report tells of its model: which themes its forecasts lean on, and why the most valuable customers are
//! expected to spend what they are.
//!
//! The one idea: the same questions as `guike explain` asks, but few of them. A run is asked for forecasts, and its page may
//! cost a few hundredths of it, whatever the size of the log: some customers stand for the shop, and the coalitions of
//! themes are drawn where all would be too many.

use guike_core::Seed;

use super::cases::{Reader, Who};
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
    let reader = Reader::new(&f.log, f.fitted.model.card(), f.cutoff, f.horizon)?;
    let seed = seed.derive("explain");
    let shop = shop::explain(&f.fitted, &reader, EFFORT, seed)?;
    let background = reader.sample(BACKGROUND, None, seed.derive("sample"));
    let mut others = reader.sample(SAMPLE, None, seed.derive("sample"));
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
