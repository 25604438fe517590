//! The steps of the main job, each as a function of its own.

use std::path::Path;

use guike_core::{Cutoff, Day, EventLog, Horizon, Progress};
use guike_data::{FeatureImport, Imported, LogFiles, QualityReport, Reads, import_features};
use guike_eval::Selection;
use guike_features::CATALOGUE;
use guike_store::{OutColumn, OutData, write_parquet};
use serde::Serialize;

use crate::backtest::backtest;
use crate::crowd::{Buyers, learned_from};
use crate::error::Error;
use crate::forecast::choose;
use crate::run::{contenders, cutoff_and_horizon, enough_to_learn, read_piecewise};
use crate::settings::Settings;

/// Runs `job` with this many threads; results are the same at any number.
///
/// # Errors
/// As the job, and [`Error::Config`] for zero threads.
pub fn in_pool<T: Send>(threads: Option<usize>, job: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    let Some(n) = threads else { return job() };
    if n == 0 {
        return Err(Error::Config {
            what: "--threads".to_owned(),
            value: "0".to_owned(),
            rule: "give at least 1, or leave it out to use all cores".to_owned(),
        });
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build();
    pool.map_err(|e| Error::Internal(format!("no threads: {e}")))?.install(job)
}

/// Reads and cleans a log into one Parquet file, sorted by customer and time.
///
/// # Errors
/// [`Error`]; `out` is then as it was before.
pub fn import_to(
    log: &LogFiles,
    out: &Path,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<QualityReport, Error> {
    settings.validate()?;
    let imported = read_piecewise(log, settings, progress)?;
    guike_data::write_piecewise(&imported.log, &imported.quality, out, progress)?;
    Ok(imported.quality)
}

/// What a log holds.
#[derive(Debug, Clone, Serialize)]
pub struct Profile {
    /// Rows, columns and cleaning.
    pub quality: QualityReport,
    /// Events in the cleaned log.
    pub events: usize,
    /// Customers with a purchase more than once.
    pub repeat_customers: usize,
    /// Total spend, in currency units.
    pub spend: f64,
}

impl Profile {
    /// The profile as lines of name and value, for a terminal.
    pub fn lines(&self) -> Vec<(String, String)> {
        let q = &self.quality;
        let day = |d: Option<Day>| d.map_or_else(|| "–".to_owned(), |d| d.to_string());
        let mut lines: Vec<(String, String)> = q.sources.iter().map(source_line).collect();
        lines.extend([
            ("rows read".to_owned(), q.rows_read.to_string()),
            ("rows kept".to_owned(), q.rows_kept.to_string()),
        ]);
        lines.extend(q.dropped.iter().map(|d| (format!("dropped: {}", d.reason.words()), d.rows.to_string())));
        lines.extend(q.mapping.iter().map(|m| (m.role.clone(), format!("`{}` ({})", m.column, m.because))));
        lines.extend([
            ("amount is".to_owned(), q.amount.clone()),
            ("dates are".to_owned(), q.date_format.clone()),
            ("customers".to_owned(), q.customers.to_string()),
            ("  who bought on two days or more".to_owned(), self.repeat_customers.to_string()),
            ("first day".to_owned(), day(q.first_day)),
            ("last day".to_owned(), day(q.last_day)),
            ("total spend".to_owned(), format!("{:.2}", self.spend)),
        ]);
        lines.extend(q.notes.iter().map(|n| ("note".to_owned(), n.clone())));
        lines
    }
}

/// What one file is and holds.
fn source_line(s: &guike_data::quality::SourceInfo) -> (String, String) {
    let packed = s.compression.as_ref().map_or_else(String::new, |c| format!(" in {c}"));
    let days = match (s.first_day, s.last_day) {
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    (format!("file {}", s.file), format!("{}{packed}, {} rows{days}", s.format, s.rows_read))
}

/// Reads a log and says what it holds.
///
/// # Errors
/// [`Error`].
pub fn profile(log: &LogFiles, settings: &Settings, progress: &dyn Progress) -> Result<Profile, Error> {
    settings.validate()?;
    let Imported { log, quality, .. } = read_piecewise(log, settings, progress)?;
    let (mut repeat_customers, mut micros) = (0, 0_i128);
    let of_piece = |_, log: &EventLog| {
        let (mut repeat_customers, mut micros) = (0, 0_i128);
        for customer in 0..log.n_customers() {
            let mut days = 0;
            for d in guike_features::purchase_days(log.customer(customer)) {
                days += 1;
                micros += d.micros;
            }
            repeat_customers += usize::from(days > 1);
        }
        Ok::<_, Error>((repeat_customers, micros))
    };
    for (again, spend) in log.map(Reads::Purchases, of_piece)? {
        repeat_customers += again;
        micros += spend;
    }
    Ok(Profile { quality, events: log.n_events(), repeat_customers, spend: guike_core::Money::sum_units(micros) })
}

/// One feature of the catalogue, for people.
#[derive(Debug, Clone, Serialize)]
pub struct CatalogueEntry {
    /// Name; `{}` stands for the window, weekday … of a family.
    pub name: &'static str,
    /// What it is about: explanations answer by theme.
    pub theme: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// When it is missing.
    pub null_rule: &'static str,
    /// One line.
    pub description: &'static str,
    /// What the log must have for it.
    pub needs: &'static str,
}

/// Every feature that can be computed.
pub fn catalogue() -> Vec<CatalogueEntry> {
    CATALOGUE
        .iter()
        .map(|d| CatalogueEntry {
            name: d.name,
            theme: d.theme.name(),
            unit: d.unit,
            null_rule: d.missing,
            description: d.about,
            needs: d.needs(),
        })
        .collect()
}

/// Which features to compute.
#[derive(Debug, Clone)]
pub struct FeatureRequest {
    /// Only these; empty for all that the log offers.
    pub only: Vec<String>,
    /// Last known day; default the log's last purchase day.
    pub cutoff: Option<Day>,
    /// Horizon, for features of the same period a year earlier.
    pub horizon: Horizon,
    /// Row data held in memory before spilling to disk, in bytes.
    pub memory_limit: u64,
}

/// Computes every customer's features and writes them as Parquet; gives the numbers of rows and columns.
///
/// # Errors
/// [`Error`]; `out` is then as it was before.
pub fn features_to(
    log: &LogFiles,
    out: &Path,
    settings: &Settings,
    request: &FeatureRequest,
    progress: &dyn Progress,
) -> Result<(usize, usize), Error> {
    let mut options = settings.data.clone();
    options.memory_mib.0 = (request.memory_limit >> 20).max(1);
    let what = FeatureImport {
        cutoff: request.cutoff.or(settings.forecast.cutoff).map(Cutoff::after),
        horizon: request.horizon,
        only: &request.only,
    };
    let features = import_features(log, &options, what, progress)?;
    write_table(out, &features.customer_ids, &features.table)?;
    Ok((features.table.n_rows(), features.table.columns().len()))
}

fn write_table(out: &Path, ids: &[String], table: &guike_core::Table) -> Result<(), Error> {
    // a category is written as its name
    let texts: Vec<Option<Vec<String>>> = table
        .columns()
        .iter()
        .map(|c| match &c.data {
            guike_core::ColumnData::Numeric(_) => None,
            guike_core::ColumnData::Categorical { codes, levels } => {
                Some(codes.iter().map(|&i| levels.get(i as usize).cloned().unwrap_or_default()).collect())
            }
        })
        .collect();
    let mut columns = vec![OutColumn { name: "customer_id", data: OutData::Text(ids) }];
    for (c, text) in table.columns().iter().zip(&texts) {
        let data = match (&c.data, text) {
            (guike_core::ColumnData::Numeric(v), _) => OutData::Number(v),
            (_, Some(text)) => OutData::Text(text),
            (_, None) => OutData::Text(&[]),
        };
        columns.push(OutColumn { name: &c.name, data });
    }
    Ok(guike_store::write_file(out, |path| write_parquet(path, &columns))?)
}

/// Backtests every candidate and says who wins and why.
///
/// # Errors
/// [`Error::NoAnswer`] when the history is too short for a backtest.
pub fn evaluate(log: &LogFiles, settings: &Settings, progress: &dyn Progress) -> Result<Selection, Error> {
    settings.validate()?;
    let Imported { log, .. } = read_piecewise(log, settings, progress)?;
    let purchases = log.purchase_span();
    let (cutoff, horizon) = cutoff_and_horizon(purchases, settings)?;
    let buyers = Buyers::of(&log, cutoff)?;
    enough_to_learn(purchases, &buyers, cutoff)?;
    let seed = settings.forecast.seed;
    let learned_from = match learned_from(&log, &buyers, settings.forecast.learn_from, seed)? {
        Some(few) => few,
        None => log.whole()?,
    };
    let tested = backtest(&learned_from, cutoff, horizon, &contenders(settings)?, seed, progress)?;
    choose(&tested, seed)?.ok_or_else(|| Error::NoAnswer(tested.plan.notes.join("; ")))
}
