//! Simulated customers behave as the papers' formulas say.

use guike_core::{EventKind, Seed};
use guike_sim::{Acquisition, Buying, DropOut, GammaGamma, Refunds, Season, Shop, summary};
use proptest::prelude::*;

const N: usize = 200_000;

/// ₂F₁(a, b; c; z) by its series, for 0 ≤ z < 1.
fn hyp2f1(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 0..10_000 {
        let k = f64::from(k);
        term *= (a + k) * (b + k) / ((c + k) * (k + 1.0)) * z;
        sum += term;
        if term.abs() < 1e-15 * sum {
            break;
        }
    }
    sum
}

/// Expected repeat purchases by time `t`.
fn expected(buying: &Buying, t: f64) -> f64 {
    let (r, alpha) = (buying.r, buying.alpha);
    let z = t / (alpha + t);
    let damped = |f: f64| 1.0 - (alpha / (alpha + t)).powf(r) * f;
    match buying.drop_out {
        // Fader & Hardie (2005), "A note on deriving the Pareto/NBD model"
        DropOut::ParetoNbd { s, beta } => r * beta / (alpha * (s - 1.0)) * (1.0 - (beta / (beta + t)).powf(s - 1.0)),
        // Fader, Hardie & Lee (2005), eq. 9
        DropOut::BgNbd { a, b } => (a + b - 1.0) / (a - 1.0) * damped(hyp2f1(r, b, a + b - 1.0, z)),
        // Batislam, Denizel & Filiztekin (2007)
        DropOut::MbgNbd { a, b } => b / (a - 1.0) * damped(hyp2f1(r, b + 1.0, a + b, z)),
    }
}

/// Mean and its standard error.
fn mean_and_error(v: &[f64]) -> (f64, f64) {
    let n = v.len() as f64;
    let mean = v.iter().sum::<f64>() / n;
    let variance = v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

fn populations() -> [Buying; 3] {
    let week = Buying::default();
    [
        week,
        Buying { r: 0.243, alpha: 4.414, drop_out: DropOut::BgNbd { a: 0.793, b: 2.426 }, ..week },
        Buying { r: 0.525, alpha: 6.183, drop_out: DropOut::MbgNbd { a: 0.891, b: 1.614 }, ..week },
    ]
}

#[test]
fn mean_repeat_purchases_are_those_of_the_formulas() {
    for buying in populations() {
        for weeks in [10.0, 39.0, 104.0] {
            let rfm = summary(&buying, &GammaGamma::default(), (7.0 * weeks, 7.0 * weeks), N, Seed(3)).expect("valid");
            let repeats: Vec<f64> = rfm.repeats.iter().map(|&x| f64::from(x)).collect();
            let (mean, error) = mean_and_error(&repeats);
            let expected = expected(&buying, weeks);
            assert!((mean - expected).abs() < 4.0 * error, "{buying:?}, {weeks} weeks: {mean} ± {error}, {expected}");
        }
    }
}

#[test]
fn the_share_without_repeat_is_that_of_the_formula() {
    // BG/NBD: nobody leaves before the first repeat, so P(x = 0) = (α / (α + t))^r
    let buying = populations()[1];
    let rfm = summary(&buying, &GammaGamma::default(), (273.0, 273.0), N, Seed(4)).expect("valid");
    let zero = rfm.repeats.iter().filter(|&&x| x == 0).count() as f64 / N as f64;
    let expected = (buying.alpha / (buying.alpha + 39.0)).powf(buying.r);
    assert!((zero - expected).abs() < 4.0 * (expected * (1.0 - expected) / N as f64).sqrt(), "{zero}, {expected}");
}

#[test]
fn spend_has_the_mean_of_the_gamma_gamma_model_and_does_not_depend_on_how_often() {
    let spend = GammaGamma { p: 6.25, q: 6.0, gamma: 15.44 };
    let rfm = summary(&Buying::default(), &spend, (273.0, 273.0), N, Seed(5)).expect("valid");
    let expected = spend.p * spend.gamma / (spend.q - 1.0);
    for often in [0..1, 1..3, 3..1000] {
        let of = rfm.repeats.iter().zip(&rfm.spend_mean).filter(|(x, _)| often.contains(*x));
        let (mean, error) = mean_and_error(&of.map(|(_, m)| *m).collect::<Vec<f64>>());
        assert!((mean - expected).abs() < 4.0 * error, "{often:?}: {mean} ± {error}, {expected}");
    }
}

#[test]
fn regular_buyers_keep_the_mean_and_lose_the_spread() {
    // one rate for all and nobody leaves: gaps have mean 1 / rate and coefficient of variation 1 / √k
    let drop_out = DropOut::ParetoNbd { s: 1.0, beta: 1e9 };
    for k in [1, 2, 4] {
        let shop = Shop {
            customers: 300,
            days: 3000,
            buying: Buying { r: 1e6, alpha: 1e7, drop_out, regularity: k, unit_days: 1.0 },
            acquisition: Acquisition { days: 1, growth: 1.0 },
            ..Shop::default()
        };
        let log = shop.simulate(Seed(6)).expect("valid").log;
        let mut gaps = Vec::new();
        for c in 0..log.n_customers() {
            let mut moments = log.customer(c).time.to_vec();
            moments.dedup();
            gaps.extend(moments.windows(2).map(|w| (w[1] - w[0]) as f64 / 86_400.0));
        }
        let (mean, error) = mean_and_error(&gaps);
        let cv = error * (gaps.len() as f64).sqrt() / mean;
        assert!((mean - 10.0).abs() < 0.2, "k = {k}: mean gap {mean}");
        assert!((cv - 1.0 / f64::from(k).sqrt()).abs() < 0.02, "k = {k}: {cv}");
    }
}

#[test]
fn nobody_buys_after_leaving_and_the_share_alive_is_that_of_the_formula() {
    let shop = Shop { customers: 20_000, acquisition: Acquisition { days: 1, growth: 1.0 }, ..Shop::default() };
    let s = shop.simulate(Seed(7)).expect("valid");
    let start = shop.start.start().0;
    for c in 0..s.log.n_customers() {
        let time = s.log.customer(c).time;
        let last = (time[time.len() - 1] - start) as f64 / 86_400.0;
        assert!(last <= s.truth.death_day[c], "customer {c} bought on {last}, left on {}", s.truth.death_day[c]);
        assert!(time[0] >= start && last < f64::from(shop.days));
    }
    // Pareto/NBD: P(alive at t) = (β / (β + t))^s; arrivals spread over one day
    for day in [30_u32, 300, 700] {
        let alive = (0..20_000).filter(|&c| s.truth.alive_after(c, day)).count() as f64 / 20_000.0;
        let expected = (11.669 / (11.669 + f64::from(day) / 7.0)).powf(0.606);
        assert!((alive - expected).abs() < 0.015, "day {day}: {alive}, {expected}");
    }
}

#[test]
fn the_season_moves_purchases_to_its_peak() {
    let shop = Shop {
        customers: 3000,
        days: 1461,
        season: Season { strength: 0.8, peak_day: 182.625 },
        acquisition: Acquisition { days: 1, growth: 1.0 },
        buying: Buying { drop_out: DropOut::ParetoNbd { s: 1.0, beta: 1e9 }, ..Buying::default() },
        ..Shop::default()
    };
    let log = shop.simulate(Seed(8)).expect("valid").log;
    let start = shop.start.start().0;
    // in the half year around the peak lie 1/2 + strength / π of the repeat purchases
    let days: Vec<f64> = log.all().time.iter().map(|t| (t - start) as f64 / 86_400.0).filter(|&d| d >= 1.0).collect();
    let near = days.iter().filter(|&d| ((d - 182.625) / 365.25 + 0.25).rem_euclid(1.0) < 0.5).count() as f64;
    let share = near / days.len() as f64;
    assert!((share - (0.5 + 0.8 / std::f64::consts::PI)).abs() < 0.02, "{share}");
}

#[test]
fn refunds_come_after_and_take_back_a_row() {
    let shop = Shop { refunds: Refunds { rate: 0.2, lag_days: 5.0 }, ..Shop::default() };
    let log = shop.simulate(Seed(9)).expect("valid").log;
    let (mut bought, mut back) = (0_u32, 0_u32);
    for c in 0..log.n_customers() {
        let e = log.customer(c);
        for row in 0..e.len() {
            if e.kind[row] == EventKind::Refund as u8 {
                back += 1;
                let takes_back =
                    |p: usize| e.is_purchase(p) && e.order[p] == e.order[row] && e.amount[p] == -e.amount[row];
                assert!((0..row).any(takes_back) && e.amount[row] < 0);
            } else {
                bought += 1;
                assert!(e.amount[row] > 0 && e.amount[row] % 10_000 == 0, "whole cents");
            }
        }
    }
    let rate = f64::from(back) / f64::from(bought);
    assert!((rate - 0.2).abs() < 0.02, "{rate}");
}

#[test]
fn a_larger_shop_begins_with_the_same_customers() {
    let shop = |customers| Shop { customers, ..Shop::default() }.simulate(Seed(10)).expect("valid");
    let (small, large) = (shop(20), shop(500));
    for c in 0..20 {
        assert_eq!(small.log.customer(c).time, large.log.customer(c).time);
        assert_eq!(small.log.customer(c).amount, large.log.customer(c).amount);
        assert_eq!(small.truth.death_day[c].to_bits(), large.truth.death_day[c].to_bits());
    }
}

#[test]
fn refusals_name_the_parameter() {
    let shop = Shop { refunds: Refunds { rate: 1.5, lag_days: 7.0 }, ..Shop::default() };
    let error = shop.simulate(Seed(1)).expect_err("no such share");
    assert_eq!(error.to_string(), "`refunds.rate` = 1.5 is not possible; it must be between 0 and 1");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_same_seed_gives_the_same_bits(
        seed in any::<u64>(),
        model in 0_usize..3,
        k in 1_u32..4,
        strength in 0.0_f64..0.95,
    ) {
        let buying = Buying { regularity: k, ..populations()[model] };
        let season = Season { strength, peak_day: 340.0 };
        let shop = Shop { customers: 30, buying, season, ..Shop::default() };
        let run = |seed: u64| shop.simulate(Seed(seed)).expect("valid");
        let (a, b) = (run(seed), run(seed));
        prop_assert_eq!(format!("{:?}", a.log), format!("{:?}", b.log));
        prop_assert_eq!(a.truth, b.truth);
        prop_assert_ne!(format!("{:?}", a.log), format!("{:?}", run(seed ^ 1).log));
        let draw = || summary(&buying, &GammaGamma::default(), (100.0, 300.0), 50, Seed(seed)).expect("valid");
        let one = draw();
        prop_assert_eq!(&one, &draw());
        prop_assert!(one.repeats.iter().zip(&one.recency_days).all(|(&x, &t)| (x == 0) == (t == 0.0)));
    }
}
