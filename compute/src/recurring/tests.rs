//! Recurring records in a real store: what jobs write is read and merged as a client's changes are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use syncline_protocol::change::{Op, stamp};
use syncline_protocol::ids::{AppId, Epoch, Seq, SpaceId, SpaceKey, TableName, WriterNo};
use syncline_protocol::json::canonical;
use syncline_protocol::limits::Limits;
use syncline_protocol::mutation::parse_changes;
use syncline_storage::jobs::{
    Job, JobArgs, JobKey, JobKind, JobName, JobNo, Lease, Origin, TriggerId,
};
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use syncline_storage::types::{Commit, SpaceView};

use super::*;
use crate::reminders::RemindersConfig;
use crate::triggers::TriggerConfig;
use crate::worker::Changes;

mod expansions;
mod next;
mod occurrences;
mod parts;
mod refusals;
mod rolling;

/// 2026-11-24T10:00:00Z, a Tuesday.
const NOW: u64 = 1_795_514_400_000;

const DAY: u64 = 86_400_000;

/// The trigger of the jobs of tests.
fn trigger(table: &str, args: &Value) -> TriggerConfig {
    serde_json::from_value(json!({
        "id": "t", "table": table, "when": "any", "job": "recurrence", "per": "record",
        "args": args,
    }))
    .unwrap()
}

/// A space of a store, with a clock that tests move.
pub(crate) struct Space {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) key: SpaceKey,
    pub(crate) now_ms: u64,
    /// Of the last commit of [`Space::write`].
    seq: Seq,
    /// What workers told.
    told: Arc<Mutex<Vec<Refusal>>>,
    directory: tempfile::TempDir,
}

impl Space {
    pub(crate) async fn open() -> Space {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(directory.path().join("hub.db"));
        let store = Arc::new(SqliteStore::open(&options).unwrap());
        let key = SpaceKey {
            app: AppId::trusted("todo"),
            space: SpaceId::trusted("ada"),
        };
        store.open_space(&key, NOW).await.unwrap();
        Space {
            store,
            key,
            now_ms: NOW,
            seq: Seq(0),
            told: Arc::default(),
            directory,
        }
    }

    /// Another store of the same file.
    pub(crate) fn reopened(&self) -> SqliteStore {
        let options = SqliteOptions::new(self.directory.path().join("hub.db"));
        SqliteStore::open(&options).unwrap()
    }

    /// Merges changes as the hub does, by its own clock where they name no time.
    pub(crate) async fn write(&mut self, changes: &str) {
        let limits = Limits::DEFAULT;
        let text = canonical(changes, limits.json_depth_max + 4).unwrap();
        let changes = parse_changes(&text, &limits).unwrap();
        let view = self.store.space(&self.key).await.unwrap().unwrap();
        let head = view.head.next();
        let mut clock = view.clock;
        let mut records: BTreeMap<RecordKey, Arc<Record>> = BTreeMap::new();
        for change in &changes {
            let before = self.record(&change.key).await;
            let known = before.is_some() || matches!(change.op, Op::Insert { .. });
            assert!(known, "{} is unknown", change.key);
            let mut record = before.unwrap_or_default();
            let stamped = stamp(change, &record, (WriterNo(0), self.now_ms), &mut clock);
            record.merge(&stamped.change, head);
            record.seq = head;
            let twice = records.insert(change.key.clone(), Arc::new(record));
            assert!(twice.is_none(), "{} is changed twice", change.key);
        }
        let records = records.into_iter().collect();
        self.commit(Commit {
            head,
            clock,
            records,
            ..self.nothing(view)
        })
        .await;
        self.seq = head;
        self.now_ms += 1_000;
    }

    /// A commit of nothing, on what there is.
    fn nothing(&self, view: SpaceView) -> Commit {
        Commit {
            space: self.key.clone(),
            expect_epoch: view.epoch,
            expect_head: view.head,
            head: view.head,
            clock: view.clock,
            live: view.live,
            writers: view.writers,
            now_ms: self.now_ms,
            records: Vec::new(),
            stood: Vec::new(),
            marks: Vec::new(),
            dead_letters: Vec::new(),
            ends: Vec::new(),
            jobs: Vec::new(),
        }
    }

    async fn commit(&self, commit: Commit) {
        let mut answers = self.store.commit(vec![commit]).await;
        answers.pop().unwrap().unwrap();
    }

    pub(crate) async fn insert(&mut self, table: &str, id: &str, data: Value) {
        let change = json!([{"table": table, "id": id, "op": "insert", "data": data}]);
        self.write(&change.to_string()).await;
    }

    async fn update(&mut self, table: &str, id: &str, data: Value) {
        let Value::Object(data) = data else {
            panic!("fields are an object");
        };
        let fields = data
            .into_iter()
            .map(|(name, value)| (name, json!({"value": value})));
        let fields: serde_json::Map<String, Value> = fields.collect();
        let change = json!([{"table": table, "id": id, "op": "update", "fields": fields}]);
        self.write(&change.to_string()).await;
    }

    pub(crate) async fn delete(&mut self, table: &str, id: &str) {
        let change = json!([{"table": table, "id": id, "op": "delete"}]);
        self.write(&change.to_string()).await;
    }

    pub(crate) async fn record(&self, key: &RecordKey) -> Option<Record> {
        let keys = std::slice::from_ref(key);
        let read = self.store.records(&self.key, keys, usize::MAX).await;
        read.unwrap().records.pop().flatten()
    }

    /// The live records of a table, by id.
    pub(crate) async fn table(&self, name: &str) -> Vec<(String, Value)> {
        let tables = [TableName::trusted(name)];
        let limit = PageLimit {
            records: usize::MAX,
            bytes: usize::MAX,
        };
        let page = self
            .store
            .snapshot(&self.key, Some(&tables), None, limit)
            .await;
        let records = page.unwrap().records.into_iter();
        let data = |record: &Record| -> Value {
            let fields = record.fields.iter();
            let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            fields
                .map(|field| (field.name.to_string(), value(field.value.as_str())))
                .collect()
        };
        records
            .map(|(key, record)| (key.id.to_string(), data(&record)))
            .collect()
    }

    /// A job of the last commit, about a record.
    pub(crate) fn task(&self, (table, id): (&str, &str), args: &Value) -> Task {
        let about = json!({"table": table, "id": id, "when": "update", "who": "ada", "args": args});
        let name = JobName {
            space: self.key.clone(),
            kind: JobKind::trusted("recurrence"),
            key: JobKey::trusted("t/1/1/tasks/k1"),
        };
        Task {
            job: Job {
                kind: name.kind.clone(),
                key: name.key.clone(),
                lane: None,
                due_at_ms: self.now_ms,
                args: JobArgs::trusted(&about.to_string()),
                depth: 0,
                origin: Origin {
                    epoch: Epoch(1),
                    seq: self.seq,
                    trigger: TriggerId::trusted("t"),
                },
            },
            lease: Lease {
                name,
                no: JobNo(1),
                number: 1,
            },
            attempt: 1,
            now_ms: self.now_ms,
        }
    }

    /// Works, where the trigger of the job still says what the job does.
    async fn work(&self, task: &Task) -> Worked {
        let triggers = About::of(&task.job.args).ok().and_then(|about| {
            let table = about.record.clone()?.key.table;
            let args = about.args::<Value>().ok()?;
            Some(trigger(table.as_str(), &args))
        });
        let triggers: Vec<TriggerConfig> = triggers.into_iter().collect();
        self.work_with(&triggers, CHANGES_MAX, task).await
    }

    async fn work_with(&self, triggers: &[TriggerConfig], changes: usize, task: &Task) -> Worked {
        let rolling = Rolling::of([(&self.key.app, triggers)]);
        let told = self.told.clone();
        let tell: ToldRefusal = Arc::new(move |refusal| told.lock().unwrap().push(refusal));
        let reminders = RemindersConfig::default();
        let reminded = Reminded::of([(&self.key.app, &reminders)]);
        let worker = Recurring::new(self.store.clone(), rolling, changes);
        worker.reminding(reminded).telling(tell).work(task).await
    }

    /// Works and writes what that says. Whether, and when, it is due again.
    async fn run(&mut self, task: &Task) -> Option<u64> {
        let (due_at_ms, changes) = match self.work(task).await {
            Worked::Done(changes) => (None, changes),
            Worked::Again { due_at_ms, changes } => (Some(due_at_ms), changes),
            other => panic!("not done: {other:?}"),
        };
        if let Some(Changes(changes)) = changes {
            self.write(&changes).await;
        }
        due_at_ms
    }

    /// The codes that workers told since this was asked.
    fn refusals(&self) -> Vec<&'static str> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        told.iter().map(|refusal| refusal.refused.code()).collect()
    }

    /// Why a record is refused of which nothing is written.
    async fn refused(&self, task: &Task) -> &'static str {
        assert_eq!(self.work(task).await, Worked::Done(None));
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        let [refusal] = &told[..] else {
            panic!("it is told once: {told:?}");
        };
        assert_eq!(refusal.name, task.lease.name);
        refusal.refused.code()
    }

    async fn hopeless(&self, task: &Task) -> String {
        match self.work(task).await {
            Worked::Hopeless(error) => error.as_str().to_owned(),
            other => panic!("not hopeless: {other:?}"),
        }
    }
}
