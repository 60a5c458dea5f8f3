//! Nodes that write to one space at once let each other go first.

use std::sync::Arc;

use serde_json::json;
use syncline_cluster::ephemeral::Spoken;
use syncline_cluster::event::CommitEvent;
use syncline_protocol::ids::NodeId;

use super::desk::{Desk, insert, update};
use crate::session::event::{ConnId, Effect, Event, Note};

/// The session of another node, with a laptop.
struct OtherNode {
    desk: Desk,
    laptop: ConnId,
    last: u64,
}

impl OtherNode {
    fn beside(one: &Desk) -> OtherNode {
        let mut desk = Desk::on(one.store.clone(), Default::default());
        let laptop = desk.hello(2, "laptop", None);
        OtherNode {
            desk,
            laptop,
            last: 0,
        }
    }

    /// Commits on what the first one's store holds; what that is to hear of it.
    fn commits(&mut self, one: &mut Desk) -> Event {
        std::mem::swap(&mut self.desk.store, &mut one.store);
        self.desk.step(Event::Missed);
        self.desk.settle();
        self.last += 1;
        let edit = update(self.last, "k1", "b", &json!(self.last), 50 + self.last);
        self.desk.start_push(self.laptop, &[edit]);
        to_commit(&mut self.desk);
        let Some(Effect::Commit(commit)) = self.desk.asked.front() else {
            unreachable!()
        };
        let event = CommitEvent::of(commit, &NodeId::trusted("n2"));
        self.desk.settle();
        std::mem::swap(&mut self.desk.store, &mut one.store);
        Event::Heard(Arc::new(event))
    }
}

/// Goes on until the store is to be handed a commit.
fn to_commit(desk: &mut Desk) {
    while !matches!(desk.asked.front(), Some(Effect::Commit(_))) {
        desk.serve_one(None);
    }
}

/// A session that has just committed although another node commits too.
fn after_its_turn() -> (Desk, ConnId, OtherNode) {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({"a": 0}))]);
    let mut other = OtherNode::beside(&desk);
    let heard = other.commits(&mut desk);
    desk.step(heard);
    desk.push(phone, &[update(2, "k1", "a", &json!(2), 5)]);
    assert_eq!(desk.commits, 2);
    desk.start_push(phone, &[update(3, "k1", "a", &json!(3), 6)]);
    (desk, phone, other)
}

#[test]
fn who_has_committed_lets_the_other_go_first() {
    let (mut desk, phone, mut other) = after_its_turn();
    assert!(desk.asked.is_empty());
    assert_eq!(desk.waits, [20]);
    // What comes meanwhile goes along with it.
    desk.start_push(phone, &[update(4, "k1", "a", &json!(4), 7)]);
    assert!(desk.asked.is_empty());
    let heard = other.commits(&mut desk);
    desk.step(heard);
    assert!(matches!(desk.asked[0], Effect::Commit(_)));
    desk.settle();
    assert_eq!(desk.commits, 3);
    assert_eq!(desk.waits, [20]);
    assert_eq!(desk.stored("k1"), Some(json!({"a": 4, "b": 2})));
    assert!(!desk.notes.contains(&Note::Conflict));
}

#[test]
fn it_goes_on_though_the_other_does_not_commit() {
    let (mut desk, _, _) = after_its_turn();
    desk.retry();
    assert!(matches!(desk.asked[0], Effect::Commit(_)));
    desk.settle();
    assert_eq!(desk.commits, 3);
}

#[test]
fn who_lost_tries_again_without_a_wait() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({"a": 0}))]);
    let mut other = OtherNode::beside(&desk);
    desk.start_push(phone, &[update(2, "k1", "a", &json!(2), 5)]);
    for _ in 0..3 {
        to_commit(&mut desk);
        // It is not heard of.
        other.commits(&mut desk);
        desk.serve_one(None);
    }
    desk.settle();
    assert!(desk.waits.is_empty());
    assert!(desk.notes.contains(&Note::Committed(4)));
    // The other one, which it does not know, is let go first now.
    desk.start_push(phone, &[update(3, "k1", "a", &json!(3), 6)]);
    assert!(desk.asked.is_empty());
    assert_eq!(desk.waits, [20]);
}

#[test]
fn who_is_never_first_says_so_and_who_hears_it_waits() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({"a": 0}))]);
    let mut other = OtherNode::beside(&desk);
    desk.start_push(phone, &[update(2, "k1", "a", &json!(2), 5)]);
    // The other one is heard while this one still reads.
    for _ in 0..4 {
        assert!(!desk.spoken.contains(&Spoken::Late));
        let heard = other.commits(&mut desk);
        desk.step(heard);
    }
    assert!(desk.spoken.contains(&Spoken::Late));
    desk.settle();

    let laptop = other.laptop;
    other.desk.step(Event::Late(NodeId::trusted("n1")));
    let edits = [5, 6].map(|m| update(m, "k1", "b", &json!(m), 60 + m));
    other.desk.store = desk.store;
    other.desk.step(Event::Missed);
    other.desk.push(laptop, &edits[..1]);
    other.desk.start_push(laptop, &edits[1..]);
    assert!(other.desk.asked.is_empty());
    assert_eq!(other.desk.waits, [20]);
}

#[test]
fn a_wait_that_was_not_needed_ends_no_other() {
    let (mut desk, phone, mut other) = after_its_turn();
    let first = desk.retry_due.expect("a wait");
    let heard = other.commits(&mut desk);
    desk.step(heard);
    desk.serve_one(None);
    desk.start_push(phone, &[update(4, "k1", "a", &json!(4), 7)]);
    assert!(desk.asked.is_empty());
    desk.step(Event::RetryDue(first));
    assert!(desk.asked.is_empty());
    desk.retry();
    assert!(matches!(desk.asked[0], Effect::Commit(_)));
}
