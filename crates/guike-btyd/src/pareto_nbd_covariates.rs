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

use guike_core::{ColumnData, FitError, ForecastError, Table};
use serde::{Deserialize, Serialize};

use crate::fit::{Estimate, FitOptions, not_converged};
use crate::grouped::{Grouped, History};
use crate::optimize::{Coordinate, Evaluation, maximise};
use crate::pareto_nbd::ParetoNbd;
use crate::pareto_nbd_fit::{PRIORS, Plan, coordinates, remarks, start};
use crate::prior::{LogNormalPrior, add_prior, is_thin, thin_note};

/// Pareto/NBD whose rates depend on covariates.
///
/// ```
/// use guike_btyd::pareto_nbd::ParetoNbd;
/// use guike_btyd::pareto_nbd_covariates::{Coefficient, ParetoNbdCovariates};
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

/// The effect of one covariate: a unit more multiplies the rate by e^value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coefficient {
    /// The covariate's column.
    pub name: String,
    /// Change of the logarithm of the rate per unit of the covariate.
    pub value: f64,
}

/// What is known about each customer, one row each; either table may have no columns.
#[derive(Debug, Clone, Copy)]
pub struct Covariates<'a> {
    /// What may change how often they buy.
    pub buying: &'a Table,
    /// What may change when they leave.
    pub leaving: &'a Table,
}

/// A search keeps the effect of one standard deviation within this factor's logarithm.
const LARGEST_EFFECT: f64 = 7.0;
/// Where data are thin: one standard deviation of a covariate rarely changes a rate by more than a factor of e.
const EFFECT_PRIOR_SD: f64 = 0.5;

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
        let buying = Columns::read(covariates.buying, histories.len())?;
        let leaving = Columns::read(covariates.leaving, histories.len())?;
        let all: Vec<usize> = (0..histories.len()).collect();
        let everybody = group(histories, &all)?;
        let patterns = patterns(histories, &buying, &leaving)?;
        let plans: Vec<Plan<'_>> = patterns.iter().map(|p| Plan::new(&p.data)).collect();
        let thin = is_thin(&everybody, options);
        let n_effects = buying.names.len() + leaving.names.len();
        let effect = Coordinate { name: "effect", start: 0.0, lower: -LARGEST_EFFECT, upper: LARGEST_EFFECT };
        let mut search = coordinates(start(&everybody)).to_vec();
        search.resize(4 + n_effects, effect);
        let likelihood = |theta: &[f64]| {
            let mut sum = Evaluation {
                value: 0.0,
                gradient: vec![0.0; search.len()],
                hessian: vec![0.0; search.len() * search.len()],
            };
            for (pattern, plan) in patterns.iter().zip(&plans) {
                pattern.add(plan, theta, &mut sum);
            }
            sum
        };
        let maximum = maximise(&search, options.stop, |theta| {
            let mut evaluation = likelihood(theta);
            if thin {
                add_prior_with_effects(&mut evaluation, theta);
            }
            evaluation
        })
        .map_err(|failure| not_converged(Self::NAME, &failure))?;

        let scales: Vec<f64> = buying.scales.iter().chain(&leaving.scales).copied().collect();
        let base = ParetoNbd::from_logarithms(&maximum.theta);
        let coefficients = |columns: &Columns, first: usize| -> Vec<Coefficient> {
            let effects = maximum.theta[first..].iter().zip(&columns.scales).map(|(t, scale)| t / scale);
            columns.names.iter().zip(effects).map(|(name, value)| Coefficient { name: name.clone(), value }).collect()
        };
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
        let effect = |coefficients: &[Coefficient], values: &[f64]| -> f64 {
            assert_eq!(coefficients.len(), values.len(), "one value per coefficient");
            (-coefficients.iter().zip(values).map(|(c, z)| c.value * z).sum::<f64>()).exp()
        };
        ParetoNbd {
            alpha: self.base.alpha * effect(&self.buying, buying),
            beta: self.base.beta * effect(&self.leaving, leaving),
            ..self.base
        }
    }

    /// The models of customers, whose columns are found by name.
    ///
    /// # Errors     `Schema` when a column is missing, not numeric, or has a missing value
    pub fn of_each(&self, covariates: Covariates<'_>) -> Result<Vec<ParetoNbd>, ForecastError> {
        let find = |table: &Table, coefficients: &[Coefficient]| -> Result<Vec<Vec<f64>>, ForecastError> {
            let columns = coefficients.iter().map(|c| {
                let values = table.column(&c.name).and_then(|column| column.as_numeric());
                let whole = values.filter(|v| v.iter().all(|z| z.is_finite()));
                whole.map(<[f64]>::to_vec).ok_or_else(|| ForecastError::Schema {
                    model: Self::NAME.into(),
                    needs: format!("a numeric column `{}` without missing values", c.name),
                })
            });
            columns.collect()
        };
        let (buying, leaving) = (find(covariates.buying, &self.buying)?, find(covariates.leaving, &self.leaving)?);
        let row = |columns: &[Vec<f64>], i: usize| columns.iter().map(|c| c[i]).collect::<Vec<f64>>();
        let n = covariates.buying.n_rows().max(covariates.leaving.n_rows());
        Ok((0..n).map(|i| self.of(&row(&buying, i), &row(&leaving, i))).collect())
    }
}

fn add_prior_with_effects(evaluation: &mut Evaluation, theta: &[f64]) {
    // an effect is the logarithm of a factor, and no effect is a factor of one
    let effect = LogNormalPrior { median: 1.0, log_sd: EFFECT_PRIOR_SD };
    let mut priors = PRIORS.to_vec();
    priors.resize(theta.len(), effect);
    add_prior(evaluation, theta, &priors);
}

fn group(histories: &[History], rows: &[usize]) -> Result<Grouped, FitError> {
    let x: Vec<u32> = rows.iter().map(|&i| histories[i].x).collect();
    let t_x: Vec<f64> = rows.iter().map(|&i| histories[i].t_x).collect();
    let age: Vec<f64> = rows.iter().map(|&i| histories[i].age).collect();
    Grouped::new(&x, &t_x, &age).map_err(|error| FitError::Invalid {
        learner: ParetoNbdCovariates::NAME,
        what: "histories".into(),
        value: format!("{} customers", histories.len()),
        rule: error.to_string(),
    })
}

/// Columns in units of their standard deviation, so that the search sees effects of like size.
struct Columns {
    names: Vec<String>,
    scales: Vec<f64>,
    /// Column-major, divided by the scales.
    values: Vec<Vec<f64>>,
}

impl Columns {
    fn read(table: &Table, n_customers: usize) -> Result<Columns, FitError> {
        let mut columns = Columns { names: vec![], scales: vec![], values: vec![] };
        for column in table.columns() {
            let invalid = |value: String, rule: &str| FitError::Invalid {
                learner: ParetoNbdCovariates::NAME,
                what: format!("column `{}`", column.name),
                value,
                rule: rule.into(),
            };
            let ColumnData::Numeric(values) = &column.data else {
                return Err(invalid("categories".into(), "make it numeric first, one column per category"));
            };
            if values.len() != n_customers {
                let rule = format!("it must have {n_customers}, one per customer");
                return Err(invalid(format!("{} rows", values.len()), &rule));
            }
            if let Some(row) = values.iter().position(|v| !v.is_finite()) {
                return Err(invalid(format!("{} in row {row}", values[row]), "covariates may not be missing"));
            }
            let n = n_customers as f64;
            let mean = values.iter().sum::<f64>() / n;
            let scale = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
            if scale <= 1e-12 * mean.abs() || scale == 0.0 {
                return Err(invalid(format!("{mean} for everybody"), "a covariate must differ between customers"));
            }
            columns.names.push(column.name.clone());
            columns.scales.push(scale);
            columns.values.push(values.iter().map(|v| v / scale).collect());
        }
        Ok(columns)
    }

    fn row(&self, i: usize) -> Vec<f64> {
        self.values.iter().map(|column| column[i]).collect()
    }
}

/// Customers with equal covariates.
struct Pattern {
    buying: Vec<f64>,
    leaving: Vec<f64>,
    data: Grouped,
}

/// Customers by covariates, in the order of the values: the order of customers does not matter.
fn patterns(histories: &[History], buying: &Columns, leaving: &Columns) -> Result<Vec<Pattern>, FitError> {
    let rows: Vec<(Vec<f64>, Vec<f64>)> = (0..histories.len()).map(|i| (buying.row(i), leaving.row(i))).collect();
    let compare = |&a: &usize, &b: &usize| {
        let values = |i: usize| rows[i].0.iter().chain(&rows[i].1);
        let unequal = values(a).zip(values(b)).map(|(u, v)| u.total_cmp(v)).find(|order| order.is_ne());
        unequal.unwrap_or(std::cmp::Ordering::Equal)
    };
    let mut order: Vec<usize> = (0..histories.len()).collect();
    order.sort_by(compare);
    let patterns = order.chunk_by(|a, b| compare(a, b).is_eq()).map(|members| {
        let (buying, leaving) = rows[members[0]].clone();
        Ok(Pattern { buying, leaving, data: group(histories, members)? })
    });
    patterns.collect()
}

impl Pattern {
    /// Adds this pattern's log-likelihood and derivatives by (ln r, ln α, ln s, ln β, effects on buying, on leaving).
    ///
    /// ln α_i = ln α − γ z, so a derivative by γ is −z times that by ln α_i.
    fn add(&self, plan: &Plan<'_>, theta: &[f64], sum: &mut Evaluation) {
        let (gamma, delta) = theta[4..].split_at(self.buying.len());
        let dot = |u: &[f64], v: &[f64]| u.iter().zip(v).map(|(a, b)| a * b).sum::<f64>();
        let own = [theta[0], theta[1] - dot(gamma, &self.buying), theta[2], theta[3] - dot(delta, &self.leaving)];
        let d = plan.derivatives(&ParetoNbd::from_logarithms(&own));
        // each coordinate of the search moves one of the four own logarithms by a factor
        let bases = (0..4).map(|i| (i, 1.0));
        let moves: Vec<(usize, f64)> =
            bases.chain(self.buying.iter().map(|z| (1, -z))).chain(self.leaving.iter().map(|z| (3, -z))).collect();
        let n = moves.len();
        sum.value += d.value;
        for (i, &(p, by_p)) in moves.iter().enumerate() {
            sum.gradient[i] += by_p * d.gradient[p];
            for (j, &(q, by_q)) in moves.iter().enumerate() {
                sum.hessian[i * n + j] += by_p * by_q * d.hessian[p][q];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::Column;

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
        let data = group(&h, &(0..400).collect::<Vec<_>>()).expect("valid");
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
