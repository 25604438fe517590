//! Deep learners that are trained on one shop: the peers of the classical ones.
//!
//! The one idea: everything but the way a history is read is shared, so that what a reader is worth can be seen. All are told
//! the hand-made aggregates, cut into pieces; beside them a reader looks at the weeks (convolution) or at the events (recurrent
//! unit, transformer) of a customer. What is said is relative to her naive rate and spend: whether she buys within the window,
//! how often, and how much, as a log-normal or as quantiles.
//!
//! A single net that is fitted to a few thousand customers says too much, and another seed says something else. So each
//! learner is a small ensemble, stops when customers that were kept aside get worse, and is set to their level in the end.
//!
//! Sources: Wang, Liu & Miao (2019), "A deep probabilistic model for customer lifetime value prediction" (zero-inflated
//! log-normal); Koenker & Bassett (1978) for quantiles; LeCun et al. (1989) and Bai, Kolter & Koltun (2018) for convolutions
//! over time; Cho et al. (2014) for the gated recurrent unit; Vaswani et al. (2017) for attention; Lakshminarayanan, Pritzel &
//! Blundell (2017) for ensembles; Srivastava et al. (2014) for dropout.

mod fit;
mod learner;
mod lessons;
mod net;
mod value;

pub use fit::DeepConfig;
pub use learner::{Deep, DeepModel};
pub use net::Reading;
pub use value::ValueHead;

/// Names of all, in the order they are tried.
pub const NAMES: [&str; 5] = ["mlp-ziln", "mlp-quantile", "convolutional", "recurrent", "transformer"];

/// The learner of this name with default settings.
///
/// ```
/// use guike_nn::deep::{NAMES, Reading, named};
/// assert!(NAMES.into_iter().all(|name| named(name).is_some_and(|learner| learner.name == name)));
/// assert_eq!(named("transformer").unwrap().reading, Reading::Attention);
/// assert!(named("crystal-ball").is_none());
/// ```
pub fn named(name: &str) -> Option<Deep> {
    let name = NAMES.into_iter().find(|n| *n == name)?;
    let (reading, head) = match name {
        "mlp-ziln" => (Reading::Aggregates, ValueHead::ZeroInflatedLogNormal),
        "mlp-quantile" => (Reading::Aggregates, ValueHead::Quantiles),
        "convolutional" => (Reading::Convolution, ValueHead::ZeroInflatedLogNormal),
        "recurrent" => (Reading::Recurrence, ValueHead::ZeroInflatedLogNormal),
        _ => (Reading::Attention, ValueHead::ZeroInflatedLogNormal),
    };
    Some(Deep { name, reading, head, config: DeepConfig::default() })
}
