//! Where logs and tables come from when they are no files: databases, whose rows are copied before they are read, and where
//! results go.

use std::path::{Path, PathBuf};

use guike_core::Progress;
use guike_data::{LogFile, LogFiles, ReadOptions, Wanted};
pub use guike_data::{SyncPlan as Sync, Synced};
pub use guike_db::LookBack;
use guike_db::{Cell, Field, Location, Upsert};

use crate::error::Error;
use crate::results::{NUMBERS, Results};

/// The table that results are written into where none is named.
pub const RESULTS_TABLE: &str = "guike_customers";

fn config(what: &str, value: &str, rule: &str) -> Error {
    Error::Config { what: what.to_owned(), value: value.to_owned(), rule: rule.to_owned() }
}

/// The database that `path` is the address of, with `password` where the address has none; `None` for a file.
fn location(path: &Path, password: Option<&str>) -> Result<Option<Location>, Error> {
    let Some(place) = path.to_str().and_then(Location::parse) else { return Ok(None) };
    let place = place.map_err(guike_data::DataError::from)?;
    Ok(Some(match password {
        Some(password) => place.with_password(password),
        None => place,
    }))
}

/// The log that `paths` name: files, folders and patterns, or one database.
///
/// # Errors
/// As [`LogFiles::find`] and [`guike_data::fetch`]; [`Error::Config`] for a database beside other things, and for `query` or
/// `unwind` without one.
pub fn open_log(
    paths: &[PathBuf],
    read: &ReadOptions,
    password: Option<&str>,
    progress: &dyn Progress,
) -> Result<LogFiles, Error> {
    let mut places = Vec::new();
    for path in paths {
        places.extend(location(path, password)?);
    }
    match (&places[..], paths.len()) {
        ([], _) => {
            files_only(read)?;
            Ok(LogFiles::find(paths)?)
        }
        ([place], 1) => Ok(guike_data::fetch(place, read, Wanted::Log, progress)?),
        ([place, ..], _) => Err(config(
            "LOG",
            &place.to_string(),
            "a database is a log by itself; import it with `guike import`, or put the rows together by --query",
        )),
    }
}

/// The table that `path` names: a file, or a table of a database.
///
/// # Errors
/// As [`open_log`]; a missing file is told when it is read.
pub fn open_table(
    path: &Path,
    read: &ReadOptions,
    password: Option<&str>,
    progress: &dyn Progress,
) -> Result<LogFile, Error> {
    let Some(place) = location(path, password)? else {
        files_only(read)?;
        return Ok(path.into());
    };
    let copied = guike_data::fetch(&place, read, Wanted::Table, progress)?;
    copied.single().cloned().ok_or_else(|| Error::Internal("a table is one copy".to_owned()))
}

fn files_only(read: &ReadOptions) -> Result<(), Error> {
    for (flag, value) in [("--query", &read.query), ("--unwind", &read.unwind)] {
        if let Some(value) = value {
            return Err(config(flag, value, "it belongs to a database, given as system://user@host/database"));
        }
    }
    Ok(())
}

/// Whether `text` is the address of a database.
pub fn is_database(text: &str) -> bool {
    Location::parse(text).is_some()
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Customers.
    pub rows: u64,
    /// The database, without its secret.
    pub place: String,
    /// The table or collection.
    pub table: String,
}

/// Writes the customers of a folder of `guike run` into a table of a database: forecasts, tiers and groups, and the cutoff as
/// `as_of`. Customers who are there are replaced, others stay.
///
/// # Errors
/// [`Error::Config`] when `address` is none; as [`Results::open`]; [`Error::Data`] when the database refuses or is lost.
pub fn export_results(
    results: &Path,
    address: &Path,
    table: Option<&str>,
    password: Option<&str>,
    progress: &dyn Progress,
) -> Result<Exported, Error> {
    let shown = address.to_string_lossy();
    let rule = "write onnx, or the address of a database: system://user@host/database";
    let place = location(address, password)?.ok_or_else(|| config("--to", &shown, rule))?;
    let results = Results::open(results)?;
    let as_of = results.evaluation()["cutoff"].as_str().map(str::to_owned);
    let table = table.unwrap_or(RESULTS_TABLE);
    let text = |name| Field { name, is_number: false };
    let mut fields = vec![text("customer_id"), text("tier")];
    fields.extend(NUMBERS.iter().map(|&name| Field { name, is_number: true }));
    fields.extend([text("rfm_score"), text("rfm_group"), text("as_of")]);
    progress.stage("write into the database", results.len() as u64);
    let mut rows = (0..results.len()).map(|at| {
        let some = |text: &str| Cell::Text((!text.is_empty()).then(|| text.to_owned()));
        let mut cells = vec![some(results.id(at)), some(results.tier(at))];
        cells.extend((0..NUMBERS.len()).map(|column| Cell::Number(results.number(at, column))));
        cells.extend([some(results.rfm_score(at)), some(results.rfm_group(at)), Cell::Text(as_of.clone())]);
        cells
    });
    let before = std::cell::Cell::new(0);
    let tell = |n: u64| progress.advance(n - before.replace(n));
    let what = Upsert { table, fields: &fields, progress: &tell };
    let rows = guike_db::upsert(&place, &what, &mut rows).map_err(guike_data::DataError::from)?;
    Ok(Exported { rows, place: place.to_string(), table: table.to_owned() })
}

/// Brings `file` up to date with a table of the database at `address`, reading only what is new, or makes it; see
/// [`guike_data::sync`].
///
/// # Errors
/// [`Error::Config`] when `address` is no database, and as [`guike_data::sync`]; `file` is then as it was.
pub fn sync(
    address: &str,
    plan: &Sync,
    file: &Path,
    password: Option<&str>,
    progress: &dyn Progress,
) -> Result<Synced, Error> {
    let rule =
        "write the address of a database: system://user@host/database, where system is mysql, postgres or mongodb";
    let place = location(Path::new(address), password)?.ok_or_else(|| config("ADDRESS", address, rule))?;
    Ok(guike_data::sync(&place, plan, file, progress)?)
}
