//! Losses of one sum and one label: what a row adds to an objective, and its first two derivatives.

/// A row's share of an objective.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    /// The loss.
    pub(super) loss: f64,
    /// d loss / d sum.
    pub(super) slope: f64,
    /// d² loss / d sum², never below 0.
    pub(super) curvature: f64,
    /// Whether the sum is on the wrong side of the label, or on neither; always true where labels have no sides.
    pub(super) misfit: bool,
}

/// A loss that depends on a row through one sum.
pub(super) trait Loss: Sync {
    /// Loss and derivatives at a sum.
    fn share(&self, sum: f64, y: f64) -> Share;
}

/// ½(s − y)².
#[derive(Debug, Clone, Copy)]
pub(super) struct Squared;

impl Loss for Squared {
    fn share(&self, sum: f64, y: f64) -> Share {
        let slope = sum - y;
        Share { loss: 0.5 * slope * slope, slope, curvature: 1.0, misfit: true }
    }
}

/// ln(1 + eˢ) − y·s for labels 0 and 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Logistic;

impl Loss for Logistic {
    fn share(&self, sum: f64, y: f64) -> Share {
        // everything from exp(−|s|): no overflow, and no cancellation in the tails
        let e = (-sum.abs()).exp();
        let inverse = 1.0 / (1.0 + e);
        let tail = e * inverse;
        let right = (sum > 0.0) == (y > 0.5) && sum != 0.0;
        let wrong_by = if right { tail } else { inverse };
        Share {
            // what 1 + e loses of a tiny e is nothing beside the other rows, and ln takes half of ln_1p's time
            loss: (1.0 + e).ln() + if right { 0.0 } else { sum.abs() },
            slope: if y > 0.5 { -wrong_by } else { wrong_by },
            curvature: tail * inverse,
            misfit: !right,
        }
    }
}

/// Half the unit deviance of Tweedie's family with log link, less what does not depend on the sum.
///
/// # Source
/// Jørgensen (1987), "Exponential dispersion models"; powers 1 and 2 are Poisson and gamma.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tweedie {
    /// Variance = dispersion · mean^power, from 1 to 2.
    pub(super) power: f64,
}

impl Loss for Tweedie {
    fn share(&self, sum: f64, y: f64) -> Share {
        let p = self.power;
        let (loss, slope, curvature) = if p == 1.0 {
            let mean = sum.exp();
            (mean - y * sum, mean - y, mean)
        } else if p == 2.0 {
            let ratio = y * (-sum).exp();
            (sum + ratio, 1.0 - ratio, ratio)
        } else {
            let low = y * ((1.0 - p) * sum).exp();
            let high = ((2.0 - p) * sum).exp();
            let observed = (2.0 - p) * high - (1.0 - p) * low;
            (high / (2.0 - p) - low / (1.0 - p), high - low, observed)
        };
        Share { loss, slope, curvature, misfit: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derivatives_are_those_of_the_loss(loss: &dyn Loss, y: f64) {
        for sum in [-3.0, -0.4, 0.3, 2.0] {
            let h = 1e-5;
            let (low, at, high) = (loss.share(sum - h, y), loss.share(sum, y), loss.share(sum + h, y));
            let slope = (high.loss - low.loss) / (2.0 * h);
            assert!((slope - at.slope).abs() < 1e-7 * (1.0 + slope.abs()), "slope at {sum}: {slope} {}", at.slope);
            let curvature = (high.slope - low.slope) / (2.0 * h);
            assert!((curvature - at.curvature).abs() < 1e-7 * (1.0 + curvature.abs()), "curvature at {sum}");
        }
    }

    #[test]
    fn slopes_and_curvatures_are_derivatives() {
        for y in [0.0, 1.0] {
            derivatives_are_those_of_the_loss(&Logistic, y);
        }
        for (power, y) in [(1.0, 0.0), (1.0, 3.0), (1.5, 0.0), (1.5, 2.5), (1.9, 0.7), (2.0, 1.3)] {
            derivatives_are_those_of_the_loss(&Tweedie { power }, y);
        }
    }

    #[test]
    fn the_logistic_loss_has_no_overflow() {
        for (sum, y, loss) in [(1e300, 1.0, 0.0), (-1e300, 0.0, 0.0), (800.0, 0.0, 800.0), (-800.0, 1.0, 800.0)] {
            let share = Logistic.share(sum, y);
            assert_eq!(share.loss, loss);
            assert!(share.slope.is_finite() && share.curvature >= 0.0);
        }
    }
}
