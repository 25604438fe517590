//! BG/NBD: random buyers who may leave after every repeat purchase.
//!
//! The one idea: drop-out happens at purchases only, so the likelihood needs no integral: the workhorse of the field.
//! Its known quirk follows from that: a customer without a repeat purchase is alive with probability one, so rank
//! customers by P(at least one purchase within the horizon), never by P(alive).
//!
//! # Source      Fader, Hardie & Lee (2005), "“Counting Your Customers” the Easy Way", Marketing Science 24(2); the
//! mathematics is in `bg_family`

use guike_core::FitError;
use serde::{Deserialize, Serialize};

use crate::bg_family::{self, Family, Kind};
use crate::bg_fit;
use crate::count_model::{CountDistribution, CountModel};
use crate::fit::{Estimate, FitOptions};
use crate::grouped::{Grouped, History};

/// Random buyers; each leaves after a repeat purchase with a chance of their own.
///
/// ```
/// use guike_btyd::{CountModel, bg_nbd::BgNbd, grouped::History};
/// // the paper's estimates for CDNOW, and its worked example
/// let model = BgNbd { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };
/// let customer = History { x: 2, t_x: 30.43, age: 38.86 };
/// assert!((model.expected(customer, 39.0) - 1.226).abs() < 5e-4);
/// assert!((model.p_alive(customer) - 0.72658).abs() < 5e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BgNbd {
    /// Shape of the buying rates between customers; small means that few customers make most purchases.
    pub r: f64,
    /// Scale of the buying rates, in weeks; r/α is the mean number of purchases per week while alive.
    pub alpha: f64,
    /// First parameter of the chance to leave; a/(a+b) is its mean.
    pub a: f64,
    /// Second parameter of the chance to leave.
    pub b: f64,
}

impl BgNbd {
    pub(crate) const KIND: Kind = Kind { k: 1, early_chances: 0 };

    /// Maximum likelihood, or the posterior mode where the data are thin.
    ///
    /// # Errors
    /// [`FitError::TooLittle`] without customers, [`FitError::NotConverged`] with the cause.
    pub fn fit(data: &Grouped, options: &FitOptions) -> Result<Estimate<BgNbd>, FitError> {
        let fit = bg_fit::fit("bg-nbd", Self::KIND, data, options)?;
        Ok(fit.map(|Family { r, alpha, a, b, .. }| BgNbd { r, alpha, a, b }))
    }

    pub(crate) fn family(&self) -> Family {
        Family { kind: Self::KIND, r: self.r, alpha: self.alpha, a: self.a, b: self.b }
    }
}

bg_family::count_model_of_the_family!(BgNbd: r, alpha, a, b);
