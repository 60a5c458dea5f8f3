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
//! | `erased` | no mutation that was sent before its device heard of an erasure takes effect after it, and no changeset is said to be of before that is not |
//! | `order` | of one device's edits of a field the last wins, if nobody else's stands there |
//!
//! A restore that nobody was told of makes one epoch have two histories. Until the epoch
//! changes nothing can be promised about it, so it is not checked.

mod changesets;
mod copies;
mod erasures;
mod order;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use syncline_hub::session::event::Sender;
use syncline_protocol::change::{Change, Claim, ClaimedChange, Op, StampedChange};
use syncline_protocol::compat::cursor::Since;
use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::error::Code;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, Seq, SpaceKey, WriterNo};
use syncline_protocol::limits::STAMP_AHEAD_MS_MAX;
use syncline_protocol::mutation::Mutation;
use syncline_protocol::record::Record;
use syncline_protocol::stamp::{Hlc, Stamp, WallMs};
use syncline_protocol::verdict::{Mark, PayloadHash, Status, Verdict};
use syncline_protocol::wire::hub::{Answer, write_results};
use syncline_storage::dead_letter::DEAD_LETTER_BYTES_MAX;
use syncline_storage::model::ModelStore;
use syncline_storage::types::{Commit, DeadLetter, SpaceView};

use self::changesets::Claims;
pub use self::copies::{Differing, Excuses};
use self::erasures::Erasures;
use self::order::{Clocked, Order};

use super::reference::{Expected, Joined, Reference, data_text, losses_of};
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
    /// A changeset, or a part of one.
    Changeset(Part),
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
    /// What each client edited last.
    order: Order,
    /// The epoch of the store.
    epoch: Epoch,
    /// Epochs by the minute that names them in cursors of the compatibility protocol.
    minutes: HashMap<u64, Epoch>,
    /// What was erased.
    erasures: Erasures,
}

/// The space after a commit.
#[derive(Clone, Debug, Default)]
struct Moment {
    visible: Visible,
    /// Records that ever lived.
    known: Rc<BTreeSet<RecordKey>>,
    /// Records that died, or of which a delete took a part.
    buried: Rc<BTreeSet<RecordKey>>,
    /// Everything was erased before. A device of the compatibility protocol is not told, so it goes
    /// on showing what it had.
    erased: bool,
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
    /// The first epoch its client knew, where devices say so.
    epoch: Option<Epoch>,
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
            order: Order::default(),
            erasures: Erasures::default(),
        }
    }

    /// A device gave a mutation its number.
    pub fn numbered(&mut self, sender: &Sender, mutation: &Mutation) {
        let registered = Registered {
            hash: mutation.hash,
            asked: mutation.asked.as_ref().ok().cloned(),
            epoch: sender.epoch,
        };
        self.registry
            .insert((sender.client.clone(), mutation.m), registered);
    }

    /// A commit took effect.
    pub fn committed(&mut self, commit: &Commit, batch: &Batch, store: &ModelStore) -> Checked {
        let mut clock = batch.clock;
        let mut any_applied = false;
        let mut letters = Vec::new();
        for judged in &batch.judged {
            any_applied |= match &judged.what {
                What::Mutation(m) => self.mutation(commit, (judged, *m), &mut clock)?,
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
        self.erasures
            .check_heard(registered.epoch, commit.expect_epoch)?;
        if !split {
            let reference = &mut self.now.reference;
            let expected = expect(reference, (registered, judged, writer), clock);
            check_verdict(judged, &expected, verdict)?;
            if !matches!(verdict.status, Status::Rejected(_)) {
                let asked = registered.asked.iter().flatten();
                let order = &mut self.order;
                asked.for_each(|asked| order.edited(&judged.client, asked, Clocked::Logically));
            }
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
            let lost = record.inserted_seq == commit.head || !record.is_live();
            if record.deleted.is_some() && lost && !self.now.moment.buried.contains(key) {
                Rc::make_mut(&mut self.now.moment.buried).insert(key.clone());
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
        let buried = stored
            .iter()
            .filter(|(_, record)| record.deleted_seq > Seq(0));
        Moment {
            visible: Rc::new(
                live.map(|(key, record)| (key.clone(), data_text(record)))
                    .collect(),
            ),
            known: Rc::new(known.map(|(key, _)| key.clone()).collect()),
            buried: Rc::new(buried.map(|(key, _)| key.clone()).collect()),
            erased: false,
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
    let mut clamped = false;
    let expected = reference.join(changes, |change, onto| {
        stamped(
            change,
            onto,
            (writer, judged.taken_at_ms),
            (clock, &mut clamped),
        )
    });
    if expected == Expected::Unknown {
        *clock = before;
    }
    Some((expected, clamped))
}

/// A numbered change with its stamps: a claim too far ahead, or none, is a tick, or what comes just
/// after the writer's own earlier edits there.
fn stamped(
    change: &ClaimedChange,
    onto: &Joined,
    (writer, taken_at_ms): (WriterNo, WallMs),
    (clock, clamped): (&mut Hlc, &mut bool),
) -> StampedChange {
    let mut claims: Vec<Claim> = claims_of(&change.op);
    claims.sort_unstable();
    claims.dedup();
    let (passed, mut stamps) = (*clock, BTreeMap::new());
    for claim in claims {
        let is_ahead = |at: Hlc| at.wall_ms() > taken_at_ms + STAMP_AHEAD_MS_MAX && at > passed;
        let at = match claim {
            Some(at) if !is_ahead(at) => at,
            _ => {
                *clamped |= claim.is_some();
                *clock = clock.tick(taken_at_ms);
                let own = onto.own(writer, &change.op, claim);
                let own = own.into_iter().max();
                let own = own.filter(|own| claim.is_none_or(|claim| *own <= claim));
                (*clock).max(own.map_or(*clock, Hlc::next))
            }
        };
        stamps.insert(claim, at);
    }
    with_stamps(change, |claim| Stamp {
        at: stamps[&claim],
        writer,
    })
}

/// The claims of a change, in order.
fn claims_of(op: &Op<Claim>) -> Vec<Claim> {
    match op {
        Op::Insert { at, .. } | Op::Delete { at } => vec![*at],
        Op::Update { fields } => fields.iter().map(|(_, _, at)| *at).collect(),
    }
}

fn with_stamps(change: &ClaimedChange, mut stamp: impl FnMut(Claim) -> Stamp) -> StampedChange {
    let op = match &change.op {
        Op::Insert { at, data } => Op::Insert {
            at: stamp(*at),
            data: data.clone(),
        },
        Op::Delete { at } => Op::Delete { at: stamp(*at) },
        Op::Update { fields } => {
            let fields = fields.iter();
            let stamped = fields.map(|(name, value, at)| (name.clone(), value.clone(), stamp(*at)));
            Op::Update {
                fields: stamped.collect(),
            }
        }
    };
    Change {
        key: change.key.clone(),
        op,
    }
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
