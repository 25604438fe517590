//! Machines against scikit-learn.
