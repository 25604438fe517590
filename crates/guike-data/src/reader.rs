//! The serial step of reading: codes in the order of the files, and the account of every row so far.
//!
//! Blocks are interpreted on any thread; here they arrive in file order, so that codes depend on the log and on nothing
//! else. Row numbers run through all files of a log.

use std::collections::BTreeMap;

use guike_core::{Day, Timestamp};
use rustc_hash::FxHashSet;

use crate::clean::Rules;
use crate::dictionary::KeyCoder;
use crate::error::DataError;
use crate::files::LogFiles;
use crate::import::{Draft, RowsRead};
use crate::interpret::{Interpreted, Keys, Plan};
use crate::mapping::AmountSource;
use crate::names::Role;
use crate::options::{Cancellations, CleanOptions, Duplicates, ImportOptions, Refunds, ZeroAmounts};
use crate::quality::{Ledger, QualityReport, SourceInfo};
use crate::rows::{Dictionaries, RowBatch, RowColumns, RowSink};

/// Hashes of dropped rows that are remembered to count duplicates among them: 20 million, 320 MiB at the very most.
const DROPPED_LIMIT: usize = 20_000_000;

/// The rows of one file.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FileRows {
    /// Rows of the files before it.
    pub(crate) before: u64,
    pub(crate) rows: u64,
    /// Smallest and largest time of the rows that survived so far, in seconds.
    span: Option<(i64, i64)>,
}

impl FileRows {
    /// First and last day.
    fn days(&self) -> Option<(Day, Day)> {
        self.span.map(|(first, last)| (Timestamp(first).day(), Timestamp(last).day()))
    }
}

/// Gives codes in the order of the files and passes rows on.
pub(crate) struct Reader {
    columns: RowColumns,
    customer: KeyCoder,
    item: KeyCoder,
    category: KeyCoder,
    order: KeyCoder,
    ledger: Ledger,
    rows_read: u64,
    files: Vec<FileRows>,
    dropped: FxHashSet<u64>,
    currencies: BTreeMap<String, u64>,
    time_of_day: bool,
    unknown_kinds: bool,
}

impl Reader {
    /// `coder` makes the dictionary of a role.
    pub(crate) fn new(columns: RowColumns, coder: impl Fn(Role) -> KeyCoder) -> Reader {
        Reader {
            columns,
            customer: coder(Role::Customer),
            item: coder(Role::Item),
            category: coder(Role::Category),
            order: coder(Role::Order),
            ledger: Ledger::default(),
            rows_read: 0,
            files: Vec::new(),
            dropped: FxHashSet::default(),
            currencies: BTreeMap::new(),
            time_of_day: false,
            unknown_kinds: false,
        }
    }

    /// The next file begins.
    pub(crate) fn begin_file(&mut self) {
        self.files.push(FileRows { before: self.rows_read, ..FileRows::default() });
    }

    /// Takes the next block of the file that began last.
    pub(crate) fn merge(
        &mut self,
        mut piece: Interpreted,
        files: &LogFiles,
        sink: &mut dyn RowSink,
    ) -> Result<(), DataError> {
        let limit = u64::from(u32::MAX);
        if self.rows_read + piece.n_source_rows as u64 > limit {
            return Err(DataError::TooManyRows { path: files.path(), limit });
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
        let file = self.files.last_mut().expect("a file began");
        file.rows += piece.n_source_rows as u64;
        if let (Some(&low), Some(&high)) = (piece.time.iter().min(), piece.time.iter().max()) {
            file.span = Some(file.span.map_or((low, high), |(a, b)| (a.min(low), b.max(high))));
        }
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
        debug_assert!(batch.fits(self.columns), "the batch has the columns that were announced");
        sink.push(batch)
    }

    /// What is known when every row has been passed on; `plan` is the first file's.
    pub(crate) fn finish(
        self,
        files: &LogFiles,
        plan: &Plan,
        options: &ImportOptions,
        mut report: QualityReport,
    ) -> Result<RowsRead, DataError> {
        let currency = self.currency(plan, &report)?;
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
        report.rules = rule_words(&rules, plan, &options.clean, self.time_of_day, self.ledger.found.future_rows);
        for (source, rows) in report.sources.iter_mut().zip(&self.files) {
            source.rows_read = rows.rows;
            (source.first_day, source.last_day) = rows.days().unzip();
        }
        if !rules.drop_duplicates {
            report.notes.extend(overlap(&report.sources));
        }
        let (customer_ids, customer_rank) = self.customer.into_ranked();
        let dictionaries = Dictionaries {
            customer_ids,
            customer_rank,
            items: self.item.into_names(),
            categories: self.category.into_names(),
            currency,
        };
        let draft = Draft::new(files.path(), report, self.ledger, self.rows_read, self.files);
        Ok(RowsRead { dictionaries, rules, report: draft })
    }

    /// The one currency of the log, where it names one.
    fn currency(&self, plan: &Plan, report: &QualityReport) -> Result<Option<String>, DataError> {
        let mut currencies: Vec<(&String, &u64)> = self.currencies.iter().collect();
        currencies.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        if currencies.len() > 1 && plan.currency.is_none() {
            let role =
                [Role::Currency, Role::Amount, Role::Price].into_iter().find(|&r| plan.mapping.column(r).is_some());
            let column =
                role.and_then(|r| report.mapping.iter().find(|m| m.role == r.name())).map(|m| m.column.clone());
            let counts: Vec<String> = currencies.iter().map(|(code, n)| format!("{code} in {n} rows")).collect();
            return Err(DataError::MixedCurrencies {
                column: column.unwrap_or_default(),
                counts: counts.join(", "),
                first: currencies[0].0.clone(),
            });
        }
        Ok(plan.currency.clone().or_else(|| currencies.first().map(|c| c.0.clone())))
    }
}

/// A remark about files whose days overlap, in a log whose duplicates cannot be told from equal purchases.
fn overlap(sources: &[SourceInfo]) -> Option<String> {
    let mut days: Vec<(Day, Day, &str)> =
        sources.iter().filter_map(|s| Some((s.first_day?, s.last_day?, s.file.as_str()))).collect();
    days.sort();
    let pair = days.windows(2).find(|w| w[1].0 <= w[0].1)?;
    let (first, last) = (pair[1].0, pair[0].1.min(pair[1].1));
    Some(format!(
        "`{}` and `{}` both have rows from {first} to {last}, and duplicates are kept: a row that stands in both counts \
         twice; `duplicates = \"drop\"` under [data.clean] drops it",
        pair[0].2, pair[1].2
    ))
}

/// The block's keys as the log's codes.
fn codes(keys: Keys, coder: &mut KeyCoder) -> Vec<u32> {
    const MISSING: u32 = guike_core::Events::MISSING;
    match keys {
        Keys::Absent => Vec::new(),
        Keys::Ints(values) => match coder.int_codes(&values, Keys::NO_INT) {
            Some(codes) => codes,
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

fn rule_words(rules: &Rules, plan: &Plan, clean: &CleanOptions, time_of_day: bool, future_rows: u64) -> Vec<String> {
    let why = match (plan.mapping.column(Role::Order).is_some(), time_of_day) {
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
        // the day is named only where it mattered: else the report would differ from day to day
        words.push(match future_rows {
            0 => format!("rows in the future {fate}"),
            _ => format!("rows after {} {fate}", now.day()),
        });
    }
    words
}
