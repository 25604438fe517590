//! SQLite databases: the first table (or view) that holds what is wanted, as a stream of text cells.
//!
//! The file is opened for reading only and read by one statement, which sees the database as of its beginning whoever writes
//! meanwhile. Rows come in the order in which the table keeps them. Memory does not grow with the table.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::block::{Block, TEXT_ROWS, TextRows};
use crate::error::DataError;
use crate::input::Input;
use crate::mapping::list;
use crate::options::ReadOptions;
use crate::quality::SourceInfo;
use crate::source::{AHEAD, Piece, Shape, Stream};

/// How long to wait for whoever is writing.
const PATIENCE: Duration = Duration::from_secs(10);

/// A table of a database.
#[derive(Debug)]
pub(crate) struct SqliteSource {
    pub(crate) input: Input,
    pub(crate) columns: Vec<String>,
    table: String,
    left_out: Vec<String>,
    pub(crate) n_rows: u64,
    sample: Block,
}

/// A name as SQL wants it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn damaged(input: &Input, error: &rusqlite::Error) -> DataError {
    let detail = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            "the SQLite database is locked by another program; try again when that has ended".to_owned()
        }
        _ => format!("it is not an SQLite database that can be read ({error})"),
    };
    DataError::Damaged { path: input.path.clone(), detail }
}

fn connect(input: &Input) -> Result<Connection, DataError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(input.at(), flags);
    let connection = opened.map_err(|e| damaged(input, &e))?;
    connection.busy_timeout(PATIENCE).map_err(|e| damaged(input, &e))?;
    Ok(connection)
}

impl SqliteSource {
    /// Opens the table that `options.sheet` names, else the first that `fits` (names of columns and first rows), else the first
    /// with rows.
    pub(crate) fn open(
        input: Input,
        options: &ReadOptions,
        fits: &dyn Fn(&[String], bool, &Block) -> bool,
    ) -> Result<SqliteSource, DataError> {
        let connection = connect(&input)?;
        let bad = |e: rusqlite::Error| damaged(&input, &e);
        let tables: Vec<String> = connection
            .prepare("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'")
            .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
            .map_err(bad)?;
        let wanted: Vec<&String> = match &options.sheet {
            None => tables.iter().collect(),
            Some(name) => tables.iter().filter(|t| *t == name).collect(),
        };
        if let (Some(name), true) = (&options.sheet, wanted.is_empty()) {
            return Err(DataError::Option {
                option: "--sheet",
                value: name.clone(),
                rule: format!("the tables are {}", list(&tables)),
            });
        }
        let mut chosen: Option<(String, Vec<String>, Block)> = None;
        for table in wanted {
            let (columns, sample) = first_rows(&connection, table).map_err(bad)?;
            if sample.n_rows == 0 {
                continue;
            }
            let is_it = fits(&columns, true, &sample);
            if is_it || chosen.is_none() {
                chosen = Some((table.clone(), columns, sample));
            }
            if is_it {
                break;
            }
        }
        let Some((table, columns, sample)) = chosen else { return Err(DataError::Empty { path: input.path }) };
        let count = format!("SELECT count(*) FROM {}", quoted(&table));
        let n_rows: i64 = connection.query_row(&count, [], |row| row.get(0)).map_err(bad)?;
        let left_out = tables.into_iter().filter(|t| *t != table).collect();
        Ok(SqliteSource { columns, table, left_out, n_rows: n_rows.unsigned_abs(), sample, input })
    }

    pub(crate) fn sample(&self) -> Block {
        self.sample.clone()
    }

    /// The table that is read and those that are not, where there are others.
    pub(crate) fn others(&self) -> Option<(&str, &[String])> {
        (!self.left_out.is_empty()).then_some((self.table.as_str(), self.left_out.as_slice()))
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.others()
            .map(|(table, others)| format!("tables not read: {}; --sheet names another than {table}", list(others)))
            .into_iter()
            .collect()
    }

    /// All rows, the `wanted` columns only, with a hash of the whole row where asked.
    pub(crate) fn stream(&self, wanted: &[usize], hash: bool) -> Result<Stream, DataError> {
        let connection = connect(&self.input)?;
        let (sender, receiver) = sync_channel(AHEAD);
        let taken = Arc::new(AtomicU64::new(0));
        let (input, table, wanted) = (self.input.clone(), self.table.clone(), wanted.to_vec());
        let (bytes, n_rows, counter) = (self.input.bytes, self.n_rows.max(1), Arc::clone(&taken));
        std::thread::spawn(move || {
            let mut seen = 0;
            let mut send = |block: Block| {
                seen += block.n_rows as u64;
                // the file holds other things too: its bytes are shared out over the rows
                counter.store((bytes as f64 * (seen as f64 / n_rows as f64).min(1.0)) as u64, Ordering::Relaxed);
                sender.send(Ok(Some(Piece::Ready(narrowed(block, &wanted, hash))))).is_ok()
            };
            let ended = each_block(&connection, &table, u64::MAX, &mut send);
            let last = match ended {
                Ok(_) => Ok(None),
                Err(e) => Err(damaged(&input, &e)),
            };
            // nobody listens any more when the import was stopped
            let _ = sender.send(last);
        });
        Ok(Stream::new(Shape::Ready, vec![receiver], 1, taken))
    }

    pub(crate) fn info(&self) -> SourceInfo {
        SourceInfo {
            file: self.input.short_name(),
            format: "sqlite".into(),
            header: true,
            sheets: vec![self.table.clone()],
            sheets_left_out: self.left_out.clone(),
            columns: self.columns.clone(),
            bytes: self.input.bytes,
            ..SourceInfo::default()
        }
    }
}

/// Columns and first rows of a table.
fn first_rows(connection: &Connection, table: &str) -> rusqlite::Result<(Vec<String>, Block)> {
    let mut first = Block::default();
    let columns = each_block(connection, table, TEXT_ROWS as u64, &mut |block| {
        first = block;
        false
    })?;
    Ok((columns, first))
}

/// Reads at most `most` rows in blocks of all columns, until `take` wants no more; gives the names of the columns.
fn each_block(
    connection: &Connection,
    table: &str,
    most: u64,
    take: &mut dyn FnMut(Block) -> bool,
) -> rusqlite::Result<Vec<String>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = connection.prepare(&format!("SELECT * FROM {} LIMIT {most}", quoted(table)))?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut under_way = TextRows::new(columns.len());
    while let Some(row) = rows.next()? {
        for column in 0..columns.len() {
            push(&mut under_way, row.get_ref(column)?);
        }
        if under_way.is_full() && !take(under_way.finish()) {
            return Ok(columns);
        }
    }
    if !under_way.is_empty() {
        take(under_way.finish());
    }
    Ok(columns)
}

fn push(rows: &mut TextRows, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => rows.push(None),
        ValueRef::Integer(n) => rows.push(Some(n.to_string().as_bytes())),
        ValueRef::Real(x) => rows.push(Some(x.to_string().as_bytes())),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => rows.push(Some(bytes)),
    }
}

/// The columns that are wanted, with a hash of all.
fn narrowed(whole: Block, wanted: &[usize], hash: bool) -> Block {
    let mut hashes = Vec::new();
    if hash {
        hashes = vec![0; whole.n_rows];
        whole.columns.iter().for_each(|c| c.hash_into(&mut hashes));
    }
    let columns = wanted.iter().map(|&c| whole.columns[c].clone()).collect();
    Block { columns, hash: hashes, ..whole }
}
