//! The `guike` command from outside: what a person types, reads and finds on disk.
//!
//! Everything goes through the binary; nothing of its inside is known here. Each test works in its own temporary folder
//! and asserts on the exit code, on the words of the message, and on what is left in the folder.

mod bad_input;
mod clients;
mod clusters;
mod damaged;
mod databases;
mod doctor;
mod documents;
mod events;
mod explain;
mod explain_table;
mod full_disk;
mod fuzzed;
mod ingest;
mod interrupt;
mod killed;
mod lightgbm;
mod onnx;
mod order_scorer;
mod pretrain;
mod results;
mod schema;
mod scorer;
mod serve;
mod simulate;
mod sources;
mod support;
mod tables;
mod tune;
mod tutorial;
mod usage;
mod workspace;
