//! What was read, kept and dropped, and why: every row is accounted for.
//!
//! The one idea: a row is dropped for exactly one [`Reason`], so read = kept + Σ dropped, and that is asserted. Beside this
//! exclusive ledger stand the [`Found`] counts over all rows, which overlap (a row without a customer may be a duplicate as
//! well). Examples carry source row numbers and the *shape* of the offending cell, never a name or an id.

use std::collections::BTreeMap;

use guike_core::Day;
use serde::{Deserialize, Serialize};

use crate::reader::FileRows;

/// Why a row is not in the log. A row that breaks several rules is counted under the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// More or fewer cells than the header has.
    CellCount,
    /// The header once more, as in exports that were put one after another.
    RepeatedHeader,
    /// A line of totals (合计, Total) and no event: it has no time.
    TotalLine,
    /// No customer id.
    MissingCustomer,
    /// No time.
    MissingTime,
    /// A time that does not fit the column's date format.
    UnparsableTime,
    /// No amount (or no price, or no quantity).
    MissingAmount,
    /// An amount, price or quantity that is no finite number below 10^12.
    UnparsableAmount,
    /// Another currency than the one to keep.
    OtherCurrency,
    /// After the present moment.
    FutureTime,
    /// A status that says the order did not go through.
    NotCompleted,
    /// A test customer, order or item.
    TestOrder,
    /// An item code on the list of non-goods.
    NonGoods,
    /// Amount zero, dropped by rule.
    ZeroAmount,
    /// Equal to an earlier row in every cell.
    ExactDuplicate,
    /// A purchase that was cancelled in full.
    CancelledPurchase,
    /// A cancellation that was set off against its purchase, or dropped by rule.
    Cancellation,
    /// A refund that was taken off earlier purchases, or dropped by rule.
    Refund,
}

impl Reason {
    /// Every reason, in the order in which they are checked.
    pub const ALL: [Reason; 18] = [
        Reason::CellCount,
        Reason::RepeatedHeader,
        Reason::TotalLine,
        Reason::MissingCustomer,
        Reason::MissingTime,
        Reason::UnparsableTime,
        Reason::MissingAmount,
        Reason::UnparsableAmount,
        Reason::OtherCurrency,
        Reason::FutureTime,
        Reason::NotCompleted,
        Reason::TestOrder,
        Reason::NonGoods,
        Reason::ZeroAmount,
        Reason::ExactDuplicate,
        Reason::CancelledPurchase,
        Reason::Cancellation,
        Reason::Refund,
    ];

    /// The reason in words, to follow "rows with …" or "rows: …".
    pub fn words(self) -> &'static str {
        match self {
            Reason::CellCount => "another number of cells than the header",
            Reason::RepeatedHeader => "the header once more",
            Reason::TotalLine => "a line of totals",
            Reason::MissingCustomer => "no customer",
            Reason::MissingTime => "no time",
            Reason::UnparsableTime => "a time that does not fit the date format",
            Reason::MissingAmount => "no amount",
            Reason::UnparsableAmount => "an amount that is not a number",
            Reason::OtherCurrency => "another currency",
            Reason::FutureTime => "a time in the future",
            Reason::NotCompleted => "a status that says the order did not go through",
            Reason::TestOrder => "a test order",
            Reason::NonGoods => "an item that is not goods",
            Reason::ZeroAmount => "amount zero",
            Reason::ExactDuplicate => "an exact duplicate",
            Reason::CancelledPurchase => "a purchase cancelled in full",
            Reason::Cancellation => "a cancellation set off against its purchase",
            Reason::Refund => "a refund taken off purchases",
        }
    }
}

/// One dropped row, as an example.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Example {
    /// Data row of the source, from 1 (header lines are not counted).
    pub row: u64,
    /// The file it is in, where the log is several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// The offending column, where it is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<String>,
    /// Shape of the offending cell: digits are 9, letters x; `***` for ids and names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
}

/// How many rows have a property, over all rows read; properties overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Found {
    /// Rows without a customer id.
    pub missing_customer: u64,
    /// Rows without a time.
    pub missing_time: u64,
    /// Rows with a time that does not fit the date format.
    pub unparsable_time: u64,
    /// Rows without an amount.
    pub missing_amount: u64,
    /// Rows with an amount that is no number.
    pub unparsable_amount: u64,
    /// Rows of invoices that cancel.
    pub cancellation_rows: u64,
    /// Rows equal to an earlier one.
    pub exact_duplicates: u64,
    /// Rows with a negative price.
    pub negative_price: u64,
    /// Rows with price 0.
    pub zero_price: u64,
    /// Rows with a negative quantity.
    pub negative_quantity: u64,
    /// Rows with a negative amount.
    pub negative_amount: u64,
    /// Rows with amount 0.
    pub zero_amount: u64,
    /// Rows of test customers, orders or items.
    pub test_rows: u64,
    /// Rows whose item is not goods.
    pub non_goods_rows: u64,
    /// Rows after the present moment.
    pub future_rows: u64,
    /// Rows whose status says that the order did not go through.
    pub not_completed_rows: u64,
    /// Rows whose kind of event has no known name.
    pub unknown_kind_rows: u64,
    /// Cancellations matched with a purchase of the same day.
    pub cancellations_matched_same_day: u64,
    /// Cancellations matched with a purchase of an earlier day.
    pub cancellations_matched_later: u64,
    /// Cancellations without a purchase in the log.
    pub cancellations_unmatched: u64,
    /// Purchases whose amount was reduced by a cancellation or a refund.
    pub purchases_reduced: u64,
    /// Refund events that stay in the log.
    pub refunds_kept: u64,
    /// Purchases far outside the usual range of this log's amounts (see [`QualityReport::extreme_above`]).
    pub extreme_amounts: u64,
}

impl Found {
    fn merge(&mut self, o: &Found) {
        let pairs = [
            (&mut self.missing_customer, o.missing_customer),
            (&mut self.missing_time, o.missing_time),
            (&mut self.unparsable_time, o.unparsable_time),
            (&mut self.missing_amount, o.missing_amount),
            (&mut self.unparsable_amount, o.unparsable_amount),
            (&mut self.cancellation_rows, o.cancellation_rows),
            (&mut self.exact_duplicates, o.exact_duplicates),
            (&mut self.negative_price, o.negative_price),
            (&mut self.zero_price, o.zero_price),
            (&mut self.negative_quantity, o.negative_quantity),
            (&mut self.negative_amount, o.negative_amount),
            (&mut self.zero_amount, o.zero_amount),
            (&mut self.test_rows, o.test_rows),
            (&mut self.non_goods_rows, o.non_goods_rows),
            (&mut self.future_rows, o.future_rows),
            (&mut self.not_completed_rows, o.not_completed_rows),
            (&mut self.unknown_kind_rows, o.unknown_kind_rows),
            (&mut self.cancellations_matched_same_day, o.cancellations_matched_same_day),
            (&mut self.cancellations_matched_later, o.cancellations_matched_later),
            (&mut self.cancellations_unmatched, o.cancellations_unmatched),
            (&mut self.purchases_reduced, o.purchases_reduced),
            (&mut self.refunds_kept, o.refunds_kept),
            (&mut self.extreme_amounts, o.extreme_amounts),
        ];
        for (mine, theirs) in pairs {
            *mine += theirs;
        }
    }
}

/// Examples kept per reason.
const N_EXAMPLES: usize = 3;

/// Rows dropped for one reason, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) rows: u64,
    pub(crate) examples: Vec<Example>,
}

impl Tally {
    fn merge(&mut self, other: Tally) {
        self.rows += other.rows;
        if !other.examples.is_empty() {
            self.examples.extend(other.examples);
            self.examples.sort_unstable();
            self.examples.truncate(N_EXAMPLES);
        }
    }
}

/// Counts of one worker; merging is commutative, so the order of threads never shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    /// Properties over all rows.
    pub found: Found,
    pub(crate) dropped: BTreeMap<Reason, Tally>,
    pub(crate) sizes: Sizes,
}

impl Ledger {
    /// Adds another worker's counts.
    pub fn merge(&mut self, other: Ledger) {
        self.found.merge(&other.found);
        for (reason, tally) in other.dropped {
            self.dropped.entry(reason).or_default().merge(tally);
        }
        self.sizes.merge(&other.sizes);
    }

    /// Counts a dropped row. `row` is the source row from 0; `describe` gives the offending column and the cell's shape
    /// and is only asked for the few rows that become examples.
    pub fn drop_row(&mut self, reason: Reason, row: u64, describe: impl FnOnce() -> (Option<String>, Option<String>)) {
        let tally = self.dropped.entry(reason).or_default();
        tally.rows += 1;
        let row = row + 1;
        if tally.examples.len() == N_EXAMPLES && tally.examples.last().is_some_and(|e| e.row < row) {
            return;
        }
        let (column, value) = describe();
        tally.examples.push(Example { row, file: None, column, value });
        tally.examples.sort_unstable();
        tally.examples.truncate(N_EXAMPLES);
    }

    /// Rows dropped for this reason.
    pub fn dropped(&self, reason: Reason) -> u64 {
        self.dropped.get(&reason).map_or(0, |t| t.rows)
    }

    /// Rows dropped for any reason.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.values().map(|t| t.rows).sum()
    }

    /// Moves the rows of the examples, which a worker counts from the start of its own piece.
    pub(crate) fn shift_rows(&mut self, by: u64) {
        self.dropped.values_mut().flat_map(|t| &mut t.examples).for_each(|e| e.row += by);
    }
}

/// How large purchases are, in bins of a sixteenth of a doubling; empty until the first purchase.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sizes {
    bins: Vec<u64>,
}

const BINS: usize = 1024;

impl Sizes {
    /// Adds one purchase of `micros` > 0.
    #[inline]
    pub(crate) fn add(&mut self, micros: i64) {
        if micros <= 0 {
            return;
        }
        if self.bins.is_empty() {
            self.bins = vec![0; BINS];
        }
        // exponent and first four bits of the mantissa of the amount
        let bin = ((micros as f64).to_bits() >> 48) as usize - (1023 << 4);
        self.bins[bin.min(BINS - 1)] += 1;
    }

    fn merge(&mut self, other: &Sizes) {
        if self.bins.is_empty() {
            self.bins.clone_from(&other.bins);
        } else {
            self.bins.iter_mut().zip(&other.bins).for_each(|(a, b)| *a += b);
        }
    }

    fn quantile(&self, share: f64) -> f64 {
        let total: u64 = self.bins.iter().sum();
        let target = (total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        let at = self.bins.iter().position(|&n| {
            seen += n;
            seen >= target
        });
        at.map_or(0.0, |bin| (bin as f64 + 0.5) / 16.0)
    }

    /// The amount in millionths above which a purchase is extreme, and how many are: robust z above 6 on the logarithm,
    /// with spread (q75 − q25) / 1.349 and at least half a doubling. `None` below 20 purchases.
    pub(crate) fn extreme(&self) -> Option<(f64, u64)> {
        if self.bins.iter().sum::<u64>() < 20 {
            return None;
        }
        let spread = ((self.quantile(0.75) - self.quantile(0.25)) / 1.349).max(0.5);
        let limit = self.quantile(0.5) + 6.0 * spread;
        let first = (limit * 16.0).ceil() as usize;
        let count = self.bins.iter().skip(first).sum();
        Some(((first as f64 / 16.0).exp2(), count))
    }
}

/// Rows dropped for one reason, for the reader of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// The reason.
    pub reason: Reason,
    /// Its number of rows.
    pub rows: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// Which column plays a role, and how that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedColumn {
    /// The role: customer, time, amount …
    pub role: String,
    /// The column.
    pub column: String,
    /// How it was found, in words.
    pub because: String,
}

/// What one file is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceInfo {
    /// Its name, without folders.
    pub file: String,
    /// `csv`, `json-lines`, `parquet`, `xlsx` …
    pub format: String,
    /// `gzip`, `zstd`, or nothing.
    pub compression: Option<String>,
    /// Text encoding, of text formats.
    pub encoding: Option<String>,
    /// Delimiter, of delimited text.
    pub delimiter: Option<String>,
    /// Whether the first line named the columns.
    pub header: bool,
    /// Lines above the header that hold a title and no table.
    pub title_lines: u32,
    /// Worksheets read.
    pub sheets: Vec<String>,
    /// Worksheets that hold something else.
    pub sheets_left_out: Vec<String>,
    /// Every column, in order.
    pub columns: Vec<String>,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Data rows read.
    pub rows_read: u64,
    /// First day of its rows that are events by themselves, before customers are cleaned.
    pub first_day: Option<Day>,
    /// Last day.
    pub last_day: Option<Day>,
}

/// What was read, what it was taken for, and what became of every row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QualityReport {
    /// The files, in the order in which they were read.
    pub sources: Vec<SourceInfo>,
    /// Which column plays which role.
    pub mapping: Vec<MappedColumn>,
    /// How dates are written, and why we think so.
    pub date_format: String,
    /// Where the amount comes from, in words.
    pub amount: String,
    /// Data rows read.
    pub rows_read: u64,
    /// Rows in the log: `rows_read` − Σ `dropped`.
    pub rows_kept: u64,
    /// Rows that are not, by reason.
    pub dropped: Vec<Dropped>,
    /// Properties over all rows.
    pub found: Found,
    /// Amount in currency units above which a purchase counts as extreme.
    pub extreme_above: Option<f64>,
    /// Customers in the log.
    pub customers: u64,
    /// First day with a purchase.
    pub first_day: Option<Day>,
    /// Last day with a purchase.
    pub last_day: Option<Day>,
    /// Currency, where the log names one.
    pub currency: Option<String>,
    /// Events that a server took and that stand behind the files' rows, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<EventsRead>,
    /// The rules that were applied, in words.
    pub rules: Vec<String>,
    /// What the reader of the report should know besides.
    pub notes: Vec<String>,
}

impl QualityReport {
    /// Takes over a ledger's counts.
    ///
    /// # Panics
    /// When a row is unaccounted for: `rows_read` ≠ `rows_kept` + Σ dropped.
    pub(crate) fn settle(&mut self, ledger: Ledger, rows_read: u64, rows_kept: u64) {
        assert_eq!(rows_read, rows_kept + ledger.dropped_total(), "every row read is kept or dropped for one reason");
        self.rows_read = rows_read;
        self.rows_kept = rows_kept;
        let extreme = ledger.sizes.extreme();
        self.extreme_above = extreme.map(|(micros, _)| micros / guike_core::Money::PER_UNIT as f64);
        self.found = ledger.found;
        self.found.extreme_amounts = extreme.map_or(0, |(_, n)| n);
        self.dropped = ledger
            .dropped
            .into_iter()
            .map(|(reason, tally)| Dropped { reason, rows: tally.rows, examples: tally.examples })
            .collect();
    }

    /// Gives examples the file they are in and the row within it.
    pub(crate) fn name_files(&mut self, files: &[FileRows]) {
        for example in self.dropped.iter_mut().flat_map(|d| &mut d.examples) {
            // an empty file begins where the next one does
            let at = files.partition_point(|f| f.before < example.row).saturating_sub(1);
            example.row -= files[at].before;
            example.file = self.sources.get(at).map(|s| s.file.clone());
        }
    }

    /// Rows dropped for this reason.
    pub fn dropped(&self, reason: Reason) -> u64 {
        self.dropped.iter().find(|d| d.reason == reason).map_or(0, |d| d.rows)
    }
}

/// How far a log of events was read, so that whoever reads it further knows where to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsRead {
    /// How many events, from the first.
    pub events: u64,
    /// A checksum of them: another log has another one.
    pub digest: String,
}

/// The shape of a cell: digits become 9, letters x, other scripts 文; at most 24 characters.
///
/// ```
/// assert_eq!(guike_data::quality::mask("2010-13-45 Ann".as_bytes()), "9999-99-99 xxx");
/// ```
pub fn mask(cell: &[u8]) -> String {
    const LONGEST: usize = 24;
    let text = String::from_utf8_lossy(&cell[..cell.len().min(4 * LONGEST)]);
    let mut shape: String = text
        .chars()
        .take(LONGEST)
        .map(|c| match c {
            '0'..='9' => '9',
            _ if c.is_ascii_alphabetic() => 'x',
            _ if c.is_alphanumeric() => '文',
            _ if c.is_control() => '?',
            _ => c,
        })
        .collect();
    if text.chars().count() > LONGEST {
        shape.push('…');
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_ledgers_in_any_order_gives_the_same_examples() {
        let ledger = |rows: &[u64]| {
            let mut l = Ledger::default();
            rows.iter().for_each(|&r| l.drop_row(Reason::MissingTime, r, || (None, None)));
            l
        };
        let (a, b) = (ledger(&[5, 1, 9, 7]), ledger(&[2, 8]));
        let mut ab = a.clone();
        ab.merge(b.clone());
        let mut ba = b;
        ba.merge(a);
        assert_eq!(ab, ba);
        assert_eq!(ab.dropped(Reason::MissingTime), 6);
        assert_eq!(ab.dropped[&Reason::MissingTime].examples.iter().map(|e| e.row).collect::<Vec<_>>(), [2, 3, 6]);
    }

    #[test]
    fn one_purchase_a_thousand_times_the_others_is_extreme() {
        let mut sizes = Sizes::default();
        for i in 0..1000 {
            sizes.add(10_000_000 + i * 10_000);
        }
        assert_eq!(sizes.extreme().map(|e| e.1), Some(0));
        sizes.add(20_000_000_000);
        assert_eq!(sizes.extreme().map(|e| e.1), Some(1));
    }

    #[test]
    #[should_panic(expected = "every row read")]
    fn an_unaccounted_row_is_a_bug() {
        QualityReport::default().settle(Ledger::default(), 2, 1);
    }
}
