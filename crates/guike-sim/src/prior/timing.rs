//! What the families of timing have in common.

use super::clock::Clock;
use super::{bursty, contractual, dormant, renewal};

/// How one customer spaces her purchases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Timing {
    Renewal(renewal::Gaps),
    Contractual(contractual::Contract),
    Dormant(dormant::Sojourn),
    Bursty(bursty::Burst),
}

/// The time that somebody has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Live<'a> {
    /// The pace that she follows.
    pub(super) clock: &'a Clock,
    /// Moment of the first purchase.
    pub(super) arrival: f64,
    /// When she leaves if nothing happens at a purchase.
    pub(super) death: f64,
    /// End of the log.
    pub(super) end: f64,
}

impl Live<'_> {
    /// Operational time at which she has left or the log has ended.
    pub(super) fn stop(&self) -> f64 {
        self.clock.pace(self.death.min(self.end))
    }
}
