//! The session of a space: how long it stays, how much it holds.

use serde::{Deserialize, Serialize};

use super::Problems;

/// Limits of the sessions of a node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionConfig {
    /// Milliseconds without work after which a session stops and leaves what its sockets need to go
    /// on. One without a socket stops after two seconds, if this is more. 1 to 3,600,000, default
    /// 30,000.
    pub idle_ms: u64,
    /// Bytes of records the node keeps in memory for all sessions; one space has at most a quarter.
    /// Those of the least used spaces go first; 0 keeps none. Up to 1 TiB, default 64 MiB.
    pub cache_bytes: u64,
    /// Bytes of pushes that wait in one session behind the commit in flight. A push past it
    /// waits, its socket unread, and is answered `slow` after five seconds. 1 MiB (a message) to
    /// 1 GiB, default 8 MiB.
    pub pending_bytes: u64,
    /// Bytes of pushes that wait in all sessions of the node; a user has at most an eighth of it,
    /// or `pending_bytes`. A push past it waits and is answered `slow` likewise. 1 MiB to 64 GiB,
    /// default 256 MiB.
    pub pending_node_bytes: u64,
    /// Mutations one commit may hold; the others wait for the next. 1 to 10,000, default 256.
    pub commit_mutations_max: u64,
    /// Changes one commit may hold, but always one mutation. 1 to 100,000, default 5,000.
    pub commit_changes_max: u64,
    /// Bytes of the stored records one commit merges onto, and of one read of them; the other
    /// mutations wait for the next, but always one is taken. 1 MiB to 1 GiB, default 8 MiB.
    pub commit_bytes_max: u64,
}

impl Default for SessionConfig {
    fn default() -> Self {
        SessionConfig {
            idle_ms: 30_000,
            cache_bytes: 64 << 20,
            pending_bytes: 8 << 20,
            pending_node_bytes: 256 << 20,
            commit_mutations_max: 256,
            commit_changes_max: 5_000,
            commit_bytes_max: 8 << 20,
        }
    }
}

impl SessionConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.range("session.idle_ms", self.idle_ms, 1..=3_600_000);
        problems.range("session.cache_bytes", self.cache_bytes, 0..=1 << 40);
        problems.range(
            "session.pending_bytes",
            self.pending_bytes,
            1 << 20..=1 << 30,
        );
        problems.range(
            "session.pending_node_bytes",
            self.pending_node_bytes,
            1 << 20..=64 << 30,
        );
        problems.range(
            "session.commit_mutations_max",
            self.commit_mutations_max,
            1..=10_000,
        );
        problems.range(
            "session.commit_changes_max",
            self.commit_changes_max,
            1..=100_000,
        );
        problems.range(
            "session.commit_bytes_max",
            self.commit_bytes_max,
            1 << 20..=1 << 30,
        );
    }
}
