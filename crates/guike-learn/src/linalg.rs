//! The few dense factorisations that linear learners and mixtures need.
