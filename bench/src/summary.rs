//! The summary on which both sides fit: repeats, recency and age in days, one row per customer, as a CSV file.
//!
//! Both contenders read the same file, so that nobody profits from another notion of a purchase day.

use std::fmt::Write as _;
use std::path::Path;

use guike_core::{Cutoff, Day, Quiet, RfmTable};

/// What a fit reads, in columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Summary {
    /// Repeat purchase days.
    pub(crate) repeats: Vec<u32>,
    /// First to last purchase day, in days.
    pub(crate) recency: Vec<f64>,
    /// First purchase day to cutoff, in days.
    pub(crate) age: Vec<f64>,
}

const HEADER: &str = "frequency,recency,age";

impl Summary {
    /// The summary of a log as of the end of `cutoff_day`.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn of_log(path: &Path, cutoff_day: Day) -> Result<Summary, String> {
        let imported =
            guike_data::import(path, &guike_data::ImportOptions::default(), &Quiet).map_err(|e| e.to_string())?;
        Ok(Summary::of_rfm(&guike_features::rfm(&imported.log.before(Cutoff::after(cutoff_day)), 1)))
    }

    pub(crate) fn of_rfm(rfm: &RfmTable) -> Summary {
        Summary { repeats: rfm.repeats.clone(), recency: rfm.recency_days.clone(), age: rfm.age_days.clone() }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        let mut text = format!("{HEADER}\n");
        for ((x, t_x), age) in self.repeats.iter().zip(&self.recency).zip(&self.age) {
            // `{:?}` prints the shortest text that reads back as the same number
            let _ = writeln!(text, "{x},{t_x:?},{age:?}");
        }
        std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
    }

    pub(crate) fn read(path: &Path) -> Result<Summary, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut read = Summary::default();
        for line in text.lines().skip(1) {
            let bad = || format!("{}: `{line}` is not a row of {HEADER}", path.display());
            let mut cells = line.split(',');
            let mut number = || cells.next().and_then(|c| c.parse::<f64>().ok()).ok_or_else(bad);
            read.repeats.push(number()? as u32);
            read.recency.push(number()?);
            read.age.push(number()?);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_survives_its_file() {
        let path = std::env::temp_dir().join(format!("guike-bench-summary-{}.csv", std::process::id()));
        let summary = Summary { repeats: vec![0, 3], recency: vec![0.0, 213.0], age: vec![88.0, 272.5] };
        summary.write(&path).expect("can write");
        assert_eq!(Summary::read(&path), Ok(summary));
        std::fs::remove_file(&path).expect("can remove");
    }
}
