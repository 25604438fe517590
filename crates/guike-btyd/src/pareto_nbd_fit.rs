//! Maximum likelihood for the Pareto/NBD, with exact first and second derivatives.
//!
//! The one idea: customers of equal x share one integrand, h(τ) ∝ (α+τ)^−(r+x) (β+τ)^−(s+1), and each needs it between
//! their own t_x and T. So we integrate it once per x, piece by piece between the distinct times, from the last time
//! backwards ([`Tails`]); a customer's integral is then a difference of two tails. A million customers need a few ten
//! thousand short pieces. Derivatives by the parameters are integrals over the same points, so gradient and Hessian
//! are exact and cost little more than the value.
//!
//! The difference of tails does not hurt: s ∫_T^∞ h ≤ (β+T) h(T), the likelihood's other term, so its rounding error
//! stays at the level of one double whatever cancels.

use guike_core::{FitError, Note};

use crate::fit::{Estimate, FitOptions, buying_remarks, no_drop_out, not_converged, standard_errors_of_exp};
use crate::grouped::Grouped;
use crate::optimize::{Coordinate, Evaluation, Failure, Maximum, maximise};
use crate::pareto_nbd::ParetoNbd;
use crate::prior::{LogNormalPrior, add_prior, is_thin, thin_note};
use crate::quadrature::PowerProduct;

const NAMES: [&str; 4] = ["ln r", "ln alpha", "ln s", "ln beta"];
/// The box of the search, per parameter.
pub(crate) const LOWER: [f64; 4] = [1e-4, 1e-4, 1e-6, 1e-4];
pub(crate) const UPPER: [f64; 4] = [1e3, 1e6, 1e3, 1e6];
pub(crate) const PRIORS: [LogNormalPrior; 4] =
    [LogNormalPrior::RATE_SHAPE, LogNormalPrior::RATE_SCALE, LogNormalPrior::DEATH_SHAPE, LogNormalPrior::DEATH_SCALE];
/// Fits with more groups take their first steps on about this many.
const COARSE_GROUPS: usize = 3000;
/// A chance below this of leaving within the longest age seen is no drop-out.
const NO_DROP_OUT: f64 = 1e-3;

impl ParetoNbd {
    /// Maximum likelihood, or the posterior mode where the data are thin.
    ///
    /// # Errors
    /// [`FitError::TooLittle`] without customers, [`FitError::NotConverged`] with the cause.
    ///
    /// ```
    /// use guike_btyd::{FitOptions, Grouped, pareto_nbd::ParetoNbd};
    /// let data = Grouped::from_days(&[0, 3, 1, 0], &[0.0, 60.0, 9.0, 0.0], &[90.0, 70.0, 80.0, 10.0]).unwrap();
    /// let fit = ParetoNbd::fit(&data, &FitOptions::default()).unwrap();
    /// assert!(fit.notes[0].0.contains("leans on typical values")); // four customers are too few
    /// assert!(ParetoNbd::fit(&Grouped::from_days(&[], &[], &[]).unwrap(), &FitOptions::default()).is_err());
    /// ```
    pub fn fit(data: &Grouped, options: &FitOptions) -> Result<Estimate<ParetoNbd>, FitError> {
        if data.is_empty() {
            return Err(FitError::TooLittle {
                learner: Self::NAME,
                needs: "customers".into(),
                found: "are none".into(),
            });
        }
        let thin = is_thin(data, options);
        let mut start = start(data);
        if data.len() > 2 * COARSE_GROUPS {
            let coarse = data.coarsened(data.len().div_ceil(COARSE_GROUPS));
            // a start that fails is no harm: the full fit begins elsewhere
            if let Ok(maximum) = search(&coarse, options, thin, start) {
                start = std::array::from_fn(|i| maximum.theta[i]);
            }
        }
        let maximum = search(data, options, thin, start).map_err(|failure| not_converged(Self::NAME, &failure))?;
        let model = ParetoNbd::from_logarithms(&maximum.theta);
        let mut notes = Vec::new();
        let mut log_likelihood = maximum.value;
        if thin {
            notes.push(thin_note(data, options));
            log_likelihood = Plan::new(data).derivatives(&model).value;
        }
        notes.extend(remarks(&model, data));
        Ok(Estimate {
            model,
            log_likelihood,
            standard_errors: standard_errors_of_exp(&maximum),
            notes,
            iterations: maximum.iterations,
        })
    }

    /// The model whose parameters have these logarithms.
    pub(crate) fn from_logarithms(theta: &[f64]) -> ParetoNbd {
        ParetoNbd { r: theta[0].exp(), alpha: theta[1].exp(), s: theta[2].exp(), beta: theta[3].exp() }
    }
}

/// Logarithms of a start at the observed rate of purchases with typical heterogeneity and drop-out.
pub(crate) fn start(data: &Grouped) -> [f64; 4] {
    let totals = data.totals();
    let rate = (totals.repeats + 0.5) / (totals.age + 1.0);
    let age = totals.age / totals.customers;
    [0.5, (0.5 / rate).clamp(0.01, 1e4), 0.6, (0.5 * age).clamp(0.1, 1e3)].map(f64::ln)
}

pub(crate) fn coordinates(start: [f64; 4]) -> [Coordinate; 4] {
    std::array::from_fn(|i| Coordinate { name: NAMES[i], start: start[i], lower: LOWER[i].ln(), upper: UPPER[i].ln() })
}

fn search(data: &Grouped, options: &FitOptions, thin: bool, start: [f64; 4]) -> Result<Maximum, Failure> {
    let plan = Plan::new(data);
    maximise(&coordinates(start), options.stop, |theta| {
        let d = plan.derivatives(&ParetoNbd::from_logarithms(theta));
        let mut evaluation = Evaluation { value: d.value, gradient: d.gradient.to_vec(), hessian: d.hessian.concat() };
        if thin {
            add_prior(&mut evaluation, theta, &PRIORS);
        }
        evaluation
    })
}

/// What the estimates say about the shop that a reader should know.
pub(crate) fn remarks(model: &ParetoNbd, data: &Grouped) -> Vec<Note> {
    let longest = data.times().last().copied().unwrap_or(0.0);
    let mut notes = Vec::new();
    let leaves = -(-model.s * (longest / model.beta).ln_1p()).exp_m1();
    if leaves < NO_DROP_OUT {
        notes.push(no_drop_out());
    } else if model.s > 0.5 * UPPER[2] {
        notes.push(Note("the rate of leaving does not measurably differ between customers".into()));
    }
    notes.extend(buying_remarks(model.r, model.alpha, [UPPER[0], UPPER[1]]));
    notes
}

/// Value, gradient and Hessian in (ln r, ln α, ln s, ln β).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Derivatives {
    pub(crate) value: f64,
    pub(crate) gradient: [f64; 4],
    pub(crate) hessian: [[f64; 4]; 4],
}

/// An integral with its derivatives by the logarithms of (r, α, s, β): value, 4 first, upper triangle of the 10 second.
type Moments = [f64; 15];

/// Place of the second derivative by parameters i ≤ j in [`Moments`].
const SECOND: [[usize; 4]; 4] = [[5, 6, 7, 8], [6, 9, 10, 11], [7, 10, 12, 13], [8, 11, 13, 14]];

/// Derivatives of ln((1+τ/α)^−A (1+τ/β)^−B) by (ln r, ln α, ln s, ln β), where A = r + const and B = s + const.
struct OfLog {
    first: [f64; 4],
    /// By (r, r), (r, α), (α, α), (s, s), (s, β), (β, β); the others are zero.
    second: [f64; 6],
}

impl OfLog {
    #[inline]
    fn new(tails: &Tails, beta_power: f64, at: &AtTime) -> OfLog {
        let (r_ln, s_ln) = (tails.r * at.ln_alpha, tails.s * at.ln_beta);
        let (a, b) = (tails.alpha_power * at.share_alpha, beta_power * at.share_beta);
        OfLog {
            first: [-r_ln, a, -s_ln, b],
            second: [
                -r_ln,
                tails.r * at.share_alpha,
                -a * (1.0 - at.share_alpha),
                -s_ln,
                tails.s * at.share_beta,
                -b * (1.0 - at.share_beta),
            ],
        }
    }

    /// The same for (s/β) times the powers.
    #[inline]
    fn leaving(mut self) -> OfLog {
        self.first[2] += 1.0;
        self.first[3] -= 1.0;
        self
    }

    /// Adds `weight` times a function and its derivatives, given those of its logarithm.
    #[inline]
    fn accumulate(&self, into: &mut Moments, weight: f64) {
        into[0] += weight;
        let mut k = 5;
        for i in 0..4 {
            let scaled = weight * self.first[i];
            into[1 + i] += scaled;
            for j in i..4 {
                into[k] += scaled * self.first[j];
                k += 1;
            }
        }
        for (place, second) in [5, 6, 9, 12, 13, 14].into_iter().zip(self.second) {
            into[place] += weight * second;
        }
    }
}

/// Customers of one x: which distinct times they need, and where each finds its own.
struct Run {
    x: u32,
    /// Places in the table of times, ascending.
    times: Vec<u32>,
    /// Per group, the places of t_x and T in `times`, and the weight.
    groups: Vec<(u32, u32, f64)>,
}

/// The data in the order in which the likelihood reads them; made once per search.
pub(crate) struct Plan<'a> {
    data: &'a Grouped,
    survivors: Vec<f64>,
    runs: Vec<Run>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(data: &'a Grouped) -> Plan<'a> {
        let mut place = vec![u32::MAX; data.times().len()];
        let runs = data.runs().iter().map(|(x, groups)| {
            let own = |g: usize| [data.recency_idx()[g], data.age_idx()[g]];
            let mut times: Vec<u32> = groups.clone().flat_map(own).collect();
            times.sort_unstable();
            times.dedup();
            for (i, &t) in times.iter().enumerate() {
                place[t as usize] = i as u32;
            }
            let groups = groups.clone().map(|g| {
                let [recency, age] = own(g);
                (place[recency as usize], place[age as usize], data.weights()[g])
            });
            Run { x: *x, groups: groups.collect(), times }
        });
        let runs = runs.collect();
        Plan { data, survivors: data.survivors(), runs }
    }

    /// The log-likelihood of all customers with its derivatives.
    ///
    /// L = Γ(r+x)/Γ(r) α^−x ((1+T/α)^−(r+x) (1+T/β)^−s + s/β ∫ (1+τ/α)^−(r+x) (1+τ/β)^−(s+1) dτ): written with 1+t/α and
    /// 1+t/β, so that nothing large cancels when rates hardly differ (r, α → ∞) or lifetimes do (s, β → ∞).
    pub(crate) fn derivatives(&self, model: &ParetoNbd) -> Derivatives {
        // the factor r+i belongs to all customers with x > i, as does 1/α
        let repeats: f64 = self.survivors.iter().sum();
        let mut value = -repeats * model.alpha.ln();
        let mut gradient = [0.0, -repeats, 0.0, 0.0];
        let mut hessian = [[0.0; 4]; 4];
        for (i, &weight) in self.survivors.iter().enumerate() {
            let factor = model.r + i as f64;
            let share = model.r / factor;
            value += weight * factor.ln();
            gradient[0] += weight * share;
            hessian[0][0] += weight * share * (1.0 - share);
        }
        let at_times: Vec<AtTime> = self.data.times().iter().map(|&t| AtTime::new(model, t)).collect();
        let mut tails = Tails::new(model);
        for run in &self.runs {
            tails.fill(run, &at_times);
            for &(recency, age, weight) in &run.groups {
                let (log, moments) = tails.history(recency as usize, age as usize);
                let inverse = 1.0 / moments[0];
                value += weight * (log + moments[0].ln());
                let first: [f64; 4] = std::array::from_fn(|i| moments[1 + i] * inverse);
                for i in 0..4 {
                    gradient[i] += weight * first[i];
                    for j in i..4 {
                        hessian[i][j] += weight * (moments[SECOND[i][j]] * inverse - first[i] * first[j]);
                    }
                }
            }
        }
        for i in 0..4 {
            for j in 0..i {
                hessian[i][j] = hessian[j][i];
            }
        }
        Derivatives { value, gradient, hessian }
    }
}

/// A moment τ as the powers and their derivatives need it.
#[derive(Clone, Copy)]
struct AtTime {
    time: f64,
    /// ln(1+τ/α).
    ln_alpha: f64,
    /// ln(1+τ/β).
    ln_beta: f64,
    /// τ/(α+τ).
    share_alpha: f64,
    /// τ/(β+τ).
    share_beta: f64,
}

impl AtTime {
    fn new(model: &ParetoNbd, time: f64) -> AtTime {
        AtTime {
            time,
            ln_alpha: (time / model.alpha).ln_1p(),
            ln_beta: (time / model.beta).ln_1p(),
            share_alpha: time / (model.alpha + time),
            share_beta: time / (model.beta + time),
        }
    }
}

/// s/β ∫ (1+τ/α)^−(r+x) (1+τ/β)^−(s+1) dτ from each time of a run to its last one, in units of these powers there.
struct Tails {
    product: PowerProduct,
    r: f64,
    s: f64,
    beta: f64,
    /// r + x.
    alpha_power: f64,
    at: Vec<AtTime>,
    /// ln of the powers per time.
    log_height: Vec<f64>,
    tail: Vec<Moments>,
}

impl Tails {
    fn new(model: &ParetoNbd) -> Tails {
        let ParetoNbd { r, alpha, s, beta } = *model;
        Tails {
            product: PowerProduct { alpha, beta, alpha_power: r, beta_power: s + 1.0 },
            r,
            s,
            beta,
            alpha_power: r,
            at: Vec::new(),
            log_height: Vec::new(),
            tail: Vec::new(),
        }
    }

    fn fill(&mut self, run: &Run, at_times: &[AtTime]) {
        self.alpha_power = self.r + f64::from(run.x);
        self.product.alpha_power = self.alpha_power;
        let (shape, later) = (self.alpha_power, self.s + 1.0);
        self.at.clear();
        self.at.extend(run.times.iter().map(|&t| at_times[t as usize]));
        self.log_height.clear();
        self.log_height.extend(self.at.iter().map(|t| -shape * t.ln_alpha - later * t.ln_beta));
        let mut tail = std::mem::take(&mut self.tail);
        tail.clear();
        tail.resize(self.at.len(), [0.0; 15]);
        for k in (0..self.at.len() - 1).rev() {
            let (here, next) = (self.at[k], self.at[k + 1]);
            let mut sum = [0.0; 15];
            self.product.integrate(here.time, next.time, |p| {
                let at = AtTime {
                    time: p.time,
                    ln_alpha: here.ln_alpha + p.ln_alpha,
                    ln_beta: here.ln_beta + p.ln_beta,
                    share_alpha: p.time * p.by_alpha,
                    share_beta: p.time * p.by_beta,
                };
                OfLog::new(self, later, &at).leaving().accumulate(&mut sum, p.weight * self.s / self.beta);
            });
            let fall = (self.log_height[k + 1] - self.log_height[k]).exp();
            for (sum, next) in sum.iter_mut().zip(&tail[k + 1]) {
                *sum += fall * next;
            }
            tail[k] = sum;
        }
        self.tail = tail;
    }

    /// (1+T/α)^−(r+x) (1+T/β)^−s + s/β ∫_{t_x}^T … with its derivatives, as (ln scale, in that scale).
    #[inline]
    fn history(&self, recency: usize, age: usize) -> (f64, Moments) {
        let end = &self.at[age];
        let fall = (self.log_height[age] - self.log_height[recency]).exp();
        let (from, to) = (&self.tail[recency], &self.tail[age]);
        let mut sum: Moments = std::array::from_fn(|i| from[i] - fall * to[i]);
        let alive = fall * (1.0 + end.time / self.beta);
        OfLog::new(self, self.s, end).accumulate(&mut sum, alive);
        (self.log_height[recency], sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count_model::CountModel;
    use proptest::prelude::*;

    /// Histories of all kinds: none, early, late, many, on the last day.
    fn mixed() -> Grouped {
        let rows: Vec<(u32, f64, f64)> = vec![
            (0, 0.0, 0.0),
            (0, 0.0, 273.0),
            (1, 3.0, 273.0),
            (1, 250.0, 260.0),
            (2, 100.0, 100.0),
            (5, 80.0, 200.0),
            (5, 199.0, 200.0),
            (40, 200.0, 270.0),
            (900, 30.0, 35.0),
            (2000, 270.0, 273.0),
        ];
        let x: Vec<u32> = rows.iter().map(|r| r.0).collect();
        let t_x: Vec<f64> = rows.iter().map(|r| r.1).collect();
        let age: Vec<f64> = rows.iter().map(|r| r.2).collect();
        Grouped::from_days(&x, &t_x, &age).expect("valid")
    }

    fn thetas() -> impl Strategy<Value = [f64; 4]> {
        (-3.0_f64..3.0, -2.0_f64..6.0, -4.0_f64..3.0, -3.0_f64..6.0).prop_map(|(r, a, s, b)| [r, a, s, b])
    }

    proptest! {
        #[test]
        fn all_customers_together_are_the_sum_of_each(theta in thetas()) {
            let (data, model) = (mixed(), ParetoNbd::from_logarithms(&theta));
            let together = Plan::new(&data).derivatives(&model).value;
            let each: f64 = data.iter().map(|(h, w)| w * model.log_likelihood(h)).sum();
            prop_assert!((together - each).abs() < 1e-10 * each.abs(), "{} {}", together, each);
        }

        #[test]
        fn derivatives_agree_with_differences(theta in thetas()) {
            const H: f64 = 1e-5;
            let data = mixed();
            let plan = Plan::new(&data);
            let here = plan.derivatives(&ParetoNbd::from_logarithms(&theta));
            for i in 0..4 {
                let at = |h: f64| {
                    let mut t = theta;
                    t[i] += h;
                    plan.derivatives(&ParetoNbd::from_logarithms(&t))
                };
                let (up, down) = (at(H), at(-H));
                let slope = (up.value - down.value) / (2.0 * H);
                let tolerance = 1e-6 * (1.0 + slope.abs()) + 1e-9 * here.value.abs();
                prop_assert!((slope - here.gradient[i]).abs() < tolerance, "{}: {} {}", i, slope, here.gradient[i]);
                for j in 0..4 {
                    let second = (up.gradient[j] - down.gradient[j]) / (2.0 * H);
                    let tolerance = 1e-5 * (1.0 + second.abs()) + 1e-8 * here.gradient[j].abs();
                    prop_assert!((second - here.hessian[i][j]).abs() < tolerance,
                        "{} {}: {} {}", i, j, second, here.hessian[i][j]);
                }
            }
        }
    }

    /// Customers who buy every `gap` days until the end.
    fn faithful(n: u32) -> Grouped {
        let gap = |i: u32| 5 + (i * 7) % 40;
        let x: Vec<u32> = (0..n).map(|i| 300 / gap(i)).collect();
        let t_x: Vec<f64> = (0..n).map(|i| f64::from(gap(i) * (300 / gap(i)))).collect();
        Grouped::from_days(&x, &t_x, &vec![300.0; n as usize]).expect("valid")
    }

    #[test]
    fn where_nobody_leaves_the_fit_says_so_and_forecasts_on() {
        let data = faithful(400);
        let fit = ParetoNbd::fit(&data, &FitOptions::default()).expect("ends");
        assert!(fit.notes.iter().any(|n| n.0.contains("no drop-out")), "{fit:?}");
        let (h, _) = data.iter().next().expect("a customer");
        assert!((fit.model.p_alive(h) - 1.0).abs() < 1e-3);
        assert!(fit.model.expected(h, 10.0) > 0.5 * 10.0 * f64::from(h.x) / h.age);
    }

    #[test]
    fn where_nobody_returns_the_fit_is_finite() {
        let data = Grouped::from_days(&[0; 50], &[0.0; 50], &[100.0; 50]).expect("valid");
        for options in [FitOptions::default(), FitOptions { thin_below_repeaters: 0.0, ..FitOptions::default() }] {
            let fit = ParetoNbd::fit(&data, &options).expect("ends");
            let (h, _) = data.iter().next().expect("a customer");
            let expected = fit.model.expected(h, 10.0);
            assert!(expected.is_finite() && expected < 0.2, "{fit:?} {expected}");
        }
    }

    #[test]
    fn one_customer_is_enough_for_a_finite_model() {
        let data = Grouped::from_days(&[3], &[40.0], &[50.0]).expect("valid");
        let fit = ParetoNbd::fit(&data, &FitOptions::default()).expect("ends");
        assert!(fit.model.parameters().iter().all(|(_, v)| v.is_finite() && *v > 0.0));
        assert!(fit.log_likelihood.is_finite());
    }
}
