//! What is asked of devices that are told of a commit whose way is measured.

use serde_json::{Value, json};
use syncline_protocol::trace::TraceParent;
use syncline_storage::model::ModelStore;

use super::desk::{Desk, insert, insertion, update};
use crate::session::event::{ConnId, Follow};
use crate::session::state::SessionLimits;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn two_devices() -> (Desk, ConnId, ConnId) {
    let limits = SessionLimits {
        live_bytes_max: 4 << 20,
        ..SessionLimits::default()
    };
    let mut desk = Desk::on(ModelStore::new(100), limits);
    let phone = desk.hello(1, "phone", None);
    let laptop = desk.hello(2, "laptop", None);
    desk.push(phone, &[insert(1, "k1", &json!({"n": 0}))]);
    desk.take(phone);
    desk.take(laptop);
    (desk, phone, laptop)
}

fn asks(delta: &Value) -> (Option<&Value>, Option<&Value>) {
    (delta.get("ack"), delta.get("traceparent"))
}

#[test]
fn live_devices_are_asked_and_told_which_trace() {
    let (mut desk, phone, laptop) = two_devices();
    let (yes, trace) = (json!(true), json!(TRACE));
    for (m, traced) in [(2, TraceParent::parse(TRACE)), (3, None)] {
        desk.follow = Some(Follow { trace: traced });
        desk.push(phone, &[update(m, "k1", "n", &json!(m), m)]);
        for device in [phone, laptop] {
            let delta = &desk.take_of(device, "delta")[0];
            let traced = traced.map(|_| &trace);
            assert_eq!(asks(delta), (Some(&yes), traced), "{delta}");
        }
    }
}

#[test]
fn what_is_not_followed_asks_for_nothing() {
    let (mut desk, phone, laptop) = two_devices();
    desk.push(phone, &[update(2, "k1", "n", &json!(1), 5)]);
    assert_eq!(asks(&desk.take_of(laptop, "delta")[0]), (None, None));
}

/// A part of a commit is applied with the rest of it, so it is not asked for.
#[test]
fn of_a_commit_in_several_deltas_only_the_last_asks() {
    let (mut desk, phone, laptop) = two_devices();
    desk.follow = Some(Follow { trace: None });
    let large = "x".repeat(100 << 10);
    let inserted = |n: usize| insertion("tasks", &format!("l{n}"), &json!({"title": large}));
    let changes: Vec<Value> = (0..8).map(inserted).collect();
    desk.push(phone, &[json!({"m": 2, "changes": changes})]);
    let deltas = desk.take_of(laptop, "delta");
    let (last, before) = deltas.split_last().expect("deltas");
    assert!(!before.is_empty());
    assert!(before.iter().all(|delta| asks(delta) == (None, None)));
    assert_eq!(last["ack"], true);
}
