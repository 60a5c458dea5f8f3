//! What one client says later comes after what it said before: by a clock too far ahead, without a
//! time, in one millisecond. And what it only says again does not.

use serde_json::{Value, json};

use super::desk::{Desk, NOW_MS, stamp};

const SECOND: u64 = 1_000;

fn titled(title: &str, at_ms: u64) -> Value {
    let fields = json!({"title": {"value": title, "updatedAt": stamp(at_ms)}});
    json!({"table": "tasks", "id": "k1", "op": "update", "fields": fields})
}

/// An update whose time is a number, which is none.
fn titled_by(title: &str, number: u64) -> Value {
    let fields = json!({"title": {"value": title, "updatedAt": number}});
    json!({"table": "tasks", "id": "k1", "op": "update", "fields": fields})
}

fn inserted(title: &str, at_ms: u64) -> Value {
    let data = json!({"title": title, "updatedAt": stamp(at_ms)});
    json!({"table": "tasks", "id": "k1", "op": "insert", "data": data})
}

fn deleted(at_ms: u64) -> Value {
    json!({"table": "tasks", "id": "k1", "op": "delete", "deletedAt": stamp(at_ms)})
}

fn inserted_now(title: &str) -> Value {
    json!({"table": "tasks", "id": "k1", "op": "insert", "data": {"title": title}})
}

fn deleted_now() -> Value {
    json!({"table": "tasks", "id": "k1", "op": "delete"})
}

/// A record that the phone inserted.
fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.sync("phone", &[inserted("a", 0)]);
    desk
}

fn title(desk: &Desk) -> Option<String> {
    let data = desk.stored("k1")?;
    Some(data["title"].as_str().expect("a title").to_owned())
}

#[test]
fn a_clamped_edit_comes_after_the_one_before_it_that_was_believed() {
    for (last, shows) in [
        (titled("later", 70 * SECOND), Some("later")),
        (titled_by("later", 1), Some("later")),
        (deleted(70 * SECOND), None),
        (deleted_now(), None),
    ] {
        let mut desk = desk();
        desk.sync("phone", &[titled("believed", 50 * SECOND)]);
        desk.sync("phone", std::slice::from_ref(&last));
        assert_eq!(title(&desk).as_deref(), shows, "{last}");
        // What comes again is where it was.
        let commits = desk.commits;
        desk.sync("phone", &[titled("believed", 50 * SECOND)]);
        desk.sync("phone", std::slice::from_ref(&last));
        assert_eq!((desk.commits, title(&desk).as_deref()), (commits, shows));
    }
}

#[test]
fn a_record_deleted_by_a_believed_clock_is_revived_by_a_clamped_insert() {
    let mut desk = desk();
    desk.sync("phone", &[deleted(50 * SECOND)]);
    desk.sync("phone", &[inserted("again", 70 * SECOND)]);
    assert_eq!(title(&desk).as_deref(), Some("again"));
}

#[test]
fn a_clamped_edit_wins_over_nothing_that_another_device_wrote_later() {
    let mut desk = desk();
    desk.sync("phone", &[titled("believed", 50 * SECOND)]);
    desk.sync("laptop", &[titled("laptop", 55 * SECOND)]);
    desk.sync("phone", &[titled("later", 70 * SECOND)]);
    assert_eq!(title(&desk).as_deref(), Some("laptop"));
}

#[test]
fn a_clamped_mutation_comes_after_the_one_before_it_that_was_believed() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    let insert = json!({"table": "tasks", "id": "k1", "op": "insert", "insertedAt": stamp(0),
        "data": {"title": "a"}});
    let both = json!([titled("clamped", 80 * SECOND), titled("last", 90 * SECOND)]);
    for (m, changes) in [
        (1, json!([insert])),
        (2, json!([titled("believed", 50 * SECOND)])),
        (3, both),
    ] {
        desk.push(phone, &[json!({"m": m, "changes": changes})]);
    }
    assert_eq!(title(&desk).as_deref(), Some("last"));
}

#[test]
fn of_one_millisecond_the_request_that_came_later_wins() {
    let mut desk = desk();
    let titles = ["9", "5", "7"].map(|title| titled(title, 5));
    for change in &titles {
        desk.sync("phone", std::slice::from_ref(change));
    }
    assert_eq!(title(&desk).as_deref(), Some("7"));
    // Late copies, and all of them in one request.
    let commits = desk.commits;
    for change in &titles {
        desk.sync("phone", std::slice::from_ref(change));
    }
    desk.sync("phone", &titles);
    assert_eq!(
        (desk.commits, title(&desk).as_deref()),
        (commits, Some("7"))
    );
    // Once its time has passed, a copy says itself that it is old.
    desk.sync("phone", &[titled("8", 6)]);
    let commits = desk.commits;
    for change in &titles {
        desk.sync("phone", std::slice::from_ref(change));
    }
    assert_eq!(
        (desk.commits, title(&desk).as_deref()),
        (commits, Some("8"))
    );
}

#[test]
fn of_one_millisecond_a_delete_in_a_later_request_deletes() {
    let mut desk = desk();
    desk.sync("phone", &[titled("x", 0), titled("y", 0)]);
    desk.sync("phone", &[deleted(0)]);
    assert_eq!(title(&desk), None);
    desk.sync("phone", &[inserted("b", 0)]);
    assert_eq!(title(&desk).as_deref(), Some("b"));
}

#[test]
fn an_update_after_an_insert_without_a_time_comes_after_it() {
    let mut desk = Desk::new();
    desk.now_ms = NOW_MS + 10 * SECOND;
    // Both were made offline, before they came.
    desk.sync("phone", &[inserted_now("a"), titled("b", SECOND)]);
    assert_eq!(title(&desk).as_deref(), Some("b"));
}

#[test]
fn a_second_delete_without_a_time_deletes_and_a_late_copy_does_not() {
    let mut desk = desk();
    for reinserted in [inserted("b", SECOND), inserted_now("c"), inserted_now("c")] {
        desk.now_ms += 2 * SECOND;
        desk.sync_at_head("phone", &[deleted_now()]);
        assert_eq!(title(&desk), None);
        desk.now_ms += SECOND;
        // The insert by a time may be older than the delete's.
        desk.sync_at_head("phone", std::slice::from_ref(&reinserted));
        assert!(title(&desk).is_some(), "{reinserted}");
        // A copy of the delete, of before it was answered.
        desk.sync("phone", &[deleted_now()]);
        assert!(title(&desk).is_some(), "{reinserted}");
    }
}

#[test]
fn an_insert_and_a_delete_without_a_time_that_come_together_again_are_new() {
    let mut desk = desk();
    desk.sync_at_head("phone", &[deleted_now()]);
    desk.sync_at_head("phone", &[inserted_now("b"), deleted_now()]);
    assert_eq!(title(&desk), None);
    desk.sync_at_head("phone", &[inserted_now("b")]);
    assert_eq!(title(&desk).as_deref(), Some("b"));
}

#[test]
fn a_number_where_a_time_should_be_is_part_of_what_a_change_says() {
    let mut desk = desk();
    desk.sync("phone", &[titled_by("phone", 1)]);
    desk.now_ms += SECOND;
    desk.sync("laptop", &[titled("laptop", SECOND)]);
    desk.now_ms += SECOND;
    desk.sync("phone", &[titled_by("phone", 1)]);
    assert_eq!(title(&desk).as_deref(), Some("laptop"));
    desk.sync("phone", &[titled_by("phone", 2)]);
    assert_eq!(title(&desk).as_deref(), Some("phone"));
}

#[test]
fn the_very_same_without_a_time_is_a_repeat_whoever_heard_the_answer() {
    // A device that never heard its answer, but pulled since, and one that means it once more, say the
    // same with the same cursor: the first must win nothing, so the second does not either.
    let mut desk = Desk::new();
    desk.sync("phone", &[inserted_now("a")]);
    desk.sync_at_head("laptop", &[titled("b", SECOND)]);
    let commits = desk.commits;
    desk.sync_at_head("phone", &[inserted_now("a")]);
    assert_eq!(
        (desk.commits, title(&desk).as_deref()),
        (commits, Some("b"))
    );
    // With anything else said in between it is new.
    desk.sync_at_head("phone", &[titled("c", 2 * SECOND)]);
    desk.sync_at_head("phone", &[inserted_now("a")]);
    assert_eq!(title(&desk).as_deref(), Some("a"));
}
