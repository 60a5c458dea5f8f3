//! Limits an operator has set: each at its value and one past it, by every way in.

use reqwest::Client;
use serde_json::{Value, json};
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::socket::{Got, Socket};

async fn node() -> TestNode {
    let mut setup = Setup::default();
    let limits = &mut setup.config.limits;
    limits.record_bytes_max = 1_024;
    limits.fields_max = 3;
    limits.json_depth_max = 2;
    limits.changes_per_push_max = 4;
    limits.name_bytes_max = 200;
    setup.config.gateway.stranger_bytes_max = 2_048;
    TestNode::start_with(setup).await
}

fn insert(id: &str, data: &Value) -> Value {
    json!({"table": "tasks", "id": id, "op": "insert", "data": data})
}

/// Changes, each with its refusal if there is one.
fn changes() -> Vec<(Value, Option<&'static str>)> {
    // {"x":"…"} has 8 bytes around the text.
    let of_bytes = |bytes: usize| json!({"x": "y".repeat(bytes - 8)});
    let (longest, over) = ("n".repeat(200), "n".repeat(201));
    vec![
        (insert("large", &of_bytes(1_024)), None),
        (insert("x", &of_bytes(1_025)), Some("record_too_large")),
        (insert("wide", &json!({"a": 1, "b": 1, "c": 1})), None),
        (
            insert("x", &json!({"a": 1, "b": 1, "c": 1, "d": 1})),
            Some("too_many_fields"),
        ),
        (insert("deep", &json!({"a": [[1]]})), None),
        (insert("x", &json!({"a": [[[1]]]})), Some("json_too_deep")),
        (insert(&longest, &json!({})), None),
        (insert(&over, &json!({})), Some("name_invalid")),
    ]
}

#[tokio::test]
async fn the_limits_of_the_config_hold_by_every_way_in() {
    let node = node().await;
    let (mut socket, welcome) = Socket::hello(&node, "ada", json!({})).await;
    assert_eq!(welcome["limits"]["changes_per_push"], 4);
    let http = Client::new();
    let post = async |path: &str, user: &str, body: Value| -> Value {
        let request = http.post(node.url(path)).bearer_auth(node.token(user));
        let answer = request.body(body.to_string()).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    };
    for (m, (change, code)) in (1..).zip(changes()) {
        let muts = json!([{"m": m, "changes": [&change]}]);
        socket.send(&json!({"t": "push", "muts": &muts})).await;
        let verdicts = socket.message_of("verdicts").await;
        let pushed = post("/v1/todo/push", "bob", json!({"client": "c", "muts": muts})).await;
        for reply in [verdicts, pushed] {
            assert_eq!(reply["results"][0]["code"].as_str(), code, "{change}");
        }
        let since = "1970-01-01T00:00:00.000Z";
        let body = json!({"clientId": "c", "since": since, "changes": [&change]});
        let synced = post("/sync/todo", "carol", body).await;
        assert_eq!(synced["conflicts"][0]["code"].as_str(), code, "{change}");
    }
    let push = async |client: &str, count: usize| {
        let changes = vec![insert("k", &json!({})); count];
        let muts = json!([{"m": 1, "changes": changes}]);
        let reply = post(
            "/v1/todo/push",
            "dan",
            json!({"client": client, "muts": muts}),
        )
        .await;
        reply["results"][0]["code"].as_str().map(str::to_owned)
    };
    assert_eq!(push("most", 4).await, None);
    assert_eq!(push("over", 5).await.as_deref(), Some("too_many_changes"));
}

#[tokio::test]
async fn a_strangers_message_is_as_long_as_the_config_says() {
    let node = node().await;
    let ping = |bytes: usize| {
        let empty = json!({"t": "ping", "x": ""}).to_string();
        json!({"t": "ping", "x": "y".repeat(bytes - empty.len())})
    };
    let mut socket = Socket::connect(&node).await;
    socket.send(&ping(2_048)).await;
    assert_eq!(socket.next().await, Got::Message(json!({"t": "pong"})));
    socket.send(&ping(2_049)).await;
    assert_eq!(socket.next().await, Got::Closed(Some(1009)));
    // A user's may be longer.
    let (mut socket, _) = Socket::hello(&node, "ada", json!({})).await;
    socket.send(&ping(2_049)).await;
    socket.message_of("pong").await;
}

/// Of one mutation, and of all of a push; what is refused as a whole uses no numbers.
#[tokio::test]
async fn a_push_over_a_socket_has_changes_up_to_the_limit() {
    let mut setup = Setup::default();
    setup.config.limits.user_changes_per_s = 100_000;
    let node = TestNode::start_with(setup).await;
    let (mut socket, _) = Socket::hello(&node, "ada", json!({})).await;
    for (muts, expected) in [
        (&[(1, 5_000)][..], Ok(vec![None])),
        (&[(2, 5_001)], Ok(vec![Some("too_many_changes")])),
        (&[(3, 2), (4, 4_999)], Err("too_many_changes")),
        (&[(3, 2), (4, 4_998)], Ok(vec![None, None])),
    ] {
        let mutation = |(m, count): &(u64, usize)| json!({"m": m, "changes": vec![insert("k", &json!({})); *count]});
        let push: Vec<Value> = muts.iter().map(mutation).collect();
        socket.send(&json!({"t": "push", "muts": push})).await;
        match expected {
            Ok(codes) => {
                let verdicts = socket.message_of("verdicts").await;
                let results = verdicts["results"].as_array().unwrap().iter();
                let given: Vec<_> = results.map(|result| result["code"].as_str()).collect();
                assert_eq!(given, codes, "{muts:?}: {verdicts}");
            }
            Err(code) => assert_eq!(socket.message_of("error").await["code"], code),
        }
    }
}
