//! What a socket's clocks count: not what the hub itself is late with.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use serde_json::{Value, json};
use syncline_protocol::error::close;
use syncline_protocol::ids::AppId;
use syncline_storage::faulty::{Fault, Operation};
use tokio::time::{advance, pause, resume, sleep, timeout};

use super::hub::{Got, Hub, text};
use super::{Counting, PING, push};
use crate::gateway::compat::socket::Compat;
use crate::gateway::link::{Ending, Link};
use crate::gateway::outbox::Speech;
use crate::gateway::pace::AHEAD;
use crate::gateway::socket::Native;
use crate::gateway::task::{Protocol, Task, Wait};
use crate::session::entry::Entry;

const PING_MS: u64 = 10_000;

async fn pinging() -> Hub {
    Hub::start(|config| {
        (config.gateway.ping_ms, config.gateway.stalled_ms) = (PING_MS, 60_000);
    })
    .await
}

/// The process was stopped, or its machine was.
async fn stop() {
    sleep(Duration::from_millis(10 * PING_MS)).await;
}

#[tokio::test]
async fn a_hello_that_came_in_time_is_taken_though_the_hub_was_stopped() {
    let hub = pinging().await;
    let (link, mut peer) = hub.link().await;
    peer.send(&hub.said("todo", ("ada", "c"))).await;
    pause();
    let task = Task::new(link, Native::new());
    stop().await;
    resume();
    tokio::spawn(task);
    assert_eq!(peer.got().await, Got::message("welcome"));
}

#[tokio::test]
async fn a_peer_that_spoke_while_the_hub_was_stopped_is_not_given_up() {
    let hub = pinging().await;
    let (link, mut peer) = hub.link().await;
    peer.send(&text(&json!({}))).await;
    pause();
    let taken = Arc::new(AtomicUsize::new(0));
    let task = Task::new(link, Counting(taken.clone()));
    stop().await;
    tokio::spawn(task);
    hub.until(|| taken.load(std::sync::atomic::Ordering::Relaxed) == 1)
        .await;
    sleep(Duration::from_millis(PING_MS / 2)).await;
    assert_eq!(hub.gateway().sockets.count(), 1);
}

#[tokio::test]
async fn a_silent_peer_is_pinged_before_it_is_given_up_though_the_hub_was_stopped() {
    let hub = pinging().await;
    let (link, mut peer) = hub.link().await;
    pause();
    let task = Task::new(link, Counting(Arc::default()));
    stop().await;
    tokio::spawn(task);
    assert_eq!(peer.frame().await.0, PING);
    sleep(Duration::from_millis(PING_MS - 1_000)).await;
    assert_eq!(hub.gateway().sockets.count(), 1);
    sleep(Duration::from_millis(2_000)).await;
    assert_eq!(hub.gateway().sockets.count(), 0);
}

/// All that passed is one step of the wheel, and no socket lives through the time between.
#[tokio::test]
async fn a_socket_of_a_process_that_was_stopped_has_the_time_of_a_ping() {
    let hub = pinging().await;
    let (link, mut peer) = hub.link().await;
    tokio::spawn(Task::new(link, Counting(Arc::default())));
    pause();
    advance(Duration::from_millis(10 * PING_MS)).await;
    assert_eq!(peer.frame().await.0, PING);
    sleep(Duration::from_millis(PING_MS - 1_000)).await;
    assert_eq!(hub.gateway().sockets.count(), 1);
    sleep(Duration::from_millis(2_000)).await;
    assert_eq!(hub.gateway().sockets.count(), 0);
}

#[tokio::test]
async fn a_socket_for_which_the_store_does_nothing_is_told_to_come_again() {
    let hub = pinging().await;
    hub.store.script(Operation::OpenSpace, Some(Fault::Held));
    let mut peer = hub.hello("ada", "c").await;
    hub.injected(1).await;
    let gone = hub.hello("ada", "gone").await;
    drop(gone);
    pause();
    sleep(Duration::from_secs(30)).await;
    assert_eq!(hub.gateway().sockets.count(), 2);
    sleep(Duration::from_secs(35)).await;
    assert_eq!(peer.closed().await, close::TRY_AGAIN_LATER);
    drop(peer);
    resume();
    hub.sockets(0).await;
    hub.store.release();
    let mut again = hub.hello("ada", "c").await;
    again.message_of("delta").await;
}

/// Sends a message of 256 KiB in pieces of so many bytes, one a second. How many of them the peer had
/// sent when it was told something, and what.
async fn sent_in_pieces(bytes: usize) -> (usize, Got) {
    const LEN: usize = 256 << 10;
    let hub = Hub::start(|config| {
        (config.gateway.ping_ms, config.gateway.stalled_ms) = (600_000, 30_000);
    })
    .await;
    let mut peer = hub.attach("ada").await;
    pause();
    let mut frame = vec![0x81, 0x80 | 127];
    frame.extend((LEN as u64).to_be_bytes());
    frame.extend([0; 4]);
    peer.send(&frame).await;
    let mut message = br#"{"t":"ping","padding":""#.to_vec();
    message.resize(LEN - 2, b'x');
    message.extend(br#""}"#);
    let mut told = None;
    for (before, piece) in message.chunks(bytes).enumerate() {
        peer.send(piece).await;
        if let Ok(got) = timeout(Duration::from_secs(1), peer.got()).await {
            told = Some((before + 1, got));
            break;
        }
    }
    resume();
    told.expect("it is told nothing")
}

#[tokio::test]
async fn a_message_that_keeps_coming_has_the_time_of_a_slow_line() {
    let taken = sent_in_pieces(5 << 10).await;
    assert_eq!(taken, (52, Got::message("pong")));
    // After 30 s, and one for each 4 KiB.
    let (sent, got) = sent_in_pieces(1 << 10).await;
    assert_eq!(got, Got::Closed(close::SLOW));
    assert!((39..=41).contains(&sent), "{sent}");
}

#[tokio::test]
async fn who_owes_nothing_is_forgotten_though_nobody_pushes_any_more() {
    let hub = pinging().await;
    let mut peer = hub.attach("ada").await;
    peer.send(&push(1, 1)).await;
    peer.message_of("verdicts").await;
    assert_eq!(hub.gateway().paces.remembered(), 1);
    pause();
    sleep(2 * AHEAD).await;
    assert_eq!(hub.gateway().paces.remembered(), 0);
}

#[tokio::test]
async fn a_notice_socket_has_ten_seconds_to_say_who_it_is_and_no_more() {
    let hub = Hub::start(|_| {}).await;
    let (link, mut peer) = hub.notice_link().await;
    pause();
    tokio::spawn(Task::new(link, Compat::new(AppId::trusted("todo"))));
    let early = timeout(Duration::from_millis(9_900), peer.frame()).await;
    assert!(early.is_err(), "{early:?}");
    let late = timeout(Duration::from_millis(300), peer.frame()).await;
    let told: Value = serde_json::from_slice(&late.expect("nothing comes").1).unwrap();
    assert_eq!(told, json!({"type": "error", "tables": ["auth timeout"]}));
    assert_eq!(peer.closed().await, 1008);
}

#[tokio::test]
async fn a_notice_socket_that_says_who_it_is_in_its_last_moment_is_let_in() {
    let hub = Hub::start(|_| {}).await;
    let (link, mut peer) = hub.notice_link().await;
    let token = hub.token("ada");
    pause();
    tokio::spawn(Task::new(link, Compat::new(AppId::trusted("todo"))));
    sleep(Duration::from_millis(9_900)).await;
    peer.send(&text(&json!({"type": "auth", "token": token})))
        .await;
    // What the store does takes real time.
    resume();
    assert_eq!(peer.frame().await.1, br#"{"type":"auth-ok"}"#);
}

/// A native socket in which a ping is a fault of the hub's.
struct Falling(Native);

impl Protocol for Falling {
    type Done = <Native as Protocol>::Done;

    const SPEECH: Speech = Speech::Native;

    fn take(&mut self, link: &mut Link, text: &str) -> Result<Option<Wait<Self::Done>>, Ending> {
        assert!(!text.contains(r#""ping""#), "the fault");
        self.0.take(link, text)
    }

    fn go_on(
        &mut self,
        link: &mut Link,
        done: Self::Done,
    ) -> Result<Option<Wait<Self::Done>>, Ending> {
        self.0.go_on(link, done)
    }

    fn entry(&self) -> Option<&Arc<Entry>> {
        self.0.entry()
    }

    fn look_at_clock(&mut self, link: &mut Link) -> Result<Duration, Ending> {
        self.0.look_at_clock(link)
    }
}

#[tokio::test]
async fn a_socket_that_panics_leaves_its_session() {
    let hub = Hub::start(|_| {}).await;
    let mut other = hub.attach_as("ada", "other").await;
    let (link, mut falls) = hub.link().await;
    tokio::spawn(Task::new(link, Falling(Native::new())));
    falls.send(&hub.said("todo", ("ada", "falls"))).await;
    falls.message_of("delta").await;
    falls
        .send(&text(&json!({"t": "presence", "state": {"typing": true}})))
        .await;
    assert_eq!(other.got().await, Got::message("presence"));
    falls.send(&text(&json!({"t": "ping"}))).await;
    // It shows nothing any more.
    assert_eq!(other.got().await, Got::message("presence"));
    hub.sockets(1).await;
}
