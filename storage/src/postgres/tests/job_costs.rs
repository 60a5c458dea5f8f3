//! Rows that a claim reads follow what it leases, whatever waits. The server counts them.

use syncline_protocol::ids::{Epoch, NodeId, Seq};

use super::super::PostgresStore;
use super::super::call::Call;
use super::super::commit::transact;
use super::super::jobs::{Claiming, Finish};
use super::costs::{analyze, rows_read_by};
use super::{opened, runtime};
use crate::conformance::space::{NOW, Space, space_key};
use crate::jobs::{
    Claim, Ended, IfThere, Job, JobArgs, JobKey, JobKind, JobLane, JobMove, LeasedJob, Origin,
    Outcome, TriggerId, Wanted,
};
use crate::types::Commit;

pub(super) fn kind(name: &str) -> JobKind {
    JobKind::trusted(name)
}

pub(super) fn job(of: &str, n: usize, due_at_ms: u64) -> Job {
    Job {
        kind: kind(of),
        key: JobKey::trusted(&format!("{n:06}")),
        lane: Some(JobLane::trusted(&format!("{of} {n}"))),
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
        wanted: vec![Wanted::of(kind(of), 10)],
        holder: NodeId::trusted("n1"),
        now_ms: NOW,
        lease_ms: 60_000,
        per_space: 10,
    }
}

/// Puts so many jobs of a kind into a space.
async fn put(store: &PostgresStore, (space, of): (&str, &str), jobs: usize, due_at_ms: u64) {
    let commit = putting(store, (space, of), jobs, due_at_ms).await;
    let answers = crate::Store::commit(store, vec![commit]).await;
    assert_eq!(answers, [Ok(())]);
}

/// A commit that does.
async fn putting(
    store: &PostgresStore,
    (space, of): (&str, &str),
    jobs: usize,
    due_at_ms: u64,
) -> Commit {
    let space = Space::open_named(store, "todo", space).await;
    let mut commit = space.draft(Vec::new());
    let put = |n| JobMove::Put {
        job: job(of, n, due_at_ms),
        if_there: IfThere::Keep,
    };
    commit.jobs = (0..jobs).map(put).collect();
    commit
}

/// The same, all of one lane.
async fn put_in_lane(store: &PostgresStore, (space, of): (&str, &str), jobs: usize) {
    let space = Space::open_named(store, "todo", space).await;
    let mut commit = space.draft(Vec::new());
    let put = |n| JobMove::Put {
        job: Job {
            lane: Some(JobLane::trusted("a record")),
            ..job(of, n, NOW - 9)
        },
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

/// Beside full spaces, whose queues come first, it reads a row of each more, whatever waits in them. Where
/// nothing was counted yet the planner may have all queues read and sorted instead.
#[test]
fn full_spaces_cost_a_claim_a_row_each_whatever_waits_in_them() {
    runtime().block_on(async {
        let (store, _database) = opened().await;
        for n in 0..300 {
            put(&store, (&format!("{n:03}"), "few"), 2, NOW - 9).await;
            put(&store, (&format!("{n:03}"), "many"), 2, NOW - 9).await;
        }
        let mut full = Vec::new();
        for n in 0..7 {
            let space = format!("full {n}");
            put(&store, (&space, "few"), 2, NOW - 99).await;
            put(&store, (&space, "many"), 900, NOW - 99).await;
            full.push(space_key("todo", &space));
        }
        analyze(&store).await;
        for of in ["few", "many"] {
            let mut ten = claim_of_ten(of);
            ten.wanted[0].full = full.clone();
            let lent = store.calling.lend().await.unwrap();
            let connection = &lent.connection;
            let claiming = async || {
                let leased = Claiming(&ten).run(connection).await.unwrap();
                let mut spaces = leased.iter().map(|one| &one.lease.name.space);
                assert!(leased.len() == 10 && !spaces.any(|space| full.contains(space)));
            };
            // As a claim reads, and of each that is full twice its queue; the spaces, and its number.
            let bounds = [("jobs", 90), ("job_queues", 90 + 2 * 7), ("spaces", 10 + 7)];
            let mut read = Vec::new();
            for (table, most) in bounds {
                read.push((
                    table,
                    rows_read_by(connection, &[table], &claiming).await,
                    most,
                ));
            }
            assert!(
                read.iter().all(|(_, rows, most)| rows <= most),
                "{read:?} for ten {of}"
            );
            lent.give_back();
        }
    });
}

/// A commit with a job, and the end of one.
#[test]
fn what_is_put_and_ended_costs_the_same_whatever_waits() {
    runtime().block_on(async {
        let (store, _database) = opened().await;
        let mut reads = Vec::new();
        for waiting in [10, 4_000] {
            put(
                &store,
                (&format!("waits {waiting}"), "webhook"),
                waiting,
                NOW + 9,
            )
            .await;
            let lent = store.calling.lend().await.unwrap();
            let connection = &lent.connection;
            let space = format!("of {waiting}");
            let commit = putting(&store, (&space, "now"), 2, NOW - 9).await;
            let putting = async || {
                let accepted = transact(&store, connection, &[&commit]).await;
                assert!(accepted.is_ok_and(|all| all == [true]));
            };
            let on_put = rows_read_by(connection, &["jobs"], putting).await;
            let leased = crate::JobStore::claim(&store, &claim_of_ten("now")).await;
            let lease = leased.unwrap().remove(0).lease;
            let again = Outcome::Again { due_at_ms: NOW + 9 };
            let outcomes = [again, Outcome::Done];
            let ended: Vec<Ended> = outcomes
                .into_iter()
                .map(|outcome| Ended {
                    lease: lease.clone(),
                    outcome,
                })
                .collect();
            let finishing = async || {
                let finish = Finish {
                    ended: &ended,
                    now_ms: NOW,
                };
                assert!(finish.run(connection).await.is_ok());
            };
            let on_end = rows_read_by(connection, &["jobs"], finishing).await;
            reads.push([on_put, on_end]);
            lent.give_back();
        }
        assert_eq!(reads[0], reads[1]);
        assert!(reads[0].iter().all(|read| *read <= 12), "{reads:?}");
    });
}

/// By a claim and an end for each job, which read a few rows, whatever is behind.
#[test]
fn a_lane_is_drained_by_a_claim_a_job_however_long_it_is() {
    runtime().block_on(async {
        let (store, _database) = opened().await;
        put_in_lane(&store, ("ada", "few"), 20).await;
        put_in_lane(&store, ("ada", "many"), 1_000).await;
        put_in_lane(&store, ("bob", "many"), 1_000).await;
        for counted in ["never", "just now"] {
            if counted == "just now" {
                analyze(&store).await;
            }
            for of in ["few", "many"] {
                let lent = store.calling.lend().await.unwrap();
                let connection = &lent.connection;
                let draining = async || {
                    for _ in 0..10 {
                        let leased = Claiming(&claim_of_ten(of)).run(connection).await.unwrap();
                        assert!((1..=2).contains(&leased.len()), "one of a lane");
                        let end = |one: LeasedJob| Ended {
                            lease: one.lease,
                            outcome: Outcome::Done,
                        };
                        let ended: Vec<Ended> = leased.into_iter().map(end).collect();
                        let finish = Finish {
                            ended: &ended,
                            now_ms: NOW,
                        };
                        assert!(finish.run(connection).await.is_ok());
                    }
                };
                let read = rows_read_by(connection, &["jobs", "job_queues"], draining).await;
                assert!(
                    (10..=700).contains(&read),
                    "{read} rows for ten rounds of {of}, counted {counted}"
                );
                println!("{read} rows for ten rounds of {of}, counted {counted}");
                lent.give_back();
            }
        }
    });
}
