//! Borders of incremental reading: the greatest value of a column, and how far before it is read again.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};

use crate::error::DbError;
use crate::location::{Location, System};
use crate::mongo;
use crate::rows::Since;

/// How far below the greatest value rows are read again, for those that were written late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookBack {
    /// Of a column of times.
    Seconds(u64),
    /// Of a column of numbers.
    Units(u64),
}

/// Forms of time that databases print, without a zone.
const FORMS: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];

impl Since {
    /// The border `back` below `highest`, which [`crate::Session::highest`] gave: by default a day below a time, and a number
    /// itself.
    ///
    /// # Errors
    /// When the column is of numbers and the look-back of time, or the other way round.
    ///
    /// # Example
    /// ```
    /// use guike_db::{Location, LookBack, Since};
    ///
    /// let place = Location::parse("mysql://localhost/erp").expect("an address")?;
    /// let since = Since::before(&place, "updated_at", "2024-05-08 10:00:00.5", Some(LookBack::Seconds(7 * 86_400)))?;
    /// assert_eq!(since.value, "2024-05-01 10:00:00");
    /// assert_eq!(Since::before(&place, "id", "500", None)?.value, "500");
    /// assert!(Since::before(&place, "id", "500", Some(LookBack::Seconds(1))).is_err());
    /// # Ok::<(), guike_db::DbError>(())
    /// ```
    pub fn before(place: &Location, column: &str, highest: &str, back: Option<LookBack>) -> Result<Since, DbError> {
        let back = back.unwrap_or_else(|| usual(highest));
        let unfit = |rule: String| DbError::Unfit { place: place.to_string(), rule };
        let nothing = matches!(back, LookBack::Seconds(0) | LookBack::Units(0));
        let value = if nothing {
            Some(highest.to_owned())
        } else if place.system() == System::MongoDb {
            mongo::step_back(highest, back)
        } else if let Ok(number) = highest.parse::<i128>() {
            match back {
                LookBack::Units(n) => Some((number - i128::from(n)).to_string()),
                LookBack::Seconds(_) => None,
            }
        } else {
            earlier(highest, back)
        };
        let value = value.ok_or_else(|| {
            unfit(format!(
                "column `{column}` goes up to `{highest}`, from where the look-back cannot be counted; a column of \
                 times takes a look-back such as 7d, a column of whole numbers one such as 1000"
            ))
        })?;
        Ok(Since { column: column.to_owned(), value })
    }
}

/// A greatest value, as [`crate::Session::highest`] gave it, in words for people.
pub fn shown(place: &Location, highest: &str) -> String {
    if place.system() == System::MongoDb { mongo::border_shown(highest, place) } else { highest.to_owned() }
}

/// A day for what may be a time: clocks differ, and long transactions become visible late.
fn usual(highest: &str) -> LookBack {
    let is_number = highest.parse::<i128>().is_ok() || highest.starts_with("number ") || highest.starts_with("text ");
    if is_number { LookBack::Units(0) } else { LookBack::Seconds(86_400) }
}

/// A printed time or day, `back` earlier and without its fraction; its zone stays as written.
fn earlier(highest: &str, back: LookBack) -> Option<String> {
    let seconds = match back {
        LookBack::Seconds(n) => TimeDelta::try_seconds(i64::try_from(n).ok()?)?,
        LookBack::Units(_) => return None,
    };
    if let Ok(day) = NaiveDate::parse_from_str(highest, "%Y-%m-%d") {
        return Some((day.and_hms_opt(0, 0, 0)? - seconds).date().to_string());
    }
    let (civil, zone) = match highest.get(19..)?.find(['+', '-', 'Z']) {
        Some(at) => highest.split_at(19 + at),
        None => (highest, ""),
    };
    let time = FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(civil, form).ok())?;
    Some(format!("{}{zone}", (time - seconds).format("%Y-%m-%d %H:%M:%S")))
}

/// A value that may stand in a statement: a number, a time or a plain word.
pub(crate) fn checked(place: &Location, column: &str, value: String) -> Result<String, DbError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | ':' | '.' | '+' | '-' | '_');
    if !value.is_empty() && value.len() <= 64 && value.chars().all(plain) {
        return Ok(value);
    }
    let rule = format!(
        "column `{column}` holds neither numbers nor times; a watermark is a column that grows with every change"
    );
    Err(DbError::Unfit { place: place.to_string(), rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_back_with_their_zone_and_without_their_fraction() {
        for (highest, back, expected) in [
            ("2024-03-01", 86_400, Some("2024-02-29")),
            ("2024-03-01 00:00:00+00", 1, Some("2024-02-29 23:59:59+00")),
            ("2024-03-01 00:00:00.25+05:30", 0, Some("2024-03-01 00:00:00+05:30")),
            ("2024-03-01 12:00:00", 3_600, Some("2024-03-01 11:00:00")),
            ("yesterday", 1, None),
        ] {
            assert_eq!(earlier(highest, LookBack::Seconds(back)).as_deref(), expected, "{highest}");
        }
        assert_eq!(earlier("2024-03-01", LookBack::Units(5)), None);
    }

    #[test]
    fn what_is_no_plain_value_never_gets_into_a_statement() {
        let place = Location::parse("mysql://localhost/erp").expect("an address").expect("whole");
        for value in ["", "x' OR '1'='1", "a\\", "会员"] {
            assert!(checked(&place, "c", value.to_owned()).is_err(), "{value}");
        }
        assert!(checked(&place, "c", "2024-05-01 10:00:00.5+08".to_owned()).is_ok());
    }
}
