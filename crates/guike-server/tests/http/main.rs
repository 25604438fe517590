//! The server from outside: bytes to a socket on this machine, and what comes back.
//!
//! Every test starts its own server on a free port and ends it.

mod access;
mod admin;
mod audiences;
mod audit;
mod batch;
mod canary;
mod cuts;
mod described;
mod drift;
mod events;
mod exports;
mod full;
mod inference;
mod jobs;
mod model_file;
mod oidc;
mod operation;
mod pages;
mod people;
mod predict;
mod removal;
mod support;
mod tls;
mod tokens;
mod v1;
mod workspace;
