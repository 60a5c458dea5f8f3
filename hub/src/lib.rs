//! The Syncline node.

pub mod session;
