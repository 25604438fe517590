//! The rows as bytes, laid out for growing trees.
//!
//! The one idea: eight bytes are one word, and a row is a few words side by side, so that a histogram pass reads eight
//! columns with one load. The same bytes lie column by column too: dividing the rows of a leaf asks about one column only.
//!
//! The code of a missing value is the last of the histogram's places ([`Binned::places`]), not 255, because histograms of 64
//! places stay in the nearest cache where histograms of 256 do not.

use guike_core::{Matrix, Seed};
use rayon::prelude::*;

use crate::bins::{Bins, MISSING};
use crate::tabular::ColumnKind;

/// Columns per word.
pub(super) const PER_WORD: usize = 8;
/// Rows per piece of parallel work.
const BLOCK: usize = 4096;

/// A matrix cut into bins: made once, it serves any number of fits on the same columns.
///
/// ```
/// use guike_core::{FitContext, Matrix, Quiet, Seed};
/// use guike_learn::boosting::{Binned, Extra, GradientBoosting};
/// use guike_learn::{ColumnKind, Examples, Task};
/// let column: Vec<f64> = (0..100).map(f64::from).collect();
/// let (x, kinds, y) = (Matrix::from_columns(100, &[&column]), [ColumnKind::Number], column);
/// let learner = GradientBoosting::default();
/// let binned = Binned::new(&x, &kinds, learner.max_bins, Seed(1));
/// let examples = Examples { x: &x, kinds: &kinds, y: &y, weight: None, task: Task::Regression };
/// let extra = Extra { binned: Some(&binned), ..Extra::default() };
/// let model = learner.fit_with(&examples, extra, &FitContext { seed: Seed(1), progress: &Quiet }).unwrap();
/// assert_eq!(model.rounds(), 100);
/// ```
#[derive(Debug, Clone)]
pub struct Binned {
    pub(super) bins: Bins,
    n_rows: usize,
    columns: Vec<Vec<u8>>,
    words: Words,
    /// Columns that tell any two rows apart.
    pub(super) useful: Vec<usize>,
}

/// Bytes of some columns, row by row, each row in whole words.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    pub(super) words: Vec<u64>,
    /// Words per row.
    pub(super) width: usize,
}

impl Binned {
    /// Cuts every column into at most `max_bins` bins.
    ///
    /// # Panics
    /// When `max_bins` is not in 2 ..= 255 or `kinds` has another length than the columns.
    pub fn new(x: &Matrix, kinds: &[ColumnKind], max_bins: u32, seed: Seed) -> Binned {
        let bins = Bins::fit(x, kinds, max_bins as usize, seed);
        let mut columns = bins.codes(x);
        let is_useful =
            |(bins, codes): (&crate::bins::ColumnBins, &Vec<u8>)| bins.len() > 1 || codes.contains(&MISSING);
        let useful: Vec<bool> = bins.columns.par_iter().zip(&columns).map(is_useful).collect();
        let useful = (0..columns.len()).filter(|&j| useful[j]).collect();
        let places = places(&bins);
        if places < 256 {
            let missing = (places - 1) as u8;
            columns.par_iter_mut().flatten().filter(|c| **c == MISSING).for_each(|c| *c = missing);
        }
        let mut binned = Binned { bins, n_rows: x.n_rows(), columns, words: Words::default(), useful };
        let all: Vec<usize> = (0..binned.columns.len()).collect();
        let mut words = Words::default();
        binned.pack(&all, &mut words);
        binned.words = words;
        binned
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.columns.len()
    }

    /// Places of a histogram: 64 or 256, the last one for missing values.
    pub(super) fn places(&self) -> usize {
        places(&self.bins)
    }

    /// The bytes of one column.
    pub(super) fn column(&self, j: usize) -> &[u8] {
        &self.columns[j]
    }

    /// The bytes of all columns, row by row.
    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    /// Lays the bytes of some columns side by side, row by row.
    pub(super) fn pack(&self, columns: &[usize], into: &mut Words) {
        let width = columns.len().div_ceil(PER_WORD);
        into.width = width;
        into.words.clear();
        into.words.resize(self.n_rows * width, 0);
        into.words.par_chunks_mut((BLOCK * width).max(1)).enumerate().for_each(|(block, words)| {
            let rows = block * BLOCK..block * BLOCK + words.len() / width;
            let nothing = [0; BLOCK];
            for (w, group) in columns.chunks(PER_WORD).enumerate() {
                let mut sources = [&nothing[..rows.len()]; PER_WORD];
                sources.iter_mut().zip(group).for_each(|(s, &j)| *s = &self.columns[j][rows.clone()]);
                for (i, row) in words.chunks_exact_mut(width).enumerate() {
                    row[w] = u64::from_le_bytes(sources.map(|s| s[i]));
                }
            }
        });
    }
}

fn places(bins: &Bins) -> usize {
    if bins.columns.iter().all(|c| c.len() < 64) { 64 } else { 256 }
}
