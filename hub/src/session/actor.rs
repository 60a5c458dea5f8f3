//! The actor around a session's state: it carries effects out and brings answers back.
//!
//! It owns the outboxes of its sockets and the reply ends of its calls. Store work runs in
//! tasks of its own, so the actor never waits; the state sees to it that there is one commit
//! in flight. When the actor fails, its sockets learn it from their outboxes and its calls from
//! their dropped reply ends. When nothing happened for a while it ends, and its entry keeps
//! what it needs to go on.

mod asking;
mod following;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use syncline_cluster::ChangeLog;
use syncline_cluster::event::SpaceHead;
use syncline_protocol::ids::{ClientKey, NodeId, SpaceKey};
use syncline_protocol::mutation::Mutation;
use syncline_storage::Store;
use syncline_storage::types::PageLimit;
use tokio::sync::{Semaphore, oneshot};

use self::asking::SocketRead;
use self::following::Committing;
use super::cache::{Activations, NodeCache};
use super::entry::{Asleep, Shown, Slept, Start};
use super::event::{
    Attach, CallId, CallReply, ConnId, Effect, Event, FrameKind, JobCall, JobWrite, Note, Origin,
    Push, Sender, Sync,
};
use super::registry::Place;
use super::state::{Context, SessionLimits, SessionParts, SessionState};
use crate::clock::Clock;
use crate::cluster::ephemera::Ephemera;
use crate::gateway::intake::{Permit, Undecided};
use crate::gateway::outbox::Outbox;
use crate::jobs::{AppTriggers, JobsBell};
use crate::telemetry::labels::CatchUpCause;
use crate::telemetry::traces::span::Traced;
use crate::telemetry::{Lags, Metrics, Traces};
use crate::wheel::{Tick, Wheel};

/// How long nothing must happen in a session without a socket, if `session.idle_ms` is more.
const IDLE_WITHOUT_SOCKETS: Duration = Duration::from_secs(2);

/// What all sessions of a node share.
#[derive(Clone)]
pub struct Shared {
    /// This node.
    pub node: NodeId,
    /// Reads.
    pub store: Arc<dyn Store>,
    /// Commits.
    pub log: ChangeLog,
    /// The node's records.
    pub cache: NodeCache,
    /// Gives activations.
    pub activations: Activations,
    /// The hub's clock.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is made of pushes that are traced.
    pub traces: Traces,
    /// How long commits are on their way to devices.
    pub lags: Arc<Lags>,
    /// Limits of each session.
    pub limits: SessionLimits,
    /// What follows from changes, by app.
    pub triggers: AppTriggers,
    /// Told of jobs that commits put.
    pub bell: JobsBell,
    /// How much one read of changes may hold.
    pub page: PageLimit,
    /// Such reads at once, of all sessions: however many fall behind together, the store is asked
    /// by so many and the node holds so many pages.
    pub pages: Arc<Semaphore>,
    /// The room for undecided pushes.
    pub undecided: Arc<Undecided>,
    /// A session to which nothing happens falls asleep after so long.
    pub idle: Duration,
    /// Deadlines.
    pub wheel: Arc<Wheel>,
    /// Presence and broadcasts of and to other nodes; `None` if there can be none.
    pub ephemera: Option<Ephemera>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// Reads of changes and snapshots at once, see [`Shared::pages`].
pub const PAGES_AT_ONCE: usize = 64;

/// What a session actor is told.
#[derive(Debug)]
pub enum Message {
    /// A client's socket wants in.
    Attach {
        /// The hello.
        attach: Box<Attach>,
        /// Where frames for it go.
        outbox: Arc<Outbox>,
        /// Answered when the client is welcomed or turned away; until then its socket takes
        /// nothing more from it. A session that stops at this moment drops it, and the socket
        /// asks the registry again.
        taken: oneshot::Sender<()>,
    },
    /// Whether a client has a socket here, welcomed or not, which its next one replaces.
    HasSocket {
        /// Which client.
        client: ClientKey,
        /// Where the answer goes.
        answer: oneshot::Sender<bool>,
    },
    /// A push without a socket.
    Call {
        /// The node's number for it.
        call: CallId,
        /// What is pushed.
        pushed: Pushed,
        /// Back-pressure.
        permit: Option<Permit>,
        /// Where the answer goes.
        reply: oneshot::Sender<CallReply>,
    },
    /// A compatibility client's changeset.
    Sync {
        /// The changeset.
        sync: Sync,
        /// Where the answer goes.
        reply: oneshot::Sender<CallReply>,
    },
    /// A compatibility socket wants to hear which tables change.
    Watch {
        /// Where notices go.
        outbox: Arc<Outbox>,
        /// Answered when the session has taken it, as for an attach.
        taken: oneshot::Sender<()>,
    },
    /// Presence or a broadcast of a socket.
    Ephemeral {
        /// Which.
        event: Event,
        /// Back-pressure: given back when it was told on.
        permit: Permit,
    },
    /// Anything else that moves the state.
    Event(Event),
    /// Finish what was taken, then answer.
    Drain(oneshot::Sender<()>),
    /// From the session to itself: the store's answers and its own timers. Not counted among
    /// what it is told.
    Own(Event),
    /// From the session to itself: a read ended without an answer, since its socket has left.
    Unread,
    /// From the session to itself: what was asked of the store panicked and is never answered.
    Panicked,
    /// From the wheel: the idle time may be over.
    IdleDue,
}

/// What is pushed without a socket.
#[derive(Debug)]
pub enum Pushed {
    /// By an HTTP request.
    Request {
        /// Whose.
        sender: Sender,
        /// In order of number.
        muts: Vec<Mutation>,
        /// Of one that is traced.
        trace: Option<Arc<Traced>>,
    },
    /// By a job.
    Job(Box<JobWrite>),
}

impl Pushed {
    fn event(self, call: CallId, permit: Option<Permit>) -> Event {
        match self {
            Pushed::Request {
                sender,
                muts,
                trace,
            } => Event::Push(Push {
                origin: Origin::Call(call, sender),
                muts,
                permit,
                trace,
            }),
            Pushed::Job(write) => Event::Job(JobCall {
                call,
                write,
                permit,
            }),
        }
    }
}

/// The session actor.
#[derive(Debug)]
pub struct Session;

/// What a session actor is started with.
#[derive(Debug)]
pub struct Args {
    /// What it shares with the others.
    pub(super) shared: Arc<Shared>,
    /// Where others find it; left when it ends.
    pub(super) place: Place,
    /// What it goes on with.
    pub(super) start: Start,
    /// The node goes down: it takes nothing.
    pub(super) draining: bool,
}

/// What the actor owns.
#[derive(Debug)]
pub struct Live {
    state: SessionState,
    space: SpaceKey,
    shared: Arc<Shared>,
    shown: Arc<Shown>,
    outboxes: HashMap<ConnId, Arc<Outbox>>,
    /// Sockets that wait to be let in.
    welcoming: HashMap<ConnId, oneshot::Sender<()>>,
    calls: HashMap<CallId, oneshot::Sender<CallReply>>,
    drained: Vec<oneshot::Sender<()>>,
    /// Messages it was told and has handled.
    heard: u64,
    /// Answers of the store under way.
    asked: usize,
    /// Which of them are read for one socket. Dropped when it leaves, so that those who come and
    /// go leave no reads behind.
    reads: HashMap<ConnId, SocketRead>,
    /// The commit that the store has, if its way is measured.
    committing: Option<Box<Committing>>,
    /// When something happened last.
    busy_at: Tick,
    place: Place,
    /// It fell asleep: what it owned is the entry's.
    asleep: bool,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.shared.metrics.sessions.dec();
        if !self.asleep {
            if let Some(ephemera) = &self.shared.ephemera {
                let conns = self.outboxes.keys();
                conns.for_each(|conn| ephemera.gone(&self.space, *conn));
            }
            self.place.leave();
            self.outboxes
                .values()
                .for_each(|outbox| outbox.session_gone());
        }
    }
}

impl Actor for Session {
    type Msg = Message;
    type State = Live;
    type Arguments = Args;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        args: Args,
    ) -> Result<Live, ActorProcessingErr> {
        let Args {
            shared,
            place,
            start: Start { asleep, shown },
            draining,
        } = args;
        let space = place.entry.space.clone();
        let parts = SessionParts {
            limits: shared.limits.clone(),
            activations: shared.activations.clone(),
            triggers: shared.triggers.of_app(&space.app),
        };
        let (state, outboxes) = match asleep {
            Some(Asleep { dormant, outboxes }) => {
                let state = SessionState::wake(space.clone(), shared.node.clone(), dormant, parts);
                let outboxes = outboxes.into_iter().map(|outbox| (outbox.conn, outbox));
                (state, outboxes.collect())
            }
            None => {
                let opened = shared.store.open_space(&space, shared.clock.now_ms());
                let view = opened
                    .await
                    .inspect_err(|error| shared.metrics.note_damage(error))?;
                shown.show(view);
                let state = SessionState::new(space.clone(), shared.node.clone(), view, parts);
                (state, HashMap::new())
            }
        };
        shared.metrics.sessions.inc();
        let mut live = Live {
            state,
            space,
            busy_at: shared.wheel.now(),
            shared,
            shown,
            outboxes,
            welcoming: HashMap::new(),
            calls: HashMap::new(),
            drained: Vec::new(),
            heard: 0,
            asked: 0,
            reads: HashMap::new(),
            committing: None,
            place,
            asleep: false,
        };
        live.watch_idle();
        if draining {
            live.step(Event::Drain, &myself);
        }
        Ok(live)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        live: &mut Live,
    ) -> Result<(), ActorProcessingErr> {
        let had_sockets = !live.outboxes.is_empty();
        match message {
            Message::IdleDue => {
                live.idle_due(&myself);
                return Ok(());
            }
            Message::Own(event) => {
                if let Event::Store(answer) = &event {
                    live.answered(answer);
                }
                live.step(event, &myself);
                live.watch_idle_alone(had_sockets);
                return Ok(());
            }
            Message::Unread => {
                live.asked -= 1;
                return Ok(());
            }
            Message::Panicked => return Err("a call of the store panicked".into()),
            _ => {
                live.heard += 1;
                live.shown.hears(live.heard, &message);
            }
        }
        match message {
            Message::IdleDue | Message::Own(_) | Message::Unread | Message::Panicked => {}
            Message::Event(event) => live.step(event, &myself),
            Message::Ephemeral { event, permit } => {
                live.step(event, &myself);
                drop(permit);
            }
            Message::Attach {
                attach,
                outbox,
                taken,
            } => {
                live.outboxes.insert(attach.conn, outbox);
                live.welcoming.insert(attach.conn, taken);
                live.step(Event::Attach(attach), &myself);
            }
            Message::HasSocket { client, answer } => {
                // A socket that does not wait any more asks nothing.
                let _ = answer.send(live.state.has_socket(&client));
            }
            Message::Call {
                call,
                pushed,
                permit,
                reply,
            } => {
                live.calls.insert(call, reply);
                live.step(pushed.event(call, permit), &myself);
            }
            Message::Sync { sync, reply } => {
                live.calls.insert(sync.call, reply);
                live.step(Event::Sync(sync), &myself);
            }
            Message::Watch { outbox, taken } => {
                let conn = outbox.conn;
                live.outboxes.insert(conn, outbox);
                // A socket that does not wait any more detaches itself.
                let _ = taken.send(());
                live.step(Event::Watch(conn), &myself);
            }
            Message::Drain(done) => {
                live.drained.push(done);
                live.step(Event::Drain, &myself);
            }
        }
        live.watch_idle_alone(had_sockets);
        Ok(())
    }
}

impl Live {
    /// Moves the state and carries out what it wants, until it wants nothing more.
    fn step(&mut self, event: Event, myself: &ActorRef<Message>) {
        self.busy_at = self.shared.wheel.now();
        if let Event::Detach(conn) = event {
            self.outboxes.remove(&conn);
            self.reads.remove(&conn);
            self.shared.lags.gone(conn);
        }
        let mut telling = self.telling(&event);
        let mut events = vec![event];
        let mut effects = Vec::new();
        while let Some(event) = events.pop() {
            let mut cx = Context {
                now_ms: self.shared.clock.now_ms(),
                cache: &self.shared.cache,
                effects: &mut effects,
                follow: telling.as_ref().map(|telling| telling.follow()),
            };
            self.state.step(event, &mut cx);
            for effect in effects.drain(..) {
                if let Some(telling) = &mut telling
                    && let Effect::Send {
                        conn,
                        kind: FrameKind::Live { .. },
                        ..
                    } = effect
                {
                    self.tells(telling, conn);
                }
                events.extend(self.carry_out(effect, myself));
            }
            telling = None;
        }
        self.let_in();
        self.shown.show(self.state.view());
    }

    /// Lets sockets go on whose clients were welcomed or turned away.
    fn let_in(&mut self) {
        let state = &self.state;
        for (_, taken) in self
            .welcoming
            .extract_if(|conn, _| !state.is_attaching(*conn))
        {
            // A socket that does not wait any more detaches itself.
            let _ = taken.send(());
        }
    }

    /// Looks again when the session will have been idle long enough.
    fn watch_idle(&mut self) {
        let wheel = &self.shared.wheel;
        let at = wheel.after(self.busy_at, self.idle());
        wheel.wake_at(self.shown.clone(), at);
    }

    /// If its last socket has gone now, it has to wait less long than it was to.
    fn watch_idle_alone(&self, had_sockets: bool) {
        if !had_sockets || !self.outboxes.is_empty() {
            return;
        }
        let wheel = &self.shared.wheel;
        let at = wheel.after(wheel.now(), self.idle());
        wheel.wake_by(self.shown.clone(), at);
    }

    /// How long nothing must happen before it ends. One without a socket leaves nothing behind,
    /// so whoever opens many spaces, one after the other, must not keep them all.
    fn idle(&self) -> Duration {
        match self.outboxes.is_empty() {
            true => self.shared.idle.min(IDLE_WITHOUT_SOCKETS),
            false => self.shared.idle,
        }
    }

    /// Falls asleep if nothing happened for long enough.
    fn idle_due(&mut self, myself: &ActorRef<Message>) {
        let wheel = &self.shared.wheel;
        let now = wheel.now();
        let idle = now >= wheel.after(self.busy_at, self.idle());
        if self.shown.take_used() && self.outboxes.is_empty() {
            self.busy_at = now;
        } else if idle && self.asked == 0 && self.state.is_quiet() && self.fall_asleep() {
            return myself.stop(None);
        } else if idle {
            // Somebody is behind, or there is more to hear.
            self.busy_at = now;
        }
        self.watch_idle();
    }

    /// Leaves what it knows in its entry, unless there is more to hear.
    fn fall_asleep(&mut self) -> bool {
        let (state, outboxes) = (&mut self.state, &mut self.outboxes);
        let slept = self.place.entry.sleep(self.heard, || {
            let dormant = state.sleep();
            let outboxes = std::mem::take(outboxes).into_values().collect();
            (!dormant.is_empty()).then_some(Asleep { dormant, outboxes })
        });
        match slept {
            Slept::No => return false,
            Slept::Asleep => {
                self.shared.metrics.sessions_asleep.inc();
                self.shared.metrics.session_sleeps.inc();
            }
            Slept::Gone => self.place.forget(),
        }
        self.asleep = true;
        true
    }

    fn carry_out(&mut self, effect: Effect, myself: &ActorRef<Message>) -> Option<Event> {
        match effect {
            Effect::Send { conn, frame, kind } => {
                let bytes = frame.size_bytes();
                if let FrameKind::Presence { of } = kind {
                    let missed = self.outboxes.get(&conn)?.push_presence(frame)?;
                    return Some(Event::PresenceMissed {
                        conn,
                        of,
                        frame: missed,
                    });
                }
                if let Some(refused) = self.outboxes.get(&conn)?.push(frame, kind) {
                    let from = refused.from;
                    return Some(Event::Overflowed { conn, from });
                }
                self.shared.metrics.handed(kind, bytes);
            }
            Effect::Resume(conn) => self.outboxes.get(&conn)?.resume(),
            Effect::Close { conn, code, reason } => {
                self.outboxes.remove(&conn)?.close(code, reason);
            }
            Effect::Reply(call, reply) => {
                // The caller may have gone.
                let _ = self.calls.remove(&call)?.send(reply);
            }
            Effect::Note(note) => self.count(note),
            Effect::Show(conn, client, state) => {
                if let Some(ephemera) = &self.shared.ephemera {
                    ephemera.show(&self.space, conn, (client, state));
                }
            }
            Effect::Tell(what) => {
                if let Some(ephemera) = &self.shared.ephemera {
                    ephemera.tell(&self.space, what);
                }
            }
            Effect::RingForJobs(due_ms) => self.shared.bell.ring(due_ms),
            Effect::TellHead { epoch, head } => {
                let space = self.space.clone();
                self.shared.log.moved(SpaceHead { space, epoch, head });
            }
            Effect::DrainDone => {
                for done in self.drained.drain(..) {
                    let _ = done.send(());
                }
            }
            Effect::RetryAfter { ms, no } => {
                let due = move || Message::Own(Event::RetryDue(no));
                myself.send_after(Duration::from_millis(ms), due);
            }
            store => {
                if let Effect::Commit(commit) = &store {
                    self.follow_commit(commit);
                }
                self.ask_store(store, myself.clone());
            }
        }
        None
    }

    fn count(&self, note: Note) {
        let metrics = &self.shared.metrics;
        match note {
            Note::Verdict(status) => metrics.verdicts.inc(status),
            Note::Reset(why) => metrics.resets.inc(why),
            Note::EpochLost => metrics.epoch_changes.inc(),
            Note::Conflict => metrics.commit_conflicts.inc(),
            Note::Committed(attempts) => metrics.commit_attempts.observe(attempts),
            Note::Gap => metrics.node_catch_ups.inc(CatchUpCause::Gap),
            Note::CatchUp => metrics.catch_ups.inc(),
            Note::Resync => metrics.resyncs.inc(),
            Note::Tie => metrics.stamp_ties.inc(),
            Note::JobsPut(count) => metrics.jobs_put.inc_by(count as u64),
            Note::JobCut(why) => metrics.jobs_cut.inc(why),
            Note::LettersLeftOut(count) => metrics.dead_letters_left_out.inc_by(count as u64),
        }
    }
}
