//! What a device was told: a working copy that moves with the cursor, and what of it may be
//! shown, which is the last state that was complete.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncline_protocol::ids::{Epoch, RecordId, RecordKey, Seq, TableName};
use syncline_protocol::wire::cursor::SnapshotSum;

use super::message::{Entry, Message};
use crate::sim::trace::{Checked, ensure, violated};

/// A record as it was told.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// The fields, as the text that came.
    pub(super) data: Arc<str>,
    /// The newest stamp the device knows of it: what it holds is at least that new.
    pub(super) at: String,
}

pub(super) type Records = BTreeMap<RecordKey, Held>;

/// A device's copy of the space.
#[derive(Debug, Default)]
pub(super) struct Replica {
    /// Up to where the working copy goes; `None` before and during a snapshot.
    pub(super) cursor: Option<(Epoch, Seq)>,
    working: Records,
    /// The last complete state.
    pub(super) shown: Records,
    /// The working copy is the space as of the cursor.
    pub(super) complete: bool,
    /// A snapshot under way.
    pub(super) snapshot: Option<Snapshot>,
}

/// A snapshot as far as it came.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// The tables it is of, if it fills some into a copy of others.
    pub(super) tables: Option<Vec<&'static str>>,
    /// Where it goes on.
    pub(super) next: Option<String>,
    at: Option<u64>,
    count: u64,
    sum: SnapshotSum,
}

impl Replica {
    /// A snapshot begins: of everything, or of some tables.
    pub(super) fn begin_snapshot(&mut self, tables: Option<Vec<&'static str>>) {
        match &tables {
            None => {
                self.working.clear();
                self.cursor = None;
            }
            Some(tables) => self
                .working
                .retain(|key, _| !tables.contains(&key.table.as_str())),
        }
        self.complete = false;
        self.snapshot = Some(Snapshot {
            tables,
            ..Snapshot::default()
        });
    }

    /// A part of it.
    pub(super) fn part(&mut self, part: &Message<'_>) -> Checked {
        let Some(snapshot) = &mut self.snapshot else {
            return violated("snapshot", "a part of none");
        };
        ensure(
            snapshot.at.is_none_or(|at| Some(at) == part.at),
            "snapshot",
            || format!("began at {:?}, goes on at {:?}", snapshot.at, part.at),
        )?;
        snapshot.at = part.at;
        snapshot.next = part.next.map(str::to_owned);
        snapshot.count += part.changes.len() as u64;
        for entry in &part.changes {
            let key = key(entry);
            let text = entry.data.map_or("null", |data| data.get());
            snapshot.sum.add(&key, text);
            let unseen = self.working.insert(key, held(entry)).is_none();
            ensure(unseen, "snapshot", || format!("{entry:?} came twice"))?;
        }
        Ok(())
    }

    /// Its end. It is shown with the next complete delta: parts are of different moments.
    pub(super) fn end_snapshot(
        &mut self,
        end: &Message<'_>,
        epoch: Epoch,
    ) -> Checked<Option<Vec<&'static str>>> {
        let Some(snapshot) = self.snapshot.take() else {
            return violated("snapshot", "an end of none");
        };
        let got = (Some(snapshot.count), snapshot.sum.to_string());
        let told = (end.count, end.sum.unwrap_or_default().to_owned());
        ensure(got == told, "snapshot", || {
            format!("got {got:?}, told {told:?}")
        })?;
        if snapshot.tables.is_none() {
            self.cursor = end.at.map(|at| (epoch, Seq(at)));
        }
        Ok(snapshot.tables)
    }

    /// A delta. True if the copy is complete after it.
    pub(super) fn delta(&mut self, delta: &Message<'_>) -> Checked<bool> {
        let (from, to) = (Seq(delta.from.unwrap_or(0)), Seq(delta.to.unwrap_or(0)));
        let Some((epoch, seq)) = self.cursor else {
            return violated("cursor", format!("a delta from {from} without a cursor"));
        };
        ensure(self.snapshot.is_none(), "cursor", || {
            "a delta inside a snapshot".into()
        })?;
        ensure(from == seq, "cursor", || {
            format!("at {seq}, a delta from {from}")
        })?;
        ensure(to >= from, "cursor", || format!("back from {from} to {to}"))?;
        for entry in &delta.changes {
            self.apply(entry);
        }
        self.cursor = Some((epoch, to));
        self.complete = !delta.more;
        Ok(self.complete)
    }

    /// Whether the cursor stands at a head.
    pub(super) fn is_at(&self, head: Option<u64>) -> bool {
        self.cursor.map(|(_, seq)| seq.0) == head
    }

    /// What is complete may be shown.
    pub(super) fn show(&mut self) {
        self.shown.clone_from(&self.working);
    }

    fn apply(&mut self, entry: &Entry<'_>) {
        let key = key(entry);
        if entry.op == "delete" {
            self.working.remove(&key);
            return;
        }
        let mut new = held(entry);
        if let (true, Some(old)) = (new.at.is_empty(), self.working.get(&key)) {
            new.at.clone_from(&old.at);
        }
        self.working.insert(key, new);
    }
}

fn key(entry: &Entry<'_>) -> RecordKey {
    RecordKey {
        table: TableName::trusted(entry.table),
        id: RecordId::trusted(entry.id),
    }
}

fn held(entry: &Entry<'_>) -> Held {
    let fields = entry.fields.iter().flatten();
    let newest = fields.map(|(_, written)| written.at).max();
    Held {
        data: entry.data.map_or("null", |data| data.get()).into(),
        at: newest.or(entry.inserted_at).unwrap_or_default().to_owned(),
    }
}
