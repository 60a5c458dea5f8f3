//! What repeats goes on by itself.

use serde_json::{Value, json};
use syncline_tests::device::Device;
use syncline_tests::endpoint::Endpoint;
use syncline_tests::node::TestNode;
use syncline_tests::until;

use super::{insert, setup, update};

/// Makes the next instance of a task that is done, however it came to be.
fn repeats_tasks() -> Value {
    json!([{"id": "repeat", "table": "tasks", "when": "any", "per": "record",
        "fields": ["done"], "condition": [{"field": "done", "equals": true}],
        "job": "recurrence", "args": {"do": "next", "rule": "rule", "start": "due"}}])
}

/// When the tasks are due that are not done.
fn open(device: &Device) -> Vec<Value> {
    let tasks = device
        .told()
        .iter()
        .filter(|((table, _), _)| table == "tasks");
    let open = tasks.filter(|(_, data)| data["done"] == false);
    open.map(|(_, data)| data["due"].clone()).collect()
}

#[tokio::test]
async fn completing_a_repeating_task_makes_its_next_instance_on_every_device() {
    let endpoint = Endpoint::start().await;
    let node = TestNode::start_with(setup(&endpoint, &repeats_tasks())).await;
    let (mut phone, mut laptop) = (Device::new("ada", "phone"), Device::new("ada", "laptop"));
    phone.connect(&node).await;
    laptop.connect(&node).await;
    let task = json!({"title": "Water the plants", "due": "2099-03-01", "done": false,
        "rule": "FREQ=WEEKLY"});
    phone.edit(&insert("k1", &task));
    phone.push().await;
    laptop.reach(1).await;
    // Both complete it, one of them offline and after the other has thought better of it: two jobs
    // of one occurrence.
    laptop.disconnect();
    laptop.edit(&update("k1", "done", &json!(true)));
    phone.edit(&update("k1", "done", &json!(true)));
    phone.push().await;
    phone.reach(3).await;
    phone.edit(&update("k1", "done", &json!(false)));
    phone.push().await;
    laptop.connect(&node).await;
    phone.reach(laptop.seq()).await;
    let done = "syncline_jobs_ended_total{how=\"done\",kind=\"recurrence\"} 2";
    until("both jobs are done", || {
        node.app.metrics().render().contains(done)
    })
    .await;
    assert_eq!(open(&phone), [json!("2099-03-08")]);
    assert_eq!(open(&laptop), open(&phone));
    node.app.shutdown().await;
}

/// Both mutations are pushed together, so nobody ever saw it open: it is an insert of what is done.
#[tokio::test]
async fn a_task_that_is_made_and_completed_offline_comes_again_too() {
    let endpoint = Endpoint::start().await;
    let node = TestNode::start_with(setup(&endpoint, &repeats_tasks())).await;
    let mut phone = Device::new("ada", "phone");
    let task = json!({"title": "Water the plants", "due": "2099-03-01", "done": false,
        "rule": "FREQ=WEEKLY"});
    phone.edit(&insert("k1", &task));
    phone.edit(&update("k1", "done", &json!(true)));
    phone.connect(&node).await;
    let done = "syncline_jobs_ended_total{how=\"done\",kind=\"recurrence\"} 1";
    until("the job is done", || {
        node.app.metrics().render().contains(done)
    })
    .await;
    let mut laptop = Device::new("ada", "laptop");
    laptop.connect(&node).await;
    assert_eq!(open(&laptop), [json!("2099-03-08")]);
    node.app.shutdown().await;
}

#[tokio::test]
async fn an_event_s_occurrences_are_records_and_follow_it() {
    let endpoint = Endpoint::start().await;
    let triggers = json!([{"id": "calendar", "table": "tasks", "when": "any", "per": "record",
        "job": "recurrence",
        "args": {"do": "occurrences", "into": "occurrences", "days": 7, "rule": "rule"}}]);
    let node = TestNode::start_with(setup(&endpoint, &triggers)).await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    let event = json!({"title": "Stand-up", "rule": "FREQ=DAILY",
        "startsAt": "2026-01-05T09:00:00.000Z", "endsAt": "2026-01-05T09:15:00.000Z"});
    phone.edit(&insert("e1", &event));
    phone.push().await;
    phone.reach(2).await;
    let occurrences = |device: &Device| {
        let all = device
            .told()
            .keys()
            .filter(|(table, _)| table == "occurrences");
        all.count()
    };
    // A week, and a day behind.
    assert!((7..=9).contains(&occurrences(&phone)), "{:?}", phone.told());
    phone.edit(&json!([{"table": "tasks", "id": "e1", "op": "delete"}]));
    phone.push().await;
    phone.reach(4).await;
    assert_eq!(occurrences(&phone), 0);
    node.app.shutdown().await;
}
