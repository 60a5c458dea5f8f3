//! What is given back untried, and for how long.

use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::Outcome;

use super::super::event::{Now, TryId};
use super::super::outcome::Concluded;
use super::super::told::How;
use super::RunnerState;

/// The shortest wait of a job that is given back, and the longest of one whose space has all that it
/// may have, in milliseconds. In between, a quarter of what it has waited so far.
const WAIT_MS: (u64, u64) = (50, 2_000);

impl RunnerState {
    /// How long one waits whose space has all that it may have.
    pub(super) fn soon_ms(&self, due_at_ms: WallMs, now: Now) -> u64 {
        let waited_ms = now.wall_ms.saturating_sub(due_at_ms);
        (waited_ms / 4).clamp(WAIT_MS.0, WAIT_MS.1)
    }

    /// Gives back what has not begun.
    pub(super) fn give_back(&mut self, id: TryId, until_ms: WallMs, now: Now) {
        let held = self.tries.get(&id);
        if !held.is_some_and(|one| one.stage.is_waiting()) {
            return;
        }
        let jitter_ms = WAIT_MS.0 + self.draw() % (WAIT_MS.0 + 1);
        let at_ms = until_ms.max(now.wall_ms).saturating_add(jitter_ms);
        let concluded = Concluded {
            outcome: Outcome::Wait { at_ms },
            how: How::GivenBack,
            error: None,
        };
        self.conclude(id, concluded, now);
    }
}
