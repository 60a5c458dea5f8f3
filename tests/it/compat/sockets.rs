//! The notice socket.

use serde_json::{Value, json};
use syncline_hub::app::Parts;
use syncline_hub::clock::{Clock, ManualClock, SystemClock};
use syncline_protocol::stamp::Hlc;
use syncline_tests::compat_device::CompatDevice;
use syncline_tests::issuer::{EC_KID, Issuer};
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::socket::Socket;

pub(super) async fn authed(node: &TestNode, user: &str) -> Socket {
    let mut socket = Socket::connect_to(node, "/ws/todo").await;
    socket
        .send(&json!({"type": "auth", "token": node.token(user)}))
        .await;
    assert_eq!(socket.message().await, json!({"type": "auth-ok"}));
    socket
}

async fn write(device: &mut CompatDevice, table: &str) {
    device.insert((table, "k1"), &json!({}), "2026-01-01T10:00:00.000Z");
    assert_eq!(device.push().await, 200);
}

fn available(tables: &[&str]) -> Value {
    json!({"type": "sync-available", "tables": tables})
}

async fn is_quiet(socket: &mut Socket) -> bool {
    socket.send(&json!({"type": "ping"})).await;
    socket.message().await == json!({"type": "pong"})
}

#[tokio::test]
async fn every_socket_of_the_user_and_app_hears_which_tables_changed() {
    let node = TestNode::start().await;
    let (mut one, mut two) = (authed(&node, "ada").await, authed(&node, "ada").await);
    let mut other = authed(&node, "bob").await;
    let mut phone = CompatDevice::new(&node, "ada", "phone");
    phone.insert(("labels", "l1"), &json!({}), "2026-01-01T10:00:00.000Z");
    write(&mut phone, "tasks").await;
    assert_eq!(one.message().await, available(&["labels", "tasks"]));
    assert_eq!(two.message().await, available(&["labels", "tasks"]));
    assert!(is_quiet(&mut other).await);
    // A native client's change is heard too; a change of nothing is not.
    write(&mut phone, "tasks").await;
    assert!(is_quiet(&mut one).await);
}

#[tokio::test]
async fn a_native_change_is_heard_and_a_compatible_one_reaches_native_devices() {
    let node = TestNode::start().await;
    let mut notices = authed(&node, "ada").await;
    let mut native = syncline_tests::device::Device::new("ada", "native");
    native.connect(&node).await;
    native
        .edit(&json!([{"table": "tasks", "id": "n1", "op": "insert", "data": {"from": "native"}}]));
    native.push().await;
    assert_eq!(notices.message().await, available(&["tasks"]));
    let mut phone = CompatDevice::new(&node, "ada", "phone");
    phone.sync().await;
    assert_eq!(phone.field(("tasks", "n1"), "from"), Some(json!("native")));
    phone.update(
        ("tasks", "n1"),
        ("from", json!("phone")),
        &syncline_protocol::stamp::wall_text(SystemClock.now_ms() + 5_000),
    );
    phone.push().await;
    native.reach(2).await;
    assert_eq!(native.shows("tasks", "n1"), Some(json!({"from": "phone"})));
}

/// One that becomes another user's gives its place back.
#[tokio::test]
async fn a_user_has_sockets_up_to_the_limit_and_not_one_past_it() {
    let mut setup = Setup::default();
    setup.config.gateway.sockets_per_user_max = 2;
    let node = TestNode::start_with(setup).await;
    let (mut one, mut two) = (authed(&node, "ada").await, authed(&node, "ada").await);
    let mut third = Socket::connect_to(&node, "/ws/todo").await;
    let auth = |user| json!({"type": "auth", "token": node.token(user)});
    third.send(&auth("ada")).await;
    let no_room = json!({"type": "error", "tables": ["too many sockets"]});
    assert_eq!(third.message().await, no_room);
    assert_eq!(third.closed().await, Some(4029));
    two.send(&auth("bob")).await;
    assert_eq!(two.message().await, json!({"type": "auth-ok"}));
    let mut fourth = authed(&node, "ada").await;
    two.send(&auth("ada")).await;
    assert_eq!(two.message().await, no_room);
    assert_eq!(two.closed().await, Some(4029));
    assert!(is_quiet(&mut one).await && is_quiet(&mut fourth).await);
}

#[tokio::test]
async fn a_bad_token_is_answered_and_closed_with_1008() {
    let node = TestNode::start().await;
    let mut socket = Socket::connect_to(&node, "/ws/todo").await;
    socket.send(&json!({"type": "auth", "token": "x"})).await;
    assert_eq!(
        socket.message().await,
        json!({"type": "error", "tables": ["invalid token"]})
    );
    assert_eq!(socket.closed().await, Some(1008));
}

#[tokio::test]
async fn a_socket_that_says_nothing_is_closed_by_a_timer() {
    let node = TestNode::start().await;
    let mut socket = Socket::connect_to(&node, "/ws/todo").await;
    let late = json!({"type": "error", "tables": ["auth timeout"]});
    assert_eq!(socket.message().await, late);
    assert_eq!(socket.closed().await, Some(1008));
}

#[tokio::test]
async fn a_second_auth_as_another_user_moves_the_socket() {
    let node = TestNode::start().await;
    let mut socket = authed(&node, "ada").await;
    socket
        .send(&json!({"type": "auth", "token": node.token("bob")}))
        .await;
    assert_eq!(socket.message().await, json!({"type": "auth-ok"}));
    write(&mut CompatDevice::new(&node, "ada", "phone"), "tasks").await;
    assert!(is_quiet(&mut socket).await);
    write(&mut CompatDevice::new(&node, "bob", "phone"), "labels").await;
    assert_eq!(socket.message().await, available(&["labels"]));
    let health = reqwest::get(node.url("/health"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!(
        (&health["connections"], &health["users"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&health["status"], &health["service"]),
        (&json!("ok"), &json!("mana-sync"))
    );
    let told = Hlc::parse(health["timestamp"].as_str().unwrap()).unwrap();
    let hour_ms = 3_600_000;
    assert!(
        told.wall_ms().abs_diff(SystemClock.now_ms()) < hour_ms,
        "{health}"
    );
}

#[tokio::test]
async fn an_expired_token_closes_the_socket() {
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
    // From a moment, not from when it happens to be made.
    let issuer = node.app.dev_issuer().unwrap();
    let token = issuer.token("ada", 60, clock.now_ms()).unwrap();
    let mut socket = Socket::connect_to(&node, "/ws/todo").await;
    socket.send(&json!({"type": "auth", "token": token})).await;
    socket.message().await;
    clock.advance(60_000);
    socket.send(&json!({"type": "ping"})).await;
    assert_eq!(socket.closed().await, Some(1008));
}

/// Also of one that says nothing.
#[tokio::test]
async fn an_expired_token_closes_a_socket_that_is_silent() {
    let node = TestNode::start().await;
    let issuer = node.app.dev_issuer().unwrap();
    let token = issuer.token("ada", 5, SystemClock.now_ms()).unwrap();
    let mut socket = Socket::connect_to(&node, "/ws/todo").await;
    socket.send(&json!({"type": "auth", "token": token})).await;
    assert_eq!(socket.message().await["type"], "auth-ok");
    assert_eq!(socket.message().await["tables"][0], "token expired");
    assert_eq!(socket.closed().await, Some(1008));
}

#[tokio::test]
async fn a_removed_key_closes_the_socket() {
    let issuer = Issuer::start().await;
    let node = TestNode::start_with(Setup::of_issuer(&issuer)).await;
    let mut socket = Socket::connect_to(&node, "/ws/todo").await;
    let auth = json!({"type": "auth", "token": issuer.token("ada")});
    socket.send(&auth).await;
    assert_eq!(socket.message().await["type"], "auth-ok");
    issuer.publish_only(&[EC_KID]);
    assert!(node.app.verifier().refresh(SystemClock.now_ms()).await);
    socket.send(&json!({"type": "ping"})).await;
    assert_eq!(socket.message().await["tables"][0], "token expired");
    assert_eq!(socket.closed().await, Some(1008));
}
