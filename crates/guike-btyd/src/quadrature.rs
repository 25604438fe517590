//! Integrals of a product of two falling powers, the shape of every integral in the Pareto/NBD.
//!
//! The one idea: ∫ ((α+τ)/(α+a))^−A ((β+τ)/(β+a))^−B dτ has a smooth positive integrand, so a few Gauss–Legendre panels
//! give it to 1e-14 for any parameters, where its closed form is a difference of two hypergeometric functions that
//! cancels, overflows or converges slowly. Derivatives by the parameters are integrals of the same kind at the same
//! points.
//!
//! In u = ln((m+τ)/(m+a)), m = min(α, β), the nearest singularity is π away in the imaginary direction whatever the
//! parameters; panels are at most 1.5 long in u and hold at most e⁻³ of decay, and the sum stops where the rest of the
//! interval cannot change it.

/// The integrand: `((alpha+τ)/(alpha+a))^−alpha_power · ((beta+τ)/(beta+a))^−beta_power`, with 1 at the lower limit a.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PowerProduct {
    pub(crate) alpha: f64,
    pub(crate) beta: f64,
    pub(crate) alpha_power: f64,
    pub(crate) beta_power: f64,
}

/// A point τ of the integral, as the integrand and its derivatives need it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// Rule's weight times integrand.
    pub(crate) weight: f64,
    /// τ.
    pub(crate) time: f64,
    /// ln((α+τ)/(α+a)).
    pub(crate) ln_alpha: f64,
    /// ln((β+τ)/(β+a)).
    pub(crate) ln_beta: f64,
    /// 1/(α+τ).
    pub(crate) by_alpha: f64,
    /// 1/(β+τ).
    pub(crate) by_beta: f64,
}

/// Gauss–Legendre points on (−1, 1) with their weights.
///
/// # Source      roots of P₄ and P₈; Abramowitz & Stegun (1964), table 25.4
pub(crate) const GAUSS_4: [(f64, f64); 4] = [
    (-0.861_136_311_594_052_58, 0.347_854_845_137_453_86),
    (-0.339_981_043_584_856_26, 0.652_145_154_862_546_14),
    (0.339_981_043_584_856_26, 0.652_145_154_862_546_14),
    (0.861_136_311_594_052_58, 0.347_854_845_137_453_86),
];
/// See [`GAUSS_4`].
pub(crate) const GAUSS_8: [(f64, f64); 8] = [
    (-0.960_289_856_497_536_23, 0.101_228_536_290_376_26),
    (-0.796_666_477_413_626_74, 0.222_381_034_453_374_47),
    (-0.525_532_409_916_328_99, 0.313_706_645_877_887_29),
    (-0.183_434_642_495_649_80, 0.362_683_783_378_361_98),
    (0.183_434_642_495_649_80, 0.362_683_783_378_361_98),
    (0.525_532_409_916_328_99, 0.313_706_645_877_887_29),
    (0.796_666_477_413_626_74, 0.222_381_034_453_374_47),
    (0.960_289_856_497_536_23, 0.101_228_536_290_376_26),
];

/// Longest panel in u: half of it is an eighth of the way to the nearest singularity, so eight points reach 1e-15.
const LONGEST: f64 = 1.5;
/// Most decay within a panel of eight points, as an exponent.
const DECAY: f64 = 3.0;
/// Panels this short with this little decay need four points only.
const SHORT: f64 = 0.15;
const LITTLE_DECAY: f64 = 0.2;
/// What cannot change a double.
const NEGLIGIBLE: f64 = 1e-18;

impl PowerProduct {
    fn path(&self, from: f64) -> Path {
        let swapped = self.beta < self.alpha;
        let (near_0, near_power, far_power) = if swapped {
            (self.beta + from, self.beta_power, self.alpha_power)
        } else {
            (self.alpha + from, self.alpha_power, self.beta_power)
        };
        let gap = (self.alpha - self.beta).abs();
        Path { from, swapped, near_0, far_0: near_0 + gap, gap, near_power, far_power }
    }

    /// The integral from `from` to `to`; `visit` sees every point.
    #[inline]
    pub(crate) fn integrate(&self, from: f64, to: f64, mut visit: impl FnMut(&Point)) -> f64 {
        let path = self.path(from);
        let end = path.u_of(to);
        let (mut u, mut sum) = (0.0, 0.0);
        while u < end {
            let (step, decay) = path.step(u, end);
            sum += path.panel(u, step, decay, &mut visit);
            u += step;
            if u < end && decay * u > 20.0 && path.rest_is_below(NEGLIGIBLE * sum, u, to) {
                break;
            }
        }
        sum
    }

    /// The integral alone.
    pub(crate) fn integral(&self, from: f64, to: f64) -> f64 {
        self.integrate(from, to, |_| {})
    }

    /// The τ up to which the integral from `from` is `target`; `None` when it is not reached by `limit`.
    pub(crate) fn reaches(&self, from: f64, target: f64, limit: f64) -> Option<f64> {
        if target <= 0.0 {
            return Some(from);
        }
        let path = self.path(from);
        let end = path.u_of(limit);
        let (mut u, mut sum) = (0.0, 0.0);
        while u < end {
            let (step, decay) = path.step(u, end);
            let here = path.panel(u, step, decay, &mut |_| {});
            if sum + here >= target {
                let wanted = target - sum;
                // within one panel the integral is smooth in u, and its derivative is the integrand
                let (mut low, mut high, mut part) = (0.0, step, step * (wanted / here).min(1.0));
                for _ in 0..60 {
                    let off = path.panel(u, part, decay, &mut |_| {}) - wanted;
                    if off < 0.0 {
                        low = part;
                    } else {
                        high = part;
                    }
                    let newton = part - off / path.height(u + part);
                    let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
                    let moved = (next - part).abs();
                    part = next;
                    if moved <= 1e-15 * (u + part) {
                        break;
                    }
                }
                return Some(path.time(u + part));
            }
            sum += here;
            u += step;
            if u < end && decay * u > 20.0 && path.rest_is_below((target - sum).min(NEGLIGIBLE * sum), u, limit) {
                break;
            }
        }
        None
    }
}

/// The way of the integral in u = ln((m+τ)/(m+a)), where m is the nearer of α and β.
struct Path {
    from: f64,
    /// Whether β is the nearer.
    swapped: bool,
    near_0: f64,
    far_0: f64,
    gap: f64,
    near_power: f64,
    far_power: f64,
}

impl Path {
    fn u_of(&self, time: f64) -> f64 {
        ((time - self.from) / self.near_0).ln_1p()
    }

    fn time(&self, u: f64) -> f64 {
        self.from + self.near_0 * u.exp_m1()
    }

    /// dτ/du times the integrand.
    fn height(&self, u: f64) -> f64 {
        let gain = self.near_0 * u.exp_m1();
        (self.near_0 + gain) * (-self.near_power * u - self.far_power * (gain / self.far_0).ln_1p()).exp()
    }

    /// Length of the panel at `u`, and the decay within reach.
    #[inline]
    fn step(&self, u: f64, end: f64) -> (f64, f64) {
        let reach = (end - u).min(LONGEST);
        let near_reached = self.near_0 * (u + reach).exp();
        // decay grows with u, so this is the most within reach; the variable itself grows by e per unit
        let decay = (self.near_power + self.far_power * near_reached / (near_reached + self.gap)).max(1.0);
        (reach.min(DECAY / decay), decay)
    }

    /// The integral over one panel.
    #[inline]
    fn panel(&self, u: f64, step: f64, decay: f64, visit: &mut impl FnMut(&Point)) -> f64 {
        let half = 0.5 * step;
        let mut sum = 0.0;
        let mut add = |(place, weight): (f64, f64)| {
            let v = u + half * (1.0 + place);
            let gain = self.near_0 * v.exp_m1();
            let ln_far = (gain / self.far_0).ln_1p();
            let near = self.near_0 + gain;
            let height = (-self.near_power * v - self.far_power * ln_far).exp();
            let (weight, time) = (half * weight * near * height, self.from + gain);
            sum += weight;
            let (by_near, by_far) = (1.0 / near, 1.0 / (near + self.gap));
            visit(&if self.swapped {
                Point { weight, time, ln_alpha: ln_far, ln_beta: v, by_alpha: by_far, by_beta: by_near }
            } else {
                Point { weight, time, ln_alpha: v, ln_beta: ln_far, by_alpha: by_near, by_beta: by_far }
            });
        };
        if step <= SHORT && decay * step <= LITTLE_DECAY {
            GAUSS_4.into_iter().for_each(&mut add);
        } else {
            GAUSS_8.into_iter().for_each(&mut add);
        }
        sum
    }

    /// Whether the integral from `u` to the time `to` is less than `bound`: the integrand only falls.
    fn rest_is_below(&self, bound: f64, u: f64, to: f64) -> bool {
        let gain = self.near_0 * u.exp_m1();
        let height = (-self.near_power * u - self.far_power * (gain / self.far_0).ln_1p()).exp();
        height * (to - self.from - gain) < bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::special::{log_hyp2f1, log_sub_exp};
    use proptest::prelude::*;

    /// ln of the integral by the closed form: a difference of two hypergeometric functions.
    ///
    /// # Source      Fader & Hardie (2005), "A note on deriving the Pareto/NBD model", eq. 19 and 20
    fn closed_form(p: &PowerProduct, from: f64, to: f64) -> f64 {
        let (low, high, power) =
            if p.alpha >= p.beta { (p.beta, p.alpha, p.beta_power) } else { (p.alpha, p.beta, p.alpha_power) };
        let total = p.alpha_power + p.beta_power;
        let above = |t: f64| {
            let z = (high - low) / (high + t);
            log_hyp2f1(total - 1.0, power, total, z) - (total - 1.0) * (high + t).ln() - (total - 1.0).ln()
        };
        let scale = p.alpha_power * (p.alpha + from).ln() + p.beta_power * (p.beta + from).ln();
        log_sub_exp(above(from), above(to)) + scale
    }

    proptest! {
        #[test]
        fn quadrature_is_the_difference_of_hypergeometric_functions(
            ln_alpha in -1.0_f64..5.0, ln_beta in -1.0_f64..5.0, a in 0.05_f64..60.0, b in 1.01_f64..8.0,
            from in 0.0_f64..50.0, length in 1.0_f64..100.0,
        ) {
            let p = PowerProduct { alpha: ln_alpha.exp(), beta: ln_beta.exp(), alpha_power: a, beta_power: b };
            let (found, expected) = (p.integral(from, from + length), closed_form(&p, from, from + length).exp());
            // the closed form is the one that cancels
            prop_assert!((found / expected - 1.0).abs() < 1e-9, "{} {}", found, expected);
        }

        #[test]
        fn an_integral_is_the_sum_of_its_parts(
            ln_alpha in -9.0_f64..14.0, ln_beta in -9.0_f64..14.0, ln_a in -6.0_f64..9.3, ln_b in 0.0_f64..5.0,
            from in 0.0_f64..50.0, length in 0.0_f64..1000.0, share in 0.0_f64..1.0,
        ) {
            let p = PowerProduct {
                alpha: ln_alpha.exp(), beta: ln_beta.exp(), alpha_power: ln_a.exp(), beta_power: ln_b.exp(),
            };
            let (middle, to) = (from + share * length, from + length);
            let ratio = (-p.alpha_power * ((middle - from) / (p.alpha + from)).ln_1p()
                - p.beta_power * ((middle - from) / (p.beta + from)).ln_1p()).exp();
            let whole = p.integral(from, to);
            let parts = p.integral(from, middle) + ratio * p.integral(middle, to);
            prop_assert!((whole - parts).abs() <= 2e-12 * whole, "{} {}", whole, parts);
        }

        #[test]
        fn the_integral_reaches_what_it_is(
            ln_alpha in -4.0_f64..8.0, ln_beta in -4.0_f64..8.0, ln_a in -4.0_f64..7.0, ln_b in -4.0_f64..4.0,
            from in 0.0_f64..50.0, share in 0.001_f64..0.999,
        ) {
            let p = PowerProduct {
                alpha: ln_alpha.exp(), beta: ln_beta.exp(), alpha_power: ln_a.exp(), beta_power: ln_b.exp(),
            };
            let target = share * p.integral(from, 1e6);
            let to = p.reaches(from, target, 1e6);
            let found = p.integral(from, to.unwrap_or(f64::NAN));
            prop_assert!((found - target).abs() <= 1e-11 * target, "{:?} {} {}", to, found, target);
        }
    }

    #[test]
    fn what_is_never_reached_is_not_reached() {
        let p = PowerProduct { alpha: 10.0, beta: 12.0, alpha_power: 3.0, beta_power: 1.5 };
        let (near, far) = (p.integral(0.0, 50.0), p.integral(0.0, 1e9));
        assert_eq!(p.reaches(0.0, 2.0 * far, 1e9), None);
        assert_eq!(p.reaches(0.0, 0.5 * (near + far), 50.0), None);
        assert_eq!(p.reaches(3.0, 0.0, 1e6), Some(3.0));
    }

    #[test]
    fn ten_thousand_purchases_are_no_trouble() {
        let p = PowerProduct { alpha: 10.0, beta: 12.0, alpha_power: 10_000.0, beta_power: 1.6 };
        // ∫ ≈ (α+a)/(A−1) to first order
        let found = p.integral(5.0, 40.0);
        assert!((found / (15.0 / 9999.0) - 1.0).abs() < 1e-3, "{found}");
        assert_eq!(p.integral(5.0, 5.0), 0.0);
    }
}
