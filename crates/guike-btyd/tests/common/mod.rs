//! Purchase logs among the shared data as the summaries that models read. Absent data skip a test, with a reason.

#![allow(dead_code, reason = "every test binary uses its own part")]
// a test may read shared data and say why it does not
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use guike_btyd::Grouped;
use guike_btyd::gamma_gamma::Spend;
use guike_core::Day;

/// The rows of a packed CSV file without its header, as cells; `None` where the file is absent.
pub(crate) fn rows(file: &str) -> Option<Vec<Vec<String>>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(file);
    let Ok(packed) = std::fs::File::open(path) else {
        eprintln!("skipped: {file} is not among the shared data");
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("the file is text");
    Some(text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect())
}

/// `19970101` or `1997-01-01` as a day.
pub(crate) fn day(text: &str) -> Day {
    text[..text.len().min(10)].parse().expect("a date")
}

/// One customer's past at a cutoff and purchase days after it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) repeats: u32,
    pub(crate) recency_days: f64,
    pub(crate) age_days: f64,
    /// Mean spend per repeat purchase day and per purchase day.
    pub(crate) repeat_spend: f64,
    pub(crate) spend: f64,
    pub(crate) later: u32,
}

/// Where a log keeps what.
pub(crate) struct Log {
    pub(crate) file: &'static str,
    pub(crate) id: usize,
    pub(crate) date: usize,
    pub(crate) amount: usize,
}

pub(crate) const CDNOW_SAMPLE: Log = Log { file: "cdnow/cdnow_sample.csv.gz", id: 1, date: 2, amount: 4 };
pub(crate) const CDNOW: Log = Log { file: "cdnow/cdnow_master.csv.gz", id: 0, date: 1, amount: 3 };
pub(crate) const APPAREL: Log = Log { file: "clvtools_apparel/apparelTrans.csv.gz", id: 0, date: 1, amount: 2 };

impl Log {
    /// Customers with a purchase by the end of `cutoff`, by id, and their purchase days in the `holdout` days after it.
    pub(crate) fn customers(&self, cutoff: &str, holdout: i32) -> Option<Vec<Customer>> {
        let end = day(cutoff);
        let mut days: BTreeMap<String, BTreeMap<i32, f64>> = BTreeMap::new();
        for row in rows(self.file)? {
            let amount: f64 = row[self.amount].parse().expect("an amount");
            let own = days.entry(row[self.id].clone()).or_default();
            *own.entry(day(&row[self.date]).0).or_insert(0.0) += amount;
        }
        let customers = days.into_iter().filter_map(|(id, days)| {
            let past: Vec<(i32, f64)> = days.range(..=end.0).map(|(d, a)| (*d, *a)).collect();
            let (first, last) = (past.first()?.0, past.last()?.0);
            let mean = |part: &[(i32, f64)]| part.iter().map(|p| p.1).sum::<f64>() / (part.len().max(1) as f64);
            Some(Customer {
                id,
                repeats: past.len() as u32 - 1,
                recency_days: f64::from(last - first),
                age_days: f64::from(end.0 - first),
                repeat_spend: mean(&past[1..]),
                spend: mean(&past),
                later: days.range(end.0 + 1..=end.0 + holdout).count() as u32,
            })
        });
        Some(customers.collect())
    }
}

/// Histories in weeks.
pub(crate) fn grouped(customers: &[Customer]) -> Grouped {
    let x: Vec<u32> = customers.iter().map(|c| c.repeats).collect();
    let t_x: Vec<f64> = customers.iter().map(|c| c.recency_days).collect();
    let age: Vec<f64> = customers.iter().map(|c| c.age_days).collect();
    Grouped::from_days(&x, &t_x, &age).expect("valid")
}

/// Spend on repeat purchase days.
pub(crate) fn repeat_spends(customers: &[Customer]) -> Vec<Spend> {
    customers.iter().map(|c| Spend { purchases: c.repeats, mean: c.repeat_spend, weight: 1.0 }).collect()
}

/// Spend on all purchase days.
pub(crate) fn all_spends(customers: &[Customer]) -> Vec<Spend> {
    customers.iter().map(|c| Spend { purchases: c.repeats + 1, mean: c.spend, weight: 1.0 }).collect()
}
