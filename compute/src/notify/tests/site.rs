//! A user's space in a real store, whose notifications are delivered to servers of this machine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};
use syncline_protocol::ids::{AppId, Epoch, RecordId, RecordKey, Seq, TableName};
use syncline_storage::jobs::{
    Job, JobArgs, JobKey, JobKind, JobName, JobNo, Lease, Origin, TriggerId,
};

use super::*;
use crate::mail::MailService;
use crate::outgoing::tests::server::{Answer, Server, reply};
use crate::push::tests::browser::Browser;
use crate::push::{PushConfig, PushService};
use crate::recurring::tests::Space;
use crate::reminders::Templates;
use crate::webhook::{WebhookConfig, Webhooks};
use crate::worker::{Changes, Task, Worked, Worker};

pub(super) struct Site {
    pub(super) space: Space,
    pub(super) worker: Arc<Notifying>,
    clock: Arc<AtomicU64>,
    told: Arc<Mutex<Vec<Delivered>>>,
    ended: Arc<Mutex<Vec<End>>>,
    /// Of the notification that was told last.
    pub(super) id: Option<NotificationId>,
}

/// What a site has.
pub(super) struct Has {
    pub(super) channels: Channels,
    pub(super) templates: Option<Templates>,
    pub(super) pool: usize,
}

impl Has {
    pub(super) fn channels(channels: Channels) -> Has {
        Has {
            channels,
            templates: None,
            pool: 64,
        }
    }
}

impl Site {
    pub(super) async fn open(has: Has) -> Site {
        let space = Space::open().await;
        let clock = Arc::new(AtomicU64::new(NOW));
        let told = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(Mutex::new(Vec::new()));
        let (read, noted, noted_ends) = (clock.clone(), told.clone(), ended.clone());
        let templates = has.templates.into_iter();
        let worker = Notifying::new(NotifyingParts {
            store: space.store.clone(),
            channels: has.channels,
            templates: templates.map(|all| (AppId::trusted("todo"), all)).collect(),
            pool: has.pool,
            now: Arc::new(move || read.load(Ordering::SeqCst)),
            told: Arc::new(move |delivered| noted.lock().unwrap().push(delivered)),
            ended: Arc::new(move |end| noted_ends.lock().unwrap().push(end)),
        });
        Site {
            space,
            worker: Arc::new(worker),
            clock,
            told,
            ended,
            id: None,
        }
    }

    /// One that pushes, with these devices, who are told of a notification.
    pub(super) async fn told_to(devices: &[Device]) -> Site {
        let mut site = Site::open(Has::channels(pushing())).await;
        site.tell(&notification(NOW, "reminders/r1@1")).await;
        for device in devices {
            site.device(device).await;
        }
        site
    }

    pub(super) async fn tell(&mut self, notification: &Notification) {
        let id = notification.id();
        let data = object(notification.fields());
        self.space
            .insert(NOTIFICATIONS, &id.to_string(), data)
            .await;
        self.id = Some(id);
    }

    pub(super) async fn device(&mut self, device: &Device) {
        let (id, data) = (device.id().to_string(), object(device.fields()));
        self.space.insert(DEVICES, &id, data).await;
    }

    pub(super) fn at(&self, now_ms: u64) {
        self.clock.store(now_ms, Ordering::SeqCst);
    }

    pub(super) fn task(&self) -> Task {
        self.task_about(&json!({
            "table": NOTIFICATIONS, "id": self.id.as_ref().unwrap().to_string(),
            "when": "insert", "who": "@jobs", "args": null,
        }))
    }

    pub(super) fn task_about(&self, args: &Value) -> Task {
        let name = JobName {
            space: self.space.key.clone(),
            kind: JobKind::trusted("notify"),
            key: JobKey::trusted("t/1/1/@notifications/n1"),
        };
        let now_ms = self.clock.load(Ordering::SeqCst);
        Task {
            job: Job {
                kind: name.kind.clone(),
                key: name.key.clone(),
                lane: None,
                due_at_ms: now_ms,
                args: JobArgs::trusted(&args.to_string()),
                depth: 1,
                origin: Origin {
                    epoch: Epoch(1),
                    seq: Seq(1),
                    trigger: TriggerId::trusted("t"),
                },
            },
            lease: Lease {
                name,
                no: JobNo(1),
                number: 1,
            },
            attempt: 1,
            now_ms,
        }
    }

    pub(super) async fn work(&self) -> Worked {
        self.worker.work(&self.task()).await
    }

    /// Works and writes what that says, until then: when it is due again.
    pub(super) async fn run(&mut self) -> Option<u64> {
        let (due_at_ms, changes) = match self.work().await {
            Worked::Done(changes) => (None, changes),
            Worked::Again { due_at_ms, changes } => (Some(due_at_ms), changes),
            other => panic!("not done: {other:?}"),
        };
        if let Some(Changes(changes)) = changes {
            self.space.write(&changes).await;
        }
        due_at_ms
    }

    /// What became of it, as the app is shown it.
    pub(super) async fn receipts(&self) -> Value {
        let id = self.id.as_ref().unwrap().to_string();
        let told = self.space.table(NOTIFICATIONS).await;
        let found = told.into_iter().find(|(other, _)| *other == id);
        found.unwrap().1["receipts"].clone()
    }

    /// How far it is.
    pub(super) async fn progress(&self) -> Vec<Value> {
        let all = self.space.table(DELIVERIES).await;
        all.into_iter()
            .map(|(_, data)| data["to"].clone())
            .collect()
    }

    pub(super) async fn devices(&self) -> usize {
        self.space.table(DEVICES).await.len()
    }

    /// What was told since it was last asked.
    pub(super) fn outcomes(&self) -> Vec<(Channel, Outcome)> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        told.iter().map(|one| (one.channel, one.how)).collect()
    }

    /// How notifications ended since it was last asked.
    pub(super) fn ends(&self) -> Vec<End> {
        std::mem::take(&mut *self.ended.lock().unwrap())
    }

    pub(super) fn told(&self) -> Vec<Delivered> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }

    pub(super) async fn delete_notification(&mut self) {
        let id = self.id.as_ref().unwrap().to_string();
        self.space.delete(NOTIFICATIONS, &id).await;
    }

    pub(super) async fn is_stored(&self, table: &str, id: &str) -> bool {
        let key = RecordKey {
            table: TableName::trusted(table),
            id: RecordId::trusted(id),
        };
        self.space.record(&key).await.is_some()
    }
}

fn object(fields: Vec<(String, Value)>) -> Value {
    Value::Object(fields.into_iter().collect::<Map<_, _>>())
}

/// Channels without any but push.
pub(super) fn pushing() -> Channels {
    pushing_within(10_000)
}

pub(super) fn pushing_within(timeout_ms: u64) -> Channels {
    let config = PushConfig {
        // The sender's key of RFC 8291 section 5.
        private_key: "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw".to_owned(),
        contact: "mailto:ada@example.com".to_owned(),
        timeout_ms,
        private: true,
        ports: Vec::new(),
    };
    Channels {
        push: Some(Arc::new(PushService::of(&config).unwrap())),
        mail: None,
        webhooks: webhooks(None),
    }
}

/// The endpoint `crm`, if it is somewhere.
pub(super) fn webhooks(url: Option<&str>) -> Arc<Webhooks> {
    let config = |url: &str| -> WebhookConfig {
        let secret = "0123456789abcdef0123456789abcdef";
        serde_json::from_value(json!({"url": url, "secret": secret, "private": true})).unwrap()
    };
    let all = url.map(|url| ("crm".to_owned(), config(url)));
    Arc::new(Webhooks::of(&all.into_iter().collect::<BTreeMap<_, _>>(), 8).unwrap())
}

pub(super) fn mailing(port: u16) -> Option<Arc<MailService>> {
    let config = crate::mail::tests::at(port);
    Some(Arc::new(MailService::of(&config).unwrap()))
}

/// A server that answers a request after the other, the last ones alike, on a connection each.
pub(super) async fn saying(heads: &[&str]) -> Server {
    let answer = |head: &&str| Answer::Bytes(reply(&format!("{head}\r\nconnection: close"), ""));
    Server::answering_each(heads.iter().map(answer).collect()).await
}

/// A browser, its n-th, at a push service.
pub(super) fn browser(server: &Server, n: usize) -> (Browser, Device) {
    let browser = Browser::new();
    let subscription = browser.subscribes(&format!("{}/{n}", server.url));
    let device = Device {
        language: None,
        ..device(Reached::Push { subscription })
    };
    (browser, device)
}

/// The head and the payload of the next push to a browser.
pub(super) async fn pushed(server: &mut Server, browser: &Browser) -> (String, Value) {
    let request = server.request_bytes().await;
    let at = request
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(request[..at].to_vec()).unwrap();
    let message = browser.read(&request[at + 4..]).unwrap();
    (
        head.to_ascii_lowercase(),
        serde_json::from_slice(&message.payload).unwrap(),
    )
}
