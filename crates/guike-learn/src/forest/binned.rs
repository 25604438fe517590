//! Columns as bytes for growing forests.
//!
//! The one idea: most cuts are at quantiles, but bins grow smaller towards both ends of a column, down to single rows,
//! because on money the few largest values carry much of the loss (plain quantiles put the top 400 of 100,000 customers
//! into one bin). A value that alone fills a bin gets one of its own. The bytes are kept twice: column by column for large
//! nodes, whose rows are read in order, and row by row for small nodes, whose rows then stay in the nearest cache.

use rayon::prelude::*;

use super::problem::Problem;

/// Most bins of a column.
pub(super) const BINS: usize = 255;
/// The bin of a missing value.
pub(super) const MISSING: u8 = 255;
/// Bins kept back for the upper end while the middle is cut.
const END_BINS: usize = 14;

/// A problem's columns as bins.
#[derive(Debug)]
pub(super) struct Binned {
    pub(super) n_columns: usize,
    n_rows: usize,
    by_column: Vec<u8>,
    by_row: Vec<u8>,
    stride: usize,
    pub(super) cuts: Vec<Cuts>,
}

/// Where one column is cut.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Cuts {
    /// Largest value of each bin but the last, in the sense of `x ≤ threshold`.
    pub(super) thresholds: Vec<f64>,
    /// Smallest and largest value.
    pub(super) range: (f64, f64),
    /// Whether no question may send everything known to the left.
    pub(super) has_others: bool,
}

impl Binned {
    pub(super) fn new(problem: &Problem) -> Binned {
        let (n, p) = (problem.x.n_rows(), problem.x.n_columns());
        let columns: Vec<(Cuts, Vec<u8>)> = (0..p)
            .into_par_iter()
            .map(|j| {
                let column = problem.x.column(j);
                let cuts = Cuts { has_others: problem.has_others(j), ..Cuts::new(column) };
                let bins = column.iter().map(|&v| cuts.bin(v)).collect();
                (cuts, bins)
            })
            .collect();
        // whole registers, so that a pass over all columns of a row has no rest
        let stride = p.next_multiple_of(16);
        let mut by_row = vec![0; n * stride];
        for (j, (_, bins)) in columns.iter().enumerate() {
            bins.iter().enumerate().for_each(|(i, &b)| by_row[i * stride + j] = b);
        }
        let (cuts, bins): (Vec<Cuts>, Vec<Vec<u8>>) = columns.into_iter().unzip();
        Binned { n_columns: p, n_rows: n, by_column: bins.concat(), by_row, stride, cuts }
    }

    pub(super) fn column(&self, j: usize) -> &[u8] {
        &self.by_column[j * self.n_rows..][..self.n_rows]
    }

    /// The bins of a row: one per column, then zeros.
    #[inline]
    pub(super) fn row(&self, row: u32) -> &[u8] {
        &self.by_row[row as usize * self.stride..][..self.stride]
    }
}

impl Cuts {
    fn new(column: &[f64]) -> Cuts {
        let mut values: Vec<f64> = column.iter().copied().filter(|v| !v.is_nan()).collect();
        if values.is_empty() {
            return Cuts::default();
        }
        values.sort_unstable_by(f64::total_cmp);
        let range = (values[0], values[values.len() - 1]);
        let distinct: Vec<(f64, usize)> = values.chunk_by(|a, b| a == b).map(|c| (c[0], c.len())).collect();
        let middle = |i: usize| super::cart::between(distinct[i].0, distinct[i + 1].0);
        let cuts: Vec<usize> =
            if distinct.len() <= BINS { (0..distinct.len() - 1).collect() } else { choose(&distinct, values.len()) };
        Cuts { thresholds: cuts.into_iter().map(middle).collect(), range, has_others: false }
    }

    pub(super) fn bin(&self, value: f64) -> u8 {
        if value.is_nan() { MISSING } else { self.thresholds.partition_point(|&t| t < value) as u8 }
    }

    /// The smallest value that a bin may hold and the largest, as far as thresholds tell.
    pub(super) fn edges(&self, bin: usize) -> (f64, f64) {
        let low = if bin == 0 { self.range.0 } else { self.thresholds[bin - 1] };
        let high = self.thresholds.get(bin).copied().unwrap_or(self.range.1);
        (low, high)
    }
}

/// After which of more than [`BINS`] distinct values to cut.
fn choose(distinct: &[(f64, usize)], n: usize) -> Vec<usize> {
    let is_heavy = |count: usize| count * BINS >= n;
    let mut heavy_left = distinct.iter().filter(|d| is_heavy(d.1)).count();
    let mut light_left: usize = distinct.iter().map(|d| d.1).filter(|&c| !is_heavy(c)).sum();
    let (mut cuts, mut before, mut in_bin) = (Vec::with_capacity(BINS - 1), 0, 0);
    for (i, &(_, count)) in distinct.iter().enumerate().take(distinct.len() - 1) {
        if cuts.len() == BINS - 1 {
            break;
        }
        in_bin += count;
        if is_heavy(count) {
            heavy_left -= 1;
        } else {
            light_left -= count;
        }
        let bins_left = (BINS - cuts.len()).saturating_sub(heavy_left + END_BINS).max(1);
        let after = n - before - in_bin;
        let light_open = light_left + if is_heavy(count) { 0 } else { in_bin };
        let target = (light_open / bins_left).min(before.min(after) / 2).max(1);
        let next_alone = is_heavy(distinct[i + 1].1) && BINS - cuts.len() > 2 * heavy_left;
        if in_bin >= target || next_alone {
            cuts.push(i);
            before += in_bin;
            in_bin = 0;
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_even_in_the_middle_and_small_at_the_ends() {
        let column: Vec<f64> = (0..100_000).map(|i| f64::from(i).powi(3)).collect();
        let cuts = Cuts::new(&column);
        let mut counts = vec![0; BINS + 1];
        column.iter().for_each(|&v| counts[usize::from(cuts.bin(v))] += 1);
        let used = cuts.thresholds.len() + 1;
        assert!((240..=BINS).contains(&used), "{used}");
        assert!(counts[..used].iter().all(|&c| (1..=1000).contains(&c)), "{counts:?}");
        assert_eq!((counts[0], counts[1]), (1, 1));
        assert!(counts[used - 1] <= 4, "{counts:?}");
    }

    #[test]
    fn a_value_that_fills_a_bin_has_its_own() {
        let mut column = vec![0.0; 70_000];
        column.extend((0..30_000).map(|i| f64::from(i) - 10_000.0 + 0.5));
        column.push(f64::NAN);
        let cuts = Cuts::new(&column);
        let zero = cuts.bin(0.0);
        assert_eq!(column.iter().filter(|&&v| cuts.bin(v) == zero).count(), 70_000);
        assert_eq!(cuts.bin(f64::NAN), MISSING);
        assert!(cuts.thresholds.len() > 220, "{}", cuts.thresholds.len());
    }

    #[test]
    fn few_values_are_cut_at_their_middles() {
        let cuts = Cuts::new(&[3.0, 1.0, f64::NAN, 1.0, -1e308, 1e308]);
        assert_eq!(cuts.thresholds, [-5e307, 2.0, 5e307]);
        assert_eq!(cuts.edges(1), (-5e307, 2.0));
        assert_eq!(Cuts::new(&[f64::NAN]), Cuts::default());
    }
}
