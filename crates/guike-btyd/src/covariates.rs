//! What models with covariates share: columns in, coefficients out, customers grouped by equal covariates.
//!
//! The one idea: a covariate multiplies one of a customer's parameters, so it adds to the parameter's logarithm. Each
//! pattern of covariates then has an ordinary model of its own, whose derivatives by logarithms turn into derivatives by
//! coefficients by a factor (`add_moved`); customers with equal covariates share one grouped likelihood.
//!
//! # Source      Fader & Hardie (2007), "Incorporating Time-Invariant Covariates into the Pareto/NBD and BG/NBD Models",
//! brucehardie.com/notes/019

use guike_core::{ColumnData, FitError, ForecastError, Table};
use serde::{Deserialize, Serialize};

use crate::grouped::{Grouped, History};
use crate::optimize::{Coordinate, Evaluation};
use crate::prior::LogNormalPrior;

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

/// The search keeps the logarithm of the effect of one standard deviation within ±7.
pub(crate) const EFFECT: Coordinate = Coordinate { name: "effect", start: 0.0, lower: -7.0, upper: 7.0 };
/// Where data are thin: one standard deviation of a covariate rarely changes a parameter by more than a factor of e.
const EFFECT_PRIOR_SD: f64 = 0.5;

/// A coordinate of the search, the logarithm of a customer's own parameter that it adds to, and its factor.
pub(crate) type Move = (usize, usize, f64);

/// A customer's own four logarithms of parameters.
pub(crate) fn own_logarithms(theta: &[f64], moves: &[Move]) -> [f64; 4] {
    let mut own = [0.0; 4];
    for &(i, p, by) in moves {
        own[p] += by * theta[i];
    }
    own
}

/// Adds a value with its derivatives by a customer's own logarithms, as derivatives by the coordinates of the search.
pub(crate) fn add_moved(
    sum: &mut Evaluation,
    moves: &[Move],
    value: f64,
    gradient: &[f64; 4],
    hessian: &[[f64; 4]; 4],
) {
    let n = sum.gradient.len();
    sum.value += value;
    for &(i, p, by_p) in moves {
        sum.gradient[i] += by_p * gradient[p];
        for &(j, q, by_q) in moves {
            sum.hessian[i * n + j] += by_p * by_q * hessian[p][q];
        }
    }
}

/// A model's priors, followed by those of its effects: an effect is the logarithm of a factor, and no effect is a
/// factor of one.
pub(crate) fn with_effects(priors: &[LogNormalPrior], n_effects: usize) -> Vec<LogNormalPrior> {
    let mut all = priors.to_vec();
    all.resize(priors.len() + n_effects, LogNormalPrior { median: 1.0, log_sd: EFFECT_PRIOR_SD });
    all
}

/// Σ coefficient · value: the logarithm of the factor.
pub(crate) fn effect(coefficients: &[Coefficient], values: &[f64]) -> f64 {
    assert_eq!(coefficients.len(), values.len(), "one value per coefficient");
    coefficients.iter().zip(values).map(|(c, z)| c.value * z).sum()
}

/// The coefficients' columns, found by name.
pub(crate) fn columns_of(
    model: &str,
    table: &Table,
    coefficients: &[Coefficient],
) -> Result<Vec<Vec<f64>>, ForecastError> {
    let columns = coefficients.iter().map(|c| {
        let values = table.column(&c.name).and_then(|column| column.as_numeric());
        let whole = values.filter(|v| v.iter().all(|z| z.is_finite()));
        whole.map(<[f64]>::to_vec).ok_or_else(|| ForecastError::Schema {
            model: model.into(),
            needs: format!("a numeric column `{}` without missing values", c.name),
        })
    });
    columns.collect()
}

/// The customers of these rows, grouped.
pub(crate) fn group(learner: &'static str, histories: &[History], rows: &[usize]) -> Result<Grouped, FitError> {
    let x: Vec<u32> = rows.iter().map(|&i| histories[i].x).collect();
    let t_x: Vec<f64> = rows.iter().map(|&i| histories[i].t_x).collect();
    let age: Vec<f64> = rows.iter().map(|&i| histories[i].age).collect();
    Grouped::new(&x, &t_x, &age).map_err(|error| FitError::Invalid {
        learner,
        what: "histories".into(),
        value: format!("{} customers", histories.len()),
        rule: error.to_string(),
    })
}

/// Columns in units of their standard deviation, so that the search sees effects of like size.
pub(crate) struct Columns {
    pub(crate) names: Vec<String>,
    pub(crate) scales: Vec<f64>,
    /// Column-major, divided by the scales.
    values: Vec<Vec<f64>>,
}

impl Columns {
    /// # Errors     `Invalid` when a column is not numeric, has a missing value, does not vary or has another length
    pub(crate) fn read(learner: &'static str, table: &Table, n_customers: usize) -> Result<Columns, FitError> {
        let mut columns = Columns { names: vec![], scales: vec![], values: vec![] };
        for column in table.columns() {
            let invalid = |value: String, rule: &str| FitError::Invalid {
                learner,
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

    /// Effects per unit, from those per standard deviation.
    pub(crate) fn coefficients(&self, effects: &[f64]) -> Vec<Coefficient> {
        let per_unit = effects.iter().zip(&self.scales).map(|(effect, scale)| effect / scale);
        self.names.iter().zip(per_unit).map(|(name, value)| Coefficient { name: name.clone(), value }).collect()
    }

    fn row(&self, i: usize) -> Vec<f64> {
        self.values.iter().map(|column| column[i]).collect()
    }
}

/// Customers with equal covariates.
pub(crate) struct Pattern {
    pub(crate) buying: Vec<f64>,
    pub(crate) leaving: Vec<f64>,
    pub(crate) data: Grouped,
}

/// Customers by covariates, in the order of the values: the order of customers does not matter.
pub(crate) fn patterns(
    learner: &'static str,
    histories: &[History],
    buying: &Columns,
    leaving: &Columns,
) -> Result<Vec<Pattern>, FitError> {
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
        Ok(Pattern { buying, leaving, data: group(learner, histories, members)? })
    });
    patterns.collect()
}
