//! Honest evaluation: metrics, anchors, calibration, intervals, comparisons
