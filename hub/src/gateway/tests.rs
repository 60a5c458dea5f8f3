//! Sockets of a whole hub as bytes on real streams: whose turn it is, what their clocks count and
//! what they leave. Where time matters it is virtual.

mod bounds;
mod clocks;
mod ending;
mod forgotten;
mod hub;
mod loaded;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use serde_json::{Value, json};
use syncline_protocol::error::close;
use syncline_protocol::ids::{AppId, Seq, SpaceId, SpaceKey, UserId};
use syncline_storage::Store;
use syncline_storage::faulty::{Fault, Operation};
use tokio::time::{Instant, pause, sleep};

use self::hub::{Got, Hub, frame, text};
use super::frame::Frame;
use super::link::{Ending, Link};
use super::outbox::Speech;
use super::socket::Native;
use super::task::{Protocol, Task, Wait};
use crate::auth::ServiceKey;
use crate::session::entry::Entry;
use crate::session::event::FrameKind;
use crate::wheel::Tick;

const TEXT: u8 = 0x81;
const TEXT_BEGINS: u8 = 0x01;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// Takes whatever comes and counts it.
struct Counting(Arc<AtomicUsize>);

impl Protocol for Counting {
    type Done = ();

    const SPEECH: Speech = Speech::Native;

    fn take(&mut self, _: &mut Link, _: &str) -> Result<Option<Wait<()>>, Ending> {
        self.0.fetch_add(1, Ordering::Relaxed);
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

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_poll_ends_with_its_turn_and_asks_for_another() {
    let most = 64;
    let hub = Hub::start(|_| {}).await;
    let (link, peer) = hub.link().await;
    let sent = peer.fill(&frame(TEXT, b"x"), 3 * most).await;
    assert_eq!(sent, 3 * most, "the kernel takes that");
    let taken = Arc::new(AtomicUsize::new(0));
    let mut task = Box::pin(Task::new(link, Counting(taken.clone())));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    // What was sent has arrived when something has been taken.
    while taken.load(Ordering::Relaxed) == 0 {
        woken.0.store(false, Ordering::Relaxed);
        let polled = task.as_mut().poll(&mut Context::from_waker(&waker));
        assert_eq!(polled, Poll::Pending);
        tokio::task::yield_now().await;
    }
    assert_eq!(taken.load(Ordering::Relaxed), most);
    assert!(woken.0.load(Ordering::Relaxed), "it wants its next turn");
}

#[tokio::test]
async fn tokens_in_band_have_their_turns_two_seconds_apart_and_none_is_dropped() {
    let hub = Hub::start(|_| {}).await;
    let (mut link, _peer) = hub.link().await;
    link.authenticate(&UserId::trusted("ada")).unwrap();
    let wheel = hub.gateway().wheel.clone();
    let turns = [(); 4].map(|()| (wheel.now(), link.token_turn()));
    let every = Duration::from_secs(2);
    let (_, first) = turns[0];
    assert!(first < every, "the first does not wait: {turns:?}");
    // Each is a moment of the wheel, so much later than the one before.
    let moments = turns.map(|(now, turn)| wheel.after(now, turn).0);
    let apart = wheel.after(Tick(0), every).0 - 1;
    for pair in moments.windows(2) {
        assert!(pair[1] - pair[0] >= apart, "{turns:?}");
    }
}

#[tokio::test]
async fn a_flood_of_tokens_costs_one_verification_in_two_seconds() {
    let hub = Hub::start(|_| {}).await;
    let mut peer = hub.attach("ada").await;
    let auth = text(&json!({"t": "auth", "token": hub.token("ada")}));
    let ping = text(&json!({"t": "ping"}));
    pause();
    // What is behind a token is read when that was verified: each answer is a verification.
    peer.send(&[auth, ping].concat().repeat(6)).await;
    let mut last: Option<Instant> = None;
    for _ in 0..6 {
        peer.message_of("pong").await;
        let apart = last.replace(Instant::now()).map(|last| last.elapsed());
        assert!(
            apart.is_none_or(|apart| apart > Duration::from_millis(1_900)),
            "{apart:?}"
        );
    }
}

#[tokio::test]
async fn a_reset_connection_leaves_nothing_of_a_full_outbox() {
    let hub = Hub::start(|_| {}).await;
    let (link, peer) = hub.link().await;
    let outbox = link.outbox.clone();
    let frames: Vec<Frame> = (0..16).map(|_| Frame::text(&"x".repeat(1 << 20))).collect();
    for frame in &frames {
        outbox.push(frame.clone(), FrameKind::Bulk);
    }
    let task = tokio::spawn(Task::new(link, Native::new()));
    while outbox.held_bytes() == 16 * frames[0].size_bytes() {
        tokio::task::yield_now().await;
    }
    assert!(outbox.held_bytes() > 0, "the kernel takes no 16 MiB");
    pause();
    let before = hub.gateway().wheel.now();
    peer.reset();
    task.await.unwrap();
    assert_eq!(hub.gateway().wheel.now(), before, "it waited for no alarm");
    // The queue lives on in others' hands, and holds nothing; no writer does either.
    assert_eq!(outbox.held_bytes(), 0);
    for frame in &frames {
        assert!(frame.bytes().is_unique());
    }
    outbox.push(frames[0].clone(), FrameKind::Bulk);
    assert!(frames[0].bytes().is_unique());
}

#[tokio::test]
async fn control_frames_inside_a_message_do_not_make_it_younger() {
    let hub = Hub::start(|config| {
        (config.gateway.stalled_ms, config.gateway.ping_ms) = (2_000, 60_000);
    })
    .await;
    let mut peer = hub.attach("ada").await;
    pause();
    peer.send(&frame(TEXT_BEGINS, b" ")).await;
    let mut pongs = 0;
    let code = loop {
        peer.send(&frame(PONG, b"")).await;
        pongs += 1;
        assert!(pongs < 20, "it is endured");
        tokio::select! {
            code = peer.closed() => break code,
            () = sleep(Duration::from_millis(500)) => {}
        }
    };
    assert_eq!(code, close::SLOW);
}

#[tokio::test]
async fn messages_that_wait_for_the_hub_are_not_late() {
    let hub = Hub::start(|config| {
        (config.gateway.stalled_ms, config.gateway.ping_ms) = (1_000, 60_000);
        config.session.pending_bytes = 1 << 20;
    })
    .await;
    let mut peer = hub.attach("ada").await;
    let push = |m: u64| {
        let change = json!({"table": "t", "id": m.to_string(), "op": "insert", "data": {"x": "y".repeat(62_000)}});
        text(&json!({"t": "push", "muts": [{"m": m, "changes": [change]}]}))
    };
    hub.store.script(Operation::Commit, Some(Fault::Held));
    peer.send(&push(1)).await;
    hub.injected(1).await;
    pause();
    // There is room for sixteen of them until the store has taken the first.
    let ping = text(&json!({"t": "ping"}));
    let rest = (2..=17).flat_map(push).chain(ping).collect::<Vec<u8>>();
    peer.send(&rest).await;
    assert_eq!(peer.got().await, Got::message("slow"));
    assert_eq!(peer.got().await, Got::message("pong"));
}

/// Where a user's tasks are.
fn space(user: &str) -> SpaceKey {
    SpaceKey {
        app: AppId::trusted("todo"),
        space: SpaceId::trusted(user),
    }
}

/// A push of so many changes.
fn push(m: u64, changes: usize) -> Vec<u8> {
    let change = |n| json!({"table": "t", "id": format!("{m}-{n}"), "op": "insert", "data": {}});
    let changes: Vec<_> = (0..changes).map(change).collect();
    text(&json!({"t": "push", "muts": [{"m": m, "changes": changes}]}))
}

#[tokio::test]
async fn a_user_that_pushes_too_fast_waits_for_its_turn_and_nobody_else_does() {
    let hub = Hub::start(|config| config.limits.user_changes_per_s = 10).await;
    let (mut fast, mut other) = (hub.attach("ada").await, hub.attach("bob").await);
    let mut second = hub.hello("ada", "second").await;
    second.message_of("delta").await;
    // What is anybody's at once, and two seconds' worth more.
    fast.send(&push(1, 120)).await;
    fast.message_of("verdicts").await;
    let paced = || hub.gateway().metrics.pushes_paced.get();
    assert_eq!(paced(), 0);
    second.send(&push(1, 1)).await;
    hub.until(|| paced() == 1).await;
    other.send(&push(1, 1)).await;
    other.message_of("verdicts").await;
    second.message_of("verdicts").await;
}

#[tokio::test]
async fn a_user_that_is_far_too_fast_is_told_to_come_again() {
    let hub = Hub::start(|config| config.limits.user_changes_per_s = 10).await;
    let mut fast = hub.attach("ada").await;
    fast.send(&push(1, 300)).await;
    fast.message_of("verdicts").await;
    fast.send(&push(2, 1)).await;
    hub.until(|| hub.gateway().metrics.pushes_paced.get() == 1)
        .await;
    pause();
    fast.message_of("slow").await;
    // It was not taken.
    let view = hub.gateway().store.space(&space("ada")).await.unwrap();
    assert_eq!(view.unwrap().head, Seq(1));
}

#[tokio::test]
async fn what_is_read_for_a_socket_that_left_is_dropped() {
    let hub = Hub::start(|_| {}).await;
    let mut writer = hub.attach("ada").await;
    let change = json!({"table": "t", "id": "k", "op": "insert", "data": {}});
    let push = json!({"t": "push", "muts": [{"m": 1, "changes": [change]}]});
    writer.send(&text(&push)).await;
    writer.message_of("verdicts").await;
    for (held, client) in [(1, "leaves"), (2, "stays")] {
        hub.store.script(Operation::Snapshot, Some(Fault::Held));
        let mut peer = hub.hello("ada", client).await;
        hub.injected(held).await;
        if client == "leaves" {
            drop(peer);
            hub.sockets(1).await;
            continue;
        }
        // One held read goes on, the one that has waited longest: the first has ended.
        hub.store.release();
        peer.message_of("delta").await;
    }
}

#[tokio::test]
async fn a_session_whose_read_panics_ends_alone_and_its_devices_come_back() {
    let hub = Hub::start(|_| {}).await;
    let insert = |id: &str, m: u64| {
        let change = json!({"table": "t", "id": id, "op": "insert", "data": {}});
        text(&json!({"t": "push", "muts": [{"m": m, "changes": [change]}]}))
    };
    let mut other = hub.attach("bob").await;
    let mut idle = hub.attach("ada").await;
    let mut writer = hub.hello("ada", "writer").await;
    writer.message_of("delta").await;
    hub.store.script(Operation::Records, Some(Fault::Panicked));
    writer.send(&insert("k", 1)).await;
    assert_eq!(writer.closed().await, 1012);
    assert_eq!(idle.closed().await, 1012, "it waits for nothing");
    let mut again = hub.hello("ada", "writer").await;
    again.message_of("delta").await;
    again.send(&insert("k", 1)).await;
    again.message_of("verdicts").await;
    other.send(&insert("k", 1)).await;
    other.message_of("verdicts").await;
    hub.until(|| hub.gateway().metrics.session_panics.get() == 1)
        .await;
}

#[tokio::test]
async fn damaged_data_is_counted_wherever_it_is_met() {
    let hub = Hub::start(|config| {
        config.auth.service_key = Some(ServiceKey::new("hush").unwrap());
    })
    .await;
    // A pull makes no space.
    drop(hub.attach("ada").await);
    let counted = || hub.gateway().metrics.store_damaged.get();
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let http = http.build().unwrap();
    let pull = "/sync/todo/pull?collection=t&since=1970-01-01T00:00:00.000Z";
    for (count, operation, path) in [
        (1, Operation::Marks, pull),
        (2, Operation::Changes, pull),
        (3, Operation::Space, "/v1/todo/snapshot"),
        (4, Operation::Spaces, "/api/v1/admin/user-data/ada"),
    ] {
        hub.store.script(operation, Some(Fault::Damaged));
        let url = format!("http://{}{path}", hub.app.public_addr());
        let asked = http.get(url).bearer_auth(hub.token("ada"));
        let asked = asked.header("x-client-id", "c");
        let asked = match operation {
            Operation::Spaces => asked.header("x-service-key", "hush"),
            _ => asked,
        };
        let answer = asked.send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), counted()),
            (503, count),
            "{path}"
        );
    }
    // A device whose read fails is read to again.
    hub.store.script(Operation::Snapshot, Some(Fault::Damaged));
    hub.attach("ada").await;
    assert_eq!(counted(), 5);
    // Nor does one that the store merely refuses count.
    hub.store.script(Operation::Snapshot, Some(Fault::Refused));
    hub.attach("bob").await;
    assert_eq!(counted(), 5);
}

#[tokio::test]
async fn an_erasure_that_fails_in_one_app_says_what_it_did() {
    let hub = Hub::start(|config| {
        config.auth.service_key = Some(ServiceKey::new("hush").unwrap());
    })
    .await;
    for app in ["calendar", "todo"] {
        let key = SpaceKey {
            app: AppId::trusted(app),
            space: SpaceId::trusted("ada"),
        };
        hub.store.open_space(&key, 1).await.unwrap();
    }
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let http = http.build().unwrap();
    let url = format!(
        "http://{}/api/v1/admin/user-data/ada",
        hub.app.public_addr()
    );
    let erase = async || {
        let asked = http.delete(&url).header("x-service-key", "hush");
        let answer = asked.send().await.unwrap();
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_slice::<Value>(&answer.bytes().await.unwrap()).unwrap(),
        )
    };
    // The first is erased, the second not.
    hub.store.script(Operation::Erase, None);
    hub.store.script(Operation::Erase, Some(Fault::Refused));
    let (status, told) = erase().await;
    assert_eq!((status, &told["code"]), (503, &json!("unavailable")));
    assert_eq!(told["pending"], json!(["todo"]));
    assert_eq!(told["apps"]["calendar"]["records"], 0);
    assert_eq!(told["apps"]["todo"], Value::Null);
    let (status, told) = erase().await;
    assert_eq!((status, &told["pending"]), (200, &Value::Null));
}

#[tokio::test]
async fn a_store_that_never_answers_does_not_hold_up_a_stop() {
    let hub = Hub::start(|config| config.drain_s = 1).await;
    let mut peer = hub.attach("ada").await;
    let push = |m: u64| {
        let edit = json!([{"table": "t", "id": m.to_string(), "op": "insert", "data": {}}]);
        text(&json!({"t": "push", "muts": [{"m": m, "changes": edit}]}))
    };
    peer.send(&push(1)).await;
    peer.message_of("verdicts").await;
    hub.store.script(Operation::Commit, Some(Fault::Held));
    peer.send(&push(2)).await;
    hub.injected(1).await;
    // Nothing releases it.
    let Hub { app, store, .. } = hub;
    let stopped = tokio::time::timeout(hub::HUNG, app.shutdown()).await;
    assert!(stopped.is_ok(), "it waits for the store");
    assert_eq!(peer.closed().await, close::DRAINING);
    // What was acknowledged is there.
    let view = store.inner().space(&space("ada")).await.unwrap().unwrap();
    assert_eq!(view.head, Seq(1));
}
