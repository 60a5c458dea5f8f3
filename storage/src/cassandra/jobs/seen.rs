//! Looking at jobs of a space, all at one moment.

use std::collections::BTreeSet;

use syncline_protocol::ids::SpaceKey;

use super::lanes::see_lanes;
use super::places::{self, Name};
use super::plan::Plan;
use super::row::{Read, found, read};
use crate::cassandra::failure::Failure;
use crate::cassandra::row::{Place, SpaceRow, kind};
use crate::cassandra::server::{Level, Server};
use crate::cassandra::statements::Text;
use crate::jobs::{JobKind, JobName, JobNo, Net, net};
use crate::random;
use crate::types::Commit;

/// Places asked for by one read: the arguments of so many jobs fit into a frame.
const PLACES_MAX: usize = 200;

/// What is looked at.
pub(super) struct Asked<'a> {
    pub(super) names: BTreeSet<Name>,
    pub(super) kinds: BTreeSet<JobKind>,
    /// Jobs that may be put.
    pub(super) puts: usize,
    /// The clock of who puts them.
    pub(super) now_ms: u64,
    pub(super) space: &'a SpaceKey,
}

impl Asked<'_> {
    /// The space and what is to be planned on. `None` if it was never opened.
    ///
    /// What takes several reads is of one moment if the space is the same in each; if it is not, the
    /// space that is returned is of none, so that no condition on it holds.
    pub(super) async fn look(
        &self,
        server: &Server,
        level: Level,
    ) -> Result<Option<(SpaceRow, Plan)>, Failure> {
        let names = self.names.iter().map(places::job);
        let kinds = self.kinds.iter().map(places::queue);
        let all: Vec<Place> = kinds.chain(names).collect();
        let mut seen: Option<SpaceRow> = None;
        let mut parts = Vec::new();
        let chunks = all
            .chunks(PLACES_MAX)
            .chain(all.is_empty().then_some(&[][..]));
        for some in chunks {
            let mut some = some.to_vec();
            some.push(Place::end(kind::RECORD));
            let rows = server
                .places((Text::JobsAt, level), self.space, &some)
                .await?;
            let Some(row) = found(&rows)?.space() else {
                return Ok(None);
            };
            match &mut seen {
                None => seen = Some(row),
                Some(seen) if seen.last_commit != row.last_commit => {
                    seen.last_commit = seen.last_commit.wrapping_add(1);
                }
                Some(_) => {}
            }
            for cells in rows.cells()? {
                parts.push(read(&cells)?);
            }
        }
        let Some(row) = seen else { return Ok(None) };
        let last = JobNo(row.job_no.unwrap_or(0) as u64);
        let given = server.numbers().give(self.puts, (last, self.now_ms));
        let mut plan = Plan::new(last, (given, random()? as i64), self.now_ms);
        for name in &self.names {
            plan.see_job(name.clone(), None);
        }
        for of in &self.kinds {
            plan.see_queue(of.clone(), None);
        }
        for part in parts {
            match part {
                Read::Job(name, kept) => plan.see_job(name, Some(*kept)),
                Read::Queue(of, queue) => plan.see_queue(of, Some(queue)),
                Read::Other => {}
            }
        }
        Ok(Some((row, plan)))
    }
}

/// What a commit makes of jobs.
#[derive(Debug)]
pub(in crate::cassandra) struct Made {
    pub(in crate::cassandra) plan: Plan,
    /// The places of leases that it would end and that are not held.
    pub(in crate::cassandra) lost: Vec<usize>,
}

/// What a commit makes of jobs; `None` if it moves none. The space it was seen with is `row`; if it
/// moved on meanwhile, that becomes one of no state.
pub(in crate::cassandra) async fn of_commit(
    server: &Server,
    (commit, row): (&Commit, &mut SpaceRow),
    level: Level,
) -> Result<Option<Made>, Failure> {
    if commit.jobs.is_empty() && commit.ends.is_empty() {
        return Ok(None);
    }
    let nets = net(&commit.jobs);
    let nets: Vec<(Name, _)> = nets
        .into_iter()
        .map(|((of, key), net)| ((of.clone(), key.clone()), net))
        .collect();
    let ended = commit.ends.iter().map(|ended| {
        let JobName { kind, key, .. } = &ended.lease.name;
        (kind.clone(), key.clone())
    });
    let names: BTreeSet<Name> = nets
        .iter()
        .map(|(name, _)| name.clone())
        .chain(ended)
        .collect();
    let asked = Asked {
        kinds: names.iter().map(|(of, _)| of.clone()).collect(),
        names,
        puts: nets.len() + commit.ends.len(),
        now_ms: commit.now_ms,
        space: &commit.space,
    };
    let Some((seen, mut plan)) = asked.look(server, level).await? else {
        row.last_commit = row.last_commit.wrapping_add(1);
        return Ok(None);
    };
    if seen.last_commit != row.last_commit {
        row.last_commit = row.last_commit.wrapping_add(1);
    }
    let places = commit.ends.iter().enumerate();
    let lost = places.filter(|(_, ended)| plan.held(&ended.lease).is_err());
    let lost: Vec<usize> = lost.map(|(place, _)| place).collect();
    if lost.is_empty() {
        let put = nets.iter().filter_map(|(name, net)| match net {
            Net::Put(job, _) => Some((name.0.clone(), job.lane.clone()?)),
            Net::Cancel => None,
        });
        see_lanes(server, (&commit.space, &mut plan), put).await?;
        for ended in &commit.ends {
            let held = plan.finish(ended, commit.now_ms);
            debug_assert_eq!(held, Ok(()), "{ended:?} is there twice");
        }
        for (name, net) in &nets {
            plan.make((name, *net), commit.now_ms);
        }
        plan.settle_lanes();
    }
    Ok(Some(Made { plan, lost }))
}
