//! What every shop of the prior keeps, and what only some have.

use guike_core::Seed;
use guike_sim::{Mechanism, Prior, PriorShop};

const SHOPS: u64 = 40;

fn shops(prior: &Prior) -> impl Iterator<Item = PriorShop> + '_ {
    (0..SHOPS).map(|i| prior.shop(Seed(7).at(i)))
}

fn check_invariants(shop: &PriorShop, customers: u32) {
    let n = shop.n_customers();
    assert_eq!(n, customers as usize);
    assert_eq!([shop.death_day.len(), shop.spend_mean.len(), shop.rate_per_day.len()], [n; 3]);
    assert_eq!((shop.offsets[0], shop.offsets[n] as usize), (0, shop.day.len()));
    assert_eq!(shop.day.len(), shop.spend.len());
    assert!(shop.start_day_of_year < 366);
    for c in 0..n {
        let (days, spend) = shop.customer(c);
        assert!(!days.is_empty(), "customer {c} of {:?} was never seen", shop.mechanism);
        assert!(days.windows(2).all(|w| w[0] < w[1]), "{days:?}");
        assert!(days[0] >= 0 && days[days.len() - 1] < shop.days as i32);
        assert!(spend.iter().all(|&s| s > 0.0 && s.is_finite()), "{spend:?}");
        assert!(shop.spend_mean[c] > 0.0 && shop.spend_mean[c].is_finite());
        assert!(shop.rate_per_day[c] >= 0.0 && shop.rate_per_day[c].is_finite());
        // nobody buys after she has left
        assert!(f64::from(days[days.len() - 1]) <= shop.death_day[c], "{days:?} {}", shop.death_day[c]);
    }
}

#[test]
fn shops_of_every_mechanism_are_whole_and_the_same_for_the_same_seed() {
    for mechanism in Mechanism::ALL {
        for prior in [Prior::only(mechanism), Prior::plain(mechanism)] {
            let prior = Prior { customers: 60, ..prior };
            for shop in shops(&prior) {
                assert_eq!(shop.mechanism, mechanism);
                check_invariants(&shop, 60);
            }
            assert_eq!(prior.shop(Seed(1)), prior.shop(Seed(1)));
            assert_ne!(prior.shop(Seed(1)), prior.shop(Seed(2)));
        }
    }
}

#[test]
fn short_logs_and_tiny_shops_are_possible() {
    for i in 0..200 {
        let prior = Prior { customers: 1, days: (30, 90), ..Prior::default() };
        check_invariants(&prior.shop(Seed(i)), 1);
    }
}

#[test]
fn what_is_left_out_does_not_come() {
    let without = vec![Mechanism::Mixed, Mechanism::Bursty];
    let prior = Prior { customers: 2, without: without.clone(), days: (60, 200), ..Prior::default() };
    let mut seen = std::collections::BTreeSet::new();
    for i in 0..300 {
        seen.insert(prior.shop(Seed(i)).mechanism);
    }
    assert!(without.iter().all(|m| !seen.contains(m)), "{seen:?}");
    assert_eq!(seen.len(), 6);
}

#[test]
fn a_prior_that_draws_nothing_says_so() {
    let message = |prior: Prior| prior.validate().unwrap_err().to_string();
    let nothing = Prior { without: Mechanism::ALL.to_vec(), ..Prior::default() };
    assert_eq!(
        message(nothing),
        "`weights` = 0 is not possible; it must be above 0 for a mechanism that is not left out"
    );
    let short = Prior { days: (10, 90), ..Prior::default() };
    assert_eq!(message(short), "`days.0` = 10 is not possible; it must be between 30 and 36500");
    // with one mechanism there is nothing to mix
    let mut without = Mechanism::ALL.to_vec();
    without.retain(|&m| m != Mechanism::Mixed && m != Mechanism::Regular);
    assert!(Prior { without, ..Prior::only(Mechanism::Mixed) }.validate().is_err());
}

/// Purchase days in the last third of every log against their expectation given the true parameters.
fn check_expectation(prior: &Prior) {
    let (mut seen, mut expected, mut variance) = (0.0, 0.0, 0.0);
    for shop in shops(prior) {
        let cutoff = shop.days as i32 * 2 / 3;
        let last = shop.days as i32 - 1;
        for c in 0..shop.n_customers() {
            let (days, _) = shop.customer(c);
            if days[0] > cutoff {
                continue;
            }
            let Some(e) = shop.expected_days(c, cutoff, (last - cutoff) as u32) else { continue };
            let n = days.iter().filter(|&&d| d > cutoff).count() as f64;
            seen += n;
            expected += e;
            variance += (n - e).powi(2);
        }
    }
    assert!(expected > 500.0, "{expected}");
    assert!((seen - expected).abs() < 4.0 * f64::sqrt(variance), "{seen}, {expected} ± {}", variance.sqrt());
}

#[test]
fn purchases_come_as_the_true_parameters_say_whatever_the_season() {
    for mechanism in [Mechanism::ParetoNbd, Mechanism::BgNbd, Mechanism::MbgNbd] {
        check_expectation(&Prior::plain(mechanism));
        check_expectation(&Prior::only(mechanism));
    }
}

#[test]
fn some_shops_are_older_than_their_log_and_some_have_no_new_customers() {
    let prior = Prior { customers: 200, ..Prior::only(Mechanism::ParetoNbd) };
    let (mut cohorts, mut growing, mut spread) = (0, 0, 0);
    for i in 0..150 {
        let shop = prior.shop(Seed(3).at(i));
        let share = |from: f64, to: f64| {
            let days = (from * f64::from(shop.days), to * f64::from(shop.days));
            let first = (0..shop.n_customers()).map(|c| f64::from(shop.customer(c).0[0]));
            first.filter(|&d| d >= days.0 && d < days.1).count() as f64 / shop.n_customers() as f64
        };
        cohorts += u32::from(share(0.5, 1.0) == 0.0);
        growing += u32::from(share(0.6, 1.0) > 0.5);
        // first days that ebb away are what is left of arrivals before the log
        spread += u32::from(share(0.0, 0.2) > 0.5 && share(0.5, 1.0) > 0.02);
    }
    assert!(cohorts > 10 && growing > 5 && spread > 10, "{cohorts} {growing} {spread}");
}

#[test]
fn some_shops_live_on_the_weeks_before_the_end_of_the_year() {
    let prior = Prior { customers: 300, days: (1000, 1400), ..Prior::only(Mechanism::ParetoNbd) };
    let mut peaks = 0;
    for i in 0..60 {
        let shop = prior.shop(Seed(4).at(i));
        // relative frequency per day of the weeks before Christmas against that of the rest of the year
        let (mut n, mut days) = ([0.0; 2], [0.0; 2]);
        let peak = |day: i32| {
            let of_year = (i32::from(shop.start_day_of_year) + day) as f64 % 365.25;
            usize::from((335.0..360.0).contains(&of_year))
        };
        (0..shop.days as i32).for_each(|d| days[peak(d)] += 1.0);
        shop.day.iter().for_each(|&d| n[peak(d)] += 1.0);
        peaks += u32::from(n[1] / days[1] > 1.6 * n[0] / days[0]);
    }
    assert!((5..40).contains(&peaks), "{peaks}");
}

#[test]
#[ignore = "a timing; run with --release --ignored --nocapture"]
#[allow(clippy::disallowed_types)] // a timing needs a clock
fn a_shop_takes_less_than_a_millisecond() {
    for mechanism in Mechanism::ALL.map(Some).into_iter().chain([None]) {
        let prior = mechanism.map_or_else(Prior::default, Prior::only);
        let start = std::time::Instant::now();
        let n = 400;
        let purchases: usize = (0..n).map(|i| prior.shop(Seed(i)).day.len()).sum();
        let each = start.elapsed().as_secs_f64() * 1e3 / n as f64;
        println!(
            "{:?}: {each:.3} ms, {} purchase days per shop",
            mechanism.map(Mechanism::name),
            purchases / n as usize
        );
    }
}
