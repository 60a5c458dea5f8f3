//! Ending leases, each only by who holds it, and what is ahead of one.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;

use super::Kept;
use super::change::{change, write};
use super::places::{self, Name};
use super::plan::Plan;
use super::row::ordered;
use super::seen::Asked;
use crate::cassandra::failure::{Failure, contended};
use crate::cassandra::server::{Level, Server};
use crate::cassandra::space::TRIES_MAX;
use crate::cassandra::statements::Text;
use crate::jobs::{Ahead, Ended, JobKey, Lease, LeaseLost, Outcome};

type Answers = Vec<Result<(), LeaseLost>>;

/// Those of a space, with their places.
type Placed = Vec<(usize, Result<(), LeaseLost>)>;

fn name(lease: &Lease) -> Name {
    (lease.name.kind.clone(), lease.name.key.clone())
}

/// What is asked of each space, with its places among the answers.
fn by_space<'a, T>(
    all: &'a [T],
    lease: impl Fn(&'a T) -> &'a Lease,
) -> BTreeMap<&'a SpaceKey, Vec<(usize, &'a T)>> {
    let mut spaces: BTreeMap<&SpaceKey, Vec<(usize, &T)>> = BTreeMap::new();
    for (at, one) in all.iter().enumerate() {
        let space = &lease(one).name.space;
        spaces.entry(space).or_default().push((at, one));
    }
    spaces
}

fn asked<'a>(
    space: &'a SpaceKey,
    leases: impl Iterator<Item = &'a Lease> + Clone,
    (puts, now_ms): (usize, WallMs),
) -> Asked<'a> {
    Asked {
        names: leases.clone().map(name).collect(),
        kinds: leases.map(|lease| lease.name.kind.clone()).collect(),
        puts,
        now_ms,
        space,
    }
}

/// The answers of all spaces, in the order asked; those of spaces that are not there are lost.
fn in_order(count: usize, spaces: Vec<Result<Placed, Failure>>) -> Result<Answers, Failure> {
    let mut answers = vec![Err(LeaseLost); count];
    for space in spaces {
        for (at, answer) in space? {
            answers[at] = answer;
        }
    }
    Ok(answers)
}

/// See [`crate::JobStore::extend`].
pub(super) async fn extend(
    server: &Server,
    leases: &[Lease],
    until_ms: WallMs,
) -> Result<Answers, Failure> {
    let spaces = by_space(leases, |lease| lease);
    let extending = spaces.into_iter().map(async |(space, all)| {
        let asked = asked(space, all.iter().map(|(_, lease)| *lease), (0, 0));
        let make = |plan: &mut Plan| {
            let extend = |(at, lease): &(usize, &Lease)| (*at, plan.extend(lease, until_ms));
            all.iter().map(extend).collect::<Vec<_>>()
        };
        Ok(change(server, &asked, make).await?.unwrap_or_default())
    });
    in_order(leases.len(), join_all(extending).await)
}

/// See [`crate::JobStore::finish`].
pub(super) async fn finish(
    server: &Server,
    ended: &[Ended],
    now_ms: WallMs,
) -> Result<Answers, Failure> {
    let spaces = by_space(ended, |one| &one.lease);
    let finishing = spaces
        .into_iter()
        .map(async |(space, all)| finish_of(server, (space, &all), now_ms).await);
    in_order(ended.len(), join_all(finishing).await)
}

async fn finish_of(
    server: &Server,
    (space, all): (&SpaceKey, &[(usize, &Ended)]),
    now_ms: WallMs,
) -> Result<Placed, Failure> {
    let again = |(_, one): &&(usize, &Ended)| matches!(one.outcome, Outcome::Again { .. });
    let puts = all.iter().filter(again).count();
    let leases = all.iter().map(|(_, one)| &one.lease);
    let asked = asked(space, leases, (puts, now_ms));
    let _alone = server.alone(space).await;
    for _ in 0..TRIES_MAX {
        let Some((seen, mut plan)) = asked.look(server, Level::Serial).await? else {
            return Ok(Vec::new());
        };
        for (_, one) in all {
            clear_lane(server, (space, one), &mut plan).await?;
        }
        let finish = |(at, one): &(usize, &Ended)| (*at, plan.finish(one, now_ms));
        let answers = all.iter().map(finish).collect();
        if !plan.has_turned() || write(server, (space, &seen), &plan).await? {
            return Ok(answers);
        }
    }
    Err(contended().into())
}

/// Of a lane nothing may be left where its jobs were, or who asks what is ahead would step over all
/// that were done. Whoever is the first of it takes what was before along.
pub(super) async fn clear_lane(
    server: &Server,
    (space, ended): (&SpaceKey, &Ended),
    plan: &mut Plan,
) -> Result<(), Failure> {
    let leaves = matches!(
        ended.outcome,
        Outcome::Done | Outcome::Dead { .. } | Outcome::Again { .. }
    );
    let Ok(kept) = plan.held(&ended.lease) else {
        return Ok(());
    };
    let kept = kept.clone();
    if leaves && first_ahead(server, (space, &kept)).await?.is_none() {
        plan.clear_lane(&kept);
    }
    Ok(())
}

/// The first of the lane, if it is before this one.
async fn first_ahead(
    server: &Server,
    (space, kept): (&SpaceKey, &Kept),
) -> Result<Option<JobKey>, Failure> {
    let job = &kept.stored.job;
    let Some(lane) = &job.lane else {
        return Ok(None);
    };
    let (begin, end) = places::ahead_in_lane((&job.kind, lane), kept.no);
    let asked = (Text::Order, Level::Serial, 1);
    let rows = server.span(asked, space, (&begin, &end)).await?;
    let first = ordered(&rows)?.into_iter().next();
    Ok(first.map(|(place, _)| JobKey::trusted(&place.b)))
}

/// See [`crate::JobStore::ahead`].
pub(super) async fn ahead(server: &Server, lease: &Lease) -> Result<Ahead, Failure> {
    let space = &lease.name.space;
    let look = async |name: Name| {
        let asked = Asked {
            names: [name].into(),
            kinds: [].into(),
            puts: 0,
            now_ms: 0,
            space,
        };
        asked.look(server, Level::Serial).await
    };
    for _ in 0..TRIES_MAX {
        let Some((_, plan)) = look(name(lease)).await? else {
            return Ok(Err(LeaseLost));
        };
        let Ok(mine) = plan.held(lease) else {
            return Ok(Err(LeaseLost));
        };
        let Some(key) = first_ahead(server, (space, mine)).await? else {
            return Ok(Ok(None));
        };
        let first = (lease.name.kind.clone(), key);
        let plan = look(first.clone()).await?.map(|(_, plan)| plan);
        let first = plan.as_ref().and_then(|plan| plan.job(&first));
        // It ended, or was put anew behind this one, since it was found: another one is the first.
        if let Some(first) = first.filter(|first| !first.is_dead() && first.no < mine.no) {
            return Ok(Ok(Some(first.at_ms)));
        }
    }
    Err(contended().into())
}
