//! Claims and ends, one after the other, of jobs that are there.

use std::time::Instant;

use anyhow::{Result, ensure};
use syncline_protocol::ids::NodeId;
use syncline_storage::jobs::{Claim, Ended, Outcome, Wanted};

use super::super::fill::{self, NOW};
use super::{Load, WithJobs, kind, opened, put};

/// Jobs of one commit.
const PUT_AT_ONCE: usize = 100;

/// Jobs of one measurement with batches of one: they take long.
const SINGLE_JOBS_MAX: usize = 2_000;

/// Jobs a second, so many in each claim.
pub(super) async fn run(store: &dyn WithJobs, load: &Load, batch: usize) -> Result<f64> {
    end_all(store, 256).await?;
    let jobs = match batch {
        1 => load.jobs.min(SINGLE_JOBS_MAX),
        _ => load.jobs,
    };
    let views = opened(store, load.spaces).await?;
    let each = (jobs / load.spaces).max(1);
    for (space, view) in views.iter().enumerate() {
        for from in (0..each).step_by(PUT_AT_ONCE) {
            let mut commit = fill::commit(space, view, Vec::new());
            (commit.head, commit.live) = (view.head, view.live);
            let keys = from..each.min(from + PUT_AT_ONCE);
            commit.jobs = keys
                .map(|key| put(&format!("{batch}/{key}"), view))
                .collect();
            for answer in store.commit(vec![commit]).await {
                answer?;
            }
        }
    }
    let began = Instant::now();
    let ended = end_all(store, batch).await?;
    let lasted = began.elapsed();
    ensure!(ended == each * load.spaces, "{ended} jobs were ended");
    Ok(ended as f64 / lasted.as_secs_f64())
}

/// Claims and ends all there are; how many.
pub(super) async fn end_all(store: &dyn WithJobs, batch: usize) -> Result<usize> {
    let mut count = 0;
    loop {
        let claim = Claim {
            wanted: vec![Wanted::of(kind(), batch)],
            holder: NodeId::trusted("bench"),
            now_ms: NOW + 3_600_000,
            lease_ms: 60_000,
            per_space: batch.div_ceil(4),
        };
        let leased = store.claim(&claim).await?;
        if leased.is_empty() {
            return Ok(count);
        }
        count += leased.len();
        let ended = leased.into_iter().map(|leased| Ended {
            lease: leased.lease,
            outcome: Outcome::Done,
        });
        let ended: Vec<Ended> = ended.collect();
        for answer in store.finish(&ended, NOW).await? {
            answer?;
        }
    }
}
