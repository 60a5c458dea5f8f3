//! Who does jobs on this node is told that there are some.

use std::fmt;
use std::sync::{Arc, OnceLock};

use syncline_protocol::stamp::WallMs;

type Ring = Box<dyn Fn(WallMs) + Send + Sync>;

/// Rings for jobs. Nobody hears it before [`JobsBell::heard_by`], nor on a node that does none: who
/// does jobs looks for them by itself now and then.
#[derive(Clone, Default)]
pub struct JobsBell(Arc<OnceLock<Ring>>);

impl JobsBell {
    /// From now on it is heard, by the first who says so.
    pub fn heard_by(&self, ring: impl Fn(WallMs) + Send + Sync + 'static) {
        // A second one would be a second runner of one node, which there is not.
        let _ = self.0.set(Box::new(ring));
    }

    /// There are jobs, the first of them due then.
    pub fn ring(&self, due_ms: WallMs) {
        if let Some(ring) = self.0.get() {
            ring(due_ms);
        }
    }
}

impl fmt::Debug for JobsBell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JobsBell")
            .field(&self.0.get().is_some())
            .finish()
    }
}
