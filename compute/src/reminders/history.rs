//! What a user was told, and how much is kept of it.

use syncline_protocol::ids::RecordId;
use syncline_protocol::stamp::WallMs;

use super::config::Checked;
use super::preferences::Preferences;

/// Notifications that are kept of a user, unless a limit of the user's is of more.
pub const HISTORY_MAX: usize = 500;

/// How long they are kept, in milliseconds: 30 days.
pub const HISTORY_MS: u64 = 30 * 86_400_000;

/// What is kept of what a user was told, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) ids: Vec<RecordId>,
    /// When the user was told something: what only stands in the history does not count.
    pub(super) told_ms: Vec<WallMs>,
}

impl History {
    /// When the first of it was told, as far as it is kept.
    pub(super) fn first_ms(&self) -> Option<WallMs> {
        self.ids.first().and_then(told_at_ms)
    }
}

/// When a notification was told, by its id.
pub(super) fn told_at_ms(id: &RecordId) -> Option<WallMs> {
    let (at_ms, _) = id.as_str().split_once('-')?;
    at_ms.parse().ok()
}

/// How many are kept: a limit counts those that are there.
pub(super) fn kept_max(preferences: &Preferences, config: &Checked) -> usize {
    let limits = config.told_max.iter().map(|limit| limit.count);
    let counts = limits.chain(preferences.limit_count());
    counts.fold(HISTORY_MAX, usize::max)
}

/// Those of a history that are not kept, if so many are; `ids` are the oldest first.
pub(super) fn old(mut ids: Vec<RecordId>, kept_max: usize, now_ms: WallMs) -> Vec<RecordId> {
    let more = ids.len().saturating_sub(kept_max);
    let before_ms = now_ms.saturating_sub(HISTORY_MS);
    let is_old = |id: &RecordId| told_at_ms(id).is_none_or(|at_ms| at_ms < before_ms);
    let old = ids.iter().take_while(|id| is_old(id)).count();
    ids.truncate(more.max(old));
    ids
}
