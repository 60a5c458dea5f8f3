//! Measures a real hub process over loopback: `make bench-http`.
//!
//! One thread of load beside the hub, keep-alive connections written by hand, so that most of
//! the two cores is the hub's. Every figure is of one run; docs/figures.md has them.

mod notice;
mod pulls;
mod snapshots;
mod starts;
mod syncs;

use std::path::PathBuf;

use clap::Parser;

/// Measures a hub.
#[derive(Debug, Parser)]
struct Args {
    /// The program.
    #[arg(long, default_value = "target/release/hub")]
    hub: PathBuf,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        starts::measure(&args.hub).await?;
        syncs::measure(&args.hub, args.seconds).await?;
        notice::measure(&args.hub, args.seconds).await?;
        pulls::measure(&args.hub, args.seconds).await?;
        snapshots::measure(&args.hub, args.seconds).await
    })
}
