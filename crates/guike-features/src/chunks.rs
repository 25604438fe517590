//! Threads over customers: fixed chunks, results in the order of the customers.

use rayon::prelude::*;

use crate::kernel::Scratch;

/// Customers per piece of work. Fixed, so that results never depend on the number of threads; small enough to balance,
/// large enough that a piece outweighs handing it out.
pub(crate) const CHUNK: usize = 1024;

/// `work` on every chunk of `cases`, each thread with its own buffers; the results in the order of the chunks.
pub(crate) fn map_chunks<C: Sync, R: Send>(cases: &[C], work: impl Fn(&[C], &mut Scratch) -> R + Sync) -> Vec<R> {
    cases.par_chunks(CHUNK).map_init(Scratch::default, |scratch, chunk| work(chunk, scratch)).collect()
}
