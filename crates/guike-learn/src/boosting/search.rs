//! The best question for a leaf, from its histograms.
//!
//! The one idea: gains are compared as fractions in whole units of the rounded derivatives. For left and right sums
//! (g, h) and ridge λ a cut is worth g₁² / (h₁ + λ) + g₂² / (h₂ + λ) (Friedman 2001; Chen & Guestrin 2016, eq. 7), and two
//! such fractions are compared by multiplying across, without a division per cut.
//!
//! Columns with a monotone constraint, categories, and levels of symmetric trees need the leaf values or the gain of every
//! cut; they are searched by the plain formula.

use super::histogram::{Histogram, Packed, unpack};
use crate::bins::ColumnBins;

/// Categories of a column that may be ordered by their mean and cut; more would only fit noise.
const MAX_SORTED_CATEGORIES: usize = 64;
/// Extra ridge on splits of ordered categories (as LightGBM's `cat_l2`), and the count added when ordering them.
const CATEGORY_L2: f64 = 10.0;
/// Columns whose smoothed means are compared need this much second derivative in a category.
const CATEGORY_SMOOTH: f64 = 10.0;

/// What ends the growth.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_leaves: usize,
    pub(super) max_depth: usize,
    pub(super) min_leaf_rows: f64,
    pub(super) min_leaf_hessian: f64,
    pub(super) l2: f64,
    pub(super) min_gain: f64,
    pub(super) symmetric: bool,
}

/// A question in bins, and what it is worth.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cut {
    pub(super) gain: f64,
    pub(super) column: usize,
    pub(super) ask: Ask,
}

/// Who goes left.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ask {
    /// Bins up to this one.
    Number { bin: usize, missing_left: bool },
    /// These bins.
    Category { bins: Vec<usize> },
}

/// Of two cuts the better one; of equals that of the first column.
pub(super) fn better(a: Cut, b: Cut) -> Cut {
    if b.gain > a.gain || (b.gain == a.gain && b.column < a.column) { b } else { a }
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    g: f64,
    h: f64,
}

impl Sums {
    fn plus(self, o: Sums) -> Sums {
        Sums { g: self.g + o.g, h: self.h + o.h }
    }

    fn minus(self, o: Sums) -> Sums {
        Sums { g: self.g - o.g, h: self.h - o.h }
    }

    fn value(self, l2: f64) -> f64 {
        -self.g / (self.h + l2).max(1e-300)
    }

    /// Half the loss that a leaf of this value takes away, times two.
    fn score(self, value: f64, l2: f64) -> f64 {
        -(2.0 * self.g * value + (self.h + l2) * value * value)
    }
}

/// What all cuts of a leaf have in common.
pub(super) struct Search<'a> {
    limits: &'a Limits,
    unit: (f64, f64),
    /// Packed sum of the leaf.
    total: i64,
    total_sums: Sums,
    own_score: f64,
    rows_per_hessian: f64,
    /// Least second derivative of a side in whole units, so that it has rows and curvature enough.
    least: i64,
    bounds: (f64, f64),
}

impl<'a> Search<'a> {
    pub(super) fn new(
        limits: &'a Limits,
        packed: &Packed<'_>,
        total: i64,
        rows: usize,
        bounds: (f64, f64),
    ) -> Search<'a> {
        let mut search = Search {
            limits,
            unit: packed.unit,
            total,
            total_sums: Sums::default(),
            own_score: 0.0,
            rows_per_hessian: 0.0,
            least: 1,
            bounds,
        };
        let sums = search.sums(total);
        search.total_sums = sums;
        search.own_score = sums.score(sums.value(limits.l2).clamp(bounds.0, bounds.1), limits.l2);
        search.rows_per_hessian = rows as f64 / sums.h.max(1e-300);
        let least = limits.min_leaf_hessian.max(limits.min_leaf_rows / search.rows_per_hessian) / packed.unit.1;
        search.least = (least.ceil() as i64).max(1);
        search
    }

    fn sums(&self, packed: i64) -> Sums {
        let (g, h) = unpack(packed);
        Sums { g: g as f64 * self.unit.0, h: h as f64 * self.unit.1 }
    }

    /// The best cut of a column; `monotone` is −1, 0 or 1.
    pub(super) fn best<const B: usize>(
        &self,
        histogram: &Histogram<B>,
        bins: &ColumnBins,
        column: usize,
        monotone: i8,
    ) -> Option<Cut> {
        match bins {
            ColumnBins::Category { levels } => self.categories(histogram, levels.len(), column),
            ColumnBins::Number { borders } if monotone == 0 && self.bounds == UNBOUNDED => {
                self.best_number(histogram, borders.len() + 1, column)
            }
            ColumnBins::Number { borders } => {
                let mut top: Option<Cut> = None;
                self.each_cut(histogram, borders.len() + 1, monotone, |gain, bin, missing_left| {
                    if top.as_ref().is_none_or(|t| gain > t.gain) {
                        top = Some(Cut { gain, column, ask: Ask::Number { bin, missing_left } });
                    }
                });
                top
            }
        }
    }

    /// The best cut of numbers without constraints.
    fn best_number<const B: usize>(&self, histogram: &Histogram<B>, n_bins: usize, column: usize) -> Option<Cut> {
        let (total_g, total_h) = unpack(self.total);
        let l2 = self.limits.l2 / self.unit.1;
        let worth = self.unit.0 / self.unit.1 * self.unit.0;
        let own = total_g as f64 * (total_g as f64 / (total_h as f64 + l2));
        // the fraction to beat, and where it was found
        let mut top = (own + self.limits.min_gain / worth, 1.0);
        let mut found = None;
        let missing = histogram[B - 1];
        // above the last bin only the missing are left
        let last = if missing != 0 { n_bins } else { n_bins - 1 };
        for missing_left in [false, true] {
            let mut left = if missing_left { missing } else { 0 };
            for (bin, here) in histogram[..last].iter().enumerate() {
                left += here;
                let (left_g, left_h) = unpack(left);
                if left_h < self.least {
                    continue;
                }
                let right_h = total_h - left_h;
                if right_h < self.least {
                    break;
                }
                let (g, other_g) = (left_g as f64, (total_g - left_g) as f64);
                let (h, other_h) = (left_h as f64 + l2, right_h as f64 + l2);
                let (above, below) = (g * g * other_h + other_g * other_g * h, h * other_h);
                if above * top.1 > top.0 * below {
                    top = (above, below);
                    found = Some((bin, missing_left));
                }
            }
            if missing == 0 {
                break;
            }
        }
        let (bin, missing_left) = found?;
        let gain = (top.0 / top.1 - own) * worth;
        let ask = Ask::Number { bin, missing_left };
        (gain > 0.0 && gain.is_finite()).then_some(Cut { gain, column, ask })
    }

    /// The gain of sending `left` away from the rest, where both sides are large enough.
    fn gain(&self, left: Sums, l2: f64, monotone: i8) -> Option<f64> {
        let right = self.total_sums.minus(left);
        let smaller = left.h.min(right.h);
        if smaller < self.limits.min_leaf_hessian || smaller * self.rows_per_hessian < self.limits.min_leaf_rows {
            return None;
        }
        let (a, b) = (self.value(left, l2), self.value(right, l2));
        if (monotone > 0 && a > b) || (monotone < 0 && a < b) {
            return None;
        }
        let gain = left.score(a, l2) + right.score(b, l2) - self.own_score;
        (gain > self.limits.min_gain && gain.is_finite()).then_some(gain)
    }

    /// What a side would be worth as a leaf.
    fn value(&self, side: Sums, l2: f64) -> f64 {
        side.value(l2).clamp(self.bounds.0, self.bounds.1)
    }

    /// The bounds of the values of the two halves, where `left` goes left: in a monotone column neither passes the middle
    /// of their values.
    pub(super) fn bounds_of_halves(&self, left: i64, monotone: i8) -> ((f64, f64), (f64, f64)) {
        if monotone == 0 {
            return (self.bounds, self.bounds);
        }
        let left = self.sums(left);
        let right = self.total_sums.minus(left);
        let middle = 0.5 * (self.value(left, self.limits.l2) + self.value(right, self.limits.l2));
        let (lower, upper) = ((self.bounds.0, middle), (middle, self.bounds.1));
        if monotone > 0 { (lower, upper) } else { (upper, lower) }
    }

    /// Calls `cut(gain, bin, missing_left)` for every cut above a bin.
    pub(super) fn each_cut<const B: usize>(
        &self,
        histogram: &Histogram<B>,
        n_bins: usize,
        monotone: i8,
        mut cut: impl FnMut(f64, usize, bool),
    ) {
        let missing = histogram[B - 1];
        let mut left = 0_i64;
        // above the last bin only the missing are left
        let last = if missing != 0 { n_bins } else { n_bins - 1 };
        for bin in 0..last {
            let here = histogram[bin];
            left += here;
            if here == 0 && bin + 1 < n_bins {
                continue;
            }
            if let Some(gain) = self.gain(self.sums(left), self.limits.l2, monotone) {
                cut(gain, bin, false);
            }
            if missing != 0
                && bin + 1 < n_bins
                && let Some(gain) = self.gain(self.sums(left + missing), self.limits.l2, monotone)
            {
                cut(gain, bin, true);
            }
        }
    }

    /// Categories in the order of their mean step, cut as if they were numbers (Fisher 1958; as LightGBM).
    fn categories<const B: usize>(&self, histogram: &Histogram<B>, n_levels: usize, column: usize) -> Option<Cut> {
        let mut order: Vec<(f64, usize, Sums)> = (0..n_levels)
            .map(|bin| (bin, self.sums(histogram[bin])))
            .filter(|(_, s)| s.h > 0.0)
            .map(|(bin, s)| (s.g / (s.h + CATEGORY_SMOOTH), bin, s))
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let l2 = self.limits.l2 + if n_levels > 4 { CATEGORY_L2 } else { 0.0 };
        let place = |k: usize, from_end: bool| order[if from_end { order.len() - 1 - k } else { k }];
        let mut top: Option<(f64, usize, bool)> = None;
        for from_end in [false, true] {
            let mut left = Sums::default();
            for k in 0..order.len().saturating_sub(1).min(MAX_SORTED_CATEGORIES) {
                left = left.plus(place(k, from_end).2);
                if let Some(gain) = self.gain(left, l2, 0)
                    && top.is_none_or(|t| gain > t.0)
                {
                    top = Some((gain, k + 1, from_end));
                }
            }
        }
        let (gain, n, from_end) = top?;
        let bins = (0..n).map(|k| place(k, from_end).1).collect();
        Some(Cut { gain, column, ask: Ask::Category { bins } })
    }
}

/// The bounds of a leaf that no constraint holds.
pub(super) const UNBOUNDED: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
