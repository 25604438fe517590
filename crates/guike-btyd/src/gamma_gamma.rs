//! What a customer spends per purchase: the Gamma–Gamma model of monetary value.
//!
//! The one idea: amounts of one customer vary as a Gamma(p, ν) distribution around that customer's own mean p/ν, and ν
//! varies between customers as Gamma(q, γ). Gamma is conjugate here: after x purchases with mean z̄, ν is
//! Gamma(q + p x, γ + x z̄), so that means, quantiles and the distribution of any future total are closed forms
//! ([`SpendPosterior`]).
//!
//! It assumes that amounts do not depend on how often a customer buys; it knows nothing of refunds.

use std::collections::BTreeMap;

use guike_core::{FitError, Note, RfmTable};
use serde::{Deserialize, Serialize};

use crate::fit::{Estimate, FitOptions, not_converged, standard_errors_of_exp};
use crate::optimize::{Coordinate, Evaluation, Maximum, StopRule, maximise, with_difference_hessian};
use crate::special::{
    digamma, inc_beta, inc_beta_inverse_odds, inc_gamma_inverse, inc_gamma_upper, log_gamma, log_gamma_ratio, trigamma,
};

/// The Gamma–Gamma model: amounts ~ Gamma(p, ν) within a customer, ν ~ Gamma(q, γ) between customers (shape, rate).
///
/// # Units       `gamma` in currency units; p and q are pure numbers
/// # Source
/// Fader, Hardie & Lee (2005), "RFM and CLV: Using Iso-Value Curves for Customer Base Analysis"; Fader &
/// Hardie (2013), "The Gamma-Gamma Model of Monetary Value", brucehardie.com/notes/025
///
/// ```
/// use guike_btyd::gamma_gamma::GammaGamma;
/// // the estimates of the paper, and its customer with two repeat purchases of 22.35 on average
/// let m = GammaGamma { p: 6.25, q: 3.74, gamma: 15.44 };
/// assert!((m.population_mean() - 35.219).abs() < 5e-4);
/// let after = m.posterior(2, 22.35);
/// assert!((after.mean() - 24.6637).abs() < 5e-5);
/// // three more purchases cost at most 100 with this probability
/// let p = after.cdf_of_total(3, 100.0);
/// assert!(0.8 < p && p < 0.95);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GammaGamma {
    /// Shape of one customer's amounts: 1/p is their squared coefficient of variation.
    pub p: f64,
    /// Shape of ν between customers: the smaller, the heavier the tail of mean spends; a mean exists for q > 1 only.
    pub q: f64,
    /// Rate of ν between customers, in currency units.
    pub gamma: f64,
}

/// What the spend model sees of a customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spend {
    /// Number of purchases that `mean` is the mean of.
    pub purchases: u32,
    /// Mean amount of those purchases, in currency units.
    pub mean: f64,
    /// How many customers this stands for.
    pub weight: f64,
}

impl Spend {
    /// Repeat purchase days only, as in the papers: the first purchase does not count.
    pub fn of_repeats(rfm: &RfmTable) -> Vec<Spend> {
        let rows = rfm.repeats.iter().zip(&rfm.repeat_spend_mean);
        rows.map(|(&purchases, &mean)| Spend { purchases, mean, weight: 1.0 }).collect()
    }

    /// All purchase days: customers who bought once tell something too.
    pub fn of_all(rfm: &RfmTable) -> Vec<Spend> {
        let rows = rfm.repeats.iter().zip(&rfm.spend_mean);
        rows.map(|(&repeats, &mean)| Spend { purchases: repeats + 1, mean, weight: 1.0 }).collect()
    }
}

impl GammaGamma {
    /// Stable name in files and flags.
    pub const NAME: &'static str = "gamma-gamma";
    /// Names of the parameters, in the order of the standard errors.
    pub const PARAMETERS: [&'static str; 3] = ["p", "q", "gamma"];

    /// The maximum-likelihood estimate.
    ///
    /// Customers without a purchase are skipped, and those whose mean is zero are left out with a note, since a Gamma
    /// amount is never zero. With fewer than ten customers of two or more purchases, or when the likelihood has no
    /// maximum with a finite population mean (q ≤ 1, constant amounts, one purchase each), the population mean is held
    /// at the customers' observed mean spend and a weakly informative prior on p and q is added; a note says so. When
    /// no amount is positive the model forecasts (practically) zero.
    ///
    /// # Errors     `Invalid` when a mean or weight is negative or not finite; `NotConverged`
    /// # Source     Fader & Hardie (2013), eq. (1a); priors from the range of public retail logs
    pub fn fit(spends: &[Spend], options: &FitOptions) -> Result<Estimate<GammaGamma>, FitError> {
        let (sample, mut notes) = Sample::collect(spends)?;
        if sample.customers.is_empty() {
            notes.push(Note("no purchase has a positive amount: every customer's spend is forecast as zero".into()));
            let model = GammaGamma { p: 1.0, q: 2.0, gamma: NO_SPEND };
            return Ok(Estimate { model, log_likelihood: 0.0, standard_errors: vec![None; 3], notes, iterations: 0 });
        }
        if let Some(model) = sample.nearly_constant() {
            notes.push(Note(
                "all amounts are (nearly) equal: spend is forecast as that amount, give or take 1 %".into(),
            ));
            let log_likelihood = sample.log_likelihood(&model).value;
            return Ok(Estimate { model, log_likelihood, standard_errors: vec![None; 3], notes, iterations: 0 });
        }
        let cause = if sample.repeaters < THIN_BELOW {
            let n = sample.repeaters;
            format!("only {n} customers have several purchases, and the spend model needs {THIN_BELOW}")
        } else {
            match sample.maximum_likelihood(options.stop) {
                Ok(top) if top.at_edge.iter().all(Option::is_none) && top.theta[1] > 0.0 => {
                    return Ok(sample.estimate(&top, notes));
                }
                Ok(top) if top.theta[1] <= 0.0 => {
                    format!("the likelihood's q = {:.3} has no finite mean spend", top.theta[1].exp())
                }
                _ => "the amounts do not tell variation within customers from variation between them".to_owned(),
            }
        };
        notes.push(Note(format!(
            "{cause}: the population's mean spend is held at the observed {:.2}, with a weakly informative prior on p and q",
            sample.mean
        )));
        let (top, model) = sample.with_prior(options.stop)?;
        let log_likelihood = sample.log_likelihood(&model).value;
        Ok(Estimate { model, log_likelihood, standard_errors: vec![None; 3], notes, iterations: top.iterations })
    }

    /// `E[M]`, the mean spend per purchase of a customer nothing is known about; infinite when q ≤ 1.
    ///
    /// # Source      Fader & Hardie (2013), eq. (4)
    pub fn population_mean(&self) -> f64 {
        self.posterior(0, 0.0).mean()
    }

    /// What is known about a customer after `purchases` with mean amount `mean`.
    ///
    /// # Source      Fader & Hardie (2013), eq. (5)
    pub fn posterior(&self, purchases: u32, mean: f64) -> SpendPosterior {
        let x = f64::from(purchases);
        let total = if x > 0.0 { x * mean.max(0.0) } else { 0.0 };
        SpendPosterior { p: self.p, shape: self.q + self.p * x, scale: self.gamma + total }
    }

    /// ln f(z̄ | x): log-density of the mean amount `mean > 0` of `purchases ≥ 1`.
    ///
    /// # Source      Fader & Hardie (2013), eq. (1a)
    pub fn log_density(&self, purchases: u32, mean: f64) -> f64 {
        let x = f64::from(purchases);
        let (px, total) = (self.p * x, x * mean);
        // ordered so that large p x do not cancel: odds = total / gamma
        let (share, rest) = (total / (self.gamma + total), self.gamma / (self.gamma + total));
        log_gamma_ratio(px, self.q) - log_gamma(self.q) + px * share.ln() + self.q * rest.ln() - mean.ln()
    }
}

/// The distribution of one customer's mean spend M = p/ν and of future totals, with ν ~ Gamma(shape, scale).
///
/// `scale` is the rate of ν; it is the scale of M and of totals, in currency units: the total S of n more purchases is
/// `scale` times a beta-prime variable with parameters (p n, shape).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpendPosterior {
    /// Shape of one amount.
    pub p: f64,
    /// q + p x.
    pub shape: f64,
    /// γ + x z̄, in currency units.
    pub scale: f64,
}

impl SpendPosterior {
    /// `E[M]`, the expected amount of one more purchase; infinite when `shape ≤ 1`.
    pub fn mean(&self) -> f64 {
        if self.shape > 1.0 { self.p * self.scale / (self.shape - 1.0) } else { f64::INFINITY }
    }

    /// `Var[M]`: how uncertain the mean spend is; infinite when `shape ≤ 2`.
    pub fn variance(&self) -> f64 {
        if self.shape > 2.0 { self.mean().powi(2) / (self.shape - 2.0) } else { f64::INFINITY }
    }

    /// P(M ≤ mean).
    pub fn cdf_of_mean(&self, mean: f64) -> f64 {
        if mean <= 0.0 { 0.0 } else { inc_gamma_upper(self.shape, self.p * self.scale / mean) }
    }

    /// The mean spend that M stays below with probability `level`.
    pub fn quantile_of_mean(&self, level: f64) -> f64 {
        self.p * self.scale / inc_gamma_inverse(self.shape, 1.0 - level)
    }

    /// `E[S]` of the total of `n` more purchases.
    pub fn mean_of_total(&self, n: u32) -> f64 {
        if n == 0 { 0.0 } else { f64::from(n) * self.mean() }
    }

    /// `Var[S]` of the total of `n` more purchases: chance and uncertainty together; infinite when `shape ≤ 2`.
    pub fn variance_of_total(&self, n: u32) -> f64 {
        match n {
            0 => 0.0,
            _ if self.shape <= 2.0 => f64::INFINITY,
            _ => {
                let a = self.p * f64::from(n);
                let b1 = self.shape - 1.0;
                a / b1 * ((a + b1) / b1) / (self.shape - 2.0) * self.scale * self.scale
            }
        }
    }

    /// P(S ≤ total) for the total of `n` more purchases; 1 for no purchase.
    ///
    /// # Source      S/scale is beta prime (p n, shape): a Gamma(p n, ν) total over ν ~ Gamma(shape, scale)
    pub fn cdf_of_total(&self, n: u32, total: f64) -> f64 {
        if n == 0 {
            return if total >= 0.0 { 1.0 } else { 0.0 };
        }
        if total <= 0.0 {
            return 0.0;
        }
        if total == f64::INFINITY {
            return 1.0;
        }
        let sum = total + self.scale;
        inc_beta(self.p * f64::from(n), self.shape, total / sum, self.scale / sum)
    }

    /// The total that `n` more purchases stay below with probability `level`.
    pub fn quantile_of_total(&self, n: u32, level: f64) -> f64 {
        if n == 0 { 0.0 } else { self.scale * inc_beta_inverse_odds(self.p * f64::from(n), self.shape, level) }
    }
}

/// Scale of the model that forecasts zero: small enough to print as 0, large enough never to underflow.
const NO_SPEND: f64 = 1e-12;
/// Customers with several purchases below which p and q cannot both be told from the data.
const THIN_BELOW: f64 = 10.0;
/// Amounts whose spread (standard deviation over mean) is below this count as constant.
const CONSTANT_BELOW: f64 = 1e-3;
/// Shapes of the constant-spend model: both coefficients of variation are 1 %.
const CONSTANT_SHAPE: f64 = 1e4;

// p = 0.6–10 and q = 3.2–11 on CDNOW, Online Retail I and II, Complete Journey and apparel: the priors' 95 % ranges,
// p in 0.4–22 and q in 1.35–11, hold nearly all of them
const PRIOR_LN_P: (f64, f64) = (1.1, 1.0);
const PRIOR_LN_Q_EXCESS: (f64, f64) = (0.7, 0.9);

/// Positive mean amounts in units of their mean, and sums that no evaluation needs again.
struct Sample {
    /// (x, x z̄ / mean, weight) per customer.
    customers: Vec<(f64, f64, f64)>,
    /// Weight per distinct x.
    weight_of: BTreeMap<u32, f64>,
    /// Weighted mean of z̄ over customers, in currency units: the scale.
    mean: f64,
    /// Weight of customers with two or more purchases.
    repeaters: f64,
    total_weight: f64,
    /// Σ w ln z̄ and Σ w x ln(x z̄) in units of the scale.
    sum_ln_mean: f64,
    sum_x_ln_total: f64,
}

impl Sample {
    fn collect(spends: &[Spend]) -> Result<(Sample, Vec<Note>), FitError> {
        let mut zero = 0.0;
        let mut kept: Vec<&Spend> = Vec::with_capacity(spends.len());
        for (row, s) in spends.iter().enumerate() {
            for (what, value) in [("mean spend", s.mean), ("weight", s.weight)] {
                if !(0.0..f64::INFINITY).contains(&value) {
                    return Err(FitError::Invalid {
                        learner: GammaGamma::NAME,
                        what: format!("{what} of customer {row}"),
                        value: value.to_string(),
                        rule: "it must be finite and not negative".into(),
                    });
                }
            }
            match s.purchases {
                0 => {}
                _ if s.weight == 0.0 => {}
                _ if s.mean <= f64::MIN_POSITIVE => zero += s.weight,
                _ => kept.push(s),
            }
        }
        let notes = match zero {
            z if z > 0.0 && !kept.is_empty() => {
                vec![Note(format!("{z} customers with zero mean spend are left out of the spend model's fit"))]
            }
            _ => Vec::new(),
        };
        let total_weight: f64 = kept.iter().map(|s| s.weight).sum();
        let mean = kept.iter().map(|s| s.weight * s.mean).sum::<f64>() / total_weight;
        let mut sample = Sample {
            customers: Vec::with_capacity(kept.len()),
            weight_of: BTreeMap::new(),
            mean,
            repeaters: 0.0,
            total_weight,
            sum_ln_mean: 0.0,
            sum_x_ln_total: 0.0,
        };
        for s in kept {
            let (x, z) = (f64::from(s.purchases), s.mean / mean);
            sample.customers.push((x, x * z, s.weight));
            *sample.weight_of.entry(s.purchases).or_insert(0.0) += s.weight;
            sample.repeaters += if s.purchases > 1 { s.weight } else { 0.0 };
            sample.sum_ln_mean += s.weight * z.ln();
            sample.sum_x_ln_total += s.weight * x * (x * z).ln();
        }
        Ok((sample, notes))
    }

    /// The model of amounts that do not differ, when they do not.
    fn nearly_constant(&self) -> Option<GammaGamma> {
        let square: f64 = self.customers.iter().map(|(x, total, w)| w * (total / x - 1.0).powi(2)).sum();
        ((square / self.total_weight).sqrt() < CONSTANT_BELOW).then(|| GammaGamma {
            p: CONSTANT_SHAPE,
            q: CONSTANT_SHAPE,
            gamma: self.mean * (CONSTANT_SHAPE - 1.0) / CONSTANT_SHAPE,
        })
    }

    fn maximum_likelihood(&self, stop: StopRule) -> Result<Maximum, FitError> {
        let at = |name, start, lower: f64, upper: f64| Coordinate { name, start, lower: lower.ln(), upper: upper.ln() };
        // beyond these the model says the same for any amount that can be told apart
        let box_ = [at("ln p", 1.1, 1e-3, 1e5), at("ln q", 1.1, 1e-2, 1e4), at("ln gamma", 0.0, 1e-6, 1e6)];
        maximise(&box_, stop, |t| {
            self.in_logarithms(&GammaGamma { p: t[0].exp(), q: t[1].exp(), gamma: t[2].exp() * self.mean })
        })
        .map_err(|failure| not_converged(GammaGamma::NAME, &failure))
    }

    fn estimate(&self, top: &Maximum, notes: Vec<Note>) -> Estimate<GammaGamma> {
        let model = GammaGamma { p: top.theta[0].exp(), q: top.theta[1].exp(), gamma: top.theta[2].exp() * self.mean };
        let mut standard_errors = standard_errors_of_exp(top);
        standard_errors[2] = standard_errors[2].map(|e| e * self.mean);
        let log_likelihood = self.log_likelihood(&model).value;
        Estimate { model, log_likelihood, standard_errors, notes, iterations: top.iterations }
    }

    /// The posterior mode over ln p and ln(q − 1) with the population mean held at the observed one.
    fn with_prior(&self, stop: StopRule) -> Result<(Maximum, GammaGamma), FitError> {
        let model = |t: &[f64]| {
            let (p, excess) = (t[0].exp(), t[1].exp());
            GammaGamma { p, q: 1.0 + excess, gamma: self.mean * excess / p }
        };
        let penalty =
            |t: f64, (centre, sd): (f64, f64)| (-0.5 * ((t - centre) / sd).powi(2), -(t - centre) / (sd * sd));
        let coordinates = [
            Coordinate { name: "ln p", start: PRIOR_LN_P.0, lower: -7.0, upper: 11.5 },
            Coordinate { name: "ln(q - 1)", start: PRIOR_LN_Q_EXCESS.0, lower: -3.0, upper: 9.2 },
        ];
        let top = maximise(&coordinates, stop, |t| {
            with_difference_hessian(t, |t| {
                let m = model(t);
                let natural = self.log_likelihood(&m);
                let g = &natural.gradient;
                let (prior_p, slope_p) = penalty(t[0], PRIOR_LN_P);
                let (prior_q, slope_q) = penalty(t[1], PRIOR_LN_Q_EXCESS);
                let along_gamma = m.gamma * g[2];
                (
                    natural.value + prior_p + prior_q,
                    vec![m.p * g[0] - along_gamma + slope_p, (m.q - 1.0) * g[1] + along_gamma + slope_q],
                )
            })
        })
        .map_err(|failure| not_converged(GammaGamma::NAME, &failure))?;
        let found = model(&top.theta);
        Ok((top, found))
    }

    /// Value, gradient and Hessian over (p, q, γ).
    ///
    /// # Source      derivatives of Fader & Hardie (2013), eq. (1a)
    fn log_likelihood(&self, m: &GammaGamma) -> Evaluation {
        let (p, q, gamma) = (m.p, m.q, m.gamma / self.mean);
        let w = self.total_weight;
        let mut value =
            w * (q * gamma.ln() - log_gamma(q) - self.mean.ln()) + p * self.sum_x_ln_total - self.sum_ln_mean;
        let (mut g_p, mut g_q, mut g_gamma) = (self.sum_x_ln_total, w * (gamma.ln() - digamma(q)), w * q / gamma);
        let (mut h_pp, mut h_pq, mut h_qq) = (0.0, 0.0, -w * trigamma(q));
        let (mut h_pgamma, mut h_qgamma, mut h_gamma) = (0.0, w / gamma, -w * q / (gamma * gamma));
        for (&x, &w) in &self.weight_of {
            let x = f64::from(x);
            let (px, sum) = (p * x, p * x + q);
            value += w * log_gamma_ratio(px, q);
            let (psi, psi1) = (digamma(sum), trigamma(sum));
            g_p += w * x * (psi - digamma(px));
            g_q += w * psi;
            h_pp += w * x * x * (psi1 - trigamma(px));
            h_pq += w * x * psi1;
            h_qq += w * psi1;
        }
        for &(x, total, w) in &self.customers {
            let scale = gamma + total;
            let (log, inverse, shape) = (scale.ln(), 1.0 / scale, p * x + q);
            value -= w * shape * log;
            g_p -= w * x * log;
            g_q -= w * log;
            g_gamma -= w * shape * inverse;
            h_pgamma -= w * x * inverse;
            h_qgamma -= w * inverse;
            h_gamma += w * shape * inverse * inverse;
        }
        // gamma was measured in units of the mean
        let u = 1.0 / self.mean;
        Evaluation {
            value,
            gradient: vec![g_p, g_q, g_gamma * u],
            hessian: vec![
                h_pp,
                h_pq,
                h_pgamma * u,
                h_pq,
                h_qq,
                h_qgamma * u,
                h_pgamma * u,
                h_qgamma * u,
                h_gamma * u * u,
            ],
        }
    }

    /// The same over (ln p, ln q, ln γ).
    fn in_logarithms(&self, m: &GammaGamma) -> Evaluation {
        let mut e = self.log_likelihood(m);
        let scale = [m.p, m.q, m.gamma];
        for i in 0..3 {
            e.gradient[i] *= scale[i];
            for j in 0..3 {
                e.hessian[3 * i + j] *= scale[i] * scale[j];
            }
        }
        for i in 0..3 {
            e.hessian[4 * i] += e.gradient[i];
        }
        e
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spend(purchases: u32, mean: f64) -> Spend {
        Spend { purchases, mean, weight: 1.0 }
    }

    /// Thirty customers whose means spread over a factor of ten, without randomness.
    fn ordinary() -> Vec<Spend> {
        (0..30_u32).map(|i| spend(1 + i % 4, 20.0 * (1.0 + f64::from((i * 7) % 30) / 5.0))).collect()
    }

    fn fit(spends: &[Spend]) -> Estimate<GammaGamma> {
        GammaGamma::fit(spends, &FitOptions::default()).expect("fits")
    }

    fn is_sensible(m: &GammaGamma) -> bool {
        [m.p, m.q, m.gamma].iter().all(|v| v.is_finite() && *v > 0.0) && m.population_mean().is_finite()
    }

    #[test]
    fn derivatives_agree_with_differences() {
        let (sample, _) = Sample::collect(&ordinary()).expect("valid");
        let m = GammaGamma { p: 2.3, q: 3.1, gamma: 40.0 };
        let here = sample.in_logarithms(&m);
        let at = |i: usize, h: f64| {
            let mut t = [m.p.ln(), m.q.ln(), m.gamma.ln()];
            t[i] += h;
            sample.in_logarithms(&GammaGamma { p: t[0].exp(), q: t[1].exp(), gamma: t[2].exp() })
        };
        for i in 0..3 {
            let (up, down) = (at(i, 1e-5), at(i, -1e-5));
            let slope = (up.value - down.value) / 2e-5;
            assert!((slope - here.gradient[i]).abs() < 1e-6 * (1.0 + slope.abs()), "{i}: {slope}");
            for j in 0..3 {
                let second = (up.gradient[j] - down.gradient[j]) / 2e-5;
                assert!((second - here.hessian[3 * i + j]).abs() < 1e-6 * (1.0 + second.abs()), "{i} {j}: {second}");
            }
        }
    }

    #[test]
    fn the_sum_of_log_densities_is_the_likelihood() {
        let m = GammaGamma { p: 2.3, q: 3.1, gamma: 40.0 };
        let spends = ordinary();
        let (sample, _) = Sample::collect(&spends).expect("valid");
        let sum: f64 = spends.iter().map(|s| m.log_density(s.purchases, s.mean)).sum();
        assert!((sum - sample.log_likelihood(&m).value).abs() < 1e-9);
    }

    #[test]
    fn a_weight_of_two_is_the_customer_twice() {
        let mut doubled = ordinary();
        doubled.extend(ordinary());
        let weighted: Vec<Spend> = ordinary().iter().map(|s| Spend { weight: 2.0, ..*s }).collect();
        let (a, b) = (fit(&doubled), fit(&weighted));
        assert!((a.model.p - b.model.p).abs() < 1e-6 * a.model.p);
        assert!((a.log_likelihood - b.log_likelihood).abs() < 1e-8);
    }

    #[test]
    fn the_unit_of_money_scales_gamma_and_nothing_else() {
        let cents: Vec<Spend> = ordinary().iter().map(|s| spend(s.purchases, s.mean * 100.0)).collect();
        let (a, b) = (fit(&ordinary()).model, fit(&cents).model);
        assert!((a.p - b.p).abs() < 1e-7 * a.p && (a.q - b.q).abs() < 1e-7 * a.q);
        assert!((100.0 * a.gamma - b.gamma).abs() < 1e-6 * b.gamma);
    }

    #[test]
    fn equal_amounts_are_forecast_as_that_amount() {
        let e = fit(&vec![spend(3, 9.99); 50]);
        assert!((e.model.posterior(3, 9.99).mean() - 9.99).abs() < 0.01);
        assert!((e.model.population_mean() - 9.99).abs() < 1e-9);
        assert!(e.notes[0].0.contains("nearly"));
    }

    #[test]
    fn no_amounts_at_all_forecast_zero() {
        for spends in [vec![], vec![spend(0, 0.0); 5], vec![spend(4, 0.0); 5]] {
            let e = fit(&spends);
            let after = e.model.posterior(4, 0.0);
            assert!(after.mean() < 1e-9 && after.quantile_of_total(3, 0.95) < 1e-9);
            assert!(e.notes[0].0.contains("zero"), "{:?}", e.notes);
        }
    }

    #[test]
    fn a_handful_of_customers_keeps_their_mean_and_says_so() {
        let e = fit(&[spend(2, 10.0), spend(3, 30.0), spend(1, 20.0)]);
        assert!((e.model.population_mean() - 20.0).abs() < 1e-9);
        assert!(e.notes[0].0.contains("weakly informative prior"), "{:?}", e.notes);
    }

    #[test]
    fn one_purchase_each_is_enough_for_a_finite_model() {
        let spends: Vec<Spend> = (1..200_u32).map(|i| spend(1, f64::from(i))).collect();
        assert!(is_sensible(&fit(&spends).model));
    }

    #[test]
    fn a_tail_without_a_mean_is_given_the_observed_one() {
        // means spread over twelve orders of magnitude
        let spends: Vec<Spend> = (0..400_u32).map(|i| spend(1 + i % 3, 10_f64.powf(f64::from(i) * 0.03))).collect();
        let e = fit(&spends);
        assert!(is_sensible(&e.model) && e.model.q > 1.0, "{e:?}");
        assert!(e.notes.iter().any(|n| n.0.contains("finite mean")), "{:?}", e.notes);
    }

    #[test]
    fn one_wholesaler_does_not_spoil_everybody() {
        let mut spends = ordinary();
        let before = fit(&spends).model.posterior(3, 60.0).mean();
        spends.push(spend(2, 77_183.0));
        let after = fit(&spends).model;
        assert!((after.posterior(3, 60.0).mean() / before - 1.0).abs() < 0.3);
        assert!((after.posterior(2, 77_183.0).mean() / 77_183.0 - 1.0).abs() < 0.5);
    }

    #[test]
    fn amounts_that_are_no_amounts_are_named() {
        let error = GammaGamma::fit(&[spend(1, 5.0), spend(2, -3.0)], &FitOptions::default()).expect_err("negative");
        assert_eq!(
            error.to_string(),
            "gamma-gamma cannot use mean spend of customer 1 = -3: it must be finite and not negative"
        );
    }

    #[test]
    fn moments_of_totals_match_their_distribution() {
        let after = GammaGamma { p: 2.0, q: 4.0, gamma: 30.0 }.posterior(3, 25.0);
        // E[S] = ∫ (1 − F), E[S²] = ∫ 2 s (1 − F), by Simpson's rule in s = scale eᵘ
        let n = 5;
        let (mut mean, mut square) = (0.0, 0.0);
        let (low, high, steps) = (-20.0_f64, 12.0_f64, 4000);
        let h = (high - low) / f64::from(steps);
        for i in 0..=steps {
            let factor = if i == 0 || i == steps {
                1.0
            } else if i % 2 == 1 {
                4.0
            } else {
                2.0
            };
            let s = after.scale * (low + h * f64::from(i)).exp();
            let tail = (1.0 - after.cdf_of_total(n, s)) * s * factor * h / 3.0;
            mean += tail;
            square += 2.0 * s * tail;
        }
        assert!((mean / after.mean_of_total(n) - 1.0).abs() < 1e-6, "{mean} {}", after.mean_of_total(n));
        let variance = square - mean * mean;
        assert!((variance / after.variance_of_total(n) - 1.0).abs() < 1e-4, "{variance}");
    }

    #[test]
    fn moments_that_do_not_exist_are_infinite() {
        let prior = GammaGamma { p: 2.0, q: 1.5, gamma: 30.0 }.posterior(0, 0.0);
        assert!(prior.mean().is_finite() && prior.variance().is_infinite() && prior.variance_of_total(2).is_infinite());
        assert!(GammaGamma { p: 2.0, q: 0.9, gamma: 30.0 }.population_mean().is_infinite());
        assert_eq!((prior.mean_of_total(0), prior.variance_of_total(0), prior.cdf_of_total(0, 0.0)), (0.0, 0.0, 1.0));
    }

    proptest! {
        #[test]
        fn quantiles_invert_distributions(p in 0.3_f64..50.0, q in 1.01_f64..20.0, x in 0_u32..200, n in 1_u32..50, level in 0.01_f64..0.99) {
            let after = GammaGamma { p, q, gamma: 20.0 }.posterior(x, 33.0);
            let total = after.quantile_of_total(n, level);
            prop_assert!((after.cdf_of_total(n, total) - level).abs() < 1e-9);
            let mean = after.quantile_of_mean(level);
            prop_assert!((after.cdf_of_mean(mean) - level).abs() < 1e-9);
        }

        #[test]
        fn any_positive_amounts_give_a_finite_model(
            rows in prop::collection::vec((1_u32..60, -9.0_f64..14.0), 1..60),
        ) {
            let spends: Vec<Spend> = rows.iter().map(|&(x, ln)| spend(x, ln.exp())).collect();
            let e = GammaGamma::fit(&spends, &FitOptions::default());
            prop_assert!(e.as_ref().is_ok_and(|e| is_sensible(&e.model) && e.log_likelihood.is_finite()), "{e:?}");
        }
    }
}
