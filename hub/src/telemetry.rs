//! What can be seen from outside: logs and metrics.

pub mod instrument;
pub mod labels;
pub mod logs;
pub mod metrics;
pub mod pulled;

pub use metrics::Metrics;
