//! What a session asks of the store: beside the actor, so that it never waits.
//!
//! What is asked for one socket alone is dropped when that leaves. Everything else holds room of
//! those who sent it (`gateway::intake`), or is asked for once at a time. So whoever comes and goes
//! leaves no work behind.
//!
//! A call that panics ends the session: nobody can say what it would have answered, and a session
//! that waits for it would wait for ever.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use ractor::ActorRef;
use syncline_cluster::event::SpaceHead;
use syncline_protocol::ids::SpaceKey;
use syncline_storage::types::{After, ChangesPage, Commit, CommitError, SpaceView, StoreError};
use tokio::sync::{SemaphorePermit, oneshot};
use tokio::time::Instant;
use tracing::warn;

use super::following::{followed, slow_trace};
use super::{Live, Message, Shared};
use crate::session::event::{Effect, Event, Follow, MarksFor, StoreAnswer};

/// A read for a socket.
#[derive(Debug)]
pub(super) struct SocketRead {
    /// Its number; 0 for the mark that a hello has read.
    no: u64,
    /// Dropping it ends the read.
    _wanted: oneshot::Sender<()>,
}

impl Live {
    /// Runs store work beside the actor and sends it the answer.
    pub(super) fn ask_store(&mut self, effect: Effect, myself: ActorRef<Message>) {
        self.asked += 1;
        let unwanted = self.read_for_socket(&effect);
        let (shared, space) = (self.shared.clone(), self.space.clone());
        let is_unwritten = self.state.view().is_unwritten();
        let follow = match effect {
            Effect::Commit(_) => self.committing.as_ref().map(|commit| commit.follow()),
            _ => None,
        };
        tokio::spawn(async move {
            let answering = async {
                let answer = answer(&shared, &space, (effect, follow)).await;
                let failed = |answer: &StoreAnswer| answer.failure().is_some();
                if is_unwritten && answer.as_ref().is_some_and(failed) {
                    open_again(&shared, &space).await;
                }
                answer
            };
            // What it was about to use is dropped with it.
            let answering = AssertUnwindSafe(answering).catch_unwind();
            let answer = match unwanted {
                None => answering.await,
                Some(unwanted) => tokio::select! {
                    answer = answering => answer,
                    _ = unwanted => Ok(None),
                },
            };
            let message = match answer {
                Ok(Some(answer)) => Message::Own(Event::Store(answer)),
                Ok(None) => Message::Unread,
                Err(_) => Message::Panicked,
            };
            // An actor that ended needs no answer: what it had in flight, the marks tell.
            let _ = myself.cast(message);
        });
    }

    /// Notes a read that is for one socket alone; what comes back is told when that leaves.
    fn read_for_socket(&mut self, effect: &Effect) -> Option<oneshot::Receiver<()>> {
        let (conn, no) = match effect {
            Effect::ReadMarks(MarksFor::Attach(conn), _) => (*conn, 0),
            Effect::ReadChanges { read, .. } | Effect::ReadSnapshot { read, .. } => {
                (read.conn, read.no)
            }
            _ => return None,
        };
        let (wanted, unwanted) = oneshot::channel();
        let read = SocketRead {
            no,
            _wanted: wanted,
        };
        self.reads.insert(conn, read);
        Some(unwanted)
    }

    /// The store has answered.
    pub(super) fn answered(&mut self, answer: &StoreAnswer) {
        self.asked -= 1;
        if let Some(error) = answer.failure() {
            // The state says what became of it; that data is damaged is news of its own.
            self.shared.metrics.note_damage(error);
        }
        let (conn, no) = match answer {
            StoreAnswer::Marks(MarksFor::Attach(conn), _) => (*conn, 0),
            StoreAnswer::Changes(read, _) | StoreAnswer::Snapshot(read, _) => (read.conn, read.no),
            _ => return,
        };
        if self.reads.get(&conn).is_some_and(|read| read.no == no) {
            self.reads.remove(&conn);
        }
    }
}

/// A space that was never written may have been forgotten, by a node where it was not open. It is
/// opened once more, so that the next try finds it; the session sees another epoch and begins anew.
async fn open_again(shared: &Shared, space: &SpaceKey) {
    if let Ok(None) = shared.store.space(space).await {
        let opened = shared.store.open_space(space, shared.clock.now_ms());
        // If it cannot be opened, the next try fails too and comes here.
        drop(opened.await);
    }
}

async fn make_commit(
    shared: &Shared,
    space: &SpaceKey,
    (commit, follow): (Commit, Option<Follow>),
) -> Result<(), CommitError> {
    let handed_in = Instant::now();
    let following = || follow.map(|follow| followed(shared, follow));
    let outcome = shared.log.commit_followed(commit, following).await;
    let took = handed_in.elapsed();
    shared.metrics.commit_seconds.observe(took);
    if let Some(slow) = slow_trace(follow, took) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        warn!(%space, took_ms, trace_id = %slow.trace, span_id = %slow.span, "a commit took long");
    }
    if outcome.is_ok() {
        shared.metrics.commits.inc();
    }
    outcome
}

/// A page's turn among those of all sessions.
async fn turn(shared: &Shared) -> SemaphorePermit<'_> {
    let turn = shared.pages.acquire().await;
    turn.expect("nobody closes it")
}

async fn changes(
    shared: &Shared,
    space: &SpaceKey,
    after: After,
) -> Result<ChangesPage, StoreError> {
    let _turn = turn(shared).await;
    shared.store.changes(space, after, shared.page).await
}

/// Does what an effect asks of the store; `None` for effects that ask nothing of it.
async fn answer(
    shared: &Shared,
    space: &SpaceKey,
    (effect, follow): (Effect, Option<Follow>),
) -> Option<StoreAnswer> {
    let store = &shared.store;
    Some(match effect {
        Effect::Commit(commit) => {
            StoreAnswer::Committed(make_commit(shared, space, (*commit, follow)).await)
        }
        Effect::ReadRecords(keys, bytes_max) => {
            let read = store.records(space, &keys, bytes_max).await;
            StoreAnswer::Records(keys, read)
        }
        Effect::ReadMarks(why, clients) => {
            StoreAnswer::Marks(why, store.marks(space, &clients).await)
        }
        Effect::ReadVerdicts(writer, repeats) => {
            let ms: Vec<u64> = repeats.iter().map(|repeat| repeat.m).collect();
            let read = store.verdicts(space, writer, &ms).await;
            StoreAnswer::Verdicts(repeats, read)
        }
        Effect::ReadView { after } => StoreAnswer::View(changes(shared, space, after).await),
        Effect::ReadChanges { read, after } => {
            StoreAnswer::Changes(read, changes(shared, space, after).await)
        }
        Effect::ReadSnapshot {
            read,
            tables,
            after,
        } => {
            let _turn = turn(shared).await;
            let page = store.snapshot(space, tables.as_deref(), after.as_ref(), shared.page);
            StoreAnswer::Snapshot(read, page.await)
        }
        Effect::NewEpoch { expected } => {
            let now_ms = shared.clock.now_ms();
            let view = store.new_epoch(space, expected, now_ms).await;
            if let Ok(SpaceView { epoch, head, .. }) = view {
                let space = space.clone();
                shared.log.moved(SpaceHead { space, epoch, head });
            }
            StoreAnswer::NewEpoch(view)
        }
        _ => return None,
    })
}
