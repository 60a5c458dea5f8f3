//! The store: the contract in memory, with operations that take effect at one step and are
//! answered at a later one, or fail, or lose their answer.

use syncline_hub::session::event::{Effect, StoreAnswer};
use syncline_protocol::ids::{Epoch, SpaceKey};
use syncline_storage::model::ModelStore;
use syncline_storage::types::{Commit, CommitError, Holdings, PageLimit, SpaceView, StoreError};

/// What becomes of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It takes effect and is answered.
    Done,
    /// It fails and did nothing.
    Fails,
    /// It takes effect and its answer is an error.
    AnswerLost,
}

/// The store of a world.
#[derive(Debug)]
pub struct Store {
    /// The contract.
    pub model: ModelStore,
    space: SpaceKey,
    /// Epochs ever given, also by histories that a restore undid.
    epochs: u64,
    page: PageLimit,
}

/// What an operation did.
#[derive(Debug)]
pub struct Done {
    /// For the session.
    pub answer: StoreAnswer,
    /// The commit, if the operation was one that took effect.
    pub committed: Option<Box<Commit>>,
}

impl Store {
    /// An empty store with the space in it.
    pub fn new(space: SpaceKey, page: PageLimit, now_ms: u64) -> Store {
        let mut model = ModelStore::new(100);
        model.open_space(&space, now_ms);
        Store {
            model,
            space,
            epochs: 1,
            page,
        }
    }

    /// The space as it is.
    pub fn view(&self) -> SpaceView {
        self.model
            .space(&self.space)
            .expect("the space was opened first")
    }

    /// Puts a backup in the place of everything.
    pub fn restore(&mut self, backup: ModelStore) {
        self.model = backup;
        // Epochs are random: none of the lost history is given again.
        for _ in 0..self.epochs {
            let _ = self.model.new_epoch(&self.space, Epoch(0), 0);
        }
    }

    /// Gives the space a new epoch.
    pub fn new_epoch(&mut self, expected: Epoch, now_ms: u64) -> Result<SpaceView, StoreError> {
        self.epochs += 1;
        self.model.new_epoch(&self.space, expected, now_ms)
    }

    /// Erases everything of the space.
    pub fn erase(&mut self, now_ms: u64) -> Result<Holdings, StoreError> {
        self.epochs += 1;
        self.model.erase(&self.space, now_ms)
    }

    /// Does an operation.
    pub fn carry_out(&mut self, effect: Effect, fate: Fate, now_ms: u64) -> Done {
        let at = &self.space;
        let mut committed = None;
        macro_rules! read {
            ($read:expr) => {
                if fate == Fate::Done {
                    $read
                } else {
                    Err(down())
                }
            };
        }
        let answer = match effect {
            Effect::Commit(commit) => {
                let outcome = match fate {
                    Fate::Fails => Err(down().into()),
                    _ => self.model.commit(&commit),
                };
                if outcome.is_ok() {
                    committed = Some(commit);
                }
                StoreAnswer::Committed(match fate {
                    Fate::AnswerLost => Err(CommitError::Store(down())),
                    _ => outcome,
                })
            }
            Effect::ReadRecords(keys, bytes_max) => {
                let read = read!(self.model.records(at, &keys, bytes_max));
                StoreAnswer::Records(keys, read)
            }
            Effect::ReadMarks(why, clients) => {
                let read = read!(self.model.marks(at, &clients));
                StoreAnswer::Marks(why, read)
            }
            Effect::ReadVerdicts(writer, repeats) => {
                let ms: Vec<u64> = repeats.iter().map(|repeat| repeat.m).collect();
                let read = read!(self.model.verdicts(at, writer, &ms));
                StoreAnswer::Verdicts(repeats, read)
            }
            Effect::ReadView { after } => {
                StoreAnswer::View(read!(self.model.changes(at, &after, self.page)))
            }
            Effect::ReadChanges { read, after } => {
                StoreAnswer::Changes(read, read!(self.model.changes(at, &after, self.page)))
            }
            Effect::ReadSnapshot {
                read,
                tables,
                after,
            } => {
                let page = self
                    .model
                    .snapshot(at, tables.as_deref(), after.as_ref(), self.page);
                StoreAnswer::Snapshot(read, read!(page))
            }
            Effect::NewEpoch { expected } => {
                let changed = match fate {
                    Fate::Fails => Err(down()),
                    _ => self.new_epoch(expected, now_ms),
                };
                StoreAnswer::NewEpoch(match fate {
                    Fate::AnswerLost => Err(down()),
                    _ => changed,
                })
            }
            other => unreachable!("no store work: {other:?}"),
        };
        Done { answer, committed }
    }
}

/// An answer that does not come through. Nobody who waits for it knows what became of it.
pub fn lost(answer: StoreAnswer) -> StoreAnswer {
    match answer {
        StoreAnswer::Committed(_) => StoreAnswer::Committed(Err(CommitError::Store(down()))),
        StoreAnswer::Records(keys, _) => StoreAnswer::Records(keys, Err(down())),
        StoreAnswer::Marks(why, _) => StoreAnswer::Marks(why, Err(down())),
        StoreAnswer::Verdicts(repeats, _) => StoreAnswer::Verdicts(repeats, Err(down())),
        StoreAnswer::View(_) => StoreAnswer::View(Err(down())),
        StoreAnswer::Changes(read, _) => StoreAnswer::Changes(read, Err(down())),
        StoreAnswer::Snapshot(read, _) => StoreAnswer::Snapshot(read, Err(down())),
        StoreAnswer::NewEpoch(_) => StoreAnswer::NewEpoch(Err(down())),
    }
}

/// The store does not answer.
pub fn down() -> StoreError {
    StoreError::Unavailable("down".into())
}

/// An operation in a few words.
pub fn describe(effect: &Effect) -> String {
    match effect {
        Effect::Commit(commit) => format!(
            "commit {} -> {} of {} records, {} clients",
            commit.expect_head,
            commit.head,
            commit.records.len(),
            commit.marks.len()
        ),
        Effect::ReadRecords(keys, _) => format!("read records {keys:?}"),
        Effect::ReadMarks(why, _) => format!("read marks for {why:?}"),
        Effect::ReadVerdicts(_, repeats) => {
            let ms: Vec<u64> = repeats.iter().map(|repeat| repeat.m).collect();
            format!("read verdicts {ms:?}")
        }
        other => format!("{other:?}"),
    }
}
