//! What the forecasts of a whole shop lean on: the customers' explanations of a sample, taken together.

use guike_core::Seed;
use guike_features::Theme;
use rayon::prelude::*;
use serde::Serialize;

use super::cases::{Offer, Reader, Who};
use super::customer::{BACKGROUND, Expected, shares};
use crate::error::Error;
use crate::forecast::Final;

/// How much is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// Customers that are explained.
    pub(super) explained: usize,
    /// Model calls for each of them, about: what asking every coalition leaves of it decides with how many others she is
    /// compared. Asking few others everything is cheaper than asking many a little, because a model answers many rows at
    /// once.
    pub(super) calls: usize,
    /// Above this many, coalitions are drawn instead of asked one and all.
    pub(super) most: usize,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { explained: 40, calls: 512, most: usize::MAX }
    }
}

/// How much one theme matters over the sample.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThemeImportance {
    /// Stable name of the theme.
    pub theme: &'static str,
    /// Mean absolute share of the expected spend, in currency units.
    pub spend: f64,
    /// Standard error of that mean over customers.
    pub spend_error: f64,
    /// Mean absolute share of P(active).
    pub p_active: f64,
    /// The feature by which the customers are shaded in the picture.
    pub shade: Option<String>,
    /// What the theme adds to each explained customer's expected spend, and the customer's value of `shade`.
    #[serde(skip)]
    pub customers: Vec<(f64, f64)>,
}

/// What the forecasts of a shop lean on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShopExplanation {
    /// Customers with a purchase by the cutoff.
    pub customers: usize,
    /// How many of them were explained.
    pub explained: usize,
    /// With how many each was compared.
    pub background: usize,
    /// Whether every coalition of themes was asked.
    pub exact: bool,
    /// What the model expects on average of those that they are compared with.
    pub base: Expected,
    /// The themes, most important first.
    pub themes: Vec<ThemeImportance>,
}

/// The customers that are explained, and those that they are compared with.
pub(super) fn drawn(offer: &Offer, effort: Effort, seed: Seed) -> [Vec<u32>; 2] {
    [
        offer.sample(effort.explained, None, seed.derive("explained")),
        offer.sample(BACKGROUND, None, seed.derive("sample")),
    ]
}

/// Explains a sample of the customers.
pub(super) fn explain(
    model: &Final,
    reader: &Reader<'_>,
    effort: Effort,
    seed: Seed,
) -> Result<ShopExplanation, Error> {
    let [explained, background] = drawn(reader.offer(), effort, seed);
    let who: Vec<Who> = explained.iter().chain(&background).map(|&c| Who::is(c)).collect();
    let people = reader.people(&who);
    let rows: Vec<usize> = (explained.len()..who.len()).collect();
    let each = (effort.calls >> people.themes().len()).clamp(1, rows.len().max(1));
    let forecasts = model.forecast(&people.cases())?;
    let mean = |v: &[f64]| rows.iter().map(|&i| v[i]).sum::<f64>() / rows.len().max(1) as f64;
    let base = Expected {
        spend: mean(&forecasts.expected_spend),
        orders: mean(&forecasts.expected_orders),
        p_active: mean(&forecasts.p_active),
    };
    let found = (0..explained.len())
        .into_par_iter()
        .map(|i| {
            // others in turn, so that all of the background is used
            let others: Vec<usize> = (0..each).map(|k| rows[(i * each + k) % rows.len()]).collect();
            shares(model, &people, i, &others, effort.most, seed)
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let Some((themes, first)) = found.first() else {
        return Err(Error::Internal("nobody was explained".to_owned()));
    };
    let n = found.len() as f64;
    let mut told: Vec<ThemeImportance> = themes
        .iter()
        .enumerate()
        .map(|(g, theme)| {
            let of = |output: usize| found.iter().map(move |(_, s)| s.attributions.of(0, output)[g]);
            let spend = of(0).map(f64::abs).sum::<f64>() / n;
            let variance = of(0).map(|v| (v.abs() - spend).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
            let shade =
                people.facts.columns().iter().find(|c| Theme::of(&c.name) == *theme && c.as_numeric().is_some());
            let value = |i: usize| shade.and_then(|c| c.as_numeric()).map_or(f64::NAN, |v| v[i]);
            ThemeImportance {
                theme: theme.name(),
                spend,
                spend_error: (variance / n).sqrt(),
                p_active: of(1).map(f64::abs).sum::<f64>() / n,
                shade: shade.map(|c| c.name.clone()),
                customers: of(0).enumerate().map(|(i, v)| (v, value(i))).collect(),
            }
        })
        .collect();
    told.sort_by(|a, b| b.spend.total_cmp(&a.spend));
    Ok(ShopExplanation {
        customers: reader.n_buyers(),
        explained: explained.len(),
        background: first.n_background,
        exact: first.exact,
        base,
        themes: told,
    })
}
