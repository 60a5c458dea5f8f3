//! What an engine does a second: `bench-storage [--engine sqlite|postgres|cassandra] [--seconds N]`.
//!
//! Commits of sessions through group commit, with marks, verdicts and a seq a field; beside each,
//! in the same run, the alternative an application would write by itself: one autocommitted insert
//! a change. Then pages of changes and snapshots by one reader, and bytes a record; then one space
//! that many write, and one that many read while it is written. The rows are printed as they are
//! measured.

mod alternative;
#[path = "../../../../tests/services/cassandra.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod cassandra;
mod commits;
mod cpu;
mod engine;
mod fill;
mod hot;
mod pages;
#[path = "../../../../tests/services/postgres.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod server;
mod space;
mod timing;

use std::time::Duration;

use clap::{Parser, ValueEnum};
use syncline_hub::memory::Allocator;

use self::engine::Engine;
use self::server::script;
use self::timing::Load;

/// The hub's.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    Sqlite,
    Postgres,
    /// With the server's own `commitlog_sync`, periodic: it answers before its disk has it.
    Cassandra,
    /// With `commitlog_sync: batch`.
    CassandraBatch,
}

impl Which {
    const ALL: [Which; 4] = [
        Which::Sqlite,
        Which::Postgres,
        Which::Cassandra,
        Which::CassandraBatch,
    ];

    /// Sessions at once, if nothing else is asked for.
    fn sessions(self) -> [usize; 4] {
        match self {
            Which::Sqlite | Which::Postgres => [1, 16, 256, 1_024],
            Which::Cassandra | Which::CassandraBatch => [1, 16, 64, 256],
        }
    }

    /// How long it is under load before it is measured: a JVM compiles what it runs often.
    fn warms_up(self) -> Option<Duration> {
        let is_jvm = matches!(self, Which::Cassandra | Which::CassandraBatch);
        is_jvm.then_some(Duration::from_secs(20))
    }
}

/// Measures engines.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only this engine.
    #[arg(long)]
    engine: Option<Which>,
    /// Seconds of each load.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Sessions at once; each engine's own without.
    #[arg(long, value_delimiter = ',')]
    sessions: Vec<usize>,
    /// Changes of a commit.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10])]
    changes: Vec<usize>,
    /// Groups that Postgres commits at once; the engine's default without.
    #[arg(long)]
    committers: Option<usize>,
    /// Without the alternative.
    #[arg(long)]
    alone: bool,
    /// What Cassandra's node is told besides, such as `paxos_variant=v2`.
    #[arg(long)]
    setting: Vec<String>,
    /// Have SQLite's writer make the checkpoints, every 4,000 pages, in place of a thread beside it.
    #[arg(long)]
    checkpoints_by_writer: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    for which in Which::ALL {
        if arguments.engine.is_none_or(|only| only == which) {
            measure(which, &arguments).await?;
        }
    }
    Ok(())
}

async fn measure(which: Which, arguments: &Arguments) -> anyhow::Result<()> {
    let engine = match which {
        Which::Sqlite => Engine::sqlite(arguments.checkpoints_by_writer).await?,
        Which::Postgres => Engine::postgres(arguments.committers).await?,
        Which::Cassandra => Engine::cassandra("periodic", &arguments.setting).await?,
        Which::CassandraBatch => Engine::cassandra("batch", &arguments.setting).await?,
    };
    println!("{which:?}: {} records", fill::RECORDS);
    fill::fill(&*engine.store).await?;
    engine.settle().await?;
    println!("  {:.0} bytes a record", engine.bytes_a_record().await?);
    let mut spaces = commits::spaces(&*engine.store).await?;
    if let Some(lasts) = which.warms_up() {
        let (sessions, changes) = (64, 1);
        let load = Load {
            sessions,
            changes,
            lasts,
        };
        commits::run(&engine.store, &mut spaces, load).await?;
    }
    println!(
        "  {:>8} {:>7} {:>10} {:>8} {:>8} {:>7} {:>7}   {:>10} {:>8} {:>8}   {:>5}",
        "sessions",
        "changes",
        "commits/s",
        "p50 ms",
        "p99 ms",
        "cpu us",
        "its",
        "inserts",
        "p50 ms",
        "p99 ms",
        "ratio"
    );
    let sessions = match &arguments.sessions[..] {
        [] => which.sessions().to_vec(),
        asked => asked.to_vec(),
    };
    for changes in &arguments.changes {
        for sessions in &sessions {
            let load = Load {
                sessions: *sessions,
                changes: *changes,
                lasts: Duration::from_secs(arguments.seconds),
            };
            let ours = commits::run(&engine.store, &mut spaces, load).await?;
            let (cpu_us, its_us) = ours.cpu_us().unwrap_or_default();
            print!("  {sessions:>8} {changes:>7} {ours} {cpu_us:>7.0} {its_us:>7.0}");
            if arguments.alone {
                println!();
                continue;
            }
            let theirs = alternative::run(&engine, load).await?;
            println!("   {theirs}   {:>5.2}", ours.rate() / theirs.rate());
        }
    }
    let lasts = Duration::from_secs(arguments.seconds);
    let pulled = pages::changes(&*engine.store, lasts).await?;
    println!("  {pulled:>9.0} records/s of changes, one reader");
    let shown = pages::snapshot(&*engine.store, lasts).await?;
    println!("  {shown:>9.0} records/s of a snapshot, one reader, as JSON");
    hot_space(&engine, lasts).await
}

/// Writers of one space, each as if on a node of its own, and readers beside one of them.
async fn hot_space(engine: &Engine, lasts: Duration) -> anyhow::Result<()> {
    println!(
        "  one space: writers  commits/s   p50 ms   p99 ms   tries   most   least of its share"
    );
    for writers in [1, 2, 4, 8] {
        let wrote = hot::writers(&engine.store, writers, lasts).await?;
        let (tries, most, least) = (wrote.tries, wrote.tries_max, wrote.least);
        let all = wrote.all;
        println!("             {writers:>7} {all} {tries:>7.2} {most:>6}   {least:>8.2}");
    }
    println!("  one space: readers  commits/s   p50 ms   p99 ms   pages/s");
    for readers in [0, 1, 16, 64] {
        let (all, pages) = hot::readers(&engine.store, readers, lasts).await?;
        println!("             {readers:>7} {all} {pages:>9.0}");
    }
    Ok(())
}
