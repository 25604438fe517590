//! A million customers who behave exactly as BG/NBD says, for fits at a size that no public log has.

use guike_core::Seed;
use rand::RngExt;
use rand_distr::{Beta, Distribution, Exp1, Gamma};

use crate::summary::Summary;

/// The published estimates for CDNOW (Fader, Hardie & Lee 2005), in weeks.
const R: f64 = 0.243;
const ALPHA: f64 = 4.414;
const A: f64 = 0.793;
const B: f64 = 2.426;
/// Customers begin on any day of the first year and are watched to the end of the second.
const FIRST_DAYS: u32 = 365;
const END_DAY: f64 = 730.0;

/// Customers of the model, counted as a shop counts: whole days, and one purchase a day.
pub(crate) fn bg_nbd_summary(n_customers: usize) -> Summary {
    let mut rng = Seed(1).derive("bench bg-nbd").rng();
    let rates = Gamma::new(R, 1.0 / (7.0 * ALPHA)).expect("the published parameters are positive");
    let leaving = Beta::new(A, B).expect("the published parameters are positive");
    let mut summary = Summary::default();
    for _ in 0..n_customers {
        let first = f64::from(rng.random_range(0..FIRST_DAYS));
        let (per_day, leaves): (f64, f64) = (rates.sample(&mut rng), leaving.sample(&mut rng));
        let (mut at, mut last_day, mut repeats) = (first, first, 0);
        loop {
            let wait: f64 = Exp1.sample(&mut rng);
            at += wait / per_day;
            if at > END_DAY {
                break;
            }
            if at.floor() > last_day {
                last_day = at.floor();
                repeats += 1;
            }
            if rng.random::<f64>() < leaves {
                break;
            }
        }
        summary.repeats.push(repeats);
        summary.recency.push(last_day - first);
        summary.age.push(END_DAY - first);
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulated_shop_is_the_same_every_time_and_plausible() {
        let summary = bg_nbd_summary(2_000);
        assert_eq!(summary, bg_nbd_summary(2_000));
        let once = summary.repeats.iter().filter(|&&x| x == 0).count();
        assert!((800..1_800).contains(&once), "{once} of 2,000 bought once");
        assert!(summary.recency.iter().zip(&summary.age).all(|(t_x, age)| t_x <= age));
    }
}
