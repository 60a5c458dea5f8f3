//! A caller that asks again: what the hub does around a store that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, SpaceId, SpaceKey, TableName, WriterNo};
use syncline_protocol::stamp::WallMs;
use syncline_protocol::verdict::Mark;

use crate::Store;
use crate::faulty::{Fault, FaultRates, FaultyStore, Operation};
use crate::types::{
    After, ChangesPage, Collect, Collected, Commit, CommitError, Committing, DeadLetter, Holdings,
    MarksRead, PageLimit, RecordsRead, SnapshotPage, SpaceView, StoreError, VerdictsRead,
};

/// Calls of one operation. A store that fails so often is taken at its word.
const TRIES_MAX: usize = 64;

/// What goes wrong with a store behind a patient caller.
pub const FAULTS: FaultRates = FaultRates {
    refused: 150,
    answer_lost: 150,
    delayed: 100,
};

/// Commits, and orders, of which every other one loses its answer.
const LOSING: usize = 1_000;

/// A store that loses the answer of every other commit, also of the first, and of every other order
/// likewise.
pub fn losing_answers<S: Store>(store: S) -> FaultyStore<S> {
    let store = FaultyStore::scripted(store);
    for _ in 0..LOSING {
        for operation in [Operation::Commit, Operation::Post] {
            store.script(operation, Some(Fault::AnswerLost));
            store.script(operation, None);
        }
    }
    store
}

/// A seed for the test that runs, of its name: each meets its own faults.
pub fn seed_of_test() -> u64 {
    let test = std::thread::current();
    let name = test.name().unwrap_or_default();
    // FNV-1a.
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    println!("seed {seed}");
    seed
}

/// How a patient caller waits for a server that is away for a while; without it asks again at once.
#[derive(Debug)]
pub struct Unhurried {
    /// Before it asks again.
    pub pause: Duration,
    /// How often it did.
    pub asked_again: AtomicUsize,
}

tokio::task_local! {
    /// Of the behaviour that runs.
    pub static UNHURRIED: Arc<Unhurried>;
}

async fn before_asking_again() {
    if let Ok(unhurried) = UNHURRIED.try_with(Arc::clone) {
        unhurried.asked_again.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(unhurried.pause).await;
    }
}

/// Asks the store behind it again when it is unavailable. An unknown outcome of a commit is
/// resolved as the design says: the space and the marks tell whether it took effect. That needs
/// to be the space's only writer meanwhile. What was not done when it looked may still be under
/// way: then the commit conflicts with itself when it is handed in again.
#[derive(Debug)]
pub struct Patient<S>(pub S);

/// What a commit tests, as the store has it.
#[derive(Debug, PartialEq)]
struct Place {
    view: Option<SpaceView>,
    marks: Vec<Option<Mark>>,
}

impl<S: Store> Patient<S> {
    async fn place(&self, commit: &Commit) -> Result<Place, StoreError> {
        let Some(view) = self.space(&commit.space).await? else {
            let marks = Vec::new();
            return Ok(Place { view: None, marks });
        };
        let clients: Vec<_> = commit
            .marks
            .iter()
            .map(|mark| mark.client.clone())
            .collect();
        let marks = self.marks(&commit.space, &clients).await?.marks;
        let view = Some(view);
        Ok(Place { view, marks })
    }

    /// Hands in what is undecided, all at once, until the store has answered each or shows that it
    /// took effect.
    async fn commit_all(&self, commits: &[Commit]) -> Vec<Result<(), CommitError>> {
        let mut answers = vec![Err(too_often().into()); commits.len()];
        let mut undecided = Vec::new();
        for (at, commit) in commits.iter().enumerate() {
            match self.place(commit).await {
                Ok(before) => undecided.push((at, before)),
                Err(error) => answers[at] = Err(error.into()),
            }
        }
        for tries in 0..TRIES_MAX {
            if undecided.is_empty() {
                break;
            }
            let batch = undecided.iter().map(|(at, _)| commits[*at].clone());
            let told = self.0.commit(batch.collect()).await;
            let mut left = Vec::new();
            for ((at, before), answer) in undecided.into_iter().zip(told) {
                let is_unknown =
                    matches!(answer, Err(CommitError::Store(StoreError::Unavailable(_))));
                let may_be_its_own = tries > 0 && answer == Err(CommitError::Conflict);
                if !is_unknown && !may_be_its_own {
                    answers[at] = answer;
                    continue;
                }
                match self.place(&commits[at]).await {
                    Ok(now) if now == before && is_unknown => left.push((at, before)),
                    Ok(now) if now == before => answers[at] = answer,
                    Ok(_) => answers[at] = Ok(()),
                    Err(error) => answers[at] = Err(error.into()),
                }
            }
            undecided = left;
            if !undecided.is_empty() {
                before_asking_again().await;
            }
        }
        answers
    }
}

fn too_often() -> StoreError {
    StoreError::Unavailable("asked too often".to_owned())
}

/// Awaits a call until it answers anything but `Unavailable`.
macro_rules! again {
    ($call:expr) => {{
        let mut answer = $call.await;
        for _ in 1..TRIES_MAX {
            if !matches!(answer, Err(StoreError::Unavailable(_))) {
                break;
            }
            $crate::conformance::patient::before_asking_again().await;
            answer = $call.await;
        }
        answer
    }};
}

mod jobs;
mod ledger;

#[async_trait]
impl<S: Store> Store for Patient<S> {
    async fn open_space(&self, space: &SpaceKey, now_ms: WallMs) -> Result<SpaceView, StoreError> {
        again!(self.0.open_space(space, now_ms))
    }

    async fn space(&self, space: &SpaceKey) -> Result<Option<SpaceView>, StoreError> {
        again!(self.0.space(space))
    }

    async fn views(&self, spaces: &[SpaceKey]) -> Result<Vec<Option<SpaceView>>, StoreError> {
        again!(self.0.views(spaces))
    }

    async fn marks(
        &self,
        space: &SpaceKey,
        clients: &[ClientKey],
    ) -> Result<MarksRead, StoreError> {
        again!(self.0.marks(space, clients))
    }

    async fn verdicts(
        &self,
        space: &SpaceKey,
        writer: WriterNo,
        ms: &[u64],
    ) -> Result<VerdictsRead, StoreError> {
        again!(self.0.verdicts(space, writer, ms))
    }

    async fn records(
        &self,
        space: &SpaceKey,
        keys: &[RecordKey],
        bytes_max: usize,
    ) -> Result<RecordsRead, StoreError> {
        again!(self.0.records(space, keys, bytes_max))
    }

    async fn changes(
        &self,
        space: &SpaceKey,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        again!(self.0.changes(space, after.clone(), limit))
    }

    async fn changes_of(
        &self,
        space: &SpaceKey,
        table: &TableName,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        again!(self.0.changes_of(space, table, after.clone(), limit))
    }

    async fn snapshot(
        &self,
        space: &SpaceKey,
        tables: Option<&[TableName]>,
        after: Option<&RecordKey>,
        limit: PageLimit,
    ) -> Result<SnapshotPage, StoreError> {
        again!(self.0.snapshot(space, tables, after, limit))
    }

    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<(), CommitError>> {
        self.commit_all(&commits).await
    }

    async fn new_epoch(
        &self,
        space: &SpaceKey,
        expected: Epoch,
        now_ms: WallMs,
    ) -> Result<SpaceView, StoreError> {
        again!(self.0.new_epoch(space, expected, now_ms))
    }

    async fn dead_letters(
        &self,
        space: &SpaceKey,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        again!(self.0.dead_letters(space, limit))
    }

    async fn spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError> {
        again!(self.0.spaces(after, limit))
    }

    async fn collect(&self, space: &SpaceKey, collect: Collect) -> Result<Collected, StoreError> {
        again!(self.0.collect(space, collect))
    }

    async fn forget_unwritten(
        &self,
        space: &SpaceKey,
        before_ms: WallMs,
    ) -> Result<bool, StoreError> {
        again!(self.0.forget_unwritten(space, before_ms))
    }

    async fn spaces_named(&self, name: &SpaceId) -> Result<Vec<SpaceKey>, StoreError> {
        again!(self.0.spaces_named(name))
    }

    async fn holdings(&self, space: &SpaceKey) -> Result<Holdings, StoreError> {
        again!(self.0.holdings(space))
    }

    async fn erase(&self, space: &SpaceKey, now_ms: WallMs) -> Result<Holdings, StoreError> {
        again!(self.0.erase(space, now_ms))
    }

    fn committing(&self) -> Committing {
        self.0.committing()
    }
}
