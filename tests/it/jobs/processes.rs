//! Jobs of real programs, which end as programs do.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use syncline_tests::device::Device;
use syncline_tests::endpoint::{Endpoint, Reply};
use syncline_tests::hub_process::HubProcess;

use super::{SECRET, insert};
use crate::cluster::processes::{end, token};
use crate::cluster::server::Server as Nats;
use crate::postgres::server::Server as Postgres;
use crate::process::hub;

/// What an operator would write: every new task is posted. Whoever lost a job in the middle has it
/// back soon.
fn write_config(dir: &Path, endpoint: &Endpoint) {
    let url = &endpoint.url;
    let text = format!(
        r#"
        [jobs]
        lease_ms = 5000
        retry_first_ms = 10

        [webhooks.llm]
        url = "{url}"
        secret = "{SECRET}"
        private = true

        [[app.todo.triggers]]
        id = "tell"
        table = "tasks"
        when = "insert"
        job = "webhook"
        args = {{to = "llm", data = "$after"}}
        "#
    );
    std::fs::write(dir.join("hub.toml"), text).unwrap();
}

async fn start(command: Command) -> HubProcess {
    let started = tokio::task::spawn_blocking(move || HubProcess::start(command));
    started.await.unwrap()
}

fn summary() -> Reply {
    let change = json!({"table": "tasks", "id": "k1", "op": "update",
        "fields": {"summary": {"value": "milk"}}});
    Reply::With(200, json!({"changes": [change]}))
}

/// A program without a line to read: it takes no connections.
struct Plain(Child);

impl Drop for Plain {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The promise about jobs: a job that was begun by a process that is no more is done by another one,
/// and takes effect once.
#[tokio::test]
async fn a_job_whose_process_is_killed_is_done_by_the_next() {
    let (endpoint, dir) = (Endpoint::start().await, tempfile::tempdir().unwrap());
    write_config(dir.path(), &endpoint);
    endpoint.reply(Reply::Never);
    endpoint.reply(summary());
    let first = start(hub(dir.path(), &["serve", "--dev"])).await;
    let mut phone = Device::new("ada", "phone");
    phone.connect_at(first.public, &token(&first).await).await;
    phone.edit(&insert("k1", &json!({"title": "Buy milk"})));
    phone.push().await;
    endpoint.until_posted(1).await;
    assert_eq!(end(first, "KILL").await, None);
    phone.disconnect();

    let second = start(hub(dir.path(), &["serve", "--dev"])).await;
    phone.connect_at(second.public, &token(&second).await).await;
    phone.reach(2).await;
    let shown = phone.shows("tasks", "k1").unwrap();
    assert_eq!(shown, json!({"title": "Buy milk", "summary": "milk"}));
    let posted = endpoint.posted();
    assert_eq!(posted.len(), 2);
    assert_eq!(
        (posted[0].id(), posted[1].event()["attempt"].as_u64()),
        (posted[1].id(), Some(2))
    );
    end(second, "TERM").await;
}

/// One takes the devices, the other one does the work, and only the bus and the store are between
/// them.
#[tokio::test]
async fn jobs_are_done_in_a_process_of_their_own() {
    let (endpoint, database) = (Endpoint::start().await, Postgres::shared().database().await);
    let bus = Nats::start();
    endpoint.reply(summary());
    let command = |dir: &Path, name: &str, args: &[&str]| {
        write_config(dir, &endpoint);
        let mut command = hub(dir, args);
        command
            .env("HUB__STORE__URL", database.url())
            .env("HUB__NATS__URL", bus.url())
            .env("HUB__NODE", name)
            // Longer than this waits: only the bus wakes whoever does jobs.
            .env("HUB__JOBS__POLL_MS", "60000");
        command
    };
    let dirs = ["sync", "compute"].map(|_| tempfile::tempdir().unwrap());
    let args = ["serve", "--dev", "--roles", "sync"];
    let sync = start(command(dirs[0].path(), "sync", &args)).await;
    let mut phone = Device::new("ada", "phone");
    phone.connect_at(sync.public, &token(&sync).await).await;
    phone.edit(&insert("k1", &json!({"title": "Buy milk"})));
    phone.push().await;

    let mut compute = command(dirs[1].path(), "compute", &["serve", "--roles", "compute"]);
    let compute = compute.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let compute = Plain(compute.unwrap());
    phone.reach(2).await;
    assert_eq!(phone.shows("tasks", "k1").unwrap()["summary"], "milk");
    assert_eq!(endpoint.posted().len(), 1);
    // It has looked at the store: what is put from now on is heard of.
    phone.edit(&insert("k2", &json!({"title": "Buy bread"})));
    phone.push().await;
    let posted = tokio::time::timeout(Duration::from_secs(30), endpoint.until_posted(2));
    posted.await.expect("the bus wakes whoever does jobs");
    drop(compute);
    end(sync, "TERM").await;
}
