//! What a caller may say about a log: plain data, so that flags and `guike.toml` carry the same thing.

use guike_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dates::DateFormat;
use crate::numbers::DecimalSign;

/// Everything an import can be told; the default asks for nothing and finds everything.
///
/// ```
/// use guike_data::ImportOptions;
/// let options: ImportOptions = serde_json::from_str(r#"{"read": {"customer": "buyer"}}"#).unwrap();
/// assert_eq!(options.read.customer.as_deref(), Some("buyer"));
/// assert!(serde_json::from_str::<ImportOptions>(r#"{"raed": {}}"#).is_err());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportOptions {
    /// Where the columns are and how they are written.
    pub read: ReadOptions,
    /// Which rows stay.
    pub clean: CleanOptions,
    /// The present moment, handed in: later rows are in the future. `None` checks nothing. Not written back to settings: a
    /// run repeated tomorrow has another present.
    #[serde(skip_serializing)]
    pub now: Option<Timestamp>,
    /// Working memory for partitioning and sorting, in MiB.
    pub memory_mib: MemoryLimit,
}

/// Working memory in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemoryLimit(pub u64);

impl Default for MemoryLimit {
    /// 1 GiB: what a small server can spare.
    fn default() -> MemoryLimit {
        MemoryLimit(1024)
    }
}

/// Where the columns are and how they are written; `None` means "find out".
///
/// A column is given by its name (case, spaces and underscores do not matter) or, in a file without a header, as
/// `column_1`, `column_2` …
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// Column of the customer id.
    pub customer: Option<String>,
    /// Column of the time, or of the day.
    pub time: Option<String>,
    /// Column of the time of day, where the day stands in a column of its own.
    pub clock: Option<String>,
    /// Column of the amount paid; `none` for a log without money.
    pub amount: Option<String>,
    /// Column of the price of one piece.
    pub price: Option<String>,
    /// Column of the number of pieces.
    pub quantity: Option<String>,
    /// Column of the order number.
    pub order: Option<String>,
    /// Column of the item.
    pub item: Option<String>,
    /// Column of the item's category.
    pub category: Option<String>,
    /// Column that says what happened (view, cart, purchase …).
    pub kind: Option<String>,
    /// Column that says whether the order went through (paid, cancelled …).
    pub status: Option<String>,
    /// Column of the currency code.
    pub currency_column: Option<String>,
    /// The one currency to keep.
    pub currency: Option<String>,
    /// Text encoding: `utf-8`, `utf-16le`, `utf-16be`, `gb18030` (also `gbk`), `latin-1` (also `windows-1252`).
    pub encoding: Option<String>,
    /// Delimiter of text tables: one character, `tab` or `space`.
    pub delimiter: Option<String>,
    /// Whether a line names the columns.
    pub header: Option<bool>,
    /// Lines above the header (or above the first row) that hold a title and no table; found when absent.
    pub title_lines: Option<u32>,
    /// The worksheet, or the table of a database, to read; when absent, the first that holds a log, and all worksheets that
    /// share its header.
    pub sheet: Option<String>,
    /// The query whose rows are the log, of a database that speaks SQL.
    pub query: Option<String>,
    /// The array whose elements are rows of their own, of a collection.
    pub unwind: Option<String>,
    /// How dates are written.
    pub date_format: Option<DateFormat>,
    /// The decimal sign.
    pub decimal: Option<DecimalSign>,
}

/// What to do with exact duplicate rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// Drop them where rows carry an order id or a time of day: equal to the second is one purchase told twice. Keep them
    /// in a daily log without order ids, where two equal purchases on one day look the same.
    #[default]
    Auto,
    /// Always drop all but the first.
    Drop,
    /// Always keep them.
    Keep,
}

/// What to do with cancellations of earlier purchases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancellations {
    /// A purchase cancelled on its own day never counted: both rows go, or the purchase is reduced. A later cancellation
    /// is a refund on its own day, because as of any cutoff in between nobody knew of it.
    #[default]
    SameDay,
    /// A matched purchase is removed or reduced whenever the cancellation came. Looks into the future of the cutoffs in
    /// between: for accounting, not for backtests.
    AnyDay,
    /// Never matched: every cancellation is a refund.
    Refund,
    /// Every cancellation row is dropped, and the purchases stay.
    Drop,
}

/// What to do with money given back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refunds {
    /// Refunds are events of their own and spend stays what was paid.
    #[default]
    Separate,
    /// Refunds are taken off the customer's latest earlier purchases, the same item first; what exceeds them stays a refund. Looks into the
    /// future of the cutoffs in between.
    Net,
    /// Refund rows are dropped.
    Drop,
}

/// What to do with purchases of amount zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZeroAmounts {
    /// Kept where a row carries the amount itself (an order may be free), dropped where it is price × quantity (a price
    /// of 0 there is a stock correction or a gift line).
    #[default]
    Auto,
    /// Always kept.
    Keep,
    /// Always dropped.
    Drop,
}

/// Which rows stay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CleanOptions {
    /// Exact duplicates.
    pub duplicates: Duplicates,
    /// Cancellations.
    pub cancellations: Cancellations,
    /// Refunds and negative amounts.
    pub refunds: Refunds,
    /// Zero amounts.
    pub zero_amounts: ZeroAmounts,
    /// Drop rows whose customer, order or item is a test (`TEST`, `test001`, `测试`). Default true: nobody paid for them.
    pub drop_test_orders: bool,
    /// Drop rows whose item is on the list of non-goods. Default false: postage and fees a customer paid are revenue, and
    /// value is what we forecast.
    pub drop_non_goods: bool,
    /// Item codes that are not goods, in any case.
    pub non_goods: Vec<String>,
    /// Drop rows after `now`. Default true: they cannot have happened.
    pub drop_future: bool,
}

impl Default for CleanOptions {
    fn default() -> CleanOptions {
        CleanOptions {
            duplicates: Duplicates::default(),
            cancellations: Cancellations::default(),
            refunds: Refunds::default(),
            zero_amounts: ZeroAmounts::default(),
            drop_test_orders: true,
            drop_non_goods: false,
            // the codes of Online Retail I and II that are no goods, and their usual names elsewhere
            non_goods: [
                "POST",
                "DOT",
                "M",
                "D",
                "S",
                "B",
                "C2",
                "C3",
                "PADS",
                "CRUK",
                "ADJUST",
                "ADJUST2",
                "AMAZONFEE",
                "BANK CHARGES",
                "POSTAGE",
                "SHIPPING",
                "DISCOUNT",
                "FEE",
                "MANUAL",
                "SAMPLES",
                "运费",
                "邮费",
                "差价",
                "补差价",
                "补运费",
                "手续费",
                "打包费",
            ]
            .map(str::to_owned)
            .to_vec(),
            drop_future: true,
        }
    }
}
