//! Numbers and labels as people read them: short numbers in k/M and 万/亿, money, percent, and how wide a text will be.
//!
//! Widths are estimates from average glyph sizes of common system fonts (Latin about half an em, CJK one em): good enough
//! to decide whether two labels would touch, without knowing the reader's font.

use serde::{Deserialize, Serialize};

/// The language a picture or page speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

impl Lang {
    /// Both, English first.
    pub const ALL: [Lang; 2] = [Lang::En, Lang::Zh];

    /// The language tag of HTML's `lang`.
    pub fn tag(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Zh => "zh",
        }
    }

    /// The one of two texts that is in this language.
    pub fn pick<T>(self, en: T, zh: T) -> T {
        match self {
            Lang::En => en,
            Lang::Zh => zh,
        }
    }
}

/// What a number counts, and so how it prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Measure<'a> {
    /// A plain number.
    #[default]
    Number,
    /// Money in the currency of this code or sign; `None` where the log names none.
    Money(Option<&'a str>),
    /// A share from 0 to 1, printed as percent.
    Percent,
}

impl Measure<'_> {
    /// Three significant digits, as on an axis or a label.
    ///
    /// ```
    /// use guike_explain::{Lang, Measure};
    /// assert_eq!(Measure::Money(Some("GBP")).short(12_345.0, Lang::En), "£12.3k");
    /// assert_eq!(Measure::Money(Some("CNY")).short(12_345.0, Lang::Zh), "¥1.23万");
    /// assert_eq!(Measure::Percent.short(0.805, Lang::En), "80.5%");
    /// ```
    pub fn short(self, value: f64, lang: Lang) -> String {
        match self {
            Measure::Number => compact(value, lang),
            Measure::Percent => percent(value),
            Measure::Money(currency) => with_currency(&compact(value, lang), currency),
        }
    }

    /// Whole units, as for sums in a table.
    pub fn whole(self, value: f64) -> String {
        match self {
            Measure::Number => grouped(value, 0),
            Measure::Percent => percent(value),
            Measure::Money(currency) => with_currency(&grouped(value, 0), currency),
        }
    }

    /// Every digit, as in a table: money with two decimals below 100,000, counts with none where they are whole.
    pub fn full(self, value: f64) -> String {
        match self {
            Measure::Number => grouped(value, if value.fract().abs() < 1e-9 { 0 } else { 2 }),
            Measure::Percent => percent(value),
            Measure::Money(currency) => with_currency(&grouped(value, if value.abs() < 1e5 { 2 } else { 0 }), currency),
        }
    }
}

fn with_currency(number: &str, currency: Option<&str>) -> String {
    let sign = match currency.map(str::trim) {
        None | Some("") => return number.to_owned(),
        Some("USD") => "$",
        Some("GBP") => "£",
        Some("EUR") => "€",
        Some("CNY" | "RMB" | "JPY" | "元" | "人民币") => "¥",
        Some(other) => other,
    };
    // a code of letters needs a space (CHF 12), a sign does not (£12)
    let gap = if sign.chars().all(|c| c.is_ascii_alphabetic()) { "\u{a0}" } else { "" };
    match number.strip_prefix('−') {
        Some(rest) => format!("−{sign}{gap}{rest}"),
        None => format!("{sign}{gap}{number}"),
    }
}

/// A number in three significant digits with k/M/B/T or 万/亿/万亿.
///
/// ```
/// use guike_explain::{text::compact, Lang};
/// assert_eq!(compact(999_960.0, Lang::En), "1M");
/// assert_eq!(compact(0.25, Lang::En), "0.25");
/// assert_eq!(compact(3_456.0, Lang::Zh), "3,456");
/// assert_eq!(compact(-123_456_789.0, Lang::Zh), "−1.23亿");
/// assert_eq!(compact(f64::NAN, Lang::Zh), "–");
/// ```
pub fn compact(value: f64, lang: Lang) -> String {
    const EN: [(f64, &str); 5] = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"), (1.0, "")];
    const ZH: [(f64, &str); 4] = [(1e12, "万亿"), (1e8, "亿"), (1e4, "万"), (1.0, "")];
    if !value.is_finite() {
        return "–".to_owned();
    }
    let units: &[(f64, &str)] = lang.pick(&EN[..], &ZH[..]);
    let size = round_significant(value.abs(), 3);
    // in Chinese four digits stay whole: 3,456 and not 3.46千
    let (unit, name) = units.iter().find(|(u, _)| size >= *u).copied().unwrap_or((1.0, ""));
    let scaled = if unit == 1.0 && value.abs() >= 1000.0 { value.abs().round() } else { size / unit };
    let decimals = if scaled >= 100.0 || scaled == 0.0 { 0 } else { (2 - scaled.log10().floor() as i32).clamp(0, 6) };
    let mut digits = grouped(scaled, decimals as usize);
    if digits.contains('.') {
        digits.truncate(digits.trim_end_matches('0').trim_end_matches('.').len());
    }
    let sign = if value < 0.0 && digits != "0" { "−" } else { "" };
    format!("{sign}{digits}{name}")
}

/// `value` to `digits` significant digits.
fn round_significant(value: f64, digits: i32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let exponent = digits - 1 - value.abs().log10().floor() as i32;
    // through decimal text, so that 0.3 stays 0.3
    if exponent >= 0 {
        format!("{value:.*}", exponent as usize).parse().unwrap_or(value)
    } else {
        let step = 10f64.powi(-exponent);
        (value / step).round() * step
    }
}

/// A number with `decimals` and separators between thousands; `–` when it is not finite.
///
/// ```
/// use guike_explain::text::grouped;
/// assert_eq!(grouped(1_234_567.891, 2), "1,234,567.89");
/// assert_eq!(grouped(-0.001, 2), "0.00");
/// ```
pub fn grouped(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let plain = format!("{:.*}", decimals, value.abs());
    let (whole, fraction) = plain.split_once('.').map_or((plain.as_str(), None), |(w, f)| (w, Some(f)));
    let mut out = String::with_capacity(plain.len() + plain.len() / 3 + 3);
    if value < 0.0 && plain.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        out.push('−');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A count with separators.
pub fn count(n: u64) -> String {
    grouped(n as f64, 0)
}

/// A share as percent: whole from 10 % up unless a digit says more, `<0.1%` where it would print as nothing.
///
/// ```
/// use guike_explain::text::percent;
/// assert_eq!([percent(0.8), percent(0.123), percent(0.0004), percent(0.0), percent(1.0)],
///            ["80%", "12.3%", "<0.1%", "0%", "100%"]);
/// ```
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "–".to_owned();
    }
    let p = share * 100.0;
    if p > 0.0 && p < 0.05 {
        return "<0.1%".to_owned();
    }
    let text = grouped(p, 1);
    format!("{}%", text.strip_suffix(".0").unwrap_or(&text))
}

/// Estimated width of a text set at `size`, in the unit of `size`.
pub fn width(text: &str, size: f64) -> f64 {
    size * text.chars().map(advance).sum::<f64>()
}

/// Width of a character in ems.
fn advance(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '|' | '!' | '.' | ',' | ':' | ';' | '\'' | 'I' => 0.28,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | ' ' | '\u{a0}' | '-' | '/' => 0.36,
        'm' | 'w' | '%' | '@' => 0.86,
        'M' | 'W' => 0.9,
        '0'..='9' => 0.61,
        'A'..='Z' => 0.69,
        // combining marks add nothing
        '\u{300}'..='\u{36f}' => 0.0,
        c if (c as u32) < 0x2e80 => 0.6,
        _ => 1.0,
    }
}

/// The text, cut with an ellipsis where it would be wider than `room`.
///
/// ```
/// use guike_explain::text::fit;
/// assert_eq!(fit("贵客价值", 12.0, 30.0), "贵…");
/// assert_eq!(fit("short", 12.0, 100.0), "short");
/// ```
pub fn fit(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut used = advance('…') * size;
    let mut out = String::new();
    for c in text.chars() {
        used += advance(c) * size;
        if used > room {
            break;
        }
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_in_both_languages() {
        for (value, en, zh) in [
            (0.0, "0", "0"),
            (7.0, "7", "7"),
            (0.051_23, "0.0512", "0.0512"),
            (99.95, "100", "100"),
            (999.5, "1k", "1,000"),
            (1_234.0, "1.23k", "1,234"),
            (20_000.0, "20k", "2万"),
            (99_999.0, "100k", "10万"),
            (1_500_000.0, "1.5M", "150万"),
            (2.5e9, "2.5B", "25亿"),
            (7.1e12, "7.1T", "7.1万亿"),
            (-40.0, "−40", "−40"),
        ] {
            assert_eq!(compact(value, Lang::En), en);
            assert_eq!(compact(value, Lang::Zh), zh);
        }
    }

    #[test]
    fn money_takes_a_sign_or_a_spaced_code_and_keeps_the_minus_in_front() {
        let m = |c| Measure::Money(c);
        assert_eq!(m(Some("EUR")).full(-1234.5), "−€1,234.50");
        assert_eq!(m(Some("CHF")).short(1500.0, Lang::En), "CHF\u{a0}1.5k");
        assert_eq!(m(None).full(1_000_000.0), "1,000,000");
    }

    #[test]
    fn a_chinese_character_is_about_two_digits_wide() {
        assert!(width("钻石", 12.0) > width("12", 12.0) * 1.5);
    }
}
