//! From forecasts to tiers
