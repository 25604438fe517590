//! What purchases are worth: the Gamma-Gamma model.

use rand::Rng;
use rand_distr::{Distribution, Gamma};
use serde::{Deserialize, Serialize};

use crate::error::{SimError, positive};

/// Spend per purchase is Gamma(`p`, ν) for a customer, and ν is Gamma(`q`, `gamma`) over customers, independent of how
/// often she buys (Colombo & Jiang 1999; Fader & Hardie 2013, "The Gamma-Gamma model of monetary value").
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GammaGamma {
    /// Shape within a customer: larger means steadier baskets.
    pub p: f64,
    /// Shape over customers: larger means more alike; the mean is finite above 1.
    pub q: f64,
    /// Scale, in currency units: the mean over customers is `p × gamma / (q − 1)`.
    pub gamma: f64,
}

impl Default for GammaGamma {
    /// The estimates for the CDNOW sample (Fader & Hardie 2013: p 6.25, q 3.74, γ 15.44).
    fn default() -> GammaGamma {
        GammaGamma { p: 6.25, q: 3.74, gamma: 15.44 }
    }
}

impl GammaGamma {
    /// Whether spend can have these parameters.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn validate(&self) -> Result<(), SimError> {
        positive("p", self.p)?;
        positive("q", self.q)?;
        positive("gamma", self.gamma)
    }

    /// A customer's true mean spend per purchase, `p / ν`.
    pub fn draw_mean(&self, rng: &mut impl Rng) -> f64 {
        let nu = Gamma::new(self.q, 1.0).expect("validated").sample(rng) / self.gamma;
        self.p / nu.max(f64::MIN_POSITIVE)
    }

    /// Total spend of `n` purchases of a customer with this mean: a sum of Gammas is a Gamma.
    pub fn draw_total(&self, mean: f64, n: u32, rng: &mut impl Rng) -> f64 {
        if n == 0 {
            return 0.0;
        }
        let shape = self.p * f64::from(n);
        Gamma::new(shape, 1.0).expect("validated").sample(rng) * mean / self.p
    }
}
