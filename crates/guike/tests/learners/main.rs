//! Facts that hold for every learner, whoever wrote it: those on tables and those on event logs.

mod events;
mod shop;
mod support;
mod tables;
