//! NBD: customers buy at random at rates of their own and never leave.
//!
//! The one idea: the oldest model of repeat buying, and the right one when no drop-out can be seen. Purchases are
//! Poisson with rate λ ~ Gamma(r, α); of a customer's history only (x, T) matters.
//!
//! # Source      Ehrenberg (1959); in this notation Fader & Hardie, "A note on the NBD"

use guike_core::{FitError, Note};
use serde::{Deserialize, Serialize};

use crate::count_model::{CountDistribution, CountModel};
use crate::fit::{Estimate, FitOptions, not_converged, standard_errors_of_exp};
use crate::grouped::{Grouped, History};
use crate::negative_binomial::NegativeBinomial;
use crate::optimize::{Coordinate, Evaluation, maximise};
use crate::prior::{LogNormalPrior, add_prior, is_thin, thin_note};
use crate::special::{log_gamma_ratio, log_rising};

/// Random buyers who never leave.
///
/// ```
/// use guike_btyd::{CountModel, grouped::History, nbd::Nbd};
/// let model = Nbd { r: 0.385, alpha: 12.072 };
/// let customer = History { x: 2, t_x: 30.43, age: 38.86 };
/// assert!((model.expected(customer, 39.0) - 2.385 * 39.0 / (12.072 + 38.86)).abs() < 1e-12);
/// assert_eq!(model.p_alive(customer), 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Nbd {
    /// Shape of the rates between customers; small means that few customers make most purchases.
    pub r: f64,
    /// Scale of the rates, in weeks; r/α is the mean number of purchases per week.
    pub alpha: f64,
}

const NAME: &str = "nbd";
const LOWER: [f64; 2] = [1e-4, 1e-4];
const UPPER: [f64; 2] = [1e3, 1e6];

impl Nbd {
    /// Maximum likelihood, or the posterior mode where the data are thin.
    ///
    /// # Errors
    /// [`FitError::TooLittle`] without customers, [`FitError::NotConverged`] with the cause.
    pub fn fit(data: &Grouped, options: &FitOptions) -> Result<Estimate<Nbd>, FitError> {
        if data.is_empty() {
            return Err(FitError::TooLittle { learner: NAME, needs: "customers".into(), found: "are none".into() });
        }
        let thin = is_thin(data, options);
        let totals = data.totals();
        let rate = (totals.repeats + 0.5) / (totals.age + 1.0);
        let start = [0.5, 0.5 / rate];
        let coordinates: [Coordinate; 2] = std::array::from_fn(|i| Coordinate {
            name: ["ln r", "ln alpha"][i],
            start: start[i].ln(),
            lower: LOWER[i].ln(),
            upper: UPPER[i].ln(),
        });
        let watched = Watched::new(data);
        let maximum = maximise(&coordinates, options.stop, |theta| {
            let mut evaluation = Nbd { r: theta[0].exp(), alpha: theta[1].exp() }.evaluate(&watched);
            if thin {
                add_prior(&mut evaluation, theta, &[LogNormalPrior::RATE_SHAPE, LogNormalPrior::RATE_SCALE]);
            }
            evaluation
        })
        .map_err(|failure| not_converged(NAME, &failure))?;
        let model = Nbd { r: maximum.theta[0].exp(), alpha: maximum.theta[1].exp() };
        let mut notes = Vec::new();
        if thin {
            notes.push(thin_note(data, options));
        }
        if model.r > 0.5 * UPPER[0] {
            notes.push(Note("how often customers buy does not measurably differ between them".into()));
        }
        Ok(Estimate {
            model,
            log_likelihood: if thin { model.evaluate(&watched).value } else { maximum.value },
            standard_errors: standard_errors_of_exp(&maximum),
            notes,
            iterations: maximum.iterations,
        })
    }

    /// Σ ln Γ(r+x)/Γ(r) + r ln α − (r+x) ln(α+T), with derivatives by (ln r, ln α).
    fn evaluate(&self, data: &Watched) -> Evaluation {
        let Nbd { r, alpha } = *self;
        let n = data.customers;
        let mut value = n * r * alpha.ln();
        let (mut by_r, mut by_alpha) = (n * alpha.ln(), n * r / alpha);
        let (mut rr, mut ra, mut aa) = (0.0, n / alpha, -n * r / (alpha * alpha));
        for (x, &weight) in data.survivors.iter().enumerate() {
            let s = r + x as f64;
            value += weight * s.ln();
            by_r += weight / s;
            rr -= weight / (s * s);
        }
        for &(age, customers, repeats) in &data.by_age {
            let (shape, log, inverse) = (customers * r + repeats, (alpha + age).ln(), 1.0 / (alpha + age));
            value -= shape * log;
            by_r -= customers * log;
            by_alpha -= shape * inverse;
            ra -= customers * inverse;
            aa += shape * inverse * inverse;
        }
        Evaluation {
            value,
            gradient: vec![by_r * r, by_alpha * alpha],
            hessian: vec![rr * r * r + by_r * r, ra * r * alpha, ra * r * alpha, aa * alpha * alpha + by_alpha * alpha],
        }
    }
}

/// The sufficient statistics: customers and repeats by age, and how many customers exceed each x.
struct Watched {
    customers: f64,
    survivors: Vec<f64>,
    /// (T, customers, Σ x)
    by_age: Vec<(f64, f64, f64)>,
}

impl Watched {
    fn new(data: &Grouped) -> Watched {
        let mut by_age: Vec<(f64, f64, f64)> = data.times().iter().map(|&t| (t, 0.0, 0.0)).collect();
        for (x, run) in data.runs() {
            for g in run.clone() {
                let row = &mut by_age[data.age_idx()[g] as usize];
                row.1 += data.weights()[g];
                row.2 += data.weights()[g] * f64::from(*x);
            }
        }
        by_age.retain(|row| row.1 > 0.0);
        Watched { customers: data.total_weight(), survivors: data.survivors(), by_age }
    }
}

impl CountModel for Nbd {
    fn log_likelihood(&self, h: History) -> f64 {
        let x = f64::from(h.x);
        let rising = log_rising(self.r, h.x as usize);
        rising[h.x as usize] - self.r * (h.age / self.alpha).ln_1p() - x * (self.alpha + h.age).ln()
    }

    fn p_alive(&self, _: History) -> f64 {
        1.0
    }

    fn expected_if_alive(&self, h: History, horizon: f64) -> f64 {
        (self.r + f64::from(h.x)) * horizon / (self.alpha + h.age)
    }

    fn p_active_if_alive(&self, h: History, horizon: f64) -> f64 {
        self.events(h, horizon).positive()
    }

    fn counts_if_alive(&self, h: History, horizon: f64, tail: f64) -> CountDistribution {
        let (first, probabilities) = self.events(h, horizon).list(tail);
        CountDistribution { first, probabilities }
    }

    fn wait_if_alive(&self, h: History, probability: f64) -> f64 {
        (self.alpha + h.age) * (-(-probability).ln_1p() / (self.r + f64::from(h.x))).exp_m1()
    }

    fn parameters(&self) -> Vec<(&'static str, f64)> {
        vec![("r", self.r), ("alpha", self.alpha)]
    }
}

impl Nbd {
    fn events(&self, h: History, horizon: f64) -> NegativeBinomial {
        NegativeBinomial::new(self.r + f64::from(h.x), self.alpha + h.age, horizon)
    }

    /// P(x purchases in a time `age` from the first on): what the likelihood is for counts without dates.
    pub fn log_probability(&self, x: u32, age: f64) -> f64 {
        let n = f64::from(x);
        let shape = self.r * (-age / (self.alpha + age)).ln_1p();
        if x == 0 {
            return shape;
        }
        log_gamma_ratio(self.r, n) - crate::special::log_gamma(n + 1.0) + shape + n * (age / (self.alpha + age)).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_match_differences() {
        let data =
            Grouped::new(&[0, 1, 3, 3, 7], &[0.0, 2.0, 5.0, 6.0, 8.0], &[4.0, 5.0, 9.0, 9.0, 8.0]).expect("valid");
        let watched = Watched::new(&data);
        let at = |t: [f64; 2]| Nbd { r: t[0].exp(), alpha: t[1].exp() }.evaluate(&watched);
        let (t, h) = ([0.3, 1.1], 1e-5);
        let here = at(t);
        let direct: f64 =
            data.iter().map(|(c, w)| w * Nbd { r: t[0].exp(), alpha: t[1].exp() }.log_likelihood(c)).sum();
        assert!((here.value - direct).abs() < 1e-12 * direct.abs());
        for i in 0..2 {
            let shift = |s: f64| std::array::from_fn(|j| if i == j { t[j] + s } else { t[j] });
            let (up, down) = (at(shift(h)), at(shift(-h)));
            assert!(((up.value - down.value) / (2.0 * h) - here.gradient[i]).abs() < 1e-8);
            for j in 0..2 {
                assert!(((up.gradient[j] - down.gradient[j]) / (2.0 * h) - here.hessian[2 * i + j]).abs() < 1e-7);
            }
        }
    }

    #[test]
    fn counts_without_dates_have_probabilities_that_sum_to_one() {
        let model = Nbd { r: 0.4, alpha: 5.0 };
        let total: f64 = (0..400).map(|x| model.log_probability(x, 20.0).exp()).sum();
        assert!((total - 1.0).abs() < 1e-12);
    }
}
