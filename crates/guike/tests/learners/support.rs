//! What the facts of both kinds of learner are checked with.

use guike_core::Progress;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether all numbers are equal to the last bit.
pub(crate) fn same_bits(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.to_bits() == y.to_bits())
}

/// The job's result with this many threads.
pub(crate) fn with_threads<T: Send>(threads: usize, job: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads").install(job)
}

/// Asks to stop when it has been asked `after` times whether to.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    after: u64,
    asked: AtomicU64,
}

impl Stop {
    pub(crate) fn after(after: u64) -> Stop {
        Stop { after, asked: AtomicU64::new(0) }
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Progress for Stop {
    fn stage(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn cancelled(&self) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed) >= self.after
    }
}
