//! What a push may hold, a record may become, and how fast a user may push.

use serde::{Deserialize, Serialize};
use syncline_protocol::limits::{JSON_DEPTH_CEILING, Limits, NAME_BYTES_CEILING};

use super::Problems;

/// Limits of the data and of those who push it. Lowered, they
/// refuse only what is new: what is stored stays, and may shrink. But names of tables, records and
/// fields longer than a lowered `name_bytes_max` cannot be written any more, nor deleted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Bytes of a record, names and values. A change that makes it larger is rejected. Devices
    /// are told whole records, so they must take messages of twice as much. 1 KiB to 4 MiB,
    /// default 256 KiB.
    pub record_bytes_max: u64,
    /// Fields of a record, and of one change. One more is rejected. 1 to 16,384, default 1,024.
    pub fields_max: u64,
    /// Nesting of arrays and objects in one value. One more is rejected. 1 to 100, default 32.
    pub json_depth_max: u64,
    /// Changes of one push. One more is refused. 1 to 100,000, default 5,000.
    pub changes_per_push_max: u64,
    /// Bytes of the stored records one mutation touches, with 88 for each field. One that touches
    /// more is rejected; such a changeset is merged in parts. 8 MiB (the greatest record) to
    /// 1 GiB, default 64 MiB.
    pub mutation_bytes_max: u64,
    /// Bytes of a table's, record's or field's name. One more is rejected. 16 to 1,024, default
    /// 128. At least 49 where a trigger keeps occurrences, and 32 where one makes next instances.
    pub name_bytes_max: u64,
    /// Changes a second that one user may push, on all sockets and requests; a push without any
    /// counts as one. A user may be ten seconds ahead of it. What comes when it is further ahead
    /// waits on a socket, and is told `slow` after 5 s; a request is answered `slow` with
    /// `Retry-After` at once. 1 to 1,000,000,000, default 2,000.
    pub user_changes_per_s: u64,
    /// Bytes a second of those pushes, likewise. 1 KiB to 64 GiB, default 2 MiB.
    pub user_bytes_per_s: u64,
    /// Presences and broadcasts a second that one user's sockets here are told by each other. They
    /// may be ten seconds ahead of it. What comes when they are further ahead is dropped, and its
    /// sender told `slow`. 1 to 1,000,000,000, default 2,000.
    pub user_told_per_s: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let limits = Limits::DEFAULT;
        LimitsConfig {
            record_bytes_max: limits.record_bytes_max as u64,
            fields_max: limits.fields_max as u64,
            json_depth_max: limits.json_depth_max as u64,
            changes_per_push_max: limits.changes_per_push_max as u64,
            mutation_bytes_max: limits.mutation_bytes_max as u64,
            name_bytes_max: limits.name_bytes_max as u64,
            user_changes_per_s: 2_000,
            user_bytes_per_s: 2 << 20,
            user_told_per_s: 2_000,
        }
    }
}

impl From<&LimitsConfig> for Limits {
    fn from(config: &LimitsConfig) -> Limits {
        let count = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        Limits {
            record_bytes_max: count(config.record_bytes_max),
            fields_max: count(config.fields_max),
            json_depth_max: count(config.json_depth_max),
            changes_per_push_max: count(config.changes_per_push_max),
            mutation_bytes_max: count(config.mutation_bytes_max),
            name_bytes_max: count(config.name_bytes_max),
        }
    }
}

impl LimitsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        let (depth, name) = (JSON_DEPTH_CEILING as u64, NAME_BYTES_CEILING as u64);
        let ranges = [
            (
                "limits.record_bytes_max",
                self.record_bytes_max,
                1 << 10..=4 << 20,
            ),
            ("limits.fields_max", self.fields_max, 1..=16_384),
            ("limits.json_depth_max", self.json_depth_max, 1..=depth),
            (
                "limits.changes_per_push_max",
                self.changes_per_push_max,
                1..=100_000,
            ),
            (
                "limits.mutation_bytes_max",
                self.mutation_bytes_max,
                8 << 20..=1 << 30,
            ),
            ("limits.name_bytes_max", self.name_bytes_max, 16..=name),
            (
                "limits.user_changes_per_s",
                self.user_changes_per_s,
                1..=1_000_000_000,
            ),
            (
                "limits.user_bytes_per_s",
                self.user_bytes_per_s,
                1 << 10..=64 << 30,
            ),
            (
                "limits.user_told_per_s",
                self.user_told_per_s,
                1..=1_000_000_000,
            ),
        ];
        for (key, value, allowed) in ranges {
            problems.range(key, value, allowed);
        }
    }
}
