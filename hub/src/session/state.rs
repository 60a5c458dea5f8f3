//! The session's state machine: events in, effects out, no IO, no clock.
//!
//! The pipeline (`work`) has at most one commit in flight; what arrives meanwhile forms the
//! next one. Whenever the session finds itself behind the store (a conflict, a lost answer, a
//! missed event) it becomes `stale`, and [`super::refresh`] runs before anything else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use syncline_compute::triggers::Triggers;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{ClientKey, NodeId, SpaceKey};
use syncline_protocol::limits::{Limits, MESSAGE_BYTES_MAX, OUTBOX_BYTES_MAX};
use syncline_protocol::stamp::WallMs;
use syncline_storage::types::SpaceView;

use super::attach::Attaching;
use super::cache::{Activation, Activations, RecordCache};
use super::client::Client;
use super::commit::Loading;
use super::commit::decide::Decided;
use super::conn::Conn;
use super::contention::{Contention, Turn};
use super::elsewhere::Elsewhere;
use super::event::{
    CallId, CallReply, ConnId, Effect, Event, Follow, FrameKind, Note, StoreAnswer,
};
use super::pending::{Call, InFlight, Pending};
use super::refresh::Inside;
use super::repeats::Repeats;
use crate::gateway::frame::Frame;

/// Limits of a session, from the hub's config.
#[derive(Clone, Debug)]
pub struct SessionLimits {
    /// Mutations of one commit; what waits beyond goes into the next.
    pub commit_mutations_max: usize,
    /// Changes of one commit, unless a single mutation has more.
    pub commit_changes_max: usize,
    /// Bytes of the records one commit merges onto, unless a single mutation touches more.
    pub commit_bytes_max: usize,
    /// The epoch changes by itself at most once in so many milliseconds.
    pub epoch_change_interval_ms: u64,
    /// Bytes of one message from a client, named in the welcome.
    pub message_bytes_max: usize,
    /// What records may become.
    pub data: Limits,
    /// Bytes of one commit, as text, that a live socket is told. Of a larger one it is read to
    /// from the store, page by page.
    pub live_bytes_max: usize,
    /// Bytes of the records a changeset named that are kept to tell its device of them.
    pub echo_bytes_max: usize,
    /// Clients remembered without socket or pending mutation.
    pub idle_clients_max: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        SessionLimits {
            commit_mutations_max: 256,
            commit_changes_max: 5_000,
            commit_bytes_max: 8 << 20,
            epoch_change_interval_ms: 3_600_000,
            message_bytes_max: MESSAGE_BYTES_MAX,
            data: Limits::DEFAULT,
            live_bytes_max: OUTBOX_BYTES_MAX,
            echo_bytes_max: 128 << 20,
            idle_clients_max: 1_024,
        }
    }
}

/// What a session is given by its node.
#[derive(Clone, Debug, Default)]
pub struct SessionParts {
    /// What bounds it.
    pub limits: SessionLimits,
    /// Gives activations, of which no two of a node are equal.
    pub activations: Activations,
    /// What follows from changes of its app's records.
    pub triggers: Arc<Triggers>,
}

/// What a step is given besides the event.
pub struct Context<'a> {
    /// The hub's clock.
    pub now_ms: WallMs,
    /// The node's record cache.
    pub cache: &'a dyn RecordCache,
    /// Where effects go, in order.
    pub effects: &'a mut Vec<Effect>,
    /// What live devices are told in this step is followed.
    pub follow: Option<Follow>,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("now_ms", &self.now_ms)
            .finish_non_exhaustive()
    }
}

impl Context<'_> {
    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(super) fn note(&mut self, note: Note) {
        self.effect(Effect::Note(note));
    }

    /// Queues a message the client waits for.
    pub(super) fn answer(&mut self, conn: ConnId, text: &str) {
        self.effect(Effect::Send {
            conn,
            frame: Frame::text(text),
            kind: FrameKind::Answer,
        });
    }
}

/// The session of one (app, space) on this node.
#[derive(Debug)]
pub struct SessionState {
    pub(super) space: SpaceKey,
    pub(super) node: NodeId,
    pub(super) limits: SessionLimits,
    /// What follows from changes of its app's records.
    pub(super) triggers: Arc<Triggers>,
    /// The space as of the last commit made or applied here.
    pub(super) view: SpaceView,
    /// Which cache entries are of this view.
    pub(super) activation: Activation,
    pub(super) activations: Activations,
    pub(super) conns: BTreeMap<ConnId, Conn>,
    pub(super) attaching: BTreeMap<ConnId, Attaching>,
    /// What sockets of other nodes show.
    pub(super) elsewhere: Elsewhere,
    /// Compatibility sockets, told which tables change.
    pub(super) watchers: BTreeSet<ConnId>,
    pub(super) clients: BTreeMap<ClientKey, Client>,
    /// Taken and not decided, in order of arrival; the first of them may be in flight.
    pub(super) pending: VecDeque<Pending>,
    pub(super) calls: BTreeMap<CallId, Call>,
    /// Decided before and sent again.
    pub(super) repeats: Repeats,
    /// Pushes with a gap whose client's mark is being read: another node may have filled it.
    pub(super) gaps_looked_at: usize,
    pub(super) work: Work,
    /// Reads asked for sockets so far.
    pub(super) reads: u64,
    /// The view may be behind the store.
    pub(super) stale: bool,
    /// A commit whose answer was lost may have taken effect, and no other node was told.
    pub(super) untold: bool,
    /// Where it goes on inside the commit after its head, if the last page it read ended there.
    pub(super) inside: Option<Inside>,
    /// Failures of the store in a row.
    pub(super) failures: u32,
    /// Mutations of the next commit, after one that was more than the store takes.
    pub(super) batch_max: Option<usize>,
    pub(super) contention: Contention,
    /// The last wait that was begun.
    pub(super) waits: u64,
    drain: Drain,
}

/// How far a drain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drain {
    /// The node goes on.
    No,
    /// Nothing new is taken; what was taken is being answered.
    Answering,
    /// All was answered, and those who drain were told.
    Done,
}

/// What the pipeline is doing.
#[derive(Debug)]
pub(super) enum Work {
    Idle,
    /// Reading records the cache does not hold.
    Loading(Box<Loading>),
    /// The store has the commit.
    Committing(Box<Decided>),
    /// Reading what the session missed.
    Refreshing,
    /// Asking for a new epoch.
    ChangingEpoch,
    /// Waiting before the next try.
    BackingOff,
}

impl SessionState {
    /// A session of a space that was just read from the store.
    pub fn new(
        space: SpaceKey,
        node: NodeId,
        view: SpaceView,
        parts: SessionParts,
    ) -> SessionState {
        let SessionParts {
            limits,
            activations,
            triggers,
        } = parts;
        SessionState {
            space,
            node,
            limits,
            triggers,
            view,
            activation: activations.next(),
            activations,
            conns: BTreeMap::new(),
            attaching: BTreeMap::new(),
            elsewhere: Elsewhere::default(),
            watchers: BTreeSet::new(),
            clients: BTreeMap::new(),
            pending: VecDeque::new(),
            calls: BTreeMap::new(),
            repeats: Repeats::default(),
            gaps_looked_at: 0,
            work: Work::Idle,
            reads: 0,
            stale: false,
            untold: false,
            inside: None,
            failures: 0,
            batch_max: None,
            contention: Contention::default(),
            waits: 0,
            drain: Drain::No,
        }
    }

    /// Whose session it is.
    pub fn space(&self) -> &SpaceKey {
        &self.space
    }

    /// What bounds it.
    pub fn limits(&self) -> &SessionLimits {
        &self.limits
    }

    /// What it was given by its node.
    pub fn parts(&self) -> SessionParts {
        SessionParts {
            limits: self.limits.clone(),
            activations: self.activations.clone(),
            triggers: self.triggers.clone(),
        }
    }

    /// The space as this session knows it.
    pub fn view(&self) -> SpaceView {
        self.view
    }

    /// A socket that said hello and is not welcomed yet.
    pub fn is_attaching(&self, conn: ConnId) -> bool {
        self.attaching.contains_key(&conn)
    }

    /// Whether a client has a socket that its next one replaces.
    pub fn has_socket(&self, client: &ClientKey) -> bool {
        let client = self.clients.get(client);
        client.is_some_and(|client| client.conn.is_some())
    }

    /// Sockets that were welcomed.
    pub fn conn_count(&self) -> usize {
        self.conns.len()
    }

    /// What the commit in flight judges, in that order.
    pub fn in_flight(&self) -> impl Iterator<Item = InFlight<'_>> {
        let count = match &self.work {
            Work::Committing(decided) => decided.count(),
            _ => 0,
        };
        self.pending.iter().take(count).map(|pending| InFlight {
            client: &pending.client,
            taken_at_ms: pending.taken_at_ms,
            asked: &pending.asked,
            since: pending.since,
            is_whole: pending.is_whole(),
            is_rest: pending.earlier_in(self.view.epoch).is_some(),
            goes_on: !pending.later.is_empty(),
            trace: pending.trace.as_ref(),
        })
    }

    /// Takes one event.
    pub fn step(&mut self, event: Event, cx: &mut Context<'_>) {
        match event {
            Event::Attach(attach) => self.attach(*attach, cx),
            Event::Detach(conn) => self.detach(conn, cx),
            Event::Push(push) if self.drain != Drain::No => self.refuse_push(&push, cx),
            Event::Push(push) => self.push(push, cx),
            Event::Sync(sync) if self.drain != Drain::No => {
                let reply = CallReply::Refused(draining());
                cx.effect(Effect::Reply(sync.call, reply));
            }
            Event::Sync(sync) => self.sync(sync, cx),
            Event::Job(job) if self.drain != Drain::No => {
                let reply = CallReply::Refused(draining());
                cx.effect(Effect::Reply(job.call, reply));
            }
            Event::Job(job) => self.job(job, cx),
            Event::Watch(conn) => drop(self.watchers.insert(conn)),
            Event::Presence { conn, state } => self.presence(conn, state, cx),
            Event::Broadcast { conn, room, data } => self.broadcast(conn, &room, &data, cx),
            Event::Drained(conn) => self.drained(conn, cx),
            Event::Overflowed { conn, from } => self.overflowed(conn, from, cx),
            Event::PresenceMissed { conn, of, frame } => {
                self.presence_missed(conn, (of, frame), cx);
            }
            Event::TokenEnded(conn) => self.token_ended(conn),
            Event::TokenRenewed(conn) => self.token_renewed(conn, cx),
            Event::Store(answer) => self.store_answered(answer, cx),
            Event::Heard(event) => self.heard(&event, cx),
            Event::Elsewhere(instance, what) => self.heard_elsewhere(instance, what, cx),
            Event::Late(node) => self.contention.heard_late(&node, cx.now_ms),
            Event::HeadHeard { epoch, head } => self.head_heard(epoch, head),
            Event::Missed => self.stale = true,
            Event::RetryDue(no) => self.retry(no),
            Event::Drain => self.drain = Drain::Answering,
        }
        self.advance(cx);
    }

    fn store_answered(&mut self, answer: StoreAnswer, cx: &mut Context<'_>) {
        match answer {
            StoreAnswer::Marks(why, read) => self.marks_read(why, read, cx),
            StoreAnswer::Verdicts(repeats, read) => self.verdicts_read(repeats, read, cx),
            StoreAnswer::Records(keys, read) => self.records_read(keys, read, cx),
            StoreAnswer::Committed(outcome) => self.committed(outcome, cx),
            StoreAnswer::View(page) => self.view_read(page, cx),
            StoreAnswer::Changes(read, page) => self.changes_read(read, page, cx),
            StoreAnswer::Snapshot(read, page) => self.snapshot_read(read, page, cx),
            StoreAnswer::NewEpoch(view) => self.epoch_changed(view, cx),
        }
    }

    /// Starts what can be started. Changesets without effect need no commit, so more than one
    /// batch may be decided here.
    fn advance(&mut self, cx: &mut Context<'_>) {
        while matches!(self.work, Work::Idle) {
            if self.stale {
                self.refresh(cx);
            } else if !self.pending.is_empty() {
                match self.contention.next(cx.now_ms) {
                    Turn::Now => self.plan(cx),
                    Turn::After(ms) => return self.wait(ms, cx),
                    Turn::Waiting => return,
                }
            } else {
                if self.drain == Drain::Answering && self.has_answered_all() {
                    self.drain = Drain::Done;
                    cx.effect(Effect::DrainDone);
                }
                return;
            }
        }
    }

    /// Of what was taken nothing waits for an answer of the store.
    fn has_answered_all(&self) -> bool {
        let is_decided = self.pending.is_empty() && self.gaps_looked_at == 0;
        is_decided && self.calls.is_empty() && self.repeats.is_empty()
    }

    /// A call is refused. A socket is told to come back elsewhere in a moment, and its device sends
    /// again there what was not answered.
    fn refuse_push(&mut self, push: &super::event::Push, cx: &mut Context<'_>) {
        if let super::event::Origin::Call(call, _) = &push.origin {
            cx.effect(Effect::Reply(*call, CallReply::Refused(draining())));
        }
    }

    /// Whether the store has gone on since: the session must read what it missed.
    pub(super) fn is_behind(&self, read: &SpaceView) -> bool {
        read.epoch != self.view.epoch || read.head > self.view.head
    }

    /// A client's entry, made if it is not there.
    pub(super) fn client(&mut self, key: &ClientKey) -> &mut Client {
        self.clients.entry(key.clone()).or_default()
    }

    /// Forgets a client nobody needs, once too many of those are remembered.
    pub(super) fn trim_clients(&mut self) {
        if self.clients.len() > self.limits.idle_clients_max + self.conns.len() + self.pending.len()
        {
            let repeats = &self.repeats;
            self.clients
                .retain(|key, client| !client.is_idle() || repeats.waits_for(key));
        }
    }
}

fn draining() -> Refusal {
    Refusal::new(Code::Draining, "this node is going down")
}
