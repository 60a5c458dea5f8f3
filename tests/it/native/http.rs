//! The same protocol over HTTP.

use std::collections::BTreeSet;
use std::sync::Arc;

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use syncline_storage::Store;
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::socket::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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

#[tokio::test]
async fn a_push_is_answered_with_its_verdicts_and_seen_by_sockets() {
    let caller = Caller::new().await;
    let (mut socket, _) = Socket::hello(&caller.node, "ada", json!({})).await;
    socket.message_of("delta").await; // the end of its snapshot
    let (status, reply) = caller.push(&inserts(1, 0..2)).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&reply["head"], &reply["results"][0]["status"]),
        (&json!(1), &json!("applied"))
    );
    assert_eq!(
        socket.message_of("delta").await["changes"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let (_, again) = caller.push(&inserts(1, 0..2)).await;
    assert_eq!(again["results"], reply["results"]);
}

#[tokio::test]
async fn a_gap_is_409_and_says_where_to_go_on() {
    let caller = Caller::new().await;
    caller.push(&inserts(1, 0..1)).await;
    let (status, reply) = caller.push(&inserts(3, 1..2)).await;
    assert_eq!(
        (status, &reply["code"], &reply["acked"]),
        (StatusCode::CONFLICT, &json!("gap"), &json!(1))
    );
}

#[tokio::test]
async fn changes_come_in_pages_between_commits() {
    let caller = Caller::new().await;
    let mut epoch = String::new();
    for m in 1..=3 {
        let (_, reply) = caller.push(&inserts(m, m * 10..m * 10 + 4)).await;
        epoch = reply["epoch"].as_str().unwrap().to_owned();
    }
    let (mut after, mut pages) = (0, Vec::new());
    loop {
        let path = format!("/v1/todo/changes?epoch={epoch}&after={after}&limit=6");
        let (status, page) = caller.get(&path).await;
        assert_eq!((status, &page["from"]), (StatusCode::OK, &json!(after)));
        after = page["to"].as_u64().unwrap();
        pages.push(page["changes"].as_array().unwrap().len());
        if page["to"] == page["head"] {
            break;
        }
    }
    assert_eq!(pages, [4, 4, 4]);
}

#[tokio::test]
async fn a_commit_larger_than_a_page_comes_in_parts_that_leave_the_cursor() {
    let caller = Caller::new().await;
    caller.push(&inserts(1, 0..1)).await;
    let (_, reply) = caller.push(&inserts(2, 10..15)).await;
    let epoch = reply["epoch"].as_str().unwrap().to_owned();
    let cursor = format!("/v1/todo/changes?epoch={epoch}&after=1&limit=2");
    let (mut path, mut parts, mut told) = (cursor.clone(), Vec::new(), BTreeSet::new());
    loop {
        let (status, part) = caller.get(&path).await;
        assert_eq!((status, &part["from"]), (StatusCode::OK, &json!(1)));
        let changes = part["changes"].as_array().unwrap();
        told.extend(changes.iter().map(|change| change["id"].to_string()));
        parts.push((
            part["to"].as_u64().unwrap(),
            part["more"] == true,
            changes.len(),
        ));
        let Some(next) = part["next"].as_str() else {
            break;
        };
        path = format!("{cursor}&next={next}");
    }
    assert_eq!(parts, [(1, true, 2), (1, true, 2), (2, false, 1)]);
    assert_eq!(told.len(), 5);
}

#[tokio::test]
async fn a_place_inside_a_commit_is_good_for_its_cursor_only() {
    let caller = Caller::new().await;
    let (_, reply) = caller.push(&inserts(1, 0..3)).await;
    let epoch = reply["epoch"].as_str().unwrap().to_owned();
    let path =
        |epoch: &str, after: u64| format!("/v1/todo/changes?epoch={epoch}&after={after}&limit=1");
    let (_, part) = caller.get(&path(&epoch, 0)).await;
    let next = part["next"].as_str().unwrap();
    for cursor in [path(&epoch, 1), path("0123456789abcdef", 0)] {
        let (status, reply) = caller.get(&format!("{cursor}&next={next}")).await;
        assert_eq!(
            (status, &reply["code"]),
            (StatusCode::BAD_REQUEST, &json!("cursor_invalid"))
        );
    }
    let (_, reply) = caller.get(&format!("{}&next=00", path(&epoch, 0))).await;
    assert_eq!(reply["code"], "cursor_invalid");
}

#[tokio::test]
async fn a_cursor_of_no_use_is_410() {
    let caller = Caller::new().await;
    caller.push(&inserts(1, 0..1)).await;
    let why = async |epoch: &str, after: u64| {
        let path = format!("/v1/todo/changes?epoch={epoch}&after={after}");
        let (status, reply) = caller.get(&path).await;
        assert_eq!(
            (status, &reply["code"]),
            (StatusCode::GONE, &json!("reset"))
        );
        reply["why"].as_str().unwrap().to_owned()
    };
    let epoch = async || {
        let (_, snapshot) = caller.get("/v1/todo/snapshot").await;
        snapshot["epoch"].as_str().unwrap().to_owned()
    };
    assert_eq!(why("0123456789abcdef", 0).await, "epoch");
    // Ahead of the store: it has lost commits. Once an hour that changes the epoch.
    let before = epoch().await;
    assert_eq!(why(&before, 7).await, "epoch");
    let after = epoch().await;
    assert_ne!(before, after);
    assert_eq!(why(&after, 7).await, "cursor");
}

#[tokio::test]
async fn one_mutation_twice_in_a_request_is_answered_once() {
    let caller = Caller::new().await;
    let mut body = inserts(1, 0..1);
    let again = body["muts"][0].clone();
    body["muts"].as_array_mut().unwrap().push(again);
    let (status, reply) = caller.push(&body).await;
    assert_eq!(
        (status, reply["results"].as_array().unwrap().len()),
        (StatusCode::OK, 1)
    );
    body["muts"][1]["m"] = json!(2);
    body["muts"]
        .as_array_mut()
        .unwrap()
        .push(json!({"m": 2, "changes": []}));
    let (_, reply) = caller.push(&body).await;
    let results = reply["results"].as_array().unwrap();
    let refused = results
        .iter()
        .filter(|result| result["code"] == "number_reused")
        .count();
    assert_eq!((results.len(), refused), (3, 1));
}

#[tokio::test]
async fn a_mutation_another_node_decided_leaves_no_gap_behind() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("shared.db"));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&options).unwrap());
    let setup = || {
        let mut setup = Setup::default();
        setup.parts.store = Some(store.clone());
        setup
    };
    let caller = Caller::of(TestNode::start_with(setup()).await);
    let other = TestNode::start_with(setup()).await;
    caller.push(&inserts(1, 0..1)).await;
    let elsewhere = caller
        .http
        .post(other.url("/v1/todo/push"))
        .bearer_auth(other.token("ada"));
    let elsewhere = elsewhere
        .body(inserts(2, 1..2).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(elsewhere.status(), 200);
    let (status, reply) = caller.push(&inserts(3, 2..3)).await;
    assert_eq!((status, &reply["head"]), (StatusCode::OK, &json!(3)));
}

#[tokio::test]
async fn a_snapshot_is_resumable_and_then_continued_by_changes() {
    let caller = Caller::new().await;
    caller.push(&inserts(1, 0..7)).await;
    let (_, first) = caller.get("/v1/todo/snapshot?limit=5").await;
    assert_eq!((&first["at"], &first["of"]), (&json!(1), &json!(7)));
    caller.push(&inserts(2, 7..8)).await;
    let next = first["next"].as_str().unwrap();
    let (_, last) = caller
        .get(&format!("/v1/todo/snapshot?limit=5&next={next}"))
        .await;
    assert_eq!(
        (&last["at"], &last["next"], &last["count"]),
        (&json!(1), &json!(null), &json!(8))
    );
    let epoch = first["epoch"].as_str().unwrap();
    let (_, rest) = caller
        .get(&format!("/v1/todo/changes?epoch={epoch}&after=1"))
        .await;
    assert_eq!(rest["changes"][0]["id"], "k007");
}

#[tokio::test]
async fn a_read_makes_no_space() {
    let caller = Caller::new().await;
    let spaces = || -> i64 {
        let path = caller.node.dir().join("hub.db");
        let database = rusqlite::Connection::open(path).unwrap();
        let count = "SELECT count(*) FROM spaces";
        database.query_row(count, [], |row| row.get(0)).unwrap()
    };
    let (status, empty) = caller.get("/v1/todo/snapshot").await;
    let expected = json!({"epoch": "0000000000000000", "at": 0, "done": 0, "of": 0,
        "changes": [], "next": null, "count": 0, "sum": "00000000"});
    assert_eq!((status, empty), (StatusCode::OK, expected));
    let cursor = "/v1/todo/changes?epoch=0000000000000000";
    let (status, none) = caller.get(&format!("{cursor}&after=0")).await;
    assert_eq!((status, &none["head"]), (StatusCode::OK, &json!(0)));
    for (path, why) in [
        (format!("{cursor}&after=1"), "cursor"),
        (
            "/v1/todo/changes?epoch=0123456789abcdef&after=0".into(),
            "epoch",
        ),
    ] {
        let (status, reply) = caller.get(&path).await;
        assert_eq!((status, &reply["why"]), (StatusCode::GONE, &json!(why)));
    }
    assert_eq!(spaces(), 0);
    // Once there is one, a cursor of the emptiness before it is one of another history.
    caller.push(&inserts(1, 0..1)).await;
    assert_eq!(spaces(), 1);
    let (status, reply) = caller.get(&format!("{cursor}&after=0")).await;
    assert_eq!((status, &reply["why"]), (StatusCode::GONE, &json!("epoch")));
}

#[tokio::test]
async fn a_cursor_below_what_is_collected_is_410() {
    let caller = Caller::new().await;
    let mut epoch = json!(null);
    for m in 1..=3 {
        epoch = caller.push(&inserts(m, m..m + 1)).await.1["epoch"].clone();
    }
    let (_, first) = caller.get("/v1/todo/snapshot?limit=1").await;
    caller.push(&inserts(4, 4..5)).await;
    caller.sql("UPDATE spaces SET gc_seq = 4");
    let epoch = epoch.as_str().unwrap();
    let (status, reply) = caller
        .get(&format!("/v1/todo/changes?epoch={epoch}&after=3"))
        .await;
    assert_eq!((status, &reply["why"]), (StatusCode::GONE, &json!("gc")));
    let (status, _) = caller
        .get(&format!("/v1/todo/changes?epoch={epoch}&after=4"))
        .await;
    assert_eq!(status, StatusCode::OK);
    // Its snapshot began at 3.
    let next = first["next"].as_str().unwrap();
    let (status, reply) = caller.get(&format!("/v1/todo/snapshot?next={next}")).await;
    assert_eq!((status, &reply["why"]), (StatusCode::GONE, &json!("gc")));
}

#[tokio::test]
async fn a_snapshot_does_not_go_on_in_another_epoch() {
    let caller = Caller::new().await;
    caller.push(&inserts(1, 0..3)).await;
    let (_, first) = caller.get("/v1/todo/snapshot?limit=1").await;
    let next = first["next"].as_str().unwrap();
    caller.sql("UPDATE spaces SET epoch = epoch + 1");
    let (status, reply) = caller.get(&format!("/v1/todo/snapshot?next={next}")).await;
    assert_eq!(
        (status, &reply["code"], &reply["why"]),
        (StatusCode::GONE, &json!("reset"), &json!("cursor"))
    );
}

#[tokio::test]
async fn a_snapshot_of_some_tables_does_not_go_on_over_http() {
    let caller = Caller::new().await;
    caller.push(&inserts(1, 0..1)).await;
    let hello = json!({"tables": ["tasks"]});
    let (mut socket, _) = Socket::hello(&caller.node, "ada", hello).await;
    let part = socket.message_of("snapshot").await;
    let next = part["next"].as_str().unwrap();
    let (status, reply) = caller.get(&format!("/v1/todo/snapshot?next={next}")).await;
    assert_eq!(
        (status, &reply["why"]),
        (StatusCode::GONE, &json!("cursor"))
    );
}

#[tokio::test]
async fn requests_that_cannot_be_read_get_their_code() {
    let caller = Caller::new().await;
    for (path, code) in [
        ("/v1/todo/changes", "cursor_invalid"),
        ("/v1/todo/changes?epoch=x&after=-1", "bad_message"),
        ("/v1/todo/changes?epoch=x&after=0&limit=0", "cursor_invalid"),
        (
            "/v1/todo/changes?epoch=x&after=0&limit=5001",
            "cursor_invalid",
        ),
        ("/v1/todo/snapshot?next=zz", "cursor_invalid"),
        ("/v1/%00/snapshot", "name_invalid"),
        ("/v1/%FF/snapshot", "bad_message"),
    ] {
        let (status, reply) = caller.get(path).await;
        assert_eq!(reply["code"], code, "{path}");
        assert!(status.is_client_error());
    }
    for body in [
        json!([]),
        json!({"client": "c"}),
        json!({"client": "c", "muts": [{}]}),
    ] {
        let (status, reply) = caller.push(&body).await;
        assert_eq!(
            (status, &reply["code"]),
            (StatusCode::BAD_REQUEST, &json!("bad_message")),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_push_without_a_good_token_is_401_and_stores_nothing() {
    let caller = Caller::new().await;
    let url = caller.node.url("/v1/todo/push");
    let body = inserts(1, 0..1).to_string();
    for header in [None, Some("Bearer x"), Some("Basic eA=="), Some("Bearer ")] {
        let mut request = caller.http.post(&url).body(body.clone());
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let (status, reply) = read(request.send().await.unwrap()).await;
        assert_eq!(
            (status, &reply["code"]),
            (StatusCode::UNAUTHORIZED, &json!("token_invalid"))
        );
    }
    let (_, snapshot) = caller.get("/v1/todo/snapshot").await;
    assert_eq!(snapshot["at"], 0);
}

#[tokio::test]
async fn a_stranger_is_refused_before_its_body_comes() {
    let caller = Caller::new().await;
    for path in ["/v1/todo/push", "/sync/todo"] {
        let mut stream = TcpStream::connect(caller.node.app.public_addr())
            .await
            .unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        let answered = stream.read_exact(&mut answer);
        tokio::time::timeout(syncline_tests::HUNG, answered)
            .await
            .expect("the hub waits for the body")
            .unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401", "{path}");
    }
}

#[tokio::test]
async fn a_service_writes_into_the_space_it_names() {
    let mut setup = Setup::default();
    setup.config.auth.service_key = Some(syncline_hub::auth::ServiceKey::new("hush").unwrap());
    let node = TestNode::start_with(setup).await;
    let http = Client::new();
    let push = async |key: &str, space: &str| {
        let request = http
            .post(node.url(&format!("/v1/todo/push{space}")))
            .header("x-service-key", key);
        read(
            request
                .body(inserts(1, 0..1).to_string())
                .send()
                .await
                .unwrap(),
        )
        .await
        .0
    };
    assert_eq!(push("wrong", "?space=ada").await, 401);
    assert_eq!(push("hush", "").await, 400);
    assert_eq!(push("hush", "?space=ada").await, 200);
    let snapshot = http
        .get(node.url("/v1/todo/snapshot"))
        .bearer_auth(node.token("ada"));
    let (_, snapshot) = read(snapshot.send().await.unwrap()).await;
    assert_eq!(snapshot["changes"][0]["by"], "server");
}

#[tokio::test]
async fn a_write_under_a_key_takes_effect_once() {
    let caller = Caller::new().await;
    let write = |key: &str, n: u64| {
        let change = json!({"table": "t", "id": key, "op": "insert", "data": {"n": n}});
        json!({"key": key, "changes": [change]})
    };
    let body = json!({"muts": [write("order-1", 1), write("order-2", 2)]});
    let (status, first) = caller.push(&body).await;
    assert_eq!(status, 200);
    let expected = json!([{"key": "order-1", "status": "applied", "seq": 1},
        {"key": "order-2", "status": "applied", "seq": 2}]);
    assert_eq!((&first["results"], &first["head"]), (&expected, &json!(2)));
    let (_, again) = caller.push(&body).await;
    assert_eq!((&again["results"], &again["head"]), (&expected, &json!(2)));
    // A key is its writer's: devices are shown only that there was one.
    let (_, snapshot) = caller.get("/v1/todo/snapshot").await;
    let by = |change: &Value| change["by"].clone();
    let shown: Vec<_> = snapshot["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(by)
        .collect();
    assert_eq!(shown, ["key:", "key:"]);
    let (mut socket, _) = Socket::hello(&caller.node, "ada", json!({})).await;
    assert_eq!(
        socket.message_of("snapshot").await["changes"][0]["by"],
        "key:"
    );
    socket.message_of("delta").await; // the end of its snapshot
    caller.push(&json!({"muts": [write("order-3", 3)]})).await;
    assert_eq!(socket.message_of("delta").await["changes"][0]["by"], "key:");
    let long = json!({"muts": [{"key": "x".repeat(125), "changes": []}]});
    let (_, reply) = caller.push(&long).await;
    let message = reply["message"].as_str().unwrap();
    assert!(
        message.starts_with("a key is longer than 124 bytes"),
        "{message}"
    );
    let (_, other) = caller.push(&json!({"muts": [write("order-1", 7)]})).await;
    assert_eq!(other["results"][0]["code"], "number_reused");
    for body in [
        json!({"muts": [{"key": "", "changes": []}]}),
        json!({"muts": [{"key": "x".repeat(125), "changes": []}]}),
        json!({"client": "key:order-1", "muts": []}),
    ] {
        let (status, reply) = caller.push(&body).await;
        assert_eq!(
            (status.as_u16(), &reply["code"]),
            (422, &json!("name_invalid")),
            "{body}"
        );
    }
}
