//! Ending leases, each only by who holds it.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;

use super::change::write;
use super::lanes::see_lanes;
use super::places::Name;
use super::seen::Asked;
use crate::cassandra::failure::{Failure, contended};
use crate::cassandra::server::{Level, Server};
use crate::cassandra::space::TRIES_MAX;
use crate::jobs::{Ended, Lease, LeaseLost, Outcome};

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
    let extending = spaces
        .into_iter()
        .map(async |(space, all)| extend_of(server, (space, &all), until_ms).await);
    in_order(leases.len(), join_all(extending).await)
}

/// Nothing moves in a lane by it, so none is looked at.
async fn extend_of(
    server: &Server,
    (space, all): (&SpaceKey, &[(usize, &Lease)]),
    until_ms: WallMs,
) -> Result<Placed, Failure> {
    let asked = asked(space, all.iter().map(|(_, lease)| *lease), (0, 0));
    let _alone = server.alone(space).await;
    for _ in 0..TRIES_MAX {
        let Some((seen, mut plan)) = asked.look(server, Level::Serial).await? else {
            return Ok(Vec::new());
        };
        let extend = |(at, lease): &(usize, &Lease)| (*at, plan.extend(lease, until_ms));
        let answers = all.iter().map(extend).collect();
        if !plan.has_turned() || write(server, (space, &seen), &plan).await? {
            return Ok(answers);
        }
    }
    Err(contended().into())
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
        see_lanes(server, (space, &mut plan), []).await?;
        let finish = |(at, one): &(usize, &Ended)| (*at, plan.finish(one, now_ms));
        let answers = all.iter().map(finish).collect();
        plan.settle_lanes();
        if !plan.has_turned() || write(server, (space, &seen), &plan).await? {
            return Ok(answers);
        }
    }
    Err(contended().into())
}
