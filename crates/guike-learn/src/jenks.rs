//! Natural breaks: the optimal classes of one column.
//!
//! The one idea: in one dimension the least within-class sum of squares can be found exactly by dynamic programming
//! (Wang & Song 2011, through the crate `ckmeans`), so no restarts and no local optima.
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
    let classes = u8::try_from(classes).ok().filter(|&c| c > 0).expect("between 1 and 255 classes");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    if n > MAX_EXACT {
        sorted = (0..MAX_EXACT).map(|i| sorted[i * (n - 1) / (MAX_EXACT - 1)]).collect();
    }
    let distinct = 1 + sorted.windows(2).filter(|w| w[0] != w[1]).count();
    let classes = classes.min(u8::try_from(distinct).unwrap_or(u8::MAX));
    if n == 0 || classes < 2 {
        return Breaks { borders: Vec::new(), variance_explained: if distinct == 1 { 1.0 } else { 0.0 } };
    }
    // the search works with sums of squares: centre and scale first, so that nothing cancels or overflows
    let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
    let spread = (sorted[sorted.len() - 1] - sorted[0]).max(f64::MIN_POSITIVE);
    let scaled: Vec<f64> = sorted.iter().map(|v| (v - mean) / spread).collect();
    let (_, ranges) = ckmeans::ckmeans_indices(&scaled, classes).expect("at least as many values as classes, none NaN");
    let mut borders: Vec<f64> = ranges.iter().skip(1).map(|r| sorted[r.0]).collect();
    // a border inside a run of equal values moves down to the whole run
    borders.dedup();
    borders.retain(|&b| b > sorted[0]);
    let breaks = Breaks { borders, variance_explained: 0.0 };
    let variance_explained = goodness(&sorted, &breaks);
    Breaks { variance_explained, ..breaks }
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
