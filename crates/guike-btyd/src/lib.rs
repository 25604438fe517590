//! Probability models of buying and dying
