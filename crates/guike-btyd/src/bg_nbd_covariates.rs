//! BG/NBD with what is known about customers besides their purchases: gender, channel, contract …
//!
//! The one idea: a covariate multiplies a customer's rate of buying by exp(γ z), and the two parameters of the chance to
//! leave by exp(δ z) and exp(ε z). So each customer has an ordinary [`BgNbd`] of their own
//! ([`BgNbdCovariates::of`]), and every forecast is that model's. The mean chance to leave rises where δ exceeds ε.
//!
//! Covariates must be known at the first purchase and constant over time.
//!
//! # Source      Fader & Hardie (2007), "Incorporating Time-Invariant Covariates into the Pareto/NBD and BG/NBD Models",
//! brucehardie.com/notes/019

use guike_core::{FitError, ForecastError};
use serde::{Deserialize, Serialize};

use crate::bg_fit::{coordinates, priors, remarks, start};
use crate::bg_nbd::BgNbd;
use crate::covariates::{
    Coefficient, Columns, Covariates, EFFECT, Move, Pattern, add_moved, columns_of, effect, group, own_logarithms,
    patterns, with_effects,
};
use crate::fit::{Estimate, FitOptions, not_converged};
use crate::grouped::History;
use crate::optimize::{Evaluation, maximise};
use crate::prior::{add_prior, is_thin, thin_note};

/// BG/NBD whose rate and chance to leave depend on covariates.
///
/// ```
/// use guike_btyd::bg_nbd::BgNbd;
/// use guike_btyd::bg_nbd_covariates::BgNbdCovariates;
/// use guike_btyd::covariates::Coefficient;
/// let model = BgNbdCovariates {
///     base: BgNbd { r: 1.0, alpha: 20.0, a: 0.5, b: 2.0 },
///     buying: vec![Coefficient { name: "online".into(), value: 2.0_f64.ln() }],
///     leaving_a: vec![],
///     leaving_b: vec![],
/// };
/// // who is online buys twice as often
/// assert!((model.of(&[1.0], &[]).alpha - 10.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BgNbdCovariates {
    /// The model of a customer whose covariates are all zero.
    pub base: BgNbd,
    /// γ: effects on the rate of buying.
    pub buying: Vec<Coefficient>,
    /// δ: effects on a, the first parameter of the chance to leave.
    pub leaving_a: Vec<Coefficient>,
    /// ε: effects on b, the second parameter of the chance to leave, of the same columns.
    pub leaving_b: Vec<Coefficient>,
}

impl BgNbdCovariates {
    /// Stable name in files and flags.
    pub const NAME: &'static str = "bg-nbd-covariates";

    /// Maximum likelihood, or the posterior mode where the data are thin.
    ///
    /// Standard errors are those of r, α, a, b, then the effects on buying, on a and on b.
    ///
    /// # Shapes      one row of each table with columns per history, in the same order
    /// # Errors      `Invalid` when a column is not numeric, has a missing value or does not vary, or tables and
    /// histories differ in length; `TooLittle` without customers; `NotConverged`
    pub fn fit(
        histories: &[History],
        covariates: Covariates<'_>,
        options: &FitOptions,
    ) -> Result<Estimate<BgNbdCovariates>, FitError> {
        let learner = Self::NAME;
        if histories.is_empty() {
            return Err(FitError::TooLittle { learner, needs: "customers".into(), found: "are none".into() });
        }
        let buying = Columns::read(learner, covariates.buying, histories.len())?;
        let leaving = Columns::read(learner, covariates.leaving, histories.len())?;
        let all: Vec<usize> = (0..histories.len()).collect();
        let everybody = group(learner, histories, &all)?;
        let patterns = patterns(learner, histories, &buying, &leaving)?;
        let plans: Vec<Plan<'_>> = patterns.iter().map(Plan::new).collect();
        let thin = is_thin(&everybody, options);
        let n_effects = buying.names.len() + 2 * leaving.names.len();
        let mut search = coordinates(start(BgNbd::KIND, &everybody)).to_vec();
        search.resize(4 + n_effects, EFFECT);
        let likelihood = |theta: &[f64]| {
            let n = theta.len();
            let mut sum = Evaluation { value: 0.0, gradient: vec![0.0; n], hessian: vec![0.0; n * n] };
            for plan in &plans {
                plan.add(theta, &mut sum);
            }
            sum
        };
        let maximum = maximise(&search, options.stop, |theta| {
            let mut evaluation = likelihood(theta);
            if thin {
                add_prior(&mut evaluation, theta, &with_effects(&priors(BgNbd::KIND), n_effects));
            }
            evaluation
        })
        .map_err(|failure| not_converged(learner, &failure))?;

        let base = from_logarithms(maximum.theta[..4].try_into().expect("four parameters come first"));
        let (first_a, first_b) = (4 + buying.names.len(), 4 + buying.names.len() + leaving.names.len());
        let scales: Vec<f64> = [&buying, &leaving, &leaving].into_iter().flat_map(|c| c.scales.clone()).collect();
        let standard_errors = maximum.standard_errors().into_iter().enumerate().map(|(i, error)| {
            // natural parameters by the delta method, effects per unit instead of per standard deviation
            error.map(|e| if i < 4 { e * maximum.theta[i].exp() } else { e / scales[i - 4] })
        });
        let mut notes = if thin { vec![thin_note(&everybody, options)] } else { Vec::new() };
        notes.extend(remarks(&base.family()));
        Ok(Estimate {
            model: BgNbdCovariates {
                base,
                buying: buying.coefficients(&maximum.theta[4..first_a]),
                leaving_a: leaving.coefficients(&maximum.theta[first_a..first_b]),
                leaving_b: leaving.coefficients(&maximum.theta[first_b..]),
            },
            log_likelihood: if thin { likelihood(&maximum.theta).value } else { maximum.value },
            standard_errors: standard_errors.collect(),
            notes,
            iterations: maximum.iterations,
        })
    }

    /// The model of a customer with these covariates.
    ///
    /// # Panics     when there are not as many values as coefficients
    #[must_use]
    pub fn of(&self, buying: &[f64], leaving: &[f64]) -> BgNbd {
        BgNbd {
            r: self.base.r,
            alpha: self.base.alpha * (-effect(&self.buying, buying)).exp(),
            a: self.base.a * effect(&self.leaving_a, leaving).exp(),
            b: self.base.b * effect(&self.leaving_b, leaving).exp(),
        }
    }

    /// The models of customers, whose columns are found by name.
    ///
    /// # Errors     `Schema` when a column is missing, not numeric, or has a missing value
    pub fn of_each(&self, covariates: Covariates<'_>) -> Result<Vec<BgNbd>, ForecastError> {
        let buying = columns_of(Self::NAME, covariates.buying, &self.buying)?;
        let leaving = columns_of(Self::NAME, covariates.leaving, &self.leaving_a)?;
        let row = |columns: &[Vec<f64>], i: usize| columns.iter().map(|c| c[i]).collect::<Vec<f64>>();
        let n = covariates.buying.n_rows().max(covariates.leaving.n_rows());
        Ok((0..n).map(|i| self.of(&row(&buying, i), &row(&leaving, i))).collect())
    }
}

fn from_logarithms(theta: [f64; 4]) -> BgNbd {
    let [r, alpha, a, b] = theta.map(f64::exp);
    BgNbd { r, alpha, a, b }
}

/// A pattern, ready for many evaluations.
struct Plan<'a> {
    pattern: &'a Pattern,
    survivors: Vec<f64>,
    moves: Vec<Move>,
}

impl<'a> Plan<'a> {
    /// ln α_i = ln α − γ z, ln a_i = ln a + δ z, ln b_i = ln b + ε z.
    fn new(pattern: &'a Pattern) -> Plan<'a> {
        let bases = (0..4).map(|i| (i, 1.0));
        let buying = pattern.buying.iter().map(|z| (1, -z));
        let leaving = |parameter: usize| pattern.leaving.iter().map(move |z| (parameter, *z));
        let all = bases.chain(buying).chain(leaving(2)).chain(leaving(3));
        let moves = all.enumerate().map(|(coordinate, (parameter, by))| (coordinate, parameter, by)).collect();
        Plan { pattern, survivors: pattern.data.survivors(), moves }
    }

    fn add(&self, theta: &[f64], sum: &mut Evaluation) {
        let family = from_logarithms(own_logarithms(theta, &self.moves)).family();
        let d = family.derivatives(&self.pattern.data, &self.survivors);
        add_moved(sum, &self.moves, d.value, &d.gradient, &d.hessian);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count_model::CountModel;
    use guike_core::{Column, Seed, Table};
    use rand::RngExt;
    use rand_distr::{Beta, Distribution, Exp, Gamma};

    fn table(name: &str, values: Vec<f64>) -> Table {
        Table::new(vec![Column::numeric(name, values)]).expect("a table")
    }

    /// Customers of a known model: those with z = 1 buy `factor` times as often and leave more readily.
    fn simulated(n: usize, factor: f64) -> (Vec<History>, Vec<f64>) {
        let mut rng = Seed(3).rng();
        let mut customer = |z: f64| {
            let rate = Gamma::new(1.0, 0.1 * factor.powf(z)).expect("valid").sample(&mut rng);
            let p: f64 = Beta::new(0.6 * 2.0_f64.powf(z), 2.4).expect("valid").sample(&mut rng);
            let (age, mut time, mut h) = (52.0, 0.0, History { x: 0, t_x: 0.0, age: 52.0 });
            loop {
                time += Exp::new(rate).expect("positive").sample(&mut rng);
                if time > age {
                    return h;
                }
                h = History { x: h.x + 1, t_x: time, age };
                if rng.random::<f64>() < p {
                    return h;
                }
            }
        };
        let z: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i % 3 == 0))).collect();
        (z.iter().map(|&z| customer(z)).collect(), z)
    }

    #[test]
    fn known_effects_are_found_again() {
        let (h, z) = simulated(6000, 3.0);
        let z = table("z", z);
        let both = Covariates { buying: &z, leaving: &z };
        let fit = BgNbdCovariates::fit(&h, both, &FitOptions::default()).expect("fits");
        let truth = [
            (fit.model.buying[0].value, 3.0_f64.ln(), 4),
            (fit.model.leaving_a[0].value, 2.0_f64.ln(), 5),
            (fit.model.leaving_b[0].value, 0.0, 6),
        ];
        for (found, truth, i) in truth {
            let error = fit.standard_errors[i].expect("bounded by the data");
            assert!((found - truth).abs() < 3.0 * error, "{found} ± {error}, truth {truth}");
        }
        // each customer's own model gives the likelihood
        let each = fit.model.of_each(both).expect("same columns");
        let sum: f64 = each.iter().zip(&h).map(|(m, h)| m.log_likelihood(*h)).sum();
        assert!((sum - fit.log_likelihood).abs() < 1e-7, "{sum} {}", fit.log_likelihood);
    }

    #[test]
    fn derivatives_match_differences() {
        let (h, z) = simulated(60, 2.0);
        let z = table("z", z);
        let columns = Columns::read("test", &z, 60).expect("valid");
        let patterns = patterns("test", &h, &columns, &columns).expect("valid");
        let plans: Vec<Plan<'_>> = patterns.iter().map(Plan::new).collect();
        let at = |theta: &[f64]| {
            let mut sum = Evaluation { value: 0.0, gradient: vec![0.0; 7], hessian: vec![0.0; 49] };
            plans.iter().for_each(|p| p.add(theta, &mut sum));
            sum
        };
        let theta = [0.1, 2.0, -0.4, 0.8, 0.3, -0.2, 0.1];
        let here = at(&theta);
        for i in 0..7 {
            let moved =
                |by: f64| at(&std::array::from_fn::<f64, 7, _>(|j| if i == j { theta[j] + by } else { theta[j] }));
            let (up, down) = (moved(1e-5), moved(-1e-5));
            assert!(((up.value - down.value) / 2e-5 - here.gradient[i]).abs() < 1e-5);
            for j in 0..7 {
                assert!(((up.gradient[j] - down.gradient[j]) / 2e-5 - here.hessian[7 * i + j]).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn without_covariates_it_is_the_bg_nbd() {
        let (h, _) = simulated(500, 1.0);
        let none = Table::default();
        let with = BgNbdCovariates::fit(&h, Covariates { buying: &none, leaving: &none }, &FitOptions::default());
        let data = group("test", &h, &(0..500).collect::<Vec<_>>()).expect("valid");
        let without = BgNbd::fit(&data, &FitOptions::default()).expect("fits");
        assert!((with.expect("fits").log_likelihood - without.log_likelihood).abs() < 1e-8);
    }
}
