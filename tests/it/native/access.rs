//! Who gets in, and that nobody reads another's data.

use serde_json::{Value, json};
use syncline_hub::app::Parts;
use syncline_hub::clock::{Clock, ManualClock, SystemClock};
use syncline_tests::issuer::{EC_KID, Issuer, now_s};
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::socket::Socket;

async fn refused(node: &TestNode, hello: Value) -> (Value, Option<u16>) {
    let mut socket = Socket::connect(node).await;
    socket.send(&hello).await;
    let error = socket.message_of("error").await;
    (error["code"].clone(), socket.closed().await)
}

fn hello(token: &str) -> Value {
    json!({"t": "hello", "v": 1, "app": "todo", "client": "c1", "token": token, "cursor": null})
}

#[tokio::test]
async fn bad_tokens_close_with_4001() {
    let node = TestNode::start().await;
    let good = node.token("ada");
    let cut = &good[..good.len() - 4];
    for token in ["", "x", "a.b.c", cut] {
        let (code, closed) = refused(&node, hello(token)).await;
        assert_eq!(
            (code, closed),
            (json!("token_invalid"), Some(4001)),
            "{token}"
        );
    }
}

#[tokio::test]
async fn another_users_space_is_forbidden_on_every_route() {
    let node = TestNode::start().await;
    let (mut ada, _) = Socket::hello(&node, "ada", json!({"client": "ada-phone"})).await;
    let secret = json!([{"table": "t", "id": "k1", "op": "insert", "data": {"secret": 42}}]);
    ada.send(&json!({"t": "push", "muts": [{"m": 1, "changes": secret}]}))
        .await;
    ada.message_of("verdicts").await;

    let bob = node.token("bob");
    let mut asked = hello(&bob);
    asked["space"] = json!("ada");
    assert_eq!(
        refused(&node, asked).await,
        (json!("forbidden"), Some(4003))
    );

    let http = reqwest::Client::new();
    for (method, path) in [
        ("GET", "/v1/todo/changes?epoch=1&after=0&space=ada"),
        ("GET", "/v1/todo/snapshot?space=ada"),
        ("POST", "/v1/todo/push?space=ada"),
    ] {
        let request = http
            .request(method.parse().unwrap(), node.url(path))
            .bearer_auth(&bob);
        let response = request
            .body(r#"{"client":"c","muts":[]}"#)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 403, "{path}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(
            (&body["code"], body.as_object().unwrap().len()),
            (&json!("forbidden"), 3),
            "{path}: code, message and retry, and nothing else"
        );
    }
    let own = http
        .get(node.url("/v1/todo/snapshot"))
        .bearer_auth(&bob)
        .send()
        .await
        .unwrap();
    let own: Value = own.json().await.unwrap();
    assert_eq!((&own["at"], &own["changes"]), (&json!(0), &json!([])));
    // The same client id of another user is another client.
    let (_bob, welcome) = Socket::hello(&node, "bob", json!({"client": "ada-phone"})).await;
    assert_eq!(
        (&welcome["head"], &welcome["acked"]),
        (&json!(0), &json!(null))
    );
}

#[tokio::test]
async fn anything_before_hello_closes_with_4001() {
    let node = TestNode::start().await;
    for first in [
        json!({"t": "push", "muts": []}),
        json!({"t": "dance"}),
        json!([]),
    ] {
        let mut socket = Socket::connect(&node).await;
        socket.send(&first).await;
        assert_eq!(socket.closed().await, Some(4001), "{first}");
    }
}

#[tokio::test]
async fn a_socket_that_says_nothing_is_closed_by_a_timer() {
    let mut setup = Setup::default();
    setup.config.gateway.hello_timeout_ms = 100;
    let node = TestNode::start_with(setup).await;
    let mut socket = Socket::connect(&node).await;
    assert_eq!(socket.message_of("error").await["code"], "auth_timeout");
    assert_eq!(socket.closed().await, Some(4001));
}

#[tokio::test]
async fn an_app_that_is_not_served_is_refused() {
    let mut setup = Setup::default();
    setup.config.apps = vec![syncline_protocol::ids::AppId::parse("calendar").unwrap()];
    let node = TestNode::start_with(setup).await;
    let (code, closed) = refused(&node, hello(&node.token("ada"))).await;
    assert_eq!((code, closed), (json!("app_unknown"), Some(4003)));
}

/// A node and the clock it goes by, which only the test moves.
async fn node_with_clock() -> (TestNode, std::sync::Arc<ManualClock>) {
    let clock = std::sync::Arc::new(ManualClock::new(SystemClock.now_ms()));
    let parts = Parts {
        clock: Some(clock.clone()),
        ..Parts::default()
    };
    let node = TestNode::start_with(Setup {
        parts,
        ..Setup::default()
    })
    .await;
    (node, clock)
}

/// A token of ada's for 300 s from a moment, not from when it happens to be made.
fn token_at(node: &TestNode, now_ms: u64) -> String {
    let issuer = node.app.dev_issuer().unwrap();
    issuer.token("ada", 300, now_ms).unwrap()
}

#[tokio::test]
async fn an_expired_token_pauses_pushes_and_a_fresh_one_resumes_them() {
    let (node, clock) = node_with_clock().await;
    let token = token_at(&node, clock.now_ms());
    let (mut socket, _) = Socket::hello(&node, "ada", json!({"token": token})).await;
    let edit = json!([{"table": "t", "id": "k1", "op": "insert", "data": {}}]);
    let push = json!({"t": "push", "muts": [{"m": 1, "changes": edit}]});

    clock.advance(250_000);
    socket.send(&json!({"t": "ping"})).await;
    let due = socket.message_of("auth_due").await["in"].as_u64().unwrap();
    assert!(due <= 50, "{due}");
    clock.advance(51_000);
    socket.send(&push).await;
    assert_eq!(socket.message_of("error").await["code"], "token_expired");
    socket
        .send(&json!({"t": "presence", "state": {"at": "k1"}}))
        .await;
    assert_eq!(socket.message_of("error").await["code"], "token_expired");

    let issuer = node.app.dev_issuer().unwrap();
    let other = issuer.token("bob", 300, clock.now_ms()).unwrap();
    let fresh = issuer.token("ada", 300, clock.now_ms()).unwrap();
    socket.send(&json!({"t": "auth", "token": fresh})).await;
    socket.send(&push).await;
    assert_eq!(
        socket.message_of("verdicts").await["results"][0]["status"],
        "applied"
    );
    socket.send(&json!({"t": "auth", "token": other})).await;
    assert_eq!(socket.message_of("error").await["code"], "forbidden");
    assert_eq!(socket.closed().await, Some(4003));
}

#[tokio::test]
async fn nothing_new_is_shown_until_a_fresh_token_is() {
    let (node, clock) = node_with_clock().await;
    let token = token_at(&node, clock.now_ms());
    let (mut reader, _) = Socket::hello(&node, "ada", json!({"token": token})).await;
    reader.message_of("delta").await; // the end of its snapshot
    clock.advance(310_000);
    // The hub looks at the time when something comes.
    reader.send(&json!({"t": "ping"})).await;
    reader.message_of("pong").await;
    let token = token_at(&node, clock.now_ms());
    let who = json!({"token": token, "client": "writer"});
    let (mut writer, _) = Socket::hello(&node, "ada", who).await;
    writer.message_of("delta").await; // the end of its snapshot
    for m in 1..=3 {
        let change = json!({"table": "t", "id": format!("k{m}"), "op": "insert", "data": {}});
        let push = json!({"t": "push", "muts": [{"m": m, "changes": [change]}]});
        writer.send(&push).await;
        writer.message_of("verdicts").await;
    }
    assert!(reader.is_quiet().await);
    reader.send(&json!({"t": "auth", "token": token})).await;
    let delta = reader.message_of("delta").await;
    assert_eq!((&delta["from"], &delta["to"]), (&json!(0), &json!(3)));
}

#[tokio::test]
async fn a_token_long_expired_closes_with_4001() {
    let (node, clock) = node_with_clock().await;
    let token = token_at(&node, clock.now_ms());
    let (mut socket, _) = Socket::hello(&node, "ada", json!({"token": token})).await;
    clock.advance(300_000 + 30_000);
    socket.send(&json!({"t": "ping"})).await;
    assert_eq!(socket.message_of("error").await["code"], "token_expired");
    assert_eq!(socket.closed().await, Some(4001));
}

#[tokio::test]
async fn a_page_of_another_origin_may_not_connect() {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let mut setup = Setup::default();
    setup.config.auth.origins = vec!["https://app.example".into()];
    let node = TestNode::start_with(setup).await;
    let address = node.app.public_addr();
    let status_of = async |route: &str, origin: String| {
        let mut request = format!("ws://{address}{route}")
            .into_client_request()
            .unwrap();
        request
            .headers_mut()
            .insert("origin", origin.parse().unwrap());
        match tokio_tungstenite::connect_async(request).await {
            Ok((_, response)) => response.status().as_u16(),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                response.status().as_u16()
            }
            Err(error) => panic!("{error}"),
        }
    };
    for route in ["/v1/ws", "/ws/todo"] {
        let status = async |origin: String| status_of(route, origin).await;
        assert_eq!(status("https://app.example".into()).await, 101, "{route}");
        assert_eq!(status(format!("http://{address}")).await, 101, "{route}");
        for foreign in [
            "https://evil.example",
            "https://app.example.evil.example",
            "https://app.example:444",
            "https://sub.app.example",
            "http://app.example",
            "https://app.exampl",
            "null",
            "",
        ] {
            assert_eq!(status(foreign.into()).await, 403, "{route} {foreign}");
        }
        for foreign in [
            format!("http://evil{address}"),
            format!("http://{address}1"),
            format!("http://evil@{address}"),
        ] {
            assert_eq!(status(foreign.clone()).await, 403, "{route} {foreign}");
        }
    }
}

#[tokio::test]
async fn a_user_has_sockets_up_to_the_limit_and_not_one_past_it() {
    let mut setup = Setup::default();
    setup.config.gateway.sockets_per_user_max = 3;
    let node = TestNode::start_with(setup).await;
    let mut open = Vec::new();
    for i in 0..3 {
        open.push(Socket::hello(&node, "ada", json!({"client": format!("c{i}")})).await);
    }
    let mut one_more = hello(&node.token("ada"));
    one_more["client"] = json!("c3");
    assert_eq!(
        refused(&node, one_more).await,
        (json!("too_many_sockets"), Some(4029))
    );
    Socket::hello(&node, "bob", json!({})).await;
}

/// A node with an issuer, and a clock that is set by hand. Silent sockets are looked at often.
async fn node_of(issuer: &Issuer) -> (TestNode, std::sync::Arc<ManualClock>) {
    let clock = std::sync::Arc::new(ManualClock::new(SystemClock.now_ms()));
    let mut setup = Setup::of_issuer(issuer);
    setup.parts.clock = Some(clock.clone());
    setup.config.gateway.stalled_ms = 100;
    (TestNode::start_with(setup).await, clock)
}

#[tokio::test]
async fn a_socket_of_a_removed_key_ends_as_with_an_expired_token() {
    let issuer = Issuer::start().await;
    let (node, clock) = node_of(&issuer).await;
    let in_an_hour = json!({"sub": "ada", "exp": now_s() + 3_600});
    let (of_ed, of_ec) = (issuer.sign(&in_an_hour), issuer.sign_ec(&in_an_hour));
    let (mut lost, _) = Socket::hello(&node, "ada", json!({"token": of_ed, "client": "a"})).await;
    let (mut kept, _) = Socket::hello(&node, "ada", json!({"token": of_ec, "client": "b"})).await;

    issuer.publish_only(&[EC_KID]);
    assert!(node.app.verifier().refresh(clock.now_ms()).await);
    // It says nothing and is told all the same.
    assert_eq!(lost.message_of("auth_due").await["in"], 0);
    let push = |m: u64| {
        let edit = json!([{"table": "t", "id": m.to_string(), "op": "insert", "data": {}}]);
        json!({"t": "push", "muts": [{"m": m, "changes": edit}]})
    };
    lost.send(&push(1)).await;
    assert_eq!(lost.message_of("error").await["code"], "token_expired");
    kept.send(&push(1)).await;
    let verdicts = kept.message_of("verdicts").await;
    assert_eq!(verdicts["results"][0]["status"], "applied", "{verdicts}");

    // What is committed meanwhile it learns when it shows a token of another key.
    lost.send(&json!({"t": "ping"})).await;
    assert_eq!(lost.message().await["t"], "pong");
    lost.send(&json!({"t": "auth", "token": of_ec})).await;
    let delta = lost.message_of("delta").await;
    assert_eq!(delta["changes"][0]["id"], "1", "{delta}");
    lost.send(&push(1)).await;
    lost.message_of("verdicts").await;
}

#[tokio::test]
async fn a_socket_of_a_removed_key_is_closed_after_the_grace() {
    let issuer = Issuer::start().await;
    let (node, clock) = node_of(&issuer).await;
    let token = issuer.token("ada");
    let (mut lost, _) = Socket::hello(&node, "ada", json!({"token": token})).await;
    issuer.publish_only(&[EC_KID]);
    assert!(node.app.verifier().refresh(clock.now_ms()).await);
    lost.message_of("auth_due").await;
    clock.advance(30_000);
    assert_eq!(lost.message_of("error").await["code"], "token_expired");
    assert_eq!(lost.closed().await, Some(4001));
}
