//! Presence that found an outbox full.

use serde_json::json;
use syncline_protocol::json::Json;

use super::desk::{Desk, insert};
use crate::gateway::frame::Frame;
use crate::session::conn::MISSED_MAX;
use crate::session::event::{ConnId, Event, Shower};

fn devices(names: &[&str]) -> (Desk, Vec<ConnId>) {
    let mut desk = Desk::new();
    let conns = names.iter().zip(1..);
    let conns: Vec<ConnId> = conns
        .map(|(name, conn)| desk.hello(conn, name, None))
        .collect();
    for conn in &conns {
        desk.take(*conn);
    }
    (desk, conns)
}

fn show(desk: &mut Desk, conn: ConnId, state: &str) {
    let state = Some(Json::trusted(state));
    desk.step(Event::Presence { conn, state });
}

/// The outbox of a socket has no room for what it was to be told of `of`.
fn miss(desk: &mut Desk, conn: ConnId, of: ConnId) {
    let told = desk.take(conn);
    let frame = Frame::text(&told.last().expect("it was told something").to_string());
    let of = Shower::Here(of);
    desk.step(Event::PresenceMissed { conn, of, frame });
}

#[test]
fn who_missed_a_goodbye_is_told_when_there_is_room() {
    let (mut desk, conns) = devices(&["phone", "laptop"]);
    let [phone, laptop] = conns[..] else { panic!() };
    show(&mut desk, phone, r#""here""#);
    desk.take(laptop);
    desk.step(Event::Detach(phone));
    miss(&mut desk, laptop, phone);
    assert!(!desk.state.is_quiet());
    desk.step(Event::Drained(laptop));
    let gone = json!({"t": "presence", "client": "phone", "state": null});
    assert_eq!(desk.take(laptop), vec![gone]);
    assert!(desk.state.is_quiet());
}

#[test]
fn of_each_only_the_last_word_is_told_and_in_its_place() {
    let (mut desk, conns) = devices(&["phone", "laptop", "tablet"]);
    let [phone, laptop, tablet] = conns[..] else {
        panic!()
    };
    show(&mut desk, phone, "1");
    miss(&mut desk, laptop, phone);
    // There may be room now, but what was missed comes first.
    show(&mut desk, phone, "2");
    show(&mut desk, tablet, "3");
    desk.step(Event::Detach(tablet));
    assert_eq!(desk.take(laptop).len(), 0);
    desk.step(Event::Drained(laptop));
    let told = desk.take(laptop);
    let states: Vec<_> = told
        .iter()
        .map(|told| (&told["client"], &told["state"]))
        .collect();
    let (phone_name, tablet_name) = (json!("phone"), json!("tablet"));
    assert_eq!(
        states,
        [(&phone_name, &json!(2)), (&tablet_name, &json!(null))]
    );
    show(&mut desk, phone, "4");
    assert_eq!(desk.take(laptop)[0]["state"], 4);
}

#[test]
fn a_reader_that_lags_is_told_presence_as_it_is_when_it_has_drained() {
    let (mut desk, conns) = devices(&["phone", "laptop"]);
    let [phone, laptop] = conns[..] else { panic!() };
    desk.full.push(laptop);
    desk.push(phone, &[insert(1, "k1", &json!({}))]);
    show(&mut desk, phone, "1");
    miss(&mut desk, laptop, phone);
    show(&mut desk, phone, "2");
    desk.step(Event::Drained(laptop));
    desk.settle();
    let told = desk.take(laptop);
    let shown: Vec<_> = told.iter().filter(|m| m["t"] == "presence").collect();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["state"], 2);
    assert!(told.iter().any(|message| message["t"] == "delta"));
}

#[test]
fn a_socket_that_missed_too_many_is_closed_as_slow() {
    let (mut desk, conns) = devices(&["laptop"]);
    let laptop = conns[0];
    let missed = |desk: &mut Desk, of: u64| {
        let frame = Frame::text("{}");
        let of = Shower::Here(ConnId(of));
        desk.step(Event::PresenceMissed {
            conn: laptop,
            of,
            frame,
        });
    };
    (0..MISSED_MAX as u64).for_each(|of| missed(&mut desk, 100 + of));
    missed(&mut desk, 100);
    assert_eq!(desk.closed.get(&laptop), None);
    missed(&mut desk, 99);
    assert_eq!(desk.closed.get(&laptop), Some(&4008));
    assert_eq!(desk.state.conn_count(), 0);
}
