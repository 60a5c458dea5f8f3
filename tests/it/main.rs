//! Whole-hub tests: the real node, real sockets, real files.

mod crate_line;
mod native;
mod two_devices;
