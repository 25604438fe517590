//! Why one customer's forecast is what it is, who is like her, and what would move her.

use guike_core::{ColumnData, Forecasts, Money, Seed, Table};
use guike_decide::{TierName, TierPlan, TierRule};
use guike_explain::shapley::{Game, Shapley, shapley};
use guike_features::Theme;
use guike_learn::baseline::RfmQuintiles;
use rayon::prelude::*;
use serde::Serialize;

use super::asking::Asking;
use super::cases::{Composer, People, Reader, Who};
use crate::error::Error;
use crate::forecast::Final;

/// Customers with whom the explained one is compared.
pub(super) const BACKGROUND: usize = 30;
/// Customers from whom medians are taken and among whom look-alikes are sought.
pub(super) const SAMPLE: usize = 1_000;
/// Look-alikes that are shown.
const ALIKE: usize = 3;
/// Sizes of one more order that are tried, in multiples of the customer's mean order.
const SIZES: [f64; 10] = [1.0, 2.0, 0.5, 1.5, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0];

/// What the model expects of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Expected {
    /// Mean spend within the horizon, in currency units.
    pub spend: f64,
    /// Purchase days within the horizon.
    pub orders: f64,
    /// P(at least one purchase within the horizon).
    pub p_active: f64,
}

impl Expected {
    pub(super) fn of(f: &Forecasts, i: usize) -> Expected {
        Expected { spend: f.expected_spend[i], orders: f.expected_orders[i], p_active: f.p_active[i] }
    }
}

/// One thing that is known about the customer, beside the shop's median.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// Name of the feature or attribute.
    pub feature: String,
    /// Its value; `None` where it is missing or a category.
    pub value: Option<f64>,
    /// Its category, where it has one.
    pub category: Option<String>,
    /// Median over a sample of the shop's customers, of those who have a value.
    pub median: Option<f64>,
}

/// What one theme adds to the forecast.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThemeShare {
    /// Stable name of the theme; `guike features --list` says which features it holds.
    pub theme: &'static str,
    /// Added to the expected spend, in currency units.
    pub spend: f64,
    /// Standard error of that, where not all coalitions were asked; else 0.
    pub spend_error: f64,
    /// Added to P(active).
    pub p_active: f64,
    /// What is known about the customer under this theme.
    pub facts: Vec<Fact>,
}

/// Another customer who is much the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alike {
    /// Her id.
    pub customer: String,
    /// Days since her last purchase.
    pub recency_days: f64,
    /// Her purchase days.
    pub purchase_days: u32,
    /// Days since her first purchase.
    pub tenure_days: f64,
    /// Her mean spend per purchase day.
    pub spend_mean: f64,
    /// What the model expects of her.
    pub expected: Expected,
}

/// What the model would say after one more order today.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhatIf {
    /// Size of the order, in currency units.
    pub order: f64,
    /// The same in multiples of her mean order so far.
    pub times_usual: f64,
    /// The forecast then.
    pub expected: Expected,
    /// The tier then, where the tiers are known.
    pub tier: Option<TierName>,
}

/// Where a customer stands among the tiers of the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// Her tier by the rule of the run.
    pub tier: TierName,
    /// The next better tier, and how one order today might reach it; `None` for the best.
    pub next: Option<NextTier>,
}

/// A better tier.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NextTier {
    /// Its name.
    pub tier: TierName,
    /// The smallest order that was tried and reaches it or better; `None` when none does.
    pub order: Option<f64>,
}

/// Why one customer's forecast is what it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CustomerExplanation {
    /// The customer's id.
    pub customer: String,
    /// What the model expects of her.
    pub expected: Expected,
    /// Ends of the 80 % interval of her spend.
    pub spend_interval: [f64; 2],
    /// What it expects on average of the customers she is compared with: where the parts begin.
    pub base: Expected,
    /// How many those are.
    pub background: usize,
    /// Whether every coalition of themes was asked, so that the parts are exact for this comparison.
    pub exact: bool,
    /// How often the model was asked.
    pub calls: usize,
    /// The parts, largest first; base and parts add up to the forecast.
    pub themes: Vec<ThemeShare>,
    /// Customers like her.
    pub alike: Vec<Alike>,
    /// Her tier, where the run's tiers are beside the model.
    pub standing: Option<Standing>,
    /// One more order today.
    pub what_if: Vec<WhatIf>,
}

/// The rule by which a run made tiers.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct SavedTiers {
    pub(crate) plan: TierPlan,
    rule: TierRule,
    /// Borders of the scores; runs of earlier versions did not keep them.
    pub(crate) rfm_borders: Option<RfmQuintiles>,
}

impl SavedTiers {
    /// The tier of every one of these, 0 the best; `None` when an indicator is not there.
    pub(crate) fn tiers(&self, people: &People, forecasts: &Forecasts) -> Option<Vec<usize>> {
        let everyone =
            guike_decide::Population { forecasts, rfm: &people.rfm, features: Some(&people.facts), portrait: None };
        let columns: Vec<Vec<f64>> =
            self.plan.indicators.iter().map(|i| i.values(&everyone)).collect::<Result<_, _>>().ok()?;
        Some((0..forecasts.len()).map(|i| self.rule.tier(&columns.iter().map(|c| c[i]).collect::<Vec<_>>())).collect())
    }
}

/// Shares the forecast of `people`'s customer `case` out among the themes, against `background`.
pub(super) fn shares(
    model: &Final,
    people: &People,
    case: usize,
    background: &[usize],
    calls: usize,
    seed: Seed,
) -> Result<(Vec<Theme>, Shapley), Error> {
    let composer = Composer::new(people);
    let game = Game { n_groups: composer.themes.len(), n_background: background.len(), n_outputs: 2, calls, seed };
    let found = shapley(&game, |hybrids| {
        // pieces of a fixed size, so that all threads have work and the results do not depend on their number
        let parts: Vec<Result<Vec<f64>, Asking>> = hybrids
            .par_chunks(128)
            .map(|part| {
                let (rfm, features, purchases) = composer.hybrids(case, background, part);
                let cases = guike_core::Cases {
                    rfm: &rfm,
                    features: features.as_ref(),
                    purchases: Some(&purchases),
                    ..people.cases()
                };
                let f = model.forecast(&cases)?;
                Ok(f.expected_spend.iter().zip(&f.p_active).flat_map(|(s, p)| [*s, *p]).collect())
            })
            .collect();
        parts.into_iter().collect::<Result<Vec<_>, _>>().map(|p| p.concat())
    });
    Ok((composer.themes, found.map_err(Error::from)?))
}

/// Explains the forecast of a customer, whose id is given beside her; `ids` are those of the log.
pub(crate) fn explain(
    model: &Final,
    reader: &Reader<'_>,
    ids: &[String],
    (who, id): (Who, &str),
    tiers: Option<&SavedTiers>,
    seed: Seed,
) -> Result<CustomerExplanation, Error> {
    let customer = who.customer;
    // the first of the sample are the background: a sample of a sample
    let mut others = reader.sample(SAMPLE, Some(customer), seed.derive("sample"));
    let background = reader.sample(BACKGROUND, Some(customer), seed.derive("sample"));
    others.retain(|c| background.binary_search(c).is_err());
    let order: Vec<u32> = std::iter::once(customer).chain(background.iter().copied()).chain(others).collect();
    let people = reader.people(&order.iter().map(|&c| Who::is(c)).collect::<Vec<_>>());
    let asked: Vec<u32> = order.iter().copied().take(1 + background.len()).collect();
    let compared = reader.people(&asked.iter().map(|&c| Who::is(c)).collect::<Vec<_>>());
    let forecasts = model.forecast(&compared.cases())?;
    let rows: Vec<usize> = (1..asked.len()).collect();
    let n = rows.len().max(1) as f64;
    let mean = |v: &[f64]| v[1..].iter().sum::<f64>() / n;
    let base = Expected {
        spend: mean(&forecasts.expected_spend),
        orders: mean(&forecasts.expected_orders),
        p_active: mean(&forecasts.p_active),
    };
    let (themes, found) = shares(model, &compared, 0, &rows, Game::default().calls, seed.derive("shares"))?;
    let mut themes = told(&themes, &found, &people.facts, 0);
    themes.sort_by(|a, b| b.spend.abs().total_cmp(&a.spend.abs()));
    let (what_if, standing) = what_if(model, reader, customer, &people, tiers)?;
    let alike = alike(model, reader, ids, &order, &people)?;
    let quantile = |level: f64| forecasts.spend.at(level).map_or(f64::NAN, |v| v[0]);
    Ok(CustomerExplanation {
        customer: id.to_owned(),
        expected: Expected::of(&forecasts, 0),
        spend_interval: [quantile(0.1), quantile(0.9)],
        base,
        background: found.n_background,
        exact: found.exact,
        calls: found.calls,
        themes,
        alike,
        standing,
        what_if,
    })
}

/// The parts with what is known about this row of the facts.
pub(super) fn told(themes: &[Theme], found: &Shapley, facts: &Table, row: usize) -> Vec<ThemeShare> {
    let (spend, p_active) = (found.attributions.of(0, 0), found.attributions.of(0, 1));
    themes
        .iter()
        .enumerate()
        .map(|(g, theme)| ThemeShare {
            theme: theme.name(),
            spend: spend[g],
            spend_error: found.errors(0)[g],
            p_active: p_active[g],
            facts: facts.columns().iter().filter(|c| Theme::of(&c.name) == *theme).map(|c| fact(c, row)).collect(),
        })
        .collect()
}

/// A column's value in this row, beside its median over all rows.
pub(super) fn fact(column: &guike_core::Column, row: usize) -> Fact {
    match &column.data {
        ColumnData::Numeric(v) => Fact {
            feature: column.name.clone(),
            value: Some(v[row]).filter(|x| x.is_finite()),
            category: None,
            median: median(v),
        },
        ColumnData::Categorical { codes, levels } => Fact {
            feature: column.name.clone(),
            value: None,
            category: levels.get(codes[row] as usize).cloned(),
            median: None,
        },
    }
}

/// The middle of the finite values, the lower one of two.
fn median(values: &[f64]) -> Option<f64> {
    let mut finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    if finite.is_empty() {
        return None;
    }
    let middle = (finite.len() - 1) / 2;
    finite.select_nth_unstable_by(middle, f64::total_cmp);
    Some(finite[middle])
}

/// The nearest customers of the sample by recency, frequency, tenure and money, on logarithmic scales.
fn alike(
    model: &Final,
    reader: &Reader<'_>,
    ids: &[String],
    order: &[u32],
    people: &People,
) -> Result<Vec<Alike>, Error> {
    let rfm = &people.rfm;
    let place = |i: usize| {
        let log = |v: f64| v.max(0.0).ln_1p();
        [
            log(rfm.age_days[i] - rfm.recency_days[i]),
            log(f64::from(rfm.repeats[i])),
            log(rfm.age_days[i]),
            log(rfm.spend_mean[i]),
        ]
    };
    let n = order.len() as f64;
    let spread: Vec<f64> = (0..4)
        .map(|j| {
            let mean = (0..order.len()).map(|i| place(i)[j]).sum::<f64>() / n;
            (0..order.len()).map(|i| (place(i)[j] - mean).powi(2)).sum::<f64>().max(1e-12).sqrt()
        })
        .collect();
    let her = place(0);
    let distance = |i: usize| (0..4).map(|j| ((place(i)[j] - her[j]) / spread[j]).powi(2)).sum::<f64>();
    let mut near: Vec<(f64, usize)> = (1..order.len()).map(|i| (distance(i), i)).collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    near.truncate(ALIKE);
    if near.is_empty() {
        return Ok(Vec::new());
    }
    let who: Vec<Who> = near.iter().map(|&(_, i)| Who::is(order[i])).collect();
    let forecasts = model.forecast(&reader.people(&who).cases())?;
    Ok(near
        .iter()
        .enumerate()
        .map(|(k, &(_, i))| Alike {
            customer: ids[order[i] as usize].clone(),
            recency_days: rfm.age_days[i] - rfm.recency_days[i],
            purchase_days: rfm.repeats[i] + 1,
            tenure_days: rfm.age_days[i],
            spend_mean: rfm.spend_mean[i],
            expected: Expected::of(&forecasts, k),
        })
        .collect())
}

/// One more order today, of several sizes: the usual one, twice that, and what reaches the next tier.
fn what_if(
    model: &Final,
    reader: &Reader<'_>,
    customer: u32,
    people: &People,
    tiers: Option<&SavedTiers>,
) -> Result<(Vec<WhatIf>, Option<Standing>), Error> {
    let usual = people.rfm.spend_mean[0];
    if usual <= 0.0 {
        return Ok((Vec::new(), None));
    }
    let micros = |times: f64| (rounded(usual * times) * Money::PER_UNIT as f64).round() as i64;
    let mut who = vec![Who::is(customer)];
    who.extend(SIZES.iter().map(|&t| Who { customer, buys_now: Some(micros(t)) }));
    let changed = reader.people(&who);
    let forecasts = model.forecast(&changed.cases())?;
    let placed = tiers.and_then(|t| Some((t.plan.tier_names(), t.tiers(&changed, &forecasts)?)));
    let name = |i: usize| placed.as_ref().map(|(names, tiers)| names[tiers[i]].clone());
    let step = |k: usize| WhatIf {
        order: rounded(usual * SIZES[k]),
        times_usual: SIZES[k],
        expected: Expected::of(&forecasts, k + 1),
        tier: name(k + 1),
    };
    let mut shown = vec![step(0), step(1)];
    let standing = placed.as_ref().map(|(names, tiers)| {
        let mut reaches: Vec<usize> = (0..SIZES.len()).filter(|&k| tiers[k + 1] < tiers[0]).collect();
        reaches.sort_by(|&a, &b| SIZES[a].total_cmp(&SIZES[b]));
        if let Some(&k) = reaches.first().filter(|&&k| k > 1) {
            shown.push(step(k));
        }
        let next = tiers[0].checked_sub(1).map(|better| NextTier {
            tier: names[better].clone(),
            order: reaches.first().map(|&k| rounded(usual * SIZES[k])),
        });
        Standing { tier: names[tiers[0]].clone(), next }
    });
    Ok((shown, standing))
}

/// An amount as a person would say it: two significant digits.
fn rounded(amount: f64) -> f64 {
    let step = 10_f64.powi(amount.log10().floor() as i32 - 1).max(0.01);
    (amount / step).round() * step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_ignores_what_is_missing() {
        assert_eq!(median(&[3.0, f64::NAN, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[f64::NAN]), None);
    }

    #[test]
    fn amounts_are_said_in_two_digits() {
        for (amount, said) in [(123.4, 120.0), (9.87, 9.9), (0.123, 0.12), (45_678.0, 46_000.0)] {
            assert!((rounded(amount) - said).abs() < 1e-9, "{amount}");
        }
    }
}
