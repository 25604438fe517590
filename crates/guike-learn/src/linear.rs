//! Linear models: least squares, generalised linear models and logistic regression.
