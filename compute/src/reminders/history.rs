//! How much is kept of what a user was told.

use syncline_protocol::ids::RecordId;
use syncline_protocol::stamp::WallMs;

use super::preferences::Preferences;
use super::read::told_at_ms;

/// Notifications that are kept of a user, unless a limit of the user's is of more.
pub const HISTORY_MAX: usize = 500;

/// How long they are kept, in milliseconds: 30 days.
pub const HISTORY_MS: u64 = 30 * 86_400_000;

/// How many are kept: a limit counts those that are there.
pub(super) fn kept_max(preferences: &Preferences) -> usize {
    HISTORY_MAX.max(preferences.limit_count().unwrap_or(0))
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
