//! Support vector machines: linear, and with the Gaussian kernel.
//!
//! The one idea: only rows near or beyond the border between two classes shape it, as wide apart as their costs allow. Dot
//! products and distances add columns up, so they must be on one scale. Scores become probabilities by sigmoids on held-out
//! scores ([`PlattSigmoid`]), and more than two classes are each learned against the rest.
//!
//! No regression, no other kernels, no one-against-one machines and no shrinking.

mod model;
mod newton;
mod platt;
mod problem;
mod rbf;
mod smo;
#[cfg(test)]
mod tests;

use guike_core::{FitContext, FitError};
use serde::{Deserialize, Serialize};

use crate::tabular::{Examples, TabularLearner, TabularModel, Task, Wants};
pub use model::SvmModel;
use model::{Approximation, Parameters, Scorer};
use newton::squared_hinge;
pub use platt::PlattSigmoid;
use problem::{Problem, check_settings};
pub use rbf::Gamma;
use rbf::{KernelRows, Landmarks};
use smo::c_svc;

const LINEAR: &str = "linear-svm";
const KERNEL: &str = "kernel-svm";

/// A linear border: minimises ½‖w‖² + C Σ weightᵢ max(0, 1 − yᵢ f(xᵢ))², f(x) = w·x + b.
///
/// As in LIBLINEAR, the intercept b is the weight of a column of ones and is penalised with the others; on columns of mean
/// near 0 this hardly matters. Time grows with rows × columns². Rows of weight 0 are left out; missing and infinite values
/// of rows to predict are taken for the mean of their column.
///
/// Counterpart: scikit-learn's `LinearSVC(loss="squared_hinge", dual=False)` in
/// `CalibratedClassifierCV(method="sigmoid", ensemble=False)`.
///
/// # Source
/// Keerthi & DeCoste (2005), JMLR 6, for the solution; Lin, Lin & Weng (2007), Machine Learning 68, for probabilities.
///
/// # Example
/// ```
/// use guike_core::{FitContext, Matrix, Quiet, Seed};
/// use guike_learn::svm::LinearSvm;
/// use guike_learn::tabular::{ColumnKind, Examples, TabularLearner, TabularModel, Task};
/// let x = Matrix::from_columns(6, &[[-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]]);
/// let (y, task) = ([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], Task::Classification { classes: 2 });
/// let rows = Examples { x: &x, kinds: &[ColumnKind::Number], y: &y, weight: None, task };
/// let cx = FitContext { seed: Seed(1), progress: &Quiet };
/// let p = LinearSvm { folds: 3, ..Default::default() }.fit(&rows, &cx).unwrap().predict(&x);
/// assert!(p[0] > 0.6 && p[11] > 0.6 && (p[10] + p[11] - 1.0).abs() < 1e-12);
/// assert!(LinearSvm::default().fit(&Examples { y: &[1.0; 6], ..rows }, &cx).is_err(), "there is only one class");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearSvm {
    /// Cost of a row inside the margin, above 0. The default is scikit-learn's 1.
    pub c: f64,
    /// Folds whose held-out scores give the probabilities, 2 to 20.
    pub folds: usize,
}

impl Default for LinearSvm {
    fn default() -> LinearSvm {
        LinearSvm { c: 1.0, folds: 5 }
    }
}

impl LinearSvm {
    /// [`TabularLearner::fit`], with the model's own type.
    ///
    /// # Errors
    /// Those of [`TabularLearner::fit`].
    pub fn fit_svm(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<SvmModel, FitError> {
        cx.progress.check()?;
        check_settings(LINEAR, self.c, self.folds)?;
        let problem = Problem::new(LINEAR, examples)?;
        let (machines, sigmoids) = problem.train(self.c, self.folds, cx, |q, start| {
            squared_hinge(&problem.rows, problem.p, q.y, q.cost, start, LINEAR, cx)
        })?;
        let (mut coefficients, mut intercepts) = (Vec::new(), Vec::new());
        for w in &machines {
            coefficients.extend_from_slice(&w[..problem.p]);
            intercepts.push(w[problem.p]);
        }
        Ok(finish(problem, Scorer::Linear, coefficients, intercepts, sigmoids))
    }
}

impl TabularLearner for LinearSvm {
    fn name(&self) -> &'static str {
        LINEAR
    }

    fn wants(&self) -> Wants {
        Wants::Scaled
    }

    fn can(&self, task: Task) -> bool {
        matches!(task, Task::Classification { classes } if classes >= 2)
    }

    fn fit(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<Box<dyn TabularModel>, FitError> {
        Ok(Box::new(self.fit_svm(examples, cx)?))
    }
}

/// A border of any shape: C-support vector classification with the kernel exp(−γ‖x − z‖²), the hinge not squared.
///
/// Up to `most_rows` rows the solution is exact, to `tolerance`; time grows with rows² to rows³. **Above it is an
/// approximation**: Nyström features of `landmarks` seeded rows and the squared hinge of [`LinearSvm`] on them (time and
/// memory grow with rows × landmarks); the saved model says so under `scorer.approximation`, and
/// [`SvmModel::is_approximate`] does. Rows of weight 0 are left out; missing and infinite values of rows to predict are
/// taken for the mean of their column.
///
/// Counterpart: scikit-learn's `SVC(kernel="rbf", gamma="scale")`, for more than two classes in `OneVsRestClassifier`; above
/// `most_rows`, `Nystroem` and `LinearSVC`.
///
/// # Source
/// Fan, Chen & Lin (2005), JMLR 6, and Chang & Lin (2011), LIBSVM; Williams & Seeger (2001) for the approximation.
///
/// # Example
/// ```
/// use guike_core::{FitContext, Matrix, Quiet, Seed};
/// use guike_learn::svm::KernelSvm;
/// use guike_learn::tabular::{ColumnKind, Examples, TabularLearner, Task};
/// // the second class is on both sides of the first
/// let x = Matrix::from_columns(6, &[[-2.1, -2.0, -0.1, 0.1, 2.0, 2.1]]);
/// let (y, task) = ([1.0, 1.0, 0.0, 0.0, 1.0, 1.0], Task::Classification { classes: 2 });
/// let rows = Examples { x: &x, kinds: &[ColumnKind::Number], y: &y, weight: None, task };
/// let cx = FitContext { seed: Seed(1), progress: &Quiet };
/// let model = KernelSvm::default().fit_svm(&rows, &cx).unwrap();
/// let scores = model.decision(&x);
/// assert!(scores[0] > 0.0 && scores[2] < 0.0 && scores[5] > 0.0 && !model.is_approximate());
/// assert!(KernelSvm { c: 0.0, ..Default::default() }.fit_svm(&rows, &cx).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelSvm {
    /// Cost of a row inside the margin, above 0. The default is scikit-learn's 1.
    pub c: f64,
    /// Width of the kernel.
    pub gamma: Gamma,
    /// Largest violation of optimality that is left, in units of the score, above 0. The default is LIBSVM's 0.001.
    pub tolerance: f64,
    /// Folds whose held-out scores give the probabilities, 2 to 20.
    pub folds: usize,
    /// Most rows that are solved exactly; 20,000 take some seconds to a minute per class.
    pub most_rows: usize,
    /// Landmarks of the approximation, at least 1.
    pub landmarks: usize,
    /// Memory for kernel rows, in MiB; less takes longer and changes nothing else. The default is LIBSVM's 200 MB, rounded.
    pub cache_mib: usize,
}

impl Default for KernelSvm {
    fn default() -> KernelSvm {
        KernelSvm {
            c: 1.0,
            gamma: Gamma::Scale,
            tolerance: 1e-3,
            folds: 5,
            most_rows: 20_000,
            landmarks: 256,
            cache_mib: 256,
        }
    }
}

impl KernelSvm {
    /// [`TabularLearner::fit`], with the model's own type.
    ///
    /// # Errors
    /// Those of [`TabularLearner::fit`].
    pub fn fit_svm(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<SvmModel, FitError> {
        cx.progress.check()?;
        self.validate()?;
        let problem = Problem::new(KERNEL, examples)?;
        let gamma = self.gamma.of(&problem.rows, problem.p);
        if problem.n_rows() > self.most_rows {
            self.fit_nystroem(problem, gamma, cx)
        } else {
            self.fit_exact(problem, gamma, cx)
        }
    }

    fn validate(&self) -> Result<(), FitError> {
        check_settings(KERNEL, self.c, self.folds)?;
        let wrong = |what: &str, value: String, rule: &str| FitError::Invalid {
            learner: KERNEL,
            what: what.to_owned(),
            value,
            rule: rule.to_owned(),
        };
        match self.gamma {
            Gamma::Value(gamma) | Gamma::TimesScale(gamma) if !(gamma > 0.0 && gamma.is_finite()) => {
                return Err(wrong("gamma", gamma.to_string(), "the width of the kernel is above 0 and finite"));
            }
            _ => {}
        }
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            return Err(wrong("tolerance", self.tolerance.to_string(), "it lies between 0 and 1"));
        }
        if self.landmarks == 0 {
            return Err(wrong("landmarks", "0".into(), "at least one landmark is needed"));
        }
        Ok(())
    }

    fn fit_exact(&self, problem: Problem, gamma: f64, cx: &FitContext<'_>) -> Result<SvmModel, FitError> {
        let p = problem.p;
        let mut kernel = KernelRows::new(&problem.rows, p, gamma, self.cache_mib);
        let (machines, sigmoids) = problem.train(self.c, self.folds, cx, |q, _| {
            let solved = c_svc(&mut kernel, q.y, q.cost, self.tolerance, KERNEL, cx)?;
            Ok(((solved.coefficients, solved.intercept), solved.scores))
        })?;
        // a row stays where any machine rests on it
        let kept: Vec<usize> = (0..problem.n_rows()).filter(|&i| machines.iter().any(|(a, _)| a[i] != 0.0)).collect();
        let vectors = kept.iter().flat_map(|&i| &problem.rows[i * p..(i + 1) * p]).copied().collect();
        let coefficients = machines.iter().flat_map(|(a, _)| kept.iter().map(|&i| a[i])).collect();
        let intercepts = machines.iter().map(|m| m.1).collect();
        let scorer = Scorer::Rbf { gamma, vectors, approximation: None };
        Ok(finish(problem, scorer, coefficients, intercepts, sigmoids))
    }

    fn fit_nystroem(&self, problem: Problem, gamma: f64, cx: &FitContext<'_>) -> Result<SvmModel, FitError> {
        let p = problem.p;
        let seed = cx.seed.derive("landmarks");
        let landmarks = Landmarks::draw(&problem.rows, p, gamma, self.landmarks, seed);
        let (features, m) = (landmarks.features(&problem.rows), landmarks.rows.len() / p);
        let (machines, sigmoids) = problem
            .train(self.c, self.folds, cx, |q, start| squared_hinge(&features, m, q.y, q.cost, start, KERNEL, cx))?;
        // w·φ(x) = w·L⁻¹k(x) = (L⁻ᵀw)·k(x): afterwards the landmarks are like support vectors
        let (mut coefficients, mut intercepts) = (Vec::new(), Vec::new());
        for mut w in machines {
            intercepts.push(w.pop().expect("the intercept is the last weight"));
            landmarks.factor.solve_upper(&mut w);
            coefficients.append(&mut w);
        }
        let of_rows = problem.n_rows();
        let approximation = Some(Approximation { method: "nystroem".into(), landmarks: m, of_rows });
        let scorer = Scorer::Rbf { gamma, vectors: landmarks.rows, approximation };
        Ok(finish(problem, scorer, coefficients, intercepts, sigmoids))
    }
}

impl TabularLearner for KernelSvm {
    fn name(&self) -> &'static str {
        KERNEL
    }

    fn wants(&self) -> Wants {
        Wants::Scaled
    }

    fn can(&self, task: Task) -> bool {
        matches!(task, Task::Classification { classes } if classes >= 2)
    }

    fn fit(&self, examples: &Examples<'_>, cx: &FitContext<'_>) -> Result<Box<dyn TabularModel>, FitError> {
        Ok(Box::new(self.fit_svm(examples, cx)?))
    }
}

fn finish(
    problem: Problem,
    scorer: Scorer,
    coefficients: Vec<f64>,
    intercepts: Vec<f64>,
    sigmoids: Vec<PlattSigmoid>,
) -> SvmModel {
    let Problem { learner, task, p, present, means, .. } = problem;
    SvmModel::new(
        learner,
        Parameters { task, n_columns: p, means, present, scorer, coefficients, intercepts, sigmoids },
    )
}
