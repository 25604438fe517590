//! Moments, days, the cutoff between past and future, and the horizon after it.
//!
//! Times are local civil time as the shop wrote it, in whole seconds since 1970-01-01T00:00:00: a purchase at 23:50 counts
//! on the shop's own calendar day. No time zone arithmetic happens here.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Serialize};

/// Seconds in a civil day.
pub const SECONDS_PER_DAY: i64 = 86_400;

/// A civil day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(pub i32);

/// A moment: whole seconds since 1970-01-01T00:00:00 in the shop's own civil time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// A text that is not a day or a horizon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not a calendar day.
    #[error("`{0}` is not a day; write it as year-month-day, for example `1997-09-30`")]
    Day(String),
    /// Not a length of time.
    #[error("`{0}` is not a horizon; write days, weeks, months or years, for example `90d`, `39w`, `6m` or `1y`")]
    Horizon(String),
}

impl Day {
    /// The civil day `year-month-day`, or `None` when the calendar has no such day.
    ///
    /// ```
    /// use guike_core::Day;
    /// assert_eq!(Day::from_ymd(1970, 1, 2), Some(Day(1)));
    /// assert_eq!(Day::from_ymd(1997, 2, 29), None);
    /// ```
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Day> {
        NaiveDate::from_ymd_opt(year, month, day).map(Day::from_date)
    }

    fn from_date(date: NaiveDate) -> Day {
        Day(date.signed_duration_since(NaiveDate::default()).num_days() as i32)
    }

    fn date(self) -> NaiveDate {
        let epoch = NaiveDate::default();
        let shifted = if self.0 >= 0 {
            epoch.checked_add_days(Days::new(self.0 as u64))
        } else {
            epoch.checked_sub_days(Days::new(self.0.unsigned_abs() as u64))
        };
        shifted.unwrap_or(if self.0 > 0 { NaiveDate::MAX } else { NaiveDate::MIN })
    }

    /// The first second of the day.
    pub fn start(self) -> Timestamp {
        Timestamp(i64::from(self.0) * SECONDS_PER_DAY)
    }

    /// Year, month (1–12) and day of the month (1–31).
    pub fn ymd(self) -> (i32, u32, u32) {
        let d = self.date();
        (d.year(), d.month(), d.day())
    }

    /// Day of the week, Monday = 0 … Sunday = 6.
    pub fn weekday(self) -> u32 {
        // 1970-01-01 was a Thursday (3)
        (i64::from(self.0) + 3).rem_euclid(7) as u32
    }

    /// The day `days` later (earlier when negative).
    #[must_use]
    pub fn plus(self, days: i32) -> Day {
        Day(self.0 + days)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, m, d) = self.ymd();
        write!(f, "{y:04}-{m:02}-{d:02}")
    }
}

impl FromStr for Day {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Day, TimeError> {
        let bad = || TimeError::Day(text.to_owned());
        let t = text.trim();
        let (y, m, d) = if t.len() == 8 && t.bytes().all(|b| b.is_ascii_digit()) {
            (&t[..4], &t[4..6], &t[6..])
        } else {
            let mut parts = t.splitn(3, ['-', '/', '.']);
            match (parts.next(), parts.next(), parts.next()) {
                (Some(y), Some(m), Some(d)) if y.len() == 4 => (y, m, d),
                _ => return Err(bad()),
            }
        };
        match (y.parse(), m.parse(), d.parse()) {
            (Ok(y), Ok(m), Ok(d)) => Day::from_ymd(y, m, d).ok_or_else(bad),
            _ => Err(bad()),
        }
    }
}

impl TryFrom<String> for Day {
    type Error = TimeError;
    fn try_from(text: String) -> Result<Day, TimeError> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> String {
        day.to_string()
    }
}

impl Timestamp {
    /// The civil day this moment lies on.
    pub fn day(self) -> Day {
        Day(self.0.div_euclid(SECONDS_PER_DAY) as i32)
    }

    /// Hour of the day, 0–23.
    pub fn hour(self) -> u32 {
        (self.0.rem_euclid(SECONDS_PER_DAY) / 3600) as u32
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0.rem_euclid(SECONDS_PER_DAY);
        write!(f, "{} {:02}:{:02}:{:02}", self.day(), s / 3600, s / 60 % 60, s % 60)
    }
}

/// The moment of prediction, given as the last day that is known.
///
/// Everything up to the end of that day is past, everything after it is future.
///
/// ```
/// use guike_core::{Cutoff, Day};
/// let cutoff = Cutoff::after("1997-09-30".parse::<Day>().unwrap());
/// assert_eq!(cutoff.end().to_string(), "1997-10-01 00:00:00");
/// assert!("1997-13-30".parse::<Day>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cutoff(Day);

impl Cutoff {
    /// The cutoff at the end of `last_known_day`.
    pub fn after(last_known_day: Day) -> Cutoff {
        Cutoff(last_known_day)
    }

    /// The last day that is known.
    pub fn last_day(self) -> Day {
        self.0
    }

    /// The first moment of the future (exclusive end of the past).
    pub fn end(self) -> Timestamp {
        self.0.plus(1).start()
    }

    /// The cutoff `days` earlier.
    #[must_use]
    pub fn earlier(self, days: u32) -> Cutoff {
        Cutoff(self.0.plus(-(days as i32)))
    }
}

impl fmt::Display for Cutoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far ahead a forecast looks, in days; at least one.
///
/// Parses `90d`, `39w`, `6m` (30.4375 days each, rounded), `1y` (365 days) and plain `273` (days).
///
/// ```
/// use guike_core::Horizon;
/// assert_eq!("39w".parse::<Horizon>().unwrap().days(), 273);
/// assert!("0d".parse::<Horizon>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Horizon(u32);

impl Horizon {
    /// Longest horizon accepted: a hundred years.
    pub const MAX_DAYS: u32 = 36_525;

    /// A horizon of `days`, or `None` outside 1 … [`Horizon::MAX_DAYS`].
    pub fn from_days(days: u32) -> Option<Horizon> {
        (1..=Self::MAX_DAYS).contains(&days).then_some(Horizon(days))
    }

    /// Length in days.
    pub fn days(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Horizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}d", self.0)
    }
}

impl FromStr for Horizon {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Horizon, TimeError> {
        let bad = || TimeError::Horizon(text.to_owned());
        let t = text.trim().to_ascii_lowercase();
        let split = t.find(|c: char| !c.is_ascii_digit()).unwrap_or(t.len());
        let number: u32 = t[..split].parse().map_err(|_| bad())?;
        let days = match t[split..].trim() {
            "" | "d" | "day" | "days" => Some(number),
            "w" | "week" | "weeks" => number.checked_mul(7),
            "m" | "month" | "months" => Some((f64::from(number) * 30.4375).round() as u32),
            "y" | "year" | "years" => number.checked_mul(365),
            _ => None,
        };
        days.and_then(Horizon::from_days).ok_or_else(bad)
    }
}

impl TryFrom<String> for Horizon {
    type Error = TimeError;
    fn try_from(text: String) -> Result<Horizon, TimeError> {
        text.parse()
    }
}

impl From<Horizon> for String {
    fn from(h: Horizon) -> String {
        h.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_from_the_epoch_and_print_as_iso() {
        for (text, n) in [("1970-01-01", 0), ("1969-12-31", -1), ("1997-09-30", 10_134), ("2000-02-29", 11_016)] {
            let day: Day = text.parse().expect("a valid day");
            assert_eq!(day.0, n, "{text}");
            assert_eq!(day.to_string(), text);
        }
        assert_eq!("19970930".parse::<Day>(), Ok(Day(10_134)));
    }

    #[test]
    fn weekday_of_known_days() {
        assert_eq!("2026-11-23".parse::<Day>().map(Day::weekday), Ok(0));
        assert_eq!("1969-12-28".parse::<Day>().map(Day::weekday), Ok(6));
    }

    #[test]
    fn horizons_parse_in_days_weeks_months_years() {
        for (text, days) in [("273", 273), ("39w", 273), ("6m", 183), ("1y", 365), (" 90D ", 90)] {
            assert_eq!(text.parse::<Horizon>().map(Horizon::days), Ok(days), "{text}");
        }
        for text in ["", "d", "-3d", "0", "5q", "99999999999d", "40000d"] {
            assert!(text.parse::<Horizon>().is_err(), "{text}");
        }
    }
}
