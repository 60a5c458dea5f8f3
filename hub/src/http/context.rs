//! What the plain routes need.

use std::sync::Arc;

use syncline_protocol::ids::NodeId;

use crate::auth::{DevIssuer, Verifier};
use crate::clock::Clock;
use crate::lifecycle::Lifecycle;
use crate::telemetry::{Metrics, Traces};

/// Shared by the handlers of both listeners.
#[derive(Debug)]
pub struct Context {
    /// The node's name.
    pub node: NodeId,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ready or draining.
    pub lifecycle: Arc<Lifecycle>,
    /// Who verifies tokens.
    pub verifier: Arc<Verifier>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is made of requests and pushes that are traced.
    pub traces: Traces,
    /// With `--dev`.
    pub dev_issuer: Option<Arc<DevIssuer>>,
}
