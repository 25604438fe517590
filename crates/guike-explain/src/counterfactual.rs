//! Counterfactuals: the smallest change of what can be changed that takes a prediction over a border.
//!
//! The one idea: the cost of a change is a sum over features, so combinations can be visited in the order of their cost, and
//! the first that crosses the border is the smallest there is. Only when the allowed model calls run out before that is a
//! good answer looked for instead of the best, and the result says which of the two it is. When everything allowed has been
//! tried without success the result says that too: no promise is made where none can be kept.
//!
//! It changes inputs of a model; whether a customer moved that way would behave as predicted is another question.

use guike_core::Seed;

use crate::error::ExplainError;
use ascent::Ascent;
use lever::Levers;

pub use lever::{Direction, Lever};

mod ascent;
mod lever;
mod local;

#[cfg(test)]
mod tests;

/// The border to be crossed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// The prediction should be this or more.
    AtLeast(f64),
    /// The prediction should be this or less.
    AtMost(f64),
}

impl Goal {
    /// How much is missing; 0 or less when the goal is reached.
    fn missing(self, output: f64) -> f64 {
        match self {
            Goal::AtLeast(border) => border - output,
            Goal::AtMost(border) => output - border,
        }
    }
}

/// How far to look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// Features that may change together, at most. Advice of more than three parts is not followed.
    pub most_changes: usize,
    /// What touching a feature costs besides the distance, in spreads: the higher, the fewer features change. 0.5 means that
    /// two changes must save half a spread against one.
    pub price: f64,
    /// Model calls, at most.
    pub calls: usize,
    /// Where random combinations begin, should they be needed.
    pub seed: Seed,
}

impl Default for Search {
    fn default() -> Search {
        Search { most_changes: 3, price: 0.5, calls: 20_000, seed: Seed(1) }
    }
}

/// One feature's part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Position of the lever.
    pub lever: usize,
    /// Value now.
    pub from: f64,
    /// Value it would have.
    pub to: f64,
    /// The same in spreads of the feature, with its sign.
    pub spreads: f64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// The prediction is already there.
    Already,
    /// This does it.
    Change {
        /// The features that change, in the order of the levers.
        changes: Vec<Change>,
        /// The prediction then.
        output: f64,
        /// Sum over the changes of their distance in spreads and the price.
        cost: f64,
        /// Whether no cheaper combination does it. If not, a cheaper one than this may exist, but none cheaper than
        /// [`Counterfactual::nothing_below`].
        smallest: bool,
    },
    /// No allowed combination does it: all were tried.
    Impossible,
    /// The calls were used up without success; one may exist, but none cheaper than [`Counterfactual::nothing_below`].
    NotFound,
}

/// The answer and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Counterfactual {
    /// What was found.
    pub found: Found,
    /// The prediction now.
    pub now: f64,
    /// Every combination that costs less than this was tried.
    pub nothing_below: f64,
    /// Model calls used.
    pub calls: usize,
}

/// The smallest change of the levers that reaches the goal.
///
/// `outputs` is asked about batches of at most 256 combinations, each with one value per lever, and returns one prediction
/// for each: the caller puts the values into its case. Values of a lever are its present one and whole steps from there, so
/// the answer is exact on that grid. Among equally cheap combinations the one that moves earlier levers less is taken.
///
/// # Cost
/// at most `search.calls` model calls. Half of them visit combinations by cost; if that does not do, a quarter is for greedy
/// steps and random combinations, and the rest makes the best of them smaller. Memory: combinations × levers.
///
/// # Errors
/// [`ExplainError::Lever`] for a lever whose step or spread is not a positive number, or whose value is none;
/// [`ExplainError::Output`] where a prediction is not finite; and whatever `outputs` returns.
///
/// # Panics
/// When `outputs` returns another number of values than it was asked for.
///
/// # Source
/// Wachter, Mittelstadt & Russell (2018), *Counterfactual explanations without opening the black box*, Harvard J. of Law &
/// Technology 31; actionable features and steps: Ustun, Spangher & Liu (2019), *Actionable recourse in linear
/// classification*, FAT*. The search by cost is Dijkstra's on a grid.
///
/// # Example
/// ```
/// use guike_explain::counterfactual::{Direction, Found, Goal, Lever, Search, counterfactual};
/// use guike_explain::ExplainError;
///
/// // gold from 200 on, at orders × basket; she buys 4 times for 30, a spread is 2 orders or 10 of money
/// let orders = Lever { from: 4.0, low: 0.0, high: 20.0, step: 1.0, direction: Direction::Up, spread: 2.0 };
/// let basket = Lever { from: 30.0, low: 0.0, high: 60.0, step: 5.0, direction: Direction::Up, spread: 10.0 };
/// let gold = |rows: &[Vec<f64>]| Ok::<_, ExplainError>(rows.iter().map(|r| r[0] * r[1]).collect());
/// let advice = counterfactual(&[orders, basket], Goal::AtLeast(200.0), &Search::default(), gold)?;
/// let Found::Change { changes, smallest, .. } = advice.found else { panic!() };
/// assert_eq!((changes[0].lever, changes[0].to, changes[0].spreads, smallest), (0, 7.0, 1.5, true));
///
/// let never = counterfactual(&[orders], Goal::AtLeast(1e6), &Search::default(), |rows: &[Vec<f64>]| {
///     Ok::<_, ExplainError>(rows.iter().map(|r| r[0] * 30.0).collect())
/// })?;
/// assert_eq!(never.found, Found::Impossible);
/// # Ok::<(), ExplainError>(())
/// ```
pub fn counterfactual<E: From<ExplainError>>(
    levers: &[Lever],
    goal: Goal,
    search: &Search,
    outputs: impl FnMut(&[Vec<f64>]) -> Result<Vec<f64>, E>,
) -> Result<Counterfactual, E> {
    let levers = Levers::new(levers, search)?;
    let mut asked = Asked { outputs, levers: &levers, goal, calls: 0, most: search.calls.max(1) };
    let stay = vec![0; levers.len()];
    let now = asked.batch(std::slice::from_ref(&stay))?[0];
    let answer = |found, nothing_below, calls| Ok(Counterfactual { found, now, nothing_below, calls });
    if goal.missing(now) <= 0.0 {
        return answer(Found::Already, 0.0, asked.calls);
    }
    let mut ascent = Ascent::new(&levers);
    let half = asked.most / 2;
    loop {
        let room = half.saturating_sub(asked.calls).min(BATCH);
        let batch: Vec<Vec<u32>> = ascent.by_ref().take(room).collect();
        if batch.is_empty() {
            break;
        }
        let said = asked.batch(&batch)?;
        if let Some(at) = said.iter().position(|&v| goal.missing(v) <= 0.0) {
            let cost = levers.cost(&batch[at]);
            return answer(levers.change(&batch[at], said[at], true), cost, asked.calls);
        }
    }
    let Some(nothing_below) = ascent.next_cost() else {
        return answer(Found::Impossible, f64::INFINITY, asked.calls);
    };
    let best = local::search(&mut asked, now, search.seed)?;
    let found = match best {
        // all that is cheaper was tried
        Some((state, output)) => levers.change(&state, output, levers.cost(&state) <= nothing_below),
        None => Found::NotFound,
    };
    answer(found, nothing_below, asked.calls)
}

/// Combinations that are asked about at once.
const BATCH: usize = 256;

/// The model, its answers checked and counted.
struct Asked<'a, F> {
    outputs: F,
    levers: &'a Levers,
    goal: Goal,
    calls: usize,
    most: usize,
}

impl<F> Asked<'_, F> {
    fn left(&self) -> usize {
        self.most.saturating_sub(self.calls)
    }

    /// What the model says of these combinations.
    fn batch<E: From<ExplainError>>(&mut self, states: &[Vec<u32>]) -> Result<Vec<f64>, E>
    where
        F: FnMut(&[Vec<f64>]) -> Result<Vec<f64>, E>,
    {
        let mut all = Vec::with_capacity(states.len());
        for part in states.chunks(BATCH) {
            let values: Vec<Vec<f64>> = part.iter().map(|s| self.levers.values(s)).collect();
            let said = (self.outputs)(&values)?;
            assert_eq!(said.len(), part.len(), "the model returns one prediction per combination");
            if let Some(&value) = said.iter().find(|v| !v.is_finite()) {
                return Err(ExplainError::Output { output: 0, value }.into());
            }
            self.calls += part.len();
            all.extend(said);
        }
        Ok(all)
    }
}
