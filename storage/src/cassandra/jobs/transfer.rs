//! Jobs that go with their space: counted, read out, written in, removed.

use std::collections::{BTreeMap, BTreeSet};

use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;

use super::change::push_rows;
use super::dead::{self, Dead};
use super::lanes::{LaneName, taken};
use super::places::Ordered;
use super::plan::Plan;
use super::seen::Asked;
use super::turns::{self, Turn};
use super::{Kept, Queue, places};
use crate::cassandra::failure::Failure;
use crate::cassandra::row::{SpaceRow, kind};
use crate::cassandra::server::{Columns, Level, Server, Writes};
use crate::cassandra::walk::Walk;
use crate::jobs::{JobKind, JobNo, JobState, StoredJob};
use crate::random;
use crate::types::StoreError;

/// Jobs read at once.
const READ_MAX: usize = 100;

/// Everything that is ordered, in the order in which it was put, unless something is written.
async fn all(walk: &mut Walk<'_>) -> Result<Vec<Ordered>, Failure> {
    let mut all = Vec::new();
    // One that never had a job has no row to end them.
    if !walk.has_jobs() {
        return Ok(all);
    }
    walk.all((kind::ORDER, Columns::Light), |_, place| {
        all.push(Ordered::of(&place)?);
        Ok(())
    })
    .await?;
    all.sort_by_key(|ordered| ordered.no);
    Ok(all)
}

/// Removes what was dead in a space of which everything was removed.
pub(in crate::cassandra) async fn forget(server: &Server, all: &[Dead]) {
    for one in all {
        dead::forget(server, one).await;
    }
}

/// Hands all jobs to `take`, in the order they were put. False if something was written meanwhile.
pub(in crate::cassandra) async fn export(
    (server, space, row): (&Server, &SpaceKey, SpaceRow),
    walk: &mut Walk<'_>,
    mut take: impl FnMut(StoredJob) + Send,
) -> Result<bool, Failure> {
    let all = all(walk).await?;
    for some in all.chunks(READ_MAX) {
        let asked = Asked {
            names: some.iter().map(|one| one.name.clone()).collect(),
            kinds: [].into(),
            puts: 0,
            now_ms: 0,
            space,
        };
        let Some((seen, plan)) = asked.look(server, Level::Serial).await? else {
            return Ok(false);
        };
        if seen.last_commit != row.last_commit {
            return Ok(false);
        }
        let stored = some.iter().filter_map(|one| plan.job(&one.name));
        stored.for_each(|kept| take(kept.stored.clone().unleased()));
    }
    Ok(true)
}

fn lane_name(stored: &StoredJob) -> Option<LaneName> {
    Some((stored.job.kind.clone(), stored.job.lane.clone()?))
}

/// The lanes of jobs of an archive of which others are there already.
pub(in crate::cassandra) async fn lanes_there(
    server: &Server,
    space: &SpaceKey,
    all: &[StoredJob],
) -> Result<BTreeSet<LaneName>, Failure> {
    taken(server, space, all.iter().filter_map(lane_name).collect()).await
}

/// Jobs of an archive as statements, with the last number they were given. Of some lanes others are
/// there.
pub(in crate::cassandra) fn import<'a>(
    server: &Server,
    (writes, space): (&mut Writes<'a>, &'a SpaceKey),
    (all, mut lanes): (&[StoredJob], BTreeSet<LaneName>),
) -> Result<JobNo, StoreError> {
    let given = server.numbers().give(all.len(), (JobNo(0), 0));
    let mut plan = Plan::new(JobNo(0), (given, random()? as i64), 0);
    for stored in all {
        let name = (stored.job.kind.clone(), stored.job.key.clone());
        plan.see_job(name, None);
        // Of a lane the first is what comes first.
        let is_living = !matches!(stored.state, JobState::Dead { .. });
        let lane = lane_name(stored).filter(|_| is_living);
        let is_behind = lane.is_some_and(|lane| !lanes.insert(lane));
        plan.bring(stored.clone(), is_behind);
    }
    // Its end is written with the space.
    push_rows(writes, (space, None), &plan);
    Ok(plan.last)
}

/// The id of a dead job's row: its number was never given before.
fn imported_id(no: JobNo) -> i64 {
    no.0 as i64
}

impl Plan {
    /// Keeps a job as it was in another store.
    fn bring(&mut self, stored: StoredJob, is_behind: bool) {
        let at_ms = match &stored.state {
            JobState::Scheduled => stored.job.due_at_ms,
            JobState::Leased { until_ms, .. } => *until_ms,
            JobState::Retry { at_ms } | JobState::Dead { at_ms } => *at_ms,
        };
        let name = (stored.job.kind.clone(), stored.job.key.clone());
        let no = self.number();
        let kept = Kept {
            no,
            lease: 0,
            at_ms,
            is_behind,
            dead_id: matches!(stored.state, JobState::Dead { .. }).then(|| imported_id(no)),
            stored,
        };
        self.set(&name, Some(kept));
    }
}

/// The queues of what was written of a space that is about to be there, and what is to be beside it.
pub(in crate::cassandra) async fn open_queues<'a>(
    server: &Server,
    (writes, space): (&mut Writes<'a>, &'a SpaceKey),
    places: &[crate::cassandra::row::Place],
) -> Result<(), Failure> {
    let mut first: BTreeMap<JobKind, WallMs> = BTreeMap::new();
    for place in places {
        let one = Ordered::of(place)?;
        if one.is_dead {
            let dead = Dead {
                at_ms: one.at_ms,
                no: one.no,
                id: Some(imported_id(one.no)),
                space: space.clone(),
                name: one.name,
            };
            dead::put(server, &dead).await?;
            continue;
        }
        if one.is_behind {
            continue;
        }
        let at_ms = first.entry(one.name.0).or_insert(one.at_ms);
        *at_ms = one.at_ms.min(*at_ms);
    }
    for (of, turn_at_ms) in first {
        let queue = Queue {
            turn_at_ms,
            turn: 0,
            hint: random()? as i64,
        };
        turns::put(server, &of, &Turn::of(space, queue)).await?;
        let place = places::queue(&of);
        super::change::push_queue(writes, (space, &place), queue);
    }
    Ok(())
}
