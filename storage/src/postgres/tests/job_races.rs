//! Transactions of jobs that meet. None is made again here, so that one that lost to another shows.

use futures_util::future::{join, join_all};

use super::job_costs::{self, claim_of_ten};
use super::server::Server;
use super::{options, runtime};
use crate::Store;
use crate::conformance::space::{NOW, Space};
use crate::jobs::{Ended, IfThere, Job, JobError, JobLane, JobMove, Outcome};
use crate::postgres::PostgresStore;
use crate::postgres::call::Call;
use crate::postgres::commit::transact;
use crate::postgres::jobs::{Claiming, Finish};
use crate::types::Commit;

const NAMES: [&str; 3] = ["ada", "bob", "eve"];

/// One of two lanes.
fn job(of: &str, n: usize, due_at_ms: u64) -> Job {
    let lane = Some(JobLane::trusted(&format!("{of} {}", n % 2)));
    Job {
        lane,
        ..job_costs::job(of, n, due_at_ms)
    }
}

/// What one commit does to six jobs, in an order of its own.
fn moves(caller: usize, round: usize) -> Vec<JobMove> {
    let put = |n, if_there| JobMove::Put {
        job: job("webhook", n, NOW - 1),
        if_there,
    };
    let one = |n: usize| match (n + caller + round) % 3 {
        0 => {
            let job = job("webhook", n, 0);
            let (kind, key) = (job.kind, job.key);
            JobMove::Cancel { kind, key }
        }
        1 => put(n, IfThere::Replace),
        _ => put(n, IfThere::Keep),
    };
    let mut moves: Vec<JobMove> = (0..6).map(one).collect();
    moves.rotate_left(caller);
    moves
}

async fn commits(store: &PostgresStore, caller: usize) {
    // One that waits as long as it takes.
    let lent = store.calling.lend().await.unwrap();
    for round in 0..15 {
        let mut drafts = Vec::new();
        for name in NAMES {
            let mut draft = Space::open_named(store, "todo", name)
                .await
                .draft(Vec::new());
            draft.jobs = moves(caller, round);
            drafts.push(draft);
        }
        drafts.rotate_left(caller % NAMES.len());
        let drafts: Vec<&Commit> = drafts.iter().collect();
        let accepted = transact(store, &lent.connection, &drafts).await;
        assert!(accepted.is_ok(), "a commit lost: {:?}", accepted.err());
    }
}

async fn works(store: &PostgresStore, worker: usize) {
    let lent = store.calling.lend().await.unwrap();
    let connection = &lent.connection;
    let ten = claim_of_ten("webhook");
    for round in 0..25 {
        let leased = Claiming(&ten).run(connection).await;
        let leased = leased.unwrap_or_else(|failure| panic!("a claim lost: {failure:?}"));
        let outcome = |n: usize| match (n + worker + round) % 4 {
            0 => Outcome::Done,
            1 => Outcome::Again { due_at_ms: NOW },
            2 => Outcome::Dead {
                error: JobError::new("no"),
            },
            _ => Outcome::Retry {
                at_ms: NOW,
                error: JobError::new("once more"),
            },
        };
        let ended = leased.into_iter().rev().enumerate().map(|(n, one)| Ended {
            lease: one.lease,
            outcome: outcome(n),
        });
        let finish = Finish {
            ended: &ended.collect::<Vec<_>>(),
            now_ms: NOW,
        };
        let answers = finish.run(connection).await;
        assert!(answers.is_ok(), "an end lost: {:?}", answers.err());
    }
}

#[test]
fn commits_claims_and_ends_never_wait_in_a_circle() {
    runtime().block_on(async {
        let database = Server::shared().database().await;
        let options = options(&database);
        let opening = (0..4).map(|_| PostgresStore::open(&options));
        let stores: Result<Vec<_>, _> = join_all(opening).await.into_iter().collect();
        let stores = stores.unwrap();
        for name in NAMES {
            Space::open_named(&stores[0], "todo", name).await;
        }
        let committing = stores
            .iter()
            .enumerate()
            .map(|(n, store)| commits(store, n));
        let working = stores.iter().enumerate().map(|(n, store)| works(store, n));
        join(join_all(committing), join_all(working)).await;
    });
}

/// What a commit brings is not seen before it is there, and not passed over for good.
#[test]
fn a_job_whose_commit_is_under_way_is_claimed_after_it() {
    runtime().block_on(async {
        let database = Server::shared().database().await;
        let store = PostgresStore::open(&options(&database)).await.unwrap();
        let space = Space::open_named(&store, "todo", "ada").await;
        let put = |n| JobMove::Put {
            job: job("webhook", n, NOW - 1),
            if_there: IfThere::Keep,
        };
        let mut first = space.draft(Vec::new());
        first.jobs = vec![put(1)];
        assert_eq!(space.commit(first).await, Ok(()));
        // As a commit does: it brings a queue forward, then its job, and has not ended.
        let mut raw = database.raw().await;
        let under_way = raw.transaction().await.unwrap();
        let sql = "SELECT FROM syncline.job_queues FOR UPDATE";
        assert_eq!(under_way.query(sql, &[]).await.unwrap().len(), 1);
        let more = "INSERT INTO syncline.jobs(sid, kind, key, state, due_at, at, attempt, lease,
                depth, epoch, seq, origin, args)
            SELECT sid, kind, 'more', state, due_at, at, 0, 0, depth, epoch, seq, origin, args
            FROM syncline.jobs";
        under_way.execute(more, &[]).await.unwrap();
        let ten = claim_of_ten("webhook");
        assert_eq!(crate::JobStore::claim(&store, &ten).await, Ok(Vec::new()));
        under_way.commit().await.unwrap();
        let leased = crate::JobStore::claim(&store, &ten).await.unwrap();
        assert_eq!(leased.len(), 2);
        assert!(store.space(&space.key).await.is_ok());
    });
}
