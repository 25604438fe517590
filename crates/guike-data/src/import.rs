//! The whole way from files to an event log and its quality report.
//!
//! [`read_rows`] opens, maps and interprets the files and pushes the surviving rows into any [`RowSink`]; [`import`] puts
//! the partitioner behind it and comes back with the log. Every file is understood by itself, and then all of them must
//! tell the same things (`crate::mapping::agree`); a log that an earlier import wrote is taken as it is.

use std::path::{Path, PathBuf};

use guike_core::{EventLog, Progress};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::block::{Block, Column};
use crate::canonical::{is_canonical, read_canonical};
use crate::clean::{Rules, clean_customer};
use crate::dictionary::KeyCoder;
use crate::error::DataError;
use crate::files::{LogFile, LogFiles};
use crate::formats::{self, Evidence, Formats};
use crate::input::Input;
use crate::interpret::{self, Interpreted, Plan, interpret};
use crate::mapping::{self, AmountSource, Mapping};
use crate::names::Role;
use crate::numbers::{self, CURRENCIES};
use crate::options::{CleanOptions, ImportOptions};
use crate::partition::{PartitionConfig, Partitioner};
use crate::piecewise::PiecewiseLog;
use crate::quality::{Ledger, QualityReport};
use crate::reader::{FileRows, Reader};
use crate::rows::{Dictionaries, RowColumns, RowSink};
use crate::source::{Piece, Source};

/// An event log, in memory or in pieces, and what became of the file's rows.
#[derive(Debug)]
pub struct Imported<Log = EventLog> {
    /// The events, by customer and time.
    pub log: Log,
    /// What was read, kept and dropped.
    pub quality: QualityReport,
}

/// Reads, maps, cleans, partitions and sorts the order log in `files`: a path, or [`LogFiles`].
///
/// The format is found from the content: delimited text, JSON Lines, Parquet or a workbook, gzip and zstd looked through.
/// A log that [`crate::write_canonical`] wrote comes back as it is, with the report of its import.
///
/// # Errors
/// When the file is not an order log, a needed column is missing or ambiguous, or no row is usable; trouble in single rows
/// is counted in [`Imported::quality`] instead.
///
/// # Example
/// ```
/// use guike_core::Quiet;
/// use guike_data::{ImportOptions, import};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("orders.csv");
/// std::fs::write(&path, "会员ID,下单时间,实付金额\nU7,2024-05-01 10:00:00,¥19.90\nU7,2024-06-01 09:00:00,¥5\n").unwrap();
/// let imported = import(&path, &ImportOptions::default(), &Quiet).unwrap();
/// assert_eq!((imported.log.n_customers(), imported.log.n_events()), (1, 2));
/// assert_eq!(imported.quality.currency.as_deref(), Some("CNY"));
///
/// std::fs::write(&path, "").unwrap();
/// let error = import(&path, &ImportOptions::default(), &Quiet).unwrap_err();
/// assert!(error.to_string().contains("is empty"));
/// ```
pub fn import(
    files: impl Into<LogFiles>,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<Imported, DataError> {
    import_piecewise(files, options, progress)?.whole()
}

/// The same of a log that need not fit in memory.
///
/// # Errors
/// As [`import`].
pub fn import_piecewise(
    files: impl Into<LogFiles>,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<Imported<PiecewiseLog>, DataError> {
    let files = files.into();
    if let Some(path) = canonical_among(&files)? {
        let Imported { log, quality } = cleaned_before(path, options)?;
        return Ok(Imported { log: log.into(), quality });
    }
    // half for waiting rows: the other half is for the log that is made of them
    let memory_limit = usize::try_from(options.memory_mib.0 << 19).unwrap_or(usize::MAX);
    let config = PartitionConfig { memory_limit, ..PartitionConfig::default() };
    let mut partitioner = Partitioner::new(config.clone());
    let read = read_rows(&files, options, progress, &mut partitioner)?;
    let RowsRead { dictionaries, rules, report } = read;
    let rows = partitioner.finish()?;
    let clean = |rows: &mut crate::rows::CustomerRows<'_>, ledger: &mut Ledger| clean_customer(rows, &rules, ledger);
    let (log, ledger) = rows.into_piecewise(dictionaries, Some(&clean), &config, progress)?;
    let quality = report.settle(&log, ledger)?;
    Ok(Imported { log, quality })
}

impl Imported<PiecewiseLog> {
    /// The same with all of the log in memory.
    ///
    /// # Errors
    /// When a temporary file cannot be read.
    pub fn whole(self) -> Result<Imported, DataError> {
        Ok(Imported { log: self.log.whole()?, quality: self.quality })
    }
}

/// Where the log lies, if it is one that [`crate::write_canonical`] wrote.
///
/// # Errors
/// When it is one of several files: rows that were cleaned and rows that were not make no log.
pub(crate) fn canonical_among(files: &LogFiles) -> Result<Option<&Path>, DataError> {
    let found = files.iter().find(|f| is_canonical(f.at()));
    match found {
        Some(file) if files.are_several() => Err(DataError::ImportedAmongOthers { path: file.name().to_owned() }),
        found => Ok(found.map(LogFile::at)),
    }
}

/// The log of an earlier import, as it is: a second cleaning would take away what the first one left on purpose.
pub(crate) fn cleaned_before(path: &Path, options: &ImportOptions) -> Result<Imported, DataError> {
    let mut imported = read_canonical(path)?;
    let mut remark = |text: &str| {
        if !imported.quality.notes.iter().any(|n| n == text) {
            imported.quality.notes.push(text.to_owned());
        }
    };
    remark(
        "the log was written by `guike import` and is not cleaned a second time; rows, columns and rules are those of \
         that import",
    );
    if options.clean != CleanOptions::default() || options.read.currency.is_some() {
        remark("settings for cleaning have no effect on a log that `guike import` wrote; give them to the import");
    }
    Ok(imported)
}

/// What is known when reading is over and the rows are in the sink.
#[derive(Debug)]
pub struct RowsRead {
    /// Names behind the codes.
    pub dictionaries: Dictionaries,
    /// How each customer is to be cleaned.
    pub rules: Rules,
    /// The report so far.
    pub report: Draft,
}

/// A quality report that waits for the customer-level counts.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    quality: QualityReport,
    ledger: Ledger,
    rows_read: u64,
    files: Vec<FileRows>,
}

impl Draft {
    pub(crate) fn new(
        path: PathBuf,
        quality: QualityReport,
        ledger: Ledger,
        rows_read: u64,
        files: Vec<FileRows>,
    ) -> Draft {
        Draft { path, quality, ledger, rows_read, files }
    }

    /// The report, with what cleaning the customers counted.
    ///
    /// # Errors
    /// [`DataError::NothingLeft`] when the log is empty.
    pub fn settle(mut self, log: &PiecewiseLog, ledger: Ledger) -> Result<QualityReport, DataError> {
        self.ledger.merge(ledger);
        let mut quality = self.quality;
        quality.settle(self.ledger, self.rows_read, log.n_events() as u64);
        if self.files.len() > 1 {
            quality.name_files(&self.files);
        }
        if log.n_events() == 0 {
            let reasons: Vec<String> =
                quality.dropped.iter().map(|d| format!("{} had {}", d.rows, d.reason.words())).collect();
            return Err(DataError::NothingLeft { path: self.path, read: self.rows_read, reasons: reasons.join(", ") });
        }
        quality.customers = log.n_customers() as u64;
        if let Some((first, last)) = log.purchase_span() {
            (quality.first_day, quality.last_day) = (Some(first), Some(last));
        }
        quality.currency = log.currency().map(str::to_owned);
        let bad = quality.found.unparsable_time + quality.found.unparsable_amount;
        if bad * 100 > quality.rows_read {
            quality.notes.push(format!(
                "{bad} of {} rows have a time or an amount that cannot be read: check --date-format and --decimal",
                quality.rows_read
            ));
        }
        Ok(quality)
    }
}

/// One file, opened and understood.
struct Opened {
    source: Source,
    sample: Block,
    mapping: Mapping,
}

impl Opened {
    /// Opens `file` and finds out which column is what; `None` for a header without rows among several files.
    fn open(file: &LogFile, several: bool, options: &ImportOptions) -> Result<Option<Opened>, DataError> {
        let source = Source::open_log(Input::open(file)?, &options.read)?;
        let sample = source.sample()?;
        let path = || file.name().to_owned();
        if sample.n_source_rows == 0 {
            let columns = mapping::list(source.columns());
            return if several { Ok(None) } else { Err(DataError::HeaderOnly { path: path(), columns }) };
        }
        if sample.n_rows == 0 {
            return Err(DataError::RowsUnlikeHeader {
                path: path(),
                rows: sample.n_source_rows,
                cells: source.columns().len(),
                columns: mapping::list(source.columns()),
            });
        }
        let found = mapping::find(source.columns(), source.has_names(), &sample, &options.read);
        let mapping = found.map_err(|error| match source.sheets() {
            Some((sheet, others)) => {
                DataError::InSheet { sheet: sheet.to_owned(), others: mapping::list(others), error: Box::new(error) }
            }
            None => error,
        })?;
        Ok(Some(Opened { source, sample, mapping }))
    }
}

/// `error` with the name of the file it is about, where there are several and it does not name one.
fn in_file(file: &LogFile, several: bool) -> impl Fn(DataError) -> DataError {
    let path = several.then(|| file.name().to_owned());
    move |error| match &path {
        Some(path) if !error.names_a_file() => DataError::InFile { path: path.clone(), error: Box::new(error) },
        _ => error,
    }
}

/// Reads, maps and interprets `files`, and pushes the rows that survive into `sink`, in their order.
///
/// # Errors
/// As [`import`], and whatever the sink returns.
pub fn read_rows(
    files: impl Into<LogFiles>,
    options: &ImportOptions,
    progress: &dyn Progress,
    sink: &mut dyn RowSink,
) -> Result<RowsRead, DataError> {
    let files = files.into();
    let several = files.are_several();
    let mut opened: Vec<(&LogFile, Opened)> = Vec::new();
    let mut report = QualityReport::default();
    for file in files.iter() {
        match Opened::open(file, several, options).map_err(in_file(file, several))? {
            Some(one) => opened.push((file, one)),
            None => report.notes.push(format!("`{}` has a header and no rows", file.short_name())),
        }
    }
    if opened.is_empty() {
        return Err(DataError::HeaderOnly { path: files.path(), columns: "in every file".into() });
    }
    if !files.passed_over().is_empty() {
        report.notes.push(format!("not read, because no table by name: {}", mapping::list(files.passed_over())));
    }
    let plans = plans(&mut opened, options, &mut report, progress)?;
    let columns = plans[0].columns;
    let sources: Vec<&Source> = opened.iter().map(|(_, o)| &o.source).collect();
    let rows_hint = sources.iter().map(|s| s.rows_hint()).sum::<Option<u64>>();
    let mut reader = Reader::new(columns, |role| {
        // ids of several files have no common range that a file would tell
        let range = plans[0].mapping.column(role).filter(|_| sources.len() == 1).and_then(|c| sources[0].range(c));
        let rows = rows_hint.unwrap_or(0);
        if role == Role::Customer { KeyCoder::of_customers(range, rows) } else { KeyCoder::Unseen { range, rows } }
    });
    sink.begin(columns, rows_hint)?;
    for ((file, one), plan) in opened.iter().zip(&plans) {
        reader.begin_file();
        let mut stream = one.source.stream(&plan.wanted, columns.hash)?;
        // enough pieces at once to keep every thread busy, few enough to stay small
        let at_once = 2 * rayon::current_num_threads().max(1);
        let mut pieces: Vec<Piece> = Vec::with_capacity(at_once);
        loop {
            progress.check()?;
            while pieces.len() < at_once {
                match stream.next_piece()? {
                    Some(piece) => pieces.push(piece),
                    None => break,
                }
            }
            if pieces.is_empty() {
                break;
            }
            let done: Vec<Interpreted> =
                std::mem::take(&mut pieces).into_par_iter().map(|p| interpret(stream.shape.block(p), plan)).collect();
            for piece in done {
                reader.merge(piece, &files, sink)?;
            }
            progress.advance(stream.advance());
        }
        report.sources.push(one.source.info());
        report.notes.extend(one.source.notes().into_iter().map(|note| match several {
            true => format!("`{}`: {note}", file.short_name()),
            false => note,
        }));
    }
    reader.finish(&files, &plans[0], options, report)
}

/// Everything to decide before the rows are read, per file; all plans have the same columns.
fn plans(
    opened: &mut [(&LogFile, Opened)],
    options: &ImportOptions,
    report: &mut QualityReport,
    progress: &dyn Progress,
) -> Result<Vec<Plan>, DataError> {
    let several = opened.len() > 1;
    {
        let mut mappings: Vec<(&Path, &[String], &mut Mapping)> =
            opened.iter_mut().map(|(f, o)| (f.name(), o.source.columns(), &mut o.mapping)).collect();
        report.notes.extend(mapping::agree(&mut mappings)?);
    }
    let first = &opened[0].1;
    report.mapping = first.mapping.report.clone();
    report.amount = amount_words(&first.mapping, first.source.columns());
    progress.stage("read", opened.iter().map(|(_, o)| o.source.bytes()).sum());
    let evidence = opened
        .iter()
        .map(|(file, o)| {
            let found = Evidence::of(&o.source, &o.sample, &o.mapping, options, progress);
            found.map_err(in_file(file, several))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut plans = Vec::with_capacity(opened.len());
    for (i, (file, one)) in opened.iter().enumerate() {
        let formats = formats::decide(&evidence, i, options).map_err(in_file(file, several))?;
        if i == 0 {
            report.date_format = formats.date_words.clone();
        } else if formats.date_words.split(':').next() != report.date_format.split(':').next() {
            report.notes.push(format!("dates in `{}` are {}", file.short_name(), formats.date_words));
        }
        report.notes.extend(formats.notes.iter().map(|note| match several {
            true => format!("`{}`: {note}", file.short_name()),
            false => note.clone(),
        }));
        report.notes.extend(order_totals(&one.sample, &one.mapping, one.source.columns()));
        plans.push(plan(one, formats, options));
    }
    let all = |of: fn(&RowColumns) -> bool| plans.iter().all(|p| of(&p.columns));
    let columns = RowColumns {
        hash: opened.iter().all(|(_, o)| o.source.compares_whole_rows()),
        flags: plans.iter().any(|p| p.columns.flags),
        quantity: all(|c| c.quantity),
        item: all(|c| c.item),
        category: all(|c| c.category),
        order: all(|c| c.order),
    };
    plans.iter_mut().for_each(|p| p.columns = columns);
    Ok(plans)
}

/// The plan of one file; its columns are those that the file by itself would have.
fn plan(opened: &Opened, formats: Formats, options: &ImportOptions) -> Plan {
    let Opened { source, sample, mapping } = opened;
    let mut wanted: Vec<usize> = Role::ALL.iter().filter_map(|&r| mapping.column(r)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let column = |role: Role| mapping.column(role).map(|c| &sample.columns[c]);
    let is_ids = |role: Role| {
        mapping
            .column(role)
            .is_some_and(|c| interpret::is_integral(&sample.columns[c], sample.n_rows, &source.columns()[c]))
    };
    let integral =
        [Role::Customer, Role::Order, Role::Item, Role::Category].into_iter().map(|r| (r, is_ids(r))).collect();
    let cancellation_prefix = column(Role::Order).is_some_and(|c| mostly_digits(c, sample.n_rows));
    let currency = options.read.currency.as_ref().map(|text| match numbers::currency(text) {
        Some(c) => CURRENCIES[usize::from(c)].0.to_owned(),
        None => text.trim().to_uppercase(),
    });
    let has = |role: Role| mapping.column(role).is_some();
    let columns = RowColumns {
        quantity: has(Role::Quantity),
        item: has(Role::Item),
        category: has(Role::Category),
        order: has(Role::Order),
        hash: false,
        flags: cancellation_prefix || column(Role::Item).is_some_and(|c| !is_ints(c)),
    };
    let names = wanted.iter().map(|&c| source.columns()[c].clone()).collect();
    let non_goods: FxHashSet<String> = options.clean.non_goods.iter().map(|c| c.trim().to_uppercase()).collect();
    Plan {
        mapping: mapping.clone(),
        wanted,
        names,
        date: formats.date,
        clock: mapping.clock,
        amount_sign: formats.amount_sign,
        quantity_sign: formats.quantity_sign,
        integral,
        cancellation_prefix,
        currency,
        now: options.now,
        clean: options.clean.clone(),
        non_goods,
        columns,
    }
}

/// A remark when the amount looks like the total of an order that stands on every one of its lines: it would count once per
/// line.
fn order_totals(sample: &Block, mapping: &Mapping, names: &[String]) -> Option<String> {
    const FEWEST: usize = 10;
    if mapping.amount != AmountSource::Amount {
        return None;
    }
    let (order, amount) = (mapping.column(Role::Order)?, mapping.column(Role::Amount)?);
    // lines of each order, and whether all have the amount of the first
    let mut orders: FxHashMap<Vec<u8>, (Vec<u8>, usize, bool)> = FxHashMap::default();
    for row in 0..sample.n_rows {
        let (id, money) = (sample.columns[order].cell_text(row), sample.columns[amount].cell_text(row));
        if numbers::is_missing(&id) || numbers::is_missing(&money) {
            continue;
        }
        let (first, lines, same) = orders.entry(id).or_insert_with(|| (money.clone(), 0, true));
        *lines += 1;
        *same &= *first == money;
    }
    let several = orders.values().filter(|o| o.1 > 1).count();
    let same = orders.values().filter(|o| o.1 > 1 && o.2).count();
    let amounts: FxHashSet<&Vec<u8>> = orders.values().map(|o| &o.0).collect();
    // a shop with one price would look like this as well
    let telling = several >= FEWEST && same * 20 >= several * 19 && amounts.len() >= FEWEST;
    telling.then(|| {
        format!(
            "`{}` is the same on every line of an order, in {same} of {several} orders with several lines: if it is the total \
             of the order, it counts once per line; name a column with the amount of the line with --amount, or give one \
             row per order",
            names[amount]
        )
    })
}

fn is_ints(column: &Column) -> bool {
    matches!(column, Column::Ints { .. } | Column::Floats { .. })
}

/// Whether order ids are numbers, so that a `C` before one says something.
fn mostly_digits(column: &Column, n_rows: usize) -> bool {
    if is_ints(column) {
        return false;
    }
    let cells: Vec<Vec<u8>> = (0..n_rows).map(|r| column.cell_text(r)).filter(|c| !numbers::is_missing(c)).collect();
    let digits = cells.iter().filter(|c| c.iter().all(u8::is_ascii_digit)).count();
    digits * 2 >= cells.len() && digits > 0
}

fn amount_words(mapping: &Mapping, names: &[String]) -> String {
    let name = |role: Role| mapping.column(role).map_or("", |c| names[c].as_str());
    match mapping.amount {
        AmountSource::Amount => format!("column `{}`", name(Role::Amount)),
        AmountSource::PriceTimesQuantity => format!("`{}` × `{}`", name(Role::Price), name(Role::Quantity)),
        AmountSource::Price => format!("column `{}`, the price, because there is no quantity", name(Role::Price)),
        AmountSource::Nothing => "none: the log has no money".into(),
    }
}

/// Codes for another file's keys, by the log's customer ids.
pub(crate) fn positions(ids: &[String]) -> FxHashMap<&str, usize> {
    ids.iter().enumerate().map(|(i, id)| (id.as_str(), i)).collect()
}
