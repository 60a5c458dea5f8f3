//! What can be seen from outside: logs, metrics and traces.

pub mod instrument;
pub mod labels;
pub mod lags;
mod lines;
pub mod logs;
pub mod metrics;
pub mod pulled;
pub mod traces;

pub use lags::Lags;
pub use metrics::Metrics;
pub use traces::Traces;
