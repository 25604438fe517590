//! BG/CNBD-k and MBG/CNBD-k: regular buyers, whose purchase is every k-th of random sub-events.
//!
//! The one idea: random (Poisson) buyers come in bursts and gaps; many customers buy more regularly, with Erlang-k gaps.
//! A regular customer who is late has probably left, so regularity sharpens P(alive). k is a whole number, chosen by
//! likelihood; k = 1 is BG/NBD (MBG/NBD).
//!
//! Likelihoods of different k are comparable only as densities of the same data. With Σ ln(gap) over all gaps between
//! purchases that is the density of every purchase date (as in BTYDplus). Without it we use the density of
//! (x, t_x), which is a proper likelihood too: given λ, the sum of x gaps is Erlang-kx.
//!
//! # Source      Platzer & Reutterer (2016), "Ticking Away the Moments: Timing Regularity Helps to Better Predict
//! Customer Activity", Marketing Science 35(5); the mathematics is in `bg_family`

use guike_core::FitError;
use serde::{Deserialize, Serialize};

use crate::bg_family::{self, Family, Kind};
use crate::bg_fit;
use crate::count_model::{CountDistribution, CountModel};
use crate::fit::{Estimate, FitOptions};
use crate::grouped::{Grouped, History};
use crate::special::log_gamma;

/// How to find the regularity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegularityOptions {
    /// The regularity, if it is known. Default `None`: by likelihood.
    pub k: Option<u32>,
    /// The largest k to try. Default 6: gaps with a coefficient of variation of 0.4.
    pub max_k: u32,
    /// Σ ln(gap) over all gaps between successive purchases of all customers, gaps in weeks. Default `None`: k is judged
    /// by (x, t_x) alone.
    pub sum_log_gaps: Option<f64>,
    /// How to fit for each k.
    pub fit: FitOptions,
}

impl Default for RegularityOptions {
    fn default() -> Self {
        RegularityOptions { k: None, max_k: 6, sum_log_gaps: None, fit: FitOptions::default() }
    }
}

/// Regular buyers who may leave after every repeat purchase.
///
/// ```
/// use guike_btyd::{CountModel, bg_cnbd_k::BgCnbdK, grouped::History};
/// // buys every eight weeks; eight weeks of silence are usual, thirty are not
/// let model = BgCnbdK { k: 4, r: 2.0, alpha: 4.0, a: 0.5, b: 2.0 };
/// let usual = model.p_alive(History { x: 4, t_x: 32.0, age: 40.0 });
/// let late = model.p_alive(History { x: 4, t_x: 32.0, age: 62.0 });
/// assert!(usual > 0.8 && late < 0.2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BgCnbdK {
    /// Regularity: sub-events per purchase; 1 is a random buyer.
    pub k: u32,
    /// Shape of the rates of sub-events between customers.
    pub r: f64,
    /// Scale of the rates, in weeks; r/(kα) is the mean number of purchases per week while alive.
    pub alpha: f64,
    /// First parameter of the chance to leave; a/(a+b) is its mean.
    pub a: f64,
    /// Second parameter of the chance to leave.
    pub b: f64,
}

/// Regular buyers who may leave after every purchase, the first included.
///
/// ```
/// use guike_btyd::{CountModel, bg_cnbd_k::MbgCnbdK, grouped::History};
/// let model = MbgCnbdK { k: 2, r: 1.0, alpha: 4.0, a: 0.5, b: 2.0 };
/// assert!(model.p_alive(History { x: 0, t_x: 0.0, age: 100.0 }) < 0.5, "one-time buyers fade");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MbgCnbdK {
    /// Regularity: sub-events per purchase; 1 is a random buyer.
    pub k: u32,
    /// Shape of the rates of sub-events between customers.
    pub r: f64,
    /// Scale of the rates, in weeks; r/(kα) is the mean number of purchases per week while alive.
    pub alpha: f64,
    /// First parameter of the chance to leave; a/(a+b) is its mean.
    pub a: f64,
    /// Second parameter of the chance to leave.
    pub b: f64,
}

/// The constant of the likelihood at regularity k less that at k = 1: what makes different k comparable.
fn log_density_constant(data: &Grouped, k: u32, sum_log_gaps: Option<f64>) -> f64 {
    // t_x is a whole number of days; a history that says 0 all the same means less than one
    const HALF_A_DAY: f64 = 0.5 / 7.0;
    let steps = f64::from(k - 1);
    match sum_log_gaps {
        Some(sum) => steps * sum - data.totals().repeats * log_gamma(f64::from(k)),
        None => data
            .iter()
            .filter(|(h, _)| h.x > 0)
            .map(|(h, weight)| {
                let x = f64::from(h.x);
                weight * (steps * x * h.t_x.max(HALF_A_DAY).ln() - log_gamma(f64::from(k) * x) + log_gamma(x))
            })
            .sum(),
    }
}

/// Fits k = 1, 2, … until the likelihood falls, and keeps the best.
fn fit_regular(
    learner: &'static str,
    early_chances: u32,
    data: &Grouped,
    options: &RegularityOptions,
) -> Result<Estimate<Family>, FitError> {
    let invalid = |what: &str, k: u32| FitError::Invalid {
        learner,
        what: what.into(),
        value: k.to_string(),
        rule: "a regularity is a whole number from 1 to 100".into(),
    };
    if let Some(k) = options.k.filter(|k| !(1..=100).contains(k)) {
        return Err(invalid("k", k));
    }
    if !(1..=100).contains(&options.max_k) {
        return Err(invalid("max_k", options.max_k));
    }
    let fit_one = |k: u32| {
        bg_fit::fit(learner, Kind { k, early_chances }, data, &options.fit).map(|mut estimate| {
            estimate.log_likelihood += log_density_constant(data, k, options.sum_log_gaps);
            estimate
        })
    };
    if let Some(k) = options.k {
        return fit_one(k);
    }
    let mut best = fit_one(1)?;
    for k in 2..=options.max_k {
        match fit_one(k) {
            Ok(next) if next.log_likelihood > best.log_likelihood => best = next,
            // the likelihood has one peak in k; a k that cannot be fitted is beyond it
            _ => break,
        }
    }
    Ok(best)
}

macro_rules! regular_model {
    ($model:ident, $learner:literal, $early_chances:literal) => {
        impl $model {
            /// Maximum likelihood (the posterior mode where the data are thin), and k by likelihood.
            ///
            /// The log-likelihood of the estimate includes the constant of the gaps' density, so it compares with that
            /// of BG/NBD and MBG/NBD.
            ///
            /// # Errors
            /// [`FitError::TooLittle`] without customers, [`FitError::Invalid`] for k outside 1..=100,
            /// [`FitError::NotConverged`] with the cause.
            pub fn fit(data: &Grouped, options: &RegularityOptions) -> Result<Estimate<$model>, FitError> {
                let fit = fit_regular($learner, $early_chances, data, options)?;
                Ok(fit.map(|Family { kind, r, alpha, a, b }| $model { k: kind.k, r, alpha, a, b }))
            }

            fn family(&self) -> Family {
                let kind = Kind { k: self.k, early_chances: $early_chances };
                Family { kind, r: self.r, alpha: self.alpha, a: self.a, b: self.b }
            }
        }

        bg_family::count_model_of_the_family!($model: k, r, alpha, a, b);
    };
}

regular_model!(BgCnbdK, "bg-cnbd-k", 0);
regular_model!(MbgCnbdK, "mbg-cnbd-k", 1);
