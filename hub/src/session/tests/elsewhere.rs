//! Presence and broadcasts of sockets on other nodes.

use serde_json::{Value, json};
use syncline_cluster::ephemeral::{Broadcast, Presence, RollCall, Spoken};
use syncline_cluster::heartbeat::Instance;
use syncline_protocol::json::Json;

use super::desk::{Desk, client};
use crate::session::event::{ConnId, Event};

const LAPTOP: ConnId = ConnId(1);
const TABLET: ConnId = ConnId(2);
const OTHER: Instance = Instance(7);
const THIRD: Instance = Instance(8);

/// The laptop is here, and knows all there is.
fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.hello(1, "laptop", None);
    desk.take(LAPTOP);
    desk.spoken.clear();
    desk
}

fn hear(desk: &mut Desk, from: Instance, what: Spoken) {
    desk.step(Event::Elsewhere(from, what));
}

/// A client shows something on a socket of another node.
fn show(
    desk: &mut Desk,
    from: Instance,
    (conn, no): (u64, u64),
    (name, state): (&str, Option<&str>),
) {
    let presence = Presence {
        conn,
        no,
        client: client(name),
        state: state.map(Json::trusted),
    };
    hear(desk, from, Spoken::Presence(presence));
}

fn roll_call(desk: &mut Desk, from: Instance, upto: u64, shown: &[(u64, u64)]) {
    let shown = shown.to_vec();
    hear(desk, from, Spoken::RollCall(RollCall { upto, shown }));
}

fn told(client: &str, state: &Value) -> Value {
    json!({"t": "presence", "client": client, "state": state})
}

#[test]
fn what_is_shown_elsewhere_is_told_here_until_it_ends() {
    let mut desk = desk();
    show(&mut desk, OTHER, (1, 1), ("phone", Some("1")));
    assert_eq!(desk.take(LAPTOP), [told("phone", &json!(1))]);
    // A copy, and what is older, say nothing new.
    show(&mut desk, OTHER, (1, 1), ("phone", Some("1")));
    show(&mut desk, OTHER, (1, 0), ("phone", Some("0")));
    assert_eq!(desk.take(LAPTOP).len(), 0);
    show(&mut desk, OTHER, (1, 2), ("phone", None));
    assert_eq!(desk.take(LAPTOP), [told("phone", &Value::Null)]);
}

#[test]
fn a_newcomer_is_shown_who_is_elsewhere_but_not_itself() {
    let mut desk = desk();
    show(&mut desk, OTHER, (1, 1), ("phone", Some("1")));
    show(&mut desk, OTHER, (2, 2), ("tablet", Some("2")));
    desk.hello(2, "tablet", None);
    let shown = desk.take_of(TABLET, "presence");
    assert_eq!(shown, [told("phone", &json!(1))]);
}

#[test]
fn the_first_who_comes_asks_the_other_nodes_and_later_ones_do_not() {
    let mut desk = Desk::new();
    desk.hello(1, "laptop", None);
    assert_eq!(desk.spoken, [Spoken::Asked]);
    desk.hello(2, "tablet", None);
    assert_eq!(desk.spoken.len(), 1);
    show(&mut desk, OTHER, (1, 1), ("phone", Some("1")));
    desk.step(Event::Detach(LAPTOP));
    desk.step(Event::Detach(TABLET));
    desk.take(LAPTOP);
    // While nobody is here nothing is kept.
    show(&mut desk, OTHER, (2, 2), ("car", Some("1")));
    desk.hello(1, "laptop", None);
    assert_eq!(desk.spoken, [Spoken::Asked, Spoken::Asked]);
    assert_eq!(desk.take_of(LAPTOP, "presence").len(), 0);
}

#[test]
fn who_is_not_in_a_roll_call_is_gone_and_who_was_not_heard_is_asked_for() {
    let mut desk = desk();
    show(&mut desk, OTHER, (1, 1), ("phone", Some("1")));
    show(&mut desk, OTHER, (2, 2), ("car", Some("2")));
    show(&mut desk, THIRD, (1, 1), ("tv", Some("3")));
    desk.take(LAPTOP);
    roll_call(&mut desk, OTHER, 2, &[(1, 1), (2, 2)]);
    assert_eq!((desk.take(LAPTOP).len(), desk.spoken.len()), (0, 0));
    roll_call(&mut desk, OTHER, 3, &[(2, 3)]);
    assert_eq!(desk.take(LAPTOP), [told("phone", &Value::Null)]);
    assert_eq!(desk.spoken, [Spoken::Asked]);
    // One that was late says nothing of what was shown after it.
    roll_call(&mut desk, OTHER, 1, &[]);
    assert_eq!(desk.take(LAPTOP).len(), 0);
    roll_call(&mut desk, OTHER, u64::MAX, &[]);
    assert_eq!(desk.take(LAPTOP), [told("car", &Value::Null)]);
}

/// It came to the other node before its socket here, or on a third, was seen to end.
#[test]
fn a_client_that_moved_is_shown_as_it_is_where_it_is() {
    let mut desk = desk();
    desk.hello(2, "phone", None);
    let state = Some(Json::trusted(r#""here""#));
    desk.step(Event::Presence {
        conn: TABLET,
        state,
    });
    desk.take(LAPTOP);
    desk.take(TABLET);
    show(&mut desk, OTHER, (1, 1), ("phone", Some(r#""there""#)));
    assert_eq!(desk.take(LAPTOP), [told("phone", &json!("there"))]);
    assert_eq!(desk.take(TABLET).len(), 0);
    desk.step(Event::Detach(TABLET));
    assert_eq!(desk.take(LAPTOP), [told("phone", &json!("there"))]);
    show(&mut desk, THIRD, (1, 1), ("phone", Some(r#""third""#)));
    show(&mut desk, OTHER, (1, 2), ("phone", None));
    let last = desk.take(LAPTOP).pop().unwrap();
    assert_eq!(last, told("phone", &json!("third")));
}

#[test]
fn other_nodes_are_told_what_is_shown_and_said_here() {
    let mut desk = desk();
    let state = Some(Json::trusted("1"));
    for _ in 0..2 {
        let state = state.clone();
        desk.step(Event::Presence {
            conn: LAPTOP,
            state,
        });
    }
    desk.step(Event::Broadcast {
        conn: LAPTOP,
        room: "r".to_owned(),
        data: Json::trusted("2"),
    });
    desk.step(Event::Detach(LAPTOP));
    assert_eq!(desk.shown, [(LAPTOP, state), (LAPTOP, None)]);
    let said = Spoken::Broadcast(Broadcast {
        client: client("laptop"),
        room: "r".to_owned(),
        data: Json::trusted("2"),
    });
    assert_eq!(desk.spoken, [said]);
}

#[test]
fn a_broadcast_from_elsewhere_reaches_all_here_but_its_sender() {
    let mut desk = desk();
    desk.hello(2, "phone", None);
    desk.take(TABLET);
    let said = Spoken::Broadcast(Broadcast {
        client: client("phone"),
        room: "r".to_owned(),
        data: Json::trusted("2"),
    });
    hear(&mut desk, OTHER, said);
    let expected = json!({"t": "broadcast", "room": "r", "from": "phone", "data": 2});
    assert_eq!(desk.take(LAPTOP), [expected]);
    assert_eq!(desk.take(TABLET).len(), 0);
}

#[test]
fn a_sleeping_session_knows_who_is_elsewhere_and_is_not_woken_for_it() {
    let mut desk = desk();
    show(&mut desk, OTHER, (1, 1), ("phone", Some("1")));
    desk.take(LAPTOP);
    assert!(desk.state.is_quiet());
    let call = |shown: &[(u64, u64)]| {
        let shown = shown.to_vec();
        Spoken::RollCall(RollCall { upto: 9, shown })
    };
    let dormant = desk.state.sleep();
    assert!(!dormant.is_concerned(OTHER, &call(&[(1, 1)])));
    assert!(!dormant.is_concerned(THIRD, &call(&[])));
    for news in [call(&[]), call(&[(1, 2)]), call(&[(1, 1), (2, 2)])] {
        assert!(dormant.is_concerned(OTHER, &news), "{news:?}");
    }
    desk.wake(dormant);
    roll_call(&mut desk, OTHER, 9, &[]);
    assert_eq!(desk.take(LAPTOP), [told("phone", &Value::Null)]);
}

/// What it kept for all goes with it, so the session must wake to keep it.
#[test]
fn who_leaves_a_sleeping_session_takes_nothing_of_others_with_it() {
    let mut desk = desk();
    desk.hello(2, "tablet", None);
    show(&mut desk, OTHER, (1, 1), ("phone", Some("1")));
    desk.take(LAPTOP);
    desk.take(TABLET);
    let mut dormant = desk.state.sleep();
    assert_eq!(
        dormant.leave(LAPTOP),
        crate::session::dormant::Left::Concerned
    );
    desk.wake(dormant);
    desk.step(Event::Detach(LAPTOP));
    show(&mut desk, OTHER, (1, 2), ("phone", None));
    let last = desk.take(TABLET).pop().unwrap();
    assert_eq!(last, told("phone", &Value::Null));
}

#[test]
fn no_more_is_kept_of_other_nodes_than_may_be() {
    let mut desk = desk();
    for conn in 0..300 {
        show(&mut desk, OTHER, (conn, conn + 1), ("phone", Some("1")));
    }
    assert_eq!(desk.take(LAPTOP).len(), 256);
}
