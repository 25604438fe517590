//! What can stop an import: one enum, each text naming the thing, the value, the rule and the way out.

use std::path::{Path, PathBuf};

use guike_core::Cancelled;

/// Why a file could not be turned into an event log.
///
/// Trouble in single rows is never an error: it is counted in the [`crate::QualityReport`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried: "read", "write", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A folder or pattern without a table.
    #[error("found nothing to read at `{}`: {rule}; name the files", path.display())]
    NoFiles {
        /// The folder or pattern.
        path: PathBuf,
        /// What was looked for.
        rule: String,
    },
    /// One file named twice.
    #[error("`{}` is named twice; its rows would count twice, so name every file once", path.display())]
    FileTwice {
        /// The file.
        path: PathBuf,
    },
    /// Trouble with one of several files.
    #[error("in `{}`: {error}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// The trouble.
        error: Box<DataError>,
    },
    /// Trouble with one of several sheets.
    #[error("sheet `{sheet}`: {error} (the workbook's other sheets are {others}; --sheet names another)")]
    InSheet {
        /// The sheet that was looked at.
        sheet: String,
        /// The others, quoted.
        others: String,
        /// The trouble.
        error: Box<DataError>,
    },
    /// Files that do not tell the same things.
    #[error(
        "`{}` has a column for the {role} (`{column}`) and `{}` has none; files that are read as one log must tell the \
         same things: leave the column out with {flag} none, or read the files one by one", path.display(), other.display()
    )]
    FilesDiffer {
        /// A file with the column.
        path: PathBuf,
        /// A file without.
        other: PathBuf,
        /// The role in words.
        role: &'static str,
        /// The column's name.
        column: String,
        /// The flag to use.
        flag: &'static str,
    },
    /// A log that was imported before, beside other files.
    #[error("`{}` was written by `guike import` and is clean already; it cannot be read together with other files: import all the originals together", path.display())]
    ImportedAmongOthers {
        /// The file.
        path: PathBuf,
    },
    /// The file has no byte, or only blank ones.
    #[error("`{}` is empty; a table has a header line and at least one row", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// There is a header and nothing under it.
    #[error("`{}` has a header ({columns}) but no rows", path.display())]
    HeaderOnly {
        /// The file.
        path: PathBuf,
        /// The columns found.
        columns: String,
    },
    /// Rows that do not belong to the header.
    #[error("none of the first {rows} rows of `{}` has {cells} cells as the header has ({columns}); say the delimiter with --delimiter, or fix the file", path.display())]
    RowsUnlikeHeader {
        /// The file.
        path: PathBuf,
        /// Rows looked at.
        rows: usize,
        /// Cells of the header.
        cells: usize,
        /// The columns found.
        columns: String,
    },
    /// Not a format we read.
    #[error("`{}` is not a table: {found}; give CSV, TSV, JSON Lines, Parquet or XLSX (gzip and zstd are fine)", path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        found: String,
    },
    /// A text file with zero bytes in it.
    #[error("`{}` has a NUL byte in line {line}, which no text has; save the file again as UTF-8 text, or remove the NUL bytes", path.display())]
    NulByte {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
    },
    /// A record that never ends.
    #[error(
        "line {line} of `{}` is longer than {} KiB, the most one row may have; perhaps a quote opened there is never \
         closed, or the file has no line ends", path.display(), limit / 1024
    )]
    LineTooLong {
        /// The file.
        path: PathBuf,
        /// Line at which the record begins, from 1.
        line: u64,
        /// Most bytes of a record.
        limit: usize,
    },
    /// A quote that is not closed by the end of the file.
    #[error("a quote opened in line {line} of `{}` is never closed; close it, or remove stray quotes", path.display())]
    OpenQuote {
        /// The file.
        path: PathBuf,
        /// Line at which the record begins, from 1.
        line: u64,
    },
    /// The compressed file stops early.
    #[error("`{}` is cut off: its {format} data ends before its end mark; copy or download the file again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The format that is cut off.
        format: &'static str,
    },
    /// The file's own structure is broken.
    #[error("`{}` is damaged: {detail}; copy or download the file again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// An option's value that names nothing.
    #[error("{option} = `{value}` is not known; {rule}")]
    Option {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        rule: String,
    },
    /// A column asked for by name is not there.
    #[error("there is no column `{name}` (asked for by {flag}); {hint}the columns are {columns}")]
    NoSuchColumn {
        /// The flag that asked.
        flag: &'static str,
        /// The name asked for.
        name: String,
        /// "did you mean …? ", or empty.
        hint: String,
        /// The columns found.
        columns: String,
    },
    /// No column can play a role that is needed.
    #[error("found no column for the {role}; {hint}the columns are {columns}; name it with {flag}")]
    NoColumnFor {
        /// The role in words.
        role: &'static str,
        /// "the nearest is …; ", or empty.
        hint: String,
        /// The columns found.
        columns: String,
        /// The flag to use.
        flag: &'static str,
    },
    /// Several columns could play the role.
    #[error("columns {candidates} could each be the {role}; say which with {flag}")]
    AmbiguousRole {
        /// The role in words.
        role: &'static str,
        /// The candidates, quoted.
        candidates: String,
        /// The flag to use.
        flag: &'static str,
    },
    /// Two columns share the name of one that is needed.
    #[error("column `{name}` is named twice (columns {first} and {second}); rename one of them")]
    DuplicateColumn {
        /// The name.
        name: String,
        /// Position of the first, from 1.
        first: usize,
        /// Position of the second, from 1.
        second: usize,
    },
    /// Ids that a spreadsheet has rounded.
    #[error(
        "column `{column}` holds ids that a spreadsheet has rounded (`{example}`), so that different customers look the same; \
         export the ids as text, or name another column with --customer"
    )]
    RoundedIds {
        /// The column.
        column: String,
        /// The shape of a cell.
        example: String,
    },
    /// A column's type cannot play its role.
    #[error("column `{column}` holds {found}, and the {role} needs {needs}; name another column with {flag}")]
    WrongType {
        /// The column.
        column: String,
        /// What it holds.
        found: String,
        /// The role in words.
        role: &'static str,
        /// What the role needs.
        needs: &'static str,
        /// The flag to use.
        flag: &'static str,
    },
    /// Day and month cannot be told apart.
    #[error(
        "the dates in column `{column}` can be read day first or month first (no number is above 12 in the wrong place); \
         say which with --date-format dmy or --date-format mdy"
    )]
    AmbiguousDates {
        /// The column.
        column: String,
    },
    /// A date column without a date format.
    #[error(
        "column `{column}` does not hold dates in one format we know ({example}); name its format with --date-format, or another column with --time"
    )]
    NotDates {
        /// The column.
        column: String,
        /// The shape of a cell that does not fit.
        example: String,
    },
    /// Amounts in more than one currency.
    #[error(
        "column `{column}` mixes currencies: {counts}; keep one of them with --currency {first}, or split the file"
    )]
    MixedCurrencies {
        /// The column.
        column: String,
        /// Codes with counts.
        counts: String,
        /// The most frequent.
        first: String,
    },
    /// No row was left.
    #[error("no row of `{}` is usable: of {read} rows, {reasons}", path.display())]
    NothingLeft {
        /// The file.
        path: PathBuf,
        /// Rows read.
        read: u64,
        /// Reasons with counts.
        reasons: String,
    },
    /// An attributes file about other customers.
    #[error("none of the {rows} rows of `{}` names a customer of the log in column `{column}`; name the id column with --customer, or give the file that belongs to this log", path.display())]
    NoCustomerMatches {
        /// The file.
        path: PathBuf,
        /// The id column.
        column: String,
        /// Rows read.
        rows: u64,
    },
    /// More rows than row numbers.
    #[error("`{}` has more than {limit} rows, the most one import takes; split it by date or by customer", path.display())]
    TooManyRows {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// A table whose rows cannot be told apart.
    #[error("table `{table}` has no primary key; name the columns that tell its rows apart with --key")]
    NoKey {
        /// The table.
        table: String,
    },
    /// A file that is no copy of the table that it should be brought up to date with.
    #[error("`{}` {found}; name another file with --into, and everything is read anew", path.display())]
    NotItsCopy {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// A database could not be read.
    #[error(transparent)]
    Database(#[from] guike_db::DbError),
    /// A database of several tables, of which none was named and none stands out.
    #[error("{place} has {n} tables and {why}; name one with --table: {tables}")]
    WhichTable {
        /// The database.
        place: String,
        /// How many tables.
        n: usize,
        /// Why none was taken.
        why: &'static str,
        /// Their names.
        tables: String,
    },
    /// The caller asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl DataError {
    /// An [`DataError::Io`] for `path`.
    pub fn io(action: &'static str, path: &Path, source: std::io::Error) -> DataError {
        DataError::Io { action, path: path.to_owned(), source }
    }

    /// Whether the text names the file it is about.
    pub(crate) fn names_a_file(&self) -> bool {
        !matches!(
            self,
            DataError::Option { .. }
                | DataError::NoSuchColumn { .. }
                | DataError::NoColumnFor { .. }
                | DataError::AmbiguousRole { .. }
                | DataError::DuplicateColumn { .. }
                | DataError::RoundedIds { .. }
                | DataError::InSheet { .. }
                | DataError::WrongType { .. }
                | DataError::AmbiguousDates { .. }
                | DataError::NotDates { .. }
                | DataError::MixedCurrencies { .. }
                | DataError::Database(_)
                | DataError::NoKey { .. }
                | DataError::WhichTable { .. }
        )
    }
}
