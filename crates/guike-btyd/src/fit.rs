//! What every fit in this crate takes and gives back: options, and estimates with their standard errors and remarks.
//!
//! The one idea: a fitted model is plain parameters; how it was found (likelihood, standard errors, remarks about thin
//! or degenerate data) travels beside it in [`Estimate`], not inside it.

use guike_core::{FitError, Note};

use crate::optimize::{Failure, Maximum, StopRule};

/// How to fit a count model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitOptions {
    /// Below this many customers with a repeat purchase the data are thin and a weakly informative prior is added to
    /// the likelihood. Default 100: above it the prior would move no parameter by a third of its standard error.
    /// 0 never uses the prior.
    pub thin_below_repeaters: f64,
    /// When the optimiser stops.
    pub stop: StopRule,
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions { thin_below_repeaters: 100.0, stop: StopRule::default() }
    }
}

/// A fitted model with what is known about the fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate<M> {
    /// The model: plain parameters.
    pub model: M,
    /// Log-likelihood at the estimate, without any prior.
    pub log_likelihood: f64,
    /// Standard error of each parameter in the model's order; `None` where the data do not bound it.
    pub standard_errors: Vec<Option<f64>>,
    /// Remarks for the reader: a prior was used, a parameter ran to its edge.
    pub notes: Vec<Note>,
    /// Newton steps taken.
    pub iterations: usize,
}

impl<M> Estimate<M> {
    /// The same estimate with its model turned into another form.
    pub fn map<N>(self, form: impl FnOnce(M) -> N) -> Estimate<N> {
        Estimate {
            model: form(self.model),
            log_likelihood: self.log_likelihood,
            standard_errors: self.standard_errors,
            notes: self.notes,
            iterations: self.iterations,
        }
    }
}

/// Standard errors of positive parameters that were searched as logarithms (delta method: σ(p) = p σ(ln p)).
pub fn standard_errors_of_exp(maximum: &Maximum) -> Vec<Option<f64>> {
    maximum.standard_errors().iter().zip(&maximum.theta).map(|(e, t)| e.map(|e| e * t.exp())).collect()
}

/// The remark that every model with drop-out makes when nobody was seen to leave.
pub(crate) fn no_drop_out() -> Note {
    Note("no drop-out was detected: customers differ in how often they buy, but none was seen to leave".into())
}

/// Remarks on a Gamma distribution of buying rates (shape r, rate α) whose parameters ran towards the ends of their box.
pub(crate) fn buying_remarks(r: f64, alpha: f64, upper: [f64; 2]) -> Vec<Note> {
    let mut notes = Vec::new();
    if r > 0.5 * upper[0] {
        notes.push(Note("how often customers buy does not measurably differ between them".into()));
    }
    if alpha > 0.5 * upper[1] {
        notes.push(Note("almost nobody buys again: the expected rate of purchases is near zero".into()));
    }
    notes
}

/// The contract's error for a failed search.
pub fn not_converged(learner: &'static str, failure: &Failure) -> FitError {
    FitError::NotConverged { learner, cause: failure.to_string() }
}
