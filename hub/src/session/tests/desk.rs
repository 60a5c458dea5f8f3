//! A desk at which a test plays everybody around a session: clients, sockets and store.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use syncline_cluster::ephemeral::Spoken;
use syncline_protocol::compat::cursor::{Reach, Since};
use syncline_protocol::compat::request::SyncRequest;
use syncline_protocol::ids::{
    AppId, ClientId, ClientKey, Epoch, NodeId, RecordKey, Seq, SpaceId, SpaceKey, TableName, UserId,
};
use syncline_protocol::json::Json;
use syncline_protocol::limits::Limits;
use syncline_protocol::mutation::Mutation;
use syncline_protocol::wire::{Cursor, SnapshotPlace};
use syncline_storage::model::ModelStore;
use syncline_storage::types::{CommitError, PageLimit, StoreError};

use crate::gateway::frame::Frame;
use crate::session::cache::{Activation, Known, RecordCache};
use crate::session::dormant::Dormant;
use crate::session::event::{
    Attach, CallId, CallReply, ConnId, Effect, Event, Follow, FrameKind, Note, Origin, Push,
    StoreAnswer, Sync,
};
use crate::session::state::{Context, SessionLimits, SessionParts, SessionState};
use crate::session::synced::Synced;

/// 2026-11-24T10:00:00Z.
pub(super) const NOW_MS: u64 = 1_795_514_400_000;

/// The call of every changeset.
pub(super) const SYNC_CALL: CallId = CallId(1_000);

#[derive(Default)]
pub(super) struct MapCache(Mutex<HashMap<(Activation, RecordKey), Known>>);

impl RecordCache for MapCache {
    fn get(&self, activation: Activation, key: &RecordKey) -> Option<Known> {
        self.0
            .lock()
            .unwrap()
            .get(&(activation, key.clone()))
            .cloned()
    }

    fn put(&self, activation: Activation, known: &mut dyn Iterator<Item = (&RecordKey, Known)>) {
        let entries = known.map(|(key, known)| ((activation, key.clone()), known));
        self.0.lock().unwrap().extend(entries);
    }
}

/// What becomes of a store operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It fails and did nothing.
    Fails,
    /// It takes effect and its answer is an error.
    AnswerLost,
    /// It is more than the store takes. Nothing is done.
    TooLarge,
}

pub(super) struct Desk {
    pub(super) state: SessionState,
    pub(super) store: ModelStore,
    pub(super) cache: MapCache,
    pub(super) now_ms: u64,
    pub(super) page: PageLimit,
    /// Store work asked for and not yet done.
    pub(super) asked: VecDeque<Effect>,
    pub(super) sent: BTreeMap<ConnId, Vec<Value>>,
    /// The frames of what was told live.
    pub(super) live: Vec<(ConnId, Frame)>,
    pub(super) closed: BTreeMap<ConnId, u16>,
    pub(super) replies: BTreeMap<CallId, CallReply>,
    pub(super) notes: Vec<Note>,
    pub(super) full: Vec<ConnId>,
    /// What steps are told of following.
    pub(super) follow: Option<Follow>,
    /// How often it said that it has finished.
    pub(super) drained: usize,
    pub(super) commits: usize,
    pub(super) record_reads: usize,
    /// Milliseconds of every wait before a retry.
    pub(super) waits: Vec<u64>,
    /// The last wait.
    pub(super) retry_due: Option<u64>,
    undrained: Vec<ConnId>,
    /// What other nodes were to be told: who shows what, and the rest.
    pub(super) shown: Vec<(ConnId, Option<Json>)>,
    pub(super) spoken: Vec<Spoken>,
    /// Where other nodes were told that the space is.
    pub(super) heads_told: Vec<(Epoch, Seq)>,
    /// When jobs are due that it rang for.
    pub(super) rung: Vec<u64>,
}

pub(super) fn space() -> SpaceKey {
    SpaceKey {
        app: AppId::trusted("todo"),
        space: SpaceId::trusted("ada"),
    }
}

pub(super) fn client(name: &str) -> ClientKey {
    ClientKey {
        user: UserId::trusted("ada"),
        client: ClientId::trusted(name),
    }
}

impl Desk {
    pub(super) fn new() -> Desk {
        Desk::on(ModelStore::new(100), SessionLimits::default())
    }

    /// A session on a store that exists already.
    pub(super) fn on(store: ModelStore, limits: SessionLimits) -> Desk {
        let parts = SessionParts {
            limits,
            ..SessionParts::default()
        };
        Desk::with(store, parts)
    }

    /// The same with all that a node gives.
    pub(super) fn with(mut store: ModelStore, parts: SessionParts) -> Desk {
        let view = store.open_space(&space(), NOW_MS);
        Desk {
            state: SessionState::new(space(), NodeId::trusted("n1"), view, parts),
            store,
            cache: MapCache::default(),
            now_ms: NOW_MS,
            page: PageLimit {
                records: 100,
                bytes: usize::MAX,
            },
            asked: VecDeque::new(),
            live: Vec::new(),
            sent: BTreeMap::new(),
            closed: BTreeMap::new(),
            replies: BTreeMap::new(),
            notes: Vec::new(),
            full: Vec::new(),
            follow: None,
            drained: 0,
            commits: 0,
            record_reads: 0,
            waits: Vec::new(),
            retry_due: None,
            undrained: Vec::new(),
            shown: Vec::new(),
            spoken: Vec::new(),
            heads_told: Vec::new(),
            rung: Vec::new(),
        }
    }

    /// The session sleeps and wakes.
    pub(super) fn sleep(&mut self) {
        let dormant = self.state.sleep();
        self.wake(dormant);
    }

    /// The session wakes.
    pub(super) fn wake(&mut self, dormant: Dormant) {
        let parts = self.state.parts();
        self.state = SessionState::wake(space(), NodeId::trusted("n1"), dormant, parts);
    }

    /// Gives the session an event and notes what it wants; store work waits in `asked`.
    pub(super) fn step(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let mut effects = Vec::new();
            let mut cx = Context {
                now_ms: self.now_ms,
                cache: &self.cache,
                effects: &mut effects,
                follow: self.follow,
            };
            self.state.step(event, &mut cx);
            for effect in effects {
                events.extend(self.note(effect));
            }
        }
    }

    fn note(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Send { conn, frame, kind } => {
                if let (FrameKind::Live { from }, true) = (kind, self.full.contains(&conn)) {
                    return Some(Event::Overflowed { conn, from });
                }
                if let FrameKind::Bulk | FrameKind::Part = kind {
                    self.undrained.push(conn);
                }
                if let FrameKind::Live { .. } = kind {
                    self.live.push((conn, frame.clone()));
                }
                self.sent
                    .entry(conn)
                    .or_default()
                    .push(serde_json::from_slice(frame.message()).unwrap());
            }
            Effect::Resume(conn) => self.full.retain(|full| *full != conn),
            Effect::Close { conn, code, .. } => {
                self.closed.insert(conn, code);
            }
            Effect::Reply(call, reply) => {
                self.replies.insert(call, reply);
            }
            Effect::RetryAfter { ms, no } => {
                self.waits.push(ms);
                self.retry_due = Some(no);
            }
            Effect::DrainDone => self.drained += 1,
            Effect::Note(note) => self.notes.push(note),
            Effect::Show(conn, _, state) => self.shown.push((conn, state)),
            Effect::Tell(spoken) => self.spoken.push(spoken),
            Effect::RingForJobs(due_ms) => self.rung.push(due_ms),
            Effect::TellHead { epoch, head } => self.heads_told.push((epoch, head)),
            store => self.asked.push_back(store),
        }
        None
    }

    /// Does the store work asked for first.
    pub(super) fn serve_one(&mut self, fate: Option<Fate>) {
        let effect = self.asked.pop_front().expect("no store work was asked for");
        let answer = self.answer(effect, fate);
        self.step(Event::Store(answer));
    }

    /// Ends the wait before a retry.
    pub(super) fn retry(&mut self) {
        let no = self.retry_due.take().expect("something waits");
        self.step(Event::RetryDue(no));
    }

    /// Serves, drains and retries until nothing is left to do.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.asked.is_empty() {
                self.serve_one(None);
            } else if let Some(conn) = self.undrained.pop() {
                self.step(Event::Drained(conn));
            } else if let Some(no) = self.retry_due.take() {
                self.step(Event::RetryDue(no));
            } else {
                return;
            }
        }
        panic!("the session does not come to rest");
    }

    /// Does store work; the answer is still to be given.
    pub(super) fn answer(&mut self, effect: Effect, fate: Option<Fate>) -> StoreAnswer {
        let at = space();
        let down = || StoreError::Unavailable("down".into());
        let failed = fate.is_some();
        macro_rules! read {
            ($read:expr) => {
                if failed { Err(down()) } else { $read }
            };
        }
        match effect {
            Effect::Commit(commit) => {
                self.commits += 1;
                let outcome = match fate {
                    Some(Fate::Fails) => Err(CommitError::Store(down())),
                    None => self.store.commit(&commit),
                    Some(Fate::TooLarge) => Err(CommitError::TooLarge("a lot".into())),
                    Some(Fate::AnswerLost) => self
                        .store
                        .commit(&commit)
                        .and(Err(CommitError::Store(down()))),
                };
                StoreAnswer::Committed(outcome)
            }
            Effect::ReadRecords(keys, bytes_max) => {
                self.record_reads += keys.len();
                let read = read!(self.store.records(&at, &keys, bytes_max));
                StoreAnswer::Records(keys, read)
            }
            Effect::ReadMarks(why, clients) => {
                StoreAnswer::Marks(why, read!(self.store.marks(&at, &clients)))
            }
            Effect::ReadVerdicts(writer, repeats) => {
                let ms: Vec<u64> = repeats.iter().map(|repeat| repeat.m).collect();
                StoreAnswer::Verdicts(repeats, read!(self.store.verdicts(&at, writer, &ms)))
            }
            Effect::ReadView { after } => {
                StoreAnswer::View(read!(self.store.changes(&at, &after, self.page)))
            }
            Effect::ReadChanges { read, after } => {
                StoreAnswer::Changes(read, read!(self.store.changes(&at, &after, self.page)))
            }
            Effect::ReadSnapshot {
                read,
                tables,
                after,
            } => {
                let tables = tables.as_deref();
                let page = read!(self.store.snapshot(&at, tables, after.as_ref(), self.page));
                StoreAnswer::Snapshot(read, page)
            }
            Effect::NewEpoch { expected } => {
                StoreAnswer::NewEpoch(read!(self.store.new_epoch(&at, expected, self.now_ms)))
            }
            other => panic!("no store work: {other:?}"),
        }
    }

    /// A client says hello, and everything that follows from it happens.
    pub(super) fn hello(&mut self, conn: u64, name: &str, cursor: Option<Cursor>) -> ConnId {
        self.hello_with(Hello {
            cursor,
            ..hello(conn, name)
        })
    }

    pub(super) fn hello_with(&mut self, hello: Hello) -> ConnId {
        let conn = ConnId(hello.conn);
        self.step(Event::Attach(Box::new(hello.attach())));
        self.settle();
        conn
    }

    /// A socket pushes, and everything that follows from it happens.
    pub(super) fn push(&mut self, conn: ConnId, muts: &[Value]) {
        self.start_push(conn, muts);
        self.settle();
    }

    pub(super) fn start_push(&mut self, conn: ConnId, muts: &[Value]) {
        let muts = muts.iter().map(mutation).collect();
        self.step(Event::Push(Push {
            origin: Origin::Conn(conn),
            muts,
            permit: None,
            trace: None,
        }));
    }

    pub(super) fn call(&mut self, call: u64, name: &str, muts: &[Value]) -> CallReply {
        let muts = muts.iter().map(mutation).collect();
        let origin = Origin::Call(CallId(call), client(name).into());
        self.step(Event::Push(Push {
            origin,
            muts,
            permit: None,
            trace: None,
        }));
        self.settle();
        self.replies
            .remove(&CallId(call))
            .expect("the call was not answered")
    }

    /// A device without numbers sends its queue, and everything that follows from it happens.
    pub(super) fn sync(&mut self, name: &str, changes: &[Value]) -> Synced {
        self.start_sync(name, changes);
        self.settle();
        self.synced()
    }

    /// What the last changeset was answered.
    pub(super) fn synced(&mut self) -> Synced {
        match self.replies.remove(&SYNC_CALL) {
            Some(CallReply::Synced(synced)) => synced,
            other => panic!("a changeset was answered {other:?}"),
        }
    }

    /// The same of a device that has heard of all there is.
    pub(super) fn sync_at_head(&mut self, name: &str, changes: &[Value]) -> Synced {
        let since = self.since();
        self.start_sync_since(name, changes, since);
        self.settle();
        self.synced()
    }

    /// The cursor of a device without numbers that has heard of all there is.
    pub(super) fn since(&self) -> Since {
        let view = self.store.space(&space()).unwrap();
        Since::parse(&view.place().cursor(Reach::All)).unwrap()
    }

    pub(super) fn start_sync(&mut self, name: &str, changes: &[Value]) {
        self.start_sync_since(name, changes, Since::Empty);
    }

    pub(super) fn start_sync_since(&mut self, name: &str, changes: &[Value], since: Since) {
        self.start_sync_as(SYNC_CALL, name, changes, since);
    }

    pub(super) fn start_sync_as(
        &mut self,
        call: CallId,
        name: &str,
        changes: &[Value],
        since: Since,
    ) {
        let body = json!({"since": "1970-01-01T00:00:00.000Z", "changes": changes});
        let request = SyncRequest::parse(&body.to_string(), &Limits::DEFAULT).unwrap();
        self.step(Event::Sync(Sync {
            call,
            client: client(name),
            changes: request.changes,
            since,
            permit: None,
            trace: None,
        }));
    }

    /// What a socket was sent since the last look.
    pub(super) fn take(&mut self, conn: ConnId) -> Vec<Value> {
        self.sent.remove(&conn).unwrap_or_default()
    }

    /// The messages of one type a socket was sent since the last look.
    pub(super) fn take_of(&mut self, conn: ConnId, t: &str) -> Vec<Value> {
        let sent = self.take(conn);
        sent.into_iter()
            .filter(|message| message["t"] == t)
            .collect()
    }

    pub(super) fn cursor(&self) -> Cursor {
        let view = self.store.space(&space()).unwrap();
        Cursor {
            epoch: view.epoch.to_string(),
            seq: view.head.0,
        }
    }

    pub(super) fn head(&self) -> u64 {
        self.store.space(&space()).unwrap().head.0
    }

    /// The data of a live record in the store.
    pub(super) fn stored(&self, id: &str) -> Option<Value> {
        let records = self.store.all(&space());
        let (_, record) = records.iter().find(|(key, _)| key.id.as_str() == id)?;
        let mut data = String::new();
        syncline_protocol::delta::write_data(&mut data, record);
        record
            .is_live()
            .then(|| serde_json::from_str(&data).unwrap())
    }
}

/// A hello in the making.
pub(super) struct Hello {
    pub(super) conn: u64,
    pub(super) name: &'static str,
    pub(super) cursor: Option<Cursor>,
    pub(super) tables: Option<&'static [&'static str]>,
    pub(super) backfill: Option<&'static [&'static str]>,
    pub(super) next: Option<String>,
    pub(super) acked: Option<u64>,
    pub(super) epoch: Option<Epoch>,
}

pub(super) fn hello(conn: u64, name: &str) -> Hello {
    Hello {
        conn,
        name: Box::leak(name.to_owned().into_boxed_str()),
        cursor: None,
        tables: None,
        backfill: None,
        next: None,
        acked: None,
        epoch: None,
    }
}

impl Hello {
    fn attach(self) -> Attach {
        let names = |names: &[&str]| -> Arc<[TableName]> {
            names.iter().map(|name| TableName::trusted(name)).collect()
        };
        Attach {
            conn: ConnId(self.conn),
            client: client(self.name),
            cursor: self.cursor,
            tables: self.tables.map(names),
            backfill: self.backfill.map(names),
            snapshot_next: self.next.map(|next| SnapshotPlace::parse(&next).unwrap()),
            acked: self.acked,
            epoch: self.epoch,
            token_expires_in_s: 3_600,
        }
    }
}

pub(super) fn mutation(value: &Value) -> Mutation {
    Mutation::parse(&value.to_string(), &Limits::DEFAULT).unwrap()
}

/// A stamp `ms` after [`NOW_MS`].
pub(super) fn stamp(ms: u64) -> String {
    syncline_protocol::stamp::wall_text(NOW_MS + ms)
}

pub(super) fn insert(m: u64, id: &str, data: &Value) -> Value {
    json!({"m": m, "changes": [insertion("tasks", id, data)]})
}

pub(super) fn insertion(table: &str, id: &str, data: &Value) -> Value {
    json!({"table": table, "id": id, "op": "insert", "data": data, "insertedAt": stamp(0)})
}

pub(super) fn update(m: u64, id: &str, field: &str, value: &Value, at_ms: u64) -> Value {
    let fields = json!({field: {"value": value, "updatedAt": stamp(at_ms)}});
    json!({"m": m, "changes": [{"table": "tasks", "id": id, "op": "update", "fields": fields}]})
}

pub(super) fn delete(m: u64, id: &str, at_ms: u64) -> Value {
    let deleted_at = stamp(at_ms);
    json!({"m": m, "changes": [{"table": "tasks", "id": id, "op": "delete", "deletedAt": deleted_at}]})
}
