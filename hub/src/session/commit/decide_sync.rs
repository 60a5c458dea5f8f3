//! Judges a changeset without numbers: what can be stored is merged, the rest set aside.
//!
//! Such clients send a changeset again until they are answered, so every rule here makes the
//! second time harmless: a claim that the hub gave a stamp keeps it, be it a time too far ahead
//! or a change without a time; a change set aside is set aside once.
//! And what is new comes after all that the client said before, in whatever millisecond.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncline_protocol::change::{Change, Claim, ClaimedChange, Op, StampedChange};
use syncline_protocol::compat::cursor::Since;
use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{FieldName, RecordKey, Seq, WriterNo};
use syncline_protocol::json::Json;
use syncline_protocol::limits::STAMP_AHEAD_MS_MAX;
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::record::Record;
use syncline_protocol::stamp::{Hlc, Stamp, WallMs};

use super::claims::{Claims, Kept, Said};
use super::decide::{Deciding, Outcome};
use super::working::Workings;
use crate::session::client::Client;
use crate::session::pending::Pending;
use crate::session::synced::{Echo, SyncConflict, Synced, Whole};

/// A record a changeset named.
#[derive(Default)]
struct Named {
    /// It was there before the changeset.
    was_here: bool,
    /// The fields it named since its last insert, each with the value it named last.
    fields: BTreeMap<FieldName, Json>,
    /// It inserted the record, which replaces what the device had of it.
    inserted: bool,
    /// It meant the record to be dead in the end.
    deleted: bool,
    /// Something of it was set aside: what the device shows nobody else has.
    set_aside: bool,
    /// Of that not all was kept: the device has the only whole copy, and is told the record for other
    /// reasons only.
    cut: bool,
}

impl Named {
    /// All of it was set aside.
    fn names_nothing(&self) -> bool {
        self.fields.is_empty() && !self.inserted && !self.deleted
    }
}

/// One changeset on its way.
struct Changeset {
    writer: WriterNo,
    taken_at_ms: WallMs,
    /// What its claims were given, and those of earlier ones.
    claims: Claims,
    named: BTreeMap<RecordKey, Named>,
    touched: Workings,
    ties: usize,
    conflicts: Vec<SyncConflict>,
    changed: bool,
}

impl Deciding {
    pub(super) fn changeset(
        &mut self,
        pending: &Pending,
        changes: &[SyncChange],
        client: &Client,
    ) -> Outcome {
        if self.is_of_before_erasure(pending) {
            return self.erased(changes, client);
        }
        let writers = self.writers_given();
        let writer = self.writer(&pending.client, client);
        let moved = self.given_stamps.get(&pending.client);
        let whole = pending.is_whole().then(|| (changes, self.heard(pending)));
        let mut set = Changeset {
            writer,
            taken_at_ms: pending.taken_at_ms,
            claims: Claims::new(moved.or(client.given.as_ref()).cloned(), whole),
            named: BTreeMap::new(),
            touched: Workings::default(),
            ties: 0,
            conflicts: Vec::new(),
            changed: false,
        };
        let begins_ms = self.begins_ms(pending);
        for change in changes {
            if begins_ms.is_some_and(|ms| !is_made_since(ms, change, pending.taken_at_ms)) {
                // Not even set aside.
                set.conflict(change, Code::Erased);
                continue;
            }
            if let Err(refusal) = self.sync_change(change, &mut set) {
                let from = (&pending.client, pending.taken_at_ms);
                let is_kept = self.letters.add(change, refusal.code, from);
                set.conflict(change, refusal.code);
                if let Some(key) = &change.key {
                    let named = set.named(key, self.current(key).is_some());
                    named.set_aside = true;
                    named.cut |= !is_kept;
                }
            }
        }
        // What parts of it were given in another history is not so in this one.
        let earlier = pending.earlier_in(self.epoch());
        let parts = (earlier, !pending.later.is_empty());
        let kept = std::mem::take(&mut set.claims).remember(parts, (self.seq, set.changed));
        let Kept { given, .. } = &kept;
        let known = if set.changed || given.is_some() {
            let mark = self.mark(&pending.client, writer, client.decided);
            // What this batch moved follows from what the first of its changesets stands on.
            mark.expect_given.get_or_insert(client.given_count());
            if given.is_some() {
                mark.given.clone_from(given);
            }
            true
        } else {
            self.take_back_writers(&pending.client, writers);
            client.writer.is_some()
        };
        if let Some(given) = given {
            self.given_stamps
                .insert(pending.client.clone(), given.clone());
        }
        self.keep(std::mem::take(&mut set.touched), set.ties, pending);
        let synced = Synced {
            epoch: self.epoch(),
            writer: known.then_some(writer),
            echoes: set.echoes(self),
            conflicts: set.conflicts,
            commits: set.changed.then_some(self.seq..=self.seq),
            is_untold: false,
        };
        Outcome::Synced { synced, kept }
    }

    /// Whether a changeset was made by a device that had not heard since everything was erased. It
    /// may hold what was stored then. One whose cursor is not the hub's own does not tell.
    fn is_of_before_erasure(&self, pending: &Pending) -> bool {
        let erased_at_ms = self.erased_at_ms().filter(|_| !mutant(Mutant::StoreErased));
        let place = pending.since.zip(erased_at_ms);
        place.is_some_and(|(since, at_ms)| since.is_before(at_ms))
    }

    /// From when on what a changeset says must be made, if something was erased and its device had
    /// to start again: pulls have told it, but its queue may be older, and nothing else says what of
    /// it is.
    fn begins_ms(&self, pending: &Pending) -> Option<WallMs> {
        let starts_again = pending.since.is_some_and(Since::starts_again);
        let begins_ms = self.since_erasure_ms().filter(|_| starts_again);
        begins_ms.filter(|_| !mutant(Mutant::StoreErased))
    }

    /// Nothing of it is stored, not even aside: each change is named, or it would come again.
    fn erased(&self, changes: &[SyncChange], client: &Client) -> Outcome {
        let conflict = |change: &SyncChange| SyncConflict {
            table: change.table.clone(),
            id: change.id.clone(),
            code: Code::Erased,
        };
        let synced = Synced {
            epoch: self.epoch(),
            writer: client.writer,
            conflicts: changes.iter().map(conflict).collect(),
            echoes: Vec::new(),
            commits: None,
            is_untold: false,
        };
        let kept = Kept::default();
        Outcome::Synced { synced, kept }
    }

    /// Up to which commit of this history the client had heard when it sent its changeset.
    fn heard(&self, pending: &Pending) -> Option<Seq> {
        pending.since?.heard(&self.place())
    }

    fn sync_change(&mut self, change: &SyncChange, set: &mut Changeset) -> Result<(), Refusal> {
        let claimed = change.asked.as_ref().map_err(Clone::clone)?;
        let key = &claimed.key;
        let before = self.current(key).cloned();
        let working = set.touched.of(key, before.as_ref());
        let mut stamping = Stamping {
            clock: &mut self.clock,
            claims: &mut set.claims,
            onto: &working.record,
            writer: set.writer,
            taken_at_ms: set.taken_at_ms,
        };
        let stamped = stamping.stamp(claimed, &change.text);
        let merged = working.merge(&stamped, self.seq, &self.limits)?;
        let is_unknown = working.record.inserted.is_none();
        let was_here = working.was_here;
        set.changed |= merged.changed;
        set.ties += merged.ties;
        if is_unknown && matches!(claimed.op, Op::Update { .. }) {
            set.conflict(change, Code::RecordUnknown);
        }
        set.name(claimed, was_here);
        Ok(())
    }
}

/// Whether a change says that it was made since then. A time that is not believed says nothing.
fn is_made_since(ms: WallMs, change: &SyncChange, taken_at_ms: WallMs) -> bool {
    let made = ms..=taken_at_ms + STAMP_AHEAD_MS_MAX;
    let is_since = |claim: &Claim| claim.is_some_and(|at| made.contains(&at.wall_ms()));
    match change.asked.as_ref().map(|asked| &asked.op) {
        Ok(Op::Insert { at, .. } | Op::Delete { at }) => is_since(at),
        Ok(Op::Update { fields }) => fields.iter().all(|(_, _, at)| is_since(at)),
        Err(_) => false,
    }
}

/// Gives the claims of one change their stamps.
struct Stamping<'a> {
    /// The space's.
    clock: &'a mut Hlc,
    claims: &'a mut Claims,
    /// The record the change is about to be merged onto.
    onto: &'a Record,
    writer: WriterNo,
    taken_at_ms: WallMs,
}

impl Stamping<'_> {
    /// Gives every claim its stamp: equal claims of one change the same.
    fn stamp(&mut self, change: &ClaimedChange, text: &str) -> StampedChange {
        let writer = self.writer;
        let (mut said, mut given) = (Said::new(text, change), BTreeMap::new());
        let mut stamp = |claim: Claim| Stamp {
            at: *given
                .entry(claim)
                .or_insert_with(|| self.claimed(claim, &change.op, &mut said)),
            writer,
        };
        let op = match &change.op {
            Op::Insert { at, data } => Op::Insert {
                at: stamp(*at),
                data: data.clone(),
            },
            Op::Delete { at } => Op::Delete { at: stamp(*at) },
            Op::Update { fields } => {
                let stamped = fields.iter();
                let stamped =
                    stamped.map(|(name, value, at)| (name.clone(), value.clone(), stamp(*at)));
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

    /// What a claim is given: a time itself, unless it is too far ahead; else the hub's. What was
    /// given a stamp when it first came keeps that. What is new comes after all that the client
    /// wrote there before.
    fn claimed(&mut self, claim: Claim, op: &Op<Claim>, said: &mut Said<'_>) -> Hlc {
        // What the space's clock has passed is not ahead, whenever it was taken: a tick would make
        // it newer. Nor is what is no later than a time of this client that was believed already,
        // when a copy of its request had come later, or to a faster clock.
        let from_ms = self.claims.latest_ms();
        let horizon_ms = from_ms.max(self.taken_at_ms + STAMP_AHEAD_MS_MAX);
        let usable = claim.filter(|at| at.wall_ms() <= horizon_ms || *at <= *self.clock);
        let old = usable.filter(|at| at.wall_ms() < from_ms);
        if let Some(at) = old
            && self.claims.remember_nothing_given()
        {
            return at;
        }
        let claimed = self.claims.of(claim, said);
        if let Some(became) = self.claims.became((claimed, claim), said) {
            return became;
        }
        if let Some(at) = old {
            return at;
        }
        let at = usable.unwrap_or_else(|| {
            *self.clock = self.clock.tick(self.taken_at_ms);
            *self.clock
        });
        let own = self.onto.newest_of(self.writer, op, claim);
        let own = own.filter(|_| !mutant(Mutant::ForgetOrder));
        let at = at.max(own.map_or(at, Hlc::next));
        match usable {
            Some(usable) => self.claims.keep((claimed, usable.wall_ms()), at, said),
            None => self.claims.give(claimed, at, said),
        }
        at
    }
}

impl Changeset {
    fn conflict(&mut self, change: &SyncChange, code: Code) {
        self.conflicts.push(SyncConflict {
            table: change.table.clone(),
            id: change.id.clone(),
            code,
        });
    }

    /// A record, which was there before the changeset or was not.
    fn named(&mut self, key: &RecordKey, was_here: bool) -> &mut Named {
        let named = self.named.entry(key.clone());
        named.or_insert_with(|| Named {
            was_here,
            ..Named::default()
        })
    }

    fn name(&mut self, change: &ClaimedChange, was_here: bool) {
        let named = self.named(&change.key, was_here);
        match &change.op {
            Op::Insert { data, .. } => {
                named.fields = data.iter().cloned().collect();
                (named.inserted, named.deleted) = (true, false);
            }
            Op::Update { fields } => {
                let writes = fields
                    .iter()
                    .map(|(name, value, _)| (name.clone(), value.clone()));
                named.fields.extend(writes);
            }
            Op::Delete { .. } => named.deleted = true,
        }
    }

    /// What the device must be told of the records it named.
    fn echoes(&self, deciding: &Deciding) -> Vec<Echo> {
        let echo = |(key, named): (&RecordKey, &Named)| self.echo(named, deciding.current(key)?);
        let named = self.named.iter();
        named
            .filter_map(|one| {
                let (record, fields, whole) = echo(one)?;
                let key = one.0.clone();
                Some(Echo {
                    key,
                    record,
                    fields,
                    whole,
                })
            })
            .collect()
    }

    /// Of a record that was here before: all it named, and what its insert did not name, since
    /// that replaced what the device had. A reply to an earlier request may have overwritten what
    /// was written after it was asked, and nothing tells the hub so. Of a new record: whatever
    /// is not as the device sent it. Of one that something was set aside of, and kept whole: all of it. A record
    /// that was never inserted here stays on the device: a delete would hide what its user typed, and
    /// may be the only whole copy of.
    fn echo(
        &self,
        named: &Named,
        record: &Arc<Record>,
    ) -> Option<(Arc<Record>, Vec<FieldName>, Whole)> {
        record.inserted?;
        let taken_back = named.set_aside && !named.cut;
        if named.names_nothing() && !taken_back {
            return None;
        }
        let stored = |name: &FieldName| record.field(name.as_str()).map(|field| &field.value);
        let was_here = named.was_here;
        let told = named.fields.iter();
        let told = told.filter(|(name, sent)| was_here || stored(name) != Some(*sent));
        let fields: Vec<FieldName> = told.map(|(name, _)| name.clone()).collect();
        let unnamed = |name| !named.fields.contains_key(name);
        let replaced =
            named.inserted && (was_here || record.fields.iter().any(|field| unnamed(&field.name)));
        let all_stored = named.fields.keys().all(|name| stored(name).is_some());
        let survived = named.deleted && record.is_live();
        // A field it shows may be covered by a delete, also by its own that lost, or be set aside:
        // only the whole record says so.
        let differs = !all_stored || replaced || survived || taken_back;
        let whole = if record.is_live() && differs {
            Whole::Replace
        } else {
            Whole::No
        };
        let not_as_meant = named.deleted == record.is_live();
        let is_told = was_here || taken_back || replaced || !fields.is_empty() || not_as_meant;
        is_told.then(|| (record.clone(), fields, whole))
    }
}
