//! What happened after a cursor, page by page.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::json;

use super::{Caller, inserts};

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
