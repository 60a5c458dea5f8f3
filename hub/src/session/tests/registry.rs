//! The registry with real sessions on a real store. Time is the test's: the wheel turns by hand,
//! so sessions fall asleep when the test, or its seed, says.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde_json::{Value, json};
use syncline_cluster::ChangeLog;
use syncline_cluster::local::LocalBus;
use syncline_protocol::ids::{AppId, ClientId, ClientKey, NodeId, SpaceId, SpaceKey, UserId};
use syncline_storage::Store;
use syncline_storage::faulty::{Fault, FaultyStore, Operation, Prng};
use syncline_storage::group::{Committers, GroupCommit, GroupLimits};
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use syncline_storage::types::PageLimit;
use tokio::sync::{Semaphore, oneshot};

use super::desk::{insert, mutation};
use crate::clock::SystemClock;
use crate::gateway::intake::Undecided;
use crate::gateway::outbox::Outbox;
use crate::jobs::{AppTriggers, JobsBell};
use crate::session::actor::{Message, PAGES_AT_ONCE, Shared};
use crate::session::cache::{Activations, NodeCache};
use crate::session::entry::Entry;
use crate::session::event::{Attach, ConnId, Event, Origin, Push};
use crate::session::registry::Sessions;
use crate::session::state::SessionLimits;
use crate::telemetry::{Lags, Metrics, Traces};
use crate::wheel::{Tick, Wheel};

/// Ticks after which an idle session has fallen asleep, or has looked and stayed awake.
const IDLE_TICKS: usize = 5;
const TICK: Duration = Duration::from_millis(100);

pub(super) struct World {
    pub(super) sessions: Sessions,
    wheel: Arc<Wheel>,
    metrics: Arc<Metrics>,
    _committers: Committers,
    _dir: tempfile::TempDir,
}

impl World {
    async fn start() -> World {
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(dir.path().join("hub.db"));
        let store = SqliteStore::open(&options).unwrap();
        World::on(Arc::new(store), dir).await
    }

    /// On a store in a directory.
    pub(super) async fn on(store: Arc<dyn Store>, dir: tempfile::TempDir) -> World {
        let node = NodeId::trusted("n1");
        let (group, committers) = GroupCommit::start(&store, GroupLimits::default());
        let metrics = Arc::new(Metrics::new());
        let wheel = Arc::new(Wheel::new(1, TICK * 8));
        let shared = Shared {
            node: node.clone(),
            store,
            log: ChangeLog::new(node, group, Arc::new(LocalBus::default())),
            cache: NodeCache::new(1 << 20),
            activations: Activations::default(),
            clock: Arc::new(SystemClock),
            metrics: metrics.clone(),
            traces: Traces::default(),
            lags: Arc::new(Lags::new(metrics.clone())),
            limits: SessionLimits::default(),
            triggers: AppTriggers::default(),
            bell: JobsBell::default(),
            page: PageLimit {
                records: 100,
                bytes: 1 << 20,
            },
            pages: Arc::new(Semaphore::new(PAGES_AT_ONCE)),
            undecided: Arc::new(Undecided::new(
                1 << 30,
                1 << 20,
                metrics.pending_bytes.clone(),
            )),
            idle: TICK * 2,
            wheel: wheel.clone(),
            ephemera: None,
        };
        World {
            sessions: Sessions::start(Arc::new(shared)).await.unwrap(),
            wheel,
            metrics,
            _committers: committers,
            _dir: dir,
        }
    }

    /// Time passes, and everybody who waited for it has their turn.
    async fn pass(&self, ticks: usize) {
        for _ in 0..ticks {
            self.wheel.turn_to(Tick(self.wheel.now().0 + 1));
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Time passes until no session runs.
    async fn fall_asleep(&self) {
        while self.metrics.sessions.get() > 0 {
            self.pass(1).await;
        }
    }

    /// Asks until a session takes what `message` makes, as sockets do.
    fn tell(&self, space: &SpaceKey, message: Message) -> Arc<Entry> {
        let mut message = message;
        for _ in 0..5 {
            let entry = self.sessions.get(space);
            match self.sessions.tell(&entry, message) {
                Ok(()) => return entry,
                Err(back) => message = *back,
            }
        }
        panic!("nobody takes it")
    }
}

/// A socket that checks what it is told.
struct Device {
    outbox: Arc<Outbox>,
    entry: Arc<Entry>,
    space: SpaceKey,
    m: u64,
}

pub(super) fn space_of(user: &str) -> SpaceKey {
    SpaceKey {
        app: AppId::trusted("todo"),
        space: SpaceId::trusted(user),
    }
}

impl Device {
    async fn attach(world: &World, user: &str, conn: u64) -> Device {
        let (space, outbox) = (space_of(user), Arc::new(Outbox::new(ConnId(conn), 1 << 20)));
        let attach = Attach {
            conn: ConnId(conn),
            client: ClientKey {
                user: UserId::trusted(user),
                client: ClientId::trusted(&format!("c{conn}")),
            },
            cursor: None,
            tables: None,
            backfill: None,
            snapshot_next: None,
            acked: None,
            epoch: None,
            token_expires_in_s: 3_600,
        };
        let (taken, was_taken) = oneshot::channel();
        let message = Message::Attach {
            attach: Box::new(attach),
            outbox: outbox.clone(),
            taken,
        };
        let entry = world.tell(&space, message);
        was_taken.await.unwrap();
        let mut device = Device {
            outbox,
            entry,
            space,
            m: 0,
        };
        device.told(world, "delta").await; // the end of its snapshot
        device
    }

    /// Writes until it is told a message of a type, and returns it.
    async fn told(&mut self, world: &World, t: &str) -> Value {
        loop {
            let frames = poll_fn(|cx| {
                self.outbox.wakes(cx.waker());
                let frames = self.outbox.take(usize::MAX);
                match frames.is_empty() {
                    true => Poll::Pending,
                    false => Poll::Ready(frames),
                }
            });
            let frames = frames.await;
            if self.outbox.take_drained() {
                let drained = Message::Event(Event::Drained(self.outbox.conn));
                world.sessions.tell(&self.entry, drained).unwrap();
            }
            for frame in frames {
                let message: Value = serde_json::from_slice(frame.message()).unwrap();
                if message["t"] == t {
                    return message;
                }
            }
        }
    }

    /// Pushes the next mutation and waits for its verdict.
    async fn write(&mut self, world: &World) {
        self.m += 1;
        let id = format!("{}-{}", self.outbox.conn.0, self.m);
        let push = Push {
            origin: Origin::Conn(self.outbox.conn),
            muts: vec![mutation(&insert(self.m, &id, &json!({})))],
            permit: None,
            trace: None,
        };
        let message = Message::Event(Event::Push(push));
        world.sessions.tell(&self.entry, message).unwrap();
        let verdicts = self.told(world, "verdicts").await;
        let results = &verdicts["results"];
        assert_eq!(
            (&results[0]["m"], &results[0]["status"]),
            (&json!(self.m), &json!("applied"))
        );
    }

    fn leave(self, world: &World) {
        world.sessions.leave(&self.entry, self.outbox.conn);
    }
}

#[tokio::test]
async fn a_space_has_one_entry_awake_and_asleep_and_none_when_all_have_left() {
    let world = World::start().await;
    let mut device = Device::attach(&world, "ada", 1).await;
    let again = world.sessions.get(&space_of("ada"));
    assert!(Arc::ptr_eq(&again, &device.entry));
    world.fall_asleep().await;
    assert_eq!(world.metrics.sessions_asleep.get(), 1);
    let asleep = world.sessions.find(&space_of("ada")).unwrap();
    assert!(Arc::ptr_eq(&asleep, &device.entry));
    device.write(&world).await;
    assert_eq!(world.metrics.sessions_asleep.get(), 0);
    world.fall_asleep().await;
    device.leave(&world);
    assert!(world.sessions.find(&space_of("ada")).is_none());
    assert_eq!(world.metrics.sessions_asleep.get(), 0);
}

#[tokio::test]
async fn a_session_whose_last_socket_left_awake_goes_by_itself() {
    let world = World::start().await;
    Device::attach(&world, "ada", 1).await.leave(&world);
    world.fall_asleep().await;
    assert!(world.sessions.find(&space_of("ada")).is_none());
    assert_eq!(world.metrics.sessions_asleep.get(), 0);
}

#[tokio::test]
async fn sleeping_sessions_are_not_woken_by_a_drain() {
    let world = World::start().await;
    let _device = Device::attach(&world, "ada", 1).await;
    world.fall_asleep().await;
    world.sessions.drain().await;
    assert_eq!(world.metrics.sessions.get(), 0);
    assert_eq!(world.metrics.sessions_asleep.get(), 1);
}

#[tokio::test]
async fn every_write_is_decided_once_whenever_sessions_sleep_and_sockets_leave() {
    for seed in 0..8 {
        let (world, mut prng) = (World::start().await, Prng::new(seed));
        let mut devices: Vec<Device> = Vec::new();
        let mut conn = 0;
        for _ in 0..120 {
            let at = prng.below(devices.len().max(1) as u64) as usize;
            match prng.below(10) {
                0..3 if devices.len() < 6 => {
                    conn += 1;
                    let user = ["ada", "bob", "eve"][prng.below(3) as usize];
                    devices.push(Device::attach(&world, user, conn).await);
                }
                0..6 if !devices.is_empty() => devices[at].write(&world).await,
                6 if !devices.is_empty() => devices.swap_remove(at).leave(&world),
                _ => world.pass(prng.below(2 * IDLE_TICKS as u64) as usize).await,
            }
            for device in &devices {
                let found = world.sessions.find(&device.space).expect("it has sockets");
                assert!(Arc::ptr_eq(&found, &device.entry), "seed {seed}");
            }
        }
        assert!(
            world.metrics.session_sleeps.get() > 0,
            "seed {seed} never slept"
        );
        devices.into_iter().for_each(|device| device.leave(&world));
        world.fall_asleep().await;
        for user in ["ada", "bob", "eve"] {
            assert!(
                world.sessions.find(&space_of(user)).is_none(),
                "seed {seed}"
            );
        }
        assert_eq!(world.metrics.sessions_asleep.get(), 0, "seed {seed}");
    }
}

#[tokio::test]
async fn of_many_sessions_that_fall_behind_together_so_many_read_the_store_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("hub.db"));
    let store = SqliteStore::open(&options).unwrap();
    let store = Arc::new(FaultyStore::scripted(store));
    let world = World::on(store.clone(), dir).await;
    let mut devices = Vec::new();
    for conn in 0..PAGES_AT_ONCE as u64 + 3 {
        devices.push(Device::attach(&world, &format!("user{conn}"), conn).await);
    }
    for device in &devices {
        store.script(Operation::Changes, Some(Fault::Held));
        let missed = Message::Event(Event::Missed);
        world.sessions.tell(&device.entry, missed).unwrap();
    }
    for released in 0..=3 {
        let reading = PAGES_AT_ONCE as u64 + released;
        while store.injected() < reading {
            tokio::task::yield_now().await;
        }
        world.pass(1).await;
        assert_eq!(store.injected(), reading);
        store.release();
    }
    // None of them waits for ever.
    devices.iter().for_each(|_| store.release());
    for device in &mut devices {
        device.write(&world).await;
    }
}
