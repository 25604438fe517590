//! What every model of purchase counts can answer about one customer.
//!
//! The one idea: all questions split at "is the customer still alive at the cutoff?". P(alive) depends on the recency;
//! what a live customer will do mostly depends on (x, T) only, so forecasts for a million customers need the expensive
//! part a few thousand times ([`CountModel::recency_matters_if_alive`]). The unconditional answers are provided by the
//! trait: multiply by P(alive), and put the rest at zero purchases.
//!
//! Times are in the model's unit, weeks.

use std::fmt::Debug;

use crate::grouped::{Grouped, History};

/// The distribution of a number of purchases: P(N = first), P(N = first + 1), …
#[derive(Debug, Clone, PartialEq)]
pub struct CountDistribution {
    /// The smallest count with a probability worth listing.
    pub first: usize,
    /// Probabilities of `first`, `first + 1`, …
    pub probabilities: Vec<f64>,
}

impl CountDistribution {
    /// P(N = n), 0 outside the list.
    pub fn at(&self, n: usize) -> f64 {
        n.checked_sub(self.first).and_then(|i| self.probabilities.get(i)).copied().unwrap_or(0.0)
    }

    /// Σ P(N = n) over the list: 1 less the tail that was left out.
    pub fn total(&self) -> f64 {
        self.probabilities.iter().sum()
    }

    /// Σ n P(N = n) over the list.
    pub fn mean(&self) -> f64 {
        self.probabilities.iter().enumerate().map(|(i, p)| (self.first + i) as f64 * p).sum()
    }

    /// The same with probability `p_alive`, and no purchase otherwise.
    #[must_use]
    pub fn thinned(mut self, p_alive: f64) -> CountDistribution {
        for p in &mut self.probabilities {
            *p *= p_alive;
        }
        if self.first > 0 {
            let mut padded = vec![0.0; self.first];
            padded.append(&mut self.probabilities);
            self = CountDistribution { first: 0, probabilities: padded };
        }
        if self.probabilities.is_empty() {
            self.probabilities.push(0.0);
        }
        self.probabilities[0] += 1.0 - p_alive;
        self
    }
}

/// A fitted model of when customers buy and when they leave.
///
/// Implementations answer for any x ≤ 10,000 and 0 ≤ t_x ≤ T without NaN.
pub trait CountModel: Debug + Send + Sync {
    /// ln of the likelihood of one customer's history.
    fn log_likelihood(&self, history: History) -> f64;

    /// P(the customer has not left by the cutoff | history).
    fn p_alive(&self, history: History) -> f64;

    /// Expected purchases within `horizon` of a customer who is alive at the cutoff.
    fn expected_if_alive(&self, history: History, horizon: f64) -> f64;

    /// P(at least one purchase within `horizon`) of a customer who is alive at the cutoff.
    fn p_active_if_alive(&self, history: History, horizon: f64) -> f64;

    /// Distribution of the purchases within `horizon` of a customer who is alive at the cutoff, listed until less than
    /// `tail` is left out.
    fn counts_if_alive(&self, history: History, horizon: f64, tail: f64) -> CountDistribution;

    /// Whether the answers for a live customer depend on t_x (regular buyers) or on (x, T) only (random buyers).
    fn recency_matters_if_alive(&self) -> bool {
        false
    }

    /// The time within which a live customer buys again with this probability; infinite when they may leave first.
    fn wait_if_alive(&self, history: History, probability: f64) -> f64 {
        wait_by_bisection(|t| self.p_active_if_alive(history, t), probability)
    }

    /// Parameters by name, in the order of the papers.
    fn parameters(&self) -> Vec<(&'static str, f64)>;

    /// Expected purchases within `horizon`.
    fn expected(&self, history: History, horizon: f64) -> f64 {
        self.p_alive(history) * self.expected_if_alive(history, horizon)
    }

    /// P(at least one purchase within `horizon`).
    fn p_active(&self, history: History, horizon: f64) -> f64 {
        self.p_alive(history) * self.p_active_if_alive(history, horizon)
    }

    /// Distribution of the purchases within `horizon`, listed until less than `tail` is left out.
    fn counts(&self, history: History, horizon: f64, tail: f64) -> CountDistribution {
        self.counts_if_alive(history, horizon, tail).thinned(self.p_alive(history))
    }

    /// Median time to the next purchase; infinite when it may never come.
    fn median_wait(&self, history: History) -> f64 {
        let p_alive = self.p_alive(history);
        if p_alive <= 0.5 { f64::INFINITY } else { self.wait_if_alive(history, 0.5 / p_alive) }
    }
}

/// What a customer may be expected to do within a horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountOutlook {
    /// Expected purchases.
    pub expected: f64,
    /// P(at least one purchase).
    pub p_active: f64,
}

/// The outlook of every group, doing the expensive part once per distinct state of a live customer.
///
/// # Shapes      one value per group; [`Grouped::spread`] gives each customer theirs
///
/// ```
/// use guike_btyd::{CountModel, Grouped, bg_nbd::BgNbd, count_model::outlooks};
/// let model = BgNbd { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };
/// let customers = Grouped::from_days(&[2, 0], &[213.0, 0.0], &[272.0, 100.0]).unwrap();
/// let per_customer = customers.spread(&outlooks(&model, &customers, 39.0));
/// assert_eq!(per_customer[0].expected, model.expected(customers.history(1), 39.0));
/// ```
pub fn outlooks(model: &dyn CountModel, customers: &Grouped, horizon: f64) -> Vec<CountOutlook> {
    let mut outlooks = Vec::with_capacity(customers.len());
    let mut state = None;
    for (group, (history, _)) in customers.iter().enumerate() {
        let recency = if model.recency_matters_if_alive() { Some(customers.recency_idx()[group]) } else { None };
        let now = (history.x, customers.age_idx()[group], recency);
        let if_alive = match state {
            Some((before, outlook)) if before == now => outlook,
            _ => CountOutlook {
                expected: model.expected_if_alive(history, horizon),
                p_active: model.p_active_if_alive(history, horizon),
            },
        };
        state = Some((now, if_alive));
        let p_alive = model.p_alive(history);
        outlooks.push(CountOutlook { expected: p_alive * if_alive.expected, p_active: p_alive * if_alive.p_active });
    }
    outlooks
}

/// The t with `p_active(t) = probability` for an increasing function of t, to 1e-9 relative; infinite when it is not
/// reached within a million weeks.
pub fn wait_by_bisection(p_active: impl Fn(f64) -> f64, probability: f64) -> f64 {
    const LONGEST: f64 = 1e6;
    if p_active(LONGEST) < probability {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (1e-9_f64.ln(), LONGEST.ln());
    while high - low > 1e-9 {
        let middle = 0.5 * (low + high);
        if p_active(middle.exp()) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    (0.5 * (low + high)).exp()
}
