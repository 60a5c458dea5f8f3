//! Webhooks against servers of this machine that answer byte for byte what a test says.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use syncline_protocol::ids::{AppId, Epoch, Seq, SpaceId, SpaceKey};
use syncline_storage::jobs::{
    Job, JobArgs, JobKey, JobKind, JobName, JobNo, Lease, Origin, TriggerId,
};

use super::*;

mod config;
mod encrypted;
mod replies;
mod resolving;
mod sending;
mod sharing;

/// 2026-11-24T10:00:00.123Z.
const NOW: u64 = 1_795_514_400_123;

/// Workers at once.
const POOL: usize = 8;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// An endpoint of the config.
fn config(members: Value) -> WebhookConfig {
    let mut whole = json!({"url": "https://example.com/hook", "secret": SECRET});
    let Value::Object(members) = members else {
        panic!("members are an object");
    };
    whole.as_object_mut().unwrap().extend(members);
    serde_json::from_value(whole).unwrap()
}

fn one(members: Value) -> BTreeMap<String, WebhookConfig> {
    BTreeMap::from([("llm".to_owned(), config(members))])
}

/// The endpoint `llm`, at a server of this machine.
fn at(url: &str, members: &Value) -> Webhooks {
    let mut whole = json!({"url": url, "private": true});
    let members = members.as_object().unwrap().clone();
    whole.as_object_mut().unwrap().extend(members);
    Webhooks::of(&one(whole), POOL).unwrap()
}

fn named_by(members: Value, names: &Arc<impl Names>) -> Webhooks {
    let names: Arc<dyn Names> = names.clone();
    Webhooks::named_by(&one(members), POOL, &names).unwrap()
}

/// A trigger's job, for the endpoint `llm`.
fn task() -> Task {
    with_args(&json!({
        "table": "tasks", "id": "k1", "when": "update", "who": "ada",
        "args": {"to": "llm", "data": {"title": "Buy milk"}},
    }))
}

fn with_args(args: &Value) -> Task {
    let name = JobName {
        space: SpaceKey {
            app: AppId::trusted("todo"),
            space: SpaceId::trusted("ada"),
        },
        kind: JobKind::trusted("webhook"),
        key: JobKey::trusted("t/0000000000000007/3/tasks/k1"),
    };
    Task {
        job: Job {
            kind: name.kind.clone(),
            key: name.key.clone(),
            lane: None,
            due_at_ms: NOW,
            args: JobArgs::trusted(&args.to_string()),
            depth: 0,
            origin: Origin {
                epoch: Epoch(7),
                seq: Seq(3),
                trigger: TriggerId::trusted("t"),
            },
        },
        lease: Lease {
            name,
            no: JobNo(7),
            number: 1,
        },
        attempt: 1,
        now_ms: NOW,
    }
}

/// Why a job was given up.
fn hopeless(worked: Worked) -> String {
    match worked {
        Worked::Hopeless(error) => error.as_str().to_owned(),
        other => panic!("not hopeless: {other:?}"),
    }
}

/// Why a try failed, and how long the next one waits at least.
fn failed(worked: Worked) -> (String, u64) {
    match worked {
        Worked::Failed { error, wait_ms } => (error.as_str().to_owned(), wait_ms),
        other => panic!("did not fail: {other:?}"),
    }
}
