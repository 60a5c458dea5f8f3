//! Judges a changeset without numbers: what can be stored is merged, the rest set aside.
//!
//! Such clients send a changeset again until they are answered, so every rule here makes the
//! second time harmless: a claim that was clamped keeps what it became, a missing time takes
//! what the record has, a change set aside is set aside once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use syncline_protocol::change::{Change, Claim, ClaimedChange, Op, StampedChange};
use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{FieldName, RecordKey, WriterNo};
use syncline_protocol::json::Json;
use syncline_protocol::limits::{STAMP_AHEAD_MS_MAX, STAMP_WALL_MS_MIN};
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::record::Record;
use syncline_protocol::stamp::{Hlc, Stamp, WallMs};
use syncline_protocol::verdict::Clamped;
use syncline_storage::types::DeadLetter;

use super::decide::{Deciding, Outcome};
use crate::session::client::Client;
use crate::session::event::{Echo, SyncConflict, Synced, Whole};
use crate::session::state::Pending;

/// Clamped claims are remembered until the hub's clock has passed them by a day: only until
/// then a resend could claim them again.
const CLAMP_REMEMBERED_MS: u64 = 86_400_000;

/// A record a changeset named.
#[derive(Default)]
struct Named {
    /// As it was before the changeset.
    before: Option<Arc<Record>>,
    /// The fields it named since its last insert, each with the value it named last.
    fields: BTreeMap<FieldName, Json>,
    /// It inserted the record, which replaces what the device had of it.
    inserted: bool,
    /// It meant the record to be dead in the end.
    deleted: bool,
}

/// One changeset on its way.
struct Changeset {
    writer: WriterNo,
    taken_at_ms: WallMs,
    /// Clamped claims of earlier requests.
    earlier: Option<Clamped>,
    /// Clamped claims of this request, each with what it became.
    fresh: HashMap<Hlc, Hlc>,
    named: BTreeMap<RecordKey, Named>,
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
        let writers = self.writers_given();
        let writer = self.writer(&pending.client, client);
        let earlier = self.clamps.get(&pending.client).copied().or(client.clamped);
        let passed =
            |clamped: &Clamped| pending.taken_at_ms > clamped.to.wall_ms() + CLAMP_REMEMBERED_MS;
        let mut set = Changeset {
            writer,
            taken_at_ms: pending.taken_at_ms,
            earlier: earlier.filter(|clamped| !passed(clamped)),
            fresh: HashMap::new(),
            named: BTreeMap::new(),
            conflicts: Vec::new(),
            changed: false,
        };
        for change in changes {
            if let Err(refusal) = self.sync_change(change, &mut set) {
                self.dead_letters.push(DeadLetter {
                    at_ms: pending.taken_at_ms,
                    client: pending.client.clone(),
                    table: change.table.clone(),
                    id: change.id.clone(),
                    code: refusal.code,
                    change: change.text.clone(),
                });
                set.conflict(change, refusal.code);
            }
        }
        let clamped = set.clamped();
        let known = if set.changed || !set.fresh.is_empty() {
            let mark = self.mark(&pending.client, writer, client.decided);
            if !set.fresh.is_empty() {
                mark.clamped = clamped;
            }
            true
        } else {
            self.take_back_writers(&pending.client, writers);
            client.writer.is_some()
        };
        if let Some(clamped) = clamped {
            self.clamps.insert(pending.client.clone(), clamped);
        }
        let synced = Synced {
            epoch: self.epoch(),
            writer: known.then_some(writer),
            echoes: set.echoes(self),
            conflicts: set.conflicts,
        };
        Outcome::Synced { synced, clamped }
    }

    fn sync_change(&mut self, change: &SyncChange, set: &mut Changeset) -> Result<(), Refusal> {
        let claimed = change.asked.as_ref().map_err(Clone::clone)?;
        let key = &claimed.key;
        let before = self.current(key).cloned();
        let stamped = self.sync_stamp(claimed, before.as_deref(), set);
        let mut after = before.as_deref().cloned().unwrap_or_default();
        let sizes = before
            .as_ref()
            .map_or((0, 0), |r| (r.size_bytes(), r.fields.len()));
        let merged = after.merge(&stamped, self.seq);
        if merged.changed {
            self.check_size(key, &after, sizes)?;
        }
        if matches!(claimed.op, Op::Update { .. }) && after.inserted.is_none() {
            set.conflict(change, Code::RecordUnknown);
        }
        set.name(claimed, before);
        self.ties += merged.ties;
        if merged.changed {
            set.changed = true;
            self.dirty.insert(key.clone(), Arc::new(after));
        }
        Ok(())
    }

    /// Gives every claim its stamp. A missing time takes what the record has where that says
    /// the same, so that a resend changes nothing.
    fn sync_stamp(
        &mut self,
        change: &ClaimedChange,
        before: Option<&Record>,
        set: &mut Changeset,
    ) -> StampedChange {
        let op = match &change.op {
            Op::Insert { at, data } => {
                let inserted = before.and_then(|record| record.inserted);
                // What is there may be newer than this, which may be a resend: it only adds what is
                // missing, so that it never wins twice.
                let oldest = Stamp {
                    at: Hlc::new(STAMP_WALL_MS_MIN, 0),
                    writer: set.writer,
                };
                let stored = inserted.map(|_| oldest);
                Op::Insert {
                    at: self.sync_time(*at, stored, set),
                    data: data.clone(),
                }
            }
            Op::Delete { at } => {
                let dead = before.filter(|record| !record.is_live());
                let at = self.sync_time(*at, dead.and_then(|record| record.deleted), set);
                Op::Delete { at }
            }
            Op::Update { fields } => {
                let mut stamp = |(name, value, at): &(FieldName, Json, Claim)| {
                    let stored = before.and_then(|record| record.field(name.as_str()));
                    let same = stored.filter(|field| field.value == *value);
                    let at = self.sync_time(*at, same.map(|field| field.stamp), set);
                    (name.clone(), value.clone(), at)
                };
                Op::Update {
                    fields: fields.iter().map(&mut stamp).collect(),
                }
            }
        };
        Change {
            key: change.key.clone(),
            op,
        }
    }

    fn sync_time(&mut self, claim: Claim, stored: Option<Stamp>, set: &mut Changeset) -> Stamp {
        let writer = set.writer;
        let Some(claim) = claim else {
            return stored.unwrap_or_else(|| Stamp {
                at: self.tick(set),
                writer,
            });
        };
        if let Some(became) = set.became(claim) {
            return Stamp { at: became, writer };
        }
        // What the space's clock has passed is not ahead, whenever it was taken: a tick would make
        // it newer.
        if claim.wall_ms() <= set.taken_at_ms + STAMP_AHEAD_MS_MAX || claim <= self.clock {
            return Stamp { at: claim, writer };
        }
        let at = self.tick(set);
        set.fresh.insert(claim, at);
        Stamp { at, writer }
    }

    fn tick(&mut self, set: &Changeset) -> Hlc {
        self.clock = self.clock.tick(set.taken_at_ms);
        self.clock
    }
}

impl Changeset {
    /// What a claim became when it was clamped, here or in an earlier request.
    fn became(&self, claim: Hlc) -> Option<Hlc> {
        if let Some(became) = self.fresh.get(&claim) {
            return Some(*became);
        }
        let earlier = self.earlier.filter(|_| !mutant(Mutant::ForgetClamp))?;
        // The same claim may come with another counter: those follow the order of a request.
        let walls = earlier.from.wall_ms()..=earlier.to.wall_ms();
        walls
            .contains(&claim.wall_ms())
            .then(|| claim.min(earlier.became))
    }

    /// The clamped claims to remember.
    fn clamped(&self) -> Option<Clamped> {
        let claims = self.fresh.keys().copied();
        let fresh = claims
            .clone()
            .min()
            .zip(claims.max())
            .map(|(from, to)| Clamped {
                from,
                to,
                became: self.fresh.values().copied().min().unwrap_or_default(),
            });
        match (self.earlier, fresh) {
            (Some(a), Some(b)) => Some(Clamped {
                from: a.from.min(b.from),
                to: a.to.max(b.to),
                became: a.became.min(b.became),
            }),
            (earlier, fresh) => fresh.or(earlier),
        }
    }

    fn conflict(&mut self, change: &SyncChange, code: Code) {
        self.conflicts.push(SyncConflict {
            table: change.table.clone(),
            id: change.id.clone(),
            code,
        });
    }

    fn name(&mut self, change: &ClaimedChange, before: Option<Arc<Record>>) {
        let named = self
            .named
            .entry(change.key.clone())
            .or_insert_with(|| Named {
                before,
                ..Named::default()
            });
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
    /// is not as the device sent it.
    fn echo(
        &self,
        named: &Named,
        record: &Arc<Record>,
    ) -> Option<(Arc<Record>, Vec<FieldName>, Whole)> {
        record.inserted?;
        let stored = |name: &FieldName| record.field(name.as_str()).map(|field| &field.value);
        let was_here = named.before.is_some();
        let told = named.fields.iter();
        let told = told.filter(|(name, sent)| was_here || stored(name) != Some(*sent));
        let fields: Vec<FieldName> = told.map(|(name, _)| name.clone()).collect();
        let unnamed = |name| !named.fields.contains_key(name);
        let replaced =
            named.inserted && (was_here || record.fields.iter().any(|field| unnamed(&field.name)));
        let all_stored = named.fields.keys().all(|name| stored(name).is_some());
        let survived = named.deleted && record.is_live();
        // A field it shows may be covered by a delete, also by its own that lost: only the whole
        // record says so.
        let whole = if record.is_live() && (!all_stored || replaced || survived) {
            Whole::Replace
        } else {
            Whole::No
        };
        let not_as_meant = named.deleted == record.is_live();
        (was_here || replaced || !fields.is_empty() || not_as_meant)
            .then(|| (record.clone(), fields, whole))
    }
}
