//! Changesets in, verdicts out: what a push costs the hub without a disk under it.
//!
//! Each socket has a space of its own and keeps so many mutations undecided. The hub is a process
//! of its own, so its CPU time is its side's alone, kernel included.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use syncline_chaos::hub::Hub;

use crate::client::{NOTHING, Who};
use crate::fleet::{Users, tokens};
use crate::goal::at_least;
use crate::pusher::{PUSH_BYTES, Pusher, RECORDS};

/// Each has a space of its own.
const CLIENT: &str = "0b0f5c1e-5b1f-4a51-9b1f-000000000001";

pub(crate) async fn measure(
    program: &Path,
    sockets: usize,
    (in_flight, seconds): (u64, u64),
) -> anyhow::Result<()> {
    let hub = Hub::start(program).await?;
    let address: SocketAddr = hub.address.parse()?;
    let tokens = tokens(&hub, Users::Distinct, 0..sockets).await?;
    let opening = tokens.iter().map(async |token| {
        let who = Who {
            token,
            client: CLIENT,
            cursor: NOTHING,
        };
        Pusher::open(address, &who).await
    });
    let mut pushers: Vec<Pusher> = try_join_all(opening).await?;
    // Once over all records, so that what is measured are updates of cached ones.
    let all = pushers.iter_mut().map(|pusher| pusher.until(RECORDS, 16));
    try_join_all(all).await?;
    let (cpu, began) = (hub.cpu_s()?, Instant::now());
    let end = began + Duration::from_secs(seconds);
    let all = pushers.iter_mut().map(async |pusher| {
        let before = pusher.decided;
        while Instant::now() < end {
            pusher.round(in_flight).await?;
        }
        anyhow::Ok(pusher.decided - before)
    });
    let pushes: u64 = try_join_all(all).await?.into_iter().sum();
    let (cpu, took) = (hub.cpu_s()? - cpu, began.elapsed().as_secs_f64());
    println!(
        "pushes of {PUSH_BYTES} bytes over {sockets} sockets, {in_flight} in flight on each: \
         {:.0}/s, {:.1} us of CPU each: {}/s a core",
        pushes as f64 / took,
        cpu * 1e6 / pushes as f64,
        at_least(pushes as f64 / cpu, pushes_min(in_flight)),
    );
    Ok(())
}

/// Pushes a second of a core that should be decided, with so many in flight on a socket.
fn pushes_min(in_flight: u64) -> f64 {
    if in_flight < 16 { 100_000.0 } else { 500_000.0 }
}
