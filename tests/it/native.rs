//! The native protocol over real sockets and HTTP, on one node.

mod access;
mod caps;
mod framing;
mod handover;
mod hibernation;
mod http;
mod lifecycle;
mod limits;
mod sync;
