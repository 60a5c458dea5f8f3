//! The native protocol over real sockets and HTTP, on one node.

mod access;
mod caps;
mod closing;
mod ephemeral;
mod erasure;
mod framing;
mod handover;
mod hibernation;
mod hostile;
mod http;
mod lifecycle;
mod limits;
mod pace;
mod reconnects;
mod retention;
mod slow;
mod sync;
mod upgrade;
