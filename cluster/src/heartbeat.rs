//! What a node says of itself, so that the others know who is there.

use std::fmt;

use syncline_protocol::ids::NodeId;
use syncline_protocol::stamp::WallMs;

/// A process that runs a node, by a random number: a name may be given twice by mistake, and a
/// node that starts again is another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(pub u64);

impl Instance {
    /// One of its own. Without randomness the process number has to do.
    pub fn random() -> Instance {
        Instance(getrandom::u64().unwrap_or_else(|_| std::process::id().into()))
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// How far a node is, as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It serves.
    Serving,
    /// It does jobs, and takes no sockets.
    Working,
    /// It takes nothing new.
    Draining,
    /// These are its last words.
    Gone,
}

impl Standing {
    /// It does what it is there for.
    pub fn is_up(self) -> bool {
        matches!(self, Standing::Serving | Standing::Working)
    }

    /// As operators are told.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Serving => "serving",
            Standing::Working => "working",
            Standing::Draining => "draining",
            Standing::Gone => "gone",
        }
    }
}

/// What a node says of itself every few seconds, when it begins to drain and when it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The node's name, by its config.
    pub node: NodeId,
    /// The process.
    pub instance: Instance,
    /// Counted by the process: one that is older than another says nothing new.
    pub no: u64,
    /// The program's version.
    pub version: String,
    /// When it started, by its clock.
    pub started_at_ms: WallMs,
    /// How far it is.
    pub standing: Standing,
    /// Open sockets.
    pub sockets: u64,
    /// Spaces that are open there, asleep or awake.
    pub sessions: u64,
    /// Commits of the last seconds, a second.
    pub commits_per_s: u64,
}
