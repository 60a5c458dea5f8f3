//! The native protocol over real sockets and HTTP, on one node.

mod access;
mod caps;
mod framing;
mod handover;
mod hibernation;
mod hostile;
mod http;
mod lifecycle;
mod limits;
mod reconnects;
mod slow;
mod sync;
