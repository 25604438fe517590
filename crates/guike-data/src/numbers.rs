//! Amounts and quantities as shops write them, turned into exact millionths.
//!
//! The one idea: decimal text becomes an integer number of millionths without passing through a float, so `11.77` is
//! 11,770,000 and sums are exact. Which of point and comma is the decimal sign is decided once per column from its cells
//! ([`NumberEvidence`]); a cell that does not fit is unparsable and never guessed at.

use guike_core::Money;
use serde::{Deserialize, Serialize};

/// The decimal sign of a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecimalSign {
    /// `1,234.56`
    #[default]
    Point,
    /// `1.234,56`
    Comma,
}

/// A number in millionths with the currency its cell names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parsed {
    /// Millionths.
    pub micros: i64,
    /// Index into [`CURRENCIES`].
    pub currency: Option<u8>,
}

/// Currencies with the marks that name them, the canonical code first. `¥` alone counts as CNY: `JPY`, `円` or
/// `--currency JPY` say otherwise.
pub const CURRENCIES: &[(&str, &[&str])] = &[
    ("CNY", &["CNY", "RMB", "CN¥", "人民币", "元", "¥", "￥"]),
    ("HKD", &["HKD", "HK$", "港币", "港元"]),
    ("TWD", &["TWD", "NT$", "NTD", "新台币"]),
    ("SGD", &["SGD", "S$"]),
    ("AUD", &["AUD", "AU$", "A$"]),
    ("CAD", &["CAD", "CA$", "C$"]),
    ("BRL", &["BRL", "R$"]),
    ("USD", &["USD", "US$", "美元", "$"]),
    ("EUR", &["EUR", "欧元", "€"]),
    ("GBP", &["GBP", "英镑", "£"]),
    ("JPY", &["JPY", "日元", "円"]),
    ("KRW", &["KRW", "韩元", "₩"]),
    ("INR", &["INR", "₹", "Rs.", "Rs"]),
    ("CHF", &["CHF", "Fr."]),
    ("RUB", &["RUB", "₽"]),
    ("THB", &["THB", "฿"]),
    ("VND", &["VND", "₫"]),
    ("PLN", &["PLN", "zł"]),
    ("SEK", &["SEK"]),
    ("NOK", &["NOK"]),
    ("DKK", &["DKK"]),
    ("MXN", &["MXN"]),
    ("ZAR", &["ZAR"]),
    ("TRY", &["TRY", "₺"]),
];

/// Index of the currency that `mark` names, in any case.
pub fn currency(mark: &str) -> Option<u8> {
    let mark = mark.trim();
    CURRENCIES.iter().position(|(_, marks)| marks.iter().any(|m| m.eq_ignore_ascii_case(mark))).map(|i| i as u8)
}

/// Whether a cell says that there is no value.
#[inline]
pub fn is_missing(cell: &[u8]) -> bool {
    const WORDS: [&str; 11] = ["NA", "N/A", "NAN", "NULL", "NONE", "NIL", "\\N", "-", "--", "#N/A", "<NA>"];
    match cell.len() {
        0 => true,
        1..=4 => {
            WORDS.iter().any(|w| cell.eq_ignore_ascii_case(w.as_bytes())) || cell.iter().all(u8::is_ascii_whitespace)
        }
        _ => cell.iter().all(u8::is_ascii_whitespace),
    }
}

/// The number in `cell`, or `None` when it is not one, not finite, or beyond ±10^12.
///
/// ```
/// use guike_data::numbers::{DecimalSign, parse};
/// let micros = |text: &str, sign| parse(text.as_bytes(), sign).map(|p| p.micros);
/// assert_eq!(micros("¥1,234.50", DecimalSign::Point), Some(1_234_500_000));
/// assert_eq!(micros("1.234,50 €", DecimalSign::Comma), Some(1_234_500_000));
/// assert_eq!(micros("(3.20)", DecimalSign::Point), Some(-3_200_000));
/// assert_eq!(micros("12,5", DecimalSign::Point), None);
/// ```
#[inline]
pub fn parse(cell: &[u8], sign: DecimalSign) -> Option<Parsed> {
    if let Some(micros) = plain(cell, sign) {
        return Some(Parsed { micros, currency: None });
    }
    dressed(cell, sign)
}

/// `-?digits[.digits]` with at most 12 digits before and 6 after the decimal sign: nearly every cell.
#[inline]
fn plain(cell: &[u8], sign: DecimalSign) -> Option<i64> {
    let (negative, digits) = match cell {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let point = if sign == DecimalSign::Point { b'.' } else { b',' };
    if digits.is_empty() || digits.len() > 19 || digits[0] == point {
        return None;
    }
    let mut value = 0_i64;
    let mut decimals = None;
    for &c in digits {
        let d = c.wrapping_sub(b'0');
        if d < 10 {
            value = value.checked_mul(10)?.checked_add(i64::from(d))?;
            decimals = decimals.map(|n: u32| n + 1);
        } else if c == point && decimals.is_none() {
            decimals = Some(0);
        } else {
            return None;
        }
    }
    const SCALE: [i64; 7] = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    let scale = *SCALE.get(decimals.unwrap_or(0) as usize)?;
    let micros = value.checked_mul(scale)?;
    (micros <= LARGEST).then_some(if negative { -micros } else { micros })
}

const LARGEST: i64 = Money::MAX_UNITS as i64 * Money::PER_UNIT;

/// [`Money::from_units`] in millionths, without a call per value: adding the largest number below one half and cutting off
/// rounds halves away from zero, exactly.
#[inline]
pub(crate) fn float_micros(units: f64) -> Option<i64> {
    const BELOW_HALF: f64 = 0.499_999_999_999_999_94;
    let micros = units * Money::PER_UNIT as f64;
    (units.abs() <= Money::MAX_UNITS).then_some((micros + BELOW_HALF.copysign(micros)) as i64)
}

/// Everything else: signs, parentheses, currencies, group separators, many decimals, exponents, 万.
fn dressed(cell: &[u8], sign: DecimalSign) -> Option<Parsed> {
    if let Some(narrow) = narrow(cell) {
        return parse(&narrow, sign);
    }
    let text = std::str::from_utf8(cell).ok()?;
    let mut t = text.trim();
    let mut negative = false;
    let mut currency_found = None;
    let mut scale = 1_i64;
    // marks may stand in any order around the digits: "-$5", "$-5", "($5)", "5- €"
    loop {
        let before = t;
        if let Some(inner) = t.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
            (t, negative) = (inner, !negative);
        } else if let Some(rest) = t.strip_prefix(['-', '−', '－']) {
            (t, negative) = (rest, !negative);
        } else if let Some(rest) = t.strip_suffix(['-', '−']) {
            (t, negative) = (rest, !negative);
        } else if let Some(rest) = t.strip_prefix('+') {
            t = rest;
        } else if let Some(rest) = t.strip_suffix('万') {
            (t, scale) = (rest, scale.checked_mul(10_000)?);
        } else if let Some((rest, code)) = strip_currency(t) {
            if currency_found.is_some_and(|c| c != code) {
                return None;
            }
            (t, currency_found) = (rest, Some(code));
        }
        t = t.trim();
        if t.len() == before.len() {
            break;
        }
    }
    let micros = ungroup(t.as_bytes(), sign)?.checked_mul(scale)?;
    (micros <= LARGEST).then_some(Parsed { micros: if negative { -micros } else { micros }, currency: currency_found })
}

/// A cell with full-width characters (`１２３．５０`, `（5）`, `：`) in those of a typewriter; `None` for one without. The
/// full-width yen sign stays: it names a currency.
pub(crate) fn narrow(cell: &[u8]) -> Option<Vec<u8>> {
    // U+FF01 to U+FF5E begin with this byte, U+3000 with the other
    let lead = cell.iter().any(|&b| b == 0xef || b == 0xe3);
    let text = std::str::from_utf8(cell).ok().filter(|_| lead)?;
    let one = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        c => c,
    };
    let narrow: String = text.chars().map(one).collect();
    (narrow != text).then(|| narrow.into_bytes())
}

/// Takes one currency mark off either end; the longest mark wins, so that `US$` is not `$`.
fn strip_currency(t: &str) -> Option<(&str, u8)> {
    if t.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',')) {
        return None;
    }
    let mut best: Option<(&str, u8, usize)> = None;
    for (code, (_, marks)) in CURRENCIES.iter().enumerate() {
        for mark in *marks {
            let head = t.get(..mark.len()).is_some_and(|h| h.eq_ignore_ascii_case(mark));
            let tail_at = t.len().checked_sub(mark.len());
            let tail = tail_at.and_then(|at| t.get(at..)).is_some_and(|h| h.eq_ignore_ascii_case(mark));
            if (head || tail) && best.is_none_or(|(_, _, len)| mark.len() > len) {
                let rest = if head { &t[mark.len()..] } else { &t[..t.len() - mark.len()] };
                best = Some((rest, code as u8, mark.len()));
            }
        }
    }
    best.map(|(rest, code, _)| (rest, code))
}

/// Millionths of an unsigned number with group separators; groups after the first have three digits (or two, as in
/// India, before the last).
fn ungroup(t: &[u8], sign: DecimalSign) -> Option<i64> {
    if t.iter().any(|c| matches!(c, b'e' | b'E')) {
        let mut plain = t.to_vec();
        if sign == DecimalSign::Comma {
            plain.iter_mut().filter(|c| **c == b',').for_each(|c| *c = b'.');
        }
        let ok = plain.iter().all(|c| c.is_ascii_digit() || matches!(c, b'.' | b'e' | b'E' | b'+' | b'-'));
        return Money::from_units(fast_float2::parse::<f64, _>(&plain).ok().filter(|_| ok)?).map(|m| m.0);
    }
    let (decimal, group) = if sign == DecimalSign::Point { (b'.', b',') } else { (b',', b'.') };
    let cut = t.iter().rposition(|&c| c == decimal);
    let (whole, fraction) = match cut {
        Some(at) => (&t[..at], &t[at + 1..]),
        None => (t, &t[t.len()..]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let text = std::str::from_utf8(whole).ok()?;
    let separator = |c: char| matches!(c, '\'' | '’' | ' ' | '\u{a0}' | '\u{202f}' | '_') || c == char::from(group);
    let groups: Vec<&str> = text.split(separator).collect();
    let n = groups.len();
    for (i, g) in groups.iter().enumerate() {
        let ok = match i {
            _ if n == 1 => true,
            0 => (1..=3).contains(&g.len()),
            _ if i + 1 == n => g.len() == 3,
            _ => g.len() == 2 || g.len() == 3,
        };
        if !ok || !g.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    let mut value = 0_i64;
    for d in groups.iter().flat_map(|g| g.bytes()) {
        value = value.checked_mul(10)?.checked_add(i64::from(d - b'0'))?;
    }
    let mut micros = value.checked_mul(Money::PER_UNIT)?;
    let mut weight = Money::PER_UNIT;
    for (i, &c) in fraction.iter().enumerate() {
        let d = i64::from(c.wrapping_sub(b'0'));
        if !(0..10).contains(&d) {
            return None;
        }
        weight /= 10;
        // the seventh decimal rounds half away from zero, later ones cannot change that beyond the last millionth
        micros += if i < 6 {
            d * weight
        } else if i == 6 {
            i64::from(d >= 5)
        } else {
            0
        };
    }
    (micros <= LARGEST).then_some(micros)
}

/// `price × quantity` in millionths, rounded half away from zero; `None` beyond ±10^12.
#[inline]
pub fn multiply(price_micros: i64, quantity_micros: i64) -> Option<i64> {
    let unit = i128::from(Money::PER_UNIT);
    // whole quantities and modest prices, the usual case, need no wide division
    if quantity_micros % Money::PER_UNIT == 0
        && let Some(product) = price_micros.checked_mul(quantity_micros / Money::PER_UNIT)
    {
        return (product.abs() <= LARGEST).then_some(product);
    }
    let product = i128::from(price_micros) * i128::from(quantity_micros);
    let half = if product < 0 { -unit / 2 } else { unit / 2 };
    let rounded = (product + half) / unit;
    (rounded.abs() <= i128::from(LARGEST)).then_some(rounded as i64)
}

/// What the cells of one column say about its decimal sign.
#[derive(Debug, Clone, Default)]
pub struct NumberEvidence {
    cells: u64,
    point: u64,
    comma: u64,
    /// Cells like `1,234`.
    unclear: u64,
    /// Cells like `1.234`.
    unclear_points: u64,
}

impl NumberEvidence {
    /// Adds one non-empty cell.
    pub fn add(&mut self, cell: &[u8]) {
        self.cells += 1;
        let count = |sign: u8| cell.iter().filter(|&&c| c == sign).count();
        let (commas, points) = (count(b','), count(b'.'));
        if commas == 0 && points == 0 {
            return;
        }
        let after = |sign: u8| {
            let at = cell.iter().rposition(|&c| c == sign).unwrap_or(cell.len());
            cell[at..].iter().filter(|c| c.is_ascii_digit()).count()
        };
        let before_is_zero = |sign: u8| {
            let digits: Vec<u8> =
                cell.split(|&c| c == sign).next().unwrap_or(&[]).iter().copied().filter(u8::is_ascii_digit).collect();
            digits.is_empty() || digits == b"0" || digits.len() > 3
        };
        match (commas, points) {
            (1.., 1..) => {
                let comma_last = cell.iter().rposition(|&c| c == b',') > cell.iter().rposition(|&c| c == b'.');
                *(if comma_last { &mut self.comma } else { &mut self.point }) += 1;
            }
            (1, 0) if after(b',') != 3 || before_is_zero(b',') => self.comma += 1,
            (0, 1) if after(b'.') != 3 || before_is_zero(b'.') => self.point += 1,
            (2.., 0) => self.point += 1,
            (0, 2..) => self.comma += 1,
            (1, 0) => self.unclear += 1,
            // one point with three digits behind it is a decimal point unless other cells say otherwise
            _ => self.unclear_points += 1,
        }
    }

    /// Whether more cells could change the decision.
    pub fn is_open(&self) -> bool {
        self.unclear > 0 && self.point == 0 && self.comma == 0
    }

    /// Whether some cell shows the decimal sign.
    pub(crate) fn is_clear(&self) -> bool {
        self.point > 0 || self.comma > 0
    }

    /// Adds the cells of another column that is written alike.
    pub(crate) fn merge(&mut self, other: &NumberEvidence) {
        self.cells += other.cells;
        self.point += other.point;
        self.comma += other.comma;
        self.unclear += other.unclear;
        self.unclear_points += other.unclear_points;
    }

    /// As [`NumberEvidence::decide`], for a text table whose cells end with semicolons: such files are written where the
    /// comma is the decimal sign, so that a point with three digits behind it groups thousands.
    pub(crate) fn decide_behind_semicolons(&self) -> (DecimalSign, Option<String>) {
        if self.point > 0 || self.comma > 0 || self.unclear_points == 0 {
            return self.decide();
        }
        let remark = format!(
            "{} cells like `1.234` were read with a thousands point, because the file's delimiter is a semicolon; `--decimal \
             point` reads them as fractions",
            self.unclear_points
        );
        (DecimalSign::Comma, Some(remark))
    }

    /// The decimal sign, and a remark where the cells leave room for doubt.
    pub fn decide(&self) -> (DecimalSign, Option<String>) {
        if self.comma > self.point {
            return (DecimalSign::Comma, None);
        }
        let remark = if self.is_open() {
            Some(format!(
                "{} cells like `1,234` were read with a thousands comma; `--decimal comma` reads them as fractions",
                self.unclear
            ))
        } else if self.unclear_points > 0 && self.point == 0 {
            Some(format!(
                "{} cells like `1.234` were read with a decimal point; `--decimal comma` reads the point as a thousands mark",
                self.unclear_points
            ))
        } else {
            None
        };
        (DecimalSign::Point, remark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quick_rounding_is_the_rounding_of_money(units in prop_oneof![-1e13_f64..1e13, -100.0_f64..100.0, any::<f64>()]) {
            prop_assert_eq!(float_micros(units), Money::from_units(units).map(|m| m.0));
        }
    }

    #[test]
    fn halves_round_away_from_zero() {
        for (units, micros) in [
            (0.000_000_5, 1),
            (-0.000_000_5, -1),
            (0.000_000_499, 0),
            (11.77, 11_770_000),
            (1e12, 1_000_000_000_000_000_000),
        ] {
            assert_eq!(float_micros(units), Some(micros), "{units}");
        }
        assert_eq!(float_micros(f64::NAN), None);
    }

    fn micros(text: &str, sign: DecimalSign) -> Option<i64> {
        parse(text.as_bytes(), sign).map(|p| p.micros)
    }

    #[test]
    fn decimal_text_becomes_exact_millionths() {
        use DecimalSign::{Comma, Point};
        for (text, sign, expected) in [
            ("11.77", Point, 11_770_000),
            ("0.001", Point, 1_000),
            ("-5", Point, -5_000_000),
            (".5", Point, 500_000),
            ("5.", Point, 5_000_000),
            ("25.200000000000003", Point, 25_200_000),
            ("0.0000005", Point, 1),
            ("1,234,567.89", Point, 1_234_567_890_000),
            ("1,00,000", Point, 100_000_000_000),
            ("1 234,5", Comma, 1_234_500_000),
            ("1'234.50", Point, 1_234_500_000),
            ("￥12.30", Point, 12_300_000),
            ("12.30元", Point, 12_300_000),
            ("USD 12.30", Point, 12_300_000),
            ("-$1,000", Point, -1_000_000_000),
            ("$-5", Point, -5_000_000),
            ("(5.00)", Point, -5_000_000),
            ("5.00-", Point, -5_000_000),
            ("1.2万", Point, 12_000_000_000),
            ("1e3", Point, 1_000_000_000),
            ("1E-05", Point, 10),
            ("  7 ", Point, 7_000_000),
            ("+7", Point, 7_000_000),
        ] {
            assert_eq!(micros(text, sign), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in
            ["", "abc", "1,23", "12,5", "1.2.3", "1e400", "inf", "NaN", "9999999999999", "5%", "1,2345", "$5 €", "--"]
        {
            assert_eq!(micros(text, DecimalSign::Point), None, "{text}");
        }
    }

    #[test]
    fn currencies_are_named() {
        for (text, code) in
            [("¥5", "CNY"), ("HK$5", "HKD"), ("5 €", "EUR"), ("US$5", "USD"), ("$5", "USD"), ("5 usd", "USD")]
        {
            let parsed = parse(text.as_bytes(), DecimalSign::Point).expect("a number");
            assert_eq!(parsed.currency.map(|c| CURRENCIES[usize::from(c)].0), Some(code), "{text}");
        }
    }

    #[test]
    fn the_column_decides_the_decimal_sign() {
        let decide = |cells: &[&str]| {
            let mut e = NumberEvidence::default();
            cells.iter().for_each(|c| e.add(c.as_bytes()));
            (e.decide().0, e.is_open())
        };
        assert_eq!(decide(&["1,50", "20"]), (DecimalSign::Comma, false));
        assert_eq!(decide(&["1,500", "20.25"]), (DecimalSign::Point, false));
        assert_eq!(decide(&["1.500", "20,25"]), (DecimalSign::Comma, false));
        assert_eq!(decide(&["0,500"]), (DecimalSign::Comma, false));
        assert_eq!(decide(&["1,500", "20"]), (DecimalSign::Point, true));
    }

    #[test]
    fn price_times_quantity_is_exact() {
        assert_eq!(multiply(2_550_000, 6_000_000), Some(15_300_000));
        assert_eq!(multiply(10_000, 500_000), Some(5_000));
        assert_eq!(multiply(-1, 500_000), Some(-1));
        assert_eq!(multiply(i64::MAX / 4, 10_000_000), None);
    }
}
