//! Committers of one process in a race for a database's spaces: `commit_race URL NAME COMMITTERS
//! SPACES GROUPS`. Prints a line for every space.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use syncline_storage::postgres::{PostgresOptions, PostgresStore};
use syncline_tests::race::{self, Tally};
use tokio::task::JoinSet;

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .context("usage: commit_race URL NAME COMMITTERS SPACES GROUPS")
    };
    let mut options = PostgresOptions::parse(&next()?).map_err(anyhow::Error::msg)?;
    let name = next()?;
    let committers: usize = next()?.parse()?;
    let (spaces, groups) = (next()?.parse()?, next()?.parse()?);
    // All at once: nothing but the database keeps them apart.
    options.committers = committers;
    let store = Arc::new(PostgresStore::open(&options).await?);
    let mut running = JoinSet::new();
    for committer in 0..committers {
        let (store, name) = (store.clone(), format!("{name}-{committer}"));
        running.spawn(async move {
            let seed = name.bytes().map(u64::from).sum::<u64>() * 1_000 + committer as u64;
            race::run(&*store, (&name, seed), (spaces, groups)).await
        });
    }
    let mut all: BTreeMap<u64, Tally> = BTreeMap::new();
    while let Some(tallies) = running.join_next().await {
        for (space, tally) in tallies?? {
            *all.entry(space).or_default() += tally;
        }
    }
    for (space, tally) in all {
        println!("{space} {tally}");
    }
    Ok(())
}
