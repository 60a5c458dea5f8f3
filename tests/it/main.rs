//! Whole-hub tests: the real node, real sockets, real files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod crate_line;
mod native;
mod process;
mod two_devices;
