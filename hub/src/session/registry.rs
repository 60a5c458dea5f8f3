//! The spaces of this node: finds the entry of one, starts and wakes sessions.

mod shards;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use syncline_cluster::ephemeral::{Ephemeral, RollCall, Spoken};
use syncline_cluster::event::{CommitEvent, SpaceHead};
use syncline_cluster::heartbeat::Instance;
use syncline_protocol::ids::{AppId, SpaceKey};
use syncline_protocol::stamp::WallMs;
use syncline_storage::Store;
use syncline_storage::types::SpaceView;
use tokio::sync::oneshot;
use tokio::time::timeout;

use self::shards::Shards;
use super::absent::Absent;
use super::actor::{Args, Message, Session, Shared};
use super::entry::{Entry, Leaving, Start, Told};
use super::event::{ConnId, Event};
use crate::gateway::intake::{Intake, OTHER_NODES};
use crate::telemetry::Metrics;
use crate::telemetry::labels::CatchUpCause;

/// The sessions of a node. Clones share them.
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    supervisor: ActorRef<()>,
    shards: Shards,
    apps: AppNames,
    absent: Absent,
    draining: AtomicBool,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

/// The registry could not be started.
#[derive(Debug, thiserror::Error)]
#[error("no sessions: {0}")]
pub struct NoSessions(String);

/// Names of apps that entries share, so that each does not keep its own.
#[derive(Default)]
struct AppNames(Mutex<HashSet<AppId>>);

/// Shared names; more apps than this is no product.
const APP_NAMES_MAX: usize = 1_024;

impl AppNames {
    fn shared(&self, app: &AppId) -> AppId {
        // A set stays usable whatever panicked while it was locked.
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(app) {
            return known.clone();
        }
        if names.len() < APP_NAMES_MAX {
            names.insert(app.clone());
        }
        app.clone()
    }
}

impl Sessions {
    /// An empty registry and its supervisor.
    pub async fn start(shared: Arc<Shared>) -> Result<Sessions, NoSessions> {
        let metrics = shared.metrics.clone();
        let (supervisor, _) = Actor::spawn(None, Supervisor, metrics)
            .await
            .map_err(|error| NoSessions(error.to_string()))?;
        Ok(Sessions {
            inner: Arc::new(Inner {
                shared,
                supervisor,
                shards: Shards::new(),
                apps: AppNames::default(),
                absent: Absent::default(),
                draining: AtomicBool::new(false),
            }),
        })
    }

    /// The entry of a space; its session is started if the space is not open here.
    pub fn get(&self, space: &SpaceKey) -> Arc<Entry> {
        let (entry, start) = self.inner.shards.with(space, |set| {
            if let Some(known) = set.get(space)
                && !known.is_gone()
            {
                return (known.clone(), None);
            }
            let space = SpaceKey {
                app: self.inner.apps.shared(&space.app),
                space: space.space.clone(),
            };
            let (entry, start) = Entry::starting(space, self.intake());
            let entry = Arc::new(entry);
            self.inner.absent.heard(&entry.space);
            set.put(entry.clone());
            (entry, Some(start))
        });
        if let Some(start) = start {
            self.spawn(entry.clone(), start);
        }
        entry
    }

    /// Tells a space's session something; wakes it if it sleeps. The message comes back if the
    /// session ended: then [`Sessions::get`] gives another entry.
    pub fn tell(&self, entry: &Arc<Entry>, message: Message) -> Result<(), Box<Message>> {
        self.told(entry, entry.tell(message, || self.intake()))
    }

    /// Tells a space's session a commit of another node; wakes it if it sleeps. One that ended
    /// reads the store when it starts again.
    pub(crate) fn hear(&self, entry: &Arc<Entry>, commit: Arc<CommitEvent>) {
        drop(self.told(entry, entry.hear(commit, || self.intake())));
    }

    /// Another node's commit was heard of, whose way is measured.
    pub(crate) fn followed(&self, committed_at_ms: WallMs) {
        let Shared { lags, clock, .. } = &*self.inner.shared;
        lags.heard(committed_at_ms, clock.now_ms());
    }

    fn told(&self, entry: &Arc<Entry>, told: Told) -> Result<(), Box<Message>> {
        match told {
            Told::Done => Ok(()),
            Told::Start(start) => {
                self.spawn(entry.clone(), *start);
                Ok(())
            }
            Told::Gone(message) => {
                self.forget(entry);
                Err(message)
            }
        }
    }

    /// The room for pushes to a space; its session is woken for them. `None` if it ended.
    pub fn room(&self, entry: &Arc<Entry>) -> Option<Intake> {
        let (intake, start) = entry.intake(|| self.intake())?;
        if let Some(start) = start {
            self.spawn(entry.clone(), *start);
        }
        Some(intake)
    }

    /// Waits until a space is another than it was seen, or so long. A session that sleeps is left to:
    /// whatever changes its space wakes it.
    pub async fn changed(&self, entry: &Arc<Entry>, seen: SpaceView, at_most: Duration) {
        let changing = async {
            self.inner.absent.woken(entry, seen).await;
            entry.changed(seen).await;
        };
        // The time over means the same: look again.
        let _ = timeout(at_most, changing).await;
    }

    /// A socket leaves a space.
    pub fn leave(&self, entry: &Arc<Entry>, conn: ConnId) {
        match entry.leave(conn) {
            // One that slept does not say to the other nodes that it shows nothing any more.
            Leaving::Done => {
                if let Some(ephemera) = &self.inner.shared.ephemera {
                    ephemera.gone(&entry.space, conn);
                }
            }
            // A session that ended knows nothing of it anyway.
            Leaving::Tell => drop(self.tell(entry, Message::Event(Event::Detach(conn)))),
            Leaving::Emptied => {
                if let Some(ephemera) = &self.inner.shared.ephemera {
                    ephemera.gone(&entry.space, conn);
                }
                self.inner.shared.metrics.sessions_asleep.dec();
                self.forget(entry);
                // Who waits for a change would hear of none any more, and looks again.
                self.inner.absent.wakes(&entry.space);
            }
        }
    }

    /// The entry of a space that is open on this node.
    pub fn find(&self, space: &SpaceKey) -> Option<Arc<Entry>> {
        let shards = &self.inner.shards;
        let entry = shards.with(space, |set| set.get(space).cloned())?;
        (!entry.is_gone()).then_some(entry)
    }

    /// Has a session find out what it missed of other nodes' commits; wakes it if it sleeps.
    pub(crate) fn catch_up(&self, entry: &Arc<Entry>, event: Event, cause: CatchUpCause) {
        // One that ended reads the store when it starts again.
        if self.tell(entry, Message::Event(event)).is_ok() {
            self.inner.shared.metrics.node_catch_ups.inc(cause);
        }
    }

    /// A space has another history, by an act that no session made: tells this node's session and
    /// the other nodes.
    pub(crate) async fn history_changed(&self, space: &SpaceKey) {
        if let Some(entry) = self.find(space) {
            // One that ended meanwhile reads the space when it starts again.
            drop(self.tell(&entry, Message::Event(Event::Missed)));
        }
        if let Ok(Some(SpaceView { epoch, head, .. })) = self.store().space(space).await {
            let space = space.clone();
            let shared = &self.inner.shared;
            shared.log.moved(SpaceHead { space, epoch, head });
        }
    }

    /// Tells a session something ephemeral of another node. One that has no room is not told: a
    /// roll call will. False if the space is not open here.
    pub(crate) fn tell_ephemeral(&self, told: &Ephemeral) -> bool {
        let Some(entry) = self.find(&told.space) else {
            return false;
        };
        if entry.is_concerned(told.instance, &told.what) {
            let bytes = told.what.size_bytes();
            let permit = self
                .room(&entry)
                .and_then(|room| room.permit_now(OTHER_NODES, bytes));
            if let Some(permit) = permit {
                let event = match &told.what {
                    Spoken::Late => Event::Late(told.node.clone()),
                    what => Event::Elsewhere(told.instance, what.clone()),
                };
                // One that ended has forgotten all of it.
                drop(self.tell(&entry, Message::Ephemeral { event, permit }));
            }
        }
        true
    }

    /// Has a session forget what sockets of another node show.
    pub(crate) fn forget_elsewhere(&self, space: &SpaceKey, instance: Instance, nobody: RollCall) {
        let nobody = Spoken::RollCall(nobody);
        let entry = self.find(space);
        if let Some(entry) = entry.filter(|entry| entry.is_concerned(instance, &nobody)) {
            let event = Event::Elsewhere(instance, nobody);
            // One that ended has forgotten them.
            drop(self.tell(&entry, Message::Event(event)));
        }
    }

    /// Another node's commit has put jobs.
    pub(crate) fn ring_for_jobs(&self, due_ms: WallMs) {
        self.inner.shared.bell.ring(due_ms);
    }

    /// Every space that is open here now.
    pub(crate) fn open(&self) -> Vec<Arc<Entry>> {
        self.inner.shards.all()
    }

    pub(super) fn absent(&self) -> &Absent {
        &self.inner.absent
    }

    /// What sessions read.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.inner.shared.store
    }

    /// Has every session finish what it took. Returns when all have.
    pub async fn drain(&self) {
        self.inner.draining.store(true, Ordering::Relaxed);
        let waiting: Vec<oneshot::Receiver<()>> = self
            .inner
            .shards
            .all()
            .into_iter()
            .filter(|entry| entry.asleep_at().is_none())
            .filter_map(|entry| {
                let (done, finished) = oneshot::channel();
                self.tell(&entry, Message::Drain(done))
                    .is_ok()
                    .then_some(finished)
            })
            .collect();
        for finished in waiting {
            // A session that ended has nothing to finish.
            let _ = finished.await;
        }
    }

    /// Stops every session and the supervisor.
    pub async fn stop(&self) {
        for entry in self.inner.shards.all() {
            if let Some(actor) = entry.actor() {
                // One that is stopping already is as good as stopped.
                let _ = actor.stop_and_wait(None, None).await;
            }
        }
        let _ = self.inner.supervisor.stop_and_wait(None, None).await;
    }

    fn intake(&self) -> Intake {
        Intake::new(&self.inner.shared.undecided)
    }

    /// Starts the actor beside the caller.
    fn spawn(&self, entry: Arc<Entry>, start: Start) {
        let sessions = self.clone();
        if start.asleep.is_some() {
            self.inner.shared.metrics.sessions_asleep.dec();
            self.inner.absent.wakes(&entry.space);
        }
        tokio::spawn(async move {
            let args = Args {
                shared: sessions.inner.shared.clone(),
                place: Place {
                    entry: entry.clone(),
                    sessions: sessions.clone(),
                },
                start,
                draining: sessions.inner.draining.load(Ordering::Relaxed),
            };
            let supervisor: ActorCell = sessions.inner.supervisor.get_cell();
            match Actor::spawn_linked(None, Session, args, supervisor).await {
                Ok((actor, _)) => entry.started(actor),
                Err(error) => {
                    tracing::warn!(space = %entry.space, %error, "session could not start");
                    // What waited is dropped, and who waits for an answer learns it by that.
                    drop(entry.end());
                    sessions.forget(&entry);
                }
            }
        });
    }

    fn forget(&self, entry: &Arc<Entry>) {
        self.inner
            .shards
            .with(&entry.space, |set| set.remove(entry));
    }
}

/// A running session's place in the registry.
#[derive(Debug)]
pub struct Place {
    /// Its entry.
    pub(super) entry: Arc<Entry>,
    sessions: Sessions,
}

impl Place {
    /// The session ended by itself: nobody shall find it any more.
    pub(super) fn leave(&self) {
        drop(self.entry.end());
        self.forget();
    }

    /// Takes the entry out.
    pub(super) fn forget(&self) {
        self.sessions.forget(&self.entry);
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
