//! From raw cells to events: one block at a time, on any thread.
//!
//! Columns are converted one by one (times, money, keys), then one loop decides for every row whether it stays. A row is
//! dropped for the first [`Reason`] it meets. Keys are numbered within the block; the serial [`crate::import`] step gives
//! them their codes in the order of the file.

use std::collections::BTreeMap;

use guike_core::{EventKind, Events, Money, SECONDS_PER_DAY, Timestamp};
use rustc_hash::FxHashSet;

use crate::block::{Block, Column};
use crate::clock::ClockFormat;
use crate::dates::{DateFormat, excel_days};
use crate::dictionary::{StrCoder, canonical_integer};
use crate::mapping::{AmountSource, Mapping};
use crate::names::Role;
use crate::numbers::{self, CURRENCIES, DecimalSign};
use crate::options::{CleanOptions, ZeroAmounts};
use crate::quality::{Found, Ledger, Reason, mask};
use crate::rows::{RowColumns, flag};
use crate::words::{Status, is_cancellation, is_label, is_test, is_total, kind_of, status_of};

/// A cell without a value.
const MISSING: i64 = i64::MIN;
/// A cell with a value that cannot be read.
const BAD: i64 = i64::MIN + 1;

/// Everything that was decided before the rows are read.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) mapping: Mapping,
    /// Source columns that are read, in block order.
    pub(crate) wanted: Vec<usize>,
    /// Names of those, for examples.
    pub(crate) names: Vec<String>,
    pub(crate) date: Option<DateFormat>,
    pub(crate) clock: Option<ClockFormat>,
    pub(crate) amount_sign: DecimalSign,
    pub(crate) quantity_sign: DecimalSign,
    /// Text ids like `17850.0` lose their fraction, by role.
    pub(crate) integral: BTreeMap<Role, bool>,
    /// Order ids of `C` and digits are cancellations.
    pub(crate) cancellation_prefix: bool,
    pub(crate) currency: Option<String>,
    pub(crate) now: Option<Timestamp>,
    pub(crate) clean: CleanOptions,
    pub(crate) non_goods: FxHashSet<String>,
    pub(crate) columns: RowColumns,
}

impl Plan {
    fn slot(&self, role: Role) -> Option<usize> {
        let column = self.mapping.column(role)?;
        self.wanted.iter().position(|&w| w == column)
    }
}

/// Keys of one column of a block.
#[derive(Debug)]
pub(crate) enum Keys {
    /// The log has no such column.
    Absent,
    /// Whole numbers; [`Keys::NO_INT`] where empty.
    Ints(Vec<i64>),
    /// Codes within the block; `Events::MISSING` where empty.
    Local { codes: Vec<u32>, names: StrCoder },
}

impl Keys {
    /// The mark of an empty cell among whole numbers.
    pub(crate) const NO_INT: i64 = MISSING;

    #[inline]
    fn is_missing(&self, row: usize) -> bool {
        match self {
            Keys::Absent => true,
            Keys::Ints(values) => values[row] == MISSING,
            Keys::Local { codes, .. } => codes[row] == Events::MISSING,
        }
    }

    fn filter(&mut self, keep: &[u32]) {
        match self {
            Keys::Absent => {}
            Keys::Ints(values) => *values = keep.iter().map(|&i| values[i as usize]).collect(),
            Keys::Local { codes, .. } => *codes = keep.iter().map(|&i| codes[i as usize]).collect(),
        }
    }

    /// One property per row, computed once per distinct key.
    fn mark(&self, test: impl Fn(&[u8]) -> bool) -> Option<Marks<'_>> {
        let Keys::Local { codes, names } = self else { return None };
        let of: Vec<bool> = (0..names.len()).map(|c| test(names.name(c))).collect();
        of.contains(&true).then_some(Marks { codes, of })
    }
}

struct Marks<'a> {
    codes: &'a [u32],
    of: Vec<bool>,
}

impl Marks<'_> {
    #[inline]
    fn get(&self, row: usize) -> bool {
        self.of.get(self.codes[row] as usize).copied().unwrap_or(false)
    }
}

/// The rows of one block that stay, and the fate of the others.
#[derive(Debug)]
pub(crate) struct Interpreted {
    pub(crate) n_source_rows: usize,
    pub(crate) customer: Keys,
    pub(crate) item: Keys,
    pub(crate) category: Keys,
    pub(crate) order: Keys,
    pub(crate) time: Vec<i64>,
    pub(crate) kind: Vec<u8>,
    pub(crate) amount: Vec<i64>,
    pub(crate) quantity: Vec<f32>,
    /// Rows of the block.
    pub(crate) row: Vec<u32>,
    pub(crate) hash: Vec<u64>,
    pub(crate) flags: Vec<u8>,
    pub(crate) ledger: Ledger,
    /// Hashes of the dropped rows.
    pub(crate) dropped_hash: Vec<u64>,
    pub(crate) currencies: BTreeMap<String, u64>,
    pub(crate) time_of_day: bool,
    pub(crate) unknown_kinds: bool,
}

fn times(column: &Column, format: Option<DateFormat>) -> Vec<i64> {
    let parse = |cell: &[u8]| {
        if numbers::is_missing(cell) { MISSING } else { format.and_then(|f| f.parse(cell)).unwrap_or(BAD) }
    };
    let mut out: Vec<i64>;
    match column {
        Column::Times { values, nulls, ticks_per_second } => {
            // constants, so that the compiler divides by multiplying
            out = match ticks_per_second {
                1 => values.to_vec(),
                1_000 => values.iter().map(|v| v.div_euclid(1_000)).collect(),
                1_000_000 => values.iter().map(|v| v.div_euclid(1_000_000)).collect(),
                _ => values.iter().map(|v| v.div_euclid(1_000_000_000)).collect(),
            };
            if let Some(nulls) = nulls {
                out.iter_mut().enumerate().filter(|(i, _)| nulls.is_null(*i)).for_each(|(_, t)| *t = MISSING);
            }
        }
        Column::Ints { values, nulls } => {
            out = values.iter().map(|&v| format.and_then(|f| f.parse_number(v)).unwrap_or(BAD)).collect();
            if let Some(nulls) = nulls {
                out.iter_mut().enumerate().filter(|(i, _)| nulls.is_null(*i)).for_each(|(_, t)| *t = MISSING);
            }
        }
        Column::Floats { values, nulls } => {
            let one = |v: f64| match format {
                Some(DateFormat::ExcelSerial) => excel_days(v).unwrap_or(BAD),
                Some(f) if v.fract() == 0.0 => f.parse_number(v as i64).unwrap_or(BAD),
                // seconds with a fraction
                Some(f) if v.is_finite() => f.parse_number(v.floor() as i64).unwrap_or(BAD),
                _ => BAD,
            };
            let null = |i: usize, v: f64| v.is_nan() || nulls.as_ref().is_some_and(|n| n.is_null(i));
            out = values.iter().enumerate().map(|(i, &v)| if null(i, v) { MISSING } else { one(v) }).collect();
        }
        Column::Text { bytes, spans } => {
            out = Vec::with_capacity(spans.len());
            // rows of one order share their time: comparing is cheaper than parsing
            let mut last: (&[u8], i64) = (b"", MISSING);
            for &(a, z) in spans {
                let cell = &bytes[a as usize..z as usize];
                if cell != last.0 {
                    last = (cell, parse(cell));
                }
                out.push(last.1);
            }
        }
        Column::Coded { keys, bytes, spans } => {
            let of: Vec<i64> = spans.iter().map(|&(a, z)| parse(&bytes[a as usize..z as usize])).collect();
            out = keys.iter().map(|&k| of.get(k as usize).copied().unwrap_or(MISSING)).collect();
        }
    }
    out
}

/// Adds the times of day to the days; a row without one stays at the start of its day.
fn add_clock(time: &mut [i64], column: &Column, format: ClockFormat) {
    let mut last: (Vec<u8>, i64) = (Vec::new(), 0);
    for (row, moment) in time.iter_mut().enumerate().filter(|(_, t)| **t > BAD) {
        let cell = column.cell_text(row);
        if cell != last.0 {
            let seconds = if numbers::is_missing(&cell) { 0 } else { format.parse(&cell).unwrap_or(BAD) };
            last = (cell, seconds);
        }
        *moment = if last.1 == BAD { BAD } else { *moment - moment.rem_euclid(SECONDS_PER_DAY) + last.1 };
    }
}

/// Millionths per row, and the currency each cell names (empty when none does).
fn micros(column: &Column, sign: DecimalSign) -> (Vec<i64>, Vec<Option<u8>>) {
    let parse = |cell: &[u8]| match numbers::parse(cell, sign) {
        Some(parsed) => (parsed.micros, parsed.currency),
        None if numbers::is_missing(cell) => (MISSING, None),
        None => (BAD, None),
    };
    let mut marks: Vec<Option<u8>> = Vec::new();
    let out = match column {
        Column::Floats { values, nulls } => {
            let one = |v: f64| numbers::float_micros(v).unwrap_or(if v.is_nan() { MISSING } else { BAD });
            match nulls {
                None => values.iter().map(|&v| one(v)).collect(),
                Some(n) => {
                    values.iter().enumerate().map(|(i, &v)| if n.is_null(i) { MISSING } else { one(v) }).collect()
                }
            }
        }
        Column::Ints { values, nulls } => {
            let one =
                |v: i64| v.checked_mul(Money::PER_UNIT).filter(|m| m.abs() <= 1_000_000_000_000_000_000).unwrap_or(BAD);
            match nulls {
                None => values.iter().map(|&v| one(v)).collect(),
                Some(n) => {
                    values.iter().enumerate().map(|(i, &v)| if n.is_null(i) { MISSING } else { one(v) }).collect()
                }
            }
        }
        Column::Times { values, .. } => vec![BAD; values.len()],
        Column::Text { bytes, spans } => {
            let mut out = Vec::with_capacity(spans.len());
            for (i, &(a, z)) in spans.iter().enumerate() {
                let (value, currency) = parse(&bytes[a as usize..z as usize]);
                out.push(value);
                if currency.is_some() || !marks.is_empty() {
                    marks.resize(i, None);
                    marks.push(currency);
                }
            }
            if !marks.is_empty() {
                marks.resize(out.len(), None);
            }
            out
        }
        Column::Coded { keys, bytes, spans } => {
            let of: Vec<(i64, Option<u8>)> =
                spans.iter().map(|&(a, z)| parse(&bytes[a as usize..z as usize])).collect();
            let get = |k: &u32| of.get(*k as usize).copied().unwrap_or((MISSING, None));
            if of.iter().any(|o| o.1.is_some()) {
                marks = keys.iter().map(|k| get(k).1).collect();
            }
            keys.iter().map(|k| get(k).0).collect()
        }
    };
    (out, marks)
}

fn strip_fraction(cell: &[u8], integral: bool) -> &[u8] {
    match cell.strip_suffix(b".0") {
        Some(whole) if integral && !whole.is_empty() && whole.iter().all(u8::is_ascii_digit) => whole,
        _ => cell,
    }
}

/// The keys of a column; `integral` takes `.0` off whole numbers.
pub(crate) fn keys(column: Option<&Column>, integral: bool) -> Keys {
    let Some(column) = column else { return Keys::Absent };
    match column {
        Column::Ints { values, nulls: None } => Keys::Ints(values.to_vec()),
        Column::Ints { values, nulls: Some(n) } => {
            Keys::Ints(values.iter().enumerate().map(|(i, &v)| if n.is_null(i) { MISSING } else { v }).collect())
        }
        Column::Floats { values, nulls } => {
            let null = |i: usize, v: f64| v.is_nan() || nulls.as_ref().is_some_and(|n| n.is_null(i));
            let whole = |v: f64| v.fract() == 0.0 && v.abs() < 9e15;
            if values.iter().enumerate().all(|(i, &v)| null(i, v) || whole(v)) {
                return Keys::Ints(
                    values.iter().enumerate().map(|(i, &v)| if null(i, v) { MISSING } else { v as i64 }).collect(),
                );
            }
            let mut names = StrCoder::default();
            let one = |(i, &v): (usize, &f64)| {
                if null(i, v) { Events::MISSING } else { names.code(v.to_string().as_bytes()) }
            };
            let codes = values.iter().enumerate().map(one).collect();
            Keys::Local { codes, names }
        }
        Column::Times { .. } => {
            let mut names = StrCoder::default();
            let n = match column {
                Column::Times { values, .. } => values.len(),
                _ => 0,
            };
            let codes = (0..n)
                .map(|i| {
                    let cell = column.cell_text(i);
                    if cell.is_empty() { Events::MISSING } else { names.code(&cell) }
                })
                .collect();
            Keys::Local { codes, names }
        }
        Column::Text { bytes, spans } => {
            let mut names = StrCoder::default();
            let mut codes = Vec::with_capacity(spans.len());
            let mut last: (&[u8], u32) = (b"", Events::MISSING);
            for &(a, z) in spans {
                let cell = &bytes[a as usize..z as usize];
                if cell != last.0 {
                    let code = if numbers::is_missing(cell) {
                        Events::MISSING
                    } else {
                        names.code(strip_fraction(cell, integral))
                    };
                    last = (cell, code);
                }
                codes.push(last.1);
            }
            Keys::Local { codes, names }
        }
        Column::Coded { keys, bytes, spans } => {
            let mut names = StrCoder::default();
            // in the order of the rows, not of the file's dictionary
            const UNSEEN: u32 = u32::MAX - 1;
            let mut of = vec![UNSEEN; spans.len()];
            let codes = keys
                .iter()
                .map(|&k| {
                    let Some(slot) = of.get_mut(k as usize) else { return Events::MISSING };
                    if *slot == UNSEEN {
                        let (a, z) = spans[k as usize];
                        let cell = bytes[a as usize..z as usize].trim_ascii();
                        *slot = if numbers::is_missing(cell) {
                            Events::MISSING
                        } else {
                            names.code(strip_fraction(cell, integral))
                        };
                    }
                    *slot
                })
                .collect();
            Keys::Local { codes, names }
        }
    }
}

/// Whether every filled cell of a sample's text column is a whole number, some with `.0`.
pub(crate) fn is_integral(column: &Column, n_rows: usize, name: &str) -> bool {
    if !matches!(column, Column::Text { .. } | Column::Coded { .. }) {
        return false;
    }
    let mut fractions = 0;
    for row in 0..n_rows {
        let cell = column.cell_text(row);
        if numbers::is_missing(&cell) || is_label(&cell, name) {
            continue;
        }
        let whole = strip_fraction(&cell, true);
        if canonical_integer(whole).is_none() {
            return false;
        }
        fractions += usize::from(whole.len() < cell.len());
    }
    fractions > 0
}

/// The money of every row and what was found on the way.
struct MoneyColumns {
    amount: Vec<i64>,
    price: Option<Vec<i64>>,
    quantity: Option<Vec<i64>>,
    marks: Vec<Option<u8>>,
}

fn money(block: &Block, plan: &Plan) -> MoneyColumns {
    let column = |role: Role| plan.slot(role).map(|s| &block.columns[s]);
    let quantity = column(Role::Quantity).map(|c| micros(c, plan.quantity_sign).0);
    let (amount, price, marks) = match plan.mapping.amount {
        AmountSource::Nothing => (vec![0; block.n_rows], None, Vec::new()),
        AmountSource::Amount => {
            let (amount, marks) = micros(column(Role::Amount).expect("the mapping has an amount"), plan.amount_sign);
            (amount, None, marks)
        }
        AmountSource::Price => {
            let (price, marks) = micros(column(Role::Price).expect("the mapping has a price"), plan.amount_sign);
            (price.clone(), Some(price), marks)
        }
        AmountSource::PriceTimesQuantity => {
            let (price, marks) = micros(column(Role::Price).expect("the mapping has a price"), plan.amount_sign);
            let pieces = quantity.as_deref().expect("the mapping has a quantity");
            let product = |(&p, &q): (&i64, &i64)| match (p, q) {
                (BAD, _) | (_, BAD) => BAD,
                (MISSING, _) | (_, MISSING) => MISSING,
                (p, q) => numbers::multiply(p, q).unwrap_or(BAD),
            };
            (price.iter().zip(pieces).map(product).collect(), Some(price), marks)
        }
    };
    MoneyColumns { amount, price, quantity, marks }
}

/// The rows of `block` that stay, under `plan`.
pub(crate) fn interpret(mut block: Block, plan: &Plan) -> Interpreted {
    let n = block.n_rows;
    let column = |role: Role| plan.slot(role).map(|s| &block.columns[s]);
    let integral = |role: Role| plan.integral.get(&role).copied().unwrap_or(false);
    let key = |role: Role| keys(column(role), integral(role));
    let mut customer = key(Role::Customer);
    let (mut item, mut category, mut order) = (key(Role::Item), key(Role::Category), key(Role::Order));
    let mut time = times(column(Role::Time).expect("the mapping has a time"), plan.date);
    if let (Some(format), Some(clock)) = (plan.clock, column(Role::Clock)) {
        add_clock(&mut time, clock, format);
    }
    let mut money = money(&block, plan);

    let kinds = column(Role::Kind).map(|c| {
        let Keys::Local { codes, names } = keys_as_text(c) else { unreachable!("asked for text") };
        let of: Vec<Option<EventKind>> = (0..names.len()).map(|i| kind_of(names.name(i))).collect();
        (codes, of)
    });
    let statuses = column(Role::Status).map(|c| {
        let Keys::Local { codes, names } = keys_as_text(c) else { unreachable!("asked for text") };
        let of: Vec<Option<Status>> = (0..names.len()).map(|i| status_of(names.name(i))).collect();
        (codes, of)
    });
    let currency_column = column(Role::Currency).map(|c| {
        let Keys::Local { codes, names } = keys_as_text(c) else { unreachable!("asked for text") };
        let code = |name: &[u8]| {
            let text = String::from_utf8_lossy(name).trim().to_uppercase();
            numbers::currency(&text).map_or(text, |c| CURRENCIES[usize::from(c)].0.to_owned())
        };
        let of: Vec<String> = (0..names.len()).map(|i| code(names.name(i))).collect();
        (codes, of)
    });

    let zero_drops = match plan.clean.zero_amounts {
        ZeroAmounts::Auto => plan.mapping.amount == AmountSource::PriceTimesQuantity,
        ZeroAmounts::Keep => false,
        ZeroAmounts::Drop => true,
    };
    let mut ledger = Ledger::default();
    let mut currencies: BTreeMap<String, u64> = BTreeMap::new();
    let mut keep: Vec<u32> = Vec::with_capacity(n);
    let mut dropped_hash = Vec::new();
    let mut out_kind: Vec<u8> = Vec::with_capacity(n);
    let mut flags: Vec<u8> = Vec::with_capacity(if plan.columns.flags { n } else { 0 });
    let (mut time_of_day, mut unknown_kinds) = (false, false);
    let plain = kinds.is_none() && statuses.is_none() && currency_column.is_none();
    let kept = if plain { all_kept(&customer, [&item, &order], &time, &money, zero_drops, plan) } else { None };
    if let Some(found) = kept {
        let kind = |&a: &i64| if a < 0 { EventKind::Refund } else { EventKind::Purchase } as u8;
        out_kind.extend(money.amount.iter().map(kind));
        flags.resize(if plan.columns.flags { n } else { 0 }, 0);
        time_of_day = time.iter().any(|t| t % SECONDS_PER_DAY != 0);
        ledger.found = found;
        keep.extend(0..n as u32);
    } else {
        let cancelled = if plan.cancellation_prefix { order.mark(is_cancellation) } else { None };
        let tests = [customer.mark(is_test), item.mark(is_test), order.mark(is_test)];
        let has_tests = tests.iter().any(Option::is_some);
        let is_non_goods = |name: &[u8]| plan.non_goods.contains(&String::from_utf8_lossy(name).to_uppercase());
        let non_goods = item.mark(is_non_goods);
        let now = plan.now.map_or(i64::MAX, |t| t.0);
        for i in 0..n {
            let no_customer = customer.is_missing(i);
            let moment = time[i];
            let amount = &mut money.amount[i];
            let mut kind = EventKind::Purchase;
            if let Some((codes, of)) = &kinds {
                match of.get(codes[i] as usize).copied().flatten() {
                    Some(known) => kind = known,
                    None => {
                        kind = EventKind::Other;
                        unknown_kinds = true;
                        ledger.found.unknown_kind_rows += 1;
                    }
                }
                match kind {
                    EventKind::Purchase => {}
                    // money of a refund row may be written either way round
                    EventKind::Refund => *amount = if *amount > BAD { -amount.abs() } else { *amount },
                    // the price on a view or in a cart is not spend
                    EventKind::Payment if *amount > BAD => {}
                    _ => *amount = 0,
                }
            }
            let mut not_completed = false;
            if let Some((codes, of)) = &statuses {
                match of.get(codes[i] as usize).copied().flatten() {
                    Some(Status::NotCompleted) => not_completed = true,
                    Some(Status::Refunded) if kind == EventKind::Purchase && *amount > BAD => *amount = -amount.abs(),
                    _ => {}
                }
            }
            let amount = *amount;
            let is_cancelled = cancelled.as_ref().is_some_and(|c| c.get(i));
            let is_test_row = has_tests && tests.iter().flatten().any(|t| t.get(i));
            let is_non_goods_row = non_goods.as_ref().is_some_and(|m| m.get(i));
            let quantity = money.quantity.as_ref().map(|q| q[i]);
            let price = money.price.as_ref().map(|p| p[i]);
            let future = moment > now;
            let mut other_currency = false;
            if let Some((codes, of)) = &currency_column {
                if let Some(code) = of.get(codes[i] as usize) {
                    count(&mut currencies, code);
                    other_currency = plan.currency.as_ref().is_some_and(|keep| keep != code);
                }
            } else if let Some(mark) = money.marks.get(i).copied().flatten() {
                let code = CURRENCIES[usize::from(mark)].0;
                count(&mut currencies, code);
                other_currency = plan.currency.as_ref().is_some_and(|keep| keep != code);
            }

            let found = &mut ledger.found;
            found.missing_customer += u64::from(no_customer);
            found.missing_time += u64::from(moment == MISSING);
            found.unparsable_time += u64::from(moment == BAD);
            found.missing_amount += u64::from(amount == MISSING);
            found.unparsable_amount += u64::from(amount == BAD);
            found.cancellation_rows += u64::from(is_cancelled);
            found.negative_price += u64::from(price.is_some_and(|p| p < 0 && p > BAD));
            found.zero_price += u64::from(price == Some(0));
            found.negative_quantity += u64::from(quantity.is_some_and(|q| q < 0 && q > BAD));
            found.negative_amount += u64::from(amount < 0 && amount > BAD);
            found.zero_amount += u64::from(amount == 0 && kind == EventKind::Purchase);
            found.test_rows += u64::from(is_test_row);
            found.non_goods_rows += u64::from(is_non_goods_row);
            found.future_rows += u64::from(future);
            found.not_completed_rows += u64::from(not_completed);

            let zero = amount == 0 && kind == EventKind::Purchase && zero_drops;
            // what has no time may be no event at all
            let line = if moment <= BAD { no_event(i, &block, plan) } else { None };
            let reason = if let Some(line) = line {
                line
            } else if no_customer {
                Reason::MissingCustomer
            } else if moment == MISSING {
                Reason::MissingTime
            } else if moment == BAD {
                Reason::UnparsableTime
            } else if amount == MISSING {
                Reason::MissingAmount
            } else if amount == BAD {
                Reason::UnparsableAmount
            } else if other_currency {
                Reason::OtherCurrency
            } else if future && plan.clean.drop_future {
                Reason::FutureTime
            } else if not_completed {
                Reason::NotCompleted
            } else if is_test_row && plan.clean.drop_test_orders {
                Reason::TestOrder
            } else if is_non_goods_row && plan.clean.drop_non_goods {
                Reason::NonGoods
            } else if zero {
                Reason::ZeroAmount
            } else {
                if amount < 0 && kind == EventKind::Purchase {
                    kind = EventKind::Refund;
                }
                keep.push(i as u32);
                out_kind.push(kind as u8);
                if plan.columns.flags {
                    let mark = |on: bool, bit: u8| if on { bit } else { 0 };
                    flags.push(mark(is_cancelled, flag::CANCELLATION) | mark(is_non_goods_row, flag::NON_GOODS));
                }
                time_of_day |= moment % SECONDS_PER_DAY != 0;
                continue;
            };
            ledger.drop_row(reason, u64::from(block.position(i)), || describe(reason, i, &block, plan, quantity));
            if let Some(&hash) = block.hash.get(i) {
                dropped_hash.push(hash);
            }
        }
    }
    for &position in &block.misshapen {
        ledger.drop_row(Reason::CellCount, u64::from(position), || (None, None));
    }
    dropped_hash.append(&mut block.misshapen_hash);

    let whole = keep.len() == n;
    if !whole {
        [&mut customer, &mut item, &mut category, &mut order].into_iter().for_each(|k| k.filter(&keep));
    }
    let pick = |values: Vec<i64>| if whole { values } else { keep.iter().map(|&i| values[i as usize]).collect() };
    let quantity = match (&money.quantity, plan.columns.quantity) {
        (Some(q), true) => keep.iter().map(|&i| pieces(q[i as usize])).collect(),
        _ => Vec::new(),
    };
    let hash = if plan.columns.hash { keep.iter().map(|&i| block.hash[i as usize]).collect() } else { Vec::new() };
    let row = keep.iter().map(|&i| block.position(i as usize)).collect();
    Interpreted {
        n_source_rows: block.n_source_rows,
        customer,
        item,
        category,
        order,
        time: pick(time),
        kind: out_kind,
        amount: pick(money.amount),
        quantity,
        row,
        hash,
        flags,
        ledger,
        dropped_hash,
        currencies,
        time_of_day,
        unknown_kinds,
    }
}

/// What is found in a block of a log without kinds, states and currencies, when every row of it stays, as in nearly every
/// block of a typed log; `None` when some row needs a closer look.
fn all_kept(
    customer: &Keys,
    named: [&Keys; 2],
    time: &[i64],
    money: &MoneyColumns,
    zero_drops: bool,
    plan: &Plan,
) -> Option<Found> {
    let numbers = |keys: &Keys| matches!(keys, Keys::Absent | Keys::Ints(_));
    if !money.marks.is_empty() || money.price.is_some() || !named.into_iter().all(numbers) {
        return None;
    }
    let Keys::Ints(customers) = customer else { return None };
    let now = plan.now.map_or(i64::MAX, |t| t.0);
    // without a branch per row: the answer is nearly always yes
    let known = customers.iter().fold(true, |ok, &c| ok & (c != MISSING));
    let in_time = time.iter().fold(true, |ok, &t| ok & (t > BAD) & (t <= now));
    let (mut paid, mut negative, mut zero) = (true, 0, 0);
    for &a in &money.amount {
        paid &= a > BAD;
        negative += u64::from(a < 0);
        zero += u64::from(a == 0);
    }
    let pieces = money.quantity.iter().flatten();
    let found = Found {
        negative_amount: negative,
        zero_amount: zero,
        negative_quantity: pieces.map(|&q| u64::from(q < 0 && q > BAD)).sum(),
        ..Found::default()
    };
    (known && in_time && paid && !(zero_drops && zero > 0)).then_some(found)
}

/// What a row without a time is, when it is no event: a header or a line of totals.
fn no_event(row: usize, block: &Block, plan: &Plan) -> Option<Reason> {
    let cell = |role: Role| plan.slot(role).map(|s| (block.columns[s].cell_text(row), plan.names[s].as_str()));
    let is_name = |role: Role| cell(role).is_some_and(|(text, name)| text.trim_ascii() == name.as_bytes());
    if is_name(Role::Time) && is_name(Role::Customer) {
        return Some(Reason::RepeatedHeader);
    }
    let labels = [Role::Customer, Role::Time, Role::Order, Role::Item, Role::Category];
    labels.into_iter().filter_map(cell).any(|(text, _)| is_total(&text)).then_some(Reason::TotalLine)
}

fn count(currencies: &mut BTreeMap<String, u64>, code: &str) {
    match currencies.get_mut(code) {
        Some(n) => *n += 1,
        None => {
            currencies.insert(code.to_owned(), 1);
        }
    }
}

fn pieces(micros: i64) -> f32 {
    if micros <= BAD { f32::NAN } else { (micros as f64 / Money::PER_UNIT as f64) as f32 }
}

/// Text keys, whatever the column's type.
fn keys_as_text(column: &Column) -> Keys {
    match keys(Some(column), false) {
        Keys::Ints(values) => {
            let mut names = StrCoder::default();
            let one = |v: i64| if v == MISSING { Events::MISSING } else { names.code(v.to_string().as_bytes()) };
            let codes = values.into_iter().map(one).collect();
            Keys::Local { codes, names }
        }
        local => local,
    }
}

/// The offending column and the shape of its cell.
fn describe(
    reason: Reason,
    row: usize,
    block: &Block,
    plan: &Plan,
    quantity: Option<i64>,
) -> (Option<String>, Option<String>) {
    let shape = |role: Role| {
        let slot = plan.slot(role)?;
        Some((plan.names[slot].clone(), mask(&block.columns[slot].cell_text(row))))
    };
    let day_is_fine = || {
        let text = plan.slot(Role::Time).map(|s| block.columns[s].cell_text(row)).unwrap_or_default();
        plan.date.is_none_or(|f| f.parse(&text).is_some())
    };
    let cell = match reason {
        Reason::RepeatedHeader | Reason::TotalLine => None,
        Reason::MissingCustomer => shape(Role::Customer),
        Reason::UnparsableTime if plan.clock.is_some() && day_is_fine() => shape(Role::Clock),
        Reason::MissingTime | Reason::UnparsableTime | Reason::FutureTime => shape(Role::Time),
        Reason::NotCompleted => shape(Role::Status),
        Reason::OtherCurrency => shape(Role::Currency).or_else(|| shape(Role::Amount)).or_else(|| shape(Role::Price)),
        Reason::NonGoods => shape(Role::Item),
        Reason::TestOrder => None,
        _ => {
            // of price and quantity, the one that is at fault
            match (plan.mapping.amount, quantity, reason) {
                (AmountSource::PriceTimesQuantity, Some(BAD), Reason::UnparsableAmount)
                | (AmountSource::PriceTimesQuantity, Some(MISSING), Reason::MissingAmount) => shape(Role::Quantity),
                (AmountSource::Amount, ..) => shape(Role::Amount),
                _ => shape(Role::Price),
            }
        }
    };
    match cell {
        Some((column, value)) => (Some(column), Some(value)),
        None => (None, None),
    }
}
