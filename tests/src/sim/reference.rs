//! What a space must hold, computed a second way: the join of all writes ever acknowledged,
//! with nothing taken from the hub's own merge.
//!
//! A record is kept as the greatest insert stamp, the greatest delete stamp and of each field
//! the greatest (stamp, value); what a delete covers is left out when it is looked at, never
//! when it is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncline_protocol::change::{Claim, ClaimedChange, Op, StampedChange};
use syncline_protocol::delta;
use syncline_protocol::ids::{FieldName, RecordKey, WriterNo};
use syncline_protocol::json::Json;
use syncline_protocol::record::Record;
use syncline_protocol::stamp::{Hlc, Stamp};
use syncline_protocol::verdict::{Verdict, Winner};

/// All records of a space.
#[derive(Clone, Debug, Default)]
pub struct Reference(BTreeMap<RecordKey, Joined>);

/// A record.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    inserted: Option<Stamp>,
    deleted: Option<Stamp>,
    fields: BTreeMap<FieldName, (Stamp, Json)>,
}

/// The part of a record that counts.
type State<'a> = (
    Option<Stamp>,
    Option<Stamp>,
    Vec<(&'a FieldName, &'a Stamp, &'a Json)>,
);

/// What a mutation must be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Something of it took effect; these parts lost.
    Applied(Vec<Loss>),
    /// Nothing did; these parts lost.
    Superseded(Vec<Loss>),
    /// It changes a record never inserted.
    Unknown,
}

/// What one change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// The state is another.
    Changed,
    /// The state held it already, or something newer.
    Absorbed,
    /// It was left out.
    TooLarge,
}

/// What beat a change: the record, the fields that stayed with their stamps, the delete or
/// insert that stayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    key: RecordKey,
    fields: Vec<(FieldName, Hlc, Json)>,
    deleted_at: Option<Hlc>,
    inserted_at: Option<Hlc>,
}

impl Reference {
    /// What a store holds, taken as given.
    pub fn of(records: &BTreeMap<RecordKey, Arc<Record>>) -> Reference {
        let joined = |record: &Record| Joined {
            inserted: record.inserted,
            deleted: record.deleted,
            fields: record
                .fields
                .iter()
                .map(|field| (field.name.clone(), (field.stamp, field.value.clone())))
                .collect(),
        };
        Reference(
            records
                .iter()
                .map(|(key, record)| (key.clone(), joined(record)))
                .collect(),
        )
    }

    /// Joins a mutation in, whole or not at all, and says what it must be answered.
    /// Each change is stamped onto what those before it left.
    pub fn join(
        &mut self,
        changes: &[ClaimedChange],
        mut stamp: impl FnMut(&ClaimedChange, &Joined) -> StampedChange,
    ) -> Expected {
        let mut trial: BTreeMap<&RecordKey, Joined> = BTreeMap::new();
        let (mut losses, mut changed) = (Vec::new(), false);
        for change in changes {
            let before = trial.get(&change.key).or_else(|| self.0.get(&change.key));
            let before = before.cloned().unwrap_or_default();
            if before.inserted.is_none() && !matches!(change.op, Op::Insert { .. }) {
                return Expected::Unknown;
            }
            let stamped = stamp(change, &before);
            losses.extend(before.loss(&stamped));
            let mut after = before.clone();
            after.join(&stamped.op);
            changed |= before.state() != after.state();
            trial.insert(&change.key, after);
        }
        for (key, record) in trial {
            self.0.insert(key.clone(), record);
        }
        if changed {
            Expected::Applied(losses)
        } else {
            Expected::Superseded(losses)
        }
    }

    /// Joins one change in, also of a record never inserted, unless the record grows too large.
    pub fn join_one(&mut self, change: &StampedChange, bytes_max: usize) -> Joining {
        let before = self.0.get(&change.key).cloned().unwrap_or_default();
        let mut after = before.clone();
        after.join(&change.op);
        if before.state() == after.state() {
            return Joining::Absorbed;
        }
        if after.bytes() > bytes_max {
            return Joining::TooLarge;
        }
        self.0.insert(change.key.clone(), after);
        Joining::Changed
    }

    /// A record as it is.
    pub fn record(&self, key: &RecordKey) -> Joined {
        self.0.get(key).cloned().unwrap_or_default()
    }

    /// Whether a record was ever inserted.
    pub fn was_inserted(&self, key: &RecordKey) -> bool {
        self.0
            .get(key)
            .is_some_and(|joined| joined.inserted.is_some())
    }

    /// When a record was last inserted and deleted.
    pub fn stamps(&self, key: &RecordKey) -> (Option<Stamp>, Option<Stamp>) {
        let joined = self.0.get(key);
        (
            joined.and_then(|joined| joined.inserted),
            joined.and_then(|joined| joined.deleted),
        )
    }

    /// The stamp and value of a field, unless a delete covers it.
    pub fn field(&self, key: &RecordKey, name: &FieldName) -> Option<&(Stamp, Json)> {
        let joined = self.0.get(key)?;
        let field = joined.fields.get(name)?;
        (!joined.is_covered(field.0)).then_some(field)
    }

    /// The first record in which a store differs, if any.
    pub fn differs(&self, stored: &BTreeMap<RecordKey, Arc<Record>>) -> Option<String> {
        for (key, joined) in &self.0 {
            let state = stored.get(key).map(|record| state_of(record));
            if !joined.is_nothing() && state.as_ref() != Some(&joined.state()) {
                return Some(format!("{key} is {state:?}, must be {:?}", joined.state()));
            }
        }
        // Where a key was kept of a record never inserted, nothing is left of it but the key.
        let is_there = |key: &&RecordKey| self.0.contains_key(*key);
        let more = stored.keys().find(|key| !is_there(key))?;
        Some(format!("{more} is there and must not be"))
    }

    /// Something was collected: of what is dead the store may hold less than was written. Returns
    /// of which records it does.
    pub fn forget(&mut self, stored: &BTreeMap<RecordKey, Arc<Record>>) -> Vec<RecordKey> {
        let mut forgotten = Vec::new();
        for (key, joined) in self.0.iter_mut().filter(|(_, joined)| !joined.is_live()) {
            match stored.get(key) {
                None => forgotten.push(key.clone()),
                Some(record) if record.fields.is_empty() && !joined.fields.is_empty() => {
                    joined.fields.clear();
                    forgotten.push(key.clone());
                }
                Some(_) => {}
            }
        }
        self.0
            .retain(|key, joined| joined.is_live() || stored.contains_key(key));
        forgotten
    }

    /// How many records are live.
    pub fn live(&self) -> u64 {
        self.0.values().filter(|joined| joined.is_live()).count() as u64
    }
}

impl Joined {
    fn is_live(&self) -> bool {
        self.inserted.is_some() && self.inserted > self.deleted
    }

    /// A writer's stamps on all that the part of a change with a claim stands against.
    pub fn own(&self, writer: WriterNo, op: &Op<Claim>, claim: Claim) -> Vec<Hlc> {
        let mut stamps: Vec<Stamp> = self.deleted.into_iter().collect();
        if !matches!(op, Op::Update { .. }) {
            stamps.extend(self.inserted);
        }
        for (name, (stamp, _)) in &self.fields {
            let is_meant = match op {
                Op::Insert { data, .. } => data.iter().any(|(other, _)| other == name),
                Op::Update { fields } => fields
                    .iter()
                    .any(|(other, _, at)| other == name && *at == claim),
                Op::Delete { .. } => true,
            };
            if is_meant && !self.is_covered(*stamp) {
                stamps.push(*stamp);
            }
        }
        let own = stamps.into_iter().filter(|stamp| stamp.writer == writer);
        own.map(|stamp| stamp.at).collect()
    }

    fn is_nothing(&self) -> bool {
        self.inserted.is_none() && self.deleted.is_none() && self.fields.is_empty()
    }

    /// Bytes of the values, about.
    fn bytes(&self) -> usize {
        let seen = self
            .fields
            .values()
            .filter(|(stamp, _)| !self.is_covered(*stamp));
        seen.map(|(_, value)| value.as_str().len()).sum()
    }

    fn is_covered(&self, stamp: Stamp) -> bool {
        self.deleted >= Some(stamp)
    }

    fn state(&self) -> State<'_> {
        let seen = self.fields.iter();
        let seen = seen.filter(|(_, (stamp, _))| !self.is_covered(*stamp));
        let fields = seen.map(|(name, (stamp, value))| (name, stamp, value));
        (self.inserted, self.deleted, fields.collect())
    }

    fn join(&mut self, op: &Op<Stamp>) {
        match op {
            Op::Insert { at, data } => {
                self.inserted = self.inserted.max(Some(*at));
                data.iter()
                    .for_each(|(name, value)| self.write(name, *at, value));
            }
            Op::Update { fields } => fields
                .iter()
                .for_each(|(name, value, at)| self.write(name, *at, value)),
            Op::Delete { at } => self.deleted = self.deleted.max(Some(*at)),
        }
    }

    fn write(&mut self, name: &FieldName, at: Stamp, value: &Json) {
        let write = (at, value.clone());
        let greatest = match self.fields.remove(name) {
            Some(stored) => stored.max(write),
            None => write,
        };
        self.fields.insert(name.clone(), greatest);
    }

    /// What of a change loses against this record.
    fn loss(&self, change: &StampedChange) -> Option<Loss> {
        let mut loss = Loss {
            key: change.key.clone(),
            fields: Vec::new(),
            deleted_at: None,
            inserted_at: None,
        };
        let writes: Vec<(&FieldName, Stamp, &Json)> = match &change.op {
            Op::Insert { at, data } => {
                if self.is_covered(*at) {
                    loss.deleted_at = self.deleted.map(|stamp| stamp.at);
                }
                data.iter()
                    .map(|(name, value)| (name, *at, value))
                    .collect()
            }
            Op::Update { fields } => fields
                .iter()
                .map(|(name, value, at)| (name, *at, value))
                .collect(),
            Op::Delete { at } => {
                if self.inserted > Some(*at) {
                    loss.inserted_at = self.inserted.map(|stamp| stamp.at);
                }
                Vec::new()
            }
        };
        for (name, at, value) in writes {
            if self.is_covered(at) {
                loss.deleted_at = self.deleted.map(|stamp| stamp.at);
            } else if let Some((stamp, stored)) = self.fields.get(name)
                && (stamp, stored) > (&at, value)
            {
                loss.fields.push((name.clone(), stamp.at, stored.clone()));
            }
        }
        let lost =
            !loss.fields.is_empty() || loss.deleted_at.is_some() || loss.inserted_at.is_some();
        lost.then_some(loss)
    }
}

fn state_of(record: &Record) -> State<'_> {
    let fields = record.fields.iter();
    let mut fields: Vec<_> = fields
        .map(|field| (&field.name, &field.stamp, &field.value))
        .collect();
    fields.sort();
    (record.inserted, record.deleted, fields)
}

/// The losses a verdict names.
pub fn losses_of(verdict: &Verdict) -> Vec<Loss> {
    let loss = |winner: &Winner| Loss {
        key: winner.key.clone(),
        fields: winner
            .fields
            .iter()
            .map(|field| {
                let value = field.value.clone().unwrap_or_else(|| Json::trusted("?"));
                (field.name.clone(), field.at, value)
            })
            .collect(),
        deleted_at: winner.deleted_at,
        inserted_at: winner.inserted_at,
    };
    verdict.winners.iter().map(loss).collect()
}

/// A record's visible fields as the text that travels.
pub fn data_text(record: &Record) -> Arc<str> {
    let mut text = String::new();
    delta::write_data(&mut text, record);
    text.into()
}
