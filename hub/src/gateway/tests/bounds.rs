//! What a socket may have and how long it is endured: at the bound and one past it.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde_json::json;
use syncline_protocol::error::close;
use syncline_protocol::ids::Seq;
use syncline_storage::faulty::{Fault, Operation};
use tokio::time::{pause, sleep};

use super::hub::{Got, Hub, Peer, frame, streams, text};
use super::{TEXT, push, space};
use crate::gateway::frame::Frame;
use crate::gateway::link::{Ending, Link, turn_away};
use crate::gateway::outbox::Speech;
use crate::gateway::task::{Protocol, Task, Wait};
use crate::session::entry::Entry;
use crate::session::event::FrameKind;

/// It is let in, and has what there is.
async fn is_taken(mut peer: Peer) -> Peer {
    peer.message_of("welcome").await;
    peer.message_of("delta").await;
    peer
}

#[tokio::test]
async fn a_device_that_comes_back_at_its_users_limit_replaces_its_own_socket() {
    let hub = Hub::start(|config| config.gateway.sockets_per_user_max = 2).await;
    let mut old = hub.attach_as("ada", "phone").await;
    let mut other = hub.attach_as("ada", "laptop").await;
    hub.store.script(Operation::Commit, Some(Fault::Held));
    old.send(&push(1, 1)).await;
    hub.injected(1).await;
    // The old connection is half-open: nobody closes its end.
    let mut again = is_taken(hub.hello("ada", "phone").await).await;
    assert_eq!(old.closed().await, close::REPLACED);
    // What was under way goes on, and is answered where it is asked for again.
    hub.store.release();
    again.send(&push(1, 1)).await;
    again.message_of("verdicts").await;
    let view = hub.gateway().store.space(&space("ada")).await.unwrap();
    assert_eq!(view.unwrap().head, Seq(1));
    // Another device is one too many, as before; those that are there stay.
    let mut one_more = hub.hello("ada", "tablet").await;
    assert_eq!(one_more.got().await, Got::message("error"));
    assert_eq!(one_more.closed().await, close::LIMITS);
    drop((old, one_more));
    hub.sockets(2).await;
    other.send(&push(1, 1)).await;
    other.message_of("verdicts").await;
    // The room that it took is given back.
    drop(again);
    hub.sockets(1).await;
    is_taken(hub.hello("ada", "tablet").await).await;
}

#[tokio::test]
async fn who_has_no_room_replaces_nobody_in_a_space_that_sleeps_or_is_not_open() {
    let hub = Hub::start(|config| {
        config.gateway.sockets_per_user_max = 1;
        config.session.idle_ms = 100;
    })
    .await;
    let _phone = hub.attach_as("ada", "phone").await;
    let asleep = || hub.gateway().metrics.sessions_asleep.get();
    hub.until(|| asleep() == 1).await;
    let mut laptop = hub.hello("ada", "laptop").await;
    assert_eq!(laptop.got().await, Got::message("error"));
    assert_eq!(laptop.closed().await, close::LIMITS);
    hub.until(|| asleep() == 1).await;
    let mut elsewhere = hub.hello_in("chat", ("ada", "phone")).await;
    assert_eq!(elsewhere.got().await, Got::message("error"));
    assert_eq!(elsewhere.closed().await, close::LIMITS);
    assert_eq!(hub.gateway().sessions.open().len(), 1, "it opened nothing");
    is_taken(hub.hello("ada", "phone").await).await;
}

#[tokio::test]
async fn a_peer_is_given_up_once_it_was_silent_for_twice_the_time_of_a_ping() {
    let hub = Hub::start(|config| {
        (config.gateway.ping_ms, config.gateway.stalled_ms) = (10_000, 60_000);
    })
    .await;
    let mut peer = hub.attach("ada").await;
    pause();
    // From here on it says nothing.
    peer.send(&text(&json!({"t": "ping"}))).await;
    peer.message_of("pong").await;
    let sockets = || hub.gateway().sockets.count();
    sleep(Duration::from_secs(19)).await;
    assert_eq!(sockets(), 1);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(sockets(), 0);
}

/// Takes whatever comes; notes of each message its bytes, and what waited for the peer then.
struct Noting(Arc<Mutex<Vec<(usize, usize)>>>);

impl Protocol for Noting {
    type Done = ();

    const SPEECH: Speech = Speech::Native;

    fn take(&mut self, link: &mut Link, text: &str) -> Result<Option<Wait<()>>, Ending> {
        let noted = (text.len(), link.outbox.held_bytes());
        self.0.lock().unwrap().push(noted);
        Ok(None)
    }

    fn go_on(&mut self, _: &mut Link, (): ()) -> Result<Option<Wait<()>>, Ending> {
        Ok(None)
    }

    fn entry(&self) -> Option<&Arc<Entry>> {
        None
    }

    fn look_at_clock(&mut self, _: &mut Link) -> Result<Duration, Ending> {
        Ok(Duration::MAX)
    }
}

/// More than the kernel holds for a peer that does not read.
fn much() -> Vec<Frame> {
    let message = json!({"t": "much", "x": "y".repeat(60_000)}).to_string();
    vec![Frame::text(&message); 300]
}

#[tokio::test]
async fn nothing_is_taken_of_a_peer_while_more_than_an_outbox_waits_for_it() {
    let hub = Hub::start(|_| {}).await;
    let (link, mut peer) = hub.link().await;
    let outbox = link.outbox.clone();
    for frame in much() {
        outbox.push(frame, FrameKind::Bulk);
    }
    let full = outbox.held_bytes();
    assert_eq!(peer.fill(&frame(TEXT, b"x"), 10).await, 10);
    let noted = Arc::new(Mutex::new(Vec::new()));
    tokio::spawn(Task::new(link, Noting(noted.clone())));
    // It has written what the kernel takes, and was told that something has come.
    hub.until(|| outbox.held_bytes() < full).await;
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    peer.passes_over(much().len()).await;
    hub.until(|| noted.lock().unwrap().len() == 10).await;
    let bytes_max = hub.gateway().limits.outbox_bytes_max;
    for (_, held) in noted.lock().unwrap().iter() {
        assert!(*held <= bytes_max, "{held} bytes waited");
    }
}

#[tokio::test]
async fn a_turn_ends_after_so_many_bytes() {
    const MESSAGE_BYTES: usize = 60_000;
    // A turn's bytes and what one read may bring.
    const MOST: usize = (256 + 64) << 10;
    let hub = Hub::start(|_| {}).await;
    let (link, mut peer) = hub.link().await;
    let message = frame(TEXT, &[b'x'; MESSAGE_BYTES]);
    let noted = Arc::new(Mutex::new(Vec::new()));
    let mut task = Box::pin(Task::new(link, Noting(noted.clone())));
    let mut turns: Vec<usize> = Vec::new();
    // What the kernel holds for a reader grows with what that has read.
    while turns.iter().sum::<usize>() < 64 << 20 {
        peer.fill_all(&message).await;
        let polled = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Pending);
        let taken = std::mem::take(&mut *noted.lock().unwrap());
        turns.push(taken.iter().map(|(bytes, _)| bytes).sum());
        assert!(turns.len() < 1_000_000, "nothing comes");
    }
    let largest = turns.into_iter().max().unwrap();
    assert!(largest <= MOST, "{largest} bytes in one turn");
    assert!(largest > MOST / 2, "only {largest} bytes came at once");
}

#[tokio::test]
async fn so_many_are_told_that_there_is_no_room_and_one_more_is_cut_off() {
    let hub = Hub::start(|_| {}).await;
    let gateway = hub.gateway();
    let places = &gateway.sockets.turned_away;
    let count = u32::try_from(places.available_permits()).expect("a bound");
    let others = places.try_acquire_many(count - 1).unwrap();
    let told = async |mut peer: Peer| {
        assert_eq!(peer.got().await, Got::message("error"));
        assert_eq!(peer.closed().await, close::LIMITS);
        peer
    };
    let (last, _, peer) = streams().await;
    let turned_away = tokio::spawn({
        let gateway = gateway.clone();
        async move { turn_away(&gateway, last).await }
    });
    // It has its place until it goes or its time is over.
    pause();
    let peer = told(peer).await;
    let (one_more, _, mut cut_off) = streams().await;
    turn_away(gateway, one_more).await;
    assert!(cut_off.is_cut_off().await);
    drop(peer);
    turned_away.await.unwrap();
    let (next, _, peer) = streams().await;
    tokio::join!(turn_away(gateway, next), async { drop(told(peer).await) });
    drop(others);
    assert_eq!(places.available_permits(), count as usize);
}

#[tokio::test]
async fn a_presence_that_finds_an_outbox_full_is_told_when_that_has_drained() {
    let hub = Hub::start(|_| {}).await;
    let (link, peer) = hub.link().await;
    let outbox = link.outbox.clone();
    let laptop = hub.speak(link, peer, ("ada", "laptop")).await;
    let mut laptop = is_taken(laptop).await;
    let mut phone = hub.attach_as("ada", "phone").await;
    let mut tablet = hub.attach_as("ada", "tablet").await;
    let much = much();
    for frame in &much {
        outbox.push(frame.clone(), FrameKind::Bulk);
    }
    for state in 1..=2 {
        phone
            .send(&text(&json!({"t": "presence", "state": state})))
            .await;
        tablet.message_of("presence").await;
    }
    let bytes_max = hub.gateway().limits.outbox_bytes_max;
    assert!(outbox.held_bytes() > bytes_max, "it was full all the time");
    for _ in &much {
        assert_eq!(laptop.got().await, Got::message("much"));
    }
    assert_eq!(laptop.got().await, Got::message("presence"));
    // The last word, and no other.
    phone.send(&push(1, 1)).await;
    assert_eq!(laptop.got().await, Got::message("delta"));
}
