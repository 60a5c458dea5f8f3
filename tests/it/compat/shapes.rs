//! What is answered to what.

use reqwest::Client;
use serde_json::{Value, json};
use syncline_tests::compat_device::CompatDevice;
use syncline_tests::node::TestNode;

use super::two_devices::{K1, T, two_devices};

fn changes(device: &CompatDevice) -> &Vec<Value> {
    device.reply["serverChanges"].as_array().unwrap()
}

#[tokio::test]
async fn an_empty_device_gets_every_live_record_as_insert_its_own_too() {
    let (node, mut phone, _) = two_devices().await;
    phone.insert(("labels", "l1"), &json!({"name": "x"}), T[0]);
    phone.delete(("labels", "l1"), T[1]);
    phone.sync().await;
    let mut again = CompatDevice::new(&node, "ada", "phone");
    again.push().await;
    let data = json!({"done": false, "title": "a", "updatedAt": T[0]});
    let expected = json!([
        {"table": "labels", "id": "l1", "op": "delete", "deletedAt": T[1]},
        {"table": "tasks", "id": "k1", "op": "insert", "data": data},
    ]);
    assert_eq!(again.reply["serverChanges"], expected);
}

#[tokio::test]
async fn fields_of_two_devices_merge() {
    let (_node, mut phone, mut laptop) = two_devices().await;
    phone.update(K1, ("done", json!(true)), T[1]);
    laptop.update(K1, ("title", json!("b")), T[1]);
    phone.push().await;
    laptop.push().await;
    let written = |value: Value| json!({"value": value, "updatedAt": T[1]});
    let fields = json!({"done": written(json!(true)), "title": written(json!("b"))});
    assert_eq!(changes(&laptop)[0]["fields"], fields);
    assert_eq!(changes(&laptop)[0]["data"]["title"], "b");
    phone.sync().await;
    assert_eq!(phone.shows(), laptop.shows());
}

#[tokio::test]
async fn a_loser_is_told_the_winner_and_a_winner_over_another_is_told_itself() {
    let (_node, mut phone, mut laptop) = two_devices().await;
    laptop.update(K1, ("title", json!("late")), T[3]);
    laptop.push().await;
    // The laptop's write reached the phone before; it does not hear of it by cursor again.
    phone.sync().await;
    phone.update(K1, ("title", json!("early")), T[2]);
    phone.push().await;
    assert_eq!(changes(&phone)[0]["fields"]["title"]["value"], "late");
    assert_eq!(phone.field(K1, "title"), Some(json!("late")));
    phone.update(K1, ("title", json!("later")), "2026-01-01T10:00:09.000Z");
    phone.push().await;
    assert_eq!(changes(&phone)[0]["fields"]["title"]["value"], "later");
}

#[tokio::test]
async fn a_device_hears_of_its_own_changes_only_what_it_named_of_records_that_were_there() {
    let (_node, mut phone, _) = two_devices().await;
    phone.update(K1, ("done", json!(true)), T[1]);
    phone.insert(("tasks", "k2"), &json!({"title": "new"}), T[1]);
    phone.push().await;
    let fields = json!({"done": {"value": true, "updatedAt": T[1]}});
    assert_eq!(changes(&phone).len(), 1);
    assert_eq!(changes(&phone)[0]["fields"], fields);
    phone.pull("tasks").await;
    assert_eq!(changes(&phone), &Vec::<Value>::new());
}

#[tokio::test]
async fn a_resend_of_everything_changes_nothing_and_tells_nobody() {
    let (_node, mut phone, mut laptop) = two_devices().await;
    phone.update(K1, ("done", json!(true)), T[1]);
    phone.push_in_vain().await;
    laptop.sync().await;
    let cursor = laptop.cursor("tasks").to_owned();
    phone.push().await;
    laptop.sync().await;
    assert_eq!(laptop.cursor("tasks"), cursor);
    assert_eq!(laptop.field(K1, "done"), Some(json!(true)));
}

#[tokio::test]
async fn a_resend_by_a_clock_far_ahead_does_not_win_again() {
    use syncline_hub::app::Parts;
    use syncline_hub::clock::{Clock, ManualClock, SystemClock};
    let clock = std::sync::Arc::new(ManualClock::new(SystemClock.now_ms()));
    let parts = Parts {
        clock: Some(clock.clone()),
        ..Parts::default()
    };
    let setup = syncline_tests::node::Setup {
        parts,
        ..Default::default()
    };
    let node = TestNode::start_with(setup).await;
    let text = |ms: u64| syncline_protocol::stamp::wall_text(ms);
    let start = clock.now_ms();
    let mut phone = CompatDevice::new(&node, "ada", "phone");
    let mut laptop = CompatDevice::new(&node, "ada", "laptop");
    phone.insert(K1, &json!({"title": "a"}), &text(start));
    phone.sync().await;
    laptop.sync().await;
    // Ten minutes ahead: clamped to now.
    phone.update(K1, ("title", json!("ahead")), &text(start + 600_000));
    phone.push_in_vain().await;
    laptop.sync().await;
    assert_eq!(laptop.field(K1, "title"), Some(json!("ahead")));
    clock.advance(60_000);
    laptop.update(K1, ("title", json!("honest")), &text(clock.now_ms()));
    laptop.push().await;
    // The claim is no longer too far ahead when it comes again.
    clock.advance(540_000);
    phone.push().await;
    assert_eq!(phone.field(K1, "title"), Some(json!("honest")));
    laptop.sync().await;
    assert_eq!(laptop.field(K1, "title"), Some(json!("honest")));
    // Its next honest edit wins.
    phone.update(
        K1,
        ("title", json!("corrected")),
        &text(clock.now_ms() + 700_000 - 600_000),
    );
    clock.advance(120_000);
    phone.push().await;
    laptop.sync().await;
    assert_eq!(laptop.field(K1, "title"), Some(json!("corrected")));
}

#[tokio::test]
async fn a_deleted_record_that_is_inserted_again_replaces_what_is_left_of_it() {
    let (_node, mut phone, mut laptop) = two_devices().await;
    phone.delete(K1, T[1]);
    phone.push().await;
    laptop.sync().await;
    assert!(laptop.shows().is_empty());
    phone.insert(K1, &json!({"title": "again"}), T[2]);
    phone.push().await;
    laptop.push().await;
    assert_eq!(changes(&laptop)[0]["op"], "insert");
    assert_eq!(laptop.field(K1, "title"), Some(json!("again")));
    assert_eq!(laptop.field(K1, "done"), None);
}

#[tokio::test]
async fn an_installed_device_with_a_cursor_of_another_server_ends_equal() {
    let (_node, mut phone, mut laptop) = two_devices().await;
    phone.insert(("tasks", "k2"), &json!({"title": "gone"}), T[0]);
    phone.sync().await;
    laptop.sync().await;
    phone.delete(("tasks", "k2"), T[1]);
    phone.sync().await;
    laptop.set_cursors("2026-03-01T10:00:00.000Z");
    laptop.push().await;
    let ops: Vec<&str> = changes(&laptop)
        .iter()
        .map(|c| c["op"].as_str().unwrap())
        .collect();
    assert_eq!(ops, ["update", "delete"]);
    assert_eq!(laptop.shows(), phone.shows());
}

#[tokio::test]
async fn poison_is_set_aside_and_named_and_the_rest_is_stored() {
    let (node, mut phone, mut laptop) = two_devices().await;
    let good = json!({"table": "tasks", "id": "k2", "op": "insert", "data": {"title": "b"}});
    phone.pending = vec![
        json!({"table": "tasks", "id": "bad", "op": "insert", "data": {"x": "\u{0}"}}),
        good,
        json!({"table": "tasks", "id": "old", "op": "delete", "deletedAt": "1999-01-01T00:00:00Z"}),
        json!({"table": "tasks", "id": "big", "op": "insert", "data": {"x": "y".repeat(300_000)}}),
        json!({"table": "tasks", "id": "unknown", "op": "update",
            "fields": {"a": {"value": 1, "updatedAt": T[1]}}}),
    ];
    assert_eq!(phone.push().await, 200);
    let expected = json!([
        {"table": "tasks", "id": "bad", "code": "nul_in_string"},
        {"table": "tasks", "id": "old", "code": "stamp_invalid"},
        {"table": "tasks", "id": "big", "code": "record_too_large"},
        {"table": "tasks", "id": "unknown", "code": "record_unknown"},
    ]);
    assert_eq!(phone.reply["conflicts"], expected);
    assert!(phone.pending.is_empty());
    laptop.sync().await;
    assert_eq!(laptop.field(("tasks", "k2"), "title"), Some(json!("b")));
    assert_eq!(laptop.shows().len(), 2);
    // The insert that was dropped comes late: what was hidden shows.
    phone.insert(("tasks", "unknown"), &json!({"b": 2}), T[0]);
    phone.push().await;
    laptop.sync().await;
    assert_eq!(laptop.field(("tasks", "unknown"), "a"), Some(json!(1)));
    drop(node);
}

#[tokio::test]
async fn poison_is_taken_back_where_the_hub_has_the_record_and_else_stays() {
    let (_node, mut phone, mut laptop) = two_devices().await;
    phone.sync().await;
    laptop.sync().await;
    let (k1, own) = (("tasks", "k1"), ("tasks", "own"));
    phone.update(k1, ("title", json!("\u{0}")), T[1]);
    phone.delete(k1, "1999-01-01T00:00:00Z");
    assert_eq!(phone.push().await, 200);
    assert_eq!(phone.reply["conflicts"].as_array().unwrap().len(), 2);
    assert_eq!(phone.shows(), laptop.shows());
    // Of what is too large to be kept it has the only whole copy.
    let large = json!("y".repeat(300_000));
    phone.update(k1, ("title", json!("\u{0}")), T[1]);
    phone.update(k1, ("large", large.clone()), T[1]);
    assert_eq!(phone.push().await, 200);
    assert_eq!(phone.reply["conflicts"].as_array().unwrap().len(), 2);
    assert_eq!(phone.field(k1, "large"), Some(large));
    phone.insert(own, &json!({"title": "\u{0}"}), T[1]);
    phone.sync().await;
    assert_eq!(phone.field(own, "title"), Some(json!("\u{0}")));
}

#[tokio::test]
async fn twenty_thousand_changes_are_one_request() {
    let (_node, mut phone, mut laptop) = two_devices().await;
    for i in 0..20_000 {
        phone.insert(("labels", &format!("l{i}")), &json!({"i": i}), T[0]);
    }
    assert_eq!(phone.push().await, 200);
    laptop.sync().await;
    assert_eq!(laptop.shows().len(), 20_001);
}

#[tokio::test]
async fn requests_that_cannot_be_read_are_400_with_a_reason() {
    let node = TestNode::start().await;
    let (http, token) = (Client::new(), node.token("ada"));
    let post = async |body: &str, client: Option<&str>| {
        let mut request = http.post(node.url("/sync/todo")).bearer_auth(&token);
        if let Some(client) = client {
            request = request.header("x-client-id", client);
        }
        let response = request.body(body.to_owned()).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let empty = r#"{"since":"1970-01-01T00:00:00.000Z","changes":[]}"#;
    assert_eq!(post(empty, Some("c")).await.0, 200);
    assert_eq!(
        post(
            r#"{"clientId":"c","since":"1970-01-01T00:00:00.000Z"}"#,
            None
        )
        .await
        .0,
        200
    );
    for (body, client) in [
        (empty, None),
        (empty, Some("")),
        ("{", Some("c")),
        (r#"{"changes":[]}"#, Some("c")),
        (r#"{"since":"soon","changes":[]}"#, Some("c")),
        (
            r#"{"since":"1970-01-01T00:00:00.000Z","changes":[{"op":"delete"}]}"#,
            Some("c"),
        ),
    ] {
        let (status, reason) = post(body, client).await;
        assert_eq!(status, 400, "{body}");
        assert!(!reason.is_empty() && !reason.starts_with('{'), "{reason}");
    }
    for path in [
        "/sync/todo/pull",
        "/sync/todo/pull?collection=t",
        "/sync/todo/pull?since=x&collection=t",
    ] {
        let request = http
            .get(node.url(path))
            .bearer_auth(&token)
            .header("x-client-id", "c");
        assert_eq!(request.send().await.unwrap().status(), 400, "{path}");
    }
    let mut stored = CompatDevice::new(&node, "ada", "c");
    stored.sync().await;
    assert!(stored.shows().is_empty());
}

#[tokio::test]
async fn tokens_methods_and_sizes_have_their_status() {
    let node = TestNode::start().await;
    let http = Client::new();
    let status = async |request: reqwest::RequestBuilder| {
        request
            .header("x-client-id", "c")
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let (post, pull) = (
        node.url("/sync/todo"),
        node.url("/sync/todo/pull?collection=t&since=x"),
    );
    assert_eq!(status(http.post(&post).body("{}")).await, 401);
    assert_eq!(
        status(http.post(&post).bearer_auth("x").body("{}")).await,
        401
    );
    assert_eq!(status(http.get(&pull)).await, 401);
    let token = node.token("ada");
    assert_eq!(status(http.delete(&post).bearer_auth(&token)).await, 405);
    let body = |bytes: usize| {
        let text = r#"{"since":"1970-01-01T00:00:00.000Z","x":""}"#;
        text.replace(
            r#""x":"""#,
            &format!(r#""x":"{}""#, "y".repeat(bytes - text.len())),
        )
    };
    let limit = 10 << 20;
    assert_eq!(
        status(http.post(&post).bearer_auth(&token).body(body(limit))).await,
        200
    );
    assert_eq!(
        status(http.post(&post).bearer_auth(&token).body(body(limit + 1))).await,
        413
    );
}
