//! One space that many want: writers that know nothing of each other, and readers beside a writer.
//!
//! Each writer has a group commit of its own, as a node has, and what [`bench-cluster`] measures is
//! missing: nobody tells it of the others' commits, so it loses until it has looked.
//!
//! [`bench-cluster`]: ../bench-cluster/main.rs

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use syncline_protocol::ids::Seq;
use syncline_storage::Store;
use syncline_storage::faulty::Prng;
use syncline_storage::group::{GroupCommit, GroupLimits};
use syncline_storage::types::{After, CommitError};
use tokio::task::JoinSet;

use super::fill::{SPACE_RECORDS, space_key};
use super::pages::PAGE;
use super::space::Space;
use super::timing::{Measured, Times};

/// The space.
const HOT: usize = 0;

/// The first wait is at most so long, each next one twice that.
const WAIT_MS: u64 = 2;

const DOUBLED_MAX: u32 = 6;

/// What writers got.
pub(crate) struct Wrote {
    pub(crate) all: Measured,
    /// Times the store was asked for a commit.
    pub(crate) tries: f64,
    pub(crate) tries_max: u32,
    /// What the slowest writer committed, of its fair share.
    pub(crate) least: f64,
}

#[derive(Default)]
struct Own {
    times: Times,
    commits: u32,
    tries: u32,
    tries_max: u32,
}

/// So many writers of the space.
pub(crate) async fn writers(
    store: &Arc<dyn Store>,
    writers: usize,
    lasts: Duration,
) -> anyhow::Result<Wrote> {
    let began = Instant::now();
    let mut running = JoinSet::new();
    for n in 0..writers {
        running.spawn(writer(store.clone(), n, lasts));
    }
    let mut all = Vec::new();
    while let Some(ended) = running.join_next().await {
        all.push(ended??);
    }
    let lasted = began.elapsed();
    let commits: u32 = all.iter().map(|own| own.commits).sum();
    let tries: u32 = all.iter().map(|own| own.tries).sum();
    let fair = f64::from(commits) / writers as f64;
    let least = all.iter().map(|own| own.commits).min().unwrap_or(0);
    Ok(Wrote {
        tries: f64::from(tries) / f64::from(commits.max(1)),
        tries_max: all.iter().map(|own| own.tries_max).max().unwrap_or(0),
        least: f64::from(least) / fair.max(1.0),
        all: Measured::new(all.into_iter().map(|own| own.times), lasted),
    })
}

async fn writer(store: Arc<dyn Store>, n: usize, lasts: Duration) -> anyhow::Result<Own> {
    let (group, committers) = GroupCommit::start(&store, GroupLimits::default());
    let mut random = Prng::new(n as u64);
    let mut space = Space::read(&*store, HOT, &format!("hot-{n}")).await?;
    let mut own = Own::default();
    let began = Instant::now();
    while began.elapsed() < lasts {
        let (one, mut tries) = (Instant::now(), 1);
        while let Err(error) = space.step(&group, (n % SPACE_RECORDS, 1)).await {
            anyhow::ensure!(matches!(error, CommitError::Conflict), error);
            let longest = WAIT_MS << DOUBLED_MAX.min(tries - 1);
            tokio::time::sleep(Duration::from_millis(random.below(longest))).await;
            space.read_again(&*store).await?;
            tries += 1;
        }
        own.times.note(one);
        own.commits += 1;
        own.tries += tries;
        own.tries_max = own.tries_max.max(tries);
    }
    drop(group);
    committers.shut_down().await;
    Ok(own)
}

/// What a writer commits beside so many readers, and the pages that they read a second.
pub(crate) async fn readers(
    store: &Arc<dyn Store>,
    readers: usize,
    lasts: Duration,
) -> anyhow::Result<(Measured, f64)> {
    let (pages, is_over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
    let mut running = JoinSet::new();
    for _ in 0..readers {
        running.spawn(reader(store.clone(), pages.clone(), is_over.clone()));
    }
    let began = Instant::now();
    let own = writer(store.clone(), 0, lasts).await?;
    let lasted = began.elapsed();
    is_over.store(true, Ordering::Relaxed);
    let read = pages.load(Ordering::Relaxed) as f64 / lasted.as_secs_f64();
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok((Measured::new([own.times], lasted), read))
}

async fn reader(
    store: Arc<dyn Store>,
    pages: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let key = space_key(HOT);
    while !is_over.load(Ordering::Relaxed) {
        store.changes(&key, After::from(Seq(0)), PAGE).await?;
        pages.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
