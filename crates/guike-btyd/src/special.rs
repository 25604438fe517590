//! Special functions of the probability models: gamma and beta in log space, 2F1 by positive terms, incomplete beta
//! and gamma with inverses.
//!
//! The one idea: never subtract large numbers. Ratios of gamma functions come from differences of Stirling series, not
//! from differences of `lgamma`; hypergeometric series are transformed (Euler) until all terms are positive; tails come
//! from continued fractions. Relative errors are about 1e-13 or better on the documented ranges, and no function
//! returns NaN there.
//!
//! It is deliberately no general library: arguments are positive reals, as in the models.

/// Natural logarithm of the gamma function for `x > 0`.
///
/// # Source      fdlibm's algorithm through the `libm` crate, errors of about 2e-16
///
/// ```
/// use guike_btyd::special::log_gamma;
/// assert!((log_gamma(5.0) - 24.0_f64.ln()).abs() < 1e-15);
/// ```
pub fn log_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// ψ(x) = d ln Γ(x) / dx for `x > 0`.
///
/// # Source      Abramowitz & Stegun (1964), 6.3.5 and 6.3.18
///
/// ```
/// use guike_btyd::special::digamma;
/// assert!((digamma(1.0) + 0.577_215_664_901_532_9).abs() < 1e-14);
/// ```
pub fn digamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 12.0 {
        shift += 1.0 / x;
        x += 1.0;
    }
    let q = 1.0 / (x * x);
    let tail = q
        * (1.0 / 12.0
            - q * (1.0 / 120.0
                - q * (1.0 / 252.0 - q * (1.0 / 240.0 - q * (1.0 / 132.0 - q * (691.0 / 32_760.0 - q / 12.0))))));
    x.ln() - 0.5 / x - tail - shift
}

/// ψ′(x), the second derivative of ln Γ, for `x > 0`.
///
/// # Source      Abramowitz & Stegun (1964), 6.4.6 and 6.4.12
///
/// ```
/// use guike_btyd::special::trigamma;
/// assert!((trigamma(1.0) - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-14);
/// ```
pub fn trigamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 12.0 {
        shift += 1.0 / (x * x);
        x += 1.0;
    }
    let q = 1.0 / (x * x);
    let tail = q
        * (1.0 / 6.0
            - q * (1.0 / 30.0
                - q * (1.0 / 42.0 - q * (1.0 / 30.0 - q * (5.0 / 66.0 - q * (691.0 / 2730.0 - q * 7.0 / 6.0))))));
    shift + 1.0 / x + 0.5 * q + tail / x
}

/// The error of Stirling's formula: ln Γ(x) − ((x − ½) ln x − x + ½ ln 2π), for `x ≥ 10`.
pub fn stirling_error(x: f64) -> f64 {
    let q = 1.0 / (x * x);
    (1.0 / 12.0
        - q * (1.0 / 360.0
            - q * (1.0 / 1260.0 - q * (1.0 / 1680.0 - q * (1.0 / 1188.0 - q * (691.0 / 360_360.0 - q / 156.0))))))
        / x
}

/// ln Γ(z + d) − ln Γ(z) for `z > 0`, `z + d > 0`, without the cancellation of two `lgamma` calls.
///
/// ```
/// use guike_btyd::special::log_gamma_ratio;
/// assert!((log_gamma_ratio(1e8, 1.0) - 1e8_f64.ln()).abs() < 1e-14);
/// ```
pub fn log_gamma_ratio(z: f64, d: f64) -> f64 {
    // shift both arguments up to where Stirling's series is exact to double precision
    let (mut z, mut product) = (z, 1.0);
    while z.min(z + d) < 12.0 {
        product *= z / (z + d);
        z += 1.0;
    }
    let e = d / z;
    product.ln() + (z - 0.5) * e.ln_1p() + d * ((z + d).ln() - 1.0) + stirling_error(z + d) - stirling_error(z)
}

/// ln B(a, b) for `a, b > 0`.
///
/// ```
/// use guike_btyd::special::log_beta;
/// assert!((log_beta(2.0, 3.0) - (1.0_f64 / 12.0).ln()).abs() < 1e-15);
/// ```
pub fn log_beta(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    log_gamma(small) - log_gamma_ratio(large, small)
}

/// ln(eᵃ + eᵇ).
pub fn log_add_exp(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// ln(eᵃ − eᵇ) for `a ≥ b`; minus infinity when they are equal.
pub fn log_sub_exp(a: f64, b: f64) -> f64 {
    if b == f64::NEG_INFINITY { a } else { a + log1m_exp(b - a) }
}

/// ln(1 − eˣ) for `x ≤ 0`.
///
/// # Source      Mächler (2012), "Accurately computing log(1 − exp(−|a|))"
pub fn log1m_exp(x: f64) -> f64 {
    if x > -std::f64::consts::LN_2 { (-x.exp_m1()).ln() } else { (-x.exp()).ln_1p() }
}

/// ln(1 + u) − u without cancellation, for `u > −1`.
pub fn log1p_minus(u: f64) -> f64 {
    if u.abs() > 0.3 {
        return u.ln_1p() - u;
    }
    let r = u / (2.0 + u);
    let q = r * r;
    let (mut power, mut sum, mut k) = (q, 0.0, 3.0);
    while power > 1e-18 * q {
        sum += power / k;
        power *= q;
        k += 2.0;
    }
    2.0 * r * sum - r * u
}

/// Logistic function 1 / (1 + e⁻ˣ), accurate in both tails.
pub fn logistic(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// ln Γ(start + i) − ln Γ(start) for i = 0..=n, by cumulative sums.
///
/// The models need Γ(r + x) / Γ(r) at integers x only; one logarithm per step replaces two `lgamma`s per customer.
///
/// # Shapes      n + 1 values
///
/// ```
/// use guike_btyd::special::log_rising;
/// assert_eq!(log_rising(1.0, 3), vec![0.0, 0.0, 2.0_f64.ln(), 2.0_f64.ln() + 3.0_f64.ln()]);
/// ```
pub fn log_rising(start: f64, n: usize) -> Vec<f64> {
    let mut total = 0.0;
    std::iter::once(0.0)
        .chain((0..n).map(|i| {
            total += (start + i as f64).ln();
            total
        }))
        .collect()
}

/// ln 2F1(a, b; c; z) for `a, b ≥ 0`, `c > 0`, `0 ≤ z < 1`.
///
/// Euler's transformation 2F1(a, b; c; z) = (1 − z)^(c−a−b) 2F1(c−a, c−b; c; z) is applied when it keeps all terms
/// positive and makes them smaller. Sums are rescaled, so nothing overflows. The number of terms grows as 1 / (1 − z).
///
/// # Source      Abramowitz & Stegun (1964), 15.1.1 and 15.3.3
///
/// ```
/// use guike_btyd::special::log_hyp2f1;
/// // 2F1(1, 1; 2; z) = −ln(1 − z) / z
/// assert!((log_hyp2f1(1.0, 1.0, 2.0, 0.5) - (2.0_f64.ln() / 0.5).ln()).abs() < 1e-14);
/// ```
pub fn log_hyp2f1(a: f64, b: f64, c: f64, z: f64) -> f64 {
    if c > a && c > b && 2.0 * c < 2.0 * (a + b) {
        (c - a - b) * (-z).ln_1p() + log_positive_series(c - a, c - b, c, z)
    } else {
        log_positive_series(a, b, c, z)
    }
}

/// ln of Σ (a)ₙ (b)ₙ / ((c)ₙ n!) zⁿ, all terms positive.
fn log_positive_series(a: f64, b: f64, c: f64, z: f64) -> f64 {
    const HUGE: f64 = 1e280;
    let (mut term, mut sum, mut log_scale, mut n) = (1.0, 1.0, 0.0, 0.0);
    loop {
        let ratio = (a + n) * (b + n) / ((c + n) * (n + 1.0)) * z;
        term *= ratio;
        sum += term;
        n += 1.0;
        if sum > HUGE {
            (term, sum, log_scale) = (term / HUGE, sum / HUGE, log_scale + HUGE.ln());
        }
        // later ratios lie between this one and their limit z, so the rest is below a geometric series
        let bound = ratio.max(z);
        if term == 0.0 || (bound < 1.0 && term * bound < f64::EPSILON * 0.25 * sum * (1.0 - bound)) {
            return log_scale + sum.ln();
        }
    }
}

/// 2F1(1, b; c; z) for `0 ≤ b ≤ c`, `c > 1`, `0 ≤ z < 1`: the function that Euler's transformation leaves in the
/// Pareto/NBD likelihood.
///
/// By its series while z is small and by Gauss's continued fraction near 1, where the series is slow.
///
/// # Source      Abramowitz & Stegun (1964), 15.1.1; Gauss (1813), continued fraction
///
/// ```
/// use guike_btyd::special::hyp2f1_unit;
/// assert!((hyp2f1_unit(1.0, 2.0, 0.999) - 1000.0_f64.ln() / 0.999).abs() < 1e-11);
/// ```
pub fn hyp2f1_unit(b: f64, c: f64, z: f64) -> f64 {
    if z < 0.6 {
        let (mut term, mut sum, mut n) = (1.0, 1.0, 0.0);
        loop {
            term *= (b + n) / (c + n) * z;
            sum += term;
            n += 1.0;
            if term * z < f64::EPSILON * 0.25 * sum * (1.0 - z) {
                return sum;
            }
        }
    }
    // modified Lentz on 1 / (1 + d₁z / (1 + d₂z / …)); all convergents are positive
    let p = c - 1.0;
    let mut f = 1.0;
    let (mut up, mut down) = (1.0, 0.0);
    for i in 0..100_000 {
        let m = f64::from(i / 2);
        let d = if i % 2 == 0 {
            -(b + m) * (p + m) / ((p + 2.0 * m) * (p + 2.0 * m + 1.0))
        } else {
            -(m + 1.0) * (p - b + m + 1.0) / ((p + 2.0 * m + 1.0) * (p + 2.0 * m + 2.0))
        };
        down = 1.0 / (1.0 + d * z * down);
        up = 1.0 + d * z / up;
        let change = up * down;
        f *= change;
        if (change - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    1.0 / f
}

/// xᵃ yᵇ / B(a, b) with `y = 1 − x` given separately, so that neither tail is lost.
pub fn beta_power_term(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 || y <= 0.0 {
        return 0.0;
    }
    if a.min(b) < 12.0 {
        return (a * x.ln() + b * y.ln() - log_beta(a, b)).exp();
    }
    // expand around the mean a / (a + b): the linear terms of both logarithms cancel exactly
    let n = a + b;
    let (mean_x, mean_y) = (a / n, b / n);
    let e = if x < y { x - mean_x } else { mean_y - y };
    let exponent = a * log1p_minus(e / mean_x) + b * log1p_minus(-e / mean_y);
    let correction = stirling_error(n) - stirling_error(a) - stirling_error(b);
    (a * mean_y / std::f64::consts::TAU).sqrt() * (exponent + correction).exp()
}

/// The regularised incomplete beta function Iₓ(a, b) for `a, b > 0`, with `y = 1 − x` given separately.
///
/// # Source      Abramowitz & Stegun (1964), 26.5.8, by the modified Lentz method
///
/// ```
/// use guike_btyd::special::inc_beta;
/// assert!((inc_beta(2.0, 2.0, 0.25, 0.75) - 0.15625).abs() < 1e-15);
/// ```
pub fn inc_beta(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let power = beta_power_term(a, b, x, y);
    if x * (a + b + 2.0) < a + 1.0 {
        (power * beta_fraction(a, b, x) / a).min(1.0)
    } else {
        (1.0 - power * beta_fraction(b, a, y) / b).max(0.0)
    }
}

/// The continued fraction of Iₓ(a, b) left of its mean, by the modified Lentz method.
pub(crate) fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut up = 1.0;
    let mut down = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut f = down;
    // about sqrt(max(a, b)) steps are needed
    for m in 1..100_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        down = 1.0 / away(1.0 + even * down);
        up = away(1.0 + even / up);
        f *= down * up;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        down = 1.0 / away(1.0 + odd * down);
        up = away(1.0 + odd / up);
        let change = down * up;
        f *= change;
        if (change - 1.0).abs() < 2.0 * f64::EPSILON {
            break;
        }
    }
    f
}

/// The regularised lower incomplete gamma function P(a, x) for `a > 0`, `x ≥ 0`.
///
/// # Source      Abramowitz & Stegun (1964), 6.5.29 and 6.5.31
///
/// ```
/// use guike_btyd::special::inc_gamma;
/// assert!((inc_gamma(1.0, 2.0) - (1.0 - (-2.0_f64).exp())).abs() < 1e-15);
/// ```
pub fn inc_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x == f64::INFINITY {
        return 1.0;
    }
    if x < a + 1.0 { gamma_power_term(a, x) * gamma_series(a, x) } else { 1.0 - inc_gamma_upper(a, x) }
}

/// The regularised upper incomplete gamma function Q(a, x) = 1 − P(a, x), accurate in the far tail.
pub fn inc_gamma_upper(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x < a + 1.0 {
        return 1.0 - inc_gamma(a, x);
    }
    let mut c = f64::INFINITY;
    let mut d = 1.0 / (x + 1.0 - a);
    let mut f = d;
    for i in 1..100_000 {
        let i = f64::from(i);
        let numerator = i * (a - i);
        let b = x + 1.0 - a + 2.0 * i;
        d = 1.0 / (numerator * d + b);
        c = b + numerator / c;
        let change = c * d;
        f *= change;
        if (change - 1.0).abs() < 2.0 * f64::EPSILON {
            break;
        }
    }
    gamma_power_term(a, x) * f
}

/// Σ xⁿ Γ(a) / Γ(a + 1 + n).
fn gamma_series(a: f64, x: f64) -> f64 {
    let mut term = 1.0 / a;
    let mut sum = term;
    let mut n = a;
    while term > sum * f64::EPSILON * 0.25 {
        n += 1.0;
        term *= x / n;
        sum += term;
    }
    sum
}

/// xᵃ e⁻ˣ / Γ(a).
fn gamma_power_term(a: f64, x: f64) -> f64 {
    if a < 12.0 {
        return (a * x.ln() - x - log_gamma(a)).exp();
    }
    (a / std::f64::consts::TAU).sqrt() * (a * log1p_minus((x - a) / a) - stirling_error(a)).exp()
}

/// The x with Iₓ(a, b) = `probability`, as the odds x / (1 − x), so that both tails keep their digits.
///
/// # Units       odds in [0, ∞]; this is the quantile of the beta-prime distribution
pub fn inc_beta_inverse_odds(a: f64, b: f64, probability: f64) -> f64 {
    if probability <= 0.0 {
        return 0.0;
    }
    if probability >= 1.0 {
        return f64::INFINITY;
    }
    // in u = ln odds the density is xᵃ yᵇ / B(a, b)
    increasing_root((a / b).ln(), probability, |u| {
        let (x, y) = (logistic(u), logistic(-u));
        (inc_beta(a, b, x, y), beta_power_term(a, b, x, y))
    })
    .exp()
}

/// The x with P(a, x) = `probability`.
pub fn inc_gamma_inverse(a: f64, probability: f64) -> f64 {
    if probability <= 0.0 {
        return 0.0;
    }
    if probability >= 1.0 {
        return f64::INFINITY;
    }
    increasing_root(a.ln(), probability, |u| {
        let x = u.exp();
        (inc_gamma(a, x), gamma_power_term(a, x))
    })
    .exp()
}

/// Solves `cdf(u) = level` for an increasing function that comes with its derivative: Newton inside a bracket, so it
/// ends whatever the shape; `u` within ±745 (the logarithms of positive doubles).
pub fn increasing_root(start: f64, level: f64, cdf: impl Fn(f64) -> (f64, f64)) -> f64 {
    const LIMIT: f64 = 745.0;
    let (mut low, mut high) = (-LIMIT, LIMIT);
    let (mut u, mut stride) = (start.clamp(-LIMIT, LIMIT), 1.0);
    for _ in 0..200 {
        let (value, slope) = cdf(u);
        if value == level {
            return u;
        }
        if value < level {
            low = u;
        } else {
            high = u;
        }
        let newton = u - (value - level) / slope;
        let next = if slope > 0.0 && newton > low && newton < high && (newton - u).abs() <= 8.0 * stride {
            stride = stride.max((newton - u).abs());
            newton
        } else if low == -LIMIT || high == LIMIT {
            stride *= 2.0;
            if value < level { (u + stride).min(high) } else { (u - stride).max(low) }
        } else {
            0.5 * (low + high)
        };
        if (next - u).abs() <= 4.0 * f64::EPSILON * u.abs().max(0.25) {
            return next;
        }
        u = next;
    }
    u
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(ours: f64, reference: f64) {
        assert!((ours - reference).abs() <= 2e-13 * reference.abs().max(1e-3), "{ours}, SciPy {reference}");
    }

    #[test]
    fn psi_functions_agree_with_scipy() {
        for (x, first) in [
            (1e-3, -1_000.575_571_931_810_3),
            (0.3, -3.502_524_222_200_133),
            (7.5, 1.946_757_484_246_086_6),
            (250.0, 5.519_459_584_531_046),
            (1e5, 11.512_920_464_961_896),
        ] {
            close(digamma(x), first);
            close(trigamma(x), trigamma(x + 1.0) + 1.0 / (x * x));
        }
        close(trigamma(0.5), std::f64::consts::PI.powi(2) / 2.0);
        assert!(digamma(1.461_632_144_968_362_3).abs() < 1e-15);
    }

    #[test]
    fn beta_functions_agree_with_scipy() {
        for (a, b, x, inc, log) in [
            (0.3, 2.5, 1e-3, 0.176_845_639_962_567_94, 0.863_778_073_303_248_1),
            (6.25, 3.74, 0.6, 0.414_012_645_763_797_04, -6.084_705_740_212_388),
            (40.0, 3.2, 0.9, 0.226_133_346_090_939_38, -11.005_091_570_480_502),
            (0.01, 0.02, 0.5, 0.666_719_461_041_272_3, 5.010_313_350_697_985),
            (5000.0, 300.0, 0.945, 0.688_704_909_866_088_7, -1_154.751_967_614_072_8),
        ] {
            close(inc_beta(a, b, x, 1.0 - x), inc);
            close(log_beta(a, b), log);
        }
        // 1e5 and 1e4: rounding of x alone moves the last digits
        assert!((inc_beta(1e5, 1e4, 0.909, 0.091) - 0.457_113_112_875_184_8).abs() < 1e-12);
    }

    #[test]
    fn gamma_functions_agree_with_scipy() {
        for (a, x, lower, upper) in [
            (0.3, 1e-4, 0.070_302_327_077_011_8, 0.929_697_672_922_988_2),
            (3.74, 2.0, 0.179_976_173_617_045_93, 0.820_023_826_382_954),
            (50.0, 80.0, 0.999_869_216_023_408_6, 0.000_130_783_976_591_407_2),
            (5000.0, 4950.0, 0.240_479_914_316_020_7, 0.759_520_085_683_979_2),
            (1e5, 100_400.0, 0.896_935_618_746_993_6, 0.103_064_381_253_006_39),
        ] {
            close(inc_gamma(a, x), lower);
            close(inc_gamma_upper(a, x), upper);
        }
    }

    #[test]
    fn hypergeometric_functions_agree_with_scipy() {
        for (a, b, c, z, value) in [
            (2.24, 4.4, 4.2, 0.5, 5.136_964_573_705_325_f64),
            (0.5, 1.6, 3.0, 0.99, 1.744_087_447_376_898_8),
            (100.2, 1.6, 101.8, 0.7, 6.489_878_871_945_083),
            (3.0, 12.0, 2.5, 0.3, 128.430_140_676_839_73),
        ] {
            close(log_hyp2f1(a, b, c, z), value.ln());
        }
    }

    proptest! {
        #[test]
        fn both_ways_to_the_unit_hypergeometric_function_agree(b in 0.0_f64..500.0, more in 0.0_f64..20.0, z in 0.0_f64..0.99) {
            let c = b.max(1.0) + more + 0.01;
            let (ours, general) = (hyp2f1_unit(b, c, z).ln(), log_positive_series(1.0, b, c, z));
            prop_assert!((ours - general).abs() < 1e-12, "{} {}", ours, general);
        }

        #[test]
        fn ratios_of_gamma_functions_do_not_cancel(z in 1e-3_f64..1e7, d in 0.0_f64..1e4) {
            let direct = log_gamma(z + d) - log_gamma(z);
            let rounding = 1e-15 * (log_gamma(z + d).abs() + log_gamma(z).abs());
            prop_assert!((log_gamma_ratio(z, d) - direct).abs() <= 1e-13 * direct.abs() + 4.0 * rounding + 1e-13);
        }

        #[test]
        fn inverses_invert(a in 0.05_f64..500.0, b in 0.05_f64..500.0, level in 1e-6_f64..0.999_999) {
            let odds = inc_beta_inverse_odds(a, b, level);
            prop_assume!(odds > 1e-200 && odds < 1e200);
            prop_assert!((inc_beta(a, b, odds / (1.0 + odds), 1.0 / (1.0 + odds)) - level).abs() < 1e-11);
            prop_assert!((inc_gamma(a, inc_gamma_inverse(a, level)) - level).abs() < 1e-11);
        }

        #[test]
        fn tails_of_sums_in_logarithms_are_exact(a in -50.0_f64..50.0, gap in 1e-9_f64..60.0) {
            prop_assert!((log_sub_exp(log_add_exp(a, a - gap), a - gap) - a).abs() < 1e-12);
            prop_assert!((log1p_minus(gap / 61.0) - ((gap / 61.0).ln_1p() - gap / 61.0)).abs() < 1e-16 + 1e-15 * gap);
        }
    }
}
