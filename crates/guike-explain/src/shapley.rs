//! Shapley values of anything that can be asked: what each group of features adds to one prediction, and how sure that is.
//!
//! The one idea: the caller, not this module, makes the cases that the model is asked about. It gets [`Hybrid`]s (which
//! groups come from the explained case, and which background case gives the others) and returns outputs. So a group can
//! be a column, all columns of one subject, or a span of a customer's orders, and a hybrid customer can be recomputed
//! from her orders instead of being pasted together from features that contradict each other.
//!
//! All coalitions are asked where the budget of model calls allows; otherwise permutations are drawn, each with its
//! reverse. It needs memory for the outputs of the background and one batch, whatever the number of customers. For
//! trees [`crate::tree_shap`] is exact and far cheaper, for linear scores [`crate::linear`]. Like every Shapley value it
//! describes the model, not what would happen if a feature were changed.

use guike_core::{Matrix, Seed};

use crate::attribution::Attributions;
use crate::error::ExplainError;
use coalition::Coalition;

pub mod coalition;
mod exact;
mod sampled;

#[cfg(test)]
mod tests;

/// A case to be made: some groups of the explained case, the others of a background case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hybrid {
    /// The groups that come from the explained case.
    pub coalition: Coalition,
    /// The background case that gives all other groups.
    pub background: usize,
}

impl Hybrid {
    /// Whether this group comes from the explained case.
    pub fn from_case(&self, group: usize) -> bool {
        self.coalition.contains(group)
    }
}

/// What is shared out among whom, and at what cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Game {
    /// Number of groups of features.
    pub n_groups: usize,
    /// Number of background cases: what "not known" means is the mean over them. 50 to 200 are usual.
    pub n_background: usize,
    /// Outputs of the model per case.
    pub n_outputs: usize,
    /// How many hybrids the model may be asked about. All coalitions are asked when 2^groups × background fits in.
    ///
    /// 2¹⁵ by default: a second or less for models that take up to 30 µs per case. At least 32 × groups are used.
    pub calls: usize,
    /// Where sampled permutations begin.
    pub seed: Seed,
}

impl Default for Game {
    fn default() -> Game {
        Game { n_groups: 0, n_background: 0, n_outputs: 1, calls: 1 << 15, seed: Seed(1) }
    }
}

/// Attributions of one case with their errors.
#[derive(Debug, Clone, PartialEq)]
pub struct Shapley {
    /// One row × outputs × groups; they add up to the prediction.
    pub attributions: Attributions,
    /// Standard errors, outputs × groups; 0 where all coalitions were asked.
    pub standard_errors: Vec<f64>,
    /// Whether all coalitions were asked.
    pub exact: bool,
    /// Background cases that were used: fewer than given when they alone would have taken more than a quarter of the calls.
    pub n_background: usize,
    /// Hybrids that the model was asked about.
    pub calls: usize,
}

impl Shapley {
    /// The standard error of each group's attribution to this output.
    pub fn errors(&self, output: usize) -> &[f64] {
        let p = self.attributions.n_features();
        &self.standard_errors[output * p..(output + 1) * p]
    }
}

/// What each group adds to the explained case's outputs, compared with the mean over the background.
///
/// `outputs` is asked about batches of at most 1,024 hybrids and returns hybrids × outputs numbers, hybrid after hybrid.
/// A hybrid that takes all groups from the case must be the case itself, whatever its background. `outputs` may work in parallel, and stops everything by an error. The order of its calls and all results depend on `game`
/// alone.
///
/// The standard errors say how far sampled permutations stand from *this* background's exact values, and are somewhat too
/// large where the calls allow fewer than two pairs of permutations per background case. They do not say how far this
/// background stands from another.
///
/// # Cost
/// exact: (2^groups − 1) × background + 1 calls; sampled: at most `game.calls`, or 32 × groups + background where that is
/// more. Memory: batches of 1,024 hybrids and the outputs of the background.
///
/// # Errors
/// [`ExplainError::NoBackground`], [`ExplainError::Output`] where an output is not finite, and whatever `outputs` returns.
///
/// # Panics
/// When `outputs` returns another number of values than it was asked for.
///
/// # Source
/// Permutations: Castro, Gómez & Tejada (2009), *Polynomial calculation of the Shapley value based on sampling*, Computers
/// & Operations Research 36. Each with its reverse: Mitchell, Cooper, Frank & Holmes (2022), *Sampling permutations for
/// Shapley value estimation*, JMLR 23, section 3. The control variate that makes the sum exact is the regression estimator
/// of survey sampling (Cochran 1977, chapter 7) with the known mean of the background's outputs. Checked against sums over
/// all subsets, and the errors against what repeated runs show. KernelSHAP's weighted least squares is not offered: with
/// paired coalitions (Covert & Lee 2021), the same control variate and the same calls its error was 2 to 12 times as large on
/// three models of 12 features (`cargo run --release -p guike-explain --example shapley_sampling`).
///
/// # Example
/// ```
/// use guike_explain::shapley::{Game, Hybrid, shapley};
/// use guike_explain::ExplainError;
///
/// // spend = orders × basket: the shop's average customer buys twice at 10, this one four times at 30
/// let (case, background) = ([4.0, 30.0], [[2.0, 10.0]]);
/// let game = Game { n_groups: 2, n_background: 1, ..Game::default() };
/// let explained = shapley(&game, |hybrids: &[Hybrid]| {
///     let pick = |h: &Hybrid, g: usize| if h.from_case(g) { case[g] } else { background[h.background][g] };
///     Ok::<_, ExplainError>(hybrids.iter().map(|h| pick(h, 0) * pick(h, 1)).collect())
/// })?;
/// assert_eq!(explained.attributions.expected(), [20.0]);
/// assert_eq!(explained.attributions.of(0, 0), [40.0, 60.0]);
/// assert!(explained.exact && explained.calls == 4);
///
/// let nobody = Game { n_background: 0, ..game };
/// assert!(shapley(&nobody, |_| Ok::<_, ExplainError>(vec![])).is_err());
/// # Ok::<(), ExplainError>(())
/// ```
pub fn shapley<E: From<ExplainError>>(
    game: &Game,
    outputs: impl FnMut(&[Hybrid]) -> Result<Vec<f64>, E>,
) -> Result<Shapley, E> {
    if game.n_background == 0 {
        return Err(ExplainError::NoBackground.into());
    }
    let background = thinned(game);
    let mut asked = Asked { outputs, n_groups: game.n_groups, n_outputs: game.n_outputs, calls: 0 };
    let all = u32::try_from(game.n_groups).ok().and_then(|p| 1_usize.checked_shl(p));
    let needed = all.and_then(|all| all.checked_mul(background.len()));
    // two groups have two orders: there is nothing to draw
    let exact = game.n_groups <= 2 || needed.is_some_and(|needed| needed <= game.calls);
    let (expected, values, standard_errors) =
        if exact { exact::exact(&mut asked, &background)? } else { sampled::sampled(&mut asked, game, &background)? };
    Ok(Shapley {
        attributions: Attributions::new(expected, 1, game.n_groups, values),
        standard_errors,
        exact,
        n_background: background.len(),
        calls: asked.calls,
    })
}

/// The rows of hybrids over a table of numbers: `groups[g]` lists the columns of group g, and columns of no group keep the
/// values of the case.
///
/// ```
/// use guike_core::Matrix;
/// use guike_explain::shapley::{Hybrid, coalition::Coalition, compose};
/// let background = Matrix::from_row_major(3, &[1.0, 2.0, 3.0]);
/// let hybrid = Hybrid { coalition: Coalition::of(2, [1]), background: 0 };
/// let rows = compose(&[10.0, 20.0, 30.0], &background, &[vec![0], vec![1, 2]], &[hybrid]);
/// assert_eq!(rows.row(0), [1.0, 20.0, 30.0]);
/// ```
pub fn compose(case: &[f64], background: &Matrix, groups: &[Vec<usize>], hybrids: &[Hybrid]) -> Matrix {
    assert_eq!(case.len(), background.n_columns(), "the case has the background's columns");
    let columns: Vec<Vec<f64>> = case.iter().map(|&v| vec![v; hybrids.len()]).collect();
    let mut rows = Matrix::from_columns(hybrids.len(), &columns);
    for (g, columns) in groups.iter().enumerate() {
        for &j in columns {
            for (cell, hybrid) in rows.column_mut(j).iter_mut().zip(hybrids) {
                if !hybrid.from_case(g) {
                    *cell = background.at(hybrid.background, j);
                }
            }
        }
    }
    rows
}

/// Hybrids that are asked about at once: enough to keep threads busy, few enough to stay in memory.
const BATCH: usize = 1 << 10;

/// Bases, attributions and standard errors: outputs, outputs × groups, outputs × groups.
type Found = (Vec<f64>, Vec<f64>, Vec<f64>);

/// The model, its answers checked and counted.
struct Asked<F> {
    outputs: F,
    n_groups: usize,
    n_outputs: usize,
    calls: usize,
}

impl<F> Asked<F> {
    fn batch<E: From<ExplainError>>(&mut self, hybrids: &[Hybrid]) -> Result<Vec<f64>, E>
    where
        F: FnMut(&[Hybrid]) -> Result<Vec<f64>, E>,
    {
        let said = (self.outputs)(hybrids)?;
        assert_eq!(said.len(), hybrids.len() * self.n_outputs, "the model returns one row of outputs per hybrid");
        if let Some(at) = said.iter().position(|v| !v.is_finite()) {
            return Err(ExplainError::Output { output: at % self.n_outputs, value: said[at] }.into());
        }
        self.calls += hybrids.len();
        Ok(said)
    }

    /// Asks about many hybrids, a batch at a time, and hands over each with its outputs in order.
    fn each<E: From<ExplainError>>(
        &mut self,
        hybrids: impl Iterator<Item = Hybrid>,
        mut take: impl FnMut(&Hybrid, &[f64]),
    ) -> Result<(), E>
    where
        F: FnMut(&[Hybrid]) -> Result<Vec<f64>, E>,
    {
        let mut hybrids = hybrids.peekable();
        while hybrids.peek().is_some() {
            let batch: Vec<Hybrid> = hybrids.by_ref().take(BATCH).collect();
            let said = self.batch(&batch)?;
            batch.iter().zip(said.chunks_exact(self.n_outputs.max(1))).for_each(|(h, o)| take(h, o));
        }
        Ok(())
    }
}

/// The background cases that are used: all, or a seeded choice when they alone would take too large a part of the calls.
fn thinned(game: &Game) -> Vec<usize> {
    let most = (game.calls / 4).max(1);
    if game.n_background <= most {
        return (0..game.n_background).collect();
    }
    let mut rng = game.seed.derive("background").rng();
    let mut chosen = rand::seq::index::sample(&mut rng, game.n_background, most).into_vec();
    chosen.sort_unstable();
    chosen
}
