//! Whole-hub tests: the real node, real sockets, real files. One binary, so that it is linked
//! once.
#![allow(
    clippy::unwrap_used,
    reason = "a test may stop where something is not as it must be"
)]

mod archive;
mod bad_input;
mod cassandra;
mod cluster;
mod compat;
mod compute;
mod crate_line;
mod descriptors;
mod durability;
mod jobs;
mod native;
mod notify;
mod payments;
mod postgres;
mod process;
mod simulation;
mod sync_log;
mod tls;
mod traces;
mod two_devices;
mod web;
