//! Which job of a lane can be claimed: the one that is leased, else the first. The others are behind:
//! their rows of the order stand where no claim looks.
//!
//! Who changes a job of a lane looks at the first rows of it, as many as it changes jobs there and one
//! more, so the one that follows is among them. What is written holds only if nothing was written
//! since the space was seen, and the lanes are seen after it: so all of it is of one moment.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use syncline_protocol::ids::SpaceKey;

use super::Kept;
use super::places::{self, Name};
use super::plan::Plan;
use super::row::ordered;
use super::seen::Asked;
use crate::cassandra::failure::Failure;
use crate::cassandra::server::{Level, Server};
use crate::cassandra::statements::Text;
use crate::jobs::{JobKey, JobKind, JobLane, JobNo, JobState};

/// A lane of a space.
pub(super) type LaneName = (JobKind, JobLane);

pub(super) fn lane_of(kept: &Kept) -> Option<LaneName> {
    let job = &kept.stored.job;
    Some((job.kind.clone(), job.lane.clone()?))
}

/// The first rows of a lane.
async fn first_rows(
    server: &Server,
    (space, lane): (&SpaceKey, &LaneName),
    count: usize,
) -> Result<Vec<(Name, JobNo)>, Failure> {
    let (begin, end) = places::all_of_lane(lane);
    let asked = (Text::Order, Level::Serial, count);
    let rows = server.span(asked, space, (&begin, &end)).await?;
    let row = |(place, _): &(crate::cassandra::row::Place, i64)| {
        let name = (lane.0.clone(), JobKey::trusted(&place.b));
        Ok((name, places::no_in_lane(place)?))
    };
    ordered(&rows)?.iter().map(row).collect()
}

/// Has a plan see what it needs of the lanes of its jobs, and of those that are put.
pub(super) async fn see_lanes(
    server: &Server,
    (space, plan): (&SpaceKey, &mut Plan),
    put: impl IntoIterator<Item = LaneName>,
) -> Result<(), Failure> {
    let mut lanes: BTreeMap<LaneName, usize> = BTreeMap::new();
    for lane in put {
        lanes.entry(lane).or_insert(1);
    }
    for lane in plan.lanes_of_jobs() {
        *lanes.entry(lane).or_insert(1) += 1;
    }
    let looking = lanes.iter().map(async |(lane, count)| {
        let rows = first_rows(server, (space, lane), *count).await?;
        Ok::<_, Failure>((lane, rows))
    });
    let looked = try_join_all(looking).await?;
    let rows = looked.iter().flat_map(|(_, rows)| rows);
    let missing = rows.filter(|(name, _)| !plan.jobs.contains_key(name));
    let names: BTreeSet<Name> = missing.map(|(name, _)| name.clone()).collect();
    if !names.is_empty() {
        let asked = Asked {
            names: names.clone(),
            kinds: [].into(),
            puts: 0,
            now_ms: 0,
            space,
        };
        let of_lanes = asked.look(server, Level::Serial).await?;
        for name in names {
            let kept = of_lanes.as_ref().and_then(|(_, seen)| seen.job(&name));
            plan.see_job(name, kept.cloned());
        }
    }
    for (lane, rows) in &looked {
        plan.see_lane((*lane).clone(), rows.first().map(|(_, no)| *no));
    }
    Ok(())
}

/// Which of some lanes have jobs that live.
pub(super) async fn taken(
    server: &Server,
    space: &SpaceKey,
    lanes: BTreeSet<LaneName>,
) -> Result<BTreeSet<LaneName>, Failure> {
    let mut taken = BTreeSet::new();
    for lane in lanes {
        if !first_rows(server, (space, &lane), 1).await?.is_empty() {
            taken.insert(lane);
        }
    }
    Ok(taken)
}

impl Plan {
    fn lanes_of_jobs(&self) -> Vec<LaneName> {
        let seen = self.jobs.values().filter_map(|one| one.before.as_ref());
        seen.filter_map(lane_of).collect()
    }

    pub(super) fn see_lane(&mut self, lane: LaneName, first: Option<JobNo>) {
        self.lanes.insert(lane, first);
    }

    /// Has the rows of a lane up to this job's go at once, if none is before it: else who looks at the
    /// lane would step over all that were done.
    pub(super) fn clear_lane(&mut self, kept: &Kept) {
        let Some(lane) = lane_of(kept) else { return };
        let is_first = self.lanes.get(&lane) == Some(&Some(kept.no));
        if let Some(mine) = places::lane(kept).filter(|_| is_first) {
            let (begin, _) = places::all_of_lane(&lane);
            self.spans.push((begin, mine));
        }
    }

    /// Has those of the lanes that were seen be claimable that are to be.
    pub(super) fn settle_lanes(&mut self) {
        for lane in self.lanes.keys().cloned().collect::<Vec<_>>() {
            self.settle_lane(&lane);
        }
    }

    fn settle_lane(&mut self, lane: &LaneName) {
        let lives = |kept: &&Kept| !kept.is_dead() && lane_of(kept).as_ref() == Some(lane);
        let before = self.jobs.values().filter_map(|one| one.before.as_ref());
        let before: Vec<&Kept> = before.filter(lives).collect();
        if !before.is_empty() && before.iter().all(|kept| kept.is_behind) {
            // The one that is leased is none of those that change.
            return;
        }
        let after = self.jobs.iter().filter_map(|(name, one)| {
            let kept = one.after.as_ref().filter(lives)?;
            let waits = !matches!(kept.stored.state, JobState::Leased { .. });
            Some((waits, kept.no, name.clone()))
        });
        let mut after: Vec<(bool, JobNo, Name)> = after.collect();
        after.sort();
        for (place, (_, _, name)) in after.into_iter().enumerate() {
            let Some(kept) = self
                .job(&name)
                .filter(|kept| kept.is_behind == (place == 0))
            else {
                continue;
            };
            let is_behind = place > 0;
            let kept = Kept {
                is_behind,
                ..kept.clone()
            };
            let at_ms = kept.at_ms;
            self.set(&name, Some(kept));
            if !is_behind {
                self.forward_due(&name.0, at_ms);
            }
        }
    }
}
