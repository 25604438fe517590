//! Numbers to byte bins: what histogram learners count.
//!
//! The one idea: a tree only needs to know the order of a column's values, and 255 steps of that order are enough. Every
//! column becomes one byte per row, [`MISSING`] for NaN, and a split at bin `b` is a split at the border above it, in the
//! column's own units, so that a fitted tree reads raw numbers.
//!
//! Borders lie halfway between neighbouring values, so that each bin holds about the same number of rows and no two rows of
//! one value fall into two bins (as LightGBM's `FindBin`; Ke et al. 2017). Above [`SAMPLE`] rows the borders come from a
//! seeded sample.

use guike_core::{Matrix, Seed};
use rayon::prelude::*;

use crate::points::sample_rows;
use crate::tabular::ColumnKind;

/// The code of a missing value.
pub const MISSING: u8 = 255;
/// Most bins of values per column.
pub const MAX_BINS: usize = 255;
/// Rows from which borders are found.
pub const SAMPLE: usize = 200_000;

/// How one column is cut.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnBins {
    /// Bin `b` holds the values above border `b − 1` up to border `b`; the last has no upper border.
    Number {
        /// Ascending.
        borders: Vec<f64>,
    },
    /// Bin `b` holds the category of code `levels[b]`; what is not listed is missing.
    Category {
        /// Most frequent first.
        levels: Vec<u32>,
    },
}

impl ColumnBins {
    /// Number of bins of values, without the missing one.
    pub fn len(&self) -> usize {
        match self {
            ColumnBins::Number { borders } => borders.len() + 1,
            ColumnBins::Category { levels } => levels.len(),
        }
    }

    /// Whether no value of this column can be told from another.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bin of a value.
    pub fn code(&self, value: f64) -> u8 {
        match self {
            _ if value.is_nan() => MISSING,
            ColumnBins::Number { borders } => borders.partition_point(|&b| b < value) as u8,
            ColumnBins::Category { levels } => {
                levels.iter().position(|&l| f64::from(l) == value).map_or(MISSING, |b| b as u8)
            }
        }
    }

    /// The bins of a column's values.
    fn codes(&self, values: &[f64]) -> Vec<u8> {
        let ColumnBins::Number { borders } = self else { return values.iter().map(|&v| self.code(v)).collect() };
        // a fixed number of steps without a branch: several values are on their way at once
        let mut padded = [f64::INFINITY; 256];
        padded[..borders.len()].copy_from_slice(borders);
        let code = |&value: &f64| {
            let mut at = 0_usize;
            for step in [128, 64, 32, 16, 8, 4, 2, 1] {
                at += step * usize::from(padded[(at + step - 1) % 256] < value);
            }
            // the border beyond the last is below nothing, also not below infinity
            if value.is_nan() { MISSING } else { at as u8 }
        };
        values.iter().map(code).collect()
    }

    fn of_numbers(mut values: Vec<f64>, max_bins: usize) -> ColumnBins {
        values.retain(|v| !v.is_nan());
        values.sort_unstable_by(f64::total_cmp);
        let mut distinct: Vec<(f64, usize)> = Vec::new();
        for v in values {
            match distinct.last_mut() {
                Some((last, n)) if *last == v => *n += 1,
                _ => distinct.push((v, 1)),
            }
        }
        // halfway between two values without overflow, and never on the upper one
        let between = |a: f64, b: f64| {
            let mid = a / 2.0 + b / 2.0;
            if mid >= a && mid < b { mid } else { a }
        };
        if distinct.len() <= max_bins {
            return ColumnBins::Number { borders: distinct.windows(2).map(|w| between(w[0].0, w[1].0)).collect() };
        }
        // values that fill a bin alone take one; the others share the rest equally
        let mut left: usize = distinct.iter().map(|d| d.1).sum();
        let mut bins = max_bins;
        let mut borders = Vec::with_capacity(max_bins - 1);
        let mut filled = 0;
        for i in 0..distinct.len() - 1 {
            filled += distinct[i].1;
            let target = left as f64 / bins as f64;
            let next_is_large = distinct[i + 1].1 as f64 >= target;
            if filled as f64 >= target || (next_is_large && filled as f64 >= 0.5 * target) {
                borders.push(between(distinct[i].0, distinct[i + 1].0));
                left -= filled;
                filled = 0;
                bins -= 1;
                if bins == 1 {
                    break;
                }
            }
        }
        ColumnBins::Number { borders }
    }

    fn of_categories(values: &[f64], max_bins: usize) -> ColumnBins {
        let mut counts: std::collections::BTreeMap<u32, usize> = std::collections::BTreeMap::new();
        for &v in values {
            if v >= 0.0 && v <= f64::from(u32::MAX) && v.fract() == 0.0 {
                *counts.entry(v as u32).or_default() += 1;
            }
        }
        let mut by_count: Vec<(u32, usize)> = counts.into_iter().collect();
        by_count.sort_by_key(|&(code, n)| (std::cmp::Reverse(n), code));
        ColumnBins::Category { levels: by_count.into_iter().take(max_bins - 1).map(|c| c.0).collect() }
    }
}

/// How every column of a matrix is cut.
///
/// ```
/// use guike_core::{Matrix, Seed};
/// use guike_learn::{bins::{Bins, MISSING}, ColumnKind};
/// let x = Matrix::from_columns(4, &[[1.0, 2.0, 2.0, f64::NAN]]);
/// let bins = Bins::fit(&x, &[ColumnKind::Number], 255, Seed(1));
/// assert_eq!(bins.codes(&x)[0], [0, 1, 1, MISSING]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// One per column.
    pub columns: Vec<ColumnBins>,
}

impl Bins {
    /// Cuts every column into at most `max_bins` bins.
    ///
    /// # Panics
    /// When `max_bins` is not in 2 ..= 255 or `kinds` has another length than the columns.
    pub fn fit(x: &Matrix, kinds: &[ColumnKind], max_bins: usize, seed: Seed) -> Bins {
        assert!(
            (2..=MAX_BINS).contains(&max_bins) && kinds.len() == x.n_columns(),
            "2 to 255 bins, one kind per column"
        );
        let sample = (x.n_rows() > SAMPLE).then(|| sample_rows(x.n_rows(), SAMPLE, seed.derive("bins")));
        let columns = (0..x.n_columns())
            .into_par_iter()
            .map(|j| {
                let column = x.column(j);
                let values = match &sample {
                    Some(rows) => rows.iter().map(|&i| column[i]).collect(),
                    None => column.to_vec(),
                };
                match kinds[j] {
                    ColumnKind::Number => ColumnBins::of_numbers(values, max_bins),
                    ColumnKind::Category => ColumnBins::of_categories(&values, max_bins),
                }
            })
            .collect();
        Bins { columns }
    }

    /// The bins of every row, column by column.
    ///
    /// # Shapes
    /// `x`: n × p → p columns of n bytes
    pub fn codes(&self, x: &Matrix) -> Vec<Vec<u8>> {
        self.columns.par_iter().enumerate().map(|(j, c)| c.codes(x.column(j))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[f64], max_bins: usize) -> Bins {
        Bins::fit(&Matrix::from_columns(values.len(), &[values]), &[ColumnKind::Number], max_bins, Seed(1))
    }

    #[test]
    fn few_values_keep_a_bin_each_and_borders_lie_between_them() {
        assert_eq!(numbers(&[3.0, 1.0, 1.0, 2.0], 255).columns[0], ColumnBins::Number { borders: vec![1.5, 2.5] });
    }

    #[test]
    fn many_values_share_bins_of_about_equal_size() {
        let values: Vec<f64> = (0..10_000).map(f64::from).collect();
        let bins = numbers(&values, 100);
        assert_eq!(bins.columns[0].len(), 100);
        let codes = bins.codes(&Matrix::from_columns(values.len(), &[&values]));
        for b in 0..100 {
            let n = codes[0].iter().filter(|&&c| c == b).count();
            assert!((90..=110).contains(&n), "bin {b} holds {n}");
        }
    }

    #[test]
    fn a_value_of_half_the_rows_stands_alone() {
        let values: Vec<f64> = (0..1000).map(|i| if i % 2 == 0 { 0.0 } else { f64::from(i) }).collect();
        let bins = numbers(&values, 10);
        let codes = bins.codes(&Matrix::from_columns(values.len(), &[&values]));
        assert_eq!(codes[0].iter().filter(|&&c| c == 0).count(), 500);
    }

    #[test]
    fn extremes_and_missing_values_have_their_bins() {
        let values = [f64::NEG_INFINITY, -1e308, 1e308, f64::INFINITY, f64::NAN];
        let bins = numbers(&values, 255);
        assert_eq!(bins.codes(&Matrix::from_columns(5, &[&values]))[0], [0, 1, 2, 3, MISSING]);
    }

    #[test]
    fn categories_are_told_apart_by_code_and_unseen_ones_are_missing() {
        let x = Matrix::from_columns(4, &[[7.0, 3.0, 7.0, f64::NAN]]);
        let bins = Bins::fit(&x, &[ColumnKind::Category], 255, Seed(1));
        assert_eq!(bins.codes(&x)[0], [0, 1, 0, MISSING]);
        assert_eq!(bins.columns[0].code(5.0), MISSING);
    }
}
