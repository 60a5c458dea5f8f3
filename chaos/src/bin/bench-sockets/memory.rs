//! Bytes a socket, by a slope over three counts; and whether they come back.

use std::path::Path;
use std::time::Duration;

use syncline_chaos::hub::{Hub, kib_of};

use crate::fleet::{Fleet, Users, tokens, until, until_gauge};
use crate::goal::at_most;

/// Allocators give memory back with a delay.
const SETTLING: Duration = Duration::from_secs(12);

/// Of so few sockets nobody wants the bytes.
const SMALL: usize = 1_000;

/// What a socket may cost whose session sleeps, and one whose session runs with twenty records.
const ASLEEP_BYTES_MAX: f64 = 1_200.0;
const AWAKE_BYTES_MAX: f64 = 9_000.0;

/// Pushes of each socket in a burst, each of some 1,100 bytes that are also told back.
const BURST_PUSHES: u64 = 8;

/// What is measured at one count of sockets, in bytes.
pub(crate) struct Point {
    sockets: f64,
    pub(crate) rss: f64,
    pss: f64,
    pub(crate) allocated: f64,
    kernel: f64,
}

impl Point {
    pub(crate) async fn take(hub: &Hub, sockets: usize) -> anyhow::Result<Point> {
        if sockets >= SMALL {
            tokio::time::sleep(SETTLING).await;
        }
        let meminfo = std::fs::read_to_string("/proc/meminfo")?;
        let sockstat = std::fs::read_to_string("/proc/net/sockstat")?;
        let pages = sockstat
            .lines()
            .find(|line| line.starts_with("TCP:"))
            .and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(Point {
            sockets: sockets as f64,
            rss: hub.memory("status", "VmRSS")?,
            pss: hub.memory("smaps_rollup", "Pss:")?,
            allocated: hub.metric("syncline_memory_allocated_bytes").await?,
            kernel: kib_of(&meminfo, "Slab:")? * 1024.0 + pages.unwrap_or(0.0) * 4096.0,
        })
    }
}

impl Point {
    /// What so many sockets come to on the line through some points.
    fn on_line(points: &[Point], sockets: f64) -> Point {
        let at = |of: fn(&Point) -> f64| {
            let mean =
                |of: fn(&Point) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
            mean(of) + slope(points, of) * (sockets - mean(|p| p.sockets))
        };
        Point {
            sockets,
            rss: at(|p| p.rss),
            pss: at(|p| p.pss),
            allocated: at(|p| p.allocated),
            kernel: at(|p| p.kernel),
        }
    }

    /// RSS and allocated bytes, and how many of each a socket came to since.
    fn beside(&self, before: &Point) -> String {
        let more = |now: f64, then: f64| (now - then) / self.sockets;
        format!(
            "RSS {:.1} MiB, before {:.1}: {:+.0} B a socket; allocated {:+.0} B a socket (goal: as before)",
            self.rss / 1_048_576.0,
            before.rss / 1_048_576.0,
            more(self.rss, before.rss),
            more(self.allocated, before.allocated),
        )
    }
}

pub(crate) fn slope(points: &[Point], of: impl Fn(&Point) -> f64) -> f64 {
    let n = points.len() as f64;
    let mean_x = points.iter().map(|p| p.sockets).sum::<f64>() / n;
    let mean_y = points.iter().map(&of).sum::<f64>() / n;
    let over: f64 = points
        .iter()
        .map(|p| (p.sockets - mean_x) * (of(p) - mean_y))
        .sum();
    let under: f64 = points.iter().map(|p| (p.sockets - mean_x).powi(2)).sum();
    over / under
}

fn show(what: &str, points: &[Point], bytes_max: f64) {
    println!(
        "{what}: bytes a socket: allocated {}, RSS {}, Pss {}; kernel {:.0} B a pair of ends",
        at_most(slope(points, |p| p.allocated), bytes_max),
        at_most(slope(points, |p| p.rss), bytes_max),
        at_most(slope(points, |p| p.pss), bytes_max),
        slope(points, |p| p.kernel),
    );
    for p in points {
        println!(
            "    {:>6} sockets: RSS {:.1} MiB, allocated {:.1} MiB",
            p.sockets,
            p.rss / 1_048_576.0,
            p.allocated / 1_048_576.0
        );
    }
}

/// Sleeping sessions, one socket each.
pub(crate) async fn asleep(program: &Path, counts: &[usize]) -> anyhow::Result<()> {
    // What sockets cost, and not what caches may hold: that of records, and SQLite's of pages.
    let settings = [
        ("SESSION__IDLE_MS", "1000"),
        ("SESSION__CACHE_BYTES", "0"),
        ("STORE__SQLITE_CACHE_KIB", "256"),
    ];
    let hub = Hub::start_with(program, &settings).await?;
    let mut fleet = Fleet::new();
    let mut points = Vec::new();
    for &count in counts {
        let tokens = tokens(&hub, Users::Distinct, fleet.clients.len()..count).await?;
        fleet.open(&hub, &tokens).await?;
        until_gauge(&hub, "syncline_sessions", 0.0).await?;
        points.push(Point::take(&hub, count).await?);
    }
    show("asleep, a session each", &points, ASLEEP_BYTES_MAX);
    let Some(before) = points.last() else {
        return Ok(());
    };
    let (count, seen) = (fleet.clients.len(), fleet.seen.clone());
    for client in &fleet.clients {
        client.push(1, "changed").await?;
    }
    until("every socket's change", || {
        seen.deltas.get() == count as u64
    })
    .await?;
    until_gauge(&hub, "syncline_sessions", 0.0).await?;
    let after = Point::take(&hub, count).await?;
    println!("after each got one change: {}", after.beside(before));
    for client in &fleet.clients {
        for _ in 0..BURST_PUSHES {
            client.push(4, &"x".repeat(250)).await?;
        }
    }
    let verdicts = count as u64 * (1 + BURST_PUSHES);
    until("every socket's verdicts", || seen.answers.get() >= verdicts).await?;
    until_gauge(&hub, "syncline_sessions", 0.0).await?;
    let burst = Point::take(&hub, count).await?;
    println!("after a burst to all of them: {}", burst.beside(before));
    // What as many sockets came to on the way up.
    let expected = Point::on_line(&points, (count / 10) as f64);
    fleet.keep(count / 10);
    until_gauge(&hub, "syncline_sockets", (count / 10) as f64).await?;
    let tenth = Point::take(&hub, count / 10).await?;
    println!("after nine of ten left: {}", tenth.beside(&expected));
    Ok(())
}

/// Running sessions, one socket and twenty cached records each.
pub(crate) async fn awake(program: &Path, counts: &[usize]) -> anyhow::Result<()> {
    let settings = [
        ("SESSION__IDLE_MS", "3600000"),
        ("SESSION__CACHE_BYTES", "4000000000"),
        ("STORE__SQLITE_CACHE_KIB", "256"),
    ];
    let hub = Hub::start_with(program, &settings).await?;
    let mut fleet = Fleet::new();
    let mut points = Vec::new();
    for &count in counts {
        let first = fleet.clients.len();
        let tokens = tokens(&hub, Users::Distinct, first..count).await?;
        fleet.open(&hub, &tokens).await?;
        for client in &fleet.clients[first..] {
            client.push(20, "Buy a loaf of bread and some milk").await?;
        }
        let seen = fleet.seen.clone();
        until("every socket's verdict", || {
            seen.verdicts.get() == count as u64
        })
        .await?;
        points.push(Point::take(&hub, count).await?);
    }
    let what = "awake with 20 cached records, a session each";
    show(what, &points, AWAKE_BYTES_MAX);
    Ok(())
}
