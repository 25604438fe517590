//! Which column plays which role: by what the caller says, then by name, then by content.
//!
//! The one idea: a role that is needed and not certain is an error that names the columns and the flag, never a guess that
//! shifts a forecast. Names win by a fixed order (`crate::names`), and a named column must also hold what its role needs;
//! content decides only where exactly one column fits.

use std::path::Path;

use guike_core::SECONDS_PER_DAY;
use rustc_hash::FxHashSet;

use crate::block::{Block, Column};
use crate::clock::ClockFormat;
use crate::dates::{DateDecision, DateEvidence, DateFormat};
use crate::error::DataError;
use crate::names::{Role, squeeze};
use crate::numbers::{self, DecimalSign};
use crate::options::ReadOptions;
use crate::quality::{MappedColumn, mask};
use crate::words::{is_label, kind_of, status_of};

/// Rows of the sample that are looked at.
const LOOK_AT: usize = 2_000;

/// Where an event's amount comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AmountSource {
    /// A column of its own.
    Amount,
    /// Price of one piece × pieces.
    PriceTimesQuantity,
    /// A price in a log without quantities is what was paid.
    Price,
    /// The caller said that there is no money in this log.
    Nothing,
}

/// Who plays what.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    columns: [Option<usize>; Role::ALL.len()],
    pub(crate) report: Vec<MappedColumn>,
    pub(crate) amount: AmountSource,
    /// How times of day are written, where they stand in a column of their own.
    pub(crate) clock: Option<ClockFormat>,
}

fn at(role: Role) -> usize {
    Role::ALL.iter().position(|&r| r == role).expect("every role is listed")
}

impl Mapping {
    /// The column of a role.
    pub(crate) fn column(&self, role: Role) -> Option<usize> {
        self.columns[at(role)]
    }

    /// Leaves a role without a column.
    fn forget(&mut self, role: Role) {
        self.columns[at(role)] = None;
        self.report.retain(|m| m.role != role.name());
    }
}

/// Brings the mappings of one log's files together: names may differ, what is told may not. Of columns that only add detail
/// those that some file lacks are left out of all, which the remarks say.
///
/// # Errors
/// When a column that changes what a row means is in some files only.
pub(crate) fn agree(files: &mut [(&Path, &[String], &mut Mapping)]) -> Result<Vec<String>, DataError> {
    let mut remarks = Vec::new();
    for role in Role::ALL {
        let with = files.iter().find_map(|(path, names, m)| Some((*path, names[m.column(role)?].as_str())));
        let without = files.iter().find(|(_, _, m)| m.column(role).is_none()).map(|(path, ..)| *path);
        let (Some((path, column)), Some(other)) = (with, without) else { continue };
        match role {
            Role::Kind | Role::Status | Role::Currency | Role::Clock => {
                return Err(DataError::FilesDiffer {
                    path: path.to_owned(),
                    other: other.to_owned(),
                    role: words(role),
                    column: shorten(column),
                    flag: role.flag(),
                });
            }
            Role::Order | Role::Item | Role::Category => {
                remarks.push(format!(
                    "the {} (`{}`) is not used, because `{}` has none",
                    words(role),
                    shorten(column),
                    other.file_name().unwrap_or(other.as_os_str()).to_string_lossy()
                ));
                files.iter_mut().for_each(|(_, _, m)| m.forget(role));
            }
            // price × quantity in one file and the amount in another are both money; a number of pieces that some file
            // lacks is not carried
            Role::Customer | Role::Time | Role::Amount | Role::Price | Role::Quantity => {}
        }
    }
    Ok(remarks)
}

/// What the sample says about one column.
#[derive(Debug, Default)]
struct Profile {
    filled: usize,
    typed_time: bool,
    dates: f64,
    /// Every date is a day without a time of day.
    days_only: bool,
    clock: Option<ClockFormat>,
    /// The best date format of a column that holds dates.
    format: Option<DateFormat>,
    numbers: f64,
    fractions: f64,
    distinct: usize,
    /// All cells are whole numbers below a hundred: counts, not ids.
    small: bool,
    /// Some cell has a letter or a leading zero: an id or a name, not a measure.
    coded: bool,
    /// Share of the numbers that a spreadsheet has rounded: `2.02401E+17`, or zeros behind the fifteenth digit.
    rounded: f64,
    rounded_example: Option<String>,
    known_kinds: f64,
    known_statuses: f64,
    /// The shape of the first filled cell.
    example: Option<String>,
}

impl Profile {
    fn of(column: &Column, n_rows: usize, name: &str) -> Profile {
        let mut p = Profile {
            typed_time: matches!(column, Column::Times { .. }),
            days_only: true,
            clock: ClockFormat::find(column, n_rows),
            small: true,
            ..Profile::default()
        };
        let mut dates = DateEvidence::default();
        let mut distinct: FxHashSet<Vec<u8>> = FxHashSet::default();
        let (mut numbers, mut fractions, mut kinds, mut statuses, mut rounded) = (0, 0, 0, 0, 0);
        for row in 0..n_rows.min(LOOK_AT) {
            let cell = column.cell_text(row);
            if numbers::is_missing(&cell) || is_label(&cell, name) {
                continue;
            }
            p.filled += 1;
            if p.example.is_none() {
                p.example = Some(mask(&cell));
            }
            dates.add(&cell);
            if p.days_only {
                let moment = DateFormat::ALL.iter().find_map(|f| f.parse(&cell));
                p.days_only = moment.is_none_or(|t| t % SECONDS_PER_DAY == 0);
            }
            let number =
                numbers::parse(&cell, DecimalSign::Point).or_else(|| numbers::parse(&cell, DecimalSign::Comma));
            if let Some(number) = number {
                numbers += 1;
                fractions += usize::from(number.micros % 1_000_000 != 0);
                p.small &= (0..100_000_000).contains(&number.micros) && number.micros % 1_000_000 == 0;
            } else {
                p.small = false;
            }
            if is_rounded(&cell) {
                rounded += 1;
                p.rounded_example.get_or_insert_with(|| mask(&cell).replace('x', "E"));
            }
            let leading_zero = cell.len() > 1 && cell[0] == b'0' && cell.iter().all(u8::is_ascii_digit);
            p.coded |= leading_zero || number.is_none();
            kinds += usize::from(kind_of(&cell).is_some());
            statuses += usize::from(status_of(&cell).is_some());
            distinct.insert(cell);
        }
        p.distinct = distinct.len();
        let share = |n: usize| if p.filled == 0 { 0.0 } else { n as f64 / p.filled as f64 };
        (p.numbers, p.fractions) = (share(numbers), share(fractions));
        p.rounded = share(rounded);
        (p.known_kinds, p.known_statuses) = (share(kinds), share(statuses));
        p.dates = dates.share();
        if let DateDecision::Found(format, _) = dates.decide(None) {
            p.format = Some(format);
        }
        p
    }

    /// Whether the cells can be what the role needs; an empty sample excludes nothing.
    fn can_be(&self, role: Role) -> bool {
        if self.filled == 0 {
            return true;
        }
        match role {
            Role::Time => self.typed_time || self.dates >= 0.5,
            Role::Clock => self.clock.is_some(),
            Role::Amount | Role::Price | Role::Quantity => !self.typed_time && self.numbers >= 0.5,
            Role::Customer => !self.typed_time,
            Role::Kind => self.known_kinds >= 0.5,
            Role::Status => self.known_statuses >= 0.5,
            Role::Order | Role::Item | Role::Category | Role::Currency => !self.typed_time,
        }
    }
}

/// Whether a spreadsheet has rounded a long id: it keeps fifteen digits.
fn is_rounded(cell: &[u8]) -> bool {
    const KEPT: usize = 15;
    let digits = |b: &[u8]| !b.is_empty() && b.iter().all(u8::is_ascii_digit);
    if let Some(e) = cell.iter().position(|c| matches!(c, b'e' | b'E')) {
        let (head, tail) = (&cell[..e], &cell[e + 1..]);
        let fraction = head.len() > 2 && head[1] == b'.' && head[0].is_ascii_digit() && digits(&head[2..]);
        return fraction && tail.strip_prefix(b"+").is_some_and(digits);
    }
    cell.len() > KEPT && digits(cell) && cell[KEPT..].iter().all(|&c| c == b'0')
}

/// Whether a column, by its name without spaces, tells when somebody last touched the row and not when anybody bought:
/// `updated_at` of a table in a database.
fn is_bookkeeping(squeezed: &str) -> bool {
    const MARKS: [&str; 8] = ["updat", "modif", "delet", "sync", "更新", "修改", "删除", "同步"];
    MARKS.iter().any(|mark| squeezed.contains(mark))
}

/// Column names for an error text: quoted, shortened, at most thirty.
pub(crate) fn list(columns: &[String]) -> String {
    const MOST: usize = 30;
    let quoted: Vec<String> = columns.iter().take(MOST).map(|c| format!("`{}`", shorten(c))).collect();
    let more = columns.len().saturating_sub(MOST);
    if more > 0 { format!("{} and {more} more", quoted.join(", ")) } else { quoted.join(", ") }
}

fn shorten(name: &str) -> String {
    const LONGEST: usize = 40;
    let clean: String = name.chars().map(|c| if c.is_control() { '?' } else { c }).take(LONGEST).collect();
    if name.chars().count() > LONGEST { format!("{clean}…") } else { clean }
}

/// Assigns the roles of a source with these columns and this sample.
pub(crate) fn find(
    columns: &[String],
    has_names: bool,
    sample: &Block,
    options: &ReadOptions,
) -> Result<Mapping, DataError> {
    let profiles: Vec<Profile> =
        sample.columns.iter().zip(columns).map(|(c, name)| Profile::of(c, sample.n_rows, name)).collect();
    let mut finder = Finder {
        names: columns,
        squeezed: columns.iter().map(|c| squeeze(c)).collect(),
        profiles,
        taken: vec![false; columns.len()],
        columns: [None; Role::ALL.len()],
        report: Vec::new(),
        refused: Vec::new(),
    };
    finder.by_option(options)?;
    if has_names {
        finder.by_name()?;
    }
    finder.by_content()?;
    finder.clock(has_names)?;
    finder.finish(options)
}

struct Finder<'a> {
    names: &'a [String],
    squeezed: Vec<String>,
    profiles: Vec<Profile>,
    taken: Vec<bool>,
    columns: [Option<usize>; Role::ALL.len()],
    report: Vec<MappedColumn>,
    /// Roles the caller said `none` to.
    refused: Vec<Role>,
}

fn option(options: &ReadOptions, role: Role) -> Option<&str> {
    let field = match role {
        Role::Customer => &options.customer,
        Role::Time => &options.time,
        Role::Clock => &options.clock,
        Role::Amount => &options.amount,
        Role::Price => &options.price,
        Role::Quantity => &options.quantity,
        Role::Order => &options.order,
        Role::Item => &options.item,
        Role::Category => &options.category,
        Role::Kind => &options.kind,
        Role::Status => &options.status,
        Role::Currency => &options.currency_column,
    };
    field.as_deref()
}

impl Finder<'_> {
    fn give(&mut self, role: Role, column: usize, because: String) -> Result<(), DataError> {
        let name = &self.names[column];
        if let Some(second) = (0..self.names.len()).find(|&i| i != column && !name.is_empty() && self.names[i] == *name)
        {
            let (first, second) = (column.min(second) + 1, column.max(second) + 1);
            return Err(DataError::DuplicateColumn { name: shorten(name), first, second });
        }
        self.taken[column] = true;
        self.columns[at(role)] = Some(column);
        self.report.push(MappedColumn { role: role.name().into(), column: name.clone(), because });
        Ok(())
    }

    fn has(&self, role: Role) -> bool {
        self.columns[at(role)].is_some()
    }

    fn open(&self, role: Role) -> bool {
        !self.has(role) && !self.refused.contains(&role)
    }

    fn by_option(&mut self, options: &ReadOptions) -> Result<(), DataError> {
        for role in Role::ALL {
            let Some(asked) = option(options, role) else { continue };
            let wanted = squeeze(asked);
            let found =
                self.names.iter().position(|n| n == asked).or_else(|| self.squeezed.iter().position(|s| *s == wanted));
            match found {
                Some(column) => {
                    let measure = matches!(role, Role::Amount | Role::Price | Role::Quantity | Role::Clock);
                    if measure && !self.profiles[column].can_be(role) {
                        return Err(self.wrong_type(role, column));
                    }
                    self.give(role, column, format!("{} says so", role.flag()))?;
                }
                None if wanted == "none" => self.refused.push(role),
                None => {
                    return Err(DataError::NoSuchColumn {
                        flag: role.flag(),
                        name: shorten(asked),
                        hint: self.nearest(&[&wanted]).map_or(String::new(), |n| format!("did you mean `{n}`? ")),
                        columns: list(self.names),
                    });
                }
            }
        }
        Ok(())
    }

    /// The free column whose name is nearest to one of `wanted`, if any is near.
    fn nearest(&self, wanted: &[&str]) -> Option<String> {
        let score = |s: &str| wanted.iter().map(|w| strsim::jaro_winkler(s, w)).fold(0.0, f64::max);
        let best = (0..self.names.len())
            .filter(|&i| !self.taken[i])
            .map(|i| (i, score(&self.squeezed[i])))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
        (best.1 >= 0.8).then(|| shorten(&self.names[best.0]))
    }

    fn by_name(&mut self) -> Result<(), DataError> {
        for role in Role::ALL {
            let mut fits: Vec<usize> = Vec::new();
            for synonym in role.synonyms() {
                let named = (0..self.names.len()).filter(|&i| self.squeezed[i] == *synonym);
                fits.extend(named.filter(|&i| !self.taken[i] && self.profiles[i].can_be(role)));
            }
            // what a line of an order says of itself: `lines.price`
            let of_a_line = matches!(role, Role::Amount | Role::Price | Role::Quantity | Role::Item | Role::Category);
            if of_a_line && fits.is_empty() {
                let nested = |i: usize| self.names[i].rsplit_once('.').map(|(_, last)| squeeze(last));
                let tails: Vec<Option<String>> = (0..self.names.len()).map(nested).collect();
                for synonym in role.synonyms() {
                    let named = (0..self.names.len()).filter(|&i| tails[i].as_deref() == Some(*synonym));
                    fits.extend(named.filter(|&i| !self.taken[i] && self.profiles[i].can_be(role)));
                }
            }
            if let (true, Some(&best)) = (self.open(role), fits.first()) {
                let others: Vec<String> = fits.iter().filter(|&&i| i != best).map(|&i| self.names[i].clone()).collect();
                let because = if others.is_empty() {
                    "its name says so".into()
                } else {
                    format!("its name says so, more plainly than {}", list(&others))
                };
                self.give(role, best, because)?;
            }
        }
        for role in Role::ALL {
            if !self.open(role) || (role == Role::Price && self.has(Role::Amount)) {
                continue;
            }
            for group in role.hints() {
                let fits: Vec<usize> = (0..self.names.len())
                    .filter(|&i| !self.taken[i] && group.iter().all(|part| self.squeezed[i].contains(part)))
                    .filter(|&i| self.profiles[i].can_be(role) && self.profiles[i].filled > 0)
                    .filter(|&i| role != Role::Time || !is_bookkeeping(&self.squeezed[i]))
                    .collect();
                match fits[..] {
                    [] => continue,
                    [one] => self.give(role, one, format!("its name contains {}", group.join(" and ")))?,
                    _ => {
                        let needed = matches!(role, Role::Customer | Role::Time)
                            || (role == Role::Amount && !self.has(Role::Price));
                        if needed {
                            return Err(self.ambiguous(role, &fits));
                        }
                    }
                }
                break;
            }
        }
        Ok(())
    }

    fn wrong_type(&self, role: Role, column: usize) -> DataError {
        DataError::WrongType {
            column: shorten(&self.names[column]),
            found: match &self.profiles[column].example {
                Some(shape) => format!("values like `{shape}`"),
                None => "no value".into(),
            },
            role: words(role),
            needs: match role {
                Role::Time => "dates",
                Role::Clock => "times of day",
                Role::Amount | Role::Price | Role::Quantity => "numbers",
                _ => "ids",
            },
            flag: role.flag(),
        }
    }

    fn ambiguous(&self, role: Role, fits: &[usize]) -> DataError {
        let names: Vec<String> = fits.iter().map(|&i| self.names[i].clone()).collect();
        DataError::AmbiguousRole { role: words(role), candidates: list(&names), flag: role.flag() }
    }

    fn by_content(&mut self) -> Result<(), DataError> {
        let free = |f: &Self, test: &dyn Fn(&Profile) -> bool| -> Vec<usize> {
            (0..f.names.len()).filter(|&i| !f.taken[i] && f.profiles[i].filled > 0 && test(&f.profiles[i])).collect()
        };
        if self.open(Role::Time) {
            // numbers that could be Excel serials could be anything
            let is_time = |p: &Profile| {
                p.typed_time
                    || (p.dates >= 0.9 && (p.format.is_some_and(|f| f != DateFormat::ExcelSerial) || p.numbers < 0.5))
            };
            let mut times = free(self, &is_time);
            if times.iter().any(|&i| !is_bookkeeping(&self.squeezed[i])) {
                times.retain(|&i| !is_bookkeeping(&self.squeezed[i]));
            }
            match times[..] {
                [] => {}
                [one] => self.give(Role::Time, one, "the only column that holds dates".into())?,
                ref many => return Err(self.ambiguous(Role::Time, many)),
            }
        }
        let money_known = self.has(Role::Amount) || self.has(Role::Price) || self.refused.contains(&Role::Amount);
        if !money_known {
            let is_money = |p: &Profile| p.numbers >= 0.9 && p.fractions > 0.0 && !p.coded && p.dates < 0.5;
            match free(self, &is_money)[..] {
                [] => {}
                [one] => self.give(Role::Amount, one, "the only column of numbers with fractions".into())?,
                ref many => return Err(self.ambiguous(Role::Amount, many)),
            }
        }
        if self.open(Role::Customer) {
            let is_id = |p: &Profile| {
                let repeats = p.distinct < p.filled || p.filled <= 3;
                let measure = p.fractions > 0.0 || (p.small && !p.coded);
                repeats && p.distinct > 1 && !measure && p.dates < 0.9
            };
            match free(self, &is_id)[..] {
                [] => {}
                [one] => self.give(Role::Customer, one, "the only column of repeating ids".into())?,
                ref many => return Err(self.ambiguous(Role::Customer, many)),
            }
        }
        Ok(())
    }

    /// A column of times of day beside a column of days, by its name and its cells.
    fn clock(&mut self, has_names: bool) -> Result<(), DataError> {
        const PARTS: [&str; 6] = ["time", "clock", "hour", "时间", "时刻", "時間"];
        let Some(day) = self.columns[at(Role::Time)] else { return Ok(()) };
        if !self.open(Role::Clock) || !self.profiles[day].days_only || !has_names {
            return Ok(());
        }
        let named: Vec<usize> = (0..self.names.len())
            .filter(|&i| !self.taken[i] && self.profiles[i].clock.is_some())
            .filter(|&i| PARTS.iter().any(|part| self.squeezed[i].contains(part)))
            .collect();
        // `order time` says more plainly than `pick-up time` which moment is meant
        let plain = |&i: &usize| Role::Time.synonyms().contains(&self.squeezed[i].as_str());
        let found = match named[..] {
            [one] => Some(one),
            _ => named.iter().copied().find(plain).filter(|_| named.iter().filter(|i| plain(i)).count() == 1),
        };
        if let Some(column) = found {
            let because = format!("times of day beside the days of `{}`", shorten(&self.names[day]));
            self.give(Role::Clock, column, because)?;
        }
        Ok(())
    }

    fn finish(self, options: &ReadOptions) -> Result<Mapping, DataError> {
        for role in [Role::Customer, Role::Time] {
            if !self.has(role) {
                return Err(self.missing(role));
            }
        }
        let ids = self.columns[at(Role::Customer)].map(|c| (c, &self.profiles[c]));
        if let Some((column, p)) = ids.filter(|(_, p)| p.filled > 1 && p.rounded >= 0.5) {
            let column = shorten(&self.names[column]);
            return Err(DataError::RoundedIds { column, example: p.rounded_example.clone().unwrap_or_default() });
        }
        let (price, quantity) = (self.has(Role::Price), self.has(Role::Quantity));
        let amount = if self.refused.contains(&Role::Amount) && !price {
            AmountSource::Nothing
        } else if self.has(Role::Amount) && (options.amount.is_some() || options.price.is_none()) {
            AmountSource::Amount
        } else if price && quantity {
            AmountSource::PriceTimesQuantity
        } else if price {
            AmountSource::Price
        } else if self.has(Role::Amount) {
            AmountSource::Amount
        } else {
            return Err(self.missing(Role::Amount));
        };
        // a role that is not used must not be reported as if it were
        let unused = match amount {
            AmountSource::Amount | AmountSource::Nothing => Some(Role::Price),
            AmountSource::PriceTimesQuantity | AmountSource::Price => Some(Role::Amount),
        };
        let clock = self.columns[at(Role::Clock)].and_then(|c| self.profiles[c].clock);
        let mut mapping = Mapping { columns: self.columns, report: self.report, amount, clock };
        if let Some(role) = unused {
            mapping.forget(role);
        }
        Ok(mapping)
    }

    fn missing(&self, role: Role) -> DataError {
        // a column of the right name that holds something else is what people want to hear about
        let named = |c: &usize| !self.taken[*c] && role.synonyms().contains(&self.squeezed[*c].as_str());
        if let Some(column) = (0..self.names.len()).find(named) {
            return self.wrong_type(role, column);
        }
        let near = self.nearest(role.synonyms());
        DataError::NoColumnFor {
            role: words(role),
            hint: near.map_or(String::new(), |n| format!("the nearest is `{n}`; ")),
            columns: list(self.names),
            flag: if role == Role::Amount { "--amount, or --price and --quantity" } else { role.flag() },
        }
    }
}

/// The role in an error text.
pub(crate) fn words(role: Role) -> &'static str {
    match role {
        Role::Customer => "customer id",
        Role::Time => "time of the purchase",
        Role::Clock => "time of day",
        Role::Amount => "amount paid",
        Role::Price => "price of one piece",
        Role::Quantity => "number of pieces",
        Role::Order => "order number",
        Role::Item => "item",
        Role::Category => "category",
        Role::Kind => "kind of event",
        Role::Status => "status of the order",
        Role::Currency => "currency",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delimited::{Delimiter, Layout, first_record, tokenize};

    fn map(text: &str, has_names: bool, options: &ReadOptions) -> Result<(Mapping, Vec<String>), DataError> {
        let (first, next) = first_record(text.as_bytes(), Delimiter::Byte(b','));
        let n = first.len();
        let body = if has_names { &text[next..] } else { text };
        let names = if has_names { first } else { (1..=n).map(|i| format!("column_{i}")).collect() };
        let layout = Layout { delimiter: Delimiter::Byte(b','), n_cells: n, wanted: (0..n).collect(), hash: false };
        let sample = tokenize(body.as_bytes().to_vec(), &layout);
        find(&names, has_names, &sample, options).map(|m| (m, names))
    }

    fn check(text: &str, expected: &str) {
        let (mapping, names) = map(text, true, &ReadOptions::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
        let found: Vec<String> = Role::ALL
            .iter()
            .filter_map(|&r| mapping.column(r).map(|c| format!("{}={}", r.name(), names[c])))
            .chain([format!("{:?}", mapping.amount)])
            .collect();
        assert_eq!(found.join(" "), expected, "{text}");
    }

    #[test]
    fn public_logs_need_no_flags() {
        check(
            "customer_id,date,number_of_cds,dollar_value\n00001,19970101,1,11.77\n",
            "customer=customer_id time=date amount=dollar_value quantity=number_of_cds Amount",
        );
        check(
            "masterdata_id,customer_id,date,number_of_cds,dollar_value\n00004,0001,19970101,2,29.33\n",
            "customer=customer_id time=date amount=dollar_value quantity=number_of_cds Amount",
        );
        check(
            "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n536365,85123A,X,6,2010-12-01 08:26:00,2.55,17850.0,UK\n",
            "customer=CustomerID time=InvoiceDate price=UnitPrice quantity=Quantity order=InvoiceNo item=StockCode PriceTimesQuantity",
        );
        check("Id,Date,Price\n1,2005-01-02,230.3\n", "customer=Id time=Date price=Price Price");
        check(
            "household_id,store_id,basket_id,product_id,quantity,sales_value,retail_disc,week,transaction_timestamp\n900,330,31198570044,1095275,1,0.5,0,1,2017-01-01 11:53:26\n",
            "customer=household_id time=transaction_timestamp amount=sales_value quantity=quantity order=basket_id item=product_id Amount",
        );
        check(
            "Row ID,Order ID,Order Date,Ship Date,Customer ID,Customer Name,Product ID,Category,Sub-Category,Sales,Quantity,Discount,Profit\n1,CA-2016-152156,2016-11-08,2016-11-11,CG-12520,Claire,FUR-BO,Furniture,Bookcases,261.96,2,0,41.9\n",
            "customer=Customer ID time=Order Date amount=Sales quantity=Quantity order=Order ID item=Product ID category=Category Amount",
        );
        check(
            "订单号,会员ID,下单时间,商品编号,类目,数量,实付金额(元)\nA1,U7,2024-05-01 10:00:00,G1,茶,2,19.90\n",
            "customer=会员ID time=下单时间 amount=实付金额(元) quantity=数量 order=订单号 item=商品编号 category=类目 Amount",
        );
        check(
            "buyer.id,at,lines.sku,lines.price,lines.qty\nA,2024-01-02,S,1.5,2\nA,2024-01-03,T,2.5,1\n",
            "customer=buyer.id time=at price=lines.price quantity=lines.qty item=lines.sku PriceTimesQuantity",
        );
        check(
            "user_id,item_id,behavior_type,timestamp,amount\n1,2,pv,1511544070,0\n1,2,buy,1511544071,3\n",
            "customer=user_id time=timestamp amount=amount item=item_id kind=behavior_type Amount",
        );
    }

    #[test]
    fn when_a_row_was_touched_is_not_when_anybody_bought() {
        let time_of = |text: &str| {
            let (m, _) = map(text, true, &ReadOptions::default()).expect("mapped");
            m.column(Role::Time)
        };
        let rows = "1,A,2024-01-02 10:00:00,2.5,2026-01-01 00:00:00\n2,B,2024-01-03 11:00:00,3.5,2026-01-01 00:00:00\n";
        assert_eq!(time_of(&format!("id,buyer,at,paid,updated_at\n{rows}")), Some(2));
        assert_eq!(time_of(&format!("id,buyer,when,paid,修改时间\n{rows}")), Some(2));
        assert_eq!(
            time_of("customer_id,paid,last_update\n1,2.5,2024-01-02\n1,3.5,2024-01-03\n"),
            Some(2),
            "the only one"
        );
    }

    #[test]
    fn a_file_without_names_is_understood_by_content() {
        let text = "00001,19970101,1,11.77\n00002,19970112,1,12.00\n00002,19970112,5,77.00\n00003,19970102,2,20.76\n";
        let (m, _) = map(text, false, &ReadOptions::default()).expect("mapped");
        assert_eq!([Role::Customer, Role::Time, Role::Amount].map(|r| m.column(r)), [Some(0), Some(1), Some(3)]);
    }

    #[test]
    fn flags_override_and_mistakes_get_a_hint() {
        let text = "kunde,date,wert\nA,2020-01-01,1.5\nA,2020-01-03,2.5\nB,2020-01-02,3\n";
        let say = |customer: &str| ReadOptions { customer: Some(customer.into()), ..ReadOptions::default() };
        let (m, _) = map(text, true, &say("KUNDE")).expect("mapped");
        assert_eq!(m.column(Role::Customer), Some(0));
        let error = map(text, true, &say("kunden")).expect_err("no such column").to_string();
        assert_eq!(
            error,
            "there is no column `kunden` (asked for by --customer); did you mean `kunde`? the columns are `kunde`, `date`, `wert`"
        );
    }

    #[test]
    fn what_is_missing_or_named_twice_is_an_error() {
        let error = |text: &str| map(text, true, &ReadOptions::default()).expect_err("an error").to_string();
        assert_eq!(
            error("costumer_key,date,amount\n1.5,2020-01-01,2.5\n"),
            "found no column for the customer id; the nearest is `costumer_key`; the columns are `costumer_key`, `date`, `amount`; name it with --customer"
        );
        assert_eq!(
            error("customer_id,date,amount,amount\n1,2020-01-01,2.5,2\n"),
            "column `amount` is named twice (columns 3 and 4); rename one of them"
        );
        assert!(error("customer_id,a,b\n1,2020-01-01,2020-01-02\n").contains("could each be the time of the purchase"));
        assert!(error("customer_id,date\n1,2020-01-01\n").contains("--amount, or --price and --quantity"));
    }
}
