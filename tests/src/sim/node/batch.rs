//! What is in a commit, as its session says.

use std::collections::BTreeSet;

use syncline_hub::session::pending::{Asked, InFlight};
use syncline_hub::session::state::SessionState;
use syncline_protocol::change::ClaimedChange;
use syncline_protocol::ids::RecordKey;

use crate::sim::cache::ForgetfulCache;
use crate::sim::checker::{Batch, JobPart, Judged, Part, What};

/// What the commit in flight judges.
pub(super) fn batch(state: &SessionState, cache: &ForgetfulCache) -> Batch {
    let judged = |entry: InFlight<'_>| Judged {
        client: entry.client.clone(),
        taken_at_ms: entry.taken_at_ms,
        what: match entry.asked {
            Asked::Mutation(mutation) => What::Mutation(mutation.m),
            Asked::Sync(changes) => What::Changeset(Part {
                changes: changes.clone(),
                since: entry.since,
                is_whole: entry.is_whole,
                is_rest: entry.is_rest,
                goes_on: entry.goes_on,
            }),
            Asked::Job(write) => What::Job(JobPart {
                asked: write.mutation.asked.as_ref().ok().cloned(),
                epoch: write.epoch.expect("only jobs write here"),
                depth: write.depth,
                ended: write.ended.clone().expect("only jobs write here"),
            }),
        },
    };
    let keys: BTreeSet<RecordKey> = state.in_flight().flat_map(keys).collect();
    let bases = keys.into_iter();
    let bases = bases.filter_map(|key| Some((key.clone(), cache.last(&key)?)));
    Batch {
        bases: bases.collect(),
        judged: state.in_flight().map(judged).collect(),
        clock: state.view().clock,
    }
}

/// The records an entry of a commit touches.
fn keys(entry: InFlight<'_>) -> Vec<RecordKey> {
    let asked: Vec<&ClaimedChange> = match entry.asked {
        Asked::Mutation(mutation) => mutation.asked.iter().flatten().collect(),
        Asked::Job(write) => write.mutation.asked.iter().flatten().collect(),
        Asked::Sync(changes) => {
            let asked = changes.iter().map(|change| change.asked.as_ref());
            asked.filter_map(Result::ok).collect()
        }
    };
    asked.into_iter().map(|change| change.key.clone()).collect()
}
