//! Histograms of derivatives: how a leaf's rows are counted.
//!
//! The one idea: both derivatives of a row are rounded at random to whole numbers and packed into one 64-bit integer (the
//! first in the upper half, the second in the lower), so that a histogram is filled by one integer addition per value, and
//! its sums are exact: they do not depend on the order of rows or threads, and the larger of two siblings is its parent
//! minus the smaller. Rounding at random keeps the sums unbiased (Shi et al. 2022, "Quantized training of gradient boosting
//! decision trees").
//!
//! Rows are counted in chunks: their words are fetched into a small buffer first, which waits for the memory many times at
//! once, and then eight columns are counted per pass, whose histograms fit into the nearest cache together.

use rayon::prelude::*;

use super::codes::{PER_WORD, Words};

/// Packed sums of one column by bin; the last of `B` places is that of missing values, `B` is a power of two.
pub(super) type Histogram<const B: usize> = [i64; B];

/// Rows fetched together.
const CHUNK: usize = 512;
/// Rows above which a histogram is filled by several threads.
const PARALLEL_ROWS: usize = 65_536;
const HALF: i64 = 1 << 32;

/// One packed value from two whole numbers of less than 32 bits; `h` is not negative.
#[inline]
pub(super) fn pack(g: i64, h: i64) -> i64 {
    g.wrapping_mul(HALF).wrapping_add(h)
}

/// The two whole numbers of a sum of packed values.
#[inline]
pub(super) fn unpack(sum: i64) -> (i64, i64) {
    let h = sum & (HALF - 1);
    ((sum - h) >> 32, h)
}

/// Packed derivatives by row and what one unit of each is worth.
pub(super) struct Packed<'a> {
    pub(super) values: &'a [i64],
    pub(super) unit: (f64, f64),
}

/// Counts `rows` into `histograms`, one per column, which are all zero.
pub(super) fn fill<const B: usize>(words: &Words, rows: &[u32], values: &[i64], histograms: &mut [Histogram<B>]) {
    if rows.len() < PARALLEL_ROWS {
        count(words, rows, values, histograms);
        return;
    }
    let counted = rows.par_chunks(PARALLEL_ROWS / 2).map(|rows| {
        let mut histograms = vec![[0; B]; histograms.len()];
        count(words, rows, values, &mut histograms);
        histograms
    });
    // sums of integers are the same in any order
    let sum = counted.reduce_with(|mut a, b| {
        a.iter_mut().flatten().zip(b.iter().flatten()).for_each(|(x, y)| *x += y);
        a
    });
    if let Some(sum) = sum {
        histograms.copy_from_slice(&sum);
    }
}

fn count<const B: usize>(words: &Words, rows: &[u32], values: &[i64], histograms: &mut [Histogram<B>]) {
    let width = words.width;
    // eight more, because columns 4096 bytes apart would drive each other out of the cache
    let mut fetched = vec![[0_u64; CHUNK + 8]; width];
    let mut quanta = [0_i64; CHUNK];
    for rows in rows.chunks(CHUNK) {
        for (i, &row) in rows.iter().enumerate() {
            let row = row as usize;
            quanta[i % CHUNK] = values[row];
            let from = &words.words[row * width..(row + 1) * width];
            fetched.iter_mut().zip(from).for_each(|(to, &word)| to[i % CHUNK] = word);
        }
        for (group, words) in histograms.chunks_mut(PER_WORD).zip(&fetched) {
            add_group(&words[..rows.len()], &quanta[..rows.len()], group);
        }
    }
}

/// Counts up to eight columns of fetched rows.
fn add_group<const B: usize>(words: &[u64], quanta: &[i64], group: &mut [Histogram<B>]) {
    /// One pass for a number of columns known when compiled, so that all of them stand in one loop.
    fn add<const N: usize, const B: usize>(words: &[u64], quanta: &[i64], group: &mut [Histogram<B>]) {
        let group: &mut [Histogram<B>; N] = group.try_into().expect("chosen by its length");
        for (&word, &quantum) in words.iter().zip(quanta) {
            for (place, histogram) in group.iter_mut().enumerate() {
                histogram[(word >> (8 * place)) as usize % B] += quantum;
            }
        }
    }
    match group.len() {
        1 => add::<1, B>(words, quanta, group),
        2 => add::<2, B>(words, quanta, group),
        3 => add::<3, B>(words, quanta, group),
        4 => add::<4, B>(words, quanta, group),
        5 => add::<5, B>(words, quanta, group),
        6 => add::<6, B>(words, quanta, group),
        7 => add::<7, B>(words, quanta, group),
        _ => add::<8, B>(words, quanta, group),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_sums_come_apart_again() {
        for pairs in [vec![(-5, 3), (2, 7)], vec![(-1, 0)], vec![(i64::from(i32::MAX), i64::from(i32::MAX))]] {
            let sum = pairs.iter().map(|&(g, h)| pack(g, h)).sum();
            assert_eq!(unpack(sum), (pairs.iter().map(|p| p.0).sum(), pairs.iter().map(|p| p.1).sum()));
        }
    }

    #[test]
    fn every_number_of_columns_is_counted_by_its_bins() {
        let n = 1_500_usize;
        let values: Vec<i64> = (0..n as i64).map(|i| pack(i - 700, i % 5)).collect();
        let rows: Vec<u32> = (0..n as u32).filter(|r| r % 3 != 1).collect();
        for columns in 1..=17 {
            let code = |row: usize, column: usize| (row * (column + 3) + column) % 64;
            let width = columns_words(columns);
            let mut words = Words { words: vec![0; n * width], width };
            for row in 0..n {
                for column in 0..columns {
                    words.words[row * width + column / 8] |= (code(row, column) as u64) << (8 * (column % 8));
                }
            }
            let mut found = vec![[0_i64; 64]; columns];
            fill(&words, &rows, &values, &mut found);
            let mut expected = vec![[0_i64; 64]; columns];
            for &row in &rows {
                (0..columns).for_each(|c| expected[c][code(row as usize, c)] += values[row as usize]);
            }
            assert_eq!(found, expected, "{columns} columns");
        }
    }

    fn columns_words(columns: usize) -> usize {
        columns.div_ceil(PER_WORD)
    }
}
