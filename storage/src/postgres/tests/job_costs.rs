//! Rows that a claim reads follow what it leases, whatever waits. The server counts them.

use syncline_protocol::ids::{Epoch, NodeId, Seq};

use super::super::PostgresStore;
use super::super::call::Call;
use super::super::jobs::{Asking, Claiming};
use super::costs::{analyze, rows_read_by};
use super::{opened, runtime};
use crate::conformance::space::{NOW, Space};
use crate::jobs::{
    Claim, IfThere, Job, JobArgs, JobKey, JobKind, JobLane, JobMove, Origin, TriggerId, Wanted,
};

pub(super) fn kind(name: &str) -> JobKind {
    JobKind::trusted(name)
}

pub(super) fn job(of: &str, n: usize, due_at_ms: u64) -> Job {
    Job {
        kind: kind(of),
        key: JobKey::trusted(&format!("{n:06}")),
        lane: Some(JobLane::trusted(&format!("{of} {}", n % 2))),
        due_at_ms,
        args: JobArgs::trusted("null"),
        depth: 0,
        origin: Origin {
            epoch: Epoch(1),
            seq: Seq(1),
            trigger: TriggerId::trusted("t"),
        },
    }
}

/// Of ten jobs of a kind.
pub(super) fn claim_of_ten(of: &str) -> Claim {
    Claim {
        wanted: vec![Wanted {
            kind: kind(of),
            jobs: 10,
        }],
        holder: NodeId::trusted("n1"),
        now_ms: NOW,
        lease_ms: 60_000,
        per_space: 10,
    }
}

/// Puts so many jobs of a kind into a space.
async fn put(store: &PostgresStore, (space, of): (&str, &str), jobs: usize, due_at_ms: u64) {
    let space = Space::open_named(store, "todo", space).await;
    let mut commit = space.draft(Vec::new());
    let put = |n| JobMove::Put {
        job: job(of, n, due_at_ms),
        if_there: IfThere::Keep,
    };
    commit.jobs = (0..jobs).map(put).collect();
    assert_eq!(space.commit(commit).await, Ok(()));
}

#[test]
fn a_claim_costs_what_it_leases_whatever_waits() {
    runtime().block_on(async {
        let (store, _database) = opened().await;
        put(&store, ("ada", "small"), 30, NOW - 9).await;
        put(&store, ("ada", "large"), 6_000, NOW - 9).await;
        for n in 0..300 {
            let space = format!("{n:03}");
            put(&store, (&space, "wide"), 2, NOW - 9).await;
            put(&store, (&space, "later"), 2, NOW + 9).await;
        }
        put(&store, ("due", "later"), 30, NOW - 9).await;
        for counted in ["never", "just now"] {
            if counted == "just now" {
                analyze(&store).await;
            }
            for of in ["small", "large", "wide", "later"] {
                let ten = claim_of_ten(of);
                let lent = store.calling.lend().await.unwrap();
                let connection = &lent.connection;
                let claiming = async || {
                    let leased = Claiming(&ten).run(connection).await;
                    assert!(leased.is_ok_and(|leased| leased.len() == 10));
                };
                let tables = ["jobs", "job_queues"];
                let read = rows_read_by(connection, &tables, claiming).await;
                // A queue is looked for, taken and settled; a job is found, leased and looked behind.
                assert!(
                    (10..=90).contains(&read),
                    "{read} rows for ten {of}, counted {counted}"
                );
                lent.give_back();
            }
        }
    });
}

#[test]
fn what_is_ahead_is_found_however_long_the_lane() {
    runtime().block_on(async {
        let (store, _database) = opened().await;
        put(&store, ("ada", "first"), 2_000, NOW - 9).await;
        put(&store, ("ada", "webhook"), 2_000, NOW - 9).await;
        put(&store, ("bob", "webhook"), 2_000, NOW - 9).await;
        let all = Claim {
            per_space: usize::MAX,
            wanted: vec![Wanted {
                kind: kind("webhook"),
                jobs: 4_000,
            }],
            ..claim_of_ten("webhook")
        };
        let leased = crate::JobStore::claim(&store, &all).await.unwrap();
        let last = leased.iter().max_by_key(|one| one.lease.no).unwrap();
        for counted in ["never", "just now"] {
            if counted == "just now" {
                analyze(&store).await;
            }
            let lent = store.calling.lend().await.unwrap();
            let connection = &lent.connection;
            let looking = async || {
                let ahead = Asking(&last.lease).run(connection).await;
                assert!(ahead.is_ok_and(|ahead| ahead == Ok(Some(NOW + 60_000))));
            };
            let read = rows_read_by(connection, &["jobs"], looking).await;
            assert_eq!(read, 2, "the job and the one ahead, counted {counted}");
            lent.give_back();
        }
    });
}
