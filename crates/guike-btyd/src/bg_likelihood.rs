//! The log-likelihood of the BG family over grouped customers, with gradient and Hessian in closed form.
//!
//! The one idea: everything that depends on x only is summed over "customers with more than i purchases", one logarithm
//! per i; logarithms of times are taken once per distinct time; what is left per distinct history is one exponential and
//! one logarithm. All derivatives come along, so Newton's method needs a handful of passes.
//!
//! The formulas are those at the head of `bg_family`.

use crate::bg_family::Family;
use crate::grouped::Grouped;

/// Value, gradient and Hessian in (ln r, ln α, ln a, ln b).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Derivatives {
    pub(crate) value: f64,
    pub(crate) gradient: [f64; 4],
    pub(crate) hessian: [[f64; 4]; 4],
}

/// The sum Q over the sub-events since the last purchase, with derivatives by R and u as the likelihood needs them.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) log_q: f64,
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

    pub(crate) fn new(k: u32, shape: f64, u: f64) -> Waiting {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bg_family::Kind;
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
            let survivors = data.survivors();
            let here = at(kind, t).derivatives(&data, &survivors);
            let direct: f64 = data.iter().map(|(h, w)| w * at(kind, t).log_likelihood(h)).sum();
            // terms of order one cancel, so the sum may lie near zero
            prop_assert!((here.value - direct).abs() < 1e-11 * (1.0 + direct.abs()), "{} {}", here.value, direct);
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
}
