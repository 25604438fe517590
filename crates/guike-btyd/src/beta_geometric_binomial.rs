//! BG/BB: buyers in discrete time, who may buy once per opportunity: yearly donations, events, weekly boxes.
//!
//! The one idea: at each opportunity a living customer buys with a probability p of their own and then leaves with a
//! probability θ of their own; p and θ are beta distributed between customers. What is known about a customer is
//! (x, t_x, n): purchases, the last opportunity used, and opportunities so far. A customer who has not left is again a
//! customer of the same model with (α+x, β+n−x, γ, δ+n), so forecasts are short sums, exact also at γ = 1.
//!
//! Opportunities are the same for everybody and known; where purchases may come at any moment, use the Pareto/NBD.
//!
//! # Source      Fader, Hardie & Shang (2010), "Customer-Base Analysis in a Discrete-Time Noncontractual Setting",
//! Marketing Science 29(6)

use guike_core::{FitError, Note};
use serde::{Deserialize, Serialize};

use crate::count_model::CountDistribution;
use crate::fit::{Estimate, FitOptions, no_drop_out, not_converged, standard_errors_of_exp};
use crate::optimize::{Coordinate, Evaluation, maximise};
use crate::prior::{LogNormalPrior, add_prior};

/// Buying probabilities Beta(α, β), leaving probabilities Beta(γ, δ).
///
/// ```
/// use guike_btyd::beta_geometric_binomial::{BetaGeometricBinomial, Opportunities};
/// // the paper's estimates for yearly donations
/// let model = BetaGeometricBinomial { alpha: 1.204, beta: 0.750, gamma: 0.657, delta: 2.783 };
/// let every_year = Opportunities { x: 6, t_x: 6, n: 6 };
/// let long_silent = Opportunities { x: 1, t_x: 1, n: 6 };
/// assert!(model.expected(every_year, 5) > 3.5 && model.expected(long_silent, 5) < 0.2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BetaGeometricBinomial {
    /// First parameter of the buying probability; α/(α+β) is its mean.
    pub alpha: f64,
    /// Second parameter of the buying probability.
    pub beta: f64,
    /// First parameter of the leaving probability; γ/(γ+δ) is its mean.
    pub gamma: f64,
    /// Second parameter of the leaving probability.
    pub delta: f64,
}

/// What is known about a customer after `n` opportunities. The purchase that made them a customer does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opportunities {
    /// Opportunities used.
    pub x: u32,
    /// The last opportunity used, 1 … n; 0 when none was.
    pub t_x: u32,
    /// Opportunities so far.
    pub n: u32,
}

impl Opportunities {
    fn is_possible(&self) -> bool {
        self.x <= self.t_x && self.t_x <= self.n && (self.x > 0) == (self.t_x > 0)
    }
}

const NAMES: [&str; 4] = ["ln alpha", "ln beta", "ln gamma", "ln delta"];
const LOWER: f64 = 1e-4;
const UPPER: f64 = 1e4;
const START: [f64; 4] = [1.0, 1.0, 0.5, 2.0];
/// For thin data: from one purchase in fifty opportunities to nearly all, and leaving likewise.
const PRIORS: [LogNormalPrior; 4] = [
    LogNormalPrior { median: 1.0, log_sd: 1.0 },
    LogNormalPrior { median: 1.0, log_sd: 1.0 },
    LogNormalPrior { median: 0.8, log_sd: 1.0 },
    LogNormalPrior { median: 3.0, log_sd: 1.0 },
];
/// A mean chance of leaving below this is no drop-out.
const NO_DROP_OUT: f64 = 1e-3;

impl BetaGeometricBinomial {
    /// Stable name in files and flags.
    pub const NAME: &'static str = "bg-bb";
    /// Names of the parameters, in the order of the standard errors.
    pub const PARAMETERS: [&'static str; 4] = ["alpha", "beta", "gamma", "delta"];

    /// Maximum likelihood over (history, number of customers), or the posterior mode where the data are thin.
    ///
    /// # Errors     `TooLittle` without customers; `Invalid` for an impossible history or weight; `NotConverged`
    ///
    /// ```
    /// use guike_btyd::{FitOptions, beta_geometric_binomial::{BetaGeometricBinomial, Opportunities}};
    /// let impossible = (Opportunities { x: 3, t_x: 2, n: 6 }, 1.0);
    /// assert!(BetaGeometricBinomial::fit(&[impossible], &FitOptions::default()).is_err());
    /// ```
    pub fn fit(
        data: &[(Opportunities, f64)],
        options: &FitOptions,
    ) -> Result<Estimate<BetaGeometricBinomial>, FitError> {
        let invalid = |what: &str, value: String, rule: &str| FitError::Invalid {
            learner: Self::NAME,
            what: what.into(),
            value,
            rule: rule.into(),
        };
        for (h, weight) in data {
            if !h.is_possible() {
                return Err(invalid(
                    "history",
                    format!("{h:?}"),
                    "it needs x ≤ t_x ≤ n, and t_x = 0 exactly when x = 0",
                ));
            }
            if !(0.0..f64::INFINITY).contains(weight) {
                return Err(invalid("weight", weight.to_string(), "it must be finite and not negative"));
            }
        }
        let data = merged(data);
        if data.is_empty() {
            return Err(FitError::TooLittle {
                learner: Self::NAME,
                needs: "customers".into(),
                found: "are none".into(),
            });
        }
        let customers: f64 = data.iter().map(|(_, w)| w).sum();
        let repeaters: f64 = data.iter().filter(|(h, _)| h.x > 0).map(|(_, w)| w).sum();
        let thin = repeaters < options.thin_below_repeaters;
        let coordinates: [Coordinate; 4] = std::array::from_fn(|i| Coordinate {
            name: NAMES[i],
            start: START[i].ln(),
            lower: LOWER.ln(),
            upper: UPPER.ln(),
        });
        let model = |theta: &[f64]| BetaGeometricBinomial {
            alpha: theta[0].exp(),
            beta: theta[1].exp(),
            gamma: theta[2].exp(),
            delta: theta[3].exp(),
        };
        let maximum = maximise(&coordinates, options.stop, |theta| {
            let mut evaluation = model(theta).derivatives(&data);
            if thin {
                add_prior(&mut evaluation, theta, &PRIORS);
            }
            evaluation
        })
        .map_err(|failure| not_converged(Self::NAME, &failure))?;
        let model = model(&maximum.theta);
        let mut notes = Vec::new();
        if thin {
            notes.push(Note(format!(
                "only {repeaters} of {customers} customers bought again (fewer than {}), so the fit leans on typical values",
                options.thin_below_repeaters
            )));
        }
        if model.gamma / (model.gamma + model.delta) < NO_DROP_OUT {
            notes.push(no_drop_out());
        }
        Ok(Estimate {
            log_likelihood: if thin { model.derivatives(&data).value } else { maximum.value },
            standard_errors: standard_errors_of_exp(&maximum),
            model,
            notes,
            iterations: maximum.iterations,
        })
    }

    /// ln of the likelihood of one customer's history.
    ///
    /// # Source      Fader, Hardie & Shang (2010), eq. 5
    pub fn log_likelihood(&self, h: Opportunities) -> f64 {
        self.derivatives(&[(h, 1.0)]).value
    }

    /// P(the customer is alive at the next opportunity | history).
    ///
    /// # Source      Fader, Hardie & Shang (2010), eq. 11
    pub fn p_alive(&self, h: Opportunities) -> f64 {
        let n = f64::from(h.n);
        self.p_stayed(h) * (self.delta + n) / (self.gamma + self.delta + n)
    }

    /// Expected purchases at the next `opportunities`.
    ///
    /// # Source      Fader, Hardie & Shang (2010), eq. 13, as the sum it came from
    pub fn expected(&self, h: Opportunities, opportunities: u32) -> f64 {
        let now = self.renewed(h);
        let buys = now.alpha / (now.alpha + now.beta);
        self.p_stayed(h) * buys * now.survival(opportunities).sum::<f64>()
    }

    /// P(at least one purchase at the next `opportunities`).
    pub fn p_active(&self, h: Opportunities, opportunities: u32) -> f64 {
        let now = self.renewed(h);
        // first purchase at opportunity k: alive then, k − 1 refusals, one purchase
        let mut refused = 1.0;
        let first = now.survival(opportunities).enumerate().map(|(k, alive)| {
            let total = now.alpha + now.beta + k as f64;
            let p = alive * refused * now.alpha / total;
            refused *= (now.beta + k as f64) / total;
            p
        });
        (self.p_stayed(h) * first.sum::<f64>()).min(1.0)
    }

    /// The opportunity by which the customer has bought again with probability one half; `None` when that never comes
    /// within `limit`.
    pub fn median_wait(&self, h: Opportunities, limit: u32) -> Option<u32> {
        // P(active) rises with the number of opportunities
        if self.p_active(h, limit) < 0.5 {
            return None;
        }
        let (mut low, mut high) = (0, limit);
        while high - low > 1 {
            let middle = u32::midpoint(low, high);
            if self.p_active(h, middle) < 0.5 {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(high)
    }

    /// Distribution of the purchases at the next `opportunities`.
    ///
    /// # Source
    /// Fader, Hardie & Shang (2010), eq. 12, as the mixture it came from: beta-binomial over the number
    /// of opportunities lived to see
    pub fn counts(&self, h: Opportunities, opportunities: u32) -> CountDistribution {
        let now = self.renewed(h);
        let m = opportunities as usize;
        let stayed = self.p_stayed(h);
        let mut probabilities = vec![0.0; m + 1];
        probabilities[0] = 1.0 - stayed;
        let mut alive: Vec<f64> = std::iter::once(1.0).chain(now.survival(opportunities)).collect();
        alive.push(0.0);
        // beta-binomial of j opportunities, from that of j − 1 by Pólya's urn
        let mut binomial = vec![1.0];
        for j in 0..=m {
            let lives_exactly = stayed * (alive[j] - if j < m { alive[j + 1] } else { 0.0 });
            for (k, p) in binomial.iter().enumerate() {
                probabilities[k] += lives_exactly * p;
            }
            let total = now.alpha + now.beta + j as f64;
            let mut next = vec![0.0; j + 2];
            for (k, p) in binomial.iter().enumerate() {
                next[k] += p * (now.beta + (j - k) as f64) / total;
                next[k + 1] += p * (now.alpha + k as f64) / total;
            }
            binomial = next;
        }
        CountDistribution { first: 0, probabilities }
    }

    /// Parameters by name.
    pub fn parameters(&self) -> Vec<(&'static str, f64)> {
        Self::PARAMETERS.into_iter().zip([self.alpha, self.beta, self.gamma, self.delta]).collect()
    }

    /// P(had not left after opportunity n | history).
    fn p_stayed(&self, h: Opportunities) -> f64 {
        let tables = Tables::new(self, h.n);
        (tables.stayed(h).log - tables.log_likelihood(h)).exp().min(1.0)
    }

    /// A customer who has not left after this history, as a new customer.
    fn renewed(&self, h: Opportunities) -> BetaGeometricBinomial {
        BetaGeometricBinomial {
            alpha: self.alpha + f64::from(h.x),
            beta: self.beta + f64::from(h.n - h.x),
            gamma: self.gamma,
            delta: self.delta + f64::from(h.n),
        }
    }

    /// P(alive at opportunity 1), P(alive at opportunity 2), … of a new customer.
    fn survival(&self, opportunities: u32) -> impl Iterator<Item = f64> + use<> {
        let (gamma, delta) = (self.gamma, self.delta);
        (0..opportunities).scan(1.0, move |alive, k| {
            let survived = delta + f64::from(k);
            *alive *= survived / (gamma + survived);
            Some(*alive)
        })
    }

    /// The weighted log-likelihood with its derivatives by the logarithms of the parameters.
    fn derivatives(&self, data: &[(Opportunities, f64)]) -> Evaluation {
        let longest = data.iter().map(|(h, _)| h.n).max().unwrap_or(0);
        let tables = Tables::new(self, longest);
        let mut sum = Evaluation { value: 0.0, gradient: vec![0.0; 4], hessian: vec![0.0; 16] };
        for &(h, weight) in data {
            let top = tables.stayed(h).log.max(tables.left(h).map(|t| t.log).fold(f64::NEG_INFINITY, f64::max));
            let (mut total, mut first, mut second) = (0.0, [0.0; 4], [[0.0; 4]; 4]);
            for term in std::iter::once(tables.stayed(h)).chain(tables.left(h)) {
                let p = (term.log - top).exp();
                total += p;
                for i in 0..4 {
                    first[i] += p * term.first[i];
                    for j in 0..4 {
                        second[i][j] += p * (term.first[i] * term.first[j] + term.second[i][j]);
                    }
                }
            }
            sum.value += weight * (top + total.ln());
            for i in 0..4 {
                sum.gradient[i] += weight * first[i] / total;
                for j in 0..4 {
                    sum.hessian[4 * i + j] += weight * (second[i][j] / total - first[i] * first[j] / (total * total));
                }
            }
        }
        let p = [self.alpha, self.beta, self.gamma, self.delta];
        for i in 0..4 {
            sum.gradient[i] *= p[i];
            for j in 0..4 {
                sum.hessian[4 * i + j] *= p[i] * p[j];
            }
            sum.hessian[5 * i] += sum.gradient[i];
        }
        sum
    }
}

/// Equal histories once, in order; those without customers dropped.
fn merged(data: &[(Opportunities, f64)]) -> Vec<(Opportunities, f64)> {
    let mut sorted: Vec<(Opportunities, f64)> = data.iter().copied().filter(|(_, w)| *w > 0.0).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let runs = sorted.chunk_by(|a, b| a.0 == b.0);
    runs.map(|run| (run[0].0, run.iter().map(|(_, w)| w).sum())).collect()
}

/// One term of the likelihood: its logarithm with derivatives by (α, β, γ, δ).
struct Term {
    log: f64,
    first: [f64; 4],
    second: [[f64; 4]; 4],
}

/// ln Γ(p+i)/Γ(p) for i = 0 … n with its first and second derivative by p.
struct Rising(Vec<[f64; 3]>);

impl Rising {
    fn new(p: f64, n: usize) -> Rising {
        let mut at = [0.0; 3];
        let later = (0..n).map(|i| {
            let factor = p + i as f64;
            at = [at[0] + factor.ln(), at[1] + 1.0 / factor, at[2] - 1.0 / (factor * factor)];
            at
        });
        Rising(std::iter::once([0.0; 3]).chain(later).collect())
    }
}

/// All beta functions of the likelihood are differences of these.
struct Tables {
    gamma: f64,
    alpha: Rising,
    beta: Rising,
    both: Rising,
    delta: Rising,
    leaving: Rising,
}

impl Tables {
    fn new(m: &BetaGeometricBinomial, longest: u32) -> Tables {
        let n = longest as usize + 1;
        Tables {
            gamma: m.gamma,
            alpha: Rising::new(m.alpha, n),
            beta: Rising::new(m.beta, n),
            both: Rising::new(m.alpha + m.beta, n),
            delta: Rising::new(m.delta, n),
            leaving: Rising::new(m.gamma + m.delta, n),
        }
    }

    /// B(α+x, β+m−x)/B(α, β) · B(γ+e, δ+m)/B(γ, δ) with e = 1 for who left after opportunity m, else 0.
    fn term(&self, x: usize, m: usize, left: bool) -> Term {
        let e = usize::from(left);
        let (a, b, ab) = (self.alpha.0[x], self.beta.0[m - x], self.both.0[m]);
        let (d, gd) = (self.delta.0[m], self.leaving.0[m + e]);
        let g = if left { [self.gamma.ln(), 1.0 / self.gamma, -self.gamma.powi(-2)] } else { [0.0; 3] };
        let mut second = [[0.0; 4]; 4];
        second[0] = [a[2] - ab[2], -ab[2], 0.0, 0.0];
        second[1] = [-ab[2], b[2] - ab[2], 0.0, 0.0];
        second[2] = [0.0, 0.0, g[2] - gd[2], -gd[2]];
        second[3] = [0.0, 0.0, -gd[2], d[2] - gd[2]];
        Term {
            log: a[0] + b[0] - ab[0] + g[0] + d[0] - gd[0],
            first: [a[1] - ab[1], b[1] - ab[1], g[1] - gd[1], d[1] - gd[1]],
            second,
        }
    }

    /// Had not left after opportunity n.
    fn stayed(&self, h: Opportunities) -> Term {
        self.term(h.x as usize, h.n as usize, false)
    }

    /// Left after opportunity t_x, t_x + 1, … n − 1.
    fn left(&self, h: Opportunities) -> impl Iterator<Item = Term> {
        (h.t_x..h.n).map(move |m| self.term(h.x as usize, m as usize, true))
    }

    fn log_likelihood(&self, h: Opportunities) -> f64 {
        let stayed = self.stayed(h).log;
        let top = self.left(h).map(|t| t.log).fold(stayed, f64::max);
        let sum: f64 = (stayed - top).exp() + self.left(h).map(|t| (t.log - top).exp()).sum::<f64>();
        top + sum.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Yearly donations of 11,104 people who first gave in 1995: (x, t_x) after n = 6 years, and how many.
    ///
    /// Fader, Hardie & Shang (2010), table 1.
    const DONORS: [(u32, u32, f64); 22] = [
        (0, 0, 3464.0),
        (1, 1, 1091.0),
        (1, 2, 277.0),
        (1, 3, 129.0),
        (1, 4, 78.0),
        (1, 5, 119.0),
        (1, 6, 129.0),
        (2, 2, 613.0),
        (2, 3, 255.0),
        (2, 4, 155.0),
        (2, 5, 173.0),
        (2, 6, 234.0),
        (3, 3, 322.0),
        (3, 4, 181.0),
        (3, 5, 225.0),
        (3, 6, 357.0),
        (4, 4, 240.0),
        (4, 5, 284.0),
        (4, 6, 512.0),
        (5, 5, 335.0),
        (5, 6, 728.0),
        (6, 6, 1203.0),
    ];
    const PAPER: BetaGeometricBinomial =
        BetaGeometricBinomial { alpha: 1.204, beta: 0.750, gamma: 0.657, delta: 2.783 };

    fn donors() -> Vec<(Opportunities, f64)> {
        DONORS.iter().map(|&(x, t_x, w)| (Opportunities { x, t_x, n: 6 }, w)).collect()
    }

    #[test]
    fn the_donors_of_the_paper() {
        assert_eq!(DONORS.iter().map(|d| d.2).sum::<f64>(), 11_104.0);
        let fit = BetaGeometricBinomial::fit(&donors(), &FitOptions::default()).expect("fits");
        for ((name, found), printed) in fit.model.parameters().into_iter().zip([1.204, 0.750, 0.657, 2.783]) {
            assert!((found - printed).abs() < 5e-4, "{name} = {found}, printed {printed}");
        }
        assert!((fit.log_likelihood + 33_225.6).abs() < 0.05, "{}", fit.log_likelihood);
        assert!(fit.notes.is_empty() && fit.standard_errors.iter().all(Option::is_some));
    }

    #[test]
    fn all_histories_together_have_probability_one() {
        // a history of given (x, t_x) can come about in C(t_x − 1, x − 1) ways
        let choose = |n: u32, k: u32| (0..k).map(|i| f64::from(n - i) / f64::from(i + 1)).product::<f64>();
        let total: f64 = donors()
            .iter()
            .map(|(h, _)| {
                let ways = if h.x == 0 { 1.0 } else { choose(h.t_x - 1, h.x - 1) };
                ways * PAPER.log_likelihood(*h).exp()
            })
            .sum();
        assert!((total - 1.0).abs() < 1e-12, "{total}");
    }

    #[test]
    fn who_bought_at_the_last_opportunity_had_not_left_before_it() {
        let h = Opportunities { x: 2, t_x: 6, n: 6 };
        assert!((PAPER.p_alive(h) - (2.783 + 6.0) / (0.657 + 2.783 + 6.0)).abs() < 1e-12);
    }

    #[test]
    fn gamma_of_one_is_no_singularity() {
        let h = Opportunities { x: 3, t_x: 5, n: 6 };
        let at = |gamma| BetaGeometricBinomial { gamma, ..PAPER }.expected(h, 10);
        assert!((at(1.0) - 0.5 * (at(1.0 - 1e-6) + at(1.0 + 1e-6))).abs() < 1e-9);
    }

    #[test]
    fn the_expectation_is_the_closed_form_of_the_paper() {
        use crate::special::{log_beta, log_gamma};
        // eq. 13
        let BetaGeometricBinomial { alpha, beta, gamma, delta } = PAPER;
        let h = Opportunities { x: 3, t_x: 4, n: 6 };
        let ratio = |n: f64| (log_gamma(1.0 + delta + n) - log_gamma(gamma + delta + n)).exp();
        let expected = (log_beta(alpha + 4.0, beta + 3.0) - log_beta(alpha, beta) - PAPER.log_likelihood(h)).exp()
            * delta
            / (gamma - 1.0)
            * (log_gamma(gamma + delta) - log_gamma(1.0 + delta)).exp()
            * (ratio(6.0) - ratio(11.0));
        assert!((PAPER.expected(h, 5) / expected - 1.0).abs() < 1e-10, "{expected}");
    }

    #[test]
    fn thin_data_lean_on_the_prior_and_say_so() {
        let few = [(Opportunities { x: 2, t_x: 3, n: 5 }, 4.0), (Opportunities { x: 0, t_x: 0, n: 5 }, 6.0)];
        let fit = BetaGeometricBinomial::fit(&few, &FitOptions::default()).expect("fits");
        assert!(fit.notes[0].0.contains("only 4 of 10"), "{:?}", fit.notes);
        assert!(fit.model.parameters().iter().all(|(_, v)| (0.05..50.0).contains(v)));
    }

    #[test]
    fn where_everybody_always_buys_the_fit_is_finite() {
        let data = [(Opportunities { x: 5, t_x: 5, n: 5 }, 500.0)];
        let fit = BetaGeometricBinomial::fit(&data, &FitOptions::default()).expect("ends");
        assert!(fit.notes.iter().any(|n| n.0.contains("no drop-out")), "{fit:?}");
        assert!((fit.model.expected(data[0].0, 10) - 10.0).abs() < 0.1);
    }

    #[test]
    fn the_median_wait_is_the_first_opportunity_with_even_odds() {
        let h = Opportunities { x: 4, t_x: 6, n: 6 };
        let wait = PAPER.median_wait(h, 1000).expect("a good customer");
        assert!(PAPER.p_active(h, wait) >= 0.5 && PAPER.p_active(h, wait - 1) < 0.5);
        assert_eq!(PAPER.median_wait(Opportunities { x: 1, t_x: 1, n: 6 }, 1000), None);
    }

    fn histories() -> impl Strategy<Value = Opportunities> {
        (0_u32..200, 0.0_f64..=1.0, 0.0_f64..=1.0).prop_map(|(n, last, use_)| {
            let t_x = (f64::from(n) * last) as u32;
            let x = if t_x == 0 { 0 } else { 1 + (f64::from(t_x - 1) * use_) as u32 };
            Opportunities { x, t_x, n }
        })
    }

    fn models() -> impl Strategy<Value = BetaGeometricBinomial> {
        let log = || (-5.0_f64..5.0).prop_map(f64::exp);
        (log(), log(), log(), log()).prop_map(|(alpha, beta, gamma, delta)| BetaGeometricBinomial {
            alpha,
            beta,
            gamma,
            delta,
        })
    }

    proptest! {
        #[test]
        fn counts_are_a_distribution_with_the_expectation(m in models(), h in histories(), ahead in 0_u32..60) {
            let counts = m.counts(h, ahead);
            prop_assert!((counts.total() - 1.0).abs() < 1e-10);
            prop_assert!((counts.mean() - m.expected(h, ahead)).abs() < 1e-9 * (1.0 + counts.mean()));
            prop_assert!((1.0 - counts.at(0) - m.p_active(h, ahead)).abs() < 1e-10);
            prop_assert!((0.0..=1.0).contains(&m.p_alive(h)));
        }

        #[test]
        fn derivatives_agree_with_differences(m in models(), h in histories()) {
            const H: f64 = 1e-5;
            let theta: Vec<f64> = m.parameters().iter().map(|(_, v)| v.ln()).collect();
            let at = |i: usize, step: f64| {
                let mut t = theta.clone();
                t[i] += step;
                let p: Vec<f64> = t.iter().map(|v| v.exp()).collect();
                BetaGeometricBinomial { alpha: p[0], beta: p[1], gamma: p[2], delta: p[3] }.derivatives(&[(h, 1.0)])
            };
            let here = m.derivatives(&[(h, 1.0)]);
            for i in 0..4 {
                let (up, down) = (at(i, H), at(i, -H));
                let slope = (up.value - down.value) / (2.0 * H);
                prop_assert!((slope - here.gradient[i]).abs() < 1e-6 * (1.0 + slope.abs() + here.value.abs() * 1e-2));
                for j in 0..4 {
                    let second = (up.gradient[j] - down.gradient[j]) / (2.0 * H);
                    prop_assert!((second - here.hessian[4 * i + j]).abs() < 1e-5 * (1.0 + second.abs()));
                }
            }
        }
    }
}
