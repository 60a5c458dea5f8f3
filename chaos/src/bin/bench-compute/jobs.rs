//! Jobs a second, on a store of its own each time.
//!
//! First what a hub does: sessions commit one change each with the job that follows from it, through
//! group commit, and a runner does the jobs meanwhile. Counted from the first commit to the last end: with
//! a worker that does nothing; with one whose jobs each change a record by the commit that ends their
//! lease, as a hub writes, though it takes several writes of a space into one commit and here each is one;
//! and with jobs in lanes. Then claims and ends alone, of jobs that are there.

mod alone;
mod engine;
mod sessions;
mod together;

use std::sync::Arc;

use anyhow::Result;
use clap::{Args, ValueEnum};
use syncline_protocol::ids::{Seq, WriterNo};
use syncline_storage::jobs::{
    IfThere, Job, JobArgs, JobKey, JobKind, JobLane, JobMove, Origin, TriggerId,
};
use syncline_storage::types::{Commit, SpaceView};
use syncline_storage::{JobStore, Store};

use self::engine::Engine;
use super::fill::{self, NOW, space_key};

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    Sqlite,
    Postgres,
    /// With its default for everything: what was committed in the last ten seconds is lost if all
    /// that hold it lose power.
    Cassandra,
}

/// How many.
#[derive(Clone, Debug, Args)]
pub(crate) struct Load {
    /// Jobs of each measurement.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) jobs: usize,
    /// Spaces with a session each.
    #[arg(long, default_value_t = 64)]
    pub(crate) spaces: usize,
    /// Workers of the runner.
    #[arg(long, default_value_t = 64)]
    pub(crate) workers: usize,
    /// Lanes of each space in the row of jobs in lanes; 0 leaves it out.
    #[arg(long, default_value_t = 8)]
    pub(crate) lanes: usize,
    /// The stores.
    #[arg(long, value_delimiter = ',', default_values = ["sqlite", "postgres"])]
    pub(crate) engine: Vec<Which>,
}

/// How jobs are put and done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Their worker does nothing.
    Idle,
    /// Each changes a record of its space.
    Writing,
    /// Their worker does nothing, and they are done in the order of their lanes.
    InLanes,
}

impl Way {
    const ALL: [Way; 3] = [Way::Idle, Way::Writing, Way::InLanes];

    fn name(self) -> &'static str {
        match self {
            Way::Idle => "put and done",
            Way::Writing => "put, done and written",
            Way::InLanes => "in lanes",
        }
    }
}

/// A store that holds jobs too.
pub(crate) trait WithJobs: Store + JobStore {}

impl<S: Store + JobStore> WithJobs for S {}

/// Measures jobs and prints the rows.
pub(crate) async fn measure(load: &Load) -> Result<()> {
    println!(
        "\njobs a second: --jobs {} --spaces {} --workers {} --lanes {}",
        load.jobs, load.spaces, load.workers, load.lanes
    );
    for which in &load.engine {
        let engine = Engine::open(*which).await?;
        let name = format!("{which:?}");
        for way in Way::ALL {
            if way == Way::InLanes && load.lanes == 0 {
                continue;
            }
            let done = together::run(&engine.store, load, way).await?;
            println!(
                "{name:<10} {:<22}  {:>8.0}   ({:.0} put while none was done)",
                way.name(),
                done.rate,
                done.put_rate
            );
        }
        for batch in [1, 16, 64, 256] {
            let rate = alone::run(&*engine.store, load, batch).await?;
            println!("{name:<10} claimed and ended, {batch:>3} at once  {rate:>8.0}");
        }
    }
    Ok(())
}

fn kind() -> JobKind {
    JobKind::trusted("webhook")
}

/// Puts a job, as a trigger of a change does.
fn put(key: &str, view: &SpaceView) -> JobMove {
    let args =
        "{\"table\":\"tasks\",\"id\":\"018f3b0c9d2e7a41\",\"when\":\"update\",\"who\":\"ada\"}";
    let job = Job {
        kind: kind(),
        key: JobKey::trusted(key),
        due_at_ms: NOW,
        lane: None,
        args: JobArgs::trusted(args),
        depth: 0,
        origin: Origin {
            epoch: view.epoch,
            seq: view.head.next(),
            trigger: TriggerId::trusted("on-done"),
        },
    };
    let if_there = IfThere::Keep;
    JobMove::Put { job, if_there }
}

/// A change of one record.
fn change(space: usize, view: &SpaceView) -> Commit {
    let record = Arc::new(fill::task(0, view.head.next(), WriterNo(0)));
    let mut commit = fill::commit(space, view, vec![(fill::record_key(0), record)]);
    commit.live = 1;
    commit
}

/// A change and its job, in one of so many lanes if there are any.
fn change_with_job(space: usize, view: &SpaceView, lanes: usize) -> Commit {
    let mut commit = change(space, view);
    let seq = commit.head.0;
    let mut put = put(&format!("on-done/tasks/0/{seq}"), view);
    if let (JobMove::Put { job, .. }, Some(lane)) = (&mut put, seq.checked_rem(lanes as u64)) {
        job.lane = Some(JobLane::trusted(&format!("on-done/tasks/{lane}")));
    }
    commit.jobs = vec![put];
    commit
}

/// Opens the spaces.
async fn opened(store: &dyn WithJobs, spaces: usize) -> Result<Vec<SpaceView>> {
    let mut views = Vec::with_capacity(spaces);
    for space in 0..spaces {
        views.push(store.open_space(&space_key(space), NOW).await?);
    }
    Ok(views)
}

/// The view after a commit that was taken.
fn moved(view: &SpaceView, head: Seq) -> SpaceView {
    SpaceView { head, ..*view }
}
