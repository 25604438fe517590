//! What holds for every count model at any parameters and any history.

use guike_btyd::bg_cnbd_k::{BgCnbdK, MbgCnbdK};
use guike_btyd::bg_nbd::BgNbd;
use guike_btyd::mbg_nbd::MbgNbd;
use guike_btyd::nbd::Nbd;
use guike_btyd::special::log_hyp2f1;
use guike_btyd::{CountModel, History};
use proptest::prelude::*;

/// One of the models of this file, with parameters as wide as fits can end.
fn any_model() -> impl Strategy<Value = Box<dyn CountModel>> {
    let log = |low: f64, high: f64| (low.ln()..high.ln()).prop_map(f64::exp);
    (0..5, 1_u32..7, log(0.01, 50.0), log(0.05, 500.0), log(1e-5, 50.0), log(0.01, 200.0)).prop_map(
        |(kind, k, r, alpha, a, b)| -> Box<dyn CountModel> {
            match kind {
                0 => Box::new(Nbd { r, alpha }),
                1 => Box::new(BgNbd { r, alpha, a, b }),
                2 => Box::new(MbgNbd { r, alpha, a, b }),
                3 => Box::new(BgCnbdK { k, r, alpha, a, b }),
                _ => Box::new(MbgCnbdK { k, r, alpha, a, b }),
            }
        },
    )
}

/// Histories up to `max_x` repeats; a third has none, some have no time at all.
fn any_history(max_x: u32) -> impl Strategy<Value = History> {
    let x = prop_oneof![Just(0), 1..20_u32, 1..=max_x];
    (x, 0.0_f64..=1.0, prop_oneof![Just(0.0), 0.0_f64..300.0, Just(1e-3)]).prop_map(|(x, share, age)| History {
        x,
        t_x: if x == 0 { 0.0 } else { share * age },
        age,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_nan_up_to_ten_thousand_purchases(model in any_model(), h in any_history(10_000), horizon in 0.0_f64..60.0) {
        prop_assert!(model.log_likelihood(h).is_finite());
        let p_alive = model.p_alive(h);
        prop_assert!((0.0..=1.0).contains(&p_alive), "P(alive) = {}", p_alive);
        let p_active = model.p_active(h, horizon);
        prop_assert!((0.0..=1.0).contains(&p_active), "P(active) = {}", p_active);
        let expected = model.expected(h, horizon);
        prop_assert!(expected.is_finite() && expected >= p_active * (1.0 - 1e-9) - 1e-12, "E = {}, P = {}", expected, p_active);
        prop_assert!(!model.median_wait(h).is_nan() && model.median_wait(h) >= 0.0);
    }

    #[test]
    fn a_longer_horizon_never_forecasts_less(model in any_model(), h in any_history(500), t in 0.0_f64..100.0, more in 0.0_f64..50.0) {
        let slack = 1e-12 + 1e-12 * model.expected(h, t);
        prop_assert!(model.expected(h, t + more) >= model.expected(h, t) - slack);
        prop_assert!(model.p_active(h, t + more) >= model.p_active(h, t) - 1e-12);
    }

    #[test]
    fn counts_sum_to_one_and_their_mean_is_the_expectation(model in any_model(), h in any_history(300), horizon in 0.0_f64..60.0) {
        let counts = model.counts(h, horizon, 1e-14);
        prop_assert!(counts.probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
        prop_assert!((counts.total() - 1.0).abs() < 1e-10, "{}", counts.total());
        let expected = model.expected(h, horizon);
        prop_assert!((counts.mean() - expected).abs() < 1e-8 * (1.0 + expected), "{} {}", counts.mean(), expected);
        prop_assert!((1.0 - counts.at(0) - model.p_active(h, horizon)).abs() < 1e-10);
    }

    #[test]
    fn half_of_the_customers_buy_within_the_median_wait(model in any_model(), h in any_history(300)) {
        let wait = model.median_wait(h);
        if wait < 1e5 {
            prop_assert!((model.p_active(h, wait) - 0.5).abs() < 1e-6, "{}", model.p_active(h, wait));
        } else {
            prop_assert!(model.p_active(h, 1e4) < 0.5);
        }
    }

    #[test]
    fn k_of_one_is_the_random_buyer(h in any_history(100), r in 0.05_f64..5.0, alpha in 0.5_f64..50.0, a in 0.05_f64..5.0, b in 0.1_f64..20.0) {
        let (bg, regular) = (BgNbd { r, alpha, a, b }, BgCnbdK { k: 1, r, alpha, a, b });
        prop_assert_eq!(bg.log_likelihood(h), regular.log_likelihood(h));
        prop_assert_eq!(bg.expected(h, 20.0), regular.expected(h, 20.0));
    }

    #[test]
    fn the_likelihood_of_bg_nbd_is_the_papers(h in any_history(100), r in 0.05_f64..5.0, alpha in 0.5_f64..50.0, a in 0.05_f64..5.0, b in 0.1_f64..20.0) {
        // Fader, Hardie & Lee (2005), eq. 6, by gamma functions
        let gamma = guike_btyd::special::log_gamma;
        let x = f64::from(h.x);
        let beta = |a: f64, b: f64| gamma(a) + gamma(b) - gamma(a + b);
        let common = gamma(r + x) - gamma(r) + r * alpha.ln() - beta(a, b);
        let alive = beta(a, b + x) - (r + x) * (alpha + h.age).ln();
        let left = if h.x > 0 { beta(a + 1.0, b + x - 1.0) - (r + x) * (alpha + h.t_x).ln() } else { f64::NEG_INFINITY };
        let direct = common + guike_btyd::special::log_add_exp(alive, left);
        let ours = BgNbd { r, alpha, a, b }.log_likelihood(h);
        prop_assert!((ours - direct).abs() < 1e-9 * (1.0 + direct.abs()), "{} {}", ours, direct);
    }

    #[test]
    fn the_expectation_of_bg_nbd_is_the_papers(x in 0_u32..60, age in 0.0_f64..100.0, r in 0.05_f64..5.0, alpha in 0.5_f64..50.0, a in 1.1_f64..5.0, b in 0.1_f64..20.0, t in 0.1_f64..60.0) {
        // Fader, Hardie & Lee (2005), eq. 10, through 2F1, for a live customer; needs a away from 1
        let h = History { x, t_x: 0.0, age };
        let (n, z) = (f64::from(x), t / (alpha + age + t));
        let c = a + b + n - 1.0;
        let hyp = ((r + n) * (-z).ln_1p() + log_hyp2f1(r + n, b + n, c, z)).exp();
        let papers = c / (a - 1.0) * (1.0 - hyp);
        let ours = BgNbd { r, alpha, a, b }.expected_if_alive(h, t);
        prop_assert!((ours - papers).abs() < 1e-8 * (1.0 + c / (a - 1.0)), "{} {}", ours, papers);
    }
}

#[test]
fn a_customer_without_repeat_purchases_is_alive_with_probability_one_in_bg_nbd_only() {
    let once = History { x: 0, t_x: 0.0, age: 50.0 };
    assert_eq!(BgNbd { r: 0.24, alpha: 4.4, a: 0.8, b: 2.4 }.p_alive(once), 1.0);
    assert!(MbgNbd { r: 0.24, alpha: 4.4, a: 0.8, b: 2.4 }.p_alive(once) < 0.8);
}

#[test]
fn without_drop_out_bg_nbd_is_nbd() {
    let h = History { x: 5, t_x: 20.0, age: 30.0 };
    let (nbd, bg) = (Nbd { r: 0.7, alpha: 9.0 }, BgNbd { r: 0.7, alpha: 9.0, a: 1e-12, b: 1.0 });
    assert!((nbd.expected(h, 40.0) - bg.expected(h, 40.0)).abs() < 1e-9);
    assert!((nbd.p_active(h, 40.0) - bg.p_active(h, 40.0)).abs() < 1e-9);
    assert!((nbd.log_likelihood(h) - bg.log_likelihood(h)).abs() < 1e-9);
}

#[test]
fn a_regular_customer_who_is_late_has_left() {
    let late = History { x: 10, t_x: 50.0, age: 65.0 };
    let random = BgCnbdK { k: 1, r: 1.0, alpha: 5.0, a: 0.5, b: 2.0 };
    let regular = BgCnbdK { k: 4, r: 1.0, alpha: 1.25, a: 0.5, b: 2.0 };
    assert!(regular.p_alive(late) < 0.5 * random.p_alive(late));
}
