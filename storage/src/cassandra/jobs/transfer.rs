//! Jobs that go with their space: counted, read out, written in, removed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;

use super::change::push_rows;
use super::dead::{self, Dead};
use super::lanes::{LaneName, taken};
use super::places::{Name, Ordered};
use super::plan::Plan;
use super::row::{Read, read};
use super::turns::{self, Turn};
use super::{Kept, Queue, places};
use crate::cassandra::failure::Failure;
use crate::cassandra::row::{Place, kind, place_of};
use crate::cassandra::server::{Columns, Level, Server, Writes};
use crate::cassandra::statements::Text;
use crate::cassandra::value::Cells;
use crate::cassandra::walk::Walk;
use crate::jobs::{JobKind, JobNo, JobState, StoredJob};
use crate::random;
use crate::types::StoreError;

/// Jobs read at once: their arguments have 64 KiB at most.
const READ_MAX: usize = 16;

/// Names of jobs that are kept at once to be read.
const ORDERED_MAX: usize = 1_000;

/// Removes what was dead in a space of which everything was removed.
pub(in crate::cassandra) async fn forget(server: &Server, all: &[Dead]) {
    for one in all {
        dead::forget(server, one).await;
    }
}

/// Hands the row of every job to `take`, in the order in which they were put, until something is
/// written.
pub(in crate::cassandra) async fn export(
    walk: &mut Walk<'_>,
    mut take: impl FnMut(&Cells<'_>) -> Result<(), Failure> + Send,
) -> Result<(), Failure> {
    let mut next = Next::begin();
    loop {
        next = next.read(walk).await?;
        if next.first.is_empty() || walk.has_moved() {
            return Ok(());
        }
        let names: Vec<&Name> = next.first.iter().map(|(_, name)| name).collect();
        for some in names.chunks(READ_MAX) {
            let jobs = some.iter().map(|name| places::job(name));
            let places: Vec<Place> = jobs.chain([Place::end(kind::RECORD)]).collect();
            let rows = walk.places((Text::JobsAt, Level::Serial), &places).await?;
            let mut found: HashMap<Place, Cells<'_>> = HashMap::new();
            for cells in rows.cells()? {
                found.insert(place_of(&cells)?, cells);
            }
            for place in places.iter().filter(|place| !place.is_end()) {
                if let Some(cells) = found.get(place) {
                    take(cells)?;
                }
            }
        }
    }
}

/// The next jobs that are read, by number: they are not ordered so where they stand, so all are looked
/// at for each of these.
struct Next {
    after: Option<(JobNo, Name)>,
    first: BTreeSet<(JobNo, Name)>,
}

impl Next {
    fn begin() -> Next {
        Next {
            after: None,
            first: BTreeSet::new(),
        }
    }

    async fn read(self, walk: &mut Walk<'_>) -> Result<Next, Failure> {
        let mut next = self.behind();
        if walk.has_jobs() {
            walk.all((kind::ORDER, Columns::Light), |_, place| {
                next.see(Ordered::of(&place)?);
                Ok(())
            })
            .await?;
        }
        Ok(next)
    }

    /// Those behind these.
    fn behind(mut self) -> Next {
        Next {
            after: self.first.pop_last().or(self.after),
            first: BTreeSet::new(),
        }
    }

    fn see(&mut self, one: Ordered) {
        let one = (one.no, one.name);
        if self.after.as_ref() < Some(&one) {
            self.first.insert(one);
        }
        if self.first.len() > ORDERED_MAX {
            self.first.pop_last();
        }
    }
}

/// A job of a row that was kept, as if it were not leased.
pub(in crate::cassandra) fn exported(cells: &Cells<'_>) -> Result<StoredJob, StoreError> {
    match read(cells)? {
        Read::Job(_, kept) => Ok(kept.stored.unleased()),
        Read::Queue(..) | Read::Other => Err(StoreError::Damaged("a row of no job".to_owned())),
    }
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
    places: &[Place],
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::JobKey;

    #[test]
    fn jobs_are_read_in_the_order_of_their_numbers_however_many_there_are() {
        let count = 2 * ORDERED_MAX as u64 + 7;
        let ordered = |no| Ordered {
            name: (JobKind::trusted("k"), JobKey::trusted(&format!("{no}"))),
            is_dead: no % 3 == 0,
            is_behind: no % 3 == 1,
            at_ms: 0,
            no: JobNo(no),
        };
        let (mut next, mut numbers) = (Next::begin(), Vec::new());
        loop {
            next = next.behind();
            (1..=count).rev().for_each(|no| next.see(ordered(no)));
            if next.first.is_empty() {
                break;
            }
            assert!(next.first.len() <= ORDERED_MAX);
            numbers.extend(next.first.iter().map(|(no, _)| no.0));
        }
        assert!(numbers.into_iter().eq(1..=count));
    }
}
