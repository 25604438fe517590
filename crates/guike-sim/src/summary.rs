//! Many customers, only their summary: for fits and timings that need no events.

use guike_core::{RfmTable, Seed};
use rand::RngExt;

use crate::buying::Buying;
use crate::error::{SimError, positive};
use crate::spend::GammaGamma;

/// Summaries of `n` customers who are between `ages_days.0` and `ages_days.1` days old, uniformly.
///
/// Time is continuous: a repeat purchase counts by itself, without being booked to a calendar day. There is no
/// look-back window (`window_days` 0).
///
/// # Errors
/// The first parameter outside its range.
///
/// # Example
/// ```
/// use guike_core::Seed;
/// use guike_sim::{Buying, GammaGamma, summary};
/// let rfm = summary(&Buying::default(), &GammaGamma::default(), (180.0, 270.0), 100, Seed(1)).unwrap();
/// assert_eq!(rfm.len(), 100);
/// assert!(rfm.recency_days.iter().zip(&rfm.age_days).all(|(t_x, t)| t_x <= t));
/// let wrong = Buying { alpha: -1.0, ..Buying::default() };
/// assert!(summary(&wrong, &GammaGamma::default(), (180.0, 270.0), 100, Seed(1)).is_err());
/// ```
pub fn summary(
    buying: &Buying,
    spend: &GammaGamma,
    ages_days: (f64, f64),
    n: usize,
    seed: Seed,
) -> Result<RfmTable, SimError> {
    buying.validate()?;
    spend.validate()?;
    positive("ages_days.0", ages_days.0)?;
    if !(ages_days.1 >= ages_days.0 && ages_days.1.is_finite()) {
        return Err(SimError { name: "ages_days.1", value: ages_days.1, rule: "finite and at least ages_days.0" });
    }
    let seed = seed.derive("summary");
    let mut rfm = RfmTable {
        customer_idx: (0..n as u32).collect(),
        window_purchase_days: vec![0; n],
        window_spend: vec![0.0; n],
        ..RfmTable::default()
    };
    for i in 0..n {
        let mut rng = seed.at(i as u64).rng();
        let age = ages_days.0 + (ages_days.1 - ages_days.0) * rng.random::<f64>();
        let buyer = buying.draw(&mut rng);
        let (mut x, mut last) = (0_u32, 0.0);
        buyer.live(
            age,
            |t| t,
            &mut rng,
            |day| {
                x += 1;
                last = day;
            },
        );
        let mean = spend.draw_mean(&mut rng);
        let first = spend.draw_total(mean, 1, &mut rng);
        let later = spend.draw_total(mean, x, &mut rng);
        rfm.repeats.push(x);
        rfm.recency_days.push(last);
        rfm.age_days.push(age);
        rfm.repeat_spend_mean.push(if x > 0 { later / f64::from(x) } else { 0.0 });
        rfm.spend_mean.push((first + later) / (f64::from(x) + 1.0));
        rfm.spend_total.push(first + later);
    }
    rfm.history_days = rfm.age_days.iter().copied().fold(0.0, f64::max).ceil() as u32;
    Ok(rfm)
}
