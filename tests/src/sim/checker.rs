//! What must hold, whatever happens. The checker sees every commit as it takes effect, keeps
//! the space's history, and compares with it what devices are told.
//!
//! | invariant | says |
//! |---|---|
//! | `base` | a commit is its mutations joined onto what the store held at the expected head |
//! | `once` | no (client, number) takes effect twice |
//! | `mark` | a commit remembers the verdict of each mutation in it |
//! | `verdict` | a verdict says what happened, and names what won |
//! | `ack` | what a device is told of a mutation is what the store decided, also when told again |
//! | `writer` | a writer number belongs to one client |
//! | `head` | a commit moves the head by one, or not at all if nothing took effect |
//! | `whole` | what a device shows is the space as it was after some whole commit |
//! | `again` | a claim of a changeset that comes again gets no newer stamp than it had |
//! | `absorbed` | a changeset answered with 2xx is in the store, as far as it does not lose |
//! | `set_aside` | what can never be stored is named, is a dead letter, and stops nothing else |
//! | `forward` | a cursor of the compatibility protocol only moves forward as text |
//! | `copy` | after a reply such a device shows the space as of the reply's cursor |
//!
//! A restore that nobody was told of makes one epoch have two histories. Until the epoch
//! changes nothing can be promised about it, so it is not checked.

mod changesets;
mod copies;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use syncline_protocol::change::{self, ClaimedChange};
use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::error::Code;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, Seq, SpaceKey, WriterNo};
use syncline_protocol::mutation::Mutation;
use syncline_protocol::record::Record;
use syncline_protocol::stamp::{Hlc, WallMs};
use syncline_protocol::verdict::{Mark, PayloadHash, Status, Verdict};
use syncline_protocol::wire::hub::{Answer, write_results};
use syncline_storage::dead_letter::DEAD_LETTER_BYTES_MAX;
use syncline_storage::model::ModelStore;
use syncline_storage::types::{Commit, DeadLetter, SpaceView};

use self::changesets::Claims;
pub use self::copies::{Differing, Excuses};

use super::reference::{Expected, Reference, data_text, losses_of};
use super::trace::{Checked, ensure, violated};

/// The live records with their data as text.
pub type Visible = Rc<BTreeMap<RecordKey, Arc<str>>>;

/// What a session judged in a commit.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Whose.
    pub client: ClientKey,
    /// The time its stamps are judged by.
    pub taken_at_ms: WallMs,
    /// Which.
    pub what: What,
}

/// A mutation or a changeset.
#[derive(Clone, Debug)]
pub enum What {
    /// The mutation of this number.
    Mutation(u64),
    /// A changeset's changes.
    Changeset(Vec<SyncChange>),
}

/// A session's batch: what it judges in order and the space's clock before them.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What is judged.
    pub judged: Vec<Judged>,
    /// The clock.
    pub clock: Hlc,
}

/// The keeper of the invariants.
#[derive(Debug)]
pub struct Checker {
    space: SpaceKey,
    /// The present, and what a restore brings back.
    now: Present,
    registry: HashMap<(ClientKey, u64), Registered>,
    /// Every verdict any history gave.
    ever: HashMap<(ClientKey, u64), Vec<Verdict>>,
    history: HashMap<(Epoch, Seq), Moment>,
    /// Epochs with two histories.
    split: HashSet<Epoch>,
    /// Clients that ever sent a changeset.
    changers: HashSet<ClientKey>,
    /// The epoch of the store.
    epoch: Epoch,
    /// Epochs by the minute that names them in cursors of the compatibility protocol.
    minutes: HashMap<u64, Epoch>,
}

/// The space after a commit.
#[derive(Clone, Debug, Default)]
struct Moment {
    visible: Visible,
    /// Records that ever lived.
    known: Rc<BTreeSet<RecordKey>>,
}

/// What is so in the store now.
#[derive(Clone, Debug, Default)]
pub struct Present {
    reference: Reference,
    moment: Moment,
    decided: HashSet<(ClientKey, u64)>,
    writers: HashMap<WriterNo, ClientKey>,
    claims: Claims,
    /// Records of which something was collected.
    collected: HashSet<RecordKey>,
}

#[derive(Debug)]
struct Registered {
    hash: PayloadHash,
    asked: Option<Vec<ClaimedChange>>,
}

impl Checker {
    /// Of a space that is empty.
    pub fn new(space: SpaceKey, view: &SpaceView) -> Checker {
        Checker {
            space,
            history: HashMap::from([((view.epoch, Seq(0)), Moment::default())]),
            epoch: view.epoch,
            minutes: HashMap::from([(copies::minute(view), view.epoch)]),
            now: Present::default(),
            registry: HashMap::new(),
            ever: HashMap::new(),
            split: HashSet::new(),
            changers: HashSet::new(),
        }
    }

    /// A device gave a mutation its number.
    pub fn numbered(&mut self, client: &ClientKey, mutation: &Mutation) {
        let registered = Registered {
            hash: mutation.hash,
            asked: mutation.asked.as_ref().ok().cloned(),
        };
        self.registry
            .insert((client.clone(), mutation.m), registered);
    }

    /// A commit took effect.
    pub fn committed(&mut self, commit: &Commit, batch: &Batch, store: &ModelStore) -> Checked {
        let mut clock = batch.clock;
        let mut any_applied = false;
        let mut letters = Vec::new();
        for judged in &batch.judged {
            any_applied |= match &judged.what {
                What::Mutation(m) => self.mutation(commit, (judged, *m), &mut clock)?,
                What::Changeset(changes) => {
                    self.changeset(commit, (judged, changes), (&mut clock, &mut letters))?
                }
            };
        }
        let split = self.split.contains(&commit.expect_epoch);
        let told = &commit.dead_letters;
        let fits = told.len() == letters.len() && told.iter().zip(&letters).all(is_letter_of);
        ensure(split || fits, "set_aside", || {
            format!("dead letters {told:?}, must be {letters:?}")
        })?;
        let moved = Seq(commit.expect_head.0 + u64::from(any_applied));
        ensure(commit.head == moved, "head", || {
            format!("{} after {}", commit.head, commit.expect_head)
        })?;
        if split {
            return Ok(());
        }
        self.compare(commit, store)
    }

    /// Whether a mutation took effect.
    fn mutation(
        &mut self,
        commit: &Commit,
        (judged, m): (&Judged, u64),
        clock: &mut Hlc,
    ) -> Checked<bool> {
        let split = self.split.contains(&commit.expect_epoch);
        let number = (judged.client.clone(), m);
        let Some((writer, verdict, hash)) = remembered(commit, &number) else {
            return violated("mark", format!("{judged:?} is not remembered"));
        };
        let Some(registered) = self.registry.get(&number) else {
            return violated("mark", format!("{judged:?} was never made"));
        };
        ensure(registered.hash == hash, "mark", || {
            format!("{judged:?} has another hash")
        })?;
        if !split {
            let reference = &mut self.now.reference;
            let expected = expect(reference, (registered, judged, writer), clock);
            check_verdict(judged, &expected, verdict)?;
        }
        ensure(self.now.decided.insert(number.clone()), "once", || {
            format!("{judged:?} took effect before")
        })?;
        self.check_writer(writer, judged, split)?;
        self.ever.entry(number).or_default().push(verdict.clone());
        Ok(verdict.status == Status::Applied)
    }

    fn check_writer(&mut self, writer: WriterNo, judged: &Judged, split: bool) -> Checked {
        let owners = &mut self.now.writers;
        let owner = owners
            .entry(writer)
            .or_insert_with(|| judged.client.clone());
        ensure(split || *owner == judged.client, "writer", || {
            format!("{writer:?} is of {owner:?} and of {judged:?}")
        })
    }

    fn compare(&mut self, commit: &Commit, store: &ModelStore) -> Checked {
        let stored = store.all(&self.space);
        if let Some(difference) = self.now.reference.differs(&stored) {
            return violated("base", difference);
        }
        let live = self.now.reference.live();
        // A split history may have left a wrong count behind; it is an estimate for devices.
        ensure(
            commit.live == live || !self.split.is_empty(),
            "base",
            || format!("{live} records are live, the space says {}", commit.live),
        )?;
        let visible = Rc::make_mut(&mut self.now.moment.visible);
        for (key, record) in &commit.records {
            if has_lived(record) && !self.now.moment.known.contains(key) {
                Rc::make_mut(&mut self.now.moment.known).insert(key.clone());
            }
            if record.is_live() {
                visible.insert(key.clone(), data_text(record));
            } else {
                visible.remove(key);
            }
        }
        let at = (commit.expect_epoch, commit.head);
        self.history.insert(at, self.now.moment.clone());
        Ok(())
    }

    /// What was too old was collected: only what is dead may go, and numbers of clients.
    pub fn collected(&mut self, view: &SpaceView, store: &ModelStore) -> Checked {
        let clients: BTreeSet<ClientKey> =
            self.now.decided.iter().map(|(of, _)| of.clone()).collect();
        let clients: Vec<ClientKey> = clients.into_iter().collect();
        let marks = store.marks(&self.space, &clients);
        let marks = marks.map(|read| read.marks).unwrap_or_default();
        let forgotten = |mark: &Option<Mark>| mark.as_ref().is_some_and(|m| m.last.is_none());
        let forgotten = clients
            .iter()
            .zip(&marks)
            .filter(|(_, mark)| forgotten(mark));
        let forgotten: BTreeSet<&ClientKey> = forgotten.map(|(client, _)| client).collect();
        self.now
            .decided
            .retain(|(client, _)| !forgotten.contains(client));
        if self.split.contains(&view.epoch) {
            return Ok(());
        }
        let stored = store.all(&self.space);
        self.now
            .collected
            .extend(self.now.reference.forget(&stored));
        let at = (view.epoch, view.head);
        self.history.insert(at, self.now.moment.clone());
        self.check_store(store)
    }

    /// The present, to be kept with a backup.
    pub fn present(&self) -> Present {
        self.now.clone()
    }

    /// The store was replaced by a backup.
    pub fn restored(&mut self, present: Present) {
        self.now = present;
    }

    /// An epoch has two histories now.
    pub fn split(&mut self, epoch: Epoch) {
        self.split.insert(epoch);
    }

    /// The space got another epoch. Its records are what they are.
    pub fn epoch_changed(&mut self, before: Epoch, store: &ModelStore) {
        let Some(view) = store.space(&self.space) else {
            return;
        };
        if self.split.contains(&before) {
            let stored = store.all(&self.space);
            self.now.reference = Reference::of(&stored);
            self.now.writers.clear();
            self.now.claims = self.remembered_claims(store);
            self.now.moment = Moment::of(&stored);
        }
        let at = (view.epoch, view.head);
        self.history.insert(at, self.now.moment.clone());
        self.minutes.insert(copies::minute(&view), view.epoch);
        self.epoch = view.epoch;
    }

    fn remembered_claims(&self, store: &ModelStore) -> Claims {
        let clients: Vec<ClientKey> = self.changers.iter().cloned().collect();
        let marks = store.marks(&self.space, &clients).map(|read| read.marks);
        let marks = clients.into_iter().zip(marks.unwrap_or_default());
        Claims::of(marks.filter_map(|(client, mark)| Some((client, mark?))))
    }

    /// Whether an epoch has two histories.
    pub fn is_split(&self, epoch: Epoch) -> bool {
        self.split.contains(&epoch)
    }

    /// A device was told the answer to a mutation, as text.
    pub fn told(&self, client: &ClientKey, m: u64, answer: &str) -> Checked {
        let Some(verdicts) = self.ever.get(&(client.clone(), m)) else {
            return violated("ack", format!("nothing was decided: {answer}"));
        };
        let is_same = |verdict: &Verdict| {
            let mut text = String::new();
            write_results(&mut text, &[(m, Answer::Verdict(verdict.clone()))]);
            text[1..text.len() - 1] == *answer
        };
        let known = answer.contains(r#""status":"known""#);
        // Where a history was split, the store itself mixed up who wrote what.
        let mixed_up = !self.split.is_empty() && answer.contains(r#""code":"number_reused""#);
        ensure(
            known || mixed_up || verdicts.iter().any(is_same),
            "ack",
            || format!("told {answer}, decided {verdicts:?}"),
        )
    }

    /// A device shows the space as of (epoch, seq); `wants` says which records it wants.
    pub fn shown<'a>(
        &self,
        (epoch, seq): (Epoch, Seq),
        wants: impl Fn(&RecordKey) -> bool,
        shown: impl Iterator<Item = (&'a RecordKey, &'a str)>,
    ) -> Checked {
        if self.split.contains(&epoch) {
            return Ok(());
        }
        let Some(moment) = self.history.get(&(epoch, seq)) else {
            return violated("whole", format!("there is no commit {seq} of {epoch}"));
        };
        let expected = moment.visible.iter().filter(|(key, _)| wants(key));
        let mut expected = expected.map(|(key, text)| (key, &**text));
        for (key, text) in shown {
            let must = expected.next();
            ensure(must == Some((key, text)), "whole", || {
                format!("at {epoch}/{seq} {key} is shown as {text}, must be {must:?}")
            })?;
        }
        let missing = expected.next();
        ensure(missing.is_none(), "whole", || {
            format!("at {epoch}/{seq} {missing:?} is not shown")
        })
    }

    /// What is visible in the store now.
    pub fn visible(&self) -> &Visible {
        &self.now.moment.visible
    }

    /// The whole store against the reference.
    pub fn check_store(&self, store: &ModelStore) -> Checked {
        match self.now.reference.differs(&store.all(&self.space)) {
            Some(difference) => violated("base", difference),
            None => Ok(()),
        }
    }
}

/// Whether a dead letter is of this change: whole, or its beginning if it is long.
fn is_letter_of((letter, (text, code)): (&DeadLetter, &(String, Code))) -> bool {
    let begins = text.len() > DEAD_LETTER_BYTES_MAX
        && letter.change.starts_with(&text[..DEAD_LETTER_BYTES_MAX])
        && letter.change.len() < DEAD_LETTER_BYTES_MAX + 100
        && letter
            .change
            .contains(&format!("cut: {} bytes", text.len()));
    letter.code == *code && (letter.change == *text || begins)
}

/// Whether a record lived after a commit: one that was inserted and deleted in the same commit
/// was there for nobody.
fn has_lived(record: &Record) -> bool {
    let died_at_once = !record.is_live() && record.inserted_seq == record.deleted_seq;
    record.inserted_seq > Seq(0) && !died_at_once
}

impl Moment {
    fn of(stored: &BTreeMap<RecordKey, Arc<Record>>) -> Moment {
        let live = stored.iter().filter(|(_, record)| record.is_live());
        let known = stored.iter().filter(|(_, record)| has_lived(record));
        Moment {
            visible: Rc::new(
                live.map(|(key, record)| (key.clone(), data_text(record)))
                    .collect(),
            ),
            known: Rc::new(known.map(|(key, _)| key.clone()).collect()),
        }
    }
}

fn remembered<'c>(
    commit: &'c Commit,
    (client, m): &(ClientKey, u64),
) -> Option<(WriterNo, &'c Verdict, PayloadHash)> {
    let mark = commit.marks.iter().find(|mark| mark.client == *client)?;
    let found = mark.verdicts.iter().find(|remembered| remembered.m == *m)?;
    Some((mark.writer, &found.verdict, found.hash))
}

/// What a mutation must be answered; `None` for one that cannot be read.
fn expect(
    reference: &mut Reference,
    (registered, judged, writer): (&Registered, &Judged, WriterNo),
    clock: &mut Hlc,
) -> Option<(Expected, bool)> {
    let changes = registered.asked.as_ref()?;
    let before = *clock;
    let stamped = change::stamp(changes, writer, judged.taken_at_ms, clock);
    let expected = reference.join(&stamped.changes);
    if expected == Expected::Unknown {
        *clock = before;
    }
    Some((expected, stamped.clamped))
}

fn check_verdict(
    judged: &Judged,
    expected: &Option<(Expected, bool)>,
    verdict: &Verdict,
) -> Checked {
    let fits = match (expected, &verdict.status) {
        (None, Status::Rejected(_)) | (Some((Expected::Unknown, _)), Status::Rejected(_)) => true,
        (Some((Expected::Applied(losses), clamped)), Status::Applied)
        | (Some((Expected::Superseded(losses), clamped)), Status::Superseded) => {
            *losses == losses_of(verdict) && *clamped == verdict.clamped
        }
        _ => false,
    };
    ensure(fits, "verdict", || {
        format!("{judged:?}: {verdict:?}, must be {expected:?}")
    })
}
