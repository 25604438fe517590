//! Dates as shops write them: which format a column has, found from all its cells, and a fast parser for each format.
//!
//! The one idea: a format is decided once per column and then holds for every row; a cell that does not fit it is
//! unparsable and never guessed at. Day/month order is decided by evidence from the whole column ([`DateEvidence`]) or
//! refused. Times stay the shop's civil time: a `Z` or an offset is read over, not applied.

use std::fmt;
use std::str::FromStr;

use guike_core::{SECONDS_PER_DAY, Timestamp};
use serde::{Deserialize, Serialize};

use crate::numbers;

/// How a column writes dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DateFormat {
    /// `2010-12-01`, `2010/12/1 8:26`, `2010-12-01T08:26:00.5Z`, `2010年12月1日 8时26分`.
    YearFirst,
    /// `01/12/2010 8:26` for the first of December; years of two digits from 70 on belong to the last century.
    DayFirst,
    /// `12/01/2010 8:26` for the first of December.
    MonthFirst,
    /// `1 Dec 2010`, `Dec 1, 2010`, `1-Dec-10`.
    NamedMonth,
    /// `20101201`, `201012010826`, `20101201082600`.
    Compact,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// Microseconds since 1970.
    EpochMicros,
    /// Nanoseconds since 1970.
    EpochNanos,
    /// Days since 1899-12-30 with fraction, as Excel counts.
    ExcelSerial,
}

impl DateFormat {
    /// Every format, in the order in which evidence prefers them.
    pub const ALL: [DateFormat; 10] = [
        DateFormat::YearFirst,
        DateFormat::Compact,
        DateFormat::DayFirst,
        DateFormat::MonthFirst,
        DateFormat::NamedMonth,
        DateFormat::EpochSeconds,
        DateFormat::EpochMillis,
        DateFormat::EpochMicros,
        DateFormat::EpochNanos,
        DateFormat::ExcelSerial,
    ];

    /// Stable name in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            DateFormat::YearFirst => "ymd",
            DateFormat::DayFirst => "dmy",
            DateFormat::MonthFirst => "mdy",
            DateFormat::NamedMonth => "month-name",
            DateFormat::Compact => "yyyymmdd",
            DateFormat::EpochSeconds => "epoch-s",
            DateFormat::EpochMillis => "epoch-ms",
            DateFormat::EpochMicros => "epoch-us",
            DateFormat::EpochNanos => "epoch-ns",
            DateFormat::ExcelSerial => "excel",
        }
    }

    /// Seconds since the epoch in civil time, or `None` when `cell` is not a date of this format.
    ///
    /// ```
    /// use guike_data::DateFormat;
    /// assert_eq!(DateFormat::DayFirst.parse(b"01/12/2010 8:26"), DateFormat::YearFirst.parse(b"2010-12-01 08:26:00"));
    /// assert_eq!(DateFormat::MonthFirst.parse(b"13/12/2010"), None);
    /// ```
    pub fn parse(self, cell: &[u8]) -> Option<i64> {
        self.parse_narrow(cell).or_else(|| self.parse_narrow(&numbers::narrow(cell)?))
    }

    #[inline]
    fn parse_narrow(self, cell: &[u8]) -> Option<i64> {
        match self {
            DateFormat::YearFirst => iso_fast(cell).or_else(|| year_first(cell)),
            DateFormat::DayFirst => numeric(cell, false),
            DateFormat::MonthFirst => numeric(cell, true),
            DateFormat::NamedMonth => named_month(cell),
            DateFormat::ExcelSerial => excel(cell),
            DateFormat::Compact => compact_text(cell),
            DateFormat::EpochSeconds | DateFormat::EpochMillis | DateFormat::EpochMicros | DateFormat::EpochNanos => {
                self.parse_number(integer(cell)?)
            }
        }
    }

    /// As [`DateFormat::parse`], for a column of whole numbers.
    pub fn parse_number(self, value: i64) -> Option<i64> {
        let seconds = match self {
            DateFormat::Compact => return compact(value),
            DateFormat::ExcelSerial => return excel_days(value as f64),
            DateFormat::EpochSeconds => value,
            DateFormat::EpochMillis => value.div_euclid(1_000),
            DateFormat::EpochMicros => value.div_euclid(1_000_000),
            DateFormat::EpochNanos => value.div_euclid(1_000_000_000),
            _ => return None,
        };
        EPOCH_PLAUSIBLE.contains(&seconds).then_some(seconds)
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no date format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a date format; write ymd, dmy, mdy, month-name, yyyymmdd, epoch-s, epoch-ms, epoch-us, epoch-ns, \
     excel, or a pattern such as `%d/%m/%Y`"
)]
pub struct UnknownDateFormat(pub String);

impl FromStr for DateFormat {
    type Err = UnknownDateFormat;
    fn from_str(text: &str) -> Result<DateFormat, UnknownDateFormat> {
        let lower = text.trim().to_ascii_lowercase();
        if let Some(format) = DateFormat::ALL.into_iter().find(|f| f.name() == lower) {
            return Ok(format);
        }
        // of a strftime pattern only the order of day, month and year matters: the parsers take any separator
        let place = |letters: [&str; 2]| letters.iter().filter_map(|l| text.find(l)).min();
        match (place(["%Y", "%y"]), place(["%m", "%-m"]), place(["%d", "%-d"])) {
            _ if text.contains("%b") || text.contains("%B") => Ok(DateFormat::NamedMonth),
            (Some(y), Some(m), Some(d)) if y < m && m < d => {
                Ok(if text.contains("%Y%m") { DateFormat::Compact } else { DateFormat::YearFirst })
            }
            (Some(y), Some(m), Some(d)) if d < m && m < y => Ok(DateFormat::DayFirst),
            (Some(y), Some(m), Some(d)) if m < d && d < y => Ok(DateFormat::MonthFirst),
            _ => Err(UnknownDateFormat(text.to_owned())),
        }
    }
}

impl TryFrom<String> for DateFormat {
    type Error = UnknownDateFormat;
    fn try_from(text: String) -> Result<DateFormat, UnknownDateFormat> {
        text.parse()
    }
}

impl From<DateFormat> for String {
    fn from(format: DateFormat) -> String {
        format.name().to_owned()
    }
}

/// 1990-01-01 to 2100-01-01: outside it a number is some other number, not a moment of trade.
const EPOCH_PLAUSIBLE: std::ops::Range<i64> = 631_152_000..4_102_444_800;
/// Excel serials accepted: 1954 to 2119.
const EXCEL_PLAUSIBLE: std::ops::Range<f64> = 20_000.0..80_500.0;
/// Excel's day 0, as a day number since 1970.
const EXCEL_EPOCH_DAYS: i64 = -25_569;
const YEARS: std::ops::RangeInclusive<u32> = 1900..=2199;

/// Days since 1970-01-01 of a valid civil date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days(year: u32, month: u32, day: u32) -> Option<i64> {
    const LENGTHS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = *LENGTHS.get(month.wrapping_sub(1) as usize)? + u32::from(month == 2 && leap);
    if day == 0 || day > length || !YEARS.contains(&year) {
        return None;
    }
    let y = i64::from(year) - i64::from(month <= 2);
    let era = y / 400;
    let year_of_era = y - era * 400;
    let shifted_month = i64::from((month + 9) % 12);
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

fn moment(days: i64, hour: u32, minute: u32, second: u32) -> Option<i64> {
    // second 60 is a leap second; 24:00 is how some tills write midnight of the day that ends
    let ok = (hour < 24 && minute < 60 && second <= 60) || (hour == 24 && minute == 0 && second == 0);
    ok.then(|| days * SECONDS_PER_DAY + i64::from(hour * 3600 + minute * 60 + second))
}

/// `yyyy-mm-dd` and `yyyy-mm-dd hh:mm:ss`, the two shapes of nearly every machine-written log.
#[inline]
fn iso_fast(b: &[u8]) -> Option<i64> {
    if b.len() != 19 && b.len() != 10 || b[4] != b'-' || b[7] != b'-' {
        return None;
    }
    let mut worst = 0_u8;
    let mut pair = |i: usize| {
        let (x, y) = (b[i].wrapping_sub(b'0'), b[i + 1].wrapping_sub(b'0'));
        worst = worst.max(x).max(y);
        u32::from(x) * 10 + u32::from(y)
    };
    let (year, month, day) = (pair(0) * 100 + pair(2), pair(5), pair(8));
    let (mut h, mut m, mut s) = (0, 0, 0);
    if b.len() == 19 {
        if (b[10] != b' ' && b[10] != b'T') || b[13] != b':' || b[16] != b':' {
            return None;
        }
        (h, m, s) = (pair(11), pair(14), pair(17));
    }
    if worst > 9 {
        return None;
    }
    moment(days(year, month, day)?, h, m, s)
}

/// A cursor over a cell.
struct Scan<'a> {
    b: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn new(b: &'a [u8]) -> Scan<'a> {
        Scan { b: b.trim_ascii(), at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.b.get(self.at).copied()
    }

    /// A number of 1 to `most` digits, and how many digits it had.
    fn number(&mut self, most: usize) -> Option<(u32, usize)> {
        let start = self.at;
        let mut value = 0_u32;
        while let Some(d) = self.peek().map(|c| c.wrapping_sub(b'0')).filter(|&d| d < 10) {
            if self.at - start == most {
                return None;
            }
            value = value * 10 + u32::from(d);
            self.at += 1;
        }
        (self.at > start).then_some((value, self.at - start))
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.b[self.at..].starts_with(text.as_bytes());
        self.at += if found { text.len() } else { 0 };
        found
    }

    fn take_any(&mut self, texts: &[&str]) -> bool {
        texts.iter().any(|t| self.take(t))
    }

    fn spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    fn letters(&mut self) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
            self.at += 1;
        }
        &self.b[start..self.at]
    }

    fn done(&self) -> bool {
        self.at == self.b.len()
    }

    /// The time of day that may follow a date, to the end of the cell, added to the day number.
    fn time(&mut self, days: i64) -> Option<i64> {
        let had_separator = self.take("T") || self.take(",") || self.peek() == Some(b' ');
        self.spaces();
        if self.done() {
            return moment(days, 0, 0, 0);
        }
        if !had_separator
            && !self.b[self.at..].starts_with("上午".as_bytes())
            && !self.b[self.at..].starts_with("下午".as_bytes())
        {
            return None;
        }
        self.clock(days)
    }

    /// A time of day to the end of the cell, added to the day number.
    fn clock(&mut self, days: i64) -> Option<i64> {
        let mut afternoon = None;
        if self.take("上午") {
            afternoon = Some(false);
        } else if self.take("下午") {
            afternoon = Some(true);
        }
        self.spaces();
        let (mut hour, _) = self.number(2)?;
        let (mut minute, mut second) = (0, 0);
        if self.take_any(&[":", "时", "点", "："]) {
            if let Some((m, _)) = self.number(2) {
                minute = m;
                if self.take_any(&[":", "分", "："])
                    && let Some((s, _)) = self.number(2)
                {
                    second = s;
                    self.take("秒");
                    if self.take(".") || self.take(",") {
                        self.number(9)?;
                    }
                }
            }
        } else {
            // a bare number after a date is a time only when an am/pm mark follows ("5 pm")
            let rest = self.b[self.at..].trim_ascii_start();
            if afternoon.is_none() && !rest.first().is_some_and(|c| matches!(c, b'a' | b'A' | b'p' | b'P')) {
                return None;
            }
        }
        self.spaces();
        if self.take_any(&["AM", "am", "a.m.", "Am"]) {
            afternoon = Some(false);
        } else if self.take_any(&["PM", "pm", "p.m.", "Pm"]) {
            afternoon = Some(true);
        }
        if let Some(pm) = afternoon {
            if hour > 12 {
                return None;
            }
            hour = hour % 12 + if pm { 12 } else { 0 };
        }
        self.spaces();
        self.zone()?;
        self.done().then_some(())?;
        moment(days, hour, minute, second)
    }

    /// A zone mark is read over: the civil time as written is what counts. `Z`, `+08:00`, `GMT+0800`, `+0800 CST`, and a
    /// zone's name in brackets.
    fn zone(&mut self) -> Option<()> {
        self.take_any(&["Z", "z", "UTC", "GMT"]);
        self.spaces();
        if self.take("+") || self.take("-") {
            let (_, digits) = self.number(4)?;
            if digits <= 2 && self.take(":") {
                self.number(2)?;
            }
            self.spaces();
        }
        if self.take("(") {
            self.at += memchr::memchr(b')', &self.b[self.at..])? + 1;
            return Some(());
        }
        let name = &self.b[self.at..];
        if (2..=5).contains(&name.len()) && name.iter().all(u8::is_ascii_uppercase) {
            self.at = self.b.len();
        }
        Some(())
    }
}

/// Seconds since midnight of a cell that is a time of day: `8:26`, `8:26:00 AM`, `下午8时26分`.
pub(crate) fn time_of_day(cell: &[u8]) -> Option<i64> {
    let mut s = Scan::new(cell);
    let seconds = s.clock(0)?;
    (seconds < SECONDS_PER_DAY).then_some(seconds)
}

/// Year, month and day in this order with any separator, and a time.
fn year_first(cell: &[u8]) -> Option<i64> {
    let mut s = Scan::new(cell);
    let (year, digits) = s.number(4)?;
    if digits != 4 || !s.take_any(&["-", "/", ".", "年"]) {
        return None;
    }
    let (month, _) = s.number(2)?;
    if !s.take_any(&["-", "/", ".", "月"]) {
        return None;
    }
    let (day, _) = s.number(2)?;
    let closed = s.take_any(&["日", "号"]);
    let days = days(year, month, day)?;
    // 2024年5月1日14时23分 needs no space
    if closed && s.peek().is_some_and(|c| c.is_ascii_digit()) { s.clock(days) } else { s.time(days) }
}

/// Day and month (or month and day), then year, and a time.
fn numeric(cell: &[u8], month_first: bool) -> Option<i64> {
    let mut s = Scan::new(cell);
    let (first, _) = s.number(2)?;
    let separator = s.peek().filter(|c| matches!(c, b'/' | b'-' | b'.'))?;
    s.at += 1;
    let (second, _) = s.number(2)?;
    if s.peek()? != separator {
        return None;
    }
    s.at += 1;
    let year = full_year(s.number(4)?)?;
    let (month, day) = if month_first { (first, second) } else { (second, first) };
    let days = days(year, month, day)?;
    s.time(days)
}

fn full_year((year, digits): (u32, usize)) -> Option<u32> {
    match digits {
        4 => Some(year),
        2 => Some(if year >= 70 { 1900 + year } else { 2000 + year }),
        _ => None,
    }
}

/// `1 Dec 2010`, `01-Dec-10`, `Dec 1, 2010`, `Wednesday, December 1, 2010`.
fn named_month(cell: &[u8]) -> Option<i64> {
    const NAMES: [&[u8]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    let month = |word: &[u8]| {
        let head = word.get(..3)?.to_ascii_lowercase();
        NAMES.iter().position(|n| **n == head[..]).map(|m| m as u32 + 1)
    };
    let mut s = Scan::new(cell);
    let gap = |s: &mut Scan<'_>| while s.take_any(&[" ", "-", "/", ",", "."]) {};
    let mut word = s.letters();
    if word.len() >= 3 && month(word).is_none() {
        gap(&mut s);
        word = s.letters();
    }
    let (m, day);
    if word.is_empty() {
        day = s.number(2)?.0;
        s.take_any(&["st", "nd", "rd", "th"]);
        gap(&mut s);
        m = month(s.letters())?;
    } else {
        m = month(word)?;
        gap(&mut s);
        day = s.number(2)?.0;
        s.take_any(&["st", "nd", "rd", "th"]);
    }
    gap(&mut s);
    // `Wed May 01 14:23:00 2024`: the year comes last
    let rest = &s.b[s.at..];
    if rest.get(1..3).is_some_and(|c| c.contains(&b':'))
        && let Some((clock, year)) = rest.len().checked_sub(5).map(|cut| rest.split_at(cut))
        && year[0] == b' '
    {
        let year = Scan::new(year).number(4).filter(|n| n.1 == 4)?.0;
        return Scan::new(clock).clock(days(year, m, day)?);
    }
    let year = full_year(s.number(4)?)?;
    let days = days(year, m, day)?;
    s.time(days)
}

fn integer(cell: &[u8]) -> Option<i64> {
    let b = cell.trim_ascii();
    // `1291192000.0` is how a float column prints whole seconds
    let b = b.strip_suffix(b".0").unwrap_or(b);
    if b.is_empty() || b.len() > 19 || !b.iter().all(u8::is_ascii_digit) {
        return None;
    }
    b.iter().try_fold(0_i64, |v, &d| v.checked_mul(10)?.checked_add(i64::from(d - b'0')))
}

fn compact_text(cell: &[u8]) -> Option<i64> {
    let b = cell.trim_ascii();
    if b.len() == 8 && b.iter().all(u8::is_ascii_digit) {
        return compact(b.iter().fold(0, |v, &d| v * 10 + i64::from(d - b'0')));
    }
    if let Some(number) = integer(b) {
        return compact(number);
    }
    // `20101201 08:26:00`
    let (date, _) = b.split_at_checked(8)?;
    let day = compact(integer(date)?)?.div_euclid(SECONDS_PER_DAY);
    let mut rest = Scan { b, at: 8 };
    rest.time(day)
}

fn compact(value: i64) -> Option<i64> {
    let (date, time) = match value {
        19_000_101..=21_991_231 => (value, 0),
        190_001_010_000..=219_912_312_359 => (value / 10_000, value % 10_000 * 100),
        19_000_101_000_000..=21_991_231_235_959 => (value / 1_000_000, value % 1_000_000),
        _ => return None,
    };
    let (date, time) = (date as u32, time as u32);
    let days = days(date / 10_000, date / 100 % 100, date % 100)?;
    moment(days, time / 10_000, time / 100 % 100, time % 100)
}

fn excel(cell: &[u8]) -> Option<i64> {
    excel_days(fast_float2::parse::<f64, _>(cell.trim_ascii()).ok()?)
}

/// The moment of an Excel serial, to the nearest second.
pub(crate) fn excel_days(serial: f64) -> Option<i64> {
    EXCEL_PLAUSIBLE.contains(&serial).then(|| {
        let seconds = (serial * SECONDS_PER_DAY as f64).round() as i64;
        seconds + EXCEL_EPOCH_DAYS * SECONDS_PER_DAY
    })
}

/// What the cells of one column say about its date format; feed every cell, then [`DateEvidence::decide`].
#[derive(Debug, Clone, Default)]
pub struct DateEvidence {
    cells: u64,
    fits: [u64; DateFormat::ALL.len()],
    day_first: Order,
    month_first: Order,
    misfit: Option<String>,
}

/// How one reading of day and month orders the file, and when it ends.
#[derive(Debug, Clone, Copy, Default)]
struct Order {
    last: Option<i64>,
    latest: Option<i64>,
    descents: u64,
}

impl Order {
    fn add(&mut self, time: i64) {
        self.descents += u64::from(self.last.is_some_and(|last| time < last));
        self.last = Some(time);
        self.latest = self.latest.max(Some(time));
    }
}

/// What a column's evidence amounts to.
#[derive(Debug, Clone, PartialEq)]
pub enum DateDecision {
    /// The format, and why in words.
    Found(DateFormat, String),
    /// Day and month cannot be told apart.
    Ambiguous,
    /// No format fits enough cells; an example.
    None(Option<String>),
}

/// Share of the cells a format must fit: a few broken cells are rows to drop, many mean another format.
const FIT_SHARE: f64 = 0.9;

impl DateEvidence {
    /// Adds one non-empty cell.
    pub fn add(&mut self, cell: &[u8]) {
        self.cells += 1;
        let mut any = false;
        for (i, format) in DateFormat::ALL.into_iter().enumerate() {
            if let Some(time) = format.parse(cell) {
                self.fits[i] += 1;
                any = true;
                match format {
                    DateFormat::DayFirst => self.day_first.add(time),
                    DateFormat::MonthFirst => self.month_first.add(time),
                    // the shapes exclude one another except day/month order
                    _ => break,
                }
            }
        }
        if !any && self.misfit.is_none() {
            self.misfit = Some(crate::quality::mask(cell));
        }
    }

    /// Number of cells seen.
    pub fn cells(&self) -> u64 {
        self.cells
    }

    fn fit(&self, format: DateFormat) -> u64 {
        let at = DateFormat::ALL.iter().position(|&f| f == format).expect("every format is listed");
        self.fits[at]
    }

    /// Share of the cells that some format fits.
    pub fn share(&self) -> f64 {
        let best = self.fits.iter().copied().max().unwrap_or(0);
        if self.cells == 0 { 0.0 } else { best as f64 / self.cells as f64 }
    }

    /// The format that fits, why, or why not. `now` excludes a reading that lies in the future.
    pub fn decide(&self, now: Option<Timestamp>) -> DateDecision {
        if self.cells == 0 || self.share() < FIT_SHARE {
            return DateDecision::None(self.misfit.clone());
        }
        let (dmy, mdy) = (self.fit(DateFormat::DayFirst), self.fit(DateFormat::MonthFirst));
        let best = DateFormat::ALL.into_iter().max_by_key(|&f| self.fit(f)).expect("there are formats");
        if !matches!(best, DateFormat::DayFirst | DateFormat::MonthFirst) {
            return DateDecision::Found(best, format!("{} of {} cells fit", self.fit(best), self.cells));
        }
        if dmy != mdy {
            let (format, more) =
                if dmy > mdy { (DateFormat::DayFirst, dmy - mdy) } else { (DateFormat::MonthFirst, mdy - dmy) };
            let place = if dmy > mdy { "first" } else { "second" };
            return DateDecision::Found(format, format!("the {place} number is above 12 in {more} more cells"));
        }
        let future = |order: &Order| now.is_some_and(|now| order.latest.is_some_and(|t| t > now.0));
        match (future(&self.day_first), future(&self.month_first)) {
            (false, true) => {
                return DateDecision::Found(DateFormat::DayFirst, "month first would put dates in the future".into());
            }
            (true, false) => {
                return DateDecision::Found(DateFormat::MonthFirst, "day first would put dates in the future".into());
            }
            _ => {}
        }
        // a file in date order under one reading and not under the other was written in that order
        let (d, m) = (self.day_first.descents, self.month_first.descents);
        let clear = |few: u64, many: u64| self.cells >= 20 && few == 0 && many >= 3;
        if clear(d, m) {
            DateDecision::Found(DateFormat::DayFirst, "only day first puts the file in date order".into())
        } else if clear(m, d) {
            DateDecision::Found(DateFormat::MonthFirst, "only month first puts the file in date order".into())
        } else {
            DateDecision::Ambiguous
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        iso_fast(text.as_bytes()).expect("an ISO moment")
    }

    #[test]
    fn every_shape_of_one_moment_reads_alike() {
        let moment = at("2010-12-01 08:26:00");
        for (format, text) in [
            (DateFormat::YearFirst, "2010-12-01T08:26:00Z"),
            (DateFormat::YearFirst, "2010-12-01T08:26:00.123456+08:00"),
            (DateFormat::YearFirst, "2010/12/1 8:26"),
            (DateFormat::YearFirst, "2010.12.01 08:26:00.0"),
            (DateFormat::YearFirst, "2010年12月1日 8时26分"),
            (DateFormat::YearFirst, "2010年12月1日 上午8:26"),
            (DateFormat::YearFirst, "2010-12-01 8:26 AM"),
            (DateFormat::DayFirst, "01/12/2010 8:26"),
            (DateFormat::DayFirst, "1.12.10 08:26"),
            (DateFormat::MonthFirst, "12/1/10 8:26:00 AM"),
            (DateFormat::NamedMonth, "1 Dec 2010 08:26"),
            (DateFormat::NamedMonth, "December 1st, 2010, 8:26 am"),
            (DateFormat::NamedMonth, "01-DEC-10 08:26"),
            (DateFormat::Compact, "201012010826"),
            (DateFormat::Compact, "20101201082600"),
            (DateFormat::Compact, "20101201 08:26:00"),
            (DateFormat::EpochSeconds, "1291191960"),
            (DateFormat::EpochMillis, "1291191960000"),
            (DateFormat::EpochMicros, "1291191960000000"),
            (DateFormat::EpochNanos, "1291191960000000000"),
            (DateFormat::ExcelSerial, "40513.3513888889"),
        ] {
            assert_eq!(format.parse(text.as_bytes()), Some(moment), "{format}: {text}");
        }
        assert_eq!(DateFormat::YearFirst.parse(b"2010-12-01 8:26 PM"), Some(at("2010-12-01 20:26:00")));
        assert_eq!(DateFormat::Compact.parse(b"19970101"), Some(at("1997-01-01")));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for (format, text) in [
            (DateFormat::YearFirst, "2010-02-29"),
            (DateFormat::YearFirst, "2010-13-01"),
            (DateFormat::YearFirst, "2010-12-01 25:00"),
            (DateFormat::YearFirst, "2010-12-01 garbage"),
            (DateFormat::YearFirst, "2010-12-1 5"),
            (DateFormat::DayFirst, "12/13/2010"),
            (DateFormat::DayFirst, "12/11-2010"),
            (DateFormat::Compact, "19970229"),
            (DateFormat::EpochSeconds, "17850"),
            (DateFormat::ExcelSerial, "17.85"),
        ] {
            assert_eq!(format.parse(text.as_bytes()), None, "{format}: {text}");
        }
    }

    fn decide(cells: &[&str]) -> DateDecision {
        let mut e = DateEvidence::default();
        cells.iter().for_each(|c| e.add(c.as_bytes()));
        e.decide(None)
    }

    #[test]
    fn one_day_above_twelve_decides_the_order() {
        assert!(matches!(decide(&["01/12/2010", "13/12/2010"]), DateDecision::Found(DateFormat::DayFirst, _)));
        assert!(matches!(decide(&["01/12/2010", "12/13/2010"]), DateDecision::Found(DateFormat::MonthFirst, _)));
        assert_eq!(decide(&["01/12/2010", "02/12/2010"]), DateDecision::Ambiguous);
    }

    #[test]
    fn a_file_in_date_order_decides_the_order() {
        let monthly: Vec<String> = (0..24).map(|i| format!("01/{:02}/{}", i % 12 + 1, 2010 + i / 12)).collect();
        let cells: Vec<&str> = monthly.iter().map(String::as_str).collect();
        // read month first, this is 1 to 12 January 2010 and 2011: in order as well, so nobody can tell
        assert_eq!(decide(&cells), DateDecision::Ambiguous);
        let daily: Vec<String> = (0..48).map(|i| format!("{:02}/{:02}/2010", i % 12 + 1, i / 12 + 1)).collect();
        let cells: Vec<&str> = daily.iter().map(String::as_str).collect();
        assert!(matches!(decide(&cells), DateDecision::Found(DateFormat::DayFirst, _)));
    }

    #[test]
    fn a_reading_in_the_future_is_no_reading() {
        let mut e = DateEvidence::default();
        e.add(b"01/12/2010");
        let now = Timestamp(at("2010-06-01"));
        assert!(matches!(e.decide(Some(now)), DateDecision::Found(DateFormat::MonthFirst, _)));
    }

    #[test]
    fn patterns_name_formats() {
        for (text, format) in [
            ("%d/%m/%Y %H:%M", DateFormat::DayFirst),
            ("%m-%d-%y", DateFormat::MonthFirst),
            ("%Y%m%d", DateFormat::Compact),
            ("%Y-%m-%d", DateFormat::YearFirst),
            ("DMY", DateFormat::DayFirst),
        ] {
            assert_eq!(text.parse(), Ok(format));
        }
        assert!("quarterly".parse::<DateFormat>().is_err());
    }
}
