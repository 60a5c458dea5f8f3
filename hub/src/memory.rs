//! The program's memory: its allocator and what that says of itself.
//!
//! jemalloc, because a hub holds very many small things for very long: it wastes less on each
//! (aligned task cells above all), and gives back what a burst took.

use prometheus::Error;
use tikv_jemalloc_ctl::{background_thread, epoch, stats};

use crate::telemetry::Metrics;
use crate::telemetry::pulled::gauge;

pub use tikv_jemallocator::Jemalloc as Allocator;

const ALLOCATED: (&str, &str) = (
    "syncline_memory_allocated_bytes",
    "Bytes in use, as the allocator counts them; 0 if another allocator is in use.",
);

/// Has the allocator give memory back by itself, some ten seconds after it was freed.
pub fn give_back_in_background() {
    // Where threads cannot be made, memory is given back when more is asked for.
    if let Err(error) = background_thread::write(true) {
        tracing::debug!(%error, "no background threads for memory");
    }
}

/// Shows what is allocated. Errors: it is shown already.
pub fn show(metrics: &Metrics) -> Result<(), Error> {
    metrics.show(gauge(ALLOCATED, allocated_bytes)?)
}

fn allocated_bytes() -> u64 {
    // The allocator gathers its numbers when its epoch advances.
    let read = epoch::advance().and_then(|_| stats::allocated::read());
    read.map_or(0, |bytes| bytes as u64)
}
