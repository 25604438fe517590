//! Pareto/NBD: random buyers who may leave at any moment, the model the field began with.
//!
//! The one idea: while alive a customer buys at a rate λ of their own, and lifetimes are exponential with a rate μ of
//! their own; both rates are gamma distributed between customers. Memoryless parts make the posterior simple: a
//! customer who is alive after x purchases in T weeks is a new customer of the same model with (r+x, α+T, s, β+T). So
//! every forecast is P(alive) times a forecast for such a newcomer.
//!
//! The papers write the likelihood with two hypergeometric functions, whose difference cancels; other tools return NaN
//! for customers with many purchases. Here the integral behind them is evaluated directly (module `quadrature`), which
//! is stable for any history. Fitting is in `pareto_nbd_fit`.
//!
//! # Source      Schmittlein, Morrison & Colombo (1987), "Counting Your Customers", Management Science 33(1); Fader &
//! Hardie (2005), "A Note on Deriving the Pareto/NBD Model and Related Expressions", brucehardie.com/notes/009

use serde::{Deserialize, Serialize};

use crate::count_model::{CountDistribution, CountModel};
use crate::grouped::History;
use crate::negative_binomial::NegativeBinomial;
use crate::quadrature::{GAUSS_8, PowerProduct};
use crate::special::{log_gamma_ratio, logistic};

/// Random buyers with rates Gamma(r, α), whose lifetimes are exponential with rates Gamma(s, β) (shape, rate).
///
/// # Units       α and β in weeks (in the unit of the histories); r and s are pure numbers
///
/// ```
/// use guike_btyd::{CountModel, grouped::History, pareto_nbd::ParetoNbd};
/// // published estimates for CDNOW (Fader, Hardie & Lee 2005, table 2)
/// let model = ParetoNbd { r: 0.553, alpha: 10.578, s: 0.606, beta: 11.669 };
/// let customer = History { x: 2, t_x: 30.43, age: 38.86 };
/// assert!((model.p_alive(customer) - 0.86917).abs() < 5e-6);
/// assert!((model.expected(customer, 39.0) - 1.45512).abs() < 5e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ParetoNbd {
    /// Shape of the buying rates between customers; small means that few customers make most purchases.
    pub r: f64,
    /// Scale of the buying rates, in weeks; r/α is the mean number of purchases per week while alive.
    pub alpha: f64,
    /// Shape of the leaving rates between customers.
    pub s: f64,
    /// Scale of the leaving rates, in weeks; s/β is the mean rate of leaving.
    pub beta: f64,
}

/// Longest wait that is looked for, in weeks: nineteen thousand years.
const LONGEST_WAIT: f64 = 1e6;

impl ParetoNbd {
    /// Stable name in files and flags.
    pub const NAME: &'static str = "pareto-nbd";
    /// Names of the parameters, in the order of the standard errors.
    pub const PARAMETERS: [&'static str; 4] = ["r", "alpha", "s", "beta"];

    /// Expected purchases of a new customer in their first `time` weeks, not counting the first.
    ///
    /// # Source      Schmittlein, Morrison & Colombo (1987), eq. 17
    pub fn expected_of_newcomer(&self, time: f64) -> f64 {
        // (β/(s−1)) (1 − (β/(β+t))^(s−1)), also at s = 1
        let length = (time / self.beta).ln_1p();
        self.r / self.alpha * self.beta * length * one_minus_exp_over((self.s - 1.0) * length)
    }

    /// P(X(t) ≥ 1) of a new customer: the density of the first purchase times the chance to live until then.
    fn p_active_of_newcomer(&self, time: f64) -> f64 {
        if time <= 0.0 {
            return 0.0;
        }
        (self.r / self.alpha * self.first_purchase().integral(0.0, time)).min(1.0)
    }

    /// The density of a new customer's first purchase, as a share of what it is at the start.
    fn first_purchase(&self) -> PowerProduct {
        PowerProduct { alpha: self.alpha, beta: self.beta, alpha_power: self.r + 1.0, beta_power: self.s }
    }

    /// A customer who is alive after this history, as a new customer.
    fn renewed(&self, h: History) -> ParetoNbd {
        ParetoNbd { r: self.r + f64::from(h.x), alpha: self.alpha + h.age, s: self.s, beta: self.beta + h.age }
    }

    /// ln of P(left) / P(alive): the integral over the moment of leaving between t_x and T.
    ///
    /// # Source      Fader & Hardie (2005), eq. 15 and 34 with A₀ left as the integral
    fn log_odds_left(&self, h: History) -> f64 {
        if h.age <= h.t_x {
            return f64::NEG_INFINITY;
        }
        let (r, s) = (self.r + f64::from(h.x), self.s);
        let left = PowerProduct { alpha: self.alpha, beta: self.beta, alpha_power: r, beta_power: s + 1.0 };
        let gap = h.age - h.t_x;
        (s * left.integral(h.t_x, h.age) / (self.beta + h.t_x)).ln()
            + r * (gap / (self.alpha + h.t_x)).ln_1p()
            + s * (gap / (self.beta + h.t_x)).ln_1p()
    }
}

impl CountModel for ParetoNbd {
    fn log_likelihood(&self, h: History) -> f64 {
        let x = f64::from(h.x);
        let odds = self.log_odds_left(h);
        // Γ(r+x)/Γ(r) (α/(α+T))^r (β/(β+T))^s (α+T)^−x (1 + odds)
        log_gamma_ratio(self.r, x)
            - self.r * (h.age / self.alpha).ln_1p()
            - self.s * (h.age / self.beta).ln_1p()
            - x * (self.alpha + h.age).ln()
            + odds.max(0.0)
            + (-odds.abs()).exp().ln_1p()
    }

    fn p_alive(&self, history: History) -> f64 {
        logistic(-self.log_odds_left(history))
    }

    /// # Source      Fader & Hardie (2005), eq. 41, for a customer who is alive
    fn expected_if_alive(&self, history: History, horizon: f64) -> f64 {
        self.renewed(history).expected_of_newcomer(horizon)
    }

    fn p_active_if_alive(&self, history: History, horizon: f64) -> f64 {
        self.renewed(history).p_active_of_newcomer(horizon)
    }

    /// Negative binomial up to the moment of leaving or the horizon, averaged over that moment.
    ///
    /// # Source
    /// Fader & Hardie (2014), "Deriving the Conditional PMF of the Pareto/NBD Model",
    /// brucehardie.com/notes/028, with the integral evaluated instead of expanded
    fn counts_if_alive(&self, history: History, horizon: f64, tail: f64) -> CountDistribution {
        let now = self.renewed(history);
        let stays = (-now.s * (horizon / now.beta).ln_1p()).exp();
        let mut counts = Mixture::default();
        counts.add(NegativeBinomial::new(now.r, now.alpha, horizon).list(0.25 * tail), stays);
        if 1.0 - stays > 0.25 * tail {
            let mut begin = 0.0;
            while begin < horizon {
                let end = (begin + now.panel(begin)).min(horizon);
                // the moment of leaving is exponential in u = ln(1 + τ/β)
                let (low, high) = ((begin / now.beta).ln_1p(), (end / now.beta).ln_1p());
                for (place, weight) in GAUSS_8 {
                    let u = 0.5 * (low + high) + 0.5 * (high - low) * place;
                    let leaves_here = now.s * (-now.s * u).exp() * 0.5 * (high - low) * weight;
                    let until = now.beta * u.exp_m1();
                    counts.add(NegativeBinomial::new(now.r, now.alpha, until).list(0.25 * tail), leaves_here);
                }
                begin = end;
            }
        }
        counts.into_distribution(0.25 * tail)
    }

    fn wait_if_alive(&self, history: History, probability: f64) -> f64 {
        let now = self.renewed(history);
        now.first_purchase().reaches(0.0, probability * now.alpha / now.r, LONGEST_WAIT).unwrap_or(f64::INFINITY)
    }

    fn parameters(&self) -> Vec<(&'static str, f64)> {
        Self::PARAMETERS.into_iter().zip([self.r, self.alpha, self.s, self.beta]).collect()
    }
}

impl ParetoNbd {
    /// How long after `begin` the distribution of counts stays smooth for eight points.
    ///
    /// Counts up to τ lie around τ r/α with a standard deviation that corresponds to √(τ (τ+α)/r) of time; two of those,
    /// and two mean gaps where counts are small, keep errors below 1e-11. Leaving allows a step of 1 in ln(β+τ).
    fn panel(&self, begin: f64) -> f64 {
        let counting = 2.0 * (self.alpha / self.r + (begin * (begin + self.alpha) / self.r).sqrt());
        counting.min(1.7 * (self.beta + begin))
    }
}

/// (1 − e⁻ᵛ)/v, 1 at v = 0.
fn one_minus_exp_over(v: f64) -> f64 {
    if v == 0.0 { 1.0 } else { -(-v).exp_m1() / v }
}

/// A weighted sum of lists of probabilities that begin at different counts.
#[derive(Default)]
struct Mixture {
    first: usize,
    probabilities: Vec<f64>,
}

impl Mixture {
    fn add(&mut self, (first, list): (usize, Vec<f64>), weight: f64) {
        if self.probabilities.is_empty() {
            self.first = first;
        }
        if first < self.first {
            let mut longer = vec![0.0; self.first - first];
            longer.append(&mut self.probabilities);
            self.probabilities = longer;
            self.first = first;
        }
        let begin = first - self.first;
        if self.probabilities.len() < begin + list.len() {
            self.probabilities.resize(begin + list.len(), 0.0);
        }
        for (sum, p) in self.probabilities[begin..].iter_mut().zip(list) {
            *sum += weight * p;
        }
    }

    /// Ends of the list that hold less than `tail` each are cut.
    fn into_distribution(mut self, tail: f64) -> CountDistribution {
        let mut rest = 0.0;
        while let Some(&last) = self.probabilities.last()
            && self.probabilities.len() > 1
            && rest + last < tail
        {
            rest += last;
            self.probabilities.pop();
        }
        CountDistribution { first: self.first, probabilities: self.probabilities }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CDNOW: ParetoNbd = ParetoNbd { r: 0.553, alpha: 10.578, s: 0.606, beta: 11.669 };

    fn history(x: u32, t_x: f64, age: f64) -> History {
        History { x, t_x, age }
    }

    #[test]
    fn a_customer_who_bought_on_the_last_day_is_alive() {
        assert_eq!(CDNOW.p_alive(history(3, 20.0, 20.0)), 1.0);
    }

    #[test]
    fn silence_speaks_louder_after_many_purchases() {
        let p = |x| CDNOW.p_alive(history(x, 20.0, 40.0));
        assert!(p(1) > p(5) && p(5) > p(50) && p(50) > p(500));
    }

    #[test]
    fn without_leaving_it_is_the_nbd() {
        let still = ParetoNbd { s: 1e-9, ..CDNOW };
        let h = history(2, 10.0, 30.0);
        assert!((still.p_alive(h) - 1.0).abs() < 1e-7);
        assert!((still.expected(h, 10.0) - 2.553 / 40.578 * 10.0).abs() < 1e-6);
        let none = (40.578_f64 / 50.578).powf(2.553);
        assert!((still.p_active(h, 10.0) - (1.0 - none)).abs() < 1e-7);
    }

    #[test]
    fn s_of_one_is_no_singularity() {
        let h = history(2, 10.0, 30.0);
        let at = |s| ParetoNbd { s, ..CDNOW }.expected(h, 39.0);
        assert!((at(1.0) - 0.5 * (at(1.0 - 1e-6) + at(1.0 + 1e-6))).abs() < 1e-9);
    }

    #[test]
    fn who_may_have_left_has_no_median_wait() {
        assert_eq!(CDNOW.median_wait(history(30, 5.0, 39.0)), f64::INFINITY);
        let regular = history(30, 38.0, 39.0);
        let wait = CDNOW.median_wait(regular);
        assert!((CDNOW.p_active(regular, wait) - 0.5).abs() < 1e-9, "{wait}");
    }

    fn models() -> impl Strategy<Value = ParetoNbd> {
        (-5.0_f64..4.0, -4.0_f64..8.0, -7.0_f64..4.0, -4.0_f64..8.0).prop_map(|(r, alpha, s, beta)| ParetoNbd {
            r: r.exp(),
            alpha: alpha.exp(),
            s: s.exp(),
            beta: beta.exp(),
        })
    }

    proptest! {
        #[test]
        fn no_history_gives_nan(
            m in models(), ln_x in 0.0_f64..9.22, share in 0.0_f64..=1.0, age in 0.0_f64..600.0, horizon in 0.1_f64..300.0,
        ) {
            let x = ln_x.exp() as u32 - 1;
            let h = history(x, if x == 0 { 0.0 } else { share * age }, age);
            prop_assert!(m.log_likelihood(h).is_finite());
            let alive = m.p_alive(h);
            prop_assert!((0.0..=1.0).contains(&alive));
            let (expected, active) = (m.expected(h, horizon), m.p_active(h, horizon));
            prop_assert!(expected.is_finite() && expected >= 0.0);
            prop_assert!((0.0..=1.0).contains(&active) && active <= expected * (1.0 + 1e-12), "{} {}", active, expected);
            prop_assert!(m.median_wait(h) >= 0.0);
        }

        #[test]
        fn the_counts_have_the_closed_mean_and_zero(
            r in 0.1_f64..5.0, alpha in 1.0_f64..50.0, s in 0.05_f64..5.0, beta in 1.0_f64..100.0,
            x in 0_u32..300, age in 1.0_f64..100.0, horizon in 1.0_f64..60.0,
        ) {
            let m = ParetoNbd { r, alpha, s, beta };
            let h = history(x, 0.0, age);
            let counts = m.counts_if_alive(h, horizon, 1e-12);
            prop_assert!((counts.total() - 1.0).abs() < 1e-9, "total {}", counts.total());
            let mean = m.expected_if_alive(h, horizon);
            prop_assert!((counts.mean() - mean).abs() < 1e-8 * (1.0 + mean), "{} {}", counts.mean(), mean);
            prop_assert!((1.0 - counts.at(0) - m.p_active_if_alive(h, horizon)).abs() < 1e-9);
        }

        #[test]
        fn more_time_is_more_purchases(m in models(), x in 0_u32..50, age in 0.5_f64..100.0, horizon in 0.1_f64..100.0) {
            let h = history(x, if x == 0 { 0.0 } else { 0.7 * age }, age);
            prop_assert!(m.expected(h, 2.0 * horizon) >= m.expected(h, horizon) * (1.0 - 1e-12));
            prop_assert!(m.p_active(h, 2.0 * horizon) >= m.p_active(h, horizon) * (1.0 - 1e-12));
        }
    }
}
