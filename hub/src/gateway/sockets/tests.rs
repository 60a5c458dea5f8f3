//! How many sockets there may be, and how a drain tells them.

use syncline_protocol::error::close;
use syncline_protocol::wire::hub;

use super::super::outbox::{End, Speech};
use super::*;

fn sockets(per_address: Option<usize>) -> Sockets {
    let caps = SocketCaps {
        all: 5,
        before_hello: 3,
        before_hello_per_address: 3,
        per_user: 2,
        per_address,
    };
    Sockets::new(caps, Arc::new(Metrics::new()))
}

fn here() -> IpAddr {
    "127.0.0.1".parse().unwrap()
}

fn outbox(conn: u64) -> Arc<Outbox> {
    Arc::new(Outbox::new(ConnId(conn), 1_000))
}

#[test]
fn strangers_and_all_sockets_are_taken_up_to_their_limits() {
    let sockets = sockets(None);
    for conn in 0..3 {
        sockets.enter(&outbox(conn), here()).unwrap();
    }
    assert_eq!(sockets.enter(&outbox(9), here()), Err(TooMany));
    for conn in 0..3 {
        let user = UserId::trusted(&conn.to_string());
        sockets.authenticate(ConnId(conn), None, &user).unwrap();
    }
    for conn in 3..5 {
        sockets.enter(&outbox(conn), here()).unwrap();
    }
    assert_eq!(sockets.enter(&outbox(9), here()), Err(TooMany));
    sockets.leave(ConnId(4), None);
    sockets.enter(&outbox(9), here()).unwrap();
}

#[test]
fn a_user_has_sockets_up_to_the_limit_and_not_one_past_it() {
    let sockets = sockets(None);
    let (ada, bob) = (UserId::trusted("ada"), UserId::trusted("bob"));
    for conn in 0..3 {
        sockets.enter(&outbox(conn), here()).unwrap();
    }
    let authenticate = |conn, before, user| sockets.authenticate(ConnId(conn), before, user);
    authenticate(0, None, &ada).unwrap();
    authenticate(1, None, &ada).unwrap();
    assert_eq!(authenticate(2, None, &ada), Err(TooMany));
    authenticate(2, None, &bob).unwrap();
    assert_eq!(authenticate(2, Some(&bob), &ada), Err(TooMany));
    sockets.leave(ConnId(0), Some(&ada));
    authenticate(2, Some(&bob), &ada).unwrap();
    assert_eq!((sockets.count(), sockets.user_count()), (2, 1));
}

#[test]
fn who_says_goodbye_keeps_no_other_out_until_there_are_twice_the_cap() {
    let sockets = sockets(None);
    let ada = UserId::trusted("ada");
    let authenticate = |conn| {
        sockets.enter(&outbox(conn), here()).unwrap();
        sockets.authenticate(ConnId(conn), None, &ada)
    };
    for conn in 0..2 {
        authenticate(conn).unwrap();
    }
    for conn in 0..2 {
        sockets.part(ConnId(conn), &ada);
        sockets.part(ConnId(conn), &ada);
        authenticate(conn + 2).unwrap();
    }
    sockets.part(ConnId(2), &ada);
    assert_eq!(authenticate(4), Err(TooMany));
    sockets.leave(ConnId(0), Some(&ada));
    sockets.authenticate(ConnId(4), None, &ada).unwrap();
    for conn in 1..5 {
        sockets.leave(ConnId(conn), Some(&ada));
    }
    assert_eq!((sockets.count_of(&ada), sockets.count()), (0, 0));
    for conn in 5..7 {
        authenticate(conn).unwrap();
    }
    assert_eq!(authenticate(7), Err(TooMany));
}

#[test]
fn one_that_replaces_another_needs_no_room_until_there_are_twice_the_cap() {
    let sockets = sockets(None);
    let ada = UserId::trusted("ada");
    let enter = |conn| sockets.enter(&outbox(conn), here()).unwrap();
    for conn in 0..2 {
        enter(conn);
        sockets.authenticate(ConnId(conn), None, &ada).unwrap();
    }
    for conn in 2..4 {
        enter(conn);
        assert_eq!(sockets.authenticate(ConnId(conn), None, &ada), Err(TooMany));
        sockets.authenticate_replacing(ConnId(conn), &ada).unwrap();
    }
    enter(4);
    let one_more = || sockets.authenticate_replacing(ConnId(4), &ada);
    assert_eq!(one_more(), Err(TooMany));
    // Those that were replaced still count until they are gone.
    sockets.leave(ConnId(0), Some(&ada));
    one_more().unwrap();
    for conn in 1..4 {
        sockets.leave(ConnId(conn), Some(&ada));
    }
    enter(5);
    sockets.authenticate(ConnId(5), None, &ada).unwrap();
}

#[test]
fn an_address_has_sockets_up_to_the_limit_and_an_ipv6_network_is_one() {
    let sockets = sockets(Some(2));
    let address = |text: &str| text.parse().unwrap();
    sockets.enter(&outbox(1), address("2001:db8::1")).unwrap();
    sockets.enter(&outbox(2), address("2001:db8::2")).unwrap();
    let third = sockets.enter(&outbox(3), address("2001:db8::3"));
    assert_eq!(third, Err(TooMany));
    sockets
        .enter(&outbox(4), address("2001:db8:0:1::1"))
        .unwrap();
    sockets.leave(ConnId(1), None);
    sockets.enter(&outbox(3), address("2001:db8::3")).unwrap();
}

#[test]
fn an_address_leaves_room_for_strangers_from_others() {
    let caps = SocketCaps {
        all: 9,
        before_hello: 4,
        before_hello_per_address: 2,
        per_user: 9,
        per_address: None,
    };
    let sockets = Sockets::new(caps, Arc::new(Metrics::new()));
    let there = "192.0.2.1".parse().unwrap();
    sockets.enter(&outbox(1), here()).unwrap();
    sockets.enter(&outbox(2), here()).unwrap();
    assert_eq!(sockets.enter(&outbox(3), here()), Err(TooMany));
    sockets.enter(&outbox(3), there).unwrap();
    let ada = UserId::trusted("ada");
    sockets.authenticate(ConnId(1), None, &ada).unwrap();
    sockets.enter(&outbox(4), here()).unwrap();
    assert_eq!(sockets.enter(&outbox(5), here()), Err(TooMany));
    sockets.leave(ConnId(2), None);
    sockets.leave(ConnId(1), Some(&ada));
    sockets.enter(&outbox(5), here()).unwrap();
    assert_eq!(sockets.enter(&outbox(6), here()), Err(TooMany));
}

#[test]
fn memory_is_given_back_when_most_sockets_are_gone() {
    const MANY: u64 = 20_000;
    let caps = SocketCaps {
        all: MANY as usize,
        before_hello: MANY as usize,
        before_hello_per_address: MANY as usize,
        per_user: 1,
        per_address: Some(MANY as usize),
    };
    let sockets = Sockets::new(caps, Arc::new(Metrics::new()));
    let user = |conn: u64| UserId::trusted(&conn.to_string());
    for conn in 0..MANY {
        let from = IpAddr::from((conn as u32).to_be_bytes());
        sockets.enter(&outbox(conn), from).unwrap();
    }
    for conn in 0..MANY {
        sockets
            .authenticate(ConnId(conn), None, &user(conn))
            .unwrap();
    }
    // As at a drain, when all say goodbye at once.
    for conn in 0..MANY {
        sockets.part(ConnId(conn), &user(conn));
    }
    for conn in 0..MANY {
        sockets.leave(ConnId(conn), Some(&user(conn)));
    }
    let open = sockets.lock();
    let room = [
        open.parting.capacity(),
        open.parting_of.capacity(),
        open.outboxes.capacity(),
        open.users.capacity(),
        open.addresses.capacity(),
        open.address_of.capacity(),
        open.strangers.from.capacity(),
        open.strangers.addresses.capacity(),
    ];
    assert!(room.iter().all(|room| *room < 4 * ROOM_KEPT), "{room:?}");
}

#[test]
fn a_socket_that_left_leaves_once() {
    let sockets = sockets(Some(2));
    sockets.enter(&outbox(1), here()).unwrap();
    sockets.leave(ConnId(1), None);
    sockets.leave(ConnId(1), None);
    assert_eq!(sockets.count(), 0);
}

#[test]
fn a_drain_spreads_the_return_evenly() {
    let sockets = sockets(None);
    let open = [1, 2, 3].map(outbox);
    for outbox in &open {
        sockets.enter(outbox, here()).unwrap();
    }
    sockets.drain(Duration::from_secs(3));
    let told = open.map(|outbox| {
        let told = outbox.take(usize::MAX);
        String::from_utf8(told[0].message().to_vec()).unwrap()
    });
    for after_ms in [0, 1_000, 2_000] {
        assert!(told.contains(&hub::reconnect(after_ms)), "{told:?}");
    }
}

#[test]
fn those_that_are_shed_are_told_when_to_come_and_the_others_stay() {
    let sockets = sockets(None);
    let open = [1, 2, 3].map(outbox);
    for outbox in &open {
        sockets.enter(outbox, here()).unwrap();
    }
    assert_eq!(sockets.shed(2), 2);
    let ended = || open.iter().filter(|outbox| outbox.ended().is_some());
    assert_eq!(ended().count(), 2);
    let told = ended().map(|outbox| outbox.take(usize::MAX)[0].message().to_vec());
    let told: std::collections::BTreeSet<Vec<u8>> = told.collect();
    let expected = [hub::reconnect(0), hub::reconnect(500)].map(String::into_bytes);
    assert_eq!(told, expected.into());
    // Those that are on their way out are not told again.
    assert_eq!(sockets.shed(5), 1);
    assert_eq!(sockets.shed(5), 0);
}

#[test]
fn draining_closes_open_and_later_sockets() {
    let sockets = sockets(None);
    let (open, late) = (outbox(1), outbox(2));
    sockets.enter(&open, here()).unwrap();
    sockets.drain(Duration::from_secs(1));
    sockets.enter(&late, here()).unwrap();
    for outbox in [open, late] {
        let told = outbox.take(usize::MAX);
        assert_eq!(told[0].message(), hub::reconnect(0).as_bytes());
        let reason = "this node is going down";
        assert_eq!(outbox.ended(), Some(End::Close(close::DRAINING, reason)));
    }
}

#[test]
fn those_who_come_while_it_drains_do_not_all_come_back_at_once() {
    let sockets = Sockets::new(
        SocketCaps {
            all: 100,
            before_hello: 100,
            before_hello_per_address: 100,
            ..sockets(None).caps
        },
        Arc::new(Metrics::new()),
    );
    sockets.drain(Duration::from_secs(8));
    let told = (0..32).map(|conn| {
        let late = outbox(conn);
        sockets.enter(&late, here()).unwrap();
        String::from_utf8(late.take(1)[0].message().to_vec()).unwrap()
    });
    let told: std::collections::BTreeSet<String> = told.collect();
    assert_eq!(told.len(), 16);
}

#[test]
fn the_first_users_clients_are_closed_without_a_word_they_do_not_know() {
    let sockets = sockets(None);
    let outboxes =
        [1, 2].map(|conn| Arc::new(Outbox::new(ConnId(conn), 1_000).speaking(Speech::Compat)));
    sockets.enter(&outboxes[0], here()).unwrap();
    sockets.drain(Duration::from_secs(1));
    sockets.enter(&outboxes[1], here()).unwrap();
    for outbox in outboxes {
        assert_eq!(outbox.take(usize::MAX).len(), 0);
        assert!(outbox.ended().is_some());
    }
}
