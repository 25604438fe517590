//! Numbers to byte bins: what histogram learners count.
