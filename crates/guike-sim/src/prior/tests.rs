//! Populations behave as their papers say when nothing else moves them.

use guike_core::{Day, Seed};

use super::calendar::{Calendar, Span};
use super::population::{Leaving, Population, Rates, TimingOf};
use super::timing::Live;
use super::{Mechanism, Prior, bursty, renewal};

const N: usize = 60_000;

/// Purchases after the first one within `days`, per customer of a population that arrives on day 0.
fn repeats(population: &Population, days: u32, seed: u64) -> (f64, f64) {
    let span = Span { before: 0, days, start: Day(0) };
    let calendar = Calendar::flat(span);
    let mut rng = Seed(seed).rng();
    let mut times = Vec::new();
    let counts: Vec<f64> = (0..N)
        .map(|_| {
            let person = population.person(1.0, 1.0, &mut rng);
            let live = Live { clock: &calendar.clocks[0], arrival: 0.0, death: f64::INFINITY, end: f64::from(days) };
            person.live(live, &mut times, &mut rng);
            assert!(times.is_sorted());
            times.len() as f64 - 1.0
        })
        .collect();
    let mean = counts.iter().sum::<f64>() / N as f64;
    let variance = counts.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (N as f64 - 1.0);
    (mean, (variance / N as f64).sqrt())
}

/// The CDNOW estimates of the Pareto/NBD, in days.
fn cdnow() -> Population {
    Population {
        rate_mean: 0.553 / (10.578 * 7.0),
        rates: Rates::Gamma { shape: 0.553 },
        leaving: Leaving::AnyTime { shape: 0.606, mean: 0.606 / (11.669 * 7.0) },
        one_time: 0.0,
        leaving_by_rate: 0.0,
        fading: None,
        wander: None,
        timing: TimingOf::Renewal(renewal::Regularity::Poisson),
    }
}

#[test]
fn pareto_nbd_customers_buy_as_often_as_the_formula_says() {
    for days in [70_u32, 273, 728] {
        let (mean, error) = repeats(&cdnow(), days, 1);
        // Fader & Hardie (2005), "A note on deriving the Pareto/NBD model"
        let (r, alpha, s, beta, t) = (0.553_f64, 10.578, 0.606, 11.669_f64, f64::from(days) / 7.0);
        let expected = r * beta / (alpha * (s - 1.0)) * (1.0 - (beta / (beta + t)).powf(s - 1.0));
        assert!((mean - expected).abs() < 4.0 * error, "{days} days: {mean} ± {error}, {expected}");
    }
}

#[test]
fn without_leaving_everybody_buys_at_the_mean_rate() {
    // a regular buyer begins with a whole gap, a burst begins with its first purchase: both end up at the rate
    let rest = Population { leaving: Leaving::Never, rate_mean: 0.05, rates: Rates::Gamma { shape: 5.0 }, ..cdnow() };
    let (mean, error) = repeats(&rest, 1000, 2);
    assert!((mean - 50.0).abs() < 4.0 * error, "{mean} ± {error}");
    let regular = renewal::Regularity::Gamma { mean: 5.0, shape: 3.0 };
    let (mean, _) = repeats(&Population { timing: TimingOf::Renewal(regular), ..rest.clone() }, 1000, 3);
    assert!((49.0..50.5).contains(&mean), "{mean}");
    let mut rng = Seed(1).rng();
    let bursts = TimingOf::Bursty(bursty::Bursts::draw(&mut rng));
    let (mean, _) = repeats(&Population { timing: bursts, ..rest }, 1000, 4);
    // what the first purchase brings comes on top: at most branching / (1 − branching)
    assert!((49.5..56.0).contains(&mean), "{mean}");
}

#[test]
fn subscribers_renew_as_long_as_the_shifted_beta_geometric_says() {
    let prior = Prior { customers: 4000, days: (365, 365), ..Prior::plain(Mechanism::Contractual) };
    let setup = super::shop::Setup::draw(&prior, &mut Seed(5).rng());
    let TimingOf::Contractual(plans) = &setup.populations[0].0.timing else { panic!("a subscription") };
    let ((a, b), period) = plans.churn_and_period();
    let shop = setup.clone().run(0..prior.customers, Seed(6));
    // Fader & Hardie (2007), eq. 5: S(t) = Π (b + i − 1) / (a + b + i − 1); all arrive in the first tenth of the year
    let n = shop.n_customers() as f64;
    let renewals = (320.0 / period) as usize;
    let mut expected = 1.0;
    for i in 1..=renewals {
        let i = i as f64;
        expected *= (b + i - 1.0) / (a + b + i - 1.0);
        let stayed = (0..shop.n_customers()).filter(|&c| shop.customer(c).0.len() as f64 > i).count() as f64 / n;
        let error = (expected * (1.0 - expected) / n).sqrt();
        assert!((stayed - expected).abs() < 4.0 * error + 1e-9, "renewal {i}: {stayed}, {expected} ± {error}");
    }
    assert!(renewals > 0);
}

#[test]
fn a_wandering_pace_can_be_read_both_ways_and_keeps_its_mean() {
    let wander = super::population::Wander { sd: 0.8, memory: 90.0, days: 720.0 };
    let mut rng = Seed(5).rng();
    let mut mean = 0.0;
    for _ in 0..4000 {
        let path = wander.person(&mut rng);
        mean += path.felt(720.0) / 720.0 / 4000.0;
        for t in [0.0, 3.5, 30.0, 719.0, 1500.0] {
            assert!((path.time(path.felt(t)) - t).abs() < 1e-6, "{t}");
        }
    }
    // the mean over two years varies by about 0.5 between customers
    assert!((mean - 1.0).abs() < 0.04, "{mean}");
}
