//! Jobs on whole hubs: what changes set off, outside and back.

mod operator;
mod processes;
mod recurring;
mod scheduled;
mod webhooks;

use serde_json::{Value, json};
use syncline_hub::auth::ServiceKey;
use syncline_hub::config::{AppConfig, WebhookConfig, hidden::Hidden};
use syncline_protocol::ids::AppId;
use syncline_tests::endpoint::Endpoint;
use syncline_tests::node::Setup;

/// What signs events.
const SECRET: &str = "a secret of thirty-two bytes or so";

/// The key of the operator's servers.
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A node on which the app `todo` has these triggers, and `llm` is an endpoint.
fn setup(endpoint: &Endpoint, triggers: &Value) -> Setup {
    let mut setup = Setup::default();
    let llm = WebhookConfig {
        url: Some(Hidden::new(endpoint.url.clone())),
        secret: Some(Hidden::new(SECRET)),
        private: true,
        ..WebhookConfig::default()
    };
    setup.config.webhooks.insert("llm".to_owned(), llm);
    let todo = AppConfig {
        triggers: serde_json::from_value(triggers.clone()).unwrap(),
        ..AppConfig::default()
    };
    setup.config.app.insert(AppId::trusted("todo"), todo);
    setup.config.auth.service_key = Some(ServiceKey::new(KEY).unwrap());
    // What fails is tried again at once.
    (
        setup.config.jobs.retry_first_ms,
        setup.config.jobs.retry_longest_ms,
    ) = (10, 10);
    setup
}

/// Posts every change of a task.
fn posts_tasks() -> Value {
    json!([{"id": "tell", "table": "tasks", "when": "any", "job": "webhook",
        "args": {"to": "llm", "data": {"now": "$after", "title": "$after.title"}}}])
}

fn insert(id: &str, data: &Value) -> Value {
    json!([{"table": "tasks", "id": id, "op": "insert", "data": data}])
}

fn update(id: &str, name: &str, value: &Value) -> Value {
    json!([{"table": "tasks", "id": id, "op": "update", "fields": {name: {"value": value}}}])
}
