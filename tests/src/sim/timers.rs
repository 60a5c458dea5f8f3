//! What a node does by the clock: heads said again, looks at the store, the walk of retention. The
//! step functions are the hub's own; here is when they are due and what they wait for.

use syncline_cluster::repeats::{EVERY, Repeats};
use syncline_cluster::telling::Telling;
use syncline_hub::cluster::audit::{Audit, Moment};
use syncline_hub::retention::{Effect, Rules, Walk};
use syncline_hub::telemetry::labels::CatchUpCause;
use syncline_protocol::ids::NodeId;
use syncline_storage::types::SpaceView;

/// A node's timers, from its start to its end.
#[derive(Debug)]
pub struct Timers {
    /// Heads to be said again.
    pub repeats: Repeats,
    /// When they are said next, in milliseconds of the true time.
    pub round_at_ms: u64,
    /// When and at what the node looks. It has one space, if that is open.
    pub audit: Audit<()>,
    /// When the look's wait is over.
    pub look_at_ms: Option<u64>,
    /// Looks under way.
    pub looks: Vec<Look>,
    /// A look that is wanted.
    pub wanted: Option<CatchUpCause>,
    /// What is too old, where something is collected.
    pub retention: Option<Retention>,
}

/// A look at the store.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Why.
    pub cause: CatchUpCause,
    /// What the store answered, once it has: the space, or that it cannot be read.
    pub read: Option<Result<SpaceView, ()>>,
}

/// A walk through the spaces. Whenever it is picked its pauses are over.
#[derive(Debug)]
pub struct Retention {
    /// The walk.
    pub walk: Walk,
    /// What it wants done.
    pub effect: Effect,
}

impl Timers {
    /// Of a node that starts, and what it tells the others by.
    pub fn start(
        node: &NodeId,
        now_ms: u64,
        (moment, rules): (Moment, Option<Rules>),
    ) -> (Timers, Telling) {
        let repeats = Repeats::default();
        let telling = Telling::new(node.clone()).noting(repeats.clone());
        let (audit, first) = Audit::begin(moment);
        let wait_ms = match first {
            syncline_hub::cluster::audit::Effect::Wait(ms) => ms,
            _ => 0,
        };
        let timers = Timers {
            repeats,
            round_at_ms: now_ms + round_ms(),
            audit,
            look_at_ms: Some(now_ms + wait_ms),
            looks: Vec::new(),
            wanted: None,
            retention: rules.map(|rules| {
                let walk = Walk::by(rules);
                Retention {
                    effect: walk.first(moment.random),
                    walk,
                }
            }),
        };
        (timers, telling)
    }

    /// When something is due next; `None` if nothing is said again and no look waits.
    pub fn next_ms(&self) -> Option<u64> {
        let round = (!self.repeats.is_empty()).then_some(self.round_at_ms);
        round.into_iter().chain(self.look_at_ms).min()
    }
}

/// From one round of heads to the next.
pub fn round_ms() -> u64 {
    u64::try_from(EVERY.as_millis()).unwrap_or(u64::MAX)
}
