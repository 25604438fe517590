//! Times of day in a column of their own, beside a column of days: `date` and `time`, 下单日期 and 下单时间.
//!
//! As with dates, a column is written in one way throughout, and a cell that does not fit it is unparsable.

use crate::block::Column;
use crate::dates::time_of_day;
use crate::numbers;

/// How a column writes times of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockFormat {
    /// `14:23`, `2:23 PM`, `14时23分`, `下午2:23`, a moment on day zero of some calendar, or a day's
    /// fraction as in Excel.
    Text,
    /// `1423` or `923`.
    HourMinute,
    /// `142305` or `92305`.
    HourMinuteSecond,
}

/// Share of the filled cells that must be times of day.
const FIT_SHARE: f64 = 0.9;

impl ClockFormat {
    /// How the cells of a sample are written; `None` when they are no times of day.
    pub(crate) fn find(column: &Column, n_rows: usize) -> Option<ClockFormat> {
        const LOOK_AT: usize = 2_000;
        let cells: Vec<Vec<u8>> =
            (0..n_rows.min(LOOK_AT)).map(|r| column.cell_text(r)).filter(|c| !numbers::is_missing(c)).collect();
        let fits = |f: ClockFormat| {
            let n = cells.iter().filter(|c| f.parse(c).is_some()).count();
            !cells.is_empty() && n as f64 >= FIT_SHARE * cells.len() as f64
        };
        // minutes first: read with seconds, 923 would be nine minutes past midnight
        [ClockFormat::Text, ClockFormat::HourMinute, ClockFormat::HourMinuteSecond].into_iter().find(|&f| fits(f))
    }

    /// Seconds since midnight.
    pub(crate) fn parse(self, cell: &[u8]) -> Option<i64> {
        let cell = cell.trim_ascii();
        let whole = || {
            let text = std::str::from_utf8(cell.strip_suffix(b".0").unwrap_or(cell)).ok()?;
            // fewer digits are counts or hours
            (text.len() > 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<i64>().ok()).flatten()
        };
        let clock = |h: i64, m: i64, s: i64| (h < 24 && m < 60 && s < 60).then_some(h * 3600 + m * 60 + s);
        match self {
            ClockFormat::Text => time_of_day(cell).or_else(|| fraction(cell)).or_else(|| {
                // `1899-12-31 14:23:00` is how some tools write a bare time
                let (day, time) = cell.split_at_checked(10)?;
                [&b"1899-12-30"[..], b"1899-12-31", b"1900-01-01", b"1970-01-01"].contains(&day).then_some(())?;
                time_of_day(time.strip_prefix(b"T").unwrap_or(time))
            }),
            ClockFormat::HourMinute => whole().and_then(|v| clock(v / 100, v % 100, 0)),
            ClockFormat::HourMinuteSecond => whole().and_then(|v| clock(v / 10_000, v / 100 % 100, v % 100)),
        }
    }
}

/// `0.599` of a day.
fn fraction(cell: &[u8]) -> Option<i64> {
    let value: f64 = fast_float2::parse(cell).ok().filter(|_| cell.starts_with(b"0."))?;
    (0.0..1.0).contains(&value).then(|| ((value * 86_400.0).round() as i64).min(86_399))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_buffer::Buffer;

    fn column(cells: &[&str]) -> Column {
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        for c in cells {
            let from = bytes.len() as u32;
            bytes.extend_from_slice(c.as_bytes());
            spans.push((from, bytes.len() as u32));
        }
        Column::Text { bytes: Buffer::from_vec(bytes), spans }
    }

    #[test]
    fn every_shape_of_one_time_reads_alike() {
        let at = 14 * 3600 + 23 * 60;
        for (format, text) in [
            (ClockFormat::Text, "14:23"),
            (ClockFormat::Text, "14:23:00"),
            (ClockFormat::Text, "2:23 PM"),
            (ClockFormat::Text, "下午2:23"),
            (ClockFormat::Text, "14时23分"),
            (ClockFormat::Text, "1899-12-31 14:23:00"),
            (ClockFormat::Text, "0.599305555555556"),
            (ClockFormat::HourMinute, "1423"),
            (ClockFormat::HourMinuteSecond, "142300"),
        ] {
            assert_eq!(format.parse(text.as_bytes()), Some(at), "{text}");
            assert_eq!(ClockFormat::find(&column(&[text, ""]), 2), Some(format), "{text}");
        }
    }

    #[test]
    fn amounts_counts_and_days_are_no_times_of_day() {
        for cells in [&["12.50", "7.25"][..], &["1", "2"], &["2024-01-05", "2024-01-06"], &["9999", "1234"], &[]] {
            assert_eq!(ClockFormat::find(&column(cells), cells.len()), None, "{cells:?}");
        }
    }

    #[test]
    fn four_digits_are_minutes_unless_some_cell_has_six() {
        assert_eq!(ClockFormat::find(&column(&["923", "1423", "0005"]), 3), Some(ClockFormat::HourMinute));
        assert_eq!(ClockFormat::find(&column(&["92305", "142305"]), 2), Some(ClockFormat::HourMinuteSecond));
    }
}
