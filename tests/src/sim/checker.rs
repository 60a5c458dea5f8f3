//! What must hold, whatever happens. The checker sees every commit as it takes effect, keeps
//! the space's history, and compares with it what devices are told.
//!
//! | invariant | says |
//! |---|---|
//! | `onto` | what a commit merged onto is what the store held at the expected head |
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
//! | `erased` | no mutation that was sent before its device heard of an erasure takes effect after it, and no changeset is said to be of before that is not |
//! | `kept` | nothing is collected before its time |
//! | `noticed` | commits that the store lost are noticed by the cursors of devices that have heard of them |
//! | `back` | no device is welcomed at less than its cursor of the same history |
//! | `put` | a commit puts the jobs of what it shows otherwise, all of them and no others |
//! | `depth` | a job is as deep as the change it follows from, and a circle ends |
//! | `there` | a job is there from its commit until it is ended, replaced, cancelled or erased, also while a part of it is done |
//! | `fence` | of two leases of a job only the later one ends it |
//! | `effect` | what a job writes takes effect in the commit that ends it |
//! | `lane` | what jobs of a lane write takes effect in the order in which they were put |
//! | `snooze` | a job that was snoozed is not leased before its time |
//! | `tries` | a dead job that is replayed has all its tries again |
//! | `drain` | a node that goes down has finished its commits |
//! | `order` | of one device's edits of a field the last wins, if nobody else's stands there |
//!
//! A restore that nobody was told of makes one epoch have two histories. Until the epoch
//! changes nothing can be promised about it, so it is not checked.

mod changesets;
mod claims;
mod copies;
pub mod crossed;
mod erasures;
mod excuses;
mod jobs;
mod moment;
mod mutations;
mod order;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use syncline_hub::session::cache::Known;
use syncline_protocol::change::ClaimedChange;
use syncline_protocol::compat::cursor::Since;
use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::error::Code;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, Seq, SpaceKey, WriterNo};
use syncline_protocol::record::Record;
use syncline_protocol::stamp::{Hlc, WallMs};
use syncline_protocol::verdict::{Mark, Verdict};
use syncline_storage::dead_letter::DEAD_LETTER_BYTES_MAX;
use syncline_storage::jobs::Ended;
use syncline_storage::model::ModelStore;
use syncline_storage::types::{Commit, DeadLetter, SpaceView};

use self::claims::Claims;
pub use self::copies::Differing;
use self::erasures::Erasures;
pub use self::excuses::{Excuses, Fields};
use self::jobs::Jobs;
use self::moment::Moment;
pub use self::moment::Visible;
use self::mutations::Registered;
use self::order::Order;

use super::reference::Reference;
use super::trace::{Checked, ensure, violated};

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

/// What is judged.
#[derive(Clone, Debug)]
pub enum What {
    /// The mutation of this number.
    Mutation(u64),
    /// A changeset, or a part of one.
    Changeset(Part),
    /// What a job writes.
    Job(JobPart),
}

/// What a job writes.
#[derive(Clone, Debug)]
pub struct JobPart {
    /// Its changes, if they can be read.
    pub asked: Option<Vec<ClaimedChange>>,
    /// The history that the job is of.
    pub epoch: Epoch,
    /// How many jobs stand between it and somebody's own change.
    pub depth: u8,
    /// How its lease ends.
    pub ended: Ended,
}

/// A changeset, or a part of one.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its changes.
    pub changes: Vec<SyncChange>,
    /// What its device had heard of.
    pub since: Option<Since>,
    /// It is all that was sent at once.
    pub is_whole: bool,
    /// Parts of it were merged before.
    pub is_rest: bool,
    /// More parts follow.
    pub goes_on: bool,
}

/// A session's batch: what it judges in order and the space's clock before them.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What is judged.
    pub judged: Vec<Judged>,
    /// The clock.
    pub clock: Hlc,
    /// What it merges onto: of each record what the session took it for.
    pub bases: Vec<(RecordKey, Known)>,
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
    /// The leases that the commit at hand has ended so far.
    ended: Vec<Ended>,
    /// Epochs with two histories.
    split: HashSet<Epoch>,
    /// Clients that ever sent a changeset.
    changers: HashSet<ClientKey>,
    /// What each client edited last.
    order: Order,
    /// The epoch of the store.
    epoch: Epoch,
    /// Epochs by the minute that names them in cursors of the compatibility protocol.
    minutes: HashMap<u64, Epoch>,
    /// What was erased.
    erasures: Erasures,
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
    /// Since when records are dead, by the clock of the node that committed it.
    dead_ms: HashMap<RecordKey, WallMs>,
    jobs: Jobs,
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
            ended: Vec::new(),
            split: HashSet::new(),
            changers: HashSet::new(),
            order: Order::default(),
            erasures: Erasures::default(),
        }
    }

    /// A commit took effect.
    pub fn committed(&mut self, commit: &Commit, batch: &Batch, store: &ModelStore) -> Checked {
        self.ended.clear();
        let mut clock = batch.clock;
        let mut any_applied = false;
        let mut letters = Vec::new();
        for judged in &batch.judged {
            any_applied |= match &judged.what {
                What::Mutation(m) => self.mutation(commit, (judged, *m), &mut clock)?,
                What::Job(part) => self.job_wrote(commit, (judged, part), &mut clock)?,
                What::Changeset(part) => {
                    self.changeset(commit, (judged, part), (&mut clock, &mut letters))?
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

    fn check_writer(&mut self, writer: WriterNo, judged: &Judged, split: bool) -> Checked {
        let owners = &mut self.now.writers;
        let owner = owners
            .entry(writer)
            .or_insert_with(|| judged.client.clone());
        ensure(split || *owner == judged.client, "writer", || {
            format!("{writer:?} is of {owner:?} and of {judged:?}")
        })
    }

    /// Whether what a commit merged onto was what the store held, which was `held`.
    pub fn merged_onto(&self, commit: &Commit, batch: &Batch, held: &[Option<Record>]) -> Checked {
        if self.split.contains(&commit.expect_epoch) {
            return Ok(());
        }
        for ((key, base), held) in batch.bases.iter().zip(held) {
            ensure(base.as_deref() == held.as_ref(), "onto", || {
                format!("{key} was {held:?}, merged onto was {base:?}")
            })?;
        }
        Ok(())
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
        self.now.moment.move_on(commit);
        for (key, record) in &commit.records {
            match record.is_live() {
                true => drop(self.now.dead_ms.remove(key)),
                false => drop(self.now.dead_ms.entry(key.clone()).or_insert(commit.now_ms)),
            }
        }
        let at = (commit.expect_epoch, commit.head);
        self.history.insert(at, self.now.moment.clone());
        Ok(())
    }

    /// What was too old was collected: only what is dead may go, and numbers of clients.
    /// `before` is what was there, `dead_before_ms` when what went must have been dead.
    pub fn collected(
        &mut self,
        view: &SpaceView,
        (before, dead_before_ms): (&BTreeMap<RecordKey, Arc<Record>>, WallMs),
        store: &ModelStore,
    ) -> Checked {
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
        let went = before
            .iter()
            .filter(|(key, record)| stored.get(*key) != Some(*record));
        for (key, _) in went {
            let dead_ms = self.now.dead_ms.get(key).copied();
            let in_time = dead_ms.is_none_or(|dead_ms| dead_ms < dead_before_ms);
            ensure(in_time, "kept", || {
                format!("{key}, dead since {dead_ms:?}, goes before {dead_before_ms}")
            })?;
        }
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
            let erased = self.now.moment.erased;
            self.now.moment = Moment {
                erased,
                ..Moment::of(&stored)
            };
        }
        let at = (view.epoch, view.head);
        self.history.insert(at, self.now.moment.clone());
        self.minutes.insert(copies::minute(&view), view.epoch);
        self.erasures.epoch_given(view.epoch);
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

    /// A device whose cursor is of this history is welcomed at a head.
    pub fn welcomed(&self, (epoch, cursor): (Epoch, Seq), head: Option<u64>) -> Checked {
        let is_split = self.split.contains(&epoch);
        let is_there = head.is_some_and(|head| head >= cursor.0);
        ensure(is_split || is_there, "back", || {
            format!("at {cursor} of {epoch}, welcomed at {head:?}")
        })
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
