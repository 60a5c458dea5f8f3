//! Commits of nothing but jobs: no record changes, and the head stays.

use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::JobMove;
use syncline_storage::types::{Commit, SpaceView};

/// A commit that makes moves of jobs in a space as it is.
pub(super) fn commit(
    space: SpaceKey,
    view: &SpaceView,
    (now_ms, jobs): (WallMs, Vec<JobMove>),
) -> Commit {
    Commit {
        space,
        expect_epoch: view.epoch,
        expect_head: view.head,
        head: view.head,
        clock: view.clock,
        live: view.live,
        writers: view.writers,
        now_ms,
        records: Vec::new(),
        stood: Vec::new(),
        marks: Vec::new(),
        dead_letters: Vec::new(),
        ends: Vec::new(),
        jobs,
    }
}
