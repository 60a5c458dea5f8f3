//! What large commits, and sockets that do not read, cost the real program.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use syncline_tests::hub_process::HubProcess;
use syncline_tests::socket::Socket;

/// Records of the commit, each a little less than the greatest: some 10 MB.
const RECORDS: usize = 40;
const RECORD_BYTES: usize = 250_000;

/// Sockets that do not read.
const DEAF: usize = 50;

/// Bytes the hub may hold for them: for each a page, which is a record here, as text and as frame,
/// and as much again for an outbox. All of them at once would hold 500 MB of the commit.
const GROWTH_MAX: u64 = (DEAF as u64) * (2 << 20);

struct Caller {
    node: HubProcess,
    _dir: tempfile::TempDir,
    http: reqwest::Client,
    token: String,
}

impl Caller {
    async fn start() -> Caller {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = super::hub(dir.path(), &["serve", "--dev"]);
        // How much one user may push is not what is looked at.
        command.env("HUB__LIMITS__USER_BYTES_PER_S", (1_u64 << 30).to_string());
        // Who does not read is not closed for it, however long a slow machine takes.
        command.env("HUB__GATEWAY__STALLED_MS", "600000");
        command.env("HUB__GATEWAY__PING_MS", "600000");
        let node = HubProcess::start(command);
        let http = reqwest::Client::new();
        let url = format!("http://{}/dev/token", node.public);
        let answer = http.post(url).body(r#"{"user":"ada"}"#).send().await;
        let text = answer.expect("it answers").text().await.expect("text");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let token = answer["token"].as_str().expect("a token").to_owned();
        Caller {
            node,
            _dir: dir,
            http,
            token,
        }
    }

    async fn push(&self, m: u64, changes: Vec<Value>) -> Value {
        let body = json!({"client": "writer", "muts": [{"m": m, "changes": changes}]});
        let url = format!("http://{}/v1/todo/push", self.node.public);
        let request = self.http.post(url).bearer_auth(&self.token);
        let answer = request.body(body.to_string()).send().await;
        let text = answer.expect("it answers").text().await.expect("text");
        serde_json::from_str(&text).expect("JSON")
    }

    async fn metric(&self, name: &str) -> u64 {
        super::metric(&self.node, name).await
    }

    /// A device with everything up to a commit. It has not read its welcome.
    async fn device(&self, client: &str, epoch: &Value, seq: u64) -> Socket {
        let mut socket = Socket::connect_at(self.node.public).await;
        let hello = json!({"t": "hello", "v": 1, "app": "todo", "client": client,
            "token": self.token, "cursor": {"epoch": epoch, "seq": seq}});
        socket.send(&hello).await;
        socket
    }
}

fn large(n: usize) -> Value {
    let data = json!({"text": "x".repeat(RECORD_BYTES)});
    json!({"table": "t", "id": format!("k{n}"), "op": "insert", "data": data})
}

/// Takes deltas up to one that is complete, and returns its `to` and the records told.
async fn caught_up(socket: &mut Socket, mut at: u64) -> (u64, BTreeSet<String>) {
    let mut told = BTreeSet::new();
    loop {
        let delta = socket.message_of("delta").await;
        assert_eq!(delta["from"], at);
        at = delta["to"].as_u64().expect("a seq");
        for change in delta["changes"].as_array().expect("changes") {
            let text = change["data"]["text"].as_str().map_or(0, str::len);
            assert!(text == RECORD_BYTES || change["id"] == "first", "{text}");
            told.insert(change["id"].as_str().expect("an id").to_owned());
        }
        if delta["more"] != true {
            return (at, told);
        }
    }
}

#[tokio::test]
async fn sockets_that_do_not_read_a_large_commit_hold_a_page_each() {
    let caller = Caller::start().await;
    let first = json!({"table": "t", "id": "first", "op": "insert", "data": {}});
    let epoch = caller.push(1, vec![first]).await["epoch"].clone();
    let mut deaf = Vec::new();
    // Half of them are live when it comes, the others come for it.
    for n in 0..DEAF / 2 {
        deaf.push(caller.device(&format!("live{n}"), &epoch, 1).await);
    }
    let mut live = caller.device("reader", &epoch, 1).await;
    live.message_of("welcome").await;
    let pushed = caller.push(2, (0..RECORDS).map(large).collect()).await;
    assert_eq!(pushed["results"][0]["status"], "applied", "{pushed}");
    let before = caller.node.rss_bytes();
    for n in 0..DEAF / 2 {
        deaf.push(caller.device(&format!("late{n}"), &epoch, 0).await);
    }
    let (to, told) = caught_up(&mut live, 1).await;
    assert_eq!((to, told.len()), (2, RECORDS));
    // Whoever came later than all of them has everything: so they have had their turn.
    let mut last = caller.device("last", &epoch, 0).await;
    let (to, told) = caught_up(&mut last, 0).await;
    assert_eq!((to, told.len()), (2, RECORDS + 1));
    let grown = caller.node.rss_bytes().saturating_sub(before);
    assert!(grown <= GROWTH_MAX, "{} MB", grown >> 20);
    drop(deaf);
}

/// Changes that are told while somebody does not read, each of some 16 KB.
const TOLD: u64 = 1_000;
const TOLD_BYTES: usize = 16 << 10;

/// Bytes the hub may hold more after them. If it kept them for who does not read, it were 16 MB.
const TOLD_GROWTH_MAX: u64 = 2 << 20;

#[tokio::test]
async fn a_socket_that_never_reads_costs_no_more_the_more_is_told() {
    let caller = Caller::start().await;
    let first = json!({"table": "t", "id": "first", "op": "insert", "data": {}});
    let epoch = caller.push(1, vec![first]).await["epoch"].clone();
    let mut live = caller.device("live", &epoch, 1).await;
    live.message_of("welcome").await;
    let mut m = 1;
    let mut write = async || {
        m += 1;
        let data = json!({"m": m, "x": "y".repeat(TOLD_BYTES)});
        let change =
            json!({"table": "t", "id": format!("k{}", m % 10), "op": "insert", "data": data});
        let pushed = caller.push(m, vec![change]).await;
        assert_eq!(pushed["results"][0]["status"], "applied", "{pushed}");
        assert_eq!(live.message_of("delta").await["to"], m);
    };
    // What the hub needs for all this, whoever reads: caches and the store's own.
    for _ in 0..100 {
        write().await;
    }
    let deaf = caller.device("deaf", &epoch, 1).await;
    // The kernel holds some megabytes of them.
    for written in 0.. {
        if caller.metric("syncline_resyncs_total").await > 0 {
            break;
        }
        assert!(written < 4 * TOLD, "it is told all of them");
        write().await;
    }
    let before = caller.metric("syncline_memory_allocated_bytes").await;
    for _ in 0..TOLD {
        write().await;
    }
    let after = caller.metric("syncline_memory_allocated_bytes").await;
    let grown = after.saturating_sub(before);
    assert!(before > 0 && grown <= TOLD_GROWTH_MAX, "{} KB", grown >> 10);
    assert_eq!(caller.metric("syncline_resyncs_total").await, 1);
    assert_eq!(caller.metric("syncline_sockets").await, 2);
    drop(deaf);
}
