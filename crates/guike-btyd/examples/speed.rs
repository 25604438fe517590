//! CPU time of fits and forecasts on one thread: `cargo run --release -p guike-btyd --example speed [SUMMARY.csv]`.
//!
//! SUMMARY.csv has the columns `repeats,recency_days,age_days` and a header; without it, 1,000,000 customers are
//! simulated. The clock is wall time; nothing here starts a thread, so it is CPU time on an idle machine.

#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::Instant;

use guike_btyd::bg_cnbd_k::{BgCnbdK, MbgCnbdK, RegularityOptions};
use guike_btyd::bg_nbd::BgNbd;
use guike_btyd::learners::pairs;
use guike_btyd::mbg_nbd::MbgNbd;
use guike_btyd::nbd::Nbd;
use guike_btyd::pareto_nbd::ParetoNbd;
use guike_btyd::{FitOptions, Grouped};
use guike_core::{Cases, Cutoff, Day, FitContext, Horizon, Learner as _, Quiet, RfmTable, Seed, TrainingSet};
use rand::RngExt;
use rand_distr::{Beta, Distribution, Exp, Gamma};

fn main() {
    let rfm = match std::env::args().nth(1) {
        Some(path) => read(&path),
        None => simulated(1_000_000),
    };
    println!("{} customers", rfm.len());
    let options = FitOptions::default();
    let grouped =
        best_of("group", || Grouped::from_days(&rfm.repeats, &rfm.recency_days, &rfm.age_days).expect("valid"));
    println!("{} groups, {} values of x, {} times", grouped.len(), grouped.runs().len(), grouped.times().len());
    best_of("nbd fit", || Nbd::fit(&grouped, &options).expect("fits"));
    let bg = best_of("bg-nbd fit", || BgNbd::fit(&grouped, &options).expect("fits"));
    println!("{:?} {} iterations, {}", bg.model, bg.iterations, bg.log_likelihood);
    best_of("group and fit bg-nbd", || {
        let grouped = Grouped::from_days(&rfm.repeats, &rfm.recency_days, &rfm.age_days).expect("valid");
        BgNbd::fit(&grouped, &options).expect("fits")
    });
    best_of("mbg-nbd fit", || MbgNbd::fit(&grouped, &options).expect("fits"));
    let pareto = best_of("pareto-nbd fit", || ParetoNbd::fit(&grouped, &options).expect("fits"));
    println!("{:?} {} iterations, {}", pareto.model, pareto.iterations, pareto.log_likelihood);
    let k = best_of("bg-cnbd-k fit", || BgCnbdK::fit(&grouped, &RegularityOptions::default()).expect("fits"));
    println!("{:?} {}", k.model, k.log_likelihood);
    let k = best_of("mbg-cnbd-k fit", || MbgCnbdK::fit(&grouped, &RegularityOptions::default()).expect("fits"));
    println!("{:?} {}", k.model, k.log_likelihood);
    best_of("expected and p_active of bg-nbd", || {
        let grouped = Grouped::from_days(&rfm.repeats, &rfm.recency_days, &rfm.age_days).expect("valid");
        let outlooks = guike_btyd::count_model::outlooks(&bg.model, &grouped, 39.0);
        grouped.spread(&outlooks)
    });
    let horizon = Horizon::from_days(273).expect("days");
    let cases = Cases { cutoff: Cutoff::after(Day(10_134)), horizon, rfm: &rfm, features: None, purchases: None };
    for learner in pairs() {
        let cx = FitContext { seed: Seed(1), progress: &Quiet };
        let train = TrainingSet { now: cases, anchors: &[] };
        let model = best_of(&format!("fit {}", learner.name()), || learner.fit(&train, &cx).expect("fits").model);
        let forecasts = best_of("   forecast", || model.forecast(&cases).expect("forecasts"));
        let (orders, spend): (f64, f64) =
            (forecasts.expected_orders.iter().sum(), forecasts.expected_spend.iter().sum());
        println!("   {orders:.1} orders, {spend:.1} spent, flaw: {:?}", forecasts.flaw());
    }
}

/// The fastest of three runs.
fn best_of<V>(name: &str, mut work: impl FnMut() -> V) -> V {
    let mut best = f64::INFINITY;
    let mut value = None;
    for _ in 0..3 {
        let start = Instant::now();
        value = Some(work());
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{name:<32} {:9.3} ms", 1e3 * best);
    value.expect("ran")
}

fn read(path: &str) -> RfmTable {
    let text = std::fs::read_to_string(path).expect("a file");
    let mut rfm = RfmTable { history_days: 273, ..RfmTable::default() };
    for (row, line) in text.lines().skip(1).enumerate() {
        let cells: Vec<f64> = line.split(',').map(|c| c.parse().expect("a number")).collect();
        let amount = cells.get(3).copied().unwrap_or(20.0);
        push(&mut rfm, row, cells[0] as u32, cells[1], cells[2], amount);
    }
    rfm
}

fn push(rfm: &mut RfmTable, row: usize, x: u32, recency: f64, age: f64, mean: f64) {
    rfm.customer_idx.push(row as u32);
    rfm.repeats.push(x);
    rfm.recency_days.push(recency);
    rfm.age_days.push(age);
    rfm.repeat_spend_mean.push(if x > 0 { mean } else { 0.0 });
    rfm.spend_mean.push(mean);
    rfm.spend_total.push(mean * f64::from(x + 1));
    rfm.window_purchase_days.push(0);
    rfm.window_spend.push(0.0);
}

/// CDNOW's BG/NBD over one to two years, in whole days.
fn simulated(n: usize) -> RfmTable {
    let mut rng = Seed(1).rng();
    let (rate, leave) = (Gamma::new(0.243, 1.0 / 4.414).expect("valid"), Beta::new(0.793, 2.426).expect("valid"));
    let mut rfm = RfmTable { history_days: 730, ..RfmTable::default() };
    for row in 0..n {
        let age = rng.random_range(7..730_u32);
        let (lambda, p): (f64, f64) = (rate.sample(&mut rng), leave.sample(&mut rng));
        let (mut day, mut last, mut x) = (0.0, 0.0, 0);
        if lambda > 1e-9 {
            let gap = Exp::new(lambda / 7.0).expect("positive");
            loop {
                day += gap.sample(&mut rng);
                if day > f64::from(age) {
                    break;
                }
                // several purchases on one day count once
                if day.floor() > last {
                    (last, x) = (day.floor(), x + 1);
                }
                if rng.random::<f64>() < p {
                    break;
                }
            }
        }
        push(&mut rfm, row, x, last, f64::from(age), 10.0 + 20.0 * rng.random::<f64>());
    }
    rfm
}
