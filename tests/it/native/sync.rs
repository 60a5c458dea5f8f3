//! Sync over WebSocket.

use serde_json::{Value, json};
use syncline_tests::device::Device;
use syncline_tests::node::TestNode;
use syncline_tests::socket::Socket;
use tokio_tungstenite::tungstenite::Message;

fn insert(m: u64, id: &str) -> Value {
    json!({"m": m, "changes": [{"table": "tasks", "id": id, "op": "insert", "data": {"n": m}}]})
}

fn push(muts: &[Value]) -> Value {
    json!({"t": "push", "muts": muts})
}

#[tokio::test]
async fn a_welcome_says_where_the_space_stands() {
    let node = TestNode::start().await;
    let (_socket, welcome) = Socket::hello(&node, "ada", json!({})).await;
    assert_eq!(
        (&welcome["v"], &welcome["head"], &welcome["gc_seq"]),
        (&json!(1), &json!(0), &json!(0))
    );
    assert_eq!(welcome["epoch"].as_str().unwrap().len(), 16);
    assert_eq!(welcome["acked"], json!(null));
    let limits = json!({"message_bytes": 1_048_576, "changes_per_push": 5_000});
    assert_eq!(welcome["limits"], limits);
    let expires = welcome["token_expires_in"].as_u64().unwrap();
    assert!((3_590..=3_600).contains(&expires), "{expires}");
}

#[tokio::test]
async fn a_change_reaches_the_other_device_while_it_is_connected() {
    let node = TestNode::start().await;
    let (mut phone, _) = Socket::hello(&node, "ada", json!({"client": "phone"})).await;
    let (mut laptop, _) = Socket::hello(&node, "ada", json!({"client": "laptop"})).await;
    laptop.message_of("delta").await; // the end of its snapshot
    phone.send(&push(&[insert(1, "k1")])).await;
    assert_eq!(
        phone.message_of("verdicts").await["results"][0]["status"],
        "applied"
    );
    let delta = laptop.message_of("delta").await;
    assert_eq!((&delta["from"], &delta["to"]), (&json!(0), &json!(1)));
    assert_eq!(delta["changes"][0]["by"], "phone");
}

#[tokio::test]
async fn what_is_pushed_right_behind_the_hello_is_answered() {
    let node = TestNode::start().await;
    for round in 0..20 {
        let mut socket = Socket::connect(&node).await;
        let client = format!("c{round}");
        let hello = json!({"t": "hello", "v": 1, "app": "todo", "client": client,
            "token": node.token("ada"), "cursor": null});
        socket.send(&hello).await;
        socket.send(&push(&[insert(1, &client)])).await;
        let verdicts = socket.message_of("verdicts").await;
        assert_eq!(verdicts["results"][0]["status"], "applied");
    }
}

#[tokio::test]
async fn a_broken_backfill_goes_on_and_leaves_out_nothing_of_the_other_tables() {
    let node = TestNode::start().await;
    let (mut phone, welcome) = Socket::hello(&node, "ada", json!({"client": "phone"})).await;
    let many: Vec<Value> = (0..700)
        .map(|i| json!({"table": "new", "id": format!("n{i:03}"), "op": "insert", "data": {}}))
        .collect();
    phone.send(&push(&[json!({"m": 1, "changes": many})])).await;
    phone.message_of("verdicts").await;
    phone.send(&push(&[insert(2, "missed")])).await;
    phone.message_of("verdicts").await;
    let hello = json!({"client": "laptop", "cursor": {"epoch": welcome["epoch"], "seq": 1},
        "tables": ["tasks", "new"], "backfill": ["new"]});
    let (mut laptop, _) = Socket::hello(&node, "ada", hello.clone()).await;
    let next = laptop.message_of("snapshot").await["next"].clone();
    laptop.cut();
    let mut again = hello;
    again["snapshot_next"] = next;
    let (mut laptop, _) = Socket::hello(&node, "ada", again).await;
    assert_eq!(laptop.message_of("snapshot_end").await["count"], 700);
    let delta = laptop.message_of("delta").await;
    assert_eq!((&delta["from"], &delta["to"]), (&json!(1), &json!(2)));
    assert_eq!(delta["changes"][0]["id"], "missed");
}

#[tokio::test]
async fn a_resend_after_a_cut_connection_takes_effect_once() {
    let node = TestNode::start().await;
    let (mut laptop, welcome) = Socket::hello(&node, "ada", json!({"client": "laptop"})).await;
    laptop.message_of("delta").await;
    let (mut phone, _) = Socket::hello(&node, "ada", json!({"client": "phone"})).await;
    phone.send(&push(&[insert(1, "k1")])).await;
    // It took effect, and the phone never reads its verdict.
    laptop.message_of("delta").await;
    phone.cut();
    let cursor = json!({"epoch": welcome["epoch"], "seq": 0});
    let (mut phone, _) =
        Socket::hello(&node, "ada", json!({"client": "phone", "cursor": cursor})).await;
    phone.send(&push(&[insert(1, "k1"), insert(2, "k2")])).await;
    let mut seqs = std::collections::BTreeMap::new();
    while seqs.len() < 2 {
        for result in phone.message_of("verdicts").await["results"]
            .as_array()
            .unwrap()
        {
            assert_eq!(result["status"], "applied");
            seqs.insert(
                result["m"].as_u64().unwrap(),
                result["seq"].as_u64().unwrap(),
            );
        }
    }
    assert_eq!(seqs.into_iter().collect::<Vec<_>>(), [(1, 1), (2, 2)]);
}

#[tokio::test]
async fn everything_survives_a_restart_of_the_hub() {
    let node = TestNode::start().await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    for id in ["k1", "k2"] {
        phone.edit(&json!([{"table": "tasks", "id": id, "op": "insert", "data": {"id": id}}]));
        phone.push().await;
    }
    phone.disconnect();
    let node = node.restart().await;
    phone.edit(&json!([{"table": "tasks", "id": "k2", "op": "delete"}]));
    phone.connect(&node).await;
    let mut laptop = Device::new("ada", "laptop");
    laptop.connect(&node).await;
    assert_eq!(laptop.told(), phone.told());
    assert_eq!(laptop.shows("tasks", "k1"), Some(json!({"id": "k1"})));
    assert_eq!(laptop.shows("tasks", "k2"), None);
}

#[tokio::test]
async fn a_large_space_arrives_by_snapshot_and_a_long_absence_by_deltas() {
    let node = TestNode::start().await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    let mut laptop = Device::new("ada", "laptop");
    laptop.connect(&node).await;
    laptop.disconnect();
    for batch in 0..6 {
        let changes: Vec<Value> = (0..400)
            .map(|i| {
                let id = format!("k{}", batch * 400 + i);
                json!({"table": "tasks", "id": id, "op": "insert", "data": {"text": "x".repeat(200)}})
            })
            .collect();
        phone.edit(&Value::Array(changes));
        phone.push().await;
    }
    laptop.connect(&node).await;
    let mut tablet = Device::new("ada", "tablet");
    tablet.connect(&node).await;
    assert_eq!(phone.told().len(), 2_400);
    assert_eq!(laptop.told(), phone.told());
    assert_eq!(tablet.told(), phone.told());
}

#[tokio::test]
async fn messages_that_cannot_be_read_are_answered_and_the_socket_stays() {
    let node = TestNode::start().await;
    let (mut socket, _) = Socket::hello(&node, "ada", json!({})).await;
    socket.message_of("delta").await; // the end of its snapshot
    for (text, code) in [
        ("{", "bad_message"),
        ("[]", "bad_message"),
        (r#"{"t":"dance"}"#, "unknown_type"),
        (
            r#"{"t":"hello","v":1,"app":"todo","client":"c","token":"x"}"#,
            "out_of_order",
        ),
        (r#"{"t":"push","muts":[{"changes":[]}]}"#, "bad_message"),
        (r#"{"t":"push","muts":[{"m":2,"changes":[]}]}"#, "gap"),
    ] {
        socket.send_raw(Message::text(text)).await;
        let error = socket.message().await;
        assert_eq!(
            (&error["t"], &error["code"]),
            (&json!("error"), &json!(code)),
            "{text}"
        );
        assert!(error["retry"].is_string());
    }
    assert!(socket.is_quiet().await);
}

#[tokio::test]
async fn binary_messages_close_with_1003() {
    let node = TestNode::start().await;
    let (mut socket, _) = Socket::hello(&node, "ada", json!({})).await;
    socket.send_raw(Message::binary(vec![1])).await;
    assert_eq!(socket.closed().await, Some(1003));
}

#[tokio::test]
async fn a_message_is_taken_at_the_limit_and_closes_one_byte_past_it() {
    let node = TestNode::start().await;
    let (mut socket, _) = Socket::hello(&node, "ada", json!({})).await;
    let padded = |bytes: usize| {
        let text = r#"{"t":"ping","x":""}"#;
        Message::text(text.replace(r#""""#, &format!("\"{}\"", "x".repeat(bytes - text.len()))))
    };
    socket.send_raw(padded(1 << 20)).await;
    socket.message_of("pong").await;
    socket.send_raw(padded((1 << 20) + 1)).await;
    assert_eq!(socket.closed().await, Some(1009));
}

#[tokio::test]
async fn before_hello_a_frame_is_taken_at_64_kib_and_closes_one_byte_past_it() {
    let node = TestNode::start().await;
    let text = r#"{"t":"ping","x":""}"#;
    let padded = |bytes: usize| {
        Message::text(text.replace(r#""""#, &format!("\"{}\"", "x".repeat(bytes - text.len()))))
    };
    let mut socket = Socket::connect(&node).await;
    socket.send_raw(padded(64 << 10)).await;
    assert_eq!(socket.message().await["t"], "pong");
    socket.send_raw(padded((64 << 10) + 1)).await;
    assert_eq!(socket.closed().await, Some(1009));
}

#[tokio::test]
async fn presence_and_broadcasts_reach_the_others_and_are_not_stored() {
    let node = TestNode::start().await;
    let (mut phone, _) = Socket::hello(&node, "ada", json!({"client": "phone"})).await;
    let (mut laptop, _) = Socket::hello(&node, "ada", json!({"client": "laptop"})).await;
    phone
        .send(&json!({"t": "presence", "state": {"at": "k1"}}))
        .await;
    let shown = laptop.message_of("presence").await;
    assert_eq!(
        (&shown["client"], &shown["state"]),
        (&json!("phone"), &json!({"at": "k1"}))
    );
    laptop
        .send(&json!({"t": "broadcast", "room": "r", "data": [1, 2]}))
        .await;
    let heard = phone.message_of("broadcast").await;
    assert_eq!(
        (&heard["from"], &heard["data"]),
        (&json!("laptop"), &json!([1, 2]))
    );
    phone.cut();
    assert_eq!(laptop.message_of("presence").await["state"], json!(null));
}

#[tokio::test]
async fn two_nodes_on_one_store_and_bus_show_each_other_their_commits() {
    use std::sync::Arc;
    use syncline_cluster::local::LocalBus;
    use syncline_hub::app::Parts;
    use syncline_storage::Store;
    use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
    use syncline_tests::node::Setup;

    let dir = Arc::new(tempfile::TempDir::new().unwrap());
    let store = SqliteStore::open(&SqliteOptions::new(dir.path().join("hub.db"))).unwrap();
    let (store, bus): (Arc<dyn Store>, _) = (Arc::new(store), LocalBus::default());
    let start = async |name: &str| {
        let mut setup = Setup::default();
        setup.config.node = syncline_protocol::ids::NodeId::parse(name).unwrap();
        setup.parts = Parts {
            store: Some(store.clone()),
            bus: Some(Arc::new(bus.clone())),
            ..Parts::default()
        };
        setup.dir = Some(dir.clone());
        TestNode::start_with(setup).await
    };
    let (one, two) = (start("n1").await, start("n2").await);
    let mut phone = Device::new("ada", "phone");
    let mut laptop = Device::new("ada", "laptop");
    phone.connect(&one).await;
    laptop.connect(&two).await;
    for i in 0..20 {
        let id = format!("k{i}");
        phone.edit(&json!([{"table": "t", "id": id, "op": "insert", "data": {"from": "phone"}}]));
        laptop.edit(&json!([{"table": "t", "id": id, "op": "insert", "data": {"also": "laptop"}}]));
        tokio::join!(phone.push(), laptop.push());
    }
    let head = phone.seq().max(laptop.seq());
    phone.reach(head).await;
    laptop.reach(head).await;
    assert_eq!(phone.told(), laptop.told());
    assert_eq!(
        phone.shows("t", "k7"),
        Some(json!({"from": "phone", "also": "laptop"}))
    );
}
