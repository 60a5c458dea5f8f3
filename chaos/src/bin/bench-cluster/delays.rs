//! From a write on one hub to the user's device on another: at rest, and at half of what all hubs
//! together take.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::bail;
use syncline_chaos::quantile;

use crate::client::{Client, NOTHING, Seen, Who};
use crate::hubs::{COUNT, Hubs, client};
use crate::load;
use crate::pusher::Pusher;

/// Users, each with a device on two hubs.
const USERS: usize = 96;

/// Writes a second of all users together, at rest.
const AT_REST: f64 = 50.0;

/// The aim of the 99th percentile at half load.
const GOAL_MS: f64 = 15.0;

/// Longest wait for something that must happen.
const HUNG: Duration = Duration::from_secs(60);

pub(crate) async fn measure(hubs: &Hubs, seconds: u64) -> anyhow::Result<()> {
    let lasts = Duration::from_secs(seconds);
    let most = most(hubs, lasts).await?;
    println!("3 hubs, {USERS} users, one write each at a time: {most:.0} writes/s");
    for (load, rate) in [("at rest", AT_REST), ("at half load", most / 2.0)] {
        let mut delays_ms = at(hubs, rate, lasts).await?;
        delays_ms.sort_by(f64::total_cmp);
        println!(
            "write to the device on another hub, {load} ({rate:.0}/s): p50 {:.2} ms, p99 {:.2} ms \
             (goal at half load {GOAL_MS}; {} writes)",
            quantile(&delays_ms, 0.5),
            quantile(&delays_ms, 0.99),
            delays_ms.len(),
        );
    }
    Ok(())
}

/// Writes a second of users that write as fast as they are answered, with a device that listens
/// on another hub each.
async fn most(hubs: &Hubs, lasts: Duration) -> anyhow::Result<f64> {
    let seen = Rc::<Seen>::default();
    let (mut pushers, mut listeners) = (Vec::<Pusher>::new(), Vec::new());
    for user in 0..USERS {
        let name = format!("fast-{user}");
        pushers.push(hubs.pusher(user % COUNT, &name, 0).await?);
        listeners.push(open(hubs, (user + 1) % COUNT, &name, 1, &seen).await?);
    }
    load::fill(&mut pushers).await?;
    let (decided, took) = load::write(&mut pushers, lasts).await?;
    Ok(decided.iter().sum::<u64>() as f64 / took)
}

/// The delays of writes that come evenly, whatever became of those before, in ms.
async fn at(hubs: &Hubs, rate: f64, lasts: Duration) -> anyhow::Result<Vec<f64>> {
    let seen = Rc::<Seen>::default();
    let (mut writers, mut listeners) = (Vec::new(), Vec::new());
    for user in 0..USERS {
        let name = format!("even-{rate:.0}-{user}");
        writers.push(open(hubs, user % COUNT, &name, 0, &Rc::default()).await?);
        listeners.push(open(hubs, (user + 1) % COUNT, &name, 1, &seen).await?);
    }
    wait(|| seen.ready.get() == USERS as u64).await?;
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    let began = Instant::now();
    let mut sent = 0;
    while began.elapsed() < lasts {
        ticks.tick().await;
        writers[sent % USERS]
            .push_timed("a title of some length")
            .await?;
        sent += 1;
    }
    wait(|| seen.delays_ms.borrow().len() == sent).await?;
    drop(listeners);
    Ok(seen.delays_ms.take())
}

async fn open(
    hubs: &Hubs,
    hub: usize,
    user: &str,
    device: usize,
    seen: &Rc<Seen>,
) -> anyhow::Result<Client> {
    let (token, client) = (hubs.token(hub, user).await?, client(device));
    let who = Who {
        token: &token,
        client: &client,
        cursor: NOTHING,
    };
    let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Client::open(hubs.address(hub)?, from, &who, seen).await
}

async fn wait(until: impl Fn() -> bool) -> anyhow::Result<()> {
    let began = Instant::now();
    while !until() {
        if began.elapsed() > HUNG {
            bail!("it did not happen");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
