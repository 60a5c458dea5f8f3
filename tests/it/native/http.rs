//! The same protocol over HTTP.

mod changes;
mod pushing;
mod servers;
mod snapshots;

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use syncline_tests::node::TestNode;

struct Caller {
    node: TestNode,
    http: Client,
    token: String,
}

impl Caller {
    async fn new() -> Caller {
        Caller::of(TestNode::start().await)
    }

    fn of(node: TestNode) -> Caller {
        let token = node.token("ada");
        Caller {
            node,
            http: Client::new(),
            token,
        }
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let request = self.http.get(self.node.url(path)).bearer_auth(&self.token);
        read(request.send().await.unwrap()).await
    }

    /// Changes the database as no hub does.
    fn sql(&self, statement: &str) {
        let path = self.node.dir().join("hub.db");
        let database = rusqlite::Connection::open(path).unwrap();
        assert_eq!(database.execute(statement, []).unwrap(), 1);
    }

    async fn push(&self, body: &Value) -> (StatusCode, Value) {
        let request = self
            .http
            .post(self.node.url("/v1/todo/push"))
            .bearer_auth(&self.token);
        read(request.body(body.to_string()).send().await.unwrap()).await
    }
}

async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    (
        status,
        serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default(),
    )
}

fn inserts(m: u64, ids: std::ops::Range<u64>) -> Value {
    let changes: Vec<Value> = ids
        .map(|i| json!({"table": "tasks", "id": format!("k{i:03}"), "op": "insert", "data": {"n": i}}))
        .collect();
    json!({"client": "server", "muts": [{"m": m, "changes": changes}]})
}
