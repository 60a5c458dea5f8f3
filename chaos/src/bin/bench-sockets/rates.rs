//! What sockets cost in time: opening, resting, being told.

use std::path::Path;
use std::time::{Duration, Instant};

use syncline_chaos::hub::Hub;
use syncline_chaos::quantile;

use crate::fleet::{Fleet, Users, tokens, until};

/// Accept, upgrade, verify, welcome.
pub(crate) async fn opening(program: &Path, count: usize) -> anyhow::Result<()> {
    let hub = Hub::start(program).await?;
    // One user's sockets would share a session; these do not, but the spaces exist.
    let tokens = tokens(&hub, Users::Distinct, 0..count).await?;
    let mut fleet = Fleet::new();
    fleet.open(&hub, &tokens).await?;
    fleet.keep(0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut fleet = Fleet::new();
    let cpu = hub.cpu_s()?;
    let took = fleet.open(&hub, &tokens).await?;
    let cpu = hub.cpu_s()? - cpu;
    println!(
        "opened {count} sockets at {:.0}/s, {:.0} us of CPU each: {:.0}/s a core",
        count as f64 / took.as_secs_f64(),
        cpu * 1e6 / count as f64,
        count as f64 / cpu,
    );
    Ok(())
}

/// Pings and nothing else.
pub(crate) async fn resting(program: &Path, count: usize, seconds: u64) -> anyhow::Result<()> {
    let settings = [("SESSION__IDLE_MS", "1000"), ("GATEWAY__PING_MS", "25000")];
    let hub = Hub::start_with(program, &settings).await?;
    let tokens = tokens(&hub, Users::Distinct, 0..count).await?;
    let mut fleet = Fleet::new();
    fleet.open(&hub, &tokens).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (cpu, began) = (hub.cpu_s()?, Instant::now());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let cpu = hub.cpu_s()? - cpu;
    let socket_seconds = count as f64 * began.elapsed().as_secs_f64();
    println!(
        "{count} resting sockets with a 25 s ping: {:.2} us of CPU a socket-second",
        cpu * 1e6 / socket_seconds
    );
    Ok(())
}

/// One change at a time to all sockets of one space.
pub(crate) async fn fan_out(program: &Path, count: usize, rounds: usize) -> anyhow::Result<()> {
    let most = count.to_string();
    let settings = [("GATEWAY__SOCKETS_PER_USER_MAX", most.as_str())];
    let hub = Hub::start_with(program, &settings).await?;
    let tokens = tokens(&hub, Users::One, 0..count).await?;
    let mut fleet = Fleet::new();
    fleet.open(&hub, &tokens).await?;
    for (batch, what) in [(1, "one at a time"), (16, "16 in flight")] {
        fleet.seen.delays_ms.borrow_mut().clear();
        fleet.seen.deltas.set(0);
        let (cpu, began) = (hub.cpu_s()?, Instant::now());
        for _ in 0..rounds {
            let awaited = fleet.seen.deltas.get() + count as u64;
            fleet.seen.sent_at.set(Some(Instant::now()));
            for _ in 0..batch {
                fleet.clients[0].push(1, &"x".repeat(120)).await?;
            }
            let seen = fleet.seen.clone();
            until("deltas", || seen.deltas.get() >= awaited).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (cpu, took) = (hub.cpu_s()? - cpu, began.elapsed().as_secs_f64());
        let deltas = fleet.seen.deltas.get() as f64;
        let mut ms = fleet.seen.delays_ms.borrow().clone();
        ms.sort_by(f64::total_cmp);
        println!(
            "fan-out to {count} sockets of one space, {what}: {:.0} messages/s, {:.1} us of CPU \
             a message, {:.1} a change and socket, p50 {:.1} ms, p99 {:.1} ms",
            deltas / took,
            cpu * 1e6 / deltas,
            cpu * 1e6 / (count * rounds * batch) as f64,
            quantile(&ms, 0.5),
            quantile(&ms, 0.99),
        );
    }
    Ok(())
}

/// A change in each of many spaces.
pub(crate) async fn spread(program: &Path, count: usize) -> anyhow::Result<()> {
    let hub = Hub::start(program).await?;
    let tokens = tokens(&hub, Users::Distinct, 0..count).await?;
    let mut fleet = Fleet::new();
    fleet.open(&hub, &tokens).await?;
    let (cpu, began) = (hub.cpu_s()?, Instant::now());
    fleet.seen.sent_at.set(Some(began));
    for client in &fleet.clients {
        client.push(1, &"x".repeat(120)).await?;
    }
    let seen = fleet.seen.clone();
    until("deltas", || seen.deltas.get() == count as u64).await?;
    let (cpu, took) = (hub.cpu_s()? - cpu, began.elapsed().as_secs_f64());
    println!(
        "{count} changes in {count} spaces, stored: {:.0}/s, {:.0} us of CPU each",
        count as f64 / took,
        cpu * 1e6 / count as f64
    );
    Ok(())
}
