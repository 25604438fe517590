//! From a file straight to features: the log streams through partitions and is never whole in memory.

use std::path::Path;

use guike_core::{Cutoff, EventKind, EventLog, Horizon, Progress, Timestamp};
use guike_features::{FeatureSet, LogShape, feature_table};

use crate::clean::clean_customer;
use crate::driver::{CustomerFeatures, CustomerNames, FeatureQuery};
use crate::error::DataError;
use crate::files::LogFiles;
use crate::import::{RowsRead, canonical_among, cleaned_before, read_rows};
use crate::options::ImportOptions;
use crate::partition::{PartitionConfig, Partitioned, Partitioner};
use crate::quality::Ledger;

/// Which features, as of when.
#[derive(Debug, Clone, Copy)]
pub struct FeatureImport<'a> {
    /// The moment of prediction; `None` for the end of the log's last purchase day.
    pub cutoff: Option<Cutoff>,
    /// For features of the same period a year earlier.
    pub horizon: Horizon,
    /// Only these features; empty for all that the log offers.
    pub only: &'a [String],
}

/// Reads, cleans and partitions the log in `files` and computes every buyer's features, in bounded memory.
///
/// Equal, bit for bit, to [`crate::import`] followed by `guike_features::features`.
///
/// # Errors
/// As [`crate::import`]; [`DataError::Option`] for a feature that there is not.
pub fn import_features(
    files: impl Into<LogFiles>,
    options: &ImportOptions,
    what: FeatureImport<'_>,
    progress: &dyn Progress,
) -> Result<CustomerFeatures, DataError> {
    let files = files.into();
    if let Some(path) = canonical_among(&files)? {
        let log = cleaned_before(path, options)?.log;
        return features_of_log(path, &log, what);
    }
    // the rows wait packed within half of the limit; the other half is for sorting and the table
    let memory_limit = usize::try_from(options.memory_mib.0 << 19).unwrap_or(usize::MAX);
    let mut partitioner = Partitioner::new(PartitionConfig { memory_limit, ..PartitionConfig::default() });
    let RowsRead { dictionaries, rules, .. } = read_rows(&files, options, progress, &mut partitioner)?;
    let rows = partitioner.finish()?;
    let clean = |rows: &mut crate::rows::CustomerRows<'_>, ledger: &mut Ledger| clean_customer(rows, &rules, ledger);
    let cutoff = match what.cutoff {
        Some(cutoff) => cutoff,
        None => last_purchase(&rows, &clean, progress)?.ok_or_else(|| DataError::NothingLeft {
            path: files.path(),
            read: rows.n_rows(),
            reasons: "none is a purchase".to_owned(),
        })?,
    };
    let query = FeatureQuery {
        cutoff,
        customers: CustomerNames::Dictionary(&dictionaries),
        categories: &dictionaries.categories,
    };
    let (features, _) = if what.only.is_empty() {
        rows.all_features(query, what.horizon, Some(&clean), progress)?
    } else {
        let set = named(what, &rows.shape(cutoff))?;
        rows.features(query, &set, Some(&clean), progress)?
    };
    Ok(features)
}

/// The features that were asked for.
fn named(what: FeatureImport<'_>, shape: &LogShape) -> Result<FeatureSet, DataError> {
    let names: Vec<&str> = what.only.iter().map(String::as_str).collect();
    FeatureSet::named(&names, shape, what.horizon).map_err(|e| DataError::Option {
        option: "--only",
        value: what.only.join(","),
        rule: e.to_string(),
    })
}

/// The features of a log that was cleaned before. It is read whole: an import left it in one piece already.
fn features_of_log(path: &Path, log: &EventLog, what: FeatureImport<'_>) -> Result<CustomerFeatures, DataError> {
    let last = log.purchase_span().map(|(_, last)| Cutoff::after(last));
    let cutoff = what.cutoff.or(last).ok_or_else(|| DataError::NothingLeft {
        path: path.to_owned(),
        read: log.n_events() as u64,
        reasons: "none is a purchase".to_owned(),
    })?;
    let past = log.before(cutoff);
    let shape = LogShape::of(&past);
    let set = if what.only.is_empty() { FeatureSet::all(&shape, what.horizon) } else { named(what, &shape)? };
    let buyers = past.buyers();
    let customer_ids = buyers.iter().map(|&c| log.customer_ids()[c as usize].clone()).collect();
    Ok(CustomerFeatures { customer_ids, table: feature_table(&past, &buyers, &set) })
}

/// The end of the last day with a purchase that survives cleaning.
fn last_purchase(
    rows: &Partitioned,
    clean: crate::partition::Cleaning<'_>,
    progress: &dyn Progress,
) -> Result<Option<Cutoff>, DataError> {
    let (latest, _) = rows.map(Some(clean), progress, |sorted| {
        let last = |e: guike_core::Events<'_>| {
            (0..e.len()).rev().find(|&r| e.kind[r] == EventKind::Purchase as u8).map(|r| e.time[r])
        };
        Ok(sorted.customers().filter_map(|(_, e)| last(e)).max())
    })?;
    Ok(latest.into_iter().flatten().max().map(|t| Cutoff::after(Timestamp(t).day())))
}
