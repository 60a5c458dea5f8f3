//! Two tabs share a database: what one was answered it may write down after the other has written
//! what came later.

use serde_json::json;
use syncline_tests::compat_device::{CompatDevice, InTab};
use syncline_tests::node::TestNode;

use super::two_devices::{K1, T, two_devices};

/// A laptop of which one tab was told what the phone wrote, and the other has sent what it wrote
/// after it.
async fn an_older_reply() -> (TestNode, CompatDevice, InTab) {
    let (node, mut phone, mut laptop) = two_devices().await;
    phone.update(K1, ("title", json!("b")), T[1]);
    phone.push().await;
    let older = laptop.ask_in_tab(Some("tasks")).await;
    laptop.update(K1, ("title", json!("c")), T[2]);
    laptop.push().await;
    (node, laptop, older)
}

/// The tab that began earlier is through with the large table sooner, whatever it was told.
#[tokio::test]
async fn what_was_deleted_between_two_first_pulls_does_not_stay() {
    let (node, mut phone, _) = two_devices().await;
    let mut fresh = CompatDevice::new(&node, "ada", "fresh");
    let first = fresh.ask_in_tab(Some("tasks")).await;
    phone.delete(K1, T[1]);
    phone.push().await;
    let second = fresh.ask_in_tab(Some("tasks")).await;
    fresh.take_in_tab(&first);
    fresh.take_in_tab(&second);
    fresh.pull("tasks").await;
    assert!(fresh.shows().is_empty());
}

#[tokio::test]
async fn an_older_reply_does_not_hide_the_devices_own_later_edit() {
    let (_node, mut laptop, older) = an_older_reply().await;
    laptop.take_in_tab(&older);
    assert_eq!(laptop.field(K1, "title"), Some(json!("b")));
    laptop.pull("tasks").await;
    assert_eq!(laptop.field(K1, "title"), Some(json!("c")));
}

#[tokio::test]
async fn nor_does_the_next_changeset_pass_it() {
    let (_node, mut laptop, older) = an_older_reply().await;
    laptop.take_in_tab(&older);
    laptop.insert(("labels", "l1"), &json!({"name": "x"}), T[3]);
    laptop.push().await;
    assert_eq!(laptop.field(K1, "title"), Some(json!("c")));
}

#[tokio::test]
async fn two_changesets_answered_in_the_wrong_order_end_with_the_last_edit() {
    let (_node, _, mut laptop) = two_devices().await;
    laptop.update(K1, ("title", json!("b")), T[1]);
    let first = laptop.ask_in_tab(None).await;
    laptop.update(K1, ("title", json!("c")), T[2]);
    let second = laptop.ask_in_tab(None).await;
    laptop.take_in_tab(&second);
    laptop.take_in_tab(&first);
    laptop.pull("tasks").await;
    assert_eq!(laptop.field(K1, "title"), Some(json!("c")));
    assert!(laptop.pending.is_empty());
}

/// Its own delete and a new insert after it: the older reply tells of the record's first life.
#[tokio::test]
async fn an_older_reply_does_not_mix_two_lives_of_a_record() {
    let (_node, mut phone, mut laptop) = two_devices().await;
    phone.update(K1, ("note", json!("first life")), T[1]);
    phone.push().await;
    let older = laptop.ask_in_tab(Some("tasks")).await;
    laptop.delete(K1, T[2]);
    laptop.insert(K1, &json!({"title": "again"}), T[3]);
    laptop.push().await;
    laptop.take_in_tab(&older);
    laptop.pull("tasks").await;
    assert_eq!(laptop.field(K1, "note"), None);
    assert_eq!(laptop.field(K1, "title"), Some(json!("again")));
}
