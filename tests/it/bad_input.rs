//! What a hub must not be harmed by: tables of bad input over every route and message, against
//! one real hub in a process of its own, both protocols on.
//!
//! Whatever must be refused is sent in Ada's name; what is taken on purpose, in others'. So at
//! the end Ada's spaces are as they were, and the hub works as before.

mod bodies;
mod changes;
mod compat;
mod compute;
mod cursors;
mod messages;
mod native;
mod paths;
mod plain;
mod request;
mod tokens;

use std::sync::Mutex;

use serde_json::{Value, json};
use syncline_tests::hub_process::HubProcess;
use syncline_tests::issuer::Issuer;
use tempfile::TempDir;

use self::request::{Expect, Request};

/// Who sends what must be refused.
const ADA: &str = "ada";

/// Who sends what is taken, by the native protocol and by the other.
const BOB: &str = "bob";
const CAROL: &str = "carol";

/// Whose space loses its epoch on purpose.
const EVE: &str = "eve";

/// Memory the process may hold after all that: bodies of 10 MiB came in at once.
const RSS_BYTES_MAX: u64 = 128 << 20;

/// A hub, its issuer and its data.
struct Hub {
    process: HubProcess,
    issuer: Issuer,
    /// What was not answered as it must be.
    wrong: Mutex<Vec<String>>,
    _dir: TempDir,
}

impl Hub {
    async fn start() -> Hub {
        let dir = TempDir::new().unwrap();
        let issuer = Issuer::start().await;
        let mut command = crate::process::hub(dir.path(), &["serve", "--dev"]);
        command
            .env("HUB__AUTH__JWKS_URL", &issuer.jwks_url)
            .env("HUB__AUTH__ALGORITHMS", "EdDSA,ES256")
            .env("HUB__AUTH__SERVICE_KEY", "hush")
            .env("HUB__GATEWAY__BODY_TIMEOUT_MS", "3000");
        Hub {
            process: HubProcess::start(command),
            issuer,
            wrong: Mutex::default(),
            _dir: dir,
        }
    }

    /// Takes what came of one case.
    fn note(&self, name: &str, outcome: anyhow::Result<()>) {
        if let Err(why) = outcome {
            let name: String = name.chars().take(100).collect();
            self.wrong.lock().unwrap().push(format!("{name}: {why:#}"));
        }
    }

    /// What a user's space holds, as text: epoch, head and every record.
    async fn snapshot(&self, user: &str) -> String {
        let request = Request::new("snapshot", "GET", "/v1/todo/snapshot?limit=5000");
        let answer = request.by(self, user).send(self).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// Puts one record into a user's space, which changes then can be about.
    async fn prepare(&self, user: &str) {
        let changes =
            json!([{"table": "tasks", "id": "base", "op": "insert", "data": {"title": "a"}}]);
        let body = json!({"client": "first", "muts": [{"m": 1, "changes": changes}]});
        let request = Request::new("prepare", "POST", "/v1/todo/push");
        let request = request.by(self, user).body(body.to_string());
        request.expect(Expect::Applied).check(self).await;
    }
}

#[tokio::test]
async fn whatever_comes_in_is_answered_with_its_code_and_harms_nothing() {
    let hub = Hub::start().await;
    for user in [ADA, BOB, CAROL, EVE] {
        hub.prepare(user).await;
    }
    let before = hub.snapshot(ADA).await;

    let plain: Vec<Request> = [
        native::requests(&hub),
        compat::requests(&hub),
        compute::requests(&hub),
        plain::requests(&hub),
        paths::all(&hub),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (sent, changed, said) = tokio::join!(
        send_all(&hub, &plain),
        changes::send_all(&hub),
        messages::send_all(&hub),
    );
    let (bodies, tokens, cursors) = tokio::join!(
        bodies::send_all(&hub),
        tokens::send_all(&hub),
        cursors::send_all(&hub),
    );

    changes::check_taken(&hub).await;
    let wrong = hub.wrong.lock().unwrap().join("\n");
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(hub.snapshot(ADA).await, before, "something was stored");
    works_as_before(&hub).await;
    let rss = hub.process.rss_bytes();
    assert!(rss < RSS_BYTES_MAX, "{rss} bytes");
    let counts = json!({"requests": sent, "changes": changed, "messages": said, "bodies": bodies,
        "tokens": tokens, "cursors": cursors, "rss": rss});
    println!("bad input: {counts}");
    assert_eq!(hub.process.end("TERM").0, Some(0));
}

async fn send_all(hub: &Hub, requests: &[Request]) -> usize {
    for request in requests {
        request.check(hub).await;
    }
    requests.len()
}

/// The node is alive, ready, has caught no fault, and serves a new client of each protocol.
async fn works_as_before(hub: &Hub) {
    for path in ["/health", "/ready", "/metrics"] {
        let answer = Request::new("after", "GET", path).send(hub).await;
        assert_eq!(answer.status, 200, "{path}");
        if path == "/metrics" {
            let panics = "syncline_handler_panics_total 0";
            assert!(answer.body.contains(panics), "{}", answer.body);
        }
    }
    hub.prepare("dan").await;
    let since = "1970-01-01T00:00:00.000Z";
    let body = json!({"clientId": "last", "since": since, "changes": []}).to_string();
    let request = Request::new("after", "POST", "/sync/todo");
    let answer = request.by(hub, "dan").body(body).send(hub).await;
    let reply: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(reply["serverChanges"][0]["data"]["title"], "a");
}
