//! Density-based clustering.
