//! Natural breaks: the optimal classes of one column.
//!
//! The one idea: in one dimension classes are stretches of the sorted values, so the least within-class sum of squares can be
//! found exactly by dynamic programming (Fisher 1958; Wang & Song 2011): no restarts and no local optima. Where the last
//! class best begins only moves up with the values to be classed, so each class costs n log n by halving.
//!
//! Equal values always share a class, and a class is given by its lowest value, so that new customers can be placed too.

use serde::{Deserialize, Serialize};

/// Optimal classes of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Breaks {
    /// Least value of the second, third … class, ascending; one fewer than there are classes.
    pub borders: Vec<f64>,
    /// Share of the variance between the classes (goodness of variance fit): 1 when every class holds one value.
    pub variance_explained: f64,
}

impl Breaks {
    /// The class of a value, 0 for the lowest.
    pub fn class(&self, value: f64) -> usize {
        self.borders.partition_point(|&b| b <= value)
    }
}

/// Most values that the exact search sees; more are first thinned to that many equally spaced order statistics, which
/// moves a border by at most one part in this many of the customers.
const MAX_EXACT: usize = 200_000;

/// The optimal `classes` of `values`; fewer when there are fewer distinct values. Values must be finite.
///
/// # Example
/// ```
/// let b = guike_learn::jenks(&[1.0, 2.0, 1.5, 50.0, 52.0, 900.0], 3);
/// assert_eq!(b.borders, vec![50.0, 900.0]);
/// assert_eq!((b.class(3.0), b.class(50.0), b.class(1e6)), (0, 1, 2));
/// assert!(guike_learn::jenks(&[7.0, 7.0], 3).borders.is_empty(), "one distinct value, one class");
/// ```
///
/// # Panics
/// When `classes` is 0 or above 255.
pub fn jenks(values: &[f64], classes: usize) -> Breaks {
    assert!((1..=255).contains(&classes), "between 1 and 255 classes");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    if n > MAX_EXACT {
        sorted = (0..MAX_EXACT).map(|i| sorted[i * (n - 1) / (MAX_EXACT - 1)]).collect();
    }
    let mut values: Vec<f64> = Vec::new();
    let mut weights: Vec<f64> = Vec::new();
    for &v in &sorted {
        match (values.last(), weights.last_mut()) {
            (Some(&last), Some(weight)) if last == v => *weight += 1.0,
            _ => {
                values.push(v);
                weights.push(1.0);
            }
        }
    }
    let classes = classes.min(values.len());
    if classes < 2 {
        return Breaks { borders: Vec::new(), variance_explained: if values.len() == 1 { 1.0 } else { 0.0 } };
    }
    let borders = best_starts(&values, &weights, classes).into_iter().map(|i| values[i]).collect();
    let breaks = Breaks { borders, variance_explained: 0.0 };
    let variance_explained = goodness(&sorted, &breaks);
    Breaks { variance_explained, ..breaks }
}

/// Where the second, third … of the best `classes` stretches of ascending, distinct values begin.
fn best_starts(values: &[f64], weights: &[f64], classes: usize) -> Vec<usize> {
    let n = values.len();
    let squares = Squares::new(values, weights);
    // loss[j]: of the values up to and with j in the classes so far
    let mut loss: Vec<f64> = (0..n).map(|j| squares.within(0, j)).collect();
    let mut starts_of: Vec<Vec<u32>> = Vec::with_capacity(classes - 1);
    for class in 1..classes {
        let mut next = vec![f64::INFINITY; n];
        let mut starts = vec![0_u32; n];
        // stretches of ends, with the stretch in which their best start lies
        let mut open = vec![(class, n, class, n)];
        while let Some((from, to, least, most)) = open.pop() {
            if from >= to {
                continue;
            }
            let end = from + (to - from) / 2;
            for start in least..most.min(end + 1) {
                let with = loss[start - 1] + squares.within(start, end);
                if with < next[end] {
                    next[end] = with;
                    starts[end] = start as u32;
                }
            }
            let best = starts[end] as usize;
            open.push((from, end, least, best + 1));
            open.push((end + 1, to, best, most));
        }
        loss = next;
        starts_of.push(starts);
    }
    let mut end = n - 1;
    let mut starts: Vec<usize> = starts_of
        .iter()
        .rev()
        .map(|starts| {
            let start = starts[end] as usize;
            end = start - 1;
            start
        })
        .collect();
    starts.reverse();
    starts
}

/// Sums of squares about the mean of any stretch, in one step.
struct Squares {
    /// Running sums of weight, weight × value and weight × value²; the first is zero.
    sums: Vec<[f64; 3]>,
}

impl Squares {
    fn new(values: &[f64], weights: &[f64]) -> Squares {
        // centred and scaled first, so that nothing cancels or overflows
        let total: f64 = weights.iter().sum();
        let mean = values.iter().zip(weights).map(|(v, w)| w / total * v).sum::<f64>();
        let spread = (values[values.len() - 1] - values[0]).max(f64::MIN_POSITIVE);
        let mut sums = vec![[0.0; 3]];
        let mut sum = [0.0; 3];
        for (v, w) in values.iter().zip(weights) {
            let v = (v - mean) / spread;
            sum = [sum[0] + w, sum[1] + w * v, sum[2] + w * v * v];
            sums.push(sum);
        }
        Squares { sums }
    }

    /// Of the values from `first` to `last`, both included.
    fn within(&self, first: usize, last: usize) -> f64 {
        let (a, b) = (self.sums[first], self.sums[last + 1]);
        let (w, x, xx) = (b[0] - a[0], b[1] - a[1], b[2] - a[2]);
        (xx - x * x / w).max(0.0)
    }
}

fn goodness(sorted: &[f64], breaks: &Breaks) -> f64 {
    let squares = |v: &[f64]| {
        let mean = v.iter().sum::<f64>() / v.len().max(1) as f64;
        v.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>()
    };
    let total = squares(sorted);
    let mut within = 0.0;
    let mut start = 0;
    for end in breaks.borders.iter().map(|&b| sorted.partition_point(|&v| v < b)).chain([sorted.len()]) {
        within += squares(&sorted[start..end]);
        start = end;
    }
    if total > 0.0 { 1.0 - within / total } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_is_exact() {
        // all ways to cut 12 values into 3 classes
        let v = [0.0, 0.1, 3.0, 3.5, 3.6, 9.0, 9.2, 20.0, 21.0, 21.5, 40.0, 41.0];
        let mut best = (f64::INFINITY, 0, 0);
        for a in 1..11 {
            for b in a + 1..12 {
                let w = Breaks { borders: vec![v[a], v[b]], variance_explained: 0.0 };
                let loss = 1.0 - goodness(&v, &w);
                if loss < best.0 {
                    best = (loss, a, b);
                }
            }
        }
        let found = jenks(&v, 3);
        assert_eq!(found.borders, vec![v[best.1], v[best.2]]);
        assert!((found.variance_explained - (1.0 - best.0)).abs() < 1e-12);
    }

    #[test]
    fn halving_finds_what_the_plain_search_finds() {
        let mut rng = guike_core::Seed(5).rng();
        for n in [5, 17, 60] {
            let mut v: Vec<f64> = (0..n).map(|_| rand::RngExt::random::<f64>(&mut rng).powi(3) * 100.0).collect();
            v.sort_by(f64::total_cmp);
            let squares = Squares::new(&v, &vec![1.0; n]);
            for classes in 2..=5 {
                let mut loss: Vec<f64> = (0..n).map(|j| squares.within(0, j)).collect();
                for _ in 1..classes {
                    loss = (0..n)
                        .map(|j| (1..=j).map(|i| loss[i - 1] + squares.within(i, j)).fold(f64::INFINITY, f64::min))
                        .collect();
                }
                let starts = best_starts(&v, &vec![1.0; n], classes);
                let ends = starts.iter().copied().chain([n]);
                let found: f64 = std::iter::once(0)
                    .chain(starts.iter().copied())
                    .zip(ends)
                    .map(|(i, j)| squares.within(i, j - 1))
                    .sum();
                assert!((found - loss[n - 1]).abs() < 1e-12, "{n} {classes}: {found} {}", loss[n - 1]);
            }
        }
    }

    #[test]
    fn equal_values_share_a_class() {
        let v: Vec<f64> = (0..1000).map(|i| if i < 900 { 0.0 } else { f64::from(i % 7) * 1e9 }).collect();
        let b = jenks(&v, 5);
        assert!(b.borders.windows(2).all(|w| w[0] < w[1]) && b.borders[0] > 0.0, "{b:?}");
    }

    #[test]
    fn fewer_distinct_values_give_fewer_classes() {
        assert_eq!(jenks(&[1.0, 2.0, 2.0], 5).borders, vec![2.0]);
        assert!(jenks(&[], 5).borders.is_empty());
    }
}
