//! Measures the sockets of a real hub process over loopback: `make bench-sockets`.
//!
//! One thread of load beside the hub, on as many loopback addresses as its ports need. Hub and
//! loader may each have some 20,000 files open.

mod client;
mod encrypted;
mod fleet;
mod goal;
mod memory;
mod opening;
mod pusher;
mod pushes;
mod rates;

use std::path::PathBuf;

use clap::Parser;

/// Measures a hub's sockets.
#[derive(Debug, Parser)]
struct Args {
    /// The program.
    #[arg(long, default_value = "target/release/hub")]
    hub: PathBuf,
    /// The same hub with a store in memory, for what is measured without a disk.
    #[arg(long, default_value = "target/release/memory-hub")]
    memory_hub: PathBuf,
    /// Only measurements whose name holds this.
    #[arg(long, default_value = "")]
    only: String,
    /// Seconds of each measurement that runs for a time.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// A hundredth of the sockets, to see that it works.
    #[arg(long)]
    small: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, run(&args))
}

async fn run(args: &Args) -> anyhow::Result<()> {
    let scaled = |count: usize| if args.small { count / 100 } else { count };
    let wanted = |name: &str| name.contains(&args.only);
    let hub = &args.hub;
    if wanted("asleep") {
        memory::asleep(hub, &[3_000, 9_000, 15_000].map(scaled)).await?;
    }
    if wanted("awake") {
        memory::awake(hub, &[3_000, 9_000, 15_000].map(scaled)).await?;
    }
    if wanted("opening") {
        opening::measure(hub, scaled(10_000)).await?;
    }
    if wanted("resting") {
        let seconds = if args.small { 1 } else { 50 };
        rates::resting(hub, scaled(15_000), seconds).await?;
    }
    if wanted("fan-out") {
        rates::fan_out(hub, scaled(1_000), 50).await?;
        rates::fan_out(hub, scaled(10_000), 10).await?;
    }
    if wanted("spread") {
        rates::spread(hub, scaled(10_000)).await?;
    }
    if wanted("push") {
        for in_flight in [1, 16] {
            pushes::measure(&args.memory_hub, 64, (in_flight, args.seconds)).await?;
        }
    }
    if wanted("encrypted") {
        encrypted::measure(hub, &[1_000, 2_000, 3_000].map(scaled)).await?;
    }
    Ok(())
}
