//! The common mathematics of BG/NBD, MBG/NBD, BG/CNBD-k and MBG/CNBD-k.
//!
//! The one idea: all four are one model with two switches. Sub-events come at a rate λ ~ Gamma(r, α); every k-th one is
//! a purchase (k = 1: random buyers, k > 1: regular buyers with Erlang-k gaps). After a purchase the customer leaves
//! with probability p ~ Beta(a, b); in the modified (M) models already after the first purchase. Integrating λ and p:
//!
//! ```text
//! L = Γ(r+kx)/Γ(r) αʳ B(a, b+x+m)/B(a, b) · ( (α+T)^−(r+kx) Q + [x+m > 0] a/(b+x+m−1) (α+t_x)^−(r+kx) )
//! Q = Σ_{j<k} (r+kx)_j / j! uʲ,  u = (T−t_x)/(α+T)
//! ```
//! with m = 1 in the modified models and 0 otherwise. The first term in brackets is "alive, and fewer than k sub-events
//! since the last purchase", the second "left at the last purchase".
//!
//! What a live customer does next is exact too: given j sub-events since the last purchase the rate is
//! Gamma(r+kx+j, α+T), sub-events are negative binomial, and each purchase is survived with the chance of a
//! Beta(a, b+x+m); no hypergeometric function, no singularity at a = 1 or a = 0.
//!
//! Derivatives are in `bg_likelihood`, the fit in `bg_fit`.
//!
//! # Source      Fader, Hardie & Lee (2005), eq. 6 and 10; Batislam, Denizel & Filiztekin (2007); Platzer & Reutterer
//! (2016); the forward part is derived here and checked against the closed forms in `published.rs`

use crate::bg_likelihood::Waiting;
use crate::count_model::{CountDistribution, wait_by_bisection};
use crate::grouped::History;
use crate::negative_binomial::NegativeBinomial;
use crate::special::{log_rising, logistic};

/// Which member of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Regularity k ≥ 1.
    pub(crate) k: u32,
    /// m: chances to leave before the first repeat purchase, 0 or 1.
    pub(crate) early_chances: u32,
}

/// One member with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Family {
    pub(crate) kind: Kind,
    pub(crate) r: f64,
    pub(crate) alpha: f64,
    pub(crate) a: f64,
    pub(crate) b: f64,
}

impl Family {
    /// The factor of the likelihood that depends on x only: ln Γ(r+kx)/Γ(r) + r ln α + ln B(a, b+x+m)/B(a, b).
    fn log_common(&self, x: u32) -> f64 {
        let rising = |start: f64, n: u32| log_rising(start, n as usize).last().copied().unwrap_or(0.0);
        let chances = x + self.kind.early_chances;
        rising(self.r, self.kind.k * x) + self.r * self.alpha.ln() + rising(self.b, chances)
            - rising(self.a + self.b, chances)
    }

    /// ln of the "alive" term, and ln of "left" / "alive" (−∞ when nobody can have left).
    fn log_alive_and_odds_left(&self, h: History) -> (f64, f64) {
        let shape = self.r + f64::from(self.kind.k * h.x);
        let waiting = Waiting::new(self.kind.k, shape, (h.age - h.t_x) / (self.alpha + h.age)).log_q;
        let log_alive = waiting - shape * (self.alpha + h.age).ln();
        let chances = h.x + self.kind.early_chances;
        if chances == 0 {
            return (log_alive, f64::NEG_INFINITY);
        }
        let gap = ((h.age - h.t_x) / (self.alpha + h.t_x)).ln_1p();
        let odds = shape * gap - waiting + self.a.ln() - (self.b + f64::from(chances - 1)).ln();
        (log_alive, odds)
    }

    pub(crate) fn log_likelihood(&self, h: History) -> f64 {
        let (log_alive, odds) = self.log_alive_and_odds_left(h);
        self.log_common(h.x) + log_alive + softplus(odds)
    }

    pub(crate) fn p_alive(&self, h: History) -> f64 {
        logistic(-self.log_alive_and_odds_left(h).1)
    }

    /// Per stage j < k of the current gap: its probability given "alive", and the sub-events to come.
    fn stages(&self, h: History, horizon: f64) -> impl Iterator<Item = (u32, f64, NegativeBinomial)> {
        let k = self.kind.k;
        let shape = self.r + f64::from(k * h.x);
        let rate = self.alpha + h.age;
        let u = (h.age - h.t_x) / rate;
        let weights: Vec<f64> = (0..k)
            .scan(1.0, |w, j| {
                if j > 0 {
                    *w *= (shape + f64::from(j - 1)) * u / f64::from(j);
                }
                Some(*w)
            })
            .collect();
        let total: f64 = weights.iter().sum();
        weights
            .into_iter()
            .enumerate()
            .filter(|(_, w)| *w > 0.0)
            .map(move |(j, w)| (j as u32, w / total, NegativeBinomial::new(shape + j as f64, rate, horizon)))
    }

    pub(crate) fn p_active_if_alive(&self, h: History, horizon: f64) -> f64 {
        let k = self.kind.k;
        if k == 1 {
            return NegativeBinomial::new(self.r + f64::from(h.x), self.alpha + h.age, horizon).positive();
        }
        let none: f64 =
            self.stages(h, horizon).map(|(j, weight, events)| weight * events.below((k - j) as usize)).sum();
        (1.0 - none).clamp(0.0, 1.0)
    }

    pub(crate) fn wait_if_alive(&self, h: History, probability: f64) -> f64 {
        if self.kind.k > 1 {
            return wait_by_bisection(|t| self.p_active_if_alive(h, t), probability);
        }
        // 1 − ((α+T)/(α+T+t))^(r+x) = probability
        (self.alpha + h.age) * (-(-probability).ln_1p() / (self.r + f64::from(h.x))).exp_m1()
    }

    pub(crate) fn expected_if_alive(&self, h: History, horizon: f64) -> f64 {
        let k = self.kind.k as usize;
        let b = self.b + f64::from(h.x + self.kind.early_chances);
        self.stages(h, horizon)
            .map(|(j, weight, events)| {
                // purchases = (j + sub-events) / k; E[purchases made before leaving | that many] by its recurrence
                let (mut purchases, mut survived, mut made, mut sum) = (0, 1.0, 0.0, 0.0);
                let norm = events.visit(1e-15, |n, p| {
                    while (purchases + 1) * k <= j as usize + n {
                        made += survived;
                        survived *= (b + purchases as f64) / (self.a + b + purchases as f64);
                        purchases += 1;
                    }
                    sum += p * made;
                });
                weight * sum / norm
            })
            .sum()
    }

    pub(crate) fn counts_if_alive(&self, h: History, horizon: f64, tail: f64) -> CountDistribution {
        let k = self.kind.k as usize;
        // purchases if nobody left
        let mut willing: Vec<f64> = Vec::new();
        for (j, weight, events) in self.stages(h, horizon) {
            let (first, list) = events.list(0.5 * tail);
            for (i, p) in list.into_iter().enumerate() {
                let n = (j as usize + first + i) / k;
                if willing.len() <= n {
                    willing.resize(n + 1, 0.0);
                }
                willing[n] += weight * p;
            }
        }
        let mut more = vec![0.0; willing.len()];
        for n in (0..willing.len() - 1).rev() {
            more[n] = more[n + 1] + willing[n + 1];
        }
        let b = self.b + f64::from(h.x + self.kind.early_chances);
        let mut survived = 1.0;
        let mut probabilities = Vec::with_capacity(willing.len());
        for n in 0..willing.len() {
            if n == 0 {
                probabilities.push(willing[0]);
                continue;
            }
            // the n-th purchase happened and either no more would have, or the customer left at it
            let left = survived * self.a / (self.a + b + (n - 1) as f64);
            probabilities.push(survived * willing[n] + left * more[n]);
            survived *= (b + (n - 1) as f64) / (self.a + b + (n - 1) as f64);
            if survived * more[n] < 0.5 * tail {
                break;
            }
        }
        CountDistribution { first: 0, probabilities }
    }
}

/// ln(1 + eˣ).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `CountModel` for a public model that is a member of the family, with its parameters in the papers' order.
macro_rules! count_model_of_the_family {
    ($model:ident: $($parameter:ident),+) => {
        impl CountModel for $model {
            fn log_likelihood(&self, history: History) -> f64 {
                self.family().log_likelihood(history)
            }

            fn p_alive(&self, history: History) -> f64 {
                self.family().p_alive(history)
            }

            fn expected_if_alive(&self, history: History, horizon: f64) -> f64 {
                self.family().expected_if_alive(history, horizon)
            }

            fn p_active_if_alive(&self, history: History, horizon: f64) -> f64 {
                self.family().p_active_if_alive(history, horizon)
            }

            fn counts_if_alive(&self, history: History, horizon: f64, tail: f64) -> CountDistribution {
                self.family().counts_if_alive(history, horizon, tail)
            }

            fn recency_matters_if_alive(&self) -> bool {
                self.family().kind.k > 1
            }

            fn wait_if_alive(&self, history: History, probability: f64) -> f64 {
                self.family().wait_if_alive(history, probability)
            }

            fn parameters(&self) -> Vec<(&'static str, f64)> {
                vec![$((stringify!($parameter), f64::from(self.$parameter))),+]
            }
        }
    };
}
pub(crate) use count_model_of_the_family;
