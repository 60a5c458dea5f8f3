//! Pushes that wait because their session, their user or the node is loaded.

use serde_json::json;
use syncline_storage::faulty::{Fault, Operation};

use super::hub::{Got, Hub, text};

/// A push of some 62 KB.
fn large_push(m: u64) -> Vec<u8> {
    let data = json!({"x": "y".repeat(62_000)});
    let change = json!({"table": "t", "id": m.to_string(), "op": "insert", "data": data});
    text(&json!({"t": "push", "muts": [{"m": m, "changes": [change]}]}))
}

#[tokio::test]
async fn a_user_whose_pushes_wait_in_one_space_has_no_more_room_in_another_and_others_have() {
    let hub = Hub::start(|config| {
        // Where a user has as much of the node's as one session.
        config.session.pending_bytes = 1 << 20;
        config.session.pending_node_bytes = 8 << 20;
    })
    .await;
    let pending = || hub.gateway().metrics.pending_bytes.get();
    let mut todo = hub.attach("ada").await;
    let mut chat = hub.hello_in("chat", ("ada", "c")).await;
    chat.message_of("delta").await;
    let mut others = hub.attach("bob").await;
    hub.store.script(Operation::Commit, Some(Fault::Held));
    todo.send(&(1..=16).flat_map(large_push).collect::<Vec<u8>>())
        .await;
    hub.injected(1).await;
    hub.until(|| pending() > 15 * 62_000).await;
    // It is taken, and waits behind the commit that is held as all do.
    let before = pending();
    others.send(&large_push(1)).await;
    hub.until(|| pending() >= before + 62_000).await;
    // It waits for some seconds before it is told.
    chat.send(&large_push(1)).await;
    assert_eq!(chat.got().await, Got::message("slow"));
    // It was not taken; what is decided makes room for it.
    hub.store.release();
    others.message_of("verdicts").await;
    hub.until(|| pending() == 0).await;
    chat.send(&large_push(1)).await;
    chat.message_of("verdicts").await;
    hub.until(|| pending() == 0).await;
}
