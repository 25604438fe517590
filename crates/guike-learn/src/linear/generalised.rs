//! Generalised linear models with log link: counts, amounts, and amounts that are often zero.

use guike_core::{FitContext, FitError};
use serde::{Deserialize, Serialize};

use super::design::{Design, measure};
use super::losses::Tweedie;
use super::model::LinearModel;
use super::single::SingleSum;
use super::{check_penalty, invalid, minimise, minimise_from};
use crate::tabular::{Examples, Link, TabularLearner, TabularModel, Task, Wants};

pub(super) const NAME: &str = "generalised-linear";

/// How labels spread around their mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Counts of at least 0: variance ∝ mean.
    #[default]
    Poisson,
    /// Amounts above 0: variance ∝ mean².
    Gamma,
    /// Amounts of at least 0, many of them 0: variance ∝ mean^power.
    Tweedie {
        /// Above 1 and below 2; 1.5 is usual for spend.
        power: f64,
    },
}

impl Family {
    fn power(self) -> f64 {
        match self {
            Family::Poisson => 1.0,
            Family::Gamma => 2.0,
            Family::Tweedie { power } => power,
        }
    }
}

/// A mean above 0 as exp(weighted sum of the columns), by penalised likelihood.
///
/// Minimises 1/(2W) Σ wᵢ d(yᵢ, exp(a + xᵢb)) + penalty/2 Σ bⱼ² over intercept a and coefficients b, where W = Σ wᵢ and
/// d is the unit deviance of the family: 2(y ln(y/μ) − y + μ) for Poisson, 2(ln(μ/y) + y/μ − 1) for gamma and
/// 2(y^(2−p)/((1−p)(2−p)) − yμ^(1−p)/(1−p) + μ^(2−p)/(2−p)) for Tweedie of power p.
///
/// Counterpart: scikit-learn's `PoissonRegressor`, `GammaRegressor` and `TweedieRegressor(link="log")` with
/// `alpha=penalty`.
///
/// # Errors
/// Labels outside the family's range, and all labels 0, whose mean has no logarithm.
///
/// # Source
/// McCullagh & Nelder (1989), "Generalized Linear Models", table 2.1; Jørgensen (1987), "Exponential dispersion
/// models", for Tweedie's family.
///
/// # Example
/// ```
/// use guike_core::{FitContext, Matrix, Quiet, Seed};
/// use guike_learn::linear::{Family, GeneralisedLinear};
/// use guike_learn::tabular::{ColumnKind, Examples, TabularLearner, TabularModel, Task};
/// let x = Matrix::from_columns(4, &[[0.0, 0.0, 1.0, 1.0]]);
/// let y = [1.0, 3.0, 4.0, 8.0];
/// let rows = Examples { x: &x, kinds: &[ColumnKind::Number], y: &y, weight: None, task: Task::Regression };
/// let cx = FitContext { seed: Seed(1), progress: &Quiet };
/// let model = GeneralisedLinear { penalty: 0.0, ..Default::default() }.fit(&rows, &cx).unwrap();
/// let means = model.predict(&Matrix::from_columns(2, &[[0.0, 1.0]]));
/// assert!((means[0] - 2.0).abs() < 1e-9 && (means[1] - 6.0).abs() < 1e-9, "the means of both groups");
/// let gamma = GeneralisedLinear { family: Family::Gamma, ..Default::default() };
/// assert!(gamma.fit(&Examples { y: &[0.0, 1.0, 1.0, 2.0], ..rows }, &cx).is_err(), "gamma has no zeros");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GeneralisedLinear {
    /// How labels spread around their mean. The default Poisson needs no more than labels of at least 0.
    pub family: Family,
    /// Strength of the penalty on squared coefficients beside the mean of half the deviance, ≥ 0. The default 0.001
    /// hardly shrinks a scaled column, but keeps the coefficient of one finite that goes with zeros only;
    /// scikit-learn's is 1.
    pub penalty: f64,
}

impl Default for GeneralisedLinear {
    fn default() -> GeneralisedLinear {
        GeneralisedLinear { family: Family::Poisson, penalty: 1e-3 }
    }
}

impl GeneralisedLinear {
    /// Learns; the concrete model.
    ///
    /// # Errors
    /// [`FitError`] for no rows, impossible settings, labels, values or weights, coefficients without a finite value,
    /// or a request to stop.
    pub fn solve(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<LinearModel, FitError> {
        cx.progress.check()?;
        let power = self.validate(examples.task)?;
        let mut design = Design::new(NAME, examples)?;
        let outside = |y: f64| if self.family == Family::Gamma { y <= 0.0 } else { y < 0.0 };
        if let Some(row) = design.y.iter().position(|&y| outside(y)) {
            let rule = if self.family == Family::Gamma {
                "gamma has labels above 0; take `tweedie` where some are 0"
            } else {
                "labels are at least 0"
            };
            return Err(invalid(NAME, &format!("the label of row {row}"), design.y[row], rule));
        }
        // labels with mean 1 start at sums of 0 and need no more than the logarithm of the mean added at the end
        let (mean, _) = measure(design.y, &design.weight, design.total_weight);
        if mean <= 0.0 {
            let needs = "at least one label above 0 on a row of positive weight".to_owned();
            return Err(FitError::TooLittle { learner: NAME, needs, found: "is none".into() });
        }
        let labels: Vec<f64> = design.y.iter().map(|y| y / mean).collect();
        design.y = &labels;
        let penalty = self.penalty * mean.powf(power - 2.0);
        let unpenalised = self.penalty == 0.0;
        let theta = minimise(&design, design.n_terms(), cx, &|design, start, wanted| {
            let squared = design.squared_penalty(penalty * design.total_weight);
            let objective = SingleSum { design, loss: Tweedie { power }, squared, unpenalised };
            minimise_from(NAME, &objective, start, wanted, cx)
        })?;
        let mut natural = design.natural(&theta);
        natural.intercept += mean.ln();
        LinearModel::new(NAME, examples.task, Link::Log, examples.x.n_columns(), vec![natural])
    }

    /// The power of the variance.
    fn validate(&self, task: Task) -> Result<f64, FitError> {
        check_penalty(NAME, self.penalty)?;
        if let Family::Tweedie { power } = self.family
            && !(power > 1.0 && power < 2.0)
        {
            let rule = "a number above 1 and below 2 is needed; `poisson` is 1 and `gamma` 2";
            return Err(invalid(NAME, "power", power, rule));
        }
        if task != Task::Regression {
            let rule = "it learns numbers; take `logistic-regression` for classes";
            return Err(invalid(NAME, "classes", task.n_outputs() as f64, rule));
        }
        Ok(self.family.power())
    }
}

impl TabularLearner for GeneralisedLinear {
    fn name(&self) -> &'static str {
        NAME
    }

    fn wants(&self) -> Wants {
        Wants::Scaled
    }

    fn can(&self, task: Task) -> bool {
        task == Task::Regression
    }

    fn fit(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<Box<dyn TabularModel>, FitError> {
        Ok(Box::new(self.solve(examples, cx)?))
    }
}
