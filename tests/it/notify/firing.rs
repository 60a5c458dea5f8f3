//! Reminders that fire: a device writes one, and the user is told.

use serde_json::{Value, json};
use syncline_hub::clock::{Clock, SystemClock};
use syncline_protocol::ids::AppId;
use syncline_tests::device::Device;
use syncline_tests::node::TestNode;

use super::setup;

pub(super) fn reminder(id: &str, data: &Value) -> Value {
    json!([{"table": "reminders", "id": id, "op": "insert", "data": data}])
}

/// A time so many milliseconds from now, as devices write it.
pub(super) fn in_ms(ms: u64) -> String {
    syncline_protocol::stamp::wall_text(SystemClock.now_ms() + ms)
}

/// What the device was told.
pub(super) async fn told(device: &mut Device, count: usize) -> Vec<Value> {
    loop {
        let told = device.told().iter();
        let told = told.filter(|((table, _), _)| table == "@notifications");
        let told: Vec<Value> = told.map(|(_, data)| json!(data)).collect();
        if told.len() >= count {
            return told;
        }
        device.reach(device.seq() + 1).await;
    }
}

#[tokio::test]
async fn a_reminder_tells_every_device_of_its_user_when_it_is_due_and_once() {
    let node = TestNode::start_with(setup()).await;
    let (mut phone, mut laptop) = (Device::new("ada", "phone"), Device::new("ada", "laptop"));
    let mut other = Device::new("bob", "phone");
    for device in [&mut phone, &mut laptop, &mut other] {
        device.connect(&node).await;
    }
    let due = in_ms(300);
    phone.edit(&reminder(
        "r1",
        &json!({"title": "Buy milk", "remindAt": due}),
    ));
    phone.push().await;
    for device in [&mut phone, &mut laptop] {
        let told = told(device, 1).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(
            (&told[0]["kind"], &told[0]["title"]),
            (&json!("reminder"), &json!("Buy milk"))
        );
        assert_eq!(told[0]["items"][0]["id"], "r1");
        assert!(told[0]["at"].as_str().unwrap() >= due.as_str(), "{told:?}");
    }
    assert!(other.told().is_empty());
    // A change that moves nothing tells nothing; one that moves it tells again.
    let again = in_ms(300);
    phone.edit(&json!([{"table": "reminders", "id": "r1", "op": "update",
        "fields": {"title": {"value": "Buy more milk"}}}]));
    phone.push().await;
    phone.edit(&json!([{"table": "reminders", "id": "r1", "op": "update",
        "fields": {"remindAt": {"value": again}}}]));
    phone.push().await;
    let told = told(&mut laptop, 2).await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[1]["title"], "Buy more milk");
    node.app.shutdown().await;
}

#[tokio::test]
async fn a_reminder_follows_its_task_and_ends_with_it() {
    let node = TestNode::start_with(setup()).await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    // The reminder comes first, as when two devices sync.
    phone.edit(&reminder(
        "r1",
        &json!({"taskId": "k1", "minutesBefore": 60}),
    ));
    phone.edit(&reminder(
        "r2",
        &json!({"taskId": "k2", "minutesBefore": 60}),
    ));
    phone.push().await;
    let task = |id: &str, due: &str| {
        json!([{"table": "tasks", "id": id, "op": "insert",
            "data": {"title": format!("Task {id}"), "due": due, "done": false}}])
    };
    let far = in_ms(3 * 3_600_000);
    phone.edit(&task("k1", &far));
    phone.edit(&task("k2", &in_ms(3_605_000)));
    phone.push().await;
    phone.edit(&json!([
        {"table": "tasks", "id": "k1", "op": "update",
         "fields": {"due": {"value": in_ms(3_600_300)}}},
        {"table": "tasks", "id": "k2", "op": "update", "fields": {"done": {"value": true}}},
    ]));
    phone.push().await;
    let told = told(&mut phone, 1).await;
    assert_eq!(told[0]["items"][0]["task"], "k1");
    assert_eq!(told[0]["title"], "Task k1");
    // What is planned next comes after the time at which the other one would have been told.
    phone.edit(&reminder(
        "r3",
        &json!({"title": "last", "remindAt": in_ms(6_000)}),
    ));
    phone.push().await;
    let titles = super::titles(&self::told(&mut phone, 2).await);
    assert_eq!(titles, ["Task k1", "last"]);
    node.app.shutdown().await;
}

/// The next instance is another record, and has reminders of its own.
#[tokio::test]
async fn a_task_that_repeats_takes_its_reminders_along() {
    let mut setup = setup();
    let todo = setup.config.app.get_mut(&AppId::trusted("todo")).unwrap();
    todo.triggers =
        serde_json::from_value(json!([{"id": "repeat", "table": "tasks", "when": "any",
        "per": "record", "fields": ["done"], "condition": [{"field": "done", "equals": true}],
        "job": "recurrence", "args": {"do": "next", "rule": "rule", "start": "due"}}]))
        .unwrap();
    let node = TestNode::start_with(setup).await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    let task = json!({"title": "Water the plants", "due": "2099-03-01T10:00:00.000Z", "done": false,
        "rule": "FREQ=WEEKLY"});
    let insert = |table: &str, id: &str, data: &Value| json!([{"table": table, "id": id, "op": "insert", "data": data}]);
    phone.edit(&insert("tasks", "k1", &task));
    phone.edit(&insert(
        "reminders",
        "r1",
        &json!({"taskId": "k1", "minutesBefore": 30, "type": "push"}),
    ));
    // Those of another task, and for a time of its own, stay where they are.
    phone.edit(&insert(
        "reminders",
        "r2",
        &json!({"taskId": "k2", "minutesBefore": 30}),
    ));
    let own = json!({"taskId": "k1", "minutesBefore": 5, "remindAt": "2099-03-01T09:00:00.000Z"});
    phone.edit(&insert("reminders", "r3", &own));
    phone.push().await;
    phone.edit(&json!([{"table": "tasks", "id": "k1", "op": "update",
        "fields": {"done": {"value": true}}}]));
    phone.push().await;
    let next = loop {
        let told = phone.told().iter();
        let mut next = told.filter(|((table, id), _)| table == "tasks" && id != "k1");
        if let Some(((_, id), data)) = next.next() {
            assert_eq!(data["due"], "2099-03-08T10:00:00.000Z");
            break id.clone();
        }
        phone.reach(phone.seq() + 1).await;
    };
    let told = phone.told().iter();
    let of_next = told.filter(|((table, _), data)| table == "reminders" && data["taskId"] == *next);
    let of_next: Vec<Value> = of_next.map(|(_, data)| json!(data)).collect();
    let expected = json!({"taskId": next, "minutesBefore": 30, "type": "push"});
    assert_eq!(of_next, [expected]);
    assert_eq!(phone.shows("reminders", "r1").unwrap()["taskId"], "k1");
    node.app.shutdown().await;
}
