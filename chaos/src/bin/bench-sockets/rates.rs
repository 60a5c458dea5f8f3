//! What open sockets cost in time: resting, being told.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::fleet::{Fleet, Users, tokens, until};
use crate::goal::at_most;
use syncline_chaos::hub::Hub;

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
        "{count} resting sockets with a 25 s ping: us of CPU a socket-second {}",
        at_most(cpu * 1e6 / socket_seconds, 2.0)
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
    for (batch, what, us_max) in [(1, "one at a time", 6.0), (16, "16 in flight", 3.0)] {
        fleet.seen.delays_ms.borrow_mut().clear();
        fleet.seen.deltas.set(0);
        let (cpu, began) = (hub.cpu_s()?, Instant::now());
        for round in 1..=rounds {
            for _ in 0..batch {
                fleet.clients[0].push_timed(&"x".repeat(120)).await?;
            }
            // Every socket is told every change before the next round, so none is late.
            let (seen, awaited) = (fleet.seen.clone(), count * batch * round);
            until("deltas", || seen.delays_ms.borrow().len() >= awaited).await?;
        }
        let (cpu, took) = (hub.cpu_s()? - cpu, began.elapsed().as_secs_f64());
        let messages = fleet.seen.deltas.get() as f64;
        let told = fleet.told();
        println!(
            "fan-out to {count} sockets of one space, {what}: {:.0} deliveries/s in {messages:.0} \
             messages, us of CPU a delivery {}, {told}",
            (count * rounds * batch) as f64 / took,
            at_most(cpu * 1e6 / (count * rounds * batch) as f64, us_max),
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
    for client in &fleet.clients {
        client.push_timed(&"x".repeat(120)).await?;
    }
    let seen = fleet.seen.clone();
    until("deltas", || seen.delays_ms.borrow().len() >= count).await?;
    let (cpu, took) = (hub.cpu_s()? - cpu, began.elapsed().as_secs_f64());
    println!(
        "{count} changes in {count} spaces, stored and told: {:.0} deliveries/s, {:.0} us of CPU \
         each with the commit, {}",
        count as f64 / took,
        cpu * 1e6 / count as f64,
        fleet.told(),
    );
    Ok(())
}
