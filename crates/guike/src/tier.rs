//! Tiers of the forecast customers, and who moved since an earlier run.

use std::collections::BTreeMap;
use std::path::Path;

use guike_core::{Cutoff, EventLog, Forecasts, Horizon, RfmTable};
use guike_decide::migration::Placed;
use guike_decide::{Indicator, Migration, Population, Portrait, RfmGroups, Tiering, migration};
use guike_features::{FeatureSet, LogShape, feature_table};
use guike_store::read_csv_columns;

use crate::crowd::drawn;
use crate::error::Error;
use crate::settings::Settings;

/// Tiers and value of an earlier run, by customer id.
#[derive(Debug, Clone, Default)]
pub struct PreviousTiers {
    by_id: BTreeMap<String, (String, f64)>,
}

impl PreviousTiers {
    /// Reads the `tiers.csv` of an earlier run.
    ///
    /// # Errors
    /// [`Error::Store`] when the file is missing or is not one of ours.
    pub fn read(path: &Path) -> Result<PreviousTiers, Error> {
        let rows = read_csv_columns(path, &["customer_id", "tier", "expected_spend"])?;
        let entry = |row: Vec<String>| {
            let mut cells = row.into_iter();
            let (id, tier, value) = (cells.next()?, cells.next()?, cells.next()?);
            Some((id, (tier, value.parse().unwrap_or(0.0))))
        };
        Ok(PreviousTiers { by_id: rows.into_iter().filter_map(entry).collect() })
    }
}

/// Who is who.
#[derive(Debug)]
pub struct Tiers {
    /// Tiers, their rule and what they are worth.
    pub tiering: Tiering,
    /// Recency, frequency and money scores with their named groups.
    pub rfm_groups: RfmGroups,
    /// Who moved since the earlier run, where there was one.
    pub migration: Option<Migration>,
}

/// Names of the features that the plan reads.
fn read_by_plan(settings: &Settings) -> Vec<&str> {
    let named = |i: &Indicator| matches!(i, Indicator::Feature(_) | Indicator::FeatureReversed(_));
    settings.tiers.indicators.iter().filter(|i| named(i)).map(Indicator::name).collect()
}

/// Places every case in a tier by the plan of the settings.
///
/// # Errors
/// [`Error::Plan`] when the plan is not possible for these customers.
pub(crate) fn tier(
    log: &EventLog,
    cutoff: Cutoff,
    horizon: Horizon,
    rfm: &RfmTable,
    forecasts: &Forecasts,
    previous: Option<&PreviousTiers>,
    settings: &Settings,
) -> Result<Tiers, Error> {
    let past = log.before(cutoff);
    let shape = LogShape::of(&past);
    let set = FeatureSet::all(&shape, horizon);
    // tiers are told apart by some of very many customers; the rule reads what it names of all
    let (seed, most) = (settings.forecast.seed.derive("portrait"), settings.forecast.learn_from);
    let some: Option<Vec<usize>> = (rfm.len() > most).then(|| drawn(&rfm.customer_idx, &rfm.customer_idx, most, seed));
    let of_all = match &some {
        None => feature_table(&past, &rfm.customer_idx, &set),
        Some(_) => {
            // a name that the catalogue does not have may be an attribute's, and otherwise the plan says that it is none
            let offered = |name: &&str| set.iter().any(|f| f.name == *name);
            let named: Vec<&str> = read_by_plan(settings).into_iter().filter(offered).collect();
            let few = FeatureSet::named(&named, &shape, horizon)
                .map_err(|e| Error::Internal(format!("a feature that is offered cannot be computed: {e}")))?;
            feature_table(&past, &rfm.customer_idx, &few)
        }
    };
    let of_some = some.as_ref().map(|rows| {
        let customers: Vec<u32> = rows.iter().map(|&i| rfm.customer_idx[i]).collect();
        feature_table(&past, &customers, &set)
    });
    let portrait = some.as_ref().zip(of_some.as_ref()).map(|(rows, features)| Portrait { rows, features });
    let people = Population { forecasts, rfm, features: Some(&of_all), portrait };
    let mut plan = settings.tiers.clone();
    plan.seed = settings.forecast.seed.derive("tiers");
    let id = |case: usize| log.customer_ids()[rfm.customer_idx[case] as usize].as_str();
    let tiering = match previous {
        None => plan.assign(&people, None)?,
        Some(p) => {
            let key = |i: usize| p.by_id.get(id(i)).map(|(tier, _)| tier.as_str());
            plan.assign_after(&people, &(0..rfm.len()).map(key).collect::<Vec<_>>())?
        }
    };
    let names = &tiering.names;
    let number = |key: &str| names.iter().position(|n| n.key == key).map(|i| i as u8);
    let migration = previous.map(|p| {
        let earlier: Vec<Placed<'_>> = p
            .by_id
            .iter()
            .filter_map(|(id, (tier, value))| Some(Placed { id, tier: number(tier)?, value: *value }))
            .collect();
        let later: Vec<Placed<'_>> = (0..rfm.len())
            .map(|i| Placed { id: id(i), tier: tiering.tiers[i], value: forecasts.expected_spend[i] })
            .collect();
        migration(&earlier, &later, names.len())
    });
    Ok(Tiers { tiering, rfm_groups: RfmGroups::of(rfm, &forecasts.expected_spend), migration })
}
