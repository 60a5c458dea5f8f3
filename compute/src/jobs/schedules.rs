//! The schedules of all apps, and which jobs are theirs.
//!
//! The jobs of schedules stand in one space of each app that has no other jobs. What is there and of
//! no schedule is of one that was changed or removed, and ends in the end.

use std::collections::HashMap;

use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{JobError, JobMove, JobName, StoredJob};
use syncline_storage::types::SpaceView;

use super::cron::Schedule;
use crate::worker::{Task, Worked};

/// How late a job is that is ended since nobody knows its schedule, or the trigger that keeps it going,
/// in milliseconds. Until then a node with a newer config may know it, or one with an older.
pub const GONE_MS: u64 = 15 * 60_000;

/// How long whoever does not know that leaves it to others, in milliseconds.
pub const GONE_WAIT_MS: u64 = 60_000;

/// What becomes of a job that outlives what put it, where this node's config has nothing of that: it is
/// left to others for a while, since a newer node may know it, or an older. Then it is given up, and why:
/// what it wrote stays as it is, and where the config was only rolled back, a replay has it go on.
pub(crate) fn left_to_others(task: &Task, why: impl FnOnce() -> String) -> Worked {
    match task.now_ms.saturating_sub(task.job.due_at_ms) < GONE_MS {
        true => Worked::Busy {
            wait_ms: GONE_WAIT_MS,
        },
        false => Worked::Hopeless(JobError::new(&why())),
    }
}

/// The schedules of a hub.
#[derive(Clone, Debug, Default)]
pub struct Schedules {
    /// The space of their jobs in every app; `None` if there are none.
    space: Option<SpaceId>,
    by_name: HashMap<JobName, Schedule>,
}

/// What a job has to do with schedules.
#[derive(Clone, Copy, Debug)]
pub enum Firing<'s> {
    /// Nothing.
    Not,
    /// It is one's.
    Of(&'s Schedule),
    /// It is of one that this node does not know: it is there no more, or only other nodes have it
    /// yet. Nothing of it is done here; when nobody does it for long it is ended.
    Gone,
}

impl<'s> Firing<'s> {
    /// The schedule, if it is there.
    pub fn schedule(self) -> Option<&'s Schedule> {
        match self {
            Firing::Of(schedule) => Some(schedule),
            Firing::Not | Firing::Gone => None,
        }
    }
}

impl Schedules {
    /// The schedules of apps, whose jobs stand in this space of theirs.
    pub fn of(
        space: &SpaceId,
        apps: impl IntoIterator<Item = (AppId, Vec<Schedule>)>,
    ) -> Schedules {
        let mut by_name = HashMap::new();
        for (app, schedules) in apps {
            for schedule in schedules {
                let space = space.clone();
                let app = app.clone();
                by_name.insert(schedule.name(SpaceKey { app, space }), schedule);
            }
        }
        let space = Some(space.clone());
        Schedules { space, by_name }
    }

    /// What a job has to do with them.
    pub fn firing(&self, name: &JobName) -> Firing<'_> {
        match self.by_name.get(name) {
            Some(schedule) => Firing::Of(schedule),
            None if self.space.as_ref() == Some(&name.space.space) => Firing::Gone,
            None => Firing::Not,
        }
    }
}

/// Puts the jobs of schedules that are not among those of their space, dead ones included.
pub fn missing(
    schedules: &[Schedule],
    existing: &[StoredJob],
    view: &SpaceView,
    now_ms: WallMs,
) -> Vec<JobMove> {
    let has_job = |schedule: &&Schedule| existing.iter().any(|stored| schedule.is_of(&stored.job));
    let missing = schedules.iter().filter(|schedule| !has_job(schedule));
    missing
        .filter_map(|schedule| schedule.put(view, now_ms))
        .collect()
}

#[cfg(test)]
mod tests;
