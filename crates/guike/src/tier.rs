//! Tiers of the forecast customers, and who moved since an earlier run.

use std::collections::BTreeMap;
use std::path::Path;

use guike_core::{Cutoff, EventLog, Forecasts, Horizon, RfmTable, Table};
use guike_data::{PiecewiseLog, Reads};
use guike_decide::migration::Placed;
use guike_decide::{Indicator, Migration, Population, Portrait, RfmGroups, Tiering, migration};
use guike_features::{FeatureSet, feature_table};
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

/// The features of `set` of these customers, who ascend.
fn features_of(log: &PiecewiseLog, cutoff: Cutoff, customers: &[u32], set: &FeatureSet) -> Result<Table, Error> {
    let of_piece = |begin: usize, piece: &EventLog| {
        let from = customers.partition_point(|&c| (c as usize) < begin);
        let to = customers.partition_point(|&c| (c as usize) < begin + piece.n_customers());
        let local: Vec<u32> = customers[from..to].iter().map(|c| c - begin as u32).collect();
        Ok::<_, Error>(feature_table(&piece.before(cutoff), &local, set))
    };
    let mut all: Option<Table> = None;
    log.fold(Reads::Everything, of_piece, |some| {
        match &mut all {
            Some(all) => all.append(some),
            none => *none = Some(some),
        }
        Ok(())
    })?;
    Ok(all.unwrap_or_default())
}

/// Places every case in a tier by the plan of the settings.
///
/// # Errors
/// [`Error::Plan`] when the plan is not possible for these customers.
pub(crate) fn tier(
    log: &PiecewiseLog,
    cutoff: Cutoff,
    horizon: Horizon,
    rfm: &RfmTable,
    forecasts: &Forecasts,
    previous: Option<&PreviousTiers>,
    settings: &Settings,
) -> Result<Tiers, Error> {
    let shape = log.shape(cutoff);
    let set = FeatureSet::all(&shape, horizon);
    // tiers are told apart by some of very many customers; the rule reads what it names of all
    let (seed, most) = (settings.forecast.seed.derive("portrait"), settings.forecast.learn_from);
    let some: Option<Vec<usize>> = (rfm.len() > most).then(|| drawn(&rfm.customer_idx, &rfm.customer_idx, most, seed));
    let of_all = match &some {
        None => features_of(log, cutoff, &rfm.customer_idx, &set)?,
        Some(_) => {
            // a name that the catalogue does not have may be an attribute's, and otherwise the plan says that it is none
            let offered = |name: &&str| set.iter().any(|f| f.name == *name);
            let named: Vec<&str> = read_by_plan(settings).into_iter().filter(offered).collect();
            let few = FeatureSet::named(&named, &shape, horizon)
                .map_err(|e| Error::Internal(format!("a feature that is offered cannot be computed: {e}")))?;
            if few.is_empty() && log.attributes().is_none() {
                Table::default()
            } else {
                features_of(log, cutoff, &rfm.customer_idx, &few)?
            }
        }
    };
    let of_some = match &some {
        None => None,
        Some(rows) => {
            let customers: Vec<u32> = rows.iter().map(|&i| rfm.customer_idx[i]).collect();
            let few = log.only(&customers)?;
            let all: Vec<u32> = (0..customers.len() as u32).collect();
            Some(feature_table(&few.before(cutoff), &all, &set))
        }
    };
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
