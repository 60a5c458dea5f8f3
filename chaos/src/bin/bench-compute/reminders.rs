//! How late reminders are: many users with one each, due evenly within a minute, and a few with nothing
//! else to do. On a hub of its own with SQLite.
//!
//! Some users have a socket open: of theirs is measured how long after it was due the notification
//! arrives, which is all that the hub does in between.

pub(crate) mod users;
mod watched;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use syncline_chaos::hub::Hub;
use syncline_hub::clock::{Clock, SystemClock};
use syncline_protocol::stamp::WallMs;

/// What an app asks for that has reminders.
const FILE: &str = "[app.todo.reminders]\n";

/// How long after the last is due everything must be told, in seconds.
pub(crate) const HUNG_S: u64 = 300;

/// How many.
#[derive(Clone, Debug, Args)]
pub(crate) struct Reminders {
    /// Users, each with a reminder due within the minute.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) users: usize,
    /// Of these one in so many has a socket open.
    #[arg(long, default_value_t = 100)]
    pub(crate) watched_of: usize,
    /// Seconds until the first is due: all must be written by then.
    #[arg(long, default_value_t = 240)]
    pub(crate) lead_s: u64,
    /// Seconds within which all are due.
    #[arg(long, default_value_t = 60)]
    pub(crate) within_s: u64,
    /// Users at low load, five a second.
    #[arg(long, default_value_t = 300)]
    pub(crate) few: usize,
    /// The hub.
    #[arg(long, default_value = "target/release/hub")]
    pub(crate) hub: PathBuf,
}

/// Measures both and prints the rows.
pub(crate) async fn measure(load: &Reminders) -> Result<()> {
    println!("\nlag of reminders in ms, from when they were due");
    let few = Load {
        users: load.few,
        watched_of: 1,
        lead_ms: 5_000,
        within_ms: load.few as u64 * 200,
    };
    run("five a second", load, &few).await?;
    let many = Load {
        users: load.users,
        watched_of: load.watched_of,
        lead_ms: load.lead_s * 1_000,
        within_ms: load.within_s * 1_000,
    };
    run("many at once", load, &many).await
}

/// One run.
pub(crate) struct Load {
    pub(crate) users: usize,
    pub(crate) watched_of: usize,
    pub(crate) lead_ms: u64,
    pub(crate) within_ms: u64,
}

impl Load {
    /// When a user's reminder is due.
    fn due_ms(&self, first_ms: WallMs, user: usize) -> WallMs {
        first_ms + user as u64 * self.within_ms / self.users as u64
    }
}

async fn run(name: &str, parts: &Reminders, load: &Load) -> Result<()> {
    let hub = Hub::start_of_file(&parts.hub, FILE).await?;
    let first_ms = SystemClock.now_ms() + load.lead_ms;
    let watched = watched::watch(&hub, load, first_ms).await?;
    users::write(&hub, load, first_ms).await?;
    let planned = "syncline_jobs_ended_total{how=\"done\",kind=\"reminder\"}";
    reach(&hub, planned, load.users, first_ms).await?;
    let left_ms = first_ms.saturating_sub(SystemClock.now_ms());
    ensure!(left_ms > 0, "the first is due already: raise --lead-s");
    let cpu_s = hub.cpu_s()?;
    let last_ms = first_ms + load.within_ms + HUNG_S * 1_000;
    reach(&hub, "syncline_notifications_total", load.users, last_ms).await?;
    let cpu_s = hub.cpu_s()? - cpu_s;
    let mut arrived = watched.lags().await?;
    print((name, load.users, cpu_s), &mut arrived);
    Ok(())
}

/// Waits until a metric is so much.
pub(crate) async fn reach(hub: &Hub, metric: &str, count: usize, until_ms: WallMs) -> Result<()> {
    while (hub.metric(metric).await? as usize) < count {
        let is_late = SystemClock.now_ms() > until_ms;
        ensure!(!is_late, "{metric} is {}", hub.metric(metric).await?);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(())
}

fn print((name, all, cpu_s): (&str, usize, f64), lags: &mut [u64]) {
    println!(
        "{name:<14} {all:>7}  {:>6} on a socket  {}   ({cpu_s:.0} s of processor)",
        lags.len(),
        spread(lags),
    );
}

/// How such are spread.
pub(crate) fn spread(lags: &mut [u64]) -> String {
    lags.sort_unstable();
    let at = |part: f64| {
        let last = lags.len().saturating_sub(1) as f64;
        lags.get((last * part) as usize).copied().unwrap_or(0)
    };
    let (half, most, max) = (at(0.5), at(0.99), at(1.0));
    format!("p50 {half:>6}  p99 {most:>6}  max {max:>6}")
}
