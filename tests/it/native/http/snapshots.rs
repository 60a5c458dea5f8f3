//! All that is there, part by part.

use reqwest::StatusCode;
use serde_json::json;
use syncline_tests::socket::Socket;

use super::{Caller, inserts};

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
