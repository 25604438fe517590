//! How long work tells its caller where it is, and how the caller stops it.

/// The caller asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped on request")]
pub struct Cancelled;

/// Receives progress and can ask to stop. Implementations are cheap: they are called often and from several threads.
pub trait Progress: Sync {
    /// A stage of known (`total > 0`) or unknown size begins.
    fn stage(&self, name: &str, total: u64);
    /// `amount` more of the current stage is done.
    fn advance(&self, amount: u64);
    /// Whether to stop; asked between pieces of work.
    fn cancelled(&self) -> bool {
        false
    }

    /// `Err(Cancelled)` when the caller asked to stop.
    ///
    /// # Errors
    /// [`Cancelled`].
    fn check(&self) -> Result<(), Cancelled> {
        if self.cancelled() { Err(Cancelled) } else { Ok(()) }
    }
}

/// Tells nobody and never stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn stage(&self, _name: &str, _total: u64) {}
    fn advance(&self, _amount: u64) {}
}
