//! Calibration of scores into probabilities.
