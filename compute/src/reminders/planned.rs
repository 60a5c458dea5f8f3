//! What a planner tells of what it does, for metrics and logs.

use std::sync::Arc;

use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;

use super::preferences::Dropped;

/// Hears of each try. Its changes may yet be refused, and then the next try tells of them again.
pub type Hears = Arc<dyn Fn(&SpaceKey, &Planned) + Send + Sync>;

/// What one try found and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// Notifications.
    pub notifications: usize,
    /// Those of them that no device is told of, since the user has none that could be.
    pub nobody: usize,
    /// Reminders in them.
    pub told: usize,
    /// From when on each of these could be told: when it was due, or when what it waited for was over.
    pub could_be_told_ms: Vec<WallMs>,
    /// Those of them that are told late.
    pub late: usize,
    /// Reminders that were missed, and are noted as such.
    pub missed: usize,
    /// Reminders that wait for the end of quiet hours, or until the user is told less.
    pub later: usize,
    /// Reminders that are not told since no channel is left that the user wants.
    pub without_channel: usize,
    /// Since the user is not told in quiet hours.
    pub in_quiet: usize,
    /// Since the user is told too much. They are noted as such.
    pub over_limit: usize,
    /// Reminders that hold what is no value of a field, as their tasks may: they are for no time.
    pub invalid: usize,
    /// There are more reminders than are looked at, and those of the last ids are not.
    pub is_cut: bool,
    /// The user's preferences cannot be read, and the user is told as one who has none.
    pub preferences_invalid: bool,
}

impl Planned {
    /// What is wrong with the space, by codes that stay: `too_many_reminders`,
    /// `preferences_invalid`, `reminder_invalid`.
    pub fn problems(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.is_cut, "too_many_reminders"),
            (self.preferences_invalid, "preferences_invalid"),
            (self.invalid > 0, "reminder_invalid"),
        ];
        all.into_iter()
            .filter_map(|(is_so, code)| is_so.then_some(code))
    }

    pub(super) fn dropped(&mut self, why: Dropped) {
        match why {
            Dropped::NoChannel => self.without_channel += 1,
            Dropped::Quiet => self.in_quiet += 1,
            Dropped::Limit => self.over_limit += 1,
        }
    }
}
