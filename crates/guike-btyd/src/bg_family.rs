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
//! # Source      Fader, Hardie & Lee (2005), eq. 6 and 10; Batislam, Denizel & Filiztekin (2007); Platzer & Reutterer
//! (2016); the forward part is derived here and checked against the closed forms in `published.rs`

use guike_core::{FitError, Note};

use crate::count_model::{CountDistribution, wait_by_bisection};
use crate::fit::{Estimate, FitOptions, not_converged, standard_errors_of_exp};
use crate::grouped::{Grouped, History};
use crate::negative_binomial::NegativeBinomial;
use crate::optimize::{Coordinate, Evaluation, Maximum, maximise};
use crate::prior::{LogNormalPrior, add_prior, is_thin, thin_note};
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

/// Value, gradient and Hessian in (ln r, ln α, ln a, ln b).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Derivatives {
    pub(crate) value: f64,
    pub(crate) gradient: [f64; 4],
    pub(crate) hessian: [[f64; 4]; 4],
}

/// The sum Q over the sub-events since the last purchase, with derivatives by R and u as the likelihood needs them.
#[derive(Clone, Copy)]
struct Waiting {
    log_q: f64,
    /// Q_R / Q
    by_r: f64,
    /// u Q_u / Q
    by_u: f64,
    /// Q_RR / Q − (Q_R / Q)²
    by_rr: f64,
    /// u (Q_Ru / Q − Q_R Q_u / Q²)
    by_ru: f64,
    /// u² (Q_uu / Q − (Q_u / Q)²)
    by_uu: f64,
}

impl Waiting {
    const NONE: Waiting = Waiting { log_q: 0.0, by_r: 0.0, by_u: 0.0, by_rr: 0.0, by_ru: 0.0, by_uu: 0.0 };

    fn new(k: u32, shape: f64, u: f64) -> Waiting {
        if k == 1 {
            return Waiting::NONE;
        }
        let (mut q, mut q_r, mut q_rr) = (1.0, 0.0, 0.0);
        let (mut sum, mut sum_r, mut sum_rr, mut sum_u, mut sum_ru, mut sum_uu) = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        for j in 1..k {
            let j = f64::from(j);
            let (factor, by) = (shape + j - 1.0, u / j);
            (q, q_r, q_rr) = (q * factor * by, (q_r * factor + q) * by, (q_rr * factor + 2.0 * q_r) * by);
            sum += q;
            sum_r += q_r;
            sum_rr += q_rr;
            sum_u += j * q;
            sum_ru += j * q_r;
            sum_uu += j * (j - 1.0) * q;
        }
        let (by_r, by_u) = (sum_r / sum, sum_u / sum);
        Waiting {
            log_q: sum.ln(),
            by_r,
            by_u,
            by_rr: sum_rr / sum - by_r * by_r,
            by_ru: sum_ru / sum - by_r * by_u,
            by_uu: sum_uu / sum - by_u * by_u,
        }
    }
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

    /// The log-likelihood of all customers with its derivatives.
    pub(crate) fn derivatives(&self, data: &Grouped, survivors: &[f64]) -> Derivatives {
        let Family { kind, r, alpha, a, b } = *self;
        let customers = data.total_weight();
        let mut value = customers * r * alpha.ln();
        // natural parameters first, logarithms at the end
        let mut g = [0.0; 4];
        let mut hess = [[0.0; 4]; 4];
        g[0] += customers * alpha.ln();
        g[1] += customers * r / alpha;
        hess[0][1] += customers / alpha;
        hess[1][1] -= customers * r / (alpha * alpha);
        // Γ(r+kx)/Γ(r): the factor r+i belongs to all customers with kx > i
        for (x, &weight) in survivors.iter().enumerate() {
            for i in 0..kind.k as usize {
                let s = r + (kind.k as usize * x + i) as f64;
                value += weight * s.ln();
                g[0] += weight / s;
                hess[0][0] -= weight / (s * s);
            }
        }
        // B(a, b+x+m)/B(a, b): the factor (b+i)/(a+b+i) belongs to all with x+m > i
        let early = (0..kind.early_chances).map(|_| customers);
        for (i, weight) in early.chain(survivors.iter().copied()).enumerate() {
            let (low, high) = (1.0 / (b + i as f64), 1.0 / (a + b + i as f64));
            value += weight * (high / low).ln();
            g[2] -= weight * high;
            g[3] += weight * (low - high);
            hess[2][2] += weight * high * high;
            hess[2][3] += weight * high * high;
            hess[3][3] += weight * (high * high - low * low);
        }
        let logs: Vec<f64> = data.times().iter().map(|t| (alpha + t).ln()).collect();
        let inverses: Vec<f64> = data.times().iter().map(|t| 1.0 / (alpha + t)).collect();
        for (x, run) in data.runs() {
            let run_x = RunOfX::new(self, *x);
            for group in run.clone() {
                let (age, recency) = (data.age_idx()[group] as usize, data.recency_idx()[group] as usize);
                let weight = data.weights()[group];
                let waiting = if kind.k == 1 {
                    Waiting::NONE
                } else {
                    Waiting::new(kind.k, run_x.shape, (data.times()[age] - data.times()[recency]) * inverses[age])
                };
                let times = LogTimes {
                    log_age: logs[age],
                    log_recency: logs[recency],
                    by_age: inverses[age],
                    by_recency: inverses[recency],
                };
                value += weight * run_x.add(&times, &waiting, weight, &mut g, &mut hess);
            }
        }
        in_logarithms(value, g, hess, [r, alpha, a, b])
    }
}

/// ln(α + T), ln(α + t_x) and their derivatives by α.
struct LogTimes {
    log_age: f64,
    log_recency: f64,
    by_age: f64,
    by_recency: f64,
}

/// What all customers of one x share.
struct RunOfX {
    shape: f64,
    /// ln a/(b+x+m−1), or −∞ when nobody can have left.
    log_ratio: f64,
    by_a: f64,
    by_b: f64,
}

impl RunOfX {
    fn new(family: &Family, x: u32) -> RunOfX {
        let shape = family.r + f64::from(family.kind.k * x);
        let chances = x + family.kind.early_chances;
        if chances == 0 {
            return RunOfX { shape, log_ratio: f64::NEG_INFINITY, by_a: 0.0, by_b: 0.0 };
        }
        let later = family.b + f64::from(chances - 1);
        RunOfX { shape, log_ratio: (family.a / later).ln(), by_a: 1.0 / family.a, by_b: -1.0 / later }
    }

    /// ln(alive + left) of one history; adds `weight` times its derivatives by (r, α, a, b).
    #[inline]
    fn add(&self, t: &LogTimes, q: &Waiting, weight: f64, g: &mut [f64; 4], hess: &mut [[f64; 4]; 4]) -> f64 {
        let shape = self.shape;
        let log_alive = q.log_q - shape * t.log_age;
        let alive = [q.by_r - t.log_age, -t.by_age * (shape + q.by_u)];
        let alive_ra = -t.by_age * (1.0 + q.by_ru);
        let alive_aa = t.by_age * t.by_age * (shape + q.by_uu + 2.0 * q.by_u);
        if self.log_ratio == f64::NEG_INFINITY {
            g[0] += weight * alive[0];
            g[1] += weight * alive[1];
            hess[0][0] += weight * q.by_rr;
            hess[0][1] += weight * alive_ra;
            hess[1][1] += weight * alive_aa;
            return log_alive;
        }
        let odds = shape * (t.log_age - t.log_recency) - q.log_q + self.log_ratio;
        let e = (-odds.abs()).exp();
        let small = e / (1.0 + e);
        let (left, stay) = if odds > 0.0 { (1.0 - small, small) } else { (small, 1.0 - small) };
        let value = log_alive + odds.max(0.0) + e.ln_1p();

        // derivative of "left" less that of "alive"
        let diff = [-t.log_recency - alive[0], -shape * t.by_recency - alive[1], self.by_a, self.by_b];
        let (wl, ws) = (weight * left, weight * stay);
        g[0] += weight * (alive[0] + left * diff[0]);
        g[1] += weight * (alive[1] + left * diff[1]);
        g[2] += wl * diff[2];
        g[3] += wl * diff[3];
        let cross = wl * stay;
        for i in 0..4 {
            for j in i..4 {
                hess[i][j] += cross * diff[i] * diff[j];
            }
        }
        hess[0][0] += ws * q.by_rr;
        hess[0][1] += ws * alive_ra - wl * t.by_recency;
        hess[1][1] += ws * alive_aa + wl * shape * t.by_recency * t.by_recency;
        hess[2][2] -= wl * self.by_a * self.by_a;
        hess[3][3] += wl * self.by_b * self.by_b;
        value
    }
}

/// Derivatives by the logarithms of the parameters; `hess` has its upper triangle filled.
fn in_logarithms(value: f64, g: [f64; 4], hess: [[f64; 4]; 4], p: [f64; 4]) -> Derivatives {
    let gradient = std::array::from_fn(|i| g[i] * p[i]);
    let hessian = std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let second = hess[i.min(j)][i.max(j)] * p[i] * p[j];
            if i == j { second + g[i] * p[i] } else { second }
        })
    });
    Derivatives { value, gradient, hessian }
}

/// ln(1 + eˣ).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

const NAMES: [&str; 4] = ["ln r", "ln alpha", "ln a", "ln b"];
/// The box of the search, per parameter.
const LOWER: [f64; 4] = [1e-4, 1e-4, 1e-5, 1e-3];
const UPPER: [f64; 4] = [1e3, 1e6, 1e3, 1e4];
/// Fits with more groups take their first steps on about this many.
const COARSE_GROUPS: usize = 3000;
/// Drop-out chances below this are no drop-out: a customer would make a thousand purchases.
const NO_DROP_OUT: f64 = 1e-3;

/// Maximum likelihood, or the posterior mode where the data are thin.
pub(crate) fn fit(
    learner: &'static str,
    kind: Kind,
    data: &Grouped,
    options: &FitOptions,
) -> Result<Estimate<Family>, FitError> {
    if data.is_empty() {
        return Err(FitError::TooLittle { learner, needs: "customers".into(), found: "are none".into() });
    }
    let thin = is_thin(data, options);
    let start = start(kind, data);
    let mut maximum = None;
    if data.len() > 2 * COARSE_GROUPS {
        let coarse = data.coarsened(data.len().div_ceil(COARSE_GROUPS));
        // a start that fails is no harm: the full fit begins elsewhere
        maximum = search(kind, &coarse, options, thin, start).ok();
    }
    let start = maximum.map_or(start, |m: Maximum| std::array::from_fn(|i| m.theta[i].exp()));
    let maximum = search(kind, data, options, thin, start).map_err(|failure| not_converged(learner, &failure))?;
    let [r, alpha, a, b] = std::array::from_fn(|i| maximum.theta[i].exp());
    let model = Family { kind, r, alpha, a, b };
    let mut notes = Vec::new();
    let mut log_likelihood = maximum.value;
    if thin {
        notes.push(thin_note(data, options));
        log_likelihood = model.derivatives(data, &survivors(data)).value;
    }
    notes.extend(remarks(&model));
    Ok(Estimate {
        model,
        log_likelihood,
        standard_errors: standard_errors_of_exp(&maximum),
        notes,
        iterations: maximum.iterations,
    })
}

fn search(
    kind: Kind,
    data: &Grouped,
    options: &FitOptions,
    thin: bool,
    start: [f64; 4],
) -> Result<Maximum, crate::optimize::Failure> {
    let coordinates = coordinates(start);
    let survivors = survivors(data);
    maximise(&coordinates, options.stop, |theta| {
        let [r, alpha, a, b] = std::array::from_fn(|i| theta[i].exp());
        let d = Family { kind, r, alpha, a, b }.derivatives(data, &survivors);
        let mut evaluation = Evaluation { value: d.value, gradient: d.gradient.to_vec(), hessian: d.hessian.concat() };
        if thin {
            add_prior(&mut evaluation, theta, &priors(kind));
        }
        evaluation
    })
}

/// The box of the search in logarithms, with its start.
pub(crate) fn coordinates(start: [f64; 4]) -> [Coordinate; 4] {
    std::array::from_fn(|i| Coordinate {
        name: NAMES[i],
        start: start[i].ln(),
        lower: LOWER[i].ln(),
        upper: UPPER[i].ln(),
    })
}

pub(crate) fn priors(kind: Kind) -> [LogNormalPrior; 4] {
    let LogNormalPrior { median, log_sd } = LogNormalPrior::RATE_SCALE;
    [
        LogNormalPrior::RATE_SHAPE,
        // k sub-events make a purchase, so their rate is k times as high
        LogNormalPrior { median: median / f64::from(kind.k), log_sd },
        LogNormalPrior::DROP_OUT_A,
        LogNormalPrior::DROP_OUT_B,
    ]
}

/// A start at the observed rate of purchases with typical heterogeneity and drop-out.
pub(crate) fn start(kind: Kind, data: &Grouped) -> [f64; 4] {
    let totals = data.totals();
    let rate = (totals.repeats + 0.5) / (totals.age + 1.0) * f64::from(kind.k);
    [0.5, (0.4 / rate).clamp(0.01, 1e4), 0.8, 2.0]
}

/// Customers with more than 0, 1, 2 … repeat purchases.
pub(crate) fn survivors(data: &Grouped) -> Vec<f64> {
    let mut survivors = vec![0.0; data.max_x() as usize];
    for (x, run) in data.runs().iter().filter(|(x, _)| *x > 0) {
        survivors[*x as usize - 1] += data.weights()[run.clone()].iter().sum::<f64>();
    }
    for x in (1..survivors.len()).rev() {
        survivors[x - 1] += survivors[x];
    }
    survivors
}

/// What the estimates say about the shop that a reader should know.
pub(crate) fn remarks(model: &Family) -> Vec<Note> {
    let mut notes = Vec::new();
    if model.a / (model.a + model.b) < NO_DROP_OUT {
        notes.push(Note(
            "no drop-out was detected: customers differ in how often they buy, but none was seen to leave".into(),
        ));
    } else if model.a + model.b > 0.5 * UPPER[2] {
        notes.push(Note("the chance of leaving does not measurably differ between customers".into()));
    }
    if model.r > 0.5 * UPPER[0] {
        notes.push(Note("how often customers buy does not measurably differ between them".into()));
    }
    if model.alpha > 0.5 * UPPER[1] {
        notes.push(Note("almost nobody buys again: the expected rate of purchases is near zero".into()));
    }
    notes
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(kind: Kind, t: [f64; 4]) -> Family {
        let [r, alpha, a, b] = t.map(f64::exp);
        Family { kind, r, alpha, a, b }
    }

    fn customers() -> Grouped {
        let x = [0, 0, 1, 1, 2, 3, 3, 7, 40];
        let recency = [0.0, 0.0, 1.0, 9.0, 5.0, 2.0, 30.0, 33.0, 38.0];
        let age = [39.0, 2.0, 39.0, 9.0, 21.0, 30.0, 39.0, 35.0, 38.0];
        Grouped::new(&x, &recency, &age).expect("valid")
    }

    proptest! {
        #[test]
        fn derivatives_match_differences(
            k in 1_u32..6, early_chances in 0_u32..2, t in prop::array::uniform4(-2.0_f64..2.0),
        ) {
            let (kind, data) = (Kind { k, early_chances }, customers());
            let survivors = survivors(&data);
            let here = at(kind, t).derivatives(&data, &survivors);
            let direct: f64 = data.iter().map(|(h, w)| w * at(kind, t).log_likelihood(h)).sum();
            prop_assert!((here.value - direct).abs() < 1e-11 * direct.abs(), "{} {}", here.value, direct);
            let h = 1e-5;
            for i in 0..4 {
                let moved = |by: f64| at(kind, std::array::from_fn(|j| if i == j { t[j] + by } else { t[j] }));
                let (up, down) = (moved(h).derivatives(&data, &survivors), moved(-h).derivatives(&data, &survivors));
                let slope = (up.value - down.value) / (2.0 * h);
                prop_assert!((slope - here.gradient[i]).abs() < 1e-6 * (1.0 + slope.abs()), "{} {}", i, slope);
                for j in 0..4 {
                    let bend = (up.gradient[j] - down.gradient[j]) / (2.0 * h);
                    prop_assert!((bend - here.hessian[i][j]).abs() < 1e-5 * (1.0 + bend.abs()), "{} {} {}", i, j, bend);
                }
            }
        }
    }

    #[test]
    fn customers_who_never_leave_show_no_drop_out_and_say_so() {
        // everybody was seen in the last week
        let n = 600_u32;
        let x: Vec<u32> = (0..n).map(|i| 1 + i % 17).collect();
        let age: Vec<f64> = (0..n).map(|i| f64::from(140 + i % 90)).collect();
        let recency: Vec<f64> = age.iter().map(|t| t - 1.0).collect();
        let data = Grouped::from_days(&x, &recency, &age).expect("valid");
        let fit = fit("bg-nbd", Kind { k: 1, early_chances: 0 }, &data, &FitOptions::default()).expect("fits");
        assert!(fit.notes.iter().any(|n| n.0.starts_with("no drop-out was detected")), "{fit:?}");
        assert!(fit.model.p_alive(data.history(0)) > 0.99);
    }

    #[test]
    fn a_shop_of_twenty_gets_a_finite_model_that_says_so() {
        let x: Vec<u32> = (0..20).map(|i| [0, 0, 0, 1, 2][i % 5]).collect();
        let age: Vec<f64> = (0..20).map(|i| f64::from(20 + 7 * i)).collect();
        let recency: Vec<f64> = age.iter().zip(&x).map(|(t, x)| (t * f64::from(*x) / 3.0).floor()).collect();
        let data = Grouped::from_days(&x, &recency, &age).expect("valid");
        for k in [1, 3] {
            let fit = fit("bg-nbd", Kind { k, early_chances: 1 }, &data, &FitOptions::default()).expect("fits");
            assert!(fit.notes[0].0.starts_with("only 8 of 20 customers bought again"), "{:?}", fit.notes);
            assert!(fit.standard_errors.iter().all(Option::is_some));
            let Family { r, alpha, a, b, .. } = fit.model;
            assert!([r, alpha, a, b].iter().all(|p| (0.01..200.0).contains(p)), "{:?}", fit.model);
        }
    }

    #[test]
    fn one_customer_or_one_day_is_enough() {
        for (x, t_x, age) in [(0, 0.0, 0.0), (0, 0.0, 400.0), (3, 9.0, 9.0)] {
            let data = Grouped::from_days(&[x], &[t_x], &[age]).expect("valid");
            for kind in [Kind { k: 1, early_chances: 0 }, Kind { k: 2, early_chances: 1 }] {
                let fit = fit("bg-nbd", kind, &data, &FitOptions::default()).expect("fits");
                assert!(fit.model.expected_if_alive(data.history(0), 52.0).is_finite());
            }
        }
    }

    #[test]
    fn a_shop_without_any_repeat_purchase_gets_a_finite_model_even_without_a_prior() {
        let age: Vec<f64> = (0..50).map(f64::from).collect();
        let data = Grouped::from_days(&[0; 50], &[0.0; 50], &age).expect("valid");
        let options = FitOptions { thin_below_repeaters: 0.0, ..FitOptions::default() };
        for early_chances in [0, 1] {
            let fit = fit("bg-nbd", Kind { k: 1, early_chances }, &data, &options).expect("fits");
            let h = data.history(20);
            assert!(fit.model.p_alive(h) * fit.model.expected_if_alive(h, 52.0) < 1e-2, "{fit:?}");
        }
    }
}
