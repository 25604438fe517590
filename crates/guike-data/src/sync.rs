//! A copy of a table that is kept up to date: only rows above a watermark are read again, and each is there once.
//!
//! The one idea: rows and watermark are one Parquet file, which takes the place of the last one by rename. Whatever ends a
//! synchronisation (a cut cable, a kill, a full disk), the file is that of the last one that came to its end, and the next
//! begins from there. A row that is read again replaces the one with its key, so reading too much does no harm.
//!
//! What a database deletes stays in the copy: a row that is gone tells nobody that it is.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, StringArray};
use guike_core::Progress;
use guike_db::{Location, LookBack, Request, Session, Since, TakeRows, What, shown};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};
use tempfile::TempPath;
use xxhash_rust::xxh3::Xxh3;

use crate::database::{WAITS, again, remarks, unpacked};
use crate::error::DataError;
use crate::mapping::list;
use crate::spool::Spool;

/// Under which the file keeps what it is a copy of.
const MARK: &str = "guike.sync";
/// Version of that mark.
const FORMAT: u32 = 1;
/// Rows that are merged at once.
const BATCH_ROWS: usize = 8_192;

/// What is synchronised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncPlan {
    /// The table or collection.
    pub table: String,
    /// The column that grows with every new or changed row: a time of change, or a number that counts up.
    pub watermark: String,
    /// The columns that tell rows apart; the primary key where empty.
    pub key: Vec<String>,
    /// How far below the watermark rows are read again; a day below a time, nothing below a number where `None`.
    pub look_back: Option<LookBack>,
    /// Of a collection: the array whose elements are rows.
    pub unwind: Option<String>,
}

/// What a synchronisation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    /// Rows of the file.
    pub rows: u64,
    /// Rows that were read.
    pub read: u64,
    /// Rows of the file that made way for newer ones of the same key.
    pub replaced: u64,
    /// The greatest value of the watermark, in words.
    pub watermark: String,
    /// A remark about fields that turned up late.
    pub late: Option<String>,
}

/// What a file says it is a copy of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    format: u32,
    /// System and database; neither host nor user, which may change.
    database: String,
    table: String,
    column: String,
    key: Vec<String>,
    unwind: Option<String>,
    watermark: String,
}

/// Brings `file` up to date with a table of a database, or makes it. It is a Parquet file of text that [`crate::import`]
/// reads like any log.
///
/// # Errors
/// [`DataError::Database`]; [`DataError::Option`] when the file is a copy of something else or the table has no key;
/// [`DataError::Empty`] for a table without rows. The file is then as it was.
pub fn sync(place: &Location, plan: &SyncPlan, file: &Path, progress: &dyn Progress) -> Result<Synced, DataError> {
    let mut session = Session::open(place)?;
    let mut waits = WAITS.iter();
    loop {
        let error = match attempt(&mut session, place, plan, file, progress) {
            Err(DataError::Database(e)) if e.may_pass() => e,
            done => return done,
        };
        session = again(place, error, &mut waits, progress)?;
    }
}

fn attempt(
    session: &mut Session,
    place: &Location,
    plan: &SyncPlan,
    file: &Path,
    progress: &dyn Progress,
) -> Result<Synced, DataError> {
    let last = if file.exists() { Some(Copied::open(file)?) } else { None };
    let key = if plan.key.is_empty() { session.key(&plan.table)? } else { plan.key.clone() };
    if key.is_empty() {
        return Err(DataError::NoKey { table: plan.table.clone() });
    }
    let highest = session.highest(&plan.table, &plan.watermark)?;
    let mark = Mark {
        format: FORMAT,
        database: place.identity(),
        table: plan.table.clone(),
        column: plan.watermark.clone(),
        key,
        unwind: plan.unwind.clone(),
        watermark: highest.clone().unwrap_or_default(),
    };
    if let Some(last) = &last {
        last.must_be(&mark, file)?;
    }
    let Some(watermark) = highest else {
        return match last {
            // the table was emptied: there is nothing new
            Some(last) => {
                let watermark = shown(place, &last.mark.watermark);
                Ok(Synced { rows: last.n_rows, read: 0, replaced: 0, watermark, late: None })
            }
            None => Err(DataError::Empty { path: format!("{place}/{}", plan.table).into() }),
        };
    };
    let since = match &last {
        Some(last) => Some(Since::before(place, &plan.watermark, &last.mark.watermark, plan.look_back)?),
        None => None,
    };
    progress.stage("read what is new", if last.is_some() { 0 } else { session.about_rows(&plan.table).unwrap_or(0) });
    let named = mark.key.iter().cloned().chain([plan.watermark.clone()]).collect();
    let what = What::Table(plan.table.clone());
    let request = Request { unwind: plan.unwind.clone(), since, named, ..Request::all(what) };
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut spool = Spool::new(file.to_owned(), Some(folder), progress);
    let told = session.read(&request, &mut spool).map_err(unpacked)?;
    let text = serde_json::to_string(&mark).map_err(|e| DataError::io("write", file, e.into()))?;
    let (late, watermark) = (remarks(&told.unread), shown(place, &watermark));
    let synced = Synced { rows: told.rows, read: told.rows, replaced: 0, watermark, late };
    let (whole, synced) = match last {
        None => {
            spool.mark(MARK, text);
            (spool.finish()?, synced)
        }
        Some(last) => match spool.finish()? {
            None => return Ok(Synced { rows: last.n_rows, ..synced }),
            Some(new) => {
                let mut merged = Spool::new(file.to_owned(), Some(folder), progress);
                let (kept, replaced) = merge(&last, &new, &mark.key, file, &mut merged, progress)?;
                merged.mark(MARK, text);
                (merged.finish()?, Synced { rows: kept + synced.read, replaced, ..synced })
            }
        },
    };
    let Some(whole) = whole else { return Err(DataError::Empty { path: file.to_owned() }) };
    put(whole, file, folder)?;
    Ok(synced)
}

/// Gives the complete file its name, for good.
fn put(whole: TempPath, file: &Path, folder: &Path) -> Result<(), DataError> {
    let failed = |e: std::io::Error| DataError::io("write", file, e);
    whole.persist(file).map_err(|e| failed(e.error))?;
    File::open(folder).and_then(|f| f.sync_all()).map_err(failed)
}

/// A file of an earlier synchronisation.
struct Copied {
    columns: Vec<String>,
    n_rows: u64,
    mark: Mark,
    file: std::path::PathBuf,
}

impl Copied {
    fn open(file: &Path) -> Result<Copied, DataError> {
        let reader = reader(file)?;
        let metadata = reader.metadata().file_metadata();
        let text = metadata.key_value_metadata().into_iter().flatten().find(|kv| kv.key == MARK);
        let foreign = || DataError::NotItsCopy {
            path: file.to_owned(),
            found: "exists and is no copy that `guike sync` made".to_owned(),
        };
        let text = text.and_then(|kv| kv.value.as_deref()).ok_or_else(foreign)?;
        let mark: Mark = serde_json::from_str(text).map_err(|_| foreign())?;
        let columns = reader.schema().fields().iter().map(|f| f.name().clone()).collect();
        let n_rows = u64::try_from(metadata.num_rows()).unwrap_or(0);
        Ok(Copied { columns, n_rows, mark, file: file.to_owned() })
    }

    /// Refuses to mix two tables in one file.
    fn must_be(&self, mark: &Mark, file: &Path) -> Result<(), DataError> {
        let told = |m: &Mark| {
            let unwind = m.unwind.as_ref().map(|u| format!(", by elements of `{u}`")).unwrap_or_default();
            format!("{}, table `{}` by `{}`, key {}{unwind}", m.database, m.table, m.column, list(&m.key))
        };
        if self.mark.format != FORMAT {
            let found = format!("was made by another version of Guike (format {})", self.mark.format);
            return Err(DataError::NotItsCopy { path: file.to_owned(), found });
        }
        let theirs = Mark { watermark: mark.watermark.clone(), ..self.mark.clone() };
        if theirs == *mark {
            return Ok(());
        }
        let found = format!("is a copy of {}, and not of {}", told(&self.mark), told(mark));
        Err(DataError::NotItsCopy { path: file.to_owned(), found })
    }
}

fn reader(file: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, DataError> {
    let damaged = |e: parquet::errors::ParquetError| DataError::Damaged {
        path: file.to_owned(),
        detail: format!("it is no whole Parquet file ({e}); name another, and everything is read anew"),
    };
    let opened = File::open(file).map_err(|e| DataError::io("read", file, e))?;
    ParquetRecordBatchReaderBuilder::try_new(opened).map_err(damaged)
}

/// Calls `each` with the columns of every run of rows; all of them are text.
fn each_batch(
    file: &Path,
    mut each: impl FnMut(&[&StringArray], usize) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let damaged = |detail: String| DataError::Damaged { path: file.to_owned(), detail };
    let batches = reader(file)?.with_batch_size(BATCH_ROWS).build().map_err(|e| damaged(e.to_string()))?;
    for batch in batches {
        let batch = batch.map_err(|e| damaged(e.to_string()))?;
        let columns: Option<Vec<&StringArray>> = batch.columns().iter().map(|c| c.as_string_opt()).collect();
        let columns = columns.ok_or_else(|| damaged("a column of it is no text".to_owned()))?;
        each(&columns, batch.num_rows())?;
    }
    Ok(())
}

fn cell(column: &StringArray, row: usize) -> Option<&[u8]> {
    column.is_valid(row).then(|| column.value(row).as_bytes())
}

/// Where the key columns are among `columns`.
fn places(columns: &[String], key: &[String], file: &Path) -> Result<Vec<usize>, DataError> {
    let place = |name: &String| {
        columns.iter().position(|c| c == name).ok_or_else(|| DataError::Option {
            option: "--key",
            value: name.clone(),
            rule: format!("the columns of {} are {}", file.display(), list(columns)),
        })
    };
    key.iter().map(place).collect()
}

/// A key in 128 bits: two of a billion different rows share one with a probability below 10⁻²⁰.
fn digest(columns: &[&StringArray], key: &[usize], row: usize) -> u128 {
    let mut hash = Xxh3::new();
    for &c in key {
        let text = cell(columns[c], row);
        hash.update(&text.map_or(u64::MAX, |t| t.len() as u64).to_le_bytes());
        hash.update(text.unwrap_or_default());
    }
    hash.digest128()
}

/// Writes the rows of the last copy whose keys are not among the new ones, then the new ones. Gives the rows kept and replaced.
fn merge(
    last: &Copied,
    new: &Path,
    key: &[String],
    file: &Path,
    into: &mut Spool<'_>,
    progress: &dyn Progress,
) -> Result<(u64, u64), DataError> {
    let stopped = |stop: guike_db::Stop| unpacked(guike_db::DbError::Taker(stop));
    let new_columns: Vec<String> = reader(new)?.schema().fields().iter().map(|f| f.name().clone()).collect();
    let (new_key, last_key) = (places(&new_columns, key, file)?, places(&last.columns, key, file)?);
    let mut keys: FxHashSet<u128> = FxHashSet::default();
    each_batch(new, |columns, n| {
        keys.extend((0..n).map(|row| digest(columns, &new_key, row)));
        Ok(progress.check()?)
    })?;
    // a column that the table lost stays with the rows that had it; one that it got is empty in them
    let mut names = new_columns.clone();
    names.extend(last.columns.iter().filter(|c| !new_columns.contains(c)).cloned());
    into.columns(&names).map_err(stopped)?;
    let slot_of: HashMap<&String, usize> = names.iter().enumerate().map(|(i, name)| (name, i)).collect();
    let slots = |columns: &[String]| -> Vec<usize> { columns.iter().map(|c| slot_of[c]).collect() };
    let (mut kept, mut replaced) = (0, 0);
    progress.stage("put old and new rows together", last.n_rows);
    let mut write = |columns: &[&StringArray], slots: &[usize], row: usize| {
        let mut cells: Vec<Option<&[u8]>> = vec![None; names.len()];
        slots.iter().zip(columns).for_each(|(&slot, column)| cells[slot] = cell(column, row));
        into.row(&cells).map_err(stopped)
    };
    let last_slots = slots(&last.columns);
    each_batch(&last.file, |columns, n| {
        for row in 0..n {
            if keys.contains(&digest(columns, &last_key, row)) {
                replaced += 1;
            } else {
                write(columns, &last_slots, row)?;
                kept += 1;
            }
        }
        Ok(())
    })?;
    let new_slots = slots(&new_columns);
    each_batch(new, |columns, n| (0..n).try_for_each(|row| write(columns, &new_slots, row)))?;
    Ok((kept, replaced))
}
