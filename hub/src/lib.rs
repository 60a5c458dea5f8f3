//! The Syncline node.
//!
//! Modules in reading order: [`config`] (what an operator may set), [`cli`] (the commands),
//! [`clock`] (the only reader of the wall clock), [`lifecycle`] (starting, ready, draining),
//! [`telemetry`] (logs and metrics), [`auth`] (who a token speaks for), [`http`] (the listeners
//! and the plain routes), [`gateway`] (sync over WebSocket and HTTP), [`session`] (the actor of
//! a space), [`retention`] (what grows too old), [`cluster`] (the other nodes), [`wheel`] (deadlines), [`tls`] (certificate and key), [`app`] (the one place where the parts are put together).

pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod gateway;
pub mod http;
pub mod jobs;
pub mod lifecycle;
pub mod memory;
pub mod notify;
pub mod retention;
pub mod session;
pub mod telemetry;
pub mod tls;
pub mod wheel;

/// The program's allocator: tests count what it is asked for.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;
