//! The first user's protocol, driven as that user's client drives it.

mod converging;
mod reading;
mod reading_beside_writers;
mod shapes;
mod sockets;
mod unread;
