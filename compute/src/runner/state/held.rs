//! What is held: the jobs of each kind, and how far each of them is.

use std::collections::{HashMap, VecDeque};

use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{Lease, LeasedJob};

use super::super::event::TryId;
use super::super::outcome::Concluded;
use super::spaces::InSpace;

/// What is held of a kind.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// Jobs that are leased.
    pub(super) held: usize,
    /// Which of them wait for nothing but a worker.
    pub(super) able: usize,
    /// Which of these may begin, in order. Some of it may be gone.
    pub(super) ready: VecDeque<TryId>,
    /// Workers that are at work.
    pub(super) running: usize,
    /// There may be something to claim.
    pub(super) hungry: bool,
    /// A space of which there may be more has place again since the last claim was made.
    pub(super) has_place_again: bool,
    /// The spaces of what is held.
    pub(super) spaces: HashMap<SpaceKey, InSpace>,
}

/// A job that is held.
#[derive(Debug)]
pub(super) struct Try {
    /// The place of its kind.
    pub(super) pool: usize,
    pub(super) lease: Lease,
    /// Others may be behind it, that can be claimed once it is done.
    pub(super) has_lane: bool,
    pub(super) due_at_ms: WallMs,
    pub(super) attempt: u32,
    /// When the lease ends, in the runner's time.
    pub(super) until_run_ms: u64,
    /// The jump of the hub's clock since which the lease is told by it, as a number.
    pub(super) by_jump: u64,
    /// It is asked whether it may last longer, by the clock since this jump.
    pub(super) extending: Option<u64>,
    /// It is not asked so before this, in the runner's time: the store failed when it was.
    pub(super) extend_after_run_ms: u64,
    pub(super) stage: Stage,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing of it is done.
    Waiting { leased: LeasedJob, waits: Waits },
    /// A worker has it, since then in the runner's time.
    Running(u64),
    /// Its lease is lost, and its worker is told to stop.
    Stopping,
    /// It ended, and the store does not have it yet.
    Ended {
        concluded: Concluded,
        /// How long its worker took.
        ran_ms: Option<u64>,
        /// The store was told, and did not answer.
        told: bool,
    },
}

/// What a job waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// That others of its space end.
    Space,
    /// A worker.
    Worker,
}

impl Try {
    /// It is to be done, or is at work.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.stage, Stage::Waiting { .. } | Stage::Running(_))
    }
}

impl Stage {
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self, Stage::Waiting { .. })
    }

    /// It begins as soon as a worker is free, for all that is known here.
    pub(super) fn is_able(&self) -> bool {
        let waits = Waits::Worker;
        matches!(self, Stage::Waiting { waits: of, .. } if *of == waits)
    }

    /// It has a worker, or waits for nothing else.
    pub(super) fn is_placed(&self) -> bool {
        self.is_at_work() || self.is_able()
    }

    /// It has a worker.
    pub(super) fn is_at_work(&self) -> bool {
        matches!(self, Stage::Running(_) | Stage::Stopping)
    }
}

impl Pool {
    pub(super) fn enter(&mut self, space: &SpaceKey, stage: &Stage) {
        if let Some(of) = self.spaces.get_mut(space) {
            of.placed += usize::from(stage.is_placed());
        }
        self.able += usize::from(stage.is_able());
        self.running += usize::from(stage.is_at_work());
    }

    pub(super) fn leave(&mut self, space: &SpaceKey, stage: &Stage) {
        if let Some(of) = self.spaces.get_mut(space) {
            of.placed -= usize::from(stage.is_placed());
        }
        self.able -= usize::from(stage.is_able());
        self.running -= usize::from(stage.is_at_work());
    }
}
