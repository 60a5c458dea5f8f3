//! How late reminders are: many users with one each, due evenly within a minute, and a few with nothing
//! else to do. On a hub of its own with SQLite.
//!
//! Of all of them is read, afterwards and from the store, how long after it was due each was planned.
//! Some users have a socket open, and of theirs is measured when the notification arrives.

mod users;
mod watched;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use syncline_chaos::hub::Hub;
use syncline_hub::clock::{Clock, SystemClock};
use syncline_protocol::delta::write_data;
use syncline_protocol::ids::TableName;
use syncline_protocol::stamp::{Hlc, WallMs};
use syncline_storage::Store;
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use syncline_storage::types::PageLimit;

/// What an app asks for that has reminders.
const FILE: &str = "[app.todo.reminders]\n";

/// How long after the last is due everything must be told, in seconds.
const HUNG_S: u64 = 300;

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
struct Load {
    users: usize,
    watched_of: usize,
    lead_ms: u64,
    within_ms: u64,
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
    let dir = hub.stop().await?;
    let mut planned = planned_lags(&dir.path().join("data/hub.db")).await?;
    ensure!(planned.len() == load.users, "{} were told", planned.len());
    let all = load.users;
    print("planned", (name, all, cpu_s), &mut planned);
    print("on a socket", (name, all, cpu_s), &mut arrived);
    Ok(())
}

/// Waits until a metric is so much.
async fn reach(hub: &Hub, metric: &str, count: usize, until_ms: WallMs) -> Result<()> {
    while (hub.metric(metric).await? as usize) < count {
        let is_late = SystemClock.now_ms() > until_ms;
        ensure!(!is_late, "{metric} is {}", hub.metric(metric).await?);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(())
}

fn print(what: &str, (name, all, cpu_s): (&str, usize, f64), lags: &mut [u64]) {
    lags.sort_unstable();
    let at = |part: f64| lags[((lags.len() - 1) as f64 * part) as usize];
    println!(
        "{name:<14} {all:>7}  {what:<12} {:>6} of them  p50 {:>6}  p99 {:>6}  max {:>6}   ({cpu_s:.0} s of processor)",
        lags.len(),
        at(0.5),
        at(0.99),
        at(1.0),
    );
}

/// Of everything that was told, how long after it was due it was planned.
async fn planned_lags(path: &std::path::Path) -> Result<Vec<u64>> {
    let store = SqliteStore::open(&SqliteOptions::new(path.to_owned()))?;
    let tables = [TableName::trusted("@notifications")];
    let limit = PageLimit {
        records: 100,
        bytes: 1 << 20,
    };
    let (mut lags, mut after) = (Vec::new(), None);
    loop {
        let spaces = store.spaces(after.as_ref(), 1_000).await?;
        let Some(last) = spaces.last().cloned() else {
            return Ok(lags);
        };
        for space in spaces {
            let page = store.snapshot(&space, Some(&tables), None, limit).await?;
            for (_, record) in page.records {
                let mut text = String::new();
                write_data(&mut text, &record);
                lags.extend(lags_of(&text)?);
            }
        }
        after = Some(last);
    }
}

/// How late the items of a notification were.
fn lags_of(text: &str) -> Result<Vec<u64>> {
    let told: serde_json::Value = serde_json::from_str(text)?;
    let ms = |value: &serde_json::Value| -> Result<WallMs> {
        let text = value.as_str().context("a time")?;
        Ok(Hlc::parse(text).ok().context("a time")?.wall_ms())
    };
    let at_ms = ms(&told["at"])?;
    let items = told["items"].as_array().context("items")?;
    items
        .iter()
        .map(|item| Ok(at_ms - ms(&item["due"])?))
        .collect()
}
