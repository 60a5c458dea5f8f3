//! Several at once. Each of these needs to know what became of its own calls, so they are not run
//! behind faults.

use std::collections::HashSet;

use futures_util::future::{join, join_all};

use super::super::racing::while_others_write;
use super::super::space::NOW;
use super::WithJobs;
use super::desk::{
    Desk, cancel, claim, due, finish, in_lane, job, keep, next, replace, webhook, why,
};
use crate::jobs::{Ended, JobCounts, JobMove, JobNo, Outcome};

/// Claimers at once.
const CLAIMERS: usize = 6;

/// Whoever comes first has it.
pub async fn claimers_at_once_lease_each_job_once(store: &dyn WithJobs) {
    for name in ["ada", "bob", "eve"] {
        Desk::open_named(store, name).await.put_many(20).await;
    }
    let claiming = (0..CLAIMERS).map(async |_| {
        let mut mine = Vec::new();
        let mut in_vain = 0;
        // One may find everything in the hands of others for a moment.
        while in_vain < 20 {
            let got = store.claim(&claim(4, NOW)).await.expect("it answers");
            in_vain += usize::from(got.is_empty());
            mine.extend(got.into_iter().map(|one| one.lease.no));
        }
        mine
    });
    let all: Vec<JobNo> = join_all(claiming).await.concat();
    let once: HashSet<JobNo> = all.iter().copied().collect();
    assert_eq!((all.len(), once.len()), (60, 60));
}

/// None waits for another in a circle, and what was put is found, whoever was under way.
pub async fn commits_claims_and_ends_pass_each_other(store: &dyn WithJobs) {
    let names = ["ada", "bob", "eve"];
    for name in names {
        Desk::open_named(store, name).await;
    }
    let committing = (0..3).map(async |caller: usize| {
        for round in 0..8 {
            let mut drafts = Vec::new();
            for name in names {
                let desk = Desk::open_named(store, name).await;
                let mut draft = desk.space.draft(Vec::new());
                let keys = (0..6).map(|n| format!("{}", (n + caller) % 6));
                draft.jobs = keys
                    .map(|key| match (round + caller) % 3 {
                        0 => cancel(&key),
                        1 => replace(due(&key, NOW - 1)),
                        _ => keep(due(&key, NOW - 1)),
                    })
                    .collect();
                drafts.push(draft);
            }
            drafts.rotate_left(caller);
            for answer in store.commit(drafts).await {
                assert!(answer.is_ok(), "{answer:?}");
            }
        }
    });
    let working = (0..CLAIMERS).map(async |_| {
        for round in 0..12 {
            let leased = store.claim(&claim(5, NOW)).await.expect("it answers");
            let outcome = |n: usize| match (n + round) % 3 {
                0 => Outcome::Done,
                1 => Outcome::Again { due_at_ms: NOW },
                _ => Outcome::Retry {
                    at_ms: NOW,
                    error: why(),
                },
            };
            let ended: Vec<_> = leased
                .into_iter()
                .rev()
                .enumerate()
                .map(|(n, one)| Ended {
                    lease: one.lease,
                    outcome: outcome(n),
                })
                .collect();
            let answers = store.finish(&ended, NOW).await;
            assert_eq!(answers.map(|answers| answers.len()), Ok(ended.len()));
        }
    });
    join(join_all(committing), join_all(working)).await;
    // All that is left is due, and must be found by who looks now.
    for _ in 0..6 * names.len() {
        for one in store.claim(&claim(9, NOW)).await.expect("it answers") {
            assert_eq!(finish(store, &one.lease, Outcome::Done).await, Ok(()));
        }
    }
    let left = store.job_counts(&[webhook()]).await;
    assert_eq!(left, Ok(vec![JobCounts::default()]));
}

/// One of them put it, or none.
pub async fn a_job_put_by_many_at_once_is_there_once(store: &dyn WithJobs) {
    let desk = Desk::open(store).await;
    let putting = (0..CLAIMERS).map(|n| {
        let mut draft = desk.space.draft(Vec::new());
        draft.jobs = vec![keep(due("a", NOW - n as u64))];
        desk.space.commit(draft)
    });
    assert!(join_all(putting).await.iter().all(Result::is_ok));
    let leased = store.claim(&claim(9, NOW)).await.expect("it answers");
    assert_eq!(leased.len(), 1);
}

/// What one of several does to six jobs of two lanes.
fn lane_moves(caller: usize, round: usize) -> Vec<JobMove> {
    let one = |n: usize| {
        let key = format!("{}", (n + caller) % 6);
        let lane = ["a record", "another record"][(n + round) % 2];
        match (n + round + caller) % 4 {
            0 => cancel(&key),
            1 => replace(in_lane(lane, job(&key))),
            _ => keep(in_lane(lane, job(&key))),
        }
    };
    (0..6).map(one).collect()
}

/// Whatever is put, ended, taken away and replayed at once: each lane goes on to its end.
pub async fn nobody_of_a_lane_is_left_behind(store: &dyn WithJobs) {
    let names = ["ada", "bob"];
    for name in names {
        Desk::open_named(store, name).await;
    }
    let committing = (0..3).map(async |caller: usize| {
        for round in 0..8 {
            let mut drafts = Vec::new();
            for name in names {
                let desk = Desk::open_named(store, name).await;
                let mut draft = desk.space.draft(Vec::new());
                draft.jobs = lane_moves(caller, round);
                drafts.push(draft);
            }
            drafts.rotate_left(caller % names.len());
            for answer in store.commit(drafts).await {
                assert!(answer.is_ok(), "{answer:?}");
            }
        }
    });
    let working = (0..CLAIMERS).map(async |_| {
        for round in 0..12 {
            let leased = store.claim(&claim(5, NOW)).await.expect("it answers");
            let outcome = |n: usize| match (n + round) % 4 {
                0 => Outcome::Done,
                1 => Outcome::Again { due_at_ms: NOW },
                2 => Outcome::Dead { error: why() },
                _ => Outcome::Wait { at_ms: NOW },
            };
            let ended = leased.into_iter().rev().enumerate().map(|(n, one)| Ended {
                lease: one.lease,
                outcome: outcome(n),
            });
            let ended: Vec<Ended> = ended.collect();
            let answers = store.finish(&ended, NOW).await;
            assert_eq!(answers.map(|answers| answers.len()), Ok(ended.len()));
        }
    });
    let people = async {
        let desk = Desk::open_named(store, "ada").await;
        for round in 0..12 {
            let name = desk.name(&format!("{}", round % 6));
            let asked = match round % 4 {
                0 => store.cancel(&name).await,
                1 => store.snooze(&name, NOW).await,
                2 => store.replay(&name, NOW).await,
                _ => store.replay_all(&webhook(), NOW, 9).await.map(|_| true),
            };
            assert!(asked.is_ok(), "{asked:?}");
        }
    };
    join(join(join_all(committing), join_all(working)), people).await;
    // Each claim brings the first of each lane.
    for _ in 0..=6 * names.len() {
        for one in store.claim(&claim(9, NOW)).await.expect("it answers") {
            assert_eq!(finish(store, &one.lease, Outcome::Done).await, Ok(()));
        }
    }
    let left = store.job_counts(&[webhook()]).await.expect("it answers");
    let dead = left[0].dead;
    let none = JobCounts {
        dead,
        ..JobCounts::default()
    };
    assert_eq!(left, [none]);
}

/// While one puts them, several do them: one after the other.
pub async fn lanes_keep_their_order_whoever_is_under_way(store: &dyn WithJobs) {
    const JOBS: usize = 24;
    let mut desk = Desk::open(store).await;
    let done = std::sync::Mutex::new(Vec::new());
    let putting = async {
        for n in 0..JOBS {
            desk.commit(vec![keep(next(&format!("{n:02}")))]).await;
        }
    };
    let working = (0..CLAIMERS).map(async |_| {
        while done.lock().expect("nobody panics over it").len() < JOBS {
            for one in store.claim(&claim(4, NOW)).await.expect("it answers") {
                done.lock()
                    .expect("nobody panics over it")
                    .push(one.job.key.to_string());
                assert_eq!(finish(store, &one.lease, Outcome::Done).await, Ok(()));
            }
        }
    });
    join(putting, join_all(working)).await;
    let expected: Vec<String> = (0..JOBS).map(|n| format!("{n:02}")).collect();
    assert_eq!(*done.lock().expect("nobody panics over it"), expected);
}

/// Nothing of it need be asked for again: what others write of the space is no job.
pub async fn jobs_are_done_while_others_write(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put_many(4).await;
    let doing = async {
        for _ in 0..3 {
            let mut leased = Vec::new();
            // One may find the space in the hands of others for a moment.
            for _ in 0..50 {
                leased = store.claim(&claim(1, NOW)).await.expect("it answers");
                if !leased.is_empty() {
                    break;
                }
            }
            let lease = &leased[0].lease;
            let extended = store.extend(std::slice::from_ref(lease), NOW + 90_000);
            assert_eq!(extended.await, Ok(vec![Ok(())]));
            assert_eq!(finish(store, lease, Outcome::Done).await, Ok(()));
        }
        assert_eq!(store.cancel(&desk.name("003")).await, Ok(true));
    };
    while_others_write(store, doing).await;
}
