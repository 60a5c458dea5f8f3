//! The first user's protocol, driven as that user's client drives it.

mod converging;
mod cross_origin;
mod empty_pulls;
mod erased;
mod idle_tabs;
mod lost_commits;
mod reading;
mod reading_beside_writers;
mod shapes;
mod sockets;
mod tabs;
mod two_devices;
mod unread;
