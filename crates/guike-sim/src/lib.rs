//! Simulated shops with known truth
