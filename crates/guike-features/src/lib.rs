//! One pass over a customer's events: features, summaries, sequences
