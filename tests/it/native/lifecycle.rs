//! Start, ready, stop.

use std::sync::Arc;

use serde_json::json;
use syncline_hub::app::Parts;
use syncline_protocol::ids::{AppId, Seq, SpaceId, SpaceKey};
use syncline_storage::Store;
use syncline_storage::faulty::{Fault, FaultyStore, Operation};
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use syncline_storage::types::PageLimit;
use syncline_tests::device::Device;
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::socket::Socket;

#[tokio::test]
async fn a_stopping_node_finishes_commits_and_closes_sockets_with_4010() {
    let node = TestNode::start().await;
    let (mut socket, _) = Socket::hello(&node, "ada", json!({})).await;
    socket.message_of("delta").await; // the end of its snapshot
    let edit = json!([{"table": "t", "id": "k1", "op": "insert", "data": {}}]);
    socket
        .send(&json!({"t": "push", "muts": [{"m": 1, "changes": edit}]}))
        .await;
    // The hub has taken the push when it answers what was sent behind it.
    socket.send(&json!({"t": "ping"})).await;
    let mut verdict = None;
    loop {
        let message = socket.message().await;
        match message["t"].as_str() {
            Some("pong") => break,
            Some("verdicts") => verdict = Some(message),
            _ => {}
        }
    }
    let dir = node.shared_dir();
    let stopping = tokio::spawn(node.app.shutdown());
    let verdict = match verdict {
        Some(verdict) => verdict,
        None => socket.message_of("verdicts").await,
    };
    assert_eq!(verdict["results"][0]["status"], "applied");
    assert_eq!(socket.closed().await, Some(4010));
    stopping.await.unwrap();

    let setup = syncline_tests::node::Setup {
        dir: Some(dir),
        ..Default::default()
    };
    let node = TestNode::start_with(setup).await;
    let mut laptop = Device::new("ada", "laptop");
    laptop.connect(&node).await;
    assert_eq!(laptop.shows("t", "k1"), Some(json!({})));
}

#[tokio::test]
async fn what_was_taken_is_committed_and_answered_before_a_node_stops() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let path = dir.path().join("held.db");
    let sqlite = SqliteStore::open(&SqliteOptions::new(path)).unwrap();
    let store = Arc::new(FaultyStore::scripted(sqlite));
    let setup = Setup {
        parts: Parts {
            store: Some(store.clone()),
            ..Parts::default()
        },
        ..Setup::default()
    };
    let node = TestNode::start_with(setup).await;
    let (mut socket, _) = Socket::hello(&node, "ada", json!({})).await;
    socket.message_of("delta").await; // the end of its snapshot
    store.script(Operation::Commit, Some(Fault::Held));
    let push = |m: u64| {
        let edit = json!([{"table": "t", "id": m.to_string(), "op": "insert", "data": {}}]);
        json!({"t": "push", "muts": [{"m": m, "changes": edit}]})
    };
    socket.send(&push(1)).await;
    let held = async {
        while store.injected() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(syncline_tests::HUNG, held)
        .await
        .expect("nothing is committed");
    let ready = node.url("/ready");
    let stopping = tokio::spawn(node.app.shutdown());
    // The drain has begun a moment after nobody else is let in.
    let is_closed = async || reqwest::get(&ready).await.is_err();
    let closing = async {
        while !is_closed().await {}
        for _ in 0..50 {
            socket.send(&json!({"t": "ping"})).await;
            assert_eq!(socket.message().await["t"], "pong");
        }
    };
    tokio::time::timeout(syncline_tests::HUNG, closing)
        .await
        .expect("it goes on");
    // What comes now is not taken, and that is no error: its device comes back elsewhere.
    socket.send(&push(2)).await;
    socket.send(&json!({"t": "ping"})).await;
    assert_eq!(socket.message().await["t"], "pong");
    store.release();
    let told = socket.message_of("verdicts").await;
    assert_eq!(told["results"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(
        (&told["results"][0]["m"], &told["results"][0]["status"]),
        (&json!(1), &json!("applied"))
    );
    loop {
        let told = socket.message().await;
        assert_ne!(told["t"], "error", "{told}");
        if told["t"] == "reconnect" {
            break;
        }
    }
    assert_eq!(socket.closed().await, Some(4010));
    stopping.await.unwrap();
    let space = SpaceKey {
        app: AppId::parse("todo").unwrap(),
        space: SpaceId::parse("ada").unwrap(),
    };
    let page = PageLimit {
        records: 9,
        bytes: usize::MAX,
    };
    let kept = store.changes(&space, Seq(0).into(), page).await.unwrap();
    assert!(kept.records.iter().any(|(key, _)| key.id.as_str() == "1"));
}

#[tokio::test]
async fn a_session_that_the_store_holds_up_keeps_nobody_elses_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("held.db");
    let sqlite = SqliteStore::open(&SqliteOptions::new(path)).unwrap();
    let store = Arc::new(FaultyStore::scripted(sqlite));
    let mut setup = Setup {
        parts: Parts {
            store: Some(store.clone()),
            ..Parts::default()
        },
        ..Setup::default()
    };
    // Longer than the test would wait for a message.
    setup.config.drain_s = 24;
    let node = TestNode::start_with(setup).await;
    let (mut held, _) = Socket::hello(&node, "ada", json!({})).await;
    held.message_of("delta").await; // the end of its snapshot
    let (mut other, _) = Socket::hello(&node, "bob", json!({})).await;
    other.message_of("delta").await;
    store.script(Operation::Commit, Some(Fault::Held));
    let edit = json!([{"table": "t", "id": "k", "op": "insert", "data": {}}]);
    held.send(&json!({"t": "push", "muts": [{"m": 1, "changes": edit}]}))
        .await;
    let is_held = async {
        while store.injected() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(syncline_tests::HUNG, is_held)
        .await
        .expect("nothing is committed");
    let stopping = tokio::spawn(node.app.shutdown());
    assert!(other.message_of("reconnect").await["after_ms"].is_u64());
    assert_eq!(other.closed().await, Some(4010));
    assert!(!stopping.is_finished());
    store.release();
    stopping.await.unwrap();
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let node = TestNode::start().await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    phone.edit(&json!([{"table": "t", "id": "k1", "op": "insert", "data": {}}]));
    phone.push().await;
    let text = reqwest::get(node.url("/metrics"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for line in [
        "syncline_sockets 1",
        "syncline_sessions 1",
        "syncline_commits_total 1",
        "syncline_verdicts_total{status=\"applied\"} 1",
        "mana_sync_connections_total 1",
        "mana_sync_users_connected 1",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is not in:\n{text}"
        );
    }
}

async fn metric(node: &TestNode, name: &str) -> u64 {
    let text = reqwest::get(node.url("/metrics")).await.unwrap();
    let text = text.text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.expect("a metric of that name").trim().parse().unwrap()
}

#[tokio::test]
async fn deltas_and_parts_of_snapshots_are_counted_apart() {
    let node = TestNode::start().await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    phone.edit(&json!([{"table": "t", "id": "k1", "op": "insert", "data": {}}]));
    phone.push().await;
    let deltas = metric(&node, "syncline_deltas_total").await;
    let parts = metric(&node, "syncline_snapshot_messages_total").await;
    let (mut laptop, _) = Socket::hello(&node, "ada", json!({"client": "laptop"})).await;
    laptop.message_of("delta").await; // the end of its snapshot
    // One part and the end; one delta after it.
    let after = metric(&node, "syncline_snapshot_messages_total").await;
    assert_eq!(after - parts, 2);
    assert_eq!(metric(&node, "syncline_deltas_total").await - deltas, 1);
}

#[tokio::test]
async fn whoever_is_not_let_in_is_counted() {
    let mut setup = Setup::default();
    setup.config.apps = vec![AppId::parse("todo").unwrap()];
    let node = TestNode::start_with(setup).await;
    let http = reqwest::Client::new();
    let count = async |code: &str| {
        let name = format!("syncline_auth_failures_total{{code=\"{code}\"}}");
        metric(&node, &name).await
    };
    let get = |path: &str| http.get(node.url(path));
    get("/v1/todo/snapshot").send().await.unwrap();
    assert_eq!(count("token_invalid").await, 1);
    let wrong = get("/v1/todo/snapshot?space=ada").header("x-service-key", "wrong");
    wrong.send().await.unwrap();
    assert_eq!(count("token_invalid").await, 2);
    let bob = node.token("bob");
    let other = get("/v1/todo/snapshot?space=ada").bearer_auth(&bob);
    other.send().await.unwrap();
    assert_eq!(count("forbidden").await, 1);
    for (app, space) in [("todo", "ada"), ("chat", "bob")] {
        let mut socket = Socket::connect(&node).await;
        let hello = json!({"t": "hello", "v": 1, "app": app, "space": space, "client": "c",
            "token": bob, "cursor": null});
        socket.send(&hello).await;
        assert_eq!(socket.closed().await, Some(4003));
    }
    assert_eq!((count("forbidden").await, count("other").await), (2, 1));
}

#[tokio::test]
async fn an_idle_session_stops_and_a_later_hello_starts_another() {
    let mut setup = syncline_tests::node::Setup::default();
    setup.config.session.idle_ms = 1;
    let node = TestNode::start_with(setup).await;
    let live = || node.app.metrics().sessions.get();
    let mut phone = Device::new("ada", "phone");
    for round in 0..20 {
        phone.connect(&node).await;
        phone.edit(&json!([{"table": "t", "id": round.to_string(), "op": "insert", "data": {}}]));
        phone.push().await;
        phone.disconnect();
        if round % 2 == 0 {
            let stopped = async {
                while live() > 0 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(syncline_tests::HUNG, stopped)
                .await
                .expect("the session stays");
        }
    }
    assert_eq!(phone.told().len(), 20);
}

#[tokio::test]
async fn a_socket_that_does_not_read_does_not_hold_the_drain() {
    let mut setup = syncline_tests::node::Setup::default();
    setup.config.drain_s = 600;
    let node = TestNode::start_with(setup).await;
    let (silent, _) = Socket::hello(&node, "ada", json!({"client": "silent"})).await;
    let (mut writer, _) = Socket::hello(&node, "ada", json!({"client": "writer"})).await;
    // Many times what its outbox and the kernel hold.
    for m in 1..=40 {
        let data = json!({"x": "y".repeat(200_000), "m": m});
        let edit = json!([{"table": "t", "id": "k1", "op": "insert", "data": data}]);
        writer
            .send(&json!({"t": "push", "muts": [{"m": m, "changes": edit}]}))
            .await;
        writer.message_of("verdicts").await;
    }
    let stopping = node.app.shutdown();
    tokio::time::timeout(syncline_tests::HUNG, stopping)
        .await
        .expect("the drain hangs");
    drop(silent);
}

#[tokio::test]
async fn a_welcome_names_the_limits_of_the_config() {
    let mut setup = syncline_tests::node::Setup::default();
    setup.config.gateway.message_bytes_max = 65_536;
    let node = TestNode::start_with(setup).await;
    let (_socket, welcome) = Socket::hello(&node, "ada", json!({})).await;
    assert_eq!(welcome["limits"]["message_bytes"], 65_536);
}

#[tokio::test]
async fn a_socket_that_takes_nothing_is_given_up() {
    let mut setup = syncline_tests::node::Setup::default();
    setup.config.gateway.stalled_ms = 1_000;
    let node = TestNode::start_with(setup).await;
    let (silent, _) = Socket::hello(&node, "ada", json!({"client": "silent"})).await;
    let (mut writer, _) = Socket::hello(&node, "ada", json!({"client": "writer"})).await;
    for m in 1..=40 {
        let data = json!({"x": "y".repeat(200_000), "m": m});
        let edit = json!([{"table": "t", "id": "k1", "op": "insert", "data": data}]);
        writer
            .send(&json!({"t": "push", "muts": [{"m": m, "changes": edit}]}))
            .await;
        writer.message_of("verdicts").await;
    }
    let given_up = async {
        while node.app.metrics().sockets.get() > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(syncline_tests::HUNG, given_up)
        .await
        .expect("it is kept");
    drop(silent);
}
