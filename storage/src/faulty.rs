//! A store that fails on purpose: what a network, a full disk or a crash at the wrong moment
//! does to any engine, scripted or drawn from a seed.
//!
//! A fault before the inner call leaves the store as it is. A lost answer of a commit is the
//! nasty one: it took effect, and the caller is told `Unavailable`.

mod jobs;
mod ledger;
mod prng;

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, SpaceId, SpaceKey, TableName, WriterNo};
use syncline_protocol::stamp::WallMs;
use tokio::sync::Notify;

pub use prng::Prng;

use crate::Store;
use crate::types::{
    After, ChangesPage, Collect, Collected, Commit, CommitError, Committing, DeadLetter, Holdings,
    MarksRead, PageLimit, RecordsRead, SnapshotPage, SpaceView, StoreError, VerdictsRead,
};

/// A call of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// [`Store::open_space`].
    OpenSpace,
    /// [`Store::space`], [`Store::views`].
    Space,
    /// [`Store::marks`].
    Marks,
    /// [`Store::verdicts`].
    Verdicts,
    /// [`Store::records`].
    Records,
    /// [`Store::changes`].
    Changes,
    /// [`Store::snapshot`].
    Snapshot,
    /// [`Store::commit`].
    Commit,
    /// [`Store::new_epoch`].
    NewEpoch,
    /// [`Store::dead_letters`].
    DeadLetters,
    /// [`Store::spaces`], [`Store::spaces_named`].
    Spaces,
    /// [`Store::holdings`].
    Holdings,
    /// [`Store::erase`].
    Erase,
    /// [`Store::collect`], [`Store::forget_unwritten`].
    Collect,
    /// [`JobStore::claim`](crate::JobStore::claim).
    Claim,
    /// [`JobStore::finish`](crate::JobStore::finish), [`JobStore::extend`](crate::JobStore::extend).
    Finish,
    /// What people do to jobs: cancel, snooze, replay, forget.
    MoveJobs,
    /// What is read of jobs.
    ReadJobs,
    /// [`LedgerStore::post`](crate::LedgerStore::post).
    Post,
    /// What ends by itself: [`LedgerStore::expire`](crate::LedgerStore::expire),
    /// [`LedgerStore::relay`](crate::LedgerStore::relay),
    /// [`LedgerStore::erase_account`](crate::LedgerStore::erase_account).
    Sweep,
    /// What is read of the ledger.
    ReadLedger,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `Unavailable`, and nothing was done.
    Refused,
    /// `Damaged`, and nothing was done.
    Damaged,
    /// It begins when [`FaultyStore::release`] lets it.
    Held,
    /// It begins a millisecond later.
    Delayed,
    /// It was done, and the answer is `Unavailable`.
    AnswerLost,
    /// The answer is `Unavailable`, and it is still under way: it is done right before the next
    /// commit. Only of a commit; another call is refused.
    Late,
    /// It panics, and nothing was done.
    Panicked,
}

/// How often a seeded store fails, in calls of a thousand. What is left goes well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// [`Fault::Refused`].
    pub refused: u32,
    /// [`Fault::AnswerLost`].
    pub answer_lost: u32,
    /// [`Fault::Delayed`].
    pub delayed: u32,
}

/// A store with faults. Scripted ones go first; a call without one is drawn from the seed.
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    plan: Mutex<Plan>,
    released: Notify,
}

#[derive(Debug)]
struct Plan {
    scripts: HashMap<Operation, VecDeque<Option<Fault>>>,
    rates: FaultRates,
    random: Prng,
    calls: u64,
    injected: u64,
    /// Commits under way, of which nobody will be told.
    late: Vec<Commit>,
}

impl<S: Store> FaultyStore<S> {
    /// A store that fails only as scripted.
    pub fn scripted(inner: S) -> FaultyStore<S> {
        FaultyStore::seeded(inner, 0, FaultRates::default())
    }

    /// A store that fails at random. Equal seeds and equal calls give equal faults.
    pub fn seeded(inner: S, seed: u64, rates: FaultRates) -> FaultyStore<S> {
        FaultyStore {
            inner,
            released: Notify::new(),
            plan: Mutex::new(Plan {
                scripts: HashMap::new(),
                rates,
                random: Prng::new(seed),
                calls: 0,
                injected: 0,
                late: Vec::new(),
            }),
        }
    }

    /// Says what happens to the next call of an operation that nothing was said of yet:
    /// `None` lets it go well.
    pub fn script(&self, operation: Operation, fault: Option<Fault>) {
        let mut plan = self.plan();
        plan.scripts.entry(operation).or_default().push_back(fault);
    }

    /// Lets one held call begin, be it one that is held later.
    pub fn release(&self) {
        self.released.notify_one();
    }

    /// How many faults there were, held calls included.
    pub fn injected(&self) -> u64 {
        self.plan().injected
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.plan().calls
    }

    /// The store behind the faults.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Meets the fault of a call. `Ok(true)`: do it and lose the answer.
    async fn meet(&self, operation: Operation) -> Result<bool, StoreError> {
        let fault = self.plan().next(operation);
        self.suffer(operation, fault).await
    }

    async fn suffer(&self, operation: Operation, fault: Option<Fault>) -> Result<bool, StoreError> {
        match fault {
            None => Ok(false),
            Some(Fault::AnswerLost) => Ok(true),
            Some(Fault::Refused | Fault::Late) => Err(injected("refused")),
            Some(Fault::Damaged) => Err(StoreError::Damaged("injected".to_owned())),
            Some(Fault::Panicked) => panic!("injected: {operation:?} panicked"),
            Some(Fault::Delayed) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Ok(false)
            }
            Some(Fault::Held) => {
                self.released.notified().await;
                Ok(false)
            }
        }
    }

    async fn with_fault<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer_lost = self.meet(operation).await?;
        let answer = call.await?;
        if answer_lost {
            return Err(injected("answer lost"));
        }
        Ok(answer)
    }
}

impl Plan {
    fn next(&mut self, operation: Operation) -> Option<Fault> {
        self.calls += 1;
        let scripted = self
            .scripts
            .get_mut(&operation)
            .and_then(VecDeque::pop_front);
        let fault = match scripted {
            Some(fault) => fault,
            None => self.draw(operation),
        };
        self.injected += u64::from(fault.is_some());
        fault
    }

    /// What these answer is what they did. Once it is lost nobody can ask for it again, so of them
    /// no answer is lost but as scripted.
    fn draw(&mut self, operation: Operation) -> Option<Fault> {
        use Operation::{Claim, Collect, Erase, Finish, MoveJobs, Sweep};
        let counts = matches!(
            operation,
            Claim | Collect | Erase | Finish | MoveJobs | Sweep
        );
        let rates = self.rates;
        let drawn = self.random.below(1_000) as u32;
        let refused = rates.refused;
        let lost = refused + rates.answer_lost;
        let delayed = lost + rates.delayed;
        match drawn {
            n if n < refused => Some(Fault::Refused),
            n if n < lost && counts => Some(Fault::Refused),
            n if n < lost => Some(Fault::AnswerLost),
            n if n < delayed => Some(Fault::Delayed),
            _ => None,
        }
    }
}

fn injected(what: &str) -> StoreError {
    StoreError::Unavailable(format!("injected: {what}"))
}

#[async_trait]
impl<S: Store> Store for FaultyStore<S> {
    async fn open_space(&self, space: &SpaceKey, now_ms: WallMs) -> Result<SpaceView, StoreError> {
        let call = self.inner.open_space(space, now_ms);
        self.with_fault(Operation::OpenSpace, call).await
    }

    async fn space(&self, space: &SpaceKey) -> Result<Option<SpaceView>, StoreError> {
        let call = self.inner.space(space);
        self.with_fault(Operation::Space, call).await
    }

    async fn views(&self, spaces: &[SpaceKey]) -> Result<Vec<Option<SpaceView>>, StoreError> {
        let call = self.inner.views(spaces);
        self.with_fault(Operation::Space, call).await
    }

    async fn marks(
        &self,
        space: &SpaceKey,
        clients: &[ClientKey],
    ) -> Result<MarksRead, StoreError> {
        let call = self.inner.marks(space, clients);
        self.with_fault(Operation::Marks, call).await
    }

    async fn verdicts(
        &self,
        space: &SpaceKey,
        writer: WriterNo,
        ms: &[u64],
    ) -> Result<VerdictsRead, StoreError> {
        let call = self.inner.verdicts(space, writer, ms);
        self.with_fault(Operation::Verdicts, call).await
    }

    async fn records(
        &self,
        space: &SpaceKey,
        keys: &[RecordKey],
        bytes_max: usize,
    ) -> Result<RecordsRead, StoreError> {
        let call = self.inner.records(space, keys, bytes_max);
        self.with_fault(Operation::Records, call).await
    }

    async fn changes(
        &self,
        space: &SpaceKey,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        let call = self.inner.changes(space, after, limit);
        self.with_fault(Operation::Changes, call).await
    }

    async fn changes_of(
        &self,
        space: &SpaceKey,
        table: &TableName,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        let call = self.inner.changes_of(space, table, after, limit);
        self.with_fault(Operation::Changes, call).await
    }

    async fn snapshot(
        &self,
        space: &SpaceKey,
        tables: Option<&[TableName]>,
        after: Option<&RecordKey>,
        limit: PageLimit,
    ) -> Result<SnapshotPage, StoreError> {
        let call = self.inner.snapshot(space, tables, after, limit);
        self.with_fault(Operation::Snapshot, call).await
    }

    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<(), CommitError>> {
        let count = commits.len();
        let failed = |error: StoreError| vec![Err(CommitError::Store(error)); count];
        let (fault, late) = {
            let mut plan = self.plan();
            (plan.next(Operation::Commit), std::mem::take(&mut plan.late))
        };
        if !late.is_empty() {
            self.inner.commit(late).await;
        }
        if fault == Some(Fault::Late) {
            self.plan().late = commits;
            return failed(injected("late"));
        }
        match self.suffer(Operation::Commit, fault).await {
            Err(error) => failed(error),
            Ok(answer_lost) => {
                let answers = self.inner.commit(commits).await;
                if answer_lost {
                    return failed(injected("answer lost"));
                }
                answers
            }
        }
    }

    async fn new_epoch(
        &self,
        space: &SpaceKey,
        expected: Epoch,
        now_ms: WallMs,
    ) -> Result<SpaceView, StoreError> {
        let call = self.inner.new_epoch(space, expected, now_ms);
        self.with_fault(Operation::NewEpoch, call).await
    }

    async fn dead_letters(
        &self,
        space: &SpaceKey,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let call = self.inner.dead_letters(space, limit);
        self.with_fault(Operation::DeadLetters, call).await
    }

    async fn spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError> {
        let call = self.inner.spaces(after, limit);
        self.with_fault(Operation::Spaces, call).await
    }

    async fn collect(&self, space: &SpaceKey, collect: Collect) -> Result<Collected, StoreError> {
        let call = self.inner.collect(space, collect);
        self.with_fault(Operation::Collect, call).await
    }

    async fn forget_unwritten(
        &self,
        space: &SpaceKey,
        before_ms: WallMs,
    ) -> Result<bool, StoreError> {
        let call = self.inner.forget_unwritten(space, before_ms);
        self.with_fault(Operation::Collect, call).await
    }

    async fn spaces_named(&self, name: &SpaceId) -> Result<Vec<SpaceKey>, StoreError> {
        let call = self.inner.spaces_named(name);
        self.with_fault(Operation::Spaces, call).await
    }

    async fn holdings(&self, space: &SpaceKey) -> Result<Holdings, StoreError> {
        let call = self.inner.holdings(space);
        self.with_fault(Operation::Holdings, call).await
    }

    async fn erase(&self, space: &SpaceKey, now_ms: WallMs) -> Result<Holdings, StoreError> {
        let call = self.inner.erase(space, now_ms);
        self.with_fault(Operation::Erase, call).await
    }

    fn committing(&self) -> Committing {
        self.inner.committing()
    }
}

#[cfg(test)]
mod tests;
