//! Measures three hub processes on one database and one NATS server: `make bench-cluster`.
//!
//! Everything shares this machine: the hubs, both servers and the loader, which is one thread.

#[path = "../../../../tests/services/cassandra.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod cassandra;
#[path = "../bench-sockets/client.rs"]
#[allow(dead_code, reason = "the other bench uses more of it")]
mod client;
mod contention;
mod delays;
mod hubs;
mod load;
#[path = "../../../../tests/services/nats.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod nats;
#[path = "../../../../tests/services/postgres.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod postgres;
#[path = "../bench-sockets/pusher.rs"]
mod pusher;

use std::path::PathBuf;

use clap::Parser;

use self::hubs::{COUNT, Database, Hubs};
// Where `nats` looks for it.
use self::postgres::script;

/// Measures hubs that serve the same users.
#[derive(Debug, Parser)]
struct Args {
    /// The program.
    #[arg(long, default_value = "target/release/hub")]
    hub: PathBuf,
    /// Where the hubs keep what they are told. Delays are measured where there are three.
    #[arg(long, value_enum, default_value_t = Database::Postgres)]
    store: Database,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Only measurements whose name holds this.
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, run(&args))
}

async fn run(args: &Args) -> anyhow::Result<()> {
    let hubs = Hubs::start(&args.hub, args.store).await?;
    if hubs.count() == COUNT && "delays".contains(&args.only) {
        delays::measure(&hubs, args.seconds).await?;
    }
    if "contention".contains(&args.only) {
        contention::measure(&hubs, args.seconds).await?;
    }
    Ok(())
}
