//! Changes are posted to a server, and what it answers is written.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use syncline_tests::device::Device;
use syncline_tests::endpoint::{Endpoint, Posted, Reply};
use syncline_tests::node::TestNode;

use super::{SECRET, insert, posts_tasks, setup, update};

/// What the server of the endpoint would do before it believes an event.
fn is_signed(posted: &Posted) -> bool {
    let header = |name: &str| posted.headers.get(name).unwrap().to_str().unwrap();
    let signed = format!(
        "{}.{}.{}",
        posted.id(),
        header("webhook-timestamp"),
        posted.body
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
    header("webhook-signature") == format!("v1,{signature}")
}

#[tokio::test]
async fn a_change_is_posted_signed_and_what_the_server_answers_reaches_the_device() {
    let endpoint = Endpoint::start().await;
    let answer = json!({"changes": [{"table": "tasks", "id": "k1", "op": "update",
        "fields": {"summary": {"value": "milk"}}}]});
    endpoint.reply(Reply::With(200, answer));
    let node = TestNode::start_with(setup(&endpoint, &posts_tasks())).await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    phone.edit(&insert("k1", &json!({"title": "Buy milk"})));
    phone.push().await;

    let posted = endpoint.until_posted(1).await;
    assert!(is_signed(&posted[0]));
    let event = posted[0].event();
    let expected = json!({"app": "todo", "space": "ada", "table": "tasks", "record": "k1",
        "when": "insert", "who": "ada", "trigger": "tell", "attempt": 1,
        "data": {"now": {"title": "Buy milk"}, "title": "Buy milk"}});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&event[name], value, "{name}");
    }
    phone.reach(2).await;
    let shown = phone.shows("tasks", "k1").unwrap();
    assert_eq!(shown, json!({"title": "Buy milk", "summary": "milk"}));
    // The answer is a change too, and its own event says whose.
    let posted = endpoint.until_posted(2).await;
    assert_eq!(posted[1].event()["who"], "@jobs");
    node.app.shutdown().await;
}

/// The first two tries of the first event fail, and the others wait for it.
#[tokio::test]
async fn events_of_a_record_come_in_its_order_whatever_fails() {
    let endpoint = Endpoint::start().await;
    endpoint.reply(Reply::With(503, json!({})));
    endpoint.reply(Reply::With(500, json!({})));
    let node = TestNode::start_with(setup(&endpoint, &posts_tasks())).await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    for n in 0..5 {
        match n {
            0 => phone.edit(&insert("k1", &json!({"title": "0"}))),
            n => phone.edit(&update("k1", "title", &json!(n.to_string()))),
        }
        phone.push().await;
    }
    let posted = endpoint.until_posted(7).await;
    let told: Vec<String> = posted
        .iter()
        .map(|posted| posted.event()["data"]["title"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, ["0", "0", "0", "1", "2", "3", "4"]);
    assert!(posted[..3].iter().all(|one| one.id() == posted[0].id()));
    node.app.shutdown().await;
}

/// A server that answers each of its own changes with another one.
#[tokio::test]
async fn a_circle_of_changes_ends() {
    let endpoint = Endpoint::start().await;
    for n in 0..20 {
        let answer = json!({"changes": [{"table": "tasks", "id": "k1", "op": "update",
            "fields": {"n": {"value": n}}}]});
        endpoint.reply(Reply::With(200, answer));
    }
    let node = TestNode::start_with(setup(&endpoint, &posts_tasks())).await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    phone.edit(&insert("k1", &json!({"title": "a"})));
    phone.push().await;
    // Its own change, and eight that follow from each other: the last is written and posts nothing.
    phone.reach(9).await;
    assert_eq!(endpoint.posted().len(), 8);
    let shown = node.app.metrics().render();
    assert!(
        shown.contains("syncline_jobs_cut_total{why=\"too_deep\"} 1"),
        "{shown}"
    );
    node.app.shutdown().await;
}

/// What the server answers is judged as a device's changes are.
#[tokio::test]
async fn changes_that_cannot_be_written_end_the_job_and_say_why() {
    let endpoint = Endpoint::start().await;
    let answer = json!({"changes": [{"table": "tasks", "id": "nobody", "op": "update",
        "fields": {"n": {"value": 1}}}]});
    endpoint.reply(Reply::With(200, answer));
    let node = TestNode::start_with(setup(&endpoint, &posts_tasks())).await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    phone.edit(&insert("k1", &json!({"title": "a"})));
    phone.push().await;
    let dead = super::operator::until_dead(&node, 1).await;
    assert_eq!(
        (dead[0]["attempts"].as_u64(), &dead[0]["space"]),
        (Some(1), &json!("ada"))
    );
    let error = dead[0]["error"].as_str().unwrap();
    assert!(error.contains("record_unknown"), "{error}");
    node.app.shutdown().await;
}
