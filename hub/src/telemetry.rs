//! What can be seen from outside: logs and metrics.

pub mod instrument;
pub mod labels;
mod lines;
pub mod logs;
pub mod metrics;
pub mod pulled;

pub use metrics::Metrics;
