//! What holds for every learner of this crate, seen from outside.

use guike_btyd::learners::{BuyTillYouDie, CountKind, FittedPair, SpendKind, fit_together, load, pairs};
use guike_btyd::outlook::forecast_together;
use guike_btyd::total_spend::exact_quantile;
use guike_btyd::{CountModel, FitOptions, History, bg_nbd::BgNbd, gamma_gamma::GammaGamma};
use guike_core::{
    Artifact, Cases, Cutoff, Day, FitContext, FitError, Fitted, Forecasts, Horizon, INTERVAL_LEVELS, Learner, Model,
    Progress, Quiet, RfmTable, Seed, TrainingSet,
};

/// A shop of `n` customers with a spread of histories; deterministic without a generator.
fn shop(n: u32) -> RfmTable {
    let mut rfm = RfmTable { history_days: 300, ..RfmTable::default() };
    for i in 0..n {
        let x = [0, 0, 0, 1, 0, 2, 0, 5, 1, 0, 0, 3, 0, 12][i as usize % 14];
        let age = f64::from(20 + i * 37 % 280);
        let x = x.min(age as u32);
        let recency = (age * f64::from(1 + i % 9) / 10.0).floor().max(f64::from(x)).min(age) * f64::from(x.min(1));
        let spend = 5.0 + f64::from(i * 31 % 97);
        push(&mut rfm, x, recency, age, spend);
    }
    rfm
}

fn push(rfm: &mut RfmTable, x: u32, recency: f64, age: f64, spend: f64) {
    rfm.customer_idx.push(rfm.customer_idx.len() as u32);
    rfm.repeats.push(x);
    rfm.recency_days.push(recency);
    rfm.age_days.push(age);
    rfm.repeat_spend_mean.push(if x > 0 { spend * 1.1 } else { 0.0 });
    rfm.spend_mean.push(spend);
    rfm.spend_total.push(spend * f64::from(x + 1));
    rfm.window_purchase_days.push(0);
    rfm.window_spend.push(0.0);
}

fn cases(rfm: &RfmTable, days: u32) -> Cases<'_> {
    let horizon = Horizon::from_days(days).expect("days");
    Cases { cutoff: Cutoff::after(Day(10_000)), horizon, rfm, features: None, purchases: None }
}

fn fit(learner: &dyn Learner, rfm: &RfmTable) -> Result<Fitted, FitError> {
    let cx = FitContext { seed: Seed(7), progress: &Quiet };
    learner.fit(&TrainingSet { now: cases(rfm, 90), anchors: &[] }, &cx)
}

fn forecast(model: &dyn Model, rfm: &RfmTable, days: u32) -> Forecasts {
    let forecasts = model.forecast(&cases(rfm, days)).expect("forecasts");
    assert_eq!(forecasts.flaw(), None, "{}", model.card().name);
    assert_eq!(forecasts.len(), rfm.len());
    forecasts
}

#[test]
fn names_are_unique_and_stable() {
    let names: Vec<&str> = pairs().iter().map(|l| l.name()).collect();
    assert_eq!(names[0], "nbd+gamma-gamma");
    assert!(names.contains(&"pareto-nbd+gamma-gamma-all") && names.contains(&"mbg-cnbd-k+gamma-gamma"));
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
}

#[test]
fn together_is_each_alone() {
    let rfm = shop(700);
    let cx = FitContext { seed: Seed(7), progress: &Quiet };
    let fits = fit_together(&pairs(), &TrainingSet { now: cases(&rfm, 90), anchors: &[] }, &cx);
    let fitted: Vec<FittedPair> = fits.into_iter().map(|f| f.expect("fits").0).collect();
    let together = forecast_together(&fitted.iter().collect::<Vec<_>>(), &cases(&rfm, 120)).expect("forecasts");
    for ((pair, fitted), together) in pairs().iter().zip(&fitted).zip(&together) {
        let alone = fit(pair, &rfm).expect("fits").model;
        assert_eq!(fitted.save(), alone.save());
        let alone = forecast(alone.as_ref(), &rfm, 120);
        assert_eq!(
            (&together.expected_orders, &together.expected_spend),
            (&alone.expected_orders, &alone.expected_spend)
        );
        assert_eq!((&together.p_active, &together.next_order_days), (&alone.p_active, &alone.next_order_days));
        for (a, b) in together.spend.values.iter().zip(&alone.spend.values) {
            assert!((a - b).abs() <= 1e-6 * b, "{}: {a} {b}", pair.name());
        }
    }
    assert!(forecast_together(&[], &cases(&rfm, 120)).expect("nothing").is_empty());
}

#[test]
fn every_learner_forecasts_every_shop_without_a_flaw() {
    for n in [1, 2, 20, 400] {
        let rfm = shop(n);
        for learner in pairs() {
            let fitted = fit(&learner, &rfm).unwrap_or_else(|e| panic!("{} on {n}: {e}", learner.name()));
            for days in [1, 90, 3650] {
                forecast(fitted.model.as_ref(), &rfm, days);
            }
            assert!(n == 400 || !fitted.notes.is_empty(), "{} on {n} says nothing of the prior", learner.name());
        }
    }
}

#[test]
fn a_saved_model_forecasts_the_same_bits() {
    let rfm = shop(400);
    for learner in pairs() {
        let model = fit(&learner, &rfm).expect("fits").model;
        let text = serde_json::to_string(&model.save()).expect("serialises");
        let artifact: Artifact = serde_json::from_str(&text).expect("parses");
        let again = load(&artifact).expect("loads");
        assert_eq!(again.card(), model.card());
        assert_eq!(forecast(&again, &rfm, 90), forecast(model.as_ref(), &rfm, 90), "{}", learner.name());
        assert!(model.card().parameters.values().all(|v| v.is_finite()));
    }
}

#[test]
fn damaged_artifacts_are_refused_in_words() {
    let model = fit(&pairs()[2], &shop(400)).expect("fits").model;
    let check = |damage: fn(&mut Artifact), expected: &str| {
        let mut artifact = model.save();
        damage(&mut artifact);
        let error = load(&artifact).expect_err("damaged").to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(|a| a.card.format = 99, "format 99 of `bg-nbd+gamma-gamma`; need 1");
    check(|a| a.body["count"]["r"] = (-1.0).into(), "parameter r = -1 must be positive and finite");
    check(|a| a.body["count"]["kind"] = "oracle".into(), "unknown variant `oracle`");
    check(|a| a.body["spend"]["q"] = 0.9.into(), "q = 0.9 must exceed 1");
    check(|a| a.body = serde_json::Value::Null, "body of `bg-nbd+gamma-gamma`");
}

#[test]
fn the_order_of_customers_changes_nothing() {
    let rfm = shop(300);
    let rows: Vec<usize> = (0..300).map(|i| i * 7 % 300).collect();
    let shuffled = rfm.take(&rows);
    for learner in pairs() {
        let (straight, other) = (fit(&learner, &rfm).expect("fits"), fit(&learner, &shuffled).expect("fits"));
        let (a, b) = (straight.model.card(), other.model.card());
        for (name, value) in &a.parameters {
            let off = (value - b.parameters[name]).abs() / value;
            assert!(off < 1e-4, "{} {name}: {value} {}", learner.name(), b.parameters[name]);
        }
        let (f, g) = (forecast(straight.model.as_ref(), &rfm, 90), forecast(straight.model.as_ref(), &shuffled, 90));
        for (row, &from) in rows.iter().enumerate() {
            assert_eq!(g.p_active[row], f.p_active[from]);
        }
    }
}

#[test]
fn a_subset_is_forecast_as_within_the_whole() {
    let rfm = shop(300);
    let part = rfm.take(&[5, 17, 140]);
    for learner in pairs() {
        let model = fit(&learner, &rfm).expect("fits").model;
        let (whole, alone) = (forecast(model.as_ref(), &rfm, 90), forecast(model.as_ref(), &part, 90));
        assert_eq!(alone.expected_spend, [5, 17, 140].map(|i| whole.expected_spend[i]));
        for (row, i) in [5, 17, 140].into_iter().enumerate() {
            assert_eq!(alone.spend.row(row), whole.spend.row(i));
        }
    }
}

#[test]
fn longer_horizons_forecast_more_and_no_case_is_no_trouble() {
    let rfm = shop(300);
    for learner in pairs() {
        let model = fit(&learner, &rfm).expect("fits").model;
        let (near, far) = (forecast(model.as_ref(), &rfm, 30), forecast(model.as_ref(), &rfm, 120));
        for i in 0..rfm.len() {
            assert!(far.expected_orders[i] >= near.expected_orders[i] && far.p_active[i] >= near.p_active[i]);
        }
        assert_eq!(forecast(model.as_ref(), &RfmTable::default(), 30).len(), 0);
    }
}

#[test]
fn the_unit_of_money_scales_spend_and_nothing_else() {
    let rfm = shop(400);
    let cents = RfmTable {
        repeat_spend_mean: rfm.repeat_spend_mean.iter().map(|v| 100.0 * v).collect(),
        spend_mean: rfm.spend_mean.iter().map(|v| 100.0 * v).collect(),
        ..rfm.clone()
    };
    for learner in pairs() {
        let (a, b) = (fit(&learner, &rfm).expect("fits").model, fit(&learner, &cents).expect("fits").model);
        let (a, b) = (forecast(a.as_ref(), &rfm, 90), forecast(b.as_ref(), &cents, 90));
        assert_eq!(a.expected_orders, b.expected_orders);
        for (units, cents) in a.expected_spend.iter().zip(&b.expected_spend) {
            assert!((100.0 * units / cents - 1.0).abs() < 1e-4);
        }
    }
}

#[test]
fn quantiles_are_those_of_the_exact_distribution() {
    let rfm = shop(400);
    let learner = BuyTillYouDie { count: CountKind::BgNbd, spend: SpendKind::All, options: FitOptions::default() };
    let model = fit(&learner, &rfm).expect("fits").model;
    let of = |name: &str| model.card().parameters[name];
    let count = BgNbd { r: of("r"), alpha: of("alpha"), a: of("a"), b: of("b") };
    let spend = GammaGamma { p: of("p"), q: of("q"), gamma: of("gamma") };
    let forecasts = forecast(model.as_ref(), &rfm, 182);
    for case in (0..400).step_by(13) {
        let h = History { x: rfm.repeats[case], t_x: rfm.recency_days[case] / 7.0, age: rfm.age_days[case] / 7.0 };
        let counts = count.counts(h, 26.0, 1e-12);
        let posterior = spend.posterior(h.x + 1, rfm.spend_mean[case]);
        for (level, ours) in INTERVAL_LEVELS.into_iter().zip(forecasts.spend.row(case)) {
            let exact = posterior.scale * exact_quantile(&counts, spend.p, posterior.shape, level);
            // just above P(no purchase) the quantile rises steeply from zero
            let steep = (level - counts.at(0)).abs() < 0.01;
            assert!(steep || (ours - exact).abs() <= 5e-3 * exact, "case {case} level {level}: {ours} {exact}");
        }
    }
}

#[test]
fn customers_without_a_past_are_refused_and_impossible_ones_named() {
    let learner = &pairs()[2];
    assert!(matches!(fit(learner, &RfmTable::default()), Err(FitError::TooLittle { .. })));
    let mut rfm = shop(20);
    rfm.recency_days[3] = rfm.age_days[3] + 1.0;
    let error = fit(learner, &rfm).expect_err("impossible").to_string();
    assert!(error.contains("customer 3 has recency"), "{error}");
}

#[test]
fn a_fit_stops_on_request() {
    struct Stop;
    impl Progress for Stop {
        fn stage(&self, _: &str, _: u64) {}
        fn advance(&self, _: u64) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let rfm = shop(20);
    let cx = FitContext { seed: Seed(7), progress: &Stop };
    for learner in pairs() {
        let result = learner.fit(&TrainingSet { now: cases(&rfm, 90), anchors: &[] }, &cx);
        assert!(matches!(result, Err(FitError::Cancelled(_))));
    }
}
