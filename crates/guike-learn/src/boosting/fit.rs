//! Rounds of boosting: derivatives at the sums so far, a tree, its steps.
//!
//! The one idea: what a round needs beyond the rows' bytes is a few numbers per row, which are kept from round to round so
//! that a small fit does not spend its time on memory. Work on rows is done in blocks of fixed size, so that nothing depends
//! on the number of threads.

use guike_core::tree::{Tree, Trees};
use guike_core::{FitContext, FitError, Seed};
use rand::Rng;
use rayon::prelude::*;

use super::codes::{Binned, Words};
use super::grow::{Grower, Grown, GrownLeaf, Orders};
use super::histogram::{Packed, pack};
use super::model::Boosted;
use super::objective::{Objective, softmax, weighted_quantile};
use super::search::Limits;
use super::{Extra, GradientBoosting, NAME, Shape};
use crate::points::sample_rows;
use crate::tabular::{Examples, sigmoid};

/// Rows per piece of parallel work.
const BLOCK: usize = 8192;
/// Rows above which the leaves' sums are taken by several threads.
const PARALLEL_ROWS: usize = 65_536;

/// Learns; settings and labels have been checked.
pub(super) fn fit(
    settings: &GradientBoosting,
    objective: Objective,
    examples: &Examples<'_>,
    extra: Extra<'_>,
    cx: &FitContext<'_>,
) -> Result<Boosted, FitError> {
    let own;
    let binned = match extra.binned {
        Some(binned) => {
            let shape = (examples.x.n_rows(), examples.x.n_columns());
            assert_eq!((binned.n_rows(), binned.n_columns()), shape, "the binned columns are those of the examples");
            binned
        }
        None => {
            own = Binned::new(examples.x, examples.kinds, settings.max_bins, cx.seed);
            &own
        }
    };
    Booster::new(settings, objective, examples, binned, extra, cx.seed)?.run(cx)
}

/// Everything that changes from round to round.
struct Booster<'a> {
    settings: &'a GradientBoosting,
    objective: Objective,
    examples: &'a Examples<'a>,
    binned: &'a Binned,
    /// Rows that are learned from, and rows to stop by.
    learned: Vec<u32>,
    aside: Vec<u32>,
    /// Row-major, n × sums per row.
    sums: Vec<f64>,
    trees: Trees,
    n_sums: usize,
    work: Work,
}

/// Memory that every round uses again.
#[derive(Default)]
struct Work {
    /// Row-major, n × sums per row: first and second derivatives.
    derivatives: Vec<(f64, f64)>,
    /// The largest of all rows, per sum.
    tops: Vec<(f64, f64)>,
    /// The derivatives of one sum, rounded and packed.
    packed: Vec<i64>,
    orders: Orders,
    /// The bytes of these columns, row by row.
    words: Words,
    columns: Vec<usize>,
}

impl<'a> Booster<'a> {
    fn new(
        settings: &'a GradientBoosting,
        objective: Objective,
        examples: &'a Examples<'a>,
        binned: &'a Binned,
        extra: Extra<'_>,
        seed: Seed,
    ) -> Result<Booster<'a>, FitError> {
        let n = examples.x.n_rows();
        let n_sums = objective.link().n_sums(examples.task);
        let (learned, aside) = match extra.aside {
            Some(flags) => {
                assert_eq!(flags.len(), n, "one flag per row");
                (0..n as u32).partition(|&i| !flags[i as usize])
            }
            None if settings.early_stopping > 0 && n >= 10 => {
                let size = ((n as f64 * settings.aside_fraction) as usize).clamp(1, n - 1);
                let drawn = sample_rows(n, size, seed.derive("aside"));
                let mut flags = vec![false; n];
                drawn.iter().for_each(|&i| flags[i] = true);
                (0..n as u32).partition(|&i| !flags[i as usize])
            }
            None => ((0..n as u32).collect::<Vec<u32>>(), Vec::new()),
        };
        if learned.is_empty() {
            return Err(FitError::TooLittle {
                learner: NAME,
                needs: "rows that are not kept aside".to_owned(),
                found: "are none".to_owned(),
            });
        }
        let offset = |i: usize| extra.offset.map_or(0.0, |o| o[i]);
        let weight = |i: usize| examples.weight.map_or(1.0, |w| w[i]);
        let base: Vec<f64> = (0..n_sums)
            .map(|k| {
                let label = |i: usize| match objective {
                    Objective::Softmax => f64::from(u8::from(examples.y[i] == k as f64)),
                    _ => examples.y[i],
                };
                let rows = learned.iter().map(|&i| i as usize).map(|i| (label(i), weight(i), offset(i)));
                let start = objective.start(rows, extra.offset.is_some());
                // a softmax begins at the logs of the classes' shares
                if objective == Objective::Softmax { sigmoid(start).max(1e-12).ln() } else { start }
            })
            .collect();
        let sums = (0..n).flat_map(|i| base.iter().map(move |b| (i, *b))).map(|(i, b)| b + offset(i)).collect();
        let trees = Trees { base, trees: Vec::new() };
        let work = Work::default();
        Ok(Booster { settings, objective, examples, binned, learned, aside, sums, trees, n_sums, work })
    }

    fn run(mut self, cx: &FitContext<'_>) -> Result<Boosted, FitError> {
        let s = self.settings;
        let seed = cx.seed.derive("boosting");
        let mut best = (self.loss_aside(), 0);
        let mut losses = Vec::new();
        for round in 0..s.rounds {
            cx.progress.check()?;
            let seed = seed.at(u64::from(round));
            let mut columns = Vec::new();
            draw(&self.binned.useful, s.column_fraction, seed.derive("columns"), &mut columns);
            let grew = self.round(&columns, seed);
            if !self.aside.is_empty() && s.early_stopping > 0 {
                let loss = self.loss_aside();
                losses.push(loss);
                if loss < best.0 {
                    best = (loss, self.trees.trees.len());
                } else if self.trees.trees.len() >= best.1 + (s.early_stopping as usize) * self.n_sums {
                    break;
                }
            }
            if !grew {
                break;
            }
        }
        if !losses.is_empty() {
            self.trees.trees.truncate(best.1);
        }
        let rounds = (self.trees.trees.len() / self.n_sums.max(1)) as u32;
        let width = self.binned.n_columns();
        Ok(Boosted::new(self.trees, self.objective.link(), self.examples.task, width, rounds))
    }

    /// Adds one tree per sum; says whether any of them asks anything.
    fn round(&mut self, columns: &[usize], seed: Seed) -> bool {
        let mut work = std::mem::take(&mut self.work);
        work.tops = self.derive(&mut work.derivatives);
        let all = columns.len() == self.binned.n_columns();
        if !all && work.columns != columns {
            self.binned.pack(columns, &mut work.words);
            work.columns = columns.to_vec();
        }
        let mut grew = false;
        for class in 0..self.n_sums {
            self.deal(&mut work.orders, seed.derive("rows"));
            let unit = self.quantise(&mut work, class, seed.at(class as u64));
            let words = if all { self.binned.words() } else { &work.words };
            let packed = Packed { values: &work.packed, unit };
            let grown = match self.binned.places() {
                64 => self.grower::<64>(columns, words, packed).grow(&mut work.orders),
                _ => self.grower::<256>(columns, words, packed).grow(&mut work.orders),
            };
            grew |= grown.nodes.len() > 1;
            self.add(grown, class, &work);
        }
        self.work = work;
        grew
    }

    fn grower<'b, const B: usize>(
        &'b self,
        columns: &'b [usize],
        words: &'b Words,
        packed: Packed<'b>,
    ) -> Grower<'b, B> {
        Grower { binned: self.binned, columns, words, packed, limits: self.limits(), monotone: &self.settings.monotone }
    }

    /// Rows that this round learns from, and the others, both ascending.
    fn deal(&self, orders: &mut Orders, seed: Seed) {
        draw(&self.learned, self.settings.row_fraction, seed, &mut orders.drawn);
        orders.others.clear();
        if orders.drawn.len() < self.sums.len() / self.n_sums {
            let mut drawn = orders.drawn.iter().copied().peekable();
            let is_other = |row: &u32| drawn.next_if_eq(row).is_none();
            orders.others.extend((0..(self.sums.len() / self.n_sums) as u32).filter(is_other));
        }
    }

    /// The derivatives of every row at its sums, and the largest of each sum.
    fn derive(&self, derivatives: &mut Vec<(f64, f64)>) -> Vec<(f64, f64)> {
        let k = self.n_sums;
        derivatives.resize(self.sums.len(), (0.0, 0.0));
        let blocks = derivatives.par_chunks_mut(k * BLOCK).enumerate().map(|(block, derivatives)| {
            let mut tops = vec![(0.0, 0.0); k];
            let start = block * BLOCK;
            for (i, (out, sums)) in
                derivatives.chunks_exact_mut(k).zip(self.sums[start * k..].chunks_exact(k)).enumerate()
            {
                let row = start + i;
                if k == 1 {
                    out[0] = self.objective.derivatives(self.examples.y[row], sums[0]);
                } else {
                    softmax(self.examples.y[row] as usize, sums, out);
                }
                if let Some(weight) = self.examples.weight {
                    out.iter_mut().for_each(|(g, h)| (*g, *h) = (*g * weight[row], *h * weight[row]));
                }
                tops.iter_mut().zip(out).for_each(|(top, of)| *top = larger(*top, *of));
            }
            tops
        });
        let none = || vec![(0.0, 0.0); k];
        blocks.reduce(none, |a, b| a.into_iter().zip(b).map(|(a, b)| larger(a, b)).collect())
    }

    /// Rounds the derivatives of one sum at random to whole numbers, one packed value per row; gives their units.
    fn quantise(&self, work: &mut Work, class: usize, seed: Seed) -> (f64, f64) {
        let (k, derivatives) = (self.n_sums, &work.derivatives);
        let rows = &work.orders.drawn;
        // the sum of all second derivatives must stay within 32 bits, that of the first within 31
        let steps = ((f64::from(u32::MAX) / 2.0 / rows.len().max(1) as f64).floor() - 1.0).clamp(1.0, 32_767.0);
        let (top_g, top_h) = if work.orders.others.is_empty() {
            work.tops[class]
        } else {
            // rows that are not learned from have no say
            let of = |row: &u32| derivatives[*row as usize * k + class];
            rows.iter().map(of).fold((0.0, 0.0), larger)
        };
        // below, the inverse of a unit would be no number, and above, all is noise
        let unit = |top: f64| if top > 1e-290 && top.is_finite() { top / steps } else { 1.0 };
        let unit = (unit(top_g), unit(top_h));
        let (per_g, per_h) = (1.0 / unit.0, 1.0 / unit.1);
        let salt = seed.derive("rounding").0;
        work.packed.resize(derivatives.len() / k, 0);
        work.packed.par_chunks_mut(BLOCK).enumerate().for_each(|(block, packed)| {
            let start = block * BLOCK;
            for (i, (out, of)) in packed.iter_mut().zip(derivatives[start * k..].chunks_exact(k)).enumerate() {
                let (g, h) = of[class];
                let (u, v) = two_uniforms(salt, (start + i) as u64);
                // rows that were not drawn may lie beyond the units; nobody reads them
                *out = pack(round_down(g * per_g + u), round_down(h * per_h + v).max(0));
            }
        });
        unit
    }

    fn limits(&self) -> Limits {
        let s = self.settings;
        Limits {
            max_leaves: s.max_leaves as usize,
            max_depth: s.max_depth as usize,
            min_leaf_rows: f64::from(s.min_leaf_rows),
            min_leaf_hessian: s.min_leaf_hessian.max(1e-12),
            l2: s.l2,
            min_gain: s.min_gain.max(1e-12),
            symmetric: s.shape == Shape::Symmetric,
        }
    }

    /// Gives every leaf its value and every row its step.
    fn add(&mut self, grown: Grown, class: usize, work: &Work) {
        let k = self.n_sums;
        // from the unrounded derivatives
        let value_of = |leaf: &GrownLeaf| {
            let rows = &work.orders.drawn[leaf.rows.drawn.clone()];
            let value = match self.objective {
                // the slope of a quantile's loss has no curvature: the leaf takes the quantile of what is left
                Objective::Quantile { level } => {
                    let mut left: Vec<(f64, f64)> = rows
                        .iter()
                        .map(|&i| i as usize)
                        .map(|i| {
                            (self.examples.y[i] - self.sums[i * k + class], self.examples.weight.map_or(1.0, |w| w[i]))
                        })
                        .collect();
                    weighted_quantile(&mut left, level)
                }
                _ => {
                    let of = rows.iter().map(|&i| work.derivatives[i as usize * k + class]);
                    let (g, h) = of.fold((0.0, 0.0), |a, d| (a.0 + d.0, a.1 + d.1));
                    if h + self.settings.l2 > 0.0 { -g / (h + self.settings.l2) } else { 0.0 }
                }
            };
            let value = value.clamp(leaf.bounds.0, leaf.bounds.1);
            self.settings.learning_rate * if value.is_finite() { value } else { 0.0 }
        };
        let at_once = if work.orders.drawn.len() < PARALLEL_ROWS { usize::MAX } else { 1 };
        let steps: Vec<f64> = grown.leaves.par_iter().with_min_len(at_once).map(value_of).collect();
        let mut values = vec![0.0; grown.nodes.len()];
        for (leaf, step) in grown.leaves.iter().zip(steps) {
            values[leaf.node] = step;
            let (drawn, others) =
                (&work.orders.drawn[leaf.rows.drawn.clone()], &work.orders.others[leaf.rows.others.clone()]);
            drawn.iter().chain(others).for_each(|&row| self.sums[row as usize * k + class] += step);
        }
        self.trees.trees.push(Tree { nodes: grown.nodes, values, first_output: class as u32, n_outputs: 1 });
    }

    fn loss_aside(&self) -> f64 {
        let k = self.n_sums;
        let total: f64 = self
            .aside
            .iter()
            .map(|&i| i as usize)
            .map(|i| {
                let sums = &self.sums[i * k..(i + 1) * k];
                let loss = if k == 1 {
                    self.objective.loss(self.examples.y[i], sums[0])
                } else {
                    let top = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    top + sums.iter().map(|s| (s - top).exp()).sum::<f64>().ln() - sums[self.examples.y[i] as usize]
                };
                self.examples.weight.map_or(loss, |w| w[i] * loss)
            })
            .sum();
        if total.is_finite() { total } else { f64::INFINITY }
    }
}

/// A seeded part of the items, in their order; all of them for a share of 1.
///
/// Selection sampling (Knuth, The Art of Computer Programming, 3.4.2, algorithm S).
fn draw<T: Copy>(items: &[T], share: f64, seed: Seed, into: &mut Vec<T>) {
    into.clear();
    if share >= 1.0 || items.len() < 2 {
        into.extend_from_slice(items);
        return;
    }
    let mut wanted = ((items.len() as f64 * share).round() as u64).max(1);
    let mut rng = seed.rng();
    for (at, &item) in items.iter().enumerate() {
        let left = (items.len() - at) as u64;
        // a number below `left` from 32 random bits
        let drawn = ((rng.next_u64() >> 32) * left) >> 32 < wanted;
        if drawn {
            into.push(item);
        }
        wanted -= u64::from(drawn);
    }
}

fn larger(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0.max(b.0.abs()), a.1.max(b.1))
}

/// Two numbers in [0, 1) for a row: SplitMix64's finaliser, halved.
#[inline]
fn two_uniforms(salt: u64, row: u64) -> (f64, f64) {
    const UNIT: f64 = 1.0 / (1_u64 << 32) as f64;
    let x = salt.wrapping_add(row.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let x = x ^ (x >> 31);
    ((x >> 32) as f64 * UNIT, f64::from(x as u32) * UNIT)
}

/// The whole number below, for numbers above −131,072; several times faster than `floor`, which is a call on processors
/// that may lack the instruction.
#[inline]
fn round_down(x: f64) -> i64 {
    const SHIFT: f64 = 131_072.0;
    (x + SHIFT) as i64 - SHIFT as i64
}
