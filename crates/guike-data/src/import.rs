//! The whole way from a file to an event log and its quality report.
//!
//! [`read_rows`] opens, maps and interprets the file and pushes the surviving rows into any [`RowSink`]; [`import`] puts
//! the partitioner behind it and comes back with the log. Decisions that need every row (day or month first, thousands or
//! decimal comma) are made in a first pass over the one column, and only when the sample leaves them open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use guike_core::{Cutoff, Day, EventLog, Progress};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::block::{Block, Column};
use crate::clean::{Rules, clean_customer};
use crate::dates::{DateDecision, DateEvidence, DateFormat};
use crate::dictionary::KeyCoder;
use crate::error::DataError;
use crate::input::Input;
use crate::interpret::{self, Interpreted, Keys, Plan, interpret};
use crate::mapping::{self, AmountSource, Mapping};
use crate::names::Role;
use crate::numbers::{self, CURRENCIES, DecimalSign, NumberEvidence};
use crate::options::{Cancellations, Duplicates, ImportOptions, Refunds, ZeroAmounts};
use crate::parquet_source::WHOLE_ROW_LIMIT;
use crate::partition::{PartitionConfig, Partitioner};
use crate::quality::{Ledger, QualityReport};
use crate::rows::{Dictionaries, RowBatch, RowColumns, RowSink};
use crate::source::{Piece, Source};

/// An event log and what became of the file's rows.
#[derive(Debug)]
pub struct Imported {
    /// The events, by customer and time.
    pub log: EventLog,
    /// What was read, kept and dropped.
    pub quality: QualityReport,
}

/// Reads, maps, cleans, partitions and sorts the order log at `path`.
///
/// The format is found from the content: delimited text, JSON Lines, Parquet or a workbook, gzip and zstd looked through.
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
pub fn import(path: &Path, options: &ImportOptions, progress: &dyn Progress) -> Result<Imported, DataError> {
    // half for waiting rows: the other half is the log that is made of them
    let memory_limit = usize::try_from(options.memory_mib.0 << 19).unwrap_or(usize::MAX);
    let mut partitioner = Partitioner::new(PartitionConfig { memory_limit, ..PartitionConfig::default() });
    let read = read_rows(path, options, progress, &mut partitioner)?;
    let RowsRead { dictionaries, rules, report } = read;
    let rows = partitioner.finish()?;
    let clean = |rows: &mut crate::rows::CustomerRows<'_>, ledger: &mut Ledger| clean_customer(rows, &rules, ledger);
    let (log, ledger) = rows.into_log(dictionaries, Some(&clean), progress)?;
    let quality = report.settle(&log, ledger)?;
    Ok(Imported { log, quality })
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
}

impl Draft {
    /// The report, with what cleaning the customers counted.
    ///
    /// # Errors
    /// [`DataError::NothingLeft`] when the log is empty.
    pub fn settle(mut self, log: &EventLog, ledger: Ledger) -> Result<QualityReport, DataError> {
        self.ledger.merge(ledger);
        let mut quality = self.quality;
        quality.settle(self.ledger, self.rows_read, log.n_events() as u64);
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

/// Reads, maps and interprets the file at `path`, and pushes the rows that survive into `sink`, in the file's order.
///
/// # Errors
/// As [`import`], and whatever the sink returns.
pub fn read_rows(
    path: &Path,
    options: &ImportOptions,
    progress: &dyn Progress,
    sink: &mut dyn RowSink,
) -> Result<RowsRead, DataError> {
    let input = Input::open(path)?;
    let bytes = input.bytes;
    let source = Source::open(input, &options.read)?;
    let sample = source.sample()?;
    if sample.n_source_rows == 0 {
        return Err(DataError::HeaderOnly { path: path.to_owned(), columns: mapping::list(source.columns()) });
    }
    if sample.n_rows == 0 {
        return Err(DataError::RowsUnlikeHeader {
            path: path.to_owned(),
            rows: sample.n_source_rows,
            cells: source.columns().len(),
            columns: mapping::list(source.columns()),
        });
    }
    let mapping = mapping::find(source.columns(), source.has_names(), &sample, &options.read)?;
    let mut report = QualityReport { mapping: mapping.report.clone(), ..QualityReport::default() };
    progress.stage("read", bytes);
    let (plan, hash) = plan(&source, &sample, mapping, options, &mut report, progress)?;
    let mut reader = Reader::new(&source, &plan);
    sink.begin(plan.columns, source.rows_hint())?;
    let mut stream = source.stream(&plan.wanted, hash)?;
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
            std::mem::take(&mut pieces).into_par_iter().map(|p| interpret(stream.shape.block(p), &plan)).collect();
        for piece in done {
            reader.merge(piece, path, sink)?;
        }
        progress.advance(stream.advance());
    }
    report.source = source.info();
    report.notes.extend(source.notes());
    reader.finish(path, &plan, options, report)
}

/// Everything to decide before the rows are read, and whether whole rows are hashed.
fn plan(
    source: &Source,
    sample: &Block,
    mapping: Mapping,
    options: &ImportOptions,
    report: &mut QualityReport,
    progress: &dyn Progress,
) -> Result<(Plan, bool), DataError> {
    let mut wanted: Vec<usize> = Role::ALL.iter().filter_map(|&r| mapping.column(r)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let column = |role: Role| mapping.column(role).map(|c| &sample.columns[c]);
    let money_role = match mapping.amount {
        AmountSource::Amount => Some(Role::Amount),
        AmountSource::Price | AmountSource::PriceTimesQuantity => Some(Role::Price),
        AmountSource::Nothing => None,
    };
    let formats = Formats::find(source, sample, &mapping, money_role, options, progress)?;
    report.date_format = formats.date_words.clone();
    report.notes.extend(formats.notes.clone());
    report.amount = amount_words(&mapping, source.columns());

    let is_ids = |role: Role| column(role).is_some_and(|c| interpret::is_integral(c, sample.n_rows));
    let integral =
        [Role::Customer, Role::Order, Role::Item, Role::Category].into_iter().map(|r| (r, is_ids(r))).collect();
    let cancellation_prefix = column(Role::Order).is_some_and(|c| mostly_digits(c, sample.n_rows));
    let currency = options.read.currency.as_ref().map(|text| match numbers::currency(text) {
        Some(c) => CURRENCIES[usize::from(c)].0.to_owned(),
        None => text.trim().to_uppercase(),
    });
    let whole_rows = source.rows_hint().is_none_or(|n| n <= WHOLE_ROW_LIMIT);
    let columns = RowColumns {
        quantity: mapping.column(Role::Quantity).is_some(),
        item: mapping.column(Role::Item).is_some(),
        category: mapping.column(Role::Category).is_some(),
        order: mapping.column(Role::Order).is_some(),
        hash: whole_rows,
        flags: cancellation_prefix || mapping.column(Role::Item).is_some_and(|c| !is_ints(&sample.columns[c])),
    };
    let names = wanted.iter().map(|&c| source.columns()[c].clone()).collect();
    let non_goods: FxHashSet<String> = options.clean.non_goods.iter().map(|c| c.trim().to_uppercase()).collect();
    let plan = Plan {
        mapping,
        wanted,
        names,
        date: formats.date,
        amount_sign: formats.amount_sign,
        quantity_sign: formats.quantity_sign,
        integral,
        cancellation_prefix,
        currency,
        now: options.now,
        clean: options.clean.clone(),
        non_goods,
        columns,
    };
    Ok((plan, whole_rows))
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

/// How the columns are written.
struct Formats {
    date: Option<DateFormat>,
    date_words: String,
    amount_sign: DecimalSign,
    quantity_sign: DecimalSign,
    notes: Vec<String>,
}

/// Evidence about the three columns whose cells can be written in several ways.
#[derive(Default)]
struct Evidence {
    dates: DateEvidence,
    amount: NumberEvidence,
    quantity: NumberEvidence,
}

impl Evidence {
    fn add(&mut self, block: &Block, [time, amount, quantity]: [Option<usize>; 3]) {
        let is_text = |c: &Column| matches!(c, Column::Text { .. } | Column::Coded { .. });
        for row in 0..block.n_rows {
            let cell = |slot: Option<usize>, text_only: bool| {
                let column = &block.columns[slot?];
                let cell = (!text_only || is_text(column)).then(|| column.cell_text(row))?;
                (!numbers::is_missing(&cell)).then_some(cell)
            };
            if let Some(cell) = cell(time, false) {
                self.dates.add(&cell);
            }
            if let Some(cell) = cell(amount, true) {
                self.amount.add(&cell);
            }
            if let Some(cell) = cell(quantity, true) {
                self.quantity.add(&cell);
            }
        }
    }
}

impl Formats {
    fn find(
        source: &Source,
        sample: &Block,
        mapping: &Mapping,
        money_role: Option<Role>,
        options: &ImportOptions,
        progress: &dyn Progress,
    ) -> Result<Formats, DataError> {
        let time = mapping.column(Role::Time).expect("the mapping has a time");
        let amount = money_role.and_then(|r| mapping.column(r));
        let quantity = mapping.column(Role::Quantity);
        let typed = matches!(sample.columns[time], Column::Times { .. });
        let asked = [(!typed).then_some(time), amount, quantity];
        let mut evidence = Evidence::default();
        evidence.add(sample, asked);
        let given = options.read.date_format;
        let open = |e: &Evidence| {
            let dates = !typed && given.is_none() && e.dates.decide(options.now) == DateDecision::Ambiguous;
            let numbers = options.read.decimal.is_none() && (e.amount.is_open() || e.quantity.is_open());
            dates || numbers
        };
        if open(&evidence) {
            evidence = Evidence::default();
            let mut wanted: Vec<usize> = asked.iter().flatten().copied().collect();
            wanted.sort_unstable();
            wanted.dedup();
            let slots = asked.map(|c| c.and_then(|c| wanted.iter().position(|&w| w == c)));
            let mut stream = source.stream(&wanted, false)?;
            while let Some(piece) = stream.next_piece()? {
                progress.check()?;
                evidence.add(&stream.shape.block(piece), slots);
                // month-long files without a decision are read to their end; others stop at the first clear cell
                if !open(&evidence) && evidence.dates.cells() > 200_000 {
                    break;
                }
            }
        }
        let column = source.columns()[time].clone();
        let (date, date_words) = match (typed, given) {
            (true, _) => (None, "moments, by the column's type".to_owned()),
            (_, Some(format)) => {
                if evidence.dates.cells() > 0 && !Formats::any_fit(&sample.columns[time], sample.n_rows, format) {
                    let example = crate::quality::mask(&first_cell(&sample.columns[time], sample.n_rows));
                    return Err(DataError::NotDates {
                        column,
                        example: format!("a cell looks like `{example}`, not {format}"),
                    });
                }
                (Some(format), format!("{format}: --date-format says so"))
            }
            (_, None) => match evidence.dates.decide(options.now) {
                DateDecision::Found(format, why) => (Some(format), format!("{format}: {why}")),
                DateDecision::Ambiguous => return Err(DataError::AmbiguousDates { column }),
                DateDecision::None(example) => {
                    let example = match example {
                        Some(shape) => format!("a cell looks like `{shape}`"),
                        None if evidence.dates.cells() == 0 => "every cell is empty".into(),
                        None => "its cells have several formats".into(),
                    };
                    return Err(DataError::NotDates { column, example });
                }
            },
        };
        let (amount_sign, amount_note) = evidence.amount.decide();
        let (quantity_sign, quantity_note) = evidence.quantity.decide();
        // a shop writes all its numbers alike: whole quantities say nothing, their amounts do
        let quantity_sign = if amount_sign == DecimalSign::Comma { amount_sign } else { quantity_sign };
        Ok(Formats {
            date,
            date_words,
            amount_sign: options.read.decimal.unwrap_or(amount_sign),
            quantity_sign: options.read.decimal.unwrap_or(quantity_sign),
            notes: if options.read.decimal.is_some() {
                Vec::new()
            } else {
                amount_note.into_iter().chain(quantity_note).collect()
            },
        })
    }

    fn any_fit(column: &Column, n_rows: usize, format: DateFormat) -> bool {
        (0..n_rows).any(|r| format.parse(&column.cell_text(r)).is_some())
    }
}

fn first_cell(column: &Column, n_rows: usize) -> Vec<u8> {
    (0..n_rows).map(|r| column.cell_text(r)).find(|c| !numbers::is_missing(c)).unwrap_or_default()
}

/// Hashes of dropped rows that are remembered to count duplicates among them: 20 million, 320 MiB at the very most.
const DROPPED_LIMIT: usize = 20_000_000;

/// Gives codes in the order of the file and passes rows on.
struct Reader<'a> {
    plan: &'a Plan,
    customer: KeyCoder,
    item: KeyCoder,
    category: KeyCoder,
    order: KeyCoder,
    ledger: Ledger,
    rows_read: u64,
    dropped: FxHashSet<u64>,
    currencies: BTreeMap<String, u64>,
    time_of_day: bool,
    unknown_kinds: bool,
}

impl<'a> Reader<'a> {
    fn new(source: &Source, plan: &'a Plan) -> Reader<'a> {
        let rows = source.rows_hint().unwrap_or(0);
        let coder =
            |role: Role| KeyCoder::Unseen { range: plan.mapping.column(role).and_then(|c| source.range(c)), rows };
        Reader {
            plan,
            customer: coder(Role::Customer),
            item: coder(Role::Item),
            category: coder(Role::Category),
            order: coder(Role::Order),
            ledger: Ledger::default(),
            rows_read: 0,
            dropped: FxHashSet::default(),
            currencies: BTreeMap::new(),
            time_of_day: false,
            unknown_kinds: false,
        }
    }

    fn merge(&mut self, mut piece: Interpreted, path: &Path, sink: &mut dyn RowSink) -> Result<(), DataError> {
        let limit = u64::from(u32::MAX);
        if self.rows_read + piece.n_source_rows as u64 > limit {
            return Err(DataError::TooManyRows { path: path.to_owned(), limit });
        }
        let first = self.rows_read as u32;
        piece.ledger.shift_rows(self.rows_read);
        for hash in piece.dropped_hash {
            if self.dropped.len() < DROPPED_LIMIT && !self.dropped.insert(hash) {
                piece.ledger.found.exact_duplicates += 1;
            }
        }
        self.ledger.merge(piece.ledger);
        self.rows_read += piece.n_source_rows as u64;
        for (code, n) in piece.currencies {
            *self.currencies.entry(code).or_default() += n;
        }
        self.time_of_day |= piece.time_of_day;
        self.unknown_kinds |= piece.unknown_kinds;
        if piece.time.is_empty() {
            return Ok(());
        }
        if first > 0 {
            piece.row.iter_mut().for_each(|r| *r += first);
        }
        let batch = RowBatch {
            customer: codes(piece.customer, &mut self.customer),
            time: piece.time,
            kind: piece.kind,
            amount: piece.amount,
            quantity: piece.quantity,
            item: codes(piece.item, &mut self.item),
            category: codes(piece.category, &mut self.category),
            order: codes(piece.order, &mut self.order),
            row: piece.row,
            hash: piece.hash,
            flags: piece.flags,
        };
        debug_assert!(batch.fits(self.plan.columns), "the batch has the columns that were announced");
        sink.push(batch)
    }

    fn finish(
        self,
        path: &Path,
        plan: &Plan,
        options: &ImportOptions,
        mut report: QualityReport,
    ) -> Result<RowsRead, DataError> {
        let mut currencies: Vec<(String, u64)> = self.currencies.into_iter().collect();
        currencies.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        if currencies.len() > 1 && plan.currency.is_none() {
            let role =
                [Role::Currency, Role::Amount, Role::Price].into_iter().find(|&r| plan.mapping.column(r).is_some());
            let column =
                role.and_then(|r| report.mapping.iter().find(|m| m.role == r.name())).map(|m| m.column.clone());
            let counts: Vec<String> = currencies.iter().map(|(code, n)| format!("{code} in {n} rows")).collect();
            let first = currencies[0].0.clone();
            return Err(DataError::MixedCurrencies {
                column: column.unwrap_or_default(),
                counts: counts.join(", "),
                first,
            });
        }
        let currency = plan.currency.clone().or_else(|| currencies.first().map(|c| c.0.clone()));
        if self.unknown_kinds {
            report.notes.push("some kinds of event have no name we know; they are kept as `other`".into());
        }
        if self.dropped.len() >= DROPPED_LIMIT {
            report
                .notes
                .push(format!("duplicates among dropped rows were counted in the first {DROPPED_LIMIT} of them"));
        }
        let has_order = plan.mapping.column(Role::Order).is_some();
        let rules = Rules {
            drop_duplicates: match options.clean.duplicates {
                Duplicates::Auto => has_order || self.time_of_day,
                Duplicates::Drop => true,
                Duplicates::Keep => false,
            },
            cancellations: options.clean.cancellations,
            refunds: options.clean.refunds,
        };
        report.rules = rule_words(&rules, plan, options, has_order, self.time_of_day);
        let (customer_ids, customer_rank) = self.customer.into_ranked();
        let dictionaries = Dictionaries {
            customer_ids,
            customer_rank,
            items: self.item.into_names(),
            categories: self.category.into_names(),
            currency,
        };
        let draft = Draft { path: path.to_owned(), quality: report, ledger: self.ledger, rows_read: self.rows_read };
        Ok(RowsRead { dictionaries, rules, report: draft })
    }
}

/// The block's keys as the log's codes.
fn codes(keys: Keys, coder: &mut KeyCoder) -> Vec<u32> {
    const MISSING: u32 = guike_core::Events::MISSING;
    match keys {
        Keys::Absent => Vec::new(),
        Keys::Ints(values) => match coder.ints() {
            Some(ints) => values.iter().map(|&v| if v == Keys::NO_INT { MISSING } else { ints.code(v) }).collect(),
            None => {
                let text = coder.text();
                values
                    .iter()
                    .map(|&v| if v == Keys::NO_INT { MISSING } else { text.code(v.to_string().as_bytes()) })
                    .collect()
            }
        },
        Keys::Local { mut codes, names } => {
            let text = coder.text();
            // one lookup per name of the block, at its first kept row
            let mut of = vec![MISSING; names.len()];
            for code in &mut codes {
                if *code != MISSING {
                    let slot = &mut of[*code as usize];
                    if *slot == MISSING {
                        *slot = text.code(names.name(*code as usize));
                    }
                    *code = *slot;
                }
            }
            codes
        }
    }
}

fn rule_words(rules: &Rules, plan: &Plan, options: &ImportOptions, has_order: bool, time_of_day: bool) -> Vec<String> {
    let clean = &options.clean;
    let why = match (has_order, time_of_day) {
        (true, _) => "rows carry an order id",
        (_, true) => "rows carry a time of day",
        _ => "rows have neither an order id nor a time of day, so two equal purchases on one day look the same",
    };
    let duplicates = match (clean.duplicates, rules.drop_duplicates) {
        (Duplicates::Auto, true) => format!("exact duplicates dropped: {why}"),
        (Duplicates::Auto, false) => format!("exact duplicates kept: {why}"),
        (_, true) => "exact duplicates dropped, as asked".into(),
        (_, false) => "exact duplicates kept, as asked".into(),
    };
    let cancellations = match clean.cancellations {
        Cancellations::SameDay => {
            "a cancellation on the day of its purchase undoes it (of the last purchase of a customer's first day only the \
             money); a later one is a refund on its own day"
        }
        Cancellations::AnyDay => "a cancellation undoes its purchase, whenever it came",
        Cancellations::Refund => "cancellations are refunds",
        Cancellations::Drop => "cancellations dropped",
    };
    let refunds = match clean.refunds {
        Refunds::Separate => "refunds are events of their own; spend is what was paid",
        Refunds::Net => "refunds are taken off the latest earlier purchases",
        Refunds::Drop => "refunds dropped",
    };
    let zero = match (clean.zero_amounts, plan.mapping.amount) {
        (ZeroAmounts::Auto, AmountSource::PriceTimesQuantity) => {
            "purchases of amount zero dropped: the amount is price × quantity"
        }
        (ZeroAmounts::Drop, _) => "purchases of amount zero dropped",
        _ => "purchases of amount zero kept",
    };
    let tests = if clean.drop_test_orders { "test orders dropped" } else { "test orders kept" };
    let goods = if clean.drop_non_goods {
        "items that are not goods dropped"
    } else {
        "items that are not goods kept and counted"
    };
    let mut words: Vec<String> = vec![duplicates];
    words.extend([cancellations, refunds, zero, tests, goods].map(str::to_owned));
    if let Some(currency) = &plan.currency {
        words.push(format!("only rows in {currency} kept"));
    }
    if let Some(now) = plan.now {
        let fate = if clean.drop_future { "dropped" } else { "kept and counted" };
        words.push(format!("rows after {} {fate}", Cutoff::after(now.day()).last_day() as Day));
    }
    words
}

/// Codes for another file's keys, by the log's customer ids.
pub(crate) fn positions(ids: &[String]) -> FxHashMap<&str, usize> {
    ids.iter().enumerate().map(|(i, id)| (id.as_str(), i)).collect()
}
