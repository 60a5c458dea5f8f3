//! Sessions that commit, each to spaces of its own.

use std::sync::Arc;
use std::time::Instant;

use syncline_storage::Store;
use syncline_storage::faulty::Prng;
use syncline_storage::group::{GroupCommit, GroupLimits};
use tokio::task::JoinSet;

use super::cpu::Cpu;
use super::fill::{SPACE_RECORDS, SPACES};
use super::space::Space;
use super::timing::{Load, Measured, Times};

/// All spaces, as one device of each finds them.
pub(crate) async fn spaces(store: &dyn Store) -> anyhow::Result<Vec<Space>> {
    let mut spaces = Vec::with_capacity(SPACES);
    for n in 0..SPACES {
        spaces.push(Space::read(store, n, "c-8f2a").await?);
    }
    Ok(spaces)
}

/// Runs the load. The spaces go to the sessions, and come back as those leave them.
pub(crate) async fn run(
    store: &Arc<dyn Store>,
    spaces: &mut Vec<Space>,
    load: Load,
) -> anyhow::Result<Measured> {
    let (group, committers) = GroupCommit::start(store, GroupLimits::default());
    let mut all: Vec<Vec<Space>> = (0..load.sessions).map(|_| Vec::new()).collect();
    for (n, space) in spaces.drain(..).enumerate() {
        all[n % load.sessions].push(space);
    }
    let (began, cpu) = (Instant::now(), Cpu::now()?);
    let mut running = JoinSet::new();
    for (seed, spaces) in all.into_iter().enumerate() {
        running.spawn(session(group.clone(), spaces, (load, seed as u64)));
    }
    let mut times = Vec::new();
    while let Some(ended) = running.join_next().await {
        let (own, left) = ended??;
        times.push(own);
        spaces.extend(left);
    }
    let (lasted, spent) = (began.elapsed(), cpu.spent()?);
    drop(group);
    committers.shut_down().await;
    Ok(Measured::new(times, lasted).spending(spent))
}

async fn session(
    group: GroupCommit,
    mut spaces: Vec<Space>,
    (load, seed): (Load, u64),
) -> anyhow::Result<(Times, Vec<Space>)> {
    let mut random = Prng::new(seed);
    let mut times = Times::default();
    let began = Instant::now();
    while began.elapsed() < load.lasts {
        let at = random.below(spaces.len() as u64) as usize;
        let first = random.below(SPACE_RECORDS as u64) as usize;
        let one = Instant::now();
        spaces[at].step(&group, (first, load.changes)).await?;
        times.note(one);
    }
    Ok((times, spaces))
}
