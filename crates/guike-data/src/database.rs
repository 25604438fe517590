//! Logs and tables in databases: rows are copied out, as of one moment, and then read like those of any file.
//!
//! So everything that is known of files holds for databases: columns are found by name and content, the quality report counts
//! every row, and every command takes an address where it takes a file. A connection that breaks is made again and the copy
//! begun anew, a few times; what is half-copied is never read.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use guike_core::Progress;
use guike_db::{DbError, Location, Request, Session, Stop, System, TakeRows, What};

use crate::block::{Block, TEXT_ROWS, TextRows};
use crate::error::DataError;
use crate::files::{LogFiles, Origin};
use crate::mapping::{self, list};
use crate::options::ReadOptions;
use crate::spool::Spool;

/// Rows by which a table is judged to be a log.
const LOOK: u64 = 1_000;
/// Waits before the copy is begun anew, about: servers restart in seconds.
pub(crate) const WAITS: [Duration; 4] =
    [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(9)];

/// What is looked for in a database whose table was not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The first table that holds an order log.
    Log,
    /// The only table.
    Table,
}

/// Copies the table that `options.sheet` names (or the rows of `options.query`) into a temporary file, which the answer owns.
/// Where neither is given, the table is looked for.
///
/// # Errors
/// [`DataError::Database`] and [`DataError::WhichTable`]; [`DataError::Empty`] for a table without rows; when the temporary
/// folder is full.
pub fn fetch(
    place: &Location,
    options: &ReadOptions,
    wanted: Wanted,
    progress: &dyn Progress,
) -> Result<LogFiles, DataError> {
    let mut session = Session::open(place)?;
    let mut waits = WAITS.iter();
    loop {
        let error = match copy(&mut session, place, options, wanted, progress) {
            Err(DataError::Database(e)) if e.may_pass() => e,
            done => return done,
        };
        session = again(place, error, &mut waits, progress)?;
    }
}

/// A new connection after a broken one, with a wait before every try; the last error when it was the last.
pub(crate) fn again<'a>(
    place: &Location,
    mut error: DbError,
    waits: &mut impl Iterator<Item = &'a Duration>,
    progress: &dyn Progress,
) -> Result<Session, DataError> {
    for wait in waits {
        progress.stage("wait for the database", 0);
        // up to half as long again, so that many readers of one server do not come back at once
        let chance = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.subsec_nanos() % 1000);
        std::thread::sleep(wait.mul_f64(1.0 + f64::from(chance) / 2000.0));
        progress.check()?;
        match Session::open(place) {
            Ok(session) => return Ok(session),
            Err(e) if e.may_pass() => error = e,
            Err(e) => return Err(e.into()),
        }
    }
    Err(error.into())
}

/// What an error of the one who took the rows was, unpacked.
pub(crate) fn unpacked(error: DbError) -> DataError {
    match error {
        DbError::Taker(stop) => match stop.downcast::<DataError>() {
            Ok(error) => *error,
            Err(stop) => DataError::Database(DbError::Taker(stop)),
        },
        other => other.into(),
    }
}

fn copy(
    session: &mut Session,
    place: &Location,
    options: &ReadOptions,
    wanted: Wanted,
    progress: &dyn Progress,
) -> Result<LogFiles, DataError> {
    let (what, mut origin) = choose(session, place, options, wanted, progress)?;
    let about = match &what {
        What::Table(table) => session.about_rows(table).unwrap_or(0),
        What::Query(_) => 0,
    };
    progress.stage("copy from the database", about);
    let name = PathBuf::from(match &origin.table {
        Some(table) => format!("{place}/{table}"),
        None => format!("{place}/query"),
    });
    let mut spool = Spool::new(name.clone(), None, progress);
    let request = Request { unwind: options.unwind.clone(), named: named(options), ..Request::all(what) };
    let told = session.read(&request, &mut spool).map_err(unpacked)?;
    let Some(file) = spool.finish()?.filter(|_| told.rows > 0) else { return Err(DataError::Empty { path: name }) };
    origin.notes.extend(remarks(&told.unread));
    Ok(LogFiles::of_copy(name, file, origin))
}

/// What to say of fields that came too late.
pub(crate) fn remarks(unread: &[String]) -> Option<String> {
    let note = format!(
        "these fields turn up after the first 20,000 rows only, and were not read: {}; a flag that names one has it read",
        list(unread)
    );
    (!unread.is_empty()).then_some(note)
}

/// The columns that the options name.
fn named(options: &ReadOptions) -> Vec<String> {
    let roles = [
        &options.customer,
        &options.time,
        &options.clock,
        &options.amount,
        &options.price,
        &options.quantity,
        &options.order,
        &options.item,
        &options.category,
        &options.kind,
        &options.status,
        &options.currency_column,
    ];
    roles.into_iter().flatten().filter(|name| *name != "none").cloned().collect()
}

fn choose(
    session: &mut Session,
    place: &Location,
    options: &ReadOptions,
    wanted: Wanted,
    progress: &dyn Progress,
) -> Result<(What, Origin), DataError> {
    let format = match place.system() {
        System::MySql => "mysql",
        System::Postgres => "postgresql",
        System::MongoDb => "mongodb",
    };
    let origin = |table: Option<String>| Origin { format, table, ..Origin::default() };
    match (&options.query, &options.sheet) {
        (Some(query), None) => return Ok((What::Query(query.clone()), origin(None))),
        (None, Some(table)) => return Ok((What::Table(table.clone()), origin(Some(table.clone())))),
        (Some(_), Some(table)) => {
            let rule = "a query says itself which tables it reads; give --query or --table".to_owned();
            return Err(DataError::Option { option: "--table", value: table.clone(), rule });
        }
        (None, None) => {}
    }
    progress.stage("look for a log in the database", 0);
    let tables = session.tables()?;
    let which = |why| DataError::WhichTable { place: place.to_string(), n: tables.len(), why, tables: list(&tables) };
    let chosen = match (tables.len(), wanted) {
        (0, _) => {
            let rule = "it has no table that this user may read; name another database, or let the user read";
            return Err(DbError::Unfit { place: place.to_string(), rule: rule.to_owned() }.into());
        }
        (1, _) => 0,
        (_, Wanted::Table) => return Err(which("any of them may be meant")),
        (_, Wanted::Log) => {
            let found = tables.iter().map(|table| is_log(session, table, options)).enumerate();
            let mut found = found.filter(|(_, is_it)| !matches!(is_it, Ok(false)));
            match found.next() {
                Some((i, Ok(_))) => i,
                Some((_, Err(e))) => return Err(e),
                None => return Err(which("none of them looks like an order log")),
            }
        }
    };
    let mut left_out = tables;
    let table = left_out.remove(chosen);
    let note = format!("tables not read: {}; --table names another than {table}", list(&left_out));
    let notes = if left_out.is_empty() { Vec::new() } else { vec![note] };
    Ok((What::Table(table.clone()), Origin { format, table: Some(table), left_out, notes }))
}

/// Whether the first rows of a table are an order log; a view that cannot be read is none.
fn is_log(session: &mut Session, table: &str, options: &ReadOptions) -> Result<bool, DataError> {
    let mut first = First::default();
    let request =
        Request { most: Some(LOOK), unwind: options.unwind.clone(), ..Request::all(What::Table(table.to_owned())) };
    match session.read(&request, &mut first) {
        Ok(_) => {}
        Err(DbError::Refused { .. }) => return Ok(false),
        Err(e) => return Err(unpacked(e)),
    }
    let sample = first.block();
    Ok(sample.n_rows > 0 && mapping::find(&first.names, true, &sample, options).is_ok())
}

/// The first rows of a table.
#[derive(Default)]
struct First {
    names: Vec<String>,
    rows: Option<TextRows>,
    n: usize,
}

impl First {
    fn block(&mut self) -> Block {
        self.rows.as_mut().map(TextRows::finish).unwrap_or_default()
    }
}

impl TakeRows for First {
    fn columns(&mut self, names: &[String]) -> Result<(), Stop> {
        self.names = names.to_vec();
        self.rows = Some(TextRows::new(names.len()));
        Ok(())
    }

    fn row(&mut self, cells: &[Option<&[u8]>]) -> Result<(), Stop> {
        self.n += 1;
        if let Some(rows) = self.rows.as_mut().filter(|_| self.n <= TEXT_ROWS) {
            cells.iter().for_each(|cell| rows.push(*cell));
        }
        Ok(())
    }
}
