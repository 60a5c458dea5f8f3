//! The planner in a real store: what it writes is read and merged as a client's changes are.

use std::sync::{Arc, Mutex};

use syncline_protocol::ids::{AppId, SpaceKey};
use syncline_storage::Store;

use super::*;
use crate::notify::Notification;
use crate::recurring::tests::Space;
use crate::worker::{Changes, Task, Worked, Worker};

mod clocks;
mod edits;
mod history;
mod limits;
mod missed;
mod nobody;
mod parts;
mod preferred;
mod reading;
mod tasks;
mod times;
mod words;

/// A space, its planner's job and the clock of its hub.
struct World {
    space: Space,
    now_ms: u64,
    config: RemindersConfig,
    changes_max: usize,
    /// When the job is due.
    job_ms: Option<u64>,
    heard: Arc<Mutex<Vec<Planned>>>,
}

impl World {
    async fn open() -> World {
        World {
            space: Space::open().await,
            now_ms: NOW,
            config: RemindersConfig::default(),
            changes_max: CHANGES_MAX,
            job_ms: None,
            heard: Arc::default(),
        }
    }

    /// Somebody changes something that the planner is to know: its job is put anew.
    async fn write(&mut self, changes: &Value) {
        self.store(&changes.to_string()).await;
        self.job_ms = Some(self.now_ms);
    }

    async fn store(&mut self, changes: &str) {
        self.space.now_ms = self.now_ms;
        self.space.write(changes).await;
    }

    async fn insert(&mut self, table: &str, id: &str, data: Value) {
        let change = json!([{"table": table, "id": id, "op": "insert", "data": data}]);
        self.write(&change).await;
    }

    async fn update(&mut self, table: &str, id: &str, data: Value) {
        let Value::Object(data) = data else {
            panic!("fields are an object");
        };
        let fields = data.into_iter();
        let fields: serde_json::Map<String, Value> = fields
            .map(|(name, value)| (name, json!({"value": value})))
            .collect();
        let change = json!([{"table": table, "id": id, "op": "update", "fields": fields}]);
        self.write(&change).await;
    }

    async fn delete(&mut self, table: &str, id: &str) {
        let change = json!([{"table": table, "id": id, "op": "delete"}]);
        self.write(&change).await;
    }

    /// A reminder for a time.
    async fn remind(&mut self, id: &str, at_ms: u64) {
        let at = syncline_protocol::stamp::wall_text(at_ms);
        self.insert("reminders", id, json!({"remindAt": at, "title": id}))
            .await;
    }

    async fn prefer(&mut self, preferences: Value) {
        self.insert("@preferences", "own", json!({"preferences": preferences}))
            .await;
    }

    fn worker(&self, store: Arc<dyn Store>) -> Reminding {
        let heard = self.heard.clone();
        let hears =
            move |_: &SpaceKey, planned: &Planned| heard.lock().unwrap().push(planned.clone());
        let app = &self.space.key.app;
        let apps = [(app, &self.config)];
        Reminding::of(store, apps, self.changes_max, Arc::new(hears)).unwrap()
    }

    fn task(&self) -> Task {
        let mut task = self.space.task(("reminders", "any"), &json!({}));
        task.now_ms = self.now_ms;
        task.job.due_at_ms = self.job_ms.unwrap_or(self.now_ms);
        task
    }

    /// One try, of which nothing is written.
    async fn tried(&self) -> Worked {
        let worker = self.worker(self.space.store.clone());
        worker.work(&self.task()).await
    }

    /// One try and its commit. Returns when the job is due again.
    async fn work(&mut self) -> Option<u64> {
        let (due_at_ms, changes) = match self.tried().await {
            Worked::Done(changes) => (None, changes),
            Worked::Again { due_at_ms, changes } => (Some(due_at_ms), changes),
            other => panic!("not done: {other:?}"),
        };
        if let Some(Changes(changes)) = changes {
            self.store(&changes).await;
        }
        self.job_ms = due_at_ms;
        due_at_ms
    }

    /// Works for as long as the job is due, or goes on at once. Returns when it is due next.
    async fn settle(&mut self) -> Option<u64> {
        for _ in 0..100 {
            let Some(due_ms) = self.job_ms.filter(|due_ms| *due_ms <= self.now_ms) else {
                return self.job_ms;
            };
            let again_ms = self.work().await;
            if again_ms == Some(due_ms + 1) {
                self.now_ms = self.now_ms.max(due_ms + 1);
            }
        }
        panic!("it never ends");
    }

    /// The clock goes on to a time, and the job is done whenever it is due.
    async fn until(&mut self, at_ms: u64) -> Option<u64> {
        self.settle().await;
        for _ in 0..1_000 {
            match self.job_ms {
                Some(due_ms) if due_ms <= at_ms => {
                    self.now_ms = due_ms;
                    self.settle().await;
                }
                due_ms => {
                    self.now_ms = at_ms;
                    return due_ms;
                }
            }
        }
        panic!("it never ends");
    }

    /// What the user was told of reminders, the oldest first.
    async fn told(&self) -> Vec<Notification> {
        self.told_of_kind(KIND).await
    }

    async fn told_of_kind(&self, kind: &str) -> Vec<Notification> {
        let records = self.space.table("@notifications").await.into_iter();
        records
            .map(|(id, data)| {
                let told: Notification = serde_json::from_value(data).unwrap();
                assert_eq!(told.id().to_string(), id);
                told
            })
            .filter(|told| told.kind == kind)
            .collect()
    }

    /// The reminders of each notification and when it was told, by minutes from [`NOW`].
    async fn told_of(&self) -> Vec<(u64, Vec<String>)> {
        let told = self.told().await.into_iter();
        let ids = |told: &Notification| told.items.iter().map(|item| item.id.clone()).collect();
        told.map(|told| ((told.at - NOW) / MINUTE, ids(&told)))
            .collect()
    }

    /// What is kept of a reminder.
    async fn state(&self, id: &str) -> Option<State> {
        let kept = self.space.table("@@reminders").await;
        let kept = kept.into_iter().find(|(found, _)| found == id)?;
        Some(serde_json::from_value(kept.1).unwrap())
    }

    fn heard(&self) -> Planned {
        self.heard.lock().unwrap().last().unwrap().clone()
    }
}

fn of(minutes: u64, ids: &[&str]) -> (u64, Vec<String>) {
    (minutes, ids.iter().map(|id| (*id).to_owned()).collect())
}
