//! `guike sync`: a copy of a table in a database, kept up to date.

use std::path::PathBuf;

use clap::Args;
use guike::Error;
use guike::sources::{LookBack, Sync};

use crate::commands::password;
use crate::progress::Bar;
use crate::show;

/// `guike sync`.
#[derive(Debug, Args)]
pub(crate) struct SyncFlags {
    /// The database: system://user@host/database, where system is mysql, postgres or mongodb. The password is taken from
    /// GUIKE_DB_PASSWORD, or from the file that GUIKE_DB_PASSWORD_FILE names.
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// The table, view or collection.
    #[arg(long, value_name = "NAME")]
    pub(crate) table: String,
    /// The column that grows with every new or changed row: a time of change, or a number that counts up.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) watermark: String,
    /// The Parquet file that holds the copy; made where it is not there.
    #[arg(long, value_name = "FILE")]
    pub(crate) into: PathBuf,
    /// The columns that tell rows apart; default the primary key.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) key: Vec<String>,
    /// How far below the watermark rows are read again, for those that were written late: 7d, 12h, 30m or 90s below a time, a
    /// number below a number; default a day below a time.
    #[arg(long, value_name = "SPAN", value_parser = look_back)]
    pub(crate) look_back: Option<LookBack>,
    /// Array of a collection whose elements are rows of their own.
    #[arg(long, value_name = "FIELD")]
    pub(crate) unwind: Option<String>,
}

fn look_back(text: &str) -> Result<LookBack, String> {
    let rule = || "write a span of time such as 7d, 12h, 30m or 90s, or a whole number".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let n: u64 = digits.parse().map_err(|_| rule())?;
    let seconds = match &text[digits.len()..] {
        "" => return Ok(LookBack::Units(n)),
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(rule()),
    };
    n.checked_mul(seconds).map(LookBack::Seconds).ok_or_else(rule)
}

/// `guike sync`.
pub(crate) fn sync(flags: SyncFlags, bar: &Bar, quiet: bool) -> Result<(), Error> {
    let SyncFlags { address, table, watermark, into, key, look_back, unwind } = flags;
    let plan = Sync { table, watermark, key, look_back, unwind };
    let synced = guike::sources::sync(&address, &plan, &into, password()?.as_deref(), bar);
    bar.finish();
    let synced = synced?;
    if !quiet {
        show::message(&format!(
            "{}: {} rows, of which {} were read now ({} in the place of older ones); up to {} {}",
            into.display(),
            synced.rows,
            synced.read,
            synced.replaced,
            plan.watermark,
            synced.watermark,
        ));
        synced.late.iter().for_each(|note| show::message(&format!("note: {note}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_back_is_a_span_of_time_or_a_number() {
        assert_eq!(look_back("7d"), Ok(LookBack::Seconds(604_800)));
        assert_eq!(look_back("90s"), Ok(LookBack::Seconds(90)));
        assert_eq!(look_back("1000"), Ok(LookBack::Units(1_000)));
        for wrong in ["", "d", "7w", "-1", "1.5h", "99999999999999999999d"] {
            assert!(look_back(wrong).is_err(), "{wrong}");
        }
    }
}
