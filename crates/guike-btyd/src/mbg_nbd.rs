//! MBG/NBD: random buyers who may leave after every purchase, the first included.
//!
//! The one idea: BG/NBD keeps everyone who never came back alive for ever; here the first purchase too may be the last,
//! so one-time buyers fade.
//!
//! # Source      Batislam, Denizel & Filiztekin (2007), Int. J. of Research in Marketing 24(3); Hoppe & Wagner (2007);
//! the mathematics is in `bg_family`

use guike_core::FitError;
use serde::{Deserialize, Serialize};

use crate::bg_family::{self, Family, Kind};
use crate::bg_fit;
use crate::count_model::{CountDistribution, CountModel};
use crate::fit::{Estimate, FitOptions};
use crate::grouped::{Grouped, History};

/// Random buyers; each leaves after a purchase with a chance of their own.
///
/// ```
/// use guike_btyd::{CountModel, grouped::History, mbg_nbd::MbgNbd};
/// let model = MbgNbd { r: 0.52484, alpha: 6.18309, a: 0.89136, b: 1.61400 };
/// let customer = History { x: 2, t_x: 30.43, age: 38.86 };
/// assert!((model.expected(customer, 39.0) - 1.26267).abs() < 5e-6);
/// assert!((model.p_alive(customer) - 0.70613).abs() < 5e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MbgNbd {
    /// Shape of the buying rates between customers; small means that few customers make most purchases.
    pub r: f64,
    /// Scale of the buying rates, in weeks; r/α is the mean number of purchases per week while alive.
    pub alpha: f64,
    /// First parameter of the chance to leave; a/(a+b) is its mean.
    pub a: f64,
    /// Second parameter of the chance to leave.
    pub b: f64,
}

impl MbgNbd {
    const KIND: Kind = Kind { k: 1, early_chances: 1 };

    /// Maximum likelihood, or the posterior mode where the data are thin.
    ///
    /// # Errors
    /// [`FitError::TooLittle`] without customers, [`FitError::NotConverged`] with the cause.
    pub fn fit(data: &Grouped, options: &FitOptions) -> Result<Estimate<MbgNbd>, FitError> {
        let fit = bg_fit::fit("mbg-nbd", Self::KIND, data, options)?;
        Ok(fit.map(|Family { r, alpha, a, b, .. }| MbgNbd { r, alpha, a, b }))
    }

    fn family(&self) -> Family {
        Family { kind: Self::KIND, r: self.r, alpha: self.alpha, a: self.a, b: self.b }
    }
}

bg_family::count_model_of_the_family!(MbgNbd: r, alpha, a, b);
