//! The one test binary of the whole hub, so that it is linked once.
#![allow(
    clippy::unwrap_used,
    reason = "a test may stop where something is not as it must be"
)]

mod durability;
