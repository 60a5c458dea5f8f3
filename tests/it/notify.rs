//! How users are told, on whole hubs: where, when, by what, and what they were told.

mod crowd;
mod delivering;
mod devices;
mod firing;
mod hidden;
mod jumping;
mod jumps;
mod keys;
mod killed;
mod mail;
mod operator;
mod preferences;
mod replanned;
mod rest;
mod running;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use syncline_hub::config::{AppConfig, PushConfig, WebhookConfig, hidden::Hidden};
use syncline_protocol::ids::AppId;
use syncline_tests::node::{Setup, TestNode};

/// The application server's key of RFC 8291 section 5, and its public key.
const PRIVATE_KEY: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
const PUBLIC_KEY: &str =
    "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";

/// The browser's keys of the same.
const P256DH: &str =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

/// A node on which the app `todo` has reminders, pushes are sent, and users may have notifications
/// posted to `pager`, not to `llm`.
fn setup() -> Setup {
    let mut setup = Setup::default();
    let reminders = json!({"reminders": {"rest": true}});
    let todo: AppConfig = serde_json::from_value(reminders).unwrap();
    setup.config.app.insert(AppId::trusted("todo"), todo);
    setup.config.push = PushConfig {
        private_key: Some(Hidden::new(PRIVATE_KEY)),
        contact: Some("mailto:ops@example.com".to_owned()),
        private: true,
        ..PushConfig::default()
    };
    for (name, notifications) in [("pager", true), ("llm", false)] {
        let endpoint = WebhookConfig {
            url: Some(Hidden::new("http://127.0.0.1:9/")),
            secret: Some(Hidden::new("a secret of thirty-two bytes or so")),
            private: true,
            notifications,
            ..WebhookConfig::default()
        };
        setup.config.webhooks.insert(name.to_owned(), endpoint);
    }
    setup
}

/// A user who asks over HTTP.
struct Asker<'n> {
    node: &'n TestNode,
    http: Client,
    token: String,
}

impl Asker<'_> {
    fn of<'n>(node: &'n TestNode, user: &str) -> Asker<'n> {
        Asker {
            node,
            http: Client::new(),
            token: node.token(user),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self.http.request(method, self.node.url(path));
        let request = request.bearer_auth(&self.token);
        let request = match body {
            Value::Null => request,
            body => request.body(body.to_string()),
        };
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, path, Value::Null).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(Method::POST, path, body).await;
        assert!(status.is_success(), "{status} {answer}");
        answer
    }

    async fn delete(&self, path: &str) -> StatusCode {
        self.ask(Method::DELETE, path, Value::Null).await.0
    }

    /// What is refused, and with which code.
    async fn refused(&self, method: Method, path: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.ask(method, path, body).await;
        let code = answer["code"].as_str().unwrap_or_default().to_owned();
        (status.as_u16(), code)
    }
}

/// What a browser registers.
fn browser(n: usize) -> Value {
    json!({"app": "todo", "kind": "push", "name": format!("browser {n}"), "language": "de",
        "subscription": {"endpoint": format!("https://push.example/{n}"), "expirationTime": null,
            "keys": {"p256dh": P256DH, "auth": AUTH}}})
}

/// The titles of what was told.
fn titles(told: &[Value]) -> Vec<String> {
    let titles = told
        .iter()
        .map(|one| one["title"].as_str().unwrap().to_owned());
    titles.collect()
}
