//! What a forest counts per bin: whole numbers, so that sums are exact in any order.
//!
//! The one idea: a label, its weight and the row itself are packed so that one or two integer additions count all of them.

use super::Criterion;
use super::problem::Problem;

/// How rows are counted and how good two sides are.
pub(super) trait Labels: Sync {
    /// A row's own label and weight.
    type Row: Copy + Default + Send;
    /// The sum over rows.
    type Tally: Copy + Default;

    /// Row `i` of the problem, drawn `times` times.
    fn row(&self, i: usize, times: u32) -> Self::Row;
    fn add(tally: &mut Self::Tally, row: Self::Row);
    /// Adds the row where it is wanted, without a branch to mispredict.
    fn add_where(tally: &mut Self::Tally, row: Self::Row, wanted: bool);
    fn plus(a: &Self::Tally, b: &Self::Tally) -> Self::Tally;
    fn minus(a: &Self::Tally, b: &Self::Tally) -> Self::Tally;
    /// Number of distinct rows.
    fn count(tally: &Self::Tally) -> usize;
    /// Larger is better; comparable between cuts of one node.
    fn merit(&self, left: &Self::Tally, right: &Self::Tally) -> f64;
    /// By how much the cut lowers weight × impurity, in units of the problem's labels and weights.
    fn gain(&self, left: &Self::Tally, right: &Self::Tally) -> f64;
    /// Whether all labels are the same.
    fn is_pure(tally: &Self::Tally, rows: &[Self::Row]) -> bool;
}

/// Bits of each of the three counts of [`TwoClasses`].
const THIRD: u32 = 21;
const LOW: u64 = (1 << THIRD) - 1;

/// Two classes of unit weight: rows, draws and draws of class 1 in one number.
#[derive(Debug)]
pub(super) struct TwoClasses<'a> {
    pub(super) problem: &'a Problem,
    pub(super) criterion: Criterion,
}

impl TwoClasses<'_> {
    /// Most draws that fit.
    pub(super) const DRAWS_MAX: usize = LOW as usize;

    fn parts(tally: u64) -> (f64, f64) {
        ((tally & LOW) as f64, (tally >> THIRD & LOW) as f64)
    }

    /// −weight × impurity, up to a constant of the node.
    fn score(&self, tally: u64) -> f64 {
        let (ones, all) = TwoClasses::parts(tally);
        match self.criterion {
            Criterion::Gini => (ones * ones + (all - ones) * (all - ones)) / all,
            Criterion::Entropy => entropy_score(&[ones, all - ones], all),
        }
    }
}

impl Labels for TwoClasses<'_> {
    type Row = u64;
    type Tally = u64;

    fn row(&self, i: usize, times: u32) -> u64 {
        let ones = if self.problem.y[i] == 1.0 { u64::from(times) } else { 0 };
        1 << (2 * THIRD) | u64::from(times) << THIRD | ones
    }

    #[inline]
    fn add(tally: &mut u64, row: u64) {
        *tally += row;
    }

    #[inline]
    fn add_where(tally: &mut u64, row: u64, wanted: bool) {
        *tally += row & u64::from(wanted).wrapping_neg();
    }

    #[inline]
    fn plus(a: &u64, b: &u64) -> u64 {
        a + b
    }

    #[inline]
    fn minus(a: &u64, b: &u64) -> u64 {
        a - b
    }

    #[inline]
    fn count(tally: &u64) -> usize {
        (tally >> (2 * THIRD)) as usize
    }

    #[inline]
    fn merit(&self, left: &u64, right: &u64) -> f64 {
        if self.criterion == Criterion::Entropy {
            return self.score(*left) + self.score(*right);
        }
        // both classes' squares over the weight differ from twice this by a constant; one division instead of two
        let ((a, v), (b, w)) = (TwoClasses::parts(*left), TwoClasses::parts(*right));
        (a * a * w + b * b * v) / (v * w)
    }

    fn gain(&self, left: &u64, right: &u64) -> f64 {
        self.score(*left) + self.score(*right) - self.score(left + right)
    }

    fn is_pure(tally: &u64, _rows: &[u64]) -> bool {
        let (ones, all) = (tally & LOW, tally >> THIRD & LOW);
        ones == 0 || ones == all
    }
}

/// Σ c log₂ c − w log₂ w.
fn entropy_score(counts: &[f64], weight: f64) -> f64 {
    let log = |v: f64| if v > 0.0 { v * v.log2() } else { 0.0 };
    counts.iter().map(|&c| log(c)).sum::<f64>() - log(weight)
}

/// Bits below the weight that count rows.
const ROW_BITS: u32 = 24;
/// Most rows of a forest.
pub(super) const ROWS_MAX: usize = (1 << ROW_BITS) - 1;

/// Weights as whole numbers whose sum stays below 2³⁹.
#[derive(Debug, Clone, Copy)]
pub(super) struct WholeWeights {
    unit: f64,
}

impl WholeWeights {
    /// For this many draws of weights below 2^`exponent`.
    pub(super) fn new(problem: &Problem, draws: usize) -> WholeWeights {
        let Some(weights) = &problem.weight else { return WholeWeights { unit: 1.0 } };
        let top = weights.iter().fold(0.0, |a: f64, &w| a.max(w)).log2().ceil();
        let bits = 38.0 - (draws as f64).log2().ceil() - top;
        WholeWeights { unit: bits.min(16.0).exp2() }
    }

    fn of(self, problem: &Problem, i: usize, times: u32) -> u64 {
        let one = problem.weight.as_ref().map_or(1, |w| ((w[i] * self.unit).round() as u64).max(1));
        one * u64::from(times)
    }
}

/// A number per row: weight × label, and weight and rows in one number.
#[derive(Debug)]
pub(super) struct Numbers<'a> {
    problem: &'a Problem,
    weights: WholeWeights,
    mean: f64,
    /// What a label is multiplied with before it is rounded.
    scale: f64,
}

/// A sum of [`Numbers`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moment {
    sum: i64,
    weight_and_rows: u64,
}

impl Moment {
    #[inline]
    fn parts(&self) -> (f64, f64) {
        (self.sum as f64, (self.weight_and_rows >> ROW_BITS) as f64)
    }
}

impl<'a> Numbers<'a> {
    pub(super) fn new(problem: &'a Problem, weights: WholeWeights, times: &[u16]) -> Numbers<'a> {
        let (mut total, mut sum, mut whole) = (0.0, 0.0, 0u64);
        for (i, &t) in times.iter().enumerate().filter(|t| *t.1 > 0) {
            let w = f64::from(t) * problem.weight_at(i);
            total += w;
            sum += w * problem.y[i];
            whole += weights.of(problem, i, u32::from(t));
        }
        // labels less their mean are below 4, so that every sum stays below 2⁶²
        let bits = 60 - whole.max(1).next_power_of_two().trailing_zeros() as i32;
        Numbers { problem, weights, mean: sum / total, scale: 2f64.powi(bits - 1) }
    }
}

impl Labels for Numbers<'_> {
    type Row = Moment;
    type Tally = Moment;

    fn row(&self, i: usize, times: u32) -> Moment {
        let weight = self.weights.of(self.problem, i, times);
        let label = ((self.problem.y[i] - self.mean) * self.scale).round() as i64;
        Moment { sum: weight as i64 * label, weight_and_rows: weight << ROW_BITS | 1 }
    }

    #[inline]
    fn add(tally: &mut Moment, row: Moment) {
        tally.sum += row.sum;
        tally.weight_and_rows += row.weight_and_rows;
    }

    #[inline]
    fn add_where(tally: &mut Moment, row: Moment, wanted: bool) {
        tally.sum += row.sum & -i64::from(wanted);
        tally.weight_and_rows += row.weight_and_rows & u64::from(wanted).wrapping_neg();
    }

    #[inline]
    fn plus(a: &Moment, b: &Moment) -> Moment {
        Moment { sum: a.sum + b.sum, weight_and_rows: a.weight_and_rows + b.weight_and_rows }
    }

    #[inline]
    fn minus(a: &Moment, b: &Moment) -> Moment {
        Moment { sum: a.sum - b.sum, weight_and_rows: a.weight_and_rows - b.weight_and_rows }
    }

    #[inline]
    fn count(tally: &Moment) -> usize {
        (tally.weight_and_rows & ROWS_MAX as u64) as usize
    }

    #[inline]
    fn merit(&self, left: &Moment, right: &Moment) -> f64 {
        let ((a, v), (b, w)) = (left.parts(), right.parts());
        (a * a * w + b * b * v) / (v * w)
    }

    fn gain(&self, left: &Moment, right: &Moment) -> f64 {
        let ((a, v), (b, w)) = (left.parts(), right.parts());
        let apart = (a / v - b / w) / self.scale;
        v * w / (v + w) / self.weights.unit * apart * apart
    }

    fn is_pure(_tally: &Moment, rows: &[Moment]) -> bool {
        let weight = |r: &Moment| i128::from(r.weight_and_rows >> ROW_BITS);
        let first = rows[0];
        rows.iter().all(|r| i128::from(r.sum) * weight(&first) == i128::from(first.sum) * weight(r))
    }
}

/// Up to K classes with weights.
#[derive(Debug)]
pub(super) struct Classes<'a, const K: usize> {
    pub(super) problem: &'a Problem,
    pub(super) criterion: Criterion,
    pub(super) weights: WholeWeights,
}

/// Weight per class, and rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClassTally<const K: usize> {
    weights: [u64; K],
    rows: u32,
}

impl<const K: usize> Default for ClassTally<K> {
    fn default() -> ClassTally<K> {
        ClassTally { weights: [0; K], rows: 0 }
    }
}

impl<const K: usize> Classes<'_, K> {
    fn score(&self, tally: &ClassTally<K>) -> f64 {
        let counts = tally.weights.map(|w| w as f64);
        let all: f64 = counts.iter().sum();
        match self.criterion {
            Criterion::Gini => counts.iter().map(|c| c * c).sum::<f64>() / all,
            Criterion::Entropy => entropy_score(&counts, all),
        }
    }
}

impl<const K: usize> Labels for Classes<'_, K> {
    type Row = (u32, u64);
    type Tally = ClassTally<K>;

    fn row(&self, i: usize, times: u32) -> (u32, u64) {
        (self.problem.y[i] as u32, self.weights.of(self.problem, i, times))
    }

    #[inline]
    fn add(tally: &mut ClassTally<K>, (class, weight): (u32, u64)) {
        tally.weights[class as usize] += weight;
        tally.rows += 1;
    }

    #[inline]
    fn add_where(tally: &mut ClassTally<K>, (class, weight): (u32, u64), wanted: bool) {
        tally.weights[class as usize] += weight * u64::from(wanted);
        tally.rows += u32::from(wanted);
    }

    #[inline]
    fn plus(a: &ClassTally<K>, b: &ClassTally<K>) -> ClassTally<K> {
        ClassTally { weights: std::array::from_fn(|k| a.weights[k] + b.weights[k]), rows: a.rows + b.rows }
    }

    #[inline]
    fn minus(a: &ClassTally<K>, b: &ClassTally<K>) -> ClassTally<K> {
        ClassTally { weights: std::array::from_fn(|k| a.weights[k] - b.weights[k]), rows: a.rows - b.rows }
    }

    #[inline]
    fn count(tally: &ClassTally<K>) -> usize {
        tally.rows as usize
    }

    #[inline]
    fn merit(&self, left: &ClassTally<K>, right: &ClassTally<K>) -> f64 {
        self.score(left) + self.score(right)
    }

    fn gain(&self, left: &ClassTally<K>, right: &ClassTally<K>) -> f64 {
        (self.merit(left, right) - self.score(&Self::plus(left, right))) / self.weights.unit
    }

    fn is_pure(tally: &ClassTally<K>, _rows: &[(u32, u64)]) -> bool {
        tally.weights.iter().filter(|&&w| w > 0).count() <= 1
    }
}
