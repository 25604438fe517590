//! What customers may expect by one or several fitted pairs of count and spend model.
//!
//! The one idea: customers are grouped by history, and what two pairs have in common is computed once. Expected orders,
//! P(active) and the wait belong to a count model and a history (x, t_x, T), mostly to (x, T) only; the table of total
//! spend given a count belongs to a spend model and an x; only mixing the two belongs to a pair.

use std::ops::Range;

use guike_core::{Cases, ForecastError, Forecasts, INTERVAL_LEVELS, Model, Quantiles};
use rayon::prelude::*;

use crate::count_model::CountDistribution;
use crate::grouped::{DAYS_PER_WEEK, Grouped};
use crate::learners::{FittedCount, FittedPair, FittedSpend, SpendKind, distinct, group};
use crate::total_spend::SpendGrid;

/// Probability of large counts that spend quantiles (up to 0.95) take for the largest listed.
const TAIL: f64 = 1e-4;

/// Forecasts of the same cases by several pairs.
///
/// # Shapes
/// one per pair, in their order; each is what the pair's own forecast would be. Means are the same bits; a quantile near the
/// largest count that is listed may differ by parts in a million, because the shared table of spend goes on further.
///
/// # Errors
/// [`ForecastError::Schema`] for summaries with impossible times.
pub fn forecast_together(pairs: &[&FittedPair], cases: &Cases<'_>) -> Result<Vec<Forecasts>, ForecastError> {
    let Some(first) = pairs.first() else { return Ok(Vec::new()) };
    let rfm = cases.rfm;
    let grouped = group(rfm).map_err(|error| ForecastError::Schema {
        model: first.card().name.clone(),
        needs: format!("possible recencies and ages ({error})"),
    })?;
    let horizon = f64::from(cases.horizon.days()) / DAYS_PER_WEEK;
    let counts = distinct(pairs.iter().map(|p| p.count()));
    let spends = distinct(pairs.iter().map(|p| p.spend()));
    let place = |pair: &&FittedPair| Pair {
        count: counts.iter().position(|c| *c == pair.count()).expect("every count model is listed"),
        spend: spends.iter().position(|s| *s == pair.spend()).expect("every spend model is listed"),
    };
    let shop = Shop { pairs: pairs.iter().map(place).collect(), counts, spends, grouped: &grouped, horizon };
    // runs of equal x are independent, so threads cannot change a bit
    let runs: Vec<RunOutlook> = grouped.runs().par_iter().map(|(x, run)| shop.outlook_of(*x, run.clone())).collect();
    let posteriors: Vec<_> = shop.spends.iter().map(|s| posteriors(s, cases)).collect();
    let join = |(k, pair): (usize, &Pair)| {
        let ahead: Vec<Ahead> = runs.iter().flat_map(|run| run.by_count[pair.count].iter().copied()).collect();
        let totals: Vec<Totals> = runs.iter().flat_map(|run| run.by_pair[k].iter().copied()).collect();
        let (n, group_of, posterior) = (rfm.len(), grouped.group_of(), &posteriors[pair.spend]);
        let of = |value: fn(&Ahead) -> f64| group_of.iter().map(|&g| value(&ahead[g as usize])).collect::<Vec<f64>>();
        let mut values = Vec::with_capacity(n * INTERVAL_LEVELS.len());
        for (&g, &(_, scale)) in group_of.iter().zip(posterior) {
            values.extend(totals[g as usize].map(|w| w * scale));
        }
        let expected_orders = of(|a| a.expected);
        Forecasts {
            horizon: cases.horizon,
            expected_spend: expected_orders.iter().zip(posterior).map(|(orders, (mean, _))| orders * mean).collect(),
            expected_orders,
            p_active: of(|a| a.p_active),
            next_order_days: of(|a| a.wait * DAYS_PER_WEEK),
            spend: Quantiles { levels: INTERVAL_LEVELS.to_vec(), values },
        }
    };
    Ok(shop.pairs.par_iter().enumerate().map(join).collect())
}

/// Mean spend per purchase and scale of the total, of every case.
fn posteriors(spend: &FittedSpend, cases: &Cases<'_>) -> Vec<(f64, f64)> {
    let rfm = cases.rfm;
    let of = |row: usize| {
        let posterior = match spend.basis {
            SpendKind::Repeats => spend.model.posterior(rfm.repeats[row], rfm.repeat_spend_mean[row]),
            SpendKind::All => spend.model.posterior(rfm.repeats[row] + 1, rfm.spend_mean[row]),
        };
        (posterior.mean(), posterior.scale)
    };
    (0..rfm.len()).map(of).collect()
}

/// Which count model and which spend model, as places in the shop's lists.
#[derive(Debug, Clone, Copy)]
struct Pair {
    count: usize,
    spend: usize,
}

/// What customers of one history may expect by one count model.
#[derive(Debug, Clone, Copy)]
struct Ahead {
    expected: f64,
    p_active: f64,
    /// Median weeks to the next purchase.
    wait: f64,
}

/// Quantiles of total spend at [`INTERVAL_LEVELS`], in units of the customer's spend scale.
type Totals = [f64; INTERVAL_LEVELS.len()];

/// The groups of one x, in order.
struct RunOutlook {
    by_count: Vec<Vec<Ahead>>,
    by_pair: Vec<Vec<Totals>>,
}

/// The models and the customers.
struct Shop<'a> {
    counts: Vec<FittedCount>,
    spends: Vec<FittedSpend>,
    pairs: Vec<Pair>,
    grouped: &'a Grouped,
    horizon: f64,
}

impl Shop<'_> {
    fn outlook_of(&self, x: u32, run: Range<usize>) -> RunOutlook {
        let live: Vec<Live> = self.counts.iter().map(|count| self.live(count, run.clone())).collect();
        let most = |l: &Live| l.counts.iter().map(|c| c.first + c.probabilities.len()).max().unwrap_or(1) - 1;
        let most_by = |s: usize| {
            let counts = self.pairs.iter().filter(|p| p.spend == s).map(|p| most(&live[p.count]));
            counts.max().unwrap_or(0)
        };
        let grid = |(s, FittedSpend { basis, model }): (usize, &FittedSpend)| {
            let observed = f64::from(x) + if *basis == SpendKind::All { 1.0 } else { 0.0 };
            SpendGrid::new(model.p, model.q + model.p * observed, most_by(s))
        };
        let grids: Vec<SpendGrid> = self.spends.iter().enumerate().map(grid).collect();
        let by_pair = self.pairs.iter().map(|pair| live[pair.count].totals(&grids[pair.spend])).collect();
        RunOutlook { by_count: live.into_iter().map(|l| l.ahead).collect(), by_pair }
    }

    /// What a count model says of the groups of one run.
    fn live(&self, count: &FittedCount, run: Range<usize>) -> Live {
        let (count, grouped) = (count.model(), self.grouped);
        let recency_matters = count.recency_matters_if_alive();
        let same_state = |a: &usize, b: &usize| !recency_matters && grouped.age_idx()[*a] == grouped.age_idx()[*b];
        let groups: Vec<usize> = run.collect();
        let mut live = Live {
            ahead: Vec::with_capacity(groups.len()),
            p_alive: Vec::with_capacity(groups.len()),
            sizes: Vec::new(),
            counts: Vec::new(),
        };
        for state in groups.chunk_by(same_state) {
            let first = grouped.history(state[0]);
            let expected = count.expected_if_alive(first, self.horizon);
            let p_active = count.p_active_if_alive(first, self.horizon);
            for &group in state {
                let history = grouped.history(group);
                let p_alive = count.p_alive(history);
                let wait = if p_alive <= 0.5 { f64::INFINITY } else { count.wait_if_alive(history, 0.5 / p_alive) };
                live.ahead.push(Ahead { expected: p_alive * expected, p_active: p_alive * p_active, wait });
                live.p_alive.push(p_alive);
            }
            live.sizes.push(state.len());
            live.counts.push(count.counts_if_alive(first, self.horizon, TAIL));
        }
        live
    }
}

/// The groups of one x by one count model.
struct Live {
    ahead: Vec<Ahead>,
    /// By group.
    p_alive: Vec<f64>,
    /// Consecutive groups that are the same while alive.
    sizes: Vec<usize>,
    /// Purchases while alive, one distribution per such stretch.
    counts: Vec<CountDistribution>,
}

impl Live {
    fn totals(&self, grid: &SpendGrid) -> Vec<Totals> {
        let mut totals = Vec::with_capacity(self.p_alive.len());
        for (counts, &size) in self.counts.iter().zip(&self.sizes) {
            let mixed = grid.mix(counts);
            let groups = totals.len()..totals.len() + size;
            totals.extend(
                self.p_alive[groups].iter().map(|&alive| INTERVAL_LEVELS.map(|level| mixed.quantile(alive, level))),
            );
        }
        totals
    }
}
