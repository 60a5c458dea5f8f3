//! Finds the session of a space on this node, or starts it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, ActorStatus, SupervisionEvent};
use syncline_protocol::ids::SpaceKey;
use syncline_storage::types::SpaceView;
use tokio::sync::{OnceCell, oneshot, watch};

use super::actor::{Args, Message, Session, Shared};
use super::event::Event;
use crate::gateway::intake::Intake;
use crate::telemetry::Metrics;

/// Locks of the map; a power of two.
const SHARDS: usize = 64;

/// The sessions of a node. Clones share them.
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    supervisor: ActorRef<()>,
    shards: Arc<Shards>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

/// No session could be had.
#[derive(Debug, thiserror::Error)]
#[error("no session: {0}")]
pub struct NoSession(String);

/// A running session, as others reach it.
#[derive(Clone, Debug)]
pub struct Handle {
    /// The actor.
    pub actor: ActorRef<Message>,
    /// Room for pushes to it.
    pub intake: Intake,
    shown: Shown,
}

impl Handle {
    /// The space as the session knows it.
    pub fn view(&self) -> Option<SpaceView> {
        *self.shown.view.borrow()
    }

    /// Waits until the view changes, or so long.
    pub async fn changed(&self, at_most: Duration) {
        let mut view = self.shown.view.subscribe();
        // The time over and the session gone mean the same: look again.
        let _ = tokio::time::timeout(at_most, view.changed()).await;
    }

    /// Has the session look at the store: its view may be of another history.
    pub fn missed(&self) {
        // One that ended begins afresh anyway.
        let _ = self.actor.cast(Message::Event(Event::Missed));
    }

    /// Keeps the session from stopping as idle for another while.
    pub fn touch(&self) {
        self.shown.used.store(true, Ordering::Relaxed);
    }
}

/// What others see of a session without asking it. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    view: Arc<watch::Sender<Option<SpaceView>>>,
    used: Arc<AtomicBool>,
}

impl Shown {
    /// Shows the session's view.
    pub fn show(&self, view: SpaceView) {
        self.view.send_if_modified(|shown| {
            let news = *shown != Some(view);
            *shown = Some(view);
            news
        });
    }

    /// Whether somebody looked since the last time.
    pub fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

type Slot = Arc<OnceCell<Handle>>;

struct Shards {
    hasher: RandomState,
    maps: Vec<Mutex<HashMap<SpaceKey, Slot>>>,
}

impl Shards {
    fn with<T>(&self, space: &SpaceKey, act: impl FnOnce(&mut HashMap<SpaceKey, Slot>) -> T) -> T {
        let at = self.hasher.hash_one(space) as usize % SHARDS;
        // A map stays usable whatever panicked while it was locked: entries are whole.
        act(&mut self.maps[at].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sessions {
    /// An empty registry and its supervisor.
    pub async fn start(shared: Arc<Shared>) -> Result<Sessions, NoSession> {
        let metrics = shared.metrics.clone();
        let (supervisor, _) = Actor::spawn(None, Supervisor, metrics)
            .await
            .map_err(|error| NoSession(error.to_string()))?;
        let maps = (0..SHARDS).map(|_| Mutex::default()).collect();
        let shards = Arc::new(Shards {
            hasher: RandomState::new(),
            maps,
        });
        Ok(Sessions {
            inner: Arc::new(Inner {
                shared,
                supervisor,
                shards,
            }),
        })
    }

    /// The running session of a space; started if there is none. Fails if the store does not
    /// answer.
    pub async fn get(&self, space: &SpaceKey) -> Result<Handle, NoSession> {
        loop {
            let slot = self
                .inner
                .shards
                .with(space, |map| map.entry(space.clone()).or_default().clone());
            let session = slot.get_or_try_init(|| self.spawn(space, &slot)).await;
            match session {
                Ok(session) if is_running(session) => return Ok(session.clone()),
                Ok(_) => self.forget(space, &slot),
                Err(error) => {
                    self.forget(space, &slot);
                    return Err(error);
                }
            }
        }
    }

    /// The session of a space, if one is running.
    pub fn running(&self, space: &SpaceKey) -> Option<ActorRef<Message>> {
        let slot = self
            .inner
            .shards
            .with(space, |map| map.get(space).cloned())?;
        slot.get()
            .filter(|session| is_running(session))
            .map(|session| session.actor.clone())
    }

    /// Tells every running session; used when the bus has lost events.
    pub fn missed(&self) {
        for session in self.all() {
            let _ = session.cast(Message::Event(Event::Missed));
        }
    }

    /// Has every session finish what it took. Returns when all have.
    pub async fn drain(&self) {
        let waiting: Vec<oneshot::Receiver<()>> = self
            .all()
            .into_iter()
            .filter_map(|session| {
                let (done, finished) = oneshot::channel();
                session.cast(Message::Drain(done)).ok().map(|()| finished)
            })
            .collect();
        for finished in waiting {
            // A session that ended has nothing to finish.
            let _ = finished.await;
        }
    }

    /// Stops every session and the supervisor.
    pub async fn stop(&self) {
        for session in self.all() {
            // One that is stopping already is as good as stopped.
            let _ = session.stop_and_wait(None, None).await;
        }
        let _ = self.inner.supervisor.stop_and_wait(None, None).await;
    }

    fn all(&self) -> Vec<ActorRef<Message>> {
        let lock = |map: &Mutex<HashMap<SpaceKey, Slot>>| {
            let map = map.lock().unwrap_or_else(PoisonError::into_inner);
            map.values()
                .filter_map(|slot| Some(slot.get()?.actor.clone()))
                .collect::<Vec<_>>()
        };
        self.inner.shards.maps.iter().flat_map(lock).collect()
    }

    async fn spawn(&self, space: &SpaceKey, slot: &Slot) -> Result<Handle, NoSession> {
        let registration = Registration {
            space: space.clone(),
            slot: slot.clone(),
            shards: self.inner.shards.clone(),
            metrics: self.inner.shared.metrics.clone(),
            counted: AtomicBool::new(false),
        };
        let shared = self.inner.shared.clone();
        let shown = Shown::default();
        let args = Args {
            space: space.clone(),
            shared,
            shown: shown.clone(),
            registration,
        };
        let supervisor: ActorCell = self.inner.supervisor.get_cell();
        let spawned = Actor::spawn_linked(None, Session, args, supervisor).await;
        let (actor, _) = spawned.map_err(|error| NoSession(error.to_string()))?;
        let intake = Intake::new(self.inner.shared.pending_bytes_max);
        Ok(Handle {
            actor,
            intake,
            shown,
        })
    }

    fn forget(&self, space: &SpaceKey, slot: &Slot) {
        forget(&self.inner.shards, space, slot);
    }
}

fn is_running(session: &Handle) -> bool {
    session.actor.get_status() < ActorStatus::Stopping
}

fn forget(shards: &Shards, space: &SpaceKey, slot: &Slot) {
    shards.with(space, |map| {
        if map
            .get(space)
            .is_some_and(|current| Arc::ptr_eq(current, slot))
        {
            map.remove(space);
        }
    });
}

/// A session's entry in the registry. Dropping it, as an ending session does however it ends,
/// takes the entry out.
pub struct Registration {
    space: SpaceKey,
    slot: Slot,
    shards: Arc<Shards>,
    metrics: Arc<Metrics>,
    counted: AtomicBool,
}

impl Registration {
    /// The session runs.
    pub fn started(&self) {
        if !self.counted.swap(true, Ordering::Relaxed) {
            self.metrics.sessions.inc();
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if self.counted.load(Ordering::Relaxed) {
            self.metrics.sessions.dec();
        }
        forget(&self.shards, &self.space, &self.slot);
    }
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration")
            .field("space", &self.space)
            .finish_non_exhaustive()
    }
}

/// Watches the sessions. A session that panicked is counted and left: its devices connect
/// again and a new one starts from the store.
struct Supervisor;

impl Actor for Supervisor {
    type Msg = ();
    type State = Arc<Metrics>;
    type Arguments = Arc<Metrics>;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Metrics>, ActorProcessingErr> {
        Ok(metrics)
    }

    // The default would end the supervisor, and with it every session.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        metrics: &mut Arc<Metrics>,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(session, error) = event {
            metrics.session_panics.inc();
            tracing::error!(session = %session.get_id(), %error, "session failed");
        }
        Ok(())
    }
}
