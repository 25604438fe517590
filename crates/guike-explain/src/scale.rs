//! From data to places on the page: linear, logarithmic and band scales, and ticks at round numbers.

/// A linear scale from a data range to a page range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear {
    /// Data range; low below high.
    pub domain: (f64, f64),
    /// Page range; may run downwards.
    pub range: (f64, f64),
}

impl Linear {
    /// A scale; a domain that is empty or not finite is widened so that every place is defined.
    pub fn new(domain: (f64, f64), range: (f64, f64)) -> Linear {
        let (lo, hi) = domain;
        let domain = match (lo.is_finite() && hi.is_finite(), hi > lo) {
            (true, true) => (lo, hi),
            (true, false) => (lo - lo.abs().max(1.0) * 0.5, lo + lo.abs().max(1.0) * 0.5),
            _ => (0.0, 1.0),
        };
        Linear { domain, range }
    }

    /// The place of a value; values outside the domain lie outside the range.
    pub fn at(&self, value: f64) -> f64 {
        let (d, r) = (self.domain, self.range);
        r.0 + (value - d.0) / (d.1 - d.0) * (r.1 - r.0)
    }

    /// The place of a value, held at the ends.
    pub fn clamped(&self, value: f64) -> f64 {
        self.at(value.clamp(self.domain.0, self.domain.1))
    }
}

/// The step of 1, 2 or 5 times a power of ten that gives at most about `count` steps across `span`.
fn round_step(span: f64, count: usize) -> f64 {
    let raw = span / count.max(1) as f64;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| m * power >= raw * 0.999_999).unwrap_or(10.0);
    step * power
}

/// Round numbers within `[lo, hi]`, at most about `count` steps apart (Heckbert 1990, "Nice numbers for graph labels").
///
/// ```
/// use guike_explain::scale::ticks;
/// assert_eq!(ticks(0.0, 97.0, 5), [0.0, 20.0, 40.0, 60.0, 80.0]);
/// assert!(ticks(1.0, f64::NAN, 5).is_empty());
/// ```
pub fn ticks(lo: f64, hi: f64, count: usize) -> Vec<f64> {
    let span = hi - lo;
    if !(span.is_finite() && span > 0.0) {
        return Vec::new();
    }
    let step = round_step(span, count);
    let first = (lo / step - 1e-9).ceil() as i64;
    let last = (hi / step + 1e-9).floor() as i64;
    // dividing by a whole inverse keeps 0.3 from printing as 0.30000000000000004
    let at = |k: i64| if step < 1.0 { k as f64 / (1.0 / step).round() } else { k as f64 * step };
    (first..=last.min(first + 100)).map(at).collect()
}

/// The range widened to whole steps, so that the outermost ticks are its ends.
pub fn nice(lo: f64, hi: f64, count: usize) -> (f64, f64) {
    let span = hi - lo;
    if !(span.is_finite() && span > 0.0) {
        return (lo, hi);
    }
    let step = round_step(span, count);
    ((lo / step + 1e-9).floor() * step, (hi / step - 1e-9).ceil() * step)
}

/// A logarithmic scale over positive values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Log {
    inner: Linear,
}

impl Log {
    /// A scale; a domain that is not positive or too narrow is widened to one decade.
    pub fn new(domain: (f64, f64), range: (f64, f64)) -> Log {
        let lo = if domain.0.is_finite() && domain.0 > 0.0 { domain.0.clamp(1e-300, 1e300) } else { 0.1 };
        let hi = if domain.1.is_finite() && domain.1 > lo * 1.001 { domain.1 } else { lo * 10.0 };
        Log { inner: Linear::new((lo.log10(), hi.log10()), range) }
    }

    /// The place of a positive value, held at the ends.
    pub fn at(&self, value: f64) -> f64 {
        self.inner.clamped(value.max(f64::MIN_POSITIVE).log10())
    }

    /// The value at a share of the way through the domain.
    pub fn value_at(&self, share: f64) -> f64 {
        let (a, b) = self.inner.domain;
        10f64.powf(a + share * (b - a))
    }

    /// Ticks at powers of ten, thinned or joined by 2 and 5 so that there are about three to seven.
    ///
    /// ```
    /// use guike_explain::scale::Log;
    /// assert_eq!(Log::new((1.0, 1000.0), (0.0, 1.0)).ticks(), [1.0, 10.0, 100.0, 1000.0]);
    /// assert_eq!(Log::new((4.0, 60.0), (0.0, 1.0)).ticks(), [5.0, 10.0, 20.0, 50.0]);
    /// ```
    pub fn ticks(&self) -> Vec<f64> {
        let (a, b) = self.inner.domain;
        let (first, last) = ((a - 1e-9).floor() as i32, (b + 1e-9).ceil() as i32);
        let decades = b - a;
        let (multiples, every): (&[f64], i32) = match decades {
            d if d < 2.2 => (&[1.0, 2.0, 5.0], 1),
            d if d < 7.5 => (&[1.0], 1),
            d => (&[1.0], (d / 6.0).ceil() as i32),
        };
        (first..=last)
            .filter(|k| (k - first).rem_euclid(every) == 0)
            .flat_map(|k| multiples.iter().map(move |m| m * 10f64.powi(k)))
            .filter(|v| (a - 1e-9..=b + 1e-9).contains(&v.log10()))
            .collect()
    }
}

/// Equal bands side by side, with a gap between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    start: f64,
    step: f64,
    /// Width of one band.
    pub width: f64,
}

impl Band {
    /// `n` bands over a page range; `gap` is the share of each step left empty.
    pub fn new(n: usize, range: (f64, f64), gap: f64) -> Band {
        let step = (range.1 - range.0) / n.max(1) as f64;
        Band { start: range.0, step, width: step * (1.0 - gap) }
    }

    /// Distance from one band to the next.
    pub fn step(&self) -> f64 {
        self.step
    }

    /// Where band `i` begins.
    pub fn at(&self, i: usize) -> f64 {
        self.start + self.step * i as f64 + (self.step - self.width) / 2.0
    }

    /// The middle of band `i`.
    pub fn centre(&self, i: usize) -> f64 {
        self.start + self.step * (i as f64 + 0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        for (lo, hi) in [(0.0, 1.0), (-3.2, 17.0), (0.0, 0.007), (1e6, 9e6), (0.2, 0.31)] {
            let t = ticks(lo, hi, 5);
            assert!((2..=11).contains(&t.len()), "{lo}..{hi}: {t:?}");
            assert!(t.iter().all(|v| (lo - 1e-9..=hi + 1e-9).contains(v)), "{t:?}");
        }
        assert_eq!(ticks(0.0, 0.5, 5), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]);
    }

    #[test]
    fn a_nice_range_ends_on_ticks() {
        assert_eq!(nice(0.3, 96.0, 5), (0.0, 100.0));
        assert_eq!(nice(0.0, 100.0, 5), (0.0, 100.0));
    }

    #[test]
    fn scales_are_defined_for_any_domain() {
        for domain in [(0.0, 0.0), (f64::NAN, 1.0), (5.0, 1.0), (f64::INFINITY, f64::INFINITY)] {
            assert!(Linear::new(domain, (0.0, 10.0)).at(3.0).is_finite(), "{domain:?}");
            assert!(Log::new(domain, (0.0, 10.0)).at(0.0).is_finite(), "{domain:?}");
            assert!(Log::new(domain, (0.0, 10.0)).ticks().len() < 50);
        }
    }
}
