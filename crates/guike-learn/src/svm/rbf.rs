//! The Gaussian kernel exp(−γ‖x − z‖²): its width, its rows within bounded memory, its landmarks.
//!
//! The one idea: a row of the kernel matrix costs far more than a look at it, so the rows used last are kept. They are kept
//! in single precision, as LIBSVM does: the solver compares sums of them and predictions are made anew in double.

use guike_core::Seed;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linalg::Cholesky;
use crate::points::{sample_rows, squared_distance};

/// Rows per piece of parallel work.
const CHUNK: usize = 1024;
/// Added to the diagonal of the landmarks' kernel matrix, whose diagonal is 1: it may be singular (equal landmarks).
const JITTER: f64 = 1e-8;

/// The width γ of the kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gamma {
    /// 1 / (columns × variance of all values), scikit-learn's `"scale"`; 1 where all values are equal.
    #[default]
    Scale,
    /// This many times [`Gamma::Scale`], above 0: the unit in which a width means the same for every table.
    TimesScale(f64),
    /// 1 / columns, scikit-learn's `"auto"`.
    Auto,
    /// This number, above 0.
    Value(f64),
}

impl Gamma {
    pub(super) fn of(self, rows: &[f64], p: usize) -> f64 {
        let n = rows.len() as f64;
        match self {
            Gamma::Scale => Gamma::TimesScale(1.0).of(rows, p),
            Gamma::TimesScale(times) => {
                let mean: f64 = rows.iter().map(|v| v / n).sum();
                let variance: f64 = rows.iter().map(|v| (v - mean) * (v - mean) / n).sum();
                if variance > 0.0 { times / (p as f64 * variance) } else { times }
            }
            Gamma::Auto => 1.0 / p as f64,
            Gamma::Value(gamma) => gamma,
        }
    }
}

/// exp(−γ‖a − b‖²).
pub(super) fn kernel(gamma: f64, a: &[f64], b: &[f64]) -> f64 {
    (-gamma * squared_distance(a, b)).exp()
}

/// Rows of the kernel matrix, of which the ones used last are kept.
pub(super) struct KernelRows<'a> {
    rows: &'a [f64],
    p: usize,
    gamma: f64,
    slots: Vec<Slot>,
    slots_max: usize,
    /// Where a row is kept.
    slot_of: Vec<Option<u32>>,
    clock: u64,
}

struct Slot {
    row: usize,
    used: u64,
    values: Vec<f32>,
}

impl<'a> KernelRows<'a> {
    /// `cache_mib` bounds what is kept, but two rows always are.
    pub(super) fn new(rows: &'a [f64], p: usize, gamma: f64, cache_mib: usize) -> KernelRows<'a> {
        let n = rows.len() / p;
        let slots_max = (cache_mib.saturating_mul(1 << 20) / (4 * n)).clamp(2, n.max(2));
        KernelRows { rows, p, gamma, slots: Vec::new(), slots_max, slot_of: vec![None; n], clock: 0 }
    }

    /// K(xᵢ, ·) over all rows.
    pub(super) fn row(&mut self, i: usize) -> &[f32] {
        let slot = self.keep(i);
        &self.slots[slot].values
    }

    /// Two rows at once.
    pub(super) fn two(&mut self, i: usize, j: usize) -> (&[f32], &[f32]) {
        // the first was used just now and so is not given up for the second: there are at least two slots
        let (a, b) = (self.keep(i), self.keep(j));
        (&self.slots[a].values, &self.slots[b].values)
    }

    fn keep(&mut self, i: usize) -> usize {
        self.clock += 1;
        let slot = match self.slot_of[i] {
            Some(slot) => slot as usize,
            None => self.fill(i),
        };
        self.slots[slot].used = self.clock;
        slot
    }

    fn fill(&mut self, i: usize) -> usize {
        let n = self.slot_of.len();
        let slot = if self.slots.len() < self.slots_max {
            self.slots.push(Slot { row: i, used: 0, values: vec![0.0; n] });
            self.slots.len() - 1
        } else {
            let oldest = (0..self.slots.len()).min_by_key(|&s| self.slots[s].used).expect("at least two slots");
            self.slot_of[self.slots[oldest].row] = None;
            oldest
        };
        let (p, gamma) = (self.p, self.gamma);
        let own = &self.rows[i * p..(i + 1) * p];
        let values = &mut self.slots[slot].values;
        values.par_chunks_mut(CHUNK).zip(self.rows.par_chunks(CHUNK * p)).for_each(|(values, rows)| {
            for (value, row) in values.iter_mut().zip(rows.chunks_exact(p)) {
                *value = kernel(gamma, own, row) as f32;
            }
        });
        self.slots[slot].row = i;
        self.slot_of[i] = Some(u32::try_from(slot).expect("fewer slots than rows in memory"));
        slot
    }
}

/// Nyström features: a seeded sample of rows as landmarks and the factor of their kernel matrix.
///
/// With K = L·Lᵀ between the landmarks, φ(x) = L⁻¹ k(x) gives φ(x)·φ(z) = k(x)ᵀ K⁻¹ k(z) ≈ exp(−γ‖x − z‖²).
///
/// Source: Williams & Seeger (2001), "Using the Nyström method to speed up kernel machines", NIPS 13. Counterpart:
/// scikit-learn's `Nystroem`, which takes the symmetric square root of K⁻¹, a rotation of these features.
pub(super) struct Landmarks {
    /// Row-major, landmarks × columns.
    pub(super) rows: Vec<f64>,
    /// L.
    pub(super) factor: Cholesky,
    p: usize,
    gamma: f64,
}

impl Landmarks {
    pub(super) fn draw(all: &[f64], p: usize, gamma: f64, n_landmarks: usize, seed: Seed) -> Landmarks {
        let drawn = sample_rows(all.len() / p, n_landmarks, seed);
        let rows: Vec<f64> = drawn.iter().flat_map(|&i| &all[i * p..(i + 1) * p]).copied().collect();
        let m = drawn.len();
        let mut kernels = kernel_rows(gamma, &rows, &rows, p);
        for i in 0..m {
            kernels[i * m + i] += JITTER;
        }
        Landmarks { rows, factor: Cholesky::with_floor(kernels, m, JITTER), p, gamma }
    }

    /// φ of every row, row-major, rows × landmarks.
    pub(super) fn features(&self, rows: &[f64]) -> Vec<f64> {
        let m = self.rows.len() / self.p;
        let mut features = kernel_rows(self.gamma, rows, &self.rows, self.p);
        features.par_chunks_mut(m).for_each(|row| self.factor.solve_lower(row));
        features
    }
}

/// The kernel between rows of `a` and rows of `b`, row-major.
fn kernel_rows(gamma: f64, a: &[f64], b: &[f64], p: usize) -> Vec<f64> {
    let m = b.len() / p;
    let mut out = vec![0.0; a.len() / p * m];
    out.par_chunks_mut(m).zip(a.par_chunks(p)).for_each(|(out, row)| {
        for (value, other) in out.iter_mut().zip(b.chunks_exact(p)) {
            *value = kernel(gamma, row, other);
        }
    });
    out
}
