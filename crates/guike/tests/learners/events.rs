//! Facts that hold for every learner on event logs: the baselines, the probability models, the average, the learners that
//! read features, and the blend.
//!
//! Learners that read features grow few trees here, and networks are small and take few steps, so that all facts are checked in seconds; one test lets them learn as
//! they do for users.

use guike::learners::{Effort, load, named, named_with, names, reads_features};
use guike_core::{
    Artifact, Cases, EventLog, FitError, ForecastError, Forecasts, INTERVAL_LEVELS, Learner, Model, Quiet,
};
use guike_eval::metrics::spearman;
use guike_learn::value::HeadsConfig;
use guike_nn::deep::{self, DeepConfig};

use crate::shop::{Part, after_day, cutoff, days, fit, forecast, known, known_at, log, purchases, rebuilt, try_fit};
use crate::support::{Stop, same_bits, with_threads};

fn quick(name: &str) -> Box<dyn Learner> {
    let heads = HeadsConfig { max_rounds: 12, forest_trees: 6, ..HeadsConfig::default() };
    let deep = DeepConfig { members: 2, epochs: 4, width: 16, ..DeepConfig::default() };
    named_with(name, Effort { heads, deep }).expect("every name has a learner")
}

/// Whether it learns by many small steps, each from where the last one ended: what differs in the last digits of the first
/// differs more in the end.
fn learns_in_steps(name: &str) -> bool {
    reads_features(name) || deep::NAMES.contains(&name)
}

/// Calls `check` for every learner.
fn each(check: impl Fn(&'static str, &dyn Learner)) {
    for name in names() {
        check(name, quick(name).as_ref());
    }
}

/// The columns of forecasts, one value per case.
fn columns(f: &Forecasts) -> Vec<(&'static str, Vec<f64>)> {
    let mut all = vec![
        ("orders", f.expected_orders.clone()),
        ("spend", f.expected_spend.clone()),
        ("p_active", f.p_active.clone()),
        ("next_order_days", f.next_order_days.clone()),
    ];
    all.extend(INTERVAL_LEVELS.iter().map(|&level| ("quantile", f.spend.at(level).expect("the level is there"))));
    all
}

/// Same forecasts of the same customers, to the last bit; `rows[i]` is the row in `b` of row i in `a`.
fn assert_same(name: &str, a: &Forecasts, b: &Forecasts, rows: &[usize]) {
    assert_eq!(a.len(), rows.len(), "{name}");
    for ((column, a), (_, b)) in columns(a).into_iter().zip(columns(b)) {
        let b: Vec<f64> = rows.iter().map(|&r| b[r]).collect();
        assert!(same_bits(&a, &b), "{name}: {column}");
    }
}

fn all_rows(f: &Forecasts) -> Vec<usize> {
    (0..f.len()).collect()
}

fn everybody(log: &EventLog) -> Vec<usize> {
    (0..log.n_customers()).collect()
}

#[test]
fn the_name_in_the_table_is_the_learners_own() {
    for name in names() {
        assert_eq!(named(name).map(|l| l.name()), Some(name));
        assert_eq!(quick(name).name(), name);
    }
    assert_eq!(names().len(), 29, "a learner that was added is checked here from now on; count it");
}

#[test]
fn every_learner_as_it_comes_keeps_every_promise_over_any_horizon() {
    let known = known(&log());
    for name in names() {
        let model = fit(named(name).expect("named").as_ref(), &known);
        assert_eq!(model.card().name, name);
        for n in [1, 60, 365, 3650] {
            let f = forecast(model.as_ref(), &Cases { horizon: days(n), ..known.cases() });
            assert_eq!(f.spend.levels, INTERVAL_LEVELS, "{name}");
        }
    }
}

#[test]
fn the_same_log_and_seed_give_the_same_bits_at_any_number_of_threads() {
    let known = known(&log());
    each(|name, learner| {
        let (one, two) = (with_threads(1, || fit(learner, &known)), with_threads(2, || fit(learner, &known)));
        assert_eq!(one.save(), two.save(), "{name}");
        let say = |model: &dyn Model, threads| with_threads(threads, || forecast(model, &known.cases()));
        let (a, b) = (say(one.as_ref(), 1), say(two.as_ref(), 2));
        assert_same(name, &a, &b, &all_rows(&a));
    });
}

#[test]
fn a_saved_model_forecasts_the_same_bits() {
    let known = known(&log());
    each(|name, learner| {
        let model = fit(learner, &known);
        let text = serde_json::to_string(&model.save()).expect("JSON");
        let artifact: Artifact = serde_json::from_str(&text).expect("its own text");
        let back = load(&artifact).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((back.card(), back.save()), (model.card(), artifact), "{name}");
        let (a, b) = (forecast(model.as_ref(), &known.cases()), forecast(back.as_ref(), &known.cases()));
        assert_same(name, &a, &b, &all_rows(&a));
    });
}

#[test]
fn artifacts_of_another_format_or_model_are_refused_in_words() {
    let known = known(&log());
    each(|name, learner| {
        let artifact = fit(learner, &known).save();
        let refused = |damage: &dyn Fn(&mut Artifact), word: &str| {
            let mut damaged = artifact.clone();
            damage(&mut damaged);
            match load(&damaged) {
                Err(e @ ForecastError::Artifact(_)) => assert!(e.to_string().contains(word), "{name}: {e}"),
                other => panic!("{name}: {other:?}"),
            }
        };
        refused(&|a| a.card.format = 99, "format 99");
        refused(&|a| a.card.name = "crystal-ball".to_owned(), "crystal-ball");
        refused(&|a| a.body = serde_json::Value::Null, "");
        refused(&|a| a.body = serde_json::json!({"kind": "another"}), "");
    });
}

#[test]
fn a_customer_is_forecast_alike_alone_and_in_any_company() {
    let known = known(&log());
    each(|name, learner| {
        let model = fit(learner, &known);
        let all = forecast(model.as_ref(), &known.cases());
        let reversed: Vec<usize> = (0..all.len()).rev().collect();
        let some: Vec<usize> = (0..all.len()).step_by(7).collect();
        for rows in [reversed, some, vec![3], vec![]] {
            let part = Part::of(&known.cases(), &rows);
            assert_same(name, &forecast(model.as_ref(), &part.cases(&known.cases())), &all, &rows);
        }
    });
}

/// A fit sums over customers in their order, and learners draw rows by their place; the log is sorted by customer, so no
/// user meets another order. Sums differ in their last bits and a likelihood's maximum by what the optimiser takes for
/// rest: a relative 1e-4. Learners that draw rows learn another sample: the same customers in about the same order, and the
/// same total, which is the prior's.
#[test]
fn the_order_of_the_customers_does_not_matter_to_a_fit() {
    let log = log();
    let mixed: Vec<usize> = (0..log.n_customers()).map(|i| i * 7 % log.n_customers()).collect();
    let other = rebuilt(&log, &mixed, |_| true, |m| m);
    let (straight, mixed) = (known(&log), known(&other));
    let place = |c: u32| {
        let id = &log.customer_ids()[c as usize];
        mixed.rfm.customer_idx.iter().position(|&d| other.customer_ids()[d as usize] == *id).expect("same customers")
    };
    let rows: Vec<usize> = straight.rfm.customer_idx.iter().map(|&c| place(c)).collect();
    each(|name, learner| {
        let a = forecast(fit(learner, &straight).as_ref(), &straight.cases());
        let b = forecast(fit(learner, &mixed).as_ref(), &mixed.cases());
        for (column, a, b) in [
            ("orders", &a.expected_orders, &b.expected_orders),
            ("spend", &a.expected_spend, &b.expected_spend),
            ("p_active", &a.p_active, &b.p_active),
        ] {
            let b: Vec<f64> = rows.iter().map(|&r| b[r]).collect();
            if learns_in_steps(name) {
                let alike = spearman(a, &b).expect("they differ");
                assert!(alike > 0.9, "{name}: {column} {alike}");
                let totals: [f64; 2] = [a.iter().sum(), b.iter().sum()];
                let close = if column == "p_active" { 0.05 } else { 1e-4 };
                assert!((totals[0] - totals[1]).abs() <= close * totals[0], "{name}: {column} {totals:?}");
            } else {
                let off = a.iter().zip(&b).find(|(a, b)| (*a - *b).abs() > 1e-4 * a.abs());
                assert_eq!(off, None, "{name}: {column}");
            }
        }
    });
}

#[test]
fn what_happens_after_the_cutoff_changes_nothing() {
    let log = log();
    let end = cutoff().end().0;
    let seen: Vec<usize> =
        everybody(&log).into_iter().filter(|&c| log.customer(c).time.iter().any(|&t| t < end)).collect();
    let past = rebuilt(&log, &seen, |t| t < end, |m| m);
    assert!(past.n_events() < log.n_events());
    let (whole, past) = (known(&log), known(&past));
    each(|name, learner| {
        let (a, b) = (fit(learner, &whole), fit(learner, &past));
        let (a, b) = (forecast(a.as_ref(), &whole.cases()), forecast(b.as_ref(), &past.cases()));
        assert_same(name, &a, &b, &all_rows(&a));
    });
}

#[test]
fn a_longer_horizon_never_forecasts_less() {
    let known = known(&log());
    each(|name, learner| {
        let model = fit(learner, &known);
        let over = |n| forecast(model.as_ref(), &Cases { horizon: days(n), ..known.cases() });
        let mut near = over(7);
        for n in [30, 60, 61, 120, 400] {
            let far = over(n);
            for (column, near, far) in [
                ("orders", &near.expected_orders, &far.expected_orders),
                ("spend", &near.expected_spend, &far.expected_spend),
                ("p_active", &near.p_active, &far.p_active),
            ] {
                let less = near.iter().zip(far).find(|(near, far)| far < near);
                assert_eq!(less, None, "{name}: {column} over {n} days");
            }
            near = far;
        }
    });
}

/// Likelihoods and posteriors, bins, splits and steps know no currency. The optimisers stop at a tolerance: to a relative
/// 1e-4 the numbers are the same. Boosted trees round derivatives at random to whole steps, so that a prior that differs in
/// its seventh digit moves rows by a step and now and then a split: there all customers together are off by less than 1 %.
#[test]
fn in_another_currency_the_numbers_are_the_same() {
    let log = log();
    let cents = rebuilt(&log, &everybody(&log), |_| true, |m| m * 100);
    let (units, cents) = (known(&log), known(&cents));
    each(|name, learner| {
        let a = forecast(fit(learner, &units).as_ref(), &units.cases());
        let b = forecast(fit(learner, &cents).as_ref(), &cents.cases());
        let factors = [1.0, 100.0, 1.0, 1.0, 100.0, 100.0, 100.0, 100.0, 100.0];
        for (((column, a), (_, b)), factor) in columns(&a).into_iter().zip(columns(&b)).zip(factors) {
            if learns_in_steps(name) {
                let finite = || a.iter().zip(&b).filter(|(a, b)| a.is_finite() && b.is_finite());
                let off: f64 = finite().map(|(a, b)| (factor * a - b).abs()).sum();
                let all: f64 = finite().map(|(_, b)| b).sum();
                assert!(off <= 0.01 * all, "{name}: {column} {}", off / all);
            } else {
                let off = a.iter().zip(&b).find(|(a, b)| a != b && (factor * *a - *b).abs() > 1e-4 * b.abs());
                assert_eq!(off, None, "{name}: {column}");
            }
        }
    });
}

#[test]
fn constant_amounts_are_no_trouble_and_a_purchase_is_worth_one_of_them() {
    let log = log();
    let ten = rebuilt(&log, &everybody(&log), |_| true, |m| m.signum() * 10_000_000);
    let known = known(&ten);
    each(|name, learner| {
        let f = forecast(fit(learner, &known).as_ref(), &known.cases());
        let [orders, spend]: [f64; 2] = [f.expected_orders.iter().sum(), f.expected_spend.iter().sum()];
        // rows of 10 each, several on many a day
        assert!(name == "zero" || (10.0..60.0).contains(&(spend / orders)), "{name}: {}", spend / orders);
    });
}

/// Shops with too little in them: nobody, one customer, one purchase each, one day, a handful.
#[test]
fn a_tiny_shop_is_forecast_or_refused_in_words() {
    let one: &[i32] = &[3, 40, 90];
    let once: &[i32] = &[5];
    for (shop, of, until) in [
        ("nobody", vec![], 99),
        ("nobody yet", vec![one], 2),
        ("one customer", vec![one], 99),
        ("one customer who bought once", vec![once], 99),
        ("two who bought once", vec![once, &[8]], 99),
        ("all on one day", vec![once; 30], 5),
        ("all once on one day", vec![once; 30], 99),
        ("a handful", vec![one, once, &[1, 2, 3, 4], &[60, 98], &[0]], 99),
        ("all alike", vec![one; 40], 99),
    ] {
        let log = purchases(&of);
        let known = known_at(&log, after_day(until));
        each(|name, learner| match try_fit(learner, &known, &Quiet) {
            Ok(model) => {
                forecast(model.as_ref(), &known.cases());
            }
            Err(e) => {
                assert!(
                    matches!(e, FitError::TooLittle { .. } | FitError::NotConverged { .. }),
                    "{name} of {shop}: {e}"
                );
                assert!(e.to_string().len() > 30, "{name} of {shop}: {e}");
            }
        });
    }
}

#[test]
fn learners_of_features_say_when_cases_have_none() {
    let known = known(&log());
    each(|name, learner| {
        let said = fit(learner, &known).forecast(&Cases { features: None, ..known.cases() });
        match said {
            Err(e @ ForecastError::Schema { .. }) => {
                assert!(reads_features(name) && e.to_string().contains("feature table"), "{name}: {e}");
            }
            other => assert!(!reads_features(name) && other.is_ok(), "{name}: {other:?}"),
        }
    });
}

#[test]
fn a_request_to_stop_stops_at_once_and_in_the_middle() {
    let known = known(&log());
    each(|name, learner| {
        let at_once = Stop::default();
        assert!(matches!(try_fit(learner, &known, &at_once), Err(FitError::Cancelled(_))), "{name}");
        // of all that work at the same time, each asks once more
        assert!(at_once.asked() <= 20, "{name} asked {} times", at_once.asked());
        let never = Stop::after(u64::MAX);
        try_fit(learner, &known, &never).unwrap_or_else(|e| panic!("{name}: {e}"));
        let middle = Stop::after(never.asked() / 2);
        let stopped = matches!(try_fit(learner, &known, &middle), Err(FitError::Cancelled(_)));
        assert!(stopped, "{name} does not stop after {} of {} questions", never.asked() / 2, never.asked());
    });
}
