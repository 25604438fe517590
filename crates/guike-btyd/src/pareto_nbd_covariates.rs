//! Pareto/NBD with what is known about customers besides their purchases: gender, channel, contract …
//!
//! The one idea: a covariate multiplies a customer's rate of buying or of leaving by exp(γ z), which divides α or β by
//! the same factor. So each customer has an ordinary [`ParetoNbd`] of their own ([`ParetoNbdCovariates::of`]), and every
//! forecast is that model's. A coefficient γ of 0.2 says: 22 % more purchases per week and unit of z.
//!
//! Covariates must be known at the first purchase and constant over time.
//!
//! # Source      Fader & Hardie (2007), "Incorporating Time-Invariant Covariates into the Pareto/NBD and BG/NBD Models",
//! brucehardie.com/notes/019

use guike_core::{FitError, ForecastError};
use serde::{Deserialize, Serialize};

use crate::covariates::{
    Coefficient, Columns, Covariates, EFFECT, Move, Pattern, add_moved, columns_of, effect, group, own_logarithms,
    patterns, with_effects,
};
use crate::fit::{Estimate, FitOptions, not_converged};
use crate::grouped::History;
use crate::optimize::{Evaluation, maximise};
use crate::pareto_nbd::ParetoNbd;
use crate::pareto_nbd_fit::{PRIORS, Plan, coordinates, remarks, start};
use crate::prior::{add_prior, is_thin, thin_note};

/// Pareto/NBD whose rates depend on covariates.
///
/// ```
/// use guike_btyd::pareto_nbd::ParetoNbd;
/// use guike_btyd::covariates::Coefficient;
/// use guike_btyd::pareto_nbd_covariates::ParetoNbdCovariates;
/// let model = ParetoNbdCovariates {
///     base: ParetoNbd { r: 1.0, alpha: 20.0, s: 0.5, beta: 30.0 },
///     buying: vec![Coefficient { name: "online".into(), value: 2.0_f64.ln() }],
///     leaving: vec![],
/// };
/// // who is online buys twice as often
/// assert!((model.of(&[1.0], &[]).alpha - 10.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParetoNbdCovariates {
    /// The model of a customer whose covariates are all zero.
    pub base: ParetoNbd,
    /// Effects on the rate of buying.
    pub buying: Vec<Coefficient>,
    /// Effects on the rate of leaving.
    pub leaving: Vec<Coefficient>,
}

impl ParetoNbdCovariates {
    /// Stable name in files and flags.
    pub const NAME: &'static str = "pareto-nbd-covariates";

    /// Maximum likelihood, or the posterior mode where the data are thin.
    ///
    /// Standard errors are those of r, α, s, β, then the effects on buying, then those on leaving.
    ///
    /// # Shapes      one row of each table with columns per history, in the same order
    /// # Errors
    /// `Invalid` when a column is not numeric, has a missing value or does not vary, or tables and
    /// histories differ in length; `TooLittle` without customers; `NotConverged`
    pub fn fit(
        histories: &[History],
        covariates: Covariates<'_>,
        options: &FitOptions,
    ) -> Result<Estimate<ParetoNbdCovariates>, FitError> {
        if histories.is_empty() {
            return Err(FitError::TooLittle {
                learner: Self::NAME,
                needs: "customers".into(),
                found: "are none".into(),
            });
        }
        let buying = Columns::read(Self::NAME, covariates.buying, histories.len())?;
        let leaving = Columns::read(Self::NAME, covariates.leaving, histories.len())?;
        let all: Vec<usize> = (0..histories.len()).collect();
        let everybody = group(Self::NAME, histories, &all)?;
        let patterns = patterns(Self::NAME, histories, &buying, &leaving)?;
        let plans: Vec<Plan<'_>> = patterns.iter().map(|p| Plan::new(&p.data)).collect();
        let thin = is_thin(&everybody, options);
        let n_effects = buying.names.len() + leaving.names.len();
        let mut search = coordinates(start(&everybody)).to_vec();
        search.resize(4 + n_effects, EFFECT);
        let likelihood = |theta: &[f64]| {
            let mut sum = Evaluation {
                value: 0.0,
                gradient: vec![0.0; search.len()],
                hessian: vec![0.0; search.len() * search.len()],
            };
            for (pattern, plan) in patterns.iter().zip(&plans) {
                add(pattern, plan, theta, &mut sum);
            }
            sum
        };
        let maximum = maximise(&search, options.stop, |theta| {
            let mut evaluation = likelihood(theta);
            if thin {
                add_prior(&mut evaluation, theta, &with_effects(&PRIORS, n_effects));
            }
            evaluation
        })
        .map_err(|failure| not_converged(Self::NAME, &failure))?;

        let scales: Vec<f64> = buying.scales.iter().chain(&leaving.scales).copied().collect();
        let base = ParetoNbd::from_logarithms(&maximum.theta);
        let coefficients = |columns: &Columns, first: usize| columns.coefficients(&maximum.theta[first..]);
        let standard_errors = maximum.standard_errors().into_iter().enumerate().map(|(i, error)| {
            // natural parameters by the delta method, effects per unit instead of per standard deviation
            error.map(|e| if i < 4 { e * maximum.theta[i].exp() } else { e / scales[i - 4] })
        });
        let mut notes = if thin { vec![thin_note(&everybody, options)] } else { Vec::new() };
        notes.extend(remarks(&base, &everybody));
        Ok(Estimate {
            model: ParetoNbdCovariates {
                base,
                buying: coefficients(&buying, 4),
                leaving: coefficients(&leaving, 4 + buying.names.len()),
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
    pub fn of(&self, buying: &[f64], leaving: &[f64]) -> ParetoNbd {
        ParetoNbd {
            alpha: self.base.alpha * (-effect(&self.buying, buying)).exp(),
            beta: self.base.beta * (-effect(&self.leaving, leaving)).exp(),
            ..self.base
        }
    }

    /// The models of customers, whose columns are found by name.
    ///
    /// # Errors     `Schema` when a column is missing, not numeric, or has a missing value
    pub fn of_each(&self, covariates: Covariates<'_>) -> Result<Vec<ParetoNbd>, ForecastError> {
        let (buying, leaving) = (
            columns_of(Self::NAME, covariates.buying, &self.buying)?,
            columns_of(Self::NAME, covariates.leaving, &self.leaving)?,
        );
        let row = |columns: &[Vec<f64>], i: usize| columns.iter().map(|c| c[i]).collect::<Vec<f64>>();
        let n = covariates.buying.n_rows().max(covariates.leaving.n_rows());
        Ok((0..n).map(|i| self.of(&row(&buying, i), &row(&leaving, i))).collect())
    }
}

/// Adds a pattern's log-likelihood and derivatives by (ln r, ln α, ln s, ln β, effects on buying, on leaving).
///
/// ln α_i = ln α − γ z, so a derivative by γ is −z times that by ln α_i.
fn add(pattern: &Pattern, plan: &Plan<'_>, theta: &[f64], sum: &mut Evaluation) {
    let bases = (0..4).map(|i| (i, i, 1.0));
    let buying = pattern.buying.iter().enumerate().map(|(i, z)| (4 + i, 1, -z));
    let first = 4 + pattern.buying.len();
    let leaving = pattern.leaving.iter().enumerate().map(|(i, z)| (first + i, 3, -z));
    let moves: Vec<Move> = bases.chain(buying).chain(leaving).collect();
    let d = plan.derivatives(&ParetoNbd::from_logarithms(&own_logarithms(theta, &moves)));
    add_moved(sum, &moves, d.value, &d.gradient, &d.hessian);
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::{Column, Table};

    fn histories(n: u32) -> Vec<History> {
        let row = |i: u32| {
            let age = 20.0 + f64::from((i * 37) % 60);
            let x = (i * 13) % 7 * u32::from(!i.is_multiple_of(3));
            let t_x = if x == 0 { 0.0 } else { age * (0.3 + 0.09 * f64::from((i * 5) % 7)) };
            History { x, t_x, age }
        };
        (0..n).map(row).collect()
    }

    fn table(name: &str, values: Vec<f64>) -> Table {
        Table::new(vec![Column::numeric(name, values)]).expect("a table")
    }

    fn bits(n: usize) -> Vec<f64> {
        (0..n).map(|i| f64::from((i * i % 7 > 3) as u8)).collect()
    }

    #[test]
    fn without_covariates_it_is_the_pareto_nbd() {
        let h = histories(400);
        let none = Table::default();
        let with = ParetoNbdCovariates::fit(&h, Covariates { buying: &none, leaving: &none }, &FitOptions::default());
        let data = group(ParetoNbdCovariates::NAME, &h, &(0..400).collect::<Vec<_>>()).expect("valid");
        let without = ParetoNbd::fit(&data, &FitOptions::default()).expect("fits");
        let with = with.expect("fits");
        assert!((with.log_likelihood - without.log_likelihood).abs() < 1e-8);
        assert!((with.model.base.alpha / without.model.alpha - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_unit_of_a_covariate_only_changes_its_coefficient() {
        let h = histories(400);
        let fit = |unit: f64| {
            let z = table("z", bits(400).iter().map(|b| b * unit).collect());
            ParetoNbdCovariates::fit(&h, Covariates { buying: &z, leaving: &z }, &FitOptions::default()).expect("fits")
        };
        let (a, b) = (fit(1.0), fit(1000.0));
        assert!((a.log_likelihood - b.log_likelihood).abs() < 1e-8);
        for (u, v) in [(&a.model.buying[0], &b.model.buying[0]), (&a.model.leaving[0], &b.model.leaving[0])] {
            assert!((u.value - 1000.0 * v.value).abs() < 1e-5, "{u:?} {v:?}");
        }
    }

    #[test]
    fn the_order_of_customers_does_not_matter() {
        let (mut h, mut z) = (histories(300), bits(300));
        let fit = |h: &[History], z: &[f64]| {
            let z = table("z", z.to_vec());
            ParetoNbdCovariates::fit(h, Covariates { buying: &z, leaving: &z }, &FitOptions::default()).expect("fits")
        };
        let forwards = fit(&h, &z);
        h.reverse();
        z.reverse();
        let backwards = fit(&h, &z);
        assert!((forwards.model.base.alpha / backwards.model.base.alpha - 1.0).abs() < 1e-9);
    }

    #[test]
    fn columns_that_cannot_be_used_are_named() {
        let h = histories(5);
        let none = Table::default();
        for (values, expected) in [
            (
                vec![1.0, f64::NAN, 0.0, 0.0, 1.0],
                "pareto-nbd-covariates cannot use column `z` = NaN in row 1: covariates may not be missing",
            ),
            (
                vec![2.0; 5],
                "pareto-nbd-covariates cannot use column `z` = 2 for everybody: a covariate must differ between customers",
            ),
            (vec![1.0; 4], "pareto-nbd-covariates cannot use column `z` = 4 rows: it must have 5, one per customer"),
        ] {
            let z = table("z", values);
            let error = ParetoNbdCovariates::fit(&h, Covariates { buying: &z, leaving: &none }, &FitOptions::default());
            assert_eq!(error.expect_err("refused").to_string(), expected);
        }
    }

    #[test]
    fn customers_find_their_columns_by_name() {
        let base = ParetoNbd { r: 1.0, alpha: 20.0, s: 0.5, beta: 30.0 };
        let effect = |name: &str| vec![Coefficient { name: name.into(), value: 0.5 }];
        let model = ParetoNbdCovariates { base, buying: effect("a"), leaving: effect("b") };
        let both = Table::new(vec![Column::numeric("b", vec![0.0, 2.0]), Column::numeric("a", vec![1.0, 0.0])]);
        let both = both.expect("a table");
        let each = model.of_each(Covariates { buying: &both, leaving: &both }).expect("found");
        assert!((each[0].alpha - 20.0 * (-0.5_f64).exp()).abs() < 1e-12 && each[0].beta == 30.0);
        assert!((each[1].beta - 30.0 * (-1.0_f64).exp()).abs() < 1e-12 && each[1].alpha == 20.0);
        let error = model.of_each(Covariates { buying: &Table::default(), leaving: &both }).expect_err("no column a");
        assert!(error.to_string().contains("column `a`"), "{error}");
    }
}
