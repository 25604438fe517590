//! The network that ships with the command; `docs/models/foundation.md` tells how it was trained.

use std::sync::{Arc, OnceLock};

use super::net::Net;
use crate::weights::Weights;

/// The shipped network of size `nano`, read once.
///
/// # Example
/// ```
/// let net = guike_nn::foundation::nano();
/// assert!(net.params.len() > 250_000);
/// ```
pub fn nano() -> Arc<Net> {
    static NANO: OnceLock<Arc<Net>> = OnceLock::new();
    let read = || {
        let weights = Weights::from_bytes(include_bytes!("../../weights/nano.safetensors"));
        Arc::new(
            weights.and_then(|w| Net::from_weights(&w)).expect("the weights in the binary are those of this version"),
        )
    };
    Arc::clone(NANO.get_or_init(read))
}
