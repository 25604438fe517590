//! Shifted beta-geometric: how long subscribers stay, from a cohort's first few renewals.
//!
//! The one idea: at each renewal a subscriber cancels with a constant probability θ of their own, and θ is
//! Beta(α, β) between subscribers. Those who cancel easily go first, so that the cohort's retention rate rises although
//! nobody changes: a curve through early survival overstates losses, this model does not.
//!
//! For contracts, where cancelling is seen; where customers leave silently use BG/NBD, Pareto/NBD or BG/BB.
//!
//! # Source      Fader & Hardie (2007), "How to Project Customer Retention", Journal of Interactive Marketing 21(1);
//! Fader & Hardie (2010), "Customer-Base Valuation in a Contractual Setting", Marketing Science 29(1)

use guike_core::{FitError, Note};
use serde::{Deserialize, Serialize};

use crate::fit::{Estimate, FitOptions, not_converged, standard_errors_of_exp};
use crate::optimize::{Coordinate, Evaluation, maximise};
use crate::prior::{LogNormalPrior, add_prior};
use crate::special::{hyp2f1_unit, log_gamma_ratio};

/// Cancelling probabilities Beta(α, β) between subscribers.
///
/// # Units       periods between renewals, whatever the contract's are
///
/// ```
/// use guike_btyd::shifted_beta_geometric::ShiftedBetaGeometric;
/// // the paper's "regular" customers: fitted on seven years, it foresees the twelfth
/// let regular = ShiftedBetaGeometric { alpha: 0.704, beta: 1.182 };
/// assert!((regular.survival(1) - 0.631).abs() < 0.005);
/// assert!((regular.survival(12) - 0.173).abs() < 0.005); // 17.3 % were observed
/// // the longer they have stayed, the likelier they renew
/// assert!(regular.retention(1) < regular.retention(7));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ShiftedBetaGeometric {
    /// First parameter of the cancelling probability; α/(α+β) is its mean.
    pub alpha: f64,
    /// Second parameter of the cancelling probability; small α and β together mean very unlike subscribers.
    pub beta: f64,
}

/// Subscribers who started together.
#[derive(Debug, Clone, PartialEq)]
pub struct Cohort {
    /// How many cancelled at their first, second, … renewal.
    pub lost: Vec<f64>,
    /// How many are still there after those renewals.
    pub active: f64,
}

impl Cohort {
    /// A cohort from the number of subscribers at the start and after each renewal.
    ///
    /// # Errors     `Invalid` when there is no number, or one is above its predecessor, negative or not finite
    ///
    /// ```
    /// use guike_btyd::shifted_beta_geometric::Cohort;
    /// let cohort = Cohort::from_survivors(&[1000.0, 631.0, 468.0]).unwrap();
    /// assert_eq!((cohort.lost, cohort.active), (vec![369.0, 163.0], 468.0));
    /// assert!(Cohort::from_survivors(&[1000.0, 1001.0]).is_err());
    /// ```
    pub fn from_survivors(survivors: &[f64]) -> Result<Cohort, FitError> {
        let invalid = |value: String| FitError::Invalid {
            learner: ShiftedBetaGeometric::NAME,
            what: "survivors".into(),
            value,
            rule: "they must be finite, not negative and never rise".into(),
        };
        let active = *survivors.last().ok_or_else(|| invalid("none".into()))?;
        let lost: Vec<f64> = survivors.windows(2).map(|w| w[0] - w[1]).collect();
        let sound =
            lost.iter().all(|n| *n >= 0.0) && (0.0..f64::INFINITY).contains(&active) && survivors[0].is_finite();
        if sound { Ok(Cohort { lost, active }) } else { Err(invalid(format!("{survivors:?}"))) }
    }

    fn size(&self) -> f64 {
        self.active + self.lost.iter().sum::<f64>()
    }
}

const LOWER: f64 = 1e-4;
const UPPER: f64 = 1e5;
/// For thin data; the paper has (.704, 1.182) and (.668, 3.806).
const PRIORS: [LogNormalPrior; 2] =
    [LogNormalPrior { median: 0.8, log_sd: 1.0 }, LogNormalPrior { median: 3.0, log_sd: 1.5 }];

impl ShiftedBetaGeometric {
    /// Stable name in files and flags.
    pub const NAME: &'static str = "shifted-beta-geometric";
    /// Names of the parameters, in the order of the standard errors.
    pub const PARAMETERS: [&'static str; 2] = ["alpha", "beta"];

    /// Maximum likelihood over any number of cohorts of any age, or the posterior mode where the data are thin: fewer
    /// than `options.thin_below_repeaters` cancellations or renewals, or fewer than two renewals seen.
    ///
    /// # Errors     `TooLittle` when no subscriber has faced a renewal; `Invalid` numbers; `NotConverged`
    pub fn fit(cohorts: &[Cohort], options: &FitOptions) -> Result<Estimate<ShiftedBetaGeometric>, FitError> {
        for c in cohorts {
            let bad = c.lost.iter().chain([&c.active]).find(|n| !(0.0..f64::INFINITY).contains(*n));
            if let Some(n) = bad {
                return Err(FitError::Invalid {
                    learner: Self::NAME,
                    what: "number of subscribers".into(),
                    value: n.to_string(),
                    rule: "it must be finite and not negative".into(),
                });
            }
        }
        let data = Outcomes::new(cohorts);
        let lost: f64 = data.lost.iter().sum();
        let renewed: f64 = data.renewed();
        if lost + renewed == 0.0 {
            return Err(FitError::TooLittle {
                learner: Self::NAME,
                needs: "subscribers who faced a renewal".into(),
                found: "are none".into(),
            });
        }
        let one_renewal = data.lost.len() < 2;
        let thin = options.thin_below_repeaters > 0.0
            && (one_renewal || lost < options.thin_below_repeaters || renewed < options.thin_below_repeaters);
        let at = |name, start: f64| Coordinate { name, start: start.ln(), lower: LOWER.ln(), upper: UPPER.ln() };
        let maximum = maximise(&[at("ln alpha", 1.0), at("ln beta", 2.0)], options.stop, |theta| {
            let mut evaluation = data.derivatives(theta[0].exp(), theta[1].exp());
            if thin {
                add_prior(&mut evaluation, theta, &PRIORS);
            }
            evaluation
        })
        .map_err(|failure| not_converged(Self::NAME, &failure))?;
        let model = ShiftedBetaGeometric { alpha: maximum.theta[0].exp(), beta: maximum.theta[1].exp() };
        let mut notes = Vec::new();
        if thin {
            let renewals = data.lost.len();
            notes.push(Note(format!(
                "{lost} cancellations, {renewed} renewals at {renewals} dates are few, so the fit leans on typical values"
            )));
        }
        if model.alpha > 0.5 * UPPER || model.beta > 0.5 * UPPER {
            notes.push(Note("how easily subscribers cancel does not measurably differ between them".into()));
        }
        Ok(Estimate {
            log_likelihood: data.derivatives(model.alpha, model.beta).value,
            standard_errors: standard_errors_of_exp(&maximum),
            model,
            notes,
            iterations: maximum.iterations,
        })
    }

    /// P(cancels at renewal `t`), `t` ≥ 1.
    ///
    /// # Source      Fader & Hardie (2007), eq. 5
    pub fn p_cancel(&self, t: u32) -> f64 {
        if t == 0 { 0.0 } else { self.survival(t - 1) * (1.0 - self.retention(t)) }
    }

    /// P(still subscribed after `t` renewals).
    ///
    /// # Source      Fader & Hardie (2007), eq. 6
    pub fn survival(&self, t: u32) -> f64 {
        let t = f64::from(t);
        (log_gamma_ratio(self.beta, t) - log_gamma_ratio(self.alpha + self.beta, t)).exp()
    }

    /// P(renews at renewal `t` | renewed all before it), `t` ≥ 1.
    ///
    /// # Source      Fader & Hardie (2007), eq. 8
    pub fn retention(&self, t: u32) -> f64 {
        let b = self.beta + f64::from(t.max(1) - 1);
        b / (self.alpha + b)
    }

    /// P(renews the next `more` times | renewed `renewals` times).
    pub fn survival_given(&self, renewals: u32, more: u32) -> f64 {
        self.renewed(renewals).survival(more)
    }

    /// Expected periods a new subscriber pays for, the first included, each discounted by 1/(1+`rate`) per period.
    ///
    /// Infinite at a rate of 0 when α ≤ 1.
    ///
    /// # Source      Fader & Hardie (2010), eq. 2 with eq. 5: Σ S(t)/(1+d)ᵗ = 2F1(1, β; α+β; 1/(1+d))
    pub fn discounted_lifetime(&self, rate: f64) -> f64 {
        assert!(rate >= 0.0, "a discount rate is not negative");
        if rate > 0.0 {
            hyp2f1_unit(self.beta, self.alpha + self.beta, 1.0 / (1.0 + rate))
        } else if self.alpha > 1.0 {
            (self.alpha + self.beta - 1.0) / (self.alpha - 1.0)
        } else {
            f64::INFINITY
        }
    }

    /// Expected renewals still to come of a subscriber who has renewed `renewals` times and faces the next one now, each
    /// discounted from now by 1/(1+`rate`) per period: what the contract is worth, in periods.
    ///
    /// # Source      Fader & Hardie (2010), eq. 6
    ///
    /// ```
    /// use guike_btyd::shifted_beta_geometric::ShiftedBetaGeometric;
    /// let m = ShiftedBetaGeometric { alpha: 0.668, beta: 3.806 };
    /// // proven subscribers are worth more
    /// assert!(m.discounted_residual_lifetime(4, 0.1) > m.discounted_residual_lifetime(0, 0.1));
    /// ```
    pub fn discounted_residual_lifetime(&self, renewals: u32, rate: f64) -> f64 {
        self.retention(renewals + 1) * self.renewed(renewals + 1).discounted_lifetime(rate)
    }

    /// Parameters by name.
    pub fn parameters(&self) -> Vec<(&'static str, f64)> {
        Self::PARAMETERS.into_iter().zip([self.alpha, self.beta]).collect()
    }

    /// A subscriber who has renewed so often, as a new one.
    fn renewed(&self, renewals: u32) -> ShiftedBetaGeometric {
        ShiftedBetaGeometric { alpha: self.alpha, beta: self.beta + f64::from(renewals) }
    }
}

/// All cohorts together: who cancelled at which renewal, and who was seen to renew how often.
struct Outcomes {
    /// Cancelled at renewal 1, 2, …
    lost: Vec<f64>,
    /// Subscribed still after 0, 1, 2, … renewals, and not followed further.
    active: Vec<f64>,
}

impl Outcomes {
    fn new(cohorts: &[Cohort]) -> Outcomes {
        let longest = cohorts.iter().map(|c| c.lost.len()).max().unwrap_or(0);
        let mut sum = Outcomes { lost: vec![0.0; longest], active: vec![0.0; longest + 1] };
        for c in cohorts.iter().filter(|c| c.size() > 0.0) {
            for (total, n) in sum.lost.iter_mut().zip(&c.lost) {
                *total += n;
            }
            sum.active[c.lost.len()] += c.active;
        }
        sum
    }

    /// Renewals made.
    fn renewed(&self) -> f64 {
        let lost = self.lost.iter().enumerate().map(|(i, n)| i as f64 * n);
        lost.sum::<f64>() + self.active.iter().enumerate().map(|(t, n)| t as f64 * n).sum::<f64>()
    }

    /// The log-likelihood with derivatives by ln α and ln β.
    ///
    /// Renewal t is faced by all who cancelled then or were seen to pass it; cancelling has probability α/(α+β+t−1).
    fn derivatives(&self, alpha: f64, beta: f64) -> Evaluation {
        let (mut value, mut g, mut h) = (0.0, [0.0; 2], [0.0; 3]);
        // who was seen to pass renewal t: cancelled later, or was active after at least t
        let mut passed: f64 = self.lost.iter().sum::<f64>() + self.active.iter().skip(1).sum::<f64>();
        for (i, &lost) in self.lost.iter().enumerate() {
            passed -= lost;
            let renews = beta + i as f64;
            let total = alpha + renews;
            let faced = lost + passed;
            if lost > 0.0 {
                value += lost * (alpha / total).ln();
            }
            if passed > 0.0 {
                value += passed * (renews / total).ln();
            }
            g[0] += lost / alpha - faced / total;
            g[1] += passed / renews - faced / total;
            h[0] += faced / (total * total) - lost / (alpha * alpha);
            h[1] += faced / (total * total);
            h[2] += faced / (total * total) - passed / (renews * renews);
            passed -= self.active[i + 1];
            passed = passed.max(0.0);
        }
        let (first, cross) = ([alpha * g[0], beta * g[1]], alpha * beta * h[1]);
        Evaluation {
            value,
            gradient: first.to_vec(),
            hessian: vec![alpha * alpha * h[0] + first[0], cross, cross, beta * beta * h[2] + first[1]],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Per cent of subscribers still there after 0, 1, … 12 years.
    ///
    /// Fader & Hardie (2007), table 1.
    const REGULAR: [f64; 13] = [100.0, 63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1, 22.3, 20.7, 19.4, 18.3, 17.3];
    const HIGH_END: [f64; 13] = [100.0, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1, 46.8, 44.5, 42.7, 40.9, 39.4];

    /// The paper fits on seven years of a thousand subscribers.
    fn seven_years(per_cent: &[f64; 13]) -> Vec<Cohort> {
        let survivors: Vec<f64> = per_cent[..8].iter().map(|p| 10.0 * p).collect();
        vec![Cohort::from_survivors(&survivors).expect("valid")]
    }

    fn fit(cohorts: &[Cohort]) -> Estimate<ShiftedBetaGeometric> {
        ShiftedBetaGeometric::fit(cohorts, &FitOptions::default()).expect("fits")
    }

    #[test]
    fn the_two_segments_of_the_paper() {
        for (data, alpha, beta) in [(&REGULAR, 0.704, 1.182), (&HIGH_END, 0.668, 3.806)] {
            let e = fit(&seven_years(data));
            assert!((e.model.alpha - alpha).abs() < 5e-4, "{:?}", e.model);
            assert!((e.model.beta - beta).abs() < 5e-4, "{:?}", e.model);
            assert!(e.notes.is_empty() && e.standard_errors.iter().all(Option::is_some), "{e:?}");
            // and what it foresees: five more years within 1.7 points
            for year in 8..=12 {
                let foreseen = 100.0 * e.model.survival(year as u32);
                assert!((foreseen - data[year]).abs() < 1.7, "year {year}: {foreseen}, observed {}", data[year]);
            }
        }
    }

    #[test]
    fn survival_is_what_cancelling_leaves() {
        let m = ShiftedBetaGeometric { alpha: 0.704, beta: 1.182 };
        let mut left = 1.0;
        for t in 1..50 {
            left -= m.p_cancel(t);
            assert!((left - m.survival(t)).abs() < 1e-13);
            assert!((m.survival(t) / m.survival(t - 1) - m.retention(t)).abs() < 1e-13);
        }
        assert!((m.survival_given(3, 4) - m.survival(7) / m.survival(3)).abs() < 1e-14);
    }

    #[test]
    fn lifetimes_are_their_sums() {
        for (alpha, beta) in [(0.704, 1.182), (0.668, 3.806), (3.0, 0.5)] {
            let m = ShiftedBetaGeometric { alpha, beta };
            let d = 0.1_f64;
            let sum: f64 = (0..2000).map(|t| m.survival(t) / (1.0 + d).powi(t as i32)).sum();
            assert!((m.discounted_lifetime(d) - sum).abs() < 1e-10, "{sum}");
            let rest: f64 = (0..2000).map(|k| m.survival_given(4, k + 1) / (1.0 + d).powi(k as i32)).sum();
            assert!((m.discounted_residual_lifetime(4, d) - rest).abs() < 1e-10, "{rest}");
        }
    }

    #[test]
    fn a_lifetime_without_discount_may_be_infinite() {
        let m = ShiftedBetaGeometric { alpha: 0.704, beta: 1.182 };
        assert!(m.discounted_lifetime(0.0).is_infinite());
        let short = ShiftedBetaGeometric { alpha: 3.0, beta: 2.0 };
        assert!((short.discounted_lifetime(0.0) - short.discounted_lifetime(1e-9)).abs() < 1e-6);
    }

    #[test]
    fn cohorts_of_different_age_are_fitted_together() {
        // the same curve, cut at different ages: the estimate stays near
        let whole: Vec<f64> = REGULAR.iter().map(|p| 10.0 * p).collect();
        let cohorts: Vec<Cohort> =
            [3, 5, 8].iter().map(|&n| Cohort::from_survivors(&whole[..n]).expect("valid")).collect();
        let together = fit(&cohorts).model;
        assert!((together.alpha - 0.704).abs() < 0.1 && (together.beta - 1.182).abs() < 0.2, "{together:?}");
    }

    #[test]
    fn derivatives_agree_with_differences() {
        const H: f64 = 1e-5;
        let mut cohorts = seven_years(&HIGH_END);
        cohorts.push(Cohort { lost: vec![5.0, 0.0, 3.0], active: 20.0 });
        cohorts.push(Cohort { lost: vec![], active: 7.0 });
        let data = Outcomes::new(&cohorts);
        let at = |a: f64, b: f64| data.derivatives((0.3_f64 + a).exp(), (1.1_f64 + b).exp());
        let here = at(0.0, 0.0);
        for i in 0..2 {
            let (da, db) = if i == 0 { (H, 0.0) } else { (0.0, H) };
            let (up, down) = (at(da, db), at(-da, -db));
            assert!(((up.value - down.value) / (2.0 * H) - here.gradient[i]).abs() < 1e-4);
            for j in 0..2 {
                let second = (up.gradient[j] - down.gradient[j]) / (2.0 * H);
                assert!((second - here.hessian[2 * i + j]).abs() < 1e-4, "{i} {j}");
            }
        }
    }

    #[test]
    fn the_likelihood_is_the_papers_sum() {
        let cohorts = seven_years(&REGULAR);
        let m = ShiftedBetaGeometric { alpha: 0.9, beta: 1.5 };
        let lost = cohorts[0].lost.iter().enumerate().map(|(i, n)| n * m.p_cancel(i as u32 + 1).ln());
        let sum = lost.sum::<f64>() + cohorts[0].active * m.survival(7).ln();
        assert!((sum - Outcomes::new(&cohorts).derivatives(0.9, 1.5).value).abs() < 1e-9);
    }

    #[test]
    fn extremes_end_in_a_finite_model() {
        let all = |cohort: Cohort| fit(&[cohort]).model;
        let nobody_leaves = all(Cohort { lost: vec![0.0; 6], active: 400.0 });
        assert!(nobody_leaves.survival(6) > 0.99);
        let everybody_leaves = all(Cohort { lost: vec![400.0], active: 0.0 });
        assert!(everybody_leaves.survival(1) < 0.05);
        let alike = all(Cohort { lost: vec![500.0, 250.0, 125.0], active: 125.0 });
        assert!((alike.survival(5) - 0.5_f64.powi(5)).abs() < 0.005);
        assert!(ShiftedBetaGeometric::fit(&[Cohort { lost: vec![], active: 9.0 }], &FitOptions::default()).is_err());
    }
}
