//! Permutation importance: shuffle one feature, and see how much worse a model gets.
//!
//! The one idea: a feature that the model leans on cannot be replaced by another row's value without loss. The caller
//! shuffles and scores, so that a feature may be a column of any type or several columns at once; this module draws the
//! orders and keeps the accounts per row, which gives the error.
//!
//! Features that stand in for each other share their importance, or hide it: shuffling one leaves the other.

use guike_core::Seed;
use rand::seq::SliceRandom;

/// By how much the loss grows when a feature is shuffled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// Mean over rows and repeats, in the unit of the loss.
    pub mean: f64,
    /// Its standard error over rows; 0 for a single row.
    pub standard_error: f64,
}

/// How much each of the named features matters, in the order given.
///
/// `before` are the losses of the rows as they are. `losses` gets the position of a feature and an order, and returns the
/// losses when row i has the feature's value of row `order[i]`. Every name has its own random numbers, so that adding a
/// feature changes nothing for the others.
///
/// # Cost
/// features × repeats × rows model calls; memory for one row of losses.
///
/// # Errors
/// Whatever `losses` returns.
///
/// # Panics
/// When `losses` returns another number of losses than there are rows.
///
/// # Source
/// Breiman (2001), *Random forests*, Machine Learning 45, section 10; Fisher, Rudin & Dominici (2019), *All models are wrong,
/// but many are useful*, JMLR 20, for any model.
///
/// # Example
/// ```
/// use guike_core::Seed;
/// use guike_explain::permutation::permutation;
/// let (age, y) = ([20.0, 30.0, 40.0, 50.0], [2.0, 3.0, 4.0, 5.0]);
/// let loss = |age: f64, y: f64| (age / 10.0 - y).powi(2);
/// let matters = permutation(&["age", "unused"], &[0.0; 4], 3, Seed(1), |feature, order| {
///     let shuffled = |i: usize| if feature == 0 { age[order[i]] } else { age[i] };
///     Ok::<_, ()>((0..4).map(|i| loss(shuffled(i), y[i])).collect())
/// })
/// .unwrap();
/// assert!(matters[0].mean > 0.0);
/// assert_eq!(matters[1].mean, 0.0);
/// ```
pub fn permutation<E>(
    names: &[&str],
    before: &[f64],
    repeats: u32,
    seed: Seed,
    mut losses: impl FnMut(usize, &[usize]) -> Result<Vec<f64>, E>,
) -> Result<Vec<Growth>, E> {
    let n = before.len();
    let mut found = Vec::with_capacity(names.len());
    for (feature, name) in names.iter().enumerate() {
        let mut extra = vec![0.0; n];
        for repeat in 0..repeats {
            let mut order: Vec<usize> = (0..n).collect();
            order.shuffle(&mut seed.derive(name).at(u64::from(repeat)).rng());
            let after = losses(feature, &order)?;
            assert_eq!(after.len(), n, "there is one loss per row");
            for ((e, a), b) in extra.iter_mut().zip(&after).zip(before) {
                *e += (a - b) / f64::from(repeats);
            }
        }
        found.push(Growth::of(&extra));
    }
    Ok(found)
}

impl Growth {
    fn of(extra: &[f64]) -> Growth {
        let n = extra.len() as f64;
        let mean = extra.iter().sum::<f64>() / n;
        let squares: f64 = extra.iter().map(|e| (e - mean).powi(2)).sum();
        Growth { mean, standard_error: (squares / (n - 1.0).max(1.0) / n).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For a sum y = 2a + b and squared error, shuffling a column adds twice its variance times its squared coefficient
    /// (Fisher et al. 2019, section 4.2 for linear models).
    #[test]
    fn shuffling_costs_what_theory_says() {
        let n = 20_000;
        let column = |name: &str| -> Vec<f64> {
            use rand::RngExt;
            let rng = &mut Seed(7).derive(name).rng();
            (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
        };
        let columns = [column("a"), column("b"), column("c")];
        let weights = [2.0, 1.0, 0.0];
        let said = permutation(&["a", "b", "c"], &vec![0.0; n], 2, Seed(1), |feature, order| {
            let lost = |i: usize| weights[feature] * (columns[feature][order[i]] - columns[feature][i]);
            Ok::<_, ()>((0..n).map(|i| lost(i).powi(2)).collect())
        })
        .unwrap();
        for (g, w) in said.iter().zip(weights) {
            let exact = 2.0 * w * w / 3.0;
            assert!((g.mean - exact).abs() <= 4.0 * g.standard_error, "{g:?} and not {exact}");
            assert!(g.standard_error < 0.02);
        }
        // a column's numbers hang on its name alone
        let alone = permutation(&["b"], &vec![0.0; n], 2, Seed(1), |_, order| {
            Ok::<_, ()>((0..n).map(|i| (columns[1][order[i]] - columns[1][i]).powi(2)).collect())
        });
        assert_eq!(alone.unwrap()[0], said[1]);
    }
}
