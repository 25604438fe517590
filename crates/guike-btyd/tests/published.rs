//! The numbers that the papers print, on the data that the papers used.
//!
//! CDNOW, 1/10 sample: 2,357 customers with their first purchase in the first quarter of 1997, calibration of 39 weeks,
//! times in days / 7. Tests skip when the shared data are not there.

// a test may read shared data and say why it does not
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::print_stderr)]

use std::io::Read;
use std::path::PathBuf;

use guike_btyd::bg_cnbd_k::{BgCnbdK, MbgCnbdK, RegularityOptions};
use guike_btyd::bg_nbd::BgNbd;
use guike_btyd::mbg_nbd::MbgNbd;
use guike_btyd::nbd::Nbd;
use guike_btyd::{CountModel, Estimate, FitOptions, Grouped, History};

/// Purchase dates by customer: customer, day number, in order.
fn purchase_days(file: &str, customer: usize, date: usize) -> Option<Vec<(u32, i64)>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/cdnow").join(file);
    let Ok(packed) = std::fs::File::open(path) else {
        eprintln!("skipped: {file} is not among the shared data");
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("the file is text");
    let mut rows: Vec<(u32, i64)> = text
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            (cells[customer].parse().expect("customer"), day_number(cells[date]))
        })
        .collect();
    rows.sort_unstable();
    rows.dedup();
    Some(rows)
}

/// Days since 1970 of `19970101` or `1997-01-01`.
fn day_number(text: &str) -> i64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).take(8).collect();
    let part = |range: std::ops::Range<usize>| digits[range].parse::<u32>().expect("digits");
    let day = guike_core::Day::from_ymd(part(0..4) as i32, part(4..6), part(6..8)).expect("a date");
    i64::from(day.0)
}

/// (x, t_x, T) at the end of 1997-09-30 in days, purchase days in the 39 weeks after it, and Σ ln(gap / 7).
struct Cdnow {
    repeats: Vec<u32>,
    recency: Vec<f64>,
    age: Vec<f64>,
    later: Vec<u32>,
    sum_log_gaps: f64,
}

impl Cdnow {
    fn from(rows: &[(u32, i64)]) -> Cdnow {
        let end = day_number("19970930");
        let mut table = Cdnow { repeats: vec![], recency: vec![], age: vec![], later: vec![], sum_log_gaps: 0.0 };
        for customer in rows.chunk_by(|a, b| a.0 == b.0) {
            let days: Vec<i64> = customer.iter().map(|r| r.1).filter(|d| *d <= end).collect();
            table.repeats.push(days.len() as u32 - 1);
            table.recency.push((days[days.len() - 1] - days[0]) as f64);
            table.age.push((end - days[0]) as f64);
            table.later.push(customer.iter().filter(|r| r.1 > end && r.1 <= end + 273).count() as u32);
            table.sum_log_gaps += days.windows(2).map(|w| ((w[1] - w[0]) as f64 / 7.0).ln()).sum::<f64>();
        }
        table
    }

    fn sample() -> Option<Cdnow> {
        purchase_days("cdnow_sample.csv.gz", 0, 2).map(|rows| Cdnow::from(&rows))
    }

    fn full() -> Option<Cdnow> {
        purchase_days("cdnow_master.csv.gz", 0, 1).map(|rows| Cdnow::from(&rows))
    }

    fn grouped(&self) -> Grouped {
        Grouped::from_days(&self.repeats, &self.recency, &self.age).expect("valid")
    }
}

/// Parameters and log-likelihood agree to the printed digits, and the reported likelihood is the sum over customers.
fn check<M: CountModel>(data: &Grouped, fit: &Estimate<M>, printed: &[f64], tolerance: f64, log_likelihood: f64) {
    for ((name, value), expected) in fit.model.parameters().into_iter().zip(printed) {
        assert!((value - expected).abs() <= tolerance, "{name} = {value}, printed {expected}");
    }
    assert!((fit.log_likelihood - log_likelihood).abs() < 1e-3, "{} printed {log_likelihood}", fit.log_likelihood);
    let direct: f64 = data.iter().map(|(h, w)| w * fit.model.log_likelihood(h)).sum();
    assert!((fit.log_likelihood - direct).abs() < 1e-6, "{} {direct}", fit.log_likelihood);
    assert!(fit.standard_errors.iter().all(Option::is_some), "{:?}", fit.standard_errors);
    assert!(fit.notes.is_empty(), "{:?}", fit.notes);
}

#[test]
fn the_sample_is_the_papers_sample() {
    let Some(data) = Cdnow::sample() else { return };
    let totals = data.grouped().totals();
    assert_eq!((totals.customers, totals.repeats), (2357.0, 2457.0));
    assert!((totals.recency - 16_135.571_4).abs() < 1e-4 && (totals.age - 77_111.285_7).abs() < 1e-4);
    assert_eq!(data.grouped().n_repeaters(), 946.0);
    assert_eq!(data.later.iter().sum::<u32>(), 1882);
}

#[test]
fn nbd_on_the_sample() {
    let Some(data) = Cdnow::sample().map(|d| d.grouped()) else { return };
    let fit = Nbd::fit(&data, &FitOptions::default()).expect("fits");
    check(&data, &fit, &[0.38477, 12.07202], 5e-5, -9763.658);
}

#[test]
fn bg_nbd_on_the_sample() {
    let Some(data) = Cdnow::sample().map(|d| d.grouped()) else { return };
    let fit = BgNbd::fit(&data, &FitOptions::default()).expect("fits");
    check(&data, &fit, &[0.24259, 4.41360, 0.79292, 2.42591], 5e-5, -9582.429);
}

#[test]
fn mbg_nbd_on_the_sample() {
    let Some(data) = Cdnow::sample().map(|d| d.grouped()) else { return };
    let fit = MbgNbd::fit(&data, &FitOptions::default()).expect("fits");
    check(&data, &fit, &[0.52484, 6.18309, 0.89136, 1.61400], 5e-5, -9582.136);
}

#[test]
fn bg_nbd_and_mbg_nbd_on_all_of_cdnow() {
    let Some(data) = Cdnow::full().map(|d| d.grouped()) else { return };
    assert_eq!(data.n_customers(), 23_570);
    let fit = BgNbd::fit(&data, &FitOptions::default()).expect("fits");
    check(&data, &fit, &[0.25162, 4.78895, 0.72343, 2.16109], 5e-5, -95_368.443_9);
    let fit = MbgNbd::fit(&data, &FitOptions::default()).expect("fits");
    for ((name, value), printed) in fit.model.parameters().into_iter().zip([0.63714, 7.31029, 0.80747, 1.22839]) {
        assert!((value - printed).abs() < 5e-5, "{name} = {value}, printed {printed}");
    }
}

#[test]
fn cdnow_shows_no_regularity() {
    // BTYDplus: "k = 1, no regularity detected for CDNow"; k = 2 has −9855.3 (BG) and −9853.3 (MBG)
    let Some(data) = Cdnow::sample() else { return };
    let groups = data.grouped();
    let dated = RegularityOptions { sum_log_gaps: Some(data.sum_log_gaps), ..RegularityOptions::default() };
    for options in [dated, RegularityOptions::default()] {
        assert_eq!(BgCnbdK::fit(&groups, &options).expect("fits").model.k, 1);
        assert_eq!(MbgCnbdK::fit(&groups, &options).expect("fits").model.k, 1);
    }
    let second = RegularityOptions { k: Some(2), ..dated };
    let (bg, mbg) = (BgCnbdK::fit(&groups, &second).expect("fits"), MbgCnbdK::fit(&groups, &second).expect("fits"));
    assert!((bg.log_likelihood + 9855.3).abs() < 0.05, "{}", bg.log_likelihood);
    assert!((mbg.log_likelihood + 9853.3).abs() < 0.05, "{}", mbg.log_likelihood);
}

#[test]
fn the_papers_customer() {
    // x = 2, t_x = 30.43, T = 38.86, the next 39 weeks
    let customer = History { x: 2, t_x: 30.43, age: 38.86 };
    let bg = BgNbd { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };
    assert!((bg.expected(customer, 39.0) - 1.22603).abs() < 5e-6);
    assert!((bg.p_alive(customer) - 0.72658).abs() < 5e-6);
    let mbg = MbgNbd { r: 0.52484, alpha: 6.18309, a: 0.89136, b: 1.61400 };
    assert!((mbg.expected(customer, 39.0) - 1.26267).abs() < 5e-6);
    assert!((mbg.p_alive(customer) - 0.70613).abs() < 5e-6);
}

#[test]
fn totals_and_correlations_in_the_holdout() {
    let Some(data) = Cdnow::sample() else { return };
    let groups = data.grouped();
    let actual: Vec<f64> = data.later.iter().map(|&n| f64::from(n)).collect();
    let options = FitOptions::default();
    let bg = BgNbd::fit(&groups, &options).expect("fits").model;
    let mbg = MbgNbd::fit(&groups, &options).expect("fits").model;
    for (model, total, correlation) in [(&bg as &dyn CountModel, 1653.4, 0.6256), (&mbg, 1576.7, 0.6273)] {
        let per_group: Vec<f64> = groups.iter().map(|(h, _)| model.expected(h, 39.0)).collect();
        let predicted = groups.spread(&per_group);
        let sum: f64 = predicted.iter().sum();
        assert!((sum - total).abs() < 0.1, "{sum}");
        let r = pearson(&predicted, &actual);
        assert!((r - correlation).abs() < 1e-4, "{r}");
    }
}

fn pearson(u: &[f64], v: &[f64]) -> f64 {
    let mean = |w: &[f64]| w.iter().sum::<f64>() / w.len() as f64;
    let (mu, mv) = (mean(u), mean(v));
    let dot = |f: fn(f64, f64) -> f64| u.iter().zip(v).map(|(a, b)| f(a - mu, b - mv)).sum::<f64>();
    dot(|a, b| a * b) / (dot(|a, _| a * a) * dot(|_, b| b * b)).sqrt()
}
