//! Ending leases, each only by who holds it.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;

use super::changing::{change, change_beside_lanes, in_time};
use super::places::Name;
use super::plan::Plan;
use super::seen::Asked;
use crate::cassandra::failure::Failure;
use crate::cassandra::server::Server;
use crate::jobs::{Ended, Lease, LeaseError, LeaseLost, Outcome};
use crate::types::StoreError;

type Answers = Vec<Result<(), LeaseError>>;

/// Those of a space that is there, in the order asked.
type OfSpace = Option<Vec<Result<(), LeaseLost>>>;

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

/// The answers of all spaces, in the order asked. One that failed has no say in those of others. Errors:
/// all failed.
fn in_order(spaces: Vec<(Vec<usize>, Result<OfSpace, Failure>)>) -> Result<Answers, StoreError> {
    let mut answers = Vec::new();
    let (mut is_told, mut failed) = (false, None);
    for (places, told) in spaces {
        is_told |= told.is_ok();
        let of_space = match told {
            Ok(Some(told)) => told
                .into_iter()
                .map(|one| one.map_err(LeaseError::from))
                .collect(),
            Ok(None) => vec![Err(LeaseLost.into()); places.len()],
            Err(failure) => {
                let error = StoreError::from(failure);
                failed.get_or_insert_with(|| error.clone());
                vec![Err(error.into()); places.len()]
            }
        };
        answers.extend(places.into_iter().zip(of_space));
    }
    match failed {
        Some(error) if !is_told => Err(error),
        _ => {
            answers.sort_by_key(|(place, _)| *place);
            Ok(answers.into_iter().map(|(_, answer)| answer).collect())
        }
    }
}

/// See [`crate::JobStore::extend`].
pub(super) async fn extend(
    server: &Server,
    leases: &[Lease],
    until_ms: WallMs,
) -> Result<Answers, StoreError> {
    let spaces = by_space(leases, |lease| lease);
    let extending = spaces.into_iter().map(async |(space, all)| {
        let (places, leases): (Vec<usize>, Vec<&Lease>) = all.into_iter().unzip();
        let told = in_time(extend_of(server, (space, &leases), until_ms)).await;
        (places, told)
    });
    in_order(join_all(extending).await)
}

/// Nothing moves in a lane by it, so none is looked at.
async fn extend_of(
    server: &Server,
    (space, leases): (&SpaceKey, &[&Lease]),
    until_ms: WallMs,
) -> Result<OfSpace, Failure> {
    let asked = asked(space, leases.iter().copied(), (0, 0));
    let extend = |plan: &mut Plan| {
        let extend = |lease: &&Lease| plan.extend(lease, until_ms);
        leases.iter().map(extend).collect()
    };
    change_beside_lanes(server, &asked, extend).await
}

/// See [`crate::JobStore::finish`].
pub(super) async fn finish(
    server: &Server,
    ended: &[Ended],
    now_ms: WallMs,
) -> Result<Answers, StoreError> {
    let spaces = by_space(ended, |one| &one.lease);
    let finishing = spaces.into_iter().map(async |(space, all)| {
        let (places, ended): (Vec<usize>, Vec<&Ended>) = all.into_iter().unzip();
        let told = in_time(finish_of(server, (space, &ended), now_ms)).await;
        (places, told)
    });
    in_order(join_all(finishing).await)
}

async fn finish_of(
    server: &Server,
    (space, ended): (&SpaceKey, &[&Ended]),
    now_ms: WallMs,
) -> Result<OfSpace, Failure> {
    let again = |one: &&&Ended| matches!(one.outcome, Outcome::Again { .. });
    let puts = ended.iter().filter(again).count();
    let leases = ended.iter().map(|one| &one.lease);
    let asked = asked(space, leases, (puts, now_ms));
    let finish = |plan: &mut Plan| {
        let finish = |one: &&Ended| plan.finish(one, now_ms);
        ended.iter().map(finish).collect()
    };
    change(server, &asked, finish).await
}
