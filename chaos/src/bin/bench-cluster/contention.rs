//! Writers of one space on all hubs at once, beside as many on one hub.

use std::time::Duration;

use futures_util::future::try_join_all;

use crate::hubs::{COUNT, Hubs};
use crate::load;
use crate::pusher::Pusher;

/// Writers at once.
const WRITERS: [usize; 3] = [2, 4, 8];

/// No commit should take more attempts.
const ATTEMPTS_MAX: &str = "20";

pub(crate) async fn measure(hubs: &Hubs, seconds: u64) -> anyhow::Result<()> {
    println!("writers of one space, each waits for its verdict before it writes again:");
    println!(
        "  {:>7} {:>12} {:>9}   {:>6} {:>8} {:>10} {:>8}   {:>5}",
        "writers", "on one hub/s", "on 3/s", "ratio", "attempts", "over 20", "fairness", "floor"
    );
    for writers in WRITERS {
        let lasts = Duration::from_secs(seconds);
        let alone = Run::of(hubs, writers, 1, lasts).await?;
        if hubs.count() < COUNT {
            let (rate, fairness) = (alone.rate, alone.fairness);
            println!(
                "  {writers:>7} {rate:>12.0} {:>9}   fairness on one hub {fairness:.2}",
                "-"
            );
            continue;
        }
        let spread = Run::of(hubs, writers, COUNT, lasts).await?;
        println!(
            "  {writers:>7} {:>12.0} {:>9.0}   {:>6.2} {:>8.2} {:>10} {:>8.2}   {:>5.2}",
            alone.rate,
            spread.rate,
            spread.rate / alone.rate,
            spread.attempts,
            spread.over,
            spread.fairness,
            0.5,
        );
    }
    Ok(())
}

/// What was seen of one load.
struct Run {
    /// Mutations a second.
    rate: f64,
    /// Times the store was asked, for each commit that it took; on Cassandra, times its replicas were
    /// asked by the store.
    attempts: f64,
    /// Commits that took more attempts than they should.
    over: f64,
    /// What the slowest writer got of its fair share.
    fairness: f64,
}

impl Run {
    async fn of(
        hubs: &Hubs,
        writers: usize,
        spread: usize,
        lasts: Duration,
    ) -> anyhow::Result<Run> {
        let user = format!("contended-{writers}-{spread}");
        let opening = (0..writers).map(|i| hubs.pusher(i % spread, &user, i));
        let mut pushers: Vec<Pusher> = try_join_all(opening).await?;
        load::fill(&mut pushers).await?;
        let before = Counts::read(hubs).await?;
        let (decided, took) = load::write(&mut pushers, lasts).await?;
        let counts = Counts::read(hubs).await?;

        let all = decided.iter().sum::<u64>() as f64;
        let least = decided.iter().min().copied().unwrap_or_default() as f64;
        let commits = counts.commits - before.commits;
        Ok(Run {
            rate: all / took,
            attempts: (counts.attempts - before.attempts) / commits * counts.of_engine(&before),
            over: commits - (counts.within - before.within),
            fairness: least * writers as f64 / all,
        })
    }
}

/// Of all hubs, since they began.
struct Counts {
    commits: f64,
    attempts: f64,
    /// Commits that took no more attempts than they should.
    within: f64,
    /// On Cassandra, commits that it was asked for, and conditional batches for them.
    engine: Option<(f64, f64)>,
}

impl Counts {
    /// Times that the engine asks for what it is asked once.
    fn of_engine(&self, before: &Counts) -> f64 {
        match (self.engine, before.engine) {
            (Some((commits, batches)), Some((commits_before, batches_before))) => {
                (batches - batches_before) / (commits - commits_before)
            }
            _ => 1.0,
        }
    }

    async fn read(hubs: &Hubs) -> anyhow::Result<Counts> {
        let within = format!("syncline_commit_attempts_bucket{{le=\"{ATTEMPTS_MAX}\"}}");
        Ok(Counts {
            commits: hubs.metric("syncline_commit_attempts_count").await?,
            attempts: hubs.metric("syncline_commit_attempts_sum").await?,
            within: hubs.metric(&within).await?,
            engine: match hubs.metric("syncline_cassandra_commits").await {
                Ok(commits) => {
                    let batches = hubs.metric("syncline_cassandra_commit_batches").await?;
                    Some((commits, batches))
                }
                Err(_) => None,
            },
        })
    }
}
