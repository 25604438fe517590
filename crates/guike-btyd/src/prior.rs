//! A weakly informative prior on the logarithms of parameters, for shops with few repeat buyers.
//!
//! The one idea: twenty customers do not determine four parameters, and a maximum-likelihood fit then runs to an edge
//! and forecasts nonsense. Where the data are thin ([`FitOptions::thin_below_repeaters`]) we add what the field's
//! published fits have in common: independent normal distributions of ln(parameter), centred at the estimates of the
//! literature, wide enough that a few dozen repeat buyers outweigh them.
//!
//! Origin of the centres: CDNOW (Fader, Hardie & Lee 2005: r .24 to .64, α 4.4 to 11.6 weeks, a .72 to .89, b 1.2 to
//! 2.4, s .52 to .61, β 8.8 to 11.7), rounded. The spread of α is large because it carries the unit of time: a grocer's
//! customers buy twenty times as often as a record shop's.

use guike_core::Note;

use crate::fit::FitOptions;
use crate::grouped::Grouped;
use crate::optimize::Evaluation;

/// A normal distribution of the logarithm of one positive parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogNormalPrior {
    /// The parameter's median.
    pub median: f64,
    /// Standard deviation of its logarithm: 1 says "within a factor of 2.7 in two of three shops".
    pub log_sd: f64,
}

impl LogNormalPrior {
    /// Shape of the buying rate between customers: r.
    pub const RATE_SHAPE: LogNormalPrior = LogNormalPrior { median: 0.5, log_sd: 1.0 };
    /// Scale of the buying rate in weeks: α.
    pub const RATE_SCALE: LogNormalPrior = LogNormalPrior { median: 8.0, log_sd: 2.0 };
    /// First parameter of the drop-out chance: a.
    pub const DROP_OUT_A: LogNormalPrior = LogNormalPrior { median: 0.8, log_sd: 1.0 };
    /// Second parameter of the drop-out chance: b.
    pub const DROP_OUT_B: LogNormalPrior = LogNormalPrior { median: 2.0, log_sd: 1.0 };
    /// Shape of the drop-out rate: s.
    pub const DEATH_SHAPE: LogNormalPrior = LogNormalPrior { median: 0.6, log_sd: 1.0 };
    /// Scale of the drop-out rate in weeks: β.
    pub const DEATH_SCALE: LogNormalPrior = LogNormalPrior { median: 10.0, log_sd: 2.0 };
}

/// Whether the data call for the prior: fewer repeat buyers than the options' threshold.
pub fn is_thin(grouped: &Grouped, options: &FitOptions) -> bool {
    grouped.n_repeaters() < options.thin_below_repeaters
}

/// Adds the log density of the priors (without its constant) to a log-likelihood in the same coordinates.
///
/// # Shapes      one prior per coordinate, `theta` holds logarithms
pub fn add_prior(evaluation: &mut Evaluation, theta: &[f64], priors: &[LogNormalPrior]) {
    let d = theta.len();
    assert_eq!(priors.len(), d, "one prior per coordinate");
    for (i, prior) in priors.iter().enumerate() {
        let precision = prior.log_sd.powi(-2);
        let off = theta[i] - prior.median.ln();
        evaluation.value -= 0.5 * precision * off * off;
        evaluation.gradient[i] -= precision * off;
        evaluation.hessian[i * d + i] -= precision;
    }
}

/// The remark that goes with a prior.
pub fn thin_note(grouped: &Grouped, options: &FitOptions) -> Note {
    Note(format!(
        "only {} of {} customers bought again (fewer than {}), so the fit leans on typical values from published shops",
        grouped.n_repeaters(),
        grouped.n_customers(),
        options.thin_below_repeaters
    ))
}
