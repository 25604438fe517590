//! Facts that hold for every learner, whoever wrote it.

mod tables;
