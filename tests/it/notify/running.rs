//! A real hub with reminders, as an operator runs it, and one user who asks it things.

use std::path::Path;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use syncline_hub::clock::{Clock, SystemClock};
use syncline_protocol::stamp::wall_text;
use syncline_tests::HUNG;
use syncline_tests::device::Device;
use syncline_tests::hub_process::HubProcess;

use super::firing::reminder;
use crate::cluster::KEY;
use crate::cluster::processes::{end, token};
use crate::process::hub;

/// The process, and ada.
pub(super) struct Running {
    hub: HubProcess,
    token: String,
    http: Client,
}

impl Running {
    /// Runs in a directory, by this `hub.toml` and these variables; its log is the file `log` there.
    pub(super) async fn start(dir: &Path, config: &str, variables: &[(&str, &str)]) -> Running {
        std::fs::write(dir.join("hub.toml"), config).unwrap();
        let mut command = hub(dir, &["serve", "--dev"]);
        command
            .env("HUB__AUTH__SERVICE_KEY", KEY)
            .envs(variables.iter().copied())
            .stderr(std::fs::File::create(dir.join("log")).unwrap());
        let started = tokio::task::spawn_blocking(move || HubProcess::start_logging(command));
        let hub = started.await.unwrap();
        let token = token(&hub).await;
        Running {
            hub,
            token,
            http: Client::new(),
        }
    }

    /// Registers a device of hers.
    pub(super) async fn register(&self, device: &Value) -> Value {
        let url = format!("http://{}/api/v1/devices", self.hub.public);
        let request = self.http.post(url).body(device.to_string());
        answer(request.bearer_auth(&self.token)).await
    }

    /// Has her reminded now, of a task by its name.
    pub(super) async fn remind(&self, task: &str) {
        let mut phone = Device::new("ada", task);
        phone.connect_at(self.hub.public, &self.token).await;
        let due = wall_text(SystemClock.now_ms());
        phone.edit(&reminder(task, &json!({"title": task, "remindAt": due})));
        phone.push().await;
    }

    /// What she was told last, as an operator sees it.
    pub(super) async fn last(&self) -> Value {
        let url = format!("http://{}/api/v1/admin/notifications/ada", self.hub.admin);
        let all = answer(self.http.get(url).header("x-service-key", KEY)).await;
        all["notifications"][0].clone()
    }

    /// The same once something is so.
    pub(super) async fn last_once(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let looking = async {
            loop {
                let last = self.last().await;
                if is_so(&last) {
                    return last;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let found = tokio::time::timeout(HUNG, looking).await;
        found.expect("it never comes true")
    }

    /// How many notifications were given up as jobs, which is none.
    pub(super) async fn dead(&self) -> usize {
        let url = format!(
            "http://{}/api/v1/admin/jobs/dead?kind=notify",
            self.hub.admin
        );
        let dead = answer(self.http.get(url).header("x-service-key", KEY)).await;
        dead["jobs"].as_array().unwrap().len()
    }

    pub(super) async fn end(self) {
        assert_eq!(end(self.hub, "TERM").await, Some(0));
    }
}

async fn answer(request: RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{status} {text}");
    serde_json::from_str(&text).unwrap()
}
